/*
 * What leases need of a site's Redis: the rows of those who hold one, and
 * whether what was written is safe from a failover.
 */
#ifndef BUS_BUS_LEASE_H
#define BUS_BUS_LEASE_H

#include "bus/bus.h"

/* Where a stream stands, and how long a lease there lasts: the length is kept
 * beside the epoch and never changes within it. */
struct bus_lease {
    struct bus_era era;
    struct bus_id first;
    struct bus_id last;
    uint64_t length_ms;
};

/* Who holds a lease, or did: its beat goes up with each renewal. */
struct bus_holder {
    struct span id;
    uint64_t beat;
    uint64_t term; /* what it has applied; n counts in this term only */
    uint64_t n;
};

struct bus_watched {
    struct bus_lease lease;
    const struct bus_holder *holders;
    size_t count;
};

typedef void (*bus_lease_fn)(void *arg, enum err err, const char *why,
                             const struct bus_lease *lease);
typedef void (*bus_watch_fn)(void *arg, enum err err, const char *why,
                             const struct bus_watched *watched);
typedef void (*bus_done_fn)(void *arg, enum err err, const char *why);

/* Writes the row of a holder: it wants a lease from now on, and has applied
 * `n` of `term`. Refused (ATLASSITES) when another has a list of sites of a
 * higher generation. `length_ms` is used only where no length is set yet. */
struct bus_call *bus_renew(struct bus *bus, struct span id, uint64_t term,
                           uint64_t n, uint64_t length_ms, uint64_t generation,
                           bus_lease_fn fn, void *arg);
/* The holder has applied n: written into its row, and told to all who listen
 * (bus_events.acked). */
struct bus_call *bus_ack(struct bus *bus, struct span id, uint64_t term,
                         uint64_t n, bus_done_fn fn, void *arg);
/* All holders, and where the stream stands, at one moment. */
struct bus_call *bus_watch(struct bus *bus, uint64_t length_ms, bus_watch_fn fn,
                           void *arg);
/* Takes a row out, if its beat is still this. */
struct bus_call *bus_forget(struct bus *bus, struct span id, uint64_t beat,
                            bus_done_fn fn, void *arg);

/* Whether all replicas have whatever this Redis has answered until now, on any
 * connection, in `era`: it was a primary in it without a break until they had.
 * ERR_LIMIT: too few have it, or not in time; the bus has told. Only with
 * replicas; one at a time. `fn` fires once, or never after bus_free. */
typedef void (*bus_barrier_fn)(void *arg, enum err err,
                               const struct bus_era *era);
void bus_barrier(struct bus *bus, bus_barrier_fn fn, void *arg);
unsigned bus_replicas(const struct bus *bus);

#endif
