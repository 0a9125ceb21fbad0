/*
 * Waiting for acknowledgement: an invalidation is acknowledged when every node
 * that may hold a lease (lease.h) has applied it, or can hold none any more.
 * What is acknowledged is nowhere answered from a copy on `lease` routes.
 */
#ifndef CLUSTER_PURGE_WAIT_H
#define CLUSTER_PURGE_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct streams;

enum purge_wait {
    PURGE_WAIT_NONE,
    PURGE_WAIT_SITE, /* the nodes of our own site */
    PURGE_WAIT_ALL
};

/* "none", "site", "all". Static. */
const char *purge_wait_name(enum purge_wait wait);

enum purge_holder_state {
    PURGE_HOLDER_PENDING,
    PURGE_HOLDER_ACKNOWLEDGED,
    PURGE_HOLDER_EXPIRED /* it holds no lease any more; on `ap` it may still
                          * serve the copy */
};

/* "pending", "acknowledged", "lease-expired". Static. */
const char *purge_holder_name(enum purge_holder_state state);

/* A node that held a lease, and what became of it. */
struct purge_holder {
    char node[64];
    char site[64];
    char id[200]; /* SITE/NODE/INCARNATION */
    enum purge_holder_state state;
};

enum purge_wait_outcome {
    PURGE_ACKNOWLEDGED,
    PURGE_DEADLINE, /* the caller's came first: some are pending */
    PURGE_LOST      /* the entry stands no more (its Redis lost data, or was
                     * replaced): publish it again */
};

struct purge_wait_result {
    enum purge_wait_outcome outcome;
    const struct purge_holder *holders; /* for the time of the call */
    size_t count;
};

/* On the loop given to purge_wait_start. */
typedef void (*purge_wait_fn)(void *arg,
                              const struct purge_wait_result *result);

/* Where the last of the entries stands that are waited for, in the stream of a
 * site: those before it are acknowledged with it. */
struct purge_wait_options {
    const char *site; /* copied */
    uint64_t epoch;
    uint64_t term;
    uint64_t n;
    enum purge_wait scope; /* not PURGE_WAIT_NONE */
    uint64_t deadline_ms;
};

/* Any thread. `fn` fires once; what is pending when the streams are freed is
 * answered as PURGE_DEADLINE. `reply_to` must live until then. */
void purge_wait_start(struct streams *streams,
                      const struct purge_wait_options *options,
                      struct loop *reply_to, purge_wait_fn fn, void *arg);

#endif
