/* A record that was found, and its segments, which are pinned. */
#ifndef STORE_DISK_RECORD_INTERNAL_H
#define STORE_DISK_RECORD_INTERNAL_H

#include "disk_log_internal.h"

struct disk_record {
    TAG_FIELD;
    _Atomic uint32_t refs;
    struct disk *disk;
    struct disk_slot slot; /* what the index said */
    struct disk_segment *segment;
    struct disk_segment **extents; /* those of its refs, one each */

    /* The front, checked; and what of the body came with it, not checked. */
    char *front;
    size_t front_len;
    size_t got;
};

static inline const struct disk_head *
disk_record_head(const struct disk_record *record)
{
    return (const void *)record->front;
}

/* Reads and checks the front of what is at slot->place, pins all segments.
 * ERR_NOT_FOUND: it, or a part of it, is gone. ERR_IO: it was dropped.
 * ERR_AGAIN, ERR_NOMEM. */
enum err disk_record_open(struct disk *disk, const struct disk_slot *slot,
                          enum disk_wait wait, struct disk_record **record);
/* Takes a record that is wrong, or not whole, out of the index. */
void disk_record_drop(struct disk_record *record);

/* Writes the record anew (disk_evict.c): all of it, or what of its body is in
 * `segment`, and its head. At most *room bytes, which it takes off. Under
 * roll.lock. */
enum err disk_move(struct disk_record *record, uint32_t segment,
                   uint64_t *room);

#endif
