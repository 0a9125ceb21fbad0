/* Pulling the digests of others. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "cluster/peers_internal.h"
#include "conf/conf.h"
#include "fetch/fetch.h"

#define SLOTS_MIN 64
#define SLOTS_MAX (UINT64_C(1) << 27) /* 16 MiB of bits */

static void
forget_coming(struct peer *peer)
{
    peers_bits_unref(&peer->coming);
    peer->coming_len = 0;
    peer->coming_etag[0] = '\0';
    peer->unchanged = false;
    peer->refused = false;
}

static void
refuse(struct peer *peer, const char *why)
{
    peer->refused = true;
    if (peer->refused_logged)
        return;
    peer->refused_logged = true;
    LOG(LOG_WARN,
        "peers: the digest of %s at %s is of no use: %s. Do all nodes run the "
        "same version?",
        peer->node.id, peer->node.url, why);
}

/* Room for the bits that the head announces. */
static void
expect_bits(struct peer *peer, const struct fetch_head *head)
{
    struct span text = fields_get(head->fields, SPAN(PEERS_SLOTS_FIELD));
    struct span etag = fields_get(head->fields, SPAN("ETag"));
    uint64_t slots;

    if (text.ptr == NULL || !span_u64(text, UINT64_MAX, &slots) ||
        slots < SLOTS_MIN || slots > SLOTS_MAX || (slots & (slots - 1)) != 0) {
        refuse(peer, "no usable " PEERS_SLOTS_FIELD " field");
        return;
    }
    peer->coming = malloc(sizeof(*peer->coming) + (size_t)slots / 8);
    if (peer->coming == NULL) {
        refuse(peer, "there is no memory for it");
        return;
    }
    atomic_init(&peer->coming->refs, 1);
    peer->coming->slots = (size_t)slots;
    if (etag.len > 0 && etag.len < sizeof(peer->coming_etag)) {
        memcpy(peer->coming_etag, etag.ptr, etag.len);
        peer->coming_etag[etag.len] = '\0';
    }
}

static void
on_head(void *ctx, const struct fetch_head *head)
{
    struct peer *peer = ctx;

    peer->unchanged = head->status == 304 && peer->bits != NULL;
    if (head->status == 200)
        expect_bits(peer, head);
}

static enum err
on_body(void *ctx, const void *data, size_t len)
{
    struct peer *peer = ctx;
    struct peers_bits *bits = peer->coming;

    if (bits == NULL)
        return peer->refused ? ERR_CANCELLED : ERR_OK; /* of a 404, say */
    if (len > bits->slots / 8 - peer->coming_len) {
        refuse(peer, "its body is too long");
        return ERR_PROTOCOL;
    }
    memcpy(bits->bits + peer->coming_len, data, len);
    peer->coming_len += len;
    return ERR_OK;
}

static void
adopt(struct peer *peer)
{
    peers_bits_unref(&peer->bits);
    peer->bits = peer->coming;
    peer->coming = NULL;
    memcpy(peer->etag, peer->coming_etag, sizeof(peer->etag));
    peer->bits_ns = clock_boot_ns();
    peer->refused_logged = false;
    peers_settle_soon(peer->owner);
}

static void
on_done(void *ctx, const struct fetch_result *result)
{
    struct peer *peer = ctx;

    TAG_CHECK(peer, PEER_TAG);
    peer->digest = NULL;
    if (result->err == ERR_OK && peer->unchanged) {
        peer->bits_ns = clock_boot_ns();
    } else if (result->err == ERR_OK && peer->coming != NULL) {
        if (peer->coming_len == peer->coming->slots / 8)
            adopt(peer);
        else
            refuse(peer, "its body is too short");
    }
    forget_coming(peer);
    timer_start(peer->digest_timer,
                peers_jitter(peer->owner->conf->peers.digest_interval_ms));
}

static const struct fetch_ops digest_ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_done = on_done,
};

const struct fetch_ops *
peers_digest_ops(void)
{
    return &digest_ops;
}

/* One that is down is not asked: peers_digest_soon comes when it is back. */
static void
pull(void *arg)
{
    struct peer *peer = arg;
    struct field known = {SPAN("If-None-Match"), span_of(peer->etag)};

    TAG_CHECK(peer, PEER_TAG);
    if (peer->rtt.state != RTT_UP || peer->digest != NULL)
        return;
    forget_coming(peer);
    peer->digest =
        peers_ask(peer, AUTH_DIGEST, SPAN(PEERS_DIGEST_TARGET),
                  peer->etag[0] != '\0' ? &known : NULL, &digest_ops);
}

void
peers_digest_start(struct peer *peer)
{
    peer->digest_timer = timer_new(peer->owner->control, pull, peer);
}

void
peers_digest_soon(struct peer *peer)
{
    if (peer->digest == NULL)
        timer_start(peer->digest_timer, 0);
}

void
peers_digest_stop(struct peer *peer)
{
    fetch_cancel(&peer->digest);
    timer_free(&peer->digest_timer);
    forget_coming(peer);
    peers_bits_unref(&peer->bits);
}
