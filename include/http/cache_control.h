/*
 * Cache directives (RFC 9111 section 5.2, RFC 5861, RFC 8246, RFC 9213).
 *
 * Names compare without case; values may be tokens or quoted strings; what is
 * inside a quoted string is never a directive. Of a directive given twice the
 * first value counts. A malformed number never makes anything fresher: where
 * it bounds a lifetime or an age it counts as 0, where it grants use of stale
 * copies it grants none. Unknown directives are skipped.
 */
#ifndef HTTP_CACHE_CONTROL_H
#define HTTP_CACHE_CONTROL_H

#include "http/fields.h"

/* Seconds that were not given. */
#define CC_UNSET UINT64_MAX
/* The largest number of seconds we keep (RFC 9111 section 1.2.2). */
#define CC_SECONDS_MAX (UINT64_C(1) << 31)
/* How many no-cache="..." or private="..." lists are kept apart; one more
 * counts as the directive without a list, which is stricter. */
#define CC_LISTS 4

struct cache_control_lists {
    struct span list[CC_LISTS]; /* "a, b": into the fields, unquoted */
    size_t count;
};

struct cache_control {
    bool present; /* at least one directive, known or not */
    bool no_store;
    bool no_cache;   /* without a list of fields */
    bool is_private; /* without a list of fields */
    bool is_public;
    bool must_revalidate;
    bool proxy_revalidate;
    bool must_understand;
    bool immutable;
    bool no_transform;
    bool only_if_cached;
    bool max_stale_any; /* max-stale without a number */
    uint64_t max_age;   /* seconds, or CC_UNSET; as all that follow */
    uint64_t s_maxage;
    uint64_t stale_while_revalidate;
    uint64_t stale_if_error;
    uint64_t max_stale;
    uint64_t min_fresh;
    struct cache_control_lists no_cache_fields;
    struct cache_control_lists private_fields;
};

/* Reads all lines of Cache-Control. Never fails: *out is always set. The lists
 * in it live as long as the fields. */
void cache_control_parse(const struct fields *fields,
                         struct cache_control *out);

/* The same for a request: without Cache-Control, "Pragma: no-cache" counts as
 * no-cache (RFC 9111 section 5.4). */
void cache_control_request(const struct fields *fields,
                           struct cache_control *out);

/*
 * Reads a targeted field such as CDN-Cache-Control (RFC 9213 section 2.1), a
 * Dictionary of RFC 9651. True when it is there, valid and not empty: then it
 * stands for Cache-Control and Expires, which must not be looked at. False
 * when it is absent, empty, not a Dictionary, or a directive known to us has a
 * value of the wrong type: then go on as if it were absent; *out is as of an
 * empty field.
 */
bool cache_control_targeted(const struct fields *fields, struct span name,
                            struct cache_control *out);

/*
 * Reads Surrogate-Control (W3C Edge Architecture, 2001): directives as in
 * Cache-Control, each possibly with ";target". Those for a target that is not
 * `device` (compared without case; the name announced in the request's
 * Surrogate-Capability) are skipped; those for `device` go before those for
 * all. "max-age=60+30" is max-age=60 with stale-while-revalidate=30, and
 * no-store-remote is no-store. True when one that is for us was there: then it
 * stands for Cache-Control and Expires.
 */
bool cache_control_surrogate(const struct fields *fields, struct span device,
                             struct cache_control *out);

/* True when a list such as "a, b" names the field. */
bool cache_control_names(const struct cache_control_lists *lists,
                         struct span name);

#endif
