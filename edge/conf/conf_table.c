/*
 * Every option of the configuration. A row here is all that it takes: the
 * parser, the bounds, the default, the reference page, the schema and the
 * check of a reload follow. Tables stand before those that contain them, so
 * the whole begins at the end, with `root`.
 */
#include <string.h>

#include "base/check.h"
#include "conf/conf_internal.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST_AT(type, member, number)                                          \
    AT(type, member), .count_offset = offsetof(struct type, number)

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)
#define TiB (UINT64_C(1) << 40)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

#define TABLE(table, type, words)                                              \
    {                                                                          \
        .what = (words), .options = (table), .count = ARRAY_LEN(table),        \
        .size = sizeof(struct type)                                            \
    }

static const struct conf_choice consistencies[] = {
    [CONF_AP] = {"ap", "keeps answering when the network breaks, with a stale "
                       "copy if nothing better can be had (eventual)"},
    [CONF_CP] = {"cp", "never answers from a stored copy that the origin has "
                       "not confirmed since the request arrived; else 504"},
    {NULL, NULL},
};

static const struct conf_choice queries[] = {
    [CONF_QUERY_ALL] = {"all", "the whole query"},
    [CONF_QUERY_NONE] = {"none", "nothing of it"},
    [CONF_QUERY_ALLOW] = {"allow", "only the parameters in `names`"},
    [CONF_QUERY_DENY] = {"deny", "all but the parameters in `names`"},
    {NULL, NULL},
};

static const struct conf_choice set_cookies[] = {
    [CONF_SET_COOKIE_BYPASS] = {"bypass", "it is passed on and not stored"},
    [CONF_SET_COOKIE_STORE] = {"store", "it is stored, cookie and all: every "
                                        "user gets the same one"},
    {NULL, NULL},
};

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
    {.name = "path", .type = CONF_STRING, .text = CONF_TEXT_ANY,
     AT(conf_disk, path), .initial = "\"\"", .empty = true,
     .doc = "The folder of the disk tier."},
    {.name = "size", .type = CONF_SIZE, AT(conf_disk, size_bytes),
     .initial = "0", .max = 1024 * TiB,
     .doc = "The budget of the disk tier. This version has none: anything but "
            "0 is accepted with a warning, and has no effect."},
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
     AT(conf_limits, request_header_bytes), .initial = "\"16KiB\"",
     .min = 1 * KiB, .max = 32 * KiB,
     .reload = true,
     .doc = "The largest request line and header section. A larger one is "
            "answered 431 or 414."},
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

static const struct conf_option site_options[] = {
    {.name = "name", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf_site, name), .required = true, .doc = "The site's name."},
    {.name = "redis", .type = CONF_STRING, .text = CONF_TEXT_ADDRESS,
     AT(conf_site, redis), .initial = "\"\"", .empty = true,
     .doc = "The address of the site's Redis, which holds its stream of "
            "invalidations."},
    {.name = "latitude", .type = CONF_FLOAT, AT(conf_site, latitude),
     .initial = "0.0", .low = -90, .high = 90, .doc = "Degrees, north is "
     "positive."},
    {.name = "longitude", .type = CONF_FLOAT, AT(conf_site, longitude),
     .initial = "0.0", .low = -180, .high = 180, .doc = "Degrees, east is "
     "positive."},
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

static const struct conf_option origin_options[] = {
    {.name = "servers", .type = CONF_STRINGS, .text = CONF_TEXT_URL,
     AT(conf_origin, servers), .required = true, .min = 1, .max = 64,
     .doc = "The addresses of the group. For `cp` routes they must answer as "
            "one."},
    {.name = "host_header", .type = CONF_STRING, .text = CONF_TEXT_AUTHORITY,
     AT(conf_origin, host_header), .initial = "\"\"", .empty = true,
     .doc = "Sent as Host, instead of the one the client sent."},
    {.name = "connect_timeout", .type = CONF_DURATION,
     AT(conf_origin, connect_timeout_ms), .initial = "\"2s\"", .min = 10,
     .max = 1 * HOUR, .doc = "How long connecting may take."},
    {.name = "first_byte_timeout", .type = CONF_DURATION,
     AT(conf_origin, first_byte_timeout_ms), .initial = "\"15s\"", .min = 10,
     .max = 1 * HOUR,
     .doc = "How long it may take to the first byte of the answer."},
    {.name = "idle_timeout", .type = CONF_DURATION,
     AT(conf_origin, idle_timeout_ms), .initial = "\"15s\"", .min = 10,
     .max = 1 * HOUR,
     .doc = "How long a body may stand still on its way."},
    {.name = "tls_verify", .type = CONF_BOOL, AT(conf_origin, tls_verify),
     .initial = "true",
     .doc = "Whether the certificate of an https server is verified."},
    {.name = "retries", .type = CONF_INT, AT(conf_origin, retries),
     .initial = "1", .max = 10,
     .doc = "Further attempts, at other servers of the group, for requests "
            "without a body whose method is safe."},
    {.name = "ca_file", .type = CONF_STRING, .text = CONF_TEXT_FILE,
     AT(conf_origin, ca_file), .initial = "\"\"", .empty = true,
     .doc = "Certificates to trust (PEM) instead of the system's. Relative to "
            "the configuration file that names it."},
};
static const struct conf_table origin_table = {
    .what = "an origin group", .options = origin_options,
    .count = ARRAY_LEN(origin_options), .size = sizeof(struct conf_origin),
    .key_offset = offsetof(struct conf_origin, name)};

static const struct conf_option match_options[] = {
    {.name = "host", .type = CONF_STRING, .text = CONF_TEXT_HOST,
     AT(conf_match, host), .initial = "\"*\"",
     .doc = "The request's host: `example.com` exactly, `*.example.com` for "
            "every name below it, or `*` for any. Compared without port and "
            "case."},
    {.name = "path", .type = CONF_STRING, .text = CONF_TEXT_PATH,
     AT(conf_match, path), .initial = "\"/*\"",
     .doc = "The request's path, as it was sent, without the query: `/exact`, "
            "or with a `*` at the end all paths that begin so (`/static/*` "
            "does not match `/static`)."},
    {.name = "methods", .type = CONF_STRINGS, .text = CONF_TEXT_METHOD,
     AT(conf_match, methods), .initial = "[]", .max = 32,
     .doc = "The methods it matches; none means any."},
};
static const struct conf_table match_table =
    TABLE(match_options, conf_match, "the match of a route");

static const struct conf_option ttl_options[] = {
    {.name = "default", .type = CONF_DURATION, AT(conf_ttl, default_ms),
     .initial = "0", .max = 10 * YEAR,
     .doc = "How long a response is fresh that says nothing about it, and has "
            "no Last-Modified to guess from."},
    {.name = "min", .type = CONF_DURATION, AT(conf_ttl, min_ms),
     .initial = "0", .max = 10 * YEAR,
     .doc = "A freshness lifetime below this is raised to it."},
    {.name = "max", .type = CONF_DURATION, AT(conf_ttl, max_ms),
     .max = 10 * YEAR, .doc = "A freshness lifetime above this is cut to it."},
    {.name = "override", .type = CONF_DURATION, AT(conf_ttl, override_ms),
     .max = 10 * YEAR,
     .doc = "The freshness lifetime, whatever the response says about it."},
    {.name = "stale_while_revalidate", .type = CONF_DURATION,
     AT(conf_ttl, stale_while_revalidate_ms), .initial = "0", .max = 10 * YEAR,
     .doc = "How long after it became stale a copy is served while a new one "
            "is fetched (RFC 5861), where the response does not say."},
    {.name = "stale_if_error", .type = CONF_DURATION,
     AT(conf_ttl, stale_if_error_ms), .initial = "0", .max = 10 * YEAR,
     .doc = "How long after it became stale a copy is served when the origin "
            "fails (RFC 5861), where the response does not say."},
    {.name = "max_stale", .type = CONF_DURATION, AT(conf_ttl, max_stale_ms),
     .initial = "\"1d\"", .max = 10 * YEAR,
     .doc = "On `ap`, how long after it became stale a copy is served when "
            "nothing better can be had. Never where the response forbids it."},
    {.name = "heuristic_percent", .type = CONF_INT,
     AT(conf_ttl, heuristic_percent), .initial = "10", .max = 100,
     .doc = "How fresh a response is that gives only Last-Modified: this part "
            "of its age then (RFC 9111 section 4.2.2). 0 never guesses."},
    {.name = "heuristic_max", .type = CONF_DURATION,
     AT(conf_ttl, heuristic_max_ms), .initial = "\"1d\"", .max = 10 * YEAR,
     .doc = "The longest lifetime guessed so."},
};
static const struct conf_table ttl_table =
    TABLE(ttl_options, conf_ttl, "the lifetimes of a route");

static const struct conf_option query_options[] = {
    {.name = "mode", .type = CONF_ENUM, .choices = queries,
     AT(conf_query_key, mode), .initial = "\"all\"",
     .doc = "What of the query tells two objects apart."},
    {.name = "names", .type = CONF_STRINGS, .text = CONF_TEXT_PARAMETER,
     AT(conf_query_key, names), .initial = "[]", .max = 256,
     .doc = "The parameters that `allow` and `deny` mean."},
    {.name = "sort", .type = CONF_BOOL, AT(conf_query_key, sort),
     .initial = "false",
     .doc = "Whether `a=1&b=2` and `b=2&a=1` are the same."},
};
static const struct conf_table query_table =
    TABLE(query_options, conf_query_key, "the query in a key");

static const struct conf_option key_options[] = {
    {.name = "query", .type = CONF_OBJECT, .table = &query_table,
     AT(conf_key, query), .initial = "{}",
     .doc = "How the query is part of the key."},
    {.name = "headers", .type = CONF_STRINGS, .text = CONF_TEXT_FIELD,
     AT(conf_key, headers), .initial = "[]", .max = 32,
     .doc = "Request header fields that are part of the key, besides what Vary "
            "asks for."},
    {.name = "cookies", .type = CONF_STRINGS, .text = CONF_TEXT_COOKIE,
     AT(conf_key, cookies), .initial = "[]", .max = 32,
     .doc = "Cookies that are part of the key."},
    {.name = "ignore_case", .type = CONF_BOOL, AT(conf_key, ignore_case),
     .initial = "false",
     .doc = "Whether paths that differ only in case are the same."},
};
static const struct conf_table key_table =
    TABLE(key_options, conf_key, "the cache key of a route");

static const struct conf_option route_options[] = {
    {.name = "name", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf_route, name), .required = true,
     .doc = "The route's name, as it appears in the access log."},
    {.name = "match", .type = CONF_OBJECT, .table = &match_table,
     AT(conf_route, match), .initial = "{}",
     .doc = "What requests take this route. Of those that match, the most "
            "exact host wins, then the longest path, then one that names the "
            "method; the order in the file means nothing."},
    {.name = "origin", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf_route, origin_name), .required = true,
     .doc = "The origin group that owns the content."},
    {.name = "consistency", .type = CONF_ENUM, .choices = consistencies,
     AT(conf_route, consistency), .initial = "\"ap\"",
     .doc = "What the route wants when the network breaks."},
    {.name = "ttl", .type = CONF_OBJECT, .table = &ttl_table,
     AT(conf_route, ttl), .initial = "{}",
     .doc = "How long copies are fresh, and may be used after."},
    {.name = "key", .type = CONF_OBJECT, .table = &key_table,
     AT(conf_route, key), .initial = "{}",
     .doc = "What tells two objects apart."},
    {.name = "purge", .type = CONF_BOOL, AT(conf_route, purge),
     .initial = "false",
     .doc = "Whether the client listener takes PURGE, with the admin token."},
    {.name = "set_cookie", .type = CONF_ENUM, .choices = set_cookies,
     AT(conf_route, set_cookie), .initial = "\"bypass\"",
     .doc = "What is done with a response that sets a cookie."},
    {.name = "pass", .type = CONF_BOOL, AT(conf_route, pass),
     .initial = "false",
     .doc = "Passes every request to the origin, and stores nothing."},
};
static const struct conf_table route_table =
    TABLE(route_options, conf_route, "a route");

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
    {.name = "redis", .type = CONF_OBJECT, .table = &redis_table,
     AT(conf, redis), .initial = "{}", .doc = "How the sites' Redis are used."},
    {.name = "peers", .type = CONF_OBJECT, .table = &peers_table,
     AT(conf, peers), .initial = "{}", .doc = "How other nodes are used."},
    {.name = "origins", .type = CONF_MAP, .table = &origin_table,
     LIST_AT(conf, origins, origin_count), .initial = "{}", .reload = true,
     .doc = "The origin groups, by name."},
    {.name = "routes", .type = CONF_LIST, .table = &route_table,
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

const char *
conf_consistency_name(enum conf_consistency consistency)
{
    CHECK((size_t)consistency + 1 < ARRAY_LEN(consistencies));
    return consistencies[consistency].name;
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
