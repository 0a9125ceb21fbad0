/* What is to be written, or to go: asked by whoever changes what is in memory,
 * for shelf_write.c to do. */
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/mem.h"
#include "shelf_queue_internal.h"

static void
pending_begin(struct shelf *shelf, const struct key *key)
{
    struct shelf_bucket *bucket = shelf_bucket(shelf, key);

    atomic_fetch_add(&bucket->pending, 1);
    atomic_fetch_add(&bucket->changes, 1);
}

static void
pending_end(struct shelf *shelf, const struct key *key)
{
    CHECK(atomic_fetch_sub(&shelf_bucket(shelf, key)->pending, 1) > 0);
}

static pthread_mutex_t *
stripe(struct shelf *shelf, const struct key *key)
{
    return &shelf->stripes[key->hash.lo % SHELF_STRIPES];
}

void
shelf_change_begin(struct shelf *shelf, const struct key *key)
{
    if (shelf == NULL)
        return;
    pthread_mutex_lock(stripe(shelf, key));
    pending_begin(shelf, key);
}

void
shelf_change_end(struct shelf *shelf, const struct key *key)
{
    if (shelf == NULL)
        return;
    pending_end(shelf, key);
    pthread_mutex_unlock(stripe(shelf, key));
}

void
shelf_item_free(struct shelf *shelf, struct shelf_item *item)
{
    pending_end(shelf, &item->key);
    object_unref(&item->object);
    free(item->text);
    free(item);
}

static struct shelf_item *
item_new(struct shelf *shelf, const struct key *key)
{
    struct shelf_item *item = mem_zalloc(sizeof(*item));

    item->text = mem_strndup(key->text.ptr, key->text.len);
    CHECK(key_parse((struct span){item->text, key->text.len}, &item->key));
    pending_begin(shelf, &item->key);
    return item;
}

/* False: there is no room for its bytes. */
static bool
enqueue(struct shelf *shelf, struct shelf_item *item)
{
    bool room;

    pthread_mutex_lock(&shelf->queue.lock);
    room = item->object == NULL || shelf->queue.bytes == 0 ||
           shelf->queue.bytes + item->bytes <= shelf->queue_max;
    if (room) {
        list_push_back(&shelf->queue.items, &item->link);
        shelf->queue.count++;
        shelf->queue.bytes += item->bytes;
        pthread_cond_signal(&shelf->queue.more);
    }
    pthread_mutex_unlock(&shelf->queue.lock);
    return room;
}

/* What may be of the key on disk, or on its way there, but the caller's own
 * change. */
static bool
may_be_there(struct shelf *shelf, const struct key *key, uint64_t variant)
{
    return disk_may_have(shelf->disk, key->text, variant) ||
           atomic_load(&shelf_bucket(shelf, key)->pending) > 1;
}

static void
drop(struct shelf *shelf, const struct key *key, uint64_t variant)
{
    if (!may_be_there(shelf, key, variant))
        return;
    struct shelf_item *item = item_new(shelf, key);

    item->variant = variant;
    enqueue(shelf, item);
}

void
shelf_drop(struct shelf *shelf, const struct key *key)
{
    if (shelf != NULL)
        drop(shelf, key, DISK_VARIANTS_ALL);
}

/* What selects it, as pairs; how many. */
size_t
shelf_vary_of(const struct object *object, struct field vary[VARY_NAMES_MAX])
{
    size_t count = 0;
    size_t at = 0;

    while (object->vary != NULL && count < VARY_NAMES_MAX &&
           vary_next(object->vary, &at, &vary[count].name, &vary[count].value))
        count++;
    return count;
}

static void
drop_variant(struct shelf *shelf, const struct object *object)
{
    struct field vary[VARY_NAMES_MAX];

    drop(shelf, &object->key, shelf_variant(vary, shelf_vary_of(object, vary)));
}

void
shelf_drop_other(struct shelf *shelf, const struct key *key)
{
    shelf_change_begin(shelf, key);
    shelf_drop(shelf, key);
    shelf_change_end(shelf, key);
}

static bool
is_there(struct shelf *shelf, const struct object *object)
{
    struct field vary[VARY_NAMES_MAX];

    return disk_may_have(shelf->disk, object->key.text,
                         shelf_variant(vary, shelf_vary_of(object, vary)));
}

/* Inside a change of its key. */
static bool
put(struct shelf *shelf, struct object *object)
{
    uint32_t turn = atomic_load(&shelf->turn);
    uint32_t last = atomic_load(&object->shelved);

    if (object->part != NULL || last == turn)
        return true;
    atomic_store(&object->shelved, turn);
    if (last != 0 && is_there(shelf, object))
        return true;
    struct shelf_item *item = item_new(shelf, &object->key);

    item->object = object_ref(object);
    item->bytes = (size_t)object->length;
    if (enqueue(shelf, item))
        return true;
    counter_add(COUNTER_DISK_LATE, 1);
    atomic_store(&object->shelved, 0);
    shelf_item_free(shelf, item);
    return false;
}

void
shelf_put(struct shelf *shelf, struct object *object)
{
    if (!object_try_ref(object))
        return;
    (void)disk_admit(shelf->disk, object->key.text, object->length, true);
    shelf_change_begin(shelf, &object->key);
    if (object_alive(object))
        (void)put(shelf, object);
    shelf_change_end(shelf, &object->key);
    object_unref(&object);
}

void
shelf_stored(struct shelf *shelf, struct object *object)
{
    if (shelf == NULL || object->part != NULL)
        return;
    if (!disk_admit(shelf->disk, object->key.text, object->length, false) ||
        !put(shelf, object))
        drop_variant(shelf, object);
}

/* ---- updates ---- */

static bool
is_time(struct span name)
{
    return span_eq_nocase(name, SPAN("Date")) ||
           span_eq_nocase(name, SPAN("Expires")) ||
           span_eq_nocase(name, SPAN("Age"));
}

/* Of those that are no times: how many there are like it. */
static size_t
count_like(const struct fields *fields, const struct field *like)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->list[i];

        if (span_eq_nocase(field->name, like->name) &&
            span_eq(field->value, like->value))
            count++;
    }
    return count;
}

/* All of `a` is in `b`, as often; in another order, perhaps. */
static bool
all_in(const struct fields *a, const struct fields *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!is_time(a->list[i].name) &&
            count_like(a, &a->list[i]) > count_like(b, &a->list[i]))
            return false;
    }
    return true;
}

static bool
same_vary(const struct vary *a, const struct vary *b)
{
    return a == NULL || b == NULL ? a == b : vary_same(a, b);
}

/* The record says the same, and only that it was confirmed earlier. */
static bool
still_right(const struct object *old, const struct object *object)
{
    const struct caching *a = &old->caching;
    const struct caching *b = &object->caching;

    return old->body == object->body && old->status == object->status &&
           a->lifetime_s <= b->lifetime_s && a->swr_s == b->swr_s &&
           a->sie_s == b->sie_s &&
           a->revalidate_always == b->revalidate_always &&
           a->forbids_stale == b->forbids_stale &&
           old->tag_count == object->tag_count &&
           (old->tag_count == 0 ||
            memcmp(old->tags, object->tags,
                   old->tag_count * sizeof(*old->tags)) == 0) &&
           same_vary(old->vary, object->vary) &&
           all_in(pack_fields(old->fields), pack_fields(object->fields)) &&
           all_in(pack_fields(object->fields), pack_fields(old->fields));
}

void
shelf_updated(struct shelf *shelf, struct object *old, struct object *object)
{
    if (shelf == NULL || object->part != NULL)
        return;
    uint32_t was = atomic_load(&old->shelved);

    if (was != 0 && still_right(old, object))
        atomic_store(&object->shelved, was);
    else if (was == 0 || !put(shelf, object))
        drop_variant(shelf, object);
    /* It may be another variant by now. */
    if (!same_vary(old->vary, object->vary))
        drop_variant(shelf, old);
}
