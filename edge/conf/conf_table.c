/*
 * Every option of the configuration. A row here is all that it takes: the
 * parser, the bounds, the default, the reference page, the schema and the
 * check of a reload follow. Tables stand before those that contain them, so
 * the whole begins at the end, with `root`. Those of origin groups and routes
 * have a file of their own, conf_table_routes.c.
 */
#include <string.h>

#include "conf/conf_table_internal.h"

/* clang-format off */

static const struct conf_option admin_options[] = {
    {.name = "listen", .type = CONF_STRING, .text = CONF_TEXT_LISTEN,
     AT(conf_admin, listen), .initial = "\"127.0.0.1:9080\"", .empty = true,
     .doc = "Where the admin API, the metrics and the health pages listen. "
            "Empty turns them off."},
    {.name = "token", .type = CONF_STRING, .text = CONF_TEXT_TOKEN,
     AT(conf_admin, token), .initial = "\"\"", .empty = true, .reload = true,
     .doc = "The bearer token that purging takes. Without one, every purge is "
            "refused."},
    {.name = "token_file", .type = CONF_STRING, .text = CONF_TEXT_FILE,
     AT(conf_admin, token_file), .initial = "\"\"", .empty = true,
     .reload = true,
     .doc = "A file that holds the token, instead of `token`. Relative to the "
            "configuration file that names it; spaces and line ends around "
            "the token are ignored."},
};
static const struct conf_table admin_table =
    TABLE(admin_options, conf_admin, "the admin listener");

static const struct conf_option disk_options[] = {
    {.name = "path", .type = CONF_STRING, .text = CONF_TEXT_FILE,
     AT(conf_disk, path), .initial = "\"\"", .empty = true,
     .doc = "The folder of the disk tier, this node's alone. It is made when it "
            "is missing; that in which it is must be there. Relative to the "
            "configuration file that names it. Empty it before a node that "
            "works alone uses it again after it ran without it, or when it "
            "comes from a backup: what was purged meanwhile is not known "
            "there."},
    {.name = "size", .type = CONF_SIZE, AT(conf_disk, size_bytes),
     .initial = "0", .max = CONF_DISK_MAX,
     .doc = "The budget of all files in it, 96MiB at least; 0: there is no "
            "disk tier. What is asked for twice is kept there, and answers "
            "after a restart, too, unless it was invalidated meanwhile."},
};
static const struct conf_table disk_table =
    TABLE(disk_options, conf_disk, "the disk tier");

static const struct conf_option limits_options[] = {
    {.name = "max_connections", .type = CONF_INT,
     AT(conf_limits, max_connections), .initial = "10000", .min = 1,
     .max = 1000000,
     .reload = true,
     .doc = "Client connections open at once, over all workers. One more is "
            "closed at once."},
    {.name = "request_header_bytes", .type = CONF_SIZE,
     AT(conf_limits, request_header_bytes), .initial = "\"12KiB\"",
     .min = 1 * KiB, .max = 32 * KiB,
     .doc = "The largest request line and header section. A larger one is "
            "answered 431 or 414. Each connection has half as much again (18 "
            "KiB at least), for the head of the answer, too; cookies take "
            "theirs twice. Where both do not fit the answer is 431. A larger "
            "value makes hits dearer, by a quarter at 21 KiB."},
    {.name = "max_body", .type = CONF_SIZE, AT(conf_limits, max_body_bytes),
     .initial = "0", .max = 1024 * TiB, .reload = true,
     .doc = "The largest request body; a larger one is answered 413. 0 sets "
            "no limit."},
    {.name = "idle_timeout", .type = CONF_DURATION,
     AT(conf_limits, idle_timeout_ms), .initial = "\"30s\"", .min = 1 * SECOND,
     .max = 1 * HOUR,
     .doc = "A client connection without a byte for this long is closed."},
    {.name = "header_timeout", .type = CONF_DURATION,
     AT(conf_limits, header_timeout_ms), .initial = "\"10s\"",
     .min = 1 * SECOND, .max = 1 * HOUR,
     .reload = true,
     .doc = "A request whose header section is not complete after this long is "
            "given up."},
    {.name = "drain_timeout", .type = CONF_DURATION,
     AT(conf_limits, drain_timeout_ms), .initial = "\"10s\"", .max = 1 * HOUR,
     .reload = true,
     .doc = "On SIGTERM, requests that run may take this long to end."},
};
static const struct conf_table limits_table =
    TABLE(limits_options, conf_limits, "the limits");

static const struct conf_option cache_status_options[] = {
    {.name = "key", .type = CONF_BOOL, AT(conf_cache_status, key),
     .initial = "false", .reload = true,
     .doc = "Whether it shows the cache key. That has the query, and the "
            "header fields and cookies that a route keys by."},
};
static const struct conf_table cache_status_table =
    TABLE(cache_status_options, conf_cache_status,
          "what Cache-Status (RFC 9211) says");

static const struct conf_option site_options[] = {
    {.name = "name", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf_site, name), .required = true, .doc = "The site's name."},
    {.name = "redis", .type = CONF_STRING, .text = CONF_TEXT_ADDRESS,
     AT(conf_site, redis), .initial = "\"\"", .empty = true,
     .doc = "The address of the site's Redis, which holds its stream of "
            "invalidations."},
    {.name = "replicas", .type = CONF_INT, AT(conf_site, replicas),
     .initial = "0", .max = 16,
     .doc = "How many replicas that Redis has: all that may ever take its "
            "place. Leases and purges there count only once all of them have "
            "what was written (WAIT), so that a failover breaks no promise; "
            "while one is missing, `lease` routes ask the origin. Give the "
            "same number to all nodes."},
    {.name = "latitude", .type = CONF_FLOAT, AT(conf_site, latitude),
     .initial = "0.0", .low = -90, .high = 90, .doc = "Degrees, north is "
     "positive. Peers are ranked by measured time; nothing uses it yet."},
    {.name = "longitude", .type = CONF_FLOAT, AT(conf_site, longitude),
     .initial = "0.0", .low = -180, .high = 180, .doc = "Degrees, east is "
     "positive. Nothing uses it yet."},
};
static const struct conf_table site_table =
    TABLE(site_options, conf_site, "a site");

static const struct conf_option redis_options[] = {
    {.name = "timeout", .type = CONF_DURATION, AT(conf_redis, timeout_ms),
     .initial = "\"1s\"", .min = 10, .max = 1 * MINUTE,
     .doc = "How long connecting, and one answer, may take."},
    {.name = "poll", .type = CONF_DURATION, AT(conf_redis, poll_ms),
     .initial = "\"1s\"", .min = 10, .max = 1 * MINUTE,
     .doc = "How often a stream is looked at when nothing was pushed."},
    {.name = "backoff_max", .type = CONF_DURATION,
     AT(conf_redis, backoff_max_ms), .initial = "\"5s\"", .min = 100,
     .max = 10 * MINUTE,
     .doc = "The longest wait between two attempts to connect."},
};
static const struct conf_table redis_table =
    TABLE(redis_options, conf_redis, "the use of Redis");

static const struct conf_option peer_options[] = {
    {.name = "node", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf_peer, node), .required = true, .doc = "The peer's node name."},
    {.name = "site", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf_peer, site), .required = true, .doc = "The site it belongs to."},
    {.name = "address", .type = CONF_STRING, .text = CONF_TEXT_BASE,
     AT(conf_peer, url), .required = true,
     .doc = "Where it listens for clients and peers."},
};
static const struct conf_table peer_table =
    TABLE(peer_options, conf_peer, "a peer");

static const struct conf_option peers_options[] = {
    {.name = "enabled", .type = CONF_BOOL, AT(conf_peers, enabled),
     .initial = "true",
     .doc = "Whether this node asks peers, and answers them."},
    {.name = "static", .type = CONF_LIST, .table = &peer_table,
     LIST_AT(conf_peers, statics, static_count), .initial = "[]",
     .doc = "Peers besides those that the sites' Redis knows. This node itself "
            "may be among them, so that all nodes can share the list."},
    {.name = "probe_interval", .type = CONF_DURATION,
     AT(conf_peers, probe_interval_ms), .initial = "\"1s\"", .min = 50,
     .max = 10 * MINUTE,
     .doc = "How often a peer's health and round-trip time are measured."},
    {.name = "digest_interval", .type = CONF_DURATION,
     AT(conf_peers, digest_interval_ms), .initial = "\"1s\"", .min = 50,
     .max = 10 * MINUTE,
     .doc = "How often a peer is asked what it holds."},
    {.name = "timeout", .type = CONF_DURATION, AT(conf_peers, timeout_ms),
     .initial = "\"500ms\"", .min = 10, .max = 1 * MINUTE,
     .doc = "How long a peer may take to the first byte of its answer."},
    {.name = "max_skew", .type = CONF_DURATION, AT(conf_peers, max_skew_ms),
     .initial = "\"30s\"", .min = 1 * SECOND, .max = 1 * HOUR,
     .doc = "How far apart the clocks of two nodes may be. A peer's request "
            "with a time farther off is answered 401."},
};
static const struct conf_table peers_table =
    TABLE(peers_options, conf_peers, "the peers");

static const struct conf_option root_options[] = {
    {.name = "$schema", .type = CONF_STRING, .text = CONF_TEXT_ANY,
     AT(conf, schema), .initial = "\"\"", .empty = true, .reload = true,
     .doc = "Where editors find the schema of this file. Not used otherwise."},
    {.name = "include", .type = CONF_STRINGS, .text = CONF_TEXT_FILE,
     AT(conf, include), .initial = "[]", .max = 16, .reload = true,
     .doc = "Files to read first, relative to this one. Objects are merged, "
            "member by member; of other values, lists too, the last holds: "
            "later files over earlier ones, and this file over all."},
    {.name = "node", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf, node), .computed = "the name of the host",
     .doc = "This node's name; no two nodes may share one."},
    {.name = "site", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf, site), .initial = "\"local\"",
     .doc = "The site it belongs to; one of `sites`, when those are given."},
    {.name = "listen", .type = CONF_STRINGS, .text = CONF_TEXT_LISTEN,
     AT(conf, listen), .initial = "[\"127.0.0.1:8080\"]", .min = 1, .max = 64,
     .doc = "The addresses that clients and peers connect to. Port 0 takes any "
            "free one."},
    {.name = "advertise", .type = CONF_STRING, .text = CONF_TEXT_BASE,
     AT(conf, advertise), .computed = "the first of `listen`",
     .doc = "The address at which peers reach this node."},
    {.name = "admin", .type = CONF_OBJECT, .table = &admin_table,
     AT(conf, admin), .initial = "{}", .doc = "The operator's side."},
    {.name = "workers", .type = CONF_INT, AT(conf, workers), .max = 256,
     .initial = "0", .doc = "Threads that serve; 0 means one a core."},
    {.name = "memory", .type = CONF_SIZE, AT(conf, memory_bytes),
     .initial = "\"256MiB\"", .min = 1 * MiB, .max = 64 * TiB,
     .reload = true,
     .doc = "The budget of objects in memory, everything they cost "
            "included."},
    {.name = "max_object", .type = CONF_SIZE, AT(conf, max_object_bytes),
     .initial = "0", .max = 64 * TiB,
     .reload = true,
     .doc = "The largest object that is kept in memory; 0 means an eighth of "
            "`memory`. A larger one is streamed, and not stored."},
    {.name = "invalidation_memory", .type = CONF_SIZE,
     AT(conf, invalidation_memory_bytes), .initial = "\"16MiB\"",
     .min = 64 * KiB, .max = 1 * TiB,
     .doc = "The budget of the tables of invalidations. When they overflow, "
            "everything stored before is revalidated."},
    {.name = "disk", .type = CONF_OBJECT, .table = &disk_table,
     AT(conf, disk), .initial = "{}", .doc = "The disk tier."},
    {.name = "limits", .type = CONF_OBJECT, .table = &limits_table,
     AT(conf, limits), .initial = "{}",
     .doc = "What one client, or all of them, may take."},
    {.name = "cache_status", .type = CONF_OBJECT, .table = &cache_status_table,
     AT(conf, cache_status), .initial = "{}",
     .doc = "What clients are told about how an answer came about."},
    {.name = "access_log", .type = CONF_STRING, .text = CONF_TEXT_ANY,
     AT(conf, access_log), .initial = "\"-\"", .empty = true,
     .doc = "Where the access log goes, one JSON object a line: a file, `-` "
            "for standard output, or empty for none."},
    {.name = "secret", .type = CONF_STRING, .text = CONF_TEXT_SECRET,
     AT(conf, secret), .initial = "\"\"", .empty = true,
     .doc = "What all nodes of a cluster share, and nobody else knows: "
            "requests between nodes are signed with it."},
    {.name = "secret_file", .type = CONF_STRING, .text = CONF_TEXT_FILE,
     AT(conf, secret_file), .initial = "\"\"", .empty = true,
     .doc = "A file that holds the secret, instead of `secret`. Relative to "
            "the configuration file that names it; spaces and line ends "
            "around the secret are ignored."},
    {.name = "sites", .type = CONF_LIST, .table = &site_table,
     LIST_AT(conf, sites, site_count), .initial = "[]", .max = 64,
     .doc = "All sites, this one included. Without any, the node works "
            "alone."},
    {.name = "sites_generation", .type = CONF_INT, AT(conf, sites_generation),
     .initial = "1", .min = 1, .max = 1000000000,
     .doc = "Raise it on all nodes when `sites` changes: nodes with an older "
            "list get no leases any more."},
    {.name = "drift_percent", .type = CONF_INT, AT(conf, drift_percent),
     .initial = "1", .min = 1, .max = 20,
     .doc = "By how much the clock of any node may be wrong. Whoever waits for "
            "a lease to run out waits longer by it."},
    {.name = "state_dir", .type = CONF_STRING, .text = CONF_TEXT_FILE,
     AT(conf, state_dir), .initial = "\"\"", .empty = true,
     .doc = "A folder of this node's own, where it keeps invalidations that it "
            "cannot publish yet, what writes under way will invalidate (the "
            "outbox), and where it was in the streams. Relative to the "
            "configuration file that names it. "
            "Empty: there is no outbox; a purge that no Redis takes fails, and "
            "a write whose node dies may invalidate nothing."},
    {.name = "redis", .type = CONF_OBJECT, .table = &redis_table,
     AT(conf, redis), .initial = "{}", .doc = "How the sites' Redis are used."},
    {.name = "peers", .type = CONF_OBJECT, .table = &peers_table,
     AT(conf, peers), .initial = "{}", .doc = "How other nodes are used."},
    {.name = "origins", .type = CONF_MAP, .table = &conf_table_origin,
     LIST_AT(conf, origins, origin_count), .initial = "{}", .reload = true,
     .doc = "The origin groups, by name."},
    {.name = "routes", .type = CONF_LIST, .table = &conf_table_route,
     LIST_AT(conf, routes, route_count), .initial = "[]", .reload = true,
     .doc = "What is served, from where, by what rules. A request that no "
            "route matches is answered 404."},
};

/* clang-format on */

const struct conf_table conf_table_root =
    TABLE(root_options, conf, "the configuration");

const struct conf_option *
conf_table_find(const struct conf_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->options[i].name, name) == 0)
            return &table->options[i];
    }
    return NULL;
}

size_t
conf_choice_count(const struct conf_choice *choices)
{
    size_t count = 0;

    while (choices[count].name != NULL)
        count++;
    return count;
}

void *
conf_option_at(const struct conf_option *option, void *base)
{
    return (char *)base + option->offset;
}

const void *
conf_option_in(const struct conf_option *option, const void *base)
{
    return (const char *)base + option->offset;
}
