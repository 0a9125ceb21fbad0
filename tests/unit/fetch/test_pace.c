/* How many events a second are let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/check.h"
#include "base/clock.h"
#include "fetch/pace.h"

#define MS NS_PER_MS
#define S (1000 * MS)

struct row {
    uint64_t rate;
    uint64_t every_ns; /* they come so often */
    uint64_t at_once;  /* let through of 1,000 that come together */
    uint64_t in_10_s;  /* of those that come so often for 10 s */
};

static const struct row rows[] = {
    {0, MS, 1000, 10000},
    {1, MS, 1, 10},
    {10, MS, 1, 100},
    {100, MS, 10, 1009},
    {1000, MS / 10, 100, 10099},
    {10, S, 1, 10},
    {1000000, MS, 1000, 10000},
};

static uint64_t
let_through(const struct row *row, uint64_t begin, uint64_t every_ns,
            uint64_t count)
{
    struct pace pace = {0};
    uint64_t through = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t now = begin + i * every_ns;
        bool ready = pace_ready(&pace, row->rate, now);
        bool taken = pace_take(&pace, row->rate, now);

        assert_int_equal(ready, taken);
        through += taken;
    }
    return through;
}

static void
test_rates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];

        assert_int_equal(let_through(row, 5 * S, 0, 1000), row->at_once);
        assert_int_equal(
            let_through(row, 5 * S, row->every_ns, 10 * S / row->every_ns),
            row->in_10_s);
    }
}

/* What cannot wait makes the others wait, a second at most. */
static void
test_counted(void **state)
{
    struct pace pace = {0};

    (void)state;
    for (int i = 0; i < 5000; i++)
        pace_count(&pace, 100, 7 * S);
    assert_false(pace_ready(&pace, 100, 7 * S));
    assert_false(pace_take(&pace, 100, 7 * S + 999 * MS));
    assert_true(pace_take(&pace, 100, 8 * S));
    assert_false(pace_take(&pace, 100, 8 * S));
    pace_count(&pace, 0, 9 * S);
    assert_true(pace_take(&pace, 0, 9 * S));
}

static struct pace shared;

static void *
take_many(void *arg)
{
    uint64_t *through = arg;

    for (uint64_t now = S; now < 2 * S; now += S / 100000)
        *through += pace_take(&shared, 1000, now);
    return NULL;
}

/* All workers together get no more than one alone. */
static void
test_threads(void **state)
{
    pthread_t threads[4];
    uint64_t through[4] = {0}, sum = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, take_many, &through[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
        sum += through[i];
    }
    assert_in_range(sum, 1000, 1100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
