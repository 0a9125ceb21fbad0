/* Writing: what was asked for, one after the other, on a thread of its own. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/blob.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/grace.h"
#include "base/mem.h"
#include "cluster/tag_set.h"
#include "shelf_internal.h"

#define CHUNK ((size_t)256 * 1024)
#define SYNC_EVERY_S 5
/* For the journal to have the number that an object was fetched under. */
#define AWAIT_MS 500

struct item {
    struct list_link link;
    struct object *object; /* to be written; NULL: to be dropped */
    uint64_t variant;      /* or DISK_VARIANTS_ALL */
    size_t bytes;
    struct key key; /* with a text of its own */
    char *text;
};

/* ---- asking ---- */

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

static void
item_free(struct shelf *shelf, struct item *item)
{
    pending_end(shelf, &item->key);
    object_unref(&item->object);
    free(item->text);
    free(item);
}

static struct item *
item_new(struct shelf *shelf, const struct key *key)
{
    struct item *item = mem_zalloc(sizeof(*item));

    item->text = mem_strndup(key->text.ptr, key->text.len);
    CHECK(key_parse((struct span){item->text, key->text.len}, &item->key));
    pending_begin(shelf, &item->key);
    return item;
}

/* False: there is no room for its bytes. */
static bool
enqueue(struct shelf *shelf, struct item *item)
{
    bool room;

    pthread_mutex_lock(&shelf->queue.lock);
    room = item->object == NULL ||
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
    struct item *item = item_new(shelf, key);

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
static size_t
vary_of(const struct object *object, struct field vary[VARY_NAMES_MAX])
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

    drop(shelf, &object->key, shelf_variant(vary, vary_of(object, vary)));
}

void
shelf_drop_other(struct shelf *shelf, const struct key *key)
{
    shelf_change_begin(shelf, key);
    shelf_drop(shelf, key);
    shelf_change_end(shelf, key);
}

static bool
put(struct shelf *shelf, struct object *object)
{
    struct item *item;

    if (object->part != NULL || atomic_exchange(&object->shelved, true))
        return true;
    item = item_new(shelf, &object->key);
    item->object = object_ref(object);
    item->bytes = (size_t)object->length;
    if (enqueue(shelf, item))
        return true;
    counter_add(COUNTER_DISK_LATE, 1);
    atomic_store(&object->shelved, false);
    item_free(shelf, item);
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
    bool was = atomic_load(&old->shelved);

    if (was && still_right(old, object))
        atomic_store(&object->shelved, true);
    else if (!was || !put(shelf, object))
        drop_variant(shelf, object);
    /* It may be another variant by now. */
    if (!same_vary(old->vary, object->vary))
        drop_variant(shelf, old);
}

/* ---- writing ---- */

static struct inval_subject
subject_of(const struct object *object)
{
    return (struct inval_subject){.host = object->key.host,
                                  .path = object->key.path_query,
                                  .tags = object->tags,
                                  .tag_count = object->tag_count};
}

/* Up to which number it was found valid, now, and the journal can tell; and
 * where in the streams that is. False: it is not valid. */
static bool
claim(struct shelf *shelf, struct object *object, struct buf *position,
      uint64_t *number)
{
    struct inval_subject subject = subject_of(object);

    if (journal_synced(shelf->journal) < object->position)
        journal_await(shelf->journal, object->position, AWAIT_MS);
    /* Before the check: what comes during it is not claimed. */
    const struct inval_snapshot *snapshot = inval_snapshot(shelf->inval);
    uint64_t synced = journal_synced(shelf->journal);

    *number = snapshot->seq < synced ? snapshot->seq : synced;
    buf_add_span(position, snapshot->text);
    return *number > 0 && inval_check(shelf->inval, &subject,
                                      object_checked(object)) == VALIDITY_VALID;
}

/* Tags are kept as text, since hashes have the process' seed. Of an object that
 * was validated some may be left as hashes alone: such a one is not kept. */
static bool
tags_by_text(const struct object *object, bool *path_tag)
{
    const struct key *key = &object->key;
    struct hash128 path = inval_path_hash(key->host, key->path_query);
    struct tag_set set = {0};

    *path_tag = false;
    for (size_t i = 0; i < object->tag_count; i++)
        *path_tag |= hash_eq(object->tags[i], path);
    tag_set_add(&set, key->host, pack_fields(object->fields));
    if (object->tag_fields != NULL)
        tag_set_add(&set, key->host, pack_fields(object->tag_fields));
    tag_set_sort(&set);
    if (*path_tag)
        tag_set_merge(&set, &path, 1);
    bool same = set.count == object->tag_count &&
                (set.count == 0 || memcmp(set.list, object->tags,
                                          set.count * sizeof(*set.list)) == 0);

    tag_set_fini(&set);
    return same;
}

static void
meta_of(struct shelf *shelf, const struct object *object,
        struct shelf_meta *meta)
{
    meta->journal = journal_id(shelf->journal);
    shelf_clock(shelf, &meta->written);
    meta->sent_ns = object->sent_ns;
    meta->received_ns = object->received_ns;
    meta->caching = object->caching;
    meta->status = object->status;
    meta->fields = *pack_fields(object->fields);
    if (object->tag_fields != NULL)
        meta->tag_fields = *pack_fields(object->tag_fields);
    meta->vary_count = vary_of(object, meta->vary);
}

static enum err
append_body(struct disk_write *write, struct blob *body)
{
    struct span flat;
    size_t len;

    if (body == NULL)
        return ERR_OK;
    if (blob_flat(body, &flat))
        return disk_write_append(write, flat.ptr, flat.len);
    struct blob_reader *reader = blob_reader_new(body, 0, NULL);
    char *chunk = malloc(CHUNK);
    enum err err = chunk != NULL && reader != NULL ? ERR_OK : ERR_NOMEM;

    while (err == ERR_OK) {
        err = blob_read(reader, chunk, CHUNK, &len);
        if (err == ERR_OK)
            err = disk_write_append(write, chunk, len);
    }
    free(chunk);
    blob_reader_free(&reader);
    return err == ERR_END ? ERR_OK : err;
}

static enum err
write_record(struct shelf *shelf, const struct object *object, uint64_t variant,
             struct span meta)
{
    struct disk_write *write = NULL;
    enum err err;

    if (object->key.text.len > DISK_KEY_MAX || meta.len > DISK_META_MAX)
        return ERR_LIMIT;
    err = disk_write_begin(shelf->disk, object->key.text, variant,
                           object->length, &write);
    if (err == ERR_OK)
        err = append_body(write, object->body);
    if (err == ERR_OK)
        return disk_write_commit(&write, meta);
    disk_write_abort(&write);
    return err;
}

/* What was evicted since is as good as before: what has come after it has been
 * asked for after it (H1). */
static bool
is_latest(const struct object *object)
{
    return object_alive(object) || atomic_load(&object->evicted);
}

static void
write_object(struct shelf *shelf, struct object *object)
{
    struct shelf_meta meta = {0};
    struct buf position = {0};
    struct buf text = {0};
    enum err err = ERR_CANCELLED;

    meta_of(shelf, object, &meta);
    uint64_t variant = shelf_variant(meta.vary, meta.vary_count);

    if (is_latest(object) && tags_by_text(object, &meta.path_tag) &&
        claim(shelf, object, &position, &meta.number)) {
        meta.position = buf_span(&position);
        shelf_meta_print(&meta, &text);
        /* Nothing shared is looked at while the disk takes its time. */
        grace_idle();
        err = write_record(shelf, object, variant, buf_span(&text));
    }
    if (err == ERR_OK) {
        counter_add(COUNTER_DISK_WRITTEN, 1);
    } else {
        counter_add(err == ERR_CANCELLED ? COUNTER_DISK_SKIPPED
                                         : COUNTER_DISK_FAILED,
                    1);
        /* What is there is older. */
        if (disk_may_have(shelf->disk, object->key.text, variant))
            disk_remove(shelf->disk, object->key.text, variant, true);
    }
    buf_fini(&position);
    buf_fini(&text);
}

static void
do_item(struct shelf *shelf, struct item *item)
{
    if (item->object != NULL)
        write_object(shelf, item->object);
    else if (disk_may_have(shelf->disk, item->key.text, item->variant))
        disk_remove(shelf->disk, item->key.text, item->variant, true);
}

/* ---- the thread ---- */

/* NULL: nothing, for a while, or for ever (*ending). */
static struct item *
next_item(struct shelf *shelf, bool *ending)
{
    struct item *item = NULL;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SYNC_EVERY_S;
    pthread_mutex_lock(&shelf->queue.lock);
    if (list_empty(&shelf->queue.items) && !shelf->queue.ending)
        pthread_cond_timedwait(&shelf->queue.more, &shelf->queue.lock, &until);
    if (!list_empty(&shelf->queue.items)) {
        item = list_first(&shelf->queue.items, struct item, link);
        list_remove(&item->link);
        shelf->queue.count--;
        shelf->queue.bytes -= item->bytes;
    }
    *ending = item == NULL && shelf->queue.ending;
    pthread_mutex_unlock(&shelf->queue.lock);
    return item;
}

/* What a power failure takes is of the last few seconds. */
struct syncing {
    bool dirty;
    uint64_t mark; /* before the first that was done since */
    uint64_t last_ns;
};

static void
sync_now_and_then(struct shelf *shelf, struct syncing *syncing)
{
    uint64_t now = clock_boot_ns();

    if (!syncing->dirty || now - syncing->last_ns < SYNC_EVERY_S * NS_PER_S)
        return;
    syncing->last_ns = now;
    syncing->dirty = false;
    (void)disk_sync(shelf->disk, syncing->mark); /* it says so itself */
}

static void *
thread_main(void *arg)
{
    struct shelf *shelf = arg;
    struct syncing syncing = {.last_ns = clock_boot_ns()};
    bool ending = false;

    grace_register();
    while (!ending) {
        grace_idle();
        struct item *item = next_item(shelf, &ending);

        if (item != NULL) {
            if (!syncing.dirty)
                syncing.mark = disk_mark(shelf->disk);
            syncing.dirty = true;
            do_item(shelf, item);
            item_free(shelf, item);
        }
        sync_now_and_then(shelf, &syncing);
    }
    grace_unregister();
    return NULL;
}

void
shelf_write_start(struct shelf *shelf)
{
    CHECK(pthread_create(&shelf->thread, NULL, thread_main, shelf) == 0);
    shelf->running = true;
}

void
shelf_write_stop(struct shelf *shelf)
{
    pthread_mutex_lock(&shelf->queue.lock);
    shelf->queue.ending = true;
    pthread_cond_signal(&shelf->queue.more);
    pthread_mutex_unlock(&shelf->queue.lock);
    pthread_join(shelf->thread, NULL);
    shelf->running = false;
}
