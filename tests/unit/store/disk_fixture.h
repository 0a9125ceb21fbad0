/* A store on a disk in memory, for the tests of it. After cmocka.h. */
#ifndef TEST_STORE_DISK_FIXTURE_H
#define TEST_STORE_DISK_FIXTURE_H

#include "disk_bodies.h"
#include "disk_power.h"

struct fixture {
    struct shim *shim;
    struct disk *disk;
};

static inline void
fixture_open(struct fixture *f, unsigned segments)
{
    if (f->shim == NULL)
        f->shim = shim_new();
    f->disk = body_open(&f->shim->io, "shim", segments);
    assert_non_null(f->disk);
}

static inline void
fixture_fini(struct fixture *f)
{
    disk_close(&f->disk);
    shim_free(&f->shim);
}

static inline struct disk_stats
stats_of(struct disk *disk)
{
    struct disk_stats stats;

    disk_stats(disk, &stats);
    return stats;
}

static inline struct disk_record *
find(struct disk *disk, unsigned key)
{
    struct disk_record *record;
    struct body_key k;

    assert_int_equal(disk_find(disk, body_key(&k, key), 0, DISK_WAIT, &record),
                     ERR_OK);
    return record;
}

static inline void
check_range(struct disk_record *record, uint64_t offset, size_t len)
{
    char *bytes = mem_alloc(len);

    assert_int_equal(disk_read(record, offset, bytes, len, DISK_WAIT), ERR_OK);
    assert_true(body_holds(bytes, len, offset, 1, 1));
    assert_int_equal(disk_read(record, offset, NULL, len, DISK_NOW), ERR_OK);
    free(bytes);
}

#endif
