/* What the files of the bus share: bus.c has the connection, bus_push.c that of
 * pushes, bus_calls.c what is asked. */
#ifndef SIM_BUS_INTERNAL_H
#define SIM_BUS_INTERNAL_H

#include "base/list.h"
#include "redis_internal.h"

struct bus_call {
    struct list_link link;
    struct bus *bus;
    uint64_t id;
    enum command_kind kind;
    bool cancelled;
    enum err err; /* once it has failed */
    uint64_t deadline;
    union {
        bus_publish_fn publish;
        bus_sync_fn sync;
        bus_announce_fn announce;
        bus_lease_fn lease;
        bus_watch_fn watch;
        bus_done_fn done;
        bus_barrier_fn barrier;
    } fn;
    void *arg;
};

/* What messages under way hold on to. */
struct wire {
    unsigned refs;
    struct bus *bus; /* NULL: it is gone */
    uint64_t life;   /* of the connection that they are of */
};

struct bus {
    struct list_link link; /* of all */
    struct loop *loop;
    int place;
    unsigned site;
    uint64_t connect_timeout, command_timeout, backoff_max;
    struct bus_events events;
    struct wire *wire;
    bool connected;
    unsigned server; /* that it is connected to */
    unsigned replicas;
    uint64_t redis_life; /* of the Redis it is connected to */
    uint64_t calls;
    uint64_t out_time, in_time; /* messages keep their order */
    struct list_link waiting;
    struct list_link failed;
    struct event *next; /* connecting, or the pause before */
    struct event *deadline;
    struct event *deliver;
    struct listener *listener;
    struct event *subscribe;
    uint64_t push_time;
    const char *error;
};

int bus_redis(const struct bus *bus);
bool bus_reachable(const struct bus *bus);
/* Not before what was sent before. */
uint64_t bus_in_order(uint64_t *last, uint64_t time);
void bus_wire_unref(struct wire *wire);

/* bus_push.c */
void bus_subscribe(void *arg);
/* And again in so long. */
void bus_unsubscribe(struct bus *bus, uint64_t ns);

/* Sends it. The command is taken; the caller puts in the callback. */
struct bus_call *bus_call_new(struct bus *bus, struct command *command,
                              void *arg);

#endif
