/*
 * Requests for one range where nothing is stored whole, on routes that store
 * parts ("partial": "store"): which stored part answers, what is asked of the
 * origin, and who shares the answer. And the part that a request for the whole
 * can begin with.
 */
#include "base/clock.h"
#include "cluster/inval.h"
#include "store/store.h"
#include "tx_internal.h"

/* A part is copied into the body that it becomes the beginning of, on the
 * worker: not more than this. */
#define PREFIX_MAX ((uint64_t)4 * 1024 * 1024)

/* Whether parts may answer this request, or make up its answer. Never on cp
 * routes, nor for another node; nor where the answer may be under another key
 * than its own (No-Vary-Search). */
static bool
may_use_parts(const struct tx *tx)
{
    const struct conf_route *route = tx->policy->route;

    return route->partial == CONF_PARTIAL_STORE && !route->pass &&
           tx->needs == 0 && tx->ask.source == PLAN_CLIENT &&
           !route->key.no_vary_search &&
           span_eq(tx->request->method, SPAN("GET"));
}

void
tx_part_init(struct tx *tx)
{
    tx->part.usable = may_use_parts(tx);
    tx->part.asked = tx->part.usable &&
                     range_parse_single(tx->request->fields, &tx->part.spec);
}

bool
tx_part_passes(const struct tx *tx)
{
    return tx->policy->route->partial == CONF_PARTIAL_PASS &&
           tx->ask.source == PLAN_CLIENT &&
           span_eq(tx->request->method, SPAN("GET")) &&
           fields_has(tx->request->fields, SPAN("Range"));
}

struct object *
tx_part_find(struct tx *tx)
{
    const struct fields *request = tx->request->fields;
    struct object *parts[STORE_PARTS_MAX];
    struct object *best = NULL;
    struct range range;

    tx->part.forwards = tx->part.asked;
    if (!tx->part.asked)
        return NULL;
    size_t count =
        store_parts(tx->worker->engine->parts.store, &tx->key, request, parts);

    for (size_t i = 0; i < count; i++) {
        if (range_in_part(&tx->part.spec, parts[i]->part, &range) &&
            range_if_range_holds(request, pack_fields(parts[i]->fields)) &&
            (best == NULL || parts[i]->sent_ns > best->sent_ns))
            best = parts[i];
    }
    tx->part.beside = count > 0 && best == NULL;
    if (best != NULL)
        store_hit(best);
    return best;
}

struct hash128
tx_flight_key(const struct tx *tx)
{
    struct {
        struct hash128 key;
        uint64_t first;
        uint64_t last;
        uint64_t suffix;
    } text = {tx->key.hash, tx->part.spec.first, tx->part.spec.last,
              tx->part.spec.suffix};

    if (!tx->part.forwards)
        return tx->key.hash;
    return hash_bytes((struct span){(const char *)&text, sizeof(text)},
                      hash_seed());
}

const struct range_spec *
tx_part_range(const struct tx *tx)
{
    bool asks_origin = tx->plan.verdict == PLAN_ORIGIN ||
                       tx->plan.verdict == PLAN_REVALIDATE ||
                       tx->plan.verdict == PLAN_JOIN ||
                       tx->plan.verdict == PLAN_HIT_STALE;

    return tx->part.forwards && asks_origin ? &tx->part.spec : NULL;
}

/* Whether the whole can be made out of it and the rest, which is asked for
 * under its entity tag. */
static bool
is_prefix(struct tx *tx, struct object *object)
{
    const struct range_part *part = object->part;
    const struct conf *conf = tx->use->snapshot->conf;
    struct inval_subject subject = {
        .host = object->key.host,
        .path = object->key.path_query,
        .tags = object->tags,
        .tag_count = object->tag_count,
    };

    return part->first == 0 && part->exact && object->caching.etag_strong &&
           part->complete != RANGE_UNKNOWN && part->length < part->complete &&
           part->length <= PREFIX_MAX &&
           part->complete <= conf->max_object_bytes &&
           inval_check(tx->worker->engine->parts.inval, &subject,
                       object_checked(object)) == VALIDITY_VALID;
}

struct object *
tx_part_prefix(struct tx *tx)
{
    struct object *parts[STORE_PARTS_MAX];
    struct object *best = NULL;

    if (!tx->part.usable || tx->part.forwards || tx->object != NULL ||
        tx->plan.verdict != PLAN_ORIGIN || tx->plan.strict)
        return NULL;
    size_t count = store_parts(tx->worker->engine->parts.store, &tx->key,
                               tx->request->fields, parts);

    for (size_t i = 0; i < count; i++) {
        if (is_prefix(tx, parts[i]) &&
            (best == NULL || parts[i]->length > best->length))
            best = parts[i];
    }
    tx->part.beside = best != NULL;
    return best;
}

bool
tx_part_answers(const struct tx *tx, unsigned status,
                const struct fields *fields)
{
    return status != 206 || tx->plan.verdict == PLAN_PASS ||
           range_if_range_holds(tx->request->fields, fields);
}
