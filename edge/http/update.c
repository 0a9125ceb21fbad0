#include "http/update.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/conditional.h"
#include "http/fields_internal.h"

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

/* They describe the stored bytes, which a 304 or a HEAD does not change. Of the
 * digests, a Content-Digest there is that of no content at all (RFC 9530
 * section 2). */
static const struct span kept_names[] = {
    NAME("Content-Encoding"), NAME("Content-Length"), NAME("Content-Range"),
    NAME("Content-Digest"),   NAME("Repr-Digest"),    NAME("Content-MD5"),
    NAME("Digest"),
};

static bool
is_kept(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(kept_names); i++) {
        if (span_eq_nocase(name, kept_names[i]))
            return true;
    }
    return false;
}

/* ---- which fields of the 304 count ---- */

/* A tag that was weak for these bytes stays so: a 304 that has lost the W/, as
 * of an origin that compresses the bodies it sends, proves nothing of them. */
static bool
would_strengthen(const struct fields *stored, const struct fields *from_304)
{
    struct span ours = fields_get(stored, SPAN("ETag"));
    struct span theirs = fields_get(from_304, SPAN("ETag"));

    return !etag_is_strong(ours) && etag_is_strong(theirs) &&
           etag_weak_equal(ours, theirs);
}

static void
select_news(const struct fields *stored, const struct fields *from_304,
            struct fields *news)
{
    bool cookies = fields_has(stored, SPAN("Set-Cookie"));
    bool weak = would_strengthen(stored, from_304);
    size_t kept = 0;

    fields_add_all(news, from_304);
    fields_remove_hop_by_hop(news);
    for (size_t i = 0; i < news->count; i++) {
        struct span name = news->list[i].name;

        if (!is_kept(name) &&
            (cookies || !span_eq_nocase(name, SPAN("Set-Cookie"))) &&
            (!weak || !span_eq_nocase(name, SPAN("ETag"))))
            news->list[kept++] = news->list[i];
    }
    news->count = kept;
}

static int
compare_names(const void *a, const void *b)
{
    return name_compare(*(const struct span *)a, *(const struct span *)b);
}

/* Sorted, since a hostile origin may send thousands of fields twice. */
static struct span *
sorted_names(const struct fields *fields)
{
    struct span *names = mem_alloc((fields->count + 1) * sizeof(*names));

    for (size_t i = 0; i < fields->count; i++)
        names[i] = fields->list[i].name;
    qsort(names, fields->count, sizeof(*names), compare_names);
    return names;
}

static bool
is_outdated(struct span name, const struct span *names, size_t count)
{
    return span_eq_nocase(name, SPAN("Age")) ||
           span_eq_nocase(name, SPAN("Date")) ||
           bsearch(&name, names, count, sizeof(*names), compare_names) != NULL;
}

void
update_fields(const struct fields *stored, const struct fields *from_304,
              struct fields *out)
{
    struct fields news = {0};

    select_news(stored, from_304, &news);
    struct span *names = sorted_names(&news);

    for (size_t i = 0; i < stored->count; i++) {
        const struct field *field = &stored->list[i];

        if (!is_outdated(field->name, names, news.count))
            fields_add(out, field->name, field->value);
    }
    fields_add_all(out, &news);
    free(names);
    fields_fini(&news);
}

/* ---- is it about what we have? ---- */

/* A field that only one of the two has says nothing. */
static bool
values_agree(const struct fields *stored, const struct fields *sent,
             struct span name)
{
    struct span ours = fields_get(stored, name);
    struct span theirs = fields_get(sent, name);

    return ours.len == 0 || theirs.len == 0 || span_eq(ours, theirs);
}

static bool
both_have(const struct fields *stored, const struct fields *sent,
          struct span name)
{
    return fields_get(stored, name).len > 0 && fields_get(sent, name).len > 0;
}

/* A strong tag must be the very same; weak ones may differ in strength. */
static bool
etags_agree(const struct fields *stored, const struct fields *sent)
{
    struct span ours = fields_get(stored, SPAN("ETag"));
    struct span theirs = fields_get(sent, SPAN("ETag"));

    if (etag_is_strong(ours) && etag_is_strong(theirs))
        return etag_strong_equal(ours, theirs);
    return ours.len == 0 || theirs.len == 0 || etag_weak_equal(ours, theirs);
}

/* With a stored tag, the tags decide: a 304 to If-None-Match may well carry a
 * newer Last-Modified. */
bool
update_applies(const struct fields *stored, const struct fields *from_304)
{
    if (fields_get(stored, SPAN("ETag")).len > 0)
        return etags_agree(stored, from_304);
    return values_agree(stored, from_304, SPAN("Last-Modified"));
}

enum update_head
update_head(const struct fields *stored, const struct fields *from_head,
            struct update_head_lengths lengths)
{
    if (!etags_agree(stored, from_head) ||
        !values_agree(stored, from_head, SPAN("Last-Modified")) ||
        (lengths.from_head >= 0 && lengths.from_head != lengths.stored))
        return UPDATE_HEAD_INVALIDATES;
    return both_have(stored, from_head, SPAN("ETag")) ||
                   both_have(stored, from_head, SPAN("Last-Modified"))
               ? UPDATE_HEAD_FRESHENS
               : UPDATE_HEAD_SAYS_NOTHING;
}
