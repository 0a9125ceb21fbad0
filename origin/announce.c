#include "announce.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "announce_internal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "settings.h"

#define MARK ".atlas-pending"
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000
#define CONNECT_TIMEOUT_MS 2000
#define COMMAND_TIMEOUT_MS 2000

struct item {
    struct list_link link;
    uint64_t number;
    enum announce_kind kind;
    bool soft;
    char *host;
    char *value;
};

/* Done when an item of this number, or a later one, was published: items are
 * published in order, and what replaces items that were dropped comes after
 * them. */
struct announcement {
    struct list_link link;
    uint64_t last;
    announce_fn done;
    void *arg;
};

struct announcer {
    struct bus *bus; /* NULL: not enabled */
    int root_fd;
    struct list_link queue;         /* of items; the first may be in flight */
    struct list_link announcements; /* by `last` */
    size_t count;
    uint64_t number; /* of the last item queued */
    uint64_t published;
    struct bus_call *call; /* that publishes the first item */
    struct timer *retry;
    uint64_t retry_ms;
    bool marked;
};

/* ---- entries ---- */

void
announce_items(const struct announce_entry *entry, int64_t wall_ms,
               char time[24], struct span items[ANNOUNCE_ITEMS])
{
    static const char *const kinds[] = {[ANNOUNCE_URL] = "url",
                                        [ANNOUNCE_PREFIX] = "prefix",
                                        [ANNOUNCE_TAG] = "tag",
                                        [ANNOUNCE_ALL] = "all"};

    snprintf(time, 24, "%lld", (long long)wall_ms);
    const char *const texts[ANNOUNCE_ITEMS] = {"v",     "1",
                                               "kind",  kinds[entry->kind],
                                               "soft",  entry->soft ? "1" : "0",
                                               "host",  entry->host,
                                               "value", entry->value,
                                               "node",  "origin",
                                               "time",  time};

    for (size_t i = 0; i < ANNOUNCE_ITEMS; i++)
        items[i] = span_of(texts[i]);
}

/* ---- the mark of a queue that is not empty ---- */

void
announce_intend(struct announcer *announcer)
{
    if (announcer->bus == NULL || announcer->marked)
        return;
    int fd = openat(announcer->root_fd, MARK,
                    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

    if (fd < 0) {
        LOG(LOG_WARN,
            "cannot write %s in the root: %s; changes that are not published "
            "yet would be forgotten in a crash",
            MARK, strerror(errno));
        return;
    }
    close(fd);
    announcer->marked = true;
}

static void
unmark(struct announcer *announcer)
{
    if (announcer->marked && unlinkat(announcer->root_fd, MARK, 0) != 0 &&
        errno != ENOENT)
        LOG(LOG_WARN, "cannot remove %s: %s", MARK, strerror(errno));
    announcer->marked = false;
}

/* ---- the queue ---- */

static void
free_item(struct announcer *announcer, struct item *item)
{
    list_remove(&item->link);
    announcer->count--;
    free(item->host);
    free(item->value);
    free(item);
}

static void
push(struct announcer *announcer, const struct announce_entry *entry)
{
    struct item *item = mem_zalloc(sizeof(*item));

    item->number = ++announcer->number;
    item->kind = entry->kind;
    item->soft = entry->soft;
    item->host = mem_strdup(entry->host);
    item->value = mem_strdup(entry->value);
    list_push_back(&announcer->queue, &item->link);
    announcer->count++;
}

/* Too many wait: one invalidation of everything says what they say. */
static void
collapse(struct announcer *announcer)
{
    const struct announce_entry all = {ANNOUNCE_ALL, false, "", ""};
    struct item *item;
    struct item *next;
    bool in_flight = announcer->call != NULL;

    list_for_each_safe (item, next, &announcer->queue, link) {
        if (!in_flight)
            free_item(announcer, item);
        in_flight = false;
    }
    push(announcer, &all);
    LOG(LOG_WARN,
        "%d changes wait to be published: they become one "
        "invalidation of everything",
        ANNOUNCE_QUEUE_MAX);
}

static void
complete(struct announcer *announcer, uint64_t number)
{
    while (!list_empty(&announcer->announcements)) {
        struct announcement *first =
            list_first(&announcer->announcements, struct announcement, link);

        if (first->last > number)
            return;
        list_remove(&first->link);
        if (first->done != NULL)
            first->done(first->arg);
        free(first);
    }
}

static void publish_next(struct announcer *announcer);

static void
on_published(void *arg, enum err err, const char *why,
             const struct bus_era *era, uint64_t n)
{
    struct announcer *announcer = arg;

    (void)era;
    (void)n;
    announcer->call = NULL;
    if (err != ERR_OK) {
        /* Connections that fail are logged by the bus. */
        if (err == ERR_PROTOCOL)
            LOG(LOG_WARN, "the Redis refuses an invalidation: %s", why);
        timer_start(announcer->retry, announcer->retry_ms);
        announcer->retry_ms *= 2;
        if (announcer->retry_ms > RETRY_MAX_MS)
            announcer->retry_ms = RETRY_MAX_MS;
        return;
    }
    struct item *item = list_first(&announcer->queue, struct item, link);
    uint64_t number = item->number;

    announcer->retry_ms = RETRY_MIN_MS;
    announcer->published++;
    free_item(announcer, item);
    if (announcer->count == 0)
        unmark(announcer);
    complete(announcer, number);
    publish_next(announcer);
}

static void
publish_next(struct announcer *announcer)
{
    struct span items[ANNOUNCE_ITEMS];
    char time[24];

    if (announcer->count == 0 || announcer->call != NULL ||
        timer_running(announcer->retry))
        return;
    const struct item *item = list_first(&announcer->queue, struct item, link);
    const struct announce_entry entry = {item->kind, item->soft, item->host,
                                         item->value};

    announce_items(&entry, clock_wall_ms(), time, items);
    announcer->call = bus_publish(announcer->bus, items, ANNOUNCE_ITEMS,
                                  on_published, announcer);
}

static void
on_retry(void *arg)
{
    publish_next(arg);
}

static void
on_state(void *arg, bool connected, const char *why)
{
    struct announcer *announcer = arg;

    (void)why;
    if (!connected)
        return;
    announcer->retry_ms = RETRY_MIN_MS;
    timer_stop(announcer->retry);
    publish_next(announcer);
}

/* ---- life ---- */

/* What the last run did not get to tell. */
static void
make_good(struct announcer *announcer)
{
    const struct announce_entry all = {ANNOUNCE_ALL, true, "", ""};

    if (faccessat(announcer->root_fd, MARK, F_OK, 0) != 0)
        return;
    LOG(LOG_WARN, "the last run left changes unpublished: everything is "
                  "invalidated");
    announcer->marked = true;
    announce_submit(announcer, &all, 1, NULL, NULL);
}

struct announcer *
announce_new(struct loop *loop, const struct settings *settings, int root_fd)
{
    struct announcer *announcer = mem_zalloc(sizeof(*announcer));
    const struct bus_options options = {
        .site = settings->redis_site,
        .host = settings->redis_host,
        .port = settings->redis_port,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .command_timeout_ms = COMMAND_TIMEOUT_MS,
        .backoff_max_ms = RETRY_MAX_MS,
    };
    const struct bus_events events = {.state = on_state, .arg = announcer};

    list_init(&announcer->queue);
    list_init(&announcer->announcements);
    announcer->root_fd = root_fd;
    announcer->retry_ms = RETRY_MIN_MS;
    if (settings->redis_site == NULL)
        return announcer;
    announcer->retry = timer_new(loop, on_retry, announcer);
    announcer->bus = bus_new(loop, &options, &events);
    make_good(announcer);
    return announcer;
}

void
announce_free(struct announcer **announcer)
{
    struct announcer *a = *announcer;

    if (a == NULL)
        return;
    if (a->call != NULL)
        bus_cancel(&a->call);
    if (a->bus != NULL)
        bus_free(&a->bus);
    if (a->count > 0)
        LOG(LOG_WARN,
            "%zu changes are not published; the next start "
            "invalidates everything",
            a->count);
    else
        unmark(a);
    while (!list_empty(&a->queue))
        free_item(a, list_first(&a->queue, struct item, link));
    while (!list_empty(&a->announcements)) {
        struct announcement *first =
            list_first(&a->announcements, struct announcement, link);

        list_remove(&first->link);
        free(first);
    }
    timer_free(&a->retry);
    free(a);
    *announcer = NULL;
}

bool
announce_enabled(const struct announcer *announcer)
{
    return announcer->bus != NULL;
}

struct announcement *
announce_submit(struct announcer *announcer,
                const struct announce_entry *entries, size_t count,
                announce_fn done, void *arg)
{
    if (announcer->bus == NULL || count == 0)
        return NULL;
    announce_intend(announcer);
    for (size_t i = 0; i < count; i++)
        push(announcer, &entries[i]);
    if (announcer->count > ANNOUNCE_QUEUE_MAX)
        collapse(announcer);
    struct announcement *announcement = mem_zalloc(sizeof(*announcement));

    announcement->last = announcer->number;
    announcement->done = done;
    announcement->arg = arg;
    list_push_back(&announcer->announcements, &announcement->link);
    publish_next(announcer);
    return announcement;
}

void
announce_forget(struct announcement **announcement)
{
    if (*announcement != NULL)
        (*announcement)->done = NULL;
    *announcement = NULL;
}

size_t
announce_pending(const struct announcer *announcer)
{
    return announcer->count;
}

uint64_t
announce_published(const struct announcer *announcer)
{
    return announcer->published;
}

const char *
announce_error(const struct announcer *announcer)
{
    return announcer->bus == NULL ? "" : bus_error(announcer->bus);
}
