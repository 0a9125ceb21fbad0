#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/cache_status.h"

static const struct {
    struct cache_status status;
    const char *want;
} rows[] = {
    {{.node = {"edge1", 5}, .hit = true}, "edge1; hit"},
    {{.node = {"edge1", 5}, .hit = true, .has_ttl = true, .ttl_s = -5},
     "edge1; hit; ttl=-5"},
    {{.node = {"edge1", 5},
      .fwd = CACHE_FWD_STALE,
      .fwd_status = 304,
      .stored = true,
      .collapsed = true,
      .has_ttl = true,
      .ttl_s = 0,
      .key = {"http://a/\"\\\n", 12},
      .detail = "purged"},
     "edge1; fwd=stale; fwd-status=304; stored; collapsed; ttl=0; "
     "key=\"http://a/\\\"\\\\?\"; detail=purged"},
    {{.node = {"1 edge", 6}, .fwd = CACHE_FWD_URI_MISS, .detail = "two words"},
     "\"1 edge\"; fwd=uri-miss; detail=\"two words\""},
    {{.node = {"e", 1}, .hit = true, .fwd = CACHE_FWD_MISS}, "e; hit"},
    {{.node = {"e", 1}}, "e"},
    {{.node = {"e", 1}, .has_ttl = true, .ttl_s = INT64_MAX},
     "e; ttl=999999999999999"},
    {{.node = {"e", 1}, .has_ttl = true, .ttl_s = INT64_MIN},
     "e; ttl=-999999999999999"},
    {{.node = {"", 0}, .hit = true}, "\"\"; hit"},
};

static void
test_format(void **state)
{
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        cache_status_format(&rows[i].status, &out);
        assert_string_equal(out.data, rows[i].want);
    }
    buf_fini(&out);
}

static void
test_append(void **state)
{
    struct field list[] = {
        {SPAN("Cache-Status"), SPAN("origin; fwd=miss, \"b,c\"; hit")},
        {SPAN("cache-status"), SPAN("\"never closed")},
        {SPAN("cache-status"), SPAN("d")}};
    struct fields response = {list, 3, 0};
    const struct cache_status ours = {.node = SPAN("e"), .hit = true};
    struct buf out = {0};

    (void)state;
    cache_status_append(&response, &ours, &out);
    assert_string_equal(out.data, "origin; fwd=miss, \"b,c\"; hit, d, e; hit");
    response.count = 0;
    buf_clear(&out);
    cache_status_append(&response, &ours, &out);
    assert_string_equal(out.data, "e; hit");
    buf_fini(&out);
}

static void
test_long_key(void **state)
{
    char key[2000];
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = 'k';
    cache_status_format(
        &(struct cache_status){.node = SPAN("e"), .key = {key, sizeof(key)}},
        &out);
    assert_int_equal(out.len, 1 + 8 + 256);
    buf_fini(&out);
}

static void
test_names(void **state)
{
    (void)state;
    for (int i = 0; i < CACHE_FWD_COUNT; i++)
        assert_non_null(cache_fwd_name((enum cache_fwd)i));
    assert_string_equal(cache_fwd_name(CACHE_FWD_VARY_MISS), "vary-miss");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_long_key),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
