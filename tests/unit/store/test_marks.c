#include "store/marks_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"

static struct hash128
key_of(uint64_t number)
{
    return (struct hash128){number << 32, number * 8};
}

static void
test_ends(void **state)
{
    static const struct {
        const char *what;
        uint64_t until;
        uint64_t now;
        bool want;
    } rows[] = {
        {"before", 10 * NS_PER_S, 5 * NS_PER_S, true},
        {"just before", 10 * NS_PER_S, 10 * NS_PER_S - 1, true},
        {"rounded up by 1/8 s at most", 10 * NS_PER_S, 10150 * NS_PER_MS,
         false},
        {"long after", 10 * NS_PER_S, 99 * NS_PER_S, false},
        {"an end beyond all", UINT64_MAX, 99 * NS_PER_S, true},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct marks *marks = marks_new(64);

        assert_false(marks_have(marks, key_of(1), rows[i].now));
        marks_set(marks, key_of(1), rows[i].until);
        if (marks_have(marks, key_of(1), rows[i].now) != rows[i].want)
            fail_msg("%s", rows[i].what);
        assert_false(marks_have(marks, key_of(2), rows[i].now));
        marks_free(&marks);
    }
}

static void
test_set_again(void **state)
{
    struct marks *marks = marks_new(4);
    (void)state;

    marks_set(marks, key_of(1), 10 * NS_PER_S);
    marks_set(marks, key_of(1), 20 * NS_PER_S);
    marks_set(marks, key_of(1), 5 * NS_PER_S);
    assert_true(marks_have(marks, key_of(1), 15 * NS_PER_S));
    marks_free(&marks);
}

/* Four places: the mark that ends first gives way to the fifth. */
static void
test_full(void **state)
{
    struct marks *marks = marks_new(4);
    (void)state;

    marks_set(marks, key_of(1), 30 * NS_PER_S);
    marks_set(marks, key_of(2), 20 * NS_PER_S);
    marks_set(marks, key_of(3), 40 * NS_PER_S);
    marks_set(marks, key_of(4), 50 * NS_PER_S);
    marks_set(marks, key_of(5), 25 * NS_PER_S);
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(marks_have(marks, key_of(i), NS_PER_S), i != 2);
    marks_free(&marks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_set_again),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
