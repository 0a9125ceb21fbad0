/* Connections: accepting, counting, and cutting those that are too slow. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "front_internal.h"

/* Accepted in one go, so that other work gets its turn. */
#define ACCEPT_BURST 64
/* Between two requests an unseen end is looked for so long: a few ticks. */
#define UNSEEN_MS 3000

uint64_t
conn_now_ms(const struct front_worker *worker)
{
    return uv_now(loop_uv(worker->loop));
}

static void
shed(int fd)
{
    counter_add(COUNTER_CONNECTIONS_SHED, 1);
    LOG(LOG_WARN,
        "a client connection was closed at once: limits.max_connections is "
        "reached; raise it, or add nodes");
    close(fd);
}

/* Who waits in the backlog would be told of again at once, and for ever. */
static void
rest(struct listener *listener)
{
    listener->resting = true;
    uv_poll_stop(&listener->poll);
}

/* True when there may be more to accept. */
static bool
accept_one(struct listener *listener)
{
    struct front_worker *worker = listener->worker;
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        int error = errno;

        if (error == EMFILE || error == ENFILE) {
            LOG(LOG_ERROR,
                "cannot accept connections: %s; raise the limit of open files "
                "(ulimit -n, LimitNOFILE)",
                strerror(error));
            rest(listener);
        }
        return error == ECONNABORTED || error == EINTR;
    }
    if (atomic_load_explicit(&worker->front->connections,
                             memory_order_relaxed) >= worker->max_connections) {
        shed(fd);
        return true;
    }
    if (MHD_add_connection(worker->daemon, fd, (struct sockaddr *)&address,
                           len) == MHD_YES) {
        counter_add(COUNTER_CONNECTIONS, 1);
        worker->need_run = true;
    } else {
        LOG(LOG_WARN, "a client connection could not be taken on: %s",
            strerror(errno));
    }
    return true;
}

void
conn_accept(struct listener *listener)
{
    for (int i = 0; i < ACCEPT_BURST && accept_one(listener); i++)
        continue;
}

void
conn_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    conn_accept(poll->data);
}

struct conn *
conn_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

static struct conn *
conn_new(struct front_worker *worker, struct MHD_Connection *mhd)
{
    struct conn *conn = mem_zalloc(sizeof(*conn));
    const struct sockaddr *address =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
            ->client_addr;

    conn->worker = worker;
    conn->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)
                   ->connect_fd;
    conn->since_ms = conn_now_ms(worker);
    if (address->sa_family == AF_INET6)
        memcpy(&conn->address, address, sizeof(struct sockaddr_in6));
    else
        memcpy(&conn->address, address, sizeof(struct sockaddr_in));
    list_push_back(&worker->conns, &conn->link);
    worker->conn_count++;
    atomic_fetch_add(&worker->front->connections, 1);
    return conn;
}

void
conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
            enum MHD_ConnectionNotificationCode code)
{
    struct front_worker *worker = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = conn_new(worker, mhd);
        return;
    }
    struct conn *conn = *context;

    list_remove(&conn->link);
    worker->conn_count--;
    atomic_fetch_sub(&worker->front->connections, 1);
    counter_add(COUNTER_CONNECTIONS_CLOSED, 1);
    free(conn);
    *context = NULL;
}

void
conn_kill(struct conn *conn)
{
    if (conn->dead)
        return;
    conn->dead = true;
    shutdown(conn->fd, SHUT_RDWR);
    conn->worker->need_run = true;
}

/*
 * Edge-triggered, and never taken out: a change of interest would cost two
 * system calls a request, this costs nothing until the client leaves. An end
 * that was told while nothing was suspended is asked for again.
 */
void
conn_watch(struct conn *conn)
{
    struct epoll_event event = {
        .events = EPOLLRDHUP | EPOLLET,
        .data.ptr = conn,
    };

    if (conn->watched && !conn->left)
        return;
    if (epoll_ctl(conn->worker->watch_fd,
                  conn->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, conn->fd,
                  &event) == 0)
        conn->watched = true;
}

void
conn_left(struct conn *conn)
{
    conn->left = true;
    if (conn->request != NULL && conn->request->suspended)
        request_abandon(conn->request);
}

/* Whether a connection takes longer than it may. Bytes that trickle in keep
 * libmicrohttpd's own idle timer from ending it, so this looks at the whole
 * time: between requests (a request line that never ends is one), and from the
 * request line to the end of the head. */
static bool
too_slow(const struct front_worker *worker, const struct conn *conn,
         uint64_t now_ms)
{
    uint64_t ms = now_ms - conn->since_ms;

    if (conn->request == NULL)
        return ms > worker->idle_timeout_ms + worker->header_timeout_ms;
    return conn->request->calls == 0 && ms > worker->header_timeout_ms;
}

/* Whether the client has closed its side, and libmicrohttpd has not seen it:
 * it polls edge-triggered, and takes a short read for "nothing more", so an end
 * that came together with the last bytes is never told again. */
static bool
ended_unseen(const struct conn *conn, uint64_t now_ms)
{
    const struct request *request = conn->request;
    char byte;

    /* Suspended ones are watched; an end that comes later is told. */
    if (request != NULL ? request->body_done || request->suspended
                        : now_ms - conn->since_ms > UNSEEN_MS)
        return false;
    return recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void
conn_tick(struct front_worker *worker)
{
    uint64_t now_ms = conn_now_ms(worker);
    struct conn *conn;

    for (size_t i = 0; !worker->draining && i < worker->listener_count; i++) {
        struct listener *listener = &worker->listeners[i];

        if (listener->resting)
            uv_poll_start(&listener->poll, UV_READABLE, conn_readable);
        listener->resting = false;
    }
    list_for_each (conn, &worker->conns, link) {
        if (too_slow(worker, conn, now_ms) || ended_unseen(conn, now_ms) ||
            (worker->draining && conn->request == NULL))
            conn_kill(conn);
    }
}
