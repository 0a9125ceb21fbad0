/*
 * Everything that reads a request's head, and the response fields it is held
 * against. The input is a head in text:
 *
 *   METHOD TARGET VERSION\n
 *   Name: value\n ...            the request's fields
 *   \n
 *   Name: value\n ...            the stored response's fields
 *
 * Values are taken raw, so that control characters reach the parsers too.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "http/cache_status.h"
#include "http/conditional.h"
#include "http/error.h"
#include "http/forward.h"
#include "http/guard.h"
#include "http/key.h"
#include "http/node.h"
#include "http/range.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct span names[] = {{"a", 1}, {"utm_*", 5}, {"X-A", 3}};
static const struct key_policy policies[] = {
    {0},
    {.query = KEY_QUERY_ALLOW,
     .sort_query = true,
     .query_names = {names, 3},
     .headers = {names, 3},
     .cookies = {names, 3}},
    {.query = KEY_QUERY_DENY,
     .ignore_path_case = true,
     .query_names = {names, 2}},
};

static void
take_fields(struct span *rest, struct fields *out)
{
    struct span line;

    while (span_split(rest, '\n', &line) && line.len > 0) {
        size_t colon = span_find(line, ':', 0);

        fields_add(out, span_sub(line, 0, colon),
                   span_trim(span_sub(line, colon + 1, line.len)));
    }
}

/* A key's text reads back as the same key. */
static void
try_keys(const struct target *target, const struct fields *request,
         struct buf *scratch)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct key key;
        struct key again;

        key_build(&policies[i], target, request, scratch, &key);
        CHECK(key_parse(key.text, &again));
        CHECK(hash_eq(key.hash, again.hash));
        CHECK(span_eq(key.host, again.host));
        CHECK(span_eq(key.path_query, again.path_query));
    }
}

/* Every range lies inside, and none overlaps another. */
static void
try_ranges(const struct fields *request, const struct fields *stored)
{
    static const uint64_t lengths[] = {0, 1, 1000, UINT64_MAX};
    struct range_spec spec;
    struct range range;

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct range_set set;

        if (range_evaluate(request, lengths[i], stored, &set) != RANGE_OK)
            continue;
        CHECK(set.count > 0 && set.count <= RANGE_MAX);
        for (size_t k = 0; k < set.count; k++) {
            CHECK(set.list[k].first <= set.list[k].last);
            CHECK(set.list[k].last < lengths[i]);
            for (size_t m = 0; m < k; m++)
                CHECK(set.list[m].last < set.list[k].first ||
                      set.list[k].last < set.list[m].first);
        }
    }
    if (range_parse_single(request, &spec) &&
        range_resolve(&spec, 1000, &range))
        CHECK(range.first <= range.last && range.last < 1000);
}

/* What a part has of a range lies inside it, and in the whole. */
static void
try_parts(const struct fields *request, const struct fields *stored)
{
    static const uint64_t lengths[] = {0, 1, 5, 1000, UINT64_MAX};
    struct span value = fields_get(stored, SPAN("Content-Range"));
    struct range_spec spec;
    struct range_part part;
    struct range range;

    if (!range_parse_single(request, &spec))
        return;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        if (!range_part_of(value, lengths[i], &part))
            continue;
        CHECK(part.length == lengths[i] && part.length > 0);
        CHECK(part.complete == RANGE_UNKNOWN ||
              part.first + part.length <= part.complete);
        CHECK(range_part_covers(&part, &part));
        if (range_in_part(&spec, &part, &range))
            CHECK(range.first <= range.last && range.first >= part.first &&
                  range.last < part.first + part.length);
    }
}

/* What was sent in its normal form is its own normal form: the next node keeps
 * the answer under the same. */
static void
try_normal(const struct fields *sent, struct span name, struct buf *scratch)
{
    buf_clear(scratch);
    CHECK(fields_count(sent, name) <= 1);
    if (!fields_has(sent, name))
        return;
    CHECK(vary_normalise(sent, name, &vary_codings_default, scratch));
    CHECK(span_eq(buf_span(scratch), fields_get(sent, name)));
}

/* Of what a client wrote there, nothing but nodes. */
static void
try_nodes(const struct fields *sent)
{
    struct member_cursor cursor = {0};
    struct span member;

    CHECK(fields_count(sent, SPAN("X-Forwarded-For")) == 1);
    while (fields_next_member(sent, SPAN("X-Forwarded-For"), &cursor, &member))
        CHECK(node_valid(member));
}

static void
try_forward(const struct fields *request, const struct fields *stored,
            struct buf *scratch)
{
    struct forward_context context = {.client = SPAN("192.0.2.1"),
                                      .scheme = SPAN("http"),
                                      .host = SPAN("a"),
                                      .pseudonym = SPAN("edge"),
                                      .passing = names,
                                      .passing_count = 1,
                                      .codings = &vary_codings_default,
                                      .surrogate = SPAN("edge")};
    const struct forward_response_options options = {
        .pseudonym = SPAN("edge"), .hidden = names, .hidden_count = 3};
    struct fields out = {0};

    forward_request(request, &context, &out, scratch);
    CHECK(forward_is_loop(&out, context.pseudonym));
    CHECK(fields_count(&out, SPAN("Host")) == 1);
    CHECK(!fields_has(&out, SPAN("Transfer-Encoding")));
    CHECK(!fields_has(&out, SPAN("Content-Length")));
    context.shared = true;
    forward_request(request, &context, &out, scratch);
    for (size_t i = 0; i < out.count; i++)
        CHECK(span_find(out.list[i].name, '_', 0) == out.list[i].name.len);
    CHECK(fields_count(&out, SPAN("Surrogate-Capability")) == 1);
    try_nodes(&out);
    struct buf normal = {0};

    try_normal(&out, SPAN("Accept-Encoding"), &normal);
    try_normal(&out, SPAN("Accept-Language"), &normal);
    buf_fini(&normal);
    forward_response(stored, &options, &out, scratch);
    for (size_t i = 0; i < out.count; i++) {
        CHECK(token_valid(out.list[i].name));
        CHECK(field_value_valid(out.list[i].value));
    }
    fields_fini(&out);
}

static void
try_fields(struct span method, const struct fields *request,
           const struct fields *stored, struct buf *scratch)
{
    const struct cache_status status = {.node = SPAN("edge"), .hit = true};
    struct content_range content;
    struct fields out = {0};
    int64_t length;

    (void)guard_response(stored, &length);
    (void)conditional_evaluate(method, request, 200, stored, 1);
    (void)conditional_evaluate_origin(method, request, stored, 1);
    (void)conditional_for_validation(stored, true, &out);
    conditional_not_modified_fields(stored, &out);
    conditional_strip(&out);
    fields_fini(&out);
    try_ranges(request, stored);
    try_parts(request, stored);
    (void)content_range_parse(fields_get(stored, SPAN("Content-Range")),
                              &content);
    try_forward(request, stored, scratch);
    (void)error_wants_problem(request);
    buf_clear(scratch);
    cache_status_append(stored, &status, scratch);
    struct pack *pack = pack_new(stored);

    CHECK(pack_fields(pack)->count == stored->count);
    pack_unref(&pack);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct span line = SPAN_NONE;
    struct span method = SPAN_NONE;
    struct span raw = SPAN_NONE;
    struct fields request = {0};
    struct fields stored = {0};
    struct buf scratch = {0};
    struct guard_result guard;
    struct target target;

    (void)span_split(&rest, '\n', &line);
    (void)span_split(&line, ' ', &method);
    (void)span_split(&line, ' ', &raw);
    take_fields(&rest, &request);
    take_fields(&rest, &stored);
    try_fields(method, &request, &stored, &scratch);
    if (guard_request(method, !span_eq(line, SPAN("HTTP/1.0")), &request,
                      &guard) == NULL &&
        target_parse(raw, method, guard.host, SPAN("http"), &target) == NULL)
        try_keys(&target, &request, &scratch);
    fields_fini(&request);
    fields_fini(&stored);
    buf_fini(&scratch);
    return 0;
}
