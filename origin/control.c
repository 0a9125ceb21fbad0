/* The control listener: GET /links, PUT /links/NAME, GET and DELETE /stats. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/mem.h"
#include "origin.h"

#define BODY_MAX 256

static void
on_data(struct exchange *x, const void *data, size_t len)
{
    struct buf *body = x->state;

    if (body->len + len <= BODY_MAX)
        buf_add(body, data, len);
}

static void
on_free(struct exchange *x)
{
    struct buf *body = x->state;

    buf_fini(body);
    free(body);
}

static void
list_links(struct exchange *x)
{
    json_t *links = json_object();

    server_listeners_json(x->server, links);
    answer_json(x, 200, links);
}

static void
set_link(struct exchange *x, struct span name)
{
    struct buf *body = x->state;
    struct gate_state state;

    if (x->received > BODY_MAX || !gate_parse(buf_span(body), &state))
        answer_error(x, 400, "expected up, cut, hang, or slow 300ms");
    else if (span_eq(name, SPAN("control")))
        answer_error(x, 403, "the control listener stays up");
    else if (!server_set_link(x->server, name, state))
        answer_error(x, 404, "no listener has this name");
    else
        answer_empty(x, 204);
}

static void
tell_stats(struct exchange *x)
{
    struct origin *origin = x->app;
    json_t *listeners = json_object();

    server_listeners_json(x->server, listeners);
    answer_json(
        x, 200,
        json_pack("{s:I, s:o, s:o, s:{s:b, s:I, s:I, s:s}}", "requests",
                  (json_int_t)origin->requests, "paths",
                  counts_json(origin->paths), "listeners", listeners, "publish",
                  "enabled", announce_enabled(origin->announcer), "published",
                  (json_int_t)announce_published(origin->announcer), "pending",
                  (json_int_t)announce_pending(origin->announcer), "error",
                  announce_error(origin->announcer)));
}

static void
clear_stats(struct exchange *x)
{
    struct origin *origin = x->app;

    origin->requests = 0;
    counts_clear(origin->paths);
    server_reset_counts(x->server);
    answer_empty(x, 204);
}

static void
on_end(struct exchange *x)
{
    struct span path = x->target.path;
    bool get = strcmp(x->method, "GET") == 0;

    answer_header(x, "Cache-Control", "no-store");
    if (get && span_eq(path, SPAN("/links")))
        list_links(x);
    else if (strcmp(x->method, "PUT") == 0 &&
             span_starts(path, SPAN("/links/")))
        set_link(x, span_sub(path, 7, path.len));
    else if (get && span_eq(path, SPAN("/stats")))
        tell_stats(x);
    else if (strcmp(x->method, "DELETE") == 0 && span_eq(path, SPAN("/stats")))
        clear_stats(x);
    else
        answer_error(x, 404,
                     "there are GET /links, PUT /links/NAME (up, cut, hang, "
                     "slow 300ms), GET /stats, DELETE /stats");
}

void
control_begin(struct exchange *x)
{
    x->state = mem_zalloc(sizeof(struct buf));
    x->on_data = on_data;
    x->on_end = on_end;
    x->on_free = on_free;
}
