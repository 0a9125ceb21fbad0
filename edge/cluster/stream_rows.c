/*
 * The rows of those who hold, or held, a lease at our own site: a row whose
 * beat stands still for longer than any lease lasts is taken out (A6 of
 * stream_wait.c), so that purges do not wait for the dead for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/lease.h"
#include "stream_internal.h"

struct stream_row {
    char id[200];
    uint64_t beat;
    uint64_t since_ns; /* when this beat was first seen */
};

static const struct stream_row *
find(const struct stream *stream, struct span id)
{
    for (size_t i = 0; i < stream->row_count; i++) {
        if (span_eq(span_of(stream->rows[i].id), id))
            return &stream->rows[i];
    }
    return NULL;
}

static void
forget(struct stream *stream, const struct stream_row *row)
{
    LOG(LOG_INFO,
        "stream of site %s: %s has not renewed its lease for %llu ms: its row "
        "is taken out",
        stream->name, row->id,
        (unsigned long long)(clock_boot_ns() - row->since_ns) / NS_PER_MS);
    bus_forget(stream->bus, span_of(row->id), row->beat, NULL, NULL);
}

/* Of another history, all beats are new. */
static void
take_rows(struct stream *stream, const struct bus_watched *watched)
{
    bool same = watched->lease.era.epoch == stream->rows_era.epoch &&
                watched->lease.era.term == stream->rows_era.term;
    uint64_t now = clock_boot_ns();
    uint64_t limit = lease_wait_ns(stream->streams->lease_max_ms,
                                   stream->streams->drift_percent);
    struct stream_row *rows = mem_zalloc((watched->count + 1) * sizeof(*rows));
    size_t count = 0;

    for (size_t i = 0; i < watched->count; i++) {
        const struct bus_holder *holder = &watched->holders[i];
        const struct stream_row *old = same ? find(stream, holder->id) : NULL;
        struct stream_row *row = &rows[count];

        if (holder->id.len >= sizeof(row->id))
            continue;
        count++;
        memcpy(row->id, holder->id.ptr, holder->id.len);
        row->beat = holder->beat;
        row->since_ns =
            old != NULL && old->beat == holder->beat ? old->since_ns : now;
        if (now - row->since_ns > limit)
            forget(stream, row);
    }
    free(stream->rows);
    stream->rows = rows;
    stream->row_count = count;
    stream->rows_era = watched->lease.era;
}

static void
on_watched(void *arg, enum err err, const char *why,
           const struct bus_watched *watched)
{
    struct stream *stream = arg;

    (void)why;
    stream->rows_call = NULL;
    if (err == ERR_OK)
        take_rows(stream, watched);
    timer_start(stream->rows_timer, stream->streams->lease_max_ms / 4 + 1);
}

static void
on_timer(void *arg)
{
    struct stream *stream = arg;

    stream->rows_call =
        bus_watch(stream->bus, LEASE_LENGTH_MS, on_watched, stream);
}

void
rows_start(struct stream *stream)
{
    stream->rows_timer = timer_new(stream->streams->control, on_timer, stream);
    if (stream->own)
        timer_start(stream->rows_timer, stream->streams->lease_max_ms / 4 + 1);
}

void
rows_stop(struct stream *stream)
{
    bus_cancel(&stream->rows_call);
    timer_free(&stream->rows_timer);
    free(stream->rows);
    stream->rows = NULL;
    stream->row_count = 0;
}
