/* What a disk store holds, and what has happened to it since it was opened. */
#ifndef STORE_DISK_STATS_H
#define STORE_DISK_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct disk;

struct disk_stats {
    /* Now. */
    uint64_t budget;
    uint64_t bytes; /* of all files, those that only readers still hold
                     * included; <= budget */
    uint64_t dying; /* of that, held by readers alone */
    uint64_t segments;
    uint64_t records;
    uint64_t index_bytes; /* memory of the index */
    bool read_only;       /* it had to stop writing; a restart tries again */

    /* Since it was opened. */
    uint64_t written; /* bytes, reinserted ones included */
    uint64_t commits;
    uint64_t removed;          /* records, by disk_remove */
    uint64_t replaced;         /* records, by newer ones */
    uint64_t evicted;          /* records that went with their segment */
    uint64_t evicted_segments; /* how many segments went */
    uint64_t reinserted;       /* records that were written anew instead */
    uint64_t reinserted_bytes;
    uint64_t admitted; /* by disk_admit */
    uint64_t refused;
    uint64_t no_room;       /* writes given up: readers hold what must go */
    uint64_t no_space;      /* ENOSPC, EDQUOT */
    uint64_t io_errors;     /* all others */
    uint64_t bad_checksums; /* records dropped when they were read */
    uint64_t incomplete; /* records dropped, as a part of their body is gone */
    uint64_t scanned;    /* segments without a footer, at the start */
    uint64_t torn;       /* records that a crash left half, at the start */
    uint64_t foreign;    /* files and segments that are not this store's */
};

void disk_stats(struct disk *disk, struct disk_stats *stats);

#endif
