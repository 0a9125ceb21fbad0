/*
 * A disk that fails: each call of a run, one after the other, with each error;
 * and bits that turn over, anywhere in any file. The store never stops the
 * program, never serves anything wrong, and goes on when the fault has passed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "disk_bodies.h"
#include "disk_power.h"

#define KEYS 10
#define SEGMENTS 5
#define PUTS 40

/* A second passes with each look: what pauses after a fault goes on. */
uint64_t
clock_boot_ns(void)
{
    static uint64_t now;

    return now += 2 * NS_PER_S;
}

int64_t
clock_wall_ms(void)
{
    return 0;
}

/* The store with this disk, or NULL where it says why it does not open. */
static struct disk *
try_open(struct shim *shim)
{
    struct disk_options options = {
        .path = "shim",
        .budget = SEGMENTS * BODY_SEGMENT + BODY_OVERHEAD,
        .segment_size = BODY_SEGMENT,
        .io = &shim->io,
    };
    struct buf problem = {0};
    struct disk *disk;
    enum err err = disk_open(&options, &disk, &problem);

    if (err != ERR_OK) {
        assert_null(disk);
        assert_true(problem.len > 0);
        assert_memory_equal(problem.data, "shim", 4);
        /* The remedy. */
        assert_non_null(strchr(problem.data, ';'));
    }
    buf_fini(&problem);
    return disk;
}

static uint64_t
length_of(unsigned i)
{
    return i % 7 == 0 ? 30000 : 1000 + i * 137 % 5000;
}

/* Writes, reads, removes, syncs. What fails is told apart by what is found. */
static void
use(struct disk *disk)
{
    struct body_key key;

    for (unsigned i = 1; i <= PUTS; i++) {
        body_put(disk, i % KEYS, i, length_of(i));
        body_get(disk, i * 7 % KEYS);
        if (i % 9 == 0)
            disk_remove(disk, body_key(&key, i % KEYS), 0, true);
        if (i % 11 == 0)
            disk_sync(disk, disk_mark(disk));
    }
}

static void
read_all(struct disk *disk)
{
    for (unsigned key = 0; key < KEYS; key++)
        body_get(disk, key);
}

/* One run under a fault; false when the fault was not reached. */
static bool
run(enum shim_call call, int error, long after, bool lasting)
{
    struct shim *shim = shim_new();
    struct disk *disk;

    shim_fault(shim, call, error, after, lasting);
    for (unsigned round = 0; round < 2; round++) {
        disk = try_open(shim);
        if (disk != NULL) {
            use(disk);
            assert_true(shim_used(shim) <=
                        SEGMENTS * BODY_SEGMENT + BODY_OVERHEAD);
            disk_close(&disk);
        }
    }
    size_t faults = shim->faults;

    /* The fault has passed: all is as ever. */
    shim_fault(shim, SHIM_CALLS, 0, 0, false);
    disk = try_open(shim);
    assert_non_null(disk);
    read_all(disk);
    assert_int_equal(body_put(disk, 0, 1000, 5000), ERR_OK);
    assert_int_equal(disk_sync(disk, disk_mark(disk)), ERR_OK);
    assert_int_equal(body_get(disk, 0), 1000);
    disk_close(&disk);
    shim_free(&shim);
    return faults > 0;
}

static void
test_each_call_fails(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EROFS, EINTR, EDQUOT, EMFILE};
    size_t runs = 0;

    (void)state;
    for (unsigned call = 0; call < SHIM_CALLS; call++) {
        for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
            long after = 0;
            bool interrupted =
                errors[e] == EINTR && call != SHIM_READ && call != SHIM_WRITE;

            while (!interrupted &&
                   run((enum shim_call)call, errors[e], after, false)) {
                runs++;
                after += 1 + after / 4;
            }
            /* All fail from some time on. EINTR never ends. */
            for (after = 0; errors[e] != EINTR && after < 300;
                 after = after * 2 + 1) {
                run((enum shim_call)call, errors[e], after, true);
                runs++;
            }
        }
    }
    print_message("%zu runs\n", runs);
}

static void
test_short_counts(void **state)
{
    (void)state;
    for (unsigned by = 1; by < 4; by++) {
        struct shim *shim = shim_new();
        struct disk *disk;

        shim->short_by = by;
        for (unsigned round = 0; round < 2; round++) {
            disk = try_open(shim);
            assert_non_null(disk);
            use(disk);
            assert_int_equal(body_put(disk, 3, 500 + round, 20000), ERR_OK);
            assert_int_equal(body_get(disk, 3), 500 + round);
            disk_close(&disk);
        }
        shim_free(&shim);
    }
}

static struct disk_stats
stats_of(struct disk *disk)
{
    struct disk_stats stats;

    disk_stats(disk, &stats);
    return stats;
}

/* A write that failed leaves a hole; what is behind it is found again. */
static void
test_behind_a_hole(void **state)
{
    struct shim *shim = shim_new();
    struct disk *disk = try_open(shim);

    (void)state;
    assert_int_equal(body_put(disk, 0, 1, 100), ERR_OK);
    shim_fault(shim, SHIM_WRITE, EIO, 0, false);
    assert_int_equal(body_put(disk, 1, 1, 3000), ERR_IO);
    assert_int_equal(body_put(disk, 2, 1, 100), ERR_OK);
    assert_int_equal(disk_sync(disk, disk_mark(disk)), ERR_OK);
    assert_int_equal(stats_of(disk).io_errors, 1);
    struct shim *left = shim_crash(shim, shim->op_count, SHIM_LOST, 0);

    disk_close(&disk);
    disk = try_open(left);
    assert_int_equal(stats_of(disk).scanned, 1);
    assert_int_equal(body_get(disk, 0), 1);
    assert_int_equal(body_get(disk, 1), 0);
    assert_int_equal(body_get(disk, 2), 1);
    disk_close(&disk);
    shim_free(&left);
    shim_free(&shim);
}

/* What was not synced is never said to be, to any who wrote before, however
 * often they ask; the segment gets no footer. */
static void
test_sync_fails(void **state)
{
    struct shim *shim = shim_new();
    struct disk *disk = try_open(shim);
    uint64_t mark = disk_mark(disk);

    (void)state;
    assert_int_equal(body_put(disk, 0, 1, 100), ERR_OK);
    shim_fault(shim, SHIM_SYNC, EIO, 0, false);
    assert_int_equal(disk_sync(disk, mark), ERR_IO);
    assert_int_equal(body_get(disk, 0), 1);
    assert_int_equal(disk_sync(disk, mark), ERR_IO);
    mark = disk_mark(disk);
    assert_int_equal(body_put(disk, 1, 1, 100), ERR_OK);
    assert_int_equal(disk_sync(disk, mark), ERR_OK);
    assert_int_equal(stats_of(disk).segments, 2);
    disk_close(&disk);
    disk = try_open(shim);
    assert_int_equal(stats_of(disk).scanned, 1);
    assert_int_equal(body_get(disk, 1), 1);
    disk_close(&disk);
    shim_free(&shim);
}

/* Nor when it was the seal of a full segment that failed. */
static void
test_seal_fails(void **state)
{
    struct shim *shim = shim_new();
    struct disk *disk = try_open(shim);
    uint64_t mark = disk_mark(disk);

    (void)state;
    assert_int_equal(body_put(disk, 0, 1, 100), ERR_OK);
    shim_fault(shim, SHIM_SYNC, EIO, 0, false);
    for (unsigned i = 0; disk_mark(disk) == mark && i < 1000; i++)
        assert_int_equal(body_put(disk, 1 + i % 3, 1, 20000), ERR_OK);
    assert_int_equal(disk_mark(disk), mark + 1);
    assert_int_equal(disk_sync(disk, mark), ERR_IO);
    assert_int_equal(disk_sync(disk, disk_mark(disk)), ERR_OK);
    disk_close(&disk);
    shim_free(&shim);
}

static void
test_no_space(void **state)
{
    struct shim *shim = shim_new();
    struct disk *disk = try_open(shim);

    (void)state;
    use(disk);
    /* Others have filled the disk: the store makes room for itself. */
    size_t faults = shim->faults;

    shim_fault(shim, SHIM_ALLOCATE, ENOSPC, 0, false);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(body_put(disk, 1, 100 + i, 5000), ERR_OK);
    assert_int_equal(shim->faults, faults + 1);
    assert_int_equal(stats_of(disk).no_space, 1);
    /* There is none at all: it is only read, as long as that is so. */
    shim_fault(shim, SHIM_ALLOCATE, ENOSPC, 0, true);
    unsigned i = 0;

    while (body_put(disk, 2, 200 + i, 5000) == ERR_OK)
        i++;
    assert_int_equal(body_put(disk, 2, 200 + i, 5000), ERR_LIMIT);
    assert_int_equal(body_get(disk, 2), 200 + i - 1);
    assert_false(stats_of(disk).read_only);
    shim_fault(shim, SHIM_CALLS, 0, 0, false);
    assert_int_equal(body_put(disk, 2, 300, 5000), ERR_OK);
    assert_int_equal(body_get(disk, 2), 300);
    disk_close(&disk);
    shim_free(&shim);
}

static void
test_read_only(void **state)
{
    struct shim *shim = shim_new();
    struct disk *disk = try_open(shim);
    unsigned i;

    (void)state;
    assert_int_equal(body_put(disk, 1, 1, 5000), ERR_OK);
    shim_fault(shim, SHIM_WRITE, EIO, 0, true);
    for (i = 0; i < 20 && !stats_of(disk).read_only; i++)
        assert_int_equal(body_put(disk, 2, 1, 100), ERR_IO);
    assert_int_equal(i, 8);
    assert_int_equal(body_put(disk, 2, 1, 100), ERR_LIMIT);
    assert_int_equal(body_get(disk, 1), 1);
    disk_close(&disk);
    shim_fault(shim, SHIM_CALLS, 0, 0, false);
    disk = try_open(shim);
    assert_int_equal(body_get(disk, 1), 1);
    assert_int_equal(body_put(disk, 2, 1, 100), ERR_OK);
    disk_close(&disk);
    shim_free(&shim);
}

/* Turns one bit over, and looks. */
static void
flip(const struct shim *shim, int file, uint64_t bit)
{
    struct shim *left = shim_crash(shim, shim->op_count, SHIM_KEPT, 0);

    left->files[file].bytes[bit / 8] ^= (char)(1 << bit % 8);
    struct disk *disk = try_open(left);

    if (disk == NULL) {
        assert_string_equal(shim->files[file].name, "format");
    } else {
        read_all(disk);
        read_all(disk);
        struct disk_stats stats = stats_of(disk);

        assert_true(stats.bad_checksums + stats.torn + stats.foreign +
                        stats.incomplete + stats.scanned <=
                    10);
        assert_int_equal(body_put(disk, 0, 1000, 5000), ERR_OK);
        disk_close(&disk);
    }
    shim_free(&left);
}

static void
test_bits(void **state)
{
    struct shim *shim = shim_new();
    struct disk *disk = try_open(shim);
    uint64_t seed = 5;
    size_t count = 0;

    (void)state;
    use(disk);
    disk_close(&disk);
    for (int i = 0; i < shim->file_count; i++) {
        uint64_t bits = shim->files[i].size * 8;

        if (shim->files[i].name[0] == '\0' || bits == 0)
            continue;
        for (uint64_t n = 0; n < 600 && n < bits; n++, count++)
            flip(shim, i, bits <= 600 ? n : shim_random(&seed) % bits);
        /* The head and the footer. */
        for (uint64_t n = 0; n < 64 * 8 && n < bits; n += 5, count++) {
            flip(shim, i, n);
            flip(shim, i, bits - 1 - n);
        }
    }
    print_message("%zu bits\n", count);
    shim_free(&shim);
}

/* While it runs: what was good when the store was opened turns bad. */
static void
test_bits_under_way(void **state)
{
    struct shim *shim = shim_new();
    struct disk *disk = try_open(shim);
    uint64_t seed = 6;

    (void)state;
    use(disk);
    for (unsigned i = 0; i < 3000; i++) {
        int file = (int)(shim_random(&seed) % (uint64_t)shim->file_count);
        struct shim_file *f = &shim->files[file];

        if (f->size > 0)
            f->bytes[shim_random(&seed) % f->size] ^= 16;
        if (i % 50 == 0)
            body_put(disk, i % KEYS, 1000 + i, length_of(i));
        body_get(disk, i % KEYS);
    }
    assert_true(stats_of(disk).bad_checksums > 0);
    disk_close(&disk);
    shim_free(&shim);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_short_counts),
        cmocka_unit_test(test_behind_a_hole),
        cmocka_unit_test(test_sync_fails),
        cmocka_unit_test(test_seal_fails),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_bits_under_way),
    };

    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
