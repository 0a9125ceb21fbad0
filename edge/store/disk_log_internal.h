/*
 * The log: places in it, records written to them, and the life of segments.
 * Which locks are held is said of each.
 */
#ifndef STORE_DISK_LOG_INTERNAL_H
#define STORE_DISK_LOG_INTERNAL_H

#include "disk_internal.h"

/* ---- segments: disk_segment.c ---- */

/* A new file with a head and room for a whole segment, durable by name. Under
 * roll.lock. NULL: *error is an errno. */
struct disk_segment *disk_segment_create(struct disk *disk, int *error);
/* One that was there; tail and entries are still to be found. NULL: it cannot
 * be opened (*error is an errno), or it is not ours or damaged (0; counted). */
struct disk_segment *disk_segment_open(struct disk *disk, uint32_t number,
                                       int *error);
void disk_segment_close(struct disk *disk, struct disk_segment *segment);
/* Closes the file, if that is open, and frees. */
void disk_segment_free(struct disk *disk, struct disk_segment **segment);
/* Reads and checks the footer; the caller frees *entries. ERR_IO: there is
 * none, or it is damaged. ERR_NOMEM. */
enum err disk_segment_footer(struct disk *disk, struct disk_segment *segment,
                             struct disk_entry **entries, size_t *count);
/* Notes a record for the footer. Under log.lock, or before others know it. */
void disk_segment_note(struct disk_segment *segment,
                       const struct disk_entry *entry);
/* Syncs, writes the footer, gives back what is left (D1). Under roll.lock; it
 * is closed, and nothing is written to it. What fails is broken. */
void disk_segment_seal(struct disk *disk, struct disk_segment *segment);
/* Finds the records of a segment without a footer, and notes them. */
void disk_segment_scan(struct disk *disk, struct disk_segment *segment);

/* Under log.lock. NULL: it is gone. */
struct disk_segment *disk_log_segment(struct disk *disk, uint32_t number);
/* Enters a segment behind the others. Under log.lock. */
void disk_log_push(struct disk *disk, struct disk_segment *segment);

/* A pin each for the segments of `count` places; false, and none, when one is
 * gone. */
bool disk_pin(struct disk *disk, const uint32_t *numbers, size_t stride,
              size_t count, struct disk_segment **segments);
void disk_unpin(struct disk *disk, struct disk_segment **segments,
                size_t count);

/* ---- records: disk_log.c ---- */

struct disk_append {
    void *front; /* disk_head_init was done; sealed here */
    size_t front_len;
    const void *body;
    size_t body_len;
    bool stay; /* fail rather than begin a segment: under roll.lock */
    const struct disk_slot *moved; /* a copy of this; else NULL */
    struct disk_place place;       /* set */
};

/*
 * Writes a record at the end of the log, and enters it in the index, or takes
 * out what a tombstone is of. ERR_LIMIT: no room; ERR_LOST: what it refers to,
 * or is a copy of, is gone; ERR_IO. Under no lock, but for `stay`.
 */
enum err disk_log_append(struct disk *disk, struct disk_append *append);
/* Takes out of the index what is of a key and variant, and of the commits that
 * are being written. How many there were. Under log.lock. */
size_t disk_log_forget(struct disk *disk, uint64_t print, uint32_t variant,
                       bool all);

/* ---- disk_roll.c ---- */

/* Begins a new segment, unless `seen` is not the active one any more. */
enum err disk_roll(struct disk *disk, const struct disk_segment *seen);
/* Seals, in order, what is closed and written. Under roll.lock. */
void disk_settle(struct disk *disk);
/* Closes what was evicted and nobody holds any more. Under roll.lock. */
void disk_reap(struct disk *disk);
/* Syncs what was written; those that fail are broken. Under roll.lock. */
void disk_sync_segments(struct disk *disk);

/* ---- disk_evict.c ---- */

/* Removes the oldest segment (D5). `reinsert`: writes anew what was hit. False:
 * there is none that can go. Under roll.lock. */
bool disk_evict(struct disk *disk, bool reinsert);
/* Makes a removed file's going durable, then removes this one (D5). False: it
 * is still there, and the store writes no more. */
bool disk_unlink_segment(struct disk *disk, uint32_t number);

#endif
