#include "cluster/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/inval_restore.h"
#include "journal_files_internal.h"
#include "journal_internal.h"
#include "journal_read_internal.h"

#define JOURNAL_TAG UINT32_C(0x6a6f7572)
#define EVERY_MS 50 /* at most so often, unless somebody waits */
/* Over numbers that may have been given in lines that were cut off. */
#define SKIP (UINT64_C(1) << 20)

struct waiter {
    struct list_link link;
    uint64_t number;
    journal_fn fn;
    void *arg;
};

/*
 * Invariants:
 *  1. At most one group is on its way (`work`); what is done meanwhile gathers
 *     in `next`.
 *  2. `synced` is the last number of the last group that was synced, and all
 *     before it are on the disk.
 *  3. A group ends with a line that says so, and counts as a whole: where we
 * are in a stream never moves over what was missed without the floor for it.
 *  4. A file begins with where the sites are at its first number; an older one
 *     is removed only when that is durable.
 */
struct journal {
    TAG_FIELD;
    struct loop *loop;
    struct inval *inval;
    struct hash128 id;
    struct journal_files *files;
    struct timer *timer;
    struct work *work;
    struct buf next;
    uint64_t next_number;
    struct buf group;
    uint64_t group_number;
    struct buf head; /* of a new file behind the group; "": none */
    uint64_t begun_ns;
    int failed; /* errno of the group */
    uint64_t levels;
    bool has_levels;
    struct list_link waiters;

    _Atomic uint64_t synced; /* also under the mutex, for those who wait */
    pthread_mutex_t mutex;
    pthread_cond_t moved;
};

/* ---- writing ---- */

static void
add_done(uint64_t number, struct buf *out)
{
    journal_print(
        &(struct journal_record){.line = JOURNAL_DONE, .number = number}, out);
}

static void
add_levels(const struct journal *journal, struct buf *out)
{
    struct journal_record record = {.line = JOURNAL_LEVELS,
                                    .number = journal->levels};

    if (journal->has_levels)
        journal_print(&record, out);
}

/* The first lines of a file, as things stand. */
static void
print_head(const struct journal *journal, uint64_t number, struct buf *out)
{
    const struct position *position = &inval_snapshot(journal->inval)->position;
    struct journal_record record = {
        .line = JOURNAL_HEAD, .id = journal->id, .number = number};

    journal_print(&record, out);
    for (size_t i = 0; i < position->count; i++) {
        const struct position_site *site = &position->sites[i];
        struct journal_record at = {.line = JOURNAL_SITE,
                                    .epoch = site->epoch,
                                    .term = site->term,
                                    .n = site->n};

        memcpy(at.site, site->site, sizeof(at.site));
        journal_print(&at, out);
    }
    add_levels(journal, out);
    add_done(number, out);
}

/* On the pool's thread. */
static void
write_group(void *arg)
{
    struct journal *journal = arg;

    journal->failed =
        journal_files_write(journal->files, &journal->group, &journal->head);
}

static void
set_synced(struct journal *journal, uint64_t number)
{
    pthread_mutex_lock(&journal->mutex);
    atomic_store(&journal->synced, number);
    pthread_cond_broadcast(&journal->moved);
    pthread_mutex_unlock(&journal->mutex);
}

static bool
broken(const struct journal *journal)
{
    return atomic_load(&((struct journal *)(uintptr_t)journal)->synced) == 0;
}

static void
tell_waiters(struct journal *journal)
{
    uint64_t synced = atomic_load(&journal->synced);
    struct waiter *waiter, *next;

    list_for_each_safe (waiter, next, &journal->waiters, link) {
        if (synced != 0 && waiter->number > synced)
            continue;
        list_remove(&waiter->link);
        waiter->fn(waiter->arg);
        free(waiter);
    }
}

static void
give_up(struct journal *journal)
{
    set_synced(journal, 0);
    LOG(LOG_ERROR,
        "the journal of invalidations in \"%s\" cannot be written: %s; what is "
        "on the disk does not count after a restart, and nothing more is put "
        "there: make room, or mend the disk, and restart",
        journal_files_folder(journal->files), strerror(journal->failed));
    if (!journal_files_remove(journal->files))
        LOG(LOG_ERROR,
            "nor can it be removed: %s; remove all that is in \"%s\" before "
            "the next start, or what was purged may come back",
            strerror(errno), journal_files_folder(journal->files));
    buf_clear(&journal->next);
}

static void begin(struct journal *journal);

static void
on_written(void *arg)
{
    struct journal *journal = arg;

    TAG_CHECK(journal, JOURNAL_TAG);
    journal->work = NULL;
    buf_clear(&journal->group);
    buf_clear(&journal->head);
    if (journal->failed == 0)
        set_synced(journal, journal->group_number);
    else
        give_up(journal);
    tell_waiters(journal);
    begin(journal);
}

static void
start_group(struct journal *journal)
{
    struct buf empty = journal->group;

    add_done(journal->next_number, &journal->next);
    journal->group = journal->next;
    journal->group_number = journal->next_number;
    journal->next = empty;
    journal->begun_ns = clock_boot_ns();
    if (journal_files_full(journal->files, journal->group.len)) {
        /* Nothing has been done since that is not in the group. */
        inval_publish(journal->inval);
        print_head(journal, journal->group_number, &journal->head);
    }
    journal->work = work_start(journal->loop, write_group, on_written, journal);
}

static void
begin(struct journal *journal)
{
    uint64_t since_ms = (clock_boot_ns() - journal->begun_ns) / NS_PER_MS;

    if (journal->work != NULL || journal->next.len == 0)
        return;
    if (list_empty(&journal->waiters) && since_ms < EVERY_MS) {
        if (!timer_running(journal->timer))
            timer_start(journal->timer, EVERY_MS - since_ms);
        return;
    }
    start_group(journal);
}

static void
on_timer(void *arg)
{
    tell_waiters(arg);
    begin(arg);
}

static void
put(struct journal *journal, const struct journal_record *record,
    uint64_t number)
{
    if (broken(journal))
        return;
    journal_print(record, &journal->next);
    journal->next_number = number;
    /* Not at once: what is done in one turn of the loop is one group, and the
     * tables are published at its end. */
    if (journal->work == NULL && !timer_running(journal->timer))
        timer_start(journal->timer, 1);
}

static void
on_event(void *arg, const struct inval_event *event)
{
    struct journal *journal = arg;
    struct journal_record record = {.number = event->number, .n = event->n};
    char host[INVAL_HOST_MAX + 1];
    char value[INVAL_VALUE_MAX + 1];

    (void)span_put(record.site, sizeof(record.site), 0, event->site);
    switch (event->what) {
    case INVAL_EVENT_ENTRY:
        record.line = JOURNAL_ENTRY;
        record.kind = event->entry->kind;
        record.soft = event->entry->soft;
        (void)span_put(host, sizeof(host), 0, event->entry->host);
        (void)span_put(value, sizeof(value), 0, event->entry->value);
        record.host = host;
        record.value = value;
        break;
    case INVAL_EVENT_FLOOR:
        record.line = JOURNAL_FLOOR;
        record.reason = event->reason;
        break;
    case INVAL_EVENT_SITE:
        record.line = JOURNAL_SITE;
        record.epoch = event->epoch;
        record.term = event->term;
        break;
    }
    put(journal, &record, event->number);
}

/* ---- opening ---- */

static void
say_what_was_read(const struct journal *journal,
                  const struct journal_read *read)
{
    const char *folder = journal_files_folder(journal->files);

    if (read->lost > 0)
        LOG(LOG_WARN,
            "the journal of invalidations in \"%s\" cannot be read in %zu "
            "places (a fault of the disk): what is on the disk since before "
            "them is fetched anew",
            folder, read->lost);
}

static int
begin_anew(struct journal *journal, uint64_t number)
{
    struct buf head = {0};

    secret_random(&journal->id, sizeof(journal->id));
    print_head(journal, number, &head);
    int failed = journal_files_begin(journal->files, &head);

    buf_fini(&head);
    return failed;
}

/* The end was not good: all before it is lost, and the next file says so. */
static int
begin_behind(struct journal *journal, struct journal_read *read)
{
    struct buf head = {0};

    journal_read_expect(read, read->number + SKIP);
    inval_publish(journal->inval);
    print_head(journal, read->number, &head);
    int failed = journal_files_next(journal->files, &head);

    buf_fini(&head);
    return failed;
}

static void
take_levels(struct journal *journal, const struct journal_read *read)
{
    journal->id = read->id;
    journal->levels = read->done.levels;
    journal->has_levels = read->done.has_levels;
}

/* Where numbers go on. *synced: up to which they are on the disk. */
static int
settle(struct journal *journal, struct journal_read *read, bool *cut,
       uint64_t *synced)
{
    int failed = 0;

    if (read->any)
        take_levels(journal, read);
    /* A group that has no end is as one that was cut off. */
    *cut |= journal_read_go_back(read);

    if (read->any && read->bad)
        failed = begin_behind(journal, read);
    *synced = read->number;
    if (read->any && *cut)
        read->number += SKIP;
    say_what_was_read(journal, read);
    inval_skip(journal->inval, read->number);
    inval_publish(journal->inval);
    return read->any ? failed : begin_anew(journal, read->number);
}

static struct journal *
journal_new(struct loop *loop, struct inval *inval)
{
    struct journal *journal = mem_zalloc(sizeof(*journal));
    pthread_condattr_t attributes;

    TAG_SET(journal, JOURNAL_TAG);
    journal->loop = loop;
    journal->inval = inval;
    list_init(&journal->waiters);
    CHECK(pthread_mutex_init(&journal->mutex, NULL) == 0);
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&journal->moved, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    journal->timer = timer_new(loop, on_timer, journal);
    return journal;
}

struct journal *
journal_open(struct loop *loop, const char *folder, struct inval *inval,
             char *why, size_t size)
{
    struct journal *journal = journal_new(loop, inval);
    struct journal_read read = {.inval = inval, .number = inval_seq(inval)};

    journal->files = journal_files_new(folder);
    bool cut;
    uint64_t synced = 0;
    int failed =
        journal_files_read(journal->files, journal_read_file, &read, &cut);

    if (failed == 0)
        failed = settle(journal, &read, &cut, &synced);
    if (failed != 0) {
        snprintf(why, size,
                 "\"%s\": the journal of invalidations cannot be %s: %s; see "
                 "that the folder is this user's, and that its disk works and "
                 "has room",
                 folder, read.any ? "read" : "made", strerror(failed));
        journal_close(&journal);
        return NULL;
    }
    journal->next_number = read.number;
    atomic_store(&journal->synced, synced);
    inval_watch(inval, on_event, journal);
    if (cut)
        put(journal,
            &(struct journal_record){.line = JOURNAL_SKIP,
                                     .number = read.number},
            read.number);
    return journal;
}

void
journal_finish(struct journal *journal)
{
    struct waiter *waiter, *next;

    TAG_CHECK(journal, JOURNAL_TAG);
    list_for_each_safe (waiter, next, &journal->waiters, link) {
        list_remove(&waiter->link);
        free(waiter);
    }
    inval_watch(journal->inval, NULL, NULL);
    timer_stop(journal->timer);
    journal->begun_ns = 0;
    begin(journal);
    while (journal->work != NULL) {
        work_finish(&journal->work, false);
        journal->begun_ns = 0;
        on_written(journal); /* begins with the next group */
    }
}

void
journal_close(struct journal **journal)
{
    struct journal *j = *journal;

    *journal = NULL;
    if (j == NULL)
        return;
    journal_finish(j);
    timer_free(&j->timer);
    journal_files_free(&j->files);
    buf_fini(&j->next);
    buf_fini(&j->group);
    buf_fini(&j->head);
    pthread_cond_destroy(&j->moved);
    pthread_mutex_destroy(&j->mutex);
    TAG_CLEAR(j);
    free(j);
}

/* ---- use ---- */

struct hash128
journal_id(const struct journal *journal)
{
    return journal->id;
}

void
journal_levels(struct journal *journal, uint64_t print, bool at_start)
{
    struct journal_record record = {.line = JOURNAL_LEVELS, .number = print};

    if (journal->has_levels && journal->levels == print)
        return;
    if (at_start && journal->has_levels && print != 0) {
        LOG(LOG_INFO,
            "the routes promise something else than before this start; "
            "everything on the disk is revalidated");
        inval_raise_floor(journal->inval, FLOOR_LEVEL);
        inval_publish(journal->inval);
    }
    journal->levels = print;
    journal->has_levels = true;
    put(journal, &record, journal->next_number);
}

void
journal_when_synced(struct journal *journal, journal_fn fn, void *arg)
{
    struct waiter *waiter = mem_zalloc(sizeof(*waiter));

    TAG_CHECK(journal, JOURNAL_TAG);
    waiter->number = journal->next_number;
    waiter->fn = fn;
    waiter->arg = arg;
    list_push_back(&journal->waiters, &waiter->link);
    /* Never from inside: when there is nothing to write, the timer tells. */
    timer_start(journal->timer, 0);
}

uint64_t
journal_synced(struct journal *journal)
{
    return atomic_load_explicit(&journal->synced, memory_order_acquire);
}

void
journal_await(struct journal *journal, uint64_t number, uint64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&journal->mutex);
    while (atomic_load(&journal->synced) != 0 &&
           atomic_load(&journal->synced) < number &&
           pthread_cond_timedwait(&journal->moved, &journal->mutex, &until) ==
               0) {
    }
    pthread_mutex_unlock(&journal->mutex);
}
