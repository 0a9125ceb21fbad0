#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/status.h"

static void
test_reasons(void **state)
{
    static const struct {
        int status;
        const char *want;
    } rows[] = {
        {100, "Continue"},     {200, "OK"},           {299, "Success"},
        {404, "Not Found"},    {499, "Client Error"}, {508, "Loop Detected"},
        {599, "Server Error"}, {600, "Unknown"},      {99, "Unknown"},
        {-5, "Unknown"},       {0, "Unknown"},        {399, "Redirection"},
        {199, "Informational"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(status_reason(rows[i].status), rows[i].want);
}

static void
test_classes(void **state)
{
    static const struct {
        int status;
        bool valid, body, heuristic, understood;
    } rows[] = {
        {100, true, false, false, false}, {200, true, true, true, true},
        {201, true, true, false, false},  {202, true, true, false, false},
        {203, true, true, true, true},    {204, true, false, true, true},
        {206, true, true, false, false},  {301, true, true, true, true},
        {302, true, true, false, true},   {304, true, false, false, false},
        {403, true, true, false, true},   {404, true, true, true, true},
        {405, true, true, true, true},    {410, true, true, true, true},
        {414, true, true, true, true},    {501, true, true, true, true},
        {502, true, true, false, true},   {599, true, true, false, false},
        {600, false, true, false, false}, {99, false, false, false, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int status = rows[i].status;

        assert_int_equal(status_valid(status), rows[i].valid);
        assert_int_equal(status_has_body(status), rows[i].body);
        assert_int_equal(status_heuristically_cacheable(status),
                         rows[i].heuristic);
        assert_int_equal(status_understood(status), rows[i].understood);
    }
}

static void
test_about_request(void **state)
{
    static const int resource[] = {200, 302, 404, 405, 410, 414, 451,
                                   500, 501, 502, 503, 504, 599};
    static const int request[] = {400, 401, 403, 407, 408, 412, 413, 416,
                                  421, 425, 426, 428, 429, 431, 499};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(resource); i++)
        assert_false(status_about_request(resource[i]));
    for (size_t i = 0; i < ARRAY_LEN(request); i++)
        assert_true(status_about_request(request[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_about_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
