/* fetch/fetch.h: requests to the origin, which is here, and to other nodes. */
#include "fetch/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"
#include "node_internal.h"
#include "web_internal.h"

struct fetch_pool {
    struct loop *loop;
    int place;
    struct list_link fetches;
};

struct fetch {
    struct list_link link;
    unsigned refs;           /* the caller's, and those of messages */
    struct fetch_pool *pool; /* NULL: it is over, or given up */
    const struct fetch_ops *ops;
    void *ctx;
    int to;
    struct buf method, target;
    struct pack *fields;
    bool has_body;
    struct buf body;
    uint64_t connect_ns, first_byte_ns;
    struct event *next; /* the next step, or the deadline */
    struct web_response *response;
    bool head_given;
};

/* ---- memory ---- */

static void
fetch_unref(struct fetch *fetch)
{
    if (--fetch->refs > 0)
        return;
    web_response_free(fetch->response);
    buf_fini(&fetch->method);
    buf_fini(&fetch->target);
    buf_fini(&fetch->body);
    pack_unref(&fetch->fields);
    free(fetch);
}

static void
give_up(struct fetch *fetch)
{
    event_cancel(&fetch->next);
    list_remove(&fetch->link);
    fetch->pool = NULL;
    fetch_unref(fetch);
}

/* The last callback; the fetch may be gone. */
static void
finish(struct fetch *fetch, enum err err, const char *error, const char *detail)
{
    struct fetch_result result = {.err = err,
                                  .proxy_error = error,
                                  .detail = detail,
                                  .connected = err != ERR_REFUSED,
                                  .head_seen = fetch->head_given,
                                  .body_bytes = 0};

    fetch->refs++;
    event_cancel(&fetch->next);
    fetch->ops->on_done(fetch->ctx, &result);
    if (fetch->pool != NULL)
        give_up(fetch);
    fetch_unref(fetch);
}

/* ---- the answer ---- */

static void
take_response(void *arg)
{
    struct fetch *fetch = arg;
    struct web_response *response = fetch->response;
    bool no_body = response->status == 204 || response->status == 304;
    struct fetch_head head = {.status = response->status,
                              .minor = 1,
                              .fields = &response->fields,
                              .content_length = (int64_t)response->body.len,
                              .no_body = no_body};

    fetch->next = NULL;
    fetch->refs++;
    if (!fetch->head_given) {
        fetch->head_given = true;
        fetch->ops->on_head(fetch->ctx, &head);
    }
    if (fetch->pool != NULL && !no_body && response->body.len > 0) {
        enum err err = fetch->ops->on_body(fetch->ctx, response->body.data,
                                           response->body.len);

        if (err == ERR_AGAIN) {
            fetch_unref(fetch); /* until fetch_resume_recv */
            return;
        }
        if (err != ERR_OK && fetch->pool != NULL) {
            finish(fetch, err, "proxy_internal_error", "refused");
            fetch_unref(fetch);
            return;
        }
    }
    if (fetch->pool != NULL)
        finish(fetch, ERR_OK, NULL, "");
    fetch_unref(fetch);
}

/* A request that is on its way, or its answer. */
struct trip {
    struct fetch *fetch;
    int from, to;
    struct web_response *response;
};

static void
trip_free(void *arg)
{
    struct trip *trip = arg;

    web_response_free(trip->response);
    fetch_unref(trip->fetch);
    free(trip);
}

static void
on_returned(void *arg)
{
    struct trip *trip = arg;
    struct fetch *fetch = trip->fetch;

    if (fetch->pool != NULL && fetch->response == NULL &&
        net_up(trip->to, trip->from)) {
        event_cancel(&fetch->next);
        if (trip->response == NULL) {
            finish(fetch, ERR_RESET, "connection_terminated",
                   "the server closed the connection without an answer");
        } else {
            fetch->response = trip->response;
            trip->response = NULL;
            fetch->next = event_in(US, fetch->pool->loop, take_response, fetch);
        }
    }
    trip_free(trip);
}

static void
go_back(struct trip *trip)
{
    struct fetch *fetch = trip->fetch;

    if (fetch->pool == NULL) {
        trip_free(trip);
        return;
    }
    event_message(sim_now() + net_latency(trip->to, trip->from),
                  fetch->pool->loop, on_returned, trip_free, trip);
}

/* ---- at the other end ---- */

static void
on_executed(void *arg)
{
    struct trip *trip = arg;
    struct fetch *fetch = trip->fetch;

    if (!origin_up()) {
        go_back(trip);
        return;
    }
    trip->response =
        origin_answer(buf_span(&fetch->method), buf_span(&fetch->target),
                      pack_fields(fetch->fields), buf_span(&fetch->body));
    go_back(trip);
}

static void
on_served(void *arg, const struct exchange_answer *answer)
{
    struct trip *trip = arg;

    if (answer->status != 0)
        trip->response =
            web_response_new(answer->status, answer->fields, answer->body);
    go_back(trip);
}

static void
serve(void *arg)
{
    struct trip *trip = arg;
    struct node *node = node_here((unsigned)(trip->to - PLACE_NODE));
    struct fetch *fetch = trip->fetch;

    if (node == NULL) {
        go_back(trip);
        return;
    }
    exchange_start(node, (unsigned)chance_below(WORKERS),
                   buf_span(&fetch->method), buf_span(&fetch->target),
                   pack_fields(fetch->fields), SPAN(""), on_served, trip);
}

/* It may be at a write when nobody waits for it any more. */
static uint64_t
origin_delay(const struct fetch *fetch)
{
    if (fetch->has_body && chance_one_in(3))
        return chance_below(2500 * MS);
    return chance_delay(100 * US, chance_one_in(20) ? 600 * MS : 3 * MS);
}

static void
on_arrived(void *arg)
{
    struct trip *trip = arg;

    if (!net_up(trip->from, trip->to)) {
        trip_free(trip);
        return;
    }
    if (trip->to == PLACE_ORIGIN) {
        event_message(sim_now() + origin_delay(trip->fetch), NULL, on_executed,
                      trip_free, trip);
        return;
    }
    struct node *node = nodes[trip->to - PLACE_NODE];

    if (node == NULL)
        go_back(trip);
    else
        event_message(sim_now(), node->worker_loops[chance_below(WORKERS)],
                      serve, trip_free, trip);
}

/* ---- on its way ---- */

static void
on_late(void *arg)
{
    struct fetch *fetch = arg;

    fetch->next = NULL;
    finish(fetch, ERR_TIMEOUT, "http_response_timeout",
           "no complete response head in time");
}

static void
on_not_connected(void *arg)
{
    struct fetch *fetch = arg;

    fetch->next = NULL;
    finish(fetch, ERR_REFUSED, "connection_timeout", "no connection in time");
}

static void
send_request(struct fetch *fetch)
{
    struct trip *trip = mem_zalloc(sizeof(*trip));

    trip->fetch = fetch;
    trip->from = fetch->pool->place;
    trip->to = fetch->to;
    fetch->refs++;
    event_message(sim_now() + net_latency(trip->from, trip->to), NULL,
                  on_arrived, trip_free, trip);
    fetch->next =
        event_in(fetch->first_byte_ns, fetch->pool->loop, on_late, fetch);
}

/* False: more comes later. */
static bool
read_upload(struct fetch *fetch)
{
    char text[512];
    size_t len = 0;
    enum err err;

    while ((err = fetch->ops->on_read(fetch->ctx, text, sizeof(text), &len)) ==
           ERR_OK)
        buf_add(&fetch->body, text, len);
    return err == ERR_END;
}

static void
on_upload(void *arg)
{
    struct fetch *fetch = arg;

    fetch->next = NULL;
    fetch->refs++;
    if (read_upload(fetch) && fetch->pool != NULL)
        send_request(fetch);
    fetch_unref(fetch);
}

static bool
there(int place)
{
    return place == PLACE_ORIGIN ? origin_up()
                                 : nodes[place - PLACE_NODE] != NULL;
}

static void
on_connected(void *arg)
{
    struct fetch *fetch = arg;
    int from = fetch->pool->place;

    fetch->next = NULL;
    if (loop_machine(fetch->pool->loop)->dead || !there(fetch->to)) {
        finish(fetch, ERR_REFUSED, "connection_refused", "connection refused");
        return;
    }
    if (!net_up(from, fetch->to) || !net_up(fetch->to, from)) {
        fetch->next = event_in(fetch->connect_ns, fetch->pool->loop,
                               on_not_connected, fetch);
        return;
    }
    if (fetch->has_body)
        on_upload(fetch);
    else
        send_request(fetch);
}

/* ---- the interface ---- */

struct fetch_pool *
fetch_pool_new(struct loop *loop, const struct fetch_options *options)
{
    struct fetch_pool *pool = mem_zalloc(sizeof(*pool));

    (void)options;
    pool->loop = loop;
    pool->place = sim_machine()->place;
    list_init(&pool->fetches);
    return pool;
}

void
fetch_pool_free(struct fetch_pool **pool)
{
    struct fetch_pool *p = *pool;

    *pool = NULL;
    if (p == NULL)
        return;
    while (!list_empty(&p->fetches))
        give_up(list_first(&p->fetches, struct fetch, link));
    free(p);
}

size_t
fetch_pool_active(const struct fetch_pool *pool)
{
    return !list_empty(&pool->fetches);
}

/* "http://origin:80", or "http://a1:80". */
static int
place_of(struct span url)
{
    struct span host = span_sub(url, strlen("http://"), url.len);

    if (span_starts(host, SPAN("origin")))
        return PLACE_ORIGIN;
    unsigned a_site = node_count / site_count;

    return PLACE_NODE + (host.ptr[0] - 'a') * (int)a_site + (host.ptr[1] - '1');
}

struct fetch *
fetch_start(struct fetch_pool *pool, const struct fetch_request *request,
            const struct fetch_ops *ops, void *ctx)
{
    struct fetch *fetch = mem_zalloc(sizeof(*fetch));

    fetch->refs = 1;
    fetch->pool = pool;
    fetch->ops = ops;
    fetch->ctx = ctx;
    fetch->to = place_of(request->url_base);
    buf_add_span(&fetch->method, request->method);
    buf_add_span(&fetch->target, request->target);
    fetch->fields = pack_new(request->fields);
    fetch->has_body = request->has_body;
    fetch->connect_ns =
        (request->connect_timeout_ms > 0 ? request->connect_timeout_ms
                                         : 10000) *
        MS;
    fetch->first_byte_ns =
        (request->first_byte_timeout_ms > 0 ? request->first_byte_timeout_ms
                                            : 60000) *
        MS;
    list_push_back(&pool->fetches, &fetch->link);
    fetch->next =
        event_in(chance_one_in(4) ? net_latency(pool->place, fetch->to) +
                                        net_latency(fetch->to, pool->place)
                                  : US,
                 pool->loop, on_connected, fetch);
    return fetch;
}

void
fetch_cancel(struct fetch **fetch)
{
    struct fetch *f = *fetch;

    *fetch = NULL;
    if (f != NULL && f->pool != NULL)
        give_up(f);
}

void
fetch_resume_recv(struct fetch *fetch)
{
    if (fetch->pool != NULL && fetch->response != NULL && fetch->next == NULL)
        fetch->next = event_in(US, fetch->pool->loop, take_response, fetch);
}

void
fetch_resume_send(struct fetch *fetch)
{
    if (fetch->pool != NULL && fetch->has_body && fetch->next == NULL &&
        fetch->response == NULL)
        fetch->next = event_in(US, fetch->pool->loop, on_upload, fetch);
}
