/*
 * The pool, and the life of a fetch:
 *
 *   start --> PENDING (cannot be sent) ---------------------------> DONE
 *     |--> a kept connection --> RUNNING --whole, failed, broken--> DONE
 *     `--> WAITING --turn--> DIALING --connected--> RUNNING
 *             `--a connection came free------------> RUNNING
 *   RUNNING --a kept connection broke unanswered--> DIALING, once
 *
 * on_done is called from DONE alone, and a fetch is DONE only from the loop.
 * A cancelled one calls nothing; the loop takes it away.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fetch_internal.h"

#define MAX_CONNECTIONS 4096
/* The fields that go to clients, and tags, which may be many. */
#define HEAD_BYTES ((size_t)(16 + 64) * 1024 + 2048)
#define HEAD_FIELDS_MAX 200
/* Buffers of records that are not used stay below this. */
#define KEEP_BYTES ((size_t)4096)

static void on_deadline(void *arg);
static void begin_attempt(struct fetch *fetch);

/* ---- records, which are used again ---- */

static struct fetch *
slot_new(struct fetch_pool *pool)
{
    struct fetch *fetch = mem_zalloc(sizeof(*fetch));

    TAG_SET(fetch, FETCH_TAG);
    fetch->pool = pool;
    fetch->timer = timer_new(pool->loop, on_deadline, fetch);
    list_init(&fetch->work_link);
    list_init(&fetch->wait_link);
    return fetch;
}

static void
slot_free(struct fetch *fetch)
{
    list_remove(&fetch->link);
    timer_free(&fetch->timer);
    head_fini(&fetch->head);
    buf_fini(&fetch->head_out);
    buf_fini(&fetch->out);
    buf_fini(&fetch->in);
    TAG_CLEAR(fetch);
    free(fetch);
}

static struct fetch *
slot_take(struct fetch_pool *pool)
{
    struct fetch *fetch;

    if (list_empty(&pool->idle)) {
        fetch = slot_new(pool);
    } else {
        fetch = list_first(&pool->idle, struct fetch, link);
        list_remove(&fetch->link);
        pool->idle_count--;
    }
    CHECK(fetch->state == FETCH_IDLE);
    list_push_back(&pool->running, &fetch->link);
    pool->active++;
    return fetch;
}

static void
shrink(struct buf *buf)
{
    if (buf->cap > KEEP_BYTES)
        buf_fini(buf);
    else
        buf_clear(buf);
}

/* The connection, or the one being made, is of no use to others. */
static void
drop_connection(struct fetch *fetch)
{
    list_remove(&fetch->wait_link);
    dial_free(&fetch->dial);
    channel_close(&fetch->channel);
}

static void
slot_give(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;

    drop_connection(fetch);
    upstream_unref(&fetch->upstream);
    timer_stop(fetch->timer);
    shrink(&fetch->head_out);
    shrink(&fetch->out);
    shrink(&fetch->in);
    list_remove(&fetch->work_link);
    list_remove(&fetch->link);
    fetch->state = FETCH_IDLE;
    list_push_front(&pool->idle, &fetch->link);
    pool->active--;
    pool->idle_count++;
    if (pool->idle_count > FETCH_IDLE_MAX)
        slot_free(list_last(&pool->idle, struct fetch, link));
}

/* ---- deadlines ---- */

static uint64_t
now_ms(const struct fetch *fetch)
{
    return uv_now(loop_uv(fetch->pool->loop));
}

/* Only notes the time: the timer, when it fires, looks how late it is. */
void
fetch_progress(struct fetch *fetch)
{
    fetch->active_at = now_ms(fetch);
}

/* The network, and no callback of ours, is what it waits for. */
static bool
clock_runs(const struct fetch *fetch)
{
    return fetch->state == FETCH_RUNNING && !fetch->recv_paused &&
           (!fetch->send_paused || fetch->upload_over);
}

/* When time is up as things stand now; UINT64_MAX: never. libcurl itself
 * limits how long it connects; TLS comes after that. */
static uint64_t
deadline(const struct fetch *fetch)
{
    uint64_t at = UINT64_MAX;
    uint64_t by = UINT64_MAX;
    uint64_t quiet_ms =
        fetch->head_seen ? fetch->idle_ms : fetch->first_byte_ms;

    if (fetch->total_ms > 0)
        at = fetch->started_at + fetch->total_ms;
    if (fetch->state == FETCH_DIALING && fetch->channel != NULL)
        by = fetch->channel->connecting ? fetch->known_by : fetch->connect_by;
    else if (quiet_ms > 0 && clock_runs(fetch))
        by = fetch->active_at + quiet_ms;
    return by < at ? by : at;
}

/* A timer that fires too early costs less than one that is set anew for each
 * head: it is moved only when it must fire sooner, or does not run. */
void
fetch_arm(struct fetch *fetch)
{
    uint64_t at = deadline(fetch);
    uint64_t now = now_ms(fetch);

    if (at == UINT64_MAX)
        return;
    if (timer_running(fetch->timer) && fetch->armed_at <= at)
        return;
    fetch->armed_at = at;
    timer_start(fetch->timer, at > now ? at - now : 0);
}

/* ---- the end ---- */

static void
finish(struct fetch *fetch)
{
    struct fetch_result result = fetch->failure;

    CHECK(fetch->state != FETCH_DONE && fetch->state != FETCH_IDLE);
    timer_stop(fetch->timer);
    /* Somebody else may live there by now. */
    if (fetch->state == FETCH_DIALING)
        fetch->upstream->address_len = 0;
    if (fetch->channel != NULL && !fetch->failed && fetch->keep_alive &&
        fetch->sent) {
        struct channel *channel = fetch->channel;

        fetch->channel = NULL;
        if (channel->tls != NULL)
            tls_keep_session(channel->tls);
        upstream_give(channel);
    }
    drop_connection(fetch);
    fetch->state = FETCH_DONE;
    result.connected = fetch->connected;
    result.head_seen = fetch->head_seen;
    result.reused = fetch->reused;
    result.body_bytes = fetch->body_bytes;
    if (!fetch->cancelled)
        fetch->ops->on_done(fetch->ctx, &result);
    slot_give(fetch);
}

static bool
total_over(const struct fetch *fetch, uint64_t now)
{
    return fetch->total_ms > 0 && now - fetch->started_at >= fetch->total_ms;
}

static void
fail_late(struct fetch *fetch, uint64_t now)
{
    if (total_over(fetch, now))
        fetch_fail(
            fetch, ERR_TIMEOUT,
            fetch->connected ? "http_response_timeout" : "connection_timeout",
            "not done within %llu ms", (unsigned long long)fetch->total_ms);
    else if (fetch->state == FETCH_DIALING)
        fetch_fail(fetch, ERR_TIMEOUT, "connection_timeout",
                   fetch->upstream->tls ? "no TLS connection in time"
                                        : "no connection in time");
    else if (fetch->head_seen)
        fetch_fail(fetch, ERR_TIMEOUT, "http_response_timeout",
                   "no byte of the body for %llu ms",
                   (unsigned long long)fetch->idle_ms);
    else
        fetch_fail(fetch, ERR_TIMEOUT, "http_response_timeout",
                   "no complete response head within %llu ms",
                   (unsigned long long)fetch->first_byte_ms);
}

static void
on_deadline(void *arg)
{
    struct fetch *fetch = arg;
    uint64_t now = now_ms(fetch);

    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        return;
    if (deadline(fetch) > now) {
        fetch_arm(fetch); /* or never: paused */
        return;
    }
    if (fetch->channel != NULL && fetch->channel->connecting &&
        now < fetch->connect_by && !total_over(fetch, now)) {
        channel_close(&fetch->channel);
        dial_again(fetch);
        return;
    }
    fail_late(fetch, now);
    finish(fetch);
}

/* The connection ended too early. A kept one may have been closing when the
 * request went out: what may be sent twice is, on a new one. */
static void
on_broken(struct fetch *fetch)
{
    bool again = fetch->reused && !fetch->fresh && !fetch->answered &&
                 fetch->idempotent && fetch->body_sent == 0;

    if (again) {
        channel_close(&fetch->channel);
        fetch->fresh = true;
        begin_attempt(fetch);
        return;
    }
    if (fetch->reused && !fetch->answered)
        fetch_fail(fetch, ERR_RESET, "connection_terminated",
                   "the server closed a kept connection without an answer, "
                   "and the request may not be sent twice");
    else if (!fetch->answered)
        fetch_fail(fetch, ERR_RESET, "connection_terminated",
                   "the server closed the connection without an answer");
    else
        fetch_fail(fetch, ERR_RESET, "http_response_incomplete",
                   fetch->head_seen ? "the response body was cut off"
                                    : "the response head was cut off");
    finish(fetch);
}

static void
settle(struct fetch *fetch, enum fetch_io io)
{
    switch (io) {
    case FETCH_IO_WAIT:
    case FETCH_IO_GONE:
        break;
    case FETCH_IO_WHOLE:
    case FETCH_IO_FAILED:
        finish(fetch);
        break;
    case FETCH_IO_BROKEN:
        on_broken(fetch);
        break;
    }
}

/* Polling stops by itself after an error of the socket: begun anew, or it was
 * for good. */
static void
poll_again(struct fetch *fetch)
{
    if (fetch->channel->events == 0 && !fetch->recv_paused)
        channel_poll(fetch->channel, UV_READABLE);
}

void
fetch_ready(struct fetch *fetch, int events)
{
    enum fetch_io io = FETCH_IO_WAIT;

    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        return;
    /* What has come first: it may make sending pointless. */
    if ((events & UV_READABLE) != 0 && !fetch->recv_paused)
        io = fetch_receive(fetch);
    if (io == FETCH_IO_WAIT && (events & UV_WRITABLE) != 0)
        io = fetch_send(fetch, true);
    if (io == FETCH_IO_WAIT)
        poll_again(fetch);
    settle(fetch, io);
}

/* ---- an attempt ---- */

void
fetch_use(struct fetch *fetch, struct channel *channel)
{
    fetch->state = FETCH_RUNNING;
    fetch->channel = channel;
    channel->fetch = fetch;
    fetch->connected = true;
    fetch_progress(fetch);
    fetch_arm(fetch);
    fetch_send(fetch, false);
    if (!fetch->sent && !fetch->send_paused)
        fetch_put_to_work(fetch);
}

void
fetch_connected(struct fetch *fetch)
{
    if (fetch->cancelled)
        return;
    uv_update_time(loop_uv(fetch->pool->loop));
    if (channel_news(fetch->channel) != CHANNEL_BYTES) {
        fetch_use(fetch, fetch->channel);
        return;
    }
    fetch->connected = true;
    fetch_fail(fetch, ERR_PROTOCOL, "http_protocol_error",
               "the server sent bytes before it was asked");
    finish(fetch);
}

void
fetch_not_connected(struct fetch *fetch)
{
    if (!fetch->cancelled)
        finish(fetch);
}

static void
begin_attempt(struct fetch *fetch)
{
    struct channel *channel =
        fetch->fresh ? NULL : upstream_take(fetch->upstream);

    head_reset(&fetch->head);
    buf_clear(&fetch->in);
    buf_clear(&fetch->out);
    fetch->head_pos = fetch->out_pos = 0;
    fetch->recv_paused = false; /* on_read may have paused for all attempts */
    fetch->sent = fetch->send_failed = false;
    fetch->upload_over = !fetch->has_body;
    fetch->keep_alive = false;
    fetch->reused = channel != NULL;
    if (channel != NULL)
        fetch_use(fetch, channel);
    else
        upstream_want(fetch);
}

/* ---- what is done from the loop, not from where it was asked for ---- */

void
fetch_put_to_work(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;

    if (!list_empty(&fetch->work_link))
        return;
    list_push_back(&pool->work, &fetch->work_link);
    if (!timer_running(pool->work_timer))
        timer_start(pool->work_timer, 0);
}

static void
resume(struct fetch *fetch)
{
    int events = 0;

    if (fetch->resume_recv) {
        events |= UV_READABLE;
        fetch->recv_paused = false;
    }
    /* The request's head went out at the start; what is left begins here. */
    if (fetch->resume_send || !fetch->send_paused) {
        events |= UV_WRITABLE;
        fetch->send_paused = false;
    }
    fetch->resume_recv = fetch->resume_send = false;
    fetch_progress(fetch);
    fetch_arm(fetch);
    fetch_ready(fetch, events);
}

/* There is no connection: what is taken up again waits for one. */
static void
resume_later(struct fetch *fetch)
{
    if (fetch->resume_send)
        fetch->send_paused = false;
    fetch->resume_recv = fetch->resume_send = false;
}

static void
work_on(struct fetch *fetch)
{
    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        slot_give(fetch);
    else if (fetch->state == FETCH_PENDING)
        finish(fetch);
    else if (fetch->state == FETCH_RUNNING)
        resume(fetch);
    else
        resume_later(fetch);
}

static void
on_work(void *arg)
{
    struct fetch_pool *pool = arg;
    struct list_link batch;

    /* What is asked for meanwhile waits for the loop's next turn. */
    list_init(&batch);
    while (!list_empty(&pool->work)) {
        struct list_link *link = pool->work.next;

        list_remove(link);
        list_push_back(&batch, link);
    }
    while (!list_empty(&batch)) {
        struct fetch *fetch = list_first(&batch, struct fetch, work_link);

        list_remove(&fetch->work_link);
        work_on(fetch);
    }
}

/* ---- the pool ---- */

static void
init_curl(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
}

static void
take_options(struct fetch_pool *pool, const struct fetch_options *options)
{
    if (options != NULL)
        pool->options = *options;
    if (pool->options.max_connections == 0)
        pool->options.max_connections = MAX_CONNECTIONS;
    pool->limits.bytes = pool->options.head_max;
    pool->limits.fields = pool->options.fields_max;
    if (pool->limits.bytes == 0)
        pool->limits.bytes = HEAD_BYTES;
    if (pool->limits.fields == 0)
        pool->limits.fields = HEAD_FIELDS_MAX;
}

struct fetch_pool *
fetch_pool_new(struct loop *loop, const struct fetch_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct fetch_pool *pool = mem_zalloc(sizeof(*pool));

    CHECK(pthread_once(&once, init_curl) == 0);
    take_options(pool, options);
    pool->loop = loop;
    pool->work_timer = timer_new(loop, on_work, pool);
    pool->turn_timer = timer_new(loop, upstream_turn, pool);
    list_init(&pool->upstreams);
    list_init(&pool->idle_channels);
    list_init(&pool->running);
    list_init(&pool->idle);
    list_init(&pool->work);
    pool->received = mem_alloc(FETCH_RECEIVE);
    list_init(&pool->trusts);
    dial_init(pool);
    return pool;
}

void
fetch_pool_free(struct fetch_pool **pool)
{
    struct fetch_pool *p = *pool;

    if (p == NULL)
        return;
    while (!list_empty(&p->running)) {
        struct fetch *fetch = list_first(&p->running, struct fetch, link);

        CHECK(fetch->state != FETCH_DONE); /* not inside a callback */
        slot_give(fetch);
    }
    while (!list_empty(&p->idle))
        slot_free(list_last(&p->idle, struct fetch, link));
    while (!list_empty(&p->idle_channels)) {
        struct channel *channel =
            list_first(&p->idle_channels, struct channel, age);

        channel_close(&channel);
    }
    CHECK(list_empty(&p->upstreams));
    dial_fini(p);
    tls_forget_all(p);
    timer_free(&p->work_timer);
    timer_free(&p->turn_timer);
    buf_fini(&p->scratch);
    free(p->received);
    free(p);
    *pool = NULL;
}

size_t
fetch_pool_active(const struct fetch_pool *pool)
{
    return pool->active;
}

/* ---- one fetch ---- */

static void
take_request(struct fetch *fetch, const struct fetch_request *request)
{
    fetch->idempotent = request->idempotent;
    fetch->has_body = request->has_body && request->body_len != 0;
    fetch->body_len = request->body_len;
    fetch->head_method = span_eq(request->method, SPAN("HEAD"));
    fetch->connect_ms = request->connect_timeout_ms;
    fetch->first_byte_ms = request->first_byte_timeout_ms;
    fetch->idle_ms = request->idle_timeout_ms;
    fetch->total_ms = request->total_timeout_ms;
    fetch->started_at = now_ms(fetch);
    fetch->active_at = fetch->started_at;
}

static void
clear(struct fetch *fetch)
{
    fetch->cancelled = false;
    fetch->resume_recv = fetch->resume_send = false;
    fetch->recv_paused = fetch->send_paused = false;
    fetch->body_sent = 0;
    fetch->fresh = fetch->reused = false;
    fetch->connected = fetch->head_seen = fetch->answered = false;
    fetch->failed = false;
    fetch->body_bytes = 0;
    fetch->detail[0] = '\0';
    fetch->failure = (struct fetch_result){.err = ERR_OK, .detail = ""};
}

struct fetch *
fetch_start(struct fetch_pool *pool, const struct fetch_request *request,
            const struct fetch_ops *ops, void *ctx)
{
    struct fetch *fetch = slot_take(pool);

    clear(fetch);
    fetch->ops = ops;
    fetch->ctx = ctx;
    take_request(fetch, request);
    CHECK(!fetch->has_body || ops->on_read != NULL);
    if (fetch_prepare(fetch, request)) {
        fetch->upstream = upstream_of(pool, request);
        begin_attempt(fetch);
    } else {
        fetch->state = FETCH_PENDING;
        fetch_put_to_work(fetch);
    }
    fetch_arm(fetch);
    return fetch;
}

void
fetch_cancel(struct fetch **fetch)
{
    struct fetch *f = *fetch;

    *fetch = NULL;
    if (f == NULL)
        return;
    TAG_CHECK(f, FETCH_TAG);
    f->cancelled = true;
    if (f->state != FETCH_DONE)
        fetch_put_to_work(f);
}

void
fetch_resume_recv(struct fetch *fetch)
{
    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->resume_recv || fetch->state == FETCH_DONE)
        return;
    fetch->resume_recv = true;
    fetch_put_to_work(fetch);
}

void
fetch_resume_send(struct fetch *fetch)
{
    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->resume_send || fetch->state == FETCH_DONE)
        return;
    fetch->resume_send = true;
    fetch_put_to_work(fetch);
}
