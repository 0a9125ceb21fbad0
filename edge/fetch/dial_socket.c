/* The sockets of libcurl while it connects, on the loop. */
#include "fetch_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* Apart from its socket, since it lives on until the loop has closed it. */
struct sock_poll {
    uv_poll_t uv;
    struct sock *sock; /* NULL once closing */
    int polled;        /* the events that libuv polls for; 0: stopped */
};

static void on_poll(uv_poll_t *uv, int status, int events);

static void
on_poll_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct sock_poll, uv));
}

/* The file descriptor may be closed as soon as this returns. */
static void
unpoll(struct sock *sock)
{
    struct sock_poll *poll = sock->poll;

    if (poll == NULL)
        return;
    sock->poll = NULL;
    poll->sock = NULL;
    uv_close((uv_handle_t *)&poll->uv, on_poll_closed);
}

/* libuv takes a descriptor out of epoll and puts it in again at each start:
 * what is polled for already is left alone. */
static void
poll_for(struct sock *sock, int events)
{
    sock->events = events;
    if (sock->poll != NULL && sock->poll->polled == events)
        return;
    if (sock->poll == NULL) {
        sock->poll = mem_zalloc(sizeof(*sock->poll));
        sock->poll->sock = sock;
        CHECK(uv_poll_init(loop_uv(sock->pool->loop), &sock->poll->uv,
                           sock->fd) == 0);
    }
    CHECK(uv_poll_start(&sock->poll->uv, events, on_poll) == 0);
    sock->poll->polled = events;
}

static void
drop(struct sock *sock)
{
    sock->pool->sockets.by_fd[sock->fd] = NULL;
    unpoll(sock);
    free(sock);
}

void
sockets_fini(struct fetch_pool *pool)
{
    struct sockets *sockets = &pool->sockets;

    for (size_t i = 0; i < sockets->by_fd_len; i++) {
        if (sockets->by_fd[i] != NULL)
            drop(sockets->by_fd[i]);
    }
    free(sockets->by_fd);
    sockets->by_fd = NULL;
    sockets->by_fd_len = 0;
}

static struct sock *
add(struct fetch_pool *pool, curl_socket_t fd, bool opened)
{
    struct sockets *sockets = &pool->sockets;
    struct sock *sock = mem_zalloc(sizeof(*sock));
    size_t slot = (size_t)fd;

    if (slot >= sockets->by_fd_len) {
        size_t len = (slot + 1) * 2;

        sockets->by_fd =
            mem_realloc(sockets->by_fd, len * sizeof(*sockets->by_fd));
        memset(sockets->by_fd + sockets->by_fd_len, 0,
               (len - sockets->by_fd_len) * sizeof(*sockets->by_fd));
        sockets->by_fd_len = len;
    }
    sock->pool = pool;
    sock->fd = fd;
    sock->opened = opened;

    /* One that was closed without telling. If curl still counts on being told
     * of its events, it will take the new socket for the old, and not ask
     * again. */
    struct sock *old = sockets->by_fd[slot];
    int events = old != NULL ? old->events : 0;

    if (old != NULL)
        drop(old);
    sockets->by_fd[slot] = sock;
    if (events != 0)
        poll_for(sock, events);
    return sock;
}

static struct sock *
by_fd(struct fetch_pool *pool, curl_socket_t fd)
{
    size_t slot = (size_t)fd;

    return slot < pool->sockets.by_fd_len ? pool->sockets.by_fd[slot] : NULL;
}

curl_socket_t
sockets_on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct dial *dial = arg;
    int fd = socket(address->family,
                    address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    add(dial->pool, fd, true);
    dial->opens++;
    return fd;
}

int
sockets_on_close(void *arg, curl_socket_t fd)
{
    struct sock *sock = by_fd(arg, fd);

    if (sock != NULL)
        drop(sock);
    return close(fd);
}

/* ---- polling ---- */

static void
on_poll(uv_poll_t *uv, int status, int events)
{
    struct sock_poll *poll = CONTAINER_OF(uv, struct sock_poll, uv);
    int what = 0;
    int running;

    if (poll->sock == NULL)
        return;

    struct fetch_pool *pool = poll->sock->pool;

    if (status < 0) {
        /* libuv has stopped polling. An answer may be there to be read before
         * the error: CURL_CSELECT_ERR alone would make curl give up at once;
         * so it reads and writes, and meets the error where it stands. */
        what = CURL_CSELECT_IN | CURL_CSELECT_OUT;
        poll->polled = 0;
    }
    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    curl_multi_socket_action(pool->multi, poll->sock->fd, what, &running);
    if (status < 0 && poll->sock != NULL && poll->sock->events != 0)
        poll_for(poll->sock, poll->sock->events);
    dial_reap(pool);
}

static void
stop(struct sock *sock)
{
    if (sock == NULL)
        return;
    sock->events = 0;
    if (sock->opened)
        unpoll(sock);
    else
        drop(sock); /* the resolver closes its own */
}

int
sockets_on_want(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct fetch_pool *pool = arg;
    struct sock *sock = by_fd(pool, fd);
    int events = 0;

    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        stop(sock);
        return 0;
    }
    if (sock == NULL)
        sock = add(pool, fd, false);
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    poll_for(sock, events);
    return 0;
}
