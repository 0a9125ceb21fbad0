/* What is stored for a request, and how far it counts. */
#include "base/clock.h"
#include "base/counter.h"
#include "cluster/inval.h"
#include "crowd_internal.h"
#include "shelf_internal.h"
#include "store/store.h"
#include "tx_internal.h"

enum validity
tx_validity(struct tx *tx, struct object *object)
{
    struct inval *inval = tx->worker->engine->parts.inval;
    /* Read before the check: what comes during it is not counted as checked. */
    uint64_t seq = inval_seq(inval);

    if (atomic_load_explicit(&object->checked, memory_order_relaxed) == seq)
        return VALIDITY_VALID;
    struct inval_subject subject = {
        .host = object->key.host,
        .path = object->key.path_query,
        .tags = object->tags,
        .tag_count = object->tag_count,
    };
    enum validity validity =
        inval_check(inval, &subject, object_checked(object));

    if (validity == VALIDITY_VALID)
        atomic_store_explicit(&object->checked, seq, memory_order_relaxed);
    return validity;
}

static bool
fits_language(const struct object *object, const struct fields *request)
{
    return vary_match_language(object->vary, request,
                               pack_fields(object->fields));
}

/* A variant that another language preference has brought, in the language that
 * this one likes best ("language_select"). Only one that answers as it is: the
 * origin would be asked for this request's own. */
static struct object *
find_by_language(struct tx *tx)
{
    if (!tx->policy->route->language_select || !tx->other_variants ||
        tx->needs != 0 || tx->ask.source != PLAN_CLIENT || tx->ask.no_cache ||
        !tx->ask.readable)
        return NULL;
    struct object *object =
        store_find_by(tx->worker->engine->parts.store, &tx->key, fits_language,
                      tx->request->fields);

    if (object == NULL || tx_validity(tx, object) != VALIDITY_VALID)
        return NULL;
    uint64_t age_s =
        caching_age_s(&object->caching, object->received_ns, tx->now_ns);

    return caching_freshness(&object->caching, age_s, &tx->cc) ==
                   FRESHNESS_FRESH
               ? object
               : NULL;
}

static void
judge_object(struct tx *tx, struct object *object)
{
    struct found_ask ask = {
        .policy = tx->policy,
        .cc = &tx->cc,
        .validity = tx_validity(tx, object),
        .now_ns = tx->now_ns,
        .on_error = tx->tried.origin,
    };

    found_of_object(&tx->found, object, &ask);
    tx_level_judge(tx, object);
}

void
tx_find(struct tx *tx)
{
    struct engine *engine = tx->worker->engine;
    struct store *store = engine->parts.store;

    tx_drop_object(tx);
    tx->found = (struct plan_found){0};
    /* The first look comes right after the head was read. */
    tx->now_ns = tx->now_ns == 0 ? tx->request->arrived_ns : clock_boot_ns();
    if (tx->policy->route->key.no_vary_search)
        (void)search_key(engine, tx->policy, &tx->plain, &tx->search_text,
                         &tx->key);
    struct object *object = search_find(
        engine, &tx->key, &tx->plain, tx->request->fields, &tx->other_variants);

    tx->part.forwards = false;
    tx->part.beside = false;
    if (object == NULL)
        object = find_by_language(tx);
    if (object == NULL)
        object = tx_part_find(tx);
    /* There was no room for it in the store. */
    if (object == NULL)
        object = tx->shelf.object;
    if (object != NULL) {
        tx->object = object;
        judge_object(tx, object);
        if (tx->found.freshness == FRESHNESS_FRESH &&
            tx->found.validity == VALIDITY_VALID)
            shelf_hit(engine->parts.shelf, object);
        if (tx->found.validity == VALIDITY_HARD && store_remove(store, object))
            counter_add(COUNTER_STORE_PURGE, 1);
        /* What cannot be shared is not waited for. */
        tx->tried.join |= !caching_reusable(&object->caching);
        /* A copy that cannot answer alone: the table of flights has locks. */
        if (tx->found.freshness == FRESHNESS_STALE ||
            tx->found.validity != VALIDITY_VALID)
            tx->found.fill = flight_running(engine->flights, tx_flight_key(tx));
        return;
    }
    tx->found.uncacheable = store_uncacheable(store, tx->key.hash, tx->now_ns);
    tx->found.fill = flight_running(engine->flights, tx_flight_key(tx));
    /* Nobody waits for what is not going to be shared. */
    if (tx->found.fill && !tx->found.uncacheable)
        tx->found.uncacheable = crowd_scatters(store, &tx->plain, tx->now_ns);
}
