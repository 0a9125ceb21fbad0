#include "server_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define BACKLOG 1024
#define CONNECTIONS_MAX 65000
#define ACCEPT_BATCH 64
#define SWEEP_MS 1000

/* ---- libmicrohttpd on the loop ---- */

static void
on_wake(uv_timer_t *timer)
{
    struct server *server = timer->data;

    server->need_run = true;
}

static void
on_idle(uv_idle_t *idle)
{
    struct server *server = idle->data;

    server->need_run = true;
}

static void
on_epoll(uv_poll_t *poll, int status, int events)
{
    struct server *server = poll->data;

    (void)status;
    (void)events;
    server->need_run = true;
}

/* Runs before the loop waits: all that the daemon can do now, then when it
 * wants to be run again. A resumed connection is only seen by a run. */
static void
on_prepare(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;
    MHD_UNSIGNED_LONG_LONG ms;

    for (int turn = 0; server->need_run && turn < 16; turn++) {
        server->need_run = false;
        CHECK(MHD_run(server->daemon) == MHD_YES);
    }
    bool timed = MHD_get_timeout(server->daemon, &ms) == MHD_YES;

    if (server->need_run || (timed && ms == 0)) {
        uv_idle_start(&server->idle, on_idle);
        return;
    }
    uv_idle_stop(&server->idle);
    if (timed)
        uv_timer_start(&server->wake, on_wake, ms, 0);
    else
        uv_timer_stop(&server->wake);
}

static void
on_notify(void *cls, struct MHD_Connection *mhd, void **context,
          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = cls;
    struct conn *conn = *context;

    (void)mhd;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = server->accepting;
        server->accepting = NULL;
        return;
    }
    CHECK(conn != NULL);
    conn->listener->open--;
    list_remove(&conn->link);
    free(conn);
    *context = NULL;
}

/* Connections that are suspended are watched by nobody: a client that left is
 * noticed here. */
static void
on_sweep(void *arg)
{
    struct server *server = arg;
    struct exchange *x;

    list_for_each (x, &server->exchanges, link) {
        struct pollfd p = {.fd = x->conn->fd, .events = POLLRDHUP};

        if (x->suspended && !x->killed && poll(&p, 1, 0) > 0)
            exchange_kill(x, false);
    }
    timer_start(server->sweep, SWEEP_MS);
}

static bool
start_daemon(struct server *server, unsigned idle_timeout_s)
{
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_NO_LISTEN_SOCKET,
        0, NULL, NULL, exchange_on_access, server, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768,
        MHD_OPTION_NOTIFY_CONNECTION, on_notify, server,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_on_done, server,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_on_uri, server,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    return server->daemon != NULL;
}

static void
start_handles(struct server *server)
{
    uv_loop_t *uv = loop_uv(server->loop);
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    CHECK(uv_poll_init(uv, &server->poll, info->epoll_fd) == 0);
    CHECK(uv_prepare_init(uv, &server->prepare) == 0);
    CHECK(uv_idle_init(uv, &server->idle) == 0);
    CHECK(uv_timer_init(uv, &server->wake) == 0);
    server->handles = 4;
    server->poll.data = server;
    server->prepare.data = server;
    server->idle.data = server;
    server->wake.data = server;
    CHECK(uv_poll_start(&server->poll, UV_READABLE, on_epoll) == 0);
    CHECK(uv_prepare_start(&server->prepare, on_prepare) == 0);
    server->sweep = timer_new(server->loop, on_sweep, server);
    timer_start(server->sweep, SWEEP_MS);
}

struct server *
server_new(const struct server_options *options)
{
    struct server *server = mem_zalloc(sizeof(*server));

    server->loop = options->loop;
    server->handler = options->handler;
    server->app = options->app;
    list_init(&server->listeners);
    list_init(&server->exchanges);
    if (!start_daemon(server, options->idle_timeout_s)) {
        LOG(LOG_ERROR, "libmicrohttpd did not start; raise the limit of open "
                       "files (ulimit -n)");
        free(server);
        return NULL;
    }
    start_handles(server);
    return server;
}

/* ---- listeners ---- */

void
conn_reset(int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    /* On Linux this disconnects at once, with a reset. */
    (void)connect(fd, &none, sizeof(none));
}

static void
take(struct listener *listener, int fd, const struct sockaddr *address,
     socklen_t len)
{
    struct server *server = listener->server;
    int one = 1;

    listener->accepted++;
    if (listener->state.mode == GATE_CUT) {
        conn_reset(fd);
        close(fd);
        return;
    }
    struct conn *conn = mem_zalloc(sizeof(*conn));

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn->listener = listener;
    conn->fd = fd;
    list_push_back(&listener->conns, &conn->link);
    listener->open++;
    server->accepting = conn;
    /* It closes the socket when it fails. */
    if (MHD_add_connection(server->daemon, fd, address, len) != MHD_YES &&
        server->accepting != NULL) {
        listener->open--;
        list_remove(&conn->link);
        free(conn);
        LOG(LOG_WARN, "a connection to \"%s\" was dropped: %s", listener->name,
            strerror(errno));
    }
    server->accepting = NULL;
    server->need_run = true;
}

static void
on_accept(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof(address);
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take(listener, fd, (struct sockaddr *)&address, len);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            LOG(LOG_WARN, "cannot accept: %s; raise the limit of open files",
                strerror(errno));
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static int
bind_address(const char *host, unsigned port, struct buf *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_PASSIVE};
    struct addrinfo *info;
    char text[16];
    int one = 1;

    snprintf(text, sizeof(text), "%u", port);
    int failed = getaddrinfo(host, text, &hints, &info);

    if (failed != 0) {
        buf_printf(why, "\"%s\": %s; expected an IP address", host,
                   gai_strerror(failed));
        return -1;
    }
    int fd =
        socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 ||
        listen(fd, BACKLOG) != 0) {
        buf_printf(why, "cannot listen on %s port %u: %s", host, port,
                   strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(info);
    return fd;
}

static unsigned
bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char port[16];

    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    CHECK(getnameinfo((struct sockaddr *)&address, len, NULL, 0, port,
                      sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    return (unsigned)strtoul(port, NULL, 10);
}

bool
server_listen(struct server *server, const char *name, const char *host,
              unsigned *port, struct buf *why)
{
    int fd = bind_address(host, *port, why);

    if (fd < 0)
        return false;
    struct listener *listener = mem_zalloc(sizeof(*listener));

    *port = bound_port(fd);
    listener->server = server;
    listener->fd = fd;
    snprintf(listener->name, sizeof(listener->name), "%s", name);
    list_init(&listener->conns);
    list_push_back(&server->listeners, &listener->link);
    CHECK(uv_poll_init(loop_uv(server->loop), &listener->poll, fd) == 0);
    listener->poll.data = listener;
    server->handles++;
    CHECK(uv_poll_start(&listener->poll, UV_READABLE, on_accept) == 0);
    return true;
}

static void
cut_link(struct listener *listener)
{
    struct server *server = listener->server;
    struct exchange *x;
    struct conn *conn;

    list_for_each (x, &server->exchanges, link) {
        if (x->conn->listener == listener)
            exchange_kill(x, true);
    }
    list_for_each (conn, &listener->conns, link)
        conn_reset(conn->fd);
    server->need_run = true;
}

static struct listener *
find_listener(const struct server *server, struct span name)
{
    struct listener *listener;

    list_for_each (listener, &server->listeners, link) {
        if (span_eq(span_of(listener->name), name))
            return listener;
    }
    return NULL;
}

bool
server_set_link(struct server *server, struct span name,
                struct gate_state state)
{
    struct listener *listener = find_listener(server, name);
    struct exchange *x;

    if (listener == NULL)
        return false;
    listener->state = state;
    if (state.mode == GATE_CUT) {
        cut_link(listener);
        return true;
    }
    list_for_each (x, &server->exchanges, link) {
        if (x->conn->listener == listener && state.mode == GATE_UP)
            exchange_link_changed(x);
    }
    return true;
}

void
server_listeners_json(const struct server *server, json_t *object)
{
    struct listener *listener;

    list_for_each (listener, &server->listeners, link) {
        struct buf state = {0};

        gate_write(listener->state, &state);
        json_object_set_new(object, listener->name,
                            json_pack("{s:s, s:I, s:I, s:I}", "state",
                                      state.data, "accepted",
                                      (json_int_t)listener->accepted, "open",
                                      (json_int_t)listener->open, "requests",
                                      (json_int_t)listener->requests));
        buf_fini(&state);
    }
}

void
server_reset_counts(struct server *server)
{
    struct listener *listener;

    list_for_each (listener, &server->listeners, link) {
        listener->accepted = 0;
        listener->requests = 0;
    }
}

/* ---- the end ---- */

/* The last of the handles frees what they lie in. */
static void
handle_closed(struct server *server)
{
    struct listener *listener;
    struct listener *next;

    if (--server->handles > 0)
        return;
    list_for_each_safe (listener, next, &server->listeners, link)
        free(listener);
    free(server);
}

static void
on_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void
on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    close(listener->fd);
    listener->fd = -1;
    handle_closed(listener->server);
}

static void
close_listeners(struct server *server)
{
    struct listener *listener;

    list_for_each (listener, &server->listeners, link) {
        uv_handle_t *handle = (uv_handle_t *)&listener->poll;

        if (!uv_is_closing(handle))
            uv_close(handle, on_listener_closed);
    }
}

/* Looks every 10 ms whether all exchanges are through, until time is up. */
struct stop {
    struct server *server;
    uint64_t left_ms;
};

static void
on_stop_tick(void *arg)
{
    struct stop *stop = arg;
    struct server *server = stop->server;

    if (!list_empty(&server->exchanges) && stop->left_ms >= 10) {
        stop->left_ms -= 10;
        timer_start(server->stop_timer, 10);
        return;
    }
    timer_free(&server->stop_timer);
    free(stop);
    server->stop_done(server->stop_arg);
}

void
server_stop(struct server *server, uint64_t ms, void (*done)(void *arg),
            void *arg)
{
    if (server->stopping)
        return;
    struct stop *stop = mem_zalloc(sizeof(*stop));

    server->stopping = true;
    server->stop_done = done;
    server->stop_arg = arg;
    stop->server = server;
    stop->left_ms = ms;
    close_listeners(server);
    server->stop_timer = timer_new(server->loop, on_stop_tick, stop);
    timer_start(server->stop_timer, 0);
}

void
server_free(struct server **server)
{
    struct server *s = *server;
    struct exchange *x;

    if (s == NULL)
        return;
    close_listeners(s);
    list_for_each (x, &s->exchanges, link)
        exchange_kill(x, false);
    for (int i = 0; i < 4; i++)
        CHECK(MHD_run(s->daemon) == MHD_YES);
    uv_poll_stop(&s->poll);
    MHD_stop_daemon(s->daemon);
    CHECK(list_empty(&s->exchanges));
    timer_free(&s->sweep);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    uv_close((uv_handle_t *)&s->prepare, on_closed);
    uv_close((uv_handle_t *)&s->idle, on_closed);
    uv_close((uv_handle_t *)&s->wake, on_closed);
    *server = NULL;
}
