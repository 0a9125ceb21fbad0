#include "outbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "line_internal.h"
#include "stream_internal.h"

/* ---- writing ---- */

void
outbox_print(const struct outbox_record *record, struct buf *out)
{
    const struct outbox_entry *entry = &record->entry;
    size_t from = out->len;

    switch (record->line) {
    case OUTBOX_LINE_NAME:
        buf_printf(out, "name %s", record->name);
        break;
    case OUTBOX_LINE_ADD:
        buf_printf(out, "add %llu %s %s %s ", (unsigned long long)entry->id,
                   entry->kind == OUTBOX_INTENT ? "intent" : "purge",
                   entry->purge.soft ? "soft" : "hard",
                   inval_kind_name(entry->purge.kind));
        line_add_hex(out, span_of(entry->purge.host));
        buf_add_char(out, ' ');
        line_add_hex(out, span_of(entry->purge.value));
        break;
    case OUTBOX_LINE_DONE:
        buf_printf(out, "done %llu", (unsigned long long)entry->id);
        break;
    }
    line_add_sum(out, from);
}

/* ---- reading ---- */

static bool
one_of(struct span text, const char *no, const char *yes, bool *is)
{
    *is = span_eq(text, span_of(yes));
    return *is || span_eq(text, span_of(no));
}

static bool
parse_name(struct span rest, struct outbox_record *record)
{
    if (rest.len != sizeof(record->name) - 1)
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        if (line_digit(rest.ptr[i]) < 0)
            return false;
    }
    memcpy(record->name, rest.ptr, rest.len);
    record->name[rest.len] = '\0';
    return true;
}

static bool
parse_purge(struct span host, struct span value, struct purge *purge)
{
    char why[128];

    purge->once = NULL;
    purge->host = line_from_hex(host);
    purge->value = line_from_hex(value);
    if (purge->host != NULL && purge->value != NULL &&
        purge_valid(purge, why, sizeof(why)))
        return true;
    free(purge->host);
    free(purge->value);
    return false;
}

static bool
parse_add(struct span rest, struct outbox_record *record)
{
    struct outbox_entry *entry = &record->entry;
    struct span part[6];
    bool intent;

    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        if (!span_split(&rest, ' ', &part[i]))
            return false;
    }
    if (rest.ptr != NULL || !span_u64(part[0], INT64_MAX, &entry->id) ||
        !one_of(part[1], "purge", "intent", &intent) ||
        !one_of(part[2], "hard", "soft", &entry->purge.soft) ||
        !inval_kind_parse(part[3], &entry->purge.kind))
        return false;
    entry->kind = intent ? OUTBOX_INTENT : OUTBOX_PURGE;
    return parse_purge(part[4], part[5], &entry->purge);
}

static bool
parse(struct span line, struct outbox_record *record)
{
    struct span rest;

    if (span_starts(line, SPAN("name "))) {
        record->line = OUTBOX_LINE_NAME;
        return parse_name(span_sub(line, 5, line.len), record);
    }
    if (span_starts(line, SPAN("add "))) {
        record->line = OUTBOX_LINE_ADD;
        return parse_add(span_sub(line, 4, line.len), record);
    }
    rest = span_sub(line, 5, line.len);
    record->line = OUTBOX_LINE_DONE;
    return span_starts(line, SPAN("done ")) &&
           span_u64(rest, INT64_MAX, &record->entry.id);
}

/* Numbers, for one, may be written in several ways. */
static bool
prints_as(const struct outbox_record *record, struct span line)
{
    struct buf text = {0};

    outbox_print(record, &text);
    bool same = text.len == line.len + 1 &&
                span_eq(span_sub(buf_span(&text), 0, line.len), line);

    buf_fini(&text);
    return same;
}

bool
outbox_parse(struct span line, struct outbox_record *record)
{
    struct span text = line;

    *record = (struct outbox_record){0};
    if (!line_check_sum(&text) || !parse(text, record))
        return false;
    if (prints_as(record, line))
        return true;
    free(record->entry.purge.host);
    free(record->entry.purge.value);
    return false;
}
