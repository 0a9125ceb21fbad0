#include "bus_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct command *
command_new(enum command_kind kind)
{
    struct command *command = mem_zalloc(sizeof(*command));

    command->kind = kind;
    return command;
}

static struct stored *
stored_new(const struct span *items, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += items[i].len;
    struct stored *stored =
        mem_zalloc(sizeof(*stored) + count * sizeof(struct span) + bytes + 1);
    char *text = (char *)(stored->items + count);

    stored->refs = 1;
    stored->count = count;
    for (size_t i = 0; i < count; i++) {
        if (items[i].len > 0)
            memcpy(text, items[i].ptr, items[i].len);
        stored->items[i] = (struct span){text, items[i].len};
        text += items[i].len;
    }
    return stored;
}

static char *
copy(struct span text)
{
    return mem_strndup(text.ptr, text.len);
}

struct bus_call *
bus_publish_many(struct bus *bus, const struct span *items, size_t count,
                 size_t each, struct span once, bus_publish_fn fn, void *arg)
{
    struct command *command = command_new(COMMAND_PUBLISH);

    command->entries = mem_alloc(count / each * sizeof(struct stored *));
    for (size_t i = 0; i < count; i += each)
        command->entries[command->count++] = stored_new(items + i, each);
    if (once.len > 0)
        command->once = copy(once);
    struct bus_call *call = bus_call_new(bus, command, arg);

    call->fn.publish = fn;
    return call;
}

struct bus_call *
bus_publish(struct bus *bus, const struct span *items, size_t count,
            bus_publish_fn fn, void *arg)
{
    return bus_publish_many(bus, items, count, count, SPAN(""), fn, arg);
}

struct bus_call *
bus_sync(struct bus *bus, struct bus_id after, unsigned max, bus_sync_fn fn,
         void *arg)
{
    struct command *command = command_new(COMMAND_SYNC);

    command->after = after;
    command->max = max;
    struct bus_call *call = bus_call_new(bus, command, arg);

    call->fn.sync = fn;
    return call;
}

struct bus_call *
bus_announce(struct bus *bus, struct span id, struct span payload,
             uint64_t ttl_ms, bus_announce_fn fn, void *arg)
{
    struct command *command = command_new(COMMAND_ANNOUNCE);

    command->id = copy(id);
    command->payload = copy(payload);
    command->ttl_ms = ttl_ms;
    struct bus_call *call = bus_call_new(bus, command, arg);

    call->fn.announce = fn;
    return call;
}

struct bus_call *
bus_renew(struct bus *bus, struct span id, uint64_t term, uint64_t n,
          uint64_t length_ms, uint64_t generation, bus_lease_fn fn, void *arg)
{
    struct command *command = command_new(COMMAND_RENEW);

    command->id = copy(id);
    command->term = term;
    command->n = n;
    command->length_ms = length_ms;
    command->generation = generation;
    struct bus_call *call = bus_call_new(bus, command, arg);

    call->fn.lease = fn;
    return call;
}

struct bus_call *
bus_ack(struct bus *bus, struct span id, uint64_t term, uint64_t n,
        bus_done_fn fn, void *arg)
{
    struct command *command = command_new(COMMAND_ACK);

    command->id = copy(id);
    command->term = term;
    command->n = n;
    struct bus_call *call = bus_call_new(bus, command, arg);

    call->fn.done = fn;
    return call;
}

struct bus_call *
bus_watch(struct bus *bus, uint64_t length_ms, bus_watch_fn fn, void *arg)
{
    struct command *command = command_new(COMMAND_WATCH);

    command->length_ms = length_ms;
    struct bus_call *call = bus_call_new(bus, command, arg);

    call->fn.watch = fn;
    return call;
}

struct bus_call *
bus_forget(struct bus *bus, struct span id, uint64_t beat, bus_done_fn fn,
           void *arg)
{
    struct command *command = command_new(COMMAND_FORGET);

    command->id = copy(id);
    command->beat = beat;
    struct bus_call *call = bus_call_new(bus, command, arg);

    call->fn.done = fn;
    return call;
}

void
bus_barrier(struct bus *bus, bus_barrier_fn fn, void *arg)
{
    bus_call_new(bus, command_new(COMMAND_BARRIER), arg)->fn.barrier = fn;
}

unsigned
bus_replicas(const struct bus *bus)
{
    return bus->replicas;
}

void
bus_cancel(struct bus_call **call)
{
    if (*call == NULL)
        return;
    (*call)->cancelled = true;
    *call = NULL;
}
