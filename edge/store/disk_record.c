/* Finding: the index says where, the record itself whether it is the one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "disk_record_internal.h"

#define VARIANTS_MAX 64
/* Read at once: with most fronts, all of a small body. */
#define FIRST_READ ((size_t)16 * 1024)

void
disk_record_drop(struct disk_record *record)
{
    disk_index_take(record->disk->index, record->slot.print,
                    record->slot.variant, record->slot.place);
}

static enum err
bad(struct disk_record *record)
{
    DISK_COUNT(record->disk, bad_checksums, 1);
    disk_record_drop(record);
    return ERR_IO;
}

/* Reads up to `len` bytes of the record, behind those that are there. */
static enum err
read_up_to(struct disk_record *record, size_t len, enum disk_wait wait)
{
    struct disk *disk = record->disk;
    char *grown = realloc(record->front, len);

    if (grown == NULL)
        return ERR_NOMEM;
    record->front = grown;
    int error = disk_io_read(
        disk->io, record->segment->fd, grown + record->got, len - record->got,
        (uint64_t)record->slot.place.offset * DISK_UNIT + record->got,
        wait == DISK_NOW);

    if (error == EAGAIN)
        return ERR_AGAIN;
    if (error != 0) {
        disk_fault(disk, "reading", record->slot.place.segment, error);
        disk_record_drop(record);
        return ERR_IO;
    }
    record->got = len;
    return ERR_OK;
}

static enum err
read_front(struct disk_record *record, enum disk_wait wait)
{
    uint64_t all = (uint64_t)record->slot.units * DISK_UNIT;
    uint64_t offset = (uint64_t)record->slot.place.offset * DISK_UNIT;
    enum err err =
        read_up_to(record, all < FIRST_READ ? (size_t)all : FIRST_READ, wait);

    if (err != ERR_OK)
        return err;
    size_t len = disk_front_len(disk_record_head(record), all);

    if (len == 0 || disk_record_head(record)->kind != DISK_RECORD)
        return bad(record);
    if (len > record->got)
        err = read_up_to(record, len, wait);
    if (err != ERR_OK)
        return err;
    record->front_len = len;
    if (!disk_front_check(record->front, len,
                          disk_record_seed(record->segment->salt, offset)))
        return bad(record);
    return ERR_OK;
}

static enum err
pin_extents(struct disk_record *record)
{
    uint32_t count = disk_record_head(record)->ref_count;
    const struct disk_ref *refs = disk_front_refs(record->front);

    if (count == 0)
        return ERR_OK;
    struct disk_segment **extents =
        malloc(count * sizeof(struct disk_segment *));

    if (extents == NULL)
        return ERR_NOMEM;
    if (!disk_pin(record->disk, &refs[0].segment, sizeof(refs[0]), count,
                  extents)) {
        free(extents);
        DISK_COUNT(record->disk, incomplete, 1);
        disk_record_drop(record);
        return ERR_NOT_FOUND;
    }
    record->extents = extents;
    return ERR_OK;
}

enum err
disk_record_open(struct disk *disk, const struct disk_slot *slot,
                 enum disk_wait wait, struct disk_record **record)
{
    struct disk_record *r = mem_zalloc(sizeof(*r));
    enum err err = ERR_NOT_FOUND;

    TAG_SET(r, DISK_RECORD_TAG);
    atomic_init(&r->refs, 1);
    r->disk = disk;
    r->slot = *slot;
    if (!disk_pin(disk, &slot->place.segment, 0, 1, &r->segment)) {
        r->segment = NULL;
        disk_record_drop(r);
    } else {
        err = read_front(r, wait);
        if (err == ERR_OK)
            err = pin_extents(r);
    }
    if (err != ERR_OK)
        disk_record_unref(&r);
    *record = r;
    return err;
}

struct disk_record *
disk_record_ref(struct disk_record *record)
{
    TAG_CHECK(record, DISK_RECORD_TAG);
    atomic_fetch_add(&record->refs, 1);
    return record;
}

void
disk_record_unref(struct disk_record **record)
{
    struct disk_record *r = *record;

    *record = NULL;
    if (r == NULL)
        return;
    TAG_CHECK(r, DISK_RECORD_TAG);
    if (atomic_fetch_sub(&r->refs, 1) > 1)
        return;
    if (r->extents != NULL)
        disk_unpin(r->disk, r->extents, disk_record_head(r)->ref_count);
    if (r->segment != NULL)
        disk_unpin(r->disk, &r->segment, 1);
    free(r->extents);
    free(r->front);
    TAG_CLEAR(r);
    free(r);
}

uint64_t
disk_record_variant(const struct disk_record *record)
{
    return disk_record_head(record)->variant;
}

uint64_t
disk_record_length(const struct disk_record *record)
{
    return disk_record_head(record)->body_len;
}

static struct span
key_of(const struct disk_record *record)
{
    return (struct span){disk_front_key(record->front),
                         disk_record_head(record)->key_len};
}

struct span
disk_record_meta(const struct disk_record *record)
{
    struct span key = key_of(record);

    return (struct span){key.ptr + key.len, disk_record_head(record)->meta_len};
}

/* One pass over what the index has. *again: a record has moved meanwhile. */
static enum err
find_once(struct disk *disk, struct span key, enum disk_wait wait,
          bool (*fits)(const struct disk_record *record, void *arg), void *arg,
          struct disk_record **record, bool *again)
{
    struct disk_slot slots[VARIANTS_MAX];
    uint64_t print = hash_bytes(key, disk->super.seed).hi;
    size_t count = disk_index_find(disk->index, print, slots, VARIANTS_MAX);

    *again = false;
    for (size_t i = 0; i < count; i++) {
        struct disk_record *r;
        enum err err = disk_record_open(disk, &slots[i], wait, &r);

        if (err == ERR_AGAIN || err == ERR_NOMEM)
            return err;
        if (err == ERR_NOT_FOUND)
            *again = true;
        if (err != ERR_OK)
            continue;
        if (span_eq(key_of(r), key) && fits(r, arg)) {
            disk_index_hit(disk->index, &slots[i]);
            *record = r;
            return ERR_OK;
        }
        disk_record_unref(&r);
    }
    return ERR_NOT_FOUND;
}

enum err
disk_find_by(struct disk *disk, struct span key, enum disk_wait wait,
             bool (*fits)(const struct disk_record *record, void *arg),
             void *arg, struct disk_record **record)
{
    bool again;

    TAG_CHECK(disk, DISK_TAG);
    *record = NULL;
    enum err err = find_once(disk, key, wait, fits, arg, record, &again);

    if (err == ERR_NOT_FOUND && again)
        err = find_once(disk, key, wait, fits, arg, record, &again);
    return err;
}

static bool
is_variant(const struct disk_record *record, void *arg)
{
    return disk_record_variant(record) == *(const uint64_t *)arg;
}

enum err
disk_find(struct disk *disk, struct span key, uint64_t variant,
          enum disk_wait wait, struct disk_record **record)
{
    return disk_find_by(disk, key, wait, is_variant, &variant, record);
}

bool
disk_may_have(struct disk *disk, struct span key, uint64_t variant)
{
    uint64_t print = hash_bytes(key, disk->super.seed).hi;
    struct disk_slot slot;

    TAG_CHECK(disk, DISK_TAG);
    return variant == DISK_VARIANTS_ALL
               ? disk_index_find(disk->index, print, &slot, 1) > 0
               : disk_index_get(disk->index, print, (uint32_t)variant, &slot);
}
