/* Writing: what was asked for (shelf_ask.c), one after the other, on a thread
 * of its own. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/blob.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/grace.h"
#include "cluster/tag_set.h"
#include "shelf_queue_internal.h"

#define CHUNK ((size_t)256 * 1024)
#define SYNC_EVERY_S 5
#define TURN_ITEMS 64
/* For the journal to have the number that an object was fetched under. */
#define AWAIT_MS 500

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
    meta->vary_count = shelf_vary_of(object, meta->vary);
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
do_item(struct shelf *shelf, struct shelf_item *item)
{
    if (item->object != NULL)
        write_object(shelf, item->object);
    else if (disk_may_have(shelf->disk, item->key.text, item->variant))
        disk_remove(shelf->disk, item->key.text, item->variant, true);
}

/* ---- the thread ---- */

/* NULL: nothing, for a while, or for ever (*ending). */
static struct shelf_item *
next_item(struct shelf *shelf, bool *ending)
{
    struct shelf_item *item = NULL;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SYNC_EVERY_S;
    pthread_mutex_lock(&shelf->queue.lock);
    if (list_empty(&shelf->queue.items) && !shelf->queue.ending)
        pthread_cond_timedwait(&shelf->queue.more, &shelf->queue.lock, &until);
    if (!list_empty(&shelf->queue.items)) {
        item = list_first(&shelf->queue.items, struct shelf_item, link);
        list_remove(&item->link);
        shelf->queue.count--;
        shelf->queue.bytes -= item->bytes;
    }
    *ending = item == NULL && shelf->queue.ending;
    pthread_mutex_unlock(&shelf->queue.lock);
    return item;
}

/* What is hot in memory is not asked for on disk, and so not kept there when
 * the oldest goes: now and then its next hit looks whether it is there. */
static void
take_turn(struct shelf *shelf)
{
    struct disk_stats stats;

    disk_stats(shelf->disk, &stats);
    uint64_t quarter = stats.segments / 4 > 0 ? stats.segments / 4 : 1;
    uint32_t turn = (uint32_t)(1 + stats.evicted_segments / quarter);

    if (turn > atomic_load(&shelf->turn))
        atomic_store(&shelf->turn, turn);
}

/* What a power failure takes is of the last few seconds. */
struct syncing {
    bool dirty;
    uint64_t mark; /* before the first that was done since */
    uint64_t last_ns;
    unsigned items;
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
        struct shelf_item *item = next_item(shelf, &ending);

        if (item != NULL) {
            if (!syncing.dirty)
                syncing.mark = disk_mark(shelf->disk);
            syncing.dirty = true;
            do_item(shelf, item);
            shelf_item_free(shelf, item);
            if (++syncing.items % TURN_ITEMS == 0)
                take_turn(shelf);
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
