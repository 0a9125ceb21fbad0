#include "bus_internal.h"

#include <strings.h>

#include "base/loop.h"
#include "reply_internal.h"

/* A connection that carries nothing is asked for a sign of life this often,
 * or once a timeout if that is longer. */
#define PING_MS 1000

static struct span
item(const redisReply *reply, size_t index)
{
    const redisReply *text =
        index < reply->elements ? reply->element[index] : NULL;

    if (text == NULL || text->type != REDIS_REPLY_STRING)
        return SPAN_NONE;
    return (struct span){text->str, text->len};
}

static void
watch_again(struct bus *bus)
{
    uint64_t ms = bus->timeout_ms > PING_MS ? bus->timeout_ms : PING_MS;

    timer_start(bus->watch, ms);
}

static void
on_message(struct bus *bus, struct span text)
{
    struct reply_push push;

    if (!reply_push(text, &push)) {
        bus_trouble(bus, TROUBLE_PUSHES, "a push that is not ours came");
        return;
    }
    bus_trouble_end(bus, TROUBLE_PUSHES);
    if (bus->events.pushed == NULL)
        return;
    bus->calling = true;
    bus->events.pushed(bus->events.arg, &push.era, &push.entry);
    bus->calling = false;
}

static void
on_ack(struct bus *bus, struct span text)
{
    struct bus_holder holder = {0};

    if (!reply_ack(text, &holder)) {
        bus_trouble(bus, TROUBLE_PUSHES, "a push that is not ours came");
        return;
    }
    if (bus->events.acked == NULL)
        return;
    bus->calling = true;
    bus->events.acked(bus->events.arg, holder.id, holder.term, holder.n);
    bus->calling = false;
}

static void
on_subscribed(struct bus *bus)
{
    bus->listening = true;
    link_healthy(bus->pushes);
    bus_trouble_end(bus, TROUBLE_PUSHES);
    watch_again(bus);
    if (bus->events.listening == NULL)
        return;
    bus->calling = true;
    bus->events.listening(bus->events.arg);
    bus->calling = false;
}

static void
on_reply(void *arg, const redisReply *reply)
{
    struct bus *bus = arg;

    bus->heard = true;
    if (reply->type == REDIS_REPLY_ERROR) {
        link_reset(bus->pushes, ERR_PROTOCOL, reply->str);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY)
        return;
    struct span name = item(reply, 0);

    if (span_eq(name, SPAN("message")) &&
        span_eq(item(reply, 1), span_of(bus->acks)))
        on_ack(bus, item(reply, 2));
    else if (span_eq(name, SPAN("message")))
        on_message(bus, item(reply, 2));
    else if (span_eq(name, SPAN("subscribe")) && !bus->listening)
        on_subscribed(bus);
}

static void
on_up(void *arg)
{
    struct bus *bus = arg;
    struct span args[] = {SPAN("SUBSCRIBE"), span_of(bus->keys[2]),
                          span_of(bus->acks)};

    bus->heard = false;
    link_send(bus->pushes, args, ARRAY_LEN(args));
    watch_again(bus);
}

static void
on_down(void *arg, enum err err, const char *why)
{
    struct bus *bus = arg;

    (void)err;
    bus->listening = false;
    timer_stop(bus->watch);
    /* While commands do not get through either, that is the news. */
    if (bus->connected)
        bus_trouble(bus, TROUBLE_PUSHES, why);
}

static void
on_watch(void *arg)
{
    struct bus *bus = arg;
    struct span ping = SPAN("PING");

    if (!bus->heard) {
        link_reset(bus->pushes, ERR_TIMEOUT, "it does not answer in time");
        return;
    }
    bus->heard = false;
    link_send(bus->pushes, &ping, 1);
    watch_again(bus);
}

void
bus_push_start(struct bus *bus, const struct link_options *options)
{
    struct wire_events events = {
        .up = on_up, .reply = on_reply, .down = on_down, .arg = bus};

    bus->watch = timer_new(bus->loop, on_watch, bus);
    bus->pushes = link_new(bus->loop, options, &events);
}

void
bus_push_stop(struct bus *bus)
{
    link_free(&bus->pushes);
    timer_free(&bus->watch);
}
