/*
 * Normal forms of request values. Two values with one normal form must mean
 * the same to any origin that obeys RFC 9110, since the answer to one is given
 * for the other; where in doubt the text is kept as it came.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/vary.h"
#include "http/vary_internal.h"

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

void
vary_add_lower(struct buf *out, struct span s)
{
    buf_reserve(out, s.len);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        out->data[out->len++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    out->data[out->len] = '\0';
}

/* ---- any field: members without the space around them ---- */

static void
add_members(const struct fields *request, struct span name, struct buf *out)
{
    struct member_cursor cursor = {0};
    struct span member;
    bool any = false;

    while (fields_next_member(request, name, &cursor, &member)) {
        if (any)
            buf_add_char(out, ',');
        buf_add_span(out, member);
        any = true;
    }
}

/* ---- members as a sorted set ---- */

struct set {
    struct buf text; /* of all members, one after the other */
    struct set_member {
        size_t at;
        size_t len;
    } * list;
    size_t count;
    size_t cap;
};

static void
set_end_member(struct set *set, size_t from)
{
    if (set->text.len == from)
        return;
    MEM_GROW(set->list, set->count, set->cap);
    set->list[set->count++] = (struct set_member){from, set->text.len - from};
}

static struct span
set_span(const struct set *set, struct set_member member)
{
    return (struct span){set->text.data + member.at, member.len};
}

static int
compare_members(const void *a, const void *b, void *context)
{
    const struct set *set = context;

    return span_cmp(set_span(set, *(const struct set_member *)a),
                    set_span(set, *(const struct set_member *)b));
}

/* Adds the members, sorted, each once, and frees the set. */
static void
set_write(struct set *set, struct buf *out)
{
    bool any = false;

    if (set->count > 0)
        qsort_r(set->list, set->count, sizeof(*set->list), compare_members,
                set);
    for (size_t i = 0; i < set->count; i++) {
        struct span member = set_span(set, set->list[i]);

        if (i > 0 && span_eq(member, set_span(set, set->list[i - 1])))
            continue;
        if (any)
            buf_add_char(out, ',');
        buf_add_span(out, member);
        any = true;
    }
    free(set->list);
    buf_fini(&set->text);
}

/* ---- weights (RFC 9110 section 12.4.2) ---- */

enum weight {
    WEIGHT_ONE,  /* none given, or 1 */
    WEIGHT_NONE, /* 0: not acceptable */
    WEIGHT_PART, /* between */
    WEIGHT_ODD,  /* not a weight */
};

static bool
zeros(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '0')
            return false;
    }
    return true;
}

/* "0", "0.5", "1.000": at most three digits behind the dot. */
static enum weight
weight_of(struct span q)
{
    uint64_t digits;

    if (q.len == 0 || q.len > 5 || (q.ptr[0] != '0' && q.ptr[0] != '1') ||
        (q.len > 1 && q.ptr[1] != '.'))
        return WEIGHT_ODD;
    struct span behind = span_sub(q, 2, q.len);

    if (behind.len > 0 && !span_u64(behind, 999, &digits))
        return WEIGHT_ODD;
    if (q.ptr[0] == '1')
        return zeros(behind) ? WEIGHT_ONE : WEIGHT_ODD;
    return zeros(behind) ? WEIGHT_NONE : WEIGHT_PART;
}

/* Takes "coding;q=0.5" apart. WEIGHT_ODD for any other parameter. */
static enum weight
split_weight(struct span member, struct span *what)
{
    size_t semicolon = span_find(member, ';', 0);

    *what = span_trim(span_sub(member, 0, semicolon));
    if (semicolon == member.len)
        return WEIGHT_ONE;
    struct span parameter =
        span_trim(span_sub(member, semicolon + 1, member.len));

    if (parameter.len < 2 ||
        !span_eq_nocase(span_sub(parameter, 0, 2), SPAN("q=")))
        return WEIGHT_ODD;
    return weight_of(span_sub(parameter, 2, parameter.len));
}

/* ---- Accept-Language: a set, whatever the case, the spaces, the order ---- */

static void
add_languages(const struct fields *request, struct span name, struct buf *out)
{
    struct member_cursor cursor = {0};
    struct set set = {0};
    struct span member;

    while (fields_next_member(request, name, &cursor, &member)) {
        struct span what;
        size_t from = set.text.len;

        if (split_weight(member, &what) == WEIGHT_ONE)
            member = what;
        for (size_t i = 0; i < member.len; i++) {
            if (member.ptr[i] != ' ' && member.ptr[i] != '\t')
                vary_add_lower(&set.text, span_sub(member, i, i + 1));
        }
        set_end_member(&set, from);
    }
    set_write(&set, out);
}

/* ---- Accept-Encoding: the set of codings accepted ---- */

enum coding { ANY, BR, COMPRESS, DEFLATE, GZIP, IDENTITY, ZSTD, CODINGS };

static const struct span coding_names[CODINGS] = {
    NAME("*"),    NAME("br"),       NAME("compress"), NAME("deflate"),
    NAME("gzip"), NAME("identity"), NAME("zstd"),
};

enum accepted { UNSAID, ACCEPTED, REFUSED };

static enum coding
coding_of(struct span what)
{
    if (span_eq_nocase(what, SPAN("x-gzip")))
        return GZIP;
    if (span_eq_nocase(what, SPAN("x-compress")))
        return COMPRESS;
    for (int i = 0; i < CODINGS; i++) {
        if (span_eq_nocase(what, coding_names[i]))
            return (enum coding)i;
    }
    return CODINGS;
}

static void
set_add_text(struct set *set, struct span text, bool refused)
{
    size_t from = set->text.len;

    vary_add_lower(&set->text, text);
    if (refused)
        buf_add_text(&set->text, ";q=0");
    set_end_member(set, from);
}

/* A refusal says something only where the coding would be accepted else: by
 * "*" or, for identity, without a word. */
static bool
says_something(const enum accepted said[CODINGS], int coding)
{
    if (coding == IDENTITY)
        return said[IDENTITY] == REFUSED ||
               (said[IDENTITY] == UNSAID && said[ANY] == REFUSED);
    return said[coding] == ACCEPTED ||
           (said[coding] == REFUSED && said[ANY] == ACCEPTED);
}

/* In the order of the table; "gzip, br" is most of the traffic, and costs no
 * allocation here. */
static void
add_known(const enum accepted said[CODINGS], struct buf *out)
{
    size_t from = out->len;

    for (int i = 0; i < CODINGS; i++) {
        if (!says_something(said, i))
            continue;
        if (out->len > from)
            buf_add_char(out, ',');
        buf_add_span(out, coding_names[i]);
        if (said[i] != ACCEPTED)
            buf_add_text(out, ";q=0");
    }
}

/* Codings and weights not known here are kept as they came: an origin may
 * know them. */
static void
add_codings(const struct fields *request, struct span name, struct buf *out)
{
    struct member_cursor cursor = {0};
    enum accepted said[CODINGS] = {UNSAID};
    struct set set = {0};
    struct span member;

    while (fields_next_member(request, name, &cursor, &member)) {
        struct span what;
        enum weight weight = split_weight(member, &what);
        enum coding coding = coding_of(what);

        if (weight == WEIGHT_ODD)
            set_add_text(&set, member, false);
        else if (coding == CODINGS)
            set_add_text(&set, what, weight == WEIGHT_NONE);
        else
            said[coding] = weight == WEIGHT_NONE ? REFUSED : ACCEPTED;
    }
    size_t from = out->len;

    add_known(said, out);
    if (out->len > from && set.count > 0)
        buf_add_char(out, ',');
    set_write(&set, out);
}

bool
vary_normalise(const struct fields *request, struct span name, struct buf *out)
{
    if (!fields_has(request, name))
        return false;
    if (span_eq_nocase(name, SPAN("Accept-Encoding")))
        add_codings(request, name, out);
    else if (span_eq_nocase(name, SPAN("Accept-Language")))
        add_languages(request, name, out);
    else
        add_members(request, name, out);
    return true;
}
