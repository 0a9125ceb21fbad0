/*
 * The shelf's parts: shelf.c opens and closes, shelf_ask.c says what is to be
 * written, shelf_write.c writes, shelf_read.c reads, shelf_meta.c knows the
 * form, tx_shelf.c waits for it.
 *
 * Invariants:
 *  H1 All that is put into the log, or lastingly taken out of it, is by one
 *     thread, in the order in which it was asked for.
 *     Of one key that order is the one in which its objects went into memory:
 *     whoever changes them holds the lock of its stripe until he has asked.
 *  H2 While anything is asked for of a key, or its object in memory is being
 *     replaced, `pending` of its bucket is not 0; and then nothing of it is
 *     read. `changes` has moved when something was asked for since.
 *  H3 A record claims no number that the journal has not on the disk.
 *  H4 Whoever replaces an object in memory, or takes it out because it is no
 *     answer any more, has what is on disk of it replaced or removed.
 */
#ifndef ENGINE_SHELF_INTERNAL_H
#define ENGINE_SHELF_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/list.h"
#include "cluster/inval.h"
#include "cluster/journal.h"
#include "engine/shelf.h"
#include "http/key.h"
#include "shelf_meta_internal.h"
#include "store/disk.h"
#include "store/object.h"

#define SHELF_TAG UINT32_C(0x53686c66)
#define SHELF_BUCKETS ((size_t)1 << 16)
#define SHELF_STRIPES 256

struct shelf_bucket {
    _Atomic uint32_t pending;
    _Atomic uint32_t changes;
};

struct shelf {
    TAG_FIELD;
    struct disk *disk;
    struct inval *inval;
    struct journal *journal;
    struct hash128 boot; /* which start of the machine this is */
    _Atomic bool answers;

    /* until it answers */
    const struct streams *streams;
    struct timer *timer;
    uint64_t until_ns;

    struct {
        pthread_mutex_t lock;
        pthread_cond_t more;
        struct list_link items;
        size_t count;
        size_t bytes; /* of the bodies that wait */
        bool ending;
    } queue;
    size_t queue_max; /* bytes */
    pthread_t thread;
    bool running;
    struct shelf_bucket *buckets;
    _Atomic uint32_t turn; /* 1, and one more for each quarter of the log that
                            * has gone: what was on disk then may be no more */
    pthread_mutex_t stripes[SHELF_STRIPES]; /* before any lock of the store */
};

static inline struct shelf_bucket *
shelf_bucket(struct shelf *shelf, const struct key *key)
{
    return &shelf->buckets[key->hash.lo % SHELF_BUCKETS];
}

void shelf_clock(const struct shelf *shelf, struct shelf_clock *clock);

/* ---- writing: any thread; `shelf` NULL: nothing is done ---- */

void shelf_write_start(struct shelf *shelf);
/* When all that was asked for has been done. */
void shelf_write_stop(struct shelf *shelf);

/* Around anything that puts an object of this key into memory, or takes one
 * out for good (H1, H2): for a short time, and never one inside another. */
void shelf_change_begin(struct shelf *shelf, const struct key *key);
void shelf_change_end(struct shelf *shelf, const struct key *key);
/* Inside: this object has been stored. It is written if it is worth that; else
 * what is on disk of the key goes. */
void shelf_stored(struct shelf *shelf, struct object *object);
/* Inside: this one was, in the place of `old`, which a 304 has confirmed. */
void shelf_updated(struct shelf *shelf, struct object *old,
                   struct object *object);
/* Inside: what is stored of the key is no answer any more. The second, outside:
 * with a change of its own around. */
void shelf_drop(struct shelf *shelf, const struct key *key);
void shelf_drop_other(struct shelf *shelf, const struct key *key);

/* It was hit in memory. Writes it if it is not on disk. */
void shelf_put(struct shelf *shelf, struct object *object);
static inline void
shelf_hit(struct shelf *shelf, struct object *object)
{
    if (shelf != NULL &&
        atomic_load_explicit(&object->shelved, memory_order_relaxed) !=
            atomic_load_explicit(&shelf->turn, memory_order_relaxed))
        shelf_put(shelf, object);
}

/* ---- reading ---- */

/* What is read of a record, on any thread, before it becomes an object. */
struct shelf_found {
    struct buf meta;
    struct blob *body; /* NULL: none */
    uint64_t length;
};

/* The record of the key whose variant the request selects, as disk_find_by
 * gives it. */
enum err shelf_find(struct shelf *shelf, const struct key *key,
                    const struct fields *request, enum disk_wait wait,
                    struct disk_record **record);
/* All of it. On an error there is nothing to free. */
enum err shelf_read(struct disk_record *record, enum disk_wait wait,
                    struct shelf_found *found);
/* Both, where it need not wait for the disk; ERR_AGAIN also for one of more
 * than `max` bytes. */
enum err shelf_read_now(struct shelf *shelf, const struct key *key,
                        const struct fields *request, uint64_t max,
                        struct shelf_found *found);
void shelf_found_fini(struct shelf_found *found);

/* An object of what was found, under the number that it may claim here. NULL:
 * it is of no use any more, and its record goes. On a thread known to grace.h.
 * The caller has the reference; it is in no store. */
struct object *shelf_object(struct shelf *shelf, const struct key *key,
                            const struct shelf_found *found);
/* For explain: what there is, where it can be told without waiting. With
 * SHELF_HAS a reference comes. Nothing is counted, nothing goes. */
enum shelf_answer { SHELF_NOTHING, SHELF_UNREAD, SHELF_INVALID, SHELF_HAS };
enum shelf_answer shelf_look(struct shelf *shelf, const struct key *key,
                             const struct fields *request,
                             struct object **object);
/* Whether there may be anything: no I/O. */
bool shelf_may_have(struct shelf *shelf, const struct key *key);

#endif
