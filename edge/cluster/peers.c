/* The peers as a whole: announcing ourselves, and keeping the list of others
 * in line with the membership. */
#include "cluster/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/watcher.h"
#include "bus/bus.h"
#include "cluster/peers_internal.h"
#include "cluster/rendezvous.h"
#include "conf/conf.h"
#include "fetch/fetch.h"

#define ANNOUNCE_MS 1000
#define SETTLE_MS 20
#define URL_SCHEME_LEN (sizeof("http://") - 1)
/* A probe or digest that trickles in is given up after so many time-outs. */
#define TOTAL_TIMEOUTS 20

uint64_t
peers_jitter(uint64_t ms)
{
    uint32_t random;

    secret_random(&random, sizeof(random));
    return ms - ms / 10 + random % (ms / 5 + 1);
}

/* ---- one peer ---- */

struct peer *
peers_peer_new(struct peers *peers, const struct membership_node *node)
{
    struct peer *peer = mem_zalloc(sizeof(*peer));

    TAG_SET(peer, PEER_TAG);
    peer->owner = peers;
    peer->node = *node;
    peer->number = rendezvous_node(span_of(node->id));
    peer->news = mem_zalloc(sizeof(*peer->news));
    atomic_init(&peer->news->refs, 1);
    return peer;
}

void
peers_peer_free(struct peer **peer)
{
    struct peer *p = *peer;

    TAG_CHECK(p, PEER_TAG);
    peers_probe_stop(p);
    peers_digest_stop(p);
    if (atomic_fetch_sub(&p->news->refs, 1) == 1)
        free(p->news);
    TAG_CLEAR(p);
    free(p);
    *peer = NULL;
}

struct fetch *
peers_ask(struct peer *peer, enum auth_op op, struct span target,
          const struct field *more, const struct fetch_ops *ops)
{
    struct peers *peers = peer->owner;
    uint64_t timeout_ms = peers->conf->peers.timeout_ms;
    struct auth_request signing = {
        .op = op,
        .to = span_of(peer->node.id),
        .method = SPAN("GET"),
        .host = span_of(peer->node.url + URL_SCHEME_LEN),
        .target = target,
    };
    struct fields fields = {0};
    struct buf value = {0};

    auth_sign(peers->auth, &signing, clock_wall_ms(), &value);
    fields_add(&fields, SPAN("Host"), signing.host);
    fields_add(&fields, SPAN(AUTH_FIELD), buf_span(&value));
    if (more != NULL)
        fields_add(&fields, more->name, more->value);

    /* Not idempotent to the fetch: sent again, it would be a replay. */
    struct fetch_request request = {
        .method = signing.method,
        .url_base = span_of(peer->node.url),
        .target = target,
        .fields = &fields,
        .connect_timeout_ms = timeout_ms,
        .first_byte_timeout_ms = timeout_ms,
        .idle_timeout_ms = timeout_ms,
        .total_timeout_ms = timeout_ms * TOTAL_TIMEOUTS,
    };
    struct fetch *fetch = fetch_start(peers->pool, &request, ops, peer);

    fields_fini(&fields);
    buf_fini(&value);
    return fetch;
}

/* ---- in line with the membership ---- */

static bool
same_node(const struct membership_node *a, const struct membership_node *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->site, b->site) == 0 &&
           strcmp(a->url, b->url) == 0 &&
           strcmp(a->incarnation, b->incarnation) == 0;
}

static struct peer *
add_peer(struct peers *peers, const struct membership_node *node)
{
    struct peer *peer = peers_peer_new(peers, node);

    LOG(LOG_INFO, "peers: %s of site %s at %s is a member now", node->id,
        node->site, node->url);
    peers_probe_start(peer);
    peers_digest_start(peer);
    return peer;
}

static void
remove_peer(struct peer **peer)
{
    LOG(LOG_INFO, "peers: %s at %s is no member any more", (*peer)->node.id,
        (*peer)->node.url);
    peers_peer_free(peer);
}

/* The peer of a member: the one we have, at list[*at] if anywhere, or a new
 * one. A node that differs was restarted or moved: what was measured of it is
 * no longer so. Peers before the member's id are no members any more. */
static struct peer *
take_member(struct peers *peers, size_t *at,
            const struct membership_member *member)
{
    struct peer *peer = NULL;

    while (*at < peers->count && peer == NULL) {
        struct peer **next = &peers->list[*at];

        if (strcmp((*next)->node.id, member->node.id) > 0)
            break;
        ++*at;
        if (same_node(&(*next)->node, &member->node))
            peer = *next;
        else
            remove_peer(next);
    }
    if (peer == NULL)
        peer = add_peer(peers, &member->node);
    peer->is_static = member->is_static;
    peer->orphaned = member->orphaned;
    return peer;
}

/* Both lists are ordered by id. */
static void
compare(struct peers *peers)
{
    size_t count;
    const struct membership_member *members =
        membership_list(peers->membership, &count);
    struct peer **list = mem_alloc((count + 1) * sizeof(struct peer *));
    size_t at = 0;

    for (size_t i = 0; i < count; i++)
        list[i] = take_member(peers, &at, &members[i]);
    while (at < peers->count)
        remove_peer(&peers->list[at++]);
    free(peers->list);
    peers->list = list;
    peers->count = count;
}

/* Nobody can say whether an orphan still belongs to us: one that does not
 * answer is given up. */
static void
forget_orphans(struct peers *peers)
{
    for (size_t i = 0; i < peers->count; i++) {
        struct peer *peer = peers->list[i];

        if (peer->orphaned && peer->rtt.state == RTT_DOWN)
            membership_forget(peers->membership, peer->node.id);
    }
}

static void
settle(void *arg)
{
    struct peers *peers = arg;

    TAG_CHECK(peers, PEERS_TAG);
    forget_orphans(peers);
    compare(peers);
    peers_snapshot_publish(
        &peers->snapshot,
        peers_snapshot_new(&peers->own, peers->list, peers->count));
}

void
peers_settle_soon(struct peers *peers)
{
    if (!timer_running(peers->settle_timer))
        timer_start(peers->settle_timer, SETTLE_MS);
}

static void
on_reports(void *arg)
{
    struct peers *peers = arg;

    TAG_CHECK(peers, PEERS_TAG);
    for (size_t i = 0; i < peers->count; i++)
        peers_probe_news(peers->list[i]);
}

/* ---- announcing ---- */

static uint64_t
now_ms(void)
{
    return clock_boot_ns() / NS_PER_MS;
}

/* Right after a restart our own past is still listed: a twin is one that stays
 * longer than that can. */
static void
judge_reading(struct peers_site *site, struct membership_reading reading)
{
    struct conf *conf = site->owner->conf;
    const char *name = conf->sites[site->index].name;

    if (reading.foreign > 0 && !site->foreign_logged) {
        LOG(LOG_WARN,
            "peers: %zu rows of the node table of site %s are no nodes'; they "
            "are left out. Do all nodes run the same version?",
            reading.foreign, name);
        site->foreign_logged = true;
    }
    if (!reading.twin) {
        site->twin_since_ms = 0;
    } else if (site->twin_since_ms == 0) {
        site->twin_since_ms = now_ms();
    } else if (now_ms() - site->twin_since_ms > MEMBERSHIP_TTL_MS) {
        LOG(LOG_ERROR,
            "peers: another node calls itself %s too, says the node table of "
            "site %s: give each node a \"node\" of its own",
            conf->node, name);
        site->twin_since_ms = now_ms();
    }
}

static void
on_announced(void *arg, enum err err, const char *why,
             const struct bus_node *nodes, size_t count)
{
    struct peers_site *site = arg;
    struct peers *peers = site->owner;

    (void)why; /* the bus has logged it */
    site->call = NULL;
    if (err != ERR_OK) {
        membership_unread(peers->membership, site->index, now_ms());
    } else {
        struct membership_row *rows = mem_alloc((count + 1) * sizeof(*rows));

        for (size_t i = 0; i < count; i++)
            rows[i] = (struct membership_row){nodes[i].id, nodes[i].payload,
                                              nodes[i].age_ms};
        judge_reading(site, membership_read(peers->membership, site->index,
                                            rows, count, now_ms()));
        free(rows);
    }
    peers_settle_soon(peers);
}

static void
announce(void *arg)
{
    struct peers *peers = arg;

    TAG_CHECK(peers, PEERS_TAG);
    for (size_t i = 0; i < peers->site_count; i++) {
        struct peers_site *site = &peers->sites[i];

        if (site->bus == NULL || peers->row_key.len == 0)
            continue;
        if (site->call != NULL) {
            membership_unread(peers->membership, i, now_ms());
            peers_settle_soon(peers);
            continue;
        }
        site->call = bus_announce(site->bus, buf_span(&peers->row_key),
                                  buf_span(&peers->row_payload),
                                  MEMBERSHIP_TTL_MS, on_announced, site);
    }
    timer_start(peers->announce_timer, ANNOUNCE_MS);
}

/* ---- life ---- */

static void
copy_text(char *to, size_t size, const char *from)
{
    size_t len = strlen(from);

    CHECK(len < size); /* the configuration has seen to it */
    memcpy(to, from, len + 1);
}

static void
describe_self(struct peers *peers, const char *url)
{
    unsigned char random[(MEMBERSHIP_INCARNATION_SIZE - 1) / 2];
    struct membership_node *own = &peers->own;

    copy_text(own->id, sizeof(own->id), peers->conf->node);
    copy_text(own->site, sizeof(own->site), peers->conf->site);
    secret_random(random, sizeof(random));
    secret_hex(random, sizeof(random), own->incarnation);
    if (!membership_url_valid(span_of(url))) {
        LOG(LOG_WARN,
            "peers: \"%s\" is no address that others can reach this node at: "
            "it does not join them. Set \"advertise\"",
            url);
        return;
    }
    copy_text(own->url, sizeof(own->url), url);
    membership_print(own, &peers->row_key, &peers->row_payload);
}

static void
set_statics(struct peers *peers)
{
    const struct conf_peers *conf = &peers->conf->peers;
    struct membership_node *nodes =
        mem_zalloc((conf->static_count + 1) * sizeof(*nodes));
    size_t count = 0;

    for (size_t i = 0; i < conf->static_count; i++) {
        const struct conf_peer *peer = &conf->statics[i];
        struct membership_node *node = &nodes[count];

        if (!membership_url_valid(span_of(peer->url))) {
            LOG(LOG_ERROR, "peers: %s is left out: \"%s\" is no http:// URL",
                peer->node, peer->url);
            continue;
        }
        copy_text(node->id, sizeof(node->id), peer->node);
        copy_text(node->site, sizeof(node->site), peer->site);
        copy_text(node->url, sizeof(node->url), peer->url);
        count++;
    }
    membership_set_static(peers->membership, nodes, count);
    free(nodes);
}

static void
start(struct peers *peers, const struct peers_options *options)
{
    peers->site_count = peers->conf->site_count;
    peers->sites = mem_zalloc((peers->site_count + 1) * sizeof(*peers->sites));
    for (size_t i = 0; i < peers->site_count; i++) {
        struct bus *bus = options->buses ? options->buses[i] : NULL;

        peers->sites[i] =
            (struct peers_site){.owner = peers, .index = i, .bus = bus};
    }
    set_statics(peers);
    if (options->bloom != NULL)
        peers->export = peers_own_new(peers->control, options->bloom,
                                      peers->own.incarnation,
                                      peers->conf->peers.digest_interval_ms);
    peers_settle_soon(peers);
    timer_start(peers->announce_timer, 0);
}

struct peers *
peers_new(const struct peers_options *options)
{
    const char *url =
        options->url != NULL ? options->url : options->conf->advertise;
    struct peers *peers = mem_zalloc(sizeof(*peers));

    TAG_SET(peers, PEERS_TAG);
    peers->control = options->control;
    peers->conf = conf_ref(options->conf);
    peers->pool = options->pool;
    peers->auth = options->auth;
    describe_self(peers, url);
    peers->membership = membership_new(&peers->own, peers->conf->site_count);
    peers->announce_timer = timer_new(peers->control, announce, peers);
    peers->settle_timer = timer_new(peers->control, settle, peers);
    peers->watcher = watcher_new(peers->control, on_reports, peers);
    peers_snapshot_publish(&peers->snapshot,
                           peers_snapshot_new(&peers->own, NULL, 0));
    if (peers->conf->peers.enabled)
        start(peers, options);
    return peers;
}

void
peers_free(struct peers **peers)
{
    struct peers *p = *peers;

    if (p == NULL)
        return;
    TAG_CHECK(p, PEERS_TAG);
    timer_free(&p->announce_timer);
    timer_free(&p->settle_timer);
    watcher_close(&p->watcher);
    for (size_t i = 0; i < p->site_count; i++) {
        if (p->sites[i].call != NULL)
            bus_cancel(&p->sites[i].call);
    }
    for (size_t i = 0; i < p->count; i++)
        peers_peer_free(&p->list[i]);
    peers_own_free(&p->export);
    peers_snapshot_publish(&p->snapshot, NULL);
    membership_free(&p->membership);
    conf_unref(&p->conf);
    buf_fini(&p->row_key);
    buf_fini(&p->row_payload);
    free(p->list);
    free(p->sites);
    TAG_CLEAR(p);
    free(p);
    *peers = NULL;
}

const struct peers_digest *
peers_own_digest(const struct peers *peers)
{
    TAG_CHECK(peers, PEERS_TAG);
    return peers_own_latest(peers->export);
}
