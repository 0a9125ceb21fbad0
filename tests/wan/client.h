/*
 * The clients of the lab: one thread, many actors, each of which does one thing
 * at a time and writes down when it began, when it ended, and what came of it.
 *
 * A key has one writer, which puts one value after another at the origin and
 * then purges at some node. Readers ask at every node. They are beside the
 * nodes, in the same network namespaces: what they find is what the node said,
 * not what the way to it did.
 */
#ifndef WAN_CLIENT_H
#define WAN_CLIENT_H

#include <stdio.h>

#include "../tools/response.h"
#include "history.h"
#include "place.h"

#define CLIENT_ACTORS 1024
#define CLIENT_PORT 8080 /* of nodes and the origin */
#define CLIENT_ADMIN_PORT 9080
#define CLIENT_TOKEN_MAX 4096
#define CLIENT_ETAG_MAX 128

struct client;
struct actor;

/* An answer, or none. */
struct outcome {
    int status;   /* 0: no whole answer came */
    bool refused; /* nothing was sent at all */
    uint64_t begin, end;
    bool local, stored;
    bool pending; /* Atlas-Invalidation: others may not have heard of it */
    struct span body;
    struct span token; /* Atlas-Session; empty: none */
    struct span etag;
};

typedef void (*actor_fn)(struct client *client, struct actor *actor);
typedef void (*outcome_fn)(struct client *client, struct actor *actor,
                           const struct outcome *outcome);

struct key {
    enum history_level level;
    unsigned number;
    char name[32]; /* "cp/3" */
    uint64_t value;
    bool big;
};

/* A request under way. */
struct ask {
    const struct place *place;
    unsigned port;
    struct buf request;
    size_t sent;
    uint64_t begin_us;
    uint64_t deadline_us; /* 0: it may take for ever */
    bool reused;          /* on a connection that had been used before */
    bool any;             /* a byte of the answer came */
    outcome_fn done;
    struct response response;
    struct buf body;
    char cache_status[512];
    char token[CLIENT_TOKEN_MAX];
    char etag[CLIENT_ETAG_MAX];
    char pending[64];
    bool busy;
};

struct actor {
    size_t index;
    uint64_t wake_us; /* when `next` is called; 0: an ask is under way */
    actor_fn next;
    uint64_t pause_us; /* between two turns, on average */
    struct ask ask;
    int fd; /* -1: none */
    const struct place *fd_place;
    unsigned fd_port;
    bool writable; /* what epoll waits for */
    /* what it is about */
    struct key *key;
    enum history_level level;
    const struct place *node; /* that it asks */
    unsigned tries;
    /* a session, if it has one */
    uint64_t session;
    unsigned session_left; /* steps until the next one */
    char token[CLIENT_TOKEN_MAX];
    bool sent; /* the token went with the request */
    /* a reader */
    struct key *chase;     /* what it is to ask for next; NULL: anything */
    struct key *known_key; /* of the last answer; NULL: it knows of nothing */
    uint64_t known_value;
    char known_etag[CLIENT_ETAG_MAX];
    bool conditional; /* it asks whether that is still so */
    /* a writer */
    bool writer;
    unsigned reads_left; /* of what it wrote, in its session */
    const char *kind;    /* of a purge */
    bool hard;
    bool before;      /* it is one before a write */
    bool wait_all;    /* it is to be acknowledged by all */
    bool fencing;     /* whether the write happened is being settled */
    int write_status; /* of a write through a node, and when it began */
    uint64_t write_us;
};

struct client {
    struct places places;
    const struct place *nodes[PLACES_MAX];
    size_t node_count;
    const struct place *origin;
    struct key *keys;
    size_t key_count;
    struct key *hot[HISTORY_LEVELS]; /* what was written or purged last */
    struct actor actors[CLIENT_ACTORS];
    size_t actor_count;
    uint64_t sessions;
    uint64_t random;
    uint64_t end_us; /* nothing new begins after this */
    uint64_t written_us;
    bool wait_all; /* purges may ask to be acknowledged by all */
    int epoll;
    FILE *out;
    uint64_t operations;
};

/* ---- client_ask.c ---- */

/* Sends actor->ask.request to a port of a place; done() is called once, later.
 * A connection is kept for the next ask of the same port, unless `fresh`. */
void client_ask(struct client *client, struct actor *actor,
                const struct place *place, unsigned port, bool fresh,
                uint64_t timeout_us, outcome_fn done);
/* Something happened at its socket, or its time is over. */
void client_ask_event(struct client *client, struct actor *actor,
                      uint32_t events);
void client_ask_late(struct client *client, struct actor *actor);

/* ---- client_reader.c ---- */

void client_read(struct client *client, struct actor *actor);
/* Some readers, at some nodes, ask for the key at once: around a write and a
 * purge every ms counts. */
void client_chase(struct client *client, struct key *key);
/* The body of a value, added to *out; and the value of a body: false when it
 * is none, or has several. */
void client_body(const struct key *key, uint64_t value, struct buf *out);
bool client_value(const struct key *key, struct span body, uint64_t *value);

/* ---- client_writer.c, client_through.c, client_purge.c ---- */

/* A step of a writer: a value, at the origin or through a node, and purges. */
void client_write(struct client *client, struct actor *actor);
/* The key's value is written: goes on with a purge, or the next value. */
void client_written(struct client *client, struct actor *actor,
                    const struct history_line *line);
/* Puts the next value through a node. */
void client_through(struct client *client, struct actor *actor);
/* Whether what takes copies away may be done to the key. */
bool client_may_remove(const struct key *key);
/* Purges, then goes on with client_write; or, of a purge before a write, with
 * client_put. */
void client_purge(struct client *client, struct actor *actor);
void client_put(struct client *client, struct actor *actor);
/* The request that puts a value, into the ask; `fields` is "" or lines. */
void client_put_request(struct actor *actor, uint64_t value,
                        const char *fields);

/* ---- client_main.c ---- */

uint64_t client_random(struct client *client, uint64_t below);
/* Calls `next` after a random time of this average. */
void client_pause(struct client *client, struct actor *actor,
                  uint64_t average_us, actor_fn next);
void client_record(struct client *client, const struct history_line *line);
const struct place *client_any_node(struct client *client);

#endif
