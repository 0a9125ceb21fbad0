/* What goes back to the client. */
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/clock.h"
#include "base/counter.h"
#include "cluster/inval.h"
#include "http/conditional.h"
#include "http/forward.h"
#include "peer_fields_internal.h"
#include "tx_internal.h"

/* ---- one way out ---- */

/* What another node is told beside the answer, and that it was asked. */
static void
reply_to_node(const struct tx *tx, struct fields *fields)
{
    bool miss =
        span_eq(fields_get(fields, SPAN(PEER_RESULT_FIELD)), SPAN("miss"));

    counter_add(miss ? COUNTER_PEER_SERVED_MISS : COUNTER_PEER_SERVED_HIT, 1);
    if (tx->position.len > 0)
        fields_add(fields, SPAN(PEER_POSITION_FIELD), buf_span(&tx->position));
    tx_preface_field(tx, fields);
}

/* A connection has memory for one head and the other; an answer that does not
 * fit would be none at all. */
static bool
has_room(const struct tx *tx, const struct tx_reply *reply,
         const struct fields *fields)
{
    return tx->request->room == 0 || reply->status == 431 ||
           forward_size(fields) <= tx->request->room;
}

static void
refuse_large(struct tx *tx, struct tx_reply *reply)
{
    if (reply->release != NULL)
        reply->release(reply->owner);
    tx_fail(tx, 431,
            "the heads of this request and of its answer do not fit together "
            "into limits.request_header_bytes and half as much: send smaller "
            "fields (cookies count twice), or raise it");
}

void
tx_reply(struct tx *tx, struct tx_reply *reply, struct fields *fields,
         const struct cache_status *cache_status)
{
    struct buf value = {0};

    tx_status_add(tx, cache_status, fields, &value);
    if (tx->ask.source != PLAN_CLIENT)
        reply_to_node(tx, fields);
    if (!has_room(tx, reply, fields)) {
        buf_fini(&value);
        refuse_large(tx, reply);
        return;
    }
    CHECK(!tx->replied);
    tx->replied = true;
    tx->replied_ns = clock_boot_ns();
    tx->status = reply->status;
    reply->fields = fields;
    tx->ops->reply(tx->client, reply);
    buf_fini(&value);
}

/* The Surrogate-Control that was obeyed here (W3C Edge Architecture section
 * 2.3): what is for caches only, of which a peer is one. */
static bool
for_caches(const struct tx *tx, struct span name)
{
    return tx->ask.source == PLAN_CLIENT &&
           tx->policy->caching.surrogate_device.ptr != NULL &&
           span_eq_nocase(name, SPAN("Surrogate-Control"));
}

void
tx_add_visible(const struct tx *tx, const struct fields *stored,
               struct fields *out)
{
    for (size_t i = 0; i < stored->count; i++) {
        const struct field *field = &stored->list[i];

        if (for_caches(tx, field->name))
            continue;
        fields_add(out, field->name, field->value);
    }
}

void
tx_set_age(struct fields *fields, uint64_t age_s, struct buf *text)
{
    fields_remove(fields, SPAN("Age"));
    buf_add_u64(text, age_s);
    fields_add(fields, SPAN("Age"), buf_span(text));
}

/* ---- a response on its way ---- */

static void
count_forwarded(struct tx *tx)
{
    if (tx->plan.verdict == PLAN_PASS) {
        tx->cache = "pass";
        counter_add(COUNTER_REQ_PASS, 1);
    } else if (tx->fill->from_peer) {
        tx->cache = "peer";
        counter_add(COUNTER_REQ_PEER, 1);
    } else if (!tx->leads) {
        tx->cache = "collapsed";
        counter_add(COUNTER_REQ_JOIN, 1);
    } else {
        tx->cache = "miss";
        counter_add(COUNTER_REQ_MISS, 1);
    }
}

/* Adds Age where the response has one, or is another's by now: whole seconds
 * of ours on top (RFC 9111 section 5.1). */
static void
fill_age(struct tx *tx, struct fields *fields, struct buf *text)
{
    const struct fill *fill = tx->fill;
    uint64_t age_s = fill->caching.initial_age_s;

    if (tx->plan.verdict == PLAN_PASS)
        return; /* as the origin said it */
    if (!tx->leads)
        age_s =
            caching_age_s(&fill->caching, fill->received_ns, clock_boot_ns());
    if (age_s > 0)
        tx_set_age(fields, age_s, text);
}

/* How long the body is, once that is known; else -1. */
static int64_t
known_length(const struct fill *fill)
{
    if (fill->length >= 0 || blob_state(fill->body) != ERR_OK)
        return fill->length;
    return (int64_t)blob_len(fill->body);
}

/* Whether a reader may begin anywhere in it. */
static bool
held_whole(const struct fill *fill)
{
    struct span flat;

    return fill->keeps || blob_flat(fill->body, &flat);
}

/* What the request's Range makes of a response that was asked for whole. True:
 * the body that goes out is settled. */
static bool
fill_ranges(struct tx *tx, struct tx_reply *reply, struct fields *fields,
            struct buf *text)
{
    const struct fill *fill = tx->fill;
    int64_t length = known_length(fill);
    struct range_set set;

    if (tx->plan.verdict == PLAN_PASS || fill->status != 200 || length < 0)
        return false;
    switch (tx_range(tx, (uint64_t)length, fields, &set)) {
    case RANGE_NONE:
        return false;
    case RANGE_UNSATISFIABLE:
        tx_range_none(reply, fields, (uint64_t)length, text);
        return true;
    case RANGE_OK:
        break;
    }
    if (!held_whole(fill))
        return false;
    if (set.count > 1) {
        tx_range_many(tx, reply, fields, &set, fill->body, (uint64_t)length);
        return true;
    }
    tx_range_one(reply, fields, set.list[0], (uint64_t)length, text);
    tx->body_pos = set.list[0].first;
    tx->body_left = (uint64_t)reply->length;
    return false;
}

/* The body, or the part of it, that goes out. False: its beginning is gone. */
static bool
fill_form(struct tx *tx, struct tx_reply *reply, struct fields *fields,
          struct buf *text)
{
    const struct fill *fill = tx->fill;

    reply->length = fill->length;
    tx->body_pos = 0;
    tx->body_left = UINT64_MAX;
    if (fill_ranges(tx, reply, fields, text))
        return true;
    if (fill->no_body || tx->ask.head) {
        reply->body = TX_BODY_NONE;
        return true;
    }
    reply->body = TX_BODY_STREAM;
    if (reply->length >= 0)
        reply->length += (int64_t)tx_preface_len(tx);
    tx->reader = blob_reader_new(fill->body, tx->body_pos, tx_watcher(tx));
    return tx->reader != NULL;
}

static void
release_fill(void *owner)
{
    struct flight *flight = owner;

    flight_unref(&flight);
}

/* A small body that is there in full already goes out in one piece. */
static void
fill_flat(struct tx *tx, struct tx_reply *reply)
{
    struct span flat;

    if (reply->body != TX_BODY_STREAM || tx->ranges != NULL ||
        tx_preface_len(tx) > 0 || tx->body_left != UINT64_MAX ||
        !blob_flat(tx->fill->body, &flat))
        return;
    blob_reader_free(&tx->reader);
    reply->body = flat.len > 0 ? TX_BODY_FLAT : TX_BODY_NONE;
    reply->length = (int64_t)flat.len;
    reply->flat = flat;
    if (flat.len > 0) {
        reply->owner = flight_ref(&tx->fill->flight);
        reply->release = release_fill;
    }
}

/* Validators of the response answer the client's own condition, when the
 * client's were not sent to the origin. */
static bool
fill_not_modified(struct tx *tx, const struct fields *fields)
{
    const struct fill *fill = tx->fill;

    return tx->plan.verdict != PLAN_PASS &&
           (fill->status == 200 || fill->is_part) &&
           conditional_evaluate(tx->request->method, tx->request->fields, 200,
                                fields, clock_wall_ms() / 1000) ==
               CONDITION_NOT_MODIFIED;
}

static void
deliver_not_modified(struct tx *tx, struct fields *fields,
                     const struct cache_status *status)
{
    struct tx_reply reply = {.status = 304, .length = tx->fill->length};
    struct fields kept = {0};

    conditional_not_modified_fields(fields, &kept);
    tx_reply(tx, &reply, &kept, status);
    fields_fini(&kept);
}

/* For another node: only what it may have, and under what it counts. */
static bool
peer_may_have(const struct tx *tx)
{
    return tx->ask.source == PLAN_CLIENT || tx->fill->shareable;
}

void
tx_deliver_fill(struct tx *tx)
{
    struct fill *fill = tx->fill;
    struct tx_reply reply = {.status = fill->status};
    struct fields fields = {0};
    struct buf age = {0};
    struct buf range = {0};
    struct buf level = {0};

    tx_add_visible(tx,
                   pack_fields(tx->leads ? fill->fields : fill->stored_fields),
                   &fields);
    if (!peer_may_have(tx) ||
        !tx_add_tags(tx, fill->status, fill->tag_fields, &fields)) {
        fields_fini(&fields);
        tx_drop_fill(tx);
        tx_fail_planned(tx);
        return;
    }
    (void)span_put(tx->upstream, sizeof(tx->upstream), 0,
                   span_of(fill->upstream_name));
    count_forwarded(tx);
    fill_age(tx, &fields, &age);
    struct cache_status status = tx_status_of_fill(tx);

    if (fill->peer_is_stale)
        tx->cache = "stale";
    if (tx->ask.source != PLAN_CLIENT)
        fields_add(&fields, SPAN(PEER_RESULT_FIELD), SPAN("hit"));
    tx_level_add(tx, (clock_boot_ns() - fill->sent_ns) / NS_PER_S, &fields,
                 &level);
    if (fill_not_modified(tx, &fields)) {
        deliver_not_modified(tx, &fields, &status);
    } else if (fill_form(tx, &reply, &fields, &range)) {
        fill_flat(tx, &reply);
        tx_reply(tx, &reply, &fields, &status);
    } else {
        tx_preface_free(tx);
        tx_drop_fill(tx);
        tx->tried.join = true; /* alone, then */
        tx_decide(tx);
    }
    fields_fini(&fields);
    buf_fini(&age);
    buf_fini(&range);
    buf_fini(&level);
}
