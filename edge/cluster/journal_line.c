#include <stdlib.h>
#include <string.h>

#include "journal_internal.h"
#include "line_internal.h"
#include "stream_internal.h"

#define PARTS_MAX 7

void
journal_record_fini(struct journal_record *record)
{
    free(record->host);
    free(record->value);
    record->host = NULL;
    record->value = NULL;
}

/* ---- writing ---- */

static void
print_entry(const struct journal_record *record, struct buf *out)
{
    buf_printf(out, "entry %llu %s %s ", (unsigned long long)record->number,
               record->soft ? "soft" : "hard", inval_kind_name(record->kind));
    line_add_hex(out, span_of(record->host));
    buf_add_char(out, ' ');
    line_add_hex(out, span_of(record->value));
    buf_printf(out, " %s %llu", record->site[0] != '\0' ? record->site : "-",
               (unsigned long long)record->n);
}

void
journal_print(const struct journal_record *record, struct buf *out)
{
    size_t from = out->len;

    switch (record->line) {
    case JOURNAL_HEAD:
        buf_printf(out, "head %016llx%016llx %llu",
                   (unsigned long long)record->id.hi,
                   (unsigned long long)record->id.lo,
                   (unsigned long long)record->number);
        break;
    case JOURNAL_ENTRY:
        print_entry(record, out);
        break;
    case JOURNAL_FLOOR:
        buf_printf(out, "floor %llu %s", (unsigned long long)record->number,
                   floor_reason_name(record->reason));
        break;
    case JOURNAL_SITE:
        buf_printf(out, "site %s %016llx %016llx %llu", record->site,
                   (unsigned long long)record->epoch,
                   (unsigned long long)record->term,
                   (unsigned long long)record->n);
        break;
    case JOURNAL_SKIP:
        buf_printf(out, "skip %llu", (unsigned long long)record->number);
        break;
    case JOURNAL_LEVELS:
        buf_printf(out, "levels %016llx", (unsigned long long)record->number);
        break;
    case JOURNAL_DONE:
        buf_printf(out, "done %llu", (unsigned long long)record->number);
        break;
    }
    line_add_sum(out, from);
}

/* ---- reading ---- */

static bool
hex_u64(struct span text, uint64_t *value)
{
    uint64_t sum = 0;

    if (text.len != 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = line_digit(text.ptr[i]);

        if (digit < 0)
            return false;
        sum = sum << 4 | (unsigned)digit;
    }
    *value = sum;
    return true;
}

/* The largest number is none that is ever given. */
static bool
number_of(struct span text, uint64_t *value)
{
    return text.len <= 20 && span_u64(text, UINT64_MAX, value) &&
           *value < UINT64_MAX;
}

static bool
take_site(struct span text, struct journal_record *record)
{
    if (!position_site_valid(text))
        return false;
    memcpy(record->site, text.ptr, text.len);
    record->site[text.len] = '\0';
    return true;
}

static bool
parse_head(const struct span *part, struct journal_record *record)
{
    record->line = JOURNAL_HEAD;
    return part[0].len == 32 &&
           hex_u64(span_sub(part[0], 0, 16), &record->id.hi) &&
           hex_u64(span_sub(part[0], 16, 32), &record->id.lo) &&
           number_of(part[1], &record->number);
}

static bool
parse_floor(const struct span *part, struct journal_record *record)
{
    record->line = JOURNAL_FLOOR;
    if (!number_of(part[0], &record->number))
        return false;
    for (unsigned i = 0; i < FLOOR_REASONS; i++) {
        record->reason = (enum floor_reason)i;
        if (span_eq(part[1], span_of(floor_reason_name(record->reason))))
            return true;
    }
    return false;
}

static bool
parse_site(const struct span *part, struct journal_record *record)
{
    record->line = JOURNAL_SITE;
    return take_site(part[0], record) && hex_u64(part[1], &record->epoch) &&
           hex_u64(part[2], &record->term) && number_of(part[3], &record->n);
}

static bool
parse_skip(const struct span *part, struct journal_record *record)
{
    record->line = JOURNAL_SKIP;
    return number_of(part[0], &record->number);
}

static bool
parse_levels(const struct span *part, struct journal_record *record)
{
    record->line = JOURNAL_LEVELS;
    return hex_u64(part[0], &record->number);
}

static bool
parse_done(const struct span *part, struct journal_record *record)
{
    record->line = JOURNAL_DONE;
    return number_of(part[0], &record->number);
}

/* What an entry says must make sense, as when somebody purges. */
static bool
sensible(const struct journal_record *record)
{
    struct purge purge = {
        .kind = record->kind, .host = record->host, .value = record->value};
    char why[128];

    return purge_valid(&purge, why, sizeof(why));
}

static bool
parse_entry(const struct span *part, struct journal_record *record)
{
    record->line = JOURNAL_ENTRY;
    record->soft = span_eq(part[1], SPAN("soft"));
    if (!number_of(part[0], &record->number) ||
        (!record->soft && !span_eq(part[1], SPAN("hard"))) ||
        !inval_kind_parse(part[2], &record->kind) ||
        !number_of(part[6], &record->n))
        return false;
    if (!span_eq(part[5], SPAN("-")) && !take_site(part[5], record))
        return false;
    record->host = line_from_hex(part[3]);
    record->value = line_from_hex(part[4]);
    if (record->host != NULL && record->value != NULL && sensible(record))
        return true;
    journal_record_fini(record);
    return false;
}

static const struct {
    struct span word;
    size_t parts;
    bool (*parse)(const struct span *part, struct journal_record *record);
} forms[] = {
    {{"head", 4}, 2, parse_head},   {{"entry", 5}, 7, parse_entry},
    {{"floor", 5}, 2, parse_floor}, {{"site", 4}, 4, parse_site},
    {{"skip", 4}, 1, parse_skip},   {{"levels", 6}, 1, parse_levels},
    {{"done", 4}, 1, parse_done},
};

static bool
parse(struct span line, struct journal_record *record)
{
    struct span part[PARTS_MAX];
    struct span word;
    size_t count = 0;

    if (!span_split(&line, ' ', &word))
        return false;
    while (count < PARTS_MAX && span_split(&line, ' ', &part[count]))
        count++;
    if (line.ptr != NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (span_eq(word, forms[i].word))
            return count == forms[i].parts && forms[i].parse(part, record);
    }
    return false;
}

/* Numbers, for one, may be written in several ways. */
static bool
prints_as(const struct journal_record *record, struct span line)
{
    struct buf text = {0};

    journal_print(record, &text);
    bool same = text.len == line.len + 1 &&
                span_eq(span_sub(buf_span(&text), 0, line.len), line);

    buf_fini(&text);
    return same;
}

bool
journal_parse(struct span line, struct journal_record *record)
{
    struct span text = line;

    *record = (struct journal_record){0};
    if (!line_check_sum(&text) || !parse(text, record))
        return false;
    if (prints_as(record, line))
        return true;
    journal_record_fini(record);
    return false;
}
