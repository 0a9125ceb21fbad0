/* What the files of the streams share: stream.c has the sites, stream_read.c
 * reads one, stream_lease.c holds the lease there and acknowledges,
 * stream_wait.c waits for others to, stream_safe.c for the replicas,
 * stream_rows.c takes out who is gone, stream_leave.c this node, stream_past.c
 * publishes again what another history lacks, stream_entry.c knows the form of
 * entries, purge.c publishes, stream_outbox.c what the outbox holds,
 * stream_intent.c takes in what writes intend. */
#ifndef CLUSTER_STREAM_INTERNAL_H
#define CLUSTER_STREAM_INTERNAL_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/list.h"
#include "bus/bus_lease.h"
#include "cluster/outbox.h"
#include "cluster/purge.h"
#include "cluster/purge_wait.h"
#include "cluster/stream.h"

#define STREAMS_TAG 0x53545253u
#define STREAM_BATCH 1000 /* entries of one sync, at most */
#define STREAM_BATCH_MIN 16

struct leases;
struct stream_past;
struct stream_row;
struct timer;

/* A renewal that was answered, while what it told of is not all applied. */
struct stream_pending {
    bool wanted;
    uint64_t sent_ns;
    struct bus_era era;
    uint64_t last_n;
    uint64_t safe; /* L7: the ticket of its answer */
};

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
    size_t index;    /* of the site in the configuration */
    bool met;
    struct bus_era era;
    uint64_t era_since_ns; /* when it was first seen */
    struct bus_id cursor;
    uint64_t last_n; /* the last known to exist in this era */

    struct bus_call *sync;
    struct bus_id sync_from; /* the cursor when it was sent */
    unsigned batch;          /* how many entries a sync asks for */
    uint64_t sync_sent_ns;
    bool again; /* something does not fit: sync once more */
    struct timer *poll;

    /* stream_lease.c */
    struct timer *renew;
    struct bus_call *renewal;
    uint64_t renewal_sent_ns;
    uint64_t lease_ms; /* as the site's Redis told; 0: not yet */
    struct stream_pending pending;
    bool lease_granted; /* in lease_era; its time may have passed */
    struct bus_era lease_era;
    bool has_row;
    uint64_t rtt_ns; /* of the latest renewal; 0: not known */
    struct timer *ack_timer;
    unsigned acks; /* on their way; the bus drops them with itself */
    uint64_t acked_ns;
    uint64_t acked_term;
    uint64_t acked_n;

    struct bus_call *leave; /* stream_leave.c: under way, or NULL */
    struct list_link waits; /* stream_wait.c */

    /* stream_safe.c; barriers are numbered from 1 */
    uint64_t safe_sent;      /* the last one */
    uint64_t safe_wanted;    /* the highest one that somebody waits for */
    uint64_t safe_number;    /* the last one that all replicas had ... */
    struct bus_era safe_era; /* ... in this era */
    bool safe_under_way;
    bool unsafe;              /* the last one failed */
    struct timer *safe_timer; /* after one that failed */

    struct stream_past *past; /* stream_past.c */

    /* stream_rows.c */
    struct timer *rows_timer;
    struct bus_call *rows_call;
    struct stream_row *rows;
    size_t row_count;
    struct bus_era rows_era;

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
    struct buf holder; /* "SITE/NODE/INCARNATION": the name of our rows */
    struct leases *leases;
    uint64_t generation; /* of the list of sites */
    unsigned drift_percent;
    uint64_t lease_max_ms;
    lease_sites purge_sites;   /* of what the outbox holds */
    struct outbox *outbox;     /* NULL: none */
    uint64_t execution_max_ms; /* the longest of any origin */
    struct bookmark *bookmark; /* NULL: none */
    struct journal *journal;   /* NULL: none */
    struct timer *note_timer;
    struct timer *pump_timer;
    size_t pumping;           /* entries of the outbox on their way */
    bool stuck;               /* the last one found no stream */
    struct timer *due_timer;  /* for the first of those that wait */
    uint64_t due_ns;          /* when it fires; 0: it does not run */
    struct list_link intents; /* that are being written */
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
    bool leaves;    /* no lease is asked for any more */
    size_t leaving; /* streams that have not answered yet */
    struct timer *leave_timer;
    void (*left_fn)(void *arg);
    void *left_arg;
};

/* Before it starts: goes on where it was (NULL: nowhere). Whether it is still
 * the same history, and all is there, the first sync tells. */
struct position_site;
void stream_resume(struct stream *stream, const struct position_site *at);
void stream_start(struct stream *stream, const struct bus_options *options);
void stream_stop(struct stream *stream);
/* Reads what is new, now; once more if a sync is under way already. */
void stream_sync(struct stream *stream);

/* ---- stream_lease.c ---- */

void lease_start(struct stream *stream);
void lease_stop(struct stream *stream);
/* Renews now; at once when the connection is there again. */
void lease_renew(struct stream *stream);
/* Another history: what was granted or asked for counts no more. */
void lease_end(struct stream *stream);
/* The stream moved on: what waited for that may be granted. */
void lease_look(struct stream *stream);
/* The length that the site's Redis told. */
void lease_take_length(struct stream *stream, uint64_t length_ms);
/* Acknowledges what is applied and was not acknowledged yet. */
void ack_look(struct stream *stream);
/* CHECKs the invariants. */
void lease_sanity(const struct stream *stream);

/* ---- stream_safe.c ---- */

void safe_start(struct stream *stream);
void safe_stop(struct stream *stream);
/* For what this Redis has answered until now; asks its replicas. */
uint64_t safe_ticket(struct stream *stream);
/* Whether they had it, in that era. */
bool safe_reached(const struct stream *stream, const struct bus_era *era,
                  uint64_t ticket);

/* ---- stream_leave.c ---- */

void leave_start(struct streams *streams);
void leave_stop(struct streams *streams);

/* ---- stream_rows.c ---- */

void rows_start(struct stream *stream);
void rows_stop(struct stream *stream);

/* ---- stream_past.c ---- */

void past_start(struct stream *stream);
void past_stop(struct stream *stream);
/* An entry was applied. */
void past_take(struct stream *stream, const struct inval_entry *entry,
               uint64_t n);
/* Another history has begun: what was read lately may be missing there, and is
 * published again if it is. */
void past_doubt(struct stream *stream);

/* ---- stream_wait.c ---- */

/* Answers all that are under way. */
void wait_abandon(struct stream *stream);
/* The replicas have more: what waits for that goes on. */
void wait_safe(struct stream *stream);
/* A holder has acknowledged. */
void wait_acked(struct stream *stream, struct span id, uint64_t term,
                uint64_t n);

/* What is to be applied; its texts are the purge's. */
struct inval_entry purge_entry(const struct purge *purge);
/* The stream moved on: purges that wait for it may be answered. */
void purge_look(struct streams *streams);
/* Answers all that are under way. */
void purge_abandon(struct streams *streams);
/* Publishes an entry of the outbox; ends in outbox_published. */
void purge_kept(struct streams *streams, const struct outbox_entry *entry);

/* ---- stream_outbox.c ---- */

void outbox_start(struct streams *streams);
void outbox_stop(struct streams *streams);
/* A stream can be written again, or there is more to publish. */
void outbox_look(struct streams *streams);
/* What purge_kept began has ended: it was published, and read back; or not. */
void outbox_published(struct streams *streams, uint64_t id, bool published);
/* A purge that no stream took: it holds from here on (inval_hold). 0: the
 * outbox is full, and it holds not. */
uint64_t outbox_keep(struct streams *streams, const struct purge *purge,
                     outbox_fn fn, void *arg);
/* An intent is due in `ms`, and then again if `again`. */
void outbox_wait(struct streams *streams, struct outbox_entry *entry,
                 uint64_t ms);

/* ---- stream_intent.c ---- */

/* Answers all that are under way. */
void intent_abandon(struct streams *streams);
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
