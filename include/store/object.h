/*
 * A stored response: one variant of one cache key.
 *
 * Any thread may read an object that it holds a reference to, or that it got
 * from the store and has not yet waited since (base/grace.h). What is not
 * marked otherwise never changes once object_new has returned: a response that
 * was validated is a new object that shares the body of the old one.
 *
 * A part (of a 206) is an object of its own: of one variant there is the whole,
 * or any number of parts, each with its own position and times.
 */
#ifndef STORE_OBJECT_H
#define STORE_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/check.h"
#include "base/grace.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/table.h"
#include "http/caching.h"
#include "http/fields.h"
#include "http/key.h"
#include "http/range.h"
#include "http/vary.h"

struct store_account;

struct object {
    TAG_FIELD;
    _Atomic uint32_t refs; /* 0: nobody may revive it */

    uint64_t serial;         /* unique in this process, never 0 */
    struct key key;          /* its text lives as long as the object */
    struct pack *fields;     /* never NULL */
    struct pack *tag_fields; /* Surrogate-Key and Cache-Tag, which are not among
                              * them: clients do not get these; NULL: none */
    struct vary *vary;       /* what selects this variant; NULL: nothing does */
    struct blob *body;       /* NULL: none */
    uint64_t length;         /* bytes of the body */
    const struct range_part *part; /* the body is this part of a whole, the
                                    * status 206; NULL: it is all of it */
    struct hash128 *tags;   /* of the tags and groups, tag_count of them, in
                             * order (cluster/tag_set.h) */
    struct caching caching; /* what the response said of itself */
    uint32_t tag_count;
    uint16_t status;

    _Atomic bool dead;        /* taken out of the index; never goes back */
    _Atomic bool evicted;     /* for room alone; before it is dead */
    _Atomic uint8_t freq;     /* hits lately, 0 to 3; written only below 3 */
    _Atomic uint32_t shelved; /* when it was seen to be on disk, or went on its
                               * way there (engine/shelf.h); 0: never */

    /* Local invalidation numbers: read before the origin request was sent;
     * and the last one that the object was checked against, and passed. */
    uint64_t position;
    _Atomic uint64_t checked;

    /* Boot clock: when the origin request that made or last validated this
     * was sent (the validated_at of the consistency rules), and when the head
     * of its response came. */
    uint64_t sent_ns;
    uint64_t received_ns;

    /* The store's own: under its mutex, but for `defer`, which is used when
     * the last reference has gone. */
    struct table_node node;
    union {
        struct list_link link;
        struct grace_defer defer;
    };
    struct store_account *account; /* NULL: was never in a store */
    size_t cost;                   /* bytes charged for it */
    uint8_t queue;
};

/* What object_new is made from. */
struct object_spec {
    const struct key *key; /* copied, its text too */
    unsigned status;
    struct pack *fields;           /* a reference is taken */
    struct pack *tag_fields;       /* likewise; may be NULL */
    struct vary **vary;            /* consumed; NULL, or of NULL: none */
    struct blob *body;             /* a reference is taken; may be NULL */
    uint64_t length;               /* of the body */
    const struct range_part *part; /* copied; NULL: it is whole */
    const struct hash128 *tags;    /* copied */
    size_t tag_count;
    const struct caching *caching; /* copied */
    uint64_t position;             /* also the first `checked` */
    uint64_t sent_ns;
    uint64_t received_ns;
};

/* The caller holds the one reference. */
struct object *object_new(const struct object_spec *spec);

/* A copy of what selects the object, for its update (spec.vary); NULL: none. */
struct vary *object_vary_copy(const struct object *object);

/* For those who hold a reference, or got the object from store_find and have
 * found by object_try_ref that it lives. */
struct object *object_ref(struct object *object);
/* For a borrowed object: false when the last reference has gone. It may be
 * read until the thread waits all the same, but not be kept. */
bool object_try_ref(struct object *object);
/* The last one frees it, after a grace period when it was in a store. From
 * threads that are registered for grace periods. NULL is ignored. */
void object_unref(struct object **object);

/* Bytes that the object costs: struct, key, tags, fields, vary, body, each with
 * what the allocator rounds it up to. For an object that is not in a store yet;
 * in one, the store charges what it had on insertion. */
size_t object_cost(const struct object *object);

/* The last number at which the object was known to be valid. */
static inline uint64_t
object_checked(const struct object *object)
{
    return atomic_load_explicit(&object->checked, memory_order_relaxed);
}

/* That it is (still) in the index. */
static inline bool
object_alive(const struct object *object)
{
    return !atomic_load_explicit(&object->dead, memory_order_acquire);
}

#endif
