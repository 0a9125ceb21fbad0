/* A request goes on: to a fill that many share, or alone. */
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/blob.h"
#include "base/counter.h"
#include "base/watcher.h"
#include "cluster/inval.h"
#include "cluster/session.h"
#include "crowd_internal.h"
#include "fetch/origin.h"
#include "fetch/pace.h"
#include "http/conditional.h"
#include "http/forward.h"
#include "store/store.h"
#include "tx_internal.h"

/* How often one request looks again because of others' fills. */
#define RELOOKS_MAX 3

/* What is needed while the upstream's fields are put together. */
struct outgoing {
    struct fields fields;
    struct buf scratch;
    char client[INET6_ADDRSTRLEN];
    char hops[TX_HOPS_SIZE];
    struct key get_key; /* of a GET of the URL, in get_text: see for_get */
    struct buf get_text;
    struct buf range;
    struct fill_spec spec;
    struct peer_choice peers[FILL_PEERS_LAST];
};

static struct span
client_text(const struct sockaddr *client, char text[INET6_ADDRSTRLEN])
{
    size_t len = address_text(client, text);

    return len > 0 ? (struct span){text, len} : SPAN("unknown");
}

/* The Host for the origin: what the client asked, unless the origin group has
 * a name of its own. */
static struct span
origin_host(const struct tx *tx)
{
    const char *own = tx->policy->route->origin->host_header;

    return own[0] != '\0' ? span_of(own) : tx->key.host;
}

/* The peers worth asking: the key's home only for a client's miss (a home that
 * asks a home would go in circles), holders for any. */
static void
choose_peers(struct tx *tx, struct outgoing *out)
{
    struct peers *peers = tx->worker->engine->parts.peers;
    struct peer_choice choices[FILL_PEERS_LAST];
    bool last = tx->plan.take_stale;
    size_t count = 0;

    if (last || !search_barred(tx->worker->engine, &tx->key))
        count = peers_choose(peers, tx->key.hash, last, choices,
                             last ? FILL_PEERS_LAST : FILL_PEERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (choices[i].kind == PEER_HOME &&
            (tx->ask.source != PLAN_CLIENT || last || tx->part.forwards))
            choices[i].kind = PEER_HOLDER;
        if (choices[i].kind == PEER_HOLDER &&
            strcmp(choices[i].node, tx->claims.node) == 0)
            continue; /* it has just asked us */
        out->peers[out->spec.peer_count++] = choices[i];
    }
    out->spec.peers = out->peers;
    out->spec.peer_stale = tx->plan.take_stale;
}

/* Whether what is asked may be given to others: stored, or put into what is
 * stored. */
static bool
may_be_shared(const struct fill_spec *spec)
{
    return spec->store || spec->updates;
}

static void
outgoing_fields(struct tx *tx, struct outgoing *out, bool whole)
{
    bool to_peer = out->spec.peer_count > 0;
    /* What passes is what the key has under which it is stored. */
    const struct policy *rules =
        out->spec.rules != NULL ? out->spec.rules : tx->policy;
    struct forward_context context = {
        .client = client_text(tx->request->client, out->client),
        .scheme = tx->target.scheme,
        .host = to_peer ? tx->key.host : origin_host(tx),
        .pseudonym = span_of(tx->use->snapshot->conf->node),
        .http11 = tx->request->minor > 0,
        .shared = may_be_shared(&out->spec),
        .passing = rules->passing.list,
        .passing_count = rules->passing.count,
        .codings = &rules->key.codings,
        .surrogate = tx->policy->caching.surrogate_device,
    };

    forward_request(tx->request->fields, &context, &out->fields, &out->scratch);
    tx_hops_update(tx, &out->fields, out->hops);
    /* Between the client and us. */
    fields_remove(&out->fields, SPAN(TX_LEVEL_FIELD));
    fields_remove(&out->fields, SPAN(SESSION_FIELD));
    if (!whole)
        return;
    conditional_strip(&out->fields);
    fields_remove(&out->fields, SPAN("Range"));
    fields_remove(&out->fields, SPAN("If-Range"));
    const struct range_spec *range = tx_part_range(tx);

    if (range == NULL)
        return;
    range_spec_format(range, &out->range);
    fields_add(&out->fields, SPAN("Range"), buf_span(&out->range));
    out->spec.ranged = true;
}

/* What else than a GET says something of what GETs have stored: a HEAD (RFC
 * 9111 section 4.3.5), a POST (RFC 9110 section 9.3.3). It is put there under
 * the key and by the rules of the route that a GET takes. On cp routes nothing
 * is answered from the store, and so nothing there needs to be kept new. */
static void
for_get(const struct tx *tx, struct outgoing *out)
{
    const struct policy *get = snapshot_find(tx->use->snapshot, tx->target.host,
                                             tx->target.path, SPAN("GET"));
    struct fill_spec *spec = &out->spec;

    if (get == NULL || (get->plan.needs & PLAN_NEEDS_STRICT) != 0 ||
        tx->ask.source != PLAN_CLIENT)
        return;
    key_build(&get->key, &tx->target, tx->request->fields, &out->get_text,
              &out->get_key);
    spec->updates = tx->ask.head && !tx->policy->plan.pass && !get->plan.pass;
    spec->purges = tx_post_may_store(tx, get, &out->get_key);
    if (!spec->updates && !spec->purges)
        return;
    spec->key = &out->get_key;
    spec->plain = &out->get_key;
    spec->rules = get;
    spec->store |= spec->purges;
    spec->keyed |= spec->updates;
}

static void
outgoing_init(struct tx *tx, struct outgoing *out, bool shared)
{
    *out = (struct outgoing){0};
    out->spec = (struct fill_spec){
        .worker = tx->worker,
        .snapshot = tx->use->snapshot,
        .policy = tx->policy,
        .key = &tx->key,
        .plain = &tx->plain,
        .target = &tx->target,
        .method = tx->request->method,
        .request = tx->request->fields,
        .upstream = &out->fields,
        .strict = tx->plan.strict,
        .cp = tx->plan.strict && tx->needs != 0,
        .shared = shared,
        .store = tx->plan.verdict != PLAN_PASS,
        .keyed = tx->plan.verdict != PLAN_PASS,
        .body_len = -1,
    };
    if (tx->plan.verdict == PLAN_PEER)
        choose_peers(tx, out);
    if (tx->ask.head || tx->invalidates)
        for_get(tx, out);
    outgoing_fields(tx, out, shared || tx->plan.verdict != PLAN_PASS);
}

/* The verdict was to ask a peer, and there is none: noted, for the next one. */
static bool
nobody_to_ask(struct tx *tx, const struct outgoing *out)
{
    if (tx->plan.verdict != PLAN_PEER || out->spec.peer_count > 0)
        return false;
    tx->tried.peers = true;
    tx->tried.peers_stale |= tx->plan.take_stale;
    return true;
}

static void
outgoing_fini(struct outgoing *out)
{
    fields_fini(&out->fields);
    buf_fini(&out->scratch);
    buf_fini(&out->get_text);
    buf_fini(&out->range);
}

static struct flight *
make_fill(void *ctx)
{
    return &fill_new(ctx)->flight;
}

static void
follow(struct tx *tx, struct fill *fill, enum flight_role role)
{
    tx->fill = fill;
    tx->leads = role != FLIGHT_JOINED;
    tx->waits = TX_WAITS_FILL;
    flight_wait(&fill->flight, &tx->waiter, tx_watcher(tx));
    if (tx->leads)
        fill_start(fill);
    else
        watcher_wake(tx->watcher); /* its head may be there already */
}

/* A floor or a purge of much makes very many copies wait for the origin at
 * once; what is stale by its own time does not. */
static bool
invalidated(const struct tx *tx)
{
    return tx->found.object && tx->found.validity != VALIDITY_VALID;
}

static struct pace *
pace_of(const struct tx *tx)
{
    return origin_pace(tx->policy->origin);
}

static uint64_t
rate_of(const struct tx *tx)
{
    return tx->policy->route->origin->revalidate_rate;
}

/* Not its turn: the copy is served, and a later request looks again. */
static bool
deferred(const struct tx *tx)
{
    if (!invalidated(tx) || pace_ready(pace_of(tx), rate_of(tx), tx->now_ns))
        return false;
    counter_add(COUNTER_REFRESH_DEFERRED, 1);
    return true;
}

static bool
take_turn(struct tx *tx)
{
    return !invalidated(tx) || pace_take(pace_of(tx), rate_of(tx), tx->now_ns);
}

/* Whether a fill that ended between our lookup and now has stored something:
 * it was in the store before it left the table of flights, so who leads looks
 * once more. */
static bool
stored_since(struct tx *tx)
{
    bool others;
    struct object *now = search_find(tx->worker->engine, &tx->key, &tx->plain,
                                     tx->request->fields, &others);

    if (now == NULL)
        now = tx_part_find(tx);
    return now != NULL && now != tx->object && tx->relooks++ < RELOOKS_MAX;
}

/* Another worker's fill has begun since we looked, on a path whose answers are
 * private: nobody waits for it, as if it had been seen. */
static bool
overtaken(struct tx *tx, enum flight_role role)
{
    return role == FLIGHT_JOINED && tx->plan.verdict != PLAN_JOIN &&
           !tx->plan.strict && tx->object == NULL &&
           crowd_scatters(tx->worker->engine->parts.store, &tx->plain,
                          tx->now_ns) &&
           tx->relooks++ < RELOOKS_MAX;
}

/* Those who seek a peer's stale copy have been to the origin: they must not
 * join a fill that is on its way there, and nobody else should join theirs. */
static struct hash128
shared_key(const struct tx *tx)
{
    struct hash128 key = tx_flight_key(tx);

    if (tx->plan.take_stale)
        key.hi = ~key.hi;
    return key;
}

/* False, and nothing begun, when the verdict no longer fits what is stored. */
static bool
forward_shared(struct tx *tx)
{
    struct flight_table *flights = tx->worker->engine->flights;
    struct outgoing out;
    enum flight_role role;

    outgoing_init(tx, &out, true);
    if (nobody_to_ask(tx, &out)) {
        outgoing_fini(&out);
        return false;
    }
    if (tx->plan.conditional)
        out.spec.base = tx->object;
    out.spec.prefix = tx_part_prefix(tx);
    struct flight *flight =
        tx->plan.strict
            ? flight_join_strict(flights, tx_flight_key(tx), make_fill,
                                 &out.spec, &role)
            : flight_join(flights, shared_key(tx), make_fill, &out.spec, &role);

    outgoing_fini(&out);
    if (role == FLIGHT_LEAD && !tx->plan.strict && stored_since(tx)) {
        fill_forgo(fill_of(flight));
        flight_unref(&flight);
        return false;
    }
    if (overtaken(tx, role)) {
        flight_unref(&flight);
        return false;
    }
    tx_hold_object(tx);
    if (role == FLIGHT_LEAD && invalidated(tx))
        pace_count(pace_of(tx), rate_of(tx), tx->now_ns);
    follow(tx, fill_of(flight), role);
    return true;
}

/* A key that nobody else has: those of what is stored are hashes under a seed
 * that nobody outside knows, and these are counted. */
static struct hash128
lone_key(struct tx *tx)
{
    return (struct hash128){.lo = ++tx->worker->lone,
                            .hi = (uint64_t)(uintptr_t)tx->worker};
}

static void
on_interim(void *client, unsigned status, const struct fields *fields)
{
    struct tx *tx = client;

    if (!tx->replied && tx->request->minor > 0)
        tx->ops->interim(tx->client, status, fields);
}

static void
on_room(void *client)
{
    struct tx *tx = client;

    tx->ops->writable(tx->client);
}

static bool
forward_alone(struct tx *tx)
{
    struct outgoing out;
    enum flight_role role;

    outgoing_init(tx, &out, false);
    if (nobody_to_ask(tx, &out)) {
        outgoing_fini(&out);
        return false;
    }
    if (tx->plan.conditional)
        out.spec.base = tx->object;
    /* A body on HEAD means nothing, and libcurl does not send one. */
    out.spec.has_body = tx->request->has_body && !tx->ask.head;
    out.spec.body_len = tx->request->body_len;
    struct flight *flight = flight_join(
        tx->worker->engine->flights, lone_key(tx), make_fill, &out.spec, &role);

    outgoing_fini(&out);
    tx_hold_object(tx);
    follow(tx, fill_of(flight), role);
    return true;
}

static void
lead_fill(struct tx *tx)
{
    if (!tx->leads)
        return;
    tx->lead = (struct fill_client){on_interim, on_room, tx};
    fill_lead(tx->fill, &tx->lead);
}

void
tx_forward(struct tx *tx)
{
    struct span pseudonym = span_of(tx->use->snapshot->conf->node);
    bool shared = tx->plan.verdict != PLAN_PASS && !tx->tried.join;

    if (forward_is_loop(tx->request->fields, pseudonym)) {
        tx_fail(tx, 508,
                "this request has come through this node before: an origin "
                "group leads back here");
        return;
    }
    if (shared ? forward_shared(tx) : forward_alone(tx))
        lead_fill(tx);
    else
        tx_decide(tx);
}

void
tx_refresh(struct tx *tx)
{
    struct flight_table *flights = tx->worker->engine->flights;
    struct outgoing out;
    enum flight_role role;

    if (deferred(tx) || forward_is_loop(tx->request->fields,
                                        span_of(tx->use->snapshot->conf->node)))
        return;
    outgoing_init(tx, &out, true);
    out.spec.strict = false;
    if (tx->found.validator)
        out.spec.base = tx->object;
    struct flight *flight =
        flight_join(flights, tx_flight_key(tx), make_fill, &out.spec, &role);

    outgoing_fini(&out);
    if (role == FLIGHT_LEAD && (stored_since(tx) || !take_turn(tx)))
        fill_forgo(fill_of(flight));
    else if (role == FLIGHT_LEAD)
        fill_start(fill_of(flight));
    flight_unref(&flight);
}

bool
tx_resume(struct tx *tx)
{
    struct span etag = fields_get(pack_fields(tx->fill->fields), SPAN("ETag"));
    struct outgoing out;
    enum flight_role role;

    if (!etag_is_strong(etag) || tx->fill->status == 206)
        return false;
    tx->plan.verdict = PLAN_ORIGIN; /* whoever gave the beginning */
    outgoing_init(tx, &out, true);
    out.spec.shared = false;
    out.spec.store = false;
    out.spec.strict = false;
    out.spec.ranged = false;
    out.spec.resume_at = tx->body_pos;
    out.spec.resume_etag = etag;
    struct flight *flight = flight_join(
        tx->worker->engine->flights, lone_key(tx), make_fill, &out.spec, &role);

    outgoing_fini(&out);
    tx_drop_fill(tx);
    follow(tx, fill_of(flight), role);
    lead_fill(tx);
    tx->waits = TX_WAITS_RESUME;
    return true;
}

void
tx_drop_fill(struct tx *tx)
{
    if (tx->fill == NULL)
        return;
    flight_unwait(&tx->fill->flight, &tx->waiter);
    if (tx->leads) {
        fill_lead(tx->fill, NULL);
        fill_word(tx->fill, 0);
    }
    tx->leads = false;
    fill_leave(&tx->fill);
}
