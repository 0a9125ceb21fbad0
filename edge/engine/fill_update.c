/*
 * What a response says of one that is stored already: a 304 (RFC 9111 section
 * 4.3.4), the answer to a HEAD (section 4.3.5).
 */
#include "base/clock.h"
#include "cluster/inval.h"
#include "fill_internal.h"
#include "http/update.h"
#include "shelf_internal.h"
#include "store/store.h"

/* What of the fields may be kept and shown to anyone. */
static struct pack *
stored_pack(const struct fill *fill, const struct fields *fields,
            const struct caching *caching)
{
    struct fields rest = {0};

    if (!caching->omits_fields)
        return pack_new(fields);
    caching_stored_fields(fields, &fill->rules->caching, &rest);
    struct pack *pack = pack_new(&rest);

    fields_fini(&rest);
    return pack;
}

/* The stored object, made new: the same body, the fields as they are now, and
 * the facts of this validation. */
static struct object *
updated_object(struct fill *fill, struct object *base,
               const struct fields *fields, const struct caching *caching)
{
    struct object_spec spec = {
        .key = &base->key,
        .status = base->status,
        .body = base->body,
        .length = base->length,
        .part = base->part,
        .caching = caching,
        .position = fill->answer_position,
        .sent_ns = fill->sent_ns,
        .received_ns = fill->received_ns,
    };
    struct pack *pack = stored_pack(fill, fields, caching);
    struct vary *vary =
        vary_kind(fields) == VARY_SOME ? fill_vary(fill, fields) : NULL;

    spec.tags = fill->tags.list;
    spec.tag_count = fill->tags.count;
    spec.tag_fields = fill->tag_fields;
    spec.fields = pack;
    spec.vary = &vary;
    struct object *object = object_new(&spec);

    pack_unref(&pack);
    return object;
}

/* Puts the updated object in the place of the old one: in memory, and on disk.
 * The caller's reference is consumed. */
static void
replace(struct fill *fill, struct object *old, struct object *object)
{
    struct engine_parts *parts = &fill->worker->engine->parts;
    struct object *stored = object_ref(object);

    shelf_change_begin(parts->shelf, &object->key);
    if (store_replace(parts->store, old, &stored))
        shelf_updated(parts->shelf, old, object);
    else
        shelf_drop(parts->shelf, &object->key);
    shelf_change_end(parts->shelf, &object->key);
    object_unref(&object);
}

/* Out with it, everywhere: it is no answer any more. */
static void
take_out(struct fill *fill, struct object *object)
{
    struct engine_parts *parts = &fill->worker->engine->parts;

    shelf_change_begin(parts->shelf, &object->key);
    store_remove(parts->store, object);
    shelf_drop(parts->shelf, &object->key);
    shelf_change_end(parts->shelf, &object->key);
}

static void
accept_not_modified(struct fill *fill, const struct fields *stored_now,
                    const struct caching *caching)
{
    struct object *object =
        updated_object(fill, fill->base, stored_now, caching);

    fill->object = object_ref(object);
    fill->status = 304;
    fill->fields = pack_ref(object->fields);
    fill->caching = *caching;
    fill_settle_sharing(fill);
    bool moved = fill_search_moved(fill, fill->base);

    if (caching->storable && !moved) {
        replace(fill, fill->base, object);
    } else {
        /* Out with the old one, unless only this request forbids storing. */
        if (fill->is_private || moved)
            take_out(fill, fill->base);
        object_unref(&object);
    }
    fill_publish(fill, FILL_UPDATED);
}

void
fill_ask_whole(struct fill *fill)
{
    object_unref(&fill->base);
    object_unref(&fill->prefix);
    fetch_cancel(&fill->fetch);
    fill->tried = 0;
    fill_ask_again(fill);
}

void
fill_judge_not_modified(struct fill *fill, const struct fields *fields)
{
    const struct fields *stored = pack_fields(fill->base->fields);
    struct fields updated = {0};
    struct caching caching;

    if (!update_applies(stored, fields)) {
        fill_ask_whole(fill);
        return;
    }
    update_fields(stored, fields, &updated);
    if (!fill_head_fits(&updated)) {
        fields_fini(&updated);
        fill_ask_whole(fill);
        return;
    }
    fill_tags_update(fill, fill->base, &updated);
    fill_search_key(fill, &updated);
    fill_caching(fill, fill_status_kept(fill, fill->base->status), &updated,
                 &caching);
    accept_not_modified(fill, &updated, &caching);
    fields_fini(&updated);
}

/* ---- HEAD ---- */

/* The stored answer to a GET that the answer to this HEAD is about. Not one
 * that was asked for later, nor one that a purge has taken. */
static struct object *
stored_for_head(struct fill *fill)
{
    struct engine_parts *parts = &fill->worker->engine->parts;
    struct object *object = fill_search_find(fill);

    if (object == NULL || object->status != 200 ||
        object->sent_ns > fill->sent_ns)
        return NULL;
    struct inval_subject subject = {
        .host = object->key.host,
        .path = object->key.path_query,
        .tags = object->tags,
        .tag_count = object->tag_count,
    };

    return inval_check(parts->inval, &subject, object_checked(object)) ==
                   VALIDITY_HARD
               ? NULL
               : object;
}

/* What a GET would be told of the updated response. */
static void
caching_of_get(struct fill *fill, const struct fields *fields,
               const struct fields *request, struct caching *caching)
{
    struct caching_request get = {.method = SPAN("GET"), .fields = request};

    caching_of(&get, 200, fields, &fill->rules->caching, clock_wall_ms() / 1000,
               (fill->received_ns - fill->attempt_ns) / NS_PER_MS, caching);
}

static void
freshen(struct fill *fill, struct object *stored,
        const struct fields *from_head)
{
    struct fields none = {0};
    struct fields updated = {0};
    struct caching caching;

    update_fields(pack_fields(stored->fields), from_head, &updated);
    fill_tags_update(fill, stored, &updated);
    caching_of_get(fill, &updated, pack_fields(fill->request), &caching);
    bool refused = fill_tags_refusal(fill) != NULL || !fill_head_fits(&updated);

    if (caching.storable && !refused) {
        struct object *object =
            updated_object(fill, stored, &updated, &caching);

        replace(fill, stored, object);
    } else {
        /* Out with it, unless only this request forbids storing. */
        caching_of_get(fill, &updated, &none, &caching);
        if (!caching.storable || refused)
            take_out(fill, stored);
    }
    fields_fini(&updated);
}

/* From now on it counts as stale: it is validated before it answers again. */
static void
outdate(struct fill *fill, struct object *stored)
{
    struct caching caching = stored->caching;
    uint64_t age_s =
        caching_age_s(&caching, stored->received_ns, fill->received_ns);

    if (age_s >= caching.lifetime_s)
        return;
    caching.lifetime_s = age_s;
    struct vary *vary = object_vary_copy(stored);
    struct object_spec spec = {
        .key = &stored->key,
        .status = stored->status,
        .fields = stored->fields,
        .vary = &vary,
        .body = stored->body,
        .length = stored->length,
        .tags = stored->tags,
        .tag_count = stored->tag_count,
        .tag_fields = stored->tag_fields,
        .caching = &caching,
        .position = stored->position,
        .sent_ns = stored->sent_ns,
        .received_ns = stored->received_ns,
    };

    struct object *object = object_new(&spec);

    replace(fill, stored, object);
}

void
fill_judge_head(struct fill *fill, const struct fields *fields, int64_t length)
{
    struct object *stored = stored_for_head(fill);

    if (stored == NULL)
        return;
    struct update_head_lengths lengths = {(int64_t)stored->length, length};

    switch (update_head(pack_fields(stored->fields), fields, lengths)) {
    case UPDATE_HEAD_FRESHENS:
        freshen(fill, stored, fields);
        break;
    case UPDATE_HEAD_INVALIDATES:
        outdate(fill, stored);
        break;
    case UPDATE_HEAD_SAYS_NOTHING:
        break;
    }
}
