/* What the files of the bus share: bus.c has the calls, bus_answer.c takes
 * their answers, bus_push.c has the pushes, bus_barrier.c waits for replicas,
 * bus_trouble.c says what is wrong.
 */
#ifndef BUS_BUS_INTERNAL_H
#define BUS_BUS_INTERNAL_H

#include "base/check.h"
#include "base/list.h"
#include "bus/bus_lease.h"
#include "link_internal.h"
#include "script_internal.h"

#define BUS_TAG 0x42555321u
#define BUS_SHA_HEX 41 /* with the NUL */
#define BUS_ID_MAX 128 /* of a node, in its table; with the NUL */
#define BUS_WHY 320

struct barrier;
struct timer;

/* Places where something can be wrong, each reported by itself. */
enum trouble {
    TROUBLE_COMMANDS = SCRIPT_COUNT, /* below it: the scripts, by number */
    TROUBLE_PUSHES,
    TROUBLE_REPLICAS,
    TROUBLE_COUNT
};

/* A heartbeat that was seen, by node. */
struct beat {
    char id[BUS_ID_MAX];
    uint64_t beat;
    uint64_t seen_ns; /* our clock, when it changed */
    uint64_t age_ms;  /* what it was then */
};

/*
 * A call is in one of two lists:
 *  - waiting: sent; answers come in this order, and so do deadlines;
 *  - failed: its callback is to be told `err` on the next turn.
 */
struct bus_call {
    struct list_link link;
    struct bus *bus;
    enum script script;
    bool load;      /* of the handshake: SCRIPT LOAD */
    bool whole;     /* sent with the script's text, not its hash */
    bool cancelled; /* the callback must not fire */
    enum err err;
    uint64_t deadline_ns;
    union {
        bus_publish_fn publish;
        bus_sync_fn sync;
        bus_announce_fn announce;
        bus_lease_fn lease;
        bus_watch_fn watch;
        bus_done_fn done;
    } fn;
    void *arg;
    size_t count; /* of args; the texts of the call itself follow them */
    struct span args[];
};

struct bus {
    TAG_FIELD;
    struct loop *loop;
    struct bus_events events;
    char *site;
    char *host;
    unsigned port;
    uint64_t timeout_ms; /* of an answer */
    uint64_t keep_min, keep_max;
    char *acks;    /* a channel */
    char *keys[3]; /* stream, hash, channel */
    char sha[SCRIPT_COUNT][BUS_SHA_HEX];

    struct link *commands;
    bool connected; /* the handshake is done */
    struct list_link waiting;
    struct list_link failed;
    size_t calls; /* in both */
    struct timer *deadline;
    uint64_t read_ns; /* when bytes came last */
    bool late;        /* the deadline passed; one turn more to read */
    struct timer *deliver;
    char down_why[BUS_WHY];

    struct link *pushes;
    struct timer *watch;
    bool listening;
    bool heard; /* since the last ping */

    unsigned replicas;
    struct barrier *barrier; /* NULL without replicas */

    struct beat *beats; /* ordered by id */
    size_t beat_count;
    char trouble[TROUBLE_COUNT][BUS_WHY]; /* "": none */
    bool calling;                         /* inside a callback of the owner's */
};

/* Logs a trouble when it is not the one of before; and its end. */
void bus_trouble(struct bus *bus, unsigned place, const char *why);
void bus_trouble_end(struct bus *bus, unsigned place);

void bus_arm_deadline(struct bus *bus);
/* Puts the call behind the others and sends it. */
void bus_send_call(struct bus *bus, struct bus_call *call);
/* Takes the call out of its list and frees it. */
void bus_drop_call(struct bus_call *call);
/* Answers the oldest call. */
void bus_answer(struct bus *bus, const redisReply *reply);
/* Tells the callback of an error, and drops the call. */
void bus_answer_error(struct bus_call *call, enum err err, const char *why);

/* The arguments of a call before its own, for a script given as text. */
#define BUS_ARGS 7
void bus_eval(const struct bus *bus, enum script script, char epoch[17],
              struct span args[BUS_ARGS]);

void bus_barrier_start(struct bus *bus, const struct link_options *options);
void bus_barrier_stop(struct bus *bus);

void bus_push_start(struct bus *bus, const struct link_options *options);
void bus_push_stop(struct bus *bus);

#endif
