/*
 * The verdict: what to do with one request, given what was found. Pure, no
 * I/O: the heart of the consistency promises, and one table test covers it
 * (tests/unit/engine/test_plan.c).
 *
 * It is asked again after each step that did not settle the request, with what
 * has been tried by then.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include <stdbool.h>

#include "cluster/inval.h"
#include "conf/conf_route.h"
#include "http/caching.h"

enum plan_verdict {
    PLAN_HIT,        /* answer from the stored copy */
    PLAN_HIT_STALE,  /* the same, although it is stale (plan.refresh: and
                      * refresh it in the background) */
    PLAN_REVALIDATE, /* ask the origin whether the copy still holds */
    PLAN_JOIN,       /* share the fill that runs */
    PLAN_PEER,       /* ask the next peer */
    PLAN_ORIGIN,     /* fetch it whole, to be shared and stored */
    PLAN_PASS,       /* for this client alone, nothing stored */
    PLAN_WAIT,       /* for our position to cover the request's session */
    PLAN_FAIL,       /* answer with an error of our own */
    PLAN_VERDICTS
};

/* Who asks. */
enum plan_source {
    PLAN_CLIENT,
    PLAN_PEER_GET, /* another node: only what we hold */
    PLAN_PEER_FILL /* another node of our site: we are the key's home */
};

/* What an answer has to meet: a route's level means one of these, and a request
 * may ask for more. */
enum plan_needs {
    PLAN_NEEDS_BOUND = 1,   /* validated within the route's bound */
    PLAN_NEEDS_SESSION = 2, /* our position covers the session's */
    PLAN_NEEDS_LEASE = 4,   /* a lease at every writer of the route */
    PLAN_NEEDS_STRICT = 8   /* validated after the request arrived */
};

struct plan_request {
    enum plan_source source;
    unsigned needs; /* beyond the route's */
    /* Read before the store was looked up, so that what is looked up is at
     * least as new (invariants L of cluster/stream_lease.c). */
    bool leased;         /* leases are held at all writers of the route */
    bool covered;        /* our position covers the session's */
    bool readable;       /* GET or HEAD */
    bool head;           /* HEAD */
    bool only_if_cached; /* RFC 9111 section 5.2.1.7 */
    bool no_cache;       /* section 5.2.1.4; or Pragma, section 5.4 */
    bool origin_only;    /* only the origin can answer it: a condition that it
                          * alone can judge, or a body */
    bool accept_stale;   /* a peer whose origin is away takes a stale copy */
};

struct plan_policy {
    unsigned needs; /* enum plan_needs; 0: ap */
    bool pass;      /* the route caches nothing */
};

/* The stored copy, as it is now. */
struct plan_found {
    bool object;
    enum freshness freshness; /* by the response and the request */
    enum validity validity;   /* by the invalidation log */
    bool revalidate_always;   /* no-cache */
    bool may_swr;             /* it may be served stale while refreshed */
    bool stale_usable;        /* it may be served when nothing better can be
                               * had: within the bounds, not forbidden */
    bool within_bound;        /* validated within the route's bound */
    bool behind_session;      /* the session has read something newer */
    bool validator;           /* it has one */
    bool strong_validator;
    bool uncacheable; /* the key turned out so lately */
    bool fill;        /* one of this key runs, and may be joined */
};

/* What was tried for this request. */
struct plan_tried {
    bool peers;       /* nobody is left to ask for a valid copy */
    bool peers_stale; /* nor for a stale one */
    bool join;        /* what we joined was of no use to us */
    bool origin;      /* the origin could not be reached */
    bool private_;    /* the answer is not to be shared: ask for ourselves */
    bool waited;      /* for our position, and long enough */
};

/* Why it was forwarded, for Cache-Status (RFC 9211 section 2.2). */
enum plan_why {
    PLAN_WHY_HIT,
    PLAN_WHY_MISS,
    PLAN_WHY_STALE,
    PLAN_WHY_REQUEST, /* the request asked for it */
    PLAN_WHY_METHOD,
    PLAN_WHY_BYPASS,      /* the route caches nothing */
    PLAN_WHY_INVALIDATED, /* an invalidation or a floor */
    PLAN_WHY_STRICT,      /* cp: every read is validated */
    PLAN_WHY_UNCONFIRMED, /* bounded, session, lease: the copy is not confirmed
                           * as the level wants it */
    PLAN_WHYS
};

struct plan {
    enum plan_verdict verdict;
    enum plan_why why;
    bool refresh;     /* PLAN_HIT_STALE: start a refresh in the background */
    bool strict;      /* only a request sent after this one arrived counts */
    bool take_stale;  /* PLAN_PEER: a stale copy will do */
    bool conditional; /* REVALIDATE with the stored validator */
};

struct plan plan_decide(const struct plan_request *request,
                        const struct plan_policy *policy,
                        const struct plan_found *found,
                        const struct plan_tried *tried);

const char *plan_verdict_name(enum plan_verdict verdict); /* "hit" */
const char *plan_why_text(enum plan_why why); /* a sentence for explain */

#endif
