/*
 * What would be decided for a request, and why: the steps of tx.c up to the
 * verdict, with nothing fetched, counted or written.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "cluster/inval.h"
#include "cluster/peers.h"
#include "crowd_internal.h"
#include "engine_internal.h"
#include "fetch/origin.h"
#include "fetch/pace.h"
#include "http/cache_control.h"
#include "http/conditional.h"
#include "http/target.h"
#include "shelf_internal.h"
#include "store/store.h"

#define PEERS_SHOWN 8

struct explaining {
    struct engine *engine;
    const struct explain_request *ask;
    struct snapshot *snapshot; /* a reference */
    const struct policy *policy;
    struct target target;
    struct buf key_text;
    struct buf search_text;
    struct key plain;
    struct key key; /* as in struct tx */
    struct cache_control cc;
    uint64_t now_ns;
    struct object *object; /* borrowed: good until the loop waits */
    enum shelf_answer disk;
    struct object *on_disk; /* a reference; or NULL */
    bool other_variants;
    struct plan_request request;
    struct plan_found found;
    struct plan_tried tried;
    struct peer_choice peers[PEERS_SHOWN];
    size_t peer_count;
    bool barred;  /* no peer's copy counts, while an invalidation is kept */
    bool no_peer; /* the first verdict was to ask one, and there is none */
    struct plan plan;
};

/* ---- looking ---- */

static void
find_object(struct explaining *e)
{
    struct inval *inval = e->engine->parts.inval;
    struct plan_found *found = &e->found;
    struct object *object = search_find(e->engine, &e->key, &e->plain,
                                        e->ask->fields, &e->other_variants);

    if (e->engine->parts.shelf != NULL)
        e->disk = shelf_look(e->engine->parts.shelf, &e->key, e->ask->fields,
                             &e->on_disk);
    /* It is what is read when nothing is in memory. */
    if (object == NULL)
        object = e->on_disk;
    e->object = object;
    if (object == NULL) {
        found->uncacheable =
            store_uncacheable(e->engine->parts.store, e->key.hash, e->now_ns);
        found->fill = flight_running(e->engine->flights, e->key.hash);
        if (found->fill && !found->uncacheable)
            found->uncacheable =
                crowd_scatters(e->engine->parts.store, &e->plain, e->now_ns);
        return;
    }
    struct inval_subject subject = {object->key.host, object->key.path_query,
                                    object->tags, object->tag_count};
    struct found_ask ask = {
        .policy = e->policy,
        .cc = &e->cc,
        .validity = inval_check(inval, &subject, object_checked(object)),
        .now_ns = e->now_ns,
    };

    found_of_object(&e->found, object, &ask);
    e->found.within_bound =
        e->now_ns - object->sent_ns <= e->policy->max_staleness_ns;
}

static void
read_request(struct explaining *e)
{
    const struct explain_request *ask = e->ask;
    struct plan_request *request = &e->request;

    request->source = PLAN_CLIENT;
    request->head = span_eq(ask->method, SPAN("HEAD"));
    request->readable = request->head || span_eq(ask->method, SPAN("GET"));
    cache_control_request(ask->fields, &e->cc);
    request->only_if_cached = e->cc.only_if_cached;
    request->no_cache = e->cc.no_cache;
    request->origin_only = conditional_needs_origin(ask->fields);
    /* Of no session: one begins. */
    request->covered = true;
    request->leased = level_leased(e->engine, e->policy, e->now_ns) != 0;
    e->tried.peers =
        e->engine->parts.peers == NULL ||
        (e->policy->plan.needs & (PLAN_NEEDS_BOUND | PLAN_NEEDS_LEASE)) != 0;
    e->tried.peers_stale = e->tried.peers;
}

static void
decide(struct explaining *e)
{
    e->plan = plan_decide(&e->request, &e->policy->plan, &e->found, &e->tried);
    if (e->plan.verdict != PLAN_PEER)
        return;
    e->barred = !e->plan.take_stale && search_barred(e->engine, &e->key);
    if (!e->barred)
        e->peer_count = peers_choose(e->engine->parts.peers, e->key.hash,
                                     e->plan.take_stale, e->peers, PEERS_SHOWN);
    if (e->peer_count > 0)
        return;
    e->no_peer = true;
    e->tried.peers = true;
    e->plan = plan_decide(&e->request, &e->policy->plan, &e->found, &e->tried);
}

/* ---- telling ---- */

static void
add_text(struct buf *out, const char *name, struct span value)
{
    buf_printf(out, "\"%s\":\"", name);
    buf_add_json(out, value);
    buf_add_text(out, "\"");
}

static void
add_bool(struct buf *out, const char *name, bool value)
{
    buf_printf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void
add_u64(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void
add_request(const struct explaining *e, struct buf *out)
{
    buf_add_text(out, "\"request\":{");
    add_text(out, "method", e->ask->method);
    buf_add_char(out, ',');
    add_text(out, "url", e->ask->url);
    buf_add_char(out, '}');
}

static void
add_route(const struct explaining *e, struct buf *out)
{
    const struct conf_route *route = e->policy->route;

    buf_add_text(out, ",\"route\":{");
    add_text(out, "name", span_of(route->name));
    buf_add_char(out, ',');
    add_text(out, "host", span_of(route->match.host));
    buf_add_char(out, ',');
    add_text(out, "path", span_of(route->match.path));
    buf_add_text(out, ",\"methods\":[");
    for (size_t i = 0; i < route->match.methods.count; i++) {
        buf_add_text(out, i > 0 ? ",\"" : "\"");
        buf_add_json(out, span_of(route->match.methods.list[i]));
        buf_add_char(out, '"');
    }
    buf_add_text(out, "],");
    add_text(out, "consistency",
             span_of(conf_consistency_name(route->consistency)));
    buf_add_char(out, ',');
    add_text(out, "origin", span_of(route->origin_name));
    add_bool(out, "pass", route->pass);
    add_bool(out, "purge", route->purge);
    buf_add_char(out, '}');
}

static void
add_key(const struct explaining *e, struct buf *out)
{
    buf_add_text(out, ",\"key\":{");
    add_text(out, "text", e->key.text);
    buf_add_char(out, ',');
    add_text(out, "host", e->key.host);
    buf_add_char(out, ',');
    add_text(out, "path", e->key.path_query);
    buf_add_char(out, '}');
}

static const char *
freshness_text(enum freshness freshness)
{
    switch (freshness) {
    case FRESHNESS_FRESH:
        return "fresh";
    case FRESHNESS_STALE_ACCEPTED:
        return "stale, but accepted by the request";
    case FRESHNESS_STALE_WHILE_REVALIDATE:
        return "stale, inside stale-while-revalidate";
    case FRESHNESS_STALE:
        return "stale";
    }
    return "unknown";
}

static const char *
validity_name(enum validity validity)
{
    switch (validity) {
    case VALIDITY_VALID:
        return "valid";
    case VALIDITY_SOFT:
        return "soft";
    case VALIDITY_FLOOR:
        return "floor";
    case VALIDITY_HARD:
        return "hard";
    }
    return "unknown";
}

static void
add_field(struct buf *out, const char *name, const struct object *object,
          struct span field)
{
    struct span value = fields_get(pack_fields(object->fields), field);

    if (value.ptr == NULL)
        return;
    buf_add_char(out, ',');
    add_text(out, name, value);
}

static void
add_vary(struct buf *out, const struct object *object)
{
    struct buf text = {0};

    if (object->vary == NULL)
        return;
    vary_text(object->vary, &text);
    buf_add_char(out, ',');
    add_text(out, "vary", buf_span(&text));
    buf_fini(&text);
}

static void
add_object(const struct explaining *e, struct buf *out)
{
    const struct object *object = e->object;

    if (object == NULL) {
        buf_add_text(out, ",\"object\":null");
        add_bool(out, "other_variants", e->other_variants);
        add_bool(out, "uncacheable", e->found.uncacheable);
        add_bool(out, "fill_running", e->found.fill);
        return;
    }
    const struct caching *caching = &object->caching;
    uint64_t age_s = caching_age_s(caching, object->received_ns, e->now_ns);

    buf_printf(out, ",\"object\":{\"status\":%u", (unsigned)object->status);
    add_u64(out, "length", object->length);
    add_u64(out, "age_s", age_s);
    add_u64(out, "lifetime_s", caching->lifetime_s);
    buf_printf(out, ",\"ttl_s\":%lld,",
               (long long)caching_ttl_s(caching, age_s));
    add_text(out, "freshness", span_of(freshness_text(e->found.freshness)));
    buf_add_char(out, ',');
    add_text(out, "validity", span_of(validity_name(e->found.validity)));
    add_bool(out, "heuristic", caching->heuristic);
    add_bool(out, "no_cache", caching->revalidate_always);
    add_bool(out, "forbids_stale", caching->forbids_stale);
    add_bool(out, "stale_usable", e->found.stale_usable);
    add_u64(out, "stale_while_revalidate_s", caching->swr_s);
    add_u64(out, "stale_if_error_s", caching->sie_s);
    add_u64(out, "validated_ago_s", (e->now_ns - object->sent_ns) / NS_PER_S);
    add_u64(out, "position", object->position);
    add_u64(out, "tags", object->tag_count);
    add_field(out, "etag", object, SPAN("ETag"));
    add_field(out, "last_modified", object, SPAN("Last-Modified"));
    add_field(out, "cache_control", object, SPAN("Cache-Control"));
    add_vary(out, object);
    buf_add_char(out, '}');
}

static void
add_disk(const struct explaining *e, struct buf *out)
{
    static const char *const names[] = {[SHELF_NOTHING] = "nothing",
                                        [SHELF_UNREAD] = "unread",
                                        [SHELF_INVALID] = "invalid",
                                        [SHELF_HAS] = "object"};

    if (e->engine->parts.shelf == NULL)
        return;
    buf_add_char(out, ',');
    add_text(out, "disk", span_of(names[e->disk]));
    add_bool(out, "from_disk", e->object != NULL && e->object == e->on_disk);
}

static void
add_invalidations(const struct explaining *e, struct buf *out)
{
    struct inval *inval = e->engine->parts.inval;

    buf_printf(out, ",\"invalidations\":{\"sequence\":%llu",
               (unsigned long long)inval_seq(inval));
    add_u64(out, "floor", inval_floor(inval));
    buf_add_char(out, '}');
}

static void
add_peers(const struct explaining *e, struct buf *out)
{
    if (e->peer_count == 0)
        return;
    buf_add_text(out, ",\"peers\":[");
    for (size_t i = 0; i < e->peer_count; i++) {
        const struct peer_choice *peer = &e->peers[i];

        buf_add_text(out, i > 0 ? ",{" : "{");
        add_text(out, "node", span_of(peer->node));
        buf_add_char(out, ',');
        add_text(out, "kind",
                 peer->kind == PEER_HOME ? SPAN("home") : SPAN("holder"));
        add_u64(out, "rtt_us", peer->rtt_us);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* As tx_refresh does. */
static bool
is_deferred(const struct explaining *e)
{
    return e->plan.refresh && e->found.validity != VALIDITY_VALID &&
           !pace_ready(origin_pace(e->policy->origin),
                       e->policy->route->origin->revalidate_rate, e->now_ns);
}

static void
add_plan(const struct explaining *e, struct buf *out)
{
    const struct plan *plan = &e->plan;

    buf_add_char(out, ',');
    add_text(out, "verdict", span_of(plan_verdict_name(plan->verdict)));
    buf_add_char(out, ',');
    add_text(out, "why", span_of(plan_why_text(plan->why)));
    add_bool(out, "refresh", plan->refresh);
    add_bool(out, "refresh_deferred", is_deferred(e));
    add_bool(out, "strict", plan->strict);
    add_bool(out, "conditional", plan->conditional);
    add_bool(out, "no_peer_has_it", e->no_peer && !e->barred);
    add_bool(out, "peers_barred", e->barred);
    if (e->policy->plan.needs & PLAN_NEEDS_LEASE)
        add_bool(out, "leased", e->request.leased);
    add_peers(e, out);
}

static void
explain(struct explaining *e, struct buf *out)
{
    buf_add_char(out, '{');
    add_request(e, out);
    if (e->policy == NULL) {
        buf_add_text(out, ",\"route\":null,\"key\":null,\"object\":null,"
                          "\"verdict\":\"fail\",\"why\":\"no route matches "
                          "this host, path and method: the answer is 404\"}");
        return;
    }
    key_build(&e->policy->key, &e->target, e->ask->fields, &e->key_text,
              &e->plain);
    (void)search_key(e->engine, e->policy, &e->plain, &e->search_text, &e->key);
    read_request(e);
    find_object(e);
    decide(e);
    add_route(e, out);
    add_key(e, out);
    add_object(e, out);
    add_disk(e, out);
    add_invalidations(e, out);
    add_plan(e, out);
    buf_add_char(out, '}');
    object_unref(&e->on_disk);
    buf_fini(&e->key_text);
    buf_fini(&e->search_text);
}

bool
engine_explain(struct engine *engine, const struct explain_request *ask,
               struct buf *out)
{
    struct explaining e = {
        .engine = engine, .ask = ask, .now_ns = clock_boot_ns()};
    const char *why = target_parse_url(ask->url, &e.target);

    if (why == NULL && !span_eq(e.target.scheme, SPAN("http")))
        why = "clients are served by http:// only";
    if (why == NULL && !token_valid(ask->method))
        why = "the method is no token";
    if (why != NULL) {
        buf_add_text(out, why);
        return false;
    }
    e.snapshot = engine_snapshot(engine);
    e.policy =
        snapshot_find(e.snapshot, e.target.host, e.target.path, ask->method);
    explain(&e, out);
    snapshot_unref(&e.snapshot);
    return true;
}

const char *
engine_subject(struct engine *engine, struct span url, struct buf *scratch,
               struct key *key)
{
    struct target target;
    const char *why = target_parse_url(url, &target);

    if (why != NULL)
        return why;
    struct snapshot *snapshot = engine_snapshot(engine);
    const struct policy *policy =
        snapshot_find(snapshot, target.host, target.path, SPAN("GET"));

    why = key_subject(policy != NULL ? &policy->key : NULL, url, scratch, key);
    snapshot_unref(&snapshot);
    return why;
}

lease_sites
engine_purge_sites(struct engine *engine)
{
    struct snapshot *snapshot = engine_snapshot(engine);
    lease_sites sites = snapshot->purge_sites;

    snapshot_unref(&snapshot);
    return sites;
}
