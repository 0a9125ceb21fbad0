/* A purge: an invalidation that somebody asks for at this node. */
#ifndef CLUSTER_PURGE_H
#define CLUSTER_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/inval.h"
#include "cluster/lease.h"
#include "cluster/position.h"

struct loop;
struct streams;

struct purge {
    enum inval_kind kind;
    bool soft;
    char *host;  /* NUL-terminated; NULL or "" when the kind has none */
    char *value; /* likewise */
    /* The sites in whose streams it may stand (bit i is the i-th of the
     * configuration): those of which `lease` routes that it may match want a
     * lease. 0: any. */
    lease_sites writers;
    char *once; /* a key that the caller chose, so that the purge may be sent
                 * again: it is published once; NULL or "" for none */
};

#define PURGE_ONCE_MAX 200 /* bytes of it */

/* Pure. False, with a text for people in why[size], when it makes no sense:
 * a part that is missing or does not belong to the kind, too long, a path that
 * does not begin with '/', control characters. */
bool purge_valid(const struct purge *purge, char *why, size_t size);

enum purge_outcome {
    PURGE_PUBLISHED, /* in the own site's stream, so every site will get it */
    PURGE_ALONE,     /* no Redis is configured: applied, on the only node */
    PURGE_KEPT,      /* applied on this node, and in its outbox: it will be
                      * published once a stream can be written; `why` */
    PURGE_LOCAL      /* applied on this node only: `why` says the reason */
};

struct purge_result {
    enum purge_outcome outcome;
    bool applied; /* here. False: published, but not read back in time, or
                   * its history ended meanwhile; `why` says which */
    char site[POSITION_NAME];
    uint64_t epoch; /* PURGE_PUBLISHED: where it stands in the stream */
    uint64_t term;
    uint64_t n;
    char why[512]; /* "" when all is well */
};

/* On the loop given to purge_submit; `result` for the time of the call. */
typedef void (*purge_fn)(void *arg, const struct purge_result *result);

#define PURGE_APPLY_MS 2000 /* how long to wait for the own stream */

/* Any thread. `purge` must be valid, and is copied. Publishes it to the own
 * site's stream, else to one that may take it and can be reached, and waits
 * until this node has applied it; else keeps it in the outbox. `fn` fires once,
 * after the command timeouts of the sites tried and PURGE_APPLY_MS at the
 * latest; `reply_to` must live until then. What was pending when the streams
 * are freed is answered as PURGE_LOCAL. */
void purge_submit(struct streams *streams, const struct purge *purge,
                  struct loop *reply_to, purge_fn fn, void *arg);

#endif
