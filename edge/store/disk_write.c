/*
 * Writing an object. Up to a chunk of the body is collected; if that is all, it
 * becomes one record; else each chunk is written as an extent, and the record
 * in the end says where they are.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "disk_record_internal.h"

#define CHUNK ((size_t)1024 * 1024)
#define CHUNK_SHARE 8 /* of a segment, at most */
#define CHUNK_FIRST ((size_t)16 * 1024)
#define OBJECT_SHARE 2 /* of the budget, at most */

struct disk_write {
    TAG_FIELD;
    struct disk *disk;
    struct hash128 hash;
    char *key;
    size_t key_len;
    uint64_t variant;
    uint64_t expected; /* length of the body, or DISK_LENGTH_UNKNOWN */

    uint64_t flushed; /* bytes of body that are in extents */
    struct disk_ref *refs;
    size_t ref_count;
    size_t ref_capacity;
    char *chunk;
    size_t len;
    size_t capacity;
    enum err failed;
};

static size_t
chunk_max(const struct disk *disk)
{
    size_t share = (size_t)disk->segment_size / CHUNK_SHARE;

    return share < CHUNK ? share : CHUNK;
}

static bool
too_long(const struct disk *disk, uint64_t length)
{
    return length > disk->budget / OBJECT_SHARE;
}

enum err
disk_write_begin(struct disk *disk, struct span key, uint64_t variant,
                 uint64_t length, struct disk_write **write)
{
    TAG_CHECK(disk, DISK_TAG);
    CHECK(variant != DISK_VARIANTS_ALL);
    *write = NULL;
    if (key.len > DISK_KEY_MAX || atomic_load(&disk->read_only) ||
        (length != DISK_LENGTH_UNKNOWN && too_long(disk, length)))
        return ERR_LIMIT;
    struct disk_write *w = mem_zalloc(sizeof(*w));

    TAG_SET(w, DISK_WRITE_TAG);
    w->disk = disk;
    w->hash = hash_bytes(key, disk->super.seed);
    w->key = mem_strndup(key.ptr, key.len);
    w->key_len = key.len;
    w->variant = variant;
    w->expected = length;
    *write = w;
    return ERR_OK;
}

void
disk_write_abort(struct disk_write **write)
{
    struct disk_write *w = *write;

    *write = NULL;
    if (w == NULL)
        return;
    TAG_CHECK(w, DISK_WRITE_TAG);
    free(w->key);
    free(w->refs);
    free(w->chunk);
    TAG_CLEAR(w);
    free(w);
}

/* A front with all but checksums; the caller frees it. NULL: no memory. */
static void *
front_new(struct disk_head *head, const struct disk_ref *refs, struct span key,
          struct span meta, size_t *len)
{
    head->key_len = (uint32_t)key.len;
    head->meta_len = (uint32_t)meta.len;
    disk_head_init(head);
    *len = disk_front_len(head, UINT64_MAX);
    CHECK(*len > 0);
    char *front = calloc(1, *len);

    if (front == NULL)
        return NULL;
    memcpy(front, head, sizeof(*head));
    if (head->ref_count > 0)
        memcpy(disk_front_refs(front), refs, head->ref_count * sizeof(*refs));
    if (key.len > 0)
        memcpy(disk_front_key(front), key.ptr, key.len);
    if (meta.len > 0)
        memcpy(disk_front_key(front) + key.len, meta.ptr, meta.len);
    return front;
}

/* Writes a record; *ref (may be NULL) says where it is. */
static enum err
put(struct disk *disk, struct disk_append *append, struct disk_ref *ref)
{
    enum err err =
        append->front != NULL ? disk_log_append(disk, append) : ERR_NOMEM;

    if (err == ERR_OK && ref != NULL) {
        const struct disk_head *head = append->front;

        *ref = (struct disk_ref){
            .segment = append->place.segment,
            .offset = append->place.offset,
            .length = (uint32_t)head->body_len,
            .checksum = head->checksum,
        };
    }
    free(append->front);
    append->front = NULL;
    return err;
}

struct extent {
    struct hash128 hash;
    uint64_t variant;
    uint64_t offset; /* in the body */
    const void *bytes;
    size_t len;
};

static enum err
put_extent(struct disk *disk, const struct extent *extent, bool stay,
           struct disk_ref *ref)
{
    struct disk_head head = {
        .kind = DISK_EXTENT,
        .hash = extent->hash,
        .variant = extent->variant,
        .body_len = extent->len,
        .body_offset = extent->offset,
    };
    struct disk_append append = {
        .body = extent->bytes,
        .body_len = extent->len,
        .stay = stay,
    };

    append.front =
        front_new(&head, NULL, SPAN_NONE, SPAN_NONE, &append.front_len);
    return put(disk, &append, ref);
}

static enum err
flush(struct disk_write *w)
{
    struct extent extent = {w->hash, w->variant, w->flushed, w->chunk, w->len};

    MEM_GROW(w->refs, w->ref_count, w->ref_capacity);
    enum err err = put_extent(w->disk, &extent, false, &w->refs[w->ref_count]);

    if (err != ERR_OK)
        return err;
    w->ref_count++;
    w->flushed += w->len;
    w->len = 0;
    return ERR_OK;
}

/* Makes room for up to `more` bytes; how many. */
static size_t
make_room(struct disk_write *w, size_t more)
{
    size_t most = chunk_max(w->disk);
    size_t want = w->len + more < most ? w->len + more : most;

    if (want > w->capacity) {
        size_t grown = w->capacity > 0 ? 2 * w->capacity : CHUNK_FIRST;

        if (w->expected < grown)
            grown = (size_t)w->expected;
        if (grown < want)
            grown = want;
        if (grown > most)
            grown = most;
        char *chunk = realloc(w->chunk, grown);

        if (chunk == NULL)
            return 0;
        w->chunk = chunk;
        w->capacity = grown;
    }
    return want - w->len;
}

static enum err
append(struct disk_write *w, const char *bytes, size_t len)
{
    while (len > 0) {
        if (w->len == chunk_max(w->disk)) {
            enum err err = flush(w);

            if (err != ERR_OK)
                return err;
        }
        size_t n = make_room(w, len);

        if (n == 0)
            return ERR_NOMEM;
        memcpy(w->chunk + w->len, bytes, n);
        w->len += n;
        bytes += n;
        len -= n;
    }
    return ERR_OK;
}

enum err
disk_write_append(struct disk_write *write, const void *bytes, size_t len)
{
    TAG_CHECK(write, DISK_WRITE_TAG);
    if (write->failed == ERR_OK &&
        too_long(write->disk, write->flushed + write->len + len))
        write->failed = ERR_LIMIT;
    if (write->failed == ERR_OK)
        write->failed = append(write, bytes, len);
    return write->failed;
}

static enum err
commit(struct disk_write *w, struct span meta)
{
    uint64_t length = w->flushed + w->len;

    if (w->failed != ERR_OK)
        return w->failed;
    if (w->expected != DISK_LENGTH_UNKNOWN && w->expected != length)
        return ERR_PROTOCOL;
    if (meta.len > DISK_META_MAX)
        return ERR_LIMIT;
    if (w->ref_count > 0 && w->len > 0) {
        enum err err = flush(w);

        if (err != ERR_OK)
            return err;
    }
    struct disk_head head = {
        .kind = DISK_RECORD,
        .hash = w->hash,
        .variant = w->variant,
        .body_len = length,
        .ref_count = (uint32_t)w->ref_count,
    };
    struct disk_append append = {.body = w->chunk, .body_len = w->len};

    append.front = front_new(&head, w->refs, (struct span){w->key, w->key_len},
                             meta, &append.front_len);
    enum err err = put(w->disk, &append, NULL);

    /* Extents that have gone: it was longer than what the store can hold. */
    return err == ERR_LOST ? ERR_LIMIT : err;
}

enum err
disk_write_commit(struct disk_write **write, struct span meta)
{
    TAG_CHECK(*write, DISK_WRITE_TAG);
    enum err err = commit(*write, meta);

    disk_write_abort(write);
    return err;
}

enum err
disk_remove(struct disk *disk, struct span key, uint64_t variant, bool lasting)
{
    bool all = variant == DISK_VARIANTS_ALL;
    struct disk_head head = {
        .kind = all ? DISK_TOMBSTONE_ALL : DISK_TOMBSTONE,
        .hash = hash_bytes(key, disk->super.seed),
        .variant = variant,
    };
    struct disk_append append = {0};

    TAG_CHECK(disk, DISK_TAG);
    pthread_mutex_lock(&disk->log.lock);
    size_t count = disk_log_forget(disk, head.hash.hi, (uint32_t)variant, all);

    pthread_mutex_unlock(&disk->log.lock);
    DISK_COUNT(disk, removed, count);
    if (!lasting)
        return ERR_OK;
    append.front =
        front_new(&head, NULL, SPAN_NONE, SPAN_NONE, &append.front_len);
    return put(disk, &append, NULL);
}

/* ---- for eviction ---- */

/* Copies those of the record's extents that are in `segment`; notes in `refs`
 * where they are now. */
static enum err
move_extents(struct disk_record *record, uint32_t segment,
             struct disk_ref *refs, uint64_t *room)
{
    const struct disk_head *head = disk_record_head(record);
    char *bytes = malloc(DISK_EXTENT_MAX);
    enum err err = bytes != NULL ? ERR_OK : ERR_NOMEM;
    uint64_t offset = 0;

    for (uint32_t i = 0; err == ERR_OK && i < head->ref_count; i++) {
        struct disk_ref *ref = &refs[i];
        size_t len = ref->length;

        if (ref->segment == segment) {
            struct extent extent = {head->hash, head->variant, offset, bytes,
                                    len};

            err = len <= *room
                      ? disk_read(record, offset, bytes, len, DISK_WAIT)
                      : ERR_LIMIT;
            if (err == ERR_OK)
                err = put_extent(record->disk, &extent, true, ref);
            if (err == ERR_OK)
                *room -= len;
        }
        offset += len;
    }
    free(bytes);
    return err;
}

enum err
disk_move(struct disk_record *record, uint32_t segment, uint64_t *room)
{
    struct disk_head head = *disk_record_head(record);
    uint64_t inside = disk_head_inline(&head);
    uint64_t size = (uint64_t)head.units * DISK_UNIT;
    char *body = malloc((size_t)inside + 1);
    struct disk_append append = {
        .front = malloc(record->front_len),
        .front_len = record->front_len,
        .body = body,
        .body_len = (size_t)inside,
        .stay = true,
        .moved = &record->slot,
    };
    enum err err = body != NULL && append.front != NULL ? ERR_OK : ERR_NOMEM;

    if (err == ERR_OK && size > *room)
        err = ERR_LIMIT;
    if (err == ERR_OK) {
        *room -= size;
        memcpy(append.front, record->front, record->front_len);
        err = disk_read(record, 0, body, (size_t)inside, DISK_WAIT);
    }
    if (err == ERR_OK && head.ref_count > 0)
        err =
            move_extents(record, segment, disk_front_refs(append.front), room);
    if (err == ERR_OK)
        err = disk_log_append(record->disk, &append);
    free(append.front);
    free(body);
    return err;
}
