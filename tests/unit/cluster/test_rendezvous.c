#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cluster/rendezvous.h"

#define NODES 5
#define KEYS 10000

static uint64_t numbers[NODES];

/* The home of key `i` among the first `nodes`, leaving out `gone`. */
static size_t
home(unsigned i, size_t nodes, size_t gone)
{
    struct hash128 key =
        hash_bytes((struct span){(const char *)&i, sizeof(i)}, 1);
    size_t best = NODES;
    uint64_t most = 0;

    for (size_t n = 0; n < nodes; n++) {
        uint64_t weight = rendezvous_weight(numbers[n], key);

        if (n != gone && (best == NODES || weight > most)) {
            most = weight;
            best = n;
        }
    }
    return best;
}

static int
setup(void **state)
{
    (void)state;
    for (int n = 0; n < NODES; n++) {
        char name[32];

        snprintf(name, sizeof(name), "paris-%d", n);
        numbers[n] = rendezvous_node(span_of(name));
    }
    return 0;
}

static void
test_balance(void **state)
{
    unsigned count[NODES + 1] = {0};

    (void)state;
    for (unsigned i = 0; i < KEYS; i++)
        count[home(i, NODES, NODES)]++;
    for (int n = 0; n < NODES; n++)
        assert_in_range(count[n], KEYS / NODES * 85 / 100,
                        KEYS / NODES * 115 / 100);
}

/* Only the keys of the node that left move, and over all the others. */
static void
test_leave(void **state)
{
    unsigned to[NODES + 1] = {0};

    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        size_t before = home(i, NODES, NODES);
        size_t after = home(i, NODES, 2);

        if (before == 2)
            to[after]++;
        else
            assert_int_equal(before, after);
    }
    for (size_t n = 0; n < NODES; n++)
        assert_true(n == 2 || to[n] > KEYS / NODES / (NODES - 1) / 2);
}

/* A node that joins takes from the others; nothing moves between those. */
static void
test_join(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        size_t before = home(i, NODES - 1, NODES);
        size_t after = home(i, NODES, NODES);

        assert_true(after == before || after == NODES - 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_join),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
