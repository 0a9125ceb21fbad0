/*
 * What else of HTTP is read from a text. The first byte says which:
 *
 *   r  a URL, and in a second line a reference to resolve against it
 *   t  tag fields as another node sends them before a body
 *   m  a method, and in further lines the fields of a request
 *   s  the fields of a response, to whose status fields a member is added
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cluster/tag_set.h"
#include "http/cache_status.h"
#include "http/max_forwards.h"
#include "http/method.h"
#include "http/proxy_status.h"
#include "http/structured.h"
#include "http/tags.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_fields(struct span rest, struct fields *out)
{
    struct span line;

    while (span_split(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':', 0);

        if (colon < line.len)
            fields_add(out, span_sub(line, 0, colon),
                       span_trim(span_sub(line, colon + 1, line.len)));
    }
}

/* ---- references ---- */

static bool
has_dots(struct span path)
{
    struct span segment;

    while (span_split(&path, '/', &segment)) {
        if (span_eq(segment, SPAN(".")) || span_eq(segment, SPAN("..")))
            return true;
    }
    return false;
}

/* What was resolved is a URL, without a fragment, and resolves to itself. */
static void
try_resolve(struct span text)
{
    struct target base;
    struct target got;
    struct buf out = {0};
    struct buf again = {0};
    struct span url = SPAN_NONE;

    (void)span_split(&text, '\n', &url);
    if (text.ptr == NULL || target_parse_url(url, &base) != NULL)
        return;
    if (target_resolve(&base, text, &out)) {
        CHECK(target_parse_url(buf_span(&out), &got) == NULL);
        CHECK(span_find(buf_span(&out), '#', 0) == out.len);
        /* A reference without a path has the base's, as it is. */
        CHECK(!has_dots(got.path) || has_dots(base.path));
        if (!has_dots(got.path)) {
            CHECK(target_resolve(&base, buf_span(&out), &again));
            CHECK(span_eq(buf_span(&out), buf_span(&again)));
        }
    } else {
        CHECK(out.len == 0);
    }
    buf_fini(&out);
    buf_fini(&again);
}

/* ---- tags ---- */

static void
check_order(const struct tag_set *set)
{
    for (size_t i = 1; i < set->count; i++) {
        const struct hash128 *a = &set->list[i - 1];
        const struct hash128 *b = &set->list[i];

        CHECK(a->hi < b->hi || (a->hi == b->hi && a->lo < b->lo));
    }
}

/* What is read is written so that it is read in the same way, and is no field
 * that a client gets. */
static void
try_tags(struct span text)
{
    struct fields tags = {0};
    struct fields again = {0};
    struct buf out = {0};
    struct tag_set set = {0};
    struct tag_set twice = {0};

    if (tags_read(text, &tags)) {
        struct fields none = tags;

        tags_write(&tags, &out);
        CHECK(tags_read(buf_span(&out), &again));
        CHECK(again.count == tags.count);
        for (size_t i = 0; i < tags.count; i++) {
            CHECK(tags_internal_field(tags.list[i].name));
            CHECK(span_eq(tags.list[i].value, again.list[i].value));
        }
        tag_set_add(&set, SPAN("h"), &tags);
        tag_set_sort(&set);
        check_order(&set);
        tag_set_merge(&twice, set.list, set.count);
        tag_set_merge(&twice, set.list, set.count);
        CHECK(twice.count == set.count);
        check_order(&twice);
        fields_clear(&again);
        tags_split(&none, &again);
        CHECK(none.count == 0 && again.count == tags.count);
    }
    tag_set_fini(&set);
    tag_set_fini(&twice);
    buf_fini(&out);
    fields_fini(&tags);
    fields_fini(&again);
}

/* ---- fields ---- */

static void
try_method(struct span text)
{
    struct span method = SPAN_NONE;
    struct fields fields = {0};
    struct buf out = {0};
    uint64_t left = UINT64_MAX;

    (void)span_split(&text, '\n', &method);
    take_fields(text, &fields);
    if (max_forwards_of(method, &fields, &left) == MAX_FORWARDS_LEFT)
        CHECK(left <= MAX_FORWARDS_MAX);
    max_forwards_reflect(method, SPAN("/"), 1, &fields, &out);
    CHECK(method_safe(method) ||
          max_forwards_of(method, &fields, &left) == MAX_FORWARDS_NONE);
    buf_fini(&out);
    fields_fini(&fields);
}

/* Whatever others have sent, what comes behind it is ours. */
static void
try_status(struct span text)
{
    const struct cache_status cache = {.node = SPAN("edge"), .hit = true};
    const struct proxy_status proxy = {.node = SPAN("edge"),
                                       .details = "a \"b\""};
    struct fields fields = {0};
    struct buf out = {0};
    struct buf ours = {0};

    take_fields(text, &fields);
    cache_status_append(&fields, &cache, &out);
    cache_status_format(&cache, &ours);
    CHECK(out.len >= ours.len &&
          span_eq(span_sub(buf_span(&out), out.len - ours.len, out.len),
                  buf_span(&ours)));
    CHECK(structured_list_valid(buf_span(&ours)));
    buf_clear(&out);
    buf_clear(&ours);
    proxy_status_append(&fields, &proxy, &out);
    proxy_status_format(&proxy, &ours);
    CHECK(out.len >= ours.len &&
          span_eq(span_sub(buf_span(&out), out.len - ours.len, out.len),
                  buf_span(&ours)));
    CHECK(structured_list_valid(buf_span(&ours)));
    buf_fini(&out);
    buf_fini(&ours);
    fields_fini(&fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);

    CHECK(copy != NULL);
    if (size == 0) {
        free(copy);
        return 0;
    }
    memcpy(copy, data, size);
    struct span text = {copy + 1, size - 1};

    if (copy[0] == 'r')
        try_resolve(text);
    else if (copy[0] == 't')
        try_tags(text);
    else if (copy[0] == 'm')
        try_method(text);
    else
        try_status(text);
    free(copy);
    return 0;
}
