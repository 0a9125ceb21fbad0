/*
 * POST /v1/purge. The purges of a batch are submitted in their order, a window
 * at a time; then, if that is asked for, their acknowledgement is waited for.
 * What is submitted cannot be taken back, so a job lives until the last answer,
 * also when the request, or the whole admin, has gone before.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_internal.h"
#include "base/check.h"
#include "base/mem.h"
#include "cluster/purge_ack.h"
#include "engine/engine.h"
#include "http/status.h"
#include "purge_body_internal.h"

/* On their way at once. */
#define WINDOW 256

struct result {
    struct job *job;
    enum purge_outcome outcome;
    bool applied;
    uint64_t epoch;
    uint64_t term;
    uint64_t n;
    char *why; /* NULL: all is well */
};

struct job {
    struct streams *streams;
    struct loop *loop;
    struct server_request *request; /* NULL: it has gone */
    struct purge_body body;
    struct result *results;
    char site[POSITION_NAME];
    size_t submitted;
    size_t answered;
    struct purge_ack ack;
};

static void
job_free(struct job *job)
{
    for (size_t i = 0; i < job->body.count; i++)
        free(job->results[i].why);
    free(job->results);
    purge_body_fini(&job->body);
    purge_ack_fini(&job->ack);
    free(job);
}

/* ---- what came of it ---- */

static void
put(json_t *object, const char *name, json_t *value)
{
    CHECK(value != NULL && json_object_set_new(object, name, value) == 0);
}

static void
put_text(json_t *object, const char *name, const char *text)
{
    json_t *value = json_string(text);

    put(object, name, value != NULL ? value : json_string("(not UTF-8)"));
}

static void
put_hex(json_t *object, const char *name, uint64_t value)
{
    char text[20];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
    put(object, name, json_string(text));
}

static void
put_result(json_t *object, const struct job *job, const struct result *result)
{
    bool published = result->outcome == PURGE_PUBLISHED;

    put(object, "published", json_boolean(published));
    put(object, "applied", json_boolean(result->applied));
    if (result->outcome == PURGE_ALONE)
        put(object, "alone", json_true());
    if (result->outcome == PURGE_KEPT)
        put(object, "kept", json_true());
    if (job->site[0] != '\0')
        put_text(object, "site", job->site);
    if (published) {
        put_hex(object, "epoch", result->epoch);
        put_hex(object, "term", result->term);
        put(object, "n", json_integer((json_int_t)result->n));
    }
    if (result->why != NULL)
        put_text(object, "why", result->why);
}

struct summary {
    size_t published;
    size_t applied;
    size_t kept;   /* to be published later */
    size_t failed; /* not published, where others must hear of it */
    const struct result *worst; /* the first that failed, or NULL */
};

static struct summary
sum_up(const struct job *job)
{
    struct summary sum = {0};

    for (size_t i = 0; i < job->body.count; i++) {
        const struct result *result = &job->results[i];

        sum.published += result->outcome == PURGE_PUBLISHED;
        sum.applied += result->applied;
        sum.kept += result->outcome == PURGE_KEPT;
        if (result->outcome != PURGE_LOCAL)
            continue;
        sum.failed++;
        if (sum.worst == NULL)
            sum.worst = result;
    }
    return sum;
}

/* Why it is not what was asked for. */
static char *
failure(const struct job *job, const struct summary *sum)
{
    if (sum->worst == NULL && sum->kept > 0)
        return mem_printf("%zu of %zu are kept in the outbox of this node, and "
                          "not published yet: nobody can have acknowledged "
                          "them. Look at /v1/status until the outbox is empty, "
                          "or repeat the request then",
                          sum->kept, job->body.count);
    if (sum->worst == NULL && job->ack.worst == PURGE_LOST)
        return mem_strdup("what was published stands no more: the Redis lost "
                          "data, or was replaced, meanwhile. Repeat the "
                          "request");
    if (sum->worst == NULL)
        return mem_strdup("not all nodes have acknowledged it in time (see "
                          "\"holders\"); it is published, and they apply it "
                          "when they can. Repeat the request with the same "
                          "\"once\", or a longer \"deadline_ms\"");
    const char *why = sum->worst->why != NULL ? sum->worst->why : "";

    if (job->body.batch)
        return mem_printf("%zu of %zu were not published: %s. Other nodes "
                          "may not know of them: repeat the request when "
                          "the Redis of site %s is back",
                          sum->failed, job->body.count, why, job->site);
    return mem_printf("%s. Other nodes may not know of it: repeat the request "
                      "when the Redis of site %s is back",
                      why, job->site);
}

static void
put_failure(json_t *object, const struct job *job, const struct summary *sum,
            unsigned status)
{
    char *detail = failure(job, sum);

    put_text(object, "type", "about:blank");
    put(object, "status", json_integer((json_int_t)status));
    put_text(object, "title", status_reason((int)status));
    put_text(object, "detail", detail);
    free(detail);
}

/* Whether, and by whom, it was acknowledged, if that was asked for. */
static void
put_ack(json_t *object, const struct job *job, const struct summary *sum)
{
    bool lacks = sum->failed > 0 || sum->kept > 0;

    if (job->body.wait == PURGE_WAIT_NONE)
        return;
    put_text(object, "wait", purge_wait_name(job->body.wait));
    put(object, "acknowledged",
        json_boolean(!lacks && job->ack.worst == PURGE_ACKNOWLEDGED));
    json_t *holders = json_array();

    for (size_t i = 0; i < job->ack.holder_count; i++) {
        const struct purge_holder *holder = &job->ack.holders[i];
        json_t *one = json_object();

        put_text(one, "node", holder->node);
        put_text(one, "site", holder->site);
        put_text(one, "state", purge_holder_name(holder->state));
        CHECK(json_array_append_new(holders, one) == 0);
    }
    put(object, "holders", holders);
}

static void
put_batch(json_t *object, const struct job *job, const struct summary *sum)
{
    json_t *list = json_array();

    put(object, "purges", json_integer((json_int_t)job->body.count));
    put(object, "published", json_integer((json_int_t)sum->published));
    put(object, "applied", json_integer((json_int_t)sum->applied));
    put(object, "failed", json_integer((json_int_t)sum->failed));
    for (size_t i = 0; i < job->body.count; i++) {
        json_t *one = json_object();

        put_result(one, job, &job->results[i]);
        json_array_append_new(list, one);
    }
    put(object, "results", list);
}

/* 202: it will come; 503: ask again; 504: not acknowledged in time. */
static unsigned
status_of(const struct job *job, const struct summary *sum)
{
    bool waits = job->body.wait != PURGE_WAIT_NONE;

    if (sum->failed > 0 || (waits && sum->kept > 0))
        return 503;
    if (waits && job->ack.worst == PURGE_LOST)
        return 503;
    if (waits && job->ack.worst == PURGE_DEADLINE)
        return 504;
    return sum->kept > 0 || sum->applied < job->body.count ? 202 : 200;
}

static void
answer(struct job *job)
{
    struct summary sum = sum_up(job);
    json_t *object = json_object();
    unsigned status = status_of(job, &sum);

    if (status >= 500)
        put_failure(object, job, &sum, status);
    if (job->body.batch)
        put_batch(object, job, &sum);
    else
        put_result(object, job, &job->results[0]);
    put_ack(object, job, &sum);
    char *text = json_dumps(object, JSON_COMPACT);
    struct buf out = {0};

    CHECK(text != NULL);
    buf_printf(&out, "%s\n", text);
    admin_answer(job->request, status,
                 status >= 500 ? "application/problem+json" : ADMIN_JSON,
                 buf_span(&out));
    buf_fini(&out);
    free(text);
    json_decref(object);
}

/* ---- on the way ---- */

static void submit_more(struct job *job);

static void
finish(void *arg)
{
    struct job *job = arg;

    if (job->request != NULL) {
        job->request->context = NULL;
        answer(job);
    }
    job_free(job);
}

/* All have been submitted. */
static void
finish_or_wait(struct job *job)
{
    struct summary sum = sum_up(job);

    if (job->request == NULL || job->body.wait == PURGE_WAIT_NONE ||
        sum.failed > 0 || sum.kept > 0)
        finish(job);
    else
        purge_ack_start(&job->ack, job->streams, job->body.wait,
                        job->body.deadline_ms, job->loop, finish, job);
}

/* Not always in the order of submission: one that failed does not wait to be
 * read back. */
static void
on_purged(void *arg, const struct purge_result *answered)
{
    struct result *result = arg;
    struct job *job = result->job;

    memcpy(job->site, answered->site, sizeof(job->site));
    job->answered++;
    result->outcome = answered->outcome;
    result->applied = answered->applied;
    result->epoch = answered->epoch;
    result->term = answered->term;
    result->n = answered->n;
    if (answered->outcome == PURGE_PUBLISHED)
        purge_ack_add(&job->ack, answered);
    if (answered->why[0] != '\0')
        result->why = mem_strdup(answered->why);
    if (job->request != NULL && job->submitted < job->body.count) {
        submit_more(job);
        return;
    }
    if (job->answered < job->submitted)
        return;
    finish_or_wait(job);
}

static void
submit_more(struct job *job)
{
    while (job->submitted < job->body.count &&
           job->submitted - job->answered < WINDOW) {
        size_t i = job->submitted++;

        job->results[i].job = job;
        purge_submit(job->streams, &job->body.list[i], job->loop, on_purged,
                     &job->results[i]);
    }
}

void
admin_purge(struct admin *admin, struct server_request *request)
{
    struct purge_body body;
    struct buf why = {0};

    if (request->too_large) {
        admin_fail(request, 413,
                   "the body is over 4 MiB; send several requests");
        return;
    }
    if (!purge_body_read(admin->parts.engine, buf_span(&request->body), &body,
                         &why)) {
        admin_fail(request, 400, why.data);
        buf_fini(&why);
        return;
    }
    struct job *job = mem_zalloc(sizeof(*job));

    job->streams = admin->parts.streams;
    job->loop = admin->parts.loop;
    job->request = request;
    job->body = body;
    job->results = mem_zalloc(body.count * sizeof(*job->results));
    for (size_t i = 0; i < body.count; i++)
        body.list[i].writers = engine_purge_sites(admin->parts.engine);
    request->context = job;
    submit_more(job);
}

void
admin_purge_gone(struct server_request *request)
{
    struct job *job = request->context;

    if (job != NULL)
        job->request = NULL;
}
