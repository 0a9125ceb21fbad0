/* What the files of the store share. */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <pthread.h>

#include "base/counter.h"
#include "store/store.h"

/*
 * The bytes that are charged to a store. It outlives the store while objects
 * are held: each that was in it counts as a holder, and so does the store.
 *
 * `used` goes up only under the store's mutex, so that a test against the
 * budget there holds until the charge is made; any thread takes off.
 */
struct store_account {
    _Atomic size_t holders;
    _Atomic size_t used;    /* everything */
    _Atomic size_t waiting; /* of that: unreferenced, in a grace period */
};

/* Gives back a holder's part; the last one frees it. */
void account_drop(struct store_account *account);

/* The part of an object's cost that is its body. */
size_t object_body_cost(const struct object *object);

/* A FIFO of objects: new ones in front. */
struct queue {
    struct list_link list;
    size_t bytes;
    size_t count;
};

enum {
    QUEUE_SMALL, /* what is new: a tenth of the bytes */
    QUEUE_MAIN,  /* what was asked for again */
    QUEUE_COUNT
};

#define FREQ_MAX 3

struct store {
    struct table *table; /* by key.hash.lo */
    struct bloom *bloom;
    struct marks *marks;
    struct store_account *account;

    pthread_mutex_t mutex; /* guards the rest, and the objects' own part */
    struct queue queues[QUEUE_COUNT];
    struct ghost *ghost;
    size_t fixed; /* bytes of the store's own tables */
    size_t budget;
    size_t max_object;
    size_t reserved;
    size_t slack; /* bytes kept free for what waits to be freed */
    uint64_t inserts;
    uint64_t evictions;
    uint64_t ghost_hits;
    uint64_t refusals;
};

/* ---- objects of one key (store.c): under the mutex ---- */

struct object *store_object_of(struct table_node *node);
bool store_same_key(const struct object *object, const struct key *key);
bool store_same_variant(const struct object *a, const struct object *b);
/* Puts an object in, in the place of `old` (NULL: nobody's); false: no room. */
bool store_admit(struct store *store, struct object *object,
                 struct object *old);
void store_evict(struct store *store, struct object *object);

/* ---- parts (parts.c): under the mutex ---- */

/* insert, for a part. */
bool parts_insert(struct store *store, struct object *part,
                  struct object *target);
/* Whether a part that was sent later is of another representation. */
bool parts_outdate(struct store *store, const struct object *whole);
/* The whole is in: out with its parts. */
void parts_evict(struct store *store, const struct object *whole);

/* ---- queues (queue.c): under the mutex ---- */

void queue_init(struct store *store);
void queue_put(struct store *store, struct object *object, unsigned queue);
void queue_take(struct store *store, struct object *object);
/* Where an object that is new goes: main when it was evicted lately. */
unsigned queue_choose(struct store *store, const struct object *object);
/* The object that is to go, out of its queue; NULL when there is none. */
struct object *queue_victim(struct store *store);

/* ---- room (room.c): under the mutex ---- */

/* Bytes in the index. */
size_t room_live(const struct store *store);
/* Evicts until `need` more bytes may be charged; false when they may not. */
bool room_make(struct store *store, size_t need);
/* Takes back `bytes` of what fills had reserved. */
void room_release(struct store *store, size_t bytes);
/* The room that is kept free when nothing runs short. */
size_t room_slack_min(const struct store *store);

/* Takes an object that is in no queue any more out of the index, and gives
 * back the store's reference (store.c). */
void store_take_out(struct store *store, struct object *object, bool in_table);

#endif
