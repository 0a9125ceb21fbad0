#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/check.h"
#include "http/key.h"

#define S(literal)                                                             \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

static const struct span utm[] = {S("utm_*"), S("fbclid")};
static const struct span ab[] = {S("a"), S("b")};
static const struct span lang[] = {S("Accept-Language"), S("X-Two")};
static const struct span sid[] = {S("sid")};

static const struct key_policy exact = {0};
static const struct key_policy no_query = {.query = KEY_QUERY_NONE};
static const struct key_policy sorted = {.sort_query = true};
static const struct key_policy allow = {.query = KEY_QUERY_ALLOW,
                                        .query_names = {ab, 2}};
static const struct key_policy deny = {.query = KEY_QUERY_DENY,
                                       .query_names = {utm, 2}};
static const struct key_policy allow_sorted = {
    .query = KEY_QUERY_ALLOW, .sort_query = true, .query_names = {ab, 2}};
static const struct key_policy nocase = {.ignore_path_case = true};
static const struct key_policy by_lang = {.headers = {lang, 2}};
static const struct span accepts[] = {S("Accept-Encoding"),
                                      S("accept-language")};
static const struct span gzip[] = {S("gzip")};
static const struct key_policy by_coding = {.headers = {accepts, 2},
                                            .codings = {gzip, 1}};
static const struct key_policy by_cookie = {.cookies = {sid, 1}};

static const struct {
    const struct key_policy *policy;
    const char *url;
    struct field request[2];
    const char *want;
} rows[] = {
    {&exact, "http://A.Example/P?Q", {{{0}, {0}}}, "http://a.example/P?Q"},
    {&exact, "http://a:80/", {{{0}, {0}}}, "http://a/"},
    {&exact, "https://a:443/", {{{0}, {0}}}, "https://a/"},
    {&exact, "https://a:80/", {{{0}, {0}}}, "https://a:80/"},
    {&exact, "http://a:8080/", {{{0}, {0}}}, "http://a:8080/"},
    {&exact, "http://[::AB]:8/", {{{0}, {0}}}, "http://[::ab]:8/"},
    {&exact, "http://a/p?", {{{0}, {0}}}, "http://a/p?"},
    {&exact, "http://a/p?&b&&a", {{{0}, {0}}}, "http://a/p?&b&&a"},
    {&no_query, "http://a/p?q", {{{0}, {0}}}, "http://a/p"},
    {&sorted,
     "http://a/p?b=1&a=2&b=0&&a=1",
     {{{0}, {0}}},
     "http://a/p?a=2&a=1&b=1&b=0"},
    {&sorted, "http://a/p?", {{{0}, {0}}}, "http://a/p"},
    {&sorted, "http://a/p?ab=1&a=2&a", {{{0}, {0}}}, "http://a/p?a=2&a&ab=1"},
    {&allow, "http://a/p?c=1&b=2&a&ab=1", {{{0}, {0}}}, "http://a/p?b=2&a"},
    {&allow, "http://a/p?c=1", {{{0}, {0}}}, "http://a/p"},
    {&allow_sorted, "http://a/p?c=1&b=2&a", {{{0}, {0}}}, "http://a/p?a&b=2"},
    {&deny,
     "http://a/p?utm_source=1&x=2&fbclid&utm_&utm=1",
     {{{0}, {0}}},
     "http://a/p?x=2&utm=1"},
    {&nocase, "http://a/PaTh?Q", {{{0}, {0}}}, "http://a/path?Q"},
    {&by_lang,
     "http://a/",
     {{{0}, {0}}},
     "http://a/\nh:accept-language\nh:x-two"},
    {&by_lang,
     "http://a/",
     {{S("accept-language"), S("en")}},
     "http://a/\nh:accept-language=en\nh:x-two"},
    {&by_lang,
     "http://a/",
     {{S("X-Two"), S("")}},
     "http://a/\nh:accept-language\nh:x-two="},
    {&by_lang,
     "http://a/",
     {{S("X-Two"), S("1")}, {S("x-two"), S("2")}},
     "http://a/\nh:accept-language\nh:x-two=1, 2"},
    {&by_coding,
     "http://a/",
     {{S("accept-encoding"), S("br, GZIP;q=0.3")},
      {S("Accept-Language"), S("EN-gb;q=0.3")}},
     "http://a/\nh:accept-encoding=gzip\nh:accept-language=en-GB"},
    {&by_coding,
     "http://a/",
     {{S("Accept-Language"), S(";;")}},
     "http://a/\nh:accept-encoding\nh:accept-language"},
    {&by_cookie, "http://a/", {{{0}, {0}}}, "http://a/\nc:sid"},
    {&by_cookie,
     "http://a/",
     {{S("Cookie"), S("x=1; sid=7;SID=8")}},
     "http://a/\nc:sid=7"},
    {&by_cookie,
     "http://a/",
     {{S("Cookie"), S("sid=7; sid")}, {S("cookie"), S("sid=8=9")}},
     "http://a/\nc:sid=7\nc:sid=8=9"},
    {&by_cookie, "http://a/", {{S("Cookie"), S("sid=")}}, "http://a/\nc:sid="},
};

static void
test_texts(void **state)
{
    struct buf scratch = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct field list[2];
        struct fields request = {list, 0, 0};
        struct target target;
        struct key key;
        struct key again;

        memcpy(list, rows[i].request, sizeof(list));
        while (request.count < 2 && list[request.count].name.ptr != NULL)
            request.count++;
        assert_null(target_parse_url(span_of(rows[i].url), &target));
        key_build(rows[i].policy, &target, &request, &scratch, &key);
        if (!span_eq(key.text, span_of(rows[i].want)))
            fail_msg("got '%.*s', want '%s'", SPAN_FMT(key.text), rows[i].want);
        assert_true(key_parse(key.text, &again));
        assert_true(hash_eq(again.hash, key.hash));
        assert_true(span_eq(again.host, key.host));
        assert_true(span_eq(again.path_query, key.path_query));
        assert_ptr_equal(again.path_query.ptr, key.path_query.ptr);
    }
    buf_fini(&scratch);
}

/* Requests that differ never share a key. */
static void
test_distinct(void **state)
{
    static const char *const urls[] = {
        "http://a/",     "https://a/",     "http://b/",     "http://a:81/",
        "http://a//",    "http://a/?",     "http://a/?x",   "http://a/%3Fx",
        "http://a/X",    "http://a/x",     "http://a./",    "https://a:80/",
        "http://ab/",    "http://a/b",     "http://a:8/1/", "http://a:81/1",
        "http://a/h:x=", "http://[::1]:8/"};
    struct hash128 hashes[ARRAY_LEN(urls)];
    struct buf scratch = {0};
    const struct fields none = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct target target;
        struct key key;

        assert_null(target_parse_url(span_of(urls[i]), &target));
        key_build(&exact, &target, &none, &scratch, &key);
        hashes[i] = key.hash;
        for (size_t k = 0; k < i; k++)
            assert_false(hash_eq(hashes[k], hashes[i]));
    }
    buf_fini(&scratch);
}

static void
test_no_host(void **state)
{
    struct buf scratch = {0};
    const struct fields none = {0};
    struct target target;
    struct key key;
    struct key again;

    (void)state;
    assert_null(target_parse(SPAN("/p"), SPAN("GET"), SPAN_NONE, SPAN("http"),
                             &target));
    key_build(&exact, &target, &none, &scratch, &key);
    assert_true(span_eq(key.text, SPAN("http:///p")));
    assert_true(key_parse(key.text, &again));
    assert_int_equal(again.host.len, 0);
    assert_null(target_parse(SPAN("*"), SPAN("OPTIONS"), SPAN("h"),
                             SPAN("http"), &target));
    key_build(&exact, &target, &none, &scratch, &key);
    assert_true(key_parse(key.text, &again));
    assert_true(span_eq(again.host, SPAN("h")));
    assert_true(span_eq(again.path_query, SPAN("*")));
    buf_fini(&scratch);
}

static void
test_many_parameters(void **state)
{
    struct buf url = {0};
    struct buf scratch = {0};
    const struct fields none = {0};
    struct target target;
    struct key key;

    (void)state;
    buf_add_text(&url, "http://a/?");
    for (int i = 999; i >= 0; i--)
        buf_printf(&url, "%s%03d", i == 999 ? "" : "&", i);
    assert_null(target_parse_url(buf_span(&url), &target));
    key_build(&sorted, &target, &none, &scratch, &key);
    assert_true(span_starts(key.path_query, SPAN("/?000&001&002&")));
    assert_int_equal(key.text.len, url.len);
    buf_fini(&url);
    buf_fini(&scratch);
}

static void
test_parse_refuses(void **state)
{
    static const char *const texts[] = {"",         "http://", "http://a",
                                        "ftp://a/", "a/b",     "http://a\n/",
                                        "HTTP://a/"};
    struct key key;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_false(key_parse(span_of(texts[i]), &key));
    assert_false(key_parse(SPAN_NONE, &key));
}

static void
test_subject(void **state)
{
    struct buf scratch = {0};
    struct key key;

    (void)state;
    assert_null(key_subject(NULL, SPAN("http://A:80/P?q"), &scratch, &key));
    assert_true(span_eq(key.host, SPAN("a")));
    assert_true(span_eq(key.path_query, SPAN("/P?q")));
    assert_null(key_subject(&nocase, SPAN("http://A:81/P?q"), &scratch, &key));
    assert_true(span_eq(key.host, SPAN("a:81")));
    assert_true(span_eq(key.path_query, SPAN("/p?q")));
    assert_null(key_subject(&by_lang, SPAN("http://a"), &scratch, &key));
    assert_true(span_eq(key.text, SPAN("http://a/")));
    assert_non_null(key_subject(NULL, SPAN("/p"), &scratch, &key));
    assert_non_null(key_subject(NULL, SPAN("http://a/\n"), &scratch, &key));
    buf_fini(&scratch);
}

static struct key
plain_key(const struct key_policy *policy, const char *url,
          const struct fields *request, struct buf *text)
{
    struct target target;
    struct key key;

    assert_null(target_parse_url(span_of(url), &target));
    key_build(policy, &target, request, text, &key);
    return key;
}

static void
test_search_keys(void **state)
{
    static const struct {
        const char *url, *variance, *want;
    } searches[] = {
        {"http://a/p?b=2&a", "o-", "http://a/p?a=&b=2\nc:sid=7\nq:o-"},
        {"http://a/p?b=2&a", "+", "http://a/p\nc:sid=7\nq:+"},
        {"http://a/p", "-a&", "http://a/p\nc:sid=7\nq:-a&"},
        {"http://a/p?", "-a&", "http://a/p\nc:sid=7\nq:-a&"},
        {"http://a:8080/p?a=1&b?", "-a&",
         "http://a:8080/p?b%3F=\nc:sid=7\nq:-a&"},
    };
    struct field cookie = {S("Cookie"), S("sid=7")};
    struct fields request = {&cookie, 1, 0};
    struct buf text = {0};
    struct buf scratch = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
        struct key plain =
            plain_key(&by_cookie, searches[i].url, &request, &text);
        struct key search;
        struct key again;

        assert_true(key_build_search(&plain, span_of(searches[i].variance),
                                     &scratch, &search));
        if (!span_eq(search.text, span_of(searches[i].want)))
            fail_msg("got '%.*s'", SPAN_FMT(search.text));
        assert_true(
            span_eq(key_variance(&search), span_of(searches[i].variance)));
        assert_null(key_variance(&plain).ptr);
        assert_true(span_eq(search.host, plain.host));
        assert_true(key_parse(search.text, &again));
        assert_true(hash_eq(again.hash, search.hash));
        assert_true(span_eq(again.path_query, search.path_query));
        assert_true(span_eq(key_variance(&again), key_variance(&search)));
    }
    buf_fini(&text);
    buf_fini(&scratch);
}

/* What is stored for one answers another, or not. */
static void
test_answers(void **state)
{
    static const struct {
        const char *stored, *variance, *asked;
        bool want;
    } pairs[] = {
        {"http://a/p?a=1", NULL, "http://a/p?a=1", true},
        {"http://a/p?a=1", NULL, "http://a/p?a=2", false},
        {"http://a/p?a=1&u=1", "-u&", "http://a/p?u=2&a=1", true},
        {"http://a/p?a=1&u=1", "-u&", "http://a/p?u=2&a=2", false},
        {"http://a/p?u=1", "-u&", "http://a/p", true},
        {"http://a/p?u=1", "-u&", "http://a/q", false},
        {"http://a/p?u=1", "-u&", "http://b/p", false},
        {"http://a/p?u=1", "-u&", "https://a/p", false},
    };
    const struct fields none = {0};
    struct buf one = {0};
    struct buf other = {0};
    struct buf scratch = {0};
    struct buf work = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct key stored = plain_key(&exact, pairs[i].stored, &none, &one);
        struct key asked = plain_key(&exact, pairs[i].asked, &none, &other);

        if (pairs[i].variance != NULL)
            assert_true(key_build_search(&stored, span_of(pairs[i].variance),
                                         &scratch, &stored));
        if (key_answers(&stored, &asked, &work) != pairs[i].want)
            fail_msg("%s for %s", pairs[i].stored, pairs[i].asked);
    }
    struct key a = plain_key(&exact, "http://a/p?x", &none, &one);
    struct key b = plain_key(&exact, "http://a/p", &none, &other);

    assert_true(hash_eq(key_path_hash(&a), key_path_hash(&b)));
    b = plain_key(&exact, "http://a/p/", &none, &other);
    assert_false(hash_eq(key_path_hash(&a), key_path_hash(&b)));
    buf_fini(&one);
    buf_fini(&other);
    buf_fini(&scratch);
    buf_fini(&work);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_search_keys),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_distinct),
        cmocka_unit_test(test_no_host),
        cmocka_unit_test(test_many_parameters),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_subject),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
