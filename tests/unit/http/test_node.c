#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/node.h"

static void
test_valid(void **state)
{
    static const struct {
        const char *node;
        bool want;
    } rows[] = {
        {"192.0.2.1", true},
        {"192.0.2.1:80", true},
        {"192.0.2.1:_a", true},
        {"2001:db8::1", true},
        {"::", true},
        {"[2001:db8::1]", true},
        {"[2001:db8::1]:65535", true},
        {"::ffff:192.0.2.1", true},
        {"unknown", true},
        {"Unknown:80", true},
        {"_a-1.b_C", true},
        {"_a:80", true},
        {"", false},
        {"_", false},
        {"_a b", false},
        {"_<b>", false},
        {"evil.example", false},
        {"192.0.2.256", false},
        {"192.0.2", false},
        {"192.0.2.1:", false},
        {"192.0.2.1:65536", false},
        {"192.0.2.1:x", false},
        {"192.0.2.1 ", false},
        {"192.0.2.1/24", false},
        {"[2001:db8::1", false},
        {"[2001:db8::1]x", false},
        {"[192.0.2.1]", false},
        {"[]", false},
        {"fe80::1%eth0", false},
        {"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", false},
        {"\"192.0.2.1\"", false},
        {"<script>", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (node_valid(span_of(rows[i].node)) != rows[i].want)
            fail_msg("%s", rows[i].node);
    }
    assert_false(node_valid((struct span){"::\0", 3}));
    assert_false(node_valid(SPAN_NONE));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
