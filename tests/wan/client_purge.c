/* Purges, of every kind that can name one key. */
#include <string.h>

#include "client.h"

#define TIMEOUT_US 12000000
#define TRIES 5
#define AGAIN_US 300000
#define CHASE_US 20000

static bool
has(struct span body, const char *text)
{
    return body.len > 0 &&
           memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

/* The value of "site": where it was published. */
static struct span
site_of(struct span body)
{
    static const char member[] = "\"site\":\"";
    const char *at =
        body.len > 0 ? memmem(body.ptr, body.len, member, sizeof(member) - 1)
                     : NULL;

    if (at == NULL)
        return SPAN_NONE;
    struct span rest =
        span_sub(body, (size_t)(at - body.ptr) + sizeof(member) - 1, body.len);

    return span_sub(rest, 0, span_find(rest, '"', 0));
}

/* 504: it is published, and not acknowledged in time. */
static enum history_outcome
outcome_of(const struct outcome *outcome)
{
    bool published = has(outcome->body, "\"published\":true");

    switch (outcome->status) {
    case 200:
        return HISTORY_OK;
    case 202:
        return HISTORY_LOCAL;
    case 504:
        return published ? HISTORY_OK : HISTORY_FAILED;
    case 0:
        return outcome->refused ? HISTORY_FAILED : HISTORY_MAYBE;
    default:
        return HISTORY_FAILED;
    }
}

static void
on_purged(struct client *client, struct actor *actor,
          const struct outcome *outcome)
{
    struct history_line line = {
        .kind = HISTORY_PURGE,
        .key = span_of(actor->key->name),
        .at = span_of(actor->ask.place->name),
        .begin = outcome->begin,
        .end = outcome->end,
        .outcome = outcome_of(outcome),
        .status = (uint64_t)outcome->status,
        .hard = actor->hard,
        .what = span_of(actor->kind),
    };
    struct span site = site_of(outcome->body);

    if (!span_eq(site, span_of(actor->ask.place->site)))
        line.site = site;
    /* That no node can serve the old value by its lease any more. */
    line.all = outcome->status == 200 && actor->wait_all &&
               has(outcome->body, "\"acknowledged\":true");
    bool enough = line.outcome == HISTORY_OK && (line.all || !actor->wait_all);

    client_record(client, &line);
    client->hot[actor->key->level] = actor->key;
    client_chase(client, actor->key);
    if (actor->before)
        client_pause(client, actor, CHASE_US, client_put);
    else if (!enough && ++actor->tries < TRIES)
        client_pause(client, actor, AGAIN_US, client_purge);
    else
        client_pause(client, actor, actor->pause_us, client_write);
}

/* After a hard purge, or a write through a node, there may be no copy to be
 * had: where that is to be told from a fault, there are none. */
bool
client_may_remove(const struct key *key)
{
    return key->level != HISTORY_AP || key->number % 3 == 0;
}

/* Every kind names the one key: its path, what lies below it, its tag. */
static void
choose(struct client *client, struct actor *actor)
{
    static const char *const names[] = {"url", "prefix", "tag"};
    enum history_level level = actor->key->level;

    actor->kind = names[client_random(client, 3)];
    actor->hard =
        client_may_remove(actor->key) && client_random(client, 2) == 0;
    /* One before a write is there to make readers ask the origin. */
    actor->wait_all = client->wait_all && !actor->before &&
                      (level == HISTORY_LEASE || client_random(client, 4) == 0);
}

void
client_purge(struct client *client, struct actor *actor)
{
    struct buf *request = &actor->ask.request;
    struct buf body = {0};

    choose(client, actor);
    buf_printf(&body, "{\"kind\":\"%s\",", actor->kind);
    if (strcmp(actor->kind, "tag") == 0)
        buf_printf(&body, "\"tag\":\"tag-%s\"", actor->key->name);
    else
        buf_printf(&body, "\"url\":\"http://lab/%s/%s\"", actor->key->name,
                   strcmp(actor->kind, "url") == 0 ? "x" : "");
    buf_printf(&body, ",\"soft\":%s%s}", actor->hard ? "false" : "true",
               actor->wait_all ? ",\"wait\":\"all\",\"deadline_ms\":10000"
                               : "");
    buf_clear(request);
    buf_printf(request,
               "POST /v1/purge HTTP/1.1\r\nHost: lab\r\n"
               "Authorization: Bearer wan-lab-token\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               body.len);
    buf_add_span(request, buf_span(&body));
    buf_fini(&body);
    client_ask(client, actor, client_any_node(client), CLIENT_ADMIN_PORT, true,
               TIMEOUT_US, on_purged);
}
