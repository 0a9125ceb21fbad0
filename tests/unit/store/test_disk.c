/* The disk store as it is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "disk_fixture.h"

static void
test_lengths(void **state)
{
    /* A chunk is 8 KiB with these segments. */
    static const uint64_t lengths[] = {0,     1,     63,    64,     8191,
                                       8192,  8193,  16384, 16385,  65535,
                                       65536, 65537, 90000, 131072, 300000};
    struct fixture f = {0};

    (void)state;
    fixture_open(&f, 64);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
            if (round == 0)
                assert_int_equal(body_put(f.disk, i, i + 1, lengths[i]),
                                 ERR_OK);
            if (body_get(f.disk, i) != i + 1)
                fail_msg("%llu bytes, round %u", (unsigned long long)lengths[i],
                         round);
        }
        assert_int_equal(stats_of(f.disk).records, ARRAY_LEN(lengths));
        disk_close(&f.disk);
        fixture_open(&f, 64);
    }
    assert_int_equal(stats_of(f.disk).scanned, 0);
    fixture_fini(&f);
}

static void
test_replace_and_remove(void **state)
{
    struct fixture f = {0};
    struct body_key key;

    (void)state;
    fixture_open(&f, 8);
    assert_int_equal(body_get(f.disk, 1), 0);
    for (unsigned version = 1; version <= 3; version++)
        assert_int_equal(body_put(f.disk, 1, version, 500), ERR_OK);
    assert_int_equal(body_get(f.disk, 1), 3);
    assert_int_equal(stats_of(f.disk).replaced, 2);
    assert_int_equal(stats_of(f.disk).records, 1);
    for (unsigned i = 2; i < 6; i++)
        assert_int_equal(body_put(f.disk, i, 1, 500), ERR_OK);
    /* Out for good; out until a restart; out, and back by a new one. */
    assert_int_equal(disk_remove(f.disk, body_key(&key, 2), 0, true), ERR_OK);
    assert_int_equal(disk_remove(f.disk, body_key(&key, 3), 0, false), ERR_OK);
    assert_int_equal(
        disk_remove(f.disk, body_key(&key, 4), DISK_VARIANTS_ALL, true),
        ERR_OK);
    assert_int_equal(body_put(f.disk, 4, 2, 600), ERR_OK);
    /* Of another variant, and of what is not there. */
    assert_int_equal(disk_remove(f.disk, body_key(&key, 5), 1, true), ERR_OK);
    assert_int_equal(disk_remove(f.disk, body_key(&key, 9), 0, true), ERR_OK);
    assert_int_equal(stats_of(f.disk).removed, 3);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(body_get(f.disk, 1), 3);
        assert_int_equal(body_get(f.disk, 2), 0);
        assert_int_equal(body_get(f.disk, 3), round);
        assert_int_equal(body_get(f.disk, 4), 2);
        assert_int_equal(body_get(f.disk, 5), 1);
        disk_close(&f.disk);
        fixture_open(&f, 8);
    }
    fixture_fini(&f);
}

static void
put_variant(struct disk *disk, uint64_t variant, const char *meta)
{
    struct disk_write *write;

    assert_int_equal(
        disk_write_begin(disk, SPAN("http://h.test/v"), variant, 0, &write),
        ERR_OK);
    assert_int_equal(disk_write_commit(&write, span_of(meta)), ERR_OK);
}

static bool
meta_starts(const struct disk_record *record, void *arg)
{
    return span_starts(disk_record_meta(record), span_of(arg));
}

static uint64_t
find_meta(struct disk *disk, const char *meta)
{
    struct disk_record *record;
    char copy[16];

    snprintf(copy, sizeof(copy), "%s", meta);
    if (disk_find_by(disk, SPAN("http://h.test/v"), DISK_WAIT, meta_starts,
                     copy, &record) != ERR_OK)
        return 0;
    uint64_t variant = disk_record_variant(record);

    disk_record_unref(&record);
    return variant;
}

static void
test_variants(void **state)
{
    struct fixture f = {0};
    struct disk_record *record;
    uint64_t far = UINT64_C(1) << 40;

    (void)state;
    fixture_open(&f, 8);
    put_variant(f.disk, 1, "br one");
    put_variant(f.disk, 2, "gzip two");
    put_variant(f.disk, far | 3, "br three");
    assert_int_equal(find_meta(f.disk, "br"), far | 3); /* the latest */
    assert_int_equal(find_meta(f.disk, "gzip"), 2);
    assert_int_equal(find_meta(f.disk, "zstd"), 0);
    /* All of the number counts, not only what the index knows. */
    assert_int_equal(
        disk_find(f.disk, SPAN("http://h.test/v"), 3, DISK_WAIT, &record),
        ERR_NOT_FOUND);
    assert_int_equal(
        disk_find(f.disk, SPAN("http://h.test/v"), far | 3, DISK_WAIT, &record),
        ERR_OK);
    disk_record_unref(&record);
    disk_remove(f.disk, SPAN("http://h.test/v"), far | 3, false);
    assert_int_equal(find_meta(f.disk, "br"), 1);
    disk_remove(f.disk, SPAN("http://h.test/v"), DISK_VARIANTS_ALL, true);
    assert_int_equal(find_meta(f.disk, ""), 0);
    fixture_fini(&f);
}

/* Of records of more than one slice, too. */
static void
test_ranges(void **state)
{
    static const uint64_t lengths[] = {3000, 40000, 700000, 3000000};
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct shim *shim = shim_new();
        struct disk_options options = {"shim", (uint64_t)16 << 20,
                                       (uint64_t)2 << 20, &shim->io};
        struct buf problem = {0};
        struct disk *disk;
        uint64_t length = lengths[i];

        assert_int_equal(disk_open(&options, &disk, &problem), ERR_OK);
        assert_int_equal(body_put(disk, 1, 1, length), ERR_OK);
        struct disk_record *record = find(disk, 1);

        check_range(record, 0, (size_t)length);
        check_range(record, length, 0);
        check_range(record, length - 1, 1);
        for (unsigned n = 0; n < 100; n++) {
            uint64_t offset = shim_random(&seed) % length;

            check_range(record, offset,
                        (size_t)(shim_random(&seed) % (length - offset + 1)));
        }
        disk_record_unref(&record);
        disk_close(&disk);
        shim_free(&shim);
    }
}

/* Where sendfile would find it. */
static void
test_body_at(void **state)
{
    struct fixture f = {0};

    (void)state;
    fixture_open(&f, 16);
    for (unsigned version = 1; version < 3; version++) {
        uint64_t length = version == 1 ? 5000 : 50000;

        assert_int_equal(body_put(f.disk, 1, version, length), ERR_OK);
        struct disk_record *record = find(f.disk, 1);

        for (uint64_t offset = 0; offset < length;) {
            uint64_t file_offset;
            uint64_t run;
            int fd;

            assert_int_equal(
                disk_body_at(record, offset, DISK_NOW, &fd, &file_offset, &run),
                ERR_OK);
            assert_true(run > 0 && run <= length - offset);
            assert_true(body_holds(shim_file(f.shim, fd)->bytes + file_offset,
                                   (size_t)run, offset, 1, version));
            offset += run < 3000 ? run : 3000;
        }
        disk_record_unref(&record);
    }
    fixture_fini(&f);
}

static void
test_cold(void **state)
{
    struct fixture f = {0};
    struct disk_record *record;
    struct body_key key;
    char bytes[100];
    uint64_t at, run;
    int fd;

    (void)state;
    fixture_open(&f, 16);
    assert_int_equal(body_put(f.disk, 1, 1, 60000), ERR_OK);
    f.shim->cold = true;
    assert_int_equal(disk_find(f.disk, body_key(&key, 1), 0, DISK_NOW, &record),
                     ERR_AGAIN);
    assert_null(record);
    record = find(f.disk, 1);
    assert_int_equal(disk_read(record, 9000, bytes, 100, DISK_NOW), ERR_AGAIN);
    assert_int_equal(disk_body_at(record, 9000, DISK_NOW, &fd, &at, &run),
                     ERR_AGAIN);
    assert_int_equal(disk_read(record, 9000, bytes, 100, DISK_WAIT), ERR_OK);
    assert_int_equal(stats_of(f.disk).io_errors, 0);
    f.shim->cold = false;
    assert_int_equal(disk_read(record, 9000, bytes, 100, DISK_NOW), ERR_OK);
    disk_record_unref(&record);
    fixture_fini(&f);
}

static void
test_nothing_before_the_commit(void **state)
{
    struct fixture f = {0};
    struct disk_write *write;
    struct body_key key;
    char piece[20000] = {0};

    (void)state;
    fixture_open(&f, 8);
    assert_int_equal(body_put(f.disk, 1, 1, 100), ERR_OK);
    for (unsigned end = 0; end < 3; end++) {
        assert_int_equal(disk_write_begin(f.disk, body_key(&key, 1), 0,
                                          end == 2 ? 20001 : 20000, &write),
                         ERR_OK);
        assert_int_equal(disk_write_append(write, piece, sizeof(piece)),
                         ERR_OK);
        assert_int_equal(body_get(f.disk, 1), 1);
        if (end == 0)
            disk_write_abort(&write);
        else if (end == 1)
            assert_int_equal(disk_remove(f.disk, key.span, 5, true), ERR_OK);
        else
            assert_int_equal(disk_write_commit(&write, SPAN_NONE),
                             ERR_PROTOCOL);
        disk_write_abort(&write);
        assert_null(write);
        assert_int_equal(body_get(f.disk, 1), 1);
    }
    fixture_fini(&f);
}

static void
test_limits(void **state)
{
    struct fixture f = {0};
    struct disk_write *write;
    size_t len = DISK_META_MAX + 1;
    char *big = mem_zalloc(len);

    (void)state;
    fixture_open(&f, 4);
    assert_int_equal(
        disk_write_begin(f.disk, (struct span){big, len}, 0, 1, &write),
        ERR_LIMIT);
    assert_int_equal(
        disk_write_begin(f.disk, SPAN("k"), 0, 3 * BODY_SEGMENT, &write),
        ERR_LIMIT);
    assert_null(write);
    /* Longer than was said, or than the store can hold. */
    assert_int_equal(
        disk_write_begin(f.disk, SPAN("k"), 0, DISK_LENGTH_UNKNOWN, &write),
        ERR_OK);
    assert_int_equal(disk_write_append(write, big, 3 * BODY_SEGMENT),
                     ERR_LIMIT);
    assert_int_equal(disk_write_append(write, big, 1), ERR_LIMIT);
    assert_int_equal(disk_write_commit(&write, SPAN_NONE), ERR_LIMIT);
    /* Meta that is too long, and that does not fit into a segment. */
    assert_int_equal(disk_write_begin(f.disk, SPAN("k"), 0, 0, &write), ERR_OK);
    assert_int_equal(disk_write_commit(&write, (struct span){big, len}),
                     ERR_LIMIT);
    assert_int_equal(disk_write_begin(f.disk, SPAN("k"), 0, 0, &write), ERR_OK);
    assert_int_equal(
        disk_write_commit(&write, (struct span){big, BODY_SEGMENT}), ERR_LIMIT);
    assert_int_equal(stats_of(f.disk).records, 0);
    free(big);
    fixture_fini(&f);
}

static void
test_admission(void **state)
{
    struct fixture f = {0};
    char text[32];

    (void)state;
    fixture_open(&f, 8);
    assert_true(disk_admit(f.disk, SPAN("a"), 100, true));
    assert_false(disk_admit(f.disk, SPAN("b"), 100, false));
    assert_false(disk_admit(f.disk, SPAN("c"), 100, false));
    assert_true(disk_admit(f.disk, SPAN("b"), 100, false));
    assert_false(disk_admit(f.disk, SPAN("b"), 100, false));
    /* Long ago is as good as never. */
    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%u", i);
        assert_false(disk_admit(f.disk, span_of(text), 10000, false));
    }
    assert_false(disk_admit(f.disk, SPAN("c"), 100, false));
    assert_int_equal(stats_of(f.disk).admitted, 2);
    assert_int_equal(stats_of(f.disk).refused, 104);
    fixture_fini(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_replace_and_remove),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_body_at),
        cmocka_unit_test(test_cold),
        cmocka_unit_test(test_nothing_before_the_commit),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_admission),
    };

    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
