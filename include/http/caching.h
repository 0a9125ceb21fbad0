/*
 * What a shared cache may do with a response: whether it may be stored, for
 * how long it is fresh, how stale it may be served (RFC 9111 sections 3 and 4,
 * RFC 5861). Pure functions: time and policy are arguments.
 *
 * Ages and lifetimes are whole seconds. A response is fresh while its age is
 * less than its lifetime.
 */
#ifndef HTTP_CACHING_H
#define HTTP_CACHING_H

#include "http/cache_control.h"

#define CACHING_UNSET UINT64_MAX

/* A lifetime for some statuses, where a response says none, or override_s
 * takes the place of what it says (negative and error caching). It is not
 * bounded by min_s and max_s, and the route's windows for stale copies do not
 * follow it. Also stores statuses that are not cacheable by default. The first
 * row that has the status counts; those of several statuses leave out what
 * status_about_request (status.h) names. */
struct caching_status_ttl {
    int first; /* of the range, inclusive */
    int last;
    uint64_t ttl_s;
};

/* What a route adds to what a response says. caching_policy_standard() is RFC
 * 9111 and nothing more. All times in seconds. */
struct caching_policy {
    uint64_t default_s;  /* the response gives no lifetime, nor a
                          * Last-Modified to guess one from; 0: none */
    uint64_t min_s;      /* a lifetime is raised to this; 0: never */
    uint64_t max_s;      /* and cut to this, or CACHING_UNSET */
    uint64_t override_s; /* instead of what it says, or CACHING_UNSET; never
                          * makes storable what no-store or private forbid */
    uint64_t stale_while_revalidate_s; /* where the response gives none and
                                        * does not forbid it */
    uint64_t stale_if_error_s;         /* likewise */
    unsigned heuristic_percent;        /* of Date - Last-Modified */
    uint64_t heuristic_max_s;
    bool store_set_cookie; /* store responses with Set-Cookie whose freshness
                            * is explicit; else such are never stored */
    /* Targeted fields (RFC 9213), the first valid one counts; may be empty. */
    const struct span *targets;
    size_t target_count;
    /* Honour Surrogate-Control for this device name; ptr NULL: ignore it. It
     * comes after `targets`. */
    struct span surrogate_device;
    const struct caching_status_ttl *status_ttl;
    size_t status_ttl_count;
};

/* The request that a response answers. Only `method` and `fields` are needed;
 * scheme, authority and target (path and query) serve to recognise a POST
 * response that stands for a later GET (RFC 9110 section 9.3.3); without them
 * no POST response is storable. */
struct caching_request {
    struct span method;
    struct span scheme;
    struct span authority;
    struct span target;
    const struct fields *fields;
};

struct caching {
    bool storable;
    bool forbidden;      /* by the response's directives, whoever asks */
    const char *why_not; /* static text, a short token-like phrase for
                          * Cache-Status' detail; NULL when storable */
    uint64_t lifetime_s;
    uint64_t initial_age_s;   /* corrected_initial_age */
    uint64_t swr_s;           /* stale-while-revalidate; 0 where forbidden */
    uint64_t sie_s;           /* stale-if-error; 0 where forbidden */
    bool revalidate_always;   /* no-cache: never without a validation */
    bool forbids_stale;       /* must-revalidate, proxy-revalidate, s-maxage or
                               * no-cache */
    bool immutable;           /* RFC 8246: a reload (max-age=0) is a hit */
    bool explicit_lifetime;   /* said by the response or the route */
    bool by_status;           /* by caching_policy.status_ttl */
    bool heuristic;           /* the lifetime is a guess */
    bool shareable_with_auth; /* public, must-revalidate or s-maxage */
    bool has_etag;            /* a well-formed one */
    bool etag_strong;
    bool has_last_modified; /* one that can be parsed */
    bool omits_fields;      /* caching_stored_fields leaves some out */
};

struct caching_policy caching_policy_standard(void);

/*
 * `response` is the final response, hop-by-hop fields out or not. After a 304
 * pass the updated fields (update.h) with the stored status and the times of
 * the 304. `response_wall_s` is when the head arrived, by our wall clock: it
 * stands in for a missing or bad Date and decides the century of two-digit
 * years. `delay_ms` is the time from sending the request to the arrival of the
 * head, monotonic; only its whole seconds count, so that no Age grows by
 * rounding. The initial age is the corrected_age_value of RFC 9111 section
 * 4.2.3. The apparent age (arrival less Date) is left out of it: that section
 * asks for it only where a cache on the way may be too old to send Age, and
 * with an origin's clock that runs late it would take freshness from all that
 * the origin sends.
 */
void caching_of(const struct caching_request *request, int status,
                const struct fields *response,
                const struct caching_policy *policy, int64_t response_wall_s,
                uint64_t delay_ms, struct caching *out);

/*
 * Adds to `out` the fields of `response` that may be stored and shown to
 * anyone: all but those named by a qualified no-cache or private (RFC 9111
 * sections 5.2.2.4 and 5.2.2.7). Only the client whose own request fetched the
 * response may be given the others. Spans are borrowed from `response`.
 */
void caching_stored_fields(const struct fields *response,
                           const struct caching_policy *policy,
                           struct fields *out);

/* ---- of a stored response, later ---- */

/* Its current age: what it had on arrival and the whole seconds it was here.
 * Both times are of one monotonic clock. */
uint64_t caching_age_s(const struct caching *caching, uint64_t received_ns,
                       uint64_t now_ns);
/* Seconds past the lifetime: 0 both when fresh and when just expired. */
uint64_t caching_staleness_s(const struct caching *caching, uint64_t age_s);
/* Seconds of freshness left; negative when stale: the ttl of Cache-Status. */
int64_t caching_ttl_s(const struct caching *caching, uint64_t age_s);

enum freshness {
    FRESHNESS_FRESH,
    FRESHNESS_STALE_ACCEPTED, /* stale, but within the request's max-stale */
    FRESHNESS_STALE_WHILE_REVALIDATE, /* answer stale, refresh behind it */
    FRESHNESS_STALE,                  /* or not fresh enough for this request */
};

/*
 * Has the response ever been for others than the one who asked, without the
 * origin's word on each? Not with no-cache, nor with a lifetime of none: that
 * may be somebody's own page, with an entity tag and not a word on caching.
 * Such a copy is validated for each request, and never stands in as a stale
 * one, unless the response itself gives a window for that.
 */
bool caching_reusable(const struct caching *caching);

/* `request` may be NULL: no directives. Its max-age, min-fresh and max-stale
 * are honoured; its no-cache, no-store and only-if-cached are the caller's. A
 * response with revalidate_always is never better than FRESHNESS_STALE. */
enum freshness caching_freshness(const struct caching *caching, uint64_t age_s,
                                 const struct cache_control *request);

/*
 * May a stale copy be served because nothing better can be had? Never when the
 * response forbids it; else while its staleness is within `max_stale_s` (that
 * of one which was ever fresh), its stale-while-revalidate, or, `on_error`,
 * caching_stale_if_error. True as well for a copy that is still fresh.
 * `request` may be NULL.
 */
bool caching_stale_usable(const struct caching *caching, uint64_t age_s,
                          uint64_t max_stale_s, bool on_error,
                          const struct cache_control *request);

/* Does a copy stand in for an error that the origin answered (RFC 5861 section
 * 4)? While its staleness is within the stale-if-error of the response, of the
 * route or of the request, whichever is longest; not when the response forbids
 * it. Without any of them the error is heard. */
bool caching_stale_if_error(const struct caching *caching, uint64_t age_s,
                            const struct cache_control *request);

/* "fresh", "stale-accepted", "stale-while-revalidate", "stale". Static. */
const char *caching_freshness_name(enum freshness freshness);

#endif
