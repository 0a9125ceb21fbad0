/* The steps of a transaction, but for forwarding and answers. */
#include "engine/tx.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/mem.h"
#include "base/watcher.h"
#include "cluster/inval.h"
#include "http/conditional.h"
#include "http/method.h"
#include "http/proxy_status.h"
#include "report/access.h"
#include "tx_internal.h"

/* How often one request joins anew, because of invalidations, before it asks
 * for itself. */
#define REJOINS_MAX 3

/* ---- memory ---- */

static struct tx *
tx_alloc(struct worker *worker)
{
    struct tx *tx = worker->tx_free;
    struct buf key_text = {0};
    struct buf search_text = {0};

    if (tx != NULL) {
        worker->tx_free = tx->next;
        key_text = tx->key_text;
        search_text = tx->search_text;
    } else {
        tx = mem_alloc(sizeof(*tx));
    }
    memset(tx, 0, sizeof(*tx));
    tx->key_text = key_text;
    tx->search_text = search_text;
    tx->worker = worker;
    TAG_SET(tx, TX_TAG);
    return tx;
}

static void
tx_free(struct tx *tx)
{
    TAG_CLEAR(tx);
    buf_fini(&tx->position);
    tx->next = tx->worker->tx_free;
    tx->worker->tx_free = tx;
}

void
tx_pool_free(struct worker *worker)
{
    while (worker->tx_free != NULL) {
        struct tx *tx = worker->tx_free;

        worker->tx_free = tx->next;
        buf_fini(&tx->key_text);
        buf_fini(&tx->search_text);
        free(tx);
    }
}

void
tx_hold_object(struct tx *tx)
{
    if (tx->object == NULL || tx->object_held)
        return;
    tx->object_held = object_try_ref(tx->object);
    if (!tx->object_held)
        tx->object = NULL;
}

void
tx_drop_object(struct tx *tx)
{
    if (tx->object_held)
        object_unref(&tx->object);
    tx->object = NULL;
    tx->object_held = false;
}

/* ---- the verdict ---- */

void
tx_decide(struct tx *tx)
{
    tx_level_look(tx);
    tx_find(tx);
    if (tx_shelf(tx))
        return;
    if (tx->object == NULL)
        tx->tried.private_ |= tx_part_passes(tx);
    tx->plan = plan_decide(&tx->ask, &tx->policy->plan, &tx->found, &tx->tried);
    switch (tx->plan.verdict) {
    case PLAN_HIT_STALE:
        if (tx->plan.refresh)
            tx_refresh(tx);
        tx->cache = "stale";
        counter_add(COUNTER_REQ_HIT_STALE, 1);
        tx_deliver_object(tx, tx->object);
        break;
    case PLAN_HIT:
        tx->cache = "hit";
        counter_add(COUNTER_REQ_HIT, 1);
        tx_deliver_object(tx, tx->object);
        break;
    case PLAN_REVALIDATE:
    case PLAN_JOIN:
    case PLAN_PEER:
    case PLAN_ORIGIN:
    case PLAN_PASS:
        tx_forward(tx);
        break;
    case PLAN_WAIT:
        tx_level_wait(tx);
        break;
    case PLAN_FAIL:
        tx_fail_planned(tx);
        break;
    case PLAN_VERDICTS:
        CHECK(!"no verdict");
    }
}

static void
ask_of(struct tx *tx)
{
    const struct tx_request *request = tx->request;
    struct plan_request *ask = &tx->ask;

    ask->head = span_eq(request->method, SPAN("HEAD"));
    ask->readable = ask->head || span_eq(request->method, SPAN("GET"));
    cache_control_request(request->fields, &tx->cc);
    ask->only_if_cached = tx->cc.only_if_cached;
    ask->no_cache = tx->cc.no_cache;
    /* Only the origin can judge some conditions, and only it knows what a body
     * on a GET may mean: these are nobody else's answers. */
    ask->origin_only =
        request->has_body || conditional_needs_origin(request->fields);
    /* An answer that cannot be shared must not be what others wait for. */
    if (ask->readable && (tx->cc.no_store ||
                          fields_has(request->fields, SPAN("Authorization")))) {
        tx->tried.join = true;
        tx->tried.peers = true;
    }
    /* Also where the route caches nothing: another one, that of a GET, may
     * hold a copy (RFC 9111 section 4.4). */
    tx->invalidates = !method_safe(request->method);
    /* Nobody to ask: one node alone, or a verdict that never asks peers. */
    if (tx->worker->engine->parts.peers == NULL) {
        tx->tried.peers = true;
        tx->tried.peers_stale = true;
    }
}

static void
begin(struct tx *tx)
{
    const struct tx_request *request = tx->request;
    struct span host = fields_get(request->fields, SPAN("Host"));

    if (request->refuse_status != 0) {
        counter_add(COUNTER_REQUESTS_BAD, 1);
        tx_fail(tx, request->refuse_status, request->refuse_why);
        return;
    }
    const char *why = target_parse(request->target, request->method, host,
                                   SPAN("http"), &tx->target);

    if (why != NULL) {
        counter_add(COUNTER_REQUESTS_BAD, 1);
        tx_fail(tx, request->target.len > TARGET_MAX_LEN ? 414 : 400, why);
        return;
    }
    tx->policy = snapshot_find(tx->use->snapshot, tx->target.host,
                               tx->target.path, request->method);
    if (fields_has(request->fields, SPAN(AUTH_FIELD)) && tx_peer(tx))
        return;
    if (tx->policy == NULL) {
        tx_fail(tx, 404, "no route matches this host, path and method");
        return;
    }
    if (tx_hops(tx))
        return;
    key_build(&tx->policy->key, &tx->target, request->fields, &tx->key_text,
              &tx->plain);
    tx->key = tx->plain;
    if (span_eq(request->method, SPAN("PURGE"))) {
        tx_purge(tx);
        return;
    }
    ask_of(tx);
    if (tx_level_ask(tx) && !tx_write_begin(tx))
        tx_proceed(tx);
}

void
tx_proceed(struct tx *tx)
{
    tx_part_init(tx);
    tx_decide(tx);
}

struct tx *
tx_start(struct worker *worker, const struct tx_request *request,
         const struct tx_ops *ops, void *client)
{
    struct tx *tx = tx_alloc(worker);

    tx->request = request;
    tx->ops = ops;
    tx->client = client;
    tx->use = snapshot_use_ref(worker->use);
    tx->cache = "error";
    tx->body_left = UINT64_MAX;
    begin(tx);
    return tx;
}

/* ---- waiting ---- */

static void tx_on_fill(struct tx *tx);
static void tx_on_resumed(struct tx *tx);

static void
tx_wake(void *arg)
{
    struct tx *tx = arg;

    TAG_CHECK(tx, TX_TAG);
    switch (tx->waits) {
    case TX_WAITS_FILL:
        tx_on_fill(tx);
        break;
    case TX_WAITS_RESUME:
        tx_on_resumed(tx);
        break;
    case TX_WAITS_BODY:
        tx->waits = TX_WAITS_NOT;
        tx->ops->readable(tx->client);
        break;
    case TX_WAITS_NOT:
    case TX_WAITS_PURGE:
    case TX_WAITS_SESSION:
    case TX_WAITS_INTENT:
    case TX_WAITS_SHELF:
        break;
    }
}

struct watcher *
tx_watcher(struct tx *tx)
{
    if (tx->watcher == NULL)
        tx->watcher = watcher_new(tx->worker->loop, tx_wake, tx);
    return tx->watcher;
}

/* ---- what came of a fill ---- */

static void
note_failure(struct tx *tx)
{
    const struct fill *fill = tx->fill;

    tx->error = fill->error;
    tx->proxy_error = fill->proxy_error;
    snprintf(tx->detail, sizeof(tx->detail), "%s", fill->detail);
    (void)span_put(tx->upstream, sizeof(tx->upstream), 0,
                   span_of(fill->upstream_name));
}

/* A response that was asked for before we came does not count for who wants a
 * validation, nor for anybody once it is not fresh any more. */
static bool
too_old_to_join(const struct tx *tx, const struct caching *caching)
{
    const struct fill *fill = tx->fill;

    if (tx->plan.strict)
        return !fill->strict || (tx->needs != 0 && !fill->cp);
    if (!tx_level_joinable(tx))
        return true;
    if (fill->peer_is_stale && !tx->plan.take_stale)
        return true;
    if (tx->request->arrived_ns <= fill->received_ns)
        return false;
    uint64_t age_s = caching_age_s(caching, fill->received_ns, clock_boot_ns());

    return caching_freshness(caching, age_s, &tx->cc) != FRESHNESS_FRESH;
}

/* What we joined was asked for before an invalidation. Nobody may join it any
 * more; all who came for it share the one that is asked for next. */
static void
join_next(struct tx *tx)
{
    flight_close(&tx->fill->flight);
    tx->tried.join = ++tx->rejoins > REJOINS_MAX;
}

/* Whether a response that others led, or a peer's, can answer this request. */
static bool
usable_joined(struct tx *tx)
{
    struct fill *fill = tx->fill;

    if (tx->leads && fill->from_peer && !tx_level_joinable(tx)) {
        tx->tried.peers = true;
        tx->tried.peers_stale = true;
        return false;
    }
    if (tx->leads)
        return true;
    if (!fill->shareable) {
        tx->tried.private_ = fill->is_private;
        tx->tried.join = true;
        return false;
    }
    if (too_old_to_join(tx, &fill->caching)) {
        tx->tried.join = true;
        return false;
    }
    struct inval_subject subject = fill_subject(fill);

    if (inval_check(tx->worker->engine->parts.inval, &subject,
                    fill->answer_position) != VALIDITY_VALID) {
        join_next(tx);
        return false;
    }
    tx->tried.join = !fill_search_answers(fill, &fill->stored, &tx->plain) ||
                     !vary_match(fill->vary, tx->request->fields);
    return !tx->tried.join;
}

/* An error of the origin, while a stale copy may stand in for it (RFC 5861
 * section 4). */
static bool
stale_if_error(struct tx *tx)
{
    unsigned status = tx->fill->status;
    struct object *object = tx->object;

    /* Another node gets no stale copy under the name of a hit. */
    if (tx->ask.source != PLAN_CLIENT ||
        (tx->needs & ~(unsigned)PLAN_NEEDS_SESSION) != 0 ||
        (tx->session != NULL && tx->found.behind_session) || object == NULL ||
        (status != 500 && status != 502 && status != 503 && status != 504))
        return false;
    /* A purge may have come since the verdict. */
    if (tx_validity(tx, object) == VALIDITY_HARD)
        return false;
    tx->now_ns = clock_boot_ns();
    uint64_t age_s =
        caching_age_s(&object->caching, object->received_ns, tx->now_ns);

    return caching_stale_if_error(&object->caching, age_s, &tx->cc);
}

/* What came is of no use: another verdict, by what was noted of it. */
static void
look_again(struct tx *tx)
{
    tx_drop_fill(tx);
    tx_decide(tx);
}

static void
take_response(struct tx *tx)
{
    struct fill *fill = tx->fill;
    struct range_spec range;

    if (!usable_joined(tx)) {
        look_again(tx);
        return;
    }
    if (stale_if_error(tx)) {
        tx->cache = "stale";
        counter_add(COUNTER_REQ_HIT_STALE, 1);
        tx_deliver_object(tx, tx->object);
        return;
    }
    /* A range of what is not kept: let the origin cut it. A part that is not of
     * what If-Range means: let the origin say what is. */
    if ((tx->plan.verdict != PLAN_PASS && !fill->keeps && !fill->ranged &&
         fill->status == 200 && blob_state(fill->body) == ERR_AGAIN &&
         range_parse_single(tx->request->fields, &range)) ||
        !tx_part_answers(tx, fill->status, pack_fields(fill->fields))) {
        tx->tried.private_ = true;
        look_again(tx);
        return;
    }
    tx_deliver_fill(tx);
}

static void
take_update(struct tx *tx)
{
    struct fill *fill = tx->fill;
    bool mine =
        tx->leads ||
        (fill->shareable && !too_old_to_join(tx, &fill->object->caching) &&
         fill_search_answers(fill, &fill->object->key, &tx->plain) &&
         vary_match(fill->object->vary, tx->request->fields));
    bool valid = tx->leads || tx_validity(tx, fill->object) == VALIDITY_VALID;

    if (!tx_part_answers(tx, fill->object->status,
                         pack_fields(fill->object->fields))) {
        tx->tried.private_ = true;
        look_again(tx);
        return;
    }
    if (!mine || !valid) {
        if (mine)
            join_next(tx);
        else
            tx->tried.join = true;
        look_again(tx);
        return;
    }
    tx->cache = "revalidated";
    counter_add(COUNTER_REQ_REVALIDATED, 1);
    tx->now_ns = clock_boot_ns();
    tx_deliver_object(tx, fill->object);
}

static void
take_failure(struct tx *tx)
{
    note_failure(tx);
    if (tx->fill->never_sent)
        tx->invalidates = false;
    if (tx->fill->peer_count > 0) {
        tx->tried.peers = true;
        tx->tried.peers_stale |= tx->fill->peer_stale;
    } else if (tx->fill->error == ERR_CANCELLED && !tx->leads &&
               !tx->tried.join) {
        /* Given up by those who led it, not by the origin. */
        tx->tried.join = true;
    } else {
        tx->tried.origin = true;
    }
    tx_drop_fill(tx);
    if (tx->tried.origin && tx->invalidates) {
        tx_settle(tx);
        return;
    }
    tx_decide(tx);
}

static void
tx_on_fill(struct tx *tx)
{
    enum flight_state state = flight_state(&tx->fill->flight);

    if (state == FLIGHT_WAITING || state == FLIGHT_SENT)
        return;
    tx->waits = TX_WAITS_NOT;
    switch (tx->fill->outcome) {
    case FILL_RESPONSE:
        if (tx->invalidates)
            tx_settle(tx);
        else
            take_response(tx);
        break;
    case FILL_UPDATED:
        take_update(tx);
        break;
    case FILL_NO_PEER:
        if (tx->fill->peer_stale)
            tx->tried.peers_stale = true;
        tx->tried.peers = true;
        look_again(tx);
        break;
    case FILL_FAILED:
        take_failure(tx);
        break;
    case FILL_PENDING:
        CHECK(!"a fill that ended without an outcome");
    }
}

static void
tx_on_resumed(struct tx *tx)
{
    struct fill *fill = tx->fill;
    enum flight_state state = flight_state(&fill->flight);

    if (state == FLIGHT_WAITING || state == FLIGHT_SENT)
        return;
    tx->waits = TX_WAITS_NOT;
    if (fill->outcome == FILL_RESPONSE) {
        tx->reader = blob_reader_new(fill->body, 0, tx_watcher(tx));
        tx->broken = tx->reader ? ERR_OK : ERR_LOST;
    } else {
        note_failure(tx);
        tx->broken = ERR_LOST;
    }
    tx->ops->readable(tx->client);
}

/* ---- the bodies ---- */

enum err
tx_read(struct tx *tx, void *buffer, size_t max, size_t *len)
{
    TAG_CHECK(tx, TX_TAG);
    *len = 0;
    if (tx->broken != ERR_OK)
        return tx->broken;
    *len = tx_preface_read(tx, buffer, max);
    if (*len > 0)
        return ERR_OK;
    if (tx->body_left == 0)
        return ERR_END;
    if (tx->waits == TX_WAITS_RESUME)
        return ERR_AGAIN;
    if (max > tx->body_left)
        max = (size_t)tx->body_left;
    enum err err = tx->ranges != NULL ? tx_range_read(tx, buffer, max, len)
                                      : blob_read(tx->reader, buffer, max, len);

    if (err == ERR_OK) {
        tx->body_pos += *len;
        if (tx->body_left != UINT64_MAX)
            tx->body_left -= *len;
    } else if (err == ERR_AGAIN) {
        tx->waits = TX_WAITS_BODY;
    } else if (err == ERR_LOST) {
        blob_reader_free(&tx->reader);
        if (tx->ranges == NULL && tx_resume(tx))
            return ERR_AGAIN;
        tx->broken = ERR_LOST;
    } else if (err != ERR_END) {
        tx->broken = err;
        tx->error = err;
        if (tx->fill != NULL && tx->fill->proxy_error != NULL)
            tx->proxy_error = tx->fill->proxy_error;
    }
    return err;
}

enum err
tx_upload(struct tx *tx, const void *data, size_t len, size_t *taken)
{
    TAG_CHECK(tx, TX_TAG);
    if (tx->waits == TX_WAITS_INTENT) {
        *taken = 0;
        return ERR_AGAIN;
    }
    if (tx->replied || tx->fill == NULL || !tx->fill->has_body) {
        *taken = len;
        return ERR_END;
    }
    return fill_upload(tx->fill, data, len, taken);
}

void
tx_upload_end(struct tx *tx)
{
    TAG_CHECK(tx, TX_TAG);
    tx->body_over = true;
    if (tx->fill != NULL && tx->fill->has_body)
        fill_upload_end(tx->fill);
}

void
tx_refuse(struct tx *tx, unsigned status, const char *why)
{
    TAG_CHECK(tx, TX_TAG);
    if (tx->replied ||
        (tx->waits != TX_WAITS_FILL && tx->waits != TX_WAITS_INTENT))
        return;
    tx->waits = TX_WAITS_NOT;
    /* The origin has some of it: who knows what it does with that. */
    if (tx->invalidates && tx->fill != NULL)
        tx_settle_alone(tx);
    tx_write_end(tx);
    tx_drop_fill(tx);
    counter_add(COUNTER_REQUESTS_BAD, 1);
    tx_fail(tx, status, why);
}

/* ---- the end ---- */

static void
count_time(uint64_t us)
{
    static const struct {
        uint64_t below_us;
        enum counter counter;
    } rows[] = {
        {1000, COUNTER_TIME_1MS},     {10000, COUNTER_TIME_10MS},
        {100000, COUNTER_TIME_100MS}, {1000000, COUNTER_TIME_1S},
        {10000000, COUNTER_TIME_10S}, {UINT64_MAX, COUNTER_TIME_INF},
    };
    size_t i = 0;

    while (us > rows[i].below_us)
        i++;
    counter_add(rows[i].counter, 1);
    counter_add(COUNTER_TIME_SUM_US, us);
}

static void
write_log(struct tx *tx, const struct tx_end *end)
{
    uint64_t now = clock_boot_ns();
    uint64_t us = (now - tx->request->arrived_ns) / 1000;

    /* Pings and digests are many, and nobody's requests. */
    if (tx->claims.node[0] != '\0' && tx->ask.source == PLAN_CLIENT)
        return;
    count_time(us);
    counter_add(COUNTER_CLIENT_BYTES_OUT, end->body_bytes);
    if (tx->worker->lines == NULL)
        return;
    struct access_record record = {
        .client = tx->request->client,
        .method = tx->request->method,
        .host = tx->target.host,
        .target = tx->request->target,
        .status = tx->status,
        .body_bytes = end->body_bytes,
        .duration_us = us,
        .first_byte_us =
            tx->replied ? (tx->replied_ns - tx->request->arrived_ns) / 1000 : 0,
        .cache = tx->cache,
        .why = cache_fwd_name(tx_fwd(tx)),
        .route = tx->policy ? tx->policy->route->name : "",
        .upstream = tx->upstream,
        .error = tx->proxy_error ? tx->proxy_error : "",
        .complete = end->complete,
    };

    access_write(tx->worker->lines, &record);
}

void
tx_end(struct tx **tx, const struct tx_end *end)
{
    struct tx *t = *tx;

    TAG_CHECK(t, TX_TAG);
    *tx = NULL;
    write_log(t, end);
    if (t->invalidates && t->fill != NULL)
        tx_settle_alone(t);
    tx_write_end(t);
    tx_purge_forget(t);
    tx_level_free(t);
    tx_preface_free(t);
    tx_range_free(t);
    object_unref(&t->reading);
    blob_reader_free(&t->reader);
    tx_drop_fill(t);
    tx_drop_object(t);
    tx_shelf_forget(t);
    watcher_close(&t->watcher);
    snapshot_use_unref(&t->use);
    tx_free(t);
}
