/* What the files of the streams share: stream.c has the sites, stream_read.c
 * reads one, stream_entry.c knows the form of entries, purge.c publishes. */
#ifndef CLUSTER_STREAM_INTERNAL_H
#define CLUSTER_STREAM_INTERNAL_H

#include <stdatomic.h>

#include "base/check.h"
#include "base/list.h"
#include "bus/bus.h"
#include "cluster/purge.h"
#include "cluster/stream.h"

#define STREAMS_TAG 0x53545253u
#define STREAM_BATCH 1000 /* entries of one sync */

struct timer;

/*
 * One site's stream, as this node reads it.
 *
 *  1. Before `met`, nothing was applied, and the site is not in our vector.
 *  2. All entries of `era` up to `cursor` are applied, or below the floor.
 *  3. At most one sync is under way (`sync` not NULL).
 */
struct stream {
    struct streams *streams;
    char *name;
    bool own;
    struct bus *bus; /* NULL: the site has no Redis */
    size_t site;     /* index in the invalidation tables */
    bool met;
    struct bus_era era;
    struct bus_id cursor;
    uint64_t last_n; /* the last known to exist in this era */

    struct bus_call *sync;
    struct bus_id sync_from; /* the cursor when it was sent */
    uint64_t sync_sent_ns;
    bool again; /* something does not fit: sync once more */
    struct timer *poll;

    uint64_t synced_ns; /* when the last good sync was sent; 0: never */
    uint64_t applied;
    uint64_t floors[FLOOR_REASONS];
    uint64_t told_ns[FLOOR_REASONS]; /* when the log last had it; 0: never */
    uint64_t told[FLOOR_REASONS];    /* of floors, how many it had then */
};

struct streams {
    TAG_FIELD;
    struct loop *control;
    struct inval *inval;
    char *site;
    char *node;
    uint64_t poll_ms;
    struct stream *list;
    size_t count;
    bool configured; /* some site has a Redis */
    struct stream *own;
    struct list_link jobs; /* purges that the control thread knows of */
    /* Purges submitted and not yet seen to the end, and one for the owner: the
     * last one frees the struct. */
    _Atomic size_t refs;
    bool closed;
};

void stream_start(struct stream *stream, const struct bus_options *options);
void stream_stop(struct stream *stream);
/* Reads what is new, now; once more if a sync is under way already. */
void stream_sync(struct stream *stream);

/* The stream moved on: purges that wait for it may be answered. */
void purge_look(struct streams *streams);
/* Answers all that are under way. */
void purge_abandon(struct streams *streams);
void streams_unref(struct streams *streams);

/* ---- entries (pure) ---- */

#define STREAM_ITEMS 14

/* What makes no sense about an entry, for people; NULL when it is good. */
const char *stream_entry_problem(const struct inval_entry *entry);
/* Fills `items`, names and values in turn, for bus_publish. `time` holds the
 * digits of `time_ms`. */
void stream_encode(const struct inval_entry *entry, const char *node,
                   int64_t time_ms, char time[24],
                   struct span items[STREAM_ITEMS]);

#endif
