#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/error.h"

static void
test_wants(void **state)
{
    static const struct {
        const char *accept;
        bool want;
    } rows[] = {
        {"application/problem+json", true},
        {"Application/Problem+JSON; charset=x", true},
        {"application/json, text/plain, */*", true},
        {"application/problem+json, */*;q=0.1", true},
        {"application/json;q=0.5, text/html;q=0.5", true},
        {"text/html, application/json;q=0.9", false},
        {"application/json;q=0", false},
        {"application/json;q=0.000", false},
        {"application/json;q=0.001", true},
        {"application/json;q=1.000", true},
        {"application/json;q=1.001", false},
        {"application/json;q=2", false},
        {"application/json;q=0.5555", false},
        {"application/json;q=x", false},
        {"application/json;q=", false},
        {"application/json;Q=0.4, */*;q=0.6", false},
        {"*/*", false},
        {"application/*", false},
        {"text/html", false},
        {"", false},
        {",;,;;", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct field list[] = {{SPAN("accept"), span_of(rows[i].accept)}};
        struct fields request = {list, 1, 0};

        if (error_wants_problem(&request) != rows[i].want)
            fail_msg("'%s': want %d", rows[i].accept, rows[i].want);
    }
    assert_false(error_wants_problem(&(struct fields){0}));
}

static void
test_bodies(void **state)
{
    static const struct {
        struct error_page page;
        bool problem;
        const char *want;
    } rows[] = {
        {{502, NULL, {NULL, 0}}, false, "502 Bad Gateway\n"},
        {{502, "the origin sent \"x\"", {"id-1", 4}},
         false,
         "502 Bad Gateway: the origin sent \"x\" (request id-1)\n"},
        {{504, NULL, {NULL, 0}},
         true,
         "{\"type\":\"about:blank\",\"status\":504,"
         "\"title\":\"Gateway Timeout\"}\n"},
        {{400, "a \"b\"\n", {"i\x80", 2}},
         true,
         "{\"type\":\"about:blank\",\"status\":400,"
         "\"title\":\"Bad Request\",\"detail\":\"a \\\"b\\\"\\u000a\","
         "\"instance\":\"i\\u0080\"}\n"},
    };
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        error_body(&rows[i].page, rows[i].problem, &out);
        assert_string_equal(out.data, rows[i].want);
    }
    buf_fini(&out);
    assert_true(
        span_eq(error_content_type(true), SPAN("application/problem+json")));
    assert_true(span_starts(error_content_type(false), SPAN("text/plain")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wants),
        cmocka_unit_test(test_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
