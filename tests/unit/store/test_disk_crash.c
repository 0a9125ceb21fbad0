/*
 * Power failures: a store is used on a disk that remembers every change; then,
 * for each number of changes, it is opened as a failure after them leaves it,
 * with what was not synced lost, kept, or anything between. What was committed
 * before a sync is there, unless it was evicted; what was removed before it is
 * not; nothing is ever wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "disk_bodies.h"
#include "disk_power.h"
#include "store/disk_internal.h"

#define KEYS 12
#define ACTIONS 300

/* A commit (version) or a removal (0) of a key, and the changes to the disk
 * that there were before and after it. */
struct event {
    unsigned key;
    unsigned version;
    size_t begin;
    size_t end;
};

struct sync {
    size_t events; /* before it */
    size_t end;    /* changes to the disk when it returned */
    bool there[KEYS];
};

struct history {
    struct shim *shim;
    struct event events[ACTIONS];
    size_t event_count;
    struct sync syncs[ACTIONS];
    size_t sync_count;
};

static bool
in_index(struct disk *disk, unsigned key)
{
    struct body_key k;
    struct disk_slot slot;
    struct span text = body_key(&k, key);

    return disk_index_get(disk->index, hash_bytes(text, disk->super.seed).hi, 0,
                          &slot);
}

static void
do_sync(struct history *history, struct disk *disk)
{
    struct sync *sync = &history->syncs[history->sync_count++];

    sync->events = history->event_count;
    assert_int_equal(disk_sync(disk, disk_mark(disk)), ERR_OK);
    sync->end = history->shim->op_count;
    for (unsigned key = 0; key < KEYS; key++)
        sync->there[key] = in_index(disk, key);
}

static void
do_event(struct history *history, struct disk *disk, unsigned action,
         uint64_t *seed)
{
    struct event *event = &history->events[history->event_count++];
    uint64_t dice = shim_random(seed);
    struct body_key key;

    event->key = (unsigned)(dice % KEYS);
    event->begin = history->shim->op_count;
    if (dice >> 8 & 7) {
        uint64_t most = dice >> 16 & 3 ? 6000 : 40000;

        event->version = action + 1;
        assert_int_equal(
            body_put(disk, event->key, event->version, (dice >> 20) % most),
            ERR_OK);
    } else {
        assert_int_equal(disk_remove(disk, body_key(&key, event->key), 0, true),
                         ERR_OK);
    }
    event->end = history->shim->op_count;
}

static void
use_store(struct history *history, unsigned segments, uint64_t seed)
{
    struct disk *disk = body_open(&history->shim->io, "shim", segments);

    assert_non_null(disk);
    for (unsigned action = 0; action < ACTIONS; action++) {
        uint64_t dice = shim_random(&seed) % 16;

        if (dice == 0)
            do_sync(history, disk);
        else if (dice < 4)
            body_get(disk, (unsigned)(shim_random(&seed) % KEYS));
        else
            do_event(history, disk, action, &seed);
        assert_true(shim_used(history->shim) <=
                    segments * BODY_SEGMENT + BODY_OVERHEAD);
    }
    disk_close(&disk);
}

static bool
unlinked(const struct shim *shim, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (shim->ops[i].call == SHIM_UNLINK)
            return true;
    }
    return false;
}

/* Whether `version` (0: none) may be what a failure after `count` changes
 * leaves of a key. */
static bool
may_be(const struct history *history, size_t count, unsigned key,
       unsigned version)
{
    const struct sync *sync = NULL;
    bool none = true; /* there was nothing durable of it */
    bool durable_is = version == 0;

    for (size_t i = 0; i < history->sync_count; i++) {
        if (history->syncs[i].end <= count)
            sync = &history->syncs[i];
    }
    size_t durable = sync != NULL ? sync->events : 0;

    for (size_t i = 0; i < durable; i++) {
        if (history->events[i].key != key)
            continue;
        none = history->events[i].version == 0;
        durable_is = history->events[i].version == version;
    }
    if (durable_is)
        return true;
    for (size_t i = durable; i < history->event_count; i++) {
        const struct event *event = &history->events[i];

        if (event->key == key && event->begin <= count &&
            event->version == version)
            return true;
    }
    if (version != 0 || none)
        return version == 0;
    /* It was there, but may have been evicted. */
    return !sync->there[key] || unlinked(history->shim, sync->end, count);
}

/* What is being looked at. */
struct failure {
    const struct history *history;
    size_t count; /* changes before the first failure */
    unsigned segments;
    enum shim_fate fate;
    uint64_t seed;
};

/* Opens what is left after a failure; `before`: and after another one, which
 * had `changes` of its own behind it. Looks at it, and goes on with it. Gives
 * the disk. */
static struct shim *
check_after(const struct failure *failure, const struct shim *before,
            size_t changes)
{
    struct shim *left =
        shim_crash(before, changes, failure->fate, failure->seed);
    bool second = before != failure->history->shim;
    unsigned was[KEYS];

    for (unsigned round = 0; round < 2; round++) {
        struct disk *disk = body_open(&left->io, "shim", failure->segments);
        /* What goes on may evict. */
        bool evicted = unlinked(left, 0, left->op_count) ||
                       (second && unlinked(before, 0, changes));

        assert_non_null(disk);
        for (unsigned key = 0; key < KEYS; key++) {
            unsigned version = body_get(disk, key);

            if (!may_be(failure->history, failure->count, key, version) &&
                !(version == 0 && evicted))
                fail_msg("after %zu changes (fate %d, seed %llu, round %u): "
                         "key %u has version %u",
                         failure->count, (int)failure->fate,
                         (unsigned long long)failure->seed, round, key,
                         version);
            /* And what one start finds the next one does. */
            if (round > 0 && !(version == 0 && evicted))
                assert_int_equal(version, was[key]);
            was[key] = version;
        }
        if (round == 0)
            assert_int_equal(body_put(disk, KEYS, 1, 5000), ERR_OK);
        else
            assert_int_equal(body_get(disk, KEYS), 1);
        disk_close(&disk);
        assert_true(shim_used(left) <=
                    failure->segments * BODY_SEGMENT + BODY_OVERHEAD);
    }
    return left;
}

static void
check_all(unsigned segments, uint64_t seed)
{
    struct history *history = mem_zalloc(sizeof(*history));

    history->shim = shim_new();
    use_store(history, segments, seed);
    for (size_t count = 0; count <= history->shim->op_count; count++) {
        for (enum shim_fate fate = SHIM_LOST; fate <= SHIM_MIXED; fate++) {
            struct failure failure = {history, count, segments, fate, count};
            struct shim *left = check_after(&failure, history->shim, count);

            /* Another failure, while that one was recovered from. */
            if (count % 4 == 0 && fate == SHIM_MIXED) {
                size_t again = shim_random(&seed) % (left->op_count + 1);
                struct shim *twice = check_after(&failure, left, again);

                shim_free(&twice);
            }
            shim_free(&left);
        }
    }
    print_message("%u segments: %zu events, %zu syncs, %zu changes\n", segments,
                  history->event_count, history->sync_count,
                  history->shim->op_count);
    shim_free(&history->shim);
    free(history);
}

static void
test_all_is_kept(void **state)
{
    (void)state;
    check_all(64, 1);
}

static void
test_with_eviction(void **state)
{
    (void)state;
    check_all(5, 2);
    check_all(5, 3);
    check_all(4, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_kept),
        cmocka_unit_test(test_with_eviction),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
