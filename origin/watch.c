#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "origin.h"

#define GATHER_MS 20
#define CHANGED_MAX 1000
#define NOTES 4096 /* a power of two */
#define EVENTS                                                                 \
    (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE |          \
     IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW)

/* A folder that is watched. Watch descriptors only go up, so that the array
 * is ordered by them. */
struct folder {
    int wd;
    char *text; /* relative to the root; NULL: watched no more */
};

/* What we made of a path ourselves. A cache: where two paths share a slot,
 * the worst is that a change is told twice. */
struct note {
    struct hash128 path;
    bool gone;
    ino_t inode;
    struct timespec modified;
};

struct watch {
    struct origin *origin;
    int fd;
    uv_poll_t poll;
    struct folder *folders;
    size_t folder_count, folder_cap;
    char **changed; /* paths to be told */
    size_t changed_count, changed_cap;
    struct timer *gather;
    struct note notes[NOTES];
};

/* ---- notes ---- */

static struct note *
note_of(struct watch *watch, struct hash128 path)
{
    return &watch->notes[path.lo & (NOTES - 1)];
}

static struct hash128
path_hash(const char *text)
{
    return hash_bytes(span_of(text), hash_seed());
}

void
watch_note(struct watch *watch, const char *text, const struct stat *st)
{
    if (watch == NULL)
        return;
    struct hash128 path = path_hash(text);
    struct note *note = note_of(watch, path);

    *note = (struct note){.path = path, .gone = st == NULL};
    if (st != NULL) {
        note->inode = st->st_ino;
        note->modified = st->st_mtim;
    }
}

static bool
is_ours(struct watch *watch, const char *text, const struct stat *st)
{
    struct hash128 path = path_hash(text);
    const struct note *note = note_of(watch, path);

    if (!hash_eq(note->path, path) || note->gone != (st == NULL))
        return false;
    return st == NULL || (note->inode == st->st_ino &&
                          note->modified.tv_sec == st->st_mtim.tv_sec &&
                          note->modified.tv_nsec == st->st_mtim.tv_nsec);
}

/* ---- telling ---- */

static void
tell(struct watch *watch, const char *text)
{
    struct policy policy = {0};
    struct stat st;
    int fd = path_open(watch->origin->root_fd, text, O_PATH);
    bool there = fd >= 0 && fstat(fd, &st) == 0;

    if (fd >= 0)
        close(fd);
    if ((there && !S_ISREG(st.st_mode)) ||
        is_ours(watch, text, there ? &st : NULL))
        return;
    files_policy(watch->origin, text, &policy);
    files_announce(watch->origin, text, &policy, NULL, !there, NULL, NULL);
    policy_fini(&policy);
    /* What was told need not be told again until it changes. */
    watch_note(watch, text, there ? &st : NULL);
}

static void
tell_all(void *arg)
{
    struct watch *watch = arg;
    size_t count = watch->changed_count;

    watch->changed_count = 0;
    for (size_t i = 0; i < count; i++) {
        tell(watch, watch->changed[i]);
        free(watch->changed[i]);
    }
}

/* Takes the text. */
static void
add_changed(struct watch *watch, char *text)
{
    for (size_t i = 0; i < watch->changed_count; i++) {
        if (strcmp(watch->changed[i], text) == 0) {
            free(text);
            return;
        }
    }
    if (watch->changed_count == CHANGED_MAX)
        tell_all(watch);
    MEM_GROW(watch->changed, watch->changed_count, watch->changed_cap);
    watch->changed[watch->changed_count++] = text;
    if (!timer_running(watch->gather))
        timer_start(watch->gather, GATHER_MS);
}

/* ---- folders ---- */

static char *
join(const char *folder, const char *name)
{
    return mem_printf("%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);
}

static bool
hidden(const char *name)
{
    return name[0] == '.' && strcmp(name, ".well-known") != 0;
}

static bool
add_watch(struct watch *watch, const char *text)
{
    char *path = mem_printf("%s/%s", watch->origin->settings->root, text);
    int wd = inotify_add_watch(watch->fd, path, EVENTS);
    int error = errno;

    free(path);
    if (wd < 0 && (error == ENOENT || error == ENOTDIR))
        return true; /* it is gone already */
    if (wd < 0) {
        LOG(LOG_ERROR, "cannot watch \"%s\": %s%s", text, strerror(error),
            error == ENOSPC ? "; raise fs.inotify.max_user_watches" : "");
        return false;
    }
    if (watch->folder_count > 0 &&
        wd <= watch->folders[watch->folder_count - 1].wd)
        return true; /* watched already */
    MEM_GROW(watch->folders, watch->folder_count, watch->folder_cap);
    watch->folders[watch->folder_count++] =
        (struct folder){wd, mem_strdup(text)};
    return true;
}

/* Looks through one folder: its own folders go onto the stack, its files are
 * told when `changed`. */
static void
scan(struct watch *watch, const char *text, bool changed, struct buf *stack)
{
    int fd = path_open(watch->origin->root_fd, text,
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (dir == NULL && fd >= 0)
        close(fd);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct stat st;

        if (hidden(entry->d_name) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        char *path = join(text, entry->d_name);

        if (S_ISDIR(st.st_mode))
            buf_add(stack, path, strlen(path) + 1);
        if (changed && !S_ISDIR(st.st_mode))
            add_changed(watch, path);
        else
            free(path);
    }
    if (dir != NULL)
        closedir(dir);
}

/* Watches a folder and all below it. */
static bool
add_tree(struct watch *watch, const char *text, bool changed)
{
    struct buf stack = {0}; /* NUL-terminated paths, one after the other */
    bool good = true;

    buf_add(&stack, text, strlen(text) + 1);
    while (good && stack.len > 0) {
        size_t start = stack.len - 1;

        while (start > 0 && stack.data[start - 1] != '\0')
            start--;
        char *top = mem_strdup(stack.data + start);

        stack.len = start;
        /* First the watch, so that nothing is missed between the two. */
        good = add_watch(watch, top);
        if (good)
            scan(watch, top, changed, &stack);
        free(top);
    }
    buf_fini(&stack);
    return good;
}

static int
compare(const void *key, const void *element)
{
    int wd = *(const int *)key;
    const struct folder *folder = element;

    return (wd > folder->wd) - (wd < folder->wd);
}

static void
compact(struct watch *watch)
{
    size_t kept = 0;

    for (size_t i = 0; i < watch->folder_count; i++) {
        if (watch->folders[i].text != NULL)
            watch->folders[kept++] = watch->folders[i];
    }
    watch->folder_count = kept;
}

static struct folder *
find_folder(struct watch *watch, int wd)
{
    if (watch->folder_count == 0)
        return NULL;
    return bsearch(&wd, watch->folders, watch->folder_count,
                   sizeof(*watch->folders), compare);
}

/* A folder that was moved keeps its watch under a name that is not its own any
 * more: it and those below are let go, and found anew if they are still in the
 * root. */
static void
let_go(struct watch *watch, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < watch->folder_count; i++) {
        struct folder *folder = &watch->folders[i];

        if (folder->text == NULL || strncmp(folder->text, text, len) != 0 ||
            (folder->text[len] != '\0' && folder->text[len] != '/'))
            continue;
        inotify_rm_watch(watch->fd, folder->wd);
        free(folder->text);
        folder->text = NULL;
    }
}

/* ---- events ---- */

static void
folder_event(struct watch *watch, const char *text, uint32_t mask)
{
    if (mask & (IN_MOVED_FROM | IN_DELETE)) {
        if (mask & IN_MOVED_FROM)
            files_announce_folder(watch->origin, text);
        let_go(watch, text);
    }
    if (mask & (IN_MOVED_TO | IN_CREATE))
        add_tree(watch, text, true);
}

static void
take_event(struct watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        LOG(LOG_WARN, "more changed on the disk than the kernel could tell: "
                      "everything is invalidated");
        files_announce_folder(watch->origin, "");
        add_tree(watch, "", false);
        return;
    }
    struct folder *folder = find_folder(watch, event->wd);

    if (folder == NULL)
        return;
    if (event->mask & IN_IGNORED) {
        free(folder->text);
        folder->text = NULL;
        return;
    }
    if (folder->text == NULL || event->len == 0 || hidden(event->name))
        return;
    char *text = join(folder->text, event->name);

    if (event->mask & IN_ISDIR) {
        folder_event(watch, text, event->mask);
        free(text);
    } else {
        add_changed(watch, text);
    }
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    _Alignas(struct inotify_event) char data[16384];
    ssize_t n;

    (void)status;
    (void)events;
    while ((n = read(watch->fd, data, sizeof(data))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event =
                (const struct inotify_event *)(void *)(data + at);

            take_event(watch, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    compact(watch);
}

/* ---- life ---- */

static void
on_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;

    close(watch->fd);
    for (size_t i = 0; i < watch->folder_count; i++)
        free(watch->folders[i].text);
    for (size_t i = 0; i < watch->changed_count; i++)
        free(watch->changed[i]);
    free(watch->folders);
    free(watch->changed);
    free(watch);
}

void
watch_free(struct watch **watch)
{
    if (*watch == NULL)
        return;
    timer_free(&(*watch)->gather);
    uv_close((uv_handle_t *)&(*watch)->poll, on_closed);
    *watch = NULL;
}

struct watch *
watch_new(struct origin *origin)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0) {
        LOG(LOG_ERROR,
            "cannot watch the root: %s; raise "
            "fs.inotify.max_user_instances",
            strerror(errno));
        return NULL;
    }
    struct watch *watch = mem_zalloc(sizeof(*watch));

    watch->origin = origin;
    watch->fd = fd;
    watch->gather = timer_new(origin->loop, tell_all, watch);
    CHECK(uv_poll_init(loop_uv(origin->loop), &watch->poll, fd) == 0);
    watch->poll.data = watch;
    if (!add_tree(watch, "", false)) {
        watch_free(&watch);
        return NULL;
    }
    CHECK(uv_poll_start(&watch->poll, UV_READABLE, on_readable) == 0);
    return watch;
}
