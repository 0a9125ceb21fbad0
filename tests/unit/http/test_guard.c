#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/check.h"
#include "http/guard.h"

#define S(literal)                                                             \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define LONG_256                                                               \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct row {
    struct span method;
    bool http11;
    struct field list[4];
    const char *want; /* part of the reason; NULL: good */
    enum guard_body body;
    int64_t body_len;
};

#define HOST                                                                   \
    {                                                                          \
        S("Host"), S("a")                                                      \
    }
#define CL(v)                                                                  \
    {                                                                          \
        S("content-length"), S(v)                                              \
    }
#define TE(v)                                                                  \
    {                                                                          \
        S("Transfer-Encoding"), S(v)                                           \
    }

static const struct row rows[] = {
    {S("GET"), true, {HOST}, NULL, GUARD_BODY_NONE, 0},
    {S("get"), true, {HOST}, NULL, GUARD_BODY_NONE, 0},
    {S("M-SEARCH"), true, {HOST, CL("5")}, NULL, GUARD_BODY_LENGTH, 5},
    {S("POST"), true, {HOST, CL("0")}, NULL, GUARD_BODY_LENGTH, 0},
    {S("POST"), true, {HOST, CL("005")}, NULL, GUARD_BODY_LENGTH, 5},
    {S("POST"), true, {HOST, TE("chunked")}, NULL, GUARD_BODY_CHUNKED, 0},
    {S("POST"), true, {HOST, TE("Chunked")}, NULL, GUARD_BODY_CHUNKED, 0},
    {S("GET"), false, {{{NULL, 0}, {NULL, 0}}}, NULL, GUARD_BODY_NONE, 0},
    {S("GET"), false, {HOST}, NULL, GUARD_BODY_NONE, 0},
    {S("GET"), true, {HOST, {S(LONG_256), S("")}}, NULL, GUARD_BODY_NONE, 0},
    {S("GET"), true, {HOST, {S("X"), S("\t\x80\xff")}}, NULL, 0, 0},
    {S("POST"),
     true,
     {HOST, CL("9223372036854775807")},
     NULL,
     GUARD_BODY_LENGTH,
     INT64_MAX},

    {S(""), true, {HOST}, "method", 0, 0},
    {S("G T"), true, {HOST}, "method", 0, 0},
    {S("GET\x80"), true, {HOST}, "method", 0, 0},
    {S("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), true, {HOST}, NULL, 0, 0},
    {S("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), true, {HOST}, "method", 0, 0},
    {S("CONNECT"), true, {HOST}, "CONNECT", 0, 0},
    {S("GET"), true, {{S("X"), S("a")}}, "no Host", 0, 0},
    {S("GET"), true, {HOST, {S("HOST"), S("a")}}, "than one Host", 0, 0},
    {S("GET"), false, {HOST, HOST}, "than one Host", 0, 0},
    {S("GET"), true, {HOST, {S("X Y"), S("a")}}, "field name", 0, 0},
    {S("GET"),
     true,
     {HOST, {S("Content-Length "), S("5")}},
     "field name",
     0,
     0},
    {S("GET"), true, {HOST, {S("X\x80"), S("a")}}, "field name", 0, 0},
    {S("GET"), true, {HOST, {S("X:"), S("a")}}, "field name", 0, 0},
    {S("GET"), true, {HOST, {S(LONG_256 "a"), S("a")}}, "256", 0, 0},
    {S("GET"), true, {HOST, {S("X"), S("a\0b")}}, "control", 0, 0},
    {S("GET"), true, {HOST, {S("X"), S("a\rb")}}, "control", 0, 0},
    {S("GET"), true, {HOST, {S("X"), S("a\nb")}}, "control", 0, 0},
    {S("GET"), true, {HOST, {S("X"), S("\x7f")}}, "control", 0, 0},
    {S("POST"), true, {HOST, CL("5"), CL("5")}, "than one Content-L", 0, 0},
    {S("POST"), true, {HOST, CL("5, 5")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("+5")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("-5")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("0x5")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("5a")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("9223372036854775808")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("99999999999999999999999")}, "no number", 0, 0},
    {S("POST"), true, {HOST, CL("5"), TE("chunked")}, "both", 0, 0},
    {S("POST"),
     true,
     {HOST, TE("chunked"), TE("chunked")},
     "than one Tr",
     0,
     0},
    {S("POST"), true, {HOST, TE("xchunked")}, "exactly", 0, 0},
    {S("POST"), true, {HOST, TE("chunked, identity")}, "exactly", 0, 0},
    {S("POST"), true, {HOST, TE("gzip, chunked")}, "exactly", 0, 0},
    {S("POST"), true, {HOST, TE("\"chunked\"")}, "exactly", 0, 0},
    {S("POST"), true, {HOST, TE("chunked;q=1")}, "exactly", 0, 0},
    {S("POST"), true, {HOST, TE("")}, "exactly", 0, 0},
    {S("POST"), false, {HOST, TE("chunked")}, "HTTP/1.0", 0, 0},
};

static void
test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct field list[4];
        struct fields fields = {list, 0, 0};
        struct guard_result got;

        memcpy(list, rows[i].list, sizeof(list));
        while (fields.count < 4 && list[fields.count].name.ptr != NULL)
            fields.count++;
        const char *why =
            guard_request(rows[i].method, rows[i].http11, &fields, &got);

        if (rows[i].want != NULL) {
            if (why == NULL || strstr(why, rows[i].want) == NULL)
                fail_msg("row %zu: got '%s', want '%s'", i, why ? why : "good",
                         rows[i].want);
            continue;
        }
        if (why != NULL)
            fail_msg("row %zu: refused: %s", i, why);
        assert_int_equal(got.body, rows[i].body);
        assert_int_equal(got.body_len, rows[i].body_len);
        assert_int_equal(got.host.len, fields.count > 0 ? 1 : 0);
    }
}

static void
test_hosts(void **state)
{
    struct field list[] = {{S("Host"), S("")}};
    struct fields fields = {list, 1, 0};
    struct guard_result got;

    (void)state;
    assert_null(guard_request(SPAN("GET"), true, &fields, &got));
    assert_non_null(got.host.ptr); /* there, and empty: not for us to judge */
    list[0].value = SPAN_NONE;
    assert_null(guard_request(SPAN("GET"), true, &fields, &got));
    assert_non_null(got.host.ptr);
    fields.count = 0;
    assert_null(guard_request(SPAN("GET"), false, &fields, &got));
    assert_null(got.host.ptr);
}

static void
test_responses(void **state)
{
    struct field list[] = {CL("3"), {S("X"), S("")}, TE("chunked")};
    struct fields fields = {list, 2, 0};
    int64_t length;

    (void)state;
    assert_null(guard_response(&fields, &length));
    assert_int_equal(length, 3);
    fields.count = 3;
    assert_non_null(guard_response(&fields, &length));
    fields.list++;
    fields.count = 2;
    assert_null(guard_response(&fields, &length));
    assert_int_equal(length, -1);
    list[1].name = SPAN("X Y");
    assert_non_null(guard_response(&fields, &length));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_responses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
