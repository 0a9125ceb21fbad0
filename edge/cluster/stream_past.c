/*
 * What a stream's history had lately, in case the next one lacks it: a Redis
 * that was restarted without its last entries, or a replica that was made the
 * primary without them, or while the old one still took more (a split). Those
 * who read the old history raise their floor when they see the new one; those
 * who were at the new one all the time would never hear of it.
 *
 *   read:    applied in this history; of the last minute, and not too many
 *   doubted: applied in one before; is it in this one, under its number?
 *            yes: done. No: it is published again.
 *
 * Each node that has read it does that, under a name that all of them make
 * alike, so that it comes once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "stream_internal.h"

#define PAST_MAX 4096 /* of each list; some 200 bytes each */
#define PAST_NS (60 * NS_PER_S)
#define RETRY_MS 1000
#define WINDOW 64 /* publications at once */

struct past {
    struct list_link link;
    struct stream *stream;
    struct bus_era era;
    uint64_t n;
    uint64_t read_ns;
    struct bus_call *publish; /* under way, or NULL */
    bool missing;             /* it was looked for, and is not there */
    struct inval_entry entry; /* its texts are in `text` */
    char text[];
};

struct stream_past {
    struct list_link read;
    size_t read_count;
    struct list_link doubted;
    size_t doubted_count;
    size_t under_way;
    bool cut; /* `read` has lost one that was not old */
    uint64_t cut_ns;
    struct bus_call *look; /* under way, or NULL */
    uint64_t look_from;
    struct timer *timer;
};

static void
forget(struct past *past)
{
    bus_cancel(&past->publish);
    list_remove(&past->link);
    free(past);
}

static void
forget_read(struct stream_past *p)
{
    forget(list_first(&p->read, struct past, link));
    p->read_count--;
}

static void
forget_doubted(struct stream_past *p, struct past *past)
{
    forget(past);
    p->doubted_count--;
}

/* Older ones have been everywhere long ago. */
static void
forget_old(struct stream_past *p, uint64_t now)
{
    while (p->read_count > 0 &&
           now - list_first(&p->read, struct past, link)->read_ns > PAST_NS)
        forget_read(p);
}

void
past_take(struct stream *stream, const struct inval_entry *entry, uint64_t n)
{
    struct stream_past *p = stream->past;
    size_t host = entry->host.len, value = entry->value.len;
    struct past *past = mem_zalloc(sizeof(*past) + host + value + 2);

    past->stream = stream;
    past->era = stream->era;
    past->n = n;
    past->read_ns = clock_boot_ns();
    past->entry = *entry;
    (void)span_put(past->text, host + 1, 0, entry->host);
    (void)span_put(past->text + host + 1, value + 1, 0, entry->value);
    past->entry.host = (struct span){past->text, host};
    past->entry.value = (struct span){past->text + host + 1, value};
    list_push_back(&p->read, &past->link);
    p->read_count++;
    forget_old(p, past->read_ns);
    if (p->read_count <= PAST_MAX)
        return;
    forget_read(p);
    p->cut = true;
    p->cut_ns = past->read_ns;
}

/* ---- publishing again ---- */

static void
look_later(struct stream_past *p)
{
    if (!timer_running(p->timer))
        timer_start(p->timer, RETRY_MS);
}

static void
on_published(void *arg, enum err err, const char *why,
             const struct bus_era *era, uint64_t n)
{
    struct past *past = arg;
    struct stream_past *p = past->stream->past;

    (void)why; /* the bus has told */
    (void)era;
    (void)n;
    past->publish = NULL;
    p->under_way--;
    if (err != ERR_OK) {
        look_later(p);
        return;
    }
    counter_add(COUNTER_INVAL_AGAIN, 1);
    forget_doubted(p, past);
    if (p->doubted_count > 0 && p->under_way == 0)
        timer_start(p->timer, 0);
}

static void
publish_one(struct stream *stream, struct past *past)
{
    struct span items[STREAM_ITEMS];
    char time[24], once[80];

    snprintf(once, sizeof(once), "again/%016llx/%016llx/%llu",
             (unsigned long long)past->era.epoch,
             (unsigned long long)past->era.term, (unsigned long long)past->n);
    stream_encode(&past->entry, stream->streams->node, clock_wall_ms(), time,
                  items);
    past->publish =
        bus_publish_many(stream->bus, items, STREAM_ITEMS, STREAM_ITEMS,
                         span_of(once), on_published, past);
    stream->past->under_way++;
}

static void
publish_missing(struct stream *stream)
{
    struct stream_past *p = stream->past;
    struct past *past, *next;

    list_for_each_safe (past, next, &p->doubted, link) {
        if (p->under_way >= WINDOW)
            return;
        if (past->missing && past->publish == NULL)
            publish_one(stream, past);
    }
}

/* ---- is it there? ---- */

static bool
same(const struct past *past, const struct bus_entry *there)
{
    struct inval_entry entry;

    return there->id.sub == 0 &&
           stream_decode(there->items, there->count, &entry) &&
           entry.kind == past->entry.kind && entry.soft == past->entry.soft &&
           span_eq(entry.host, past->entry.host) &&
           span_eq(entry.value, past->entry.value);
}

/* The entry of this number; they come in their order. */
static const struct bus_entry *
find(const struct bus_sync *sync, uint64_t n)
{
    size_t low = 0, high = sync->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (sync->entries[middle].id.n < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sync->count && sync->entries[low].id.n == n
               ? &sync->entries[low]
               : NULL;
}

/* What is missing up to where the answer reaches. */
static size_t
compare(struct stream_past *p, const struct bus_sync *sync)
{
    uint64_t to = sync->count == STREAM_BATCH
                      ? sync->entries[sync->count - 1].id.n
                      : UINT64_MAX;
    struct past *past, *next;
    size_t missing = 0;

    list_for_each_safe (past, next, &p->doubted, link) {
        if (past->missing || past->n <= p->look_from || past->n > to)
            continue;
        const struct bus_entry *there = find(sync, past->n);

        past->missing = there == NULL || !same(past, there);
        missing += past->missing;
        if (!past->missing)
            forget_doubted(p, past);
    }
    return missing;
}

static void
on_looked(void *arg, enum err err, const char *why, const struct bus_sync *sync)
{
    struct stream *stream = arg;
    struct stream_past *p = stream->past;

    (void)why; /* the bus has told */
    p->look = NULL;
    if (err != ERR_OK || sync->era.epoch != stream->era.epoch ||
        sync->era.term != stream->era.term) {
        look_later(p);
        return;
    }
    size_t missing = compare(p, sync);

    if (missing > 0)
        LOG(LOG_WARN,
            "stream of site %s: %zu invalidations of the history before are "
            "not in this one; they are published again",
            stream->name, missing);
    publish_missing(stream);
    if (p->doubted_count > 0 && p->under_way == 0)
        timer_start(p->timer, 0);
}

/* From the lowest number that was not looked for. False: all were. */
static bool
look(struct stream *stream)
{
    struct stream_past *p = stream->past;
    uint64_t first = UINT64_MAX;
    struct past *past;

    list_for_each (past, &p->doubted, link) {
        if (!past->missing && past->n < first)
            first = past->n;
    }
    if (first == UINT64_MAX)
        return false;
    p->look_from = first - 1;
    p->look = bus_sync(stream->bus, (struct bus_id){.n = first - 1},
                       STREAM_BATCH, on_looked, stream);
    return true;
}

static void
on_timer(void *arg)
{
    struct stream *stream = arg;
    struct stream_past *p = stream->past;

    if (p->doubted_count == 0 || p->look != NULL)
        return;
    if (!bus_connected(stream->bus))
        look_later(p);
    else if (!look(stream))
        publish_missing(stream);
}

/* ---- another history ---- */

/* What was looked for in the one before is looked for in this one. */
static void
doubt_again(struct stream_past *p)
{
    struct past *past;

    bus_cancel(&p->look);
    list_for_each (past, &p->doubted, link) {
        bus_cancel(&past->publish);
        past->missing = false;
    }
    p->under_way = 0;
}

void
past_doubt(struct stream *stream)
{
    struct stream_past *p = stream->past;
    uint64_t now = clock_boot_ns();
    bool cut = p->cut && now - p->cut_ns <= PAST_NS;

    p->cut = false;
    doubt_again(p);
    forget_old(p, now);
    while (p->read_count > 0) {
        struct past *past = list_first(&p->read, struct past, link);

        list_remove(&past->link);
        list_push_back(&p->doubted, &past->link);
        p->read_count--;
        p->doubted_count++;
    }
    for (; p->doubted_count > PAST_MAX; cut = true)
        forget_doubted(p, list_first(&p->doubted, struct past, link));
    if (cut)
        LOG(LOG_WARN,
            "stream of site %s: only the last %d invalidations of the history "
            "before are looked for in this one; nodes that read another "
            "meanwhile may have missed some: purge all there",
            stream->name, PAST_MAX);
    if (p->doubted_count > 0)
        timer_start(p->timer, 0);
}

/* ---- life ---- */

void
past_start(struct stream *stream)
{
    struct stream_past *p = mem_zalloc(sizeof(*p));

    list_init(&p->read);
    list_init(&p->doubted);
    p->timer = timer_new(stream->streams->control, on_timer, stream);
    stream->past = p;
}

void
past_stop(struct stream *stream)
{
    struct stream_past *p = stream->past;

    bus_cancel(&p->look);
    while (p->read_count > 0)
        forget_read(p);
    while (p->doubted_count > 0)
        forget_doubted(p, list_first(&p->doubted, struct past, link));
    timer_free(&p->timer);
    free(p);
    stream->past = NULL;
}
