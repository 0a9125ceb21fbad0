#include "http/fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/fields_internal.h"

/* ---- lists ---- */

void
fields_add(struct fields *fields, struct span name, struct span value)
{
    CHECK(fields->cap > 0 || fields->count == 0);
    MEM_GROW(fields->list, fields->count, fields->cap);
    fields->list[fields->count++] = (struct field){name, value};
}

void
fields_add_all(struct fields *fields, const struct fields *more)
{
    for (size_t i = 0; i < more->count; i++)
        fields_add(fields, more->list[i].name, more->list[i].value);
}

void
fields_clear(struct fields *fields)
{
    fields->count = 0;
}

void
fields_fini(struct fields *fields)
{
    if (fields->cap > 0)
        free(fields->list);
    *fields = (struct fields){0};
}

/* Most names differ in length or in the first letter: those cost no call.
 * Letters that differ in bit 5 only are compared in full. */
static inline bool
same_name(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    if (a.len > 0 && ((a.ptr[0] ^ b.ptr[0]) & ~0x20) != 0)
        return false;
    return span_eq_nocase(a, b);
}

void
fields_remove(struct fields *fields, struct span name)
{
    size_t kept = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (!same_name(fields->list[i].name, name))
            fields->list[kept++] = fields->list[i];
    }
    fields->count = kept;
}

struct span
fields_get(const struct fields *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (same_name(fields->list[i].name, name))
            return fields->list[i].value;
    }
    return SPAN_NONE;
}

bool
fields_has(const struct fields *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (same_name(fields->list[i].name, name))
            return true;
    }
    return false;
}

size_t
fields_count(const struct fields *fields, struct span name)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++)
        count += same_name(fields->list[i].name, name);
    return count;
}

bool
fields_join(const struct fields *fields, struct span name, struct buf *out)
{
    bool any = false;

    for (size_t i = 0; i < fields->count; i++) {
        if (!same_name(fields->list[i].name, name))
            continue;
        if (any)
            buf_add_text(out, ", ");
        buf_add_span(out, fields->list[i].value);
        any = true;
    }
    return any;
}

/* ---- list members ---- */

/* The index of the comma that ends the member at the start of s, or s.len. */
static size_t
member_end(struct span s)
{
    bool quoted = false;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            i++;
        else if (!quoted && c == ',')
            return i;
    }
    return s.len;
}

bool
quotes_closed(struct span member)
{
    bool quoted = false;

    for (size_t i = 0; i < member.len; i++) {
        if (member.ptr[i] == '"')
            quoted = !quoted;
        else if (quoted && member.ptr[i] == '\\')
            i++;
    }
    return !quoted;
}

static bool
next_line(const struct fields *fields, struct span name,
          struct member_cursor *cursor)
{
    while (cursor->line < fields->count) {
        const struct field *field = &fields->list[cursor->line++];

        if (same_name(field->name, name)) {
            cursor->rest = field->value;
            return true;
        }
    }
    return false;
}

bool
fields_next_member(const struct fields *fields, struct span name,
                   struct member_cursor *cursor, struct span *member)
{
    do {
        while (cursor->rest.len > 0) {
            struct span rest = cursor->rest;
            size_t end = member_end(rest);
            struct span found = span_trim(span_sub(rest, 0, end));

            cursor->rest = span_sub(rest, end + 1, rest.len);
            if (found.len > 0) {
                *member = found;
                return true;
            }
        }
    } while (next_line(fields, name, cursor));
    return false;
}

/* ---- hop by hop ---- */

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

static const struct span hop_names[] = {
    NAME("Connection"),
    NAME("Keep-Alive"),
    NAME("Proxy-Connection"),
    NAME("Proxy-Authenticate"),
    NAME("Proxy-Authorization"),
    NAME("Proxy-Authentication-Info"),
    NAME("TE"),
    NAME("Trailer"),
    NAME("Transfer-Encoding"),
    NAME("Upgrade"),
    NAME("HTTP2-Settings"),
};

/* To obey a Connection option with one of these names would let one side take
 * away what the other side, or a cache, decides by. */
static const struct span kept_names[] = {
    NAME("Accept-Encoding"),
    NAME("Age"),
    NAME("Authorization"),
    NAME("Cache-Control"),
    NAME("Cache-Groups"),
    NAME("Cache-Status"),
    NAME("Cache-Tag"),
    NAME("CDN-Cache-Control"),
    NAME("CDN-Loop"),
    NAME("Content-Encoding"),
    NAME("Content-Length"),
    NAME("Content-Range"),
    NAME("Content-Type"),
    NAME("Cookie"),
    NAME("Date"),
    NAME("ETag"),
    NAME("Expires"),
    NAME("Forwarded"),
    NAME("Host"),
    NAME("If-Match"),
    NAME("If-Modified-Since"),
    NAME("If-None-Match"),
    NAME("If-Range"),
    NAME("If-Unmodified-Since"),
    NAME("Last-Modified"),
    NAME("Location"),
    NAME("No-Vary-Search"),
    NAME("Pragma"),
    NAME("Range"),
    NAME("Set-Cookie"),
    NAME("Surrogate-Control"),
    NAME("Surrogate-Key"),
    NAME("Vary"),
    NAME("Via"),
    NAME("X-Forwarded-For"),
    NAME("X-Forwarded-Host"),
    NAME("X-Forwarded-Proto"),
};

static bool
name_in(struct span name, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (same_name(name, names[i]))
            return true;
    }
    return false;
}

int
name_compare(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len ? strncasecmp(a.ptr, b.ptr, a.len) : 0;
}

static int
compare_options(const void *a, const void *b)
{
    return name_compare(*(const struct span *)a, *(const struct span *)b);
}

/* Takes out the fields named by `options`. Sorted first: a message may carry
 * thousands of options and of fields. */
static void
remove_named(struct fields *fields, struct span *options, size_t count)
{
    size_t kept = 0;

    qsort(options, count, sizeof(*options), compare_options);
    for (size_t i = 0; i < fields->count; i++) {
        const struct span *name = &fields->list[i].name;

        if (bsearch(name, options, count, sizeof(*options), compare_options) ==
                NULL ||
            name_in(*name, kept_names, ARRAY_LEN(kept_names)))
            fields->list[kept++] = fields->list[i];
    }
    fields->count = kept;
}

void
fields_remove_nominated(struct fields *fields)
{
    struct member_cursor cursor = {0};
    struct span *options = NULL;
    size_t count = 0;
    size_t cap = 0;
    struct span option;

    while (fields_next_member(fields, SPAN("Connection"), &cursor, &option)) {
        if (same_name(option, SPAN("close")) ||
            same_name(option, SPAN("keep-alive")))
            continue;
        MEM_GROW(options, count, cap);
        options[count++] = option;
    }
    if (count > 0)
        remove_named(fields, options, count);
    free(options);
}

void
fields_remove_hop_by_hop(struct fields *fields)
{
    size_t kept = 0;

    fields_remove_nominated(fields);
    for (size_t i = 0; i < fields->count; i++) {
        if (!name_in(fields->list[i].name, hop_names, ARRAY_LEN(hop_names)))
            fields->list[kept++] = fields->list[i];
    }
    fields->count = kept;
}

/* ---- syntax ---- */

/* RFC 9110 section 5.6.2; bytes from 0x80 on are none. */
static const unsigned char tchars[256] = {
    /* clang-format off */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x10 */
    0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, /* 0x20 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, /* 0x30 */
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x40 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, /* 0x50 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x60 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, /* 0x70 */
    /* clang-format on */
};

bool
token_char(char c)
{
    return tchars[(unsigned char)c] != 0;
}

bool
token_valid(struct span s)
{
    unsigned char good = s.len > 0;

    for (size_t i = 0; i < s.len; i++)
        good &= tchars[(unsigned char)s.ptr[i]];
    return good != 0;
}

static bool
bytes_valid(struct span s)
{
    bool bad = false;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        bad |= (c < 0x20 && c != '\t') || c == 0x7f;
    }
    return !bad;
}

/* Runs over every value of every request: a word at a time, and by bytes only
 * where a word holds something below 0x20, or 0x7f. */
bool
field_value_valid(struct span s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= s.len; i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, s.ptr + i, sizeof(word));
        uint64_t low = (word - ones * 0x20) & ~word;
        uint64_t delete = word ^ (ones * 0x7f);

        delete = (delete - ones) & ~delete;
        if (((low | delete) & (ones * 0x80)) != 0 &&
            !bytes_valid(span_sub(s, i, i + sizeof(word))))
            return false;
    }
    return bytes_valid(span_sub(s, i, s.len));
}
