/*
 * Nonces that were seen, each for as long as its time is acceptable.
 *
 * Time is cut into periods as long as the skew that is allowed, so that
 * acceptable times lie in at most three; a shard keeps a set of nonces for
 * each of NONCES_PERIODS. A set is emptied as a whole, once a later period
 * needs its place or room is short. A period that was emptied stays closed:
 * whatever the clock does, no nonce of it is accepted again.
 *
 * Any thread.
 */
#ifndef CLUSTER_NONCES_INTERNAL_H
#define CLUSTER_NONCES_INTERNAL_H

#include "base/hash.h"

#define NONCES_PERIODS 4

struct nonces;

enum nonces_verdict { NONCES_NEW, NONCES_SEEN, NONCES_PAST, NONCES_FULL };

struct nonces *nonces_new(size_t max, uint64_t skew_ms);
void nonces_free(struct nonces **nonces);

/* Remembers a nonce that carries the time `sent_ms`, within the skew of
 * now_ms; both are positive. Only NONCES_NEW remembers it. */
enum nonces_verdict nonces_add(struct nonces *nonces, struct hash128 nonce,
                               uint64_t sent_ms, uint64_t now_ms);

#endif
