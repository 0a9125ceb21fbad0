#include "cluster/purge.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/journal.h"
#include "stream_internal.h"

/*
 * One purge on its way: posted to the control thread, published to one stream
 * after the other until one takes it, read back from there, posted back. In
 * `streams->jobs` from the first to the last of its time on the control
 * thread. A job of the outbox's has no `fn`.
 */
struct job {
    struct post post;
    struct list_link link;
    struct streams *streams;
    struct purge purge;
    struct loop *reply_to;
    purge_fn fn;
    void *arg;
    uint64_t kept;         /* the entry of the outbox that it is of; 0: none */
    lease_sites tried;     /* streams that did not take it */
    struct stream *stream; /* the one that is asked, or has taken it */
    struct bus_call *publish; /* under way, or NULL */
    uint64_t safe;            /* A10: the ticket of the publication */
    bool again;               /* published a second time */
    struct timer *deadline;   /* of being read back, or NULL */
    struct inval_hold hold;   /* while it is written to the outbox */
    struct purge_result result;
};

struct inval_entry
purge_entry(const struct purge *purge)
{
    return (struct inval_entry){.kind = purge->kind,
                                .soft = purge->soft,
                                .host = span_of(purge->host),
                                .value = span_of(purge->value)};
}

bool
purge_valid(const struct purge *purge, char *why, size_t size)
{
    struct inval_entry entry = purge_entry(purge);
    const char *problem = stream_entry_problem(&entry);

    snprintf(why, size, "%s", problem != NULL ? problem : "");
    return problem == NULL;
}

static void
job_free(struct job *job)
{
    free(job->purge.host);
    free(job->purge.value);
    free(job->purge.once);
    free(job);
}

static void
on_reply_loop(struct post *post)
{
    struct job *job = CONTAINER_OF(post, struct job, post);

    job->fn(job->arg, &job->result);
    job_free(job);
}

static void
tell_log(const struct job *job)
{
    const struct purge *purge = &job->purge;

    counter_add(COUNTER_INVAL_FAILED, 1);
    LOG(LOG_WARN, "an invalidation of %s \"%s%s\": %s; %s",
        inval_kind_name(purge->kind), purge->host, purge->value,
        job->result.why,
        job->result.outcome == PURGE_KEPT
            ? "the other nodes keep what it matches until then"
            : "the other nodes keep what it matches: purge it again");
}

/* The end of its time on the control thread. */
static void
answer(struct job *job)
{
    struct streams *streams = job->streams;

    bus_cancel(&job->publish);
    timer_free(&job->deadline);
    list_remove(&job->link);
    if (job->result.outcome == PURGE_PUBLISHED)
        counter_add(COUNTER_INVAL_PUBLISHED, 1);
    else if (job->result.outcome != PURGE_ALONE && job->kept == 0)
        tell_log(job);
    if (job->kept != 0) {
        outbox_published(streams, job->kept,
                         job->result.outcome == PURGE_PUBLISHED);
        job_free(job);
    } else {
        job->post.fn = on_reply_loop;
        loop_post(job->reply_to, &job->post);
    }
    streams_unref(streams);
}

static void
apply_here(struct job *job)
{
    struct inval_entry entry = purge_entry(&job->purge);

    if (job->kept == 0) { /* else it was, when it was put there */
        inval_apply(job->streams->inval, &entry, INVAL_LOCAL, 0);
        inval_publish(job->streams->inval);
    }
    job->result.applied = true;
}

static void
on_synced(void *arg)
{
    answer(arg);
}

/* No stream has it: where it must outlive the process, it is on the disk
 * before anybody relies on it. */
static void
answer_when_kept(struct job *job)
{
    if (job->streams->journal != NULL)
        journal_when_synced(job->streams->journal, on_synced, job);
    else
        answer(job);
}

/* ---- keeping ---- */

static void
on_kept(void *arg, enum err err, uint64_t id)
{
    struct job *job = arg;

    (void)id;
    if (err == ERR_OK) {
        job->result.outcome = PURGE_KEPT;
    } else {
        apply_here(job);
        inval_release(job->streams->inval, &job->hold);
    }
    answer(job);
}

/* No stream took it: `why` is written. */
static void
keep(struct job *job)
{
    struct streams *streams = job->streams;
    uint64_t id = 0;

    if (streams->outbox != NULL && job->kept == 0)
        id = outbox_keep(streams, &job->purge, on_kept, job);
    if (id == 0) {
        apply_here(job);
        answer(job);
        return;
    }
    job->result.applied = true;
    job->hold = outbox_find(streams->outbox, id)->hold;
}

/* ---- published ---- */

static bool
same_history(const struct job *job)
{
    const struct stream *stream = job->stream;

    return stream->met && stream->era.epoch == job->result.epoch &&
           stream->era.term == job->result.term;
}

static bool
read_back(const struct job *job)
{
    return same_history(job) && job->stream->cursor.n >= job->result.n;
}

/* A failover cannot lose it. */
static bool
is_safe(const struct job *job)
{
    struct bus_era era = {job->result.epoch, job->result.term};

    return safe_reached(job->stream, &era, job->safe);
}

/* What the outbox holds stays there until it was read back (O3); in another
 * history it may be missing, and is published anew. */
static void
on_kept_deadline(struct job *job)
{
    if (same_history(job) || !job->stream->met) {
        timer_start(job->deadline, PURGE_APPLY_MS);
        stream_sync(job->stream);
        return;
    }
    job->result.outcome = PURGE_LOCAL;
    answer(job);
}

static void publish(struct job *job);

/* In another history it may be missing: once more, to whoever takes it. */
static bool
publish_again(struct job *job)
{
    if (same_history(job) || !job->stream->met || job->again)
        return false;
    job->again = true;
    job->tried = 0;
    job->result.outcome = PURGE_LOCAL;
    timer_free(&job->deadline);
    publish(job);
    return true;
}

static const char *
why_late(const struct job *job)
{
    if (!same_history(job) && job->stream->met)
        return "the stream began another history, which may lack it; purge "
               "again";
    if (!read_back(job))
        return "this node has not read it back; it will";
    return "not all replicas of that Redis had it: a failover may lose it; "
           "bring them back and purge again";
}

static void
on_deadline(void *arg)
{
    struct job *job = arg;

    if (job->kept != 0) {
        on_kept_deadline(job);
        return;
    }
    if (publish_again(job))
        return;
    snprintf(job->result.why, sizeof(job->result.why),
             "published, but within %d ms %s", PURGE_APPLY_MS, why_late(job));
    /* Whatever becomes of the stream: not from this node's store. But it is
     * not what others have applied. */
    apply_here(job);
    job->result.applied = false;
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
        publish(job); /* to the next one */
        return;
    }
    job->result.outcome = PURGE_PUBLISHED;
    job->result.epoch = era->epoch;
    job->result.term = era->term;
    job->result.n = n;
    job->safe = safe_ticket(job->stream);
    if (read_back(job) && is_safe(job)) {
        job->result.applied = true;
        answer(job);
        return;
    }
    job->deadline = timer_new(job->streams->control, on_deadline, job);
    timer_start(job->deadline, PURGE_APPLY_MS);
    /* The push is on its way, or lost. */
    stream_sync(job->stream);
}

void
purge_look(struct streams *streams)
{
    struct job *job, *next;

    list_for_each_safe (job, next, &streams->jobs, link) {
        if (job->deadline == NULL || !read_back(job) || !is_safe(job))
            continue;
        job->result.applied = true;
        answer(job);
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

/* The next stream to ask: our own first. */
static struct stream *
choose(const struct job *job)
{
    struct streams *streams = job->streams;
    struct stream *best = NULL;

    for (size_t i = 0; i < streams->count; i++) {
        struct stream *stream = &streams->list[i];
        lease_sites bit = (lease_sites)1 << stream->index;

        if ((job->tried & bit) != 0 || !bus_connected(stream->bus) ||
            (job->purge.writers != 0 && (job->purge.writers & bit) == 0))
            continue;
        if (best == NULL || stream->own)
            best = stream;
    }
    return best;
}

static void
publish(struct job *job)
{
    struct inval_entry entry = purge_entry(&job->purge);
    struct span items[STREAM_ITEMS];
    struct stream *stream = choose(job);
    char time[24];

    if (stream == NULL) {
        if (job->result.why[0] == '\0')
            snprintf(job->result.why, sizeof(job->result.why),
                     "applied on this node only: not published: %s",
                     job->streams->own != NULL
                         ? "the Redis of no site that may take it is connected"
                         : "this site has no Redis, and no other that may take "
                           "it is connected; give `redis` for it in `sites`");
        keep(job);
        return;
    }
    job->stream = stream;
    job->tried |= (lease_sites)1 << stream->index;
    snprintf(job->result.site, sizeof(job->result.site), "%s", stream->name);
    stream_encode(&entry, job->streams->node, clock_wall_ms(), time, items);
    job->publish =
        bus_publish_many(stream->bus, items, STREAM_ITEMS, STREAM_ITEMS,
                         span_of(job->purge.once), on_published, job);
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
    } else if (streams->configured) {
        publish(job);
    } else {
        job->result.outcome = PURGE_ALONE;
        apply_here(job);
        answer_when_kept(job);
    }
}

static struct job *
job_new(struct streams *streams, const struct purge *purge)
{
    struct job *job = mem_zalloc(sizeof(*job));

    job->streams = streams;
    job->purge.kind = purge->kind;
    job->purge.soft = purge->soft;
    job->purge.writers = purge->writers;
    job->purge.host = mem_strdup(purge->host != NULL ? purge->host : "");
    job->purge.value = mem_strdup(purge->value != NULL ? purge->value : "");
    job->purge.once = mem_strdup(purge->once != NULL ? purge->once : "");
    atomic_fetch_add(&streams->refs, 1);
    return job;
}

void
purge_kept(struct streams *streams, const struct outbox_entry *entry)
{
    struct job *job = job_new(streams, &entry->purge);

    free(job->purge.once);
    job->purge.once =
        mem_printf("outbox/%s/%llu%s", outbox_name(streams->outbox),
                   (unsigned long long)entry->id, entry->again ? "/first" : "");
    job->kept = entry->id;
    job->purge.writers = streams->purge_sites;
    on_control(&job->post);
}

void
purge_submit(struct streams *streams, const struct purge *purge,
             struct loop *reply_to, purge_fn fn, void *arg)
{
    struct job *job;
    char why[128];

    TAG_CHECK(streams, STREAMS_TAG);
    CHECK(purge_valid(purge, why, sizeof(why)));
    job = job_new(streams, purge);
    job->reply_to = reply_to;
    job->fn = fn;
    job->arg = arg;
    job->post.fn = on_control;
    loop_post(streams->control, &job->post);
}
