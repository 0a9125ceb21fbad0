#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fields_text.h"
#include "http/max_forwards.h"

static void
test_of(void **state)
{
    static const struct {
        const char *method, *fields;
        enum max_forwards want;
        uint64_t left;
    } rows[] = {
        {"GET", "Max-Forwards: 0\n", MAX_FORWARDS_NONE, 0},
        {"POST", "Max-Forwards: x\n", MAX_FORWARDS_NONE, 0},
        {"trace", "Max-Forwards: 0\n", MAX_FORWARDS_NONE, 0},
        {"TRACE", "", MAX_FORWARDS_NONE, 0},
        {"TRACE", "Max-Forwards: 0\n", MAX_FORWARDS_HERE, 0},
        {"OPTIONS", "max-forwards: 000\n", MAX_FORWARDS_HERE, 0},
        {"OPTIONS", "Max-Forwards: 1\n", MAX_FORWARDS_LEFT, 0},
        {"TRACE", "Max-Forwards: 10\n", MAX_FORWARDS_LEFT, 9},
        {"TRACE", "Max-Forwards: 256\n", MAX_FORWARDS_LEFT, 255},
        {"TRACE", "Max-Forwards: 257\n", MAX_FORWARDS_LEFT, 255},
        {"TRACE", "Max-Forwards: 99999999999999999999999\n", MAX_FORWARDS_LEFT,
         255},
        {"TRACE", "Max-Forwards: -1\n", MAX_FORWARDS_BAD, 0},
        {"TRACE", "Max-Forwards: 1, 2\n", MAX_FORWARDS_BAD, 0},
        {"TRACE", "Max-Forwards:\n", MAX_FORWARDS_BAD, 0},
        {"TRACE", "Max-Forwards: 1.0\n", MAX_FORWARDS_BAD, 0},
        {"TRACE", "Max-Forwards: 1\nMax-Forwards: 1\n", MAX_FORWARDS_BAD, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fields fields = fields_of_text(rows[i].fields);
        uint64_t left = 0;
        enum max_forwards got =
            max_forwards_of(span_of(rows[i].method), &fields, &left);

        if (got != rows[i].want || left != rows[i].left)
            fail_msg("%s %s: got %d, %llu left", rows[i].method, rows[i].fields,
                     (int)got, (unsigned long long)left);
        fields_fini(&fields);
    }
}

static void
test_reflect(void **state)
{
    struct buf out = {0};
    struct fields fields =
        fields_of_text("Host: a\nCookie: secret\nX: 1\nx: 2\n"
                       "authorization: secret\nProxy-Authorization: secret\n"
                       "Atlas-Peer: secret\nEmpty:\n");

    (void)state;
    max_forwards_reflect(SPAN("TRACE"), SPAN("/p?q"), 1, &fields, &out);
    assert_string_equal(out.data, "TRACE /p?q HTTP/1.1\r\nHost: a\r\nX: 1\r\n"
                                  "x: 2\r\nEmpty: \r\n\r\n");
    buf_fini(&out);
    fields_fini(&fields);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of),
        cmocka_unit_test(test_reflect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
