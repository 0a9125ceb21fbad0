#include "history.h"

#include <stddef.h>
#include <time.h>

#include "base/check.h"

static const char *const kinds[HISTORY_KINDS] = {
    [HISTORY_READ] = "read",   [HISTORY_WRITE] = "write",
    [HISTORY_PURGE] = "purge", [HISTORY_FAULT] = "fault",
    [HISTORY_PLACE] = "place", [HISTORY_SET] = "set",
};

static const char *const outcomes[HISTORY_OUTCOMES] = {
    [HISTORY_OK] = "ok",
    [HISTORY_FAILED] = "failed",
    [HISTORY_MAYBE] = "maybe",
    [HISTORY_LOCAL] = "local",
};

static const char *const levels[HISTORY_LEVELS] = {
    [HISTORY_AP] = "ap",           [HISTORY_BOUNDED] = "bounded",
    [HISTORY_SESSION] = "session", [HISTORY_LEASE] = "lease",
    [HISTORY_CP] = "cp",
};

/* ---- the table of fields ---- */

enum type { NUMBER, FLAG, TEXT, OUTCOME };

struct column {
    const char *name;
    enum type type;
    size_t offset;
    unsigned needed; /* bits of kinds */
};

#define BIT(kind) (1u << HISTORY_##kind)
#define DONE (BIT(READ) | BIT(WRITE) | BIT(PURGE))
#define FIELD(member, type, needed)                                            \
    {                                                                          \
#member, type, offsetof(struct history_line, member), needed           \
    }

static const struct column columns[] = {
    FIELD(key, TEXT, DONE),
    FIELD(at, TEXT, BIT(READ) | BIT(PURGE)),
    FIELD(begin, NUMBER, DONE | BIT(FAULT)),
    FIELD(end, NUMBER, DONE | BIT(FAULT)),
    {"out", OUTCOME, offsetof(struct history_line, outcome), DONE},
    FIELD(value, NUMBER, BIT(WRITE)),
    FIELD(status, NUMBER, 0),
    FIELD(local, FLAG, 0),
    FIELD(stored, FLAG, 0),
    FIELD(torn, FLAG, 0),
    FIELD(hard, FLAG, 0),
    FIELD(all, FLAG, 0),
    FIELD(session, NUMBER, 0),
    FIELD(sent, FLAG, 0),
    FIELD(got, FLAG, 0),
    FIELD(what, TEXT, BIT(FAULT)),
    FIELD(on, TEXT, BIT(FAULT)),
    FIELD(name, TEXT, BIT(PLACE)),
    FIELD(role, TEXT, BIT(PLACE)),
    FIELD(site, TEXT, BIT(PLACE)),
    FIELD(bound_us, NUMBER, 0),
    FIELD(converge_us, NUMBER, 0),
};

static void *
member(struct history_line *line, const struct column *column)
{
    return (char *)line + column->offset;
}

static const void *
const_member(const struct history_line *line, const struct column *column)
{
    return (const char *)line + column->offset;
}

/* ---- reading ---- */

static bool
find(const char *const *names, size_t count, struct span text, unsigned *index)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(text, span_of(names[i]))) {
            *index = (unsigned)i;
            return true;
        }
    }
    return false;
}

static const struct column *
column_of(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        if (span_eq(name, span_of(columns[i].name)))
            return &columns[i];
    }
    return NULL;
}

static bool
take(struct history_line *line, const struct column *column, struct span value)
{
    void *to = member(line, column);
    unsigned index;

    switch (column->type) {
    case NUMBER:
        return span_u64(value, UINT64_MAX, to);
    case FLAG:
        *(bool *)to = span_eq(value, SPAN("1"));
        return *(bool *)to || span_eq(value, SPAN("0"));
    case TEXT:
        *(struct span *)to = value;
        return value.len > 0;
    case OUTCOME:
        if (!find(outcomes, HISTORY_OUTCOMES, value, &index))
            return false;
        line->outcome = (enum history_outcome)index;
        return true;
    }
    return false;
}

static bool
complete(const struct history_line *line, uint64_t seen, struct buf *why)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        if ((columns[i].needed >> line->kind & 1) != 0 &&
            (seen >> i & 1) == 0) {
            buf_printf(why, "%s is missing", columns[i].name);
            return false;
        }
    }
    if (line->end != 0 && line->end < line->begin) {
        buf_add_text(why, "it ends before it begins");
        return false;
    }
    return true;
}

bool
history_parse(struct span text, struct history_line *line, struct buf *why)
{
    struct span part;
    unsigned kind;
    uint64_t seen = 0;

    *line = (struct history_line){0};
    if (!span_split(&text, ' ', &part) ||
        !find(kinds, HISTORY_KINDS, part, &kind)) {
        buf_printf(why, "\"%.*s\" is no kind of a line", SPAN_FMT(part));
        return false;
    }
    line->kind = (enum history_kind)kind;
    while (span_split(&text, ' ', &part)) {
        size_t sign = span_find(part, '=', 0);
        const struct column *column = column_of(span_sub(part, 0, sign));

        if (column == NULL || sign == part.len ||
            !take(line, column, span_sub(part, sign + 1, part.len))) {
            buf_printf(why, "\"%.*s\" is no field", SPAN_FMT(part));
            return false;
        }
        seen |= UINT64_C(1) << (column - columns);
    }
    return complete(line, seen, why);
}

/* ---- writing ---- */

static bool
is_set(const struct history_line *line, const struct column *column)
{
    const void *from = const_member(line, column);

    switch (column->type) {
    case NUMBER:
        return *(const uint64_t *)from != 0;
    case FLAG:
        return *(const bool *)from;
    case TEXT:
        return ((const struct span *)from)->len > 0;
    case OUTCOME:
        break;
    }
    return false;
}

static void
add_value(const struct history_line *line, const struct column *column,
          struct buf *out)
{
    const void *from = const_member(line, column);

    switch (column->type) {
    case NUMBER:
        buf_add_u64(out, *(const uint64_t *)from);
        break;
    case FLAG:
        buf_add_char(out, *(const bool *)from ? '1' : '0');
        break;
    case TEXT:
        buf_add_span(out, *(const struct span *)from);
        break;
    case OUTCOME:
        buf_add_text(out, outcomes[line->outcome]);
        break;
    }
}

void
history_format(const struct history_line *line, struct buf *out)
{
    buf_add_text(out, kinds[line->kind]);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        if ((columns[i].needed >> line->kind & 1) == 0 &&
            !is_set(line, &columns[i]))
            continue;
        buf_add_char(out, ' ');
        buf_add_text(out, columns[i].name);
        buf_add_char(out, '=');
        add_value(line, &columns[i], out);
    }
    buf_add_char(out, '\n');
}

/* ---- the rest ---- */

const char *
history_level_name(enum history_level level)
{
    CHECK((unsigned)level < HISTORY_LEVELS);
    return levels[level];
}

bool
history_level_of(struct span key, enum history_level *level)
{
    unsigned index;
    size_t slash = span_find(key, '/', 0);

    if (slash == key.len ||
        !find(levels, HISTORY_LEVELS, span_sub(key, 0, slash), &index))
        return false;
    *level = (enum history_level)index;
    return true;
}

uint64_t
history_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
