/* S3-FIFO as it is meant to behave. */
#include "store/store_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "objects.h"
#include "store/ghost_internal.h"

#define COST 4096

/* The queues alone, under objects that are in no table. */
struct cache {
    struct store store;
    struct object *items;
    bool *in;
    size_t evictions;
};

static void
cache_init(struct cache *cache, size_t items, size_t room)
{
    memset(cache, 0, sizeof(*cache));
    queue_init(&cache->store);
    cache->store.ghost = ghost_new(8192);
    cache->store.budget = room * COST;
    cache->items = mem_zalloc(items * sizeof(cache->items[0]));
    cache->in = mem_zalloc(items * sizeof(cache->in[0]));
    for (uint32_t i = 0; i < items; i++) {
        cache->items[i].cost = COST;
        cache->items[i].key.hash =
            hash_bytes((struct span){(const char *)&i, sizeof(i)}, 1);
    }
}

static void
cache_fini(struct cache *cache)
{
    ghost_free(&cache->store.ghost);
    free(cache->items);
    free(cache->in);
}

/* A request for an item; true when it was a hit. */
static bool
ask(struct cache *cache, size_t item)
{
    struct store *store = &cache->store;
    struct object *object = &cache->items[item];

    if (cache->in[item]) {
        if (object->freq < FREQ_MAX)
            object->freq++;
        return true;
    }
    while (store->queues[QUEUE_SMALL].bytes + store->queues[QUEUE_MAIN].bytes +
               COST >
           store->budget) {
        cache->in[queue_victim(store) - cache->items] = false;
        cache->evictions++;
    }
    object->freq = 0;
    queue_put(store, object, queue_choose(store, object));
    cache->in[item] = true;
    return false;
}

/* What was asked for again outlives a scan of things asked for once. */
static void
test_scan(void **state)
{
    struct cache cache;
    (void)state;

    cache_init(&cache, 2000, 200);
    for (size_t i = 0; i < 50; i++) {
        ask(&cache, i);
        assert_true(ask(&cache, i));
    }
    for (size_t i = 100; i < 2000; i++)
        ask(&cache, i);
    for (size_t i = 0; i < 50; i++)
        assert_true(cache.in[i]);
    assert_int_equal(cache.evictions, 1950 - 200);
    cache_fini(&cache);
}

/* What comes back soon after it was evicted goes to main, and stays. */
static void
test_ghost(void **state)
{
    struct cache cache;
    (void)state;

    cache_init(&cache, 2000, 200);
    for (size_t i = 0; i < 210; i++)
        ask(&cache, i);
    assert_false(ask(&cache, 0));
    assert_int_equal(cache.items[0].queue, QUEUE_MAIN);
    assert_int_equal(cache.store.ghost_hits, 1);
    for (size_t i = 210; i < 2000; i++)
        ask(&cache, i);
    assert_true(cache.in[0]);
    /* After long it is as new. */
    assert_false(ask(&cache, 1));
    assert_int_equal(cache.items[1].queue, QUEUE_SMALL);
    cache_fini(&cache);
}

/* However popular everything is, something goes. */
static void
test_all_popular(void **state)
{
    struct cache cache;
    (void)state;

    cache_init(&cache, 4000, 2000);
    for (size_t i = 0; i < 4000; i++) {
        for (unsigned hits = 0; hits < 4; hits++)
            ask(&cache, i);
    }
    assert_int_equal(cache.evictions, 2000);
    cache_fini(&cache);
}

static void
test_empty(void **state)
{
    struct cache cache;
    (void)state;

    cache_init(&cache, 1, 1);
    assert_null(queue_victim(&cache.store));
    cache_fini(&cache);
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

static void
zipf(double skew, size_t room)
{
    static double upto[ITEMS];
    struct lru *lru = mem_zalloc(sizeof(*lru));
    struct cache cache;
    size_t lru_misses = 0;
    size_t misses = 0;
    uint64_t random = 1;

    cache_init(&cache, ITEMS, room);
    weights(skew, upto);
    for (uint64_t i = 1; i <= REQUESTS; i++) {
        size_t item = draw(upto, &random);

        lru_misses += !lru_ask(lru, item, room, i);
        misses += !ask(&cache, item);
    }
    cache_fini(&cache);
    free(lru);
    if (misses > lru_misses)
        fail_msg("skew %.1f, room %zu: %zu misses, LRU %zu", skew, room, misses,
                 lru_misses);
}

static void
test_zipf(void **state)
{
    static const double skews[] = {0.6, 0.9, 1.1};
    static const size_t rooms[] = {30, 90, 300, 900};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(skews); i++) {
        for (size_t j = 0; j < ARRAY_LEN(rooms); j++)
            zipf(skews[i], rooms[j]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),        cmocka_unit_test(test_ghost),
        cmocka_unit_test(test_all_popular), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_zipf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
