/* A store's directory: locked, recognised or made, and its index read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "disk_open_internal.h"

#define LOCK_NAME "lock"
#define FORMAT_NAME "format"
#define FORMAT_NEW "format.new"

struct listing {
    uint32_t *numbers; /* of segments, in order */
    size_t count;
    size_t capacity;
    size_t foreign;
    char *example; /* the name of something foreign */
};

static void
list_name(void *arg, const char *name)
{
    struct listing *listing = arg;
    uint32_t number;

    if (disk_segment_number(name, &number)) {
        MEM_GROW(listing->numbers, listing->count, listing->capacity);
        listing->numbers[listing->count++] = number;
        return;
    }
    if (strcmp(name, LOCK_NAME) == 0 || strcmp(name, FORMAT_NAME) == 0 ||
        strcmp(name, FORMAT_NEW) == 0)
        return;
    listing->foreign++;
    if (listing->example == NULL)
        listing->example = mem_strdup(name);
}

static void
listing_fini(struct listing *listing)
{
    free(listing->numbers);
    free(listing->example);
}

static int
by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static enum err
problem_errno(const struct disk *disk, struct buf *problem, const char *what,
              const char *name, int error)
{
    buf_printf(problem,
               "%s%s%s: %s: %s; see that the directory is there, is "
               "this user's, and that its disk works",
               disk->path, name[0] ? "/" : "", name, what, strerror(error));
    return ERR_IO;
}

static enum err
lock_directory(struct disk *disk, struct buf *problem)
{
    disk->dir = disk->io->open_dir(disk->io, disk->path);
    if (disk->dir < 0)
        return problem_errno(disk, problem, "cannot be opened", "", errno);
    disk->lock_fd =
        disk->io->open(disk->io, disk->dir, LOCK_NAME, O_RDWR | O_CREAT);
    if (disk->lock_fd < 0)
        return problem_errno(disk, problem, "cannot be made", LOCK_NAME, errno);
    if (disk->io->lock(disk->io, disk->lock_fd) == 0)
        return ERR_OK;
    if (errno != EWOULDBLOCK)
        return problem_errno(disk, problem, "cannot be locked", LOCK_NAME,
                             errno);
    buf_printf(problem,
               "%s: another process has this store open; stop it, or give "
               "each node a directory of its own",
               disk->path);
    return ERR_REFUSED;
}

/* Makes the format file, durably and in one step (D6). */
static enum err
make_format(struct disk *disk, struct buf *problem)
{
    struct disk_super *super = &disk->super;
    struct iovec parts[2] = {{super, sizeof(*super)}, {NULL, 0}};
    int error = 0;

    memset(super, 0, sizeof(*super));
    secret_random(&super->id, sizeof(super->id));
    secret_random(&super->seed, sizeof(super->seed));
    disk_super_seal(super);
    int fd = disk->io->open(disk->io, disk->dir, FORMAT_NEW,
                            O_RDWR | O_CREAT | O_TRUNC);

    if (fd < 0)
        return problem_errno(disk, problem, "cannot be made", FORMAT_NEW,
                             errno);
    error = disk_io_write(disk->io, fd, parts, 0);
    if (error == 0 && disk->io->datasync(disk->io, fd) != 0)
        error = errno;
    disk->io->close(disk->io, fd);
    if (error == 0 &&
        disk->io->rename(disk->io, disk->dir, FORMAT_NEW, FORMAT_NAME) != 0)
        error = errno;
    if (error == 0 && disk->io->sync_dir(disk->io, disk->dir) != 0)
        error = errno;
    return error == 0 ? ERR_OK
                      : problem_errno(disk, problem, "cannot be written",
                                      FORMAT_NEW, error);
}

static enum err
check_format(struct disk *disk, int fd, struct buf *problem)
{
    int64_t size = disk->io->size(disk->io, fd);
    size_t len = sizeof(disk->super);

    if (size < 0)
        return problem_errno(disk, problem, "cannot be read", FORMAT_NAME,
                             errno);
    if ((uint64_t)size < len)
        len = (size_t)size;
    int error = disk_io_read(disk->io, fd, &disk->super, len, 0, false);
    const char *what = NULL;

    if (error != 0)
        return problem_errno(disk, problem, "cannot be read", FORMAT_NAME,
                             error);
    switch (disk_super_check(&disk->super, len)) {
    case DISK_OURS:
        return ERR_OK;
    case DISK_DAMAGED:
        what = "is damaged";
        break;
    case DISK_OTHER_VERSION:
        what = "is of another version of this program";
        break;
    case DISK_FOREIGN:
        what = "is not that of a store";
        break;
    }
    buf_printf(problem,
               "%s/" FORMAT_NAME ": %s; name another directory, or remove "
               "all that is in this one to begin with an empty store",
               disk->path, what);
    return ERR_CONFIG;
}

static enum err
read_format(struct disk *disk, const struct listing *listing,
            struct buf *problem)
{
    int fd = disk->io->open(disk->io, disk->dir, FORMAT_NAME, O_RDONLY);
    enum err err;

    if (fd >= 0) {
        err = check_format(disk, fd, problem);
        disk->io->close(disk->io, fd);
        return err;
    }
    if (errno != ENOENT)
        return problem_errno(disk, problem, "cannot be opened", FORMAT_NAME,
                             errno);
    if (listing->count == 0 && listing->foreign == 0)
        return make_format(disk, problem);
    buf_printf(problem,
               "%s: is neither empty nor a store (it has %s, and no file "
               "\"" FORMAT_NAME "\"); name an empty directory",
               disk->path, listing->foreign ? listing->example : "segments");
    return ERR_CONFIG;
}

enum err
disk_open_directory(struct disk *disk, uint32_t **numbers, size_t *count,
                    struct buf *problem)
{
    struct listing listing = {0};
    enum err err = lock_directory(disk, problem);

    if (err == ERR_OK &&
        disk->io->list(disk->io, disk->dir, list_name, &listing) != 0)
        err = problem_errno(disk, problem, "cannot be listed", "", errno);
    if (err == ERR_OK)
        err = read_format(disk, &listing, problem);
    if (err == ERR_OK && listing.foreign > 0) {
        DISK_COUNT(disk, foreign, listing.foreign);
        LOG(LOG_WARN,
            "%s: %zu files in this store are not its own, and are left alone "
            "(%s): move them elsewhere",
            disk->path, listing.foreign, listing.example);
    }
    if (listing.count > 0)
        qsort(listing.numbers, listing.count, sizeof(*listing.numbers),
              by_number);
    *numbers = listing.numbers;
    *count = listing.count;
    listing.numbers = NULL;
    listing_fini(&listing);
    return err;
}
