/*
 * The oldest segment goes (D5). What of it was hit since it was written is
 * written anew first, the most hit before others, up to half a segment: so for
 * each byte that comes in at most one more is written. Its hits are then one
 * less, as in the main queue of S3-FIFO.
 *
 * Of an object with extents here, those are copied, and its head with the new
 * places; when it was not hit it goes as a whole. So does one that has more
 * than half a segment here, hit or not: to keep it would be to write it all
 * again, each time around.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk_record_internal.h"

#define REINSERT_SHARE 2 /* of a segment, at most one half */
#define DYING_SHARE 4    /* of the budget, what readers may hold of it */

struct eviction {
    struct disk *disk;
    struct disk_segment *victim;
    struct disk_entry *entries; /* NULL: unknown */
    size_t count;
    uint64_t room; /* bytes that may still be written anew */
};

/* The oldest segment, with a pin; NULL: it cannot go. */
static struct disk_segment *
victim_pin(struct disk *disk)
{
    struct disk_segment *segment = NULL;

    pthread_mutex_lock(&disk->log.lock);
    if (disk->log.count > 0)
        segment = disk->log.segments[0];
    if (segment != NULL &&
        (segment == disk->log.active || segment->writing > 0))
        segment = NULL;
    if (segment != NULL && segment->pins > 0 &&
        disk->log.dying_bytes + segment->charged > disk->budget / DYING_SHARE)
        segment = NULL;
    if (segment != NULL)
        segment->pins++;
    pthread_mutex_unlock(&disk->log.lock);
    return segment;
}

static void
read_entries(struct eviction *eviction)
{
    struct disk_segment *victim = eviction->victim;

    if (victim->sealed) {
        disk_segment_footer(eviction->disk, victim, &eviction->entries,
                            &eviction->count);
        return;
    }
    /* Broken: nothing is written to it any more. */
    size_t len = victim->entry_count * sizeof(*victim->entries);

    eviction->entries = malloc(len + 1);
    if (eviction->entries == NULL)
        return;
    eviction->count = victim->entry_count;
    if (len > 0)
        memcpy(eviction->entries, victim->entries, len);
}

static int
most_hits_first(const void *a, const void *b)
{
    const struct disk_slot *x = a;
    const struct disk_slot *y = b;

    if (x->hits != y->hits)
        return x->hits > y->hits ? -1 : 1;
    return x->place.offset < y->place.offset
               ? -1
               : x->place.offset > y->place.offset;
}

static void
move(struct eviction *eviction, const struct disk_slot *slot)
{
    struct disk_record *record;

    if (disk_record_open(eviction->disk, slot, DISK_WAIT, &record) != ERR_OK)
        return;
    disk_move(record, eviction->victim->number, &eviction->room);
    disk_record_unref(&record);
}

/* Objects that are in this segment with all they have. */
static void
save_whole(struct eviction *eviction)
{
    struct disk *disk = eviction->disk;
    struct disk_slot *hot = malloc(eviction->count * sizeof(*hot) + 1);
    size_t count = 0;

    if (hot == NULL)
        return;
    for (size_t i = 0; i < eviction->count; i++) {
        const struct disk_entry *entry = &eviction->entries[i];
        struct disk_place place = {eviction->victim->number, entry->offset};

        if (entry->kind == DISK_RECORD && !entry->spread &&
            disk_index_get(disk->index, entry->print, entry->variant,
                           &hot[count]) &&
            disk_place_eq(hot[count].place, place) && hot[count].hits > 0)
            count++;
    }
    qsort(hot, count, sizeof(*hot), most_hits_first);
    for (size_t i = 0; i < count; i++)
        move(eviction, &hot[i]);
    free(hot);
}

static bool
uses(struct disk_record *record, uint32_t segment)
{
    const struct disk_ref *refs = disk_front_refs(record->front);
    uint32_t i = 0;

    while (i < disk_record_head(record)->ref_count &&
           refs[i].segment != segment)
        i++;
    return i < disk_record_head(record)->ref_count;
}

/* An object that has, or had, an extent here: it moves, or goes. */
static void
settle_spread(struct eviction *eviction, const struct disk_entry *entry,
              bool reinsert)
{
    struct disk *disk = eviction->disk;
    uint32_t number = eviction->victim->number;
    struct disk_record *record;
    struct disk_slot slot;

    if (!disk_index_get(disk->index, entry->print, entry->variant, &slot) ||
        !slot.spread ||
        disk_record_open(disk, &slot, DISK_WAIT, &record) != ERR_OK)
        return;
    if (uses(record, number) &&
        (!reinsert || slot.hits == 0 ||
         disk_move(record, number, &eviction->room) != ERR_OK) &&
        disk_index_take(disk->index, slot.print, slot.variant, slot.place))
        DISK_COUNT(disk, evicted, 1);
    disk_record_unref(&record);
}

static void
settle_all_spread(struct eviction *eviction, bool reinsert)
{
    const struct disk_entry *last = NULL;

    for (size_t i = 0; i < eviction->count; i++) {
        const struct disk_entry *entry = &eviction->entries[i];

        if (entry->kind != DISK_EXTENT)
            continue;
        /* Extents of one object mostly lie in a row. */
        if (last == NULL || last->print != entry->print ||
            last->variant != entry->variant)
            settle_spread(eviction, entry, reinsert);
        last = entry;
    }
}

/* No reader finds the segment any more; those that have it keep it. */
static void
retire(struct disk *disk, struct disk_segment *victim)
{
    pthread_mutex_lock(&disk->log.lock);
    CHECK(disk->log.count > 0 && disk->log.segments[0] == victim);
    disk->log.count--;
    memmove(disk->log.segments, disk->log.segments + 1,
            disk->log.count * sizeof(struct disk_segment *));
    list_push_back(&disk->log.dying, &victim->link);
    disk->log.dying_bytes += victim->charged;
    victim->pins--;
    pthread_mutex_unlock(&disk->log.lock);
    DISK_COUNT(disk, evicted_segments, 1);
}

/* Takes what was left behind out of the index. */
static void
forget(const struct eviction *eviction, uint32_t number)
{
    struct disk *disk = eviction->disk;
    size_t count = 0;

    if (eviction->entries == NULL)
        count = disk_index_sweep(disk->index, number);
    for (size_t i = 0; i < eviction->count; i++) {
        const struct disk_entry *entry = &eviction->entries[i];
        struct disk_place place = {number, entry->offset};

        if (entry->kind == DISK_RECORD &&
            disk_index_take(disk->index, entry->print, entry->variant, place))
            count++;
    }
    DISK_COUNT(disk, evicted, count);
}

bool
disk_unlink_segment(struct disk *disk, uint32_t number)
{
    char name[DISK_NAME_LEN];
    const char *what = "removing";
    int error = 0;

    disk_segment_name(number, name);
    if (disk->roll.unlinked && disk->io->sync_dir(disk->io, disk->dir) != 0) {
        error = errno;
        what = "syncing the directory before removing";
    } else if (disk->io->unlink(disk->io, disk->dir, name) != 0 &&
               errno != ENOENT) {
        error = errno;
    }
    disk->roll.unlinked = true;
    if (error != 0) {
        disk_fault(disk, what, number, error);
        disk_stop_writing(disk, "a segment cannot be removed");
    }
    return error == 0;
}

bool
disk_evict(struct disk *disk, bool reinsert)
{
    struct eviction eviction = {
        .disk = disk,
        .victim = victim_pin(disk),
        .room = disk->segment_size / REINSERT_SHARE,
    };

    if (eviction.victim == NULL)
        return false;
    uint32_t number = eviction.victim->number;

    read_entries(&eviction);
    if (reinsert)
        save_whole(&eviction);
    settle_all_spread(&eviction, reinsert);
    bool gone = disk_unlink_segment(disk, number);

    if (gone) {
        retire(disk, eviction.victim);
        forget(&eviction, number);
    } else {
        disk_unpin(disk, &eviction.victim, 1);
    }
    free(eviction.entries);
    disk_reap(disk);
    return gone;
}
