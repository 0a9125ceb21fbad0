/* Readers. */
#include <stdio.h>
#include <string.h>

#include "client.h"

#define TIMEOUT_US 8000000
#define SESSION_STEPS 40
#define BIG_LINES 1500

/* ---- bodies ---- */

void
client_body(const struct key *key, uint64_t value, struct buf *out)
{
    for (int i = 0; i < (key->big ? BIG_LINES : 1); i++)
        buf_printf(out, "%s %llu\n", key->name, (unsigned long long)value);
}

bool
client_value(const struct key *key, struct span body, uint64_t *value)
{
    struct buf want = {0};
    size_t space = span_find(body, ' ', 0);
    size_t end = span_find(body, '\n', 0);
    bool good = false;

    *value = 0;
    if (space < end && end < body.len &&
        span_u64(span_sub(body, space + 1, end), UINT64_MAX, value)) {
        client_body(key, *value, &want);
        good = span_eq(body, buf_span(&want));
    }
    buf_fini(&want);
    return good;
}

/* ---- reading ---- */

static void
on_read(struct client *client, struct actor *actor,
        const struct outcome *outcome)
{
    bool value = outcome->status == 200 || outcome->status == 404;
    struct history_line line = {
        .kind = HISTORY_READ,
        .key = span_of(actor->key->name),
        .at = span_of(actor->ask.place->name),
        .begin = outcome->begin,
        .end = outcome->end,
        .outcome = value ? HISTORY_OK : HISTORY_FAILED,
        .status = (uint64_t)outcome->status,
        .local = outcome->local,
        .stored = outcome->stored,
        .session = actor->session,
        .sent = actor->sent,
        .got = outcome->token.len > 0,
    };

    if (outcome->status == 200)
        line.torn = !client_value(actor->key, outcome->body, &line.value);
    if (actor->session != 0 && outcome->token.len > 0)
        snprintf(actor->token, sizeof(actor->token), "%.*s",
                 SPAN_FMT(outcome->token));
    client_record(client, &line);
    client_pause(client, actor, actor->pause_us, client_read);
}

/* What was just written or purged is asked for as often as all the rest. */
static struct key *
choose(struct client *client, enum history_level level)
{
    struct key *key;

    if (client->hot[level] != NULL && client_random(client, 2) == 0)
        return client->hot[level];
    do
        key = &client->keys[client_random(client, client->key_count)];
    while (key->level != level);
    return key;
}

/* A session goes from node to node, and ends after a while. */
static void
step_session(struct client *client, struct actor *actor)
{
    actor->node = client_any_node(client);
    if (actor->session_left-- > 0)
        return;
    actor->session = ++client->sessions;
    actor->session_left = SESSION_STEPS;
    actor->token[0] = '\0';
}

void
client_read(struct client *client, struct actor *actor)
{
    struct buf *request = &actor->ask.request;

    actor->key = choose(client, actor->level);
    if (actor->level == HISTORY_SESSION)
        step_session(client, actor);
    actor->sent = actor->session != 0 && actor->token[0] != '\0';
    buf_clear(request);
    buf_printf(request, "GET /%s/x HTTP/1.1\r\nHost: lab\r\n%s%s%s\r\n",
               actor->key->name, actor->sent ? "Atlas-Session: " : "",
               actor->sent ? actor->token : "", actor->sent ? "\r\n" : "");
    client_ask(client, actor, actor->node, CLIENT_PORT, false, TIMEOUT_US,
               on_read);
}
