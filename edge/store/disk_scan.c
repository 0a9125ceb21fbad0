/*
 * A segment that a crash left without a footer, or whose footer is damaged:
 * every record in it is looked for, and read in full. Writes are not made in
 * order, so there may be holes between good records, and there mostly is one
 * behind the last: a record may begin at every unit.
 */
#include <stdlib.h>
#include <string.h>

#include "disk_log_internal.h"

#define WINDOW ((size_t)256 * 1024)

struct scan {
    struct disk *disk;
    struct disk_segment *segment;
    char *window; /* bytes [at, at + len) of the file */
    uint64_t at;
    size_t len;
    char *slice;
    bool unreadable; /* a read failed: what is behind is given up */
};

static bool
read_at(struct scan *scan, void *bytes, size_t len, uint64_t offset)
{
    int error = disk_io_read(scan->disk->io, scan->segment->fd, bytes, len,
                             offset, false);

    if (error != 0) {
        disk_fault(scan->disk, "scanning", scan->segment->number, error);
        scan->unreadable = true;
    }
    return error == 0;
}

/* The unit at `offset`, and as much more as a head has; NULL: unreadable. */
static const void *
peek(struct scan *scan, uint64_t offset)
{
    if (offset < scan->at ||
        offset + sizeof(struct disk_head) > scan->at + scan->len) {
        uint64_t left = scan->segment->size - offset;

        scan->at = offset;
        scan->len = left < WINDOW ? (size_t)left : WINDOW;
        if (!read_at(scan, scan->window, scan->len, offset))
            return NULL;
    }
    return scan->window + (offset - scan->at);
}

static bool
body_holds(struct scan *scan, const void *front, uint64_t body_at,
           uint64_t seed)
{
    uint64_t len = disk_head_inline(front);
    const uint64_t *sums = disk_front_sums(front);

    for (size_t i = 0; i * DISK_SLICE < len; i++) {
        uint64_t left = len - i * DISK_SLICE;
        size_t n = left < DISK_SLICE ? (size_t)left : DISK_SLICE;

        if (!read_at(scan, scan->slice, n, body_at + i * DISK_SLICE) ||
            disk_slice_sum(scan->slice, n, seed, i) != sums[i])
            return false;
    }
    return true;
}

static int
entry_at(const void *key, const void *entry)
{
    uint32_t offset = *(const uint32_t *)key;
    const struct disk_entry *e = entry;

    return offset < e->offset ? -1 : offset > e->offset;
}

/* Whether an extent is there: in a sealed segment it was synced before (D2). */
static bool
extent_is_there(const struct scan *scan, const struct disk_ref *ref)
{
    const struct disk_segment *segment = scan->segment;

    if (ref->segment != segment->number)
        segment = disk_log_segment(scan->disk, ref->segment);
    if (segment == NULL)
        return false;
    if (segment->sealed)
        return (uint64_t)ref->offset * DISK_UNIT < segment->tail;
    const struct disk_entry *entry =
        segment->entry_count == 0
            ? NULL
            : bsearch(&ref->offset, segment->entries, segment->entry_count,
                      sizeof(*segment->entries), entry_at);

    return entry != NULL && entry->kind == DISK_EXTENT;
}

static bool
extents_are_there(const struct scan *scan, void *front)
{
    const struct disk_head *head = front;
    const struct disk_ref *refs = disk_front_refs(front);

    for (uint32_t i = 0; i < head->ref_count; i++) {
        if (!extent_is_there(scan, &refs[i]))
            return false;
    }
    return true;
}

/* Reads and checks a record; notes it. How many units it takes; 0: it is
 * none. */
static uint32_t
take_record(struct scan *scan, uint64_t offset, size_t front_len)
{
    uint64_t seed = disk_record_seed(scan->segment->salt, offset);
    struct disk_head *head = malloc(front_len);
    uint32_t units = 0;

    if (head == NULL) {
        scan->unreadable = true;
        return 0;
    }
    if (!read_at(scan, head, front_len, offset) ||
        !disk_front_check(head, front_len, seed)) {
        DISK_COUNT(scan->disk, torn, 1);
    } else {
        units = head->units;
        if (!body_holds(scan, head, offset + front_len, seed)) {
            DISK_COUNT(scan->disk, torn, 1);
        } else if (!extents_are_there(scan, head)) {
            DISK_COUNT(scan->disk, incomplete, 1);
        } else {
            struct disk_entry entry = disk_entry_of(head, offset);

            disk_segment_note(scan->segment, &entry);
            scan->segment->tail = offset + (uint64_t)units * DISK_UNIT;
        }
    }
    free(head);
    return units;
}

static void
scan_all(struct scan *scan)
{
    struct disk_segment *segment = scan->segment;
    uint64_t offset = DISK_UNIT;

    while (offset + sizeof(struct disk_head) <= segment->size) {
        const void *bytes = peek(scan, offset);
        struct disk_head head;
        uint32_t units = 0;

        if (bytes == NULL)
            return;
        memcpy(&head, bytes, sizeof(head));
        size_t front_len = disk_front_len(&head, segment->size - offset);

        if (front_len > 0)
            units = take_record(scan, offset, front_len);
        if (scan->unreadable)
            return;
        offset += (units > 0 ? (uint64_t)units : 1) * DISK_UNIT;
    }
}

void
disk_segment_scan(struct disk *disk, struct disk_segment *segment)
{
    struct scan scan = {
        .disk = disk,
        .segment = segment,
        .window = malloc(WINDOW),
        .slice = malloc(DISK_SLICE),
    };

    DISK_COUNT(disk, scanned, 1);
    if (scan.window != NULL && scan.slice != NULL)
        scan_all(&scan);
    segment->allotted = (uint32_t)segment->entry_count;
    free(scan.window);
    free(scan.slice);
}
