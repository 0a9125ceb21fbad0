/* Readers. */
#include <stdio.h>
#include <string.h>

#include "client.h"

#define TIMEOUT_US 8000000
#define SESSION_STEPS 100
#define BIG_LINES 1500
#define CHASERS 4
#define FOLLOW_US 10000 /* between two reads of what one wrote */

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

/* ---- answers ---- */

/* What the answer says the value is; false when it says nothing. */
static bool
take_value(struct actor *actor, const struct outcome *outcome,
           struct history_line *line)
{
    switch (outcome->status) {
    case 200:
        line->torn = !client_value(actor->key, outcome->body, &line->value);
        return true;
    case 304:
        line->value = actor->known_value;
        return actor->conditional;
    case 404:
        line->value = 0;
        return true;
    default:
        return false;
    }
}

static void
remember(struct actor *actor, const struct outcome *outcome, uint64_t value)
{
    if (outcome->status != 200 || outcome->etag.len == 0)
        return;
    actor->known_key = actor->key;
    actor->known_value = value;
    snprintf(actor->known_etag, sizeof(actor->known_etag), "%.*s",
             SPAN_FMT(outcome->etag));
}

static void
on_read(struct client *client, struct actor *actor,
        const struct outcome *outcome)
{
    struct history_line line = {
        .kind = HISTORY_READ,
        .key = span_of(actor->key->name),
        .at = span_of(actor->ask.place->name),
        .begin = outcome->begin,
        .end = outcome->end,
        .status = (uint64_t)outcome->status,
        .local = outcome->local,
        .stored = outcome->stored,
        .session = actor->session,
        .sent = actor->sent,
        .got = outcome->token.len > 0,
    };

    line.outcome =
        take_value(actor, outcome, &line) ? HISTORY_OK : HISTORY_FAILED;
    remember(actor, outcome, line.value);
    if (actor->session != 0 && outcome->token.len > 0)
        snprintf(actor->token, sizeof(actor->token), "%.*s",
                 SPAN_FMT(outcome->token));
    client_record(client, &line);
    if (!actor->writer)
        client_pause(client, actor, actor->pause_us, client_read);
    else if (actor->reads_left-- > 1)
        client_pause(client, actor, FOLLOW_US, client_read);
    else
        client_pause(client, actor, actor->pause_us, client_write);
}

/* ---- questions ---- */

/* What was just written or purged is asked for as often as all the rest; and
 * at times whether what is known still is so. */
static struct key *
choose(struct client *client, struct actor *actor)
{
    struct key *key = actor->writer ? actor->key : actor->chase;

    actor->chase = NULL;
    actor->conditional = false;
    if (key != NULL)
        return key;
    actor->conditional =
        actor->known_key != NULL && client_random(client, 4) == 0;
    if (actor->conditional)
        return actor->known_key;
    if (client->hot[actor->level] != NULL && client_random(client, 2) == 0)
        return client->hot[actor->level];
    do
        key = &client->keys[client_random(client, client->key_count)];
    while (key->level != actor->level);
    return key;
}

void
client_chase(struct client *client, struct key *key)
{
    size_t start = client_random(client, client->actor_count);
    unsigned left = CHASERS;

    for (size_t i = 0; i < client->actor_count && left > 0; i++) {
        struct actor *actor =
            &client->actors[(start + i) % client->actor_count];

        if (actor->writer || actor->next != client_read ||
            actor->level != key->level || actor->ask.busy ||
            actor->chase != NULL)
            continue;
        actor->chase = key;
        actor->wake_us = history_now_us();
        left--;
    }
}

/* A session goes from node to node, and ends after a while; a writer begins
 * its own. */
static void
step_session(struct client *client, struct actor *actor)
{
    actor->node = client_any_node(client);
    if (actor->writer || actor->session_left-- > 0)
        return;
    actor->session = ++client->sessions;
    actor->session_left = SESSION_STEPS;
    actor->token[0] = '\0';
}

void
client_read(struct client *client, struct actor *actor)
{
    struct buf *request = &actor->ask.request;

    actor->key = choose(client, actor);
    if (actor->level == HISTORY_SESSION)
        step_session(client, actor);
    actor->sent = actor->session != 0 && actor->token[0] != '\0';
    buf_clear(request);
    buf_printf(request, "GET /%s/x HTTP/1.1\r\nHost: lab\r\n",
               actor->key->name);
    if (actor->sent)
        buf_printf(request, "Atlas-Session: %s\r\n", actor->token);
    if (actor->conditional)
        buf_printf(request, "If-None-Match: %s\r\n", actor->known_etag);
    buf_add_text(request, "\r\n");
    client_ask(client, actor, actor->node, CLIENT_PORT, false, TIMEOUT_US,
               on_read);
}
