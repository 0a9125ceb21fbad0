/* What the modules of the engine share among themselves. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/secret.h"
#include "cluster/lease.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "fetch/flight.h"
#include "fetch/origin.h"
#include "http/caching.h"
#include "http/key.h"
#include "route/route.h"

/* What a route means, made ready for use on every request. */
struct policy {
    const struct conf_route *route;
    struct plan_policy plan;
    struct caching_policy caching;
    struct key_policy key;
    struct key_names passing; /* request fields that may reach the origin: those
                               * of the key, and what the route lets pass */
    struct origin *origin;    /* a reference */
    uint64_t max_stale_s;
    uint64_t max_staleness_ns; /* bounded */
    lease_sites writers;       /* lease: 0 where no site has a Redis */
};

/* A configuration in force: immutable, any thread, counted. */
struct snapshot {
    _Atomic unsigned refs;
    struct conf *conf;
    struct router *router;
    struct origin **origins; /* by the index of conf->origins */
    struct policy *policies; /* by the index of conf->routes */
    lease_sites purge_sites; /* in whose streams an invalidation may stand:
                              * those of which every lease route wants a lease;
                              * 0: there is no such route, so any */
};

struct object;

struct engine {
    struct engine_parts parts;
    struct flight_table *flights;
    struct query_hints *hints;
    pthread_mutex_t mutex; /* guards snapshot and workers */
    struct snapshot *snapshot;
    struct list_link workers;
    unsigned char session_key[SECRET_MAC_LEN]; /* signs Atlas-Session */
};

/* enum plan_needs that a level means. */
unsigned level_needs(enum conf_consistency level);
/* When the oldest of the leases that a lease route needs was asked for, or 0
 * when they are not all held. */
uint64_t level_leased(const struct engine *engine, const struct policy *policy,
                      uint64_t now_ns);

/* A worker's hold on a snapshot, counted without atomics: the transactions
 * that began under it keep it, and cost other workers nothing. */
struct snapshot_use {
    struct snapshot *snapshot;
    unsigned users; /* the worker itself, while it is in force, is one */
};

struct worker {
    struct engine *engine;
    struct loop *loop;
    struct fetch_pool *fetch;
    struct access_lines *lines;  /* of the access log; NULL: none */
    struct snapshot_use *use;    /* in force here */
    struct watcher *news;        /* a new snapshot is there */
    struct list_link link;       /* in the engine */
    struct list_link fills;      /* that this worker owns */
    size_t shelf_reads;          /* of those, by the pool now */
    struct list_link shelf_jobs; /* what is being read from disk for it */
    size_t fill_count;
    size_t purges;      /* submitted, and not answered yet */
    uint64_t lone;      /* fills of one client alone, so far */
    struct tx *tx_free; /* kept for the next request */
    unsigned index;
};

struct snapshot *snapshot_new(struct conf *conf, const struct snapshot *old);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot **snapshot);
/* The one in force; a reference. Any thread. */
struct snapshot *engine_snapshot(struct engine *engine);
struct snapshot_use *snapshot_use_ref(struct snapshot_use *use);
void snapshot_use_unref(struct snapshot_use **use);
/* The policy of the route that a request takes; NULL when none matches. */
const struct policy *snapshot_find(const struct snapshot *snapshot,
                                   struct span host, struct span path,
                                   struct span method);

/* The key under which a request's answer is looked for, by the latest that is
 * known of its path: a search key, made in `scratch` (true), or `plain`. */
bool search_key(struct engine *engine, const struct policy *policy,
                const struct key *plain, struct buf *scratch, struct key *out);
/* What is stored under either, as store_find gives it. */
/* Whether no peer's copy of it can count here for now. */
bool search_barred(struct engine *engine, const struct key *key);
struct object *search_find(struct engine *engine, const struct key *key,
                           const struct key *plain,
                           const struct fields *request, bool *others);

/* What an object is judged by. */
struct found_ask {
    const struct policy *policy;
    const struct cache_control *cc; /* the request's */
    enum validity validity;
    uint64_t now_ns;
    bool on_error; /* the origin could not be reached */
};
/* Fills in what plan_decide asks of a stored object. */
void found_of_object(struct plan_found *found, const struct object *object,
                     const struct found_ask *ask);

#endif
