/*
 * Intents: what a write through this node will invalidate, on the disk before
 * the write is forwarded, so that it is published whatever becomes of the
 * write, of its answer, or of this node:
 *
 *  W1 a write is forwarded once its intent is durable;
 *  W2 what it invalidates is published on any outcome, when that is known
 *     (which its transaction does; the intent is there should it not);
 *  W3 when the outcome is not known, it is published at once, and again when
 *     the origin's longest time for a request has passed, by a clock that may
 *     be wrong; of an intent found at the start, from the start;
 *  W4 the intent goes when its last publication counts: when it was read back
 *     from the stream.
 * (W5, the client's answer, is the transaction's: engine/tx_purge.c.)
 */
#ifndef CLUSTER_INTENT_H
#define CLUSTER_INTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct purge;
struct streams;

/* Whether there are intents: a Redis, and a folder to keep them in. Any
 * thread. */
bool intent_possible(const struct streams *streams);

/* On the loop given, once: it is on the disk, under this id. ERR_LIMIT: there
 * are too many. ERR_IO: it cannot be written; the log says why. ERR_CANCELLED:
 * this node is stopping. */
typedef void (*intent_fn)(void *arg, enum err err, uint64_t id);
/* Any thread. `purge` must be valid, and is copied; `reply_to` lives until fn
 * was called. */
void intent_record(struct streams *streams, const struct purge *purge,
                   struct loop *reply_to, intent_fn fn, void *arg);

enum intent_end {
    INTENT_VOID,    /* nothing was sent, or all that it was for is published,
                     * or kept in the outbox */
    INTENT_PUBLISH, /* it is for the outbox to publish it; and again, in the
                     * end, when again_ms is not 0 */
    INTENT_AGAIN    /* the outcome is not known, and it was published: again
                     * after again_ms */
};
/* Any thread. One that is never called for is found at the next start. */
void intent_over(struct streams *streams, uint64_t id, enum intent_end end,
                 uint64_t again_ms);

#endif
