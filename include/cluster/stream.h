/*
 * The sites' streams of invalidations: reading each, in order, into the
 * tables (inval.h), and never missing an entry silently.
 *
 * A stream starts at the last number of its first sync. Pushes are applied as
 * they come when they are the next number; a sync, at each poll and whenever
 * something does not fit, fetches what is missing. What cannot be made whole
 * raises the floor (enum floor_reason), and reading goes on from there.
 *
 * All of this belongs to the control thread, but for purge_submit (purge.h).
 */
#ifndef CLUSTER_STREAM_H
#define CLUSTER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "cluster/inval.h"
#include "cluster/lease.h"

struct bookmark;
struct bus;
struct conf;
struct journal;
struct leases;
struct loop;
struct outbox;
struct position;
struct streams;

struct streams_site {
    const char *name;
    const char *redis_host; /* NULL: this site has no Redis */
    unsigned redis_port;
    unsigned replicas; /* of that Redis */
};

struct streams_options {
    const char *site; /* our own; one of the sites, when it has a Redis */
    const char *node;
    const struct streams_site *sites;
    size_t site_count;
    uint64_t connect_timeout_ms;
    uint64_t command_timeout_ms;
    uint64_t backoff_max_ms;
    uint64_t poll_ms;
    uint64_t generation;       /* of the list of sites */
    unsigned drift_percent;    /* by which a clock may be wrong; 0: 1 */
    uint64_t lease_max_ms;     /* 0: LEASE_LENGTH_MAX_MS */
    lease_sites purge_sites;   /* where what the outbox holds may stand (as in
                                * struct purge, writers) */
    struct outbox *outbox;     /* outlives the streams; NULL: none */
    uint64_t execution_max_ms; /* an origin's longest time for a request */
    /* Where to go on, as it was written down, and where to write it down;
     * both borrowed, the latter as long as the streams. NULL: nowhere. */
    const struct position *resume;
    struct bookmark *bookmark;
    /* Also keeps the tables: they have all up to `resume`, which is theirs, and
     * no floor is raised for going on there. NULL: none. */
    struct journal *journal;
};

/* What is in the state_dir, and on the disk tier; all NULL without. */
struct streams_kept {
    struct outbox *outbox;
    struct bookmark *bookmark;
    const struct position *resume;
    struct journal *journal;
};

/* Begins to connect to every site's Redis. `conf` is not kept; what is kept
 * outlives the streams. */
struct streams *streams_new(struct loop *control, const struct conf *conf,
                            struct inval *inval,
                            const struct streams_kept *kept);
/* The same with options given one by one, all copied. */
struct streams *streams_start(struct loop *control,
                              const struct streams_options *options,
                              struct inval *inval);
/* Takes on what a new configuration changes: its routes and origins. */
void streams_configure(struct streams *streams, const struct conf *conf);
/* When nothing is answered here any more: gives the leases up, so that nobody
 * waits for this node. `fn` is called from the loop, within half a second. */
void streams_leave(struct streams *streams, void (*fn)(void *arg), void *arg);
/* Nobody may submit purges any more; those under way are answered. */
void streams_free(struct streams **streams);

/* What this node may answer from its own store; index by the sites as they
 * were given. Lives as long as the streams. */
const struct leases *streams_leases(const struct streams *streams);
/* False when no site has a Redis: this node works alone. */
bool streams_configured(const struct streams *streams);
/* Every site's stream was synced within the last three polls, and nothing
 * that was seen there is missing here. True when none is configured. */
bool streams_in_sync(const struct streams *streams);
/* The connection to a site's Redis, for the node table; NULL when it has
 * none. Lives as long as the streams. */
struct bus *streams_bus(struct streams *streams, struct span site);

struct stream_status {
    const char *site;
    bool own;       /* the site of this node */
    bool connected; /* to its Redis */
    bool met;       /* synced at least once: the numbers mean something */
    uint64_t epoch;
    uint64_t term;
    uint64_t n;             /* applied */
    uint64_t last_n;        /* the last one known to exist */
    uint64_t lag;           /* last_n - n */
    uint64_t synced_ago_ms; /* since the last sync; UINT64_MAX: never */
    uint64_t applied;       /* entries, since the start */
    bool leased;            /* this node holds a lease there now */
    uint64_t lease_ms;      /* how long one lasts; 0: not known yet */
    unsigned replicas;      /* of its Redis, as configured */
    bool safe;              /* they had, when last asked, what counts here */
    uint64_t floors[FLOOR_REASONS];
    const char *error; /* "" when all is well */
};

/* Fills *status for the index-th stream; false when there is none. Texts are
 * valid until the loop's next turn. */
bool streams_status(const struct streams *streams, size_t index,
                    struct stream_status *status);

/* ---- entries (pure) ---- */

/* The entry in the fields of a stream record (names and values in turn).
 * False when it is not one of ours: a field missing or twice, another version,
 * bounds passed. Spans borrow from the items. Fields of other names are left
 * to later versions. */
bool stream_decode(const struct span *items, size_t count,
                   struct inval_entry *entry);

#endif
