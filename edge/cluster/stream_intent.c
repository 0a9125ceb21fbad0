/*
 * Intents on their way from a worker to the disk and back, and what became of
 * their writes. The entries themselves are the outbox's (stream_outbox.c).
 */
#include "cluster/intent.h"

#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"
#include "stream_internal.h"

/* One that is recorded, or one that is over. */
struct intent {
    struct post post;
    struct list_link link; /* streams->intents, while it is written */
    struct streams *streams;
    struct purge purge;
    struct loop *reply_to;
    intent_fn fn;
    void *arg;
    enum err err;
    uint64_t id;
    enum intent_end end;
    uint64_t again_ms;
};

bool
intent_possible(const struct streams *streams)
{
    return streams->configured && streams->outbox != NULL;
}

static void
intent_free(struct intent *intent)
{
    struct streams *streams = intent->streams;

    free(intent->purge.host);
    free(intent->purge.value);
    free(intent);
    streams_unref(streams);
}

static struct intent *
intent_new(struct streams *streams)
{
    struct intent *intent = mem_zalloc(sizeof(*intent));

    TAG_CHECK(streams, STREAMS_TAG);
    intent->streams = streams;
    list_init(&intent->link);
    atomic_fetch_add(&streams->refs, 1);
    return intent;
}

/* ---- recording ---- */

static void
on_reply_loop(struct post *post)
{
    struct intent *intent = CONTAINER_OF(post, struct intent, post);

    intent->fn(intent->arg, intent->err, intent->id);
    intent_free(intent);
}

static void
reply(struct intent *intent, enum err err)
{
    list_remove(&intent->link);
    intent->err = err;
    intent->post.fn = on_reply_loop;
    loop_post(intent->reply_to, &intent->post);
}

static void
on_durable(void *arg, enum err err, uint64_t id)
{
    struct intent *intent = arg;

    intent->id = id;
    reply(intent, err);
}

static void
record_on_control(struct post *post)
{
    struct intent *intent = CONTAINER_OF(post, struct intent, post);
    struct streams *streams = intent->streams;

    list_push_back(&streams->intents, &intent->link);
    if (streams->closed)
        reply(intent, ERR_CANCELLED);
    else if (outbox_add(streams->outbox, OUTBOX_INTENT, &intent->purge,
                        on_durable, intent) == 0)
        reply(intent, ERR_LIMIT);
}

void
intent_record(struct streams *streams, const struct purge *purge,
              struct loop *reply_to, intent_fn fn, void *arg)
{
    struct intent *intent = intent_new(streams);

    CHECK(intent_possible(streams));
    intent->purge = (struct purge){
        .kind = purge->kind,
        .soft = purge->soft,
        .host = mem_strdup(purge->host != NULL ? purge->host : ""),
        .value = mem_strdup(purge->value != NULL ? purge->value : ""),
    };
    intent->reply_to = reply_to;
    intent->fn = fn;
    intent->arg = arg;
    intent->post.fn = record_on_control;
    loop_post(streams->control, &intent->post);
}

void
intent_abandon(struct streams *streams)
{
    while (!list_empty(&streams->intents))
        reply(list_first(&streams->intents, struct intent, link),
              ERR_CANCELLED);
}

/* ---- what became of it ---- */

static void
over_on_control(struct post *post)
{
    struct intent *intent = CONTAINER_OF(post, struct intent, post);
    struct streams *streams = intent->streams;
    struct outbox_entry *entry =
        streams->closed ? NULL : outbox_find(streams->outbox, intent->id);

    if (entry != NULL) {
        switch (intent->end) {
        case INTENT_VOID:
            outbox_done(streams->outbox, entry->id);
            break;
        case INTENT_PUBLISH:
            entry->state = OUTBOX_DUE;
            entry->again = intent->again_ms > 0;
            outbox_look(streams);
            break;
        case INTENT_AGAIN:
            outbox_wait(streams, entry, intent->again_ms);
            break;
        }
    }
    intent_free(intent);
}

void
intent_over(struct streams *streams, uint64_t id, enum intent_end end,
            uint64_t again_ms)
{
    struct intent *intent = intent_new(streams);

    intent->id = id;
    intent->end = end;
    intent->again_ms = again_ms;
    intent->post.fn = over_on_control;
    loop_post(streams->control, &intent->post);
}
