/* The rules about the operations of one key. */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "check_internal.h"

/* A walk over the reads of a key by their begin, and what had ended by then. */
struct walk {
    struct check *check;
    struct check_key *key;
    struct check_level *level;
    const struct check_op **by_end; /* reads, or acknowledgements */
    size_t count;
    size_t next;
    const struct check_op *newest; /* of those that have ended */
};

static int
by_op_end(const void *left, const void *right)
{
    const struct check_op *a = *(const struct check_op *const *)left;
    const struct check_op *b = *(const struct check_op *const *)right;

    return (a->end > b->end) - (a->end < b->end);
}

static void
walk_add(struct walk *walk, const struct check_op *ops, size_t count,
         bool all_only)
{
    for (size_t i = 0; i < count; i++) {
        if (ops[i].outcome == HISTORY_OK && (ops[i].all || !all_only))
            walk->by_end[walk->count++] = &ops[i];
    }
}

static struct walk
walk_new(struct check *check, struct check_key *key, size_t room)
{
    return (struct walk){
        .check = check,
        .key = key,
        .level = &check->levels[key->level],
        .by_end = mem_zalloc((room + 1) * sizeof(struct check_op *)),
    };
}

static void
walk_sort(struct walk *walk)
{
    qsort(walk->by_end, walk->count, sizeof(struct check_op *), by_op_end);
}

/* Of those that had ended before `time`, one with the largest value. */
static const struct check_op *
walk_to(struct walk *walk, uint64_t time)
{
    for (; walk->next < walk->count && walk->by_end[walk->next]->end < time;
         walk->next++) {
        const struct check_op *op = walk->by_end[walk->next];

        if (walk->newest == NULL || op->value > walk->newest->value)
            walk->newest = op;
    }
    return walk->newest;
}

static void
report(struct check *check, enum check_rule rule, const struct check_op *a,
       const struct check_op *b, const struct check_op *c)
{
    const struct check_op *ops[] = {a, b, c};

    check_report(check, rule, ops, ARRAY_LEN(ops));
}

/* ---- of every level ---- */

static void
check_value(struct check *check, const struct check_key *key,
            const struct check_op *read)
{
    const struct check_op *write = check_write_of(key, read->value);

    if (read->torn)
        report(check, RULE_TORN, read, NULL, NULL);
    else if (read->value == 0)
        return; /* what was there before the first write */
    else if (write == NULL)
        report(check, RULE_UNWRITTEN, read, NULL, NULL);
    else if (write->begin > read->end)
        report(check, RULE_FUTURE, write, read, NULL);
}

/* ---- cp ---- */

/* The register of one writer is linearizable if and only if no read is from
 * the future, none is older than a completed write, and none is older than a
 * read that ended before it began (Lamport, On interprocess communication,
 * 1986, part II). */
static void
check_cp_read(struct walk *walk, const struct check_op *read)
{
    const struct check_op *later =
        check_first_over(walk->key, read->value, read->begin);
    const struct check_op *newest = walk_to(walk, read->begin);

    walk->level->checked += check_last_before(walk->key, read->begin) != NULL;
    if (later != NULL)
        report(walk->check, RULE_STALE_WRITE, later, read, NULL);
    else if (newest != NULL && newest->value > read->value)
        report(walk->check, RULE_STALE_READ, newest, read, NULL);
}

static void
check_cp(struct check *check, struct check_key *key)
{
    struct walk walk = walk_new(check, key, key->read_count);

    walk_add(&walk, key->reads, key->read_count, false);
    walk_sort(&walk);
    for (size_t i = 0; i < key->read_count; i++) {
        if (key->reads[i].outcome == HISTORY_OK)
            check_cp_read(&walk, &key->reads[i]);
    }
    free(walk.by_end);
}

/* ---- lease ---- */

/* The first acknowledgement that makes the value too old: of a purge, which had
 * found a later one written, or of a write. */
static const struct check_op *
first_acknowledged(const struct walk *walk, uint64_t value)
{
    for (size_t i = 0; i < walk->next; i++) {
        if (walk->by_end[i]->value > value)
            return walk->by_end[i];
    }
    return NULL;
}

static void
check_lease_read(struct walk *walk, const struct check_op *read)
{
    const struct check_op *newest = walk_to(walk, read->begin);

    walk->level->checked += newest != NULL && newest->value > 0;
    if (newest == NULL || newest->value <= read->value)
        return;
    const struct check_op *first = first_acknowledged(walk, read->value);
    const struct check_op *write =
        first->kind == HISTORY_PURGE
            ? check_first_over(walk->key, read->value, first->begin)
            : NULL;

    report(walk->check, RULE_STALE_PURGE, write, first, read);
}

static void
check_lease(struct check *check, struct check_key *key)
{
    struct walk walk =
        walk_new(check, key, key->purge_count + key->write_count);

    walk_add(&walk, key->purges, key->purge_count, true);
    walk_add(&walk, key->writes, key->write_count, true);
    walk_sort(&walk);
    for (size_t i = 0; i < key->read_count; i++) {
        if (key->reads[i].outcome == HISTORY_OK)
            check_lease_read(&walk, &key->reads[i]);
    }
    free(walk.by_end);
}

/* ---- bounded ---- */

static void
check_bounded(struct check *check, struct check_key *key)
{
    for (size_t i = 0; i < key->read_count; i++) {
        const struct check_op *read = &key->reads[i];

        if (read->outcome != HISTORY_OK || read->begin < check->bound_us)
            continue;
        uint64_t time = read->begin - check->bound_us;
        const struct check_op *later = check_first_over(key, read->value, time);

        check->levels[key->level].checked +=
            check_last_before(key, time) != NULL;
        if (later != NULL)
            report(check, RULE_BOUND, later, read, NULL);
    }
}

void
check_key_rules(struct check *check, struct check_key *key)
{
    for (size_t i = 0; i < key->read_count; i++) {
        if (key->reads[i].outcome == HISTORY_OK)
            check_value(check, key, &key->reads[i]);
    }
    switch (key->level) {
    case HISTORY_CP:
        check_cp(check, key);
        break;
    case HISTORY_LEASE:
        check_lease(check, key);
        break;
    case HISTORY_BOUNDED:
        check_bounded(check, key);
        break;
    case HISTORY_AP:      /* check_ap */
    case HISTORY_SESSION: /* check_sessions */
    case HISTORY_LEVELS:
        break;
    }
}
