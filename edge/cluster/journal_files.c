#include "journal_files_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FILE_NAME "invalidations."
#define FILE_BYTES ((uint64_t)4 * 1024 * 1024)
#define FILES_MAX 4

struct journal_files {
    char *folder;
    uint32_t *numbers; /* of the files that are there, in order */
    size_t count;
    size_t capacity;
    int fd; /* the last one; -1: none */
    uint64_t size;
};

struct journal_files *
journal_files_new(const char *folder)
{
    struct journal_files *files = mem_zalloc(sizeof(*files));

    files->folder = mem_strdup(folder);
    files->fd = -1;
    return files;
}

void
journal_files_free(struct journal_files **files)
{
    struct journal_files *f = *files;

    *files = NULL;
    if (f == NULL)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->numbers);
    free(f->folder);
    free(f);
}

const char *
journal_files_folder(const struct journal_files *files)
{
    return files->folder;
}

static char *
path_of(const struct journal_files *files, uint32_t number)
{
    return mem_printf("%s/" FILE_NAME "%08x", files->folder, number);
}

/* ---- what is there ---- */

static bool
number_of(const char *name, uint32_t *number)
{
    char again[32];
    char *end;

    if (strncmp(name, FILE_NAME, strlen(FILE_NAME)) != 0)
        return false;
    unsigned long value = strtoul(name + strlen(FILE_NAME), &end, 16);

    if (value == 0 || value > UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    snprintf(again, sizeof(again), FILE_NAME "%08x", *number);
    return strcmp(again, name) == 0;
}

static int
by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static int
list(struct journal_files *files)
{
    DIR *dir = opendir(files->folder);
    uint32_t number;

    if (dir == NULL)
        return errno;
    files->count = 0;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (!number_of(e->d_name, &number))
            continue;
        MEM_GROW(files->numbers, files->count, files->capacity);
        files->numbers[files->count++] = number;
    }
    closedir(dir);
    if (files->count > 1)
        qsort(files->numbers, files->count, sizeof(*files->numbers), by_number);
    return 0;
}

static int
sync_folder(const struct journal_files *files)
{
    int fd = open(files->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = 0;

    if (fd < 0)
        return errno;
    if (fsync(fd) != 0)
        failed = errno;
    close(fd);
    return failed;
}

/* ---- reading ---- */

static int
read_all(int fd, struct buf *text)
{
    struct stat info;
    ssize_t n = 1;

    if (fstat(fd, &info) != 0)
        return errno;
    buf_reserve(text, (size_t)info.st_size + 1);
    while (n > 0 && text->len < (size_t)info.st_size) {
        n = pread(fd, text->data + text->len, (size_t)info.st_size - text->len,
                  (off_t)text->len);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            text->len += (size_t)n;
        else if (n < 0)
            n = 1;
    }
    return 0;
}

static int
read_one(struct journal_files *files, size_t index, journal_take_fn take,
         void *arg, bool *cut)
{
    char *path = path_of(files, files->numbers[index]);
    bool last = index + 1 == files->count;
    int fd = open(path, (last ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC |
                            O_NOFOLLOW);
    int failed = fd < 0 ? errno : 0;
    struct buf text = {0};

    free(path);
    if (failed == 0)
        failed = read_all(fd, &text);
    size_t good = failed == 0 ? take(arg, buf_span(&text)) : 0;

    if (failed == 0 && last) {
        *cut = good < text.len;
        if (*cut && ftruncate(fd, (off_t)good) != 0)
            failed = errno;
        files->fd = fd;
        files->size = good;
    } else if (fd >= 0) {
        close(fd);
    }
    buf_fini(&text);
    return failed;
}

int
journal_files_read(struct journal_files *files, journal_take_fn take, void *arg,
                   bool *cut)
{
    int failed = list(files);

    *cut = false;
    for (size_t i = 0; failed == 0 && i < files->count; i++)
        failed = read_one(files, i, take, arg, cut);
    return failed;
}

/* ---- writing ---- */

static int
write_all(int fd, const struct buf *text)
{
    size_t done = 0;

    while (done < text->len) {
        ssize_t n = write(fd, text->data + done, text->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        done += (size_t)n;
    }
    return fdatasync(fd) == 0 ? 0 : errno;
}

static int
make_next(struct journal_files *files, const struct buf *head)
{
    uint32_t number =
        files->count > 0 ? files->numbers[files->count - 1] + 1 : 1;
    char *path = path_of(files, number);
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    int failed = fd < 0 ? errno : write_all(fd, head);

    free(path);
    if (failed == 0)
        failed = sync_folder(files);
    if (failed != 0) {
        if (fd >= 0)
            close(fd);
        return failed;
    }
    if (files->fd >= 0)
        close(files->fd);
    files->fd = fd;
    files->size = head->len;
    MEM_GROW(files->numbers, files->count, files->capacity);
    files->numbers[files->count++] = number;
    return 0;
}

static bool
remove_first(struct journal_files *files)
{
    char *path = path_of(files, files->numbers[0]);
    bool gone = unlink(path) == 0 || errno == ENOENT;

    free(path);
    if (!gone)
        return false;
    files->count--;
    memmove(files->numbers, files->numbers + 1,
            files->count * sizeof(*files->numbers));
    return true;
}

bool
journal_files_remove(struct journal_files *files)
{
    while (files->count > 0) {
        if (!remove_first(files))
            return false;
    }
    return sync_folder(files) == 0;
}

int
journal_files_begin(struct journal_files *files, const struct buf *head)
{
    if (!journal_files_remove(files))
        return errno;
    return make_next(files, head);
}

int
journal_files_next(struct journal_files *files, const struct buf *head)
{
    return make_next(files, head);
}

bool
journal_files_full(const struct journal_files *files, size_t more)
{
    return files->size + more > FILE_BYTES;
}

int
journal_files_write(struct journal_files *files, const struct buf *group,
                    const struct buf *head)
{
    int failed = write_all(files->fd, group);

    if (failed != 0)
        return failed;
    files->size += group->len;
    if (head->len == 0)
        return 0;
    failed = make_next(files, head);
    /* One that cannot be removed is no harm: it is read once more. */
    while (failed == 0 && files->count > FILES_MAX && remove_first(files)) {
    }
    return failed;
}
