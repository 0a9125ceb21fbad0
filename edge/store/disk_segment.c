/* One segment's file: made, opened, sealed. The scan is in disk_scan.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "disk_log_internal.h"

static struct disk_segment *
segment_new(uint32_t number, int fd)
{
    struct disk_segment *segment = mem_zalloc(sizeof(*segment));

    TAG_SET(segment, DISK_SEGMENT_TAG);
    segment->number = number;
    segment->fd = fd;
    segment->tail = DISK_UNIT;
    list_init(&segment->link);
    return segment;
}

void
disk_segment_close(struct disk *disk, struct disk_segment *segment)
{
    if (segment->fd >= 0)
        disk->io->close(disk->io, segment->fd);
    segment->fd = -1;
}

void
disk_segment_free(struct disk *disk, struct disk_segment **segment)
{
    if (*segment == NULL)
        return;
    TAG_CHECK(*segment, DISK_SEGMENT_TAG);
    CHECK((*segment)->pins == 0 && (*segment)->writing == 0);
    disk_segment_close(disk, *segment);
    free((*segment)->entries);
    TAG_CLEAR(*segment);
    free(*segment);
    *segment = NULL;
}

/* The head, room, and a name that stays (D6). */
static int
prepare(struct disk *disk, struct disk_segment *segment)
{
    struct disk_segment_head head = {
        .number = segment->number,
        .id = disk->super.id,
    };
    struct iovec parts[2] = {{&head, sizeof(head)}, {NULL, 0}};

    secret_random(&segment->salt, sizeof(segment->salt));
    head.salt = segment->salt;
    disk_segment_head_seal(&head);
    if (disk->io->allocate(disk->io, segment->fd, disk->segment_size) != 0)
        return errno;
    int error = disk_io_write(disk->io, segment->fd, parts, 0);

    if (error == 0 && disk->io->sync_dir(disk->io, disk->dir) != 0)
        error = errno;
    return error;
}

struct disk_segment *
disk_segment_create(struct disk *disk, int *error)
{
    char name[DISK_NAME_LEN];
    uint32_t number = disk->roll.next_number;

    if (number == UINT32_MAX) {
        *error = EOVERFLOW;
        return NULL;
    }
    disk_segment_name(number, name);
    int fd =
        disk->io->open(disk->io, disk->dir, name, O_RDWR | O_CREAT | O_EXCL);

    if (fd < 0) {
        *error = errno;
        return NULL;
    }
    struct disk_segment *segment = segment_new(number, fd);

    /* D3: whatever becomes of it. */
    disk->roll.next_number++;
    *error = prepare(disk, segment);
    if (*error != 0) {
        disk_segment_free(disk, &segment);
        disk_unlink_segment(disk, number);
        return NULL;
    }
    disk->roll.unlinked = false;
    segment->size = disk->segment_size;
    segment->charged = disk->segment_size;
    segment->dirty = true;
    return segment;
}

/* Whether the file is a segment of this store. Counts why not. */
static bool
read_head(struct disk *disk, struct disk_segment *segment)
{
    struct disk_segment_head head;
    int64_t size = disk->io->size(disk->io, segment->fd);
    int error = size < 0 ? errno : 0;
    enum disk_verdict verdict = DISK_DAMAGED;

    if (size >= DISK_UNIT && (uint64_t)size <= DISK_SEGMENT_MAX) {
        error =
            disk_io_read(disk->io, segment->fd, &head, sizeof(head), 0, false);
        if (error == 0)
            verdict =
                disk_segment_head_check(&head, disk->super.id, segment->number);
    }
    if (error != 0) {
        disk_fault(disk, "reading the head of", segment->number, error);
        return false;
    }
    if (verdict == DISK_DAMAGED)
        DISK_COUNT(disk, torn, 1);
    else if (verdict != DISK_OURS)
        DISK_COUNT(disk, foreign, 1);
    if (verdict != DISK_OURS)
        return false;
    segment->salt = head.salt;
    segment->size = (uint64_t)size;
    segment->charged = disk_round_up(segment->size, DISK_BLOCK);
    return true;
}

struct disk_segment *
disk_segment_open(struct disk *disk, uint32_t number, int *error)
{
    char name[DISK_NAME_LEN];

    disk_segment_name(number, name);
    int fd = disk->io->open(disk->io, disk->dir, name, O_RDWR);

    *error = fd < 0 ? errno : 0;
    if (fd < 0)
        return NULL;
    struct disk_segment *segment = segment_new(number, fd);

    segment->closed = true;
    if (read_head(disk, segment))
        return segment;
    disk_segment_free(disk, &segment);
    return NULL;
}

static enum err
read_footer(struct disk *disk, struct disk_segment *segment,
            struct disk_entry **entries, size_t *count)
{
    struct disk_trailer trailer;
    uint64_t end = segment->size - sizeof(trailer);
    uint32_t n;

    if (disk_io_read(disk->io, segment->fd, &trailer, sizeof(trailer), end,
                     false) != 0)
        return ERR_IO;
    if (!disk_trailer_check(&trailer, segment->number, segment->salt,
                            segment->size - DISK_UNIT, &n))
        return ERR_IO;
    size_t len = n * sizeof(**entries);

    *entries = malloc(len + 1);
    if (*entries == NULL)
        return ERR_NOMEM;
    if (disk_io_read(disk->io, segment->fd, *entries, len, end - len, false) !=
            0 ||
        !disk_entries_check(*entries, &trailer, segment->salt, end - len))
        return ERR_IO;
    *count = n;
    return ERR_OK;
}

enum err
disk_segment_footer(struct disk *disk, struct disk_segment *segment,
                    struct disk_entry **entries, size_t *count)
{
    *entries = NULL;
    *count = 0;
    if (segment->size < DISK_UNIT + sizeof(struct disk_trailer))
        return ERR_IO;
    enum err err = read_footer(disk, segment, entries, count);

    if (err != ERR_OK) {
        free(*entries);
        *entries = NULL;
    }
    return err;
}

void
disk_segment_note(struct disk_segment *segment, const struct disk_entry *entry)
{
    MEM_GROW(segment->entries, segment->entry_count, segment->entry_capacity);
    segment->entries[segment->entry_count++] = *entry;
}

static int
by_offset(const void *a, const void *b)
{
    const struct disk_entry *x = a;
    const struct disk_entry *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int
write_footer(struct disk *disk, struct disk_segment *segment, uint64_t end)
{
    size_t count = segment->entry_count;
    void *footer = malloc(disk_footer_len(count));
    struct iovec parts[2] = {{footer, disk_footer_len(count)}, {NULL, 0}};

    if (footer == NULL)
        return ENOMEM;
    if (count > 0)
        qsort(segment->entries, count, sizeof(*segment->entries), by_offset);
    disk_footer_seal(footer, segment->entries, (uint32_t)count, segment->number,
                     segment->salt);
    int error = disk_io_write(disk->io, segment->fd, parts, segment->tail);

    free(footer);
    /* The trailer is found at the end of the file. */
    if (error == 0 && disk->io->truncate(disk->io, segment->fd, end) != 0)
        error = errno;
    if (error == 0 && disk->io->datasync(disk->io, segment->fd) != 0)
        error = errno;
    return error;
}

void
disk_segment_seal(struct disk *disk, struct disk_segment *segment)
{
    uint64_t end = segment->tail + disk_footer_len(segment->entry_count);
    int error = 0;

    CHECK(segment->closed && segment->writing == 0 && !segment->sealed);
    if (disk->io->datasync(disk->io, segment->fd) != 0)
        error = errno;
    bool lost = error != 0;

    if (!lost)
        error = write_footer(disk, segment, end);
    pthread_mutex_lock(&disk->log.lock);
    segment->dirty = false;
    segment->sealed = error == 0;
    segment->broken = error != 0;
    disk->log.losses += lost; /* D9 */
    if (error == 0) {
        uint64_t charge = disk_round_up(end, DISK_BLOCK);

        /* One that was found without a footer may grow by it. */
        disk->log.used = disk->log.used - segment->charged + charge;
        segment->charged = charge;
        segment->size = end;
        free(segment->entries);
        segment->entries = NULL;
        segment->entry_count = segment->entry_capacity = 0;
    }
    pthread_mutex_unlock(&disk->log.lock);
    if (error != 0)
        disk_fault(disk, "sealing", segment->number, error);
}
