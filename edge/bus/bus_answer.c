#include "bus_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/mem.h"
#include "reply_internal.h"

#define NODES_MAX 4096 /* rows of a node table that we look at */

static const char nonsense[] =
    "it does not speak our scripts' language (an answer cannot be read)";

/* ---- the node table ---- */

static int
order_rows(const void *a, const void *b)
{
    return span_cmp(((const struct reply_row *)a)->id,
                    ((const struct reply_row *)b)->id);
}

static int
order_beat(const void *key, const void *beat)
{
    return span_cmp(*(const struct span *)key,
                    span_of(((const struct beat *)beat)->id));
}

/* How old the row is. Once its beat was seen to change, by our clock alone:
 * the Redis' may be set. */
static void
take_beat(const struct bus *bus, const struct reply_row *row, uint64_t now,
          struct beat *out)
{
    const struct beat *old =
        bus->beat_count == 0 ? NULL
                             : bsearch(&row->id, bus->beats, bus->beat_count,
                                       sizeof(*old), order_beat);

    memcpy(out->id, row->id.ptr, row->id.len);
    out->id[row->id.len] = '\0';
    if (old != NULL && old->beat == row->beat) {
        *out = *old;
        return;
    }
    out->beat = row->beat;
    out->seen_ns = now;
    out->age_ms = old != NULL ? 0 : row->age_ms;
}

/* Keeps the beats, and fills `nodes`, which has room for all rows. */
static size_t
read_nodes(struct bus *bus, struct reply_row *rows, size_t count,
           struct bus_node *nodes)
{
    uint64_t now = clock_boot_ns();
    struct beat *beats = mem_zalloc(count * sizeof(*beats) + 1);
    size_t kept = 0;

    if (count > 0)
        qsort(rows, count, sizeof(*rows), order_rows);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].id.len == 0 || rows[i].id.len >= BUS_ID_MAX ||
            memchr(rows[i].id.ptr, '\0', rows[i].id.len) != NULL)
            continue;
        struct beat *beat = &beats[kept];

        take_beat(bus, &rows[i], now, beat);
        nodes[kept++] = (struct bus_node){
            .id = rows[i].id,
            .payload = rows[i].payload,
            .age_ms = beat->age_ms + (now - beat->seen_ns) / NS_PER_MS,
        };
    }
    free(bus->beats);
    bus->beats = beats;
    bus->beat_count = kept;
    return kept;
}

static bool
answer_announce(struct bus_call *call, const redisReply *reply)
{
    struct reply_row *rows;
    size_t count;
    bool good = reply_rows(reply, &rows, &count);

    if (good) {
        if (count > NODES_MAX)
            count = NODES_MAX;
        struct bus_node *nodes = mem_zalloc(count * sizeof(*nodes) + 1);
        size_t kept = read_nodes(call->bus, rows, count, nodes);

        if (!call->cancelled)
            call->fn.announce(call->arg, ERR_OK, NULL, nodes, kept);
        free(nodes);
    }
    free(rows);
    return good;
}

/* ---- the others ---- */

static bool
answer_sync(struct bus_call *call, const redisReply *reply)
{
    struct bus_sync sync;
    void *memory;
    bool good = reply_sync(reply, &sync, &memory);

    if (good && !call->cancelled)
        call->fn.sync(call->arg, ERR_OK, NULL, &sync);
    free(memory);
    return good;
}

static bool
answer_publish(struct bus_call *call, const redisReply *reply)
{
    struct bus_era era;
    uint64_t n;

    if (!reply_published(reply, &era, &n))
        return false;
    if (!call->cancelled)
        call->fn.publish(call->arg, ERR_OK, NULL, &era, n);
    return true;
}

static bool
answer_lease(struct bus_call *call, const redisReply *reply)
{
    struct bus_lease lease;

    if (!reply_lease(reply, 5, &lease))
        return false;
    if (!call->cancelled)
        call->fn.lease(call->arg, ERR_OK, NULL, &lease);
    return true;
}

static bool
answer_watch(struct bus_call *call, const redisReply *reply)
{
    struct bus_watched watched;
    struct bus_holder *holders;
    bool good = reply_watched(reply, &watched, &holders);

    if (good && !call->cancelled)
        call->fn.watch(call->arg, ERR_OK, NULL, &watched);
    free(holders);
    return good;
}

static bool
answer_done(struct bus_call *call, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER)
        return false;
    if (!call->cancelled && call->fn.done != NULL)
        call->fn.done(call->arg, ERR_OK, NULL);
    return true;
}

void
bus_answer_error(struct bus_call *call, enum err err, const char *why)
{
    struct bus *bus = call->bus;

    bus->calling = true;
    if (!call->cancelled) {
        switch (call->script) {
        case SCRIPT_PUBLISH:
            call->fn.publish(call->arg, err, why, NULL, 0);
            break;
        case SCRIPT_SYNC:
            call->fn.sync(call->arg, err, why, NULL);
            break;
        case SCRIPT_ANNOUNCE:
            call->fn.announce(call->arg, err, why, NULL, 0);
            break;
        case SCRIPT_RENEW:
            call->fn.lease(call->arg, err, why, NULL);
            break;
        case SCRIPT_WATCH:
            call->fn.watch(call->arg, err, why, NULL);
            break;
        case SCRIPT_ACK:
        case SCRIPT_FORGET:
            if (call->fn.done != NULL)
                call->fn.done(call->arg, err, why);
            break;
        case SCRIPT_MARK: /* never a call */
        case SCRIPT_COUNT:
            break;
        }
    }
    bus->calling = false;
    bus_drop_call(call);
}

static bool
answer_good(struct bus_call *call, const redisReply *reply)
{
    bool good = false;

    call->bus->calling = true;
    switch (call->script) {
    case SCRIPT_PUBLISH:
        good = answer_publish(call, reply);
        break;
    case SCRIPT_SYNC:
        good = answer_sync(call, reply);
        break;
    case SCRIPT_ANNOUNCE:
        good = answer_announce(call, reply);
        break;
    case SCRIPT_RENEW:
        good = answer_lease(call, reply);
        break;
    case SCRIPT_WATCH:
        good = answer_watch(call, reply);
        break;
    case SCRIPT_ACK:
    case SCRIPT_FORGET:
        good = answer_done(call, reply);
        break;
    case SCRIPT_MARK: /* never a call */
    case SCRIPT_COUNT:
        break;
    }
    call->bus->calling = false;
    return good;
}

/* ---- the handshake: SCRIPT LOAD of each script ---- */

static void
answer_load(struct bus_call *call, const redisReply *reply)
{
    struct bus *bus = call->bus;
    enum script script = call->script;

    bus_drop_call(call);
    if (reply->type == REDIS_REPLY_ERROR) {
        link_reset(bus->commands, ERR_PROTOCOL, reply->str);
        return;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len != BUS_SHA_HEX - 1) {
        link_reset(bus->commands, ERR_PROTOCOL, nonsense);
        return;
    }
    memcpy(bus->sha[script], reply->str, BUS_SHA_HEX);
    if (script + 1 < SCRIPT_COUNT)
        return;
    bus->connected = true;
    bus->down_why[0] = '\0';
    link_healthy(bus->commands);
    counter_add(COUNTER_REDIS_CONNECT, 1);
    bus_trouble_end(bus, TROUBLE_COMMANDS);
    if (bus->events.state == NULL)
        return;
    bus->calling = true;
    bus->events.state(bus->events.arg, true, NULL);
    bus->calling = false;
}

/* The Redis forgot its scripts: send this one whole, as it does with all that
 * follow until the next connection. */
static void
send_whole(struct bus *bus, struct bus_call *call)
{
    call->whole = true;
    call->args[0] = SPAN("EVAL");
    call->args[1] = span_of(script_text(call->script));
    list_remove(&call->link);
    bus_send_call(bus, call);
}

void
bus_answer(struct bus *bus, const redisReply *reply)
{
    if (list_empty(&bus->waiting)) {
        /* Such as "max number of clients reached", before it closes. */
        link_reset(bus->commands, ERR_PROTOCOL,
                   reply->type == REDIS_REPLY_ERROR ? reply->str : nonsense);
        return;
    }
    struct bus_call *call = list_first(&bus->waiting, struct bus_call, link);
    enum script script = call->script;

    list_remove(&call->link);
    bus_arm_deadline(bus);
    if (call->load) {
        answer_load(call, reply);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        if (!call->whole && strncmp(reply->str, "NOSCRIPT", 8) == 0) {
            send_whole(bus, call);
            return;
        }
        bus_trouble(bus, script, reply->str);
        bus_answer_error(call, ERR_PROTOCOL, reply->str);
    } else if (answer_good(call, reply)) {
        bus_trouble_end(bus, script);
        bus_drop_call(call);
    } else {
        bus_trouble(bus, script, nonsense);
        bus_answer_error(call, ERR_PROTOCOL, nonsense);
    }
}
