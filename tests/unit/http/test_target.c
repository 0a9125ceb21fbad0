#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/target.h"

static void
assert_span(struct span got, const char *want, const char *what)
{
    if (got.len != strlen(want) || memcmp(got.ptr, want, got.len) != 0)
        fail_msg("%s: got '%.*s', want '%s'", what, SPAN_FMT(got), want);
}

static void
test_good(void **state)
{
    static const struct {
        const char *raw, *method, *host_field;
        const char *scheme, *host;
        uint16_t port;
        const char *path, *query, *path_query;
    } rows[] = {
        {"/", "GET", "a.example", "http", "a.example", 80, "/", NULL, "/"},
        {"/p?q", "GET", "A:8080", "http", "A", 8080, "/p", "q", "/p?q"},
        {"/p?", "GET", "a", "http", "a", 80, "/p", "", "/p?"},
        {"/p?a?b", "GET", "a:", "http", "a", 80, "/p", "a?b", "/p?a?b"},
        {"//x/..;y/%00", "GET", "a", "http", "a", 80, "//x/..;y/%00", NULL,
         "//x/..;y/%00"},
        {"/", "GET", "[::1]:81", "http", "[::1]", 81, "/", NULL, "/"},
        {"/", "GET", "[::ffff:1.2.3.4]", "http", "[::ffff:1.2.3.4]", 80, "/",
         NULL, "/"},
        {"/", "GET", NULL, "http", "", 80, "/", NULL, "/"},
        {"/", "GET", "a%2dB_~.", "https", "a%2dB_~.", 443, "/", NULL, "/"},
        {"http://b/p?q", "GET", "a", "http", "b", 80, "/p", "q", "/p?q"},
        {"HTTP://b:8/p", "GET", "a:1", "http", "b", 8, "/p", NULL, "/p"},
        {"https://b", "GET", "a", "https", "b", 443, "/", NULL, "/"},
        {"http://b", "OPTIONS", "a", "http", "b", 80, "*", NULL, "*"},
        {"http://b/", "OPTIONS", "a", "http", "b", 80, "/", NULL, "/"},
        {"*", "OPTIONS", "a", "http", "a", 80, "*", NULL, "*"},
        {"/", "GET", "a:65535", "http", "a", 65535, "/", NULL, "/"},
        {"/", "GET", "a:00080", "http", "a", 80, "/", NULL, "/"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct target t;
        struct span host = span_of(rows[i].host_field);
        const char *why =
            target_parse(span_of(rows[i].raw), span_of(rows[i].method), host,
                         span_of(rows[i].scheme), &t);

        if (why != NULL)
            fail_msg("%s: refused: %s", rows[i].raw, why);
        assert_span(t.scheme, rows[i].scheme, rows[i].raw);
        assert_span(t.host, rows[i].host, rows[i].raw);
        assert_int_equal(t.port, rows[i].port);
        assert_span(t.path, rows[i].path, rows[i].raw);
        assert_span(t.path_query, rows[i].path_query, rows[i].raw);
        if (rows[i].query == NULL)
            assert_null(t.query.ptr);
        else
            assert_span(t.query, rows[i].query, rows[i].raw);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *raw, *method, *host_field;
        const char *want; /* a part of the reason */
    } rows[] = {
        {"", "GET", "a", "empty"},
        {"p", "GET", "a", "neither"},
        {"a:80", "GET", "a", "neither"},
        {"*", "GET", "a", "OPTIONS only"},
        {"*x", "OPTIONS", "a", "OPTIONS only"},
        {"ftp://a/", "GET", "a", "neither"},
        {"http:/a/", "GET", "a", "neither"},
        {"http//a/", "GET", "a", "neither"},
        {"http://", "GET", "a", "empty"},
        {"http:///p", "GET", "a", "empty"},
        {"http://a?q", "GET", "a", "no path"},
        {"http://u@a/", "GET", "a", "user"},
        {"http://u:p@a:80/", "GET", "a", "user"},
        {"https://a/", "GET", "a", "scheme"},
        {"http://a/", "GET", "a b", "host name"},
        {"/a b", "GET", "a", "percent"},
        {"/a\tb", "GET", "a", "percent"},
        {"/a\rb", "GET", "a", "percent"},
        {"/a\nb", "GET", "a", "percent"},
        {"/a#b", "GET", "a", "percent"},
        {"/a\x7f", "GET", "a", "percent"},
        {"/a\x80", "GET", "a", "percent"},
        {"/abcdefghij\xff", "GET", "a", "percent"},
        {"/", "GET", "", "empty"},
        {"/", "GET", ":80", "host name"},
        {"/", "GET", "a/b", "host name"},
        {"/", "GET", "a?b", "host name"},
        {"/", "GET", "a@b", "host name"},
        {"/", "GET", "a,b", "host name"},
        {"/", "GET", "a*", "host name"},
        {"/", "GET", "a\x80", "host name"},
        {"/", "GET", "a%", "host name"},
        {"/", "GET", "a%2", "host name"},
        {"/", "GET", "a%2x", "host name"},
        {"/", "GET", "a:80:81", "port"},
        {"/", "GET", "a:0", "port"},
        {"/", "GET", "a:65536", "port"},
        {"/", "GET", "a:99999999999999999999", "port"},
        {"/", "GET", "a:+80", "port"},
        {"/", "GET", "a:8x", "port"},
        {"/", "GET", "[::1", "IPv6"},
        {"/", "GET", "[]", "IPv6"},
        {"/", "GET", "[::1]x", "port"},
        {"/", "GET", "[1.2.3.4]", "IPv6"},
        {"/", "GET", "[::1%25eth0]", "IPv6"},
        {"/", "GET", "[v1.x]", "IPv6"},
        {"/", "GET", "::1", "host name"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct target t;
        const char *why =
            target_parse(span_of(rows[i].raw), span_of(rows[i].method),
                         span_of(rows[i].host_field), SPAN("http"), &t);

        if (why == NULL || strstr(why, rows[i].want) == NULL)
            fail_msg("'%s' at '%s': got '%s', want '%s'", rows[i].raw,
                     rows[i].host_field, why ? why : "good", rows[i].want);
    }
}

/* Every byte at every place of a word. */
static void
test_bytes(void **state)
{
    struct target t;

    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 1; at < 19; at++) {
            char raw[19] = "/aaaaaaaaaaaaaaaaaa";

            raw[at] = (char)c;
            const char *why = target_parse((struct span){raw, 19}, SPAN("GET"),
                                           SPAN("a"), SPAN("http"), &t);

            assert_int_equal(why == NULL, c > 0x20 && c < 0x7f && c != '#');
        }
    }
}

static void
test_lengths(void **state)
{
    char *raw = mem_alloc(TARGET_MAX_LEN + 1);
    char *host = mem_alloc(TARGET_HOST_MAX_LEN + 1);
    struct target t;
    struct span full = {raw, TARGET_MAX_LEN};
    struct span long_host = {host, TARGET_HOST_MAX_LEN};

    (void)state;
    memset(raw, '/', TARGET_MAX_LEN + 1);
    memset(host, 'h', TARGET_HOST_MAX_LEN + 1);
    assert_null(target_parse(full, SPAN("GET"), long_host, SPAN("http"), &t));
    full.len++;
    assert_non_null(
        target_parse(full, SPAN("GET"), long_host, SPAN("http"), &t));
    full.len = 1;
    long_host.len++;
    assert_non_null(
        target_parse(full, SPAN("GET"), long_host, SPAN("http"), &t));
    free(raw);
    free(host);
}

static void
test_url(void **state)
{
    struct target t;

    (void)state;
    assert_null(target_parse_url(SPAN("https://a.example:444/x?y"), &t));
    assert_span(t.scheme, "https", "url");
    assert_int_equal(t.port, 444);
    assert_span(t.path_query, "/x?y", "url");
    assert_null(target_parse_url(SPAN("http://a"), &t));
    assert_span(t.path, "/", "url");
    assert_non_null(target_parse_url(SPAN("/x"), &t));
    assert_non_null(target_parse_url(SPAN("http://a/\n"), &t));
    assert_non_null(target_parse_url(SPAN_NONE, &t));
}

static const struct {
    const char *reference, *want; /* NULL: none */
} resolve_rows[] = {
    /* 5.4.1 */
    {"g:h", NULL},
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g/"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q"},
    {"g#s", "http://a/b/c/g"},
    {"g?y#s", "http://a/b/c/g?y"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"g;x?y#s", "http://a/b/c/g;x?y"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
    /* 5.4.2 */
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"g#s/./x", "http://a/b/c/g"},
    {"g#s/../x", "http://a/b/c/g"},
    {"http:g", NULL},
    /* whole URLs, hosts, ports */
    {"http://h", "http://h/"},
    {"http://h?x", "http://h/?x"},
    {"HTTP://h:81/x/../y?z#f", "HTTP://h:81/y?z"},
    {"https://h/", "https://h/"},
    {"//h:81/x", "http://h:81/x"},
    {"/", "http://a/"},
    {"/?", "http://a/?"},
    {"?", "http://a/b/c/d;p?"},
    {"//", NULL},
    {"///x", NULL},
    {"http:///x", NULL},
    {"ftp://h/x", NULL},
    {"mailto:x", NULL},
    {":x", NULL},
    {"http://u@h/", NULL},
    {"http://h:x/", NULL},
    /* bytes that no URL has */
    {"g h", NULL},
    {"/\xc3\xa9", NULL},
    {"/a\tb", NULL},
    /* empty segments stay */
    {"/x//..//y", "http://a/x//y"},
    {"//h//x", "http://h//x"},
};

/* The examples of RFC 3986 section 5.4, and what goes beyond them. */
static void
test_resolve(void **state)
{
    struct target base;
    struct buf out = {0};

    (void)state;
    assert_null(target_parse_url(SPAN("http://a/b/c/d;p?q"), &base));
    for (size_t i = 0; i < ARRAY_LEN(resolve_rows); i++) {
        struct span reference = span_of(resolve_rows[i].reference);
        bool good;

        buf_clear(&out);
        good = target_resolve(&base, reference, &out);
        if (good != (resolve_rows[i].want != NULL))
            fail_msg("'%s': got '%.*s'", resolve_rows[i].reference,
                     (int)out.len, good ? out.data : "");
        assert_span(buf_span(&out), good ? resolve_rows[i].want : "",
                    resolve_rows[i].reference);
    }
    buf_fini(&out);
}

static void
test_resolve_bases(void **state)
{
    static const struct {
        const char *base, *reference, *want;
    } rows[] = {
        {"http://a:8080/x", "y", "http://a:8080/y"},
        {"https://a/x", "/y", "https://a/y"},
        {"https://a/x", "//b/y", "https://b/y"},
        {"http://[::1]:81/x/", "y", "http://[::1]:81/x/y"},
        {"http://a/x/../y", "z", "http://a/z"},
        {"http://a/x/../y", "?z", "http://a/x/../y?z"},
        {"http://a/x?q", "", "http://a/x?q"},
        {"http://a", "y", "http://a/y"},
    };
    struct target base;
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        assert_null(target_parse_url(span_of(rows[i].base), &base));
        assert_true(target_resolve(&base, span_of(rows[i].reference), &out));
        assert_span(buf_span(&out), rows[i].want, rows[i].base);
    }
    /* Nothing is relative to "*", and what was there stays. */
    assert_null(target_parse(SPAN("*"), SPAN("OPTIONS"), SPAN("a"),
                             SPAN("http"), &base));
    buf_clear(&out);
    buf_add_text(&out, "before ");
    assert_false(target_resolve(&base, SPAN("?x"), &out));
    assert_true(target_resolve(&base, SPAN("x"), &out));
    assert_span(buf_span(&out), "before http://a/x", "behind");
    /* Not NUL-terminated, and with a NUL. */
    buf_clear(&out);
    assert_true(target_resolve(&base, (struct span){"/xy", 2}, &out));
    assert_span(buf_span(&out), "http://a/x", "cut");
    assert_false(target_resolve(&base, (struct span){"/x\0y", 4}, &out));
    /* A request without a Host. */
    assert_null(
        target_parse(SPAN("/x"), SPAN("GET"), SPAN_NONE, SPAN("http"), &base));
    assert_false(target_resolve(&base, SPAN("y"), &out));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bytes),         cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_url),           cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_resolve_bases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
