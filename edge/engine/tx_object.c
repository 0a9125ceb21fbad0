/* Answers from the store. */
#include "base/blob.h"
#include "base/clock.h"
#include "http/conditional.h"
#include "peer_fields_internal.h"
#include "tx_internal.h"

/* All that an answer from a stored object is made of. */
struct answer {
    struct tx *tx;
    struct object *object;
    uint64_t age_s;
    struct tx_reply reply;
    struct fields fields;
    struct buf age;
    struct buf range;
    struct buf proxy_status;
    struct buf level;
    struct cache_status cache_status;
};

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

/* The same for a body that is read bit by bit. */
static void
hold_reading(struct answer *a)
{
    if (a->tx->reading == NULL && object_try_ref(a->object))
        a->tx->reading = a->object;
}

/* The body from `first`, `len` bytes of it, in the cheapest way. */
static void
answer_body(struct answer *a, uint64_t first, uint64_t len)
{
    struct object *object = a->object;
    struct span flat = SPAN_NONE;

    size_t before = tx_preface_len(a->tx);

    a->reply.length = (int64_t)(before + len);
    if (a->tx->ask.head || before + len == 0) {
        a->reply.body = TX_BODY_NONE;
    } else if (before == 0 && blob_flat(object->body, &flat)) {
        a->reply.body = TX_BODY_FLAT;
        a->reply.flat = span_sub(flat, (size_t)first, (size_t)(first + len));
        hold_flat(a);
    } else {
        a->reply.body = TX_BODY_STREAM;
        hold_reading(a);
        if (len > 0)
            a->tx->reader = blob_reader_new(object->body, first, NULL);
        a->tx->body_pos = first;
        a->tx->body_left = len;
    }
}

static void
answer_one_range(struct answer *a, struct range range)
{
    tx_range_one(&a->reply, &a->fields, range, a->object->length, &a->range);
    answer_body(a, range.first, range.last - range.first + 1);
}

static void
answer_ranges(struct answer *a, const struct range_set *set)
{
    tx_range_many(a->tx, &a->reply, &a->fields, set, a->object->body,
                  a->object->length);
    hold_reading(a);
}

/* What is stored is a part, which has all that is asked for. */
static void
answer_part(struct answer *a)
{
    const struct range_part *part = a->object->part;
    struct range range;

    CHECK(range_in_part(&a->tx->part.spec, part, &range));
    tx_range_one(&a->reply, &a->fields, range, part->complete, &a->range);
    answer_body(a, range.first - part->first, range.last - range.first + 1);
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
    if (a->object->part != NULL) {
        answer_part(a);
        return;
    }
    if (a->object->status == 200 && a->object->body != NULL)
        range = tx_range(tx, a->object->length, stored, &set);
    if (range == RANGE_UNSATISFIABLE)
        tx_range_none(&a->reply, &a->fields, a->object->length, &a->range);
    else if (range == RANGE_OK && set.count == 1)
        answer_one_range(a, set.list[0]);
    else if (range == RANGE_OK)
        answer_ranges(a, &set);
    else
        answer_body(a, 0, a->object->length);
}

/* Replies that differ from each other only by who asks. */
static struct tx_identity
identity_of(const struct answer *a)
{
    const struct tx *tx = a->tx;
    const struct fields *fields = tx->request->fields;

    if (tx->plan.verdict != PLAN_HIT || tx->ask.source != PLAN_CLIENT ||
        conditional_present(fields) || fields_has(fields, SPAN("Range")) ||
        tx->session != NULL || tx->shelf.serial != 0)
        return (struct tx_identity){0};
    unsigned confirmed = tx->ask.leased ? tx_level_confirmed_s(tx) & 15 : 0;

    return (struct tx_identity){a->object->serial,
                                a->age_s << 9 | (tx->needs & 15) << 5 |
                                    confirmed << 1 | (tx->ask.head ? 1 : 0)};
}

/* Since the origin was asked for it; by its age, so that one age is one
 * answer. */
static uint64_t
validated_s(const struct answer *a)
{
    const struct object *object = a->object;
    uint64_t here_s = a->age_s - object->caching.initial_age_s;

    if (a->age_s < object->caching.initial_age_s)
        here_s = 0;
    return here_s + (object->received_ns - object->sent_ns) / NS_PER_S;
}

/* To another node. Of a copy below the floor nobody knows what it missed: no
 * position is claimed for it. */
static void
say_result(struct tx *tx, struct fields *fields)
{
    bool stale = tx->plan.verdict == PLAN_HIT_STALE;

    fields_add(fields, SPAN(PEER_RESULT_FIELD),
               stale ? SPAN("stale") : SPAN("hit"));
    if (stale && tx->found.validity == VALIDITY_FLOOR)
        buf_clear(&tx->position);
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
    tx_add_visible(tx, pack_fields(object->fields), &a.fields);
    if (!tx_add_tags(tx, object->status, object->tag_fields, &a.fields)) {
        fields_fini(&a.fields);
        tx_fail_planned(tx);
        return;
    }
    tx_set_age(&a.fields, a.age_s, &a.age);
    answer_form(&a);
    a.cache_status = tx_status_of_object(tx, object, a.age_s);
    tx_proxy_status_stale(tx, &a.fields, &a.proxy_status);
    if (tx->ask.source != PLAN_CLIENT)
        say_result(tx, &a.fields);
    tx_level_add(tx, validated_s(&a), &a.fields, &a.level);
    tx_reply(tx, &a.reply, &a.fields, &a.cache_status);
    fields_fini(&a.fields);
    buf_fini(&a.level);
    buf_fini(&a.age);
    buf_fini(&a.range);
    buf_fini(&a.proxy_status);
}
