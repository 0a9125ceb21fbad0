/* One connection to a server, on the loop. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "fetch_internal.h"

/* ---- bytes ---- */

static enum err
recv_plain(int fd, void *buffer, size_t max, size_t *n)
{
    ssize_t got;

    do
        got = recv(fd, buffer, max, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        *n = (size_t)got;
        return ERR_OK;
    }
    if (got == 0)
        return ERR_END;
    return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_AGAIN : ERR_RESET;
}

enum err
channel_recv(struct channel *channel, void *buffer, size_t max, size_t *n)
{
    *n = 0;
    if (channel->tls != NULL)
        return tls_recv(channel->tls, buffer, max, n);
    return recv_plain(channel->fd, buffer, max, n);
}

static enum err
send_plain(int fd, const void *data, size_t len, size_t *n)
{
    ssize_t sent;

    do
        sent = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        *n = (size_t)sent;
        return ERR_OK;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_AGAIN : ERR_RESET;
}

enum err
channel_send(struct channel *channel, const void *data, size_t len, size_t *n)
{
    *n = 0;
    if (channel->tls != NULL)
        return tls_send(channel->tls, data, len, n);
    return send_plain(channel->fd, data, len, n);
}

bool
channel_holds(const struct channel *channel)
{
    return channel->tls != NULL && tls_holds(channel->tls);
}

/* A TLS session takes in what is not ours to see (tickets, alerts). */
enum channel_news
channel_news(struct channel *channel)
{
    char byte;

    if (channel->tls == NULL) {
        ssize_t got = recv(channel->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

        if (got > 0)
            return CHANNEL_BYTES;
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK ||
                           errno == EINTR)
                   ? CHANNEL_QUIET
                   : CHANNEL_CLOSED;
    }

    size_t n;
    enum err err = channel_recv(channel, &byte, 1, &n);

    if (err == ERR_AGAIN)
        return CHANNEL_QUIET;
    return err == ERR_OK ? CHANNEL_BYTES : CHANNEL_CLOSED;
}

/* ---- the loop ---- */

/* Connecting has ended, one way or the other. */
static void
connected(struct channel *channel)
{
    struct fetch *fetch = channel->fetch;
    int error = 0;
    socklen_t len = sizeof(error);

    if (fetch->cancelled)
        return;
    channel->connecting = false;
    if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
        error == 0) {
        channel_greet(channel, fetch);
        return;
    }
    channel_close(&fetch->channel);
    dial_again(fetch);
}

static void
shake(struct channel *channel)
{
    struct fetch *fetch = channel->fetch;

    if (fetch->cancelled)
        return;
    switch ((int)tls_handshake(channel->tls, fetch)) {
    case ERR_OK:
        channel->shaking = false;
        fetch_connected(fetch);
        break;
    case ERR_AGAIN:
        channel_poll(channel,
                     UV_READABLE |
                         (tls_wants_room(channel->tls) ? UV_WRITABLE : 0));
        break;
    default:
        fetch_not_connected(fetch);
    }
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *channel = poll->data;

    TAG_CHECK(channel, CHANNEL_TAG);
    /* libuv has stopped polling: reading will tell what is wrong, after what
     * the server may have said before. */
    if (status < 0) {
        channel->events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (channel->connecting) {
        connected(channel);
    } else if (channel->shaking) {
        shake(channel);
    } else if (channel->fetch != NULL) {
        fetch_ready(channel->fetch, events);
    } else if (channel_news(channel) != CHANNEL_QUIET) {
        channel_close(&channel);
    } else if (channel->events == 0) {
        channel_poll(channel, UV_READABLE);
    }
}

/* libuv takes a descriptor out of epoll and puts it in again at each start:
 * what is polled for already is left alone. */
void
channel_poll(struct channel *channel, int events)
{
    if (channel->events == events)
        return;
    channel->events = events;
    if (events == 0)
        CHECK(uv_poll_stop(&channel->poll) == 0);
    else
        CHECK(uv_poll_start(&channel->poll, events, on_poll) == 0);
}

struct channel *
channel_new(struct upstream *upstream, int fd)
{
    struct channel *channel = mem_zalloc(sizeof(*channel));

    TAG_SET(channel, CHANNEL_TAG);
    list_init(&channel->link);
    list_init(&channel->age);
    channel->upstream = upstream;
    upstream->uses++;
    channel->fd = fd;
    CHECK(uv_poll_init(loop_uv(upstream->pool->loop), &channel->poll, fd) == 0);
    channel->poll.data = channel;
    return channel;
}

bool
channel_connect(struct fetch *fetch)
{
    struct upstream *upstream = fetch->upstream;
    const struct sockaddr *address = (struct sockaddr *)&upstream->address;
    int on = 1;

    if (upstream->address_len == 0 ||
        uv_now(loop_uv(fetch->pool->loop)) >= upstream->address_until)
        return false;

    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, address, upstream->address_len) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return false;
    }
    fetch->channel = channel_new(upstream, fd);
    fetch->channel->fetch = fetch;
    fetch->channel->connecting = true;
    fetch->state = FETCH_DIALING;
    fetch_arm(fetch);
    channel_poll(fetch->channel, UV_WRITABLE);
    return true;
}

void
channel_greet(struct channel *channel, struct fetch *fetch)
{
    fetch->channel = channel;
    channel->fetch = fetch;
    if (!channel->upstream->tls) {
        fetch_connected(fetch);
        return;
    }
    channel->tls = tls_new(channel->upstream, channel->fd);
    channel->shaking = true;
    fetch_arm(fetch);
    shake(channel);
}

static void
on_closed(uv_handle_t *handle)
{
    struct channel *channel = handle->data;

    TAG_CLEAR(channel);
    free(channel);
}

void
channel_close(struct channel **channel)
{
    struct channel *c = *channel;

    *channel = NULL;
    if (c == NULL)
        return;
    TAG_CHECK(c, CHANNEL_TAG);
    if (!list_empty(&c->age))
        c->upstream->pool->idle_channel_count--;
    list_remove(&c->link);
    list_remove(&c->age);
    c->fetch = NULL;
    uv_close((uv_handle_t *)&c->poll, on_closed);
    tls_free(&c->tls);
    close(c->fd);
    upstream_unref(&c->upstream);
}
