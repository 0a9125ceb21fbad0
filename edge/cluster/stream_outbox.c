/*
 * What the outbox holds is published as soon as a stream can be written, some
 * entries at a time. Each carries a key of its own, so that one whose answer
 * was lost is not there twice.
 *
 *   purge:   due -> on its way -> read back: done
 *   intent:  waits for its write; then done, or due, or due after a time
 *   found at the start: due; an intent then waits, and is due again
 *
 * Invariants (the model's numbers, tests/model):
 *  O1 a purge is durable before its client is told (purge.c);
 *  O2 what is found at the start is applied before anything is served;
 *  O3 until this node has read the published entry back, no copy of a peer's
 *     passes for what it matches: it is held (inval_hold);
 *  O5 only then is it done. Nothing that is stored outlives this process, so
 *     that its position need not be saved before that.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "cluster/lease.h"
#include "stream_internal.h"

#define RETRY_MS 1000
#define WINDOW 64 /* on their way at once */

static void
hold(struct streams *streams, struct outbox_entry *entry)
{
    struct inval_entry what = purge_entry(&entry->purge);

    inval_hold(streams->inval, &what, &entry->hold);
    entry->held = true;
}

static void
release(struct streams *streams, struct outbox_entry *entry)
{
    if (entry->held)
        inval_release(streams->inval, &entry->hold);
    entry->held = false;
}

static void
look_later(struct streams *streams)
{
    if (!timer_running(streams->pump_timer))
        timer_start(streams->pump_timer, RETRY_MS);
}

uint64_t
outbox_keep(struct streams *streams, const struct purge *purge, outbox_fn fn,
            void *arg)
{
    uint64_t id = outbox_add(streams->outbox, OUTBOX_PURGE, purge, fn, arg);

    if (id == 0)
        return 0;
    struct outbox_entry *entry = outbox_find(streams->outbox, id);

    entry->state = OUTBOX_DUE;
    hold(streams, entry);
    inval_publish(streams->inval);
    look_later(streams);
    return id;
}

/* ---- publishing ---- */

static struct outbox_entry *
next_due(const struct streams *streams)
{
    struct outbox_entry *entry = outbox_next(streams->outbox, 0);

    while (entry != NULL && entry->state != OUTBOX_DUE)
        entry = outbox_next(streams->outbox, entry->id);
    return entry;
}

static void
pump(void *arg)
{
    struct streams *streams = arg;
    struct outbox_entry *entry;

    streams->stuck = false;
    while (!streams->closed && !streams->stuck && streams->pumping < WINDOW &&
           (entry = next_due(streams)) != NULL) {
        entry->state = OUTBOX_SENT;
        streams->pumping++;
        purge_kept(streams, entry);
    }
}

void
outbox_published(struct streams *streams, uint64_t id, bool published)
{
    struct outbox_entry *entry = outbox_find(streams->outbox, id);

    streams->pumping--;
    if (streams->closed)
        return;
    if (!published) {
        entry->state = OUTBOX_DUE;
        streams->stuck = true;
        look_later(streams);
        return;
    }
    release(streams, entry);
    if (entry->again)
        outbox_wait(streams, entry, streams->execution_max_ms);
    else
        outbox_done(streams->outbox, id);
    entry = next_due(streams);
    if (entry != NULL)
        outbox_look(streams);
}

void
outbox_look(struct streams *streams)
{
    if (streams->outbox != NULL)
        timer_start(streams->pump_timer, 0);
}

/* ---- what waits ---- */

static void
arm(struct streams *streams, uint64_t due_ns)
{
    uint64_t now = clock_boot_ns();

    if (streams->due_ns != 0 && streams->due_ns <= due_ns)
        return;
    streams->due_ns = due_ns;
    timer_start(streams->due_timer,
                due_ns > now ? (due_ns - now) / NS_PER_MS + 1 : 0);
}

static void
on_due(void *arg)
{
    struct streams *streams = arg;
    struct outbox_entry *entry = outbox_next(streams->outbox, 0);
    uint64_t now = clock_boot_ns();

    streams->due_ns = 0;
    for (; entry != NULL; entry = outbox_next(streams->outbox, entry->id)) {
        if (entry->state != OUTBOX_WAITS || entry->due_ns == 0)
            continue;
        if (entry->due_ns <= now)
            entry->state = OUTBOX_DUE;
        else
            arm(streams, entry->due_ns);
    }
    outbox_look(streams);
}

void
outbox_wait(struct streams *streams, struct outbox_entry *entry, uint64_t ms)
{
    entry->again = false;
    entry->state = OUTBOX_WAITS;
    /* As long as the origin takes by its clock, whatever ours does (W3). */
    entry->due_ns = clock_boot_ns() + lease_wait_ns(ms, streams->drift_percent);
    arm(streams, entry->due_ns);
}

/* ---- life ---- */

/* O2. Of a write that was on its way nobody knows what became of it. */
static void
take_inherited(struct streams *streams)
{
    struct outbox_entry *entry = outbox_next(streams->outbox, 0);

    for (; entry != NULL; entry = outbox_next(streams->outbox, entry->id)) {
        entry->state = OUTBOX_DUE;
        entry->again = entry->kind == OUTBOX_INTENT;
        hold(streams, entry);
    }
    inval_publish(streams->inval);
}

void
outbox_start(struct streams *streams)
{
    streams->pump_timer = timer_new(streams->control, pump, streams);
    streams->due_timer = timer_new(streams->control, on_due, streams);
    if (streams->outbox != NULL)
        take_inherited(streams);
    outbox_look(streams);
}

void
outbox_stop(struct streams *streams)
{
    timer_free(&streams->pump_timer);
    timer_free(&streams->due_timer);
    if (streams->outbox != NULL)
        outbox_silence(streams->outbox);
}
