/* Waiting until everything that one request published is acknowledged
 * (purge_wait.h), in the streams of all sites that took a part. */
#ifndef CLUSTER_PURGE_ACK_H
#define CLUSTER_PURGE_ACK_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/position.h"
#include "cluster/purge.h"
#include "cluster/purge_wait.h"

struct loop;

/* The last entry in the stream of a site, in one history. */
struct purge_ack_place {
    char site[POSITION_NAME];
    uint64_t epoch;
    uint64_t term;
    uint64_t n;
};

typedef void (*purge_ack_fn)(void *arg);

/* Zeroed. */
struct purge_ack {
    struct purge_ack_place *places;
    size_t count;
    size_t pending;
    enum purge_wait_outcome worst; /* of all, once `fn` is called */
    struct purge_holder *holders;
    size_t holder_count;
    purge_ack_fn fn;
    void *arg;
};

/* One more that was published. */
void purge_ack_add(struct purge_ack *ack, const struct purge_result *result);
/* `fn` fires once, after `deadline_ms` at the latest, on `loop`; it may be
 * before this returns when nothing was added. */
void purge_ack_start(struct purge_ack *ack, struct streams *streams,
                     enum purge_wait scope, uint64_t deadline_ms,
                     struct loop *loop, purge_ack_fn fn, void *arg);
/* Not while it waits. */
void purge_ack_fini(struct purge_ack *ack);

#endif
