/*
 * Many threads in one store, on a real file system: they write, read, remove
 * and sync while segments roll and go. Nothing that is read is wrong; of two
 * versions a thread never sees the older one after the newer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "disk_bodies.h"
#include "store/disk_internal.h"

#define THREADS 6
#define ROUNDS 400
#define KEYS 16 /* of each thread; and as many that all write */
#define SEGMENTS 8

struct worker {
    pthread_t thread;
    struct disk *disk;
    unsigned number;
    unsigned latest[KEYS]; /* of its own keys; 0: removed */
    uint64_t seed;
};

static uint64_t
dice(struct worker *worker)
{
    worker->seed = worker->seed * UINT64_C(6364136223846793005) + 1442695041;
    return worker->seed >> 33;
}

static void
own_key(struct worker *worker, unsigned version)
{
    unsigned i = (unsigned)(dice(worker) % KEYS);
    unsigned key = (worker->number + 1) * 100 + i;
    uint64_t length = dice(worker) % (dice(worker) % 8 ? 4000 : 30000);
    struct body_key k;
    unsigned found;

    switch (dice(worker) % 4) {
    case 0:
        if (body_put(worker->disk, key, version, length) == ERR_OK)
            worker->latest[i] = version;
        break;
    case 1:
        if (dice(worker) % 4 == 0) {
            disk_remove(worker->disk, body_key(&k, key), 0,
                        dice(worker) % 2 == 0);
            worker->latest[i] = 0;
        }
        break;
    default:
        found = body_get(worker->disk, key);
        CHECK(found == 0 || found == worker->latest[i]);
    }
}

static void *
work(void *arg)
{
    struct worker *worker = arg;
    struct body_key k;

    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned key = (unsigned)(dice(worker) % KEYS);
        /* Versions of what all write are of one writer each. */
        unsigned version = round * THREADS + worker->number;

        own_key(worker, round);
        if (round % 3 == 0)
            body_put(worker->disk, key, version, dice(worker) % 9000);
        body_get(worker->disk, (unsigned)(dice(worker) % KEYS));
        if (round % 50 == 0)
            disk_sync(worker->disk, disk_mark(worker->disk));
        if (round % 70 == 0)
            disk_remove(worker->disk, body_key(&k, key), DISK_VARIANTS_ALL,
                        true);
        if (round % 10 == 0)
            disk_sanity(worker->disk);
    }
    return NULL;
}

static void
test_threads(void **state)
{
    char path[] = "/tmp/test_disk_XXXXXX";
    char command[64];
    struct worker workers[THREADS] = {0};
    unsigned found[(THREADS + 1) * 100 + KEYS];
    struct disk_stats stats;

    (void)state;
    assert_non_null(mkdtemp(path));
    struct disk *disk = body_open(NULL, path, SEGMENTS);

    assert_non_null(disk);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].disk = disk;
        workers[i].number = i;
        workers[i].seed = i + 1;
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    disk_stats(disk, &stats);
    assert_true(stats.evicted_segments > 10);
    assert_true(stats.reinserted > 10);
    assert_int_equal(stats.bad_checksums, 0);
    assert_int_equal(stats.io_errors, 0);
    for (unsigned key = 0; key < ARRAY_LEN(found); key++)
        found[key] = body_get(disk, key);
    disk_close(&disk);
    /* A restart brings what was there, but for removals that do not last. */
    disk = body_open(NULL, path, SEGMENTS);
    assert_non_null(disk);
    for (unsigned key = 0; key < ARRAY_LEN(found); key++) {
        unsigned version = body_get(disk, key);

        if (version != found[key] && found[key] != 0)
            fail_msg("key %u: %u, was %u", key, version, found[key]);
    }
    disk_close(&disk);
    snprintf(command, sizeof(command), "rm -r %s", path);
    assert_int_equal(system(command), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
