/* What goes back to the client. */
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/inval.h"
#include "http/conditional.h"
#include "http/tags.h"
#include "peer_fields_internal.h"
#include "tx_internal.h"

/* Several ranges of a stored body are put together in memory up to this. */
#define MULTIPART_MAX ((uint64_t)1024 * 1024)

/* ---- one way out ---- */

void
tx_reply(struct tx *tx, struct tx_reply *reply, struct fields *fields,
         const struct cache_status *cache_status)
{
    struct buf value = {0};

    tx_status_add(tx, cache_status, fields, &value);
    if (tx->ask.source != PLAN_CLIENT && tx->position.len > 0)
        fields_add(fields, SPAN(PEER_POSITION_FIELD), buf_span(&tx->position));
    CHECK(!tx->replied);
    tx->replied = true;
    tx->replied_ns = clock_boot_ns();
    tx->status = reply->status;
    reply->fields = fields;
    tx->ops->reply(tx->client, reply);
    buf_fini(&value);
}

/* Tags, and the Surrogate-Control that was obeyed here (W3C Edge Architecture
 * section 2.3): what is for caches only, of which a peer is one. */
static bool
for_caches(const struct tx *tx, struct span name)
{
    return tx->ask.source == PLAN_CLIENT &&
           (tags_internal_field(name) ||
            (tx->policy->caching.surrogate_device.ptr != NULL &&
             span_eq_nocase(name, SPAN("Surrogate-Control"))));
}

/* The response's own fields, less those. */
static void
add_visible(const struct tx *tx, const struct fields *stored,
            struct fields *out)
{
    for (size_t i = 0; i < stored->count; i++) {
        const struct field *field = &stored->list[i];

        if (field->value.len == 0 || for_caches(tx, field->name))
            continue;
        fields_add(out, field->name, field->value);
    }
}

static void
set_age(struct fields *fields, uint64_t age_s, struct buf *text)
{
    fields_remove(fields, SPAN("Age"));
    buf_add_u64(text, age_s);
    fields_add(fields, SPAN("Age"), buf_span(text));
}

enum range_result
tx_range(const struct tx *tx, uint64_t length, const struct fields *stored,
         struct range_set *set)
{
    if (!span_eq(tx->request->method, SPAN("GET")) ||
        !fields_has(tx->request->fields, SPAN("Range")))
        return RANGE_NONE;
    return range_evaluate(tx->request->fields, length, stored, set);
}

/* ---- a stored object ---- */

/* All that an answer from a stored object is made of. */
struct answer {
    struct tx *tx;
    struct object *object;
    uint64_t age_s;
    struct tx_reply reply;
    struct fields fields;
    struct buf age;
    struct buf range;
    struct buf type;
    struct cache_status cache_status;
};

static void
free_text(void *owner)
{
    free(owner);
}

static void
release_blob(void *owner)
{
    struct blob *blob = owner;

    blob_unref(&blob);
}

static void
release_object(void *owner)
{
    struct object *object = owner;

    object_unref(&object);
}

static void
release_fill(void *owner)
{
    struct flight *flight = owner;

    flight_unref(&flight);
}

/* The object is held rather than its body: evicted or not, its bytes stay
 * charged to the store's budget as long as a slow client reads them. One whose
 * last reference has gone can only be had as a body. */
static void
hold_flat(struct answer *a)
{
    struct object *object = a->object;

    if (object_try_ref(object)) {
        a->reply.owner = object;
        a->reply.release = release_object;
    } else {
        a->reply.owner = blob_ref(object->body);
        a->reply.release = release_blob;
    }
}

/* The body from `first`, `len` bytes of it, in the cheapest way. */
static void
answer_body(struct answer *a, uint64_t first, uint64_t len)
{
    struct object *object = a->object;
    struct span flat = SPAN_NONE;

    a->reply.length = (int64_t)len;
    if (a->tx->ask.head || len == 0) {
        a->reply.body = TX_BODY_NONE;
    } else if (blob_flat(object->body, &flat)) {
        a->reply.body = TX_BODY_FLAT;
        a->reply.flat = span_sub(flat, (size_t)first, (size_t)(first + len));
        hold_flat(a);
    } else {
        a->reply.body = TX_BODY_STREAM;
        if (a->tx->reading == NULL && object_try_ref(object))
            a->tx->reading = object;
        a->tx->reader = blob_reader_new(object->body, first, NULL);
        a->tx->body_pos = first;
        a->tx->body_left = len;
    }
}

static void
answer_one_range(struct answer *a, struct range range)
{
    a->reply.status = 206;
    content_range_format(range, a->object->length, &a->range);
    fields_remove(&a->fields, SPAN("Content-Range"));
    fields_add(&a->fields, SPAN("Content-Range"), buf_span(&a->range));
    answer_body(a, range.first, range.last - range.first + 1);
}

static void
copy_range(struct blob *blob, struct range range, struct buf *out)
{
    struct blob_reader *reader = blob_reader_new(blob, range.first, NULL);
    size_t left = (size_t)(range.last - range.first + 1);
    size_t n;

    buf_reserve(out, left);
    while (left > 0 &&
           blob_read(reader, out->data + out->len, left, &n) == ERR_OK) {
        out->len += n;
        left -= n;
    }
    CHECK(left == 0);
    blob_reader_free(&reader);
}

/* Several ranges: multipart/byteranges. False when they are too much to put
 * together: then the whole goes out, as RFC 9110 section 14.2 allows. */
static bool
answer_ranges(struct answer *a, const struct range_set *set)
{
    struct range_multipart multipart;
    struct buf body = {0};
    uint64_t random[2];

    secret_random(random, sizeof(random));
    range_multipart_init(&multipart, random,
                         fields_get(&a->fields, SPAN("Content-Type")),
                         a->object->length);
    if (range_multipart_length(&multipart, set) > MULTIPART_MAX)
        return false;
    for (size_t i = 0; i < set->count; i++) {
        range_multipart_head(&multipart, set->list[i], i == 0, &body);
        copy_range(a->object->body, set->list[i], &body);
    }
    range_multipart_end(&multipart, &body);
    range_multipart_type(&multipart, &a->type);
    fields_remove(&a->fields, SPAN("Content-Type"));
    fields_add(&a->fields, SPAN("Content-Type"), buf_span(&a->type));
    a->reply.status = 206;
    a->reply.body = TX_BODY_FLAT;
    a->reply.length = (int64_t)body.len;
    a->reply.flat = buf_span(&body);
    a->reply.owner = buf_steal(&body);
    a->reply.release = free_text;
    return true;
}

static void
answer_unsatisfiable(struct answer *a)
{
    a->reply.status = 416;
    content_range_format_unsatisfied(a->object->length, &a->range);
    fields_remove(&a->fields, SPAN("Content-Range"));
    fields_remove(&a->fields, SPAN("Content-Type"));
    fields_add(&a->fields, SPAN("Content-Range"), buf_span(&a->range));
    a->reply.length = 0;
    a->reply.body = TX_BODY_NONE;
}

/* 304, 206, 416 or the whole, by what the request asks. */
static void
answer_form(struct answer *a)
{
    struct tx *tx = a->tx;
    const struct fields *stored = pack_fields(a->object->fields);
    struct range_set set;
    enum range_result range = RANGE_NONE;
    int64_t received_s =
        clock_wall_ms() / 1000 -
        (int64_t)(tx->now_ns - a->object->received_ns) / (int64_t)NS_PER_S;

    if (conditional_evaluate(tx->request->method, tx->request->fields,
                             a->object->status, stored,
                             received_s) == CONDITION_NOT_MODIFIED) {
        struct fields kept = {0};

        conditional_not_modified_fields(&a->fields, &kept);
        fields_fini(&a->fields);
        a->fields = kept;
        a->reply.status = 304;
        a->reply.body = TX_BODY_NONE;
        a->reply.length = (int64_t)a->object->length;
        return;
    }
    if (a->object->status == 200 && a->object->body != NULL)
        range = tx_range(tx, a->object->length, stored, &set);
    if (range == RANGE_UNSATISFIABLE) {
        answer_unsatisfiable(a);
        return;
    }
    if (range == RANGE_OK && set.count == 1) {
        answer_one_range(a, set.list[0]);
        return;
    }
    if (range == RANGE_OK && set.count > 1 && answer_ranges(a, &set))
        return;
    answer_body(a, 0, a->object->length);
}

/* Replies that differ from each other only by who asks. */
static struct tx_identity
identity_of(const struct answer *a)
{
    const struct tx *tx = a->tx;
    const struct fields *fields = tx->request->fields;

    if (tx->plan.verdict != PLAN_HIT || tx->ask.source != PLAN_CLIENT ||
        conditional_present(fields) || fields_has(fields, SPAN("Range")))
        return (struct tx_identity){0};
    return (struct tx_identity){a->object->serial,
                                a->age_s << 1 | (tx->ask.head ? 1 : 0)};
}

void
tx_deliver_object(struct tx *tx, struct object *object)
{
    struct answer a = {.tx = tx, .object = object};

    a.age_s = caching_age_s(&object->caching, object->received_ns, tx->now_ns);
    a.reply.identity = identity_of(&a);
    if (a.reply.identity.object != 0 &&
        tx->ops->reply_again(tx->client, a.reply.identity)) {
        tx->replied = true;
        tx->replied_ns = tx->now_ns;
        tx->status = object->status;
        return;
    }
    a.reply.status = object->status;
    add_visible(tx, pack_fields(object->fields), &a.fields);
    set_age(&a.fields, a.age_s, &a.age);
    answer_form(&a);
    a.cache_status = tx_status_of_object(tx, object, a.age_s);
    if (tx->ask.source != PLAN_CLIENT)
        fields_add(&a.fields, SPAN(PEER_RESULT_FIELD),
                   tx->plan.verdict == PLAN_HIT_STALE ? SPAN("stale")
                                                      : SPAN("hit"));
    tx_reply(tx, &a.reply, &a.fields, &a.cache_status);
    fields_fini(&a.fields);
    buf_fini(&a.age);
    buf_fini(&a.range);
    buf_fini(&a.type);
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
        set_age(fields, age_s, text);
}

/* The part of the body that goes out, of a fill whose length is known. */
static void
fill_form(struct tx *tx, struct tx_reply *reply, struct fields *fields,
          struct buf *text)
{
    const struct fill *fill = tx->fill;
    struct range_set set;
    uint64_t first = 0;

    reply->length = fill->length;
    if (fill->length > 0 && fill->status == 200 && fill->keeps &&
        tx_range(tx, (uint64_t)fill->length, fields, &set) == RANGE_OK &&
        set.count == 1) {
        first = set.list[0].first;
        tx->body_left = set.list[0].last - first + 1;
        reply->status = 206;
        reply->length = (int64_t)tx->body_left;
        content_range_format(set.list[0], (uint64_t)fill->length, text);
        fields_add(fields, SPAN("Content-Range"), buf_span(text));
    }
    tx->body_pos = first;
    if (fill->no_body || tx->ask.head) {
        reply->body = TX_BODY_NONE;
        return;
    }
    reply->body = TX_BODY_STREAM;
    tx->reader = blob_reader_new(fill->body, first, tx_watcher(tx));
}

/* A small body that is there in full already goes out in one piece. */
static void
fill_flat(struct tx *tx, struct tx_reply *reply)
{
    struct span flat;

    if (reply->body != TX_BODY_STREAM || reply->status == 206 ||
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

    return tx->plan.verdict != PLAN_PASS && fill->status == 200 &&
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
refuse_peer(struct tx *tx)
{
    if (tx->ask.source == PLAN_CLIENT || tx->fill->shareable)
        return false;
    tx_drop_fill(tx);
    tx_fail_planned(tx);
    return true;
}

void
tx_deliver_fill(struct tx *tx)
{
    struct fill *fill = tx->fill;
    struct tx_reply reply = {.status = fill->status};
    struct fields fields = {0};
    struct buf age = {0};
    struct buf range = {0};

    if (refuse_peer(tx))
        return;
    snprintf(tx->upstream, sizeof(tx->upstream), "%s", fill->upstream_name);
    count_forwarded(tx);
    add_visible(tx, pack_fields(tx->leads ? fill->fields : fill->stored_fields),
                &fields);
    fill_age(tx, &fields, &age);
    struct cache_status status = tx_status_of_fill(tx);

    if (fill->peer_is_stale)
        tx->cache = "stale";
    if (tx->ask.source != PLAN_CLIENT)
        fields_add(&fields, SPAN(PEER_RESULT_FIELD), SPAN("hit"));
    if (fill_not_modified(tx, &fields)) {
        deliver_not_modified(tx, &fields, &status);
    } else {
        fill_form(tx, &reply, &fields, &range);
        fill_flat(tx, &reply);
        if (reply.body == TX_BODY_STREAM && tx->reader == NULL) {
            tx_drop_fill(tx);
            tx->tried.join = true; /* its beginning is gone: alone, then */
            tx_decide(tx);
        } else {
            tx_reply(tx, &reply, &fields, &status);
        }
    }
    fields_fini(&fields);
    buf_fini(&age);
    buf_fini(&range);
}
