/*
 * A disk for the tests of the disk store: files in memory, which fail when told
 * to, and which remember every change, so that a test may see what a power
 * failure after any of them would leave (disk_power.h).
 * One thread.
 */
#ifndef TEST_STORE_DISK_SHIM_H
#define TEST_STORE_DISK_SHIM_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/disk_io.h"

#define SHIM_FILES 512
#define SHIM_SECTOR 512

enum shim_call {
    SHIM_OPEN_DIR,
    SHIM_OPEN,
    SHIM_LOCK,
    SHIM_SIZE,
    SHIM_READ,
    SHIM_WRITE,
    SHIM_SYNC,
    SHIM_TRUNCATE,
    SHIM_ALLOCATE,
    SHIM_UNLINK,
    SHIM_RENAME,
    SHIM_LIST,
    SHIM_SYNC_DIR,
    SHIM_CALLS
};

struct shim_file {
    char name[32]; /* "": it has none any more */
    char *bytes;
    uint64_t size;
    char *base; /* what it began with, which is durable */
    uint64_t base_size;
    char base_name[32];
    bool locked;
};

/* A change, or what makes changes durable. */
struct shim_op {
    enum shim_call call;
    int file;
    char name[32];   /* OPEN (made), RENAME: the new name */
    uint64_t offset; /* or the size */
    size_t len;
    char *bytes;
};

struct shim {
    struct disk_io io;
    struct shim_file files[SHIM_FILES];
    int file_count;
    int fds[SHIM_FILES * 2]; /* 1 + file; 0: closed */
    struct shim_op *ops;
    size_t op_count;
    size_t op_capacity;

    /* Faults: the call after `after` more of its kind fails, and those behind
     * it as well when it is `lasting`. */
    enum shim_call fault_call; /* SHIM_CALLS: any */
    int fault_error;           /* 0: none */
    long fault_after;
    bool fault_lasting;
    size_t faults;
    /* Called in the middle of a write; of one with a second part of that
     * length, when it is not 0. */
    void (*on_write)(void *arg);
    void *on_write_arg;
    size_t on_write_len;
    bool cold;         /* DISK_NOW finds nothing in memory */
    unsigned short_by; /* each n-th read or write is cut short; 0: none */
    unsigned cut;
};

static inline struct shim *
shim_of(struct disk_io *io)
{
    return CONTAINER_OF(io, struct shim, io);
}

static inline bool
shim_fails(struct shim *shim, enum shim_call call)
{
    if (shim->fault_error == 0 ||
        (shim->fault_call != SHIM_CALLS && shim->fault_call != call))
        return false;
    if (shim->fault_after-- > 0)
        return false;
    errno = shim->fault_error;
    shim->faults++;
    if (!shim->fault_lasting)
        shim->fault_error = 0;
    return true;
}

static inline void
shim_fault(struct shim *shim, enum shim_call call, int error, long after,
           bool lasting)
{
    shim->fault_call = call;
    shim->fault_error = error;
    shim->fault_after = after;
    shim->fault_lasting = lasting;
}

static inline struct shim_op *
shim_note(struct shim *shim, enum shim_call call, int file)
{
    MEM_GROW(shim->ops, shim->op_count, shim->op_capacity);
    struct shim_op *op = &shim->ops[shim->op_count++];

    memset(op, 0, sizeof(*op));
    op->call = call;
    op->file = file;
    return op;
}

static inline int
shim_find(const struct shim *shim, const char *name)
{
    for (int i = 0; i < shim->file_count; i++) {
        if (strcmp(shim->files[i].name, name) == 0)
            return i;
    }
    return -1;
}

static inline struct shim_file *
shim_file(struct shim *shim, int fd)
{
    CHECK(fd >= 0 && fd < SHIM_FILES * 2 && shim->fds[fd] > 0);
    return &shim->files[shim->fds[fd] - 1];
}

static inline void
shim_resize(struct shim_file *file, uint64_t size)
{
    if (size > file->size) {
        file->bytes = mem_realloc(file->bytes, size);
        memset(file->bytes + file->size, 0, size - file->size);
    }
    file->size = size;
}

static inline void
shim_put(struct shim_file *file, const char *bytes, size_t len, uint64_t offset)
{
    if (offset + len > file->size)
        shim_resize(file, offset + len);
    if (len > 0)
        memcpy(file->bytes + offset, bytes, len);
}

static inline int
shim_open_dir(struct disk_io *io, const char *path)
{
    (void)path;
    return shim_fails(shim_of(io), SHIM_OPEN_DIR) ? -1 : 1 << 20;
}

static inline int
shim_make(struct shim *shim, const char *name)
{
    int file = shim->file_count++;

    CHECK(file < SHIM_FILES);
    snprintf(shim->files[file].name, sizeof(shim->files[file].name), "%s",
             name);
    return file;
}

static inline int
shim_open(struct disk_io *io, int dir, const char *name, int flags)
{
    struct shim *shim = shim_of(io);
    int file = shim_find(shim, name);

    (void)dir;
    if (shim_fails(shim, SHIM_OPEN))
        return -1;
    if (file < 0 && !(flags & O_CREAT)) {
        errno = ENOENT;
        return -1;
    }
    if (file >= 0 && (flags & O_EXCL)) {
        errno = EEXIST;
        return -1;
    }
    if (file < 0) {
        file = shim_make(shim, name);
        struct shim_op *op = shim_note(shim, SHIM_OPEN, file);

        snprintf(op->name, sizeof(op->name), "%s", name);
    } else if (flags & O_TRUNC) {
        shim_resize(&shim->files[file], 0);
        shim_note(shim, SHIM_TRUNCATE, file);
    }
    int fd = 0;

    while (shim->fds[fd] != 0)
        CHECK(++fd < SHIM_FILES * 2);
    shim->fds[fd] = file + 1;
    return fd;
}

static inline void
shim_close(struct disk_io *io, int fd)
{
    struct shim *shim = shim_of(io);

    if (fd == 1 << 20)
        return;
    shim_file(shim, fd)->locked = false; /* locked files are opened once */
    shim->fds[fd] = 0;
}

static inline int
shim_lock(struct disk_io *io, int fd)
{
    struct shim_file *file = shim_file(shim_of(io), fd);

    if (shim_fails(shim_of(io), SHIM_LOCK))
        return -1;
    file->locked = true;
    return 0;
}

static inline int64_t
shim_size(struct disk_io *io, int fd)
{
    if (shim_fails(shim_of(io), SHIM_SIZE))
        return -1;
    return (int64_t)shim_file(shim_of(io), fd)->size;
}

/* How much of `len` bytes a call does. */
static inline size_t
shim_cut(struct shim *shim, size_t len)
{
    if (shim->short_by == 0 || len < 2 || ++shim->cut % shim->short_by != 0)
        return len;
    return len / 2;
}

static inline ssize_t
shim_pread(struct disk_io *io, int fd, void *bytes, size_t len, uint64_t offset,
           bool now)
{
    struct shim *shim = shim_of(io);
    const struct shim_file *file = shim_file(shim, fd);

    if (shim_fails(shim, SHIM_READ))
        return -1;
    if (now && shim->cold) {
        errno = EAGAIN;
        return -1;
    }
    if (offset >= file->size)
        return 0;
    if (len > file->size - offset)
        len = (size_t)(file->size - offset);
    len = shim_cut(shim, len);
    memcpy(bytes, file->bytes + offset, len);
    return (ssize_t)len;
}

static inline ssize_t
shim_pwritev(struct disk_io *io, int fd, const struct iovec *parts, int count,
             uint64_t offset)
{
    struct shim *shim = shim_of(io);
    struct shim_file *file = shim_file(shim, fd);
    size_t len = 0;
    char *bytes;

    if (shim_fails(shim, SHIM_WRITE))
        return -1;
    if (shim->on_write != NULL &&
        (shim->on_write_len == 0 ||
         (count == 2 && parts[1].iov_len == shim->on_write_len)))
        shim->on_write(shim->on_write_arg);
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    bytes = mem_alloc(len);
    len = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            memcpy(bytes + len, parts[i].iov_base, parts[i].iov_len);
        len += parts[i].iov_len;
    }
    len = shim_cut(shim, len);
    shim_put(file, bytes, len, offset);
    struct shim_op *op = shim_note(shim, SHIM_WRITE, shim->fds[fd] - 1);

    op->bytes = bytes;
    op->len = len;
    op->offset = offset;
    return (ssize_t)len;
}

static inline int
shim_datasync(struct disk_io *io, int fd)
{
    struct shim *shim = shim_of(io);

    if (shim_fails(shim, SHIM_SYNC))
        return -1;
    shim_note(shim, SHIM_SYNC, shim->fds[fd] - 1);
    return 0;
}

static inline int
shim_truncate(struct disk_io *io, int fd, uint64_t size)
{
    struct shim *shim = shim_of(io);

    if (shim_fails(shim, SHIM_TRUNCATE))
        return -1;
    shim_resize(shim_file(shim, fd), size);
    shim_note(shim, SHIM_TRUNCATE, shim->fds[fd] - 1)->offset = size;
    return 0;
}

static inline int
shim_allocate(struct disk_io *io, int fd, uint64_t size)
{
    struct shim *shim = shim_of(io);

    if (shim_fails(shim, SHIM_ALLOCATE))
        return -1;
    if (shim_file(shim, fd)->size < size)
        shim_resize(shim_file(shim, fd), size);
    shim_note(shim, SHIM_ALLOCATE, shim->fds[fd] - 1)->offset = size;
    return 0;
}

static inline int
shim_unlink(struct disk_io *io, int dir, const char *name)
{
    struct shim *shim = shim_of(io);
    int file = shim_find(shim, name);

    (void)dir;
    if (shim_fails(shim, SHIM_UNLINK))
        return -1;
    if (file < 0) {
        errno = ENOENT;
        return -1;
    }
    shim->files[file].name[0] = '\0';
    shim_note(shim, SHIM_UNLINK, file);
    return 0;
}

static inline int
shim_rename(struct disk_io *io, int dir, const char *from, const char *to)
{
    struct shim *shim = shim_of(io);
    int file = shim_find(shim, from);

    (void)dir;
    if (shim_fails(shim, SHIM_RENAME))
        return -1;
    CHECK(file >= 0 && shim_find(shim, to) < 0);
    struct shim_op *op = shim_note(shim, SHIM_RENAME, file);

    snprintf(op->name, sizeof(op->name), "%s", to);
    memcpy(shim->files[file].name, op->name, sizeof(op->name));
    return 0;
}

static inline int
shim_list(struct disk_io *io, int dir,
          void (*name)(void *arg, const char *name), void *arg)
{
    struct shim *shim = shim_of(io);

    (void)dir;
    if (shim_fails(shim, SHIM_LIST))
        return -1;
    for (int i = 0; i < shim->file_count; i++) {
        if (shim->files[i].name[0] != '\0')
            name(arg, shim->files[i].name);
    }
    return 0;
}

static inline int
shim_sync_dir(struct disk_io *io, int dir)
{
    (void)dir;
    if (shim_fails(shim_of(io), SHIM_SYNC_DIR))
        return -1;
    shim_note(shim_of(io), SHIM_SYNC_DIR, -1);
    return 0;
}

static inline struct shim *
shim_new(void)
{
    struct shim *shim = mem_zalloc(sizeof(*shim));

    shim->io = (struct disk_io){
        .open_dir = shim_open_dir,
        .open = shim_open,
        .close = shim_close,
        .lock = shim_lock,
        .size = shim_size,
        .pread = shim_pread,
        .pwritev = shim_pwritev,
        .datasync = shim_datasync,
        .truncate = shim_truncate,
        .allocate = shim_allocate,
        .unlink = shim_unlink,
        .rename = shim_rename,
        .list = shim_list,
        .sync_dir = shim_sync_dir,
    };
    return shim;
}

static inline void
shim_free(struct shim **shim)
{
    struct shim *s = *shim;

    *shim = NULL;
    if (s == NULL)
        return;
    for (int i = 0; i < s->file_count; i++) {
        free(s->files[i].bytes);
        free(s->files[i].base);
    }
    for (size_t i = 0; i < s->op_count; i++)
        free(s->ops[i].bytes);
    free(s->ops);
    free(s);
}

/* Bytes of all files, those that are only open included. */
static inline uint64_t
shim_used(const struct shim *shim)
{
    uint64_t sum = 0;

    for (int i = 0; i < shim->file_count; i++) {
        bool there = shim->files[i].name[0] != '\0';

        for (int fd = 0; fd < SHIM_FILES * 2 && !there; fd++)
            there = shim->fds[fd] == i + 1;
        if (there)
            sum += shim->files[i].size;
    }
    return sum;
}

#endif
