/*
 * Inside of peers.h. The control thread owns `struct peers` and each `struct
 * peer`; other threads see the snapshot, and what it holds by reference.
 *
 * A peer's life: peers.c makes one when the membership has a new node (a new
 * incarnation is a new node), starts its probes; the first that is answered
 * makes it up and starts its digest pulls; it is freed when the membership has
 * it no more. Whatever changes asks for peers_settle_soon, which a little later
 * brings the peers in line with the membership and publishes a snapshot.
 */
#ifndef CLUSTER_PEERS_INTERNAL_H
#define CLUSTER_PEERS_INTERNAL_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/grace.h"
#include "cluster/auth.h"
#include "cluster/peers.h"
#include "http/fields.h"

#define PEERS_TAG 0x70656572U
#define PEER_TAG 0x50656572U

struct fetch;
struct fetch_ops;
struct timer;
struct watcher;
struct bus_call;

/* The digest of a peer; immutable. */
struct peers_bits {
    _Atomic unsigned refs;
    size_t slots;
    unsigned char bits[];
};

struct peers_bits *peers_bits_ref(struct peers_bits *bits);
/* Any thread; NULL is allowed. */
void peers_bits_unref(struct peers_bits **bits);

/* What workers tell of a peer. Shared by the peer and snapshots. */
struct peers_news {
    _Atomic unsigned refs;
    _Atomic unsigned failures; /* in a row; the control thread sets it back */
    _Atomic uint64_t best_us;  /* the least since the last probe; 0: none */
};

struct peer {
    TAG_FIELD;
    struct peers *owner;
    struct membership_node node;
    uint64_t number; /* rendezvous_node */
    bool is_static;
    bool orphaned;
    struct rtt rtt;
    uint64_t since_ns; /* in this state of rtt */
    struct peers_news *news;

    struct timer *probe_timer;
    struct fetch *probe;
    uint64_t probe_sent_ns;
    uint64_t probe_us;     /* to the head of the answer */
    unsigned probe_status; /* 0: no answer yet */

    struct timer *digest_timer;
    struct fetch *digest;
    struct peers_bits *bits; /* NULL: none yet */
    uint64_t bits_ns;        /* when it was last known to be current */
    char etag[64];           /* of bits; "" when there is none */
    struct peers_bits *coming;
    size_t coming_len;
    char coming_etag[64];
    bool unchanged; /* it was answered 304 */
    bool refused;   /* the digest being pulled is no good */
    bool refused_logged;
};

/* A peer as a snapshot has it. */
struct peers_view {
    struct membership_node node;
    uint64_t number;
    bool own_site;
    bool is_static;
    bool orphaned;
    struct rtt rtt;
    uint64_t since_ns;
    uint64_t bits_ns;
    struct peers_bits *bits;
    struct peers_news *news;
};

/* Immutable: views ordered by rtt, those that are up first. */
struct peers_snapshot {
    struct grace_defer defer;
    uint64_t own_number;
    size_t count;
    struct peers_view views[];
};

/* Takes references of what the peers hold. */
struct peers_snapshot *peers_snapshot_new(const struct membership_node *own,
                                          struct peer *const *peers,
                                          size_t count);
/* Puts `snapshot` (or NULL) in the place of the one there, which is freed
 * after a grace period. */
void peers_snapshot_publish(_Atomic(struct peers_snapshot *) *place,
                            struct peers_snapshot *snapshot);
/* peers_choose, of a snapshot. */
size_t peers_snapshot_choose(const struct peers_snapshot *snapshot,
                             struct hash128 key, bool all,
                             struct peer_choice *choices, size_t max);

struct peers_site {
    struct peers *owner;
    size_t index;
    struct bus *bus;
    struct bus_call *call;  /* an announcement under way */
    uint64_t twin_since_ms; /* 0: no other node with our id is there */
    bool foreign_logged;
};

struct peers_own; /* peers_own.c: the export of our own digest */

struct peers {
    TAG_FIELD;
    struct loop *control;
    struct conf *conf;
    struct fetch_pool *pool;
    struct auth *auth;
    struct membership_node own;
    struct membership *membership;
    size_t site_count;
    struct peers_site *sites;
    struct buf row_key;
    struct buf row_payload;
    size_t count;
    struct peer **list; /* ordered by id */
    struct timer *announce_timer;
    struct timer *settle_timer;
    struct watcher *watcher; /* workers saw a peer fail */
    _Atomic(struct peers_snapshot *) snapshot;
    struct peers_own *export;
};

/* Soon, and once for many calls. */
void peers_settle_soon(struct peers *peers);
/* `ms` and up to a tenth more or less. */
uint64_t peers_jitter(uint64_t ms);

struct peer *peers_peer_new(struct peers *peers,
                            const struct membership_node *node);
void peers_peer_free(struct peer **peer);

/* Starts a signed GET of `target`. `more` is NULL or a field to add. */
struct fetch *peers_ask(struct peer *peer, enum auth_op op, struct span target,
                        const struct field *more, const struct fetch_ops *ops);

/* ---- probes (peers_probe.c) ---- */
void peers_probe_start(struct peer *peer);
void peers_probe_stop(struct peer *peer);
/* Looks at what workers reported. */
void peers_probe_news(struct peer *peer);

/* ---- digests of others (peers_digest.c) ---- */
void peers_digest_start(struct peer *peer);
/* Once the peer is up. */
void peers_digest_soon(struct peer *peer);
void peers_digest_stop(struct peer *peer);
/* What takes one in: for tests. */
const struct fetch_ops *peers_digest_ops(void);

/* ---- our own digest (peers_own.c) ---- */
struct peers_own *peers_own_new(struct loop *loop, const struct bloom *bloom,
                                const char *incarnation, uint64_t interval_ms);
void peers_own_free(struct peers_own **own);
const struct peers_digest *peers_own_latest(const struct peers_own *own);

#endif
