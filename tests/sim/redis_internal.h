/* A Redis server of the simulation, and what is said to it: what the scripts
 * of edge/bus/script.c do, at one moment each. */
#ifndef SIM_REDIS_INTERNAL_H
#define SIM_REDIS_INTERNAL_H

#include "bus/bus.h"
#include "sim.h"

enum command_kind {
    COMMAND_PUBLISH,
    COMMAND_SYNC,
    COMMAND_ANNOUNCE,
    COMMAND_RENEW,
    COMMAND_ACK,
    COMMAND_WATCH,
    COMMAND_FORGET
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

/* NULL: it is down, or stands still until *later (0: down). */
struct answer *redis_execute(unsigned site, const struct command *command);
bool redis_answers(unsigned site, uint64_t *later);
/* How often its connections broke. */
uint64_t redis_life(unsigned site);

/* Who listens: `pushed` gets a reference. */
typedef void (*push_fn)(void *arg, const struct bus_era *era,
                        struct stored *stored);
typedef void (*acked_fn)(void *arg, const char *id, uint64_t term, uint64_t n);
struct listener;
struct listener *redis_listen(unsigned site, push_fn pushed, acked_fn acked,
                              void *arg);
void redis_unlisten(struct listener **listener);

#endif
