/*
 * The configuration: one immutable snapshot, read from JSON.
 *
 * One table of options (edge/conf/conf_table.c) yields the parser, bounds,
 * defaults, the reference page and the JSON Schema. A snapshot never changes
 * once loaded and may be read by any thread that holds a reference; a reload
 * makes a new one.
 *
 * Strings are never NULL: one that is not set is empty. Sizes are bytes,
 * durations milliseconds. Members hold the value in effect: where the default
 * is computed (workers, max_object, advertise) it is filled in.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/conf_problems.h"
#include "conf/conf_route.h"

struct conf_arena;

struct conf_admin {
    const char *listen; /* "host:port"; empty: no admin listener */
    const char *token;  /* bearer token, from token_file if that is set;
                         * empty: every purge is refused */
    const char *token_file;
};

#define CONF_DISK_MIN (UINT64_C(96) << 20)
#define CONF_DISK_MAX (UINT64_C(4) << 40)

struct conf_disk {
    const char *path;
    uint64_t size_bytes; /* 0: no disk tier */
};

struct conf_limits {
    uint64_t max_connections;
    uint64_t request_header_bytes;
    uint64_t max_body_bytes; /* of a request; 0: no limit */
    uint64_t idle_timeout_ms;
    uint64_t header_timeout_ms;
    uint64_t drain_timeout_ms;
};

struct conf_cache_status {
    bool key; /* Cache-Status shows the cache key */
};

struct conf_site {
    const char *name;
    const char *redis; /* "host:port", or empty */
    uint64_t replicas; /* of that Redis, which must have what counts */
    double latitude;   /* degrees, north positive */
    double longitude;  /* degrees, east positive */
};

struct conf_redis {
    uint64_t timeout_ms;     /* of connecting, and of one answer */
    uint64_t poll_ms;        /* between two looks at a stream without news */
    uint64_t backoff_max_ms; /* between two attempts to connect */
};

struct conf_peer {
    const char *node;
    const char *site;
    const char *url; /* "http://host:port", no path */
};

struct conf_peers {
    bool enabled;
    struct conf_peer *statics; /* without this node itself */
    size_t static_count;
    uint64_t probe_interval_ms;
    uint64_t digest_interval_ms;
    uint64_t timeout_ms;  /* to the first byte of a peer's answer */
    uint64_t max_skew_ms; /* between two nodes' wall clocks */
};

struct conf {
    const char *path; /* the file it was read from */
    const char *node;
    const char *site;
    struct conf_strings listen; /* "host:port", "[v6]:port"; port 0: any */
    const char *advertise;      /* "http://host:port", for peers */
    struct conf_admin admin;
    uint64_t workers; /* at least 1 */
    uint64_t memory_bytes;
    uint64_t max_object_bytes; /* the largest object kept in memory */
    uint64_t invalidation_memory_bytes;
    struct conf_disk disk;
    struct conf_limits limits;
    struct conf_cache_status cache_status;
    const char *state_dir;     /* a folder, or empty */
    uint64_t sites_generation; /* of the list of sites */
    uint64_t drift_percent;    /* by which a clock may be wrong */
    const char *access_log; /* a path, "-" for standard output, "" for none */
    const char *secret;     /* shared by all nodes, from secret_file if set */
    const char *secret_file;
    struct conf_site *sites; /* empty when `sites` is not given */
    size_t site_count;
    struct conf_redis redis;
    struct conf_peers peers;
    struct conf_origin *origins;
    size_t origin_count;
    struct conf_route *routes; /* in the order written */
    size_t route_count;

    /* private */
    const char *schema;
    struct conf_strings include;
    atomic_size_t refs;
    struct conf_arena *arena;
};

/* Reads the file and those it includes, and checks everything. NULL when there
 * is an error: `problems` then says what, all of it (up to
 * CONF_PROBLEMS_MAX). Warnings may come with a snapshot too. `problems` is
 * zeroed by the caller. */
struct conf *conf_load(const char *path, struct conf_problems *problems);

/* Any thread. The last reference frees it. */
struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf **conf);

/* NULL when there is none of this name. */
const struct conf_site *conf_site(const struct conf *conf, const char *name);
/* Sets of sites: bit i is the i-th of conf->sites. Those in whose streams the
 * invalidations of a route stand. */
uint64_t conf_route_writers(const struct conf *conf,
                            const struct conf_route *route);
/* Those in whose streams any may stand, so that every `lease` route hears of it
 * in time; 0: there is no such route. */
uint64_t conf_purge_sites(const struct conf *conf);
const struct conf_origin *conf_origin(const struct conf *conf,
                                      const char *name);

/* Whether a running node may go from `old` to `new`. Adds an error for each
 * option that changed and needs a restart, and gives false if there is one. */
bool conf_reload_check(const struct conf *old, const struct conf *new,
                       struct conf_problems *problems);

/* The name of a route of `new` by which what is stored might have to meet more
 * than it had to under `old`, so that it must be revalidated; NULL: none. */
const char *conf_level_raised(const struct conf *old, const struct conf *new);

/* What the routes promise of what is stored, as a number: another one says that
 * it may be more. 0: nothing. */
uint64_t conf_level_print(const struct conf *conf);

/* The manual page of all options, in Markdown. */
void conf_write_reference(FILE *out);
/* The JSON Schema (draft 2020-12) of a configuration file, for editors. It
 * knows types, names and bounds; what needs two options is conf_load's. */
void conf_write_schema(FILE *out);

#endif
