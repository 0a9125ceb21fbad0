#include "cluster/bookmark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define TEXT_MAX (POSITION_SITES * (POSITION_NAME + 64))

/*
 * Invariants:
 *  1. At most one writing is on its way (`work`); `next` is what comes after.
 *  2. The file is whole: another is written beside it, synced, and renamed.
 */
struct bookmark {
    struct loop *loop;
    char *path;
    char *beside;
    struct buf next;    /* "": nothing is to be written */
    struct buf writing; /* or was written last */
    struct work *work;
    int failed; /* errno */
    bool told;  /* of a failure, since the last success */
};

/* "TEXT SUM\n" */
static void
add_line(struct span text, struct buf *out)
{
    struct hash128 sum = hash_bytes(text, 0);

    buf_add_span(out, text);
    buf_printf(out, " %016llx\n", (unsigned long long)sum.lo);
}

static bool
parse(struct span line, struct position *position)
{
    size_t space = span_find(line, ' ', 0);
    struct span text = span_sub(line, 0, space);
    struct buf want = {0};

    add_line(text, &want);
    bool good =
        span_eq(line, buf_span(&want)) && position_parse(text, position);

    buf_fini(&want);
    return good;
}

static void
read_file(const struct bookmark *bookmark, struct position *position)
{
    char text[TEXT_MAX + 64];
    FILE *in = fopen(bookmark->path, "re");
    size_t len = in != NULL ? fread(text, 1, sizeof(text), in) : 0;

    *position = (struct position){0};
    if (in != NULL)
        fclose(in);
    else if (errno != ENOENT)
        LOG(LOG_WARN, "the position \"%s\" cannot be read: %s", bookmark->path,
            strerror(errno));
    if (len > 0 && !parse((struct span){text, len}, position))
        LOG(LOG_WARN,
            "the position \"%s\" is damaged: this node reads the streams from "
            "where they are now",
            bookmark->path);
}

struct bookmark *
bookmark_open(struct loop *loop, const char *folder, struct position *position)
{
    struct bookmark *bookmark = mem_zalloc(sizeof(*bookmark));

    bookmark->loop = loop;
    bookmark->path = mem_printf("%s/position", folder);
    bookmark->beside = mem_printf("%s/position.new", folder);
    read_file(bookmark, position);
    return bookmark;
}

/* ---- writing ---- */

static int
write_beside(const struct bookmark *bookmark)
{
    const struct buf *text = &bookmark->writing;
    int fd =
        open(bookmark->beside, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    int failed = 0;

    if (fd < 0)
        return errno;
    ssize_t n = write(fd, text->data, text->len);

    if (n < 0 || fdatasync(fd) != 0)
        failed = errno;
    else if ((size_t)n < text->len)
        failed = ENOSPC;
    close(fd);
    return failed;
}

/* On the pool. Should the rename be lost, the one before is there. */
static void
run(void *arg)
{
    struct bookmark *bookmark = arg;

    bookmark->failed = write_beside(bookmark);
    if (bookmark->failed == 0 && rename(bookmark->beside, bookmark->path) != 0)
        bookmark->failed = errno;
}

static void begin(struct bookmark *bookmark);

static void
on_written(void *arg)
{
    struct bookmark *bookmark = arg;

    bookmark->work = NULL;
    if (bookmark->failed != 0 && !bookmark->told)
        LOG(LOG_WARN,
            "the position \"%s\" cannot be written: %s; after a restart this "
            "node reads the streams from where they are then: make room, or "
            "correct `state_dir`",
            bookmark->path, strerror(bookmark->failed));
    bookmark->told = bookmark->failed != 0;
    begin(bookmark);
}

static void
begin(struct bookmark *bookmark)
{
    struct buf empty = bookmark->writing;

    if (bookmark->work != NULL || bookmark->next.len == 0)
        return;
    bookmark->writing = bookmark->next;
    bookmark->next = empty;
    buf_clear(&bookmark->next);
    bookmark->work = work_start(bookmark->loop, run, on_written, bookmark);
}

void
bookmark_note(struct bookmark *bookmark, struct span text)
{
    buf_clear(&bookmark->next);
    add_line(text, &bookmark->next);
    if (span_eq(buf_span(&bookmark->next), buf_span(&bookmark->writing)) &&
        !bookmark->told)
        buf_clear(&bookmark->next);
    begin(bookmark);
}

void
bookmark_close(struct bookmark **bookmark)
{
    struct bookmark *b = *bookmark;

    *bookmark = NULL;
    if (b == NULL)
        return;
    while (b->work != NULL) {
        work_finish(&b->work, false);
        on_written(b);
    }
    buf_fini(&b->next);
    buf_fini(&b->writing);
    free(b->path);
    free(b->beside);
    free(b);
}
