/*
 * libmicrohttpd on the control loop. It does nothing by itself: it is run
 * before the loop waits and after, whenever its epoll says so or a request was
 * resumed since; while it says that it has work left, the loop does not wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "http/guard.h"
#include "server_internal.h"

#define TICK_MS 1000
#define BACKLOG 128
#define POOL_BYTES ((size_t)32 * 1024)
#define CONNECTIONS_MAX 256u
#define FIELDS_MAX 100
/* Without a byte; and for all of a request. */
#define IDLE_S 10u
#define REQUEST_NS (UINT64_C(60) * NS_PER_S)
/* A body that nobody wants is read to its end, so that the client sees the
 * answer; but not more of it than this. */
#define DISCARD_MAX ((size_t)64 * 1024 * 1024)

struct server_conn {
    struct list_link link;
    int fd;
    uint64_t since_ns; /* of its latest request's beginning, or end */
    struct server_request *request;
};

struct server {
    struct MHD_Daemon *daemon;
    const struct server_ops *ops;
    void *arg;
    char address[LISTEN_ADDRESS_SIZE];
    struct list_link conns;
    struct timer *tick;
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    unsigned handles; /* of the four that are not closed */
    bool need_run;
};

/* ---- running libmicrohttpd ---- */

static void
on_idle(uv_idle_t *idle)
{
    struct server *server = idle->data;

    server->need_run = true;
}

static void
run(struct server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    if (!server->need_run)
        return;
    server->need_run = false;
    MHD_run(server->daemon);
    if (server->need_run ||
        (MHD_get_timeout(server->daemon, &timeout) == MHD_YES && timeout == 0))
        uv_idle_start(&server->idle, on_idle);
    else
        uv_idle_stop(&server->idle);
}

static void
on_prepare(uv_prepare_t *prepare)
{
    run(prepare->data);
}

static void
on_check(uv_check_t *check)
{
    run(check->data);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct server *server = poll->data;

    (void)status;
    (void)events;
    server->need_run = true;
}

/* libmicrohttpd times idle connections only while it runs, and takes any byte
 * for life: who sends one now and then is cut here. */
static void
on_tick(void *arg)
{
    struct server *server = arg;
    struct server_conn *conn;
    uint64_t now = clock_boot_ns();

    list_for_each (conn, &server->conns, link) {
        bool waits = conn->request != NULL && conn->request->handed;

        if (!waits && now - conn->since_ns > REQUEST_NS)
            shutdown(conn->fd, SHUT_RDWR);
    }
    server->need_run = true;
    timer_start(server->tick, TICK_MS);
}

/* ---- connections ---- */

static void
on_connection(void *cls, struct MHD_Connection *mhd, void **context,
              enum MHD_ConnectionNotificationCode code)
{
    struct server *server = cls;
    struct server_conn *conn = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        conn = mem_zalloc(sizeof(*conn));
        conn->fd =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)
                ->connect_fd;
        conn->since_ns = clock_boot_ns();
        list_push_back(&server->conns, &conn->link);
        *context = conn;
    } else if (conn != NULL) {
        list_remove(&conn->link);
        free(conn);
        *context = NULL;
    }
}

static struct server_conn *
conn_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

/* ---- the head ---- */

static void *
on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct server_request *request = mem_zalloc(sizeof(*request));
    size_t len = strlen(uri);
    const char *query = memchr(uri, '?', len);
    size_t path_len = query != NULL ? (size_t)(query - uri) : len;

    request->server = cls;
    request->mhd = mhd;
    request->conn = conn_of(mhd);
    request->conn->request = request;
    request->conn->since_ns = clock_boot_ns();
    request->target = mem_strndup(uri, len);
    request->path = (struct span){request->target, path_len};
    if (query != NULL)
        request->query =
            (struct span){request->target + path_len + 1, len - path_len - 1};
    /* Keeps libmicrohttpd from parsing the query: many arguments would fill
     * its pool, and the request would hang. */
    if (query != NULL && query[1] != '\0')
        ((char *)(uintptr_t)query)[1] = '\0';
    return request;
}

static enum MHD_Result
collect(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
        const char *value, size_t value_len)
{
    struct server_request *request = cls;

    (void)kind;
    if (request->fields.count == FIELDS_MAX) {
        request->refused = "too many header fields";
        return MHD_NO;
    }
    fields_add(&request->fields, (struct span){name, name_len},
               span_trim((struct span){value ? value : "", value_len}));
    return MHD_YES;
}

static void
read_head(struct server_request *request, const char *method,
          const char *version)
{
    struct guard_result guard;

    request->method = span_of(method);
    MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, collect,
                                request);
    if (request->refused == NULL)
        request->refused =
            guard_request(request->method, strcmp(version, "HTTP/1.0") != 0,
                          &request->fields, &guard);
}

/* ---- the answer ---- */

static enum MHD_Result
queue(struct server_request *request)
{
    request->queued = true;
    return MHD_queue_response(request->mhd, request->status, request->response);
}

void
server_reply(struct server_request *request, const struct server_reply *reply)
{
    struct MHD_Response *response;

    CHECK(request->response == NULL);
    response = MHD_create_response_from_buffer(
        reply->body.len, (void *)(uintptr_t)reply->body.ptr,
        MHD_RESPMEM_MUST_COPY);
    CHECK(response != NULL);
    MHD_add_response_header(response, "Content-Type", reply->type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->allow != NULL)
        MHD_add_response_header(response, "Allow", reply->allow);
    if (reply->authenticate != NULL)
        MHD_add_response_header(response, "WWW-Authenticate",
                                reply->authenticate);
    request->response = response;
    request->status = reply->status;
    if (request->in_handler)
        return; /* it is queued when the handler returns */
    queue(request);
    request->suspended = false;
    request->server->need_run = true;
    MHD_resume_connection(request->mhd);
}

/* ---- the handler ---- */

/* An answer in the first call closes the connection: only for these. */
static enum MHD_Result
refuse(struct server_request *request)
{
    struct buf text = {0};

    buf_printf(&text, "400 Bad Request: %s\n", request->refused);
    server_reply(request, &(struct server_reply){
                              .status = 400,
                              .type = "text/plain; charset=utf-8",
                              .body = buf_span(&text),
                          });
    buf_fini(&text);
    return queue(request);
}

static enum MHD_Result
take_body(struct server_request *request, const char *data, size_t *len)
{
    if (request->keeps && request->body.len + *len <= SERVER_BODY_MAX) {
        buf_add(&request->body, data, *len);
    } else {
        request->too_large = request->keeps;
        request->discarded += *len;
        if (request->discarded > DISCARD_MAX)
            return MHD_NO;
    }
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result
take_end(struct server_request *request)
{
    if (!request->handed) {
        request->handed = true;
        request->server->ops->handle(request->server->arg, request);
    }
    if (request->response != NULL)
        return queue(request);
    if (!request->suspended) {
        request->suspended = true;
        MHD_suspend_connection(request->mhd);
    }
    return MHD_YES;
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *mhd, const char *url,
           const char *method, const char *version, const char *data,
           size_t *len, void **context)
{
    struct server *server = cls;
    struct server_request *request = *context;
    enum MHD_Result result = MHD_YES;

    (void)mhd;
    (void)url;
    if (request->queued)
        return MHD_YES;
    request->in_handler = true;
    if (!request->begun) {
        request->begun = true;
        read_head(request, method, version);
        if (request->refused != NULL)
            result = refuse(request);
        else
            request->keeps = server->ops->wants_body(server->arg, request);
    } else if (*len > 0) {
        result = take_body(request, data, len);
    } else {
        result = take_end(request);
    }
    request->in_handler = false;
    return result;
}

static void
on_completed(void *cls, struct MHD_Connection *mhd, void **context,
             enum MHD_RequestTerminationCode code)
{
    struct server *server = cls;
    struct server_request *request = *context;

    (void)mhd;
    (void)code;
    if (request == NULL)
        return;
    *context = NULL;
    if (request->handed && request->response == NULL)
        server->ops->gone(server->arg, request);
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    request->conn->request = NULL;
    request->conn->since_ns = clock_boot_ns();
    fields_fini(&request->fields);
    buf_fini(&request->body);
    free(request->target);
    free(request);
}

/* ---- begin and end ---- */

static size_t
keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static void
log_library(void *cls, const char *format, va_list args)
{
    char text[256];

    (void)cls;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    LOG(LOG_DEBUG, "admin: libmicrohttpd: %s", text);
}

/* Takes the socket over. */
static bool
start_daemon(struct server *server, int fd)
{
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
        NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_END);
    return server->daemon != NULL;
}

static void
start_handles(struct server *server, struct loop *loop)
{
    uv_loop_t *uv = loop_uv(loop);
    int fd =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

    server->poll.data = server;
    server->prepare.data = server;
    server->check.data = server;
    server->idle.data = server;
    server->handles = 4;
    CHECK(uv_poll_init(uv, &server->poll, fd) == 0);
    CHECK(uv_prepare_init(uv, &server->prepare) == 0);
    CHECK(uv_check_init(uv, &server->check) == 0);
    CHECK(uv_idle_init(uv, &server->idle) == 0);
    CHECK(uv_poll_start(&server->poll, UV_READABLE, on_readable) == 0);
    CHECK(uv_prepare_start(&server->prepare, on_prepare) == 0);
    CHECK(uv_check_start(&server->check, on_check) == 0);
    server->tick = timer_new(loop, on_tick, server);
    timer_start(server->tick, TICK_MS);
}

struct server *
server_new(struct loop *loop, const char *listen, const struct server_ops *ops,
           void *arg, char *why, size_t size)
{
    struct server *server = mem_zalloc(sizeof(*server));
    struct listen_options options = {"admin.listen", false, BACKLOG};
    int fd = listen_open(listen, &options, server->address, why, size);

    if (fd < 0) {
        free(server);
        return NULL;
    }
    server->ops = ops;
    server->arg = arg;
    list_init(&server->conns);
    CHECK(start_daemon(server, fd));
    start_handles(server, loop);
    return server;
}

static void
on_closed(uv_handle_t *handle)
{
    struct server *server = handle->data;

    if (--server->handles == 0)
        free(server);
}

void
server_free(struct server **server)
{
    struct server *s = *server;
    struct server_conn *conn;

    *server = NULL;
    if (s == NULL)
        return;
    timer_free(&s->tick);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    uv_close((uv_handle_t *)&s->prepare, on_closed);
    uv_close((uv_handle_t *)&s->check, on_closed);
    uv_close((uv_handle_t *)&s->idle, on_closed);
    /* libmicrohttpd does not end while a connection is suspended. */
    list_for_each (conn, &s->conns, link) {
        if (conn->request != NULL && conn->request->suspended) {
            conn->request->suspended = false;
            MHD_resume_connection(conn->request->mhd);
        }
    }
    MHD_stop_daemon(s->daemon);
}

const char *
server_address(const struct server *server)
{
    return server->address;
}
