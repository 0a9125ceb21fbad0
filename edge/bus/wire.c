#include "wire_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"

#define WIRE_TAG 0x57495245u
#define READ_SIZE ((size_t)64 << 10)
#define KEEPALIVE_S 15

/* One socket, to one address. It outlives its wire until libuv closed it. */
struct plug {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct wire *wire; /* NULL once given up */
};

struct wire {
    TAG_FIELD;
    struct loop *loop;
    struct wire_events events;
    uv_getaddrinfo_t resolve;
    bool resolving; /* the pool holds `resolve` */
    bool closed;    /* by the owner: freed when nothing holds it */
    bool failed;    /* `down` was called, or will be by the timer */
    bool connected;
    unsigned attempt;
    struct addrinfo *found;
    struct addrinfo *next;
    unsigned left; /* addresses not tried yet */
    struct plug *plug;
    struct timer *timer; /* deadline of connecting; then late failures */
    enum err late_err;
    redisReader *reader;
    char why[256];
    char input[READ_SIZE];
};

struct out {
    uv_write_t request;
    char *data;
};

static void
unplug_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
unplug(struct wire *wire)
{
    struct plug *plug = wire->plug;

    wire->plug = NULL;
    if (plug == NULL)
        return;
    plug->wire = NULL;
    uv_close((uv_handle_t *)&plug->tcp, unplug_closed);
}

/* From a callback of libuv's only: it may end in wire_close. */
static void
fail(struct wire *wire, enum err err)
{
    if (wire->failed)
        return;
    wire->failed = true;
    timer_stop(wire->timer);
    unplug(wire);
    wire->events.down(wire->events.arg, err, wire->why);
}

/* From anywhere: `down` is called on the next turn. */
static void
fail_late(struct wire *wire, enum err err)
{
    if (wire->failed || wire->late_err != ERR_OK)
        return;
    wire->late_err = err;
    timer_start(wire->timer, 0);
}

static void
on_timer(void *arg)
{
    struct wire *wire = arg;

    if (wire->late_err != ERR_OK) {
        fail(wire, wire->late_err);
        return;
    }
    snprintf(wire->why, sizeof(wire->why), "no connection in time");
    fail(wire, ERR_TIMEOUT);
}

/* ---- reading ---- */

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct plug *plug = handle->data;

    (void)suggested;
    *buf = plug->wire == NULL
               ? uv_buf_init(NULL, 0)
               : uv_buf_init(plug->wire->input, (unsigned)READ_SIZE);
}

static void
deliver(struct wire *wire, struct plug *plug)
{
    /* `plug` stays while libuv calls us; its wire is NULL once we gave up. */
    while (plug->wire != NULL) {
        void *reply = NULL;

        if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK) {
            snprintf(wire->why, sizeof(wire->why),
                     "it does not speak the Redis protocol (%s)",
                     wire->reader->errstr);
            fail(wire, ERR_PROTOCOL);
            return;
        }
        if (reply == NULL)
            break;
        wire->events.reply(wire->events.arg, reply);
        freeReplyObject(reply);
    }
    if (plug->wire != NULL && wire->reader->len > WIRE_REPLY_MAX) {
        snprintf(wire->why, sizeof(wire->why), "a reply is too large");
        fail(wire, ERR_PROTOCOL);
    }
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct plug *plug = stream->data;
    struct wire *wire = plug->wire;

    if (wire == NULL || got == 0)
        return;
    if (got < 0) {
        snprintf(wire->why, sizeof(wire->why), "the connection broke: %s",
                 got == UV_EOF ? "closed by the other side"
                               : uv_strerror((int)got));
        fail(wire, ERR_RESET);
        return;
    }
    if (wire->events.heard != NULL)
        wire->events.heard(wire->events.arg);
    if (redisReaderFeed(wire->reader, buf->base, (size_t)got) != REDIS_OK) {
        snprintf(wire->why, sizeof(wire->why), "no memory for a reply");
        fail(wire, ERR_NOMEM);
        return;
    }
    deliver(wire, plug);
}

/* ---- connecting ---- */

static void try_next(struct wire *wire);

static void
on_connect(uv_connect_t *request, int status)
{
    struct plug *plug = CONTAINER_OF(request, struct plug, connect);
    struct wire *wire = plug->wire;

    if (wire == NULL)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&plug->tcp, on_alloc, on_read);
    if (status != 0) {
        snprintf(wire->why, sizeof(wire->why), "no connection: %s",
                 uv_strerror(status));
        unplug(wire);
        try_next(wire);
        return;
    }
    timer_stop(wire->timer);
    freeaddrinfo(wire->found);
    wire->found = NULL;
    wire->connected = true;
    uv_tcp_nodelay(&plug->tcp, 1);
    uv_tcp_keepalive(&plug->tcp, 1, KEEPALIVE_S);
    wire->events.up(wire->events.arg);
}

static void
try_next(struct wire *wire)
{
    if (wire->left == 0) {
        fail(wire, ERR_REFUSED);
        return;
    }
    const struct addrinfo *address = wire->next;
    struct plug *plug = mem_zalloc(sizeof(*plug));

    wire->left--;
    wire->next = address->ai_next != NULL ? address->ai_next : wire->found;
    plug->wire = wire;
    CHECK(uv_tcp_init(loop_uv(wire->loop), &plug->tcp) == 0);
    plug->tcp.data = plug;
    wire->plug = plug;
    int status = uv_tcp_connect(&plug->connect, &plug->tcp, address->ai_addr,
                                on_connect);
    if (status == 0)
        return;
    snprintf(wire->why, sizeof(wire->why), "no connection: %s",
             uv_strerror(status));
    unplug(wire);
    try_next(wire);
}

static void
wire_release(struct wire *wire)
{
    if (!wire->closed || wire->resolving)
        return;
    if (wire->found != NULL)
        freeaddrinfo(wire->found);
    redisReaderFree(wire->reader);
    TAG_CLEAR(wire);
    free(wire);
}

static void
on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct wire *wire = CONTAINER_OF(request, struct wire, resolve);

    wire->resolving = false;
    wire->found = found;
    if (wire->closed) {
        wire_release(wire);
        return;
    }
    if (wire->failed)
        return;
    if (status != 0 || found == NULL) {
        snprintf(wire->why, sizeof(wire->why), "its name does not resolve: %s",
                 status != 0 ? uv_strerror(status) : "no address");
        fail(wire, ERR_REFUSED);
        return;
    }
    for (struct addrinfo *a = found; a != NULL; a = a->ai_next)
        wire->left++;
    /* Begin elsewhere each time, lest an address that swallows packets keeps
     * us from the others. */
    wire->next = found;
    for (unsigned i = wire->attempt % wire->left; i > 0; i--)
        wire->next = wire->next->ai_next;
    try_next(wire);
}

struct wire *
wire_open(struct loop *loop, const struct wire_options *options,
          const struct wire_events *events)
{
    struct wire *wire = mem_zalloc(sizeof(*wire));
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    char port[16];

    TAG_SET(wire, WIRE_TAG);
    wire->loop = loop;
    wire->events = *events;
    wire->attempt = options->attempt;
    wire->reader = redisReaderCreate();
    CHECK(wire->reader != NULL);
    wire->timer = timer_new(loop, on_timer, wire);
    snprintf(port, sizeof(port), "%u", options->port);
    int status = uv_getaddrinfo(loop_uv(loop), &wire->resolve, on_resolved,
                                options->host, port, &hints);
    if (status != 0) {
        snprintf(wire->why, sizeof(wire->why), "its name does not resolve: %s",
                 uv_strerror(status));
        fail_late(wire, ERR_REFUSED);
        return wire;
    }
    wire->resolving = true;
    timer_start(wire->timer, options->connect_timeout_ms);
    return wire;
}

/* ---- writing ---- */

static void
on_written(uv_write_t *request, int status)
{
    struct out *out = CONTAINER_OF(request, struct out, request);
    struct plug *plug = request->handle->data;
    struct wire *wire = plug->wire;

    redisFreeCommand(out->data);
    free(out);
    if (status == 0 || wire == NULL)
        return;
    snprintf(wire->why, sizeof(wire->why), "the connection broke: %s",
             uv_strerror(status));
    fail(wire, ERR_RESET);
}

/* The command in the Redis protocol, allocated by hiredis. */
static char *
format(const struct span *args, size_t count, size_t *len)
{
    const char **texts = mem_alloc(count * sizeof(*texts));
    size_t *lens = mem_alloc(count * sizeof(*lens));
    char *data = NULL;

    for (size_t i = 0; i < count; i++) {
        texts[i] = args[i].ptr != NULL ? args[i].ptr : "";
        lens[i] = args[i].len;
    }
    int n = redisFormatCommandArgv(&data, (int)count, texts, lens);
    free(texts);
    free(lens);
    CHECK(n > 0 && data != NULL); /* a small allocation failed */
    *len = (size_t)n;
    return data;
}

void
wire_send(struct wire *wire, const struct span *args, size_t count)
{
    TAG_CHECK(wire, WIRE_TAG);
    CHECK(wire->connected);
    if (wire->failed || wire->plug == NULL)
        return;
    struct out *out = mem_zalloc(sizeof(*out));
    size_t len;

    out->data = format(args, count, &len);
    uv_buf_t buf = uv_buf_init(out->data, (unsigned)len);
    int status = uv_write(&out->request, (uv_stream_t *)&wire->plug->tcp, &buf,
                          1, on_written);
    if (status == 0)
        return;
    redisFreeCommand(out->data);
    free(out);
    snprintf(wire->why, sizeof(wire->why), "the connection broke: %s",
             uv_strerror(status));
    fail_late(wire, ERR_RESET);
}

void
wire_close(struct wire **wire)
{
    struct wire *w = *wire;

    *wire = NULL;
    if (w == NULL)
        return;
    TAG_CHECK(w, WIRE_TAG);
    w->closed = true;
    w->failed = true;
    unplug(w);
    timer_free(&w->timer);
    if (w->resolving)
        uv_cancel((uv_req_t *)&w->resolve);
    wire_release(w);
}
