/*
 * Waiting for the replicas (L7, A10), on a connection of its own, since WAIT
 * blocks it: a mark is written, waited for, and another one is written. When
 * the replicas have the first mark they have what was answered before it; and
 * when both were written in one era, this Redis was a primary throughout: there
 * was no other to which what it answers could be unknown.
 */
#include "bus_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"
#include "reply_internal.h"

enum step { STEP_MARK, STEP_WAIT, STEP_AGAIN, STEPS };

/* fn is NULL: none is under way. */
struct barrier {
    struct bus *bus;
    struct link *link;
    bool up;
    enum step step; /* whose reply comes next */
    enum err err;   /* what the replies until now say */
    struct bus_era era;
    struct timer *deadline; /* of all, or the next turn */
    bus_barrier_fn fn;
    void *arg;
};

static void
end(struct barrier *barrier, enum err err)
{
    struct bus *bus = barrier->bus;
    bus_barrier_fn fn = barrier->fn;

    timer_stop(barrier->deadline);
    barrier->fn = NULL;
    if (err == ERR_OK) {
        link_healthy(barrier->link);
        bus_trouble_end(bus, TROUBLE_REPLICAS);
    }
    bus->calling = true;
    fn(barrier->arg, err, &barrier->era);
    bus->calling = false;
}

/* ---- replies ---- */

static void
refuse(struct barrier *barrier, const char *why)
{
    barrier->err = ERR_LIMIT;
    bus_trouble(barrier->bus, TROUBLE_REPLICAS, why);
}

static void
take_count(struct barrier *barrier, long long count)
{
    char why[BUS_WHY];

    if (count >= (long long)barrier->bus->replicas)
        return;
    snprintf(why, sizeof(why), "it has %lld of %u replicas that keep up", count,
             barrier->bus->replicas);
    refuse(barrier, why);
}

static bool
same(const struct bus_era *a, const struct bus_era *b)
{
    return a->epoch == b->epoch && a->term == b->term;
}

static void
on_reply(void *arg, const redisReply *reply)
{
    struct barrier *barrier = arg;
    enum step step = barrier->step;
    struct bus_era era;

    if (barrier->fn == NULL) { /* such as "max number of clients reached" */
        link_reset(barrier->link, ERR_PROTOCOL,
                   reply->type == REDIS_REPLY_ERROR ? reply->str
                                                    : "an answer to nothing");
        return;
    }
    barrier->step++;
    if (barrier->err != ERR_OK)
        ; /* it is known */
    else if (reply->type == REDIS_REPLY_ERROR)
        refuse(barrier, reply->str);
    else if (step == STEP_WAIT && reply->type == REDIS_REPLY_INTEGER)
        take_count(barrier, reply->integer);
    else if (step == STEP_WAIT || !reply_era(reply, &era))
        refuse(barrier, "it does not speak our scripts' language");
    else if (step == STEP_MARK)
        barrier->era = era;
    else if (!same(&barrier->era, &era))
        barrier->err = ERR_LIMIT; /* who reads the stream tells that */
    if (barrier->step == STEPS)
        end(barrier, barrier->err);
}

/* ---- the connection ---- */

static void
on_up(void *arg)
{
    struct barrier *barrier = arg;

    barrier->up = true;
}

static void
on_down(void *arg, enum err err, const char *why)
{
    struct barrier *barrier = arg;

    barrier->up = false;
    /* While commands do not get through either, that is the news. */
    if (barrier->bus->connected)
        bus_trouble(barrier->bus, TROUBLE_REPLICAS, why);
    if (barrier->fn != NULL)
        end(barrier, err);
}

static void
on_deadline(void *arg)
{
    struct barrier *barrier = arg;

    if (barrier->up)
        link_reset(barrier->link, ERR_TIMEOUT, "it does not answer in time");
    else
        end(barrier, ERR_REFUSED);
}

void
bus_barrier(struct bus *bus, bus_barrier_fn fn, void *arg)
{
    struct barrier *barrier = bus->barrier;
    struct span mark[BUS_ARGS];
    char epoch[17], count[24], ms[24];
    struct span wait[] = {SPAN("WAIT"), {count, 0}, {ms, 0}};

    TAG_CHECK(bus, BUS_TAG);
    CHECK(barrier != NULL && barrier->fn == NULL);
    barrier->fn = fn;
    barrier->arg = arg;
    barrier->step = STEP_MARK;
    barrier->err = ERR_OK;
    timer_start(barrier->deadline, barrier->up ? bus->timeout_ms : 0);
    if (!barrier->up)
        return;
    /* It gives up before we do, so that it can say how many there were. */
    snprintf(count, sizeof(count), "%u", bus->replicas);
    snprintf(ms, sizeof(ms), "%llu",
             (unsigned long long)(bus->timeout_ms / 2 + 1));
    wait[1] = span_of(count);
    wait[2] = span_of(ms);
    bus_eval(bus, SCRIPT_MARK, epoch, mark);
    link_send(barrier->link, mark, BUS_ARGS);
    link_send(barrier->link, wait, ARRAY_LEN(wait));
    link_send(barrier->link, mark, BUS_ARGS);
}

unsigned
bus_replicas(const struct bus *bus)
{
    return bus->replicas;
}

/* ---- life ---- */

void
bus_barrier_start(struct bus *bus, const struct link_options *options)
{
    struct barrier *barrier = mem_zalloc(sizeof(*barrier));
    struct wire_events events = {
        .up = on_up, .reply = on_reply, .down = on_down, .arg = barrier};

    barrier->bus = bus;
    barrier->deadline = timer_new(bus->loop, on_deadline, barrier);
    bus->barrier = barrier;
    barrier->link = link_new(bus->loop, options, &events);
}

void
bus_barrier_stop(struct bus *bus)
{
    if (bus->barrier == NULL)
        return;
    link_free(&bus->barrier->link);
    timer_free(&bus->barrier->deadline);
    free(bus->barrier);
    bus->barrier = NULL;
}
