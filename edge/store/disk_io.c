/* The system's calls, and loops around what may come short. */
#include "store/disk_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int
system_open_dir(struct disk_io *io, const char *path)
{
    (void)io;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
system_open(struct disk_io *io, int dir, const char *name, int flags)
{
    (void)io;
    return openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void
system_close(struct disk_io *io, int fd)
{
    (void)io;
    close(fd);
}

static int
system_lock(struct disk_io *io, int fd)
{
    (void)io;
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int64_t
system_size(struct disk_io *io, int fd)
{
    struct stat info;

    (void)io;
    if (fstat(fd, &info) != 0)
        return -1;
    if (!S_ISREG(info.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return info.st_size;
}

static ssize_t
system_pread(struct disk_io *io, int fd, void *bytes, size_t len,
             uint64_t offset, bool now)
{
    struct iovec part = {bytes, len};

    (void)io;
    ssize_t n = preadv2(fd, &part, 1, (off_t)offset, now ? RWF_NOWAIT : 0);

    /* A file system that cannot tell (tmpfs) may make wait. */
    if (n < 0 && now && errno == EOPNOTSUPP)
        errno = EAGAIN;
    return n;
}

static ssize_t
system_pwritev(struct disk_io *io, int fd, const struct iovec *parts, int count,
               uint64_t offset)
{
    (void)io;
    return pwritev(fd, parts, count, (off_t)offset);
}

static int
system_datasync(struct disk_io *io, int fd)
{
    (void)io;
    return fdatasync(fd);
}

static int
system_truncate(struct disk_io *io, int fd, uint64_t size)
{
    (void)io;
    return ftruncate(fd, (off_t)size);
}

static int
system_allocate(struct disk_io *io, int fd, uint64_t size)
{
    (void)io;
    if (fallocate(fd, 0, 0, (off_t)size) == 0)
        return 0;
    /* A file system that cannot promise room has at least the size. */
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return ftruncate(fd, (off_t)size);
    return -1;
}

static int
system_unlink(struct disk_io *io, int dir, const char *name)
{
    (void)io;
    return unlinkat(dir, name, 0);
}

static int
system_rename(struct disk_io *io, int dir, const char *from, const char *to)
{
    (void)io;
    return renameat(dir, from, dir, to);
}

static int
system_list(struct disk_io *io, int dir,
            void (*name)(void *arg, const char *name), void *arg)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;

    (void)io;
    if (fd < 0)
        return -1;
    DIR *stream = fdopendir(fd);

    if (stream == NULL) {
        close(fd);
        return -1;
    }
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            name(arg, entry->d_name);
        errno = 0;
    }
    int failed = errno;

    closedir(stream);
    errno = failed;
    return failed == 0 ? 0 : -1;
}

static int
system_sync_dir(struct disk_io *io, int dir)
{
    (void)io;
    return fsync(dir);
}

struct disk_io *
disk_io_system(void)
{
    static struct disk_io io = {
        .open_dir = system_open_dir,
        .open = system_open,
        .close = system_close,
        .lock = system_lock,
        .size = system_size,
        .pread = system_pread,
        .pwritev = system_pwritev,
        .datasync = system_datasync,
        .truncate = system_truncate,
        .allocate = system_allocate,
        .unlink = system_unlink,
        .rename = system_rename,
        .list = system_list,
        .sync_dir = system_sync_dir,
    };

    return &io;
}

int
disk_io_read(struct disk_io *io, int fd, void *bytes, size_t len,
             uint64_t offset, bool now)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t n = io->pread(io, fd, at, len, offset, now);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return now && errno == EOPNOTSUPP ? EAGAIN : errno;
        if (n == 0)
            return EIO; /* the file is shorter than what was written to it */
        /* A short count is of pages that were there: the next try tells. */
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int
disk_io_write(struct disk_io *io, int fd, struct iovec parts[2],
              uint64_t offset)
{
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        int first = parts[0].iov_len == 0;
        ssize_t n = io->pwritev(io, fd, parts + first, 2 - first, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        offset += (uint64_t)n;
        for (int i = first; i < 2; i++) {
            size_t done =
                (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;

            if (done > 0)
                parts[i].iov_base = (char *)parts[i].iov_base + done;
            parts[i].iov_len -= done;
            n -= (ssize_t)done;
        }
    }
    return 0;
}
