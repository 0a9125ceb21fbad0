/* Opening a store: its directory (disk_open.c), its segments (disk_load.c). */
#ifndef STORE_DISK_OPEN_INTERNAL_H
#define STORE_DISK_OPEN_INTERNAL_H

#include "disk_log_internal.h"

/* Locks the directory, reads or makes the format file. *numbers: the segments,
 * in order; the caller frees it, on an error too. */
enum err disk_open_directory(struct disk *disk, uint32_t **numbers,
                             size_t *count, struct buf *problem);

/* Opens the segments; fills the index; seals those that a crash left open.
 * Before others know the store. */
enum err disk_load(struct disk *disk, const uint32_t *numbers, size_t count,
                   struct buf *problem);

#endif
