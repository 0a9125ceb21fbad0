#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/method.h"

static void
test_safe(void **state)
{
    static const struct {
        const char *method;
        bool safe;
    } rows[] = {
        {"GET", true},        {"HEAD", true},      {"OPTIONS", true},
        {"TRACE", true},      {"PROPFIND", true},  {"REPORT", true},
        {"SEARCH", true},     {"QUERY", true},     {"POST", false},
        {"PUT", false},       {"PATCH", false},    {"DELETE", false},
        {"MKCOL", false},     {"MOVE", false},     {"COPY", false},
        {"LOCK", false},      {"M-SEARCH", false}, {"PURGE", false},
        {"get", false},       {"Get", false},      {"GE", false},
        {"GETX", false},      {"", false},         {"UNKNOWN", false},
        {"PROPPATCH", false}, {"CONNECT", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (method_safe(span_of(rows[i].method)) != rows[i].safe)
            fail_msg("%s", rows[i].method);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
