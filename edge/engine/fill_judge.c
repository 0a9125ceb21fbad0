/*
 * What the head of a response is worth: to the client that asked, to those who
 * joined it, to the store.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/blob.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/mem.h"
#include "base/watcher.h"
#include "cluster/inval.h"
#include "crowd_internal.h"
#include "fill_internal.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/forward.h"
#include "http/range.h"
#include "http/vary.h"
#include "shelf_internal.h"
#include "store/store.h"

/* Bodies of unknown length up to this are put into one piece when stored. */
#define COMPACT_MAX ((uint64_t)4 * 1024 * 1024)
/* What a blob needs beside the bytes of the body. */
#define PIECES_ROOM ((size_t)4096)

/* A Date that is there once and can be read. */
static bool
date_usable(const struct fields *fields)
{
    int64_t seconds;

    return fields_count(fields, SPAN("Date")) == 1 &&
           date_parse(fields_get(fields, SPAN("Date")), clock_wall_ms() / 1000,
                      &seconds);
}

/* The fields as they are kept and sent on, with a Date: one without, or with
 * one that means nothing, gets the time of its arrival (RFC 9110 section
 * 6.6.1). */
static void
fields_of_head(struct fill *fill, const struct fetch_head *head,
               struct fields *out, struct buf *scratch, char date[DATE_SIZE])
{
    struct forward_response_options options = {
        .pseudonym = span_of(fill->snapshot->conf->node),
        .http11 = head->minor > 0,
    };

    forward_response(head->fields, &options, out, scratch);
    if (!date_usable(out)) {
        fields_remove(out, SPAN("Date"));
        date_format(clock_wall_ms() / 1000, date);
        fields_add(out, SPAN("Date"), span_of(date));
    }
}

struct vary *
fill_vary(const struct fill *fill, const struct fields *fields)
{
    return vary_new(fields, pack_fields(fill->request),
                    &fill->rules->key.codings);
}

void
fill_caching(struct fill *fill, unsigned status, const struct fields *fields,
             struct caching *caching)
{
    struct caching_request request = {
        .method = span_of(fill->method),
        .scheme = SPAN("http"),
        .authority = fill->key.host,
        .target = span_of(fill->target),
        .fields = pack_fields(fill->request),
    };

    caching_of(&request, (int)status, fields, &fill->rules->caching,
               clock_wall_ms() / 1000,
               (fill->received_ns - fill->attempt_ns) / NS_PER_MS, caching);
    if (caching->storable) {
        caching->why_not = fill_tags_refusal(fill);
        caching->storable = caching->why_not == NULL;
    }
    if (caching->storable && vary_kind(fields) == VARY_ANY) {
        caching->storable = false;
        caching->why_not = "vary";
    }
}

bool
fill_private_to_all(const struct fill *fill)
{
    struct fields none = {0};
    struct caching_request request = {
        .method = span_of(fill->method),
        .fields = &none,
    };
    struct caching caching;

    if (fill->caching.forbidden)
        return true;
    unsigned status = fill_status_kept(
        fill, fill->status == 304 && fill->base != NULL ? fill->base->status
                                                        : fill->status);

    caching_of(&request, (int)status, pack_fields(fill->fields),
               &fill->rules->caching, clock_wall_ms() / 1000, 0, &caching);
    return !caching.storable;
}

void
fill_settle_sharing(struct fill *fill)
{
    struct store *store = fill->worker->engine->parts.store;

    fill->shareable = fill->caching.storable && fill->safe &&
                      caching_reusable(&fill->caching);
    /* An error may be about this request alone (its credentials, say). */
    fill->is_private = !fill->caching.storable && fill->status < 400 &&
                       (fill_private_to_all(fill) || fill->tags_refused);
    if (!fill->shared)
        return;
    if (fill->shareable) {
        crowd_learn(store, &fill->plain, true, fill->received_ns);
        return;
    }
    flight_close(&fill->flight);
    if (!fill->is_private || fill->status >= 500 || fill->from_peer)
        return;
    crowd_learn(store, &fill->plain, false, fill->received_ns);
    store_mark_uncacheable(store, fill->key.hash,
                           fill->received_ns + FILL_UNCACHEABLE_MS * NS_PER_MS);
}

static const char *
why_not_kept(const struct fill *fill, uint64_t expected)
{
    if (!fill->caching.storable)
        return fill->caching.why_not;
    if ((fill->status == 206 && !fill->is_part) || fill->resuming)
        return "partial-content";
    if (fill->ranged && fill->status >= 500)
        return "error-beside-parts";
    if (expected > fill->snapshot->conf->max_object_bytes)
        return "too-large";
    return fill_would_hide(fill) ? "error-beside-copy" : NULL;
}

bool
fill_reserve_whole(struct fill *fill, uint64_t length)
{
    /* With the heads of its pieces, so that the whole of it fits. */
    size_t room = (size_t)length + PIECES_ROOM;

    if (fill->reserved >= room)
        return true;
    CHECK(fill->reserved == 0);
    if (!store_reserve(fill->worker->engine->parts.store, room))
        return false;
    fill->reserved = room;
    return true;
}

/* Whether the body is kept to be stored, or only passes through. */
static void
settle_body(struct fill *fill)
{
    uint64_t expected =
        fill->length > 0 && !fill->no_body ? (uint64_t)fill->length : 0;

    if (fill->store)
        fill->why_not = why_not_kept(fill, expected);
    fill->keeps = fill->store && fill->why_not == NULL;
    if (fill->keeps && expected > 0 && !fill_reserve_whole(fill, expected)) {
        fill->why_not = "no-room";
        fill->keeps = false;
    }
    fill->body = blob_new(fill->keeps ? expected : 0);
    if (!fill->keeps)
        fill_slide(fill);
}

/* Whether the response takes the place of what is stored: all but errors that
 * may be about this request alone, or may pass. */
static bool
is_news(const struct fill *fill)
{
    if (fill->caching.storable)
        return fill->status < 500;
    return fill->is_private || ((fill->status == 404 || fill->status == 410) &&
                                fill_private_to_all(fill));
}

/* A response that is not going to be stored is the newest of its variant all
 * the same: what came before it must not be an answer again, neither fresh nor
 * while it is refreshed (RFC 9111 section 4). */
static void
supersede(struct fill *fill)
{
    struct store *store = fill->worker->engine->parts.store;

    if (fill->keeps || !fill->store || !fill->safe || fill->from_peer ||
        !is_news(fill))
        return;
    struct shelf *shelf = fill->worker->engine->parts.shelf;

    shelf_change_begin(shelf, &fill->stored);
    struct object *old = fill_search_find(fill);

    if (old != NULL && old->sent_ns <= fill->sent_ns)
        store_remove(store, old);
    if (fill->base != NULL && fill->base->part != NULL)
        store_remove(store, fill->base);
    shelf_drop(shelf, &fill->stored);
    shelf_change_end(shelf, &fill->stored);
    if (fill->stored.text.ptr != fill->plain.text.ptr)
        shelf_drop_other(shelf, &fill->plain);
}

static void
accept_response(struct fill *fill, const struct fetch_head *head,
                const struct fields *fields)
{
    fill->status = head->status;
    fill->length = head->content_length;
    fill->no_body = head->no_body;
    fill->fields = pack_new(fields);
    fill->stored_fields = pack_ref(fill->fields);
    if (fill->caching.omits_fields) {
        struct fields rest = {0};

        caching_stored_fields(fields, &fill->rules->caching, &rest);
        pack_unref(&fill->stored_fields);
        fill->stored_fields = pack_new(&rest);
        fields_fini(&rest);
    }
    if (fill->caching.storable && vary_kind(fields) == VARY_SOME)
        fill->vary = fill_vary(fill, fields);
    fill_settle_sharing(fill);
    settle_body(fill);
    supersede(fill);
    if (fill->prefix != NULL && fill_prefix_put(fill) != ERR_OK) {
        fill_slide(fill);
        fill_fail(fill, ERR_NOMEM, "proxy_internal_error",
                  "no memory for the body");
        watcher_wake(fill->nudge);
        return;
    }
    fill_publish(fill, FILL_RESPONSE);
    /* Whoever led it may have left: without readers a body that is not kept
     * would wait for ever. */
    if (!fill->keeps)
        watcher_wake(fill->nudge);
}

/* ---- what must not be taken ---- */

/* A body goes on only where it stopped, and as the same representation. */
static const char *
why_not_resume(const struct fill *fill, const struct fetch_head *head,
               const struct fields *fields)
{
    struct content_range range;
    struct span etag = fields_get(fields, SPAN("ETag"));

    if (head->status != 206)
        return "the origin gives no part of the response to go on with";
    if (!etag_strong_equal(etag, span_of(fill->resume_etag)))
        return "the response has changed while it was sent";
    if (!content_range_parse(fields_get(fields, SPAN("Content-Range")),
                             &range) ||
        range.unsatisfied || range.first != fill->resume_at)
        return "the origin gave another part than was asked for";
    return NULL;
}

bool
fill_head_fits(const struct fields *fields)
{
    return forward_size(fields) <= FILL_HEAD_MAX;
}

static const char *
why_refused(const struct fill *fill, const struct fetch_head *head,
            const struct fields *fields)
{
    struct span age = fields_get(fields, SPAN("Age"));
    uint64_t age_s = 0;

    if (!fill_head_fits(fields))
        return "the response's header section is over 16 KiB";
    if (fill->cp && age.ptr != NULL &&
        (!span_u64(age, UINT64_MAX, &age_s) || age_s > 0))
        return "a cache before the origin answered a strict read (Age over 0)";
    if (head->status == 304 && fill->base == NULL &&
        (fill->shared || fill->store))
        return "a 304 to a request without validators";
    if (fill->resuming)
        return why_not_resume(fill, head, fields);
    if (head->status == 206 && !fill_asked_part(fill))
        return "a 206 to a request without a Range";
    return NULL;
}

/* The rest of what is stored in part, or nothing that we can use. */
static void
take_rest(struct fill *fill, const struct fetch_head *head,
          const struct fields *fields)
{
    struct fetch_head whole_head = *head;
    struct fields whole = {0};

    if (fill_prefix_judge(fill, head, fields, &whole)) {
        whole_head.status = 200;
        whole_head.content_length = (int64_t)fill->prefix->part->complete;
        accept_response(fill, &whole_head, &whole);
    } else {
        fill_ask_whole(fill);
    }
    fields_fini(&whole);
}

void
fill_judge(struct fill *fill, const struct fetch_head *head)
{
    struct fields fields = {0};
    struct buf scratch = {0};
    char date[DATE_SIZE];
    const char *why;

    fields_of_head(fill, head, &fields, &scratch, date);
    fill_tags_take(fill, &fields);
    fill_search_key(fill, &fields);
    if (fill->peer_count > 0 && !fill_judge_peer(fill, head)) {
        /* It has none: on_done asks the next one. */
    } else if ((why = why_refused(fill, head, &fields)) != NULL) {
        fill_fail(fill, ERR_PROTOCOL, "http_protocol_error", why);
    } else if (head->status == 304 && fill->base != NULL) {
        fill_judge_not_modified(fill, &fields);
    } else if (fill->prefix != NULL &&
               (head->status == 206 || head->status == 416)) {
        take_rest(fill, head, &fields);
    } else {
        object_unref(&fill->prefix);
        fill_part_judge(fill, head, &fields);
        if (fill->updates && head->status == 200)
            fill_judge_head(fill, &fields, head->content_length);
        fill_caching(fill, fill_status_kept(fill, head->status), &fields,
                     &fill->caching);
        accept_response(fill, head, &fields);
    }
    fields_fini(&fields);
    buf_fini(&scratch);
}

/* ---- storing ---- */

/* A body that came in pieces becomes one, so that a hit can send it as it is;
 * one whose length was known is one already. */
static struct blob *
compact(struct blob *blob)
{
    struct span body;
    char buffer[16 * 1024];
    size_t len;

    if (blob_flat(blob, &body) || blob_len(blob) > COMPACT_MAX)
        return blob_ref(blob);
    struct blob *flat = blob_new(blob_len(blob));
    struct blob_reader *reader = blob_reader_new(blob, 0, NULL);

    while (blob_read(reader, buffer, sizeof(buffer), &len) == ERR_OK) {
        if (blob_append(flat, buffer, len) != ERR_OK)
            break;
    }
    blob_reader_free(&reader);
    bool whole = blob_len(flat) == blob_len(blob);

    blob_finish(flat, whole ? ERR_OK : ERR_NOMEM);
    if (whole)
        return flat;
    blob_unref(&flat);
    return blob_ref(blob);
}

/* A copy from a peer was asked of the origin before we asked the peer: at the
 * latest when its age says, the second that ages leave open taken off. */
static uint64_t
sent_at(const struct fill *fill)
{
    uint64_t age_ns = (fill->caching.initial_age_s + 1) * NS_PER_S;

    if (fill->prefix != NULL && fill->prefix->sent_ns < fill->sent_ns)
        return fill->prefix->sent_ns;
    if (!fill->from_peer)
        return fill->sent_ns;
    return age_ns < fill->sent_ns ? fill->sent_ns - age_ns : 1;
}

/* What is stored of a response, as it is now that its body is there. A part
 * that is all of it is no part. False: it is of no use. */
static bool
kept_form(const struct fill *fill, struct range_part *part,
          struct object_spec *spec)
{
    if (!fill->is_part) {
        spec->fields = pack_ref(fill->stored_fields);
        return true;
    }
    if (!fill_part_of(fill, part))
        return false;
    if (part->exact && part->length == part->complete) {
        spec->status = 200;
        spec->fields = fill_fields_of_whole(pack_fields(fill->stored_fields));
    } else {
        spec->part = part;
        spec->fields = pack_ref(fill->stored_fields);
    }
    return true;
}

static void
put_in(struct fill *fill, struct object_spec *spec)
{
    struct blob *body = compact(fill->body);

    spec->body = body;
    struct object *object = object_new(spec);
    struct engine_parts *parts = &fill->worker->engine->parts;
    size_t reserved = fill->reserved;

    fill->reserved = 0;
    fill->kept = object_ref(object);
    shelf_change_begin(parts->shelf, spec->key);
    bool stored = store_insert(parts->store, &object, reserved);

    if (stored)
        shelf_stored(parts->shelf, fill->kept);
    else
        shelf_drop(parts->shelf, spec->key);
    shelf_change_end(parts->shelf, spec->key);
    if (stored && spec->part != NULL)
        fill_assemble(fill, fill->kept);
    blob_unref(&body);
}

/* A copy that its sender itself would have validated: what makes it stale may
 * be known to them alone, or may be what their position covers. So it is below
 * the floor here, whatever else is known of it. */
static uint64_t
claimed_position(const struct fill *fill)
{
    uint64_t floor = inval_floor(fill->worker->engine->parts.inval);
    uint64_t most = floor > 0 ? floor - 1 : 0;

    if (!fill->peer_is_stale || fill->answer_position < most)
        return fill->answer_position;
    return most;
}

void
fill_keep(struct fill *fill)
{
    struct inval *inval = fill->worker->engine->parts.inval;
    struct inval_subject subject = fill_subject(fill);
    struct range_part part;
    struct vary *vary =
        fill->vary ? fill_vary(fill, pack_fields(fill->stored_fields)) : NULL;
    struct object_spec spec = {
        .key = &fill->stored,
        .status = fill->status,
        .vary = &vary,
        .length = blob_len(fill->body),
        .caching = &fill->caching,
        .position = claimed_position(fill),
        .sent_ns = sent_at(fill),
        .received_ns = fill->received_ns,
        .tags = fill->tags.list,
        .tag_count = fill->tags.count,
        .tag_fields = fill->tag_fields,
    };

    if (inval_check(inval, &subject, fill->answer_position) != VALIDITY_HARD &&
        kept_form(fill, &part, &spec))
        put_in(fill, &spec);
    pack_unref(&spec.fields);
    vary_free(&vary);
}
