/*
 * The tables of invalidations. inval.c writes, inval_check.c reads them,
 * inval_position.c keeps what seq and vectors have to do with each other,
 * inval_restore.c makes them again after a restart.
 *
 * Invariants, kept by the control thread:
 *  1. Every mark (hard, soft, local) of a node is at most `next`; it is stored
 *     before `seq` reaches it.
 *  2. seq <= next; floor <= next; none of the three goes back.
 *  3. An entry that is in no table is at most `floor`; a hard one at most
 *     `all.hard`, too.
 *  4. The snapshot's vector has exactly the entries up to the snapshot's seq.
 *  5. by_age is ordered by node->seq, the largest of the node's marks.
 *  6. While anything is held, the marks of what it matches have `held` over 0
 *     and a `local` that is not 0: the node's own, or, once that was dropped,
 *     those of `all`. `held` in all marks together is `holds`.
 */
#ifndef CLUSTER_INVAL_INTERNAL_H
#define CLUSTER_INVAL_INTERNAL_H

#include <stdatomic.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/list.h"
#include "base/table.h"
#include "cluster/inval.h"
#include "cluster/inval_restore.h"

#define INVAL_TAG_VALUE 0x494e564cu
#define INVAL_LENGTHS 64    /* of prefixes, looked up for each check */
#define INVAL_RING 65536    /* entries of a site that are remembered */
#define INVAL_NODE_COST 160 /* a node, its malloc header, its bucket */
#define INVAL_NODES_MIN 64  /* whatever the budget says */

struct inval_marks {
    _Atomic uint64_t hard;
    _Atomic uint64_t soft;
    _Atomic uint64_t local; /* the first one that only this node knows */
    _Atomic uint32_t held;  /* of those, how many are kept to be published */
    bool plain;             /* the control thread's: one is not kept ... */
    bool plain_hard;        /* ... and one of those is hard */
};

struct inval_node {
    struct table_node node;
    struct hash128 key;
    struct inval_marks marks;
    _Atomic uint32_t count; /* of entries; wraps. After the mark of each */
    uint64_t seq;           /* these: the control thread only */
    uint32_t length;        /* of a prefix; else 0 */
    union {
        struct list_link by_age;  /* while in the table */
        struct grace_defer defer; /* after it */
    } u;
};

/* The lengths of all prefixes in the tables, shortest first. Immutable. */
struct inval_lengths {
    struct grace_defer defer;
    size_t count;
    uint32_t length[INVAL_LENGTHS];
};

/* What number each of the last entries of a site has here. */
struct inval_ring {
    struct grace_defer defer;
    struct inval_ring *next; /* of those that are out of use */
    struct {
        _Atomic uint64_t n; /* 0 while it is written */
        _Atomic uint64_t seq;
    } slots[INVAL_RING];
};

struct inval_view {
    struct inval_snapshot snapshot;
    struct grace_defer defer;
    struct inval_ring *rings[POSITION_SITES]; /* as snapshot.position */
    char *text;
};

struct inval_site {
    char name[POSITION_NAME];
    bool met;
    uint64_t epoch;
    uint64_t term;
    uint64_t n;
    struct inval_ring *ring;
};

struct inval {
    TAG_FIELD;
    _Atomic uint64_t seq;
    _Atomic uint64_t floor;
    _Atomic uint64_t newest; /* entry, of any kind */
    _Atomic size_t holds;
    struct inval_marks all;
    struct table *table;
    _Atomic(struct inval_lengths *) lengths;
    _Atomic(struct inval_view *) view;

    /* The control thread only. */
    uint64_t next;        /* the last number given */
    bool changed;         /* since the last publish */
    bool paths;           /* those of URLs are kept as well */
    bool redoing;         /* what was counted before */
    inval_event_fn event; /* hears of what is done; NULL: nobody */
    void *event_arg;
    uint64_t told_ns; /* when the log last had an overflow; 0: never */
    size_t nodes_max;
    size_t nodes;
    struct list_link by_age;    /* oldest first */
    size_t uses[INVAL_LENGTHS]; /* nodes of each of `lengths` */
    struct inval_ring *retired; /* until no snapshot can lead to them */
    size_t site_count;
    struct inval_site sites[POSITION_SITES];
};

/* The largest marks of all that matches. */
struct inval_found {
    uint64_t hard;
    uint64_t soft;
    uint64_t local;
    bool held;
};
void inval_find(struct inval *inval, const struct inval_subject *subject,
                struct inval_found *found);

/* The key of a host, and of a value below a host. */
struct hash128 inval_host_key(struct span host);
struct hash128 inval_value_key(struct hash128 host, enum inval_kind kind,
                               struct span value);
/* That of all queries of a path below a host. */
struct hash128 inval_path_key(struct hash128 host, struct span path);
struct inval_node *inval_lookup(struct inval *inval, struct hash128 key);

void inval_tell(struct inval *inval, const struct inval_event *event);
void inval_ring_put(struct inval_ring *ring, uint64_t n, uint64_t seq);
void inval_view_publish(struct inval *inval);
void inval_view_free(struct inval *inval);

#endif
