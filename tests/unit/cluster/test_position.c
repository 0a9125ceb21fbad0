#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "cluster/position.h"

static void
parses(void **state)
{
    static const struct {
        const char *text;
        bool good;
        const char *again; /* NULL: as `text` */
    } table[] = {
        {"", true, NULL},
        {"paris=ab/cd/7", true, NULL},
        {"paris=ab/cd/7;tokyo=1/2/0", true, NULL},
        {"p=00ab/0cd/007", true, "p=ab/cd/7"},
        {"p=ffffffffffffffff/0/18446744073709551614", true, NULL},
        {"p=ab/cd/18446744073709551615", false, NULL},
        {"p=ab/cd/99999999999999999999", false, NULL},
        {"p=10000000000000000/0/1", false, NULL},
        {"p=AB/cd/1", false, NULL},
        {"p=ab/cd", false, NULL},
        {"p=ab/cd/", false, NULL},
        {"p=ab/cd/1/2", false, NULL},
        {"p=/cd/1", false, NULL},
        {"p=ab//1", false, NULL},
        {"=ab/cd/1", false, NULL},
        {"p", false, NULL},
        {";", false, NULL},
        {"p=1/2/3;", false, NULL},
        {";p=1/2/3", false, NULL},
        {"p=1/2/3;p=1/2/3", false, NULL},
        {"p =1/2/3", false, NULL},
        {"p=1/2/3 ", false, NULL},
        {"p=1/2/-3", false, NULL},
        {"p=0x1/2/3", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct position position;
        struct buf out = {0};
        bool good = position_parse(span_of(table[i].text), &position);

        if (good != table[i].good)
            fail_msg("%s: got %d", table[i].text, good);
        if (!good) {
            assert_int_equal(position.count, 0);
            continue;
        }
        position_write(&position, &out);
        assert_string_equal(out.data != NULL ? out.data : "",
                            table[i].again != NULL ? table[i].again
                                                   : table[i].text);
        buf_fini(&out);
    }
}

static void
bounds(void **state)
{
    struct position position = {0}, back;
    struct buf text = {0};
    char name[POSITION_NAME + 1];

    (void)state;
    memset(name, 'x', sizeof(name));
    assert_false(
        position_set(&position, (struct span){name, POSITION_NAME}, 1, 1, 1));
    assert_false(position_set(&position, SPAN(""), 1, 1, 1));
    assert_false(position_set(&position, SPAN("a;b"), 1, 1, 1));
    for (int i = 0; i < POSITION_SITES; i++) {
        int len = snprintf(name, sizeof(name), "site-%d", i);

        assert_true(position_set(&position, (struct span){name, (size_t)len},
                                 UINT64_MAX, UINT64_MAX, UINT64_MAX - 1));
    }
    assert_false(position_set(&position, SPAN("more"), 1, 1, 1));
    assert_true(position_set(&position, SPAN("site-0"), 1, 1, 1));
    position_write(&position, &text);
    assert_true(position_parse(buf_span(&text), &back));
    assert_int_equal(back.count, POSITION_SITES);
    buf_add_text(&text, ";more=1/1/1");
    assert_false(position_parse(buf_span(&text), &back));
    buf_fini(&text);
}

static void
covers(void **state)
{
    static const struct {
        const char *what;
        const char *a;
        const char *b;
        bool want;
    } table[] = {
        {"nothing covers nothing", "", "", true},
        {"anything covers nothing", "p=1/1/1", "", true},
        {"nothing covers no site", "", "p=1/1/0", false},
        {"equal", "p=1/1/5", "p=1/1/5", true},
        {"ahead", "p=1/1/6", "p=1/1/5", true},
        {"behind", "p=1/1/4", "p=1/1/5", false},
        {"another term", "p=1/2/9", "p=1/1/5", false},
        {"another epoch", "p=2/1/9", "p=1/1/5", false},
        {"order does not matter", "q=1/1/1;p=1/1/5", "p=1/1/5;q=1/1/1", true},
        {"one of two behind", "q=1/1/0;p=1/1/5", "p=1/1/5;q=1/1/1", false},
        {"a site more", "q=1/1/1;p=1/1/5", "p=1/1/5", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct position a, b;

        assert_true(position_parse(span_of(table[i].a), &a));
        assert_true(position_parse(span_of(table[i].b), &b));
        if (position_covers(&a, &b) != table[i].want)
            fail_msg("%s", table[i].what);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(bounds),
        cmocka_unit_test(covers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
