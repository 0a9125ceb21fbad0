/*
 * The answer to a POST that is one to a later GET (RFC 9110 section 9.3.3): it
 * says so by a Content-Location that is its own URL, and how long it is fresh.
 *
 * First it invalidates, as every unsafe request does; only then may it be
 * stored, since what it replaces is older and it must not be purged by its own
 * invalidation. Its position is the number of that. Between the sending and
 * that number nothing else that matches it may have come: until right before
 * the invalidation is submitted the tables say so; from there on every number
 * must be one of our own. Otherwise somebody else's invalidation may hide
 * behind ours, and it is not stored.
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

/* The number up to which nothing has come that matches the response; 0:
 * something has. */
static uint64_t
valid_until(struct tx *tx)
{
    struct inval *inval = tx->worker->engine->parts.inval;
    const struct fill *fill = tx->fill;
    /* Before the check, which may see what comes during it. */
    uint64_t seq = inval_seq(inval);
    struct inval_subject subject = fill_subject(fill);
    enum validity validity = inval_check(inval, &subject, fill->position);

    return validity == VALIDITY_VALID ? seq : 0;
}

void
tx_post_begin(struct tx *tx)
{
    struct fill *fill = tx->fill;

    tx->post_seq = 0;
    if (fill != NULL && fill->outcome == FILL_RESPONSE &&
        fill->word == FILL_WORD_AWAITED && fill->keeps)
        tx->post_seq = valid_until(tx);
}

void
tx_post_end(struct tx *tx, unsigned own)
{
    uint64_t seq = inval_seq(tx->worker->engine->parts.inval);
    bool only_ours = tx->post_seq != 0 && own > 0 && seq == tx->post_seq + own;

    if (tx->fill != NULL)
        fill_word(tx->fill, only_ours ? seq : 0);
}
