#include "bus_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"

#define CALLS_MAX 65536 /* under way at once */
#define KEEP_MIN 10000
#define KEEP_MAX 200000

/* ---- deadlines ---- */

/* An answer that is on its way is waited for, lest one that is large for its
 * link is asked for again and again and never had; but not for ever. */
#define PATIENCE 10 /* timeouts */

static uint64_t
deadline_of(const struct bus *bus, const struct bus_call *call)
{
    uint64_t timeout_ns = bus->timeout_ms * NS_PER_MS;
    uint64_t moved = bus->read_ns + timeout_ns;
    uint64_t last = call->deadline_ns + (PATIENCE - 1) * timeout_ns;

    if (moved < call->deadline_ns)
        return call->deadline_ns;
    return moved < last ? moved : last;
}

void
bus_arm_deadline(struct bus *bus)
{
    bus->late = false;
    if (list_empty(&bus->waiting)) {
        timer_stop(bus->deadline);
        return;
    }
    struct bus_call *first = list_first(&bus->waiting, struct bus_call, link);
    uint64_t now = clock_boot_ns();
    uint64_t at = deadline_of(bus, first);

    timer_start(bus->deadline, at > now ? (at - now) / NS_PER_MS + 1 : 1);
}

static void
on_deadline(void *arg)
{
    struct bus *bus = arg;

    if (list_empty(&bus->waiting))
        return;
    struct bus_call *first = list_first(&bus->waiting, struct bus_call, link);

    if (deadline_of(bus, first) > clock_boot_ns()) {
        bus_arm_deadline(bus);
        return;
    }
    /* If it was us who stood still, the answer lies in the socket. */
    if (!bus->late) {
        bus->late = true;
        timer_start(bus->deadline, 1);
        return;
    }
    link_reset(bus->commands, ERR_TIMEOUT, "it does not answer in time");
}

/* ---- calls ---- */

void
bus_drop_call(struct bus_call *call)
{
    list_remove(&call->link);
    call->bus->calls--;
    free(call);
}

void
bus_send_call(struct bus *bus, struct bus_call *call)
{
    bool first = list_empty(&bus->waiting);

    call->deadline_ns = clock_boot_ns() + bus->timeout_ms * NS_PER_MS;
    list_push_back(&bus->waiting, &call->link);
    link_send(bus->commands, call->args, call->count);
    if (first)
        bus_arm_deadline(bus);
}

static void
fail_call(struct bus *bus, struct bus_call *call, enum err err)
{
    call->err = err;
    list_push_back(&bus->failed, &call->link);
    if (!timer_running(bus->deliver))
        timer_start(bus->deliver, 0);
}

static const char *
failed_why(struct bus *bus, enum err err, char *text, size_t size)
{
    switch ((int)err) {
    case ERR_LIMIT:
        return "too many calls to Redis are under way";
    case ERR_REFUSED:
        snprintf(text, size, "not connected to Redis%s%s",
                 bus->down_why[0] ? ": " : "", bus->down_why);
        return text;
    default:
        return bus->down_why;
    }
}

static void
on_deliver(void *arg)
{
    struct bus *bus = arg;
    struct list_link now;

    /* Calls made by these callbacks are told on another turn. */
    list_init(&now);
    while (!list_empty(&bus->failed)) {
        struct list_link *link = bus->failed.next;

        list_remove(link);
        list_push_back(&now, link);
    }
    while (!list_empty(&now)) {
        struct bus_call *call = list_first(&now, struct bus_call, link);
        char text[BUS_WHY + 32];

        bus_answer_error(call, call->err,
                         failed_why(bus, call->err, text, sizeof(text)));
    }
}

/* EVAL: the text, how many keys, the keys, the epoch. */
void
bus_eval(const struct bus *bus, enum script script, char epoch[17],
         struct span args[BUS_ARGS])
{
    unsigned char random[8];

    args[0] = SPAN("EVAL");
    args[1] = span_of(script_text(script));
    args[2] = SPAN("3");
    for (size_t i = 0; i < 3; i++)
        args[3 + i] = span_of(bus->keys[i]);
    secret_random(random, sizeof(random));
    secret_hex(random, sizeof(random), epoch);
    args[6] = (struct span){epoch, 16};
}

/* Fills a new call: its own arguments are copied behind it. */
static struct bus_call *
new_call(struct bus *bus, enum script script, const struct span *rest,
         size_t rest_count)
{
    size_t count = BUS_ARGS + rest_count;
    size_t bytes = 0;

    for (size_t i = 0; i < rest_count; i++)
        bytes += rest[i].len;
    struct bus_call *call =
        mem_zalloc(sizeof(*call) + count * sizeof(struct span) + bytes + 17);
    char *text = (char *)(call->args + count);

    call->bus = bus;
    call->script = script;
    call->count = count;
    bus_eval(bus, script, text, call->args);
    call->args[0] = SPAN("EVALSHA");
    call->args[1] = span_of(bus->sha[script]);
    text += 17;
    for (size_t i = 0; i < rest_count; i++) {
        if (rest[i].len > 0)
            memcpy(text, rest[i].ptr, rest[i].len);
        call->args[BUS_ARGS + i] = (struct span){text, rest[i].len};
        text += rest[i].len;
    }
    return call;
}

static struct bus_call *
start_call(struct bus *bus, struct bus_call *call)
{
    bus->calls++;
    if (bus->calls > CALLS_MAX)
        fail_call(bus, call, ERR_LIMIT);
    else if (!bus->connected)
        fail_call(bus, call, ERR_REFUSED);
    else
        bus_send_call(bus, call);
    return call;
}

/* What stands before the items of a publication. */
#define PUBLISH_BEFORE 5
#define ONCE_S "86400"

struct bus_call *
bus_publish_many(struct bus *bus, const struct span *items, size_t count,
                 size_t each, struct span once, bus_publish_fn fn, void *arg)
{
    size_t all = PUBLISH_BEFORE + count;
    struct span *rest = mem_alloc(all * sizeof(*rest));
    char number[3][24];

    TAG_CHECK(bus, BUS_TAG);
    CHECK(each % 2 == 0 && each > 0 && count % each == 0 && count > 0 &&
          count / each <= BUS_PUBLISH_MAX);
    snprintf(number[0], sizeof(number[0]), "%zu", each);
    snprintf(number[1], sizeof(number[1]), "%llu",
             (unsigned long long)bus->keep_min);
    snprintf(number[2], sizeof(number[2]), "%llu",
             (unsigned long long)bus->keep_max);
    rest[0] = once;
    rest[1] = SPAN(ONCE_S);
    for (size_t i = 0; i < ARRAY_LEN(number); i++)
        rest[2 + i] = span_of(number[i]);
    memcpy(rest + PUBLISH_BEFORE, items, count * sizeof(*items));
    struct bus_call *call = new_call(bus, SCRIPT_PUBLISH, rest, all);

    free(rest);
    call->fn.publish = fn;
    call->arg = arg;
    return start_call(bus, call);
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
    char from[48], limit[16];

    TAG_CHECK(bus, BUS_TAG);
    /* The id that comes next; an open range needs Redis 6.2. */
    if (after.sub < UINT64_MAX)
        after.sub++;
    else
        after = (struct bus_id){after.n + 1, 0};
    snprintf(from, sizeof(from), "%llu-%llu", (unsigned long long)after.n,
             (unsigned long long)after.sub);
    snprintf(limit, sizeof(limit), "%u", max);
    struct span rest[] = {span_of(from), span_of(limit)};
    struct bus_call *call = new_call(bus, SCRIPT_SYNC, rest, ARRAY_LEN(rest));

    call->fn.sync = fn;
    call->arg = arg;
    return start_call(bus, call);
}

struct bus_call *
bus_announce(struct bus *bus, struct span id, struct span payload,
             uint64_t ttl_ms, bus_announce_fn fn, void *arg)
{
    char ttl[24];

    TAG_CHECK(bus, BUS_TAG);
    snprintf(ttl, sizeof(ttl), "%llu", (unsigned long long)ttl_ms);
    struct span rest[] = {id, payload, span_of(ttl)};
    struct bus_call *call =
        new_call(bus, SCRIPT_ANNOUNCE, rest, ARRAY_LEN(rest));

    call->fn.announce = fn;
    call->arg = arg;
    return start_call(bus, call);
}

/* ---- leases ---- */

#define NUMBER 24

static struct span
decimal(uint64_t value, char text[NUMBER])
{
    snprintf(text, NUMBER, "%llu", (unsigned long long)value);
    return span_of(text);
}

static struct span
hex(uint64_t value, char text[NUMBER])
{
    snprintf(text, NUMBER, "%016llx", (unsigned long long)value);
    return span_of(text);
}

struct bus_call *
bus_renew(struct bus *bus, struct span id, uint64_t term, uint64_t n,
          uint64_t length_ms, uint64_t generation, bus_lease_fn fn, void *arg)
{
    char text[4][NUMBER];
    struct span rest[] = {decimal(length_ms, text[0]), id, hex(term, text[1]),
                          decimal(n, text[2]), decimal(generation, text[3])};

    TAG_CHECK(bus, BUS_TAG);
    struct bus_call *call = new_call(bus, SCRIPT_RENEW, rest, ARRAY_LEN(rest));

    call->fn.lease = fn;
    call->arg = arg;
    return start_call(bus, call);
}

struct bus_call *
bus_ack(struct bus *bus, struct span id, uint64_t term, uint64_t n,
        bus_done_fn fn, void *arg)
{
    char text[2][NUMBER];
    struct span rest[] = {id, hex(term, text[0]), decimal(n, text[1])};

    TAG_CHECK(bus, BUS_TAG);
    struct bus_call *call = new_call(bus, SCRIPT_ACK, rest, ARRAY_LEN(rest));

    call->fn.done = fn;
    call->arg = arg;
    return start_call(bus, call);
}

struct bus_call *
bus_watch(struct bus *bus, uint64_t length_ms, bus_watch_fn fn, void *arg)
{
    char text[NUMBER];
    struct span rest[] = {decimal(length_ms, text)};

    TAG_CHECK(bus, BUS_TAG);
    struct bus_call *call = new_call(bus, SCRIPT_WATCH, rest, ARRAY_LEN(rest));

    call->fn.watch = fn;
    call->arg = arg;
    return start_call(bus, call);
}

struct bus_call *
bus_forget(struct bus *bus, struct span id, uint64_t beat, bus_done_fn fn,
           void *arg)
{
    char text[NUMBER];
    struct span rest[] = {id, decimal(beat, text)};

    TAG_CHECK(bus, BUS_TAG);
    struct bus_call *call = new_call(bus, SCRIPT_FORGET, rest, ARRAY_LEN(rest));

    call->fn.done = fn;
    call->arg = arg;
    return start_call(bus, call);
}

void
bus_cancel(struct bus_call **call)
{
    if (*call == NULL)
        return;
    (*call)->cancelled = true;
    *call = NULL;
}

/* ---- the command connection ---- */

static void
on_up(void *arg)
{
    struct bus *bus = arg;

    for (unsigned i = 0; i < SCRIPT_COUNT; i++) {
        struct bus_call *call =
            mem_zalloc(sizeof(*call) + 3 * sizeof(struct span));

        call->bus = bus;
        call->script = (enum script)i;
        call->load = true;
        call->count = 3;
        call->args[0] = SPAN("SCRIPT");
        call->args[1] = SPAN("LOAD");
        call->args[2] = span_of(script_text(call->script));
        bus->calls++;
        bus_send_call(bus, call);
    }
}

static void
on_heard(void *arg)
{
    struct bus *bus = arg;

    bus->read_ns = clock_boot_ns();
}

static void
on_reply(void *arg, const redisReply *reply)
{
    bus_answer(arg, reply);
}

static void
on_down(void *arg, enum err err, const char *why)
{
    struct bus *bus = arg;

    bus->connected = false;
    bus->late = false;
    timer_stop(bus->deadline);
    snprintf(bus->down_why, sizeof(bus->down_why), "%s", why);
    bus_trouble(bus, TROUBLE_COMMANDS, why);
    while (!list_empty(&bus->waiting)) {
        struct bus_call *call =
            list_first(&bus->waiting, struct bus_call, link);

        list_remove(&call->link);
        if (!call->load) {
            fail_call(bus, call, err);
            continue;
        }
        bus->calls--;
        free(call);
    }
    if (bus->events.state == NULL)
        return;
    bool calling = bus->calling;

    bus->calling = true;
    bus->events.state(bus->events.arg, false, bus->down_why);
    bus->calling = calling;
}

/* ---- life ---- */

struct bus *
bus_new(struct loop *loop, const struct bus_options *options,
        const struct bus_events *events)
{
    static const char *const names[] = {"log", "meta", "push"};
    struct bus *bus = mem_zalloc(sizeof(*bus));
    struct wire_events commands = {.up = on_up,
                                   .heard = on_heard,
                                   .reply = on_reply,
                                   .down = on_down,
                                   .arg = bus};

    TAG_SET(bus, BUS_TAG);
    bus->loop = loop;
    bus->events = *events;
    bus->site = mem_strdup(options->site);
    bus->host = mem_strdup(options->host);
    bus->port = options->port;
    bus->timeout_ms = options->command_timeout_ms;
    bus->keep_min = options->keep_min > 0 ? options->keep_min : KEEP_MIN;
    bus->keep_max = options->keep_max > 0 ? options->keep_max : KEEP_MAX;
    bus->acks = mem_printf("{atlas:%s}:acks", options->site);
    for (size_t i = 0; i < 3; i++)
        bus->keys[i] = mem_printf("{atlas:%s}:%s", bus->site, names[i]);
    list_init(&bus->waiting);
    list_init(&bus->failed);
    bus->deadline = timer_new(loop, on_deadline, bus);
    bus->deliver = timer_new(loop, on_deliver, bus);
    struct link_options link = {
        .host = bus->host,
        .port = bus->port,
        .connect_timeout_ms = options->connect_timeout_ms,
        .backoff_max_ms = options->backoff_max_ms,
    };

    bus->commands = link_new(loop, &link, &commands);
    bus_push_start(bus, &link);
    bus->replicas = options->replicas;
    if (bus->replicas > 0)
        bus_barrier_start(bus, &link);
    return bus;
}

static void
free_calls(struct list_link *list)
{
    while (!list_empty(list))
        bus_drop_call(list_first(list, struct bus_call, link));
}

void
bus_free(struct bus **bus)
{
    struct bus *b = *bus;

    *bus = NULL;
    if (b == NULL)
        return;
    TAG_CHECK(b, BUS_TAG);
    CHECK(!b->calling);
    bus_push_stop(b);
    bus_barrier_stop(b);
    link_free(&b->commands);
    free_calls(&b->waiting);
    free_calls(&b->failed);
    CHECK(b->calls == 0);
    timer_free(&b->deadline);
    timer_free(&b->deliver);
    for (size_t i = 0; i < 3; i++)
        free(b->keys[i]);
    free(b->acks);
    free(b->beats);
    free(b->site);
    free(b->host);
    TAG_CLEAR(b);
    free(b);
}

bool
bus_connected(const struct bus *bus)
{
    return bus->connected;
}
