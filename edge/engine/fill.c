/*
 * The life of a fill: made, asking, its body, over. What a response is worth
 * is judged in fill_judge.c; origins are asked in fill_ask.c, peers in
 * fill_peer.c.
 */
#include "fill_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/watcher.h"
#include "cluster/inval.h"
#include "fill_upload_internal.h"
#include "http/forward.h"
#include "http/method.h"
#include "http/vary.h"
#include "store/store.h"

/* Room is asked of the store's budget in steps of this. */
#define RESERVE_STEP ((size_t)64 * 1024)
#define DISCARD_MAX ((size_t)64 * 1024)

static void on_nudge(void *arg);

struct fill *
fill_of(struct flight *flight)
{
    struct fill *fill = CONTAINER_OF(flight, struct fill, flight);

    TAG_CHECK(fill, FILL_TAG);
    return fill;
}

/* The last reference has gone; any thread. */
static void
fill_release(struct flight *flight)
{
    struct fill *fill = fill_of(flight);

    CHECK(fill->fetch == NULL && fill->reserved == 0);
    flight_fini(&fill->flight);
    watcher_unref(&fill->nudge);
    pack_unref(&fill->request);
    pack_unref(&fill->upstream);
    pack_unref(&fill->fields);
    pack_unref(&fill->stored_fields);
    fill_tags_free(fill);
    fill_preface_free(fill);
    vary_free(&fill->vary);
    blob_unref(&fill->body);
    object_unref(&fill->object);
    object_unref(&fill->kept);
    object_unref(&fill->base);
    object_unref(&fill->prefix);
    snapshot_unref(&fill->snapshot);
    fill_upload_free(&fill->upload);
    fill_search_fini(fill);
    free(fill->key_text);
    free(fill->plain_text);
    free(fill->method);
    free(fill->peers);
    free(fill->target);
    free(fill->resume_etag);
    TAG_CLEAR(fill);
    free(fill);
}

static struct key
key_copy(const struct key *key, char **text)
{
    struct key copy = *key;

    *text = mem_strndup(key->text.ptr, key->text.len);
    copy.text.ptr = *text;
    copy.host.ptr = *text + (key->host.ptr - key->text.ptr);
    copy.path_query.ptr = *text + (key->path_query.ptr - key->text.ptr);
    return copy;
}

static void
take_keys(struct fill *fill, const struct fill_spec *spec)
{
    const struct key *plain = spec->plain;

    fill->key = key_copy(spec->key, &fill->key_text);
    fill->plain = fill->key;
    if (plain != NULL && plain->text.ptr != spec->key->text.ptr)
        fill->plain = key_copy(plain, &fill->plain_text);
    fill->stored = fill->plain;
}

struct fill *
fill_new(const struct fill_spec *spec)
{
    struct fill *fill = mem_zalloc(sizeof(*fill));
    struct worker *worker = spec->worker;

    TAG_SET(fill, FILL_TAG);
    fill->worker = worker;
    fill->snapshot = snapshot_ref(spec->snapshot);
    fill->policy = spec->policy;
    fill->rules = spec->rules ? spec->rules : spec->policy;
    fill->nudge = watcher_new(worker->loop, on_nudge, fill);
    take_keys(fill, spec);
    fill->method = mem_strndup(spec->method.ptr, spec->method.len);
    const struct span *what =
        spec->keyed ? &fill->plain.path_query : &spec->target->path_query;

    fill->target = mem_strndup(what->ptr, what->len);
    fill->request = pack_new(spec->request);
    fill->upstream = pack_new(spec->upstream);
    /* It may be out of the store by now: then all of it is asked for. */
    if (spec->base != NULL && object_try_ref(spec->base))
        fill->base = spec->base;
    if (spec->prefix != NULL && object_try_ref(spec->prefix))
        fill->prefix = spec->prefix;
    fill->ranged = spec->ranged;
    fill->peer_count = spec->peer_count;
    if (spec->peer_count > 0) {
        fill->peers = mem_alloc(spec->peer_count * sizeof(*spec->peers));
        memcpy(fill->peers, spec->peers,
               spec->peer_count * sizeof(*spec->peers));
    }
    fill->peer_stale = spec->peer_stale;
    fill->strict = spec->strict;
    fill->cp = spec->cp;
    fill->shared = spec->shared;
    fill->store = spec->store;
    fill->updates = spec->updates;
    fill->word = spec->purges ? FILL_WORD_AWAITED : FILL_WORD_NONE;
    fill->safe = method_safe(spec->method);
    fill->has_body = spec->has_body;
    fill->body_len = spec->body_len;
    fill->length = -1;
    fill->resuming = spec->resume_etag.len > 0;
    fill->resume_at = spec->resume_at;
    fill->resume_etag =
        mem_strndup(spec->resume_etag.ptr, spec->resume_etag.len);
    if (fill->has_body)
        fill->upload = fill_upload_new();
    flight_init(&fill->flight, fill->nudge, fill_release);
    list_init(&fill->link);
    return fill;
}

void
fill_lead(struct fill *fill, struct fill_client *lead)
{
    fill->lead = lead;
}

void
fill_leave(struct fill **fill)
{
    struct fill *f = *fill;

    if (f == NULL)
        return;
    /* The nudge must come after the reference has gone, when the fill may be
     * gone too: so it is held on its own. */
    struct watcher *nudge = watcher_ref(f->nudge);
    struct flight *flight = &f->flight;

    *fill = NULL;
    flight_unref(&flight);
    watcher_wake(nudge);
    watcher_unref(&nudge);
}

/* ---- the end ---- */

/* Gives back what only a running fill holds; the rest goes with the last
 * reference. The fill may be gone on return. */
void
fill_over(struct fill *fill)
{
    struct flight *flight = &fill->flight;

    fetch_cancel(&fill->fetch);
    timer_free(&fill->patience);
    if (fill->reserved > 0)
        store_release(fill->worker->engine->parts.store, fill->reserved);
    fill->reserved = 0;
    fill->lead = NULL;
    list_remove(&fill->link);
    fill->worker->fill_count--;
    struct watcher *nudge = watcher_ref(fill->nudge);

    watcher_close(&nudge);
    flight_end(&flight);
}

void
fill_publish(struct fill *fill, enum fill_outcome outcome)
{
    CHECK(fill->outcome == FILL_PENDING && outcome != FILL_PENDING);
    fill->outcome = outcome;
    /* A failure is seen at once as well: nobody waits for the rest of a
     * response that is of no use. */
    if (flight_state(&fill->flight) == FLIGHT_SENT)
        flight_publish(&fill->flight);
}

void
fill_fail(struct fill *fill, enum err err, const char *proxy_error,
          const char *detail)
{
    if (fill->outcome != FILL_PENDING)
        return;
    fill->error = err;
    fill->proxy_error = proxy_error;
    snprintf(fill->detail, sizeof(fill->detail), "%s", detail);
    fill_publish(fill, FILL_FAILED);
}

/* ---- the body ---- */

/* A body that slides still holds what came before; it stays charged until its
 * readers have let it shrink to a window, which is not. */
static void
give_back(struct fill *fill)
{
    size_t held = blob_cost(fill->body);
    size_t charged = held > FILL_WINDOW ? held : 0;

    if (charged >= fill->reserved)
        return;
    store_release(fill->worker->engine->parts.store, fill->reserved - charged);
    fill->reserved = charged;
}

void
fill_slide(struct fill *fill)
{
    fill->keeps = false;
    /* A slow reader may be left behind only if it can go on by itself: with a
     * strong validator (RFC 9110 section 13.1.5), in the whole. */
    blob_slide(fill->body, FILL_WINDOW,
               fill->shareable && fill->caching.etag_strong &&
                   fill->status != 206,
               fill->nudge);
    give_back(fill);
}

/* Makes sure the budget covers what the body takes; else it slides. */
static void
reserve(struct fill *fill, size_t more)
{
    struct store *store = fill->worker->engine->parts.store;
    uint64_t max = fill->snapshot->conf->max_object_bytes;
    uint64_t len = blob_len(fill->body) + more;
    size_t need = blob_cost(fill->body);

    /* A body whose length is known was charged for as a whole. */
    if (fill->length < 0 || len > (uint64_t)fill->length)
        need += more;
    if (len > max) {
        fill_slide(fill);
        return;
    }
    if (need <= fill->reserved)
        return;
    size_t step = need - fill->reserved;

    step = (step + RESERVE_STEP - 1) / RESERVE_STEP * RESERVE_STEP;
    if (store_reserve(store, step))
        fill->reserved += step;
    else
        fill_slide(fill);
}

static enum err
on_body(void *ctx, const void *data, size_t len)
{
    struct fill *fill = ctx;

    if (!fill_preface_take(fill, &data, &len))
        return ERR_OK;
    /* Of no use (a peer's miss, say): read on a little all the same, so that
     * the connection can be used again. */
    if (fill->body == NULL) {
        fill->discarded += len;
        return fill->discarded <= DISCARD_MAX ? ERR_OK : ERR_CANCELLED;
    }
    if (fill->keeps)
        reserve(fill, len);
    else
        give_back(fill);
    enum err err = blob_append(fill->body, data, len);

    fill->paused = err == ERR_AGAIN;
    return err;
}

static enum err
on_read(void *ctx, void *buffer, size_t max, size_t *len)
{
    struct fill *fill = ctx;
    enum err err = fill_upload_take(fill->upload, buffer, max, len);

    if (fill->lead != NULL)
        fill->lead->room(fill->lead->client);
    return err;
}

static void
on_interim(void *ctx, unsigned status, const struct fields *fields)
{
    struct fill *fill = ctx;

    struct forward_response_options options = {
        .pseudonym = span_of(fill->snapshot->conf->node),
        .http11 = true,
    };
    struct fields out = {0};
    struct buf scratch = {0};

    if (fill->lead == NULL || fill->peer_count > 0)
        return;
    forward_response(fields, &options, &out, &scratch);
    fill->lead->interim(fill->lead->client, status, &out);
    fields_fini(&out);
    buf_fini(&scratch);
}

static void
on_head(void *ctx, const struct fetch_head *head)
{
    struct fill *fill = ctx;

    if (fill->peer_count == 0)
        origin_report(fill->policy->origin, fill->server, true,
                      clock_boot_ns());
    fill->received_ns = clock_boot_ns();
    if (fill->peer_count == 0 || !fill_preface_begin(fill, head))
        fill_judge(fill, head);
}

/* ---- asking ---- */

/* Another server of the group, for what may be sent twice. */
static bool
may_retry(const struct fill *fill, const struct fetch_result *result)
{
    const struct conf_origin *conf = fill->policy->route->origin;
    bool never_sent = !result->connected;

    return !result->head_seen && fill->outcome == FILL_PENDING &&
           fill->attempts <= conf->retries && !fill->has_body &&
           (fill->safe || never_sent) && result->err != ERR_CANCELLED &&
           result->err != ERR_PROTOCOL &&
           origin_count(fill->policy->origin) > 1;
}

/* Clients are told what kind of failure it was, and not where our servers are;
 * the log says it all. */
static void
fail_with(struct fill *fill, const struct fetch_result *result)
{
    const char *group = fill->policy->route->origin->name;
    char text[128];

    if (fill->outcome != FILL_PENDING)
        return;
    if (result->err != ERR_CANCELLED)
        LOG(LOG_WARN, "origin \"%s\": %s %.*s%.*s: %s", group, fill->method,
            SPAN_FMT(fill->key.host), SPAN_FMT(fill->key.path_query),
            result->detail);
    snprintf(text, sizeof(text), "no connection to a server of origin \"%s\"",
             group);
    fill_fail(fill, result->err, result->proxy_error,
              result->connected ? result->detail : text);
}

static void
origin_over(struct fill *fill, const struct fetch_result *result)
{
    struct fill *f = fill;
    bool ok = result->err == ERR_OK;

    bool refused_here = result->err == ERR_PROTOCOL && !result->connected;

    f->never_sent = !result->connected;
    if (!result->head_seen && result->err != ERR_CANCELLED && !refused_here)
        origin_report(f->policy->origin, f->server, false, clock_boot_ns());
    counter_add(ok ? COUNTER_ORIGIN_OK : COUNTER_ORIGIN_ERROR, 1);
    if (may_retry(f, result)) {
        fill_ask_again(f);
        return;
    }
    fail_with(f, result);
    if (f->body != NULL && blob_state(f->body) == ERR_AGAIN) {
        struct fetch_result end = *result;

        /* What was put together must be as long as it was said to be. */
        if (ok && f->prefix != NULL &&
            blob_len(f->body) != (uint64_t)f->length) {
            ok = false;
            end.err = ERR_PROTOCOL;
            end.proxy_error = "http_response_incomplete";
            end.detail = "the rest of the body is not as long as was said";
        }
        fill_end_body(f, &end);
        if (ok && f->keeps && f->word == FILL_WORD_AWAITED)
            return; /* fill_word goes on */
        if (ok && f->keeps)
            fill_keep(f);
    }
    fill_over(f);
}

void
fill_word(struct fill *fill, uint64_t position)
{
    if (fill->word != FILL_WORD_AWAITED)
        return;
    fill->word = FILL_WORD_GIVEN;
    /* Its head is not there yet, or it is not kept. */
    if (fill->outcome != FILL_RESPONSE || !fill->keeps)
        return;
    bool whole = blob_state(fill->body) == ERR_OK;

    if (position == 0)
        fill_slide(fill);
    else
        fill->answer_position = position;
    if (!whole)
        return;
    if (fill->keeps)
        fill_keep(fill);
    fill_over(fill);
}

static void
peer_over(struct fill *fill, const struct fetch_result *result)
{
    const struct peer_choice *peer = &fill->peers[fill->peer_next - 1];
    struct engine *engine = fill->worker->engine;
    bool answered = result->head_seen;
    uint64_t us = (fill->received_ns - fill->attempt_ns) / 1000;

    peers_report(engine->parts.peers, peer->node, answered,
                 answered && result->reused && peer->kind == PEER_HOLDER ? us
                                                                         : 0);
    if (!answered)
        counter_add(COUNTER_PEER_ASKED_ERROR, 1);
    if (fill->outcome == FILL_PENDING) {
        if (!fill_ask_peer(fill)) {
            fill_publish(fill, FILL_NO_PEER);
            fill_over(fill);
        }
        return;
    }
    if (fill->body != NULL && blob_state(fill->body) == ERR_AGAIN) {
        fill_end_body(fill, result);
        if (result->err == ERR_OK && fill->keeps)
            fill_keep(fill);
    }
    fill_over(fill);
}

void
fill_peer_lost(struct fill *fill)
{
    fetch_cancel(&fill->fetch);
    counter_add(COUNTER_PEER_ASKED_ERROR, 1);
    if (!fill_ask_peer(fill)) {
        fill_publish(fill, FILL_NO_PEER);
        fill_over(fill);
    }
}

static void
on_done(void *ctx, const struct fetch_result *result)
{
    struct fill *fill = ctx;

    TAG_CHECK(fill, FILL_TAG);
    fill->fetch = NULL;
    if (fill->peer_count > 0)
        peer_over(fill, result);
    else
        origin_over(fill, result);
}

static const struct fetch_ops ops = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_read = on_read,
    .on_done = on_done,
};

const struct fetch_ops *
fill_fetch_ops(void)
{
    return &ops;
}

void
fill_start(struct fill *fill)
{
    TAG_CHECK(fill, FILL_TAG);
    CHECK(fill->sent_ns == 0);
    list_push_back(&fill->worker->fills, &fill->link);
    fill->worker->fill_count++;
    if (flight_may_send(&fill->flight))
        fill_send(fill);
}

void
fill_forgo(struct fill *fill)
{
    TAG_CHECK(fill, FILL_TAG);
    CHECK(fill->sent_ns == 0);
    list_push_back(&fill->worker->fills, &fill->link);
    fill->worker->fill_count++;
    fill_fail(fill, ERR_CANCELLED, NULL, "another fill came first");
    fill_over(fill);
}

/* ---- news ---- */

/* Nobody waits for it, and it is not worth finishing for the store. */
static bool
unwanted(struct fill *fill)
{
    if (fill->lead != NULL)
        return false;
    if (fill->outcome == FILL_RESPONSE && fill->keeps)
        return false;
    if (fill->outcome == FILL_PENDING && fill->store && fill->safe &&
        fill->sent_ns != 0)
        return false;
    if (fill->body != NULL && blob_readers(fill->body) > 0)
        return false;
    return flight_close_unwanted(&fill->flight);
}

static void
on_nudge(void *arg)
{
    struct fill *fill = arg;

    TAG_CHECK(fill, FILL_TAG);
    if (flight_state(&fill->flight) == FLIGHT_ENDED)
        return;
    if (unwanted(fill)) {
        fill_fail(fill, ERR_CANCELLED, NULL, "nobody waits for it any more");
        if (fill->body != NULL && blob_state(fill->body) == ERR_AGAIN)
            blob_finish(fill->body, ERR_CANCELLED);
        fill_over(fill);
        return;
    }
    if (fill->sent_ns == 0) {
        if (flight_may_send(&fill->flight))
            fill_send(fill);
        return;
    }
    if (fill->paused && fill->fetch != NULL) {
        fill->paused = false;
        fetch_resume_recv(fill->fetch);
    }
}

void
fill_give_up_all(struct worker *worker)
{
    struct fill *fill;
    struct fill *next;

    list_for_each_safe (fill, next, &worker->fills, link) {
        fill_fail(fill, ERR_CANCELLED, "proxy_internal_error",
                  "this node is shutting down");
        if (fill->body != NULL && blob_state(fill->body) == ERR_AGAIN)
            blob_finish(fill->body, ERR_CANCELLED);
        fill_over(fill);
    }
}

/* ---- the request's body ---- */

enum err
fill_upload(struct fill *fill, const void *data, size_t len, size_t *taken)
{
    if (flight_state(&fill->flight) == FLIGHT_ENDED || fill->fetch == NULL) {
        *taken = len;
        return ERR_END;
    }
    enum err err = fill_upload_put(fill->upload, data, len, taken);

    fetch_resume_send(fill->fetch);
    return err;
}

void
fill_upload_end(struct fill *fill)
{
    fill_upload_close(fill->upload);
    if (fill->fetch != NULL)
        fetch_resume_send(fill->fetch);
}
