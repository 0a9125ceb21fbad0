/*
 * Before an unsafe method goes to the origin: whether what it invalidates can
 * be published, and what is on the disk of that, so that it is published
 * whatever happens (cluster/intent.h).
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/intent.h"
#include "cluster/lease.h"
#include "cluster/stream.h"
#include "tx_internal.h"

struct tx_intending {
    struct worker *worker;
    struct tx *tx; /* NULL: it has left */
};

/* On every level but ap the client is told nothing that others do not hear of:
 * what cannot be published is not begun. */
static bool
refused(struct tx *tx)
{
    struct streams *streams = tx->worker->engine->parts.streams;

    if (tx->needs == 0 || streams == NULL || !streams_configured(streams) ||
        leases_reachable(streams_leases(streams),
                         tx->use->snapshot->purge_sites, clock_boot_ns()))
        return false;
    tx->tried.origin = false;
    tx_fail(tx, 503,
            "not forwarded: no Redis can be reached in which the invalidation "
            "that this causes may stand, and this route is not `ap`");
    return true;
}

static bool
intends(const struct tx *tx)
{
    const struct streams *streams = tx->worker->engine->parts.streams;

    return streams != NULL && intent_possible(streams) &&
           (tx->needs != 0 || tx->policy->route->write_wait != CONF_WAIT_NONE);
}

static void
go_on(struct tx *tx)
{
    tx_proceed(tx);
    if (tx->body_over && tx->fill != NULL && tx->fill->has_body)
        fill_upload_end(tx->fill);
    else if (tx->request->has_body)
        tx->ops->writable(tx->client);
}

static void
on_recorded(void *arg, enum err err, uint64_t id)
{
    struct tx_intending *intending = arg;
    struct tx *tx = intending->tx;
    struct streams *streams = intending->worker->engine->parts.streams;

    intending->worker->purges--;
    free(intending);
    if (tx == NULL) {
        if (err == ERR_OK)
            intent_over(streams, id, INTENT_VOID, 0);
        return;
    }
    tx->intending = NULL;
    tx->waits = TX_WAITS_NOT;
    if (err == ERR_OK) {
        tx->intent = id;
        go_on(tx);
        return;
    }
    tx_fail(tx, 503,
            err == ERR_LIMIT
                ? "not forwarded: the outbox of this node is full"
                : "not forwarded: what this invalidates cannot be written to "
                  "the outbox of this node (see its log)");
}

bool
tx_write_begin(struct tx *tx)
{
    struct purge purge;
    char why[128];

    if (!tx->invalidates)
        return false;
    if (refused(tx))
        return true;
    if (!intends(tx))
        return false;
    tx_purge_of(tx, &tx->target, true, &purge);
    bool valid = purge_valid(&purge, why, sizeof(why));

    if (valid) {
        tx->intending = mem_zalloc(sizeof(*tx->intending));
        *tx->intending = (struct tx_intending){tx->worker, tx};
        tx->waits = TX_WAITS_INTENT;
        tx->worker->purges++;
        intent_record(tx->worker->engine->parts.streams, &purge,
                      tx->worker->loop, on_recorded, tx->intending);
    }
    free(purge.host);
    free(purge.value);
    return valid;
}

void
tx_write_end(struct tx *tx)
{
    if (tx->intending != NULL)
        tx->intending->tx = NULL;
    tx->intending = NULL;
    if (tx->intent != 0)
        intent_over(tx->worker->engine->parts.streams, tx->intent, INTENT_VOID,
                    0);
    tx->intent = 0;
}
