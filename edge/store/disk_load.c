/*
 * The index of a store that was there: segments in the order of the log, so
 * that what comes later takes the place of what came before (D4).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "disk_open_internal.h"

/* Those that are no segments of this store are removed. One that is there and
 * cannot be opened may be good: the caller is told. */
static enum err
open_all(struct disk *disk, const uint32_t *numbers, size_t count,
         struct buf *problem)
{
    for (size_t i = 0; i < count; i++) {
        int error;
        struct disk_segment *segment =
            disk_segment_open(disk, numbers[i], &error);

        if (error != 0) {
            buf_printf(problem,
                       "%s/segment-%08x: %s; see that it is this user's, and "
                       "that the limit of open files is over %u",
                       disk->path, numbers[i], strerror(error),
                       DISK_SEGMENTS_MAX);
            return ERR_IO;
        }
        if (segment != NULL) {
            disk->roll.next_number = numbers[i] + 1;
            disk_log_push(disk, segment);
        } else {
            disk_unlink_segment(disk, numbers[i]);
        }
    }
    return ERR_OK;
}

/* A smaller budget than before: the oldest go. */
static enum err
fit_budget(struct disk *disk, struct buf *problem)
{
    while (disk->log.used > disk->budget) {
        if (!disk_evict(disk, false)) {
            buf_printf(problem,
                       "%s: has more than its budget, and what is too much "
                       "cannot be removed; see that this user may do that",
                       disk->path);
            return ERR_IO;
        }
    }
    return ERR_OK;
}

static void
apply(struct disk *disk, uint32_t number, const struct disk_entry *entries,
      size_t count)
{
    bool replaced;

    for (size_t i = 0; i < count; i++) {
        const struct disk_entry *entry = &entries[i];

        if (entry->kind == DISK_RECORD)
            disk_index_put(disk->index, entry, number, &replaced);
        else if (entry->kind != DISK_EXTENT)
            disk_index_remove(disk->index, entry->print, entry->variant,
                              entry->kind == DISK_TOMBSTONE_ALL);
    }
}

static enum err
load(struct disk *disk, struct disk_segment *segment)
{
    struct disk_entry *entries;
    size_t count;
    enum err err = disk_segment_footer(disk, segment, &entries, &count);

    if (err == ERR_OK) {
        segment->sealed = true;
        segment->tail = segment->size - disk_footer_len(count);
        apply(disk, segment->number, entries, count);
        free(entries);
    } else if (err == ERR_IO) {
        disk_segment_scan(disk, segment);
        apply(disk, segment->number, segment->entries, segment->entry_count);
    }
    return err == ERR_NOMEM ? ERR_NOMEM : ERR_OK;
}

enum err
disk_load(struct disk *disk, const uint32_t *numbers, size_t count,
          struct buf *problem)
{
    enum err err = open_all(disk, numbers, count, problem);

    if (err == ERR_OK)
        err = fit_budget(disk, problem);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < disk->log.count; i++) {
        if (load(disk, disk->log.segments[i]) != ERR_OK) {
            buf_printf(problem,
                       "%s: no memory for its index; give the node "
                       "more, or this store less",
                       disk->path);
            return ERR_NOMEM;
        }
    }
    disk_settle(disk);
    /* A file that had lost its end may have grown. */
    return fit_budget(disk, problem);
}
