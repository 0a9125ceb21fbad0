/*
 * Where the answer to a request is looked for. That is its own key, and, on
 * routes that honour No-Vary-Search, the search key by the latest that is known
 * of its path: there is what other queries have brought (http/key.h).
 */
#include "cluster/inval.h"
#include "engine_internal.h"
#include "query_hints_internal.h"
#include "store/store.h"

bool
search_key(struct engine *engine, const struct policy *policy,
           const struct key *plain, struct buf *scratch, struct key *out)
{
    char text[NO_VARY_SEARCH_MAX];
    struct span variance;

    *out = *plain;
    if (!policy->route->key.no_vary_search ||
        !query_hints_find(engine->hints, key_path_hash(plain), text, &variance))
        return false;
    if (key_build_search(plain, variance, scratch, out))
        return true;
    *out = *plain;
    return false;
}

bool
search_barred(struct engine *engine, const struct key *key)
{
    struct inval_subject subject = {.host = key->host, .path = key->path_query};

    return inval_barred(engine->parts.inval, &subject);
}

/* Of two that would do, what the origin said last. */
struct object *
search_find(struct engine *engine, const struct key *key,
            const struct key *plain, const struct fields *request, bool *others)
{
    struct store *store = engine->parts.store;
    struct object *object = store_find(store, key, request, others);
    bool more;

    if (key->text.ptr == plain->text.ptr)
        return object;
    struct object *own = store_find(store, plain, request, &more);

    if (others != NULL)
        *others |= more;
    if (object == NULL || own == NULL)
        return object != NULL ? object : own;
    return own->sent_ns > object->sent_ns ? own : object;
}
