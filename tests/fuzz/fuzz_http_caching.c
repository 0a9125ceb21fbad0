/*
 * Everything that judges a response for the cache, with fields that a hostile
 * client and origin chose: dates, Cache-Control, structured fields, caching,
 * Vary, updates, tags.
 *
 * Input: "Name: value" lines; an empty line parts the request from the
 * response, and the next the response from a 304.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/caching.h"
#include "http/date.h"
#include "http/structured.h"
#include "http/tags.h"
#include "http/update.h"
#include "http/vary.h"

#define WALL INT64_C(1767225600)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Up to an empty line, or the end. */
static void
take_fields(struct span *rest, struct fields *fields)
{
    struct span line;

    while (span_split(rest, '\n', &line) && line.len > 0) {
        size_t colon = span_find(line, ':', 0);

        fields_add(fields, span_sub(line, 0, colon),
                   span_trim(span_sub(line, colon + 1, line.len)));
    }
}

static void
try_values(const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct span value = fields->list[i].value;
        struct structured_item item;
        char text[DATE_SIZE];
        int64_t seconds;
        int64_t again;

        if (date_parse(value, WALL, &seconds)) {
            date_format(seconds, text);
            /* A leap second at the end of year 9999 has no other form. */
            CHECK(date_parse(span_of(text), WALL, &again) &&
                  (again == seconds || again == seconds - 1));
        }
        structured_list_valid(value);
        structured_dictionary_valid(value);
        structured_item(value, &item);
    }
}

static void
try_vary(const struct fields *request, const struct fields *response)
{
    struct buf text = {0};

    if (vary_kind(response) == VARY_ANY)
        return;
    struct vary *vary = vary_new(response, request, &vary_codings_default);
    struct vary *again = vary_new(response, request, &vary_codings_default);

    CHECK((vary == NULL) == (vary_kind(response) == VARY_NONE));
    CHECK(vary_match(vary, request));
    CHECK(vary_same(vary, again));
    vary_match(vary, response);
    vary_text(vary, &text);
    buf_fini(&text);
    vary_free(&vary);
    vary_free(&again);
}

static void
try_tags(const struct fields *response)
{
    struct tags_cursor cursor = {0};
    struct tags_cursor invalidated = {0};
    struct span tag;
    size_t bytes = 0;

    while (tags_next(response, &cursor, &tag)) {
        CHECK(tag.len > 0);
        bytes += tag.len;
    }
    CHECK(bytes <= tags_bytes(response));
    while (tags_next_invalidated(response, &invalidated, &tag))
        CHECK(tag.len > 0);
}

static void
try_caching(const struct fields *request_fields, const struct fields *response,
            const struct caching_policy *policy)
{
    static const int statuses[] = {200, 206, 404, 503, 599};
    static const struct span methods[] = {{"GET", 3}, {"POST", 4}};
    struct cache_control asked;

    cache_control_request(request_fields, &asked);
    for (size_t i = 0; i < ARRAY_LEN(statuses) * 2; i++) {
        struct caching_request request = {methods[i % 2], SPAN("http"),
                                          SPAN("a"), SPAN("/"), request_fields};
        struct caching got;

        caching_of(&request, statuses[i / 2], response, policy, WALL, 1500,
                   &got);
        CHECK(got.storable == (got.why_not == NULL));
        CHECK(got.lifetime_s <= CC_SECONDS_MAX);
        CHECK(got.initial_age_s <= CC_SECONDS_MAX + 1);
        uint64_t age_s = caching_age_s(&got, 0, UINT64_MAX);
        enum freshness freshness = caching_freshness(&got, age_s, &asked);

        CHECK(freshness == FRESHNESS_STALE || !got.revalidate_always);
        CHECK(freshness != FRESHNESS_STALE_ACCEPTED || !got.forbids_stale);
        caching_stale_usable(&got, age_s, 60, true, &asked);
        CHECK(!got.forbids_stale ||
              !caching_stale_if_error(&got, age_s, &asked));
    }
}

static void
try_fields(const struct fields *response, const struct fields *news,
           const struct caching_policy *policy)
{
    struct fields stored = {0};
    struct fields updated = {0};

    caching_stored_fields(response, policy, &stored);
    CHECK(stored.count <= response->count);
    update_fields(&stored, news, &updated);
    CHECK(updated.count <= stored.count + news->count);
    update_applies(&stored, news);
    update_head(&stored, news, (struct update_head_lengths){5, -1});
    fields_fini(&stored);
    fields_fini(&updated);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span target = SPAN("CDN-Cache-Control");
    struct caching_policy policy = caching_policy_standard();
    struct fields request = {0};
    struct fields response = {0};
    struct fields news = {0};
    char *copy = malloc(size + 1);
    struct span rest = {copy, size};

    CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    take_fields(&rest, &request);
    take_fields(&rest, &response);
    take_fields(&rest, &news);
    try_values(&request);
    try_values(&response);
    try_vary(&request, &response);
    try_tags(&response);
    try_caching(&request, &response, &policy);
    try_fields(&response, &news, &policy);
    policy.targets = &target;
    policy.target_count = 1;
    policy.surrogate_device = SPAN("a");
    try_caching(&request, &response, &policy);
    try_fields(&response, &news, &policy);
    fields_fini(&request);
    fields_fini(&response);
    fields_fini(&news);
    free(copy);
    return 0;
}
