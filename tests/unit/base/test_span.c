#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>

#include <cmocka.h>

#include "base/address.h"
#include "base/check.h"

static void
test_sub(void **state)
{
    static const struct {
        const char *what;
        struct span s;
        size_t from, to;
        struct span want;
    } rows[] = {
        {"all", {"hello", 5}, 0, 5, {"hello", 5}},
        {"middle", {"hello", 5}, 1, 3, {"el", 2}},
        {"the end is cut", {"hello", 5}, 3, 99, {"lo", 2}},
        {"from beyond the end", {"hello", 5}, 99, 100, {"", 0}},
        {"from after to", {"hello", 5}, 4, 2, {"", 0}},
        {"nothing of nothing", {NULL, 0}, 0, 0, {"", 0}},
        {"something of nothing", {NULL, 0}, 3, 7, {"", 0}},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span got = span_sub(rows[i].s, rows[i].from, rows[i].to);

        if (!span_eq(got, rows[i].want))
            fail_msg("%s: got \"%.*s\"", rows[i].what, SPAN_FMT(got));
    }
    assert_null(span_sub(SPAN_NONE, 0, 1).ptr);
}

static void
test_compare(void **state)
{
    static const struct {
        struct span a, b;
        bool eq, nocase, starts;
        int cmp;
    } rows[] = {
        {{"", 0}, {NULL, 0}, true, true, true, 0},
        {{"a", 1}, {"", 0}, false, false, true, 1},
        {{"", 0}, {"a", 1}, false, false, false, -1},
        {{"Ab", 2}, {"aB", 2}, false, true, false, -1},
        {{"abc", 3}, {"ab", 2}, false, false, true, 1},
        {{"ab", 2}, {"abc", 3}, false, false, false, -1},
        {{"b", 1}, {"abc", 3}, false, false, false, 1},
        {{"\0x", 2}, {"\0y", 2}, false, false, false, -1},
        {{"\xc4", 1}, {"\xe4", 1}, false, false, false, -1},
        {{"[", 1}, {"{", 1}, false, false, false, -1},
        {{"\xff", 1}, {"\x01", 1}, false, false, false, 1},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int cmp = span_cmp(rows[i].a, rows[i].b);

        if (span_eq(rows[i].a, rows[i].b) != rows[i].eq ||
            span_eq_nocase(rows[i].a, rows[i].b) != rows[i].nocase ||
            span_starts(rows[i].a, rows[i].b) != rows[i].starts ||
            (cmp > 0) - (cmp < 0) != rows[i].cmp)
            fail_msg("row %zu", i);
    }
}

static void
test_trim_and_find(void **state)
{
    (void)state;
    assert_true(span_eq(span_trim(SPAN(" \t a b\t ")), SPAN("a b")));
    assert_true(span_eq(span_trim(SPAN("\r\n")), SPAN("\r\n")));
    assert_int_equal(span_trim(SPAN(" \t ")).len, 0);
    assert_int_equal(span_trim(SPAN_NONE).len, 0);
    assert_int_equal(span_find(SPAN("abca"), 'a', 0), 0);
    assert_int_equal(span_find(SPAN("abca"), 'a', 1), 3);
    assert_int_equal(span_find(SPAN("abca"), 'x', 0), 4);
    assert_int_equal(span_find(SPAN("abca"), 'a', 9), 4);
    assert_int_equal(span_find(SPAN_NONE, 'a', 0), 0);
    assert_int_equal(span_of(NULL).len, 0);
    assert_int_equal(span_of("abc").len, 3);
}

static void
test_split(void **state)
{
    static const struct {
        const char *text;
        const char *parts[4];
    } rows[] = {
        {"a,,b", {"a", "", "b"}}, {"", {""}}, {",", {"", ""}}, {"a", {"a"}},
        {"a,b,", {"a", "b", ""}},
    };
    struct span none = SPAN_NONE;
    struct span part;
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span s = span_of(rows[i].text);
        size_t n = 0;

        while (span_split(&s, ',', &part)) {
            assert_true(n < 4 && rows[i].parts[n] != NULL);
            assert_true(span_eq(part, span_of(rows[i].parts[n])));
            n++;
        }
        assert_true(n == 4 || rows[i].parts[n] == NULL);
    }
    assert_false(span_split(&none, ',', &part));
}

static void
test_u64(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t want;
    } rows[] = {
        {"0", 10, true, 0},
        {"007", 10, true, 7},
        {"11", 10, true, 10},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", 5, true, 5},
        {"99999999999999999999999999999", UINT64_MAX, true, UINT64_MAX},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"0x1", 10, false, 0},
        {"1.0", 10, false, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 0;
        bool good = span_u64(span_of(rows[i].text), rows[i].max, &value);

        if (good != rows[i].good || value != rows[i].want)
            fail_msg("\"%s\": %d, %llu", rows[i].text, good,
                     (unsigned long long)value);
    }
}

static void
test_put(void **state)
{
    char text[8];

    (void)state;
    size_t at = span_put(text, sizeof(text), 0, SPAN("abc"));

    assert_int_equal(at, 3);
    assert_int_equal(span_put(text, sizeof(text), at, SPAN_NONE), 3);
    at = span_put(text, sizeof(text), at, SPAN("defghi"));
    assert_int_equal(at, 7);
    assert_string_equal(text, "abcdefg");
    assert_int_equal(span_put(text, sizeof(text), at, SPAN("h")), 7);
    assert_string_equal(text, "abcdefg");
}

/* As inet_ntop writes it. */
static void
test_address(void **state)
{
    static const char *const rows[] = {"0.0.0.0", "127.0.0.1", "10.20.30.4",
                                       "255.255.255.255", "100.99.9.200"};
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        inet_pton(AF_INET, rows[i], &in.sin_addr);
        assert_int_equal(address_text((struct sockaddr *)&in, text),
                         strlen(rows[i]));
        assert_string_equal(text, rows[i]);
    }
    inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
    assert_int_equal(address_text((struct sockaddr *)&in6, text), 11);
    assert_string_equal(text, "2001:db8::1");
    assert_int_equal(address_text(&other, text), 0);
    assert_int_equal(address_text(NULL, text), 0);
    assert_string_equal(text, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sub),           cmocka_unit_test(test_compare),
        cmocka_unit_test(test_trim_and_find), cmocka_unit_test(test_split),
        cmocka_unit_test(test_u64),           cmocka_unit_test(test_put),
        cmocka_unit_test(test_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
