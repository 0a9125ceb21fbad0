/* What may be done with a stored response as it ages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "fields_text.h"
#include "http/caching.h"

#define WALL INT64_C(1767225600)
#define CC "Cache-Control: "

/* Whole seconds only, so that no Age grows by rounding. */
static void
counts_age(void **state)
{
    struct fields response = fields_of_text(CC "max-age=9000\nAge: 7200");
    struct fields none = {0};
    struct caching_request request = {.method = SPAN("GET"), .fields = &none};
    struct caching_policy policy = caching_policy_standard();
    struct caching got;

    (void)state;
    caching_of(&request, 200, &response, &policy, WALL, 999, &got);
    assert_int_equal(got.initial_age_s, 7200);
    caching_of(&request, 200, &response, &policy, WALL, 5400, &got);
    assert_int_equal(got.initial_age_s, 7205);
    assert_int_equal(caching_age_s(&got, 5, 5), 7205);
    assert_int_equal(caching_age_s(&got, 5, 5 + NS_PER_S - 1), 7205);
    assert_int_equal(caching_age_s(&got, 5, 5 + 33 * NS_PER_S), 7238);
    assert_int_equal(caching_age_s(&got, 5, 4), 7205);
    assert_int_equal(caching_ttl_s(&got, 7205), 1795);
    assert_int_equal(caching_ttl_s(&got, 9001), -1);
    assert_int_equal(caching_staleness_s(&got, 8999), 0);
    assert_int_equal(caching_staleness_s(&got, 9000), 0);
    assert_int_equal(caching_staleness_s(&got, 9010), 10);
    fields_fini(&response);
}

#define F FRESHNESS_FRESH
#define A FRESHNESS_STALE_ACCEPTED
#define W FRESHNESS_STALE_WHILE_REVALIDATE
#define S FRESHNESS_STALE

static const struct {
    const char *what;
    const char *response;
    uint64_t age_s;
    const char *request; /* directives */
    enum freshness want;
} fresh_rows[] = {
    {"below the lifetime", "max-age=10", 9, "", F},
    {"at the lifetime", "max-age=10", 10, "", S},
    {"past it", "max-age=10", 11, "", S},
    {"stale-while-revalidate", "max-age=10, stale-while-revalidate=5", 10, "",
     W},
    {"at its end", "max-age=10, stale-while-revalidate=5", 15, "", W},
    {"past its end", "max-age=10, stale-while-revalidate=5", 16, "", S},
    {"an empty window", "max-age=10, stale-while-revalidate=0", 10, "", S},
    {"no-cache", "max-age=10, no-cache", 0, "", S},
    {"no-cache beats max-stale", "max-age=10, no-cache", 20, "max-stale", S},
    {"request max-age met", "max-age=10", 5, "max-age=5", F},
    {"request max-age exceeded", "max-age=10", 6, "max-age=5", S},
    {"request max-age exceeded in the window",
     "max-age=10, stale-while-revalidate=5", 12, "max-age=5", S},
    {"request max-age=0 at age 0", "max-age=10", 0, "max-age=0", F},
    {"malformed request max-age counts as 0", "max-age=10", 1, "max-age=x", S},
    {"a reload of what is immutable", "max-age=10, immutable", 9, "max-age=0",
     F},
    {"a stale one", "max-age=10, immutable", 10, "max-age=0", S},
    {"another max-age is more than a reload", "max-age=10, immutable", 9,
     "max-age=5", S},
    {"min-fresh counts", "max-age=10, immutable", 9, "max-age=0, min-fresh=5",
     S},
    {"not with an argument", "max-age=10, immutable=1", 9, "max-age=0", S},
    {"no-cache beats immutable", "max-age=10, immutable, no-cache", 9,
     "max-age=0", S},
    {"min-fresh met", "max-age=10", 5, "min-fresh=5", F},
    {"min-fresh missed", "max-age=10", 6, "min-fresh=5", S},
    {"min-fresh, stale", "max-age=10, stale-while-revalidate=50", 11,
     "min-fresh=0", S},
    {"max-stale met", "max-age=10", 15, "max-stale=5", A},
    {"max-stale exceeded", "max-age=10", 16, "max-stale=5", S},
    {"any max-stale", "max-age=10", 100000, "max-stale", A},
    {"malformed max-stale", "max-age=10", 11, "max-stale=x", S},
    {"max-stale, must-revalidate", "max-age=10, must-revalidate", 11,
     "max-stale", S},
    {"max-stale, proxy-revalidate", "max-age=10, proxy-revalidate", 11,
     "max-stale", S},
    {"max-stale, s-maxage", "s-maxage=10", 11, "max-stale", S},
    {"max-stale, never fresh", "max-age=0", 1, "max-stale", S},
    {"never fresh, with a window", "max-age=0, stale-while-revalidate=5", 1, "",
     W},
    {"max-stale and max-age", "max-age=10", 15, "max-stale, max-age=12", S},
    {"the caller's directives", "max-age=10", 5,
     "no-cache, no-store, only-if-cached", F},
};

static void
judges_freshness(void **state)
{
    struct caching_policy policy = caching_policy_standard();
    struct fields none = {0};
    struct caching_request request = {.method = SPAN("GET"), .fields = &none};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fresh_rows); i++) {
        struct fields response = {0};
        struct fields asking = {0};
        struct cache_control asked;
        struct caching got;

        fields_add(&response, SPAN("Cache-Control"),
                   span_of(fresh_rows[i].response));
        fields_add(&asking, SPAN("Cache-Control"),
                   span_of(fresh_rows[i].request));
        caching_of(&request, 200, &response, &policy, WALL, 0, &got);
        cache_control_request(&asking, &asked);
        if (caching_freshness(&got, fresh_rows[i].age_s, &asked) !=
            fresh_rows[i].want)
            fail_msg("%s", fresh_rows[i].what);
        if (fresh_rows[i].request[0] == '\0' &&
            caching_freshness(&got, fresh_rows[i].age_s, NULL) !=
                fresh_rows[i].want)
            fail_msg("%s, no request", fresh_rows[i].what);
        fields_fini(&response);
        fields_fini(&asking);
    }
}

static const struct {
    const char *what;
    const char *response;
    uint64_t age_s;
    uint64_t max_stale_s;
    bool on_error;
    bool want;
    const char *request; /* NULL: none */
} stale_rows[] = {
    {"fresh", "max-age=10", 9, 0, false, true, NULL},
    {"fresh, must-revalidate", "max-age=10, must-revalidate", 9, 0, false, true,
     NULL},
    {"stale, nothing allowed", "max-age=10", 10, 0, true, false, NULL},
    {"within the route's bound", "max-age=10", 20, 10, false, true, NULL},
    {"past it", "max-age=10", 21, 10, false, false, NULL},
    {"without bound", "max-age=10", 1000000, UINT64_MAX, true, true, NULL},
    {"must-revalidate", "max-age=10, must-revalidate", 11, 60, true, false,
     NULL},
    {"proxy-revalidate", "max-age=10, proxy-revalidate", 11, 60, true, false,
     NULL},
    {"s-maxage", "s-maxage=10", 11, 60, true, false, NULL},
    {"no-cache, even fresh", "max-age=10, no-cache", 1, 60, true, false, NULL},
    {"stale-if-error on an error", "max-age=10, stale-if-error=60", 70, 0, true,
     true, NULL},
    {"stale-if-error past its end", "max-age=10, stale-if-error=60", 71, 0,
     true, false, NULL},
    {"stale-if-error without an error", "max-age=10, stale-if-error=60", 11, 0,
     false, false, NULL},
    {"stale-while-revalidate", "max-age=10, stale-while-revalidate=60", 70, 0,
     false, true, NULL},
    {"the request's stale-if-error on an error", "max-age=10", 70, 0, true,
     true, "stale-if-error=60"},
    {"past its end", "max-age=10", 71, 0, true, false, "stale-if-error=60"},
    {"without an error", "max-age=10", 11, 0, false, false,
     "stale-if-error=60"},
    {"the longer of the two", "max-age=10, stale-if-error=5", 70, 0, true, true,
     "stale-if-error=60"},
    {"the response's, when it is", "max-age=10, stale-if-error=60", 70, 0, true,
     true, "stale-if-error=5"},
    {"of a request, with must-revalidate", "max-age=10, must-revalidate", 11, 0,
     true, false, "stale-if-error=60"},
    {"malformed in a request", "max-age=10", 11, 0, true, false,
     "stale-if-error=x"},
    {"never fresh", "max-age=0", 1, 60, true, false, NULL},
    {"never fresh, a request's wish", "max-age=0", 1, 0, true, false,
     "stale-if-error=60"},
    {"never fresh, a window of its own", "max-age=0, stale-if-error=60", 1, 0,
     true, true, NULL},
};

static void
judges_stale_copies(void **state)
{
    struct caching_policy policy = caching_policy_standard();
    struct fields none = {0};
    struct caching_request request = {.method = SPAN("GET"), .fields = &none};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stale_rows); i++) {
        struct fields response = {0};
        struct fields asking = {0};
        struct cache_control asked;
        struct caching got;

        fields_add(&response, SPAN("Cache-Control"),
                   span_of(stale_rows[i].response));
        caching_of(&request, 200, &response, &policy, WALL, 0, &got);
        if (stale_rows[i].request != NULL) {
            fields_add(&asking, SPAN("Cache-Control"),
                       span_of(stale_rows[i].request));
            cache_control_request(&asking, &asked);
        }
        if (caching_stale_usable(
                &got, stale_rows[i].age_s, stale_rows[i].max_stale_s,
                stale_rows[i].on_error,
                stale_rows[i].request ? &asked : NULL) != stale_rows[i].want)
            fail_msg("%s", stale_rows[i].what);
        fields_fini(&response);
        fields_fini(&asking);
    }
    assert_string_equal(caching_freshness_name(F), "fresh");
    assert_string_equal(caching_freshness_name(A), "stale-accepted");
    assert_string_equal(caching_freshness_name(W), "stale-while-revalidate");
    assert_string_equal(caching_freshness_name(S), "stale");
}

/* A copy stands in for the origin's error only within a window that somebody
 * gave: at its very first stale second none is open by itself. */
static void
judges_stand_ins(void **state)
{
    static const struct {
        const char *what;
        const char *response;
        uint64_t age_s;
        const char *request;
        bool want;
    } rows[] = {
        {"nobody said so, just stale", "max-age=10", 10, "", false},
        {"nobody said so, fresh", "max-age=10", 5, "", false},
        {"the response", "max-age=10, stale-if-error=5", 15, "", true},
        {"the response, fresh", "max-age=10, stale-if-error=5", 5, "", true},
        {"over", "max-age=10, stale-if-error=5", 16, "", false},
        {"a window of nothing", "max-age=10, stale-if-error=0", 10, "", false},
        {"the request", "max-age=10", 15, "stale-if-error=5", true},
        {"the request, over", "max-age=10", 16, "stale-if-error=5", false},
        {"no-cache", "no-cache, stale-if-error=5", 1, "stale-if-error=5",
         false},
        {"s-maxage", "s-maxage=10", 11, "stale-if-error=5", false},
    };
    struct caching_policy policy = caching_policy_standard();
    struct fields none = {0};
    struct caching_request request = {.method = SPAN("GET"), .fields = &none};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields response = {0};
        struct fields asking = {0};
        struct cache_control asked;
        struct caching got;

        fields_add(&response, SPAN("Cache-Control"), span_of(rows[i].response));
        fields_add(&asking, SPAN("Cache-Control"), span_of(rows[i].request));
        caching_of(&request, 200, &response, &policy, WALL, 0, &got);
        cache_control_request(&asking, &asked);
        if (caching_stale_if_error(&got, rows[i].age_s, &asked) != rows[i].want)
            fail_msg("%s", rows[i].what);
        fields_fini(&response);
        fields_fini(&asking);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_age),
        cmocka_unit_test(judges_freshness),
        cmocka_unit_test(judges_stale_copies),
        cmocka_unit_test(judges_stand_ins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
