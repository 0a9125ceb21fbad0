/*
 * Room in the budget. What is evicted is freed only after a grace period, so
 * an insertion cannot use its bytes at once: the store evicts `slack` bytes
 * ahead. When that was not enough the insertion is refused, and the slack
 * grows; it shrinks while all goes well.
 */
#include "store_internal.h"

#define SLACK_MIN_SHARE 64 /* of the budget */
#define SLACK_MAX_SHARE 4
#define SLACK_DECAY 256 /* insertions in which the surplus falls to 1 / e */
#define FILLS_NUMERATOR 3
#define FILLS_DENOMINATOR 4

size_t
room_slack_min(const struct store *store)
{
    return store->budget / SLACK_MIN_SHARE;
}

size_t
room_live(const struct store *store)
{
    return store->queues[QUEUE_SMALL].bytes + store->queues[QUEUE_MAIN].bytes;
}

/* What is charged and will not go by itself. The order of the loads and of
 * account_free's subtractions makes this too large in a race, never too
 * small. */
static size_t
settled(const struct store *store)
{
    size_t used = atomic_load(&store->account->used);
    size_t waiting = atomic_load(&store->account->waiting);

    return used > waiting ? used - waiting : 0;
}

static void
slack_grow(struct store *store, size_t need)
{
    size_t most = store->budget / SLACK_MAX_SHARE;
    size_t want = store->slack * 2 > need ? store->slack * 2 : need;

    store->slack = want < most ? want : most;
}

static void
slack_shrink(struct store *store)
{
    size_t least = room_slack_min(store);

    if (store->slack > least)
        store->slack -= (store->slack - least) / SLACK_DECAY + 1;
}

bool
room_make(struct store *store, size_t need)
{
    /* Not even an empty index would do: evict nothing in vain. */
    if (settled(store) - room_live(store) + need > store->budget)
        return false;
    while (settled(store) + need + store->slack > store->budget) {
        struct object *victim = queue_victim(store);

        if (victim == NULL)
            break;
        atomic_store(&victim->evicted, true);
        store_take_out(store, victim, true);
        store->evictions++;
        counter_add(COUNTER_STORE_EVICT, 1);
    }
    if (atomic_load(&store->account->used) + need > store->budget) {
        slack_grow(store, need);
        return false;
    }
    slack_shrink(store);
    return true;
}

bool
store_reserve(struct store *store, size_t bytes)
{
    bool ok = false;

    pthread_mutex_lock(&store->mutex);
    size_t most = store->budget / FILLS_DENOMINATOR * FILLS_NUMERATOR;

    if (bytes <= most && store->reserved <= most - bytes)
        ok = room_make(store, bytes);
    if (ok) {
        store->reserved += bytes;
        atomic_fetch_add(&store->account->used, bytes);
    } else {
        store->refusals++;
    }
    pthread_mutex_unlock(&store->mutex);
    return ok;
}

/* Under the mutex. */
void
room_release(struct store *store, size_t bytes)
{
    CHECK(bytes <= store->reserved);
    store->reserved -= bytes;
    atomic_fetch_sub(&store->account->used, bytes);
}

void
store_release(struct store *store, size_t bytes)
{
    pthread_mutex_lock(&store->mutex);
    room_release(store, bytes);
    pthread_mutex_unlock(&store->mutex);
}
