/* Nodes, and requests to them. */
#ifndef SIM_NODE_INTERNAL_H
#define SIM_NODE_INTERNAL_H

#include "base/buf.h"
#include "base/list.h"
#include "engine/tx.h"
#include "http/fields.h"
#include "sim.h"

#define WORKERS 2
#define TOKEN "simulated-token"

struct node {
    struct machine machine;
    unsigned index;
    unsigned site;
    unsigned life; /* how often it was started */
    char name[16];
    char folder[128]; /* of this life's outbox */
    uint64_t started;
    struct loop *loop;
    struct store *store;
    struct inval *inval;
    struct outbox *outbox;
    struct bookmark *bookmark;
    struct streams *streams;
    struct auth *auth;
    struct fetch_pool *pool;
    struct peers *peers;
    struct engine *engine;
    struct conf *conf;
    struct loop *worker_loops[WORKERS];
    struct worker *workers[WORKERS];
    struct list_link exchanges;
};

/* A request to a node, from its head to the end of the answer's body. */
struct exchange;
struct exchange_answer {
    unsigned status; /* 0: the node died, or broke off */
    const struct fields *fields;
    struct span body;
};
typedef void (*exchange_fn)(void *arg, const struct exchange_answer *answer);

/* In a turn of the worker. `fn` fires once, in a turn of its own. */
struct exchange *exchange_start(struct node *node, unsigned worker,
                                struct span method, struct span target,
                                const struct fields *fields, struct span body,
                                exchange_fn fn, void *arg);
/* Whoever asked has gone: `fn` does not fire. */
void exchange_abort(struct exchange *exchange);
/* All of a node that dies: whoever asked is told of nothing. */
void exchanges_abort(struct node *node);

/* Begins, and puts it in nodes[index]. */
void node_start(unsigned index);
/* kill -9: what is on its disk is there at the next start. */
void node_kill(unsigned index);
/* Nothing more is to come of those that were killed. False: they need time. */
bool nodes_buried(void);
/* The end of all. */
void nodes_stop(void);
void nodes_reset(const char *folder, unsigned sites, unsigned nodes_a_site);
/* The node in whose turn we are, if it is this one, and not one that has died.
 */
struct node *node_here(unsigned index);
int node_place(const struct node *node);
uint64_t node_well_since(unsigned index);

#endif
