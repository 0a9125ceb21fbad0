/*
 * The other nodes: who they are, how near, how well, and what they hold.
 *
 * The control thread announces this node in every site's node table each
 * second and reads who else is there (membership.h), asks each of them for
 * GET /.atlas/ping each probe interval (rtt.h) and for GET /.atlas/digest each
 * digest interval, and publishes the result as an immutable snapshot. Any
 * registered thread (grace.h) chooses from it without a lock.
 *
 * The digest is this node's own answer to the latter: the bits of the Bloom
 * filter of the keys that the store holds. Keys compare across nodes because
 * all of them derive the seed from their secret (auth_derive).
 */
#ifndef CLUSTER_PEERS_H
#define CLUSTER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "cluster/membership.h"
#include "cluster/rtt.h"

#define PEERS_PING_TARGET "/.atlas/ping"
#define PEERS_DIGEST_TARGET "/.atlas/digest"
/* Of a digest: its number of bits. */
#define PEERS_SLOTS_FIELD "Atlas-Digest-Slots"

struct auth;
struct bloom;
struct bus;
struct conf;
struct fetch_pool;
struct loop;
struct peers;

struct peers_options {
    struct loop *control;
    struct conf *conf; /* a reference is taken */
    /* By the index of conf->sites; a site without Redis has NULL. Borrowed,
     * the array is copied. */
    struct bus *const *buses;
    struct fetch_pool *pool;   /* of the control loop; borrowed */
    struct auth *auth;         /* borrowed */
    const struct bloom *bloom; /* of the store's keys; borrowed; or NULL */
    /* This node's URL for others; NULL: conf->advertise. Copied. */
    const char *url;
};

/* On the control thread, both of these. Starts at once; nothing is known until
 * the loop runs. Has no peers at all where conf->peers.enabled is false. What
 * it reads of `conf` does not change with a reload. */
struct peers *peers_new(const struct peers_options *options);
/* Stops. Others see our row age for MEMBERSHIP_TTL_MS more. Workers must have
 * stopped choosing; buses, pool and bloom must still be there. */
void peers_free(struct peers **peers);

/* ---- any registered thread ---- */

enum peer_kind {
    PEER_HOME,  /* the key's home node in our site: ask it with op=fill */
    PEER_HOLDER /* its digest says that it may hold the key: op=get */
};

struct peer_choice {
    char node[MEMBERSHIP_ID_SIZE];
    char base_url[MEMBERSHIP_URL_SIZE];
    enum peer_kind kind;
    uint32_t rtt_us;
};

/* Whom to ask for a key, best first; gives how many (at most `max`). The key's
 * home in our own site, unless that is this node; then those whose digest says
 * "perhaps", by round-trip time. Only peers that are up, none twice. With
 * `all`, as a last resort, then whoever else is not known to be down: a digest
 * is a moment old. No allocation, no lock. */
size_t peers_choose(const struct peers *peers, struct hash128 key, bool all,
                    struct peer_choice *choices, size_t max);

/* How a request to a peer went, so that one that fails goes down before its
 * next probes do. `elapsed_us` is from sending to the first byte of the answer;
 * 0 when it tells nothing (a new connection, a fill at the peer). */
void peers_report(struct peers *peers, const char *node, bool ok,
                  uint64_t elapsed_us);

/* Whether a node of this id is a member now (ours is not). For the trust in
 * what a signed request says, auth_verify alone decides. */
bool peers_known(const struct peers *peers, const char *node);
/* Whether it is a member, up, and answered its latest probe. */
bool peers_answers(const struct peers *peers, const char *node);

/* ---- our own digest ---- */

/* An immutable export of the bloom filter, counted by references. */
struct peers_digest {
    char etag[64];             /* a strong entity tag, with its quotes */
    const unsigned char *bits; /* the body */
    size_t len;                /* slots / 8 */
    size_t slots;              /* the value of PEERS_SLOTS_FIELD */
};

/* The newest, at most about a digest interval old; NULL while there is none
 * yet. Any registered thread; give it back with peers_digest_unref. */
const struct peers_digest *peers_own_digest(const struct peers *peers);
/* Any thread. */
void peers_digest_unref(const struct peers_digest **digest);

/* ---- for the status page ---- */

struct peer_status {
    const struct membership_node *node;
    bool is_static;
    bool orphaned; /* in no table that can be read now */
    struct rtt rtt;
    size_t digest_slots;    /* 0: no digest */
    uint64_t digest_age_ms; /* since it was last known to be current */
    uint64_t since_ms;      /* how long in this state of rtt */
};

/* Any registered thread; fn is called before this returns, nearest first. Our
 * own node is not among them. */
typedef void (*peers_status_fn)(void *arg, const struct peer_status *status);
void peers_each(const struct peers *peers, peers_status_fn fn, void *arg);

#endif
