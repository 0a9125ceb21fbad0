/* The other end of fill_peer.c: another node asks us. */
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "cluster/inval.h"
#include "peer_fields_internal.h"
#include "tx_internal.h"

static void
answer_ping(struct tx *tx)
{
    tx_answer(tx, 204, NULL, SPAN(""), NULL);
}

static void
release_digest(void *owner)
{
    const struct peers_digest *digest = owner;

    peers_digest_unref(&digest);
}

static void
answer_digest(struct tx *tx)
{
    const struct peers_digest *digest =
        peers_own_digest(tx->worker->engine->parts.peers);
    struct cache_status cache_status = {0};
    struct tx_reply reply = {.status = 200};
    struct fields fields = {0};
    struct buf slots = {0};

    if (digest == NULL) {
        tx_fail(tx, 503, "this node has no digest yet");
        return;
    }
    buf_add_u64(&slots, digest->slots);
    fields_add(&fields, SPAN("ETag"), span_of(digest->etag));
    fields_add(&fields, SPAN(PEERS_SLOTS_FIELD), buf_span(&slots));
    if (span_eq(fields_get(tx->request->fields, SPAN("If-None-Match")),
                span_of(digest->etag))) {
        reply.status = 304;
        peers_digest_unref(&digest);
    } else {
        reply.body = TX_BODY_FLAT;
        reply.length = (int64_t)digest->len;
        reply.flat = (struct span){(const char *)digest->bits, digest->len};
        reply.release = release_digest;
        reply.owner = (void *)(uintptr_t)digest;
    }
    tx_reply(tx, &reply, &fields, &cache_status);
    fields_fini(&fields);
    buf_fini(&slots);
}

/* Our position goes with the answer; it is read before the lookup (rule 6 of
 * the consistency notes). */
static void
take_position(struct tx *tx)
{
    const struct inval_snapshot *snapshot =
        inval_snapshot(tx->worker->engine->parts.inval);

    buf_add_span(&tx->position, snapshot->text);
}

static bool
refuse(struct tx *tx, enum auth_verdict verdict)
{
    char text[96];

    counter_add(COUNTER_PEER_REFUSED, 1);
    snprintf(text, sizeof(text), "the " AUTH_FIELD " field is not accepted: %s",
             auth_verdict_name(verdict));
    tx_fail(tx, 401, text);
    return true;
}

/* True when answered; false: go on as for any request, with tx->ask.source
 * set. */
static bool
serve(struct tx *tx)
{
    switch (tx->claims.op) {
    case AUTH_PING:
        answer_ping(tx);
        return true;
    case AUTH_DIGEST:
        answer_digest(tx);
        return true;
    case AUTH_GET:
        tx->ask.source = PLAN_PEER_GET;
        break;
    case AUTH_FILL:
        tx->ask.source = PLAN_PEER_FILL;
        break;
    case AUTH_OPS:
        CHECK(!"no such operation");
    }
    tx->ask.accept_stale =
        fields_has(tx->request->fields, SPAN(PEER_STALE_FIELD));
    take_position(tx);
    return false;
}

bool
tx_peer(struct tx *tx)
{
    struct auth *auth = tx->worker->engine->parts.auth;
    const struct fields *fields = tx->request->fields;
    struct auth_request request = {
        .method = tx->request->method,
        .host = fields_get(fields, SPAN("Host")),
        .target = tx->request->target,
    };

    tx->cache = "own";
    if (auth == NULL || tx->worker->engine->parts.peers == NULL) {
        counter_add(COUNTER_PEER_REFUSED, 1);
        tx_fail(tx, 403,
                "this node takes no requests from other nodes "
                "(\"peers.enabled\" is false, or there is no secret)");
        return true;
    }
    if (fields_count(fields, SPAN(AUTH_FIELD)) != 1)
        return refuse(tx, AUTH_MALFORMED);
    enum auth_verdict verdict =
        auth_verify(auth, fields_get(fields, SPAN(AUTH_FIELD)), &request,
                    clock_wall_ms(), &tx->claims);

    if (verdict != AUTH_OK)
        return refuse(tx, verdict);
    counter_add(COUNTER_REQ_OWN, 1);
    return serve(tx);
}
