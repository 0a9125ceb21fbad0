#include "fetch_internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

#define MAX_CONNECTIONS 4096
#define HEAD_BYTES 65536
#define HEAD_FIELDS_MAX 200
/* Where Debian keeps the certificates it trusts. */
#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

static void on_deadline(void *arg);
static void on_work(void *arg);

/* ---- handles, which are used again ---- */

static struct fetch *
slot_new(struct fetch_pool *pool)
{
    struct fetch *fetch = mem_zalloc(sizeof(*fetch));

    TAG_SET(fetch, FETCH_TAG);
    fetch->pool = pool;
    fetch->easy = curl_easy_init();
    CHECK(fetch->easy != NULL);
    fetch->timer = timer_new(pool->loop, on_deadline, fetch);
    list_init(&fetch->work_link);
    list_init(&fetch->opened);
    return fetch;
}

static void
slot_free(struct fetch *fetch)
{
    list_remove(&fetch->link);
    curl_easy_cleanup(fetch->easy);
    timer_free(&fetch->timer);
    head_fini(&fetch->head);
    buf_fini(&fetch->lines);
    free(fetch->slist);
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

/* Sockets that were opened and never used are closed with the attempt; one
 * that curl holds on to all the same is known by its fd alone from here on. */
static void
forget_opened(struct fetch *fetch)
{
    while (!list_empty(&fetch->opened))
        list_remove(fetch->opened.next);
}

static void
leave_curl(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;

    CHECK(pool->in_curl == 0);
    pool->in_curl++;
    curl_multi_remove_handle(pool->multi, fetch->easy);
    pool->in_curl--;
    forget_opened(fetch);
}

static void
slot_give(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;

    if (fetch->state == FETCH_RUNNING)
        leave_curl(fetch);
    timer_stop(fetch->timer);
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

/* When time is up as things stand now; UINT64_MAX: never. curl itself limits
 * how long connecting takes. */
static uint64_t
deadline(const struct fetch *fetch)
{
    uint64_t at = UINT64_MAX;
    uint64_t quiet_ms =
        fetch->head_seen ? fetch->idle_ms : fetch->first_byte_ms;

    if (fetch->total_ms > 0)
        at = fetch->started_at + fetch->total_ms;
    if (quiet_ms > 0 && fetch->prereqs > 0 && !fetch->recv_paused &&
        !fetch->send_paused && fetch->active_at + quiet_ms < at)
        at = fetch->active_at + quiet_ms;
    return at;
}

void
fetch_arm(struct fetch *fetch)
{
    uint64_t at = deadline(fetch);
    uint64_t now = now_ms(fetch);

    if (at == UINT64_MAX)
        timer_stop(fetch->timer);
    else
        timer_start(fetch->timer, at > now ? at - now : 0);
}

/* ---- the end ---- */

static void
finish(struct fetch *fetch)
{
    struct fetch_result result = fetch->failure;

    if (fetch->state == FETCH_RUNNING)
        leave_curl(fetch);
    timer_stop(fetch->timer);
    fetch->state = FETCH_DONE;
    result.connected = fetch->connected;
    result.head_seen = fetch->head_seen;
    result.reused = fetch->reused;
    result.body_bytes = fetch->body_bytes;
    if (!fetch->cancelled)
        fetch->ops->on_done(fetch->ctx, &result);
    slot_give(fetch);
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
        fetch_arm(fetch);
        return;
    }
    if (fetch->total_ms > 0 && now - fetch->started_at >= fetch->total_ms)
        fetch_fail(
            fetch, ERR_TIMEOUT,
            fetch->connected ? "http_response_timeout" : "connection_timeout",
            "not done within %llu ms", (unsigned long long)fetch->total_ms);
    else if (fetch->head_seen)
        fetch_fail(fetch, ERR_TIMEOUT, "http_response_timeout",
                   "no byte of the body for %llu ms",
                   (unsigned long long)fetch->idle_ms);
    else
        fetch_fail(fetch, ERR_TIMEOUT, "http_response_timeout",
                   "no complete response head within %llu ms",
                   (unsigned long long)fetch->first_byte_ms);
    finish(fetch);
}

/* Nothing of it reached the server, or it may be asked twice. */
static bool
may_retry(const struct fetch *fetch, CURLcode code)
{
    if (fetch->fresh || fetch->answered || fetch->body_sent > 0)
        return false;
    if (fetch->stop == STOP_POISONED)
        return true;
    if (!fetch->idempotent)
        return false;
    if (fetch->stop == STOP_RESENT)
        return true;
    return fetch->stop == STOP_NONE && fetch->reused &&
           (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
            code == CURLE_GOT_NOTHING || code == CURLE_SEND_FAIL_REWIND);
}

static void
begin_attempt(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;

    fetch->reused = false;
    fetch->prereqs = 0;
    fetch->opens = 0;
    fetch->stop = STOP_NONE;
    fetch->curl_detail[0] = '\0';
    head_reset(&fetch->head);
    fetch->state = FETCH_RUNNING;
    curl_easy_setopt(fetch->easy, CURLOPT_FRESH_CONNECT,
                     fetch->fresh ? 1L : 0L);
    pool->in_curl++;
    CHECK(curl_multi_add_handle(pool->multi, fetch->easy) == CURLM_OK);
    pool->in_curl--;
}

static void
judge(struct fetch *fetch, CURLcode code)
{
    if (fetch->stop == STOP_FAILED)
        return;
    if (fetch->stop != STOP_NONE)
        fetch_fail(fetch, ERR_RESET, "connection_terminated",
                   "the server closed a kept connection without an answer, "
                   "and the request may not be sent twice");
    else if (code != CURLE_OK)
        fetch_fail_curl(fetch, code);
    else if (fetch->head.state != HEAD_DONE)
        fetch_fail(fetch, ERR_RESET, "http_response_incomplete",
                   "the response head was cut off");
}

static void
on_finished(struct fetch *fetch, CURLcode code)
{
    TAG_CHECK(fetch, FETCH_TAG);
    if (!fetch->cancelled && may_retry(fetch, code)) {
        leave_curl(fetch);
        fetch->fresh = true;
        fetch->recv_paused = fetch->send_paused = false;
        begin_attempt(fetch);
        return;
    }
    judge(fetch, code);
    finish(fetch);
}

void
fetch_reap(struct fetch_pool *pool)
{
    CURLMsg *message;
    int left;

    if (pool->in_curl > 0)
        return;
    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        struct fetch *fetch = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
        on_finished(fetch, code);
    }
}

/* ---- what is done from the loop, not from where it was asked for ---- */

static void
put_to_work(struct fetch *fetch)
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
    struct fetch_pool *pool = fetch->pool;
    bool recv = fetch->resume_recv && fetch->recv_paused;
    bool send = fetch->resume_send && fetch->send_paused;
    int mask = CURLPAUSE_CONT;
    int running;

    fetch->resume_recv = fetch->resume_send = false;
    if (!recv && !send)
        return;
    if (recv)
        fetch->recv_paused = false;
    if (send)
        fetch->send_paused = false;
    if (fetch->recv_paused)
        mask |= CURLPAUSE_RECV;
    if (fetch->send_paused)
        mask |= CURLPAUSE_SEND;
    fetch_progress(fetch);
    fetch_arm(fetch);
    pool->in_curl++;
    /* Enters on_body again; what fails there comes back through reap. */
    curl_easy_pause(fetch->easy, mask);
    curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    pool->in_curl--;
}

static void
work_on(struct fetch *fetch)
{
    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        slot_give(fetch);
    else if (fetch->state == FETCH_PENDING && fetch->stop == STOP_FAILED)
        finish(fetch);
    else if (fetch->state == FETCH_PENDING)
        begin_attempt(fetch);
    else if (fetch->state == FETCH_RUNNING)
        resume(fetch);
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
    fetch_reap(pool);
}

/* ---- the pool ---- */

static void
on_curl_timer(void *arg)
{
    struct fetch_pool *pool = arg;
    int running;

    pool->in_curl++;
    curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    pool->in_curl--;
    fetch_reap(pool);
}

static int
on_timeout_ms(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetch_pool *pool = arg;

    (void)multi;
    if (timeout_ms < 0)
        timer_stop(pool->curl_timer);
    else
        timer_start(pool->curl_timer, (uint64_t)timeout_ms);
    return 0;
}

static void
init_curl(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
}

/* curl over GnuTLS is built without a default. */
static const char *
default_ca_file(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    return info->cainfo == NULL && info->capath == NULL ? CA_FILE : NULL;
}

static void
init_multi(struct fetch_pool *pool)
{
    pool->multi = curl_multi_init();
    CHECK(pool->multi != NULL);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, sockets_on_want);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timeout_ms);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS,
                      (long)pool->options.max_connections);
    curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

struct fetch_pool *
fetch_pool_new(struct loop *loop, const struct fetch_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct fetch_pool *pool = mem_zalloc(sizeof(*pool));

    CHECK(pthread_once(&once, init_curl) == 0);
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
    pool->loop = loop;
    pool->curl_timer = timer_new(loop, on_curl_timer, pool);
    pool->work_timer = timer_new(loop, on_work, pool);
    list_init(&pool->running);
    list_init(&pool->idle);
    list_init(&pool->work);
    sockets_init(pool);
    init_multi(pool);
    pool->ca_file = default_ca_file();
    return pool;
}

void
fetch_pool_free(struct fetch_pool **pool)
{
    struct fetch_pool *p = *pool;

    if (p == NULL)
        return;
    CHECK(p->in_curl == 0);
    while (!list_empty(&p->running)) {
        struct fetch *fetch = list_first(&p->running, struct fetch, link);

        CHECK(fetch->state != FETCH_DONE); /* not inside a callback */
        slot_give(fetch);
    }
    while (!list_empty(&p->idle))
        slot_free(list_first(&p->idle, struct fetch, link));
    curl_multi_cleanup(p->multi);
    sockets_fini(p);
    timer_free(&p->curl_timer);
    timer_free(&p->work_timer);
    buf_fini(&p->scratch);
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
    fetch->tls = span_starts(request->url_base, SPAN("https://"));
    fetch->idempotent = request->idempotent;
    fetch->has_body = request->has_body && request->body_len != 0;
    fetch->body_len = request->body_len;
    fetch->head_method = span_eq(request->method, SPAN("HEAD"));
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
    fetch->prereqs = 0;
    fetch->stop = STOP_NONE;
    fetch->connected = fetch->head_seen = fetch->answered = false;
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
    fetch->state = FETCH_PENDING;
    if (!fetch_prepare(fetch, request) || pool->in_curl > 0)
        put_to_work(fetch);
    else
        begin_attempt(fetch);
    if (fetch->total_ms > 0)
        timer_start(fetch->timer, fetch->total_ms);
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
        put_to_work(f);
}

void
fetch_resume_recv(struct fetch *fetch)
{
    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->resume_recv || fetch->state == FETCH_DONE)
        return;
    fetch->resume_recv = true;
    put_to_work(fetch);
}

void
fetch_resume_send(struct fetch *fetch)
{
    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->resume_send || fetch->state == FETCH_DONE)
        return;
    fetch->resume_send = true;
    put_to_work(fetch);
}
