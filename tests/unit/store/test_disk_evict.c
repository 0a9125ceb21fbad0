/* The disk store's order: what goes, what stays, what another thread may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "disk_fixture.h"

static void
test_eviction(void **state)
{
    struct fixture f = {0};

    (void)state;
    fixture_open(&f, 6);
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(body_put(f.disk, i, i + 1, 2000), ERR_OK);
        body_get(f.disk, 3); /* one that everybody wants */
        assert_true(shim_used(f.shim) <= 6 * BODY_SEGMENT + BODY_OVERHEAD);
        assert_true(stats_of(f.disk).bytes <= stats_of(f.disk).budget);
    }
    struct disk_stats stats = stats_of(f.disk);

    assert_int_equal(body_get(f.disk, 3), 4);
    assert_int_equal(body_get(f.disk, 4), 0);
    assert_int_equal(body_get(f.disk, 399), 400);
    assert_true(stats.reinserted >= 2);
    assert_int_equal(stats.records, 400 - stats.evicted);
    assert_true(stats.records > 4 * 30 - 10);
    /* At most half of what is written was so before. */
    assert_true(stats.reinserted_bytes * 2 <= stats.written);
    fixture_fini(&f);
}

/* A long body moves extent by extent while it is asked for, and goes as a
 * whole when it is not. */
static void
test_eviction_of_extents(void **state)
{
    struct fixture f = {0};

    (void)state;
    fixture_open(&f, 8);
    assert_int_equal(body_put(f.disk, 1000, 7, 24000), ERR_OK);
    assert_int_equal(body_put(f.disk, 1001, 8, 90000), ERR_OK);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(body_put(f.disk, i, i + 1, 3000), ERR_OK);
        assert_int_equal(body_get(f.disk, 1000), 7);
    }
    assert_int_equal(body_get(f.disk, 1001), 0);
    assert_int_equal(stats_of(f.disk).incomplete, 0);
    assert_true(stats_of(f.disk).reinserted > 1);
    disk_close(&f.disk);
    fixture_open(&f, 8);
    assert_int_equal(body_get(f.disk, 1000), 7);
    assert_int_equal(body_get(f.disk, 1001), 0);
    fixture_fini(&f);
}

static void
test_pins(void **state)
{
    struct fixture f = {0};
    struct disk_record *held[8];
    unsigned count = 0;
    unsigned i = 0;

    (void)state;
    fixture_open(&f, 8);
    for (; i < 45; i++)
        assert_int_equal(body_put(f.disk, i, 1, 7000), ERR_OK);
    /* What is read stays while the store goes on. */
    for (unsigned key = 1; key < 45; key += 8)
        held[count++] = find(f.disk, key);
    assert_int_equal(body_put(f.disk, 1, 2, 10), ERR_OK);
    for (; i < 200; i++)
        body_put(f.disk, i, 1, 7000);
    check_range(held[0], 0, 7000);
    struct disk_stats stats = stats_of(f.disk);

    /* At most a quarter of the budget is held so; then writes wait. */
    assert_true(stats.dying > 0);
    assert_true(stats.dying <= stats.budget / 4 + BODY_SEGMENT);
    assert_true(stats.bytes <= stats.budget);
    assert_true(shim_used(f.shim) <= stats.budget);
    assert_true(stats.no_room > 0);
    struct disk_record *again = disk_record_ref(held[0]);

    for (unsigned n = 0; n < count; n++)
        disk_record_unref(&held[n]);
    check_range(again, 100, 50);
    disk_record_unref(&again);
    assert_int_equal(body_put(f.disk, 300, 1, 7000), ERR_OK);
    for (i = 301; i < 330; i++)
        assert_int_equal(body_put(f.disk, i, 1, 7000), ERR_OK);
    assert_int_equal(stats_of(f.disk).dying, 0);
    fixture_fini(&f);
}

/* A budget that has shrunk; and what was removed does not come back with it,
 * whichever of the files that went are back after a power failure (D5). */
static void
test_shrunk(void **state)
{
    struct fixture f = {0};
    struct body_key key;

    (void)state;
    fixture_open(&f, 16);
    assert_int_equal(body_put(f.disk, 1, 1, 1000), ERR_OK);
    for (unsigned i = 100; i < 110; i++)
        assert_int_equal(body_put(f.disk, i, 1, 8000), ERR_OK);
    assert_int_equal(disk_remove(f.disk, body_key(&key, 1), 0, true), ERR_OK);
    for (unsigned i = 200; i < 270; i++)
        assert_int_equal(body_put(f.disk, i, 1, 8000), ERR_OK);
    disk_close(&f.disk);
    struct shim *before = f.shim;

    f.shim = shim_crash(before, before->op_count, SHIM_LOST, 0);
    shim_free(&before);
    fixture_open(&f, 4);
    assert_true(stats_of(f.disk).evicted_segments > 5);
    assert_true(shim_used(f.shim) <= 4 * BODY_SEGMENT + BODY_OVERHEAD);
    assert_int_equal(body_get(f.disk, 269), 1);
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct shim *left =
            shim_crash(f.shim, seed % (f.shim->op_count + 1), SHIM_MIXED, seed);
        struct disk *disk = body_open(&left->io, "shim", 16);

        assert_non_null(disk);
        assert_int_equal(body_get(disk, 1), 0);
        disk_close(&disk);
        shim_free(&left);
    }
    fixture_fini(&f);
}

/*
 * What another thread may do while a record is being written. The disk calls
 * back in the middle of a write, and that is done there.
 */
struct race {
    struct fixture *f;
    unsigned skip; /* writes before the one that counts */
    void (*run)(struct disk *disk);
};

static void
in_write(void *arg)
{
    struct race *race = arg;

    if (race->skip-- > 0)
        return;
    race->f->shim->on_write = NULL;
    race->run(race->f->disk);
}

static void
start_race(struct race *race)
{
    race->f->shim->on_write = in_write;
    race->f->shim->on_write_arg = race;
}

static void
remove_it(struct disk *disk)
{
    struct body_key key;

    assert_int_equal(disk_remove(disk, body_key(&key, 1), 0, true), ERR_OK);
}

static void
replace_it(struct disk *disk)
{
    assert_int_equal(body_put(disk, 1, 9, 300), ERR_OK);
}

static void
replace_and_remove_it(struct disk *disk)
{
    replace_it(disk);
    remove_it(disk);
}

static void
remove_and_replace_it(struct disk *disk)
{
    remove_it(disk);
    replace_it(disk);
}

/* What began later counts, whichever ends later; and after a restart, with a
 * footer or without. */
static void
test_races(void **state)
{
    static const struct {
        const char *what;
        void (*run)(struct disk *disk);
        unsigned version;
    } rows[] = {
        {"removed", remove_it, 0},
        {"replaced", replace_it, 9},
        {"replaced and removed", replace_and_remove_it, 0},
        {"removed and replaced", remove_and_replace_it, 9},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f = {0};
        /* The first write makes the segment. */
        struct race race = {&f, 1, rows[i].run};

        print_message("%s\n", rows[i].what);
        fixture_open(&f, 8);
        start_race(&race);
        assert_int_equal(body_put(f.disk, 1, 2, 3000), ERR_OK);
        assert_null(f.shim->on_write);
        assert_int_equal(body_get(f.disk, 1), rows[i].version);
        assert_int_equal(disk_sync(f.disk, disk_mark(f.disk)), ERR_OK);
        struct shim *left = shim_crash(f.shim, f.shim->op_count, SHIM_LOST, 0);
        struct disk *scanned = body_open(&left->io, "shim", 8);

        assert_int_equal(body_get(scanned, 1), rows[i].version);
        disk_close(&scanned);
        shim_free(&left);
        disk_close(&f.disk);
        fixture_open(&f, 8);
        assert_int_equal(stats_of(f.disk).scanned, 0);
        assert_int_equal(body_get(f.disk, 1), rows[i].version);
        fixture_fini(&f);
    }
}

/* The same while the record is written anew. */
static void
test_races_with_reinsertion(void **state)
{
    static const struct {
        const char *what;
        void (*run)(struct disk *disk);
        unsigned version;
    } rows[] = {
        {"removed", remove_it, 0},
        {"replaced", replace_it, 9},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f = {0};
        struct race race = {&f, 0, rows[i].run};
        unsigned key = 100;

        print_message("%s\n", rows[i].what);
        fixture_open(&f, 5);
        assert_int_equal(body_put(f.disk, 1, 2, 3001), ERR_OK);
        assert_int_equal(body_get(f.disk, 1), 2);
        /* Writes of records have two parts: that of 3001 bytes is told by
         * its length. */
        f.shim->on_write_len = 3001;
        start_race(&race);
        while (f.shim->on_write != NULL && key < 300)
            assert_int_equal(body_put(f.disk, key++, 1, 3000), ERR_OK);
        assert_null(f.shim->on_write);
        assert_int_equal(body_get(f.disk, 1), rows[i].version);
        disk_close(&f.disk);
        fixture_open(&f, 5);
        assert_int_equal(body_get(f.disk, 1), rows[i].version);
        fixture_fini(&f);
    }
}

static void
fill_segments(struct disk *disk)
{
    for (unsigned key = 100; key < 130; key++)
        assert_int_equal(body_put(disk, key, 1, 6000), ERR_OK);
    /* disk_sanity, too, looks for what was sealed before its time (D2). */
    assert_true(stats_of(disk).segments > 2);
}

/* A write that takes long holds back the footers of its segment and of those
 * behind it; a power failure then finds what was synced all the same. */
static void
test_seals_in_order(void **state)
{
    struct fixture f = {0};
    struct race race = {&f, 1, fill_segments};

    (void)state;
    fixture_open(&f, 16);
    start_race(&race);
    assert_int_equal(body_put(f.disk, 1, 2, 3000), ERR_OK);
    assert_int_equal(disk_sync(f.disk, disk_mark(f.disk)), ERR_OK);
    struct shim *left = shim_crash(f.shim, f.shim->op_count, SHIM_LOST, 0);

    fixture_fini(&f);
    f.shim = left;
    fixture_open(&f, 16);
    assert_int_equal(stats_of(f.disk).scanned, 1); /* the last one alone */
    assert_int_equal(body_get(f.disk, 1), 2);
    for (unsigned key = 100; key < 130; key++)
        assert_int_equal(body_get(f.disk, key), 1);
    fixture_fini(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_eviction_of_extents),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_shrunk),
        cmocka_unit_test(test_races),
        cmocka_unit_test(test_races_with_reinsertion),
        cmocka_unit_test(test_seals_in_order),
    };

    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
