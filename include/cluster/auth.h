/*
 * Requests between nodes, signed with the secret that all nodes share.
 *
 * A request carries one field:
 *
 *   Atlas-Peer: node=paris-1; to=tokyo-2; op=get; t=1700000000000;
 *               n=00112233445566778899aabbccddeeff; mac=<64 hex digits>
 *
 * (on one line, exactly in this order). The MAC is HMAC-SHA-256 (RFC 2104)
 * over all of these and the method, host and target of the request, each with
 * its length before it, so that no two requests give one message. It does not
 * cover other fields or a body. `to` names the receiver: what was meant for
 * one node is refused by every other. `t` is the sender's wall clock in ms.
 *
 * A nonce is accepted once while its time is acceptable. The cache of nonces
 * has a bound; when it is full, requests are refused rather than accepted
 * without being remembered. Only requests with a good MAC enter it, so nobody
 * without the secret can fill it.
 *
 * An auth may be used by every thread at once.
 */
#ifndef CLUSTER_AUTH_H
#define CLUSTER_AUTH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define AUTH_FIELD "Atlas-Peer"
#define AUTH_NODE_SIZE 64     /* a node id, with the NUL */
#define AUTH_NONCES (1 << 21) /* the default bound of the nonce cache */

struct auth;

enum auth_op {
    AUTH_GET,    /* answer from your own store, or not at all */
    AUTH_FILL,   /* you are the key's home: fetch it if you must */
    AUTH_PING,   /* answer at once */
    AUTH_DIGEST, /* what do you hold? */
    AUTH_OPS
};

enum auth_verdict {
    AUTH_OK,
    AUTH_MALFORMED,  /* the value does not have the one form it may have */
    AUTH_FORGED,     /* the MAC is not that of this request */
    AUTH_WRONG_NODE, /* meant for another node */
    AUTH_SKEWED,     /* its time is too far from ours, or before our start */
    AUTH_REPLAYED,   /* this nonce was seen before */
    AUTH_FULL,       /* cannot remember the nonce: too many at once */
    AUTH_VERDICTS
};

/* The request that a signature is for, exactly as it is (or was) sent. */
struct auth_request {
    enum auth_op op; /* auth_sign only */
    struct span to;  /* auth_sign only: the receiver's node id */
    struct span method;
    struct span host;   /* the value of the Host field */
    struct span target; /* the request target, query included */
};

/* What a good field says. */
struct auth_claims {
    char node[AUTH_NODE_SIZE]; /* who asks */
    enum auth_op op;
};

struct auth_options {
    struct span secret;   /* copied, and wiped at the end; not empty */
    const char *node;     /* our id; copied; auth_node_valid */
    uint64_t max_skew_ms; /* between the sender's clock and ours */
    size_t max_nonces;    /* 0: AUTH_NONCES; 32 to 64 bytes each when used */
    /* Wall clock when this program started: what was signed earlier may have
     * been accepted then, and is refused as skewed. 0: no such bound. */
    int64_t started_ms;
};

struct auth *auth_new(const struct auth_options *options);
void auth_free(struct auth **auth);

/* Whether a node id may be used: 1 to 63 of A-Z a-z 0-9 . _ - */
bool auth_node_valid(struct span node);

/* "get", "fill", ...; "ok", "malformed", "forged", ... Static. */
const char *auth_op_name(enum auth_op op);
const char *auth_verdict_name(enum auth_verdict verdict);

/* Adds the field's value to `value`, with a fresh random nonce. request->to
 * must be auth_node_valid. */
void auth_sign(const struct auth *auth, const struct auth_request *request,
               int64_t wall_ms, struct buf *value);

/* Judges the value of a request's Atlas-Peer field at the time `wall_ms`. Fills
 * in *claims only when it gives AUTH_OK; the caller still decides whether
 * claims->op goes with the target. A request with two such fields is to be
 * refused by the caller (their joined value is malformed). */
enum auth_verdict auth_verify(struct auth *auth, struct span value,
                              const struct auth_request *request,
                              int64_t wall_ms, struct auth_claims *claims);

/* A number that every node with this secret derives alike, for `purpose` (a
 * literal): the seed of keys, say. Says nothing of the secret. */
uint64_t auth_derive(struct span secret, const char *purpose);

#endif
