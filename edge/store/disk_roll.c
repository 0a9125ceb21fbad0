/*
 * A new segment: room is there since the last roll (D8); it becomes the active
 * one; what was before it is sealed; and the oldest goes, so that there is room
 * for the next. All under roll.lock, while others write on.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "disk_log_internal.h"

#define PAUSE_NS NS_PER_S /* after a segment could not be made */

void
disk_log_push(struct disk *disk, struct disk_segment *segment)
{
    CHECK(disk->log.count == 0 ||
          disk->log.segments[disk->log.count - 1]->number < segment->number);
    MEM_GROW(disk->log.segments, disk->log.count, disk->log.capacity);
    disk->log.segments[disk->log.count++] = segment;
    disk->log.used += segment->charged;
}

static bool
has_room(struct disk *disk)
{
    pthread_mutex_lock(&disk->log.lock);
    bool room = disk->log.used + disk->segment_size <= disk->budget &&
                disk->log.count < DISK_SEGMENTS_MAX;

    pthread_mutex_unlock(&disk->log.lock);
    return room;
}

static bool
make_room(struct disk *disk, bool reinsert)
{
    while (!has_room(disk)) {
        if (!disk_evict(disk, reinsert))
            return false;
    }
    return true;
}

static struct disk_segment *
create(struct disk *disk)
{
    int error;
    struct disk_segment *segment = disk_segment_create(disk, &error);

    /* Others have filled the disk: what we give up is ours to take, once. */
    if (segment == NULL && (error == ENOSPC || error == EDQUOT)) {
        disk_fault(disk, "making", disk->roll.next_number, error);
        if (disk_evict(disk, false))
            segment = disk_segment_create(disk, &error);
    }
    if (segment != NULL)
        return segment;
    disk_fault(disk, "making", disk->roll.next_number, error);
    if (error == EROFS)
        disk_stop_writing(disk, "the file system is read-only");
    disk->roll.full_ns = clock_boot_ns() + PAUSE_NS;
    return NULL;
}

static enum err
roll(struct disk *disk)
{
    if (atomic_load(&disk->read_only) || clock_boot_ns() < disk->roll.full_ns)
        return ERR_LIMIT;
    disk_reap(disk);
    if (!make_room(disk, false)) {
        DISK_COUNT(disk, no_room, 1);
        return ERR_LIMIT;
    }
    struct disk_segment *segment = create(disk);

    if (segment == NULL)
        return ERR_LIMIT;
    pthread_mutex_lock(&disk->log.lock);
    if (disk->log.active != NULL)
        disk->log.active->closed = true;
    disk->log.active = segment;
    disk_log_push(disk, segment);
    pthread_mutex_unlock(&disk->log.lock);
    disk_settle(disk);
    make_room(disk, true); /* or the next roll does, without reinserting */
    disk_sanity(disk);
    return ERR_OK;
}

enum err
disk_roll(struct disk *disk, const struct disk_segment *seen)
{
    enum err err = ERR_OK;

    pthread_mutex_lock(&disk->roll.lock);
    pthread_mutex_lock(&disk->log.lock);
    bool current = disk->log.active == seen;

    pthread_mutex_unlock(&disk->log.lock);
    if (current)
        err = roll(disk);
    pthread_mutex_unlock(&disk->roll.lock);
    return err;
}

/* The first segment that is not settled; NULL: none that could be sealed now
 * (D2). */
static struct disk_segment *
next_to_seal(struct disk *disk)
{
    struct disk_segment *found = NULL;

    pthread_mutex_lock(&disk->log.lock);
    for (size_t i = 0; i < disk->log.count && found == NULL; i++) {
        struct disk_segment *segment = disk->log.segments[i];

        if (segment->sealed || segment->broken)
            continue;
        if (!segment->closed || segment->writing > 0)
            break;
        found = segment;
    }
    pthread_mutex_unlock(&disk->log.lock);
    return found;
}

void
disk_settle(struct disk *disk)
{
    struct disk_segment *segment;

    while ((segment = next_to_seal(disk)) != NULL)
        disk_segment_seal(disk, segment);
}

static struct disk_segment *
next_to_reap(struct disk *disk)
{
    struct disk_segment *segment;
    struct disk_segment *found = NULL;

    pthread_mutex_lock(&disk->log.lock);
    list_for_each (segment, &disk->log.dying, link) {
        if (segment->pins > 0)
            continue;
        found = segment;
        break;
    }
    pthread_mutex_unlock(&disk->log.lock);
    return found;
}

void
disk_reap(struct disk *disk)
{
    struct disk_segment *segment;

    while ((segment = next_to_reap(disk)) != NULL) {
        /* Nobody can pin it any more. It counts until it is closed (D8). */
        disk_segment_close(disk, segment);
        pthread_mutex_lock(&disk->log.lock);
        list_remove(&segment->link);
        disk->log.used -= segment->charged;
        disk->log.dying_bytes -= segment->charged;
        pthread_mutex_unlock(&disk->log.lock);
        disk_segment_free(disk, &segment);
    }
}

/* The first dirty segment from `from` on, not dirty from now on. */
static struct disk_segment *
next_to_sync(struct disk *disk, uint32_t *from)
{
    struct disk_segment *found = NULL;

    pthread_mutex_lock(&disk->log.lock);
    for (size_t i = 0; i < disk->log.count && found == NULL; i++) {
        struct disk_segment *segment = disk->log.segments[i];

        if (segment->number >= *from && segment->dirty && !segment->broken)
            found = segment;
    }
    if (found != NULL) {
        found->dirty = false;
        *from = found->number + 1;
    }
    pthread_mutex_unlock(&disk->log.lock);
    return found;
}

void
disk_sync_segments(struct disk *disk)
{
    struct disk_segment *segment;
    uint32_t from = 0;

    while ((segment = next_to_sync(disk, &from)) != NULL) {
        if (disk->io->datasync(disk->io, segment->fd) == 0)
            continue;
        disk_fault(disk, "syncing", segment->number, errno);
        /* The kernel may have dropped what it could not write, and say that
         * all is well the next time. */
        pthread_mutex_lock(&disk->log.lock);
        segment->broken = true;
        segment->closed = true;
        if (disk->log.active == segment)
            disk->log.active = NULL;
        disk->log.losses++; /* D9 */
        pthread_mutex_unlock(&disk->log.lock);
    }
}
