/*
 * What the outbox holds is published, one entry after the other, as soon as a
 * stream can be written. Each carries a key of its own, so that one whose
 * answer was lost is not there twice.
 */
#include "base/loop.h"
#include "stream_internal.h"

#define RETRY_MS 1000

static void
pump(struct streams *streams)
{
    const struct outbox_entry *entry = NULL;
    uint64_t after = 0;

    if (streams->outbox == NULL || streams->pumping || streams->closed)
        return;
    /* Intents of this start are their transactions' business. */
    while ((entry = outbox_next(streams->outbox, after)) != NULL &&
           entry->kind == OUTBOX_INTENT && !entry->inherited)
        after = entry->id;
    if (entry == NULL)
        return;
    streams->pumping = true;
    purge_kept(streams, entry);
}

static void
on_timer(void *arg)
{
    pump(arg);
}

void
outbox_published(struct streams *streams, uint64_t id, bool published)
{
    streams->pumping = false;
    if (streams->closed)
        return;
    if (published) {
        outbox_done(streams->outbox, id);
        timer_start(streams->pump_timer, 0);
    } else {
        timer_start(streams->pump_timer, RETRY_MS);
    }
}

void
outbox_look(struct streams *streams)
{
    if (streams->outbox != NULL && !streams->pumping)
        timer_start(streams->pump_timer, 0);
}

/* What was kept is not valid here, before anybody else knows of it. */
static void
apply_all(struct streams *streams)
{
    const struct outbox_entry *entry;
    uint64_t after = 0;

    while ((entry = outbox_next(streams->outbox, after)) != NULL) {
        struct inval_entry what = {
            .kind = entry->purge.kind,
            .soft = entry->purge.soft,
            .host = span_of(entry->purge.host),
            .value = span_of(entry->purge.value),
        };

        inval_apply(streams->inval, &what, INVAL_LOCAL, 0);
        after = entry->id;
    }
    inval_publish(streams->inval);
}

void
outbox_start(struct streams *streams)
{
    streams->pump_timer = timer_new(streams->control, on_timer, streams);
    if (streams->outbox != NULL)
        apply_all(streams);
    outbox_look(streams);
}

void
outbox_stop(struct streams *streams)
{
    timer_free(&streams->pump_timer);
}
