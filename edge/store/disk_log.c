/*
 * The end of the log. A record takes its place in one step (D4), is written
 * under no lock, and then known to the index (D7).
 */
#include <errno.h>
#include <string.h>

#include "disk_log_internal.h"

#define FAULTS_MAX 8

struct disk_segment *
disk_log_segment(struct disk *disk, uint32_t number)
{
    size_t low = 0;
    size_t high = disk->log.count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (disk->log.segments[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == disk->log.count || disk->log.segments[low]->number != number)
        return NULL;
    return disk->log.segments[low];
}

bool
disk_pin(struct disk *disk, const uint32_t *numbers, size_t stride,
         size_t count, struct disk_segment **segments)
{
    const char *at = (const char *)numbers;
    size_t i;

    pthread_mutex_lock(&disk->log.lock);
    for (i = 0; i < count; i++, at += stride) {
        uint32_t number;

        memcpy(&number, at, sizeof(number));
        if (i > 0 && segments[i - 1]->number == number)
            segments[i] = segments[i - 1];
        else
            segments[i] = disk_log_segment(disk, number);
        if (segments[i] == NULL)
            break;
        segments[i]->pins++;
    }
    bool all = i == count;

    while (!all && i > 0)
        segments[--i]->pins--;
    pthread_mutex_unlock(&disk->log.lock);
    return all;
}

void
disk_unpin(struct disk *disk, struct disk_segment **segments, size_t count)
{
    pthread_mutex_lock(&disk->log.lock);
    for (size_t i = 0; i < count; i++) {
        CHECK(segments[i]->pins > 0);
        segments[i]->pins--;
    }
    pthread_mutex_unlock(&disk->log.lock);
}

static struct disk_pending *
pending_find(struct disk *disk, uint64_t print, uint32_t variant)
{
    struct disk_pending *pending;

    list_for_each (pending, &disk->log.pending, link) {
        if (pending->print == print && pending->variant == variant)
            return pending;
    }
    return NULL;
}

size_t
disk_log_forget(struct disk *disk, uint64_t print, uint32_t variant, bool all)
{
    struct disk_pending *pending;

    list_for_each (pending, &disk->log.pending, link) {
        if (pending->print == print && (all || pending->variant == variant))
            pending->dead = true;
    }
    return disk_index_remove(disk->index, print, variant, all);
}

static bool
has_room(const struct disk_segment *segment, uint64_t len)
{
    return segment != NULL && !segment->closed &&
           segment->tail + len + disk_footer_len(segment->allotted + 1) <=
               segment->size;
}

/* Whether what the record is a copy of is still the latest, and what it refers
 * to is still there. */
static bool
holds(struct disk *disk, const struct disk_append *append)
{
    const struct disk_head *head = append->front;
    const struct disk_ref *refs = disk_front_refs(append->front);
    const struct disk_slot *moved = append->moved;
    struct disk_slot now;

    if (moved != NULL &&
        (!disk_index_get(disk->index, moved->print, moved->variant, &now) ||
         !disk_place_eq(now.place, moved->place) ||
         pending_find(disk, moved->print, moved->variant) != NULL))
        return false;
    for (uint32_t i = 0; i < head->ref_count; i++) {
        if (i > 0 && refs[i].segment == refs[i - 1].segment)
            continue;
        if (disk_log_segment(disk, refs[i].segment) == NULL)
            return false;
    }
    return true;
}

/* Gives the record the next place. Under log.lock; there is room. */
static enum err
take_place(struct disk *disk, struct disk_append *append,
           struct disk_pending *pending)
{
    const struct disk_head *head = append->front;
    struct disk_segment *segment = disk->log.active;

    if (!holds(disk, append))
        return ERR_LOST;
    if (head->kind == DISK_RECORD)
        list_push_back(&disk->log.pending, &pending->link);
    if (head->kind == DISK_TOMBSTONE || head->kind == DISK_TOMBSTONE_ALL)
        DISK_COUNT(disk, removed,
                   disk_log_forget(disk, head->hash.hi, (uint32_t)head->variant,
                                   head->kind == DISK_TOMBSTONE_ALL));
    append->place = (struct disk_place){
        segment->number,
        (uint32_t)(segment->tail / DISK_UNIT),
    };
    segment->tail += (uint64_t)head->units * DISK_UNIT;
    segment->allotted++;
    segment->writing++;
    return ERR_OK;
}

static enum err
allocate(struct disk *disk, struct disk_append *append,
         struct disk_pending *pending, struct disk_segment **segment)
{
    const struct disk_head *head = append->front;
    uint64_t len = (uint64_t)head->units * DISK_UNIT;

    if (DISK_UNIT + len + disk_footer_len(1) > disk->segment_size)
        return ERR_LIMIT;
    for (;;) {
        enum err err;

        if (atomic_load(&disk->read_only))
            return ERR_LIMIT;
        pthread_mutex_lock(&disk->log.lock);
        *segment = disk->log.active;
        bool room = has_room(*segment, len);

        err = room ? take_place(disk, append, pending) : ERR_OK;
        pthread_mutex_unlock(&disk->log.lock);
        if (room)
            return err;
        err = append->stay ? ERR_LIMIT : disk_roll(disk, *segment);
        if (err != ERR_OK)
            return err;
    }
}

static void
enter(struct disk *disk, const struct disk_append *append,
      const struct disk_entry *entry)
{
    uint64_t len = (uint64_t)entry->units * DISK_UNIT;
    bool replaced = false;

    if (append->moved != NULL) {
        if (disk_index_move(disk->index, append->moved, append->place,
                            entry->units)) {
            DISK_COUNT(disk, reinserted, 1);
            DISK_COUNT(disk, reinserted_bytes, len);
        }
        return;
    }
    disk_index_put(disk->index, entry, append->place.segment, &replaced);
    DISK_COUNT(disk, commits, 1);
    if (replaced)
        DISK_COUNT(disk, replaced, 1);
}

/* After the write. True: the segment may be sealed now. */
static bool
finish(struct disk *disk, struct disk_append *append,
       struct disk_pending *pending, struct disk_segment *segment, bool ok)
{
    const struct disk_head *head = append->front;
    struct disk_entry entry =
        disk_entry_of(head, (uint64_t)append->place.offset * DISK_UNIT);

    pthread_mutex_lock(&disk->log.lock);
    list_remove(&pending->link);
    segment->writing--;
    segment->dirty = true;
    if (ok) {
        disk_segment_note(segment, &entry);
        if (head->kind == DISK_RECORD && !pending->dead)
            enter(disk, append, &entry);
    }
    bool settle = segment->closed && segment->writing == 0;

    pthread_mutex_unlock(&disk->log.lock);
    return settle;
}

static bool
is_space(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* Counts what the write came to; many faults on end stop the writing. */
static void
weigh(struct disk *disk, const struct disk_append *append, uint64_t len,
      int error)
{
    pthread_mutex_lock(&disk->log.lock);
    if (error == 0)
        disk->log.faults = 0;
    else if (!is_space(error))
        disk->log.faults++;
    bool stop = disk->log.faults >= FAULTS_MAX || error == EROFS;

    pthread_mutex_unlock(&disk->log.lock);
    if (error == 0)
        DISK_COUNT(disk, written, len);
    else
        disk_fault(disk, "writing", append->place.segment, error);
    if (stop)
        disk_stop_writing(disk, "writes keep failing");
}

enum err
disk_log_append(struct disk *disk, struct disk_append *append)
{
    const struct disk_head *head = append->front;
    struct disk_pending pending = {
        .print = head->hash.hi,
        .variant = (uint32_t)head->variant,
    };
    struct disk_segment *segment;

    list_init(&pending.link);
    enum err err = allocate(disk, append, &pending, &segment);

    if (err != ERR_OK)
        return err;
    uint64_t offset = (uint64_t)append->place.offset * DISK_UNIT;

    disk_front_seal(append->front, append->body,
                    disk_record_seed(segment->salt, offset));
    union {
        const void *in;
        void *out;
    } body = {append->body};
    struct iovec parts[2] = {{append->front, append->front_len},
                             {body.out, append->body_len}};
    int error = disk_io_write(disk->io, segment->fd, parts, offset);

    if (finish(disk, append, &pending, segment, error == 0) && !append->stay) {
        pthread_mutex_lock(&disk->roll.lock);
        disk_settle(disk);
        pthread_mutex_unlock(&disk->roll.lock);
    }
    weigh(disk, append, (uint64_t)head->units * DISK_UNIT, error);
    return error == 0 ? ERR_OK : is_space(error) ? ERR_LIMIT : ERR_IO;
}
