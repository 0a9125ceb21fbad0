/*
 * New connections: libcurl resolves the name and races the addresses (happy
 * eyeballs). It is told to stop there (CONNECT_ONLY), and its socket is taken
 * over: duplicated, since libcurl closes its own with the handle.
 *
 * The address that got through is used for further connections, without
 * libcurl, for as long as libcurl keeps what it has looked up.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fetch_internal.h"

#define CONNECT_TIMEOUT_MS 10000
#define ADDRESS_MS 60000
/* How long the known address alone is waited for: if nobody is there any more,
 * there may be another. A lost SYN is sent again after as long. Where there is
 * not time for both, the next fetch looks up the name. */
#define KNOWN_MS 1000

/* ---- libcurl on the loop ---- */

static void
on_timer(void *arg)
{
    struct fetch_pool *pool = arg;
    int running;

    curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    dial_reap(pool);
}

static int
on_timeout_ms(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetch_pool *pool = arg;

    (void)multi;
    if (timeout_ms < 0)
        timer_stop(pool->dial_timer);
    else
        timer_start(pool->dial_timer, (uint64_t)timeout_ms);
    return 0;
}

void
dial_init(struct fetch_pool *pool)
{
    pool->dial_timer = timer_new(pool->loop, on_timer, pool);
    pool->multi = curl_multi_init();
    CHECK(pool->multi != NULL);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, sockets_on_want);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timeout_ms);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

void
dial_fini(struct fetch_pool *pool)
{
    curl_multi_cleanup(pool->multi);
    timer_free(&pool->dial_timer);
    sockets_fini(pool);
}

/* ---- one connection ---- */

static void
set_options(struct dial *dial, const struct fetch *fetch, uint64_t connect_ms)
{
    CURL *easy = dial->easy;

    if (connect_ms > INT32_MAX)
        connect_ms = INT32_MAX;
    curl_easy_setopt(easy, CURLOPT_URL, fetch->upstream->dial_url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, dial);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, dial->detail);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, sockets_on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, dial);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, sockets_on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->pool);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A cancelled name lookup must not hold up the loop until it is done. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
}

static uint64_t
now_ms(const struct fetch *fetch)
{
    return uv_now(loop_uv(fetch->pool->loop));
}

static void
begin(struct fetch *fetch, uint64_t connect_ms)
{
    struct dial *dial = mem_zalloc(sizeof(*dial));

    dial->pool = fetch->pool;
    dial->fetch = fetch;
    dial->easy = curl_easy_init();
    CHECK(dial->easy != NULL);
    fetch->dial = dial;
    fetch->state = FETCH_DIALING;
    set_options(dial, fetch, connect_ms);
    CHECK(curl_multi_add_handle(dial->pool->multi, dial->easy) == CURLM_OK);
}

void
dial_start(struct fetch *fetch)
{
    uint64_t connect_ms =
        fetch->connect_ms > 0 ? fetch->connect_ms : CONNECT_TIMEOUT_MS;

    fetch->connect_by = now_ms(fetch) + connect_ms;
    fetch->known_by = connect_ms < 2 * KNOWN_MS ? fetch->connect_by
                                                : now_ms(fetch) + KNOWN_MS;
    if (!channel_connect(fetch))
        begin(fetch, connect_ms);
}

void
dial_again(struct fetch *fetch)
{
    uint64_t now = now_ms(fetch);

    fetch->upstream->address_len = 0;
    begin(fetch, fetch->connect_by > now ? fetch->connect_by - now : 1);
    fetch_arm(fetch); /* the total time alone counts now */
}

void
dial_free(struct dial **dial)
{
    struct dial *d = *dial;

    *dial = NULL;
    if (d == NULL)
        return;
    curl_multi_remove_handle(d->pool->multi, d->easy);
    curl_easy_cleanup(d->easy);
    free(d);
}

static void
note_address(struct fetch *fetch, int fd)
{
    struct upstream *upstream = fetch->upstream;
    socklen_t len = sizeof(upstream->address);

    if (getpeername(fd, (struct sockaddr *)&upstream->address, &len) != 0)
        len = 0;
    upstream->address_len = len;
    upstream->address_until = now_ms(fetch) + ADDRESS_MS;
}

/* NULL, with the reason noted. While others connect, libcurl looks whether
 * those it holds still stand, and closes those that do not. */
static struct channel *
take_over(const struct dial *dial)
{
    curl_socket_t fd = -1;

    curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd < 0) {
        fetch_fail(dial->fetch, ERR_RESET, "connection_terminated",
                   "the server closed the connection as soon as it was made");
        return NULL;
    }
    note_address(dial->fetch, fd);
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        return channel_new(dial->fetch->upstream, fd);
    fetch_fail(dial->fetch, ERR_IO, "proxy_internal_error",
               "no file descriptor is left for a connection");
    return NULL;
}

static void
on_through(struct dial *dial, CURLcode code)
{
    struct fetch *fetch = dial->fetch;
    struct channel *channel = NULL;

    TAG_CHECK(fetch, FETCH_TAG);
    if (code == CURLE_OK)
        channel = take_over(dial);
    else
        fetch_fail_dial(fetch, dial, code);
    dial_free(&fetch->dial);
    if (channel != NULL)
        channel_greet(channel, fetch);
    else
        fetch_not_connected(fetch);
}

/* libcurl is not entered again from a callback of its own: nothing of ours is
 * called from there but what notes sockets and times. */
void
dial_reap(struct fetch_pool *pool)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        struct dial *dial = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &dial);
        on_through(dial, code);
    }
}
