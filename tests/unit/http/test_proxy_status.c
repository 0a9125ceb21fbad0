#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/check.h"
#include "http/proxy_status.h"

static void
test_format(void **state)
{
    static const struct {
        struct proxy_status status;
        const char *want;
    } rows[] = {
        {{.node = {"atlas", 5},
          .error = PROXY_ERROR_CONNECTION_TIMEOUT,
          .details = "no answer in 5 s"},
         "atlas; error=connection_timeout; details=\"no answer in 5 s\""},
        {{.node = {"atlas", 5},
          .error = PROXY_ERROR_HTTP_PROTOCOL_ERROR,
          .received_status = 502,
          .next_hop = {"10.0.0.1:80", 11}},
         "atlas; error=http_protocol_error; received-status=502; "
         "next-hop=\"10.0.0.1:80\""},
        {{.node = {"a b", 3}, .next_hop = {"origin", 6}},
         "\"a b\"; next-hop=origin"},
        {{.node = {"a", 1}, .details = "\"x\"\r\n\xc3"},
         "a; details=\"\\\"x\\\"???\""},
    };
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        proxy_status_format(&rows[i].status, &out);
        assert_string_equal(out.data, rows[i].want);
    }
    buf_fini(&out);
}

/* Each error has a name, its own, and a status that says failure. */
static void
test_table(void **state)
{
    (void)state;
    for (int i = 1; i < PROXY_ERROR_COUNT; i++) {
        const char *name = proxy_error_name((enum proxy_error)i);
        int status = proxy_error_status((enum proxy_error)i);

        assert_true(strlen(name) > 3);
        assert_in_range(status, 400, 599);
        for (int k = 1; k < i; k++)
            assert_string_not_equal(proxy_error_name((enum proxy_error)k),
                                    name);
    }
    assert_int_equal(proxy_error_status(PROXY_ERROR_CONNECTION_TIMEOUT), 504);
    assert_int_equal(proxy_error_status(PROXY_ERROR_CONNECTION_REFUSED), 502);
}

static void
test_append(void **state)
{
    struct field list[] = {
        {SPAN("Proxy-Status"), SPAN("o; details=\"a, b\", p")},
        {SPAN("proxy-status"), SPAN("\"never closed")}};
    struct fields response = {list, 2, 0};
    const struct proxy_status ours = {.node = SPAN("e"),
                                      .received_status = 503};
    struct buf out = {0};

    (void)state;
    proxy_status_append(&response, &ours, &out);
    assert_string_equal(out.data,
                        "o; details=\"a, b\", p, e; received-status=503");
    response.count = 0;
    buf_clear(&out);
    proxy_status_append(&response, &ours, &out);
    assert_string_equal(out.data, "e; received-status=503");
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
