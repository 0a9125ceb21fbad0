/* Probes: is a peer there, and how far is it? */
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/secret.h"
#include "cluster/peers_internal.h"
#include "conf/conf.h"
#include "fetch/fetch.h"

/* The first probe comes at once, but not of all peers in one moment. */
#define FIRST_PROBE_MS 20

static void
log_state(const struct peer *peer, const char *why)
{
    const struct membership_node *node = &peer->node;

    if (peer->rtt.state == RTT_UP)
        LOG(LOG_INFO, "peers: %s at %s is up, %u us away", node->id, node->url,
            peer->rtt.estimate_us);
    else
        LOG(LOG_WARN,
            "peers: %s at %s is down and will not be asked: %s. Check that it "
            "runs and can be reached from here; it is probed on",
            node->id, node->url, why);
}

static void
changed(struct peer *peer, const char *why)
{
    peer->since_ns = clock_boot_ns();
    log_state(peer, why);
    if (peer->rtt.state == RTT_UP)
        peers_digest_soon(peer);
}

static void
failed(struct peer *peer, const char *why)
{
    if (rtt_failure(&peer->rtt))
        changed(peer, why);
    peers_settle_soon(peer->owner);
}

static void
succeeded(struct peer *peer, bool reused)
{
    uint64_t best_us = atomic_exchange(&peer->news->best_us, 0);
    uint64_t sample_us = peer->probe_us;

    /* On a new connection the answer came after two round trips: TCP's own
     * and ours. */
    if (!reused)
        sample_us /= 2;
    if (best_us > 0 && best_us < sample_us)
        sample_us = best_us;
    if (rtt_success(&peer->rtt, sample_us))
        changed(peer, "");
    peers_settle_soon(peer->owner);
}

static void
on_head(void *ctx, const struct fetch_head *head)
{
    struct peer *peer = ctx;

    peer->probe_status = head->status;
    peer->probe_us = (clock_boot_ns() - peer->probe_sent_ns) / 1000;
}

static enum err
on_body(void *ctx, const void *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    return ERR_OK;
}

static const char *
refusal(unsigned status)
{
    return status == 401 ? "it answers 401 (are the secrets the same on both, "
                           "the clocks right, and the node's name its own?)"
                         : "it does not answer a ping with 204";
}

static void
on_done(void *ctx, const struct fetch_result *result)
{
    struct peer *peer = ctx;
    struct conf *conf = peer->owner->conf;

    TAG_CHECK(peer, PEER_TAG);
    peer->probe = NULL;
    if (result->err != ERR_OK)
        failed(peer, result->detail);
    else if (peer->probe_status / 100 != 2)
        failed(peer, refusal(peer->probe_status));
    else
        succeeded(peer, result->reused);
    timer_start(peer->probe_timer, peers_jitter(conf->peers.probe_interval_ms));
}

static const struct fetch_ops probe_ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_done = on_done,
};

static void
probe(void *arg)
{
    struct peer *peer = arg;

    TAG_CHECK(peer, PEER_TAG);
    peer->probe_status = 0;
    peer->probe_us = 0;
    peer->probe_sent_ns = clock_boot_ns();
    peer->probe =
        peers_ask(peer, AUTH_PING, SPAN(PEERS_PING_TARGET), NULL, &probe_ops);
}

void
peers_probe_start(struct peer *peer)
{
    uint8_t random;

    secret_random(&random, sizeof(random));
    peer->since_ns = clock_boot_ns();
    peer->probe_timer = timer_new(peer->owner->control, probe, peer);
    timer_start(peer->probe_timer, random % FIRST_PROBE_MS);
}

void
peers_probe_stop(struct peer *peer)
{
    fetch_cancel(&peer->probe);
    timer_free(&peer->probe_timer);
}

void
peers_probe_news(struct peer *peer)
{
    if (atomic_load(&peer->news->failures) < RTT_FAILURES)
        return;
    atomic_store(&peer->news->failures, 0);
    while (peer->rtt.state == RTT_UP)
        failed(peer, "requests to it failed");
}
