/*
 * The disk store's parts, and the rules that they keep.
 *
 * Invariants:
 *
 *  D1  What a footer names was synced before the footer was written.
 *  D2  Segments are sealed in order. So all that a sealed record refers to was
 *      synced, unless a sync failed: then its segment is `broken`, never gets a
 *      footer, and checksums tell what is left of it.
 *  D3  A byte of a segment is written once; the number of a segment is not used
 *      again while its file is there.
 *  D4  Of two records of one key and variant the later one in the log is the
 *      newer; a tombstone is of all records before it. A place in the log is
 *      given, and its commit entered in `pending`, in one step.
 *  D5  The oldest segment goes first, and that it is gone is durable before the
 *      next one goes. So nothing outlives what replaced or removed it.
 *  D6  The format file is durable before there is a segment, the name of a
 *      segment before there is a record in it.
 *  D7  In the index is only what was written to its end. Extents are in none;
 *      their RECORD comes behind them in the log.
 *  D8  `used` counts a segment from before it is made until it is unlinked and
 *      closed, and is never more than the budget. After each roll there is room
 *      for one segment more, if readers let go: what is evicted is copied into
 *      the new segment before it is removed.
 *
 *  D9  A sync that fails is counted before anybody is told that what it was of
 *      is durable; disk_sync denies it to all whose mark is older.
 *
 * A segment is
 *
 *      active --roll--> closed --seal--> sealed --evict--> dying --> freed
 *                          `---- a sync or a footer failed: broken ----^
 *
 * Locks, in this order: roll.lock (held during I/O: creating, sealing,
 * evicting, syncing), log.lock (short), a shard of the index.
 */
#ifndef STORE_DISK_INTERNAL_H
#define STORE_DISK_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/list.h"
#include "disk_index_internal.h"
#include "ghost_internal.h"
#include "store/disk_io.h"
#include "store/disk_stats.h"

#define DISK_TAG 0x6b736944         /* "Disk" */
#define DISK_SEGMENT_TAG 0x676d6753 /* "Sgmg" */
#define DISK_RECORD_TAG 0x64726352  /* "Rcrd" */
#define DISK_WRITE_TAG 0x65747257   /* "Wrte" */

#define DISK_BLOCK 4096 /* what files are charged in */
/* The directory, the format file, the lock. */
#define DISK_FIXED_COST (2 * DISK_BLOCK)

struct disk_segment {
    TAG_FIELD;
    uint32_t number;
    int fd;
    uint64_t salt;
    uint64_t size; /* of the file; records and footer fit into it */

    /* Under log.lock. */
    uint64_t charged;
    uint64_t tail;     /* the next record's place; in the end, that of none */
    uint32_t allotted; /* how many places were given */
    unsigned writing;  /* places that are being written to */
    unsigned pins;
    bool closed; /* no places are given any more */
    bool sealed;
    bool broken;
    bool dirty; /* written to since the last sync */
    struct list_link link;

    /* Under log.lock, then under roll.lock once nothing is written any more:
     * the records, until it is sealed. */
    struct disk_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
};

/* A commit that has a place in the log and is being written (D4). On the stack
 * of its thread. */
struct disk_pending {
    struct list_link link;
    uint64_t print;
    uint32_t variant;
    bool dead; /* removed meanwhile */
};

struct disk {
    TAG_FIELD;
    struct disk_io *io;
    char *path;
    int dir;
    int lock_fd;
    struct disk_super super;
    uint64_t budget;
    uint64_t segment_size;
    struct disk_index *index;

    struct {
        pthread_mutex_t lock;
        struct disk_segment **segments; /* by number */
        size_t count;
        size_t capacity;
        struct disk_segment *active; /* the last one, or NULL */
        struct list_link dying;
        struct list_link pending;
        uint64_t used;
        uint64_t dying_bytes;
        unsigned faults; /* writes that failed, one after the other */
        uint64_t losses; /* syncs that failed: what they were of may be gone */
    } log;

    struct {
        pthread_mutex_t lock;
        uint32_t next_number;
        bool unlinked;    /* something, since the directory was synced */
        uint64_t full_ns; /* no new segment before that (boot clock) */
    } roll;

    struct {
        pthread_mutex_t lock;
        struct ghost *refused;
    } admission;

    _Atomic bool read_only;

    struct {
        _Atomic uint64_t written, commits, removed, replaced, evicted,
            evicted_segments, reinserted, reinserted_bytes, admitted, refused,
            no_room, no_space, io_errors, bad_checksums, incomplete, scanned,
            torn, foreign;
    } count;
};

#define DISK_COUNT(disk, what, n)                                              \
    atomic_fetch_add_explicit(&(disk)->count.what, (n), memory_order_relaxed)

/* Counts a failed call, and logs it: what was tried, on which segment. */
void disk_fault(struct disk *disk, const char *what, uint32_t number,
                int error);
/* Writes no more until the next start. */
void disk_stop_writing(struct disk *disk, const char *why);

static inline uint64_t
disk_round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Executes the invariants that can be seen in memory. Under no lock. */
void disk_sanity(struct disk *disk);

#endif
