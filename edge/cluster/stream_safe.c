/*
 * What a failover must not undo: with replicas, renewals and publications count
 * only once all of these have them.
 *
 * Invariants:
 *  L7  a renewal counts once a barrier that was sent after its answer was
 *      passed in its era (lease_look);
 *  A10 so does a publication (purge.c), and waiting for its acknowledgement
 *      begins only then (stream_wait.c).
 * One barrier is under way at a time; it is for all that was answered before it
 * was sent, and what came meanwhile is for the next one.
 */
#include "base/loop.h"
#include "stream_internal.h"

#define RETRY_MS 100

static void send_barrier(struct stream *stream);

static void
on_barrier(void *arg, enum err err, const struct bus_era *era)
{
    struct stream *stream = arg;

    stream->safe_under_way = false;
    stream->unsafe = err != ERR_OK;
    if (err != ERR_OK) {
        timer_start(stream->safe_timer, RETRY_MS);
        return;
    }
    stream->safe_number = stream->safe_sent;
    stream->safe_era = *era;
    if (stream->safe_wanted > stream->safe_number)
        send_barrier(stream);
    lease_look(stream);
    wait_safe(stream);
    purge_look(stream->streams);
}

static void
send_barrier(struct stream *stream)
{
    stream->safe_under_way = true;
    stream->safe_sent++;
    bus_barrier(stream->bus, on_barrier, stream);
}

static void
on_retry(void *arg)
{
    send_barrier(arg);
}

uint64_t
safe_ticket(struct stream *stream)
{
    if (bus_replicas(stream->bus) == 0)
        return 0;
    stream->safe_wanted = stream->safe_sent + 1;
    if (!stream->safe_under_way && !timer_running(stream->safe_timer))
        send_barrier(stream);
    return stream->safe_wanted;
}

bool
safe_reached(const struct stream *stream, const struct bus_era *era,
             uint64_t ticket)
{
    return ticket == 0 || (stream->safe_number >= ticket &&
                           stream->safe_era.epoch == era->epoch &&
                           stream->safe_era.term == era->term);
}

void
safe_start(struct stream *stream)
{
    stream->safe_timer = timer_new(stream->streams->control, on_retry, stream);
}

void
safe_stop(struct stream *stream)
{
    timer_free(&stream->safe_timer);
}
