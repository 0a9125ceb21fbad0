/* bus/bus.h, over the network and the Redis servers of the simulation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "bus_internal.h"

static struct list_link buses = {&buses, &buses};

int
bus_redis(const struct bus *bus)
{
    return PLACE_REDIS + (int)bus->site;
}

bool
bus_reachable(const struct bus *bus)
{
    uint64_t later;

    return net_up(bus->place, bus_redis(bus)) &&
           net_up(bus_redis(bus), bus->place) &&
           redis_answers(redis_server(bus->site, bus->place), &later);
}

uint64_t
bus_in_order(uint64_t *last, uint64_t time)
{
    *last = time > *last ? time : *last;
    return *last;
}

void
bus_wire_unref(struct wire *wire)
{
    if (--wire->refs == 0)
        free(wire);
}

/* ---- answers ---- */

static void
tell_sync(struct bus_call *call, enum err err, const char *why,
          const struct answer *answer)
{
    struct bus_entry *entries =
        mem_alloc((answer->count + 1) * sizeof(*entries));
    struct bus_sync sync = {.era = answer->lease.era,
                            .first = answer->lease.first,
                            .last = answer->lease.last,
                            .entries = entries,
                            .count = answer->count};

    for (size_t i = 0; i < answer->count; i++)
        entries[i] = (struct bus_entry){{answer->entries[i]->n, 0},
                                        answer->entries[i]->items,
                                        answer->entries[i]->count};
    call->fn.sync(call->arg, err, why, &sync);
    free(entries);
}

static void
tell_announce(struct bus_call *call, enum err err, const char *why,
              const struct answer *answer)
{
    struct bus_node *list = mem_alloc((answer->count + 1) * sizeof(*list));

    for (size_t i = 0; i < answer->count; i++)
        list[i] = (struct bus_node){span_of(answer->rows[i].id),
                                    span_of(answer->rows[i].payload),
                                    answer->rows[i].age_ms};
    call->fn.announce(call->arg, err, why, list, answer->count);
    free(list);
}

static void
tell_watch(struct bus_call *call, enum err err, const char *why,
           const struct answer *answer)
{
    struct bus_holder *list = mem_alloc((answer->count + 1) * sizeof(*list));
    struct bus_watched watched = {answer->lease, list, answer->count};

    for (size_t i = 0; i < answer->count; i++)
        list[i] = (struct bus_holder){span_of(answer->rows[i].id),
                                      answer->rows[i].beat,
                                      answer->rows[i].term, answer->rows[i].n};
    call->fn.watch(call->arg, err, why, &watched);
    free(list);
}

/* Ends the call. */
static void
tell(struct bus_call *call, enum err err, const char *why,
     const struct answer *answer)
{
    static const struct answer none;
    bool mute = call->cancelled || call->fn.done == NULL;

    list_remove(&call->link);
    if (answer == NULL)
        answer = &none;
    switch (mute ? COMMAND_BARRIER + 1 : (int)call->kind) {
    case COMMAND_PUBLISH:
        call->fn.publish(call->arg, err, why, &answer->lease.era, answer->n);
        break;
    case COMMAND_SYNC:
        tell_sync(call, err, why, answer);
        break;
    case COMMAND_ANNOUNCE:
        tell_announce(call, err, why, answer);
        break;
    case COMMAND_RENEW:
        call->fn.lease(call->arg, err, why, &answer->lease);
        break;
    case COMMAND_WATCH:
        tell_watch(call, err, why, answer);
        break;
    case COMMAND_BARRIER:
        call->fn.barrier(call->arg, err, &answer->lease.era);
        break;
    case COMMAND_ACK:
    case COMMAND_FORGET:
        call->fn.done(call->arg, err, why);
        break;
    default:
        break;
    }
    free(call);
}

static void
on_deliver(void *arg)
{
    struct bus *bus = arg;
    struct list_link now;

    bus->deliver = NULL;
    list_init(&now);
    while (!list_empty(&bus->failed)) {
        struct list_link *link = bus->failed.next;

        list_remove(link);
        list_push_back(&now, link);
    }
    while (!list_empty(&now)) {
        struct bus_call *call = list_first(&now, struct bus_call, link);

        tell(call, call->err, "not connected", NULL);
    }
}

static void
fail(struct bus_call *call, enum err err)
{
    struct bus *bus = call->bus;

    list_remove(&call->link);
    call->err = err;
    list_push_back(&bus->failed, &call->link);
    if (bus->deliver == NULL)
        bus->deliver = event_in(US, bus->loop, on_deliver, bus);
}

/* ---- connecting ---- */

static void attempt(void *arg);

static void
down(struct bus *bus, enum err err, const char *why)
{
    bool was = bus->connected;

    bus->connected = false;
    bus->wire->life++;
    bus->error = why;
    event_cancel(&bus->deadline);
    event_cancel(&bus->next);
    while (!list_empty(&bus->waiting))
        fail(list_first(&bus->waiting, struct bus_call, link), err);
    bus->next = event_in(bus->backoff_max / 2 + chance_below(bus->backoff_max),
                         bus->loop, attempt, bus);
    (void)was;
    if (bus->events.state != NULL)
        bus->events.state(bus->events.arg, false, why);
}

static void
on_connected(void *arg)
{
    struct bus *bus = arg;

    bus->next = NULL;
    if (!bus_reachable(bus)) {
        down(bus, ERR_TIMEOUT, "no connection in time");
        return;
    }
    bus->connected = true;
    bus->error = "";
    bus->server = redis_server(bus->site, bus->place);
    bus->redis_life = redis_life(bus->server);
    if (bus->events.state != NULL)
        bus->events.state(bus->events.arg, true, NULL);
}

static void
attempt(void *arg)
{
    struct bus *bus = arg;
    uint64_t ns = 0;

    /* Connect, then the handshake. */
    for (int i = 0; i < 2; i++)
        ns += net_latency(bus->place, bus_redis(bus)) +
              net_latency(bus_redis(bus), bus->place);
    if (!bus_reachable(bus))
        ns = bus->connect_timeout;
    bus->next = event_in(ns, bus->loop, on_connected, bus);
}

static void
on_deadline(void *arg)
{
    struct bus *bus = arg;

    bus->deadline = NULL;
    if (list_empty(&bus->waiting))
        return;
    struct bus_call *first = list_first(&bus->waiting, struct bus_call, link);

    if (first->deadline > sim_now())
        bus->deadline = event_at(first->deadline, bus->loop, on_deadline, bus);
    else
        down(bus, ERR_TIMEOUT, "it does not answer in time");
}

/* ---- messages ---- */

struct message {
    struct wire *wire;
    uint64_t life;
    uint64_t redis_life;
    uint64_t id;
    int place;
    unsigned site, server;
    struct loop *loop;
    struct command *command;
    struct answer *answer;
};

static void
message_free(void *arg)
{
    struct message *message = arg;

    if (message->command != NULL)
        command_free(message->command);
    if (message->answer != NULL)
        answer_free(message->answer);
    bus_wire_unref(message->wire);
    free(message);
}

static bool
is_current(const struct message *message)
{
    return message->wire->bus != NULL && message->wire->life == message->life;
}

static void
on_answer(void *arg)
{
    struct message *message = arg;
    struct bus *bus = message->wire->bus;
    struct bus_call *call;

    if (is_current(message) &&
        net_up(PLACE_REDIS + (int)message->site, message->place)) {
        list_for_each (call, &bus->waiting, link) {
            if (call->id != message->id)
                continue;
            tell(call, message->answer->err, message->answer->why,
                 message->answer);
            break;
        }
    }
    message_free(message);
}

/* A connection that was given up may have more on its way: it is done all the
 * same. */
static void
on_command(void *arg)
{
    struct message *message = arg;
    int redis = PLACE_REDIS + (int)message->site;
    uint64_t later;

    if (!redis_answers(message->server, &later) && later > sim_now()) {
        event_message(later, NULL, on_command, message_free, message);
        return;
    }
    if (!net_up(message->place, redis) ||
        !redis_answers(message->server, &later) ||
        redis_life(message->server) != message->redis_life) {
        message_free(message);
        return;
    }
    message->answer = redis_execute(message->server, message->command);
    if (message->command->kind == COMMAND_SYNC &&
        net_deaf(redis, message->place)) {
        message->answer->err = ERR_PROTOCOL;
        message->answer->why = "nonsense";
    }
    if (!is_current(message)) {
        message_free(message);
        return;
    }
    struct bus *bus = message->wire->bus;
    uint64_t time = sim_now() + net_latency(redis, message->place);

    event_message(bus_in_order(&bus->in_time, time), bus->loop, on_answer,
                  message_free, message);
}

struct bus_call *
bus_call_new(struct bus *bus, struct command *command, void *arg)
{
    struct bus_call *call = mem_zalloc(sizeof(*call));
    struct machine *machine = loop_machine(bus->loop);

    call->bus = bus;
    call->kind = command->kind;
    call->arg = arg;
    call->id = ++bus->calls;
    call->deadline = sim_now() + bus->command_timeout;
    secret_random(&command->epoch, sizeof(command->epoch));
    list_push_back(&bus->waiting, &call->link);
    if (!bus->connected || machine->dead) {
        command_free(command);
        fail(call, ERR_REFUSED);
        return call;
    }
    struct message *message = mem_zalloc(sizeof(*message));

    *message = (struct message){.wire = bus->wire,
                                .life = bus->wire->life,
                                .redis_life = bus->redis_life,
                                .id = call->id,
                                .place = bus->place,
                                .site = bus->site,
                                .server = bus->server,
                                .command = command};
    bus->wire->refs++;
    event_message(
        bus_in_order(&bus->out_time,
                     sim_now() + net_latency(bus->place, bus_redis(bus))),
        NULL, on_command, message_free, message);
    if (bus->deadline == NULL)
        bus->deadline = event_at(call->deadline, bus->loop, on_deadline, bus);
    return call;
}

/* ---- life ---- */

struct bus *
bus_new(struct loop *loop, const struct bus_options *options,
        const struct bus_events *events)
{
    struct bus *bus = mem_zalloc(sizeof(*bus));

    bus->loop = loop;
    bus->place = sim_machine()->place;
    bus->site = options->port - 1; /* that is how sites are told apart */
    bus->connect_timeout = options->connect_timeout_ms * MS;
    bus->command_timeout = options->command_timeout_ms * MS;
    bus->backoff_max = options->backoff_max_ms * MS;
    bus->events = *events;
    bus->replicas = options->replicas;
    bus->error = "";
    bus->wire = mem_zalloc(sizeof(*bus->wire));
    bus->wire->refs = 1;
    bus->wire->bus = bus;
    list_init(&bus->waiting);
    list_init(&bus->failed);
    list_push_back(&buses, &bus->link);
    bus->next = event_in(US, loop, attempt, bus);
    bus->subscribe =
        event_in(chance_delay(MS, 50 * MS), loop, bus_subscribe, bus);
    return bus;
}

static void
free_calls(struct list_link *list)
{
    while (!list_empty(list)) {
        struct bus_call *call = list_first(list, struct bus_call, link);

        list_remove(&call->link);
        free(call);
    }
}

void
bus_free(struct bus **bus)
{
    struct bus *b = *bus;

    *bus = NULL;
    if (b == NULL)
        return;
    free_calls(&b->waiting);
    free_calls(&b->failed);
    redis_unlisten(&b->listener);
    event_cancel(&b->next);
    event_cancel(&b->deadline);
    event_cancel(&b->deliver);
    event_cancel(&b->subscribe);
    list_remove(&b->link);
    b->wire->bus = NULL;
    bus_wire_unref(b->wire);
    free(b);
}

static void
on_broken(void *arg)
{
    struct wire *wire = arg;
    struct bus *bus = wire->bus;

    if (bus != NULL && net_up(bus_redis(bus), bus->place)) {
        if (bus->connected &&
            (bus->redis_life != redis_life(bus->server) ||
             bus->server != redis_server(bus->site, bus->place)))
            down(bus, ERR_RESET, "the connection broke");
    }
    bus_wire_unref(wire);
}

static void
drop_wire(void *arg)
{
    bus_wire_unref(arg);
}

void
bus_broken(unsigned site)
{
    struct bus *bus;

    list_for_each (bus, &buses, link) {
        if (bus->site != site)
            continue;
        if (bus->listener != NULL)
            bus_unsubscribe(bus, 100 * MS);
        bus->wire->refs++;
        event_message(sim_now() + net_latency(bus_redis(bus), bus->place),
                      bus->loop, on_broken, drop_wire, bus->wire);
    }
}

bool
bus_connected(const struct bus *bus)
{
    return bus->connected;
}

const char *
bus_error(const struct bus *bus)
{
    return bus->error;
}
