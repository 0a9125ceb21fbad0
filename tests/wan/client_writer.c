/* Writers: a value at the origin, mostly, and a purge at some node. */
#include <string.h>

#include "client.h"

#define CHASE_US 20000 /* readers are so far ahead of a write, on average */
#define FOLLOWING_READS 4

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

void
client_put_request(struct actor *actor, uint64_t value, const char *fields)
{
    struct buf *request = &actor->ask.request;
    struct buf body = {0};

    client_body(actor->key, value, &body);
    buf_clear(request);
    buf_printf(request,
               "PUT /%s/x HTTP/1.1\r\nHost: lab\r\n"
               "Content-Type: text/plain\r\nAtlas-Set-Tags: tag-%s\r\n"
               "%s%sContent-Length: %zu\r\n\r\n",
               actor->key->name, actor->key->name, cache_control(actor->key),
               fields, body.len);
    buf_add_span(request, buf_span(&body));
    buf_fini(&body);
}

/* ---- at the origin ---- */

/* The connection has ended whenever the outcome is not known, so that the
 * write happens by then or never. */
static enum history_outcome
outcome_of(const struct outcome *outcome)
{
    if (outcome->status == 0)
        return outcome->refused ? HISTORY_FAILED : HISTORY_MAYBE;
    return outcome->status == 201 || outcome->status == 204 ? HISTORY_OK
                                                            : HISTORY_FAILED;
}

static void
on_put(struct client *client, struct actor *actor,
       const struct outcome *outcome)
{
    struct history_line line = {
        .kind = HISTORY_WRITE,
        .key = span_of(actor->key->name),
        .begin = outcome->begin,
        .end = outcome->end,
        .outcome = outcome_of(outcome),
        .value = actor->key->value,
        .status = (uint64_t)outcome->status,
    };

    client_written(client, actor, &line);
}

void
client_put(struct client *client, struct actor *actor)
{
    actor->before = false;
    actor->key->value++;
    client_put_request(actor, actor->key->value, "");
    /* No deadline: what we gave up could still happen later. */
    client_ask(client, actor, client->origin, CLIENT_PORT, true, 0, on_put);
}

/* ---- what comes next ---- */

/* Of ten values, how many are purged. `cp` needs none, and what went through a
 * node has been invalidated by it. */
static unsigned
purged_of_ten(enum history_level level, bool through)
{
    return level == HISTORY_CP || through ? 3 : 9;
}

void
client_written(struct client *client, struct actor *actor,
               const struct history_line *line)
{
    bool through = line->at.len > 0;

    client_record(client, line);
    actor->tries = 0;
    client->hot[actor->key->level] = actor->key;
    client_chase(client, actor->key);
    if (actor->session != 0 && line->got) {
        actor->reads_left = FOLLOWING_READS;
        client_read(client, actor);
    } else if (client_random(client, 10) <
               purged_of_ten(actor->key->level, through)) {
        client_purge(client, actor);
    } else {
        client_pause(client, actor, actor->pause_us, client_write);
    }
}

void
client_write(struct client *client, struct actor *actor)
{
    /* Not before there is a value: a 404 bears no tag, so that a purge by tag
     * does not reach the copy of one. */
    if (actor->key->value == 0) {
        client_put(client, actor);
        return;
    }
    /* With a purge before, readers find no copy, and are on their way to the
     * origin when the write comes. */
    actor->before = client_random(client, 3) == 0;
    if (actor->before) {
        client_purge(client, actor);
        return;
    }
    bool through =
        client_may_remove(actor->key) && client_random(client, 3) == 0;

    client_chase(client, actor->key);
    client_pause(client, actor, CHASE_US,
                 through ? client_through : client_put);
}
