/* The gauges: what is so now. Counters write themselves (report/metrics.h). */
#include <stdlib.h>

#include "admin_internal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/mem.h"
#include "cluster/inval.h"
#include "cluster/peers.h"
#include "cluster/stream.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "fetch/origin.h"
#include "report/metrics.h"
#include "store/store.h"
#include "version.h"

static void
add_node(const struct admin *admin, struct buf *out)
{
    struct metrics_label labels[] = {
        {"version", ATLAS_VERSION},
        {"node", admin->conf->node},
        {"site", admin->conf->site},
    };
    uint64_t opened = counter_read(COUNTER_CONNECTIONS);
    uint64_t closed = counter_read(COUNTER_CONNECTIONS_CLOSED);

    metrics_family(out, "atlas_build_info", "gauge",
                   "1; the labels say which program runs, and as which node.");
    metrics_u64(out, "atlas_build_info", labels, ARRAY_LEN(labels), 1);
    metrics_gauge(out, "atlas_draining",
                  "1 while the node ends its work and takes no new clients.",
                  admin->draining);
    metrics_gauge(out, "atlas_connections", "Client connections open now.",
                  opened > closed ? opened - closed : 0);
    metrics_gauge(out, "atlas_flights",
                  "Shared fetches under way that others may join.",
                  engine_flights(admin->parts.engine));
}

static void
add_store(const struct admin *admin, struct buf *out)
{
    struct store_stats s;

    store_stats(admin->parts.store, &s);
    metrics_gauge(out, "atlas_store_bytes",
                  "Memory charged to the store now, of all kinds.", s.bytes);
    metrics_gauge(out, "atlas_store_budget_bytes",
                  "What the store may use (the option \"memory\").", s.budget);
    metrics_gauge(out, "atlas_store_objects", "Objects stored.", s.objects);
    metrics_gauge(out, "atlas_store_reserved_bytes",
                  "Of the store's memory, held by fetches under way.",
                  s.reserved);
    metrics_gauge(out, "atlas_store_dying_bytes",
                  "Of the store's memory, taken out but still in use.",
                  s.dying);
}

static void
add_invalidations(const struct admin *admin, struct buf *out)
{
    struct inval *inval = admin->parts.inval;

    metrics_gauge(out, "atlas_invalidation_entries",
                  "Entries in the invalidation tables.", inval_entries(inval));
    metrics_gauge(out, "atlas_invalidation_bytes",
                  "Memory of the invalidation tables.", inval_bytes(inval));
    metrics_gauge(out, "atlas_invalidation_sequence",
                  "The local number of the last invalidation applied.",
                  inval_seq(inval));
    metrics_gauge(out, "atlas_invalidation_floor",
                  "The local number below which nothing counts as valid.",
                  inval_floor(inval));
}

/* ---- streams ---- */

static uint64_t
stream_is_connected(const struct stream_status *s)
{
    return s->connected;
}

static uint64_t
stream_lag(const struct stream_status *s)
{
    return s->lag;
}

static uint64_t
stream_n(const struct stream_status *s)
{
    return s->n;
}

static uint64_t
stream_is_leased(const struct stream_status *s)
{
    return s->leased;
}

static uint64_t
stream_is_safe(const struct stream_status *s)
{
    return s->safe;
}

static const struct {
    const char *name;
    const char *help;
    uint64_t (*value)(const struct stream_status *status);
} stream_gauges[] = {
    {"atlas_stream_connected", "1 while this site's Redis is connected.",
     stream_is_connected},
    {"atlas_stream_leased", "1 while this node holds a lease at this site.",
     stream_is_leased},
    {"atlas_stream_safe",
     "1 while all replicas of this site's Redis keep up (0 also means: no "
     "lease there).",
     stream_is_safe},
    {"atlas_stream_lag_entries",
     "Entries of this site's stream known, and not applied yet.", stream_lag},
    {"atlas_stream_position",
     "The number of the last entry applied of this site's stream.", stream_n},
};

static void
add_streams(const struct admin *admin, struct buf *out)
{
    const struct streams *streams = admin->parts.streams;
    struct stream_status s;

    metrics_gauge(out, "atlas_in_sync",
                  "1 while every site's stream is read without a gap.",
                  streams_in_sync(streams));
    if (!streams_status(streams, 0, &s))
        return;
    for (size_t g = 0; g < ARRAY_LEN(stream_gauges); g++) {
        metrics_family(out, stream_gauges[g].name, "gauge",
                       stream_gauges[g].help);
        for (size_t i = 0; streams_status(streams, i, &s); i++) {
            struct metrics_label label = {"site", s.site};

            metrics_u64(out, stream_gauges[g].name, &label, 1,
                        stream_gauges[g].value(&s));
        }
    }
}

/* ---- peers and origins: written family by family into two buffers ---- */

struct peers_out {
    struct buf up;
    struct buf rtt;
};

static void
add_peer(void *arg, const struct peer_status *status)
{
    struct peers_out *out = arg;
    struct metrics_label labels[] = {
        {"peer", status->node->id},
        {"site", status->node->site},
    };

    metrics_u64(&out->up, "atlas_peer_up", labels, 2,
                status->rtt.state == RTT_UP);
    if (status->rtt.estimate_us > 0)
        metrics_real(&out->rtt, "atlas_peer_rtt_seconds", labels, 2,
                     (double)status->rtt.estimate_us / 1e6);
}

static void
add_peers(const struct admin *admin, struct buf *out)
{
    struct peers_out found = {0};

    if (admin->parts.peers == NULL)
        return;
    peers_each(admin->parts.peers, add_peer, &found);
    if (found.up.len > 0) {
        metrics_family(out, "atlas_peer_up", "gauge",
                       "1 while this peer answers its probes.");
        buf_add_span(out, buf_span(&found.up));
    }
    if (found.rtt.len > 0) {
        metrics_family(out, "atlas_peer_rtt_seconds", "gauge",
                       "Round-trip time to this peer, averaged.");
        buf_add_span(out, buf_span(&found.rtt));
    }
    buf_fini(&found.up);
    buf_fini(&found.rtt);
}

struct origins_out {
    struct buf ejected;
    struct buf requests;
    struct buf failures;
};

static void
add_origin(void *arg, const char *group, const struct origin_status *status)
{
    struct origins_out *out = arg;
    struct metrics_label labels[] = {
        {"origin", group},
        {"server", status->url},
    };

    metrics_u64(&out->ejected, "atlas_origin_server_ejected", labels, 2,
                status->ejected_ms > 0);
    metrics_u64(&out->requests, "atlas_origin_server_requests_total", labels, 2,
                status->requests);
    metrics_u64(&out->failures, "atlas_origin_server_failures_total", labels, 2,
                status->failures);
}

static void
add_origins(const struct admin *admin, struct buf *out)
{
    struct origins_out found = {0};

    engine_each_origin(admin->parts.engine, add_origin, &found);
    if (found.ejected.len > 0) {
        metrics_family(out, "atlas_origin_server_ejected", "gauge",
                       "1 while this server is left alone after failures.");
        buf_add_span(out, buf_span(&found.ejected));
        metrics_family(out, "atlas_origin_server_requests_total", "counter",
                       "Requests for which this server was chosen.");
        buf_add_span(out, buf_span(&found.requests));
        metrics_family(out, "atlas_origin_server_failures_total", "counter",
                       "Requests that this server did not answer.");
        buf_add_span(out, buf_span(&found.failures));
    }
    buf_fini(&found.ejected);
    buf_fini(&found.requests);
    buf_fini(&found.failures);
}

void
admin_metrics(const struct admin *admin, struct buf *out)
{
    metrics_counters(out);
    add_node(admin, out);
    add_store(admin, out);
    admin_disk_metrics(admin, out);
    add_invalidations(admin, out);
    add_streams(admin, out);
    add_peers(admin, out);
    add_origins(admin, out);
    metrics_process(out);
}
