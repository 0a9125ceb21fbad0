#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "store/disk_index_internal.h"

static bool
put(struct disk_index *index, uint64_t print, uint32_t variant,
    uint32_t segment, uint32_t offset)
{
    struct disk_entry entry = {
        .print = print, .variant = variant, .offset = offset, .units = 3};
    bool replaced;

    return disk_index_put(index, &entry, segment, &replaced);
}

static void
test_later_wins(void **state)
{
    static const struct {
        const char *what;
        struct disk_place place;
        bool taken;
    } rows[] = {
        {"the first", {5, 50}, true},
        {"later in it", {5, 51}, true},
        {"earlier in it", {5, 49}, false},
        {"an earlier segment", {4, 90}, false},
        {"a later segment", {6, 1}, true},
        {"the same place", {6, 1}, true},
    };
    struct disk_index *index = disk_index_new();
    struct disk_slot slot;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (put(index, 77, 0, rows[i].place.segment, rows[i].place.offset) !=
            rows[i].taken)
            fail_msg("%s", rows[i].what);
    }
    assert_int_equal(disk_index_count(index), 1);
    assert_true(disk_index_get(index, 77, 0, &slot));
    assert_true(disk_place_eq(slot.place, (struct disk_place){6, 1}));
    assert_int_equal(slot.units, 3);
    assert_false(disk_index_get(index, 77, 1, &slot));
    disk_index_free(&index);
}

static void
test_variants(void **state)
{
    struct disk_index *index = disk_index_new();
    struct disk_slot slots[3];

    (void)state;
    for (uint32_t variant = 0; variant < 5; variant++)
        put(index, 7, variant, 1, 10 * (variant * 2 % 5 + 1));
    put(index, 7 + (UINT64_C(1) << 40), 0, 9, 9); /* the same bucket */
    assert_int_equal(disk_index_find(index, 7, slots, 3), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(slots[i].place.offset, 50 - 10 * i);
    assert_int_equal(disk_index_remove(index, 7, 2, false), 1);
    assert_int_equal(disk_index_remove(index, 7, 2, false), 0);
    assert_int_equal(disk_index_find(index, 7, slots, 3), 3);
    assert_int_equal(disk_index_remove(index, 7, 0, true), 4);
    assert_int_equal(disk_index_find(index, 7, slots, 3), 0);
    assert_int_equal(disk_index_count(index), 1);
    disk_index_free(&index);
}

static void
test_places(void **state)
{
    struct disk_index *index = disk_index_new();
    struct disk_slot slot;

    (void)state;
    put(index, 1, 0, 1, 10);
    put(index, 2, 0, 1, 20);
    put(index, 3, 0, 2, 10);
    assert_true(disk_index_get(index, 1, 0, &slot));
    for (unsigned i = 0; i < 5; i++)
        disk_index_hit(index, &slot);
    assert_true(disk_index_get(index, 1, 0, &slot));
    assert_int_equal(slot.hits, 3);
    assert_true(disk_index_move(index, &slot, (struct disk_place){3, 1}, 4));
    assert_false(disk_index_move(index, &slot, (struct disk_place){3, 2}, 4));
    disk_index_hit(index, &slot); /* it is not there any more */
    assert_true(disk_index_get(index, 1, 0, &slot));
    assert_int_equal(slot.hits, 2);
    assert_int_equal(slot.place.segment, 3);
    assert_false(disk_index_take(index, 2, 0, (struct disk_place){1, 21}));
    assert_true(disk_index_take(index, 2, 0, (struct disk_place){1, 20}));
    put(index, 4, 0, 2, 20);
    assert_int_equal(disk_index_sweep(index, 2), 2);
    assert_int_equal(disk_index_count(index), 1);
    disk_index_free(&index);
}

static void
test_memory(void **state)
{
    enum { N = 300000 };
    struct disk_index *index = disk_index_new();
    uint64_t worst = 0;

    (void)state;
    for (uint64_t i = 1; i <= N; i++) {
        put(index, hash_bytes((struct span){(char *)&i, sizeof(i)}, 0).hi, 0, 1,
            1);
        if (i >= N / 3 && i % 1000 == 0 && disk_index_bytes(index) / i > worst)
            worst = disk_index_bytes(index) / i;
    }
    assert_int_equal(disk_index_count(index), N);
    assert_true(worst <= 32);
    /* What was taken out makes room. */
    size_t bytes = disk_index_bytes(index);

    assert_int_equal(disk_index_sweep(index, 1), N);
    for (uint64_t i = 1; i <= N; i++)
        put(index, hash_bytes((struct span){(char *)&i, sizeof(i)}, 0).hi, 0, 2,
            1);
    assert_int_equal(disk_index_bytes(index), bytes);
    disk_index_free(&index);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_wins),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
