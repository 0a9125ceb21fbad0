#include "http/range.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/conditional.h"

/* Ranges read of one request before they are joined; more are ignored. */
#define SPECS_MAX 64
/* Ranges with a gap smaller than this are sent as one: the head of another
 * part would cost about as much (RFC 9110 section 15.3.7.2). */
#define GAP_MIN 80

/* ---- reading ---- */

/* "0-9", "5-", "-5" (RFC 9110 section 14.1.1). */
static bool
parse_spec(struct span text, struct range_spec *out)
{
    size_t dash = span_find(text, '-', 0);
    struct span first = span_sub(text, 0, dash);
    struct span last = span_sub(text, dash + 1, text.len);

    if (dash == text.len)
        return false;
    if (first.len == 0) {
        *out = (struct range_spec){.suffix = true};
        return span_u64(last, UINT64_MAX, &out->first);
    }
    *out = (struct range_spec){.last = UINT64_MAX};
    if (!span_u64(first, UINT64_MAX, &out->first))
        return false;
    if (last.len == 0)
        return true;
    return span_u64(last, UINT64_MAX, &out->last) && out->first <= out->last;
}

/* Takes "bytes=" off the front. */
static bool
take_unit(struct span *value)
{
    static const struct span unit = {"bytes=", 6};

    if (!span_eq_nocase(span_sub(*value, 0, unit.len), unit))
        return false;
    *value = span_sub(*value, unit.len, value->len);
    return true;
}

/* How many specs stand in a Range value; 0: none that is to be obeyed. */
static size_t
parse_specs(struct span value, struct range_spec specs[SPECS_MAX])
{
    struct span part;
    size_t count = 0;

    if (!take_unit(&value))
        return 0;
    while (span_split(&value, ',', &part)) {
        part = span_trim(part);
        if (part.len == 0)
            continue;
        if (count == SPECS_MAX || !parse_spec(part, &specs[count]))
            return 0;
        count++;
    }
    return count;
}

bool
range_resolve(const struct range_spec *spec, uint64_t length, struct range *out)
{
    if (spec->suffix) {
        if (spec->first == 0 || length == 0)
            return false;
        out->first = spec->first < length ? length - spec->first : 0;
        out->last = length - 1;
        return true;
    }
    if (spec->first >= length)
        return false;
    out->first = spec->first;
    out->last = spec->last < length ? spec->last : length - 1;
    return true;
}

/* The one Range value of a request; ptr NULL when there is none, or several,
 * which mean nothing. */
static struct span
range_value(const struct fields *request)
{
    struct span value = fields_get(request, SPAN("Range"));

    if (value.ptr == NULL || fields_count(request, SPAN("Range")) != 1)
        return SPAN_NONE;
    return value;
}

bool
range_parse_value(struct span value, struct range_spec *out)
{
    struct range_spec specs[SPECS_MAX];

    if (parse_specs(value, specs) != 1)
        return false;
    *out = specs[0];
    return true;
}

bool
range_parse_single(const struct fields *request, struct range_spec *out)
{
    return range_parse_value(range_value(request), out);
}

/* RFC 9110 section 13.1.5: a date must be the very one, and strong. */
bool
range_if_range_holds(const struct fields *request, const struct fields *stored)
{
    struct span want = fields_get(request, SPAN("If-Range"));

    if (want.ptr == NULL)
        return true;
    if (stored == NULL || fields_count(request, SPAN("If-Range")) != 1)
        return false;
    if (etag_valid(want))
        return etag_strong_equal(want, fields_get(stored, SPAN("ETag")));
    return want.len > 0 &&
           span_eq(want, fields_get(stored, SPAN("Last-Modified"))) &&
           conditional_strong_last_modified(stored);
}

/* ---- joining ---- */

static int
compare_ranges(const void *a, const void *b)
{
    const struct range *ra = a;
    const struct range *rb = b;

    return ra->first < rb->first ? -1 : ra->first > rb->first;
}

static bool
nearly_touch(const struct range *a, const struct range *b)
{
    const struct range *low = a->first <= b->first ? a : b;
    const struct range *high = low == a ? b : a;

    return high->first <= low->last || high->first - low->last <= GAP_MIN;
}

/* Ranges that nearly touch become one, in ascending order; others keep the
 * order in which they were asked. At most SPECS_MAX ranges. */
static size_t
join_ranges(struct range *list, size_t count)
{
    bool any = false;
    size_t kept = 0;

    for (size_t i = 0; i < count && !any; i++) {
        for (size_t k = i + 1; k < count && !any; k++)
            any = nearly_touch(&list[i], &list[k]);
    }
    if (!any)
        return count;
    qsort(list, count, sizeof(*list), compare_ranges);
    for (size_t i = 1; i < count; i++) {
        if (!nearly_touch(&list[kept], &list[i]))
            list[++kept] = list[i];
        else if (list[i].last > list[kept].last)
            list[kept].last = list[i].last;
    }
    return kept + 1;
}

enum range_result
range_evaluate(const struct fields *request, uint64_t length,
               const struct fields *stored, struct range_set *out)
{
    struct range_spec specs[SPECS_MAX];
    struct range list[SPECS_MAX];
    struct span value = range_value(request);
    size_t count = 0;

    if (value.ptr == NULL)
        return RANGE_NONE;
    size_t asked = parse_specs(value, specs);

    if (asked == 0 || !range_if_range_holds(request, stored))
        return RANGE_NONE;
    for (size_t i = 0; i < asked; i++) {
        /* The last bytes of nothing are all of it, and no 206 can say so. */
        if (length == 0 && specs[i].suffix && specs[i].first > 0)
            return RANGE_NONE;
        count += range_resolve(&specs[i], length, &list[count]);
    }
    if (count == 0)
        return RANGE_UNSATISFIABLE;
    count = join_ranges(list, count);
    if (count > RANGE_MAX)
        return RANGE_NONE;
    out->count = count;
    memcpy(out->list, list, count * sizeof(*list));
    return RANGE_OK;
}

/* ---- fields ---- */

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

void
range_part_fields(struct fields *fields)
{
    static const struct span names[] = {
        NAME("Content-Range"),
        NAME("Content-Digest"),
        NAME("Content-MD5"),
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        fields_remove(fields, names[i]);
}

static bool
kept_for_416(struct span name)
{
    static const struct span names[] = {
        NAME("Date"),          NAME("Via"),
        NAME("Server"),        NAME("Vary"),
        NAME("Accept-Ranges"), NAME("Strict-Transport-Security"),
        NAME("Alt-Svc"),       NAME("Timing-Allow-Origin"),
        NAME("Server-Timing"), NAME("X-Content-Type-Options"),
    };
    static const struct span prefixes[] = {
        NAME("Access-Control-"),
        NAME("Cross-Origin-"),
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_eq_nocase(name, names[i]))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (span_eq_nocase(span_sub(name, 0, prefixes[i].len), prefixes[i]))
            return true;
    }
    return false;
}

void
range_unsatisfiable_fields(const struct fields *stored, struct fields *out)
{
    for (size_t i = 0; i < stored->count; i++) {
        if (kept_for_416(stored->list[i].name))
            fields_add(out, stored->list[i].name, stored->list[i].value);
    }
}

/* ---- Content-Range ---- */

/* "0-9". */
static bool
parse_first_last(struct span text, struct content_range *out)
{
    size_t dash = span_find(text, '-', 0);

    return dash < text.len &&
           span_u64(span_sub(text, 0, dash), UINT64_MAX, &out->first) &&
           span_u64(span_sub(text, dash + 1, text.len), UINT64_MAX,
                    &out->last) &&
           out->first <= out->last && out->last < UINT64_MAX;
}

bool
content_range_parse(struct span value, struct content_range *out)
{
    static const struct span unit = {"bytes ", 6};
    size_t slash = span_find(value, '/', 0);

    *out = (struct content_range){0};
    if (slash == value.len ||
        !span_eq_nocase(span_sub(value, 0, unit.len), unit))
        return false;
    struct span ranges = span_sub(value, unit.len, slash);
    struct span complete = span_sub(value, slash + 1, value.len);

    if (!span_eq(complete, SPAN("*"))) {
        if (!span_u64(complete, UINT64_MAX, &out->complete))
            return false;
        out->complete_known = true;
    }
    if (span_eq(ranges, SPAN("*"))) {
        out->unsatisfied = true;
        return out->complete_known;
    }
    return parse_first_last(ranges, out) &&
           (!out->complete_known || out->last < out->complete);
}

void
content_range_format(struct range range, uint64_t length, struct buf *out)
{
    buf_add_text(out, "bytes ");
    buf_add_u64(out, range.first);
    buf_add_char(out, '-');
    buf_add_u64(out, range.last);
    buf_add_char(out, '/');
    if (length == RANGE_UNKNOWN)
        buf_add_char(out, '*');
    else
        buf_add_u64(out, length);
}

void
content_range_format_unsatisfied(uint64_t length, struct buf *out)
{
    buf_add_text(out, "bytes */");
    buf_add_u64(out, length);
}

/* ---- a part that is kept ---- */

bool
range_part_of(struct span content_range, uint64_t length,
              struct range_part *out)
{
    struct content_range range;

    if (!content_range_parse(content_range, &range) || range.unsatisfied ||
        length == 0 || length - 1 > range.last - range.first)
        return false;
    *out = (struct range_part){
        .first = range.first,
        .length = length,
        .complete = range.complete_known ? range.complete : RANGE_UNKNOWN,
        .to_end = range.complete_known && range.last == range.complete - 1,
        .exact = length - 1 == range.last - range.first,
    };
    return true;
}

/* The last `count` bytes, of a part that ends where the whole does. */
static bool
suffix_in_part(uint64_t count, const struct range_part *part, struct range *out)
{
    if (!part->to_end || count == 0 ||
        (count > part->length && part->first > 0))
        return false;
    out->last = part->first + part->length - 1;
    out->first = count < part->length ? out->last - count + 1 : part->first;
    return true;
}

bool
range_in_part(const struct range_spec *spec, const struct range_part *part,
              struct range *out)
{
    uint64_t last = part->first + part->length - 1;

    if (spec->suffix)
        return suffix_in_part(spec->first, part, out);
    if (spec->first < part->first || spec->first > last ||
        (spec->last > last && !part->to_end))
        return false;
    out->first = spec->first;
    out->last = spec->last < last ? spec->last : last;
    return true;
}

bool
range_part_covers(const struct range_part *a, const struct range_part *b)
{
    return a->first <= b->first && b->first + b->length <= a->first + a->length;
}

void
range_spec_format(const struct range_spec *spec, struct buf *out)
{
    buf_add_text(out, spec->suffix ? "bytes=-" : "bytes=");
    buf_add_u64(out, spec->first);
    if (spec->suffix)
        return;
    buf_add_char(out, '-');
    if (spec->last != UINT64_MAX)
        buf_add_u64(out, spec->last);
}

/* ---- multipart/byteranges ---- */

void
range_multipart_init(struct range_multipart *multipart,
                     const uint64_t random[2], struct span content_type,
                     uint64_t length)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < RANGE_BOUNDARY_LEN; i++)
        multipart->boundary[i] = hex[(random[i / 16] >> (i % 16 * 4)) & 15];
    multipart->boundary[RANGE_BOUNDARY_LEN] = '\0';
    multipart->content_type = content_type;
    multipart->length = length;
}

void
range_multipart_type(const struct range_multipart *multipart, struct buf *out)
{
    buf_add_text(out, "multipart/byteranges; boundary=");
    buf_add_text(out, multipart->boundary);
}

void
range_multipart_head(const struct range_multipart *multipart,
                     struct range range, bool first_part, struct buf *out)
{
    buf_add_text(out, first_part ? "--" : "\r\n--");
    buf_add_text(out, multipart->boundary);
    if (multipart->content_type.len > 0) {
        buf_add_text(out, "\r\nContent-Type: ");
        buf_add_span(out, multipart->content_type);
    }
    buf_add_text(out, "\r\nContent-Range: ");
    content_range_format(range, multipart->length, out);
    buf_add_text(out, "\r\n\r\n");
}

void
range_multipart_end(const struct range_multipart *multipart, struct buf *out)
{
    buf_add_text(out, "\r\n--");
    buf_add_text(out, multipart->boundary);
    buf_add_text(out, "--\r\n");
}

uint64_t
range_multipart_length(const struct range_multipart *multipart,
                       const struct range_set *set)
{
    struct buf text = {0};
    uint64_t bytes = 0;

    for (size_t i = 0; i < set->count; i++) {
        range_multipart_head(multipart, set->list[i], i == 0, &text);
        bytes += set->list[i].last - set->list[i].first + 1;
    }
    range_multipart_end(multipart, &text);
    bytes += text.len;
    buf_fini(&text);
    return bytes;
}
