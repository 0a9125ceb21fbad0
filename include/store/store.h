/*
 * The RAM store: an index that is read without locks, and a byte budget that
 * is kept by size-aware S3-FIFO (Yang and others, "FIFO queues are all you
 * need for cache eviction", SOSP 2023).
 *
 * Any thread that is registered for grace periods. A hit takes no lock and
 * writes nothing but a counter of the object, and that only until it is 3.
 * Everything that changes the store takes one mutex, for a short time: an
 * insertion may make a bounded number of evictions.
 *
 * The budget counts what objects cost, the store's own tables, reservations
 * of running fills, and objects that were taken out but are still held by
 * somebody or wait for their grace period. The sum never exceeds it. So the
 * store keeps a little room (a sixty-fourth, more while room runs out) for
 * what waits to be freed, and refuses an object when that is not enough.
 *
 * What it does not do: decide whether an object is fresh or valid, or whether
 * a response may be stored. Nor does it keep anything on disk: disk.h does.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "store/object.h"

struct bloom;
struct fields;
struct key;
struct store;

/* Budgets below this are taken as this. */
#define STORE_BUDGET_MIN ((size_t)64 * 1024)

/* At most this many variants of one key are kept: those that are asked for,
 * then the latest ones. */
#define STORE_VARIANTS_MAX 64

/* `budget` in bytes; an object that costs more than `max_object` (0: no such
 * bound), or more than half the budget, is not stored. */
struct store *store_new(size_t budget, size_t max_object);
/* Nobody may use the store any more. Objects that others hold live on. Waits
 * for a grace period. */
void store_free(struct store **store);
/* New bounds; evicts at once what no longer fits. The store's own tables
 * (index, bloom filter, ghost, uncacheable marks) keep the size that the first
 * budget gave them. */
void store_resize(struct store *store, size_t budget, size_t max_object);

/* ---- reading: no locks ---- */

/*
 * The variant that `request` selects (RFC 9111 section 4.1); of several the
 * one whose origin request was sent last. Counts as a hit for eviction.
 * Borrowed: valid until the thread next waits; object_try_ref keeps it longer.
 * NULL: a miss; then *other_variants (may be NULL) says whether the key has
 * variants that the request does not select.
 */
struct object *store_find(struct store *store, const struct key *key,
                          const struct fields *request, bool *other_variants);

/* Of the whole variants of a key for which `fits` says so, the one whose origin
 * request was sent last. Borrowed, as above; counts as a hit. NULL: none. */
struct object *store_find_by(struct store *store, const struct key *key,
                             bool (*fits)(const struct object *object,
                                          const struct fields *request),
                             const struct fields *request);

/* The most parts of one key that are kept: the latest ones. */
#define STORE_PARTS_MAX 32

/* The parts that `request` selects, of a variant that is not stored whole, in
 * no order: at most STORE_PARTS_MAX of them, borrowed. How many. store_find
 * never gives a part. */
size_t store_parts(struct store *store, const struct key *key,
                   const struct fields *request,
                   struct object *parts[STORE_PARTS_MAX]);
/* A part of those answers a request: counts as a hit for eviction. */
void store_hit(struct object *object);

/* The keys that are stored whole: for digests. Lives as long as the store. */
struct bloom *store_bloom(struct store *store);

/* ---- changing ---- */

/*
 * Puts an object in. Consumes the caller's reference, and `reserved` bytes
 * that store_reserve gave for it (0: none). It takes the place of the stored
 * object of the same key and variant, unless that one was sent later: a late
 * fill never replaces a newer one. A whole takes the place of all parts of its
 * variant; a part that of all which it covers, and which have another entity
 * tag; no part is stored where the whole is. False when it was not stored: for
 * that reason, or because it is too large or room could not be made at once. To
 * go on using the object, take a reference before.
 */
bool store_insert(struct store *store, struct object **object, size_t reserved);

/*
 * As store_insert, for an object that is an update of `old` (a 304): it takes
 * the place of exactly that one while that is still in, even when the fields
 * that select the variant have changed; a body that both share is charged
 * once. When `old` is out, it takes the place of what took that one's, as
 * store_insert does; when nothing did, `old` was taken out for a reason that
 * holds for the update too (a newer answer was not to be stored), and it is not
 * stored.
 */
bool store_replace(struct store *store, struct object *old,
                   struct object **object);

/* Takes one object out; false when it was out already. */
bool store_remove(struct store *store, struct object *object);
/* Takes out all variants of a key; how many there were. */
size_t store_remove_key(struct store *store, const struct key *key);

/* ---- room for running fills ---- */

/* Charges `bytes` more to the budget, and evicts to make room. False, and
 * nothing charged, when room cannot be made at once, or fills would hold more
 * than three quarters of the budget. */
bool store_reserve(struct store *store, size_t bytes);
void store_release(struct store *store, size_t bytes);

/* ---- hit-for-miss ---- */

/* Remembers until `until_ns` (boot clock, rounded up to 1/8 s) that the
 * answers of a key cannot be shared. A bounded table: old marks give way. */
void store_mark_uncacheable(struct store *store, struct hash128 key,
                            uint64_t until_ns);
/* No lock. May be wrong for a key that was not marked, once in 2^30. */
bool store_uncacheable(struct store *store, struct hash128 key,
                       uint64_t now_ns);

/* ---- numbers ---- */

struct store_stats {
    size_t budget;
    size_t bytes;    /* all that is charged now; <= budget */
    size_t reserved; /* of that, by running fills */
    size_t objects;
    size_t dying; /* bytes out of the index, not freed yet */
    uint64_t inserts;
    uint64_t evictions;
    uint64_t ghost_hits; /* inserts that came back soon after eviction */
    uint64_t refusals;   /* inserts and reservations without room */
};

void store_stats(struct store *store, struct store_stats *stats);

#endif
