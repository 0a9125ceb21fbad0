#include "fetch_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

void
sockets_init(struct fetch_pool *pool)
{
    for (size_t i = 0; i < SOCK_BUCKETS; i++)
        list_init(&pool->sockets.names[i]);
}

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
    list_remove(&sock->link);
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
    list_init(&sock->link);
    sock->pool = pool;
    sock->fd = fd;
    sock->opened = opened;

    /* One that was closed without telling. If curl still counts on being told
     * of its events, it will take the new socket for the old, and not ask
     * again. */
    struct sock *old = sockets->by_fd[slot];
    int events = old == NULL ? 0 : old->events;

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
    struct fetch *fetch = arg;
    int fd = socket(address->family,
                    address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);

    TAG_CHECK(fetch, FETCH_TAG);
    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;

    struct sock *sock = add(fetch->pool, fd, true);

    list_push_back(&fetch->opened, &sock->link);
    fetch->opens++;
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

    /* Something on a connection that nobody uses: it is looked at (sock_news)
     * before the next request goes out on it. */
    if (poll->sock->events == 0) {
        uv_poll_stop(&poll->uv);
        poll->polled = 0;
        return;
    }
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
    pool->in_curl++;
    curl_multi_socket_action(pool->multi, poll->sock->fd, what, &running);
    pool->in_curl--;
    if (status < 0 && poll->sock != NULL && poll->sock->events != 0)
        poll_for(poll->sock, poll->sock->events);
    fetch_reap(pool);
}

/* A named connection will be wanted again, and its close will be told: it
 * stays polled, which costs nothing while nothing comes. */
static void
stop(struct sock *sock)
{
    if (sock == NULL)
        return;
    sock->events = 0;
    if (!sock->opened)
        drop(sock); /* the resolver closes its own */
    else if (!sock->named)
        unpoll(sock);
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

/* ---- which connection is it? ---- */

static int
port_of(const struct sockaddr_storage *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return ntohs(v4.sin_port);
    }
    memcpy(&v6, address, sizeof(v6));
    return address->ss_family == AF_INET6 ? ntohs(v6.sin6_port) : -1;
}

static bool
has_ports(const struct sock *sock, const struct conn_name *name)
{
    struct sockaddr_storage local = {0};
    struct sockaddr_storage remote = {0};
    socklen_t local_len = sizeof(local);
    socklen_t remote_len = sizeof(remote);

    if (getsockname(sock->fd, (struct sockaddr *)&local, &local_len) != 0 ||
        getpeername(sock->fd, (struct sockaddr *)&remote, &remote_len) != 0)
        return false;
    return port_of(&local) == name->local_port &&
           port_of(&remote) == name->remote_port;
}

static bool
has_name(const struct sock *sock, const struct conn_name *name)
{
    return sock->local_port == name->local_port &&
           sock->remote_port == name->remote_port &&
           strcmp(sock->local_ip, name->local_ip) == 0 &&
           strcmp(sock->remote_ip, name->remote_ip) == 0;
}

static struct list_link *
bucket_of(struct fetch_pool *pool, int local_port)
{
    return &pool->sockets.names[(unsigned)local_port % SOCK_BUCKETS];
}

static void
give_name(struct sock *sock, const struct conn_name *name)
{
    sock->local_port = name->local_port;
    sock->remote_port = name->remote_port;
    snprintf(sock->local_ip, sizeof(sock->local_ip), "%s", name->local_ip);
    snprintf(sock->remote_ip, sizeof(sock->remote_ip), "%s", name->remote_ip);
    sock->named = true;
    list_remove(&sock->link);
    list_push_front(bucket_of(sock->pool, name->local_port), &sock->link);
}

struct sock *
sockets_find(struct fetch *fetch, const struct conn_name *name)
{
    struct sock *sock;

    list_for_each (sock, &fetch->opened, link) {
        if (!has_ports(sock, name))
            continue;
        give_name(sock, name);
        return sock;
    }
    list_for_each (sock, bucket_of(fetch->pool, name->local_port), link) {
        if (has_name(sock, name))
            return sock;
    }
    return NULL;
}

enum sock_news
sock_news(const struct sock *sock)
{
    char byte;
    ssize_t got = recv(sock->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (got > 0)
        return SOCK_BYTES;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return SOCK_QUIET;
    return SOCK_CLOSED;
}
