/* The node as JSON: /v1/status. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "admin_internal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "cluster/inval.h"
#include "cluster/peers.h"
#include "cluster/stream.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "engine/shelf.h"
#include "fetch/origin.h"
#include "store/store.h"
#include "version.h"

static void
put(json_t *object, const char *name, json_t *value)
{
    CHECK(value != NULL && json_object_set_new(object, name, value) == 0);
}

static void
put_u64(json_t *object, const char *name, uint64_t value)
{
    put(object, name,
        json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

/* Text from outside may be no UTF-8, which jansson refuses. */
static void
put_text(json_t *object, const char *name, const char *text)
{
    json_t *value = json_string(text);

    put(object, name, value != NULL ? value : json_string("(not UTF-8)"));
}

static void
put_bool(json_t *object, const char *name, bool value)
{
    put(object, name, json_boolean(value));
}

/* Numbers of 64 bits are texts: JSON's have 53 in many readers. */
static void
put_hex(json_t *object, const char *name, uint64_t value)
{
    char text[20];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
    put(object, name, json_string(text));
}

static void
put_time(json_t *object, const char *name, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    put(object, name, json_string(text));
}

/* ---- streams ---- */

static json_t *
stream_json(const struct stream_status *s)
{
    json_t *o = json_object();
    json_t *floors = json_object();

    put_text(o, "site", s->site);
    put_bool(o, "own", s->own);
    put_bool(o, "connected", s->connected);
    put_bool(o, "met", s->met);
    if (s->met) {
        put_hex(o, "epoch", s->epoch);
        put_hex(o, "term", s->term);
        put_u64(o, "n", s->n);
        put_u64(o, "last_n", s->last_n);
        put_u64(o, "lag", s->lag);
    }
    if (s->synced_ago_ms != UINT64_MAX)
        put_u64(o, "synced_ago_ms", s->synced_ago_ms);
    put_u64(o, "applied", s->applied);
    put_bool(o, "leased", s->leased);
    put_u64(o, "lease_ms", s->lease_ms);
    put_u64(o, "replicas", s->replicas);
    put_bool(o, "safe", s->safe);
    for (size_t i = 0; i < FLOOR_REASONS; i++)
        put_u64(floors, floor_reason_name((enum floor_reason)i), s->floors[i]);
    put(o, "floors", floors);
    put_text(o, "error", s->error);
    return o;
}

static json_t *
streams_json(const struct streams *streams)
{
    json_t *list = json_array();
    struct stream_status s;

    for (size_t i = 0; streams_status(streams, i, &s); i++)
        json_array_append_new(list, stream_json(&s));
    return list;
}

/* ---- peers and origins ---- */

static void
add_peer(void *arg, const struct peer_status *s)
{
    json_t *o = json_object();

    put_text(o, "node", s->node->id);
    put_text(o, "site", s->node->site);
    put_text(o, "url", s->node->url);
    put_text(o, "state", rtt_state_name(s->rtt.state));
    put_u64(o, "since_ms", s->since_ms);
    put_u64(o, "rtt_us", s->rtt.estimate_us);
    put_u64(o, "failures", s->rtt.failures);
    put_bool(o, "static", s->is_static);
    put_bool(o, "orphaned", s->orphaned);
    put(o, "digest_age_ms",
        s->digest_slots == 0 ? json_null()
                             : json_integer((json_int_t)s->digest_age_ms));
    json_array_append_new(arg, o);
}

static void
add_origin(void *arg, const char *group, const struct origin_status *s)
{
    json_t *o = json_object();

    put_text(o, "origin", group);
    put_text(o, "server", s->url);
    put_bool(o, "ejected", s->ejected_ms > 0);
    put_u64(o, "ejected_ms", s->ejected_ms);
    put_u64(o, "requests", s->requests);
    put_u64(o, "failures", s->failures);
    put_u64(o, "failures_in_row", s->failures_in_row);
    json_array_append_new(arg, o);
}

/* ---- the node ---- */

static json_t *
store_json(struct store *store)
{
    struct store_stats s;
    json_t *o = json_object();

    store_stats(store, &s);
    put_u64(o, "bytes", s.bytes);
    put_u64(o, "budget", s.budget);
    put_u64(o, "objects", s.objects);
    put_u64(o, "reserved", s.reserved);
    put_u64(o, "dying", s.dying);
    put_u64(o, "inserts", s.inserts);
    put_u64(o, "evictions", s.evictions);
    put_u64(o, "ghost_hits", s.ghost_hits);
    put_u64(o, "refusals", s.refusals);
    return o;
}

static json_t *
disk_json(struct shelf *shelf)
{
    struct shelf_status s;
    json_t *o = json_object();

    shelf_status(shelf, &s);
    put_u64(o, "bytes", s.disk.bytes);
    put_u64(o, "budget", s.disk.budget);
    put_u64(o, "objects", s.disk.records);
    put_u64(o, "segments", s.disk.segments);
    put_u64(o, "index_bytes", s.disk.index_bytes);
    put_u64(o, "written_bytes", s.disk.written);
    put_u64(o, "evictions", s.disk.evicted);
    put_u64(o, "reinserted", s.disk.reinserted);
    put_u64(o, "damaged", s.disk.bad_checksums + s.disk.incomplete);
    put_u64(o, "errors", s.disk.io_errors);
    put_u64(o, "no_space", s.disk.no_space);
    put_u64(o, "waiting", s.waiting);
    put_u64(o, "waiting_bytes", s.waiting_bytes);
    put_bool(o, "answers", s.answers);
    put_bool(o, "writes", !s.disk.read_only && s.journal);
    return o;
}

static json_t *
invalidations_json(struct inval *inval)
{
    json_t *o = json_object();

    put_u64(o, "entries", inval_entries(inval));
    put_u64(o, "bytes", inval_bytes(inval));
    put_u64(o, "sequence", inval_seq(inval));
    put_u64(o, "floor", inval_floor(inval));
    return o;
}

static json_t *
requests_json(void)
{
    static const struct {
        const char *name;
        enum counter id;
    } rows[] = {
        {"hit", COUNTER_REQ_HIT},
        {"stale", COUNTER_REQ_HIT_STALE},
        {"revalidated", COUNTER_REQ_REVALIDATED},
        {"miss", COUNTER_REQ_MISS},
        {"collapsed", COUNTER_REQ_JOIN},
        {"peer", COUNTER_REQ_PEER},
        {"pass", COUNTER_REQ_PASS},
        {"error", COUNTER_REQ_ERROR},
    };
    json_t *o = json_object();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        put_u64(o, rows[i].name, counter_read(rows[i].id));
    return o;
}

static void
put_node(json_t *o, const struct admin *admin)
{
    uint64_t opened = counter_read(COUNTER_CONNECTIONS);
    uint64_t closed = counter_read(COUNTER_CONNECTIONS_CLOSED);

    put_text(o, "node", admin->conf->node);
    put_text(o, "site", admin->conf->site);
    put_text(o, "version", ATLAS_VERSION);
    put_text(o, "configuration", admin->conf->path);
    put_time(o, "started", admin->started_wall_ms);
    put_u64(o, "uptime_s", (clock_boot_ns() - admin->started_ns) / NS_PER_S);
    put_bool(o, "draining", admin->draining);
    put_bool(o, "alone", !streams_configured(admin->parts.streams));
    put_bool(o, "in_sync", streams_in_sync(admin->parts.streams));
    put_u64(o, "connections", opened > closed ? opened - closed : 0);
    put_u64(o, "flights", engine_flights(admin->parts.engine));
}

void
admin_overview(const struct admin *admin, struct buf *out)
{
    json_t *o = json_object();
    json_t *peers = json_array();
    json_t *origins = json_array();

    put_node(o, admin);
    put(o, "requests", requests_json());
    put(o, "streams", streams_json(admin->parts.streams));
    if (admin->parts.peers != NULL)
        peers_each(admin->parts.peers, add_peer, peers);
    put(o, "peers", peers);
    put(o, "store", store_json(admin->parts.store));
    if (admin->parts.shelf != NULL)
        put(o, "disk", disk_json(admin->parts.shelf));
    put(o, "invalidations", invalidations_json(admin->parts.inval));
    engine_each_origin(admin->parts.engine, add_origin, origins);
    put(o, "origins", origins);
    char *text = json_dumps(o, JSON_INDENT(2));

    CHECK(text != NULL);
    json_decref(o);
    buf_add_text(out, text);
    buf_add_char(out, '\n');
    free(text);
}
