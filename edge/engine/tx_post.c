/*
 * The answer to a POST that is one to a later GET (RFC 9110 section 9.3.3): it
 * says so by a Content-Location that is its own URL, and how long it is fresh.
 *
 * First it invalidates, as every unsafe request does; only then may it be
 * stored, since what it replaces is older and it must not be purged by its own
 * invalidation. Its position is a number behind that; that nobody else's hides
 * behind it, between the sending and there, is seen to by inval_own_*.
 */
#include "cluster/inval.h"
#include "http/forward.h"
#include "tx_internal.h"

/* Whether the request has nothing, but its body, that a GET would not have. */
static bool
asks_as_get(const struct tx *tx, const struct policy *policy)
{
    const struct forward_context context = {
        .passing = policy->passing.list,
        .passing_count = policy->passing.count,
    };

    return !forward_has_unkeyed(tx->request->fields, &context);
}

bool
tx_post_may_store(const struct tx *tx, const struct policy *get,
                  const struct key *key)
{
    return span_eq(tx->request->method, SPAN("POST")) && get != NULL &&
           !tx->policy->plan.pass && !get->plan.pass &&
           span_eq(tx->target.path_query, key->path_query) &&
           asks_as_get(tx, tx->policy) && asks_as_get(tx, get);
}

void
tx_post_begin(struct tx *tx)
{
    const struct fill *fill = tx->fill;

    tx->post.stores = false;
    if (fill == NULL || fill->outcome != FILL_RESPONSE ||
        fill->word != FILL_WORD_AWAITED || !fill->keeps)
        return;
    struct inval_subject subject = fill_subject(fill);

    tx->post.stores = inval_own_begin(tx->worker->engine->parts.inval, &subject,
                                      fill->position, &tx->post.own);
}

void
tx_post_end(struct tx *tx, unsigned own)
{
    struct fill *fill = tx->fill;
    uint64_t position = 0;

    if (fill == NULL)
        return;
    struct inval_subject subject = fill_subject(fill);

    if (tx->post.stores && own > 0)
        position = inval_own_end(tx->worker->engine->parts.inval, &subject,
                                 fill->position, &tx->post.own, own);
    fill_word(fill, position);
}
