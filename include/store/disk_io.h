/*
 * What the disk store asks of the operating system, as a table of functions:
 * tests put another in its place, which fails, tears and forgets.
 *
 * Each does what the call of its name does, and answers as that: a count or a
 * descriptor, or -1 and errno. All files are in one directory, and are named
 * by its descriptor and a name. The store copes with short counts and EINTR.
 * Any thread.
 */
#ifndef STORE_DISK_IO_H
#define STORE_DISK_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct disk_io {
    /* Makes the directory when it is missing (its parent must be there). */
    int (*open_dir)(struct disk_io *io, const char *path);
    int (*open)(struct disk_io *io, int dir, const char *name, int flags);
    void (*close)(struct disk_io *io, int fd);
    /* An exclusive lock that goes with the descriptor. EWOULDBLOCK: another
     * has it. */
    int (*lock)(struct disk_io *io, int fd);
    int64_t (*size)(struct disk_io *io, int fd);
    /* `now`: EAGAIN rather than wait for the disk (RWF_NOWAIT); a short count
     * then says that what follows is not in memory. */
    ssize_t (*pread)(struct disk_io *io, int fd, void *bytes, size_t len,
                     uint64_t offset, bool now);
    ssize_t (*pwritev)(struct disk_io *io, int fd, const struct iovec *parts,
                       int count, uint64_t offset);
    int (*datasync)(struct disk_io *io, int fd);
    int (*truncate)(struct disk_io *io, int fd, uint64_t size);
    /* Room for [0, size), which reads as zeros. */
    int (*allocate)(struct disk_io *io, int fd, uint64_t size);
    int (*unlink)(struct disk_io *io, int dir, const char *name);
    int (*rename)(struct disk_io *io, int dir, const char *from,
                  const char *to);
    /* Calls back for each name but "." and "..". */
    int (*list)(struct disk_io *io, int dir,
                void (*name)(void *arg, const char *name), void *arg);
    int (*sync_dir)(struct disk_io *io, int dir);
};

/* The system's. Static. */
struct disk_io *disk_io_system(void);

/* All `len` bytes, or an errno: EIO when the file ends before. */
int disk_io_read(struct disk_io *io, int fd, void *bytes, size_t len,
                 uint64_t offset, bool now);
/* All of both parts, one behind the other, or an errno. */
int disk_io_write(struct disk_io *io, int fd, struct iovec parts[2],
                  uint64_t offset);

#endif
