/* What a disk store opens, and what it refuses and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/log.h"
#include "disk_fixture.h"

static enum err
open_with(struct shim *shim, uint64_t budget, uint64_t segment,
          const char *said)
{
    struct disk_options options = {"shim", budget, segment, &shim->io};
    struct buf problem = {0};
    struct disk *disk;
    enum err err = disk_open(&options, &disk, &problem);

    if (err != ERR_OK && strstr(problem.data, said) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", problem.data, said);
    buf_fini(&problem);
    disk_close(&disk);
    return err;
}

static void
put_file(struct shim *shim, const char *name, const char *bytes, size_t len)
{
    int file = shim_find(shim, name);

    if (file < 0)
        file = shim_make(shim, name);
    shim_resize(&shim->files[file], 0);
    shim_put(&shim->files[file], bytes, len, 0);
}

static void
test_refused(void **state)
{
    struct shim *shim = shim_new();
    uint64_t good = 8 * BODY_SEGMENT + BODY_OVERHEAD;

    (void)state;
    assert_int_equal(open_with(shim, good, BODY_SEGMENT / 2, "segments"),
                     ERR_CONFIG);
    assert_int_equal(open_with(shim, good, 2 * DISK_SEGMENT_MAX, "segments"),
                     ERR_CONFIG);
    assert_int_equal(
        open_with(shim, 4 * BODY_SEGMENT, BODY_SEGMENT, "too small"),
        ERR_CONFIG);
    assert_int_equal(open_with(shim, good, 0, "too small"), ERR_CONFIG);
    assert_int_equal(
        open_with(shim, 5000 * BODY_SEGMENT, BODY_SEGMENT, "open file"),
        ERR_CONFIG);
    put_file(shim, "holiday.jpg", "x", 1);
    assert_int_equal(open_with(shim, good, BODY_SEGMENT, "holiday.jpg"),
                     ERR_CONFIG);
    shim->files[shim_find(shim, "holiday.jpg")].name[0] = '\0';
    put_file(shim, "segment-00000001", "x", 1);
    assert_int_equal(open_with(shim, good, BODY_SEGMENT, "no file"),
                     ERR_CONFIG);
    shim->files[shim_find(shim, "segment-00000001")].name[0] = '\0';
    assert_int_equal(open_with(shim, good, BODY_SEGMENT, ""), ERR_OK);
    struct shim_file *format = &shim->files[shim_find(shim, "format")];

    format->bytes[20] ^= 1;
    assert_int_equal(open_with(shim, good, BODY_SEGMENT, "damaged"),
                     ERR_CONFIG);
    format->bytes[8]++;
    assert_int_equal(open_with(shim, good, BODY_SEGMENT, "version"),
                     ERR_CONFIG);
    format->bytes[0]++;
    assert_int_equal(open_with(shim, good, BODY_SEGMENT, "not that of a store"),
                     ERR_CONFIG);
    shim_free(&shim);
}

static void
test_foreign(void **state)
{
    struct fixture f = {0};
    struct fixture other = {0};
    char zeros[64] = {0};

    (void)state;
    fixture_open(&f, 8);
    fixture_open(&other, 8);
    uint64_t seed = disk_seed(f.disk);

    assert_true(seed != disk_seed(other.disk));
    assert_int_equal(body_put(f.disk, 1, 1, 5000), ERR_OK);
    assert_int_equal(body_put(other.disk, 2, 1, 5000), ERR_OK);
    disk_close(&f.disk);
    disk_close(&other.disk);
    const struct shim_file *theirs =
        &other.shim->files[shim_find(other.shim, "segment-00000001")];

    /* Those of another store, of nobody, of a crash, and a file that is not
     * even called so; and one of this store under another number. */
    put_file(f.shim, "segment-00000007", theirs->bytes, theirs->size);
    put_file(f.shim, "segment-ffffffff", "hello, world, I am no segment", 29);
    put_file(f.shim, "segment-00000009", zeros, sizeof(zeros));
    put_file(f.shim, "holiday.jpg", "x", 1);
    const struct shim_file *ours =
        &f.shim->files[shim_find(f.shim, "segment-00000001")];

    put_file(f.shim, "segment-00000005", ours->bytes, ours->size);
    fixture_open(&f, 8);
    assert_int_equal(stats_of(f.disk).foreign, 2);
    assert_int_equal(stats_of(f.disk).torn, 3);
    assert_int_equal(stats_of(f.disk).segments, 1);
    assert_int_equal(disk_seed(f.disk), seed);
    assert_int_equal(body_get(f.disk, 1), 1);
    assert_int_equal(body_get(f.disk, 2), 0);
    assert_true(shim_find(f.shim, "holiday.jpg") >= 0);
    assert_true(shim_find(f.shim, "segment-00000007") < 0);
    assert_int_equal(body_put(f.disk, 2, 1, 5000), ERR_OK);
    fixture_fini(&f);
    shim_free(&other.shim);
}

/* The real thing: two openers of one directory, and a restart. */
static void
test_directory(void **state)
{
    char path[] = "/tmp/test_disk_XXXXXX";
    char command[64];
    struct buf problem = {0};
    struct disk *second;

    (void)state;
    assert_non_null(mkdtemp(path));
    struct disk *disk = body_open(NULL, path, 8);

    assert_non_null(disk);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(body_put(disk, i, i + 1, 1000 + 200 * i), ERR_OK);
    struct disk_options options = {path, 8 * BODY_SEGMENT + BODY_OVERHEAD,
                                   BODY_SEGMENT, NULL};

    assert_int_equal(disk_open(&options, &second, &problem), ERR_REFUSED);
    assert_non_null(strstr(problem.data, "another process"));
    assert_non_null(strstr(problem.data, path));
    assert_int_equal(disk_sync(disk, disk_mark(disk)), ERR_OK);
    disk_close(&disk);
    disk = body_open(NULL, path, 8);
    assert_non_null(disk);
    assert_int_equal(body_get(disk, 99), 100);
    assert_int_equal(stats_of(disk).scanned, 0);
    disk_close(&disk);
    /* A directory that cannot be. */
    options.path = "/dev/null/store";
    buf_clear(&problem);
    assert_int_equal(disk_open(&options, &second, &problem), ERR_IO);
    assert_non_null(strstr(problem.data, "/dev/null/store"));
    buf_fini(&problem);
    snprintf(command, sizeof(command), "rm -r %s", path);
    assert_int_equal(system(command), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_directory),
    };

    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
