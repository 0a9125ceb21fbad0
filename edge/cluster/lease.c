#include "cluster/lease.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

struct leases {
    struct {
        _Atomic uint64_t sent_ns;
        _Atomic uint64_t until_ns; /* 0: none */
        _Atomic uint64_t heard_ns; /* reachable until then */
    } sites[LEASE_SITES];
};

struct leases *
leases_new(void)
{
    return mem_zalloc(sizeof(struct leases));
}

void
leases_free(struct leases **leases)
{
    free(*leases);
    *leases = NULL;
}

bool
leases_held(const struct leases *leases, lease_sites sites, uint64_t now_ns)
{
    for (size_t i = 0; sites != 0; i++, sites >>= 1) {
        if ((sites & 1) != 0 &&
            atomic_load_explicit(&leases->sites[i].until_ns,
                                 memory_order_acquire) <= now_ns)
            return false;
    }
    return true;
}

bool
leases_reachable(const struct leases *leases, lease_sites sites,
                 uint64_t now_ns)
{
    for (size_t i = 0; i < LEASE_SITES; i++) {
        if ((sites == 0 || (sites >> i & 1) != 0) &&
            atomic_load_explicit(&leases->sites[i].heard_ns,
                                 memory_order_relaxed) > now_ns)
            return true;
    }
    return false;
}

void
leases_heard(struct leases *leases, size_t site, uint64_t until_ns)
{
    CHECK(site < LEASE_SITES);
    atomic_store_explicit(&leases->sites[site].heard_ns, until_ns,
                          memory_order_relaxed);
}

uint64_t
leases_confirmed_ns(const struct leases *leases, lease_sites sites,
                    uint64_t now_ns)
{
    uint64_t oldest = now_ns;

    if (!leases_held(leases, sites, now_ns))
        return 0;
    for (size_t i = 0; sites != 0; i++, sites >>= 1) {
        uint64_t sent = atomic_load_explicit(&leases->sites[i].sent_ns,
                                             memory_order_relaxed);

        if ((sites & 1) != 0 && sent < oldest)
            oldest = sent;
    }
    return oldest;
}

void
leases_grant(struct leases *leases, size_t site, uint64_t sent_ns,
             uint64_t length_ms)
{
    CHECK(site < LEASE_SITES);
    atomic_store_explicit(&leases->sites[site].sent_ns, sent_ns,
                          memory_order_relaxed);
    atomic_store_explicit(&leases->sites[site].until_ns,
                          sent_ns + length_ms * NS_PER_MS,
                          memory_order_release);
}

void
leases_end(struct leases *leases, size_t site)
{
    CHECK(site < LEASE_SITES);
    atomic_store_explicit(&leases->sites[site].until_ns, 0,
                          memory_order_release);
}

uint64_t
lease_wait_ns(uint64_t length_ms, unsigned drift_percent)
{
    CHECK(drift_percent < 50);
    uint64_t slow = 100 - drift_percent, fast = 100 + drift_percent;

    /* Rounded up, and one more: the lease is held up to its last instant. */
    return (length_ms * NS_PER_MS * fast + slow - 1) / slow + 1;
}
