#include "cluster/purge.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "stream_internal.h"

/*
 * One purge on its way: posted to the control thread, published, waiting for
 * the own stream, posted back. In `streams->jobs` from the first to the last
 * of its time on the control thread.
 */
struct job {
    struct post post;
    struct list_link link;
    struct streams *streams;
    struct purge purge;
    struct loop *reply_to;
    purge_fn fn;
    void *arg;
    struct bus_call *publish; /* under way, or NULL */
    struct timer *deadline;   /* of being read back, or NULL */
    struct purge_result result;
};

static struct inval_entry
entry_of(const struct purge *purge)
{
    return (struct inval_entry){.kind = purge->kind,
                                .soft = purge->soft,
                                .host = span_of(purge->host),
                                .value = span_of(purge->value)};
}

bool
purge_valid(const struct purge *purge, char *why, size_t size)
{
    struct inval_entry entry = entry_of(purge);
    const char *problem = stream_entry_problem(&entry);

    snprintf(why, size, "%s", problem != NULL ? problem : "");
    return problem == NULL;
}

static void
on_reply_loop(struct post *post)
{
    struct job *job = CONTAINER_OF(post, struct job, post);

    job->fn(job->arg, &job->result);
    free(job->purge.host);
    free(job->purge.value);
    free(job->purge.once);
    free(job);
}

/* The end of its time on the control thread. */
static void
answer(struct job *job)
{
    struct streams *streams = job->streams;

    bus_cancel(&job->publish);
    timer_free(&job->deadline);
    list_remove(&job->link);
    if (job->result.outcome == PURGE_LOCAL) {
        counter_add(COUNTER_INVAL_FAILED, 1);
        LOG(LOG_WARN,
            "an invalidation of %s \"%s%s\": %s; the other nodes keep what it "
            "matches: purge it again",
            inval_kind_name(job->purge.kind),
            job->purge.host != NULL ? job->purge.host : "",
            job->purge.value != NULL ? job->purge.value : "", job->result.why);
    } else if (job->result.outcome == PURGE_PUBLISHED) {
        counter_add(COUNTER_INVAL_PUBLISHED, 1);
    }
    job->post.fn = on_reply_loop;
    loop_post(job->reply_to, &job->post);
    streams_unref(streams);
}

static void
apply_here(struct job *job)
{
    struct inval_entry entry = entry_of(&job->purge);

    inval_apply(job->streams->inval, &entry, INVAL_LOCAL, 0);
    inval_publish(job->streams->inval);
    job->result.applied = true;
}

static bool
same_history(const struct job *job)
{
    const struct stream *own = job->streams->own;

    return own->met && own->era.epoch == job->result.epoch &&
           own->era.term == job->result.term;
}

static bool
read_back(const struct job *job)
{
    return same_history(job) && job->streams->own->cursor.n >= job->result.n;
}

static void
on_deadline(void *arg)
{
    struct job *job = arg;

    snprintf(job->result.why, sizeof(job->result.why),
             same_history(job) || !job->streams->own->met
                 ? "published, but this node has not read it back within "
                   "%d ms; it will"
                 : "published, but within %d ms the stream began another "
                   "history, which may lack it; purge again",
             PURGE_APPLY_MS);
    /* Whatever becomes of the stream: not from this node's store. */
    apply_here(job);
    answer(job);
}

static void
on_published(void *arg, enum err err, const char *why,
             const struct bus_era *era, uint64_t n)
{
    struct job *job = arg;

    job->publish = NULL;
    if (err != ERR_OK) {
        snprintf(job->result.why, sizeof(job->result.why),
                 "applied on this node only: %s: %s",
                 err == ERR_TIMEOUT || err == ERR_RESET
                     ? "it is not known whether it was published"
                     : "not published",
                 why);
        apply_here(job);
        answer(job);
        return;
    }
    job->result.outcome = PURGE_PUBLISHED;
    job->result.epoch = era->epoch;
    job->result.term = era->term;
    job->result.n = n;
    if (read_back(job)) {
        job->result.applied = true;
        answer(job);
        return;
    }
    job->deadline = timer_new(job->streams->control, on_deadline, job);
    timer_start(job->deadline, PURGE_APPLY_MS);
    /* The push is on its way, or lost. */
    stream_sync(job->streams->own);
}

void
purge_look(struct streams *streams)
{
    struct job *job, *next;

    /* In the order of their numbers, but for those of a history that ended. */
    list_for_each_safe (job, next, &streams->jobs, link) {
        if (job->deadline == NULL)
            break;
        if (read_back(job)) {
            job->result.applied = true;
            answer(job);
        } else if (same_history(job)) {
            break;
        }
    }
}

void
purge_abandon(struct streams *streams)
{
    struct job *job, *next;

    list_for_each_safe (job, next, &streams->jobs, link) {
        snprintf(job->result.why, sizeof(job->result.why),
                 "%s: this node is stopping",
                 job->result.outcome == PURGE_PUBLISHED
                     ? "published, not read back"
                     : "it is not known whether it was published");
        answer(job);
    }
}

static void
publish(struct job *job)
{
    struct inval_entry entry = entry_of(&job->purge);
    struct span items[STREAM_ITEMS];
    char time[24];

    stream_encode(&entry, job->streams->node, clock_wall_ms(), time, items);
    job->publish = bus_publish_many(job->streams->own->bus, items, STREAM_ITEMS,
                                    STREAM_ITEMS, span_of(job->purge.once),
                                    on_published, job);
}

static void
on_control(struct post *post)
{
    struct job *job = CONTAINER_OF(post, struct job, post);
    struct streams *streams = job->streams;

    list_push_back(&streams->jobs, &job->link);
    job->result.outcome = PURGE_LOCAL;
    snprintf(job->result.site, sizeof(job->result.site), "%s", streams->site);
    if (streams->closed) {
        snprintf(job->result.why, sizeof(job->result.why),
                 "not applied, not published: this node is stopping");
        answer(job);
        return;
    }
    if (streams->own != NULL) {
        publish(job);
        return;
    }
    apply_here(job);
    if (!streams->configured)
        job->result.outcome = PURGE_ALONE;
    else
        snprintf(job->result.why, sizeof(job->result.why),
                 "applied on this node only: not published: site %s has no "
                 "Redis; give `redis` for it in `sites`",
                 streams->site);
    answer(job);
}

void
purge_submit(struct streams *streams, const struct purge *purge,
             struct loop *reply_to, purge_fn fn, void *arg)
{
    struct job *job = mem_zalloc(sizeof(*job));
    char why[128];

    TAG_CHECK(streams, STREAMS_TAG);
    CHECK(purge_valid(purge, why, sizeof(why)));
    job->streams = streams;
    job->purge.kind = purge->kind;
    job->purge.soft = purge->soft;
    job->purge.host = mem_strdup(purge->host != NULL ? purge->host : "");
    job->purge.value = mem_strdup(purge->value != NULL ? purge->value : "");
    job->purge.once = mem_strdup(purge->once != NULL ? purge->once : "");
    job->reply_to = reply_to;
    job->fn = fn;
    job->arg = arg;
    atomic_fetch_add(&streams->refs, 1);
    job->post.fn = on_control;
    loop_post(streams->control, &job->post);
}
