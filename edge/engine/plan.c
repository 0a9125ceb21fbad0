/*
 * plan_decide, by level. The order of the tests is the order of preference;
 * each function reads as the row of the level in the table of the design
 * notes (edge/DESIGN.md, "Consistency").
 */
#include "engine/plan.h"

#include "base/check.h"

struct question {
    const struct plan_request *request;
    const struct plan_policy *policy;
    const struct plan_found *found;
    const struct plan_tried *tried;
    unsigned needs; /* the route's and the request's */
};

static struct plan
verdict(enum plan_verdict verdict, enum plan_why why)
{
    return (struct plan){.verdict = verdict, .why = why};
}

/* What keeps the stored copy from being the answer. */
static enum plan_why
why_not_hit(const struct question *q)
{
    if (!q->found->object)
        return PLAN_WHY_MISS;
    if (q->found->validity == VALIDITY_HARD)
        return PLAN_WHY_INVALIDATED;
    if (q->request->no_cache)
        return PLAN_WHY_REQUEST;
    if (q->found->validity != VALIDITY_VALID)
        return PLAN_WHY_INVALIDATED;
    return PLAN_WHY_STALE;
}

static bool
usable(const struct plan_found *found)
{
    return found->object && found->validity != VALIDITY_HARD;
}

/* By RFC 9111: fresh, or no staler than the client says it accepts. */
static bool
fresh_enough(const struct plan_found *found)
{
    return found->freshness == FRESHNESS_FRESH ||
           found->freshness == FRESHNESS_STALE_ACCEPTED;
}

/* The copy answers as it is. */
static bool
is_hit(const struct question *q)
{
    const struct plan_found *found = q->found;

    return usable(found) && found->validity == VALIDITY_VALID &&
           fresh_enough(found) && !found->revalidate_always &&
           !q->request->no_cache;
}

/* The copy answers at once and is refreshed behind the client's back: inside
 * stale-while-revalidate, or fresh but below the floor (the log may have
 * missed something), or made stale by a soft purge. */
static bool
is_background(const struct question *q)
{
    const struct plan_found *found = q->found;

    if (!usable(found) || q->request->no_cache || found->revalidate_always)
        return false;
    if (found->validity == VALIDITY_FLOOR)
        return found->freshness == FRESHNESS_FRESH || found->may_swr;
    if (found->validity == VALIDITY_SOFT)
        return found->may_swr && found->freshness != FRESHNESS_STALE;
    return found->freshness == FRESHNESS_STALE_WHILE_REVALIDATE;
}

static struct plan
stale_hit(enum plan_why why, bool refresh)
{
    struct plan plan = verdict(PLAN_HIT_STALE, why);

    plan.refresh = refresh;
    return plan;
}

/* Nothing better can be had: our stale copy, else a peer's, else an error. */
static struct plan
ap_last_resort(const struct question *q)
{
    if (usable(q->found) && q->found->stale_usable)
        return stale_hit(PLAN_WHY_STALE, false);
    if (!q->tried->peers_stale && q->request->source == PLAN_CLIENT) {
        struct plan plan = verdict(PLAN_PEER, why_not_hit(q));

        plan.take_stale = true;
        return plan;
    }
    return verdict(PLAN_FAIL, why_not_hit(q));
}

static struct plan
validate(const struct question *q, bool usable_validator)
{
    struct plan plan = verdict(PLAN_ORIGIN, why_not_hit(q));

    if (usable(q->found) && usable_validator) {
        plan.verdict = PLAN_REVALIDATE;
        plan.conditional = true;
    }
    return plan;
}

/* An answer is to be got elsewhere. */
static struct plan
ap_forward(const struct question *q)
{
    enum plan_why why = why_not_hit(q);

    if (q->tried->private_ || (q->found->uncacheable && !q->found->object))
        return verdict(PLAN_PASS, why);
    if (q->request->head)
        return verdict(PLAN_PASS, why);
    if (q->request->no_cache) {
        /* Only what is asked of the origin after this request came. */
        struct plan plan = validate(q, q->found->validator);

        plan.strict = true;
        return plan;
    }
    if (q->found->fill && !q->tried->join)
        return verdict(PLAN_JOIN, why);
    if (why == PLAN_WHY_MISS && !q->tried->peers)
        return verdict(PLAN_PEER, why);
    return validate(q, q->found->validator);
}

static struct plan
decide_ap(const struct question *q)
{
    if (is_hit(q))
        return verdict(PLAN_HIT, PLAN_WHY_HIT);
    if (is_background(q))
        return stale_hit(why_not_hit(q), true);
    if (q->request->only_if_cached)
        return verdict(PLAN_FAIL, why_not_hit(q));
    if (q->tried->origin)
        return ap_last_resort(q);
    return ap_forward(q);
}

/* Strict: never from the store without a validation sent after the request
 * arrived; never from a peer; an error when the origin cannot be asked. */
static struct plan
decide_strict(const struct question *q, enum plan_why why)
{
    struct plan plan;

    if (q->tried->origin || q->request->only_if_cached)
        return verdict(PLAN_FAIL, why);
    if (q->request->head || q->tried->private_ ||
        (q->found->uncacheable && !q->found->object))
        plan = verdict(PLAN_PASS, why);
    else
        plan = validate(q, q->found->strong_validator);
    plan.why = why;
    plan.strict = true;
    return plan;
}

/* ---- lease and bounded: fresh and confirmed, or asked of the origin ---- */

/* The copy would be a hit, and is confirmed as the level wants it. */
static bool
is_confirmed(const struct question *q)
{
    return (!(q->needs & PLAN_NEEDS_BOUND) || q->found->within_bound) &&
           (!(q->needs & PLAN_NEEDS_LEASE) || q->request->leased) &&
           (!(q->needs & PLAN_NEEDS_SESSION) || !q->found->behind_session);
}

/* Under a lease whatever was acknowledged is in our tables, and what is joined
 * is tested by them; without one only a request sent from now on counts. */
static bool
must_be_strict(const struct question *q)
{
    return q->request->no_cache ||
           ((q->needs & PLAN_NEEDS_LEASE) && !q->request->leased) ||
           ((q->needs & PLAN_NEEDS_SESSION) && q->found->behind_session);
}

static struct plan
decide_confirmed(const struct question *q)
{
    /* A client that takes what is stale does not take what is unconfirmed. */
    bool hit = is_hit(q) && q->found->freshness == FRESHNESS_FRESH;
    enum plan_why why = hit ? PLAN_WHY_UNCONFIRMED : why_not_hit(q);

    if (hit && is_confirmed(q))
        return verdict(PLAN_HIT, PLAN_WHY_HIT);
    if (must_be_strict(q))
        return decide_strict(q, why);
    if (q->tried->origin || q->request->only_if_cached)
        return verdict(PLAN_FAIL, why);
    if (q->request->head || q->tried->private_ ||
        (q->found->uncacheable && !q->found->object))
        return verdict(PLAN_PASS, why);
    if (q->found->fill && !q->tried->join)
        return verdict(PLAN_JOIN, why);
    struct plan plan = validate(q, q->found->strong_validator);

    plan.why = why;
    return plan;
}

/* ---- session: as ap, once we are where the session was ---- */

static struct plan
decide_session(const struct question *q)
{
    if (!q->request->covered && !q->tried->waited && !q->tried->origin)
        return verdict(PLAN_WAIT, PLAN_WHY_UNCONFIRMED);
    if (!q->request->covered)
        return decide_strict(q, PLAN_WHY_UNCONFIRMED);
    if (q->needs & (PLAN_NEEDS_BOUND | PLAN_NEEDS_LEASE))
        return decide_confirmed(q);
    /* A copy older than what the session has read is no copy. */
    if (q->found->object && q->found->behind_session)
        return decide_strict(q, PLAN_WHY_UNCONFIRMED);
    return decide_ap(q);
}

/* Another node asks for what we hold, and gets that or nothing. */
static struct plan
decide_peer_get(const struct question *q)
{
    if (is_hit(q))
        return verdict(PLAN_HIT, PLAN_WHY_HIT);
    if (q->request->accept_stale && usable(q->found) && q->found->stale_usable)
        return stale_hit(PLAN_WHY_STALE, false);
    return verdict(PLAN_FAIL, why_not_hit(q));
}

/* For this client alone. What is stored, or on its way, is no answer. */
static struct plan
pass(const struct question *q, enum plan_why why)
{
    bool never = q->tried->origin || q->request->only_if_cached;

    return verdict(never ? PLAN_FAIL : PLAN_PASS, why);
}

static struct plan
decide_origin_only(const struct question *q)
{
    bool strict = q->needs != 0;
    struct plan plan = pass(q, strict ? PLAN_WHY_STRICT : PLAN_WHY_REQUEST);

    plan.strict = strict;
    if (q->request->source == PLAN_PEER_GET)
        plan.verdict = PLAN_FAIL;
    return plan;
}

/* Other nodes judge for themselves what they are sent; of a strict route they
 * would have to ask the origin in any case. */
static struct plan
decide_for_peer(const struct question *q)
{
    if (q->policy->needs & PLAN_NEEDS_STRICT)
        return verdict(PLAN_FAIL, PLAN_WHY_STRICT);
    if (q->request->source == PLAN_PEER_GET)
        return decide_peer_get(q);
    return q->policy->needs == 0 ? decide_ap(q)
                                 : verdict(PLAN_FAIL, PLAN_WHY_UNCONFIRMED);
}

struct plan
plan_decide(const struct plan_request *request,
            const struct plan_policy *policy, const struct plan_found *found,
            const struct plan_tried *tried)
{
    struct question q = {request, policy, found, tried,
                         policy->needs | request->needs};

    if (!request->readable)
        return verdict(tried->origin ? PLAN_FAIL : PLAN_PASS, PLAN_WHY_METHOD);
    if (policy->pass && request->source == PLAN_CLIENT)
        return pass(&q, PLAN_WHY_BYPASS);
    if (request->origin_only)
        return decide_origin_only(&q);
    if (request->source != PLAN_CLIENT)
        return decide_for_peer(&q);
    if (q.needs & PLAN_NEEDS_STRICT)
        return decide_strict(&q, PLAN_WHY_STRICT);
    if (q.needs & PLAN_NEEDS_SESSION)
        return decide_session(&q);
    if (q.needs != 0)
        return decide_confirmed(&q);
    return decide_ap(&q);
}

const char *
plan_verdict_name(enum plan_verdict verdict)
{
    static const char *const names[PLAN_VERDICTS] = {
        [PLAN_HIT] = "hit",
        [PLAN_HIT_STALE] = "hit-stale",
        [PLAN_REVALIDATE] = "revalidate",
        [PLAN_JOIN] = "join",
        [PLAN_PEER] = "peer",
        [PLAN_ORIGIN] = "origin",
        [PLAN_PASS] = "pass",
        [PLAN_WAIT] = "wait",
        [PLAN_FAIL] = "fail",
    };

    CHECK((unsigned)verdict < PLAN_VERDICTS);
    return names[verdict];
}

const char *
plan_why_text(enum plan_why why)
{
    static const char *const texts[PLAN_WHYS] = {
        [PLAN_WHY_HIT] = "the stored copy is valid and fresh",
        [PLAN_WHY_MISS] = "nothing usable is stored under this key",
        [PLAN_WHY_STALE] = "the stored copy is no longer fresh",
        [PLAN_WHY_REQUEST] = "the request asks for validation (no-cache)",
        [PLAN_WHY_METHOD] = "the method is never answered from the store",
        [PLAN_WHY_BYPASS] = "this route stores nothing",
        [PLAN_WHY_INVALIDATED] =
            "an invalidation, or a raised floor, is later than the copy",
        [PLAN_WHY_STRICT] =
            "the route is cp: every answer is validated at the origin after "
            "the request arrived",
        [PLAN_WHY_UNCONFIRMED] =
            "the copy, or this node, is not confirmed as the route's level "
            "wants it",
    };

    CHECK((unsigned)why < PLAN_WHYS);
    return texts[why];
}
