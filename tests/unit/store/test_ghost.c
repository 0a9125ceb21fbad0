#include "store/ghost_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COST 65536

static struct hash128
key_of(uint64_t number)
{
    return (struct hash128){number << 32, number};
}

static void
test_window(void **state)
{
    struct ghost *ghost = ghost_new(1024);
    (void)state;

    for (uint64_t i = 1; i <= 10; i++)
        ghost_add(ghost, key_of(i), COST);
    assert_true(ghost_take(ghost, key_of(10), 3 * COST));
    assert_false(ghost_take(ghost, key_of(10), 3 * COST)); /* forgotten */
    assert_true(ghost_take(ghost, key_of(8), 3 * COST));
    assert_false(ghost_take(ghost, key_of(7), 3 * COST)); /* too long ago */
    assert_false(ghost_take(ghost, key_of(11), 10 * COST));
    ghost_free(&ghost);
}

/* One set of eight: the oldest gives way; the same key takes one place. */
static void
test_full(void **state)
{
    struct ghost *ghost = ghost_new(8);
    (void)state;

    for (uint64_t i = 1; i <= 9; i++)
        ghost_add(ghost, key_of(i), COST);
    ghost_add(ghost, key_of(9), COST);
    assert_false(ghost_take(ghost, key_of(1), 100 * COST));
    for (uint64_t i = 2; i <= 9; i++)
        assert_true(ghost_take(ghost, key_of(i), 100 * COST));
    ghost_free(&ghost);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
