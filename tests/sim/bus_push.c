/* Pushes: a connection of their own. */
#include "bus_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct push {
    struct wire *wire;
    struct bus_era era;
    struct stored *stored; /* NULL: an acknowledgement */
    char id[200];
    uint64_t term, n;
};

static void
push_free(void *arg)
{
    struct push *push = arg;

    stored_unref(push->stored);
    bus_wire_unref(push->wire);
    free(push);
}

void
bus_unsubscribe(struct bus *bus, uint64_t ns)
{
    redis_unlisten(&bus->listener);
    event_cancel(&bus->subscribe);
    bus->subscribe = event_in(ns, bus->loop, bus_subscribe, bus);
}

static void
on_push(void *arg)
{
    struct push *push = arg;
    struct bus *bus = push->wire->bus;

    if (bus != NULL && bus->listener != NULL) {
        if (push->stored != NULL && net_deaf(bus_redis(bus), bus->place)) {
            push_free(push);
            return;
        }
        if (!net_up(bus_redis(bus), bus->place)) {
            /* It notices when a sign of life does not come. */
            bus_unsubscribe(bus, S + chance_below(S));
        } else if (push->stored == NULL) {
            if (bus->events.acked != NULL)
                bus->events.acked(bus->events.arg, span_of(push->id),
                                  push->term, push->n);
        } else if (bus->events.pushed != NULL) {
            struct bus_entry entry = {
                {push->stored->n, 0}, push->stored->items, push->stored->count};

            bus->events.pushed(bus->events.arg, &push->era, &entry);
        }
    }
    push_free(push);
}

static void
send_push(struct bus *bus, struct push *push)
{
    uint64_t time = sim_now() + net_latency(bus_redis(bus), bus->place);

    push->wire = bus->wire;
    bus->wire->refs++;
    event_message(bus_in_order(&bus->push_time, time), bus->loop, on_push,
                  push_free, push);
}

static void
on_pushed(void *arg, const struct bus_era *era, struct stored *stored)
{
    struct push *push = mem_zalloc(sizeof(*push));

    push->era = *era;
    push->stored = stored;
    send_push(arg, push);
}

static void
on_acked(void *arg, const char *id, uint64_t term, uint64_t n)
{
    struct push *push = mem_zalloc(sizeof(*push));

    snprintf(push->id, sizeof(push->id), "%s", id);
    push->term = term;
    push->n = n;
    send_push(arg, push);
}

void
bus_subscribe(void *arg)
{
    struct bus *bus = arg;

    bus->subscribe = NULL;
    if (!bus_reachable(bus)) {
        bus_unsubscribe(bus, 200 * MS);
        return;
    }
    bus->listener = redis_listen(redis_server(bus->site, bus->place), on_pushed,
                                 on_acked, bus);
    if (bus->events.listening != NULL)
        bus->events.listening(bus->events.arg);
}
