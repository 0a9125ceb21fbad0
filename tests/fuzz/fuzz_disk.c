/*
 * The files of the disk store. The first byte says what the rest is taken for:
 * a part of a file for one of its parsers, or (3) all that follows the head of
 * a segment, in a store that is opened on it.
 *
 * Checksums keep a fuzzer out, so what has one is tried as it is, and once more
 * with the right one: what a disk's bit errors make will not have it, but the
 * parser must not depend on that.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/store/disk_shim.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/disk_format_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED 99
#define SEGMENT ((uint64_t)64 * 1024)

/* Looks at all that a front has. */
static void
walk_front(void *front, size_t len)
{
    const struct disk_head *head = front;
    size_t slices =
        (size_t)((disk_head_inline(head) + DISK_SLICE - 1) / DISK_SLICE);
    const char *end = disk_front_key(front) + head->key_len + head->meta_len;
    uint64_t sum = 0;

    CHECK(end <= (const char *)front + len && slices <= DISK_SLICES_MAX);
    for (size_t i = 0; i < slices; i++)
        sum += disk_front_sums(front)[i];
    for (uint32_t i = 0; i < head->ref_count; i++)
        sum += disk_front_refs(front)[i].length;
    for (const char *at = disk_front_key(front); at < end; at++)
        sum += (uint64_t)*at;
    CHECK(sum != 1 || len > 0);
}

static void
try_record(char *bytes, size_t size)
{
    struct disk_head head;

    if (size < sizeof(head))
        return;
    memcpy(&head, bytes, sizeof(head));
    for (unsigned round = 0; round < 2; round++) {
        size_t len = disk_front_len(&head, size);

        if (len > 0) {
            CHECK(len + disk_head_inline(&head) <= size);
            if (disk_front_check(bytes, len, SEED))
                walk_front(bytes, len);
            disk_front_seal(bytes, bytes + len, SEED);
            if (disk_front_check(bytes, len, SEED))
                walk_front(bytes, len);
        }
        disk_head_init(&head);
        memcpy(bytes, &head, sizeof(head));
    }
}

static void
try_footer(char *bytes, size_t size)
{
    struct disk_trailer trailer;
    size_t count = size / sizeof(struct disk_entry);
    size_t len = disk_footer_len(count);
    uint32_t n;

    if (size >= sizeof(trailer)) {
        memcpy(&trailer, bytes + size - sizeof(trailer), sizeof(trailer));
        if (disk_trailer_check(&trailer, 1, SEED, size, &n))
            CHECK(disk_footer_len(n) <= size);
    }
    char *footer = mem_alloc(len);

    disk_footer_seal(footer, (const void *)bytes, (uint32_t)count, 1, SEED);
    memcpy(&trailer, footer + len - sizeof(trailer), sizeof(trailer));
    CHECK(disk_trailer_check(&trailer, 1, SEED, len, &n) && n == count);
    disk_entries_check((const void *)footer, &trailer, SEED, SEGMENT);
    free(footer);
}

static void
try_heads(const char *bytes, size_t size)
{
    struct disk_segment_head head;

    disk_super_check(bytes, size);
    if (size < sizeof(head))
        return;
    memcpy(&head, bytes, sizeof(head));
    disk_segment_head_check(&head, head.id, head.number);
}

static bool
any(const struct disk_record *record, void *arg)
{
    (void)arg;
    return disk_record_meta(record).len < SIZE_MAX;
}

static struct disk *
open_shim(struct shim *shim)
{
    struct disk_options options = {"shim", 8 * SEGMENT + 8192, SEGMENT,
                                   &shim->io};
    struct buf problem = {0};
    struct disk *disk;

    CHECK(disk_open(&options, &disk, &problem) == ERR_OK);
    buf_fini(&problem);
    return disk;
}

static void
try_segment(const char *bytes, size_t size)
{
    struct shim *shim = shim_new();
    struct disk *disk = open_shim(shim);
    struct disk_record *record;
    struct disk_write *write;

    CHECK(disk_write_begin(disk, SPAN("k"), 0, 2, &write) == ERR_OK);
    CHECK(disk_write_append(write, "ab", 2) == ERR_OK);
    CHECK(disk_write_commit(&write, SPAN("m")) == ERR_OK);
    disk_close(&disk);
    /* Behind the good record. */
    struct shim_file *file = &shim->files[shim_find(shim, "segment-00000001")];

    shim_put(file, bytes, size, 3 * DISK_UNIT);
    disk = open_shim(shim);
    CHECK(disk_find_by(disk, SPAN("k"), DISK_WAIT, any, NULL, &record) ==
          ERR_OK);
    disk_record_unref(&record);
    disk_close(&disk);
    shim_free(&shim);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_alloc(size);

    log_set_level(LOG_ERROR + 1);
    if (size > 0) {
        memcpy(copy, data + 1, size - 1);
        switch (data[0] % 4) {
        case 0:
            try_record(copy, size - 1);
            break;
        case 1:
            try_footer(copy, size - 1);
            break;
        case 2:
            try_heads(copy, size - 1);
            break;
        default:
            try_segment(copy, size - 1);
            break;
        }
    }
    free(copy);
    return 0;
}
