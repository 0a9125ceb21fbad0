#include "cluster/purge_ack.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
same_history(const struct purge_ack_place *place,
             const struct purge_result *result)
{
    return strcmp(place->site, result->site) == 0 &&
           place->epoch == result->epoch && place->term == result->term;
}

void
purge_ack_add(struct purge_ack *ack, const struct purge_result *result)
{
    for (size_t i = 0; i < ack->count; i++) {
        if (!same_history(&ack->places[i], result))
            continue;
        if (ack->places[i].n < result->n)
            ack->places[i].n = result->n;
        return;
    }
    ack->places =
        mem_realloc(ack->places, (ack->count + 1) * sizeof(*ack->places));
    struct purge_ack_place *place = &ack->places[ack->count++];

    *place = (struct purge_ack_place){
        .epoch = result->epoch, .term = result->term, .n = result->n};
    memcpy(place->site, result->site, sizeof(place->site));
}

/* ---- answers ---- */

static void
add_holders(struct purge_ack *ack, const struct purge_wait_result *result)
{
    size_t count = ack->holder_count + result->count;

    if (result->count == 0)
        return;
    ack->holders = mem_realloc(ack->holders, count * sizeof(*ack->holders));
    memcpy(ack->holders + ack->holder_count, result->holders,
           result->count * sizeof(*ack->holders));
    ack->holder_count = count;
}

/* They go from good to bad: acknowledged, deadline, lost. */
static void
on_acknowledged(void *arg, const struct purge_wait_result *result)
{
    struct purge_ack *ack = arg;

    if (result->outcome > ack->worst)
        ack->worst = result->outcome;
    add_holders(ack, result);
    if (--ack->pending == 0)
        ack->fn(ack->arg);
}

void
purge_ack_start(struct purge_ack *ack, struct streams *streams,
                enum purge_wait scope, uint64_t deadline_ms, struct loop *loop,
                purge_ack_fn fn, void *arg)
{
    ack->fn = fn;
    ack->arg = arg;
    ack->worst = PURGE_ACKNOWLEDGED;
    ack->pending = ack->count;
    if (ack->count == 0) {
        fn(arg);
        return;
    }
    for (size_t i = 0; i < ack->count; i++) {
        struct purge_wait_options options = {
            .site = ack->places[i].site,
            .epoch = ack->places[i].epoch,
            .term = ack->places[i].term,
            .n = ack->places[i].n,
            .scope = scope,
            .deadline_ms = deadline_ms,
        };

        purge_wait_start(streams, &options, loop, on_acknowledged, ack);
    }
}

void
purge_ack_fini(struct purge_ack *ack)
{
    free(ack->places);
    free(ack->holders);
    *ack = (struct purge_ack){0};
}
