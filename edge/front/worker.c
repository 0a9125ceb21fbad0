/*
 * A worker's loop. libmicrohttpd does nothing by itself: it is run before the
 * loop waits and after, whenever its epoll says so or a request was resumed
 * since; while it says that it has work left, the loop does not wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "front_internal.h"

#define TICK_MS 1000

/* Of memory for each connection, for the heads of a request and of its answer.
 * libmicrohttpd clears all of it with each request, which is what a hit costs
 * most outside the kernel: 32 KiB made hits dearer by a quarter. */
#define POOL_MIN ((size_t)18 * 1024)

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
    LOG(LOG_DEBUG, "libmicrohttpd: %s", text);
}

/* ---- running libmicrohttpd ---- */

static void
on_idle(uv_idle_t *idle)
{
    struct front_worker *worker = idle->data;

    worker->need_run = true;
}

static void
run(struct front_worker *worker)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    if (!worker->need_run)
        return;
    worker->need_run = false;
    MHD_run(worker->daemon);
    bool more =
        worker->need_run ||
        (MHD_get_timeout(worker->daemon, &timeout) == MHD_YES && timeout == 0);

    if (more)
        uv_idle_start(&worker->idle, on_idle);
    else
        uv_idle_stop(&worker->idle);
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
on_mhd_readable(uv_poll_t *poll, int status, int events)
{
    struct front_worker *worker = poll->data;

    (void)status;
    (void)events;
    worker->need_run = true;
}

/* Clients that left while their requests were suspended: libmicrohttpd does
 * not look at those connections. */
static void
on_watch(uv_poll_t *poll, int status, int events)
{
    struct front_worker *worker = poll->data;
    struct epoll_event found[64];

    (void)status;
    (void)events;
    int count = epoll_wait(worker->watch_fd, found, 64, 0);

    for (int i = 0; i < count; i++)
        conn_left(found[i].data.ptr);
}

/* ---- the tick ---- */

static void drain_step(struct front_worker *worker);

static void
take_options(struct front_worker *worker, const struct conf *conf)
{
    worker->idle_timeout_ms = conf->limits.idle_timeout_ms;
    worker->header_timeout_ms = conf->limits.header_timeout_ms;
    worker->max_connections = conf->limits.max_connections;
    worker->max_body = conf->limits.max_body_bytes;
    worker->max_head = conf->limits.request_header_bytes;
}

static void
on_tick(void *arg)
{
    struct front_worker *worker = arg;

    take_options(worker, worker_conf(worker->worker));
    render_tick(worker->renders);
    conn_tick(worker);
    worker->need_run = true;
    if (worker->draining)
        drain_step(worker);
    timer_start(worker->tick, worker->draining ? 20 : TICK_MS);
}

/* ---- begin and end ---- */

static bool
start_daemon(struct front_worker *worker, const struct conf *conf)
{
    unsigned idle_s = (unsigned)((conf->limits.idle_timeout_ms + 999) / 1000);
    size_t wanted = (size_t)conf->limits.request_header_bytes / 2 * 3;

    worker->pool = wanted > POOL_MIN ? wanted : POOL_MIN;

    worker->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG,
        0, NULL, NULL, request_handle, worker, MHD_OPTION_EXTERNAL_LOGGER,
        log_library, NULL, MHD_OPTION_CONNECTION_LIMIT, 1000000u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, worker->pool,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_URI_LOG_CALLBACK,
        request_uri, worker, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, worker,
        MHD_OPTION_NOTIFY_CONNECTION, conn_notify, worker,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_END);
    return worker->daemon != NULL;
}

static void
start_poll(struct front_worker *worker, uv_poll_t *poll, int fd,
           uv_poll_cb callback)
{
    CHECK(uv_poll_init(loop_uv(worker->loop), poll, fd) == 0);
    poll->data = worker;
    CHECK(uv_poll_start(poll, UV_READABLE, callback) == 0);
}

/* On the worker's own thread: its loop is registered there. */
static void
set_up(struct front_worker *worker)
{
    uv_loop_t *uv = loop_uv(worker->loop);
    int mhd_fd =
        MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

    start_poll(worker, &worker->mhd_poll, mhd_fd, on_mhd_readable);
    start_poll(worker, &worker->watch_poll, worker->watch_fd, on_watch);
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct listener *listener = &worker->listeners[i];

        CHECK(uv_poll_init(uv, &listener->poll, listener->fd) == 0);
        listener->poll.data = listener;
        CHECK(uv_poll_start(&listener->poll, UV_READABLE, conn_readable) == 0);
    }
    CHECK(uv_prepare_init(uv, &worker->prepare) == 0);
    CHECK(uv_check_init(uv, &worker->check) == 0);
    CHECK(uv_idle_init(uv, &worker->idle) == 0);
    worker->prepare.data = worker;
    worker->check.data = worker;
    worker->idle.data = worker;
    CHECK(uv_prepare_start(&worker->prepare, on_prepare) == 0);
    CHECK(uv_check_start(&worker->check, on_check) == 0);
    worker->tick = timer_new(worker->loop, on_tick, worker);
    timer_start(worker->tick, TICK_MS);
}

static void
tear_down(struct front_worker *worker)
{
    uv_close((uv_handle_t *)&worker->mhd_poll, NULL);
    uv_close((uv_handle_t *)&worker->watch_poll, NULL);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->check, NULL);
    uv_close((uv_handle_t *)&worker->idle, NULL);
    timer_free(&worker->tick);
    render_free(&worker->renders);
    MHD_stop_daemon(worker->daemon);
    worker_free(&worker->worker);
    loop_free(&worker->loop);
    close(worker->watch_fd);
    request_pool_free(worker);
}

struct front_worker *
front_worker_new(struct front *front, unsigned index, const struct conf *conf)
{
    struct front_worker *worker = mem_zalloc(sizeof(*worker));

    worker->front = front;
    worker->index = index;
    list_init(&worker->conns);
    take_options(worker, conf);
    worker->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(worker->watch_fd >= 0);
    worker->renders = render_new();
    CHECK(start_daemon(worker, conf));
    return worker;
}

void
front_worker_listen(struct front_worker *worker, int fd)
{
    worker->listeners =
        mem_realloc(worker->listeners,
                    (worker->listener_count + 1) * sizeof(*worker->listeners));
    worker->listeners[worker->listener_count++] =
        (struct listener){.worker = worker, .fd = fd};
}

struct starting {
    struct front_worker *worker;
    uv_sem_t ready;
};

/* The loop and the engine's worker are made on the thread that runs them. */
static void *
thread_main(void *arg)
{
    struct starting *starting = arg;
    struct front_worker *worker = starting->worker;

    worker->loop = loop_new();
    worker->worker =
        worker_new(worker->front->engine, worker->loop, worker->index);
    set_up(worker);
    uv_sem_post(&starting->ready); /* `starting` is gone from here on */
    loop_run(worker->loop);
    tear_down(worker);
    return NULL;
}

void
front_worker_run(struct front_worker *worker)
{
    struct starting starting = {.worker = worker};

    CHECK(uv_sem_init(&starting.ready, 0) == 0);
    CHECK(pthread_create(&worker->thread, NULL, thread_main, &starting) == 0);
    uv_sem_wait(&starting.ready);
    uv_sem_destroy(&starting.ready);
}

void
front_worker_free(struct front_worker **worker)
{
    free((*worker)->listeners);
    free(*worker);
    *worker = NULL;
}

void
front_worker_give_up(struct front_worker **worker)
{
    struct front_worker *w = *worker;

    for (size_t i = 0; i < w->listener_count; i++)
        close(w->listeners[i].fd);
    render_free(&w->renders);
    MHD_stop_daemon(w->daemon);
    close(w->watch_fd);
    front_worker_free(worker);
}

/* ---- draining ---- */

static void
close_listeners(struct front_worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct listener *listener = &worker->listeners[i];

        conn_accept(listener); /* who is in the backlog is still served */
        uv_close((uv_handle_t *)&listener->poll, NULL);
        close(listener->fd);
    }
}

static void
on_drain(struct post *post)
{
    struct front_worker *worker =
        CONTAINER_OF(post, struct front_worker, drain_post);

    close_listeners(worker);
    worker->draining = true;
    timer_start(worker->tick, 0);
}

void
front_worker_drain(struct front_worker *worker, uint64_t deadline_ms)
{
    worker->deadline_ns = clock_boot_ns() + deadline_ms * NS_PER_MS;
    worker->drain_post.fn = on_drain;
    loop_post(worker->loop, &worker->drain_post);
}

static void
drain_step(struct front_worker *worker)
{
    struct conn *conn;

    if (clock_boot_ns() >= worker->deadline_ns) {
        list_for_each (conn, &worker->conns, link) {
            if (conn->request != NULL)
                request_abandon(conn->request);
            conn_kill(conn);
        }
    }
    /* All must be here before the first one goes: until then one may still be
     * told of another's fill. */
    if (!worker->drained && worker->conn_count == 0 &&
        worker_quiet(worker->worker)) {
        worker->drained = true;
        loop_post(worker->front->drained_loop, &worker->drained_post);
    }
}
