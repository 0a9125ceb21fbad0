#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "check_internal.h"

#define FAULTS_SHOWN 6

static const struct {
    const char *name;
    const char *text;
} rules[RULE_COUNT] = {
    [RULE_UNWRITTEN] = {"unwritten", "a value that nobody wrote was read"},
    [RULE_TORN] = {"torn", "one body had several values"},
    [RULE_FUTURE] = {"future", "a value was read before its write began"},
    [RULE_STALE_WRITE] = {"stale-write", "older than a write that had "
                                         "completed before the read began"},
    [RULE_STALE_READ] = {"stale-read", "older than what a read that had ended "
                                       "before it began returned"},
    [RULE_STALE_PURGE] = {"stale-purge",
                          "older than what was acknowledged before the read "
                          "began"},
    [RULE_BACK] = {"back", "older than what the session's token covers"},
    [RULE_BOUND] = {"bound", "overwritten longer ago than the bound when the "
                             "read began"},
    [RULE_UNAVAILABLE] = {"unavailable",
                          "no answer, though a copy could be reached"},
    [RULE_DIVERGED] = {"diverged", "healed, and yet older than what a "
                                   "published purge had found"},
};

const char *
check_rule_name(enum check_rule rule)
{
    CHECK((unsigned)rule < RULE_COUNT);
    return rules[rule].name;
}

const char *
check_rule_text(enum check_rule rule)
{
    CHECK((unsigned)rule < RULE_COUNT);
    return rules[rule].text;
}

struct check *
check_new(check_fn fn, void *arg)
{
    struct check *check = mem_zalloc(sizeof(*check));

    check->fn = fn;
    check->arg = arg;
    check->converge_us = 1000000;
    return check;
}

void
check_free(struct check **check)
{
    struct check *c = *check;

    *check = NULL;
    if (c == NULL)
        return;
    check_faults_free(c);
    for (size_t i = 0; i < c->key_count; i++)
        free(c->keys[i].name);
    free(c->keys);
    free(c->ops);
    free(c);
}

const struct check_level *
check_level(const struct check *check, enum history_level level)
{
    CHECK((unsigned)level < HISTORY_LEVELS);
    return &check->levels[level];
}

/* ---- taking lines ---- */

/* The index of a key, which is new if need be. */
static size_t
key_of(struct check *check, struct span name, struct buf *why)
{
    enum history_level level;

    for (size_t i = 0; i < check->key_count; i++) {
        if (span_eq(name, span_of(check->keys[i].name)))
            return i;
    }
    if (!history_level_of(name, &level)) {
        buf_printf(why, "\"%.*s\" is of no level", SPAN_FMT(name));
        return SIZE_MAX;
    }
    MEM_GROW(check->keys, check->key_count, check->key_cap);
    check->keys[check->key_count] =
        (struct check_key){.name = mem_strndup(name.ptr, name.len),
                           .level = level,
                           .removed = CHECK_FOREVER};
    return check->key_count++;
}

static bool
add_op(struct check *check, const struct history_line *line, struct buf *why)
{
    size_t key = key_of(check, line->key, why);
    size_t place = check_place_of(check, line->at);
    size_t site = line->site.len > 0 ? check_site_of(check, line->site) : place;

    if (key == SIZE_MAX)
        return false;
    if (line->at.len > 0 && place == CHECK_PLACES) {
        buf_printf(why, "there is no place \"%.*s\"", SPAN_FMT(line->at));
        return false;
    }
    if (line->site.len > 0 && site == CHECK_PLACES) {
        buf_printf(why, "there is no site \"%.*s\"", SPAN_FMT(line->site));
        return false;
    }
    MEM_GROW(check->ops, check->op_count, check->op_cap);
    check->ops[check->op_count++] = (struct check_op){
        .begin = line->begin,
        .end = line->end == 0 ? CHECK_FOREVER : line->end,
        .value = line->value,
        .session = line->session,
        .key = (uint32_t)key,
        .place = (uint16_t)place,
        .site = (uint16_t)site,
        .status = (uint16_t)line->status,
        .kind = (uint8_t)line->kind,
        .outcome = (uint8_t)line->outcome,
        .local = line->local,
        .stored = line->stored,
        .torn = line->torn,
        .hard = line->hard,
        .all = line->all,
        .sent = line->sent,
        .got = line->got,
    };
    return true;
}

bool
check_add(struct check *check, struct span text, struct buf *why)
{
    struct history_line line;

    if (!history_parse(text, &line, why))
        return false;
    switch (line.kind) {
    case HISTORY_READ:
    case HISTORY_WRITE:
    case HISTORY_PURGE:
        return add_op(check, &line, why);
    case HISTORY_FAULT:
        return check_add_fault(check, &line, text, why);
    case HISTORY_PLACE:
        return check_add_place(check, &line, why);
    case HISTORY_SET:
        if (line.bound_us != 0)
            check->bound_us = line.bound_us;
        if (line.converge_us != 0)
            check->converge_us = line.converge_us;
        return true;
    case HISTORY_KINDS:
        break;
    }
    return false;
}

/* ---- telling ---- */

static struct history_line
line_of(const struct check *check, const struct check_op *op)
{
    struct history_line line = {
        .kind = (enum history_kind)op->kind,
        .outcome = (enum history_outcome)op->outcome,
        .begin = op->begin,
        .end = op->end == CHECK_FOREVER ? 0 : op->end,
        .value = op->kind == HISTORY_PURGE ? 0 : op->value,
        .status = op->status,
        .session = op->session,
        .key = span_of(check->keys[op->key].name),
        .local = op->local,
        .stored = op->stored,
        .torn = op->torn,
        .hard = op->hard,
        .all = op->all,
        .sent = op->sent,
        .got = op->got,
    };

    if (op->place < CHECK_PLACES)
        line.at = span_of(check->places[op->place].name);
    if (op->site != op->place)
        line.site = span_of(check->places[op->site].site);
    return line;
}

static size_t
faults_while(const struct check *check, uint64_t begin, uint64_t end,
             struct span *faults)
{
    size_t count = 0;

    for (size_t i = 0; i < check->fault_count && count < FAULTS_SHOWN; i++) {
        if (check->fault_times[i].begin <= end &&
            check->fault_times[i].end >= begin)
            faults[count++] = span_of(check->fault_texts[i]);
    }
    return count;
}

static int
by_line_begin(const void *left, const void *right)
{
    const struct history_line *a = left;
    const struct history_line *b = right;

    return (a->begin > b->begin) - (a->begin < b->begin);
}

void
check_report(struct check *check, enum check_rule rule,
             const struct check_op *const *ops, size_t count)
{
    struct check_violation violation = {.rule = rule};
    struct span faults[FAULTS_SHOWN];
    uint64_t begin = CHECK_FOREVER;
    uint64_t end = 0;

    for (size_t i = 0; i < count; i++) {
        if (ops[i] == NULL)
            continue;
        violation.lines[violation.line_count++] = line_of(check, ops[i]);
        violation.level = check->keys[ops[i]->key].level;
        if (ops[i]->begin < begin)
            begin = ops[i]->begin;
        if (ops[i]->end > end)
            end = ops[i]->end;
    }
    qsort(violation.lines, violation.line_count, sizeof(violation.lines[0]),
          by_line_begin);
    violation.faults = faults;
    violation.fault_count = faults_while(check, begin, end, faults);
    check->levels[violation.level].violations++;
    check->levels[violation.level].by_rule[rule]++;
    check->fn(check->arg, &violation);
}

/* ---- what was written when ---- */

static bool
took_effect(const struct check_op *write)
{
    return write->outcome == HISTORY_OK || write->seen;
}

/* The first write of a value of at least this one. */
static size_t
first_of(const struct check_key *key, uint64_t value)
{
    size_t low = 0;
    size_t high = key->write_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (key->writes[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct check_op *
check_write_of(const struct check_key *key, uint64_t value)
{
    size_t i = first_of(key, value);

    return i < key->write_count && key->writes[i].value == value
               ? &key->writes[i]
               : NULL;
}

const struct check_op *
check_last_before(const struct check_key *key, uint64_t time)
{
    size_t low = 0;
    size_t high = key->write_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (key->writes[middle].end < time)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0 && !took_effect(&key->writes[low - 1]))
        low--;
    return low > 0 ? &key->writes[low - 1] : NULL;
}

const struct check_op *
check_first_over(const struct check_key *key, uint64_t value, uint64_t time)
{
    for (size_t i = first_of(key, value + 1); i < key->write_count; i++) {
        const struct check_op *write = &key->writes[i];

        if (write->end >= time)
            break;
        if (took_effect(write))
            return write;
    }
    return NULL;
}

/* ---- running ---- */

static int
by_key_kind_begin(const void *left, const void *right)
{
    const struct check_op *a = left;
    const struct check_op *b = right;

    if (a->key != b->key)
        return (a->key > b->key) - (a->key < b->key);
    if (a->kind != b->kind)
        return (a->kind > b->kind) - (a->kind < b->kind);
    return (a->begin > b->begin) - (a->begin < b->begin);
}

/* What takes copies away, if only by the attempt: a node that was cut off hears
 * of it late. A write through a node does (RFC 9111 section 4.4). */
static void
note_removals(struct check *check)
{
    for (size_t i = 0; i < check->op_count; i++) {
        const struct check_op *op = &check->ops[i];
        struct check_key *key = &check->keys[op->key];
        bool removes = op->kind == HISTORY_PURGE ? op->hard
                                                 : op->kind == HISTORY_WRITE &&
                                                       op->place < CHECK_PLACES;

        if (removes && op->begin < key->removed)
            key->removed = op->begin;
    }
}

/* Failed writes had no effect: they are left out, and so are not values that
 * may be read. */
static void
drop_failed_writes(struct check *check)
{
    size_t kept = 0;

    for (size_t i = 0; i < check->op_count; i++) {
        const struct check_op *op = &check->ops[i];

        if (op->kind != HISTORY_WRITE || op->outcome != HISTORY_FAILED)
            check->ops[kept++] = *op;
    }
    check->op_count = kept;
}

static void
slice(struct check *check)
{
    for (size_t i = 0; i < check->op_count; i++) {
        struct check_op *op = &check->ops[i];
        struct check_key *key = &check->keys[op->key];

        if (op->kind == HISTORY_READ) {
            if (key->read_count++ == 0)
                key->reads = op;
        } else if (op->kind == HISTORY_WRITE) {
            if (key->write_count++ == 0)
                key->writes = op;
        } else if (key->purge_count++ == 0) {
            key->purges = op;
        }
    }
}

static bool
one_writer(const struct check_key *key, struct buf *why)
{
    for (size_t i = 0; i < key->write_count; i++) {
        const struct check_op *write = &key->writes[i];
        const struct check_op *last = i > 0 ? &key->writes[i - 1] : NULL;

        if (write->value == 0 ||
            (last != NULL &&
             (last->end > write->begin || last->value >= write->value))) {
            buf_printf(why,
                       "%s: the write of %llu overlaps the one before, or its "
                       "value is not larger",
                       key->name, (unsigned long long)write->value);
            return false;
        }
    }
    return true;
}

/* Which uncertain writes were seen, and what each purge found. */
static void
relate(struct check_key *key)
{
    for (size_t i = 0; i < key->read_count; i++) {
        const struct check_op *read = &key->reads[i];
        size_t at = first_of(key, read->value);

        if (read->outcome == HISTORY_OK && at < key->write_count &&
            key->writes[at].value == read->value)
            key->writes[at].seen = true;
    }
    for (size_t i = 0; i < key->purge_count; i++) {
        const struct check_op *write =
            check_last_before(key, key->purges[i].begin);

        key->purges[i].value = write != NULL ? write->value : 0;
    }
}

static void
count(struct check *check, const struct check_key *key)
{
    struct check_level *level = &check->levels[key->level];

    level->reads += key->read_count;
    level->writes += key->write_count;
    for (size_t i = 0; i < key->read_count; i++) {
        const struct check_op *read = &key->reads[i];

        level->answered += read->outcome == HISTORY_OK;
        level->local += read->outcome == HISTORY_OK && read->local;
    }
    for (size_t i = 0; i < key->purge_count; i++) {
        const struct check_op *purge = &key->purges[i];

        level->purges += purge->outcome == HISTORY_OK;
        level->acknowledged += purge->outcome == HISTORY_OK && purge->all;
    }
}

bool
check_run(struct check *check, struct buf *why)
{
    note_removals(check);
    drop_failed_writes(check);
    if (check->op_count > 0)
        qsort(check->ops, check->op_count, sizeof(*check->ops),
              by_key_kind_begin);
    slice(check);
    for (size_t i = 0; i < check->key_count; i++) {
        struct check_key *key = &check->keys[i];

        if (!one_writer(key, why))
            return false;
        if (key->level == HISTORY_BOUNDED && check->bound_us == 0) {
            buf_add_text(why, "bounded needs \"set bound_us=...\"");
            return false;
        }
        relate(key);
        count(check, key);
        check_key_rules(check, key);
        if (key->level == HISTORY_AP)
            check_ap(check, key);
    }
    return check_sessions(check, why);
}
