/*
 * Writes through a node: it invalidates what it forwards.
 *
 * Such a write may be on its way for long, and its answer may be lost. So each
 * goes with If-Match of what it is to replace, and when the outcome is not
 * known the writer settles it at the origin before it goes on: either the value
 * is there; or what is there is put once more, which changes its validator, and
 * then the write can no longer happen.
 */
#include <string.h>

#include "client.h"

#define TIMEOUT_US 15000000
#define LOOK_US 3000000
#define AGAIN_US 200000

static void look(struct client *client, struct actor *actor);

static void
finish(struct client *client, struct actor *actor, enum history_outcome result,
       const struct outcome *outcome)
{
    bool answered = result == HISTORY_OK && !actor->fencing;
    struct history_line line = {
        .kind = HISTORY_WRITE,
        .key = span_of(actor->key->name),
        .at = span_of(actor->node->name),
        .begin = actor->write_us,
        .end = outcome->end,
        .outcome = result,
        .value = actor->key->value,
        .status = (uint64_t)actor->write_status,
        .session = actor->session,
        .sent = actor->sent,
        .got = answered && outcome->token.len > 0,
    };

    /* On `lease` the answer waits for all nodes, or says that it did not. */
    line.all =
        answered && actor->key->level == HISTORY_LEASE && !outcome->pending;
    if (line.got && actor->session != 0)
        snprintf(actor->token, sizeof(actor->token), "%.*s",
                 SPAN_FMT(outcome->token));
    actor->fencing = false;
    client_written(client, actor, &line);
}

/* ---- settling ---- */

static void
on_fence(struct client *client, struct actor *actor,
         const struct outcome *outcome)
{
    if (outcome->status == 201 || outcome->status == 204)
        finish(client, actor, HISTORY_FAILED, outcome);
    else
        client_pause(client, actor, AGAIN_US, look);
}

static void
fence(struct client *client, struct actor *actor, uint64_t value,
      struct span etag)
{
    char fields[CLIENT_ETAG_MAX + 32];

    snprintf(fields, sizeof(fields), "If-Match: %.*s\r\n", SPAN_FMT(etag));
    client_put_request(actor, value, fields);
    client_ask(client, actor, client->origin, CLIENT_PORT, true, 0, on_fence);
}

/* ---- writing ---- */

static void
on_through(struct client *client, struct actor *actor,
           const struct outcome *outcome)
{
    actor->write_status = outcome->status;
    if (outcome->status == 201 || outcome->status == 204) {
        finish(client, actor, HISTORY_OK, outcome);
    } else if (outcome->status >= 400 && outcome->status < 500) {
        finish(client, actor, HISTORY_FAILED, outcome);
    } else {
        actor->fencing = true;
        look(client, actor);
    }
}

static void
through(struct client *client, struct actor *actor, struct span etag)
{
    struct buf fields = {0};

    if (actor->level == HISTORY_SESSION && client_random(client, 4) == 0) {
        actor->session = ++client->sessions;
        actor->token[0] = '\0';
    }
    actor->sent = actor->session != 0 && actor->token[0] != '\0';
    buf_printf(&fields, "If-Match: %.*s\r\n", SPAN_FMT(etag));
    if (actor->sent)
        buf_printf(&fields, "Atlas-Session: %s\r\n", actor->token);
    actor->node = client_any_node(client);
    actor->key->value++;
    client_put_request(actor, actor->key->value, fields.data);
    buf_fini(&fields);
    client_ask(client, actor, actor->node, CLIENT_PORT, true, TIMEOUT_US,
               on_through);
    actor->write_us = actor->ask.begin_us;
}

/* ---- looking at the origin ---- */

static void
on_looked(struct client *client, struct actor *actor,
          const struct outcome *outcome)
{
    uint64_t value;

    if (outcome->status != 200 || outcome->etag.len == 0 ||
        !client_value(actor->key, outcome->body, &value))
        client_pause(client, actor, AGAIN_US, look);
    else if (!actor->fencing)
        through(client, actor, outcome->etag);
    else if (value == actor->key->value)
        finish(client, actor, HISTORY_OK, outcome);
    else
        fence(client, actor, value, outcome->etag);
}

static void
look(struct client *client, struct actor *actor)
{
    struct buf *request = &actor->ask.request;

    buf_clear(request);
    buf_printf(request, "GET /%s/x HTTP/1.1\r\nHost: lab\r\n\r\n",
               actor->key->name);
    client_ask(client, actor, client->origin, CLIENT_PORT, true, LOOK_US,
               on_looked);
}

void
client_through(struct client *client, struct actor *actor)
{
    actor->fencing = false;
    look(client, actor);
}
