/*
 * Bodies: from the record itself, or from extents. Either is a *run*: bytes of
 * one file, with a checksum for each DISK_SLICE of them. A slice that is wanted
 * whole is read to where it is wanted; of others a copy is made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk_record_internal.h"

struct run {
    struct disk_segment *segment;
    uint64_t seed;
    uint64_t file_offset; /* of its first byte */
    uint64_t start;       /* in the body */
    uint64_t length;
    const char *memory; /* its bytes, as far as they came with the front */
    size_t in_memory;
    uint64_t sums[DISK_SLICES_MAX];
};

static enum err
failed(struct disk_record *record, const struct disk_segment *segment,
       int error)
{
    if (error == EAGAIN)
        return ERR_AGAIN;
    if (error == 0)
        DISK_COUNT(record->disk, bad_checksums, 1);
    else
        disk_fault(record->disk, "reading", segment->number, error);
    disk_record_drop(record);
    return ERR_IO;
}

static size_t
slices(uint64_t length)
{
    return (size_t)((length + DISK_SLICE - 1) / DISK_SLICE);
}

/* The body is in the record. */
static void
run_inline(const struct disk_record *record, struct run *run)
{
    uint64_t offset = (uint64_t)record->slot.place.offset * DISK_UNIT;

    run->segment = record->segment;
    run->seed = disk_record_seed(record->segment->salt, offset);
    run->file_offset = offset + record->front_len;
    run->start = 0;
    run->length = disk_record_length(record);
    run->memory = record->front + record->front_len;
    run->in_memory = record->got - record->front_len;
    memcpy(run->sums, disk_front_sums(record->front),
           slices(run->length) * sizeof(run->sums[0]));
}

/* Finds the extent with `offset`. Extents are 1 MiB as a rule, and so few that
 * it is not worth a table. */
static uint32_t
ref_of(const struct disk_record *record, uint64_t offset, uint64_t *start)
{
    const struct disk_ref *refs = disk_front_refs(record->front);
    uint32_t i = 0;

    *start = 0;
    while (offset - *start >= refs[i].length) {
        *start += refs[i++].length;
        CHECK(i < disk_record_head(record)->ref_count);
    }
    return i;
}

/* Whether a head and the checksums behind it are those of the extent. */
static bool
is_extent(const struct disk_record *record, const struct disk_ref *ref,
          const void *front, size_t len, const struct run *run)
{
    const struct disk_head *head = front;

    return disk_front_len(head, DISK_SEGMENT_MAX) == len &&
           head->checksum == ref->checksum &&
           disk_front_check(front, len, run->seed) &&
           head->kind == DISK_EXTENT && head->body_len == ref->length &&
           head->body_offset == run->start &&
           hash_eq(head->hash, disk_record_head(record)->hash);
}

static enum err
run_extent(struct disk_record *record, uint64_t offset, enum disk_wait wait,
           struct run *run)
{
    struct {
        struct disk_head head;
        uint64_t sums[DISK_SLICES_MAX];
    } front;
    uint32_t i = ref_of(record, offset, &run->start);
    const struct disk_ref *ref = &disk_front_refs(record->front)[i];
    uint64_t at = (uint64_t)ref->offset * DISK_UNIT;
    size_t sums_len = slices(ref->length) * sizeof(front.sums[0]);
    size_t len = sizeof(front.head) + sums_len;

    run->segment = record->extents[i];
    run->seed = disk_record_seed(run->segment->salt, at);
    run->file_offset = at + len;
    run->length = ref->length;
    run->in_memory = 0;
    int error = disk_io_read(record->disk->io, run->segment->fd, &front, len,
                             at, wait == DISK_NOW);

    if (error != 0)
        return failed(record, run->segment, error);
    if (!is_extent(record, ref, &front, len, run))
        return failed(record, run->segment, 0);
    memcpy(run->sums, front.sums, sums_len);
    return ERR_OK;
}

/* The run with the byte at `offset`. */
static enum err
run_at(struct disk_record *record, uint64_t offset, enum disk_wait wait,
       struct run *run)
{
    if (disk_record_head(record)->ref_count > 0)
        return run_extent(record, offset, wait, run);
    run_inline(record, run);
    return ERR_OK;
}

/* Reads one slice of the run to `bytes`, and checks it. */
static enum err
read_slice(struct disk_record *record, const struct run *run, size_t index,
           char *bytes, enum disk_wait wait)
{
    uint64_t from = index * DISK_SLICE;
    uint64_t left = run->length - from;
    size_t len = left < DISK_SLICE ? (size_t)left : DISK_SLICE;

    if (from + len <= run->in_memory) {
        memcpy(bytes, run->memory + from, len);
    } else {
        int error = disk_io_read(record->disk->io, run->segment->fd, bytes, len,
                                 run->file_offset + from, wait == DISK_NOW);

        if (error != 0)
            return failed(record, run->segment, error);
    }
    if (disk_slice_sum(bytes, len, run->seed, index) != run->sums[index])
        return failed(record, run->segment, 0);
    return ERR_OK;
}

/* Reads [from, from + len) of the run; `scratch` holds a slice. */
static enum err
read_run(struct disk_record *record, const struct run *run, uint64_t from,
         char *bytes, size_t len, char *scratch, enum disk_wait wait)
{
    while (len > 0) {
        size_t index = (size_t)(from / DISK_SLICE);
        size_t skip = (size_t)(from % DISK_SLICE);
        uint64_t left = run->length - index * DISK_SLICE;
        size_t slice = left < DISK_SLICE ? (size_t)left : DISK_SLICE;
        size_t n = len < slice - skip ? len : slice - skip;
        bool direct = bytes != NULL && n == slice;
        enum err err =
            read_slice(record, run, index, direct ? bytes : scratch, wait);

        if (err != ERR_OK)
            return err;
        if (bytes != NULL && !direct)
            memcpy(bytes, scratch + skip, n);
        if (bytes != NULL)
            bytes += n;
        from += n;
        len -= n;
    }
    return ERR_OK;
}

enum err
disk_read(struct disk_record *record, uint64_t offset, void *bytes, size_t len,
          enum disk_wait wait)
{
    struct run run;
    char *at = bytes;

    TAG_CHECK(record, DISK_RECORD_TAG);
    CHECK(len <= disk_record_length(record) &&
          offset <= disk_record_length(record) - len);
    char *scratch = malloc(DISK_SLICE);
    enum err err = scratch != NULL ? ERR_OK : ERR_NOMEM;

    while (err == ERR_OK && len > 0) {
        err = run_at(record, offset, wait, &run);
        if (err != ERR_OK)
            break;
        uint64_t from = offset - run.start;
        uint64_t left = run.length - from;
        size_t n = left < len ? (size_t)left : len;

        err = read_run(record, &run, from, at, n, scratch, wait);
        if (at != NULL)
            at += n;
        offset += n;
        len -= n;
    }
    free(scratch);
    return err;
}

enum err
disk_body_at(struct disk_record *record, uint64_t offset, enum disk_wait wait,
             int *fd, uint64_t *file_offset, uint64_t *length)
{
    struct run run;

    TAG_CHECK(record, DISK_RECORD_TAG);
    CHECK(offset < disk_record_length(record));
    enum err err = run_at(record, offset, wait, &run);

    if (err != ERR_OK)
        return err;
    *fd = run.segment->fd;
    *file_offset = run.file_offset + (offset - run.start);
    *length = run.length - (offset - run.start);
    return ERR_OK;
}
