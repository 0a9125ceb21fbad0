/*
 * Invalidations that requests cause: PURGE, and what an unsafe method changes
 * (RFC 9111 section 4.4). They are published by the control thread; the
 * transaction waits for its word, and may be gone when it comes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/intent.h"
#include "cluster/lease.h"
#include "cluster/purge_ack.h"
#include "cluster/stream.h"
#include "http/tags.h"
#include "http/target.h"
#include "tx_internal.h"

struct tx_purge_wait {
    struct worker *worker;
    struct tx *tx; /* NULL: it has left */
    void (*then)(struct tx *tx, const struct purge_result *result);
    unsigned pending;
    unsigned own; /* submitted for the URL of the request itself */
    lease_sites sites;
    bool all_applied;
    uint64_t intent; /* of the write; 0: none */
    bool sure;       /* the outcome of the write is known */
    uint64_t again_ms;
    struct purge_result worst;
    struct purge_ack ack;
};

/* A write whose invalidation others have not acknowledged by then. A lease runs
 * out in LEASE_LENGTH_MAX_MS, and one of an earlier term in as much. */
#define WRITE_WAIT_MS (3 * (uint64_t)LEASE_LENGTH_MAX_MS)

static void
wait_end(struct tx_purge_wait *wait)
{
    struct tx *tx = wait->tx;

    if (tx != NULL) {
        tx->purging = NULL;
        tx->waits = TX_WAITS_NOT;
        tx->post.urls = wait->all_applied ? wait->own : 0;
        wait->then(tx, &wait->worst);
    }
    purge_ack_fini(&wait->ack);
    free(wait);
}

static void
on_acknowledged(void *arg)
{
    struct tx_purge_wait *wait = arg;

    wait->worker->purges--;
    if (wait->tx != NULL)
        wait->tx->unacknowledged = wait->ack.worst != PURGE_ACKNOWLEDGED;
    wait_end(wait);
}

/* Whether the origin may have changed something: it said so, or nobody knows
 * what it did. */
static bool
may_have_changed(const struct tx *tx)
{
    const struct fill *fill = tx->fill;

    if (fill == NULL || fill->outcome != FILL_RESPONSE)
        return true;
    return fill->status >= 200 && fill->status < 400;
}

/* For whose acknowledgement the answer to a write waits. */
static enum purge_wait
waits_for(const struct tx *tx)
{
    static const enum purge_wait waits[] = {
        [CONF_WAIT_NONE] = PURGE_WAIT_NONE,
        [CONF_WAIT_SITE] = PURGE_WAIT_SITE,
        [CONF_WAIT_ALL] = PURGE_WAIT_ALL,
    };

    if (tx->fill != NULL && !may_have_changed(tx))
        return PURGE_WAIT_NONE;
    if (tx->needs & PLAN_NEEDS_LEASE)
        return PURGE_WAIT_ALL;
    return waits[tx->policy->route->write_wait];
}

/* The outbox keeps what nobody else does, and publishes again what was not read
 * back (W4). */
static void
settle_intent(struct tx_purge_wait *wait)
{
    bool lost = wait->worst.outcome == PURGE_LOCAL || !wait->all_applied;

    if (wait->intent != 0)
        intent_over(wait->worker->engine->parts.streams, wait->intent,
                    lost         ? INTENT_PUBLISH
                    : wait->sure ? INTENT_VOID
                                 : INTENT_AGAIN,
                    wait->sure ? 0 : wait->again_ms);
}

/* Once everything is published. What is not is acknowledged by nobody. */
static void
wait_for_others(struct tx_purge_wait *wait)
{
    struct tx *tx = wait->tx;
    bool waits = tx != NULL && waits_for(tx) != PURGE_WAIT_NONE;

    settle_intent(wait);
    if (!waits || wait->worst.outcome >= PURGE_KEPT) {
        if (waits)
            tx->unacknowledged = true;
        wait_end(wait);
        return;
    }
    wait->worker->purges++;
    purge_ack_start(&wait->ack, wait->worker->engine->parts.streams,
                    waits_for(tx), WRITE_WAIT_MS, wait->worker->loop,
                    on_acknowledged, wait);
}

static void
on_purged(void *arg, const struct purge_result *result)
{
    struct tx_purge_wait *wait = arg;

    /* The outcomes go from good to bad. */
    if (wait->worst.outcome == PURGE_ALONE ||
        result->outcome > wait->worst.outcome ||
        (result->outcome == wait->worst.outcome && !result->applied))
        wait->worst = *result;
    wait->all_applied = wait->all_applied && result->applied;
    if (wait->tx != NULL)
        tx_level_published(wait->tx, result);
    if (result->outcome == PURGE_PUBLISHED)
        purge_ack_add(&wait->ack, result);
    wait->worker->purges--;
    if (--wait->pending == 0)
        wait_for_others(wait);
}

static void
submit(struct tx_purge_wait *wait, struct purge *purge)
{
    char why[128];

    if (!purge_valid(purge, why, sizeof(why)))
        return;
    purge->writers = wait->sites;
    wait->pending++;
    wait->worker->purges++;
    purge_submit(wait->worker->engine->parts.streams, purge, wait->worker->loop,
                 on_purged, wait);
}

/* A URL, as the route that a GET of it takes makes its key: not always the
 * route of the request that changes it. */
static void
subject_of(const struct tx *tx, const struct target *target,
           struct buf *scratch, struct key *key)
{
    const struct policy *policy = snapshot_find(tx->use->snapshot, target->host,
                                                target->path, SPAN("GET"));

    key_of_target(policy ? &policy->key : NULL, target, scratch, key);
}

bool
tx_purge_of(const struct tx *tx, const struct target *target, bool soft,
            struct purge *purge)
{
    struct buf scratch = {0};
    struct key key;

    subject_of(tx, target, &scratch, &key);
    /* One that no entry can hold goes with what begins like it. */
    bool whole = key.path_query.len <= INVAL_VALUE_MAX;
    struct span value = span_sub(key.path_query, 0, INVAL_VALUE_MAX);

    *purge = (struct purge){
        .kind = whole ? INVAL_URL : INVAL_PREFIX,
        .soft = soft,
        .host = mem_strndup(key.host.ptr, key.host.len),
        .value = mem_strndup(value.ptr, value.len),
    };
    buf_fini(&scratch);
    return whole;
}

static void
submit_url(struct tx *tx, struct tx_purge_wait *wait,
           const struct target *target, bool soft)
{
    struct purge purge;
    bool whole = tx_purge_of(tx, target, soft, &purge);

    if (tx->fill != NULL && whole && !soft &&
        span_eq(span_of(purge.host), tx->fill->key.host) &&
        span_eq(span_of(purge.value), tx->fill->key.path_query))
        wait->own++;
    submit(wait, &purge);
    free(purge.host);
    free(purge.value);
}

static struct tx_purge_wait *
wait_new(struct tx *tx,
         void (*then)(struct tx *tx, const struct purge_result *result))
{
    struct tx_purge_wait *wait = mem_zalloc(sizeof(*wait));

    wait->worker = tx->worker;
    wait->tx = tx;
    wait->sites = tx->use->snapshot->purge_sites;
    wait->then = then;
    wait->worst.outcome = PURGE_ALONE;
    wait->worst.applied = true;
    wait->all_applied = true;
    return wait;
}

/* Nothing was submitted. */
static void
wait_forget(struct tx *tx)
{
    free(tx->purging);
    tx->purging = NULL;
}

void
tx_purge_forget(struct tx *tx)
{
    if (tx->purging != NULL)
        tx->purging->tx = NULL;
    tx->purging = NULL;
}

/* ---- PURGE ---- */

static void
answer_purge(struct tx *tx, const struct purge_result *result)
{
    struct buf scratch = {0};
    struct buf body = {0};
    struct fields more = {0};
    struct key key;
    unsigned status = 200;

    tx->cache = "own";
    if (result->outcome == PURGE_LOCAL) {
        tx_fail(tx, 503, result->why);
        return;
    }
    if (tx->unacknowledged && tx->needs & PLAN_NEEDS_LEASE) {
        tx_fail(tx, 504, "not every node has acknowledged it; send it again");
        return;
    }
    buf_printf(&body, "{\"purged\":\"");
    subject_of(tx, &tx->target, &scratch, &key);
    buf_add_json(&body, key.host);
    buf_add_json(&body, key.path_query);
    buf_printf(&body, "\",\"published\":%s,\"applied\":%s}\n",
               result->outcome == PURGE_PUBLISHED ? "true" : "false",
               result->applied ? "true" : "false");
    if (!result->applied || result->outcome == PURGE_KEPT)
        status = 202; /* in the stream, not yet read back; or in the outbox */
    counter_add(COUNTER_REQ_OWN, 1);
    tx_level_add_session(tx, &more);
    tx_answer(tx, status, "application/json", buf_span(&body), &more);
    fields_fini(&more);
    buf_fini(&body);
    buf_fini(&scratch);
}

static bool
token_matches(const struct tx *tx)
{
    struct span given = fields_get(tx->request->fields, SPAN("Authorization"));
    struct span token = span_of(tx->use->snapshot->conf->admin.token);

    return token.len > 0 && given.len > 7 &&
           span_eq_nocase(span_sub(given, 0, 7), SPAN("Bearer ")) &&
           secret_eq(span_trim(span_sub(given, 7, given.len)), token);
}

void
tx_purge(struct tx *tx)
{
    struct fields more = {0};
    struct span soft = fields_get(tx->request->fields, SPAN("Atlas-Purge"));

    tx->plan.why = PLAN_WHY_METHOD;
    if (!tx->policy->route->purge) {
        fields_add(&more, SPAN("Allow"), SPAN(TX_METHODS));
        tx_fail_with(tx, 405,
                     "this route does not allow PURGE (\"purge\": true in the "
                     "route's configuration does)",
                     &more);
        fields_fini(&more);
        return;
    }
    if (!token_matches(tx)) {
        fields_add(&more, SPAN("WWW-Authenticate"),
                   SPAN("Bearer realm=\"atlas\""));
        tx_fail_with(tx, 401,
                     "PURGE needs \"Authorization: Bearer TOKEN\" with the "
                     "admin token",
                     &more);
        fields_fini(&more);
        return;
    }
    if (!tx_level_ask(tx))
        return;
    tx_level_look(tx);
    tx->purging = wait_new(tx, answer_purge);
    tx->waits = TX_WAITS_PURGE;
    submit_url(tx, tx->purging, &tx->target,
               span_eq_nocase(soft, SPAN("soft")));
    if (tx->purging->pending == 0) {
        wait_forget(tx);
        tx_fail(tx, 400, "this URL cannot be purged");
    }
}

/* ---- after an unsafe method ---- */

/* 0: that of the scheme. */
static unsigned
own_port(const struct target *target)
{
    uint16_t usual = target_default_port(target->scheme);

    return target->port == usual ? 0 : target->port;
}

/* What Location or Content-Location names, if it is of the same origin (RFC
 * 9111 section 4.4). An origin that clients reach by TLS, ended before us, may
 * say https of what we know as http. */
static void
submit_named(struct tx *tx, struct tx_purge_wait *wait, struct span name)
{
    const struct fields *fields = pack_fields(tx->fill->fields);
    struct buf url = {0};
    struct target target;

    for (size_t i = 0; i < fields->count; i++) {
        if (!span_eq_nocase(fields->list[i].name, name))
            continue;
        buf_clear(&url);
        if (target_resolve(&tx->target, fields->list[i].value, &url) &&
            target_parse_url(buf_span(&url), &target) == NULL &&
            span_eq_nocase(target.host, tx->target.host) &&
            own_port(&target) == own_port(&tx->target))
            submit_url(tx, wait, &target, false);
    }
    buf_fini(&url);
}

/* What Cache-Group-Invalidation names: groups of the same origin (RFC 9875
 * section 3), which is what a host is to us. */
static void
submit_groups(struct tx *tx, struct tx_purge_wait *wait)
{
    const struct fields *fields = pack_fields(tx->fill->fields);
    struct tags_cursor cursor = {0};
    struct span group;

    while (tags_next_invalidated(fields, &cursor, &group)) {
        struct purge purge = {
            .kind = INVAL_GROUP,
            .host = mem_strndup(tx->key.host.ptr, tx->key.host.len),
            .value = mem_strndup(group.ptr, group.len),
        };

        submit(wait, &purge);
        free(purge.host);
        free(purge.value);
    }
}

/* What could not be published is applied here, and logged. On a lease route it
 * is no success: the others may still answer with what was before. */
static void
settled(struct tx *tx, const struct purge_result *result)
{
    bool changed = may_have_changed(tx);

    if (changed && result != NULL && result->outcome >= PURGE_KEPT)
        tx->hint = result->outcome == PURGE_KEPT ? "kept" : "local";
    else if (tx->unacknowledged)
        tx->hint = "pending";
    if (tx->hint != NULL && tx->needs & PLAN_NEEDS_LEASE) {
        tx_post_end(tx, 0);
        tx_fail(tx, 504,
                "the origin was sent this, but not every node has acknowledged "
                "that what it changed is invalid; read it to see whether it "
                "was done");
        return;
    }
    tx_post_end(tx, tx->post.urls);
    if (tx->fill != NULL)
        tx_deliver_fill(tx);
    else
        tx_decide(tx);
}

/* Hard when the origin said that it did something; soft, so that a copy is
 * checked but not lost, when nobody knows. */
static struct tx_purge_wait *
submit_all(struct tx *tx,
           void (*then)(struct tx *, const struct purge_result *))
{
    const struct fill *fill = tx->fill;
    struct tx_purge_wait *wait = wait_new(tx, then);
    bool answered = fill != NULL && fill->outcome == FILL_RESPONSE;
    bool done = answered && may_have_changed(tx);

    wait->intent = tx->intent;
    tx->intent = 0;
    /* What is between us and the origin may say that it failed, while it goes
     * on. */
    wait->sure = answered && fill->status < 500;
    wait->again_ms = tx->policy->route->origin->execution_max_ms;
    submit_url(tx, wait, &tx->target, !done);
    if (done) {
        submit_named(tx, wait, SPAN("Location"));
        submit_named(tx, wait, SPAN("Content-Location"));
        submit_groups(tx, wait);
    }
    return wait;
}

/* Of what may have changed, and of all that was intended (W2). */
static bool
must_publish(const struct tx *tx)
{
    return tx->intent != 0 || may_have_changed(tx);
}

void
tx_settle(struct tx *tx)
{
    tx->invalidates = false;
    if (!must_publish(tx)) {
        settled(tx, NULL);
        return;
    }
    if (may_have_changed(tx))
        tx_post_begin(tx);
    tx->purging = submit_all(tx, settled);
    tx->waits = TX_WAITS_PURGE;
    if (tx->purging->pending == 0) {
        wait_forget(tx);
        tx->waits = TX_WAITS_NOT;
        settled(tx, NULL);
    }
}

void
tx_settle_alone(struct tx *tx)
{
    tx->invalidates = false;
    if (tx->fill->never_sent || !must_publish(tx))
        return;
    struct tx_purge_wait *wait = submit_all(tx, NULL);

    wait->tx = NULL;
    if (wait->pending == 0)
        free(wait);
}
