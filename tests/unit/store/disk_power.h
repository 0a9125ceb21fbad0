/*
 * What a power failure leaves of the disk of the tests (disk_shim.h). What is
 * taken to be true of a disk: fdatasync makes the bytes and the size of a file
 * durable, fsync of the directory the names in it. Before that each change may
 * be lost or not, whatever came of others; and of a write each sector by
 * itself.
 */
#ifndef TEST_STORE_DISK_POWER_H
#define TEST_STORE_DISK_POWER_H

#include "disk_shim.h"

static inline uint64_t
shim_random(uint64_t *seed)
{
    /* splitmix64 */
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* What becomes of what was not synced. */
enum shim_fate { SHIM_LOST, SHIM_KEPT, SHIM_MIXED };

static inline bool
shim_keeps(enum shim_fate fate, uint64_t *seed)
{
    return fate == SHIM_MIXED ? (shim_random(seed) & 1) != 0
                              : fate == SHIM_KEPT;
}

static inline void
shim_replay_write(struct shim_file *file, const struct shim_op *op,
                  enum shim_fate fate, uint64_t *seed)
{
    bool torn = fate == SHIM_MIXED && shim_random(seed) % 3 == 0;

    if (!torn) {
        if (shim_keeps(fate, seed))
            shim_put(file, op->bytes, op->len, op->offset);
        return;
    }
    for (size_t at = 0; at < op->len;) {
        size_t n = SHIM_SECTOR - (size_t)((op->offset + at) % SHIM_SECTOR);

        if (n > op->len - at)
            n = op->len - at;
        if (shim_keeps(fate, seed))
            shim_put(file, op->bytes + at, n, op->offset + at);
        at += n;
    }
}

static inline void
shim_replay(struct shim *to, const struct shim_op *op, enum shim_fate fate,
            uint64_t *seed)
{
    struct shim_file *file = op->file >= 0 ? &to->files[op->file] : NULL;

    switch ((int)op->call) {
    case SHIM_WRITE:
        shim_replay_write(file, op, fate, seed);
        break;
    case SHIM_TRUNCATE:
        if (shim_keeps(fate, seed))
            shim_resize(file, op->offset);
        break;
    case SHIM_ALLOCATE:
        if (shim_keeps(fate, seed) && file->size < op->offset)
            shim_resize(file, op->offset);
        break;
    case SHIM_OPEN:
        if (shim_keeps(fate, seed))
            memcpy(file->name, op->name, sizeof(op->name));
        break;
    case SHIM_RENAME:
        if (shim_keeps(fate, seed) && file->name[0] != '\0')
            memcpy(file->name, op->name, sizeof(op->name));
        break;
    case SHIM_UNLINK:
        if (shim_keeps(fate, seed))
            file->name[0] = '\0';
        break;
    default:
        break;
    }
}

/* The disk as a power failure after the first `count` changes leaves it. */
static inline struct shim *
shim_crash(const struct shim *from, size_t count, enum shim_fate fate,
           uint64_t seed)
{
    struct shim *to = shim_new();
    size_t synced[SHIM_FILES + 1] = {0}; /* the last: the directory's */

    to->file_count = from->file_count;
    for (int i = 0; i < from->file_count; i++) {
        const struct shim_file *file = &from->files[i];

        memcpy(to->files[i].name, file->base_name, sizeof(file->base_name));
        shim_put(&to->files[i], file->base, file->base_size, 0);
    }
    for (size_t i = 0; i < count; i++) {
        const struct shim_op *op = &from->ops[i];

        if (op->call == SHIM_SYNC)
            synced[op->file] = i;
        else if (op->call == SHIM_SYNC_DIR)
            synced[SHIM_FILES] = i;
    }
    for (size_t i = 0; i < count; i++) {
        const struct shim_op *op = &from->ops[i];
        bool name = op->call == SHIM_OPEN || op->call == SHIM_RENAME ||
                    op->call == SHIM_UNLINK;
        size_t until = name            ? synced[SHIM_FILES]
                       : op->file >= 0 ? synced[op->file]
                                       : 0;

        shim_replay(to, op, i < until ? SHIM_KEPT : fate, &seed);
    }
    for (int i = 0; i < to->file_count; i++) {
        struct shim_file *file = &to->files[i];

        file->base = mem_alloc(file->size);
        if (file->size > 0)
            memcpy(file->base, file->bytes, file->size);
        file->base_size = file->size;
        memcpy(file->base_name, file->name, sizeof(file->name));
    }
    return to;
}

#endif
