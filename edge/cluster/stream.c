#include "cluster/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/bookmark.h"
#include "cluster/lease.h"
#include "conf/conf.h"
#include "stream_internal.h"

#define SYNC_POLLS 3 /* how long a sync is good for, in polls */
#define DRIFT_PERCENT 1

static void
add_site(struct streams *streams, const struct streams_options *options,
         size_t index)
{
    const struct streams_site *site = &options->sites[index];

    if (site->redis_host == NULL)
        return;
    struct stream *stream = &streams->list[streams->count++];
    struct bus_options bus = {
        .site = site->name,
        .host = site->redis_host,
        .port = site->redis_port,
        .connect_timeout_ms = options->connect_timeout_ms,
        .command_timeout_ms = options->command_timeout_ms,
        .backoff_max_ms = options->backoff_max_ms,
        .replicas = site->replicas,
    };

    stream->streams = streams;
    stream->index = index;
    stream->name = mem_strdup(site->name);
    stream->own = span_eq(span_of(site->name), span_of(options->site));
    stream->site = inval_site(streams->inval, span_of(site->name));
    /* The configuration bounds names and number of sites. */
    CHECK(stream->site != SIZE_MAX);
    if (stream->own)
        streams->own = stream;
    streams->configured = true;
    if (options->resume != NULL)
        stream_resume(stream,
                      position_find(options->resume, span_of(site->name)));
    stream_start(stream, &bus);
}

/* ---- where we are, written down ---- */

static void
on_note(void *arg)
{
    struct streams *streams = arg;
    struct span text = inval_snapshot(streams->inval)->text;

    if (text.len > 0)
        bookmark_note(streams->bookmark, text);
    timer_start(streams->note_timer, BOOKMARK_EVERY_MS);
}

/* A new one each time we start: who was here before holds nothing of ours. */
static void
name_holder(struct streams *streams)
{
    unsigned char random[8];
    char text[2 * sizeof(random) + 1];

    secret_random(random, sizeof(random));
    secret_hex(random, sizeof(random), text);
    buf_printf(&streams->holder, "%s/%s/%s", streams->site, streams->node,
               text);
}

struct streams *
streams_start(struct loop *control, const struct streams_options *options,
              struct inval *inval)
{
    struct streams *streams = mem_zalloc(sizeof(*streams));

    TAG_SET(streams, STREAMS_TAG);
    atomic_init(&streams->refs, 1);
    streams->control = control;
    streams->inval = inval;
    streams->site = mem_strdup(options->site);
    streams->node = mem_strdup(options->node);
    streams->poll_ms = options->poll_ms;
    streams->leases = leases_new();
    streams->generation = options->generation;
    streams->outbox = options->outbox;
    streams->journal = options->journal;
    streams->execution_max_ms = options->execution_max_ms;
    streams->drift_percent =
        options->drift_percent > 0 ? options->drift_percent : DRIFT_PERCENT;
    streams->purge_sites = options->purge_sites;
    streams->lease_max_ms =
        options->lease_max_ms > 0 ? options->lease_max_ms : LEASE_LENGTH_MAX_MS;
    name_holder(streams);
    list_init(&streams->jobs);
    list_init(&streams->intents);
    streams->list =
        mem_zalloc(options->site_count * sizeof(*streams->list) + 1);
    for (size_t i = 0; i < options->site_count; i++)
        add_site(streams, options, i);
    leave_start(streams);
    outbox_start(streams);
    streams->bookmark = options->bookmark;
    if (streams->bookmark != NULL) {
        streams->note_timer = timer_new(control, on_note, streams);
        timer_start(streams->note_timer, BOOKMARK_EVERY_MS);
    }
    return streams;
}

/* "host:port", "[v6]:port": already checked by the configuration. The host is
 * allocated. */
static void
read_address(const char *text, struct streams_site *site)
{
    struct span host = span_of(text);
    size_t colon = host.len;
    uint64_t port;

    while (colon > 0 && host.ptr[colon - 1] != ':')
        colon--;
    CHECK(colon > 0);
    CHECK(span_u64(span_sub(host, colon, host.len), 65535, &port));
    host = span_sub(host, 0, colon - 1);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = span_sub(host, 1, host.len - 1);
    site->redis_host = mem_strndup(host.ptr, host.len);
    site->redis_port = (unsigned)port;
}

/* Of which origin a write was that is found in the outbox is not known. */
static uint64_t
execution_max_ms(const struct conf *conf)
{
    uint64_t max = 0;

    for (size_t i = 0; i < conf->origin_count; i++) {
        if (conf->origins[i].execution_max_ms > max)
            max = conf->origins[i].execution_max_ms;
    }
    return max;
}

void
streams_configure(struct streams *streams, const struct conf *conf)
{
    TAG_CHECK(streams, STREAMS_TAG);
    streams->purge_sites = conf_purge_sites(conf);
    streams->execution_max_ms = execution_max_ms(conf);
}

struct streams *
streams_new(struct loop *control, const struct conf *conf, struct inval *inval,
            const struct streams_kept *kept)
{
    struct streams_site *sites =
        mem_zalloc(conf->site_count * sizeof(*sites) + 1);
    struct streams_options options = {
        .site = conf->site,
        .node = conf->node,
        .sites = sites,
        .site_count = conf->site_count,
        .connect_timeout_ms = conf->redis.timeout_ms,
        .command_timeout_ms = conf->redis.timeout_ms,
        .backoff_max_ms = conf->redis.backoff_max_ms,
        .poll_ms = conf->redis.poll_ms,
        .generation = conf->sites_generation,
        .drift_percent = (unsigned)conf->drift_percent,
        .purge_sites = conf_purge_sites(conf),
        .outbox = kept->outbox,
        .bookmark = kept->bookmark,
        .resume = kept->resume,
        .journal = kept->journal,
        .execution_max_ms = execution_max_ms(conf),
    };

    for (size_t i = 0; i < conf->site_count; i++) {
        sites[i].name = conf->sites[i].name;
        sites[i].replicas = (unsigned)conf->sites[i].replicas;
        if (conf->sites[i].redis[0] != '\0')
            read_address(conf->sites[i].redis, &sites[i]);
    }
    struct streams *streams = streams_start(control, &options, inval);

    for (size_t i = 0; i < conf->site_count; i++)
        free((void *)(uintptr_t)sites[i].redis_host);
    free(sites);
    return streams;
}

void
streams_unref(struct streams *streams)
{
    if (atomic_fetch_sub(&streams->refs, 1) != 1)
        return;
    leases_free(&streams->leases);
    buf_fini(&streams->holder);
    free(streams->site);
    free(streams->node);
    TAG_CLEAR(streams);
    free(streams);
}

void
streams_free(struct streams **streams)
{
    struct streams *s = *streams;

    *streams = NULL;
    if (s == NULL)
        return;
    TAG_CHECK(s, STREAMS_TAG);
    s->closed = true;
    if (s->bookmark != NULL)
        on_note(s);
    timer_free(&s->note_timer);
    outbox_stop(s);
    leave_stop(s);
    purge_abandon(s);
    intent_abandon(s);
    for (size_t i = 0; i < s->count; i++) {
        wait_abandon(&s->list[i]);
        stream_stop(&s->list[i]);
        free(s->list[i].name);
    }
    free(s->list);
    s->list = NULL;
    s->count = 0;
    s->own = NULL;
    streams_unref(s);
}

bool
streams_configured(const struct streams *streams)
{
    return streams->configured;
}

const struct leases *
streams_leases(const struct streams *streams)
{
    return streams->leases;
}

bool
streams_in_sync(const struct streams *streams)
{
    uint64_t now = clock_boot_ns();

    for (size_t i = 0; i < streams->count; i++) {
        const struct stream *stream = &streams->list[i];
        uint64_t good = SYNC_POLLS * streams->poll_ms * NS_PER_MS;

        if (!stream->met || stream->cursor.n < stream->last_n ||
            now - stream->synced_ns > good)
            return false;
    }
    return true;
}

struct bus *
streams_bus(struct streams *streams, struct span site)
{
    for (size_t i = 0; i < streams->count; i++) {
        if (span_eq(span_of(streams->list[i].name), site))
            return streams->list[i].bus;
    }
    return NULL;
}

bool
streams_status(const struct streams *streams, size_t index,
               struct stream_status *status)
{
    if (index >= streams->count)
        return false;
    const struct stream *stream = &streams->list[index];

    *status = (struct stream_status){
        .site = stream->name,
        .own = stream->own,
        .connected = bus_connected(stream->bus),
        .met = stream->met,
        .epoch = stream->era.epoch,
        .term = stream->era.term,
        .n = stream->cursor.n,
        .last_n = stream->last_n,
        .lag = stream->last_n - stream->cursor.n,
        .synced_ago_ms = UINT64_MAX,
        .applied = stream->applied,
        .error = bus_error(stream->bus),
    };
    status->lease_ms = stream->lease_ms;
    status->replicas = bus_replicas(stream->bus);
    status->safe = !stream->unsafe;
    status->leased = leases_held(
        streams->leases, (lease_sites)1 << stream->index, clock_boot_ns());
    if (stream->met)
        status->synced_ago_ms =
            (clock_boot_ns() - stream->synced_ns) / NS_PER_MS;
    for (size_t i = 0; i < FLOOR_REASONS; i++)
        status->floors[i] = stream->floors[i];
    return true;
}
