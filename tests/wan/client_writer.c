/* Writers: a value at the origin, then a purge at some node. */
#include <string.h>

#include "client.h"

#define PURGE_TIMEOUT_US 10000000
#define PURGE_TRIES 5
#define PURGE_AGAIN_US 300000
#define CHASE_US 20000 /* readers are so far ahead of a write, on average */

static void purge(struct client *client, struct actor *actor);
static void put(struct client *client, struct actor *actor);

/* ---- purging ---- */

/* Whether the answer says that no node can serve the old value by its lease. */
static bool
acknowledged(const struct client *client, const struct outcome *outcome)
{
    static const char member[] = "\"acknowledged\":true";

    return client->wait_all && outcome->body.len > 0 &&
           memmem(outcome->body.ptr, outcome->body.len, member,
                  sizeof(member) - 1) != NULL;
}

static enum history_outcome
purge_outcome(const struct outcome *outcome)
{
    switch (outcome->status) {
    case 200:
        return HISTORY_OK;
    case 202:
        return HISTORY_LOCAL;
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
        .outcome = purge_outcome(outcome),
        .status = (uint64_t)outcome->status,
        .hard = actor->hard,
        .what = span_of(actor->kind),
    };

    line.all = line.outcome == HISTORY_OK && acknowledged(client, outcome);
    client_record(client, &line);
    client->hot[actor->key->level] = actor->key;
    client_chase(client, actor->key);
    if (actor->before)
        client_pause(client, actor, CHASE_US, put);
    else if (line.outcome != HISTORY_OK && ++actor->tries < PURGE_TRIES)
        client_pause(client, actor, PURGE_AGAIN_US, purge);
    else
        client_pause(client, actor, actor->pause_us, client_write);
}

/* Every kind names the one key: its path, what lies below it, its tag. */
static void
choose_kind(struct client *client, struct actor *actor)
{
    static const char *const names[] = {"url", "prefix", "tag"};
    bool may_be_hard =
        actor->key->level != HISTORY_AP || actor->key->number % 3 == 0;

    actor->kind = names[client_random(client, 3)];
    /* After a hard purge there may be no copy to be had: where that is to be
     * told from a fault, there are none. */
    actor->hard = may_be_hard && client_random(client, 2) == 0;
}

static void
purge(struct client *client, struct actor *actor)
{
    struct buf *request = &actor->ask.request;
    struct buf body = {0};

    choose_kind(client, actor);
    buf_printf(&body, "{\"kind\":\"%s\",", actor->kind);
    if (strcmp(actor->kind, "tag") == 0)
        buf_printf(&body, "\"tag\":\"tag-%s\"", actor->key->name);
    else
        buf_printf(&body, "\"url\":\"http://lab/%s/%s\"", actor->key->name,
                   strcmp(actor->kind, "url") == 0 ? "x" : "");
    buf_printf(&body, ",\"soft\":%s}", actor->hard ? "false" : "true");
    buf_clear(request);
    buf_printf(request,
               "POST /v1/purge%s HTTP/1.1\r\nHost: lab\r\n"
               "Authorization: Bearer wan-lab-token\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               client->wait_all ? "?wait=all" : "", body.len);
    buf_add_span(request, buf_span(&body));
    buf_fini(&body);
    client_ask(client, actor, client_any_node(client), CLIENT_ADMIN_PORT, true,
               PURGE_TIMEOUT_US, on_purged);
}

/* ---- writing ---- */

/* Of ten values, how many are purged. `cp` needs none. */
static unsigned
purged_of_ten(enum history_level level)
{
    return level == HISTORY_CP ? 3 : 9;
}

/* The connection has ended whenever the outcome is not known, so that the
 * write happens by then or never. */
static enum history_outcome
write_outcome(const struct outcome *outcome)
{
    if (outcome->status == 0)
        return outcome->refused ? HISTORY_FAILED : HISTORY_MAYBE;
    return outcome->status == 201 || outcome->status == 204 ? HISTORY_OK
                                                            : HISTORY_FAILED;
}

static void
on_written(struct client *client, struct actor *actor,
           const struct outcome *outcome)
{
    struct history_line line = {
        .kind = HISTORY_WRITE,
        .key = span_of(actor->key->name),
        .begin = outcome->begin,
        .end = outcome->end,
        .outcome = write_outcome(outcome),
        .value = actor->key->value,
        .status = (uint64_t)outcome->status,
    };

    client_record(client, &line);
    actor->tries = 0;
    client->hot[actor->key->level] = actor->key;
    client_chase(client, actor->key);
    if (client_random(client, 10) < purged_of_ten(actor->key->level))
        purge(client, actor);
    else
        client_pause(client, actor, actor->pause_us, client_write);
}

/* Some of the copies on `ap` become stale soon, and some of those may be served
 * while they are made new. What purges promise is the same. */
static const char *
cache_control(const struct key *key)
{
    if (key->level != HISTORY_AP)
        return "";
    switch (key->number % 5) {
    case 1:
        return "Atlas-Set-Cache-Control: max-age=1\r\n";
    case 2:
        return "Atlas-Set-Cache-Control: max-age=1, "
               "stale-while-revalidate=60\r\n";
    default:
        return "";
    }
}

static void
put(struct client *client, struct actor *actor)
{
    struct buf *request = &actor->ask.request;
    struct buf body = {0};

    actor->before = false;
    actor->key->value++;
    client_body(actor->key, actor->key->value, &body);
    buf_clear(request);
    buf_printf(request,
               "PUT /%s/x HTTP/1.1\r\nHost: lab\r\n"
               "Content-Type: text/plain\r\nAtlas-Set-Tags: tag-%s\r\n"
               "%sContent-Length: %zu\r\n\r\n",
               actor->key->name, actor->key->name, cache_control(actor->key),
               body.len);
    buf_add_span(request, buf_span(&body));
    buf_fini(&body);
    /* No deadline: what we gave up could still happen later. */
    client_ask(client, actor, client->origin, CLIENT_PORT, true, 0, on_written);
}

void
client_write(struct client *client, struct actor *actor)
{
    /* Not before there is a value: a 404 bears no tag, so that a purge by tag
     * does not reach the copy of one. */
    if (actor->key->value == 0) {
        put(client, actor);
        return;
    }
    /* With a purge before, readers find no copy, and are on their way to the
     * origin when the write comes. */
    actor->before = client_random(client, 3) == 0;
    if (actor->before) {
        purge(client, actor);
        return;
    }
    client_chase(client, actor->key);
    client_pause(client, actor, CHASE_US, put);
}
