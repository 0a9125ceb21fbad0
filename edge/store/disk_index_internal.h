/*
 * The disk store's index, in memory: where the record of a key and variant
 * lies. It knows 64 bits of a key's hash and 32 of a variant, and so may take
 * one record for another, once in 2^64: whoever reads it compares all of the
 * key, and a record that is forgotten so was in a cache.
 *
 * Less than 32 bytes a record: slots of 28 bytes in slabs that never move,
 * chained from 1.3 to 2.7 bytes of buckets. Any thread; a lookup takes the
 * mutex of one of 64 shards for some hundred nanoseconds.
 */
#ifndef STORE_DISK_INDEX_INTERNAL_H
#define STORE_DISK_INDEX_INTERNAL_H

#include "disk_format_internal.h"

struct disk_index;

/* In the order of the log: of two records of a key and variant the later one
 * counts. The offset is in units. */
struct disk_place {
    uint32_t segment;
    uint32_t offset;
};

struct disk_slot {
    uint64_t print;
    uint32_t variant;
    uint32_t units;
    struct disk_place place;
    bool spread;
    uint8_t hits; /* since it was written, 0 to 3 */
};

struct disk_index *disk_index_new(void);
void disk_index_free(struct disk_index **index);

/* Puts a record in; *replaced: in the place of an earlier one. False when a
 * later one is there. */
bool disk_index_put(struct disk_index *index, const struct disk_entry *entry,
                    uint32_t segment, bool *replaced);
/* What was at slot->place is now at `to`, with one hit less. False when that
 * is not there any more. */
bool disk_index_move(struct disk_index *index, const struct disk_slot *slot,
                     struct disk_place to, uint32_t units);
/* Takes out what is at exactly that place; false when nothing is. */
bool disk_index_take(struct disk_index *index, uint64_t print, uint32_t variant,
                     struct disk_place place);
/* Takes out a variant, or all of a key; how many there were. */
size_t disk_index_remove(struct disk_index *index, uint64_t print,
                         uint32_t variant, bool all);
/* Takes out all that is in a segment; how many that was. Slow. */
size_t disk_index_sweep(struct disk_index *index, uint32_t segment);

/* The variants of a key, latest first: at most `max`. */
size_t disk_index_find(struct disk_index *index, uint64_t print,
                       struct disk_slot *slots, size_t max);
/* The record of a key and variant; false when there is none. */
bool disk_index_get(struct disk_index *index, uint64_t print, uint32_t variant,
                    struct disk_slot *slot);
/* Counts a hit of what is at slot->place, if it is. */
void disk_index_hit(struct disk_index *index, const struct disk_slot *slot);

size_t disk_index_count(struct disk_index *index);
size_t disk_index_bytes(struct disk_index *index);

/* Order in the log. */
static inline bool
disk_place_before(struct disk_place a, struct disk_place b)
{
    return a.segment != b.segment ? a.segment < b.segment : a.offset < b.offset;
}

static inline bool
disk_place_eq(struct disk_place a, struct disk_place b)
{
    return a.segment == b.segment && a.offset == b.offset;
}

#endif
