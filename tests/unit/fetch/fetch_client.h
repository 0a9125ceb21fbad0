/*
 * One who fetches from a scripted server, notes what comes, and can be told to
 * pause, refuse or cancel; for tests.
 */
#ifndef FETCH_CLIENT_H
#define FETCH_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/loop.h"
#include "fetch/fetch.h"
#include "scripted_server.h"

#define OK3 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
#define R "HTTP/1.1 200 OK\r\n"

enum moment { NEVER, AT_START, IN_INTERIM, IN_HEAD, IN_BODY, IN_READ, IN_DONE };

/* One who fetches, and what came of it. */
struct client {
    struct loop *loop;
    struct fetch_pool *pool;
    struct fetch *fetch;

    /* What it does. */
    enum moment cancel;
    bool pause_recv; /* refuses each piece once */
    bool resume_inside;
    bool hold; /* pauses and does not resume by itself */
    const char *upload;
    size_t upload_step; /* 0: at once */
    bool pause_send;
    bool upload_short;
    enum err body_error;

    /* What it saw. */
    unsigned interims;
    unsigned heads;
    unsigned status;
    size_t field_count;
    int64_t content_length;
    bool close_delimited;
    struct buf body;
    size_t uploaded;
    bool refused_once;
    unsigned after_cancel; /* calls that must not come */
    unsigned pauses;
    bool done;
    struct fetch_result result;
    char proxy_error[64];
    char detail[200];
};

static void
at(struct client *client, enum moment moment)
{
    if (client->fetch == NULL)
        client->after_cancel++;
    if (client->cancel == moment)
        fetch_cancel(&client->fetch);
}

static void
on_interim(void *ctx, unsigned status, const struct fields *fields)
{
    struct client *client = ctx;

    (void)status;
    (void)fields;
    client->interims++;
    at(client, IN_INTERIM);
}

static void
on_head(void *ctx, const struct fetch_head *head)
{
    struct client *client = ctx;

    client->heads++;
    client->status = head->status;
    client->field_count = head->fields->count;
    client->content_length = head->content_length;
    client->close_delimited = head->close_delimited;
    at(client, IN_HEAD);
}

static enum err
on_body(void *ctx, const void *data, size_t len)
{
    struct client *client = ctx;

    at(client, IN_BODY);
    if (client->fetch == NULL)
        return ERR_OK;
    if (client->body_error != ERR_OK)
        return client->body_error;
    if (client->hold) {
        client->pauses++;
        loop_stop(client->loop);
        return ERR_AGAIN;
    }
    if (client->pause_recv && !client->refused_once) {
        client->refused_once = true;
        client->pauses++;
        fetch_resume_recv(client->fetch);
        return ERR_AGAIN;
    }
    client->refused_once = false;
    buf_add(&client->body, data, len);
    return ERR_OK;
}

static enum err
on_read(void *ctx, void *buffer, size_t max, size_t *len)
{
    struct client *client = ctx;
    size_t total = client->upload == NULL ? 0 : strlen(client->upload);
    size_t left = total - client->uploaded;

    at(client, IN_READ);
    if (client->fetch == NULL)
        return ERR_AGAIN;
    if (client->pause_send && !client->refused_once) {
        client->refused_once = true;
        client->pauses++;
        fetch_resume_send(client->fetch);
        return ERR_AGAIN;
    }
    client->refused_once = false;
    if (left == 0 || (client->upload_short && client->uploaded > 0))
        return ERR_END;
    if (client->upload_step > 0 && left > client->upload_step)
        left = client->upload_step;
    if (left > max)
        left = max;
    memcpy(buffer, client->upload + client->uploaded, left);
    client->uploaded += left;
    *len = left;
    return ERR_OK;
}

static void
on_done(void *ctx, const struct fetch_result *result)
{
    struct client *client = ctx;

    client->done = true;
    client->result = *result;
    snprintf(client->proxy_error, sizeof(client->proxy_error), "%s",
             result->proxy_error == NULL ? "" : result->proxy_error);
    snprintf(client->detail, sizeof(client->detail), "%s", result->detail);
    at(client, IN_DONE);
    client->fetch = NULL;
    loop_stop(client->loop);
}

static const struct fetch_ops ops = {on_interim, on_head, on_body, on_read,
                                     on_done};

static void
client_open(struct client *client)
{
    *client = (struct client){0};
    client->loop = loop_new();
    client->pool = fetch_pool_new(client->loop, NULL);
}

static void
client_close(struct client *client)
{
    fetch_pool_free(&client->pool);
    loop_free(&client->loop);
    buf_fini(&client->body);
}

/* Forgets what was seen, for the next fetch. */
static inline void
client_again(struct client *client)
{
    struct loop *loop = client->loop;
    struct fetch_pool *pool = client->pool;

    buf_fini(&client->body);
    *client = (struct client){.loop = loop, .pool = pool};
}

static struct fields no_fields;

static struct fetch_request
request_to(const struct server *server, const char *method)
{
    struct fetch_request request = {
        .method = span_of(method),
        .url_base = span_of(server->url),
        .target = SPAN("/a/../b?c=%41"),
        .fields = &no_fields,
        .body_len = -1,
        .first_byte_timeout_ms = 5000,
        .idle_timeout_ms = 5000,
        .idempotent = strcmp(method, "GET") == 0,
    };

    return request;
}

static void
start(struct client *client, const struct fetch_request *request)
{
    client->fetch = fetch_start(client->pool, request, &ops, client);
    assert_false(client->done);
}

static inline void
run(struct client *client, const struct fetch_request *request)
{
    start(client, request);
    loop_run(client->loop);
    assert_true(client->done);
    assert_int_equal(client->after_cancel, 0);
}

static inline void
on_look(void *arg)
{
    struct client *client = arg;

    loop_stop(client->loop);
}

/* Runs until the pool has let go of the fetch. */
static inline void
run_until_idle(struct client *client)
{
    struct timer *timer = timer_new(client->loop, on_look, client);

    while (fetch_pool_active(client->pool) > 0) {
        timer_start(timer, 1);
        loop_run(client->loop);
    }
    timer_free(&timer);
}

#endif
