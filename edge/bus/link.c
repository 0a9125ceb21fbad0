#include "link_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"

struct link {
    struct loop *loop;
    struct link_options options;
    struct wire_events events;
    struct wire *wire;
    struct timer *retry;
    unsigned attempts; /* ever: turns through the addresses of a name */
    unsigned failures; /* in a row */
    bool up;
};

uint64_t
link_backoff_ms(unsigned failures, uint64_t max_ms, uint64_t random)
{
    unsigned doublings = failures > 0 ? failures - 1 : 0;
    uint64_t pause = LINK_BACKOFF_MIN_MS << (doublings < 32 ? doublings : 32);

    if (pause > max_ms)
        pause = max_ms > 0 ? max_ms : 1;
    return pause - random % (pause / 2 + 1);
}

static void
went_down(struct link *link, enum err err, const char *why)
{
    char text[256];
    uint64_t random;

    strncpy(text, why, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    link->up = false;
    wire_close(&link->wire);
    link->failures++;
    secret_random(&random, sizeof(random));
    timer_start(
        link->retry,
        link_backoff_ms(link->failures, link->options.backoff_max_ms, random));
    link->events.down(link->events.arg, err, text);
}

static void
on_up(void *arg)
{
    struct link *link = arg;

    link->up = true;
    link->events.up(link->events.arg);
}

static void
on_heard(void *arg)
{
    struct link *link = arg;

    if (link->events.heard != NULL)
        link->events.heard(link->events.arg);
}

static void
on_reply(void *arg, const redisReply *reply)
{
    struct link *link = arg;

    link->events.reply(link->events.arg, reply);
}

static void
on_down(void *arg, enum err err, const char *why)
{
    went_down(arg, err, why);
}

static void
attempt(void *arg)
{
    struct link *link = arg;
    struct wire_options options = {
        .host = link->options.host,
        .port = link->options.port,
        .attempt = link->attempts++,
        .connect_timeout_ms = link->options.connect_timeout_ms,
    };
    struct wire_events events = {.up = on_up,
                                 .heard = on_heard,
                                 .reply = on_reply,
                                 .down = on_down,
                                 .arg = link};

    link->wire = wire_open(link->loop, &options, &events);
}

struct link *
link_new(struct loop *loop, const struct link_options *options,
         const struct wire_events *events)
{
    struct link *link = mem_zalloc(sizeof(*link));

    link->loop = loop;
    link->options = *options;
    link->events = *events;
    link->retry = timer_new(loop, attempt, link);
    attempt(link);
    return link;
}

void
link_send(struct link *link, const struct span *args, size_t count)
{
    CHECK(link->up);
    wire_send(link->wire, args, count);
}

void
link_healthy(struct link *link)
{
    link->failures = 0;
}

void
link_reset(struct link *link, enum err err, const char *why)
{
    if (link->wire != NULL)
        went_down(link, err, why);
}

void
link_free(struct link **link)
{
    if (*link == NULL)
        return;
    wire_close(&(*link)->wire);
    timer_free(&(*link)->retry);
    free(*link);
    *link = NULL;
}
