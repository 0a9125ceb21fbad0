/*
 * Routes and origin groups, as the configuration states them. Parts of a
 * struct conf, which owns them.
 */
#ifndef CONF_ROUTE_H
#define CONF_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A duration that is not set. */
#define CONF_UNSET UINT64_MAX

struct conf_strings {
    const char *const *list;
    size_t count;
};

/* What a route wants when the network breaks. */
enum conf_consistency {
    CONF_AP,      /* keep answering, perhaps with a stale copy */
    CONF_BOUNDED, /* no answer that was validated longer ago than a bound */
    CONF_SESSION, /* as ap, and never behind what the client has seen */
    CONF_LEASE,   /* no answer older than an acknowledged invalidation */
    CONF_CP,      /* never answer without a validation sent after the request */
};

/* For whom the answer to a write waits, once its invalidation is published. */
enum conf_wait {
    CONF_WAIT_NONE,
    CONF_WAIT_SITE,
    CONF_WAIT_ALL,
};

/* Which parameters of the query are part of the cache key. */
enum conf_query {
    CONF_QUERY_ALL,
    CONF_QUERY_NONE,
    CONF_QUERY_ALLOW, /* only the names listed */
    CONF_QUERY_DENY,  /* all but the names listed */
};

enum conf_set_cookie {
    CONF_SET_COOKIE_BYPASS, /* a response with Set-Cookie is not stored */
    CONF_SET_COOKIE_STORE,
};

/* What a request for a range does when nothing is stored. */
enum conf_partial {
    CONF_PARTIAL_WHOLE, /* fetch and store the whole, answer from that */
    CONF_PARTIAL_PASS,  /* ask for the range, store nothing */
    CONF_PARTIAL_STORE, /* ask for the range, store the part */
};

/* Durations by the key that they have in the file. */
struct conf_duration {
    const char *key;
    uint64_t ms;
};

struct conf_durations {
    const struct conf_duration *list;
    size_t count;
};

struct conf_origin {
    const char *name;
    struct conf_strings servers; /* "http(s)://host[:port]", no path; >= 1 */
    const char *host_header;     /* sent instead of the request's; or empty */
    uint64_t connect_timeout_ms;
    uint64_t first_byte_timeout_ms;
    uint64_t idle_timeout_ms;  /* without a byte of the body */
    uint64_t execution_max_ms; /* from sending to its taking effect, at most */
    uint64_t revalidate_rate;  /* a second, of what was invalidated in bulk;
                                * 0: unlimited */
    bool tls_verify;
    uint64_t retries;    /* further attempts, idempotent methods only */
    const char *ca_file; /* PEM; empty: the system's */
};

struct conf_match {
    const char *host; /* "*", "example.com" or "*.example.com"; lower case */
    const char *path; /* "/exact", or "/prefix*" */
    struct conf_strings methods; /* empty: any */
};

struct conf_ttl {
    uint64_t default_ms;  /* when the response says nothing and has no
                           * Last-Modified; 0: none */
    uint64_t min_ms;      /* a lifetime is raised to this; 0: never */
    uint64_t max_ms;      /* and cut to this; CONF_UNSET: never */
    uint64_t override_ms; /* instead of what it says, or CONF_UNSET */
    uint64_t stale_while_revalidate_ms; /* where the response gives none */
    uint64_t stale_if_error_ms;         /* likewise */
    uint64_t max_stale_ms;      /* ap: how stale a copy may be served when
                                 * nothing better can be had */
    uint64_t heuristic_percent; /* of Date - Last-Modified (RFC 9111
                                 * section 4.2.2); 0: no heuristics */
    uint64_t heuristic_max_ms;
    struct conf_durations status; /* by "404" or "4xx": of responses that do
                                   * not say it themselves */
};

struct conf_query_key {
    enum conf_query mode;
    struct conf_strings names; /* for allow and deny */
    bool sort;                 /* parameters by name, stably */
};

struct conf_key {
    struct conf_query_key query;
    struct conf_strings headers; /* request fields, lower case */
    struct conf_strings cookies;
    bool ignore_case;    /* the path in lower case */
    bool no_vary_search; /* honour No-Vary-Search */
};

struct conf_forward {
    struct conf_strings headers; /* unkeyed fields that reach the origin all
                                  * the same; lower case */
};

struct conf_route {
    const char *name;
    struct conf_match match;
    const char *origin_name;
    const struct conf_origin *origin; /* never NULL */
    enum conf_consistency consistency;
    struct conf_ttl ttl;
    struct conf_key key;
    bool purge; /* PURGE on the client listener, with the admin token */
    enum conf_set_cookie set_cookie;
    bool pass;                   /* never cache */
    struct conf_strings targets; /* targeted fields (RFC 9213), lower case,
                                  * the most specific first */
    const char *surrogate;       /* the name under which Surrogate-Control is
                                  * honoured; empty: it is not */
    struct conf_forward forward;
    struct conf_strings encodings; /* codings that tell variants apart */
    bool language_select; /* a variant whose Content-Language is what the
                           * request likes best is as good as asking */
    bool tags_to_client;  /* Surrogate-Key and Cache-Tag are sent */
    enum conf_partial partial;
    uint64_t max_staleness_ms;   /* bounded */
    uint64_t session_wait_ms;    /* session */
    struct conf_strings writers; /* sites; empty: all with a Redis */
    bool tighten;      /* Atlas-Consistency in a request may ask for more */
    bool require_tags; /* what has no tags is not stored */
    enum conf_wait write_wait;
};

/* "ap", "bounded", "session", "lease", "cp". */
const char *conf_consistency_name(enum conf_consistency consistency);

#endif
