#include "fetch/flight.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/watcher.h"

#define FLIGHT_TAG 0x464c4954u
#define SHARDS 64
#define BUCKETS 64

/* Open flights of one bucket, the oldest first; of one key there are few. */
struct shard {
    pthread_mutex_t mutex;
    size_t count;
    struct list_link buckets[BUCKETS];
};

struct flight_table {
    _Atomic uint64_t sent; /* the last number given */
    struct shard shards[SHARDS];
};

struct flight_table *
flight_table_new(void)
{
    struct flight_table *table = mem_zalloc(sizeof(*table));

    for (size_t s = 0; s < SHARDS; s++) {
        CHECK(pthread_mutex_init(&table->shards[s].mutex, NULL) == 0);
        for (size_t b = 0; b < BUCKETS; b++)
            list_init(&table->shards[s].buckets[b]);
    }
    return table;
}

void
flight_table_free(struct flight_table **table)
{
    if (*table == NULL)
        return;
    CHECK(flight_count(*table) == 0);
    for (size_t s = 0; s < SHARDS; s++)
        pthread_mutex_destroy(&(*table)->shards[s].mutex);
    free(*table);
    *table = NULL;
}

static struct shard *
shard_of(struct flight_table *table, struct hash128 key)
{
    return &table->shards[key.lo % SHARDS];
}

static struct list_link *
bucket_of(struct shard *shard, struct hash128 key)
{
    return &shard->buckets[(key.lo / SHARDS) % BUCKETS];
}

void
flight_init(struct flight *flight, struct watcher *owner,
            void (*release)(struct flight *flight))
{
    TAG_SET(flight, FLIGHT_TAG);
    atomic_init(&flight->refs, 1);
    atomic_init(&flight->state, FLIGHT_WAITING);
    atomic_init(&flight->number, 0);
    flight->release = release;
    flight->owner = owner == NULL ? NULL : watcher_ref(owner);
    flight->table = NULL;
    flight->open = false;
    flight->held_back = false;
    list_init(&flight->link);
    list_init(&flight->waiters);
    CHECK(pthread_mutex_init(&flight->waiters_mutex, NULL) == 0);
}

void
flight_fini(struct flight *flight)
{
    TAG_CHECK(flight, FLIGHT_TAG);
    CHECK(atomic_load(&flight->refs) == 0);
    CHECK(!flight->open && list_empty(&flight->waiters));
    watcher_unref(&flight->owner);
    pthread_mutex_destroy(&flight->waiters_mutex);
    TAG_CLEAR(flight);
}

/* The newest open flight of the key in this state, or NULL. */
static struct flight *
find_state(struct shard *shard, struct hash128 key, enum flight_state state)
{
    struct flight *flight;
    struct flight *found = NULL;

    list_for_each (flight, bucket_of(shard, key), link) {
        if (hash_eq(flight->key, key) &&
            atomic_load_explicit(&flight->state, memory_order_relaxed) == state)
            found = flight;
    }
    return found;
}

static void
check_one(struct shard *shard, struct flight *flight)
{
    enum flight_state state = atomic_load(&flight->state);
    struct flight *sent = find_state(shard, flight->key, FLIGHT_SENT);
    struct flight *waiting = find_state(shard, flight->key, FLIGHT_WAITING);

    TAG_CHECK(flight, FLIGHT_TAG);
    CHECK(flight->open && state != FLIGHT_ENDED);        /* F4 */
    CHECK(atomic_load(&flight->refs) > 0);               /* F4 */
    CHECK(state != FLIGHT_SENT || flight == sent);       /* F1 */
    CHECK(state != FLIGHT_WAITING || flight == waiting); /* F2 */
    CHECK(flight->held_back ==
          (state == FLIGHT_WAITING && sent != NULL)); /* F3 */
    CHECK((atomic_load(&flight->number) == 0) ==
          (state == FLIGHT_WAITING)); /* F5 */
}

/* Puts a new flight into the table, with a reference for the caller. */
static struct flight *
insert(struct flight_table *table, struct hash128 key, struct flight *flight,
       bool held_back)
{
    struct shard *shard = shard_of(table, key);

    TAG_CHECK(flight, FLIGHT_TAG);
    CHECK(atomic_load(&flight->refs) == 1);
    CHECK(!held_back || flight->owner != NULL);
    flight->table = table;
    flight->key = key;
    flight->open = true;
    flight->held_back = held_back;
    list_push_back(bucket_of(shard, key), &flight->link);
    shard->count++;
    check_one(shard, flight);
    return flight_ref(flight);
}

struct flight *
flight_join(struct flight_table *table, struct hash128 key, flight_make_fn make,
            void *ctx, enum flight_role *role)
{
    static const enum flight_state wanted[] = {FLIGHT_HEAD, FLIGHT_SENT,
                                               FLIGHT_WAITING};
    struct shard *shard = shard_of(table, key);
    struct flight *flight = NULL;

    pthread_mutex_lock(&shard->mutex);
    for (size_t i = 0; i < ARRAY_LEN(wanted) && flight == NULL; i++)
        flight = find_state(shard, key, wanted[i]);
    *role = flight != NULL ? FLIGHT_JOINED : FLIGHT_LEAD;
    if (flight != NULL)
        flight_ref(flight);
    else
        flight = insert(table, key, make(ctx), false);
    pthread_mutex_unlock(&shard->mutex);
    return flight;
}

struct flight *
flight_join_strict(struct flight_table *table, struct hash128 key,
                   flight_make_fn make, void *ctx, enum flight_role *role)
{
    struct shard *shard = shard_of(table, key);

    pthread_mutex_lock(&shard->mutex);
    struct flight *flight = find_state(shard, key, FLIGHT_WAITING);

    if (flight != NULL) {
        *role = FLIGHT_JOINED;
        flight_ref(flight);
    } else {
        bool later = find_state(shard, key, FLIGHT_SENT) != NULL;

        *role = later ? FLIGHT_LEAD_LATER : FLIGHT_LEAD;
        flight = insert(table, key, make(ctx), later);
    }
    pthread_mutex_unlock(&shard->mutex);
    return flight;
}

bool
flight_running(struct flight_table *table, struct hash128 key)
{
    struct shard *shard = shard_of(table, key);
    bool found = false;
    struct flight *flight;

    pthread_mutex_lock(&shard->mutex);
    list_for_each (flight, bucket_of(shard, key), link) {
        found = found || hash_eq(flight->key, key);
    }
    pthread_mutex_unlock(&shard->mutex);
    return found;
}

struct flight *
flight_ref(struct flight *flight)
{
    TAG_CHECK(flight, FLIGHT_TAG);
    CHECK(atomic_fetch_add_explicit(&flight->refs, 1, memory_order_relaxed) >
          0);
    return flight;
}

void
flight_unref(struct flight **flight)
{
    struct flight *f = *flight;

    *flight = NULL;
    if (f == NULL)
        return;
    TAG_CHECK(f, FLIGHT_TAG);

    unsigned before = atomic_fetch_sub(&f->refs, 1);

    CHECK(before > 0);
    if (before == 1)
        f->release(f);
}

enum flight_state
flight_state(const struct flight *flight)
{
    return atomic_load_explicit(&flight->state, memory_order_acquire);
}

uint64_t
flight_number(const struct flight *flight)
{
    return atomic_load_explicit(&flight->number, memory_order_acquire);
}

/* ---- waiting ---- */

void
flight_wait(struct flight *flight, struct flight_waiter *waiter,
            struct watcher *watcher)
{
    TAG_CHECK(flight, FLIGHT_TAG);
    CHECK(waiter->watcher == NULL);
    waiter->watcher = watcher_ref(watcher);
    pthread_mutex_lock(&flight->waiters_mutex);
    list_push_back(&flight->waiters, &waiter->link);
    pthread_mutex_unlock(&flight->waiters_mutex);
}

void
flight_unwait(struct flight *flight, struct flight_waiter *waiter)
{
    if (waiter->watcher == NULL)
        return;
    TAG_CHECK(flight, FLIGHT_TAG);
    pthread_mutex_lock(&flight->waiters_mutex);
    list_remove(&waiter->link);
    pthread_mutex_unlock(&flight->waiters_mutex);
    watcher_unref(&waiter->watcher);
}

void
flight_wake(struct flight *flight)
{
    struct flight_waiter *waiter;

    TAG_CHECK(flight, FLIGHT_TAG);
    pthread_mutex_lock(&flight->waiters_mutex);
    list_for_each (waiter, &flight->waiters, link) {
        watcher_wake(waiter->watcher);
    }
    pthread_mutex_unlock(&flight->waiters_mutex);
}

/* ---- the owner's ---- */

static struct shard *
lock_of(struct flight *flight)
{
    TAG_CHECK(flight, FLIGHT_TAG);
    CHECK(flight->table != NULL);

    struct shard *shard = shard_of(flight->table, flight->key);

    pthread_mutex_lock(&shard->mutex);
    return shard;
}

static void
set_state(struct flight *flight, enum flight_state state)
{
    atomic_store_explicit(&flight->state, state, memory_order_release);
}

/* Nothing of the key is SENT any more: the batch that was held back may go.
 * The owner is woken under the lock, while the flight cannot vanish. */
static void
let_next_go(struct shard *shard, struct hash128 key)
{
    struct flight *next = find_state(shard, key, FLIGHT_WAITING);

    if (next == NULL || !next->held_back)
        return;
    CHECK(find_state(shard, key, FLIGHT_SENT) == NULL);
    next->held_back = false;
    watcher_wake(next->owner);
    check_one(shard, next);
}

/* Takes it out of the table; the next batch may go if this one stood before
 * it. A flight that was held back itself no longer is. */
static void
close_locked(struct shard *shard, struct flight *flight)
{
    if (!flight->open)
        return;
    check_one(shard, flight);
    list_remove(&flight->link);
    shard->count--;
    flight->open = false;
    flight->held_back = false;
    if (atomic_load(&flight->state) == FLIGHT_SENT)
        let_next_go(shard, flight->key);
}

bool
flight_may_send(struct flight *flight)
{
    struct shard *shard = lock_of(flight);
    bool may =
        atomic_load(&flight->state) == FLIGHT_WAITING && !flight->held_back;

    pthread_mutex_unlock(&shard->mutex);
    return may;
}

uint64_t
flight_sent(struct flight *flight)
{
    struct shard *shard = lock_of(flight);
    uint64_t number = atomic_fetch_add(&flight->table->sent, 1) + 1;

    CHECK(atomic_load(&flight->state) == FLIGHT_WAITING);
    CHECK(!flight->held_back);
    atomic_store_explicit(&flight->number, number, memory_order_release);
    set_state(flight, FLIGHT_SENT);
    if (flight->open)
        check_one(shard, flight);
    pthread_mutex_unlock(&shard->mutex);
    return number;
}

void
flight_publish(struct flight *flight)
{
    struct shard *shard = lock_of(flight);

    CHECK(atomic_load(&flight->state) == FLIGHT_SENT);
    set_state(flight, FLIGHT_HEAD);
    if (flight->open)
        let_next_go(shard, flight->key);
    pthread_mutex_unlock(&shard->mutex);
    flight_wake(flight);
}

void
flight_close(struct flight *flight)
{
    struct shard *shard = lock_of(flight);

    close_locked(shard, flight);
    pthread_mutex_unlock(&shard->mutex);
}

bool
flight_close_unwanted(struct flight *flight)
{
    struct shard *shard = lock_of(flight);
    /* New references are given under this lock, or by those who hold one. */
    bool unwanted = atomic_load(&flight->refs) == 1;

    if (unwanted)
        close_locked(shard, flight);
    pthread_mutex_unlock(&shard->mutex);
    return unwanted;
}

void
flight_end(struct flight **flight)
{
    struct flight *f = *flight;

    if (f == NULL)
        return;

    struct shard *shard = lock_of(f);

    CHECK(atomic_load(&f->state) != FLIGHT_ENDED);
    close_locked(shard, f);
    set_state(f, FLIGHT_ENDED);
    pthread_mutex_unlock(&shard->mutex);
    flight_wake(f);
    flight_unref(flight);
}

/* ---- looking at the table ---- */

size_t
flight_count(struct flight_table *table)
{
    size_t count = 0;

    for (size_t s = 0; s < SHARDS; s++) {
        pthread_mutex_lock(&table->shards[s].mutex);
        count += table->shards[s].count;
        pthread_mutex_unlock(&table->shards[s].mutex);
    }
    return count;
}

void
flight_sanity(struct flight_table *table)
{
    struct flight *flight;

    for (size_t s = 0; s < SHARDS; s++) {
        struct shard *shard = &table->shards[s];
        size_t count = 0;

        pthread_mutex_lock(&shard->mutex);
        for (size_t b = 0; b < BUCKETS; b++) {
            list_for_each (flight, &shard->buckets[b], link) {
                check_one(shard, flight);
                count++;
            }
        }
        CHECK(count == shard->count);
        pthread_mutex_unlock(&shard->mutex);
    }
}
