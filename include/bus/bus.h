/*
 * The connections to one site's Redis: its stream of entries, and its node
 * table; bus_lease.h has what leases need of it.
 *
 * Two connections: one for commands, one for pushes; with replicas a third one,
 * which waits for those (a WAIT blocks it). They come back by
 * themselves, with exponential back-off and jitter. A fault of the Redis (it
 * is missing, slow, full, not ours) is logged here, once when it begins and
 * once when it ends, with the remedy.
 *
 * Keys, all with the hash tag {atlas:SITE}: `{atlas:SITE}:log` is the stream,
 * `{atlas:SITE}:meta` the hash with the epoch and the node rows, and
 * `{atlas:SITE}:push` the channel. All changes are made by scripts (script.h
 * inside says what they refuse). No password is sent and no TLS spoken: Redis
 * stands in a trusted network, or behind a tunnel.
 *
 * Everything here belongs to the thread of the loop. A call never calls back
 * before it returns; its callback fires once, or never after bus_cancel or
 * bus_free. A simulation links an implementation of its own.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct bus;
struct bus_call;
struct loop;

struct bus_options {
    const char *site; /* for the names of the keys */
    const char *host; /* a name or an address */
    unsigned port;
    uint64_t connect_timeout_ms;
    uint64_t command_timeout_ms;
    uint64_t backoff_max_ms; /* the longest pause between two attempts */
    /* How many replicas the Redis has, all of which must have what counts
     * (bus_barrier in bus_lease.h); 0: none. */
    unsigned replicas;
    /* The stream keeps this many entries for those who lag; 0: 10,000 and
     * 200,000. */
    uint64_t keep_min;
    uint64_t keep_max;
};

/* The id of an entry. Ours are n-0; another `sub` was added by others. */
struct bus_id {
    uint64_t n;
    uint64_t sub;
};

/* An entry: names and values in turn, as they were published. */
struct bus_entry {
    struct bus_id id;
    const struct span *items;
    size_t count; /* of items; even, but for what others wrote */
};

/* Which history the numbers belong to. */
struct bus_era {
    uint64_t epoch;
    uint64_t term;
};

/* What a sync found, all at one moment. */
struct bus_sync {
    struct bus_era era;
    struct bus_id first; /* the oldest entry kept; 0-0 when there is none */
    struct bus_id last;  /* the last id ever given; 0-0 when none was */
    const struct bus_entry *entries;
    size_t count;
};

/* A row of the node table. */
struct bus_node {
    struct span id;
    struct span payload;
    /* Since its last heartbeat: counted on our own clock once the row was seen
     * to change, by the Redis' clock before. */
    uint64_t age_ms;
};

struct bus_events {
    /* The command connection is ready (`why` is NULL), or was lost, or an
     * attempt failed (`why` says it). */
    void (*state)(void *arg, bool connected, const char *why);
    /* Pushes flow from now on: what was published before may be missing. */
    void (*listening)(void *arg);
    /* An entry was pushed. Borrowed, for the time of the call. */
    void (*pushed)(void *arg, const struct bus_era *era,
                   const struct bus_entry *entry);
    /* A holder has acknowledged. A hint, to look sooner (bus_watch). */
    void (*acked)(void *arg, struct span id, uint64_t term, uint64_t n);
    void *arg;
};

/* Begins to connect. `options` are copied; members of `events` may be NULL. */
struct bus *bus_new(struct loop *loop, const struct bus_options *options,
                    const struct bus_events *events);
/* Not from inside a callback of this bus. */
void bus_free(struct bus **bus);

bool bus_connected(const struct bus *bus);
/* What is wrong now, for people; "" when nothing is. Valid until the loop's
 * next turn. */
const char *bus_error(const struct bus *bus);

/* `why` is a text for people when err is not ERR_OK; results are borrowed for
 * the time of the call. ERR_REFUSED: not connected, nothing was sent.
 * ERR_TIMEOUT, ERR_RESET: it is not known whether it was done.
 * ERR_PROTOCOL: the Redis refused or answered nonsense, nothing was done.
 * ERR_LIMIT: too many calls are under way, nothing was sent. */
typedef void (*bus_publish_fn)(void *arg, enum err err, const char *why,
                               const struct bus_era *era, uint64_t n);
typedef void (*bus_sync_fn)(void *arg, enum err err, const char *why,
                            const struct bus_sync *sync);
typedef void (*bus_announce_fn)(void *arg, enum err err, const char *why,
                                const struct bus_node *nodes, size_t count);

/* Appends an entry of `count` items (names and values in turn; copied). */
struct bus_call *bus_publish(struct bus *bus, const struct span *items,
                             size_t count, bus_publish_fn fn, void *arg);
/* Several entries at once, with numbers in a row, of `each` items; the last n
 * is told. With `once` (not empty) the same key in the same term publishes
 * nothing and is told what was published then; it is kept for a day. */
#define BUS_PUBLISH_MAX 256 /* entries */
struct bus_call *bus_publish_many(struct bus *bus, const struct span *items,
                                  size_t count, size_t each, struct span once,
                                  bus_publish_fn fn, void *arg);
/* Reads where the stream stands, and up to `max` entries after `after`. */
struct bus_call *bus_sync(struct bus *bus, struct bus_id after, unsigned max,
                          bus_sync_fn fn, void *arg);
/* Writes the row of node `id` (1 to 127 bytes, no NUL) and counts its heartbeat
 * up; returns all rows, its own included. Look at their ages: a row is only
 * taken out when it had no heartbeat for ten times `ttl_ms`. */
struct bus_call *bus_announce(struct bus *bus, struct span id,
                              struct span payload, uint64_t ttl_ms,
                              bus_announce_fn fn, void *arg);

/* The callback will not fire; the call may still be carried out. NULLs the
 * caller's handle, which is invalid once the callback has fired. */
void bus_cancel(struct bus_call **call);

#endif
