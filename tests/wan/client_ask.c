/* Requests and their answers, over sockets that do not block. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "client.h"

#define READ_BYTES 65536

static void fail(struct client *client, struct actor *actor);

/* ---- the connection ---- */

static void
drop(struct actor *actor)
{
    if (actor->fd >= 0)
        close(actor->fd);
    actor->fd = -1;
}

static void
watch(struct client *client, struct actor *actor, bool writable, int how)
{
    struct epoll_event event = {
        .events = writable ? EPOLLOUT : EPOLLIN,
        .data = {.u64 = actor->index},
    };

    CHECK(epoll_ctl(client->epoll, how, actor->fd, &event) == 0);
    actor->writable = writable;
}

static bool
connect_to(struct client *client, struct actor *actor)
{
    drop(actor);
    actor->ask.reused = false;
    actor->fd_place = actor->ask.place;
    actor->fd_port = actor->ask.port;
    actor->fd = place_connect(&client->places, actor->fd_place, actor->fd_port);
    if (actor->fd < 0)
        return false;
    watch(client, actor, true, EPOLL_CTL_ADD);
    return true;
}

/* ---- the answer ---- */

static void
take_field(const char *line, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0)
        return;
    line += len;
    while (*line == ' ')
        line++;
    strncpy(out, line, size - 1);
    out[size - 1] = '\0';
}

static void
on_field(void *arg, const char *line)
{
    struct ask *ask = arg;

    take_field(line, "Cache-Status:", ask->cache_status,
               sizeof(ask->cache_status));
    take_field(line, "Atlas-Session:", ask->token, sizeof(ask->token));
    take_field(line, "Atlas-Invalidation:", ask->pending, sizeof(ask->pending));
    take_field(line, "ETag:", ask->etag, sizeof(ask->etag));
}

static void
on_body(void *arg, const void *data, size_t len)
{
    struct ask *ask = arg;

    buf_add(&ask->body, data, len);
}

/* Whether the node's own member of Cache-Status (RFC 9211: the last) has this
 * parameter. */
static bool
has_parameter(const struct ask *ask, const char *name)
{
    const char *member = strrchr(ask->cache_status, ',');
    const char *at;
    size_t len = strlen(ask->place->name);

    member = member != NULL ? member + 1 : ask->cache_status;
    while (*member == ' ')
        member++;
    if (strncmp(member, ask->place->name, len) != 0)
        return false;
    for (at = member; (at = strstr(at, name)) != NULL; at++) {
        char after = at[strlen(name)];

        if (at[-1] == ' ' && (after == '\0' || after == ';'))
            return true;
    }
    return false;
}

static void
finish(struct client *client, struct actor *actor, int status)
{
    struct ask *ask = &actor->ask;
    struct outcome outcome = {
        .status = status,
        .begin = ask->begin_us,
        .end = history_now_us(),
        .local = has_parameter(ask, "hit"),
        .stored = has_parameter(ask, "stored"),
        .body = buf_span(&ask->body),
        .token = span_of(ask->token),
        .etag = span_of(ask->etag),
        .pending = ask->pending[0] != '\0',
        .refused = status == 0 && ask->sent == 0,
    };

    CHECK(ask->busy);
    ask->busy = false;
    client->operations++;
    ask->done(client, actor, &outcome);
}

static void
start_response(struct ask *ask)
{
    ask->response =
        (struct response){.fn = on_body, .field = on_field, .arg = ask};
    ask->cache_status[0] = ask->token[0] = ask->etag[0] = '\0';
    ask->pending[0] = '\0';
    buf_clear(&ask->body);
    ask->sent = 0;
    ask->any = false;
}

/* A kept connection may have been closed just before: that is no answer. */
static void
fail(struct client *client, struct actor *actor)
{
    struct ask *ask = &actor->ask;
    bool again = ask->reused && !ask->any;

    drop(actor);
    if (again) {
        start_response(ask);
        if (connect_to(client, actor))
            return;
    }
    finish(client, actor, 0);
}

/* ---- events ---- */

static void
send_more(struct client *client, struct actor *actor)
{
    struct ask *ask = &actor->ask;
    ssize_t len = send(actor->fd, ask->request.data + ask->sent,
                       ask->request.len - ask->sent, MSG_NOSIGNAL);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len < 0) {
        fail(client, actor);
        return;
    }
    ask->sent += (size_t)len;
    if (ask->sent == ask->request.len)
        watch(client, actor, false, EPOLL_CTL_MOD);
}

static void
read_more(struct client *client, struct actor *actor)
{
    static char data[READ_BYTES];
    struct ask *ask = &actor->ask;
    ssize_t len = recv(actor->fd, data, sizeof(data), 0);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len == 0 && ask->any && response_end(&ask->response)) {
        drop(actor);
        finish(client, actor, ask->response.status);
        return;
    }
    if (len <= 0) {
        fail(client, actor);
        return;
    }
    ask->any = true;
    if (response_feed(&ask->response, data, (size_t)len))
        return;
    if (ask->response.state == RESPONSE_DONE)
        finish(client, actor, ask->response.status);
    else
        fail(client, actor);
}

void
client_ask_event(struct client *client, struct actor *actor, uint32_t events)
{
    if (!actor->ask.busy)
        drop(actor); /* closed while nothing was asked */
    else if (actor->writable && (events & (EPOLLERR | EPOLLHUP)) != 0)
        fail(client, actor);
    else if (actor->writable)
        send_more(client, actor);
    else
        read_more(client, actor);
}

void
client_ask_late(struct client *client, struct actor *actor)
{
    drop(actor);
    finish(client, actor, 0);
}

void
client_ask(struct client *client, struct actor *actor,
           const struct place *place, unsigned port, bool fresh,
           uint64_t timeout_us, outcome_fn done)
{
    struct ask *ask = &actor->ask;

    CHECK(!ask->busy);
    ask->place = place;
    ask->port = port;
    ask->done = done;
    ask->busy = true;
    ask->begin_us = history_now_us();
    ask->deadline_us = timeout_us > 0 ? ask->begin_us + timeout_us : 0;
    actor->wake_us = 0;
    start_response(ask);
    ask->reused = !fresh && actor->fd >= 0 && actor->fd_place == place &&
                  actor->fd_port == port;
    if (ask->reused) {
        watch(client, actor, true, EPOLL_CTL_MOD);
    } else if (!connect_to(client, actor)) {
        /* Never within this call: it is told when it is late. */
        drop(actor);
        ask->deadline_us = ask->begin_us;
    }
}
