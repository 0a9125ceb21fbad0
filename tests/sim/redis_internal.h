/* A Redis server of the simulation, and what is said to it: what the scripts
 * of edge/bus/script.c do, at one moment each. */
#ifndef SIM_REDIS_INTERNAL_H
#define SIM_REDIS_INTERNAL_H

#include "base/list.h"
#include "bus/bus_lease.h"
#include "sim.h"

enum command_kind {
    COMMAND_PUBLISH,
    COMMAND_SYNC,
    COMMAND_ANNOUNCE,
    COMMAND_RENEW,
    COMMAND_ACK,
    COMMAND_WATCH,
    COMMAND_FORGET,
    COMMAND_BARRIER
};

/* An entry, shared by all who hold it. */
struct stored {
    unsigned refs;
    uint64_t n;
    size_t count;
    struct span items[];
};
void stored_unref(struct stored *stored);

struct command {
    enum command_kind kind;
    uint64_t epoch; /* for a Redis that has none */
    size_t count;   /* of entries */
    struct stored **entries;
    char *once;
    struct bus_id after;
    unsigned max;
    char *id;
    char *payload;
    uint64_t ttl_ms, term, n, length_ms, generation, beat;
};
void command_free(struct command *command);

struct row {
    char id[200];
    char *payload; /* of a node */
    uint64_t beat;
    uint64_t term;
    uint64_t n;
    uint64_t age_ms;
};

struct answer {
    enum err err;
    const char *why;
    struct bus_lease lease; /* its era also for others */
    uint64_t n;
    struct stored **entries;
    struct row *rows;
    size_t count; /* of either */
};
void answer_free(struct answer *answer);

/* ---- a server ---- */

#define ENTRIES_MAX 4096
#define ROWS_MAX 64
#define ONCE_MAX 256

struct once {
    char *key; /* NULL: free */
    struct bus_era era;
    uint64_t n;
};

struct data {
    bool has_epoch;
    bool used;
    uint64_t epoch;
    uint64_t length_ms; /* 0: not set */
    uint64_t generation;
    uint64_t last_n;
    size_t count;
    struct stored *entries[ENTRIES_MAX];
    size_t node_count;
    struct row node_rows[ROWS_MAX];
    size_t holder_count;
    struct row holders[ROWS_MAX];
    size_t once_count;
    struct once once[ONCE_MAX];
};

struct redis {
    struct data now;
    struct data before; /* what a failover finds */
    uint64_t term;
    uint64_t life;
    bool down;
    bool alone;     /* its replica has become a primary, or it is that one */
    uint64_t moved; /* places that have gone over to that */
    uint64_t paused_to;
    uint64_t well_since;
    struct list_link listeners;
};

/* Servers are numbered: see redis_server in sim.h. */
struct redis *redis_at(unsigned server);
void redis_copy(struct data *to, const struct data *from);
/* NULL: it is down, or stands still until *later (0: down). */
struct answer *redis_execute(unsigned server, const struct command *command);
bool redis_answers(unsigned server, uint64_t *later);
/* How often its connections broke. */
uint64_t redis_life(unsigned server);
bool redis_replicated(void);

/* Who listens: `pushed` gets a reference. */
typedef void (*push_fn)(void *arg, const struct bus_era *era,
                        struct stored *stored);
typedef void (*acked_fn)(void *arg, const char *id, uint64_t term, uint64_t n);
struct listener;
struct listener *redis_listen(unsigned server, push_fn pushed, acked_fn acked,
                              void *arg);
void redis_unlisten(struct listener **listener);

#endif
