/* Reading: a record, and what it is worth as an object here and now. */
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/counter.h"
#include "base/mem.h"
#include "cluster/position.h"
#include "cluster/tag_set.h"
#include "shelf_internal.h"

#define CHUNK ((size_t)256 * 1024)
#define LOOK_MAX ((uint64_t)1024 * 1024)

bool
shelf_may_have(struct shelf *shelf, const struct key *key)
{
    return atomic_load_explicit(&shelf->answers, memory_order_relaxed) &&
           disk_may_have(shelf->disk, key->text, DISK_VARIANTS_ALL);
}

/* ---- finding ---- */

static bool
selected(const struct disk_record *record, void *arg)
{
    const struct fields *request = arg;
    struct shelf_meta meta;

    /* What cannot be read is found, so that it goes. */
    if (!shelf_meta_parse(disk_record_meta(record), &meta))
        return true;
    struct vary *vary = vary_of_pairs(meta.vary, meta.vary_count);
    bool fits = vary_match(vary, request);

    vary_free(&vary);
    shelf_meta_fini(&meta);
    return fits;
}

static enum err
read_chunks(struct disk_record *record, enum disk_wait wait, struct blob *body)
{
    uint64_t length = disk_record_length(record);
    size_t size = length < CHUNK ? (size_t)length : CHUNK;
    char *chunk = malloc(size);
    enum err err = chunk != NULL ? ERR_OK : ERR_NOMEM;

    for (uint64_t at = 0; err == ERR_OK && at < length;) {
        size_t n = length - at < size ? (size_t)(length - at) : size;

        err = disk_read(record, at, chunk, n, wait);
        if (err == ERR_OK)
            err = blob_append(body, chunk, n);
        at += n;
    }
    free(chunk);
    return err;
}

static enum err
read_body(struct disk_record *record, enum disk_wait wait,
          struct shelf_found *found)
{
    found->length = disk_record_length(record);
    if (found->length == 0)
        return ERR_OK;
    found->body = blob_new(found->length);
    enum err err = read_chunks(record, wait, found->body);

    /* Not whole, and nobody's: whoever waits reads it anew. */
    blob_finish(found->body, err == ERR_AGAIN ? ERR_CANCELLED : err);
    return err;
}

enum err
shelf_find(struct shelf *shelf, const struct key *key,
           const struct fields *request, enum disk_wait wait,
           struct disk_record **record)
{
    return disk_find_by(shelf->disk, key->text, wait, selected,
                        (void *)(uintptr_t)request, record);
}

enum err
shelf_read(struct disk_record *record, enum disk_wait wait,
           struct shelf_found *found)
{
    *found = (struct shelf_found){0};
    enum err err = read_body(record, wait, found);

    if (err == ERR_OK)
        buf_add_span(&found->meta, disk_record_meta(record));
    else
        shelf_found_fini(found);
    return err;
}

enum err
shelf_read_now(struct shelf *shelf, const struct key *key,
               const struct fields *request, uint64_t max,
               struct shelf_found *found)
{
    struct disk_record *record;
    enum err err = shelf_find(shelf, key, request, DISK_NOW, &record);

    if (err != ERR_OK)
        return err;
    err = disk_record_length(record) > max
              ? ERR_AGAIN
              : shelf_read(record, DISK_NOW, found);
    disk_record_unref(&record);
    return err;
}

void
shelf_found_fini(struct shelf_found *found)
{
    buf_fini(&found->meta);
    blob_unref(&found->body);
}

/* ---- what it is worth ---- */

static void
tags_of(const struct shelf_meta *meta, const struct key *key,
        struct tag_set *set)
{
    tag_set_add(set, key->host, &meta->fields);
    tag_set_add(set, key->host, &meta->tag_fields);
    tag_set_sort(set);
    if (!meta->path_tag)
        return;
    struct hash128 path = inval_path_hash(key->host, key->path_query);

    tag_set_merge(set, &path, 1);
}

/*
 * The number that the record may claim. One of another journal says nothing
 * here: then the vector may, as that of a peer's copy does, if this node is in
 * any stream at all. 0: none, and then nobody can tell what it has missed, nor
 * whether it was purged.
 */
static uint64_t
number_of(struct shelf *shelf, const struct shelf_meta *meta,
          const struct inval_subject *subject)
{
    uint64_t seq = inval_seq(shelf->inval);
    struct position position;

    if (hash_eq(meta->journal, journal_id(shelf->journal)))
        return meta->number <= seq ? meta->number : 0;
    if (inval_snapshot(shelf->inval)->position.count == 0 ||
        !position_parse(meta->position, &position))
        return 0;
    return inval_localize(shelf->inval, &position, seq, subject);
}

static struct object *
make_object(struct shelf *shelf, const struct key *key,
            const struct shelf_meta *meta, const struct shelf_found *found,
            const struct inval_subject *subject)
{
    struct shelf_clock now;
    struct shelf_times times;
    uint64_t number = number_of(shelf, meta, subject);

    if (number == 0 ||
        inval_check(shelf->inval, subject, number) == VALIDITY_HARD)
        return NULL;
    shelf_clock(shelf, &now);
    shelf_meta_times(meta, &now, &times);
    struct vary *vary = vary_of_pairs(meta->vary, meta->vary_count);
    struct pack *fields = pack_new(&meta->fields);
    struct pack *tags =
        meta->tag_fields.count > 0 ? pack_new(&meta->tag_fields) : NULL;
    struct object_spec spec = {
        .key = key,
        .status = meta->status,
        .fields = fields,
        .tag_fields = tags,
        .vary = &vary,
        .body = found->body,
        .length = found->length,
        .tags = subject->tags,
        .tag_count = subject->tag_count,
        .caching = &times.caching,
        .position = number,
        .sent_ns = times.sent_ns,
        .received_ns = times.received_ns,
    };
    struct object *object = object_new(&spec);

    atomic_store(&object->shelved, atomic_load(&shelf->turn));
    pack_unref(&fields);
    pack_unref(&tags);
    vary_free(&vary);
    return object;
}

/* *variant: whose record it is. */
static struct object *
object_of(struct shelf *shelf, const struct key *key,
          const struct shelf_found *found, uint64_t *variant)
{
    struct tag_set tags = {0};
    struct shelf_meta meta;

    *variant = DISK_VARIANTS_ALL;
    if (!shelf_meta_parse(buf_span(&found->meta), &meta))
        return NULL;
    *variant = shelf_variant(meta.vary, meta.vary_count);
    tags_of(&meta, key, &tags);
    struct inval_subject subject = {.host = key->host,
                                    .path = key->path_query,
                                    .tags = tags.list,
                                    .tag_count = tags.count};
    struct object *object = make_object(shelf, key, &meta, found, &subject);

    tag_set_fini(&tags);
    shelf_meta_fini(&meta);
    return object;
}

struct object *
shelf_object(struct shelf *shelf, const struct key *key,
             const struct shelf_found *found)
{
    uint64_t variant;
    struct object *object = object_of(shelf, key, found, &variant);

    counter_add(object != NULL ? COUNTER_DISK_HIT : COUNTER_DISK_INVALID, 1);
    /* Not lastingly: the number that makes it invalid outlives a restart. */
    if (object == NULL)
        disk_remove(shelf->disk, key->text, variant, false);
    return object;
}

enum shelf_answer
shelf_look(struct shelf *shelf, const struct key *key,
           const struct fields *request, struct object **object)
{
    struct shelf_found found;
    uint64_t variant;

    *object = NULL;
    if (!disk_may_have(shelf->disk, key->text, DISK_VARIANTS_ALL))
        return SHELF_NOTHING;
    enum err err = shelf_read_now(shelf, key, request, LOOK_MAX, &found);

    if (err == ERR_AGAIN)
        return SHELF_UNREAD;
    if (err != ERR_OK)
        return SHELF_NOTHING;
    *object = object_of(shelf, key, &found, &variant);
    shelf_found_fini(&found);
    return *object != NULL ? SHELF_HAS : SHELF_INVALID;
}
