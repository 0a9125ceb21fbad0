/* S3-FIFO as it is meant to behave, seen through the store. */
#include "store/store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "objects.h"

#define MIB ((size_t)1 << 20)
#define SIZE 4096

static void
put(struct store *store, unsigned long number)
{
    static uint64_t sent;

    test_insert(store, &(struct test_spec){
                           .number = number, .sent_ns = ++sent, .size = SIZE});
    if (sent % 2 == 0)
        grace_barrier();
}

/* What was asked for again outlives a scan of things asked for once. */
static void
test_scan(void **state)
{
    struct store *store = store_new(MIB, 0);
    (void)state;

    for (unsigned long i = 0; i < 50; i++) {
        put(store, i);
        assert_non_null(test_find(store, i, NULL, NULL));
    }
    for (unsigned long i = 1000; i < 2000; i++)
        put(store, i);
    for (unsigned long i = 0; i < 50; i++)
        assert_non_null(test_find(store, i, NULL, NULL));
    assert_true(test_stats(store).evictions > 700);
    store_free(&store);
}

/* What comes back soon after it was evicted goes to main, and stays. */
static void
test_ghost(void **state)
{
    struct store *store = store_new(MIB, 0);
    unsigned long first = 0;
    unsigned long i;
    (void)state;

    for (i = 0; test_stats(store).evictions == 0; i++)
        put(store, i);
    assert_null(test_find(store, first, NULL, NULL));
    assert_int_equal(test_stats(store).ghost_hits, 0);
    put(store, first);
    assert_int_equal(test_stats(store).ghost_hits, 1);
    for (unsigned long end = i + 1000; i < end; i++)
        put(store, i);
    assert_non_null(test_find(store, first, NULL, NULL));
    store_free(&store);
}

/* However popular everything is, something goes. */
static void
test_all_popular(void **state)
{
    struct store *store = store_new(MIB, 0);
    (void)state;

    for (unsigned long i = 0; i < 2000; i++) {
        put(store, i);
        for (unsigned hits = 0; hits < 3; hits++)
            test_find(store, i, NULL, NULL);
    }
    assert_true(test_stats(store).evictions > 1000);
    assert_int_equal(test_stats(store).refusals, 0);
    store_free(&store);
}

/* ---- beside LRU, on Zipf ---- */

#define ITEMS 3000
#define REQUESTS 20000

struct lru {
    uint64_t last[ITEMS]; /* when it was asked for; 0: not stored */
    size_t count;
};

static bool
lru_ask(struct lru *lru, size_t item, size_t room, uint64_t now)
{
    bool hit = lru->last[item] != 0;
    size_t oldest = item;

    lru->last[item] = now;
    if (hit)
        return true;
    if (++lru->count <= room)
        return false;
    for (size_t i = 0; i < ITEMS; i++) {
        if (lru->last[i] != 0 && lru->last[i] < lru->last[oldest])
            oldest = i;
    }
    lru->last[oldest] = 0;
    lru->count--;
    return false;
}

static void
weights(double skew, double *upto)
{
    double total = 0;

    for (size_t i = 0; i < ITEMS; i++)
        upto[i] = total += pow((double)(i + 1), -skew);
}

static size_t
draw(const double *upto, uint64_t *random)
{
    double point =
        (double)(test_random(random) >> 11) / 0x1p53 * upto[ITEMS - 1];
    size_t low = 0;
    size_t high = ITEMS - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (upto[middle] < point)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t
cost_of_one(void)
{
    struct object *object =
        test_object(&(struct test_spec){.number = 1000, .size = SIZE});
    size_t cost = object_cost(object);

    object_unref(&object);
    return cost;
}

static void
zipf(double skew, size_t budget)
{
    static double upto[ITEMS];
    struct lru *lru = mem_zalloc(sizeof(*lru));
    struct store *store = store_new(budget, 0);
    size_t room = budget / cost_of_one();
    size_t lru_misses = 0;
    size_t misses = 0;
    uint64_t random = 1;

    weights(skew, upto);
    for (uint64_t i = 1; i <= REQUESTS; i++) {
        size_t item = draw(upto, &random);

        lru_misses += !lru_ask(lru, item, room, i);
        if (test_find(store, item, NULL, NULL) == NULL) {
            misses++;
            put(store, item);
        }
    }
    assert_true(test_stats(store).bytes <= budget);
    store_free(&store);
    free(lru);
    if (misses > lru_misses)
        fail_msg("skew %.1f, budget %zu: %zu misses, LRU %zu", skew, budget,
                 misses, lru_misses);
}

static void
test_zipf(void **state)
{
    (void)state;
    zipf(0.6, 3 * MIB);
    zipf(0.9, MIB);
    zipf(1.1, MIB / 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_ghost),
        cmocka_unit_test(test_all_popular),
        cmocka_unit_test(test_zipf),
    };

    grace_register();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    grace_unregister();
    return failed;
}
