/*
 * A node that ends gives its leases up and takes its rows out, so that purges
 * need not wait for what nobody holds any more (L8): first the lease, then,
 * with no reader left, the row. Who cannot be told finds out by its own clock.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "stream_internal.h"

/* A restart is not to wait long for a Redis that does not answer. */
#define LEAVE_MS 500

static void
left(struct streams *streams)
{
    void (*fn)(void *arg) = streams->left_fn;

    timer_stop(streams->leave_timer);
    streams->left_fn = NULL;
    if (fn != NULL)
        fn(streams->left_arg);
}

static void
one_left(struct stream *stream)
{
    struct streams *streams = stream->streams;

    stream->has_row = false;
    if (--streams->leaving == 0)
        timer_start(streams->leave_timer, 0);
}

static void
on_forgotten(void *arg, enum err err, const char *why)
{
    struct stream *stream = arg;

    (void)err; /* its time passes */
    (void)why;
    stream->leave = NULL;
    one_left(stream);
}

/* A renewal that was under way has been carried out before this. */
static void
on_rows(void *arg, enum err err, const char *why,
        const struct bus_watched *watched)
{
    struct stream *stream = arg;
    struct span id = buf_span(&stream->streams->holder);

    (void)why;
    stream->leave = NULL;
    for (size_t i = 0; err == ERR_OK && i < watched->count; i++) {
        if (!span_eq(watched->holders[i].id, id))
            continue;
        stream->leave = bus_forget(stream->bus, id, watched->holders[i].beat,
                                   on_forgotten, stream);
        return;
    }
    one_left(stream);
}

static void
on_time(void *arg)
{
    left(arg);
}

void
leave_start(struct streams *streams)
{
    streams->leave_timer = timer_new(streams->control, on_time, streams);
}

void
leave_stop(struct streams *streams)
{
    for (size_t i = 0; i < streams->count; i++)
        bus_cancel(&streams->list[i].leave);
    timer_free(&streams->leave_timer);
}

void
streams_leave(struct streams *streams, void (*fn)(void *arg), void *arg)
{
    CHECK(streams->left_fn == NULL && !streams->leaves);
    streams->leaves = true;
    streams->left_fn = fn;
    streams->left_arg = arg;
    for (size_t i = 0; i < streams->count; i++) {
        struct stream *stream = &streams->list[i];

        lease_end(stream);
        if (!stream->has_row || !bus_connected(stream->bus))
            continue;
        streams->leaving++;
        stream->leave =
            bus_watch(stream->bus, LEASE_LENGTH_MS, on_rows, stream);
    }
    timer_start(streams->leave_timer, streams->leaving > 0 ? LEAVE_MS : 0);
}
