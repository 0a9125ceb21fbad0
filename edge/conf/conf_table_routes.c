/* The options of origin groups and of routes. See conf_table.c. */
#include "conf/conf_table_internal.h"

static const struct conf_choice consistencies[] = {
    [CONF_AP] = {"ap", "keeps answering when the network breaks, with a stale "
                       "copy if nothing better can be had (eventual)"},
    [CONF_BOUNDED] = {"bounded", "answers from a stored copy only when the "
                                 "origin has confirmed it within "
                                 "`max_staleness`; else asks it, or 504"},
    [CONF_SESSION] = {"session", "as `ap`, and never behind what the client "
                                 "has written or read, as far as its "
                                 "Atlas-Session says"},
    [CONF_LEASE] = {"lease", "answers from a stored copy only under a lease at "
                             "every site that may write: never with one older "
                             "than an acknowledged invalidation; else asks the "
                             "origin, or 504"},
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

static const struct conf_choice waits[] = {
    [CONF_WAIT_NONE] = {"none", "only until it is published"},
    [CONF_WAIT_SITE] = {"site", "for the nodes of this site"},
    [CONF_WAIT_ALL] = {"all", "for all nodes"},
    {NULL, NULL},
};

static const struct conf_choice partials[] = {
    [CONF_PARTIAL_WHOLE] = {"whole", "the whole is fetched and stored, and "
                                     "ranges are answered from it"},
    [CONF_PARTIAL_PASS] = {"pass", "the range is fetched, and not stored"},
    [CONF_PARTIAL_STORE] = {"store", "the range is fetched, and the part is "
                                     "stored for ranges inside it"},
    {NULL, NULL},
};

/* clang-format off */

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
    {.name = "execution_max", .type = CONF_DURATION,
     AT(conf_origin, execution_max_ms), .initial = "\"60s\"", .min = 100,
     .max = 24 * HOUR,
     .doc = "How long after it was sent a request may still be carried out. A "
            "write whose outcome is not known invalidates once more when this "
            "has passed."},
    {.name = "revalidate_rate", .type = CONF_INT,
     AT(conf_origin, revalidate_rate), .initial = "1000", .max = 1000000,
     .doc = "How many copies a second this node has revalidated while they are "
            "served, when very many must be at once: after soft purges, and "
            "when invalidations may have been missed. The others are served "
            "as they are until their turn comes. Requests that must wait for "
            "the origin are never held up, but count. 0: no limit."},
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
const struct conf_table conf_table_origin = {
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
            "is fetched (RFC 5861), where the response does not say. Not of a "
            "response whose lifetime is 0: that may be one user's own."},
    {.name = "stale_if_error", .type = CONF_DURATION,
     AT(conf_ttl, stale_if_error_ms), .initial = "0", .max = 10 * YEAR,
     .doc = "How long after it became stale a copy is served when the origin "
            "fails (RFC 5861), where the response does not say; not where its "
            "lifetime is 0."},
    {.name = "max_stale", .type = CONF_DURATION, AT(conf_ttl, max_stale_ms),
     .initial = "\"1d\"", .max = 10 * YEAR,
     .doc = "On `ap`, how long after it became stale a copy is served when "
            "nothing better can be had. Never where the response forbids it, "
            "or where its lifetime is 0."},
    {.name = "heuristic_percent", .type = CONF_INT,
     AT(conf_ttl, heuristic_percent), .initial = "10", .max = 100,
     .doc = "How fresh a response is that gives only Last-Modified: this part "
            "of its age then (RFC 9111 section 4.2.2). 0 never guesses."},
    {.name = "heuristic_max", .type = CONF_DURATION,
     AT(conf_ttl, heuristic_max_ms), .initial = "\"1d\"", .max = 10 * YEAR,
     .doc = "The longest lifetime guessed so."},
    {.name = "status", .type = CONF_DURATIONS, .text = CONF_TEXT_STATUS,
     AT(conf_ttl, status), .initial = "{}", .max = 10 * YEAR,
     .doc = "How long responses are fresh by status, for those that do not "
            "say so themselves: `{\"404\": \"10s\", \"5xx\": \"1s\"}`. Makes "
            "errors cacheable that are not by default. A status goes before "
            "its class, and either before the other lifetimes here. `4xx` is "
            "404, 405, 410, 414 and 451: the others are about a request, not "
            "about the resource, and are stored only where they are named. An "
            "error never takes the place of a copy that may stand in for it "
            "(`stale_if_error`)."},
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
    {.name = "no_vary_search", .type = CONF_BOOL,
     AT(conf_key, no_vary_search), .initial = "false",
     .doc = "Whether No-Vary-Search is honoured: a response may say that "
            "other queries would have given the same one."},
};
static const struct conf_table key_table =
    TABLE(key_options, conf_key, "the cache key of a route");

static const struct conf_option forward_options[] = {
    {.name = "headers", .type = CONF_STRINGS, .text = CONF_TEXT_FIELD,
     AT(conf_forward, headers), .initial = "[]", .max = 64,
     .doc = "Request header fields that reach the origin though they can "
            "change an answer that is then stored for all: `X-Forwarded-Host` "
            "and its kind, other addresses of the client, method overrides, "
            "names with `_`, which programs take for others, and what names no "
            "address in `X-Forwarded-For` and `Forwarded`. Those in "
            "`key.headers` do so anyway. Where nothing is stored (`pass`, "
            "POST) all of them do."},
};
static const struct conf_table forward_table =
    TABLE(forward_options, conf_forward, "what a route sends to the origin");

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
    {.name = "targets", .type = CONF_STRINGS, .text = CONF_TEXT_FIELD,
     AT(conf_route, targets), .initial = "[\"CDN-Cache-Control\"]", .max = 8,
     .doc = "Response header fields that take the place of Cache-Control and "
            "Expires here (RFC 9213), the first valid one of them."},
    {.name = "surrogate", .type = CONF_STRING, .text = CONF_TEXT_NAME,
     AT(conf_route, surrogate), .initial = "\"\"", .empty = true,
     .doc = "The name under which Surrogate-Control is honoured, after "
            "`targets`; the origin is told it in Surrogate-Capability. Empty: "
            "it is passed on like any other field."},
    {.name = "forward", .type = CONF_OBJECT, .table = &forward_table,
     AT(conf_route, forward), .initial = "{}",
     .doc = "What of a request reaches the origin."},
    {.name = "encodings", .type = CONF_STRINGS, .text = CONF_TEXT_CODING,
     AT(conf_route, encodings), .initial = "[\"br\", \"gzip\", \"zstd\"]",
     .max = 4,
     .doc = "The content codings that the origin is asked for, and by which "
            "variants are told apart; of others in a request, and of weights, "
            "nothing is left."},
    {.name = "language_select", .type = CONF_BOOL,
     AT(conf_route, language_select), .initial = "false",
     .doc = "Whether a stored response whose Content-Language is the language "
            "that a request likes best answers it, where responses vary by "
            "Accept-Language."},
    {.name = "partial", .type = CONF_ENUM, .choices = partials,
     AT(conf_route, partial), .initial = "\"whole\"",
     .doc = "What a request for a range does when nothing is stored. Where "
            "`consistency` is cp, or the key honours No-Vary-Search, `store` "
            "is as `whole`."},
    {.name = "tags_to_client", .type = CONF_BOOL,
     AT(conf_route, tags_to_client), .initial = "false",
     .doc = "Whether clients are sent the tags of responses (Surrogate-Key, "
            "Cache-Tag): all of them, or none where the head would be over 16 "
            "KiB. Cache-Groups is sent in any case."},
    {.name = "max_staleness", .type = CONF_DURATION,
     AT(conf_route, max_staleness_ms), .initial = "\"10s\"", .min = 1,
     .max = 10 * YEAR,
     .doc = "On `bounded`: how long ago, at most, the origin was asked for "
            "what is answered."},
    {.name = "session_wait", .type = CONF_DURATION,
     AT(conf_route, session_wait_ms), .initial = "\"1s\"", .max = 1 * HOUR,
     .doc = "On `session`: how long a request waits for this node to come to "
            "where its Atlas-Session was, before the origin is asked."},
    {.name = "writers", .type = CONF_STRINGS, .text = CONF_TEXT_NAME,
     AT(conf_route, writers), .initial = "[]", .max = 64,
     .doc = "On `lease`: the sites in whose streams the invalidations of this "
            "route stand; a lease is needed at each of them, and at no other. "
            "Empty: all that have a Redis."},
    {.name = "tighten", .type = CONF_BOOL, AT(conf_route, tighten),
     .initial = "false",
     .doc = "Whether a request may ask for more than `consistency`, by the "
            "field Atlas-Consistency: a level, which then holds as well."},
    {.name = "require_tags", .type = CONF_BOOL, AT(conf_route, require_tags),
     .initial = "false",
     .doc = "Whether responses without tags are not stored: for `lease` routes "
            "that are purged by tag, since a 404 (say) has none."},
    {.name = "write_wait", .type = CONF_ENUM, .choices = waits,
     AT(conf_route, write_wait), .initial = "\"none\"",
     .doc = "For whose acknowledgement the answer to a write waits, once its "
            "invalidation is published. On `lease` it is `all` in any case."},
};
const struct conf_table conf_table_route =
    TABLE(route_options, conf_route, "a route");

/* clang-format on */

const char *
conf_consistency_name(enum conf_consistency consistency)
{
    CHECK((size_t)consistency + 1 < ARRAY_LEN(consistencies));
    return consistencies[consistency].name;
}
