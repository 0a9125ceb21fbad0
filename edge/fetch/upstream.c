/*
 * Servers. A connection that is free again goes to whoever has waited longest
 * for one, else it is kept, newest first, so that the oldest can go.
 *
 * A crowd does not open a connection each: DIALS_A_MS of them begin at once,
 * as many again each millisecond, and meanwhile the first ones come free. With
 * a server that answers within a millisecond or two a few hundred connections
 * do for thousands of requests; one that thinks for long is reached by all of
 * them almost as soon as without this.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fetch_internal.h"

#define DIALS_A_MS 64u
/* What was idle for longer may have been forgotten on the way (by a NAT, a
 * firewall), without a word to us. */
#define IDLE_MAX_MS 60000u

static uint64_t
now_ms(const struct fetch_pool *pool)
{
    return uv_now(loop_uv(pool->loop));
}

/* ---- which server ---- */

static struct hash128
key_of(struct fetch_pool *pool, const struct fetch_request *request)
{
    struct buf *text = &pool->scratch;

    buf_clear(text);
    buf_add_span(text, request->url_base);
    buf_add_text(text, request->tls_verify ? " v " : " - ");
    if (request->ca_file != NULL)
        buf_add_text(text, request->ca_file);
    return hash_bytes(buf_span(text), 0);
}

static struct span
authority(const struct upstream *upstream)
{
    struct span base = span_of(upstream->base);

    return span_sub(base, upstream->tls ? 8 : 7, base.len);
}

struct span
upstream_host(const struct upstream *upstream)
{
    struct span host = authority(upstream);

    if (host.len > 0 && host.ptr[0] == '[')
        return span_sub(host, 1, span_find(host, ']', 0));
    return span_sub(host, 0, span_find(host, ':', 0));
}

/* libcurl is to connect and no more, so TLS is not its business. */
static char *
dial_url(const struct upstream *upstream)
{
    struct span rest = authority(upstream);
    struct span host = upstream_host(upstream);
    bool has_port = rest.ptr + rest.len > host.ptr + host.len + 1;

    return mem_printf("http://%.*s%s", SPAN_FMT(rest),
                      upstream->tls && !has_port ? ":443" : "");
}

struct upstream *
upstream_of(struct fetch_pool *pool, const struct fetch_request *request)
{
    struct hash128 key = key_of(pool, request);
    struct upstream *upstream;

    list_for_each (upstream, &pool->upstreams, link) {
        if (!hash_eq(upstream->key, key))
            continue;
        upstream->uses++;
        return upstream;
    }
    upstream = mem_zalloc(sizeof(*upstream));
    upstream->pool = pool;
    upstream->key = key;
    upstream->uses = 1;
    upstream->base = mem_strndup(request->url_base.ptr, request->url_base.len);
    upstream->tls = span_starts(request->url_base, SPAN("https://"));
    upstream->dial_url = dial_url(upstream);
    upstream->tls_verify = request->tls_verify;
    if (request->ca_file != NULL)
        upstream->ca_file = mem_strdup(request->ca_file);
    list_init(&upstream->idle);
    list_init(&upstream->waiting);
    list_push_front(&pool->upstreams, &upstream->link);
    return upstream;
}

void
upstream_unref(struct upstream **upstream)
{
    struct upstream *u = *upstream;

    *upstream = NULL;
    if (u == NULL || --u->uses > 0)
        return;
    CHECK(list_empty(&u->idle) && list_empty(&u->waiting));
    list_remove(&u->link);
    free(u->base);
    free(u->ca_file);
    free(u->dial_url);
    free(u->ticket);
    free(u);
}

/* ---- connections that are kept ---- */

static void
unkeep(struct channel *channel)
{
    list_remove(&channel->link);
    list_remove(&channel->age);
    channel->upstream->pool->idle_channel_count--;
}

struct channel *
upstream_take(struct upstream *upstream)
{
    uint64_t now = now_ms(upstream->pool);

    while (!list_empty(&upstream->idle)) {
        struct channel *channel =
            list_first(&upstream->idle, struct channel, link);

        if (now - channel->idle_at <= IDLE_MAX_MS &&
            channel_news(channel) == CHANNEL_QUIET) {
            unkeep(channel);
            return channel;
        }
        channel_close(&channel);
    }
    return NULL;
}

/* Off the list, the first who has not given up; or NULL. */
static struct fetch *
who_waits(struct upstream *upstream)
{
    while (!list_empty(&upstream->waiting)) {
        struct fetch *fetch =
            list_first(&upstream->waiting, struct fetch, wait_link);

        list_remove(&fetch->wait_link);
        if (!fetch->cancelled)
            return fetch;
    }
    return NULL;
}

void
upstream_give(struct channel *channel)
{
    struct upstream *upstream = channel->upstream;
    struct fetch_pool *pool = upstream->pool;

    channel->fetch = NULL;
    /* What came behind the response is no answer to who comes next. */
    if (!list_empty(&upstream->waiting) &&
        channel_news(channel) != CHANNEL_QUIET) {
        channel_close(&channel);
        return;
    }

    struct fetch *next = who_waits(upstream);

    if (next != NULL) {
        next->reused = true;
        fetch_use(next, channel);
        return;
    }
    channel->idle_at = now_ms(pool);
    channel_poll(channel, UV_READABLE);
    list_push_front(&upstream->idle, &channel->link);
    list_push_front(&pool->idle_channels, &channel->age);
    if (++pool->idle_channel_count > pool->options.max_connections) {
        struct channel *oldest =
            list_last(&pool->idle_channels, struct channel, age);

        channel_close(&oldest);
    }
}

/* ---- connections that are made ---- */

/* Whether one more may begin in this millisecond. */
static bool
may_begin(struct upstream *upstream)
{
    uint64_t now = now_ms(upstream->pool);

    if (upstream->turn_ms != now) {
        upstream->turn_ms = now;
        upstream->begun = 0;
    }
    return upstream->begun < DIALS_A_MS;
}

void
upstream_want(struct fetch *fetch)
{
    struct upstream *upstream = fetch->upstream;
    struct fetch_pool *pool = upstream->pool;

    if (list_empty(&upstream->waiting) && may_begin(upstream)) {
        upstream->begun++;
        dial_start(fetch);
        return;
    }
    fetch->state = FETCH_WAITING;
    list_push_back(&upstream->waiting, &fetch->wait_link);
    if (!timer_running(pool->turn_timer))
        timer_start(pool->turn_timer, 1);
}

void
upstream_turn(void *arg)
{
    struct fetch_pool *pool = arg;
    struct upstream *upstream;
    bool more = false;

    list_for_each (upstream, &pool->upstreams, link) {
        struct fetch *fetch;

        while (may_begin(upstream) && (fetch = who_waits(upstream)) != NULL) {
            upstream->begun++;
            dial_start(fetch);
        }
        more |= !list_empty(&upstream->waiting);
    }
    if (more)
        timer_start(pool->turn_timer, 1);
}
