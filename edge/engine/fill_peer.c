/* Asking other nodes: what is sent, and what of their answers counts here. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/loop.h"
#include "cluster/auth.h"
#include "cluster/inval.h"
#include "cluster/position.h"
#include "fill_internal.h"
#include "peer_fields_internal.h"

/* A home node that must ask the origin itself gets the origin's time. */
static uint64_t
patience_ms(const struct fill *fill, const struct peer_choice *peer)
{
    uint64_t ms = fill->snapshot->conf->peers.timeout_ms;

    if (peer->kind == PEER_HOME)
        ms += fill->policy->route->origin->first_byte_timeout_ms;
    return ms;
}

static void
peer_fields(struct fill *fill, const struct peer_choice *peer,
            struct fields *fields, struct buf *value)
{
    fields_add_all(fields, pack_fields(fill->upstream));
    fields_remove(fields, SPAN("Cache-Control"));
    fields_remove(fields, SPAN("Pragma"));
    struct auth_request request = {
        .op =
            peer->kind == PEER_HOME && !fill->peer_stale ? AUTH_FILL : AUTH_GET,
        .to = span_of(peer->node),
        .method = SPAN("GET"),
        .host = fields_get(fields, SPAN("Host")),
        .target = span_of(fill->target),
    };

    auth_sign(fill->worker->engine->parts.auth, &request, clock_wall_ms(),
              value);
    fields_add(fields, SPAN(AUTH_FIELD), buf_span(value));
    if (fill->peer_stale)
        fields_add(fields, SPAN(PEER_STALE_FIELD), SPAN("1"));
}

/* A home may wait for the origin as long as it answers its probes; one that is
 * silent there as well keeps nobody waiting. */
static void
on_patience(void *arg)
{
    struct fill *fill = arg;
    const struct peer_choice *peer = &fill->peers[fill->peer_next - 1];

    TAG_CHECK(fill, FILL_TAG);
    if (fill->fetch == NULL || fill->received_ns != fill->attempt_ns)
        return; /* its head has come */
    if (peers_answers(fill->worker->engine->parts.peers, peer->node))
        timer_start(fill->patience, fill->snapshot->conf->peers.timeout_ms);
    else
        fill_peer_lost(fill);
}

static void
watch_home(struct fill *fill)
{
    if (fill->patience == NULL)
        fill->patience = timer_new(fill->worker->loop, on_patience, fill);
    timer_start(fill->patience, fill->snapshot->conf->peers.timeout_ms);
}

bool
fill_ask_peer(struct fill *fill)
{
    struct fields fields = {0};
    struct buf value = {0};

    if (fill->peer_next >= fill->peer_count)
        return false;
    const struct peer_choice *peer = &fill->peers[fill->peer_next++];
    uint64_t patience = patience_ms(fill, peer);

    fill->attempt_ns = clock_boot_ns();
    fill->received_ns = fill->attempt_ns;
    snprintf(fill->upstream_name, sizeof(fill->upstream_name), "peer %s",
             peer->node);
    peer_fields(fill, peer, &fields, &value);
    struct fetch_request request = {
        .method = SPAN("GET"),
        .url_base = span_of(peer->base_url),
        .target = span_of(fill->target),
        .fields = &fields,
        .connect_timeout_ms = fill->snapshot->conf->peers.timeout_ms,
        .first_byte_timeout_ms = patience,
        .idle_timeout_ms = patience,
        .idempotent = false, /* a nonce is good once */
    };
    fill->fetch =
        fetch_start(fill->worker->fetch, &request, fill_fetch_ops(), fill);
    fields_fini(&fields);
    buf_fini(&value);
    if (peer->kind == PEER_HOME)
        watch_home(fill);
    else if (fill->patience != NULL)
        timer_stop(fill->patience);
    return true;
}

/* Where the peer's copy stands among our invalidations (invariant L1: at most
 * where we stood when we asked). */
static bool
counts_here(struct fill *fill, const struct fetch_head *head)
{
    struct inval *inval = fill->worker->engine->parts.inval;
    struct position theirs;
    size_t count;

    /* None: it has met no stream. That is less than any site we know. */
    if (!position_parse(fields_get(head->fields, SPAN(PEER_POSITION_FIELD)),
                        &theirs))
        return false;
    struct hash128 *tags = fill_tags(head->fields, &count);
    struct inval_subject subject = {fill->key.host, fill->key.path_query, tags,
                                    count};

    fill->answer_position =
        inval_localize(inval, &theirs, fill->position, &subject);
    enum validity validity =
        inval_check(inval, &subject, fill->answer_position);

    free(tags);
    if (validity == VALIDITY_VALID)
        return true;
    return fill->peer_stale && validity != VALIDITY_HARD;
}

bool
fill_judge_peer(struct fill *fill, const struct fetch_head *head)
{
    struct span result = fields_get(head->fields, SPAN(PEER_RESULT_FIELD));
    bool stale = span_eq(result, SPAN("stale"));

    if (!span_eq(result, SPAN("hit")) && !stale) {
        counter_add(COUNTER_PEER_ASKED_MISS, 1);
        return false;
    }
    if ((stale && !fill->peer_stale) || !counts_here(fill, head)) {
        counter_add(COUNTER_PEER_ASKED_MISS, 1);
        return false;
    }
    counter_add(COUNTER_PEER_ASKED_HIT, 1);
    fill->from_peer = true;
    fill->peer_is_stale = stale;
    return true;
}
