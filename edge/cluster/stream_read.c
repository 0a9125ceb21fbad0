#include "stream_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"

static bool
era_eq(const struct bus_era *a, const struct bus_era *b)
{
    return a->epoch == b->epoch && a->term == b->term;
}

static bool
id_before(struct bus_id a, struct bus_id b)
{
    return a.n < b.n || (a.n == b.n && a.sub < b.sub);
}

/* ---- floors ---- */

/* Who writes to our stream may do so all day long. */
#define TELL_EVERY_NS (UINT64_C(10) * 1000000000)

static void
log_floor(struct stream *stream, enum floor_reason reason)
{
    uint64_t now = clock_boot_ns();
    uint64_t untold = stream->floors[reason] - stream->told[reason];

    /* The others are no stream's. */
    static const char *const texts[FLOOR_REASONS] = {
        [FLOOR_START] = "met for the first time since the start",
        [FLOOR_HOLE] = "entries are missing that were not read in time (they "
                       "were trimmed or deleted)",
        [FLOOR_TERM] = "it began another history (Redis was restarted, "
                       "replaced or emptied)",
        [FLOOR_REWIND] = "its last number went back (its Redis lost data)",
        [FLOOR_FOREIGN] = "it has entries that are not ours (find who else "
                          "writes to it)",
    };

    if (stream->told_ns[reason] != 0 &&
        now - stream->told_ns[reason] < TELL_EVERY_NS)
        return;
    stream->told_ns[reason] = now;
    stream->told[reason] = stream->floors[reason];
    LOG(reason == FLOOR_START ? LOG_INFO : LOG_WARN,
        "stream of site %s: %s: %s%s; everything stored before is revalidated; "
        "going on at %016llx/%016llx/%llu",
        stream->name, floor_reason_name(reason), texts[reason],
        untold > 1 ? ", again and again" : "",
        (unsigned long long)stream->era.epoch,
        (unsigned long long)stream->era.term,
        (unsigned long long)stream->cursor.n);
}

/* Goes on at the cursor, wherever that is. */
static void
raise_floor(struct stream *stream, enum floor_reason reason)
{
    struct inval *inval = stream->streams->inval;

    stream->floors[reason]++;
    if (stream->last_n < stream->cursor.n)
        stream->last_n = stream->cursor.n;
    inval_site_at(inval, stream->site, stream->era.epoch, stream->era.term,
                  stream->cursor.n);
    inval_raise_floor(inval, reason);
    log_floor(stream, reason);
}

/* ---- entries ---- */

/* Applies the next entry. False when the floor must be raised for *reason,
 * which the caller does once it has been through all it holds: a floor is for
 * everything before it. */
static bool
take_entry(struct stream *stream, const struct bus_entry *from,
           enum floor_reason *reason)
{
    struct inval *inval = stream->streams->inval;
    struct inval_entry entry;
    bool next = from->id.sub == 0 && from->id.n == stream->cursor.n + 1;

    stream->cursor = from->id;
    if (from->id.sub != 0 || !stream_decode(from->items, from->count, &entry)) {
        *reason = FLOOR_FOREIGN;
        return false;
    }
    inval_apply(inval, &entry, stream->site, from->id.n);
    past_take(stream, &entry, from->id.n);
    stream->applied++;
    *reason = FLOOR_HOLE;
    return next;
}

static void
took(struct stream *stream)
{
    if (stream->last_n < stream->cursor.n)
        stream->last_n = stream->cursor.n;
    inval_publish(stream->streams->inval);
    lease_look(stream);
    ack_look(stream);
    purge_look(stream->streams);
}

static void
on_pushed(void *arg, const struct bus_era *era, const struct bus_entry *entry)
{
    struct stream *stream = arg;
    enum floor_reason reason;

    if (!stream->met)
        return; /* the first sync tells where we begin */
    if (!era_eq(era, &stream->era)) {
        lease_end(stream); /* L3 */
        stream_sync(stream);
        return;
    }
    if (entry->id.n <= stream->cursor.n)
        return; /* a sync was faster */
    if (stream->last_n < entry->id.n)
        stream->last_n = entry->id.n;
    if (entry->id.n != stream->cursor.n + 1) {
        stream_sync(stream);
        return;
    }
    if (!take_entry(stream, entry, &reason))
        raise_floor(stream, reason);
    took(stream);
}

/* ---- syncs ---- */

/* Where to go on in another history, or one that went back. The floor covers
 * whatever was missed; but what was published there lately is still applied,
 * so that who was purged hard is gone, and not only to be revalidated. */
static struct bus_id
resume_at(const struct stream *stream, const struct bus_sync *sync)
{
    uint64_t n = sync->last.n > STREAM_BATCH ? sync->last.n - STREAM_BATCH : 0;

    if (sync->era.epoch == stream->era.epoch &&
        !id_before(sync->last, stream->cursor))
        return stream->cursor;
    if (sync->first.n > 0 && n < sync->first.n - 1)
        n = sync->first.n - 1;
    return sync->first.n > 0 ? (struct bus_id){.n = n} : sync->last;
}

static void
begin(struct stream *stream, const struct bus_sync *sync,
      enum floor_reason reason)
{
    bool had_met = stream->met;

    /* One that went back has no other readers, and the numbers of what is
     * published would hide from them that it did. */
    if (!era_eq(&stream->era, &sync->era))
        past_doubt(stream);
    stream->cursor = had_met ? resume_at(stream, sync) : sync->last;
    /* L3; also when it went back within its term. What was asked for before
     * the first sync is of the same history, or will be found not to be. */
    if (had_met)
        lease_end(stream);
    stream->acked_term = 0;
    stream->acked_n = 0;
    if (!stream->met || !era_eq(&stream->era, &sync->era))
        stream->era_since_ns = clock_boot_ns();
    stream->met = true;
    stream->era = sync->era;
    stream->last_n = sync->last.n;
    raise_floor(stream, reason);
    stream->again = id_before(stream->cursor, sync->last);
    /* L5: what a renewal says is applied must count by then. */
    inval_publish(stream->streams->inval);
    if (had_met)
        lease_renew(stream);
}

static void
take_entries(struct stream *stream, const struct bus_sync *sync)
{
    bool raise[FLOOR_REASONS] = {false};
    enum floor_reason reason;

    for (size_t i = 0; i < sync->count; i++) {
        if (!id_before(stream->cursor, sync->entries[i].id))
            continue; /* a push was faster */
        if (!take_entry(stream, &sync->entries[i], &reason))
            raise[reason] = true;
    }
    /* All was read, and yet the end was not reached. */
    if (sync->count < stream->batch && id_before(stream->cursor, sync->last)) {
        stream->cursor = sync->last;
        raise[FLOOR_HOLE] = true;
    }
    for (size_t i = 0; i < FLOOR_REASONS; i++) {
        if (raise[i])
            raise_floor(stream, (enum floor_reason)i);
    }
}

/* What was too much for the link in one piece is asked for in smaller ones. */
static unsigned
next_batch(unsigned batch, enum err err)
{
    if (err == ERR_REFUSED)
        return batch; /* it was not even asked */
    batch = err == ERR_OK ? batch * 2 : batch / 2;
    if (batch < STREAM_BATCH_MIN)
        return STREAM_BATCH_MIN;
    return batch < STREAM_BATCH ? batch : STREAM_BATCH;
}

static void
on_sync(void *arg, enum err err, const char *why, const struct bus_sync *sync)
{
    struct stream *stream = arg;
    bool again = stream->again;

    (void)why; /* the bus has told */
    stream->sync = NULL;
    stream->again = false;
    if (err != ERR_OK) {
        stream->batch = next_batch(stream->batch, err);
        if (again && bus_connected(stream->bus))
            stream_sync(stream);
        else
            timer_start(stream->poll, stream->streams->poll_ms);
        return;
    }
    if (!stream->met)
        begin(stream, sync, FLOOR_START);
    else if (!era_eq(&sync->era, &stream->era))
        begin(stream, sync, FLOOR_TERM);
    else if (id_before(sync->last, stream->sync_from))
        begin(stream, sync, FLOOR_REWIND);
    else
        take_entries(stream, sync);
    if (stream->last_n < sync->last.n)
        stream->last_n = sync->last.n;
    stream->synced_ns = stream->sync_sent_ns;
    again = again || stream->again || sync->count >= stream->batch;
    stream->again = false;
    stream->batch = next_batch(stream->batch, ERR_OK);
    took(stream);
    if (again)
        stream_sync(stream);
    else
        timer_start(stream->poll, stream->streams->poll_ms);
}

void
stream_sync(struct stream *stream)
{
    if (stream->sync != NULL) {
        stream->again = true;
        return;
    }
    timer_stop(stream->poll);
    stream->sync_from = stream->cursor;
    stream->sync_sent_ns = clock_boot_ns();
    stream->sync = bus_sync(stream->bus, stream->cursor,
                            stream->met ? stream->batch : 0, on_sync, stream);
}

static void
on_poll(void *arg)
{
    stream_sync(arg);
}

static void
on_state(void *arg, bool connected, const char *why)
{
    struct stream *stream = arg;

    (void)why;
    if (!connected) {
        leases_heard(stream->streams->leases, stream->index, 0);
        return;
    }
    lease_renew(stream);
    stream_sync(stream);
    outbox_look(stream->streams);
}

static void
on_ack(void *arg, struct span id, uint64_t term, uint64_t n)
{
    wait_acked(arg, id, term, n);
}

static void
on_listening(void *arg)
{
    struct stream *stream = arg;

    if (bus_connected(stream->bus))
        stream_sync(stream);
}

void
stream_resume(struct stream *stream, const struct position_site *at)
{
    if (at == NULL)
        return;
    stream->met = true;
    stream->era = (struct bus_era){at->epoch, at->term};
    stream->era_since_ns = clock_boot_ns();
    stream->cursor = (struct bus_id){at->n, 0};
    stream->last_n = at->n;
    /* The tables are as they were: nothing lies between. */
    if (stream->streams->journal != NULL)
        return;
    raise_floor(stream, FLOOR_START);
    inval_publish(stream->streams->inval);
}

void
stream_start(struct stream *stream, const struct bus_options *options)
{
    struct bus_events events = {.state = on_state,
                                .listening = on_listening,
                                .pushed = on_pushed,
                                .acked = on_ack,
                                .arg = stream};

    stream->batch = STREAM_BATCH;
    stream->poll = timer_new(stream->streams->control, on_poll, stream);
    list_init(&stream->waits);
    safe_start(stream);
    lease_start(stream);
    rows_start(stream);
    past_start(stream);
    stream->bus = bus_new(stream->streams->control, options, &events);
    /* Should the connection never come, the poll tells so in the status. */
    timer_start(stream->poll, stream->streams->poll_ms);
}

void
stream_stop(struct stream *stream)
{
    lease_stop(stream);
    rows_stop(stream);
    past_stop(stream);
    bus_cancel(&stream->sync);
    bus_free(&stream->bus);
    safe_stop(stream);
    timer_free(&stream->poll);
}
