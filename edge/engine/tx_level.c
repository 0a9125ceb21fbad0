/*
 * What a request needs beyond freshness: the level of its route, or more when
 * it asks for that; how this node stands to it; and what the answer says.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/lease.h"
#include "cluster/session.h"
#include "cluster/stream.h"
#include "http/date.h"
#include "tx_internal.h"

/* How often a request that waits for our position looks. */
#define LOOK_MS 5

struct tx_session {
    struct session session; /* the request's */
    struct position seen;   /* ours, read before the lookup */
    struct timer *timer;    /* while it waits */
    uint64_t until_ns;
    struct buf field; /* of the answer */
};

static const struct {
    struct span name;
    unsigned needs;
} levels[] = {
    {{"ap", 2}, 0},
    {{"bounded", 7}, PLAN_NEEDS_BOUND},
    {{"session", 7}, PLAN_NEEDS_SESSION},
    {{"lease", 5}, PLAN_NEEDS_LEASE},
    {{"cp", 2}, PLAN_NEEDS_STRICT},
};

unsigned
level_needs(enum conf_consistency level)
{
    CHECK((unsigned)level < ARRAY_LEN(levels));
    return levels[level].needs;
}

static struct span
session_key(const struct tx *tx)
{
    const struct engine *engine = tx->worker->engine;

    return (struct span){(const char *)engine->session_key,
                         sizeof(engine->session_key)};
}

/* ---- what is asked for ---- */

/* False, and answered, when the field asks for what is no level. */
static bool
take_level_field(struct tx *tx)
{
    struct span asked = fields_get(tx->request->fields, SPAN(TX_LEVEL_FIELD));

    if (asked.ptr == NULL || !tx->policy->route->tighten)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (!span_eq(span_trim(asked), levels[i].name))
            continue;
        tx->ask.needs = levels[i].needs;
        return true;
    }
    tx_fail(tx, 400,
            "Atlas-Consistency asks for a level that is none: ap, bounded, "
            "session, lease or cp");
    return false;
}

bool
tx_level_ask(struct tx *tx)
{
    if (!take_level_field(tx))
        return false;
    tx->needs = tx->policy->plan.needs | tx->ask.needs;
    if (tx->needs & (PLAN_NEEDS_BOUND | PLAN_NEEDS_LEASE)) {
        tx->tried.peers = true;
        tx->tried.peers_stale = true;
    }
    if (!(tx->needs & PLAN_NEEDS_SESSION))
        return true;
    struct span text = fields_get(tx->request->fields, SPAN(SESSION_FIELD));

    tx->session = mem_zalloc(sizeof(*tx->session));
    /* One that is not ours says nothing: the session begins here. */
    session_parse(text.ptr != NULL ? span_trim(text) : SPAN(""),
                  session_key(tx), &tx->session->session);
    return true;
}

/* ---- how we stand to it ---- */

uint64_t
level_leased(const struct engine *engine, const struct policy *policy,
             uint64_t now_ns)
{
    if (policy->writers == 0)
        return now_ns;
    return leases_confirmed_ns(streams_leases(engine->parts.streams),
                               policy->writers, now_ns);
}

void
tx_level_look(struct tx *tx)
{
    struct engine_parts *parts = &tx->worker->engine->parts;
    struct tx_session *s = tx->session;

    if (tx->needs & PLAN_NEEDS_LEASE) {
        tx->confirmed_ns =
            level_leased(tx->worker->engine, tx->policy, clock_boot_ns());
        tx->ask.leased = tx->confirmed_ns != 0;
    }
    if (s == NULL)
        return;
    s->seen = inval_snapshot(parts->inval)->position;
    tx->ask.covered =
        !s->session.kept && position_covers(&s->seen, &s->session.position);
}

/* Names a response, by its validator: 0 without one. */
static uint64_t
read_of(const struct tx *tx, const struct fields *fields)
{
    struct span tag = fields_get(fields, SPAN("ETag"));

    if (tag.ptr == NULL || tag.len == 0)
        return 0;
    return hash_bytes(tag, hash_bytes(tx->key.text, 0).lo).lo;
}

static int64_t
date_of(const struct fields *fields)
{
    int64_t date = 0;

    if (!date_parse(fields_get(fields, SPAN("Date")), clock_wall_ms() / 1000,
                    &date))
        return 0;
    return date;
}

static bool
behind(const struct tx *tx, const struct fields *fields)
{
    return session_behind(&tx->session->session, date_of(fields),
                          read_of(tx, fields));
}

void
tx_level_judge(struct tx *tx, const struct object *object)
{
    uint64_t now = clock_boot_ns();

    if (tx->needs & PLAN_NEEDS_BOUND)
        tx->found.within_bound =
            now - object->sent_ns <= tx->policy->max_staleness_ns;
    if (tx->session != NULL)
        tx->found.behind_session = behind(tx, pack_fields(object->fields));
}

/* Whether what others asked for is recent enough for us. */
bool
tx_level_joinable(const struct tx *tx)
{
    const struct fill *fill = tx->fill;

    if ((tx->needs & PLAN_NEEDS_BOUND) &&
        tx->request->arrived_ns > fill->sent_ns + tx->policy->max_staleness_ns)
        return false;
    return tx->session == NULL || fill->fields == NULL ||
           !behind(tx, pack_fields(fill->fields));
}

/* ---- waiting ---- */

static void
on_look(void *arg)
{
    struct tx *tx = arg;
    struct tx_session *s = tx->session;

    TAG_CHECK(tx, TX_TAG);
    tx_level_look(tx);
    if (!tx->ask.covered && clock_boot_ns() < s->until_ns) {
        timer_start(s->timer, LOOK_MS);
        return;
    }
    timer_free(&s->timer);
    tx->waits = TX_WAITS_NOT;
    tx->tried.waited = true;
    tx_decide(tx);
}

void
tx_level_wait(struct tx *tx)
{
    struct tx_session *s = tx->session;
    uint64_t wait_ms = tx->policy->route->session_wait_ms;

    /* What is in an outbox comes when it comes. */
    s->until_ns = clock_boot_ns() + (s->session.kept ? 0 : wait_ms) * NS_PER_MS;
    s->timer = timer_new(tx->worker->loop, on_look, tx);
    tx->waits = TX_WAITS_SESSION;
    timer_start(s->timer, 0);
}

void
tx_level_free(struct tx *tx)
{
    if (tx->session == NULL)
        return;
    timer_free(&tx->session->timer);
    buf_fini(&tx->session->field);
    free(tx->session);
    tx->session = NULL;
}

/* ---- what the answer says ---- */

void
tx_level_published(struct tx *tx, const struct purge_result *result)
{
    struct position position = {0};

    if (tx->session == NULL)
        return;
    if (result->outcome == PURGE_PUBLISHED)
        position_set(&position, span_of(result->site), result->epoch,
                     result->term, result->n);
    else if (result->outcome != PURGE_ALONE)
        tx->session->session.kept = true;
    session_merge(&tx->session->session, &position);
}

void
tx_level_add_session(struct tx *tx, struct fields *fields)
{
    struct tx_session *s = tx->session;

    if (s == NULL)
        return;
    session_merge(&s->session, &s->seen);
    session_read(&s->session, date_of(fields), read_of(tx, fields));
    buf_clear(&s->field);
    session_write(&s->session, session_key(tx), &s->field);
    fields_remove(fields, SPAN(SESSION_FIELD));
    fields_add(fields, SPAN(SESSION_FIELD), buf_span(&s->field));
}

/* Since the oldest of the leases was asked for. */
unsigned
tx_level_confirmed_s(const struct tx *tx)
{
    uint64_t ns = tx->now_ns > tx->confirmed_ns && tx->confirmed_ns > 0
                      ? tx->now_ns - tx->confirmed_ns
                      : 0;

    return (unsigned)(ns / NS_PER_S);
}

/* What was met, and how long ago, in whole seconds, the origin was asked for
 * what is answered. */
void
tx_level_add(struct tx *tx, uint64_t validated_s, struct fields *fields,
             struct buf *text)
{
    unsigned strictest = 0;

    if (tx->policy == NULL || tx->ask.source != PLAN_CLIENT)
        return;
    tx_level_add_session(tx, fields);
    if (tx->hint != NULL)
        fields_add(fields, SPAN("Atlas-Invalidation"), span_of(tx->hint));
    if (tx->needs == 0 && !tx->policy->route->tighten)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        if (tx->needs & levels[i].needs)
            strictest = i;
    }
    buf_clear(text);
    buf_add_span(text, levels[strictest].name);
    buf_printf(text, ";validated=%llu", (unsigned long long)validated_s);
    if (tx->ask.leased && tx->policy->writers != 0)
        buf_printf(text, ";confirmed=%u", tx_level_confirmed_s(tx));
    fields_remove(fields, SPAN(TX_LEVEL_FIELD));
    fields_add(fields, SPAN(TX_LEVEL_FIELD), buf_span(text));
}
