#include "cluster/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "outbox_internal.h"

#define FILE_NAME "outbox"
/* Written anew at start; and whenever it has grown to this, and to so many
 * times what is left in it. */
#define ANEW_BYTES ((size_t)1024 * 1024)
#define ANEW_TIMES 4

#define BUCKETS 4096

struct item {
    struct list_link link; /* outbox->items, by id */
    struct item *next;     /* of its bucket */
    struct outbox_entry entry;
    bool durable;
    outbox_fn fn; /* NULL: told */
    void *arg;
};

/*
 * Invariants:
 *  1. At most one group is on its way to the disk (`work`); what is added
 *     meanwhile gathers in `next`.
 *  2. An item is durable once the group that holds its line was synced.
 *  3. The file holds whole lines up to `size`, but for a group under way.
 */
struct outbox {
    struct loop *loop;
    char *path;
    char name[33];
    int fd;
    uint64_t last_id;
    struct list_link items;
    struct item *buckets[BUCKETS]; /* the same, by the id's last bits */
    size_t count;
    uint64_t size; /* of the file */
    uint64_t anew; /* the size at which it is to be written anew */
    bool whole;    /* the group is all of it, for a new file */
    struct buf next;
    uint64_t next_id; /* the last one in `next` */
    struct buf group;
    uint64_t group_id;
    int failed;        /* errno of the group */
    struct work *work; /* the group on its way; or NULL */
};

/* ---- items ---- */

static struct item **
bucket(struct outbox *outbox, uint64_t id)
{
    return &outbox->buckets[id % BUCKETS];
}

static void
item_free(struct outbox *outbox, struct item *item)
{
    struct item **at = bucket(outbox, item->entry.id);

    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    list_remove(&item->link);
    outbox->count--;
    free(item->entry.purge.host);
    free(item->entry.purge.value);
    free(item);
}

static struct item *
find(const struct outbox *outbox, uint64_t id)
{
    struct item *item = outbox->buckets[id % BUCKETS];

    while (item != NULL && item->entry.id != id)
        item = item->next;
    return item;
}

struct outbox_entry *
outbox_find(struct outbox *outbox, uint64_t id)
{
    struct item *item = find(outbox, id);

    return item != NULL ? &item->entry : NULL;
}

static struct item *
add_item(struct outbox *outbox, const struct outbox_entry *entry)
{
    struct item *item = mem_zalloc(sizeof(*item));

    item->entry = *entry;
    list_push_back(&outbox->items, &item->link);
    item->next = *bucket(outbox, entry->id);
    *bucket(outbox, entry->id) = item;
    outbox->count++;
    if (entry->id > outbox->last_id)
        outbox->last_id = entry->id;
    return item;
}

struct outbox_entry *
outbox_next(const struct outbox *outbox, uint64_t after)
{
    struct item *item = find(outbox, after);
    struct list_link *link =
        item != NULL ? item->link.next : outbox->items.next;

    for (; link != &outbox->items; link = link->next) {
        item = CONTAINER_OF(link, struct item, link);
        if (item->durable && item->entry.id > after)
            return &item->entry;
    }
    return NULL;
}

size_t
outbox_count(const struct outbox *outbox)
{
    return outbox->count;
}

const char *
outbox_name(const struct outbox *outbox)
{
    return outbox->name;
}

/* ---- the disk ---- */

static int
write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* So that the rename lasts. */
static void
sync_folder(const char *path)
{
    char *folder = mem_strndup(path, strlen(path) - strlen(FILE_NAME));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

/* The file anew: written beside it, then renamed. 0, or errno, and nothing has
 * changed. */
static int
replace(struct outbox *outbox, struct span text)
{
    char *beside = mem_printf("%s.new", outbox->path);
    int fd =
        open(beside, O_CREAT | O_TRUNC | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    int failed = fd < 0 ? errno : 0;

    if (failed == 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        failed = errno;
    if (failed == 0)
        failed = write_all(fd, text.ptr, text.len);
    if (failed == 0 &&
        (fdatasync(fd) != 0 || rename(beside, outbox->path) != 0))
        failed = errno;
    if (failed == 0) {
        close(outbox->fd);
        outbox->fd = fd;
        sync_folder(outbox->path);
    } else if (fd >= 0) {
        close(fd);
    }
    free(beside);
    return failed;
}

/* On the pool's thread. What was written in part is taken back. */
static void
write_group(void *arg)
{
    struct outbox *outbox = arg;
    const struct buf *group = &outbox->group;

    if (outbox->whole) {
        outbox->failed = replace(outbox, buf_span(group));
        return;
    }
    outbox->failed = write_all(outbox->fd, group->data, group->len);
    if (outbox->failed == 0 && fdatasync(outbox->fd) != 0)
        outbox->failed = errno;
    if (outbox->failed != 0 && ftruncate(outbox->fd, (off_t)outbox->size) != 0)
        LOG(LOG_ERROR, "the outbox \"%s\" cannot be cut: %s", outbox->path,
            strerror(errno));
}

/* Those that are not durable yet are the last ones. */
static struct list_link *
first_of_group(struct outbox *outbox)
{
    struct list_link *link = outbox->items.prev;

    while (link != &outbox->items &&
           !CONTAINER_OF(link, struct item, link)->durable)
        link = link->prev;
    return link->next;
}

static void
tell(struct outbox *outbox, enum err err)
{
    struct list_link *link = first_of_group(outbox), *next;

    for (; link != &outbox->items; link = next) {
        struct item *item = CONTAINER_OF(link, struct item, link);
        outbox_fn fn = item->fn;
        void *arg = item->arg;
        uint64_t id = item->entry.id;

        next = link->next;
        if (id > outbox->group_id)
            break;
        item->fn = NULL;
        item->durable = err == ERR_OK;
        if (err != ERR_OK)
            item_free(outbox, item);
        if (fn != NULL)
            fn(arg, err, id);
    }
}

/* All that is in the outbox, as a file; and the last id ever given, which must
 * not come again: it is in the key by which an entry is published once. */
static void
print_all(const struct outbox *outbox, struct buf *out)
{
    struct outbox_record record = {.line = OUTBOX_LINE_NAME};
    struct item *item;

    memcpy(record.name, outbox->name, sizeof(record.name));
    outbox_print(&record, out);
    record.line = OUTBOX_LINE_ADD;
    list_for_each (item, &outbox->items, link) {
        record.entry = item->entry;
        outbox_print(&record, out);
    }
    record.line = OUTBOX_LINE_DONE;
    record.entry.id = outbox->last_id;
    if (outbox->last_id > 0 &&
        (outbox->count == 0 ||
         list_last(&outbox->items, struct item, link)->entry.id <
             outbox->last_id))
        outbox_print(&record, out);
}

static void
size_is(struct outbox *outbox, uint64_t size, bool anew)
{
    outbox->size = size;
    if (!anew)
        return;
    outbox->anew = size * ANEW_TIMES;
    if (outbox->anew < ANEW_BYTES)
        outbox->anew = ANEW_BYTES;
}

static void write_next(struct outbox *outbox);

static void
on_written(void *arg)
{
    struct outbox *outbox = arg;

    outbox->work = NULL;
    if (outbox->failed == 0)
        size_is(outbox, outbox->group.len + (outbox->whole ? 0 : outbox->size),
                outbox->whole);
    else
        LOG(LOG_ERROR,
            "the outbox \"%s\" cannot be written: %s; purges that reach no "
            "Redis are lost with this node, and writes on routes that publish "
            "are refused: make room, or correct `state_dir`",
            outbox->path, strerror(outbox->failed));
    buf_clear(&outbox->group);
    tell(outbox, outbox->failed == 0 ? ERR_OK : ERR_IO);
    write_next(outbox);
}

static void
write_next(struct outbox *outbox)
{
    struct buf empty = outbox->group;

    if (outbox->work != NULL || outbox->next.len == 0)
        return;
    outbox->group = outbox->next;
    outbox->group_id = outbox->next_id;
    outbox->next = empty;
    outbox->whole = outbox->size >= outbox->anew;
    if (outbox->whole) {
        buf_clear(&outbox->group);
        print_all(outbox, &outbox->group);
    }
    outbox->work = work_start(outbox->loop, write_group, on_written, outbox);
}

static void
put(struct outbox *outbox, const struct outbox_record *record)
{
    outbox_print(record, &outbox->next);
    if (record->entry.id > outbox->next_id)
        outbox->next_id = record->entry.id;
    write_next(outbox);
}

uint64_t
outbox_add(struct outbox *outbox, enum outbox_kind kind,
           const struct purge *purge, outbox_fn fn, void *arg)
{
    struct outbox_record record = {
        .line = OUTBOX_LINE_ADD,
        .entry = {.id = outbox->last_id + 1, .kind = kind, .purge = *purge},
    };
    struct purge *copy = &record.entry.purge;

    if (outbox->count >= OUTBOX_MAX)
        return 0;
    copy->host = mem_strdup(purge->host != NULL ? purge->host : "");
    copy->value = mem_strdup(purge->value != NULL ? purge->value : "");
    copy->once = NULL;
    struct item *item = add_item(outbox, &record.entry);

    item->fn = fn;
    item->arg = arg;
    put(outbox, &record);
    return record.entry.id;
}

void
outbox_done(struct outbox *outbox, uint64_t id)
{
    struct outbox_record record = {.line = OUTBOX_LINE_DONE, .entry.id = id};
    struct item *item = find(outbox, id);

    if (item == NULL)
        return;
    item_free(outbox, item);
    put(outbox, &record);
}

/* ---- opening ---- */

static void
take_record(struct outbox *outbox, const struct outbox_record *record)
{
    struct item *item;

    switch (record->line) {
    case OUTBOX_LINE_NAME:
        memcpy(outbox->name, record->name, sizeof(outbox->name));
        break;
    case OUTBOX_LINE_ADD:
        item = add_item(outbox, &record->entry);
        item->durable = true;
        item->entry.inherited = true;
        break;
    case OUTBOX_LINE_DONE:
        if (record->entry.id > outbox->last_id)
            outbox->last_id = record->entry.id;
        item = find(outbox, record->entry.id);
        if (item != NULL)
            item_free(outbox, item);
        break;
    }
}

/* Takes the lines in; gives how many bytes could not be read. A line that is
 * cut off at the end was never said to be kept. One before good ones was: what
 * it said is not known, so everything is to be revalidated everywhere. */
static size_t
read_lines(struct outbox *outbox, struct span text)
{
    size_t bad = 0, bad_before = 0;
    size_t at = 0;

    while (at < text.len) {
        size_t end = span_find(text, '\n', at);
        struct outbox_record record;

        if (end < text.len && outbox_parse(span_sub(text, at, end), &record)) {
            take_record(outbox, &record);
            bad_before = bad;
        } else {
            bad += end < text.len ? end + 1 - at : end - at;
        }
        at = end + 1;
    }
    if (bad_before > 0) {
        struct outbox_entry all = {.id = outbox->last_id + 1,
                                   .kind = OUTBOX_PURGE,
                                   .inherited = true,
                                   .purge = {INVAL_ALL, true, mem_strdup(""),
                                             mem_strdup(""), 0, NULL}};

        add_item(outbox, &all)->durable = true;
    }
    return bad;
}

static bool
read_file(struct outbox *outbox, struct buf *text)
{
    struct stat info;
    ssize_t n;

    if (fstat(outbox->fd, &info) != 0)
        return false;
    buf_reserve(text, (size_t)info.st_size);
    while ((n = pread(outbox->fd, text->data + text->len,
                      (size_t)info.st_size - text->len, (off_t)text->len)) > 0)
        text->len += (size_t)n;
    return n == 0;
}

/* Opens it alone. Who has it replaces the file now and then: a lock on one that
 * was replaced meanwhile is worth nothing. */
static bool
open_alone(struct outbox *outbox)
{
    struct stat ours, now;

    outbox->fd =
        open(outbox->path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    if (outbox->fd < 0 || flock(outbox->fd, LOCK_EX | LOCK_NB) != 0 ||
        fstat(outbox->fd, &ours) != 0 || stat(outbox->path, &now) != 0)
        return false;
    if (ours.st_ino == now.st_ino && ours.st_dev == now.st_dev)
        return true;
    errno = EWOULDBLOCK;
    return false;
}

static bool
begin(struct outbox *outbox)
{
    struct buf text = {0};
    unsigned char random[16];

    if (!open_alone(outbox) || !read_file(outbox, &text)) {
        buf_fini(&text);
        return false;
    }
    size_t bad = read_lines(outbox, buf_span(&text));

    if (bad > 0)
        LOG(LOG_WARN,
            "the outbox \"%s\": %zu bytes of it cannot be read (a crash while "
            "it was written, or a fault of the disk) and are dropped; where "
            "they may have been an invalidation, everything is revalidated",
            outbox->path, bad);
    /* Nor must an id whose line is lost. */
    if (outbox->name[0] == '\0' || bad > 0) {
        secret_random(random, sizeof(random));
        secret_hex(random, sizeof(random), outbox->name);
    }
    buf_clear(&text);
    print_all(outbox, &text);
    int failed = replace(outbox, buf_span(&text));

    size_is(outbox, text.len, true);
    buf_fini(&text);
    errno = failed;
    return failed == 0;
}

struct outbox *
outbox_open(struct loop *loop, const char *folder, char *why, size_t size)
{
    struct outbox *outbox = mem_zalloc(sizeof(*outbox));

    outbox->loop = loop;
    outbox->fd = -1;
    outbox->path = mem_printf("%s/%s", folder, FILE_NAME);
    list_init(&outbox->items);
    if ((mkdir(folder, 0700) == 0 || errno == EEXIST) && begin(outbox))
        return outbox;
    int error = errno;

    snprintf(why, size, "\"%s\": %s; %s", outbox->path, strerror(error),
             error == EWOULDBLOCK
                 ? "another process has it: give each node a `state_dir` of "
                   "its own"
                 : "correct `state_dir`, or its owner and rights");
    outbox_close(&outbox);
    return NULL;
}

void
outbox_silence(struct outbox *outbox)
{
    struct list_link *link = outbox->items.next;

    for (; link != &outbox->items; link = link->next)
        CONTAINER_OF(link, struct item, link)->fn = NULL;
}

void
outbox_close(struct outbox **outbox)
{
    struct outbox *o = *outbox;

    *outbox = NULL;
    if (o == NULL)
        return;
    outbox_silence(o);
    while (o->work != NULL) {
        work_finish(&o->work, false);
        on_written(o); /* begins with the next group */
    }
    while (!list_empty(&o->items))
        item_free(o, list_first(&o->items, struct item, link));
    if (o->fd >= 0)
        close(o->fd);
    buf_fini(&o->next);
    buf_fini(&o->group);
    free(o->path);
    free(o);
}
