#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "answer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "http/date.h"
#include "origin.h"

/*
 * A PUT: the body goes to a temporary file in the folder of the resource,
 * which takes the resource's place when all of it is there. With "durable" it
 * is on the disk before that, and the folder's entry before the answer.
 */
struct upload {
    struct origin *origin;
    struct exchange *x; /* NULL: it has ended; only the sync is waited for */
    char text[PATH_SIZE];
    const char *name; /* the last segment of text */
    int folder_fd;
    int fd;
    char temporary[64]; /* "" when there is none */
    int status;         /* of an error; 0: none so far */
    const char *why;
    uv_fs_t sync;
    bool syncing;
};

static void
fail(struct upload *u, int status, const char *why)
{
    if (u->status == 0) {
        u->status = status;
        u->why = why;
    }
}

static void
fail_errno(struct upload *u, int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        fail(u, 507, "there is no space left for the resource");
        break;
    case ENOTDIR:
        fail(u, 409, "a file is where a folder is needed");
        break;
    case EISDIR:
    case ENOTEMPTY:
        fail(u, 409, "this is a folder");
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        fail(u, 403, "the folder may not be written to");
        break;
    case EXDEV:
    case ELOOP:
        fail(u, 404, "the path leads out of the root");
        break;
    case ENAMETOOLONG:
        fail(u, 414, "the path is too long");
        break;
    default:
        LOG(LOG_ERROR, "cannot write %s: %s", u->text, strerror(error));
        fail(u, 500, "the resource could not be written");
        break;
    }
}

static void
drop_temporary(struct upload *u)
{
    if (u->fd >= 0)
        close(u->fd);
    u->fd = -1;
    if (u->temporary[0] != '\0')
        (void)unlinkat(u->folder_fd, u->temporary, 0);
    u->temporary[0] = '\0';
}

static void
upload_free(struct upload *u)
{
    drop_temporary(u);
    if (u->folder_fd >= 0)
        close(u->folder_fd);
    free(u);
}

static void
on_free(struct exchange *x)
{
    struct upload *u = x->state;

    u->x = NULL;
    if (!u->syncing)
        upload_free(u);
}

static void
on_data(struct exchange *x, const void *data, size_t len)
{
    struct upload *u = x->state;
    const char *at = data;

    while (u->status == 0 && len > 0) {
        ssize_t n = write(u->fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_errno(u, errno);
            drop_temporary(u);
            return;
        }
        at += n;
        len -= (size_t)n;
    }
}

/* ---- the change itself ---- */

/* What the fields of the request set; false when they are malformed. */
static bool
take_settings(struct exchange *x, struct policy *set)
{
    static const char *const kept[] = {"Content-Type", "Content-Encoding",
                                       "Content-Language"};
    struct span value = fields_get(&x->request, SPAN("Atlas-Set-Tags"));
    bool good = value.ptr == NULL || policy_set_tags(set, value);

    value = fields_get(&x->request, SPAN("Atlas-Set-Cache-Control"));
    if (value.ptr != NULL)
        good = policy_set_cache_control(set, value) && good;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        value = fields_get(&x->request, span_of(kept[i]));
        if (value.ptr == NULL)
            value = SPAN("");
        good = policy_set_header(set, span_of(kept[i]), value) && good;
    }
    for (size_t i = 0; good && i < x->request.count; i++) {
        struct field f = x->request.list[i];
        size_t colon = span_find(f.value, ':', 0);

        if (!span_eq_nocase(f.name, SPAN("Atlas-Set-Header")))
            continue;
        good = colon < f.value.len &&
               policy_set_header(set, span_trim(span_sub(f.value, 0, colon)),
                                 span_sub(f.value, colon + 1, f.value.len));
    }
    return good;
}

/* Modification times never repeat, so that no entity tag does. */
static void
stamp(struct upload *u)
{
    struct origin *origin = u->origin;
    struct timespec now;
    struct timespec times[2];

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ns = (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec;

    if (ns <= origin->last_mtime_ns)
        ns = origin->last_mtime_ns + 1;
    origin->last_mtime_ns = ns;
    times[0].tv_sec = times[1].tv_sec = (time_t)(ns / (int64_t)NS_PER_S);
    times[0].tv_nsec = times[1].tv_nsec = (long)(ns % (int64_t)NS_PER_S);
    if (futimens(u->fd, times) != 0)
        LOG(LOG_WARN, "cannot set the time of %s: %s", u->text,
            strerror(errno));
}

static bool
look(struct upload *u, struct stat *st)
{
    if (fstatat(u->folder_fd, u->name, st, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (errno != ENOENT)
        fail_errno(u, errno);
    return false;
}

static bool
put_in_place(struct upload *u, const struct policy *set, struct stat *st)
{
    announce_intend(u->origin->announcer);
    stamp(u);
    if (fstat(u->fd, st) != 0) {
        fail_errno(u, errno);
        return false;
    }
    int error = meta_write(u->folder_fd, u->name, set);

    if (error == 0 &&
        renameat(u->folder_fd, u->temporary, u->folder_fd, u->name) != 0)
        error = errno;
    if (error != 0) {
        fail_errno(u, error);
        return false;
    }
    u->temporary[0] = '\0';
    watch_note(u->origin->watch, u->text, st);
    if (u->origin->settings->durable && fsync(u->folder_fd) != 0)
        LOG(LOG_WARN, "cannot sync the folder of %s: %s", u->text,
            strerror(errno));
    return true;
}

static void
answer_changed(struct upload *u, bool existed, const struct stat *st,
               const struct policy *before, const struct policy *after)
{
    char etag[FILES_ETAG_SIZE];
    char modified[DATE_SIZE];

    files_etag(st, etag);
    date_format(st->st_mtim.tv_sec, modified);
    answer_header(u->x, "ETag", etag);
    answer_header(u->x, "Last-Modified", modified);
    publish_then_answer(u->x, existed ? 204 : 201, u->text, before, after,
                        false);
}

static void
commit(struct upload *u)
{
    struct exchange *x = u->x;
    struct policy before = {0};
    struct policy after = {0};
    struct policy set = {0};
    struct stat st;
    bool existed = look(u, &st);

    meta_read(u->origin->root_fd, u->text, &set);
    if (u->status == 0 && existed && S_ISDIR(st.st_mode))
        fail_errno(u, EISDIR);
    if (u->status == 0 && !take_settings(x, &set))
        fail(u, 400, "an Atlas-Set-* or Content-* field is malformed");
    if (u->status != 0) {
        answer_error(x, u->status, u->why);
    } else if (files_conditions_hold(x, existed ? &st : NULL)) {
        files_policy(u->origin, u->text, &before);
        if (put_in_place(u, &set, &st)) {
            files_policy(u->origin, u->text, &after);
            answer_changed(u, existed, &st, &before, &after);
        } else {
            answer_error(x, u->status, u->why);
        }
    }
    policy_fini(&set);
    policy_fini(&before);
    policy_fini(&after);
}

static void
on_synced(uv_fs_t *req)
{
    struct upload *u = req->data;

    u->syncing = false;
    if (req->result < 0)
        fail_errno(u, (int)-req->result);
    uv_fs_req_cleanup(req);
    if (u->x == NULL)
        upload_free(u);
    else if (!u->x->killed)
        commit(u);
}

static void
on_end(struct exchange *x)
{
    struct upload *u = x->state;

    if (u->status != 0) {
        answer_error(x, u->status, u->why);
        return;
    }
    if (!u->origin->settings->durable) {
        commit(u);
        return;
    }
    u->sync.data = u;
    u->syncing = true;
    exchange_suspend(x);
    CHECK(uv_fs_fdatasync(loop_uv(u->origin->loop), &u->sync, u->fd,
                          on_synced) == 0);
}

static void
open_temporary(struct upload *u)
{
    u->folder_fd =
        path_open_parent(u->origin->root_fd, u->text, true, &u->name);
    if (u->folder_fd < 0) {
        fail_errno(u, errno);
        return;
    }
    /* The name ends as those of editors do, and is hidden. */
    snprintf(u->temporary, sizeof(u->temporary), ".atlas-%d-%llu.put",
             (int)getpid(), (unsigned long long)++u->origin->serial);
    u->fd = openat(u->folder_fd, u->temporary,
                   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (u->fd < 0) {
        int error = errno;

        u->temporary[0] = '\0';
        fail_errno(u, error);
    }
}

void
upload_begin(struct exchange *x)
{
    struct upload *u = mem_zalloc(sizeof(*u));
    bool folder;

    u->origin = x->app;
    u->x = x;
    u->fd = -1;
    u->folder_fd = -1;
    x->state = u;
    x->on_data = on_data;
    x->on_end = on_end;
    x->on_free = on_free;
    enum path_verdict verdict = path_decode(x->target.path, u->text, &folder);

    if (verdict == PATH_BAD || folder)
        fail(u, 400, "the path is malformed, or not that of a file");
    else if (verdict == PATH_HIDDEN)
        fail(u, 403, "names that begin with a dot are not for clients");
    else if (fields_has(&x->request, SPAN("Content-Range")))
        fail(u, 400, "a part of a resource cannot be written");
    else
        open_temporary(u);
}
