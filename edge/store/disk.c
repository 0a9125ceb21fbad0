/* The store as a whole: open and close, sync, admission, numbers. */
#include "store/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "disk_open_internal.h"

#define SEGMENTS_WANTED 1024
#define SEGMENT_LEAST ((uint64_t)16 * 1024 * 1024)
#define SEGMENTS_LEAST 4
#define GHOST_LEAST ((size_t)4 * 1024)
#define GHOST_MOST ((size_t)1024 * 1024)
#define GHOST_OBJECT                                                           \
    ((uint64_t)16 * 1024) /* what one refusal is taken to be                   \
                           */

void
disk_fault(struct disk *disk, const char *what, uint32_t number, int error)
{
    if (error == ENOSPC || error == EDQUOT) {
        DISK_COUNT(disk, no_space, 1);
        LOG(LOG_WARN,
            "%s: no space when %s segment %08x: give the store a smaller "
            "budget, or its disk more room",
            disk->path, what, number);
        return;
    }
    DISK_COUNT(disk, io_errors, 1);
    LOG(LOG_ERROR, "%s: %s segment %08x: %s", disk->path, what, number,
        strerror(error));
}

void
disk_stop_writing(struct disk *disk, const char *why)
{
    if (!atomic_exchange(&disk->read_only, true))
        LOG(LOG_ERROR,
            "%s: %s: this store is only read from now on; mend the disk, and "
            "restart",
            disk->path, why);
}

void
disk_sanity(struct disk *disk)
{
    uint64_t used = DISK_FIXED_COST;
    uint64_t dying = 0;
    struct disk_segment *segment;
    bool sealed = true;

    pthread_mutex_lock(&disk->log.lock);
    for (size_t i = 0; i < disk->log.count; i++) {
        segment = disk->log.segments[i];
        used += segment->charged;
        CHECK(i == 0 || disk->log.segments[i - 1]->number < segment->number);
        CHECK(segment->closed || segment == disk->log.active);
        CHECK(!segment->sealed || (segment->closed && segment->writing == 0));
        CHECK(segment->tail <= segment->size);
        if (!segment->broken) { /* D2 */
            CHECK(sealed || !segment->sealed);
            sealed = segment->sealed;
        }
    }
    CHECK(disk->log.active == NULL ||
          disk->log.active == disk->log.segments[disk->log.count - 1]);
    list_for_each (segment, &disk->log.dying, link) {
        dying += segment->charged;
    }
    CHECK(dying == disk->log.dying_bytes);
    CHECK(used + dying == disk->log.used); /* D8 */
    CHECK(disk->log.used <= disk->budget);
    pthread_mutex_unlock(&disk->log.lock);
}

static uint64_t
power_of_two(uint64_t least, uint64_t most, uint64_t want)
{
    uint64_t n = least;

    while (n < want && n < most)
        n *= 2;
    return n;
}

static uint64_t
segment_size_of(const struct disk_options *options)
{
    uint64_t size = options->segment_size;

    if (size == 0)
        size = power_of_two(SEGMENT_LEAST, DISK_SEGMENT_MAX,
                            options->budget / SEGMENTS_WANTED);
    return size - size % DISK_BLOCK;
}

size_t
disk_files(const struct disk_options *options)
{
    /* The directory, the lock, the format. */
    return (size_t)(options->budget / segment_size_of(options)) + 3;
}

static enum err
check_options(const struct disk_options *options, uint64_t *segment_size,
              struct buf *problem)
{
    uint64_t size = segment_size_of(options);

    *segment_size = size;
    if (size < DISK_SEGMENT_MIN || size > DISK_SEGMENT_MAX) {
        buf_printf(problem, "%s: segments have between %llu and %llu bytes",
                   options->path, (unsigned long long)DISK_SEGMENT_MIN,
                   (unsigned long long)DISK_SEGMENT_MAX);
        return ERR_CONFIG;
    }
    if (options->budget < SEGMENTS_LEAST * size + DISK_FIXED_COST) {
        buf_printf(
            problem,
            "%s: a budget of %llu bytes is too small for segments of "
            "%llu; give it %llu at least",
            options->path, (unsigned long long)options->budget,
            (unsigned long long)size,
            (unsigned long long)(SEGMENTS_LEAST * size + DISK_FIXED_COST));
        return ERR_CONFIG;
    }
    if (options->budget / size > DISK_SEGMENTS_MAX) {
        buf_printf(problem,
                   "%s: a budget of %llu bytes needs segments of more than "
                   "%llu bytes: each is an open file",
                   options->path, (unsigned long long)options->budget,
                   (unsigned long long)size);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static struct disk *
disk_new(const struct disk_options *options, uint64_t segment_size)
{
    struct disk *disk = mem_zalloc(sizeof(*disk));

    TAG_SET(disk, DISK_TAG);
    disk->io = options->io != NULL ? options->io : disk_io_system();
    disk->path = mem_strdup(options->path);
    disk->dir = disk->lock_fd = -1;
    disk->budget = options->budget;
    disk->segment_size = segment_size;
    disk->index = disk_index_new();
    disk->log.used = DISK_FIXED_COST;
    disk->roll.next_number = 1;
    list_init(&disk->log.dying);
    list_init(&disk->log.pending);
    disk->admission.refused = ghost_new((size_t)power_of_two(
        GHOST_LEAST, GHOST_MOST, options->budget / GHOST_OBJECT));
    CHECK(pthread_mutex_init(&disk->log.lock, NULL) == 0);
    CHECK(pthread_mutex_init(&disk->roll.lock, NULL) == 0);
    CHECK(pthread_mutex_init(&disk->admission.lock, NULL) == 0);
    return disk;
}

static void
disk_free(struct disk **disk)
{
    struct disk *d = *disk;

    for (size_t i = 0; i < d->log.count; i++)
        disk_segment_free(d, &d->log.segments[i]);
    free(d->log.segments);
    disk_index_free(&d->index);
    ghost_free(&d->admission.refused);
    if (d->lock_fd >= 0)
        d->io->close(d->io, d->lock_fd);
    if (d->dir >= 0)
        d->io->close(d->io, d->dir);
    pthread_mutex_destroy(&d->log.lock);
    pthread_mutex_destroy(&d->roll.lock);
    pthread_mutex_destroy(&d->admission.lock);
    free(d->path);
    TAG_CLEAR(d);
    free(d);
    *disk = NULL;
}

enum err
disk_open(const struct disk_options *options, struct disk **disk,
          struct buf *problem)
{
    uint64_t segment_size;
    uint32_t *numbers = NULL;
    size_t count = 0;
    enum err err = check_options(options, &segment_size, problem);

    *disk = NULL;
    if (err != ERR_OK)
        return err;
    struct disk *d = disk_new(options, segment_size);

    err = disk_open_directory(d, &numbers, &count, problem);
    if (err == ERR_OK)
        err = disk_load(d, numbers, count, problem);
    free(numbers);
    if (err != ERR_OK) {
        disk_free(&d);
        return err;
    }
    disk_sanity(d);
    *disk = d;
    return ERR_OK;
}

void
disk_close(struct disk **disk)
{
    struct disk *d = *disk;

    if (d == NULL)
        return;
    TAG_CHECK(d, DISK_TAG);
    pthread_mutex_lock(&d->roll.lock);
    pthread_mutex_lock(&d->log.lock);
    CHECK(list_empty(&d->log.pending));
    if (d->log.active != NULL)
        d->log.active->closed = true;
    d->log.active = NULL;
    pthread_mutex_unlock(&d->log.lock);
    if (!atomic_load(&d->read_only))
        disk_settle(d);
    disk_reap(d);
    CHECK(list_empty(&d->log.dying)); /* somebody still holds a record */
    pthread_mutex_unlock(&d->roll.lock);
    disk_sanity(d);
    disk_free(disk);
}

uint64_t
disk_seed(const struct disk *disk)
{
    return disk->super.seed;
}

uint64_t
disk_mark(struct disk *disk)
{
    TAG_CHECK(disk, DISK_TAG);
    pthread_mutex_lock(&disk->log.lock);
    uint64_t losses = disk->log.losses;

    pthread_mutex_unlock(&disk->log.lock);
    return losses;
}

enum err
disk_sync(struct disk *disk, uint64_t mark)
{
    TAG_CHECK(disk, DISK_TAG);
    pthread_mutex_lock(&disk->roll.lock);
    disk_sync_segments(disk);
    disk_reap(disk);
    pthread_mutex_unlock(&disk->roll.lock);
    return disk_mark(disk) == mark ? ERR_OK : ERR_IO;
}

bool
disk_admit(struct disk *disk, struct span key, uint64_t size, bool was_hit)
{
    struct hash128 hash = hash_bytes(key, disk->super.seed);

    TAG_CHECK(disk, DISK_TAG);
    pthread_mutex_lock(&disk->admission.lock);
    bool again =
        ghost_take(disk->admission.refused, hash, (size_t)disk->budget);

    if (!was_hit && !again)
        ghost_add(disk->admission.refused, hash, (size_t)size);
    pthread_mutex_unlock(&disk->admission.lock);
    if (was_hit || again)
        DISK_COUNT(disk, admitted, 1);
    else
        DISK_COUNT(disk, refused, 1);
    return was_hit || again;
}

void
disk_stats(struct disk *disk, struct disk_stats *stats)
{
    TAG_CHECK(disk, DISK_TAG);
    memset(stats, 0, sizeof(*stats));
    pthread_mutex_lock(&disk->log.lock);
    stats->budget = disk->budget;
    stats->bytes = disk->log.used;
    stats->dying = disk->log.dying_bytes;
    stats->segments = disk->log.count;
    pthread_mutex_unlock(&disk->log.lock);
    stats->records = disk_index_count(disk->index);
    stats->index_bytes = disk_index_bytes(disk->index);
    stats->read_only = atomic_load(&disk->read_only);
#define GET(what) stats->what = atomic_load(&disk->count.what)
    GET(written);
    GET(commits);
    GET(removed);
    GET(replaced);
    GET(evicted);
    GET(evicted_segments);
    GET(reinserted);
    GET(reinserted_bytes);
    GET(admitted);
    GET(refused);
    GET(no_room);
    GET(no_space);
    GET(io_errors);
    GET(bad_checksums);
    GET(incomplete);
    GET(scanned);
    GET(torn);
    GET(foreign);
#undef GET
}
