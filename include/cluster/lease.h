/*
 * Leases: a node's time-limited right to answer `lease` requests from its own
 * store (Gray and Cheriton, 1989). One for each site that writes a stream; a
 * route needs those of all sites that may write it.
 *
 * The control thread grants and ends them (stream_lease.c says by which
 * rules); any thread asks, without locks. Times are CLOCK_BOOTTIME, so that a
 * machine that slept holds nothing.
 */
#ifndef CLUSTER_LEASE_H
#define CLUSTER_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a site's Redis is told where no length is set yet; and the longest that
 * anybody may set there: a longer one counts as this. */
#define LEASE_LENGTH_MS 3000
#define LEASE_LENGTH_MAX_MS 10000
#define LEASE_SITES 64

struct leases;

struct leases *leases_new(void);
/* No thread may use it any more. */
void leases_free(struct leases **leases);

/* A set of sites: bit i is the i-th of the configuration. */
typedef uint64_t lease_sites;

/* Whether a lease is held at every site of the set at `now_ns`, which the
 * caller reads for this question: after the request was parsed. Of no site:
 * true. Any thread. */
bool leases_held(const struct leases *leases, lease_sites sites,
                 uint64_t now_ns);
/* When the oldest of those leases was asked for: everything acknowledged
 * before is applied here. `now_ns` for no site; 0 when one is not held. Any
 * thread. */
uint64_t leases_confirmed_ns(const struct leases *leases, lease_sites sites,
                             uint64_t now_ns);

/* Whether one of the sites (0: any) can be reached, and so published to, as far
 * as is known: a renewal was answered in the last length of a lease, and the
 * connection stands. Any thread. */
bool leases_reachable(const struct leases *leases, lease_sites sites,
                      uint64_t now_ns);

/* The control thread's. It answered, and may be taken to be there until then;
 * 0: it is lost. */
void leases_heard(struct leases *leases, size_t site, uint64_t until_ns);
/* A lease that was asked for at `sent_ns`. */
void leases_grant(struct leases *leases, size_t site, uint64_t sent_ns,
                  uint64_t length_ms);
void leases_end(struct leases *leases, size_t site);

/* How long a publisher waits, on its own clock, until a lease of `length_ms`
 * cannot be held any more, when any clock may be wrong by `drift_percent`: the
 * holder's may be slow while the publisher's is fast. */
uint64_t lease_wait_ns(uint64_t length_ms, unsigned drift_percent);

#endif
