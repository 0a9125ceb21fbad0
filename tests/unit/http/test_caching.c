#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fields_text.h"
#include "http/caching.h"

#define WALL INT64_C(1767225600)
#define DATE "Date: Thu, 01 Jan 2026 00:00:00 GMT\n"
#define EXPIRES "Expires: "
#define PLUS_1H "Thu, 01 Jan 2026 01:00:00 GMT"
#define MINUS_1H "Wed, 31 Dec 2025 23:00:00 GMT"
#define LM "Last-Modified: Wed, 31 Dec 2025 00:00:00 GMT\n" /* a day old */
#define CC "Cache-Control: "
#define CDN "CDN-Cache-Control: "
#define ETAG "ETag: \"a\"\n"

/* "L3600": stored with that lifetime; "no:why": not stored; then what else is
 * set. */
static void
show(const struct caching *got, struct buf *out)
{
    if (got->storable)
        buf_printf(out, "L%llu", (unsigned long long)got->lifetime_s);
    else
        buf_printf(out, "no:%s", got->why_not);
    if (!got->storable)
        return;
    if (got->initial_age_s > 0)
        buf_printf(out, " age=%llu", (unsigned long long)got->initial_age_s);
    if (got->heuristic)
        buf_add_text(out, " heuristic");
    if (got->revalidate_always)
        buf_add_text(out, " always");
    else if (got->forbids_stale)
        buf_add_text(out, " nostale");
    if (got->swr_s > 0)
        buf_printf(out, " swr=%llu", (unsigned long long)got->swr_s);
    if (got->sie_s > 0)
        buf_printf(out, " sie=%llu", (unsigned long long)got->sie_s);
    if (got->omits_fields)
        buf_add_text(out, " omits");
}

struct row {
    const char *what;
    int status;
    const char *response;
    const char *want;
};

static void
check(const struct caching_request *request, const struct row *row,
      const struct caching_policy *policy)
{
    struct fields response = fields_of_text(row->response);
    struct caching got;
    struct buf out = {0};

    caching_of(request, row->status, &response, policy, WALL, 0, &got);
    assert_true(got.storable == (got.why_not == NULL));
    show(&got, &out);
    if (!span_eq(buf_span(&out), span_of(row->want)))
        fail_msg("%s: \"%s\"", row->what, out.data);
    buf_fini(&out);
    fields_fini(&response);
}

/* GET, with these request fields. */
static void
run(const struct row *rows, size_t count, const char *request_text,
    const struct caching_policy *policy)
{
    struct fields fields = fields_of_text(request_text);
    struct caching_request request = {.method = SPAN("GET"), .fields = &fields};

    for (size_t i = 0; i < count; i++)
        check(&request, &rows[i], policy);
    fields_fini(&fields);
}

#define RUN(rows, request, policy) run(rows, ARRAY_LEN(rows), request, policy)

/* What every request of a harness or a browser may carry without effect. */
#define PLAIN "Pragma: foo\n" CC "nothing-to-see-here"

static void
gives_lifetimes(void **state)
{
    static const struct row rows[] = {
        {"nothing said, no validator: not reused", 200, DATE,
         "no:no-freshness-and-no-validator"},
        {"max-age", 200, CC "max-age=3600", "L3600"},
        {"max-age 2147483647", 200, CC "max-age=2147483647", "L2147483647"},
        {"max-age 2147483648", 200, CC "max-age=2147483648", "L2147483648"},
        {"max-age 2147483649", 200, CC "max-age=2147483649", "L2147483648"},
        {"max-age 99999999999", 200, CC "max-age=99999999999", "L2147483648"},
        {"Age below max-age", 200, CC "max-age=3600\nAge: 1800",
         "L3600 age=1800"},
        {"Age above max-age: stale", 200, CC "max-age=3600\nAge: 7200\n" ETAG,
         "L3600 age=7200"},
        {"Age above max-age, no validator", 200, CC "max-age=3600\nAge: 7200",
         "no:not-fresh-and-no-validator"},
        {"max-age beats a past Expires", 200,
         CC "max-age=3600\n" DATE EXPIRES MINUS_1H, "L3600"},
        {"max-age beats an invalid Expires", 200,
         CC "max-age=3600\n" EXPIRES "0", "L3600"},
        {"max-age=0 beats a future Expires", 200,
         CC "max-age=0\n" ETAG DATE EXPIRES PLUS_1H, "L0"},
        {"negative max-age is stale", 200, CC "max-age=-3600\n" ETAG, "L0"},
        {"single quotes are stale", 200, CC "max-age='3600'\n" ETAG, "L0"},
        {"s-maxage alone", 200, CC "s-maxage=3600", "L3600 nostale"},
        {"s-maxage beats a longer max-age", 200, CC "max-age=3600, s-maxage=1",
         "L1 nostale"},
        {"s-maxage beats a shorter max-age", 200, CC "s-maxage=3600, max-age=1",
         "L3600 nostale"},
        {"s-maxage on a line of its own", 200,
         CC "max-age=1\n" CC "s-maxage=3600", "L3600 nostale"},
        {"s-maxage beats max-age=0 and a past Expires", 200,
         CC "max-age=0, s-maxage=3600\n" EXPIRES MINUS_1H, "L3600 nostale"},
        {"Expires - Date", 200, DATE EXPIRES PLUS_1H, "L3600"},
        {"Expires == Date", 200,
         DATE ETAG EXPIRES "Thu, 01 Jan 2026 00:00:00 GMT", "L0"},
        {"Expires a second before Date", 200,
         DATE ETAG EXPIRES "Wed, 31 Dec 2025 23:59:59 GMT", "L0"},
        {"Expires < Date, both ahead", 200,
         "Date: Thu, 01 Jan 2026 05:00:00 GMT\n" ETAG EXPIRES PLUS_1H, "L0"},
        {"a slow Date lengthens the lifetime", 200,
         "Date: Wed, 31 Dec 2025 23:59:50 GMT\nAge: 25\n" ETAG EXPIRES
         "Thu, 01 Jan 2026 00:00:10 GMT",
         "L20 age=25"},
        {"a fast Date shortens it", 200,
         "Date: Thu, 01 Jan 2026 00:00:10 GMT\nAge: 15\n" ETAG EXPIRES
         "Thu, 01 Jan 2026 00:00:20 GMT",
         "L10 age=15"},
        {"an invalid Date: the time of arrival", 200,
         "Date: foo\n" EXPIRES PLUS_1H, "L3600"},
        {"no Date: the time of arrival", 200, EXPIRES PLUS_1H, "L3600"},
        {"an invalid Expires has passed", 200, DATE LM EXPIRES "0", "L0"},
        {"an empty Expires has passed", 200, DATE LM "Expires:", "L0"},
        {"two Expires have passed", 200,
         DATE ETAG EXPIRES PLUS_1H "\n" EXPIRES PLUS_1H, "L0"},
        {"RFC 850 Expires", 200,
         DATE EXPIRES "Thursday, 01-Jan-26 01:00:00 GMT", "L3600"},
        {"asctime Expires", 200, DATE EXPIRES "Thu Jan  1 01:00:00 2026",
         "L3600"},
        {"Expires in 2286 is cut", 200,
         DATE EXPIRES "Sun, 21 Nov 2286 04:46:39 GMT", "L2147483648"},
        {"Pragma in a response says nothing", 200,
         "Pragma: no-cache\n" CC "max-age=5", "L5"},
    };
    struct caching_policy policy = caching_policy_standard();

    (void)state;
    RUN(rows, PLAIN, &policy);
}

static void
reads_age(void **state)
{
#define TEN CC "max-age=10000\n" ETAG
    static const struct row rows[] = {
        {"the first member counts", 200, TEN "Age: 7200, 0", "L10000 age=7200"},
        {"the first member counts, 0", 200, TEN "Age: 0, 7200", "L10000"},
        {"the first line counts", 200, TEN "Age: 7200\nAge: 0",
         "L10000 age=7200"},
        {"the first line counts, 0", 200, TEN "Age: 0\nAge: 7200", "L10000"},
        {"twice the same", 200, TEN "Age: 3600\nAge: 3600", "L10000 age=3600"},
        {"0, 0", 200, TEN "Age: 0, 0", "L10000"},
        {"no number", 200, TEN "Age: abc", "L10000"},
        {"negative", 200, TEN "Age: -7200", "L10000"},
        {"decimal", 200, TEN "Age: 7200.0", "L10000"},
        {"a parameter", 200, TEN "Age: 7200;foo=bar", "L10000"},
        {"2147483647", 200, TEN "Age: 2147483647", "L10000 age=2147483647"},
        {"2147483648", 200, TEN "Age: 2147483648", "L10000 age=2147483648"},
        {"2147483649", 200, TEN "Age: 2147483649", "L10000 age=2147483648"},
        {"past 64 bits", 200, TEN "Age: 99999999999999999999999",
         "L10000 age=2147483648"},
        {"the largest Age is past the largest lifetime", 200,
         CC "max-age=99999999999\nAge: 99999999999",
         "no:not-fresh-and-no-validator"},
    };
    struct caching_policy policy = caching_policy_standard();

    (void)state;
    RUN(rows, PLAIN, &policy);
}

static void
obeys_directives(void **state)
{
    static const struct row rows[] = {
        {"private", 200, CC "private, max-age=3600", "no:private"},
        {"no-store", 200, CC "no-store, max-age=3600", "no:no-store"},
        {"No-StOrE", 200, CC "No-StOrE, max-age=3600", "no:no-store"},
        {"no-store beats Expires", 200, CC "no-store\n" DATE EXPIRES PLUS_1H,
         "no:no-store"},
        {"no-store on another line", 200, CC "max-age=5\n" CC "no-store",
         "no:no-store"},
        {"no-cache without a validator", 200, CC "no-cache, max-age=3600",
         "no:not-fresh-and-no-validator"},
        {"no-cache with ETag: kept for validation", 200, CC "No-Cache\n" ETAG,
         "L0 always"},
        {"no-cache and max-age and Expires, with ETag", 200,
         CC "no-cache, max-age=3600\n" ETAG DATE EXPIRES PLUS_1H,
         "L3600 always"},
        {"must-revalidate", 200, CC "max-age=2, must-revalidate", "L2 nostale"},
        {"proxy-revalidate", 200, CC "max-age=2, proxy-revalidate",
         "L2 nostale"},
        {"no-cache with a list", 200, CC "max-age=5, no-cache=\"a, b\"",
         "L5 omits"},
        {"private with a list", 200, CC "max-age=5, private=\"a\"", "L5 omits"},
        {"private with a list of what is needed", 200,
         CC "max-age=5, private=\"Content-Type\"", "no:private"},
        {"must-understand, understood: no-store is ignored", 200,
         CC "max-age=3600, no-store, must-understand", "L3600"},
        {"must-understand, not understood", 599,
         CC "max-age=3600, no-store, must-understand", "no:must-understand"},
        {"must-understand alone, not understood", 599,
         CC "max-age=3600, must-understand", "no:must-understand"},
        {"stale-while-revalidate", 200,
         CC "max-age=1, stale-while-revalidate=3600", "L1 swr=3600"},
        {"stale-if-error", 200, CC "max-age=1, stale-if-error=60", "L1 sie=60"},
        {"must-revalidate forbids both", 200,
         CC "max-age=1, must-revalidate, stale-if-error=60, "
            "stale-while-revalidate=60",
         "L1 nostale"},
        {"at once stale, but of use", 200,
         CC "max-age=0, stale-while-revalidate=60", "L0 swr=60"},
        {"Vary: *", 200, CC "max-age=3600\nVary: Foo, *", "no:vary-any"},
        {"Vary", 200, CC "max-age=3600\nVary: Foo", "L3600"},
        {"Set-Cookie with explicit freshness", 200,
         CC "max-age=3600\nSet-Cookie: a=b", "L3600"},
        {"Set-Cookie without", 200, "Set-Cookie: a=b\n" DATE LM,
         "no:set-cookie"},
        {"hop-by-hop junk", 200,
         CC "max-age=3600\nConnection: a, b\nKeep-Alive: 5\nTE: x\n"
            "Upgrade: y\nProxy-Connection: z",
         "L3600"},
        {"Content-Range on a 200", 200,
         CC "max-age=3600\nContent-Range: bytes 0-1/2", "L3600"},
    };
    struct caching_policy policy = caching_policy_standard();

    (void)state;
    RUN(rows, PLAIN, &policy);
}

static void
knows_statuses(void **state)
{
    static const int explicit_ones[] = {200, 203, 204, 299, 301, 302,
                                        303, 307, 308, 400, 404, 410,
                                        499, 500, 502, 503, 504, 599};
    static const int guessed[] = {200, 203, 204, 300, 301, 308,
                                  404, 405, 410, 414, 501};
    static const int never_guessed[] = {201, 202, 302, 403, 429,
                                        502, 503, 504, 599};
    static const struct row others[] = {
        {"599 with public is guessed", 599, CC "public\n" DATE LM,
         "L8640 heuristic"},
        {"206", 206, CC "max-age=3600", "no:partial-content"},
        {"304", 304, CC "max-age=3600", "no:not-modified"},
        {"416", 416, CC "max-age=3600", "no:range-not-satisfiable"},
        {"103", 103, CC "max-age=3600", "no:status"},
        {"600", 600, CC "max-age=3600", "no:status"},
        {"only a validator", 200, ETAG, "L0"},
        {"only a validator, no default", 403, ETAG,
         "no:status-without-freshness"},
        {"Last-Modified after Date", 200, DATE "Last-Modified: " PLUS_1H,
         "L0 heuristic"},
        {"a very old Last-Modified is bounded", 200,
         DATE "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
         "L604800 heuristic"},
        {"a bad Last-Modified guesses nothing", 200, DATE "Last-Modified: foo",
         "no:no-freshness-and-no-validator"},
        {"explicit beats the guess", 200, CC "max-age=5\n" DATE LM, "L5"},
        {"a past Expires beats the guess", 200, DATE LM EXPIRES MINUS_1H, "L0"},
    };
    struct caching_policy policy = caching_policy_standard();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(explicit_ones); i++) {
        struct row row = {"explicit", explicit_ones[i], CC "max-age=3600",
                          "L3600"};

        run(&row, 1, "", &policy);
    }
    for (size_t i = 0; i < ARRAY_LEN(guessed); i++) {
        struct row row = {"guessed", guessed[i], DATE LM, "L8640 heuristic"};

        run(&row, 1, "", &policy);
    }
    for (size_t i = 0; i < ARRAY_LEN(never_guessed); i++) {
        struct row row = {"never guessed", never_guessed[i], DATE LM,
                          "no:status-without-freshness"};

        run(&row, 1, "", &policy);
    }
    RUN(others, PLAIN, &policy);
}

static void
looks_at_requests(void **state)
{
    static const struct row auth[] = {
        {"Authorization", 200, CC "max-age=3600", "no:authorization"},
        {"Authorization, public", 200, CC "max-age=3600, public", "L3600"},
        {"Authorization, must-revalidate", 200,
         CC "max-age=3600, must-revalidate", "L3600 nostale"},
        {"Authorization, s-maxage", 200, CC "s-maxage=3600", "L3600 nostale"},
        {"Authorization, proxy-revalidate is not enough", 200,
         CC "max-age=3600, proxy-revalidate", "no:authorization"},
        {"Authorization, private", 200, CC "max-age=3600, public, private",
         "no:private"},
        {"Authorization, Expires", 200, DATE EXPIRES PLUS_1H,
         "no:authorization"},
        {"Authorization, the targeted field counts", 200,
         CC "public\n" CDN "max-age=60", "no:authorization"},
    };
    static const struct row plain[] = {
        {"fresh", 200, CC "max-age=3600", "L3600"},
    };
    static const struct row refused[] = {
        {"no-store in the request", 200, CC "max-age=3600",
         "no:request-no-store"},
    };
    struct caching_policy policy = caching_policy_standard();
    const struct span target = SPAN("CDN-Cache-Control");

    (void)state;
    policy.targets = &target;
    policy.target_count = 1;
    RUN(auth, "Authorization: Basic eDp5", &policy);
    RUN(refused, CC "no-store", &policy);
    RUN(plain, "Cookie: a=b", &policy);
    RUN(plain, CC "no-cache, max-age=0", &policy);
    RUN(plain, "Range: bytes=0-1", &policy);
}

static void
looks_at_methods(void **state)
{
    static const struct {
        const char *method;
        struct row row;
    } rows[] = {
        {"HEAD", {"HEAD", 200, CC "max-age=5", "no:method"}},
        {"PUT", {"PUT", 200, CC "max-age=5", "no:method"}},
        {"get", {"methods have case", 200, CC "max-age=5", "no:method"}},
        {"POST", {"POST alone", 200, CC "max-age=5", "no:method"}},
        {"POST",
         {"POST at its own path", 200, CC "max-age=5\nContent-Location: /a?b=c",
          "L5"}},
        {"POST",
         {"POST with a cookie", 200,
          CC "max-age=5\nContent-Location: /a?b=c\nSet-Cookie: a=b",
          "no:method"}},
        {"POST",
         {"POST at its own URL", 200,
          CC "max-age=5\nContent-Location: HTTP://Example.com/a?b=c", "L5"}},
        {"POST",
         {"POST at its own URL, with the port", 200,
          CC "max-age=5\nContent-Location: //example.com:80/a?b=c", "L5"}},
        {"POST",
         {"POST at its own path, relative, with a fragment", 200,
          CC "max-age=5\nContent-Location: x/../a?b=c#d", "L5"}},
        {"POST",
         {"POST at its own query", 200, CC "max-age=5\nContent-Location: ?b=c",
          "L5"}},
        {"POST",
         {"POST at another port", 200,
          CC "max-age=5\nContent-Location: //example.com:81/a?b=c",
          "no:method"}},
        {"POST",
         {"POST at another path", 200, CC "max-age=5\nContent-Location: /a?b=d",
          "no:method"}},
        {"POST",
         {"POST at another host", 200,
          CC "max-age=5\nContent-Location: http://example.net/a?b=c",
          "no:method"}},
        {"POST",
         {"POST at another scheme", 200,
          CC "max-age=5\nContent-Location: httpx//example.com/a?b=c",
          "no:method"}},
        {"POST",
         {"POST at two places", 200,
          CC "max-age=5\nContent-Location: /a?b=c\nContent-Location: /",
          "no:method"}},
        {"POST",
         {"POST without explicit freshness", 200,
          ETAG "Content-Location: /a?b=c", "no:method"}},
        {"POST",
         {"POST, created", 201, CC "max-age=5\nContent-Location: /a?b=c",
          "no:method"}},
    };
    struct caching_policy policy = caching_policy_standard();
    struct fields none = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct caching_request request = {span_of(rows[i].method), SPAN("http"),
                                          SPAN("example.com"), SPAN("/a?b=c"),
                                          &none};

        check(&request, &rows[i].row, &policy);
    }
}

static void
obeys_targeted_fields(void **state)
{
    static const struct row rows[] = {
        {"max-age", 200, CDN "max-age=3600", "L3600"},
        {"over a short max-age", 200, CC "max-age=1\n" CDN "max-age=3600",
         "L3600"},
        {"short over long", 200, CC "max-age=10000\n" CDN "max-age=1", "L1"},
        {"max-age=0 over long", 200, CC "max-age=10000\n" ETAG CDN "max-age=0",
         "L0"},
        {"over a past Expires", 200,
         DATE EXPIRES MINUS_1H "\n" CDN "max-age=3600", "L3600"},
        {"over an invalid Expires", 200, DATE "Expires: 0\n" CDN "max-age=3600",
         "L3600"},
        {"it hides a future Expires too", 200,
         DATE ETAG CDN "foobar\n" EXPIRES PLUS_1H, "L0"},
        {"it hides max-age too", 200, CC "max-age=60\n" ETAG CDN "foobar",
         "L0"},
        {"over no-store", 200, CC "no-store\n" CDN "max-age=3600", "L3600"},
        {"over s-maxage and must-revalidate", 200,
         CC "s-maxage=5, must-revalidate\n" CDN "max-age=3600", "L3600"},
        {"unknown directives", 200, CDN "foobar, max-age=3600", "L3600"},
        {"99999999999", 200, CDN "max-age=99999999999", "L2147483648"},
        {"Age above it", 200, ETAG "Age: 12000\n" CDN "max-age=10000",
         "L10000 age=12000"},
        {"private over fresh", 200, CC "max-age=10000\n" CDN "private",
         "no:private"},
        {"no-store over fresh", 200, CC "max-age=10000\n" CDN "no-store",
         "no:no-store"},
        {"no-cache over fresh", 200, CC "max-age=10000\n" ETAG CDN "no-cache",
         "L0 always"},
        {"a syntax error: Cache-Control rules", 200,
         CC "no-store\n" CDN "max-age=10000, &&&&&", "no:no-store"},
        {"a wrong type: Cache-Control rules", 200,
         CC "no-store\n" CDN "max-age=\"10000\"", "no:no-store"},
        {"empty: Cache-Control rules", 200,
         CC "max-age=5\nCDN-Cache-Control:", "L5"},
        {"the first valid one of the list", 200,
         CDN "max-age=5\nAtlas-Cache-Control: max-age=6", "L6"},
        {"the next when the first is bad", 200,
         CDN "max-age=5\nAtlas-Cache-Control: max-age=", "L5"},
        {"Surrogate-Control comes after", 200,
         "Surrogate-Control: max-age=7\n" CC "no-store", "L7"},
        {"Surrogate-Control for another", 200,
         "Surrogate-Control: max-age=7;x\n" CC "no-store", "no:no-store"},
        {"lists of fields count", 200, CDN "max-age=5, private=\"a\"",
         "L5 omits"},
    };
    static const struct row ignored[] = {
        {"not asked for", 200, CC "max-age=5\n" CDN "max-age=6", "L5"},
    };
    struct caching_policy policy = caching_policy_standard();
    const struct span targets[] = {SPAN("Atlas-Cache-Control"),
                                   SPAN("CDN-Cache-Control")};

    (void)state;
    RUN(ignored, PLAIN, &policy);
    policy.targets = targets;
    policy.target_count = ARRAY_LEN(targets);
    policy.surrogate_device = SPAN("atlas");
    RUN(rows, PLAIN, &policy);
}

static const struct row with_defaults[] = {
    {"nothing said", 200, "", "L60 swr=10 sie=20"},
    {"not cacheable by default", 302, "", "no:status-without-freshness"},
    {"a guess is better", 200, DATE LM, "L4320 heuristic swr=10 sie=20"},
    {"what is said counts", 200, CC "max-age=30", "L30 swr=10 sie=20"},
    {"raised", 200, CC "max-age=1", "L5 swr=10 sie=20"},
    {"cut", 200, CC "max-age=99999", "L9000 swr=10 sie=20"},
    {"the response's windows count", 200,
     CC "max-age=30, stale-if-error=0, stale-while-revalidate=1", "L30 swr=1"},
    {"no windows where forbidden", 200, CC "max-age=30, must-revalidate",
     "L30 nostale"},
    {"s-maxage forbids as well", 200, CC "s-maxage=30", "L30 nostale"},
    {"Set-Cookie is not stored", 200, CC "max-age=30\nSet-Cookie: a=b",
     "no:set-cookie"},
    {"but what is left without it", 200,
     CC "max-age=30, private=\"Set-Cookie\"\nSet-Cookie: a=b",
     "L30 swr=10 sie=20 omits"},
    {"the same by no-cache", 200,
     CC "max-age=30, no-cache=\"a, set-cookie\"\nSet-Cookie: a=b",
     "L30 swr=10 sie=20 omits"},
    {"not where another name is left out", 200,
     CC "max-age=30, private=\"X-A\"\nSet-Cookie: a=b", "no:set-cookie"},
    {"an error by its row, as it is", 503, "", "L2"},
    {"the first row counts", 404, "", "L7"},
    {"before a guess", 404, DATE LM, "L7"},
    {"with the windows that it gives itself", 404,
     CC "stale-if-error=3, stale-while-revalidate=4", "L7 swr=4 sie=3"},
    {"a class has what is about the resource", 451, "", "L9"},
    {"and not what is about the request", 403, "",
     "no:status-without-freshness"},
    {"but by its name", 429, "", "L1"},
    {"no time at all", 410, "", "no:not-fresh-and-no-validator"},
    {"what an error says counts", 503, CC "max-age=8", "L8 swr=10 sie=20"},
    {"no-store counts in any case", 404, CC "no-store", "no:no-store"},
    {"private as well", 404, CC "private", "no:private"},
    {"and no-cache", 404, CC "no-cache\n" ETAG, "L7 always"},
    {"a part stays a part", 206, "", "no:partial-content"},
};

static void
adds_the_policy(void **state)
{
    static const struct row overridden[] = {
        {"instead of nothing", 200, "", "L600"},
        {"instead of max-age", 200, CC "max-age=5", "L600"},
        {"not of private", 200, CC "private", "no:private"},
        {"not of no-store", 200, CC "no-store", "no:no-store"},
        {"not of no-cache", 200, CC "no-cache\n" ETAG, "L600 always"},
        {"errors that say nothing stay out", 500, "",
         "no:status-without-freshness"},
        {"a status of its own goes before", 404, CC "max-age=5", "L7"},
    };
    static const struct row unguessed[] = {
        {"no guess", 200, DATE LM, "L0"},
    };
    static const struct caching_status_ttl status_ttl[] = {
        {404, 404, 7}, {410, 410, 0}, {429, 429, 1},
        {206, 206, 9}, {400, 499, 9}, {500, 599, 2}};
    struct caching_policy policy = {
        .default_s = 60,
        .min_s = 5,
        .max_s = 9000,
        .override_s = CACHING_UNSET,
        .stale_while_revalidate_s = 10,
        .stale_if_error_s = 20,
        .heuristic_percent = 5,
        .heuristic_max_s = 86400,
        .status_ttl = status_ttl,
        .status_ttl_count = ARRAY_LEN(status_ttl),
    };

    (void)state;
    RUN(with_defaults, PLAIN, &policy);
    policy = caching_policy_standard();
    policy.override_s = 600;
    policy.status_ttl = status_ttl;
    policy.status_ttl_count = 1;
    RUN(overridden, PLAIN, &policy);
    policy = caching_policy_standard();
    policy.heuristic_percent = 0;
    RUN(unguessed, PLAIN, &policy);
}

static void
leaves_fields_out(void **state)
{
    struct fields response =
        fields_of_text(CC "max-age=5, private=\"A, b\", no-cache=\"C\"\n"
                          "a: 1\nB: 2\nb: 3\nc: 4\nd: 5");
    struct caching_policy policy = caching_policy_standard();
    struct fields out = {0};

    (void)state;
    caching_stored_fields(&response, &policy, &out);
    assert_int_equal(out.count, 2);
    assert_true(fields_has(&out, SPAN("Cache-Control")));
    assert_true(fields_has(&out, SPAN("d")));
    fields_fini(&out);
    fields_fini(&response);
}

static void
notes_validators(void **state)
{
    static const struct {
        const char *response;
        bool etag, strong, modified;
    } rows[] = {
        {"", false, false, false},
        {ETAG, true, true, false},
        {"ETag: W/\"a\"", true, false, false},
        {"ETag: a", true, false, false},
        {"ETag:", false, false, false},
        {LM, false, false, true},
        {"Last-Modified: yesterday", false, false, false},
    };
    struct caching_policy policy = caching_policy_standard();
    struct fields none = {0};
    struct caching_request request = {.method = SPAN("GET"), .fields = &none};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields response = fields_of_text(rows[i].response);
        struct caching got;

        caching_of(&request, 200, &response, &policy, WALL, 0, &got);
        assert_true(got.has_etag == rows[i].etag);
        assert_true(got.etag_strong == rows[i].strong);
        assert_true(got.has_last_modified == rows[i].modified);
        fields_fini(&response);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_lifetimes),
        cmocka_unit_test(reads_age),
        cmocka_unit_test(obeys_directives),
        cmocka_unit_test(knows_statuses),
        cmocka_unit_test(looks_at_requests),
        cmocka_unit_test(looks_at_methods),
        cmocka_unit_test(obeys_targeted_fields),
        cmocka_unit_test(adds_the_policy),
        cmocka_unit_test(leaves_fields_out),
        cmocka_unit_test(notes_validators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
