/* The shelf as a whole: open, close, when it answers, numbers. */
#include "engine/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/inval_restore.h"
#include "cluster/stream.h"
#include "conf/conf.h"
#include "shelf_internal.h"

/* Of the budget, for the journal. */
#define JOURNAL_BYTES (UINT64_C(24) << 20)
#define BEGIN_WAIT_MS 2000
#define BEGIN_LOOK_MS 5
#define QUEUE_MAX ((size_t)64 * 1024 * 1024)
#define QUEUE_SHARE 8 /* of the memory */

void
shelf_clock(const struct shelf *shelf, struct shelf_clock *clock)
{
    clock->boot = shelf->boot;
    clock->boot_ns = clock_boot_ns();
    clock->wall_ms = clock_wall_ms();
}

/* Without one, every start of the process counts as one of the machine. */
static struct hash128
read_boot_id(void)
{
    struct hash128 id;
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

    if (fd >= 0)
        close(fd);
    if (n >= 32)
        return hash_bytes((struct span){text, (size_t)n}, 0);
    secret_random(&id, sizeof(id));
    return id;
}

/* ---- open and close ---- */

static void
options_of(const struct conf *conf, const char *path,
           struct disk_options *options)
{
    *options = (struct disk_options){
        .path = path, .budget = conf->disk.size_bytes - JOURNAL_BYTES};
}

size_t
shelf_files(const struct conf *conf)
{
    struct disk_options options;

    if (conf->disk.size_bytes == 0)
        return 0;
    options_of(conf, "", &options);
    return disk_files(&options) + 8;
}

static enum err
open_log(struct shelf *shelf, const struct conf *conf, struct buf *problem)
{
    char *path = mem_printf("%s/objects", conf->disk.path);
    struct disk_options options;
    enum err err = ERR_IO;

    options_of(conf, path, &options);
    if (mkdir(conf->disk.path, 0700) != 0 && errno != EEXIST)
        buf_printf(problem,
                   "%s: cannot be made: %s; make the folder in which it is, or "
                   "correct \"disk.path\"",
                   conf->disk.path, strerror(errno));
    else
        err = disk_open(&options, &shelf->disk, problem);
    free(path);
    return err;
}

/* What is done again is done as it was: before the journal is read. */
static void
keep_paths(struct inval *inval, const struct conf *conf)
{
    for (size_t i = 0; i < conf->route_count; i++) {
        if (conf->routes[i].key.no_vary_search)
            inval_keep_paths(inval);
    }
}

/* A site that has no stream any more is none that others must cover. */
static void
leave_sites(struct inval *inval, const struct conf *conf)
{
    const char *name;

    for (size_t i = 0; (name = inval_site_name(inval, i)) != NULL; i++) {
        const struct conf_site *site = conf_site(conf, name);

        if (site == NULL || site->redis[0] == '\0')
            inval_site_leave(inval, i);
    }
    inval_publish(inval);
}

static enum err
open_journal(struct shelf *shelf, struct loop *control, const struct conf *conf,
             struct buf *problem)
{
    char why[512];

    keep_paths(shelf->inval, conf);
    shelf->journal =
        journal_open(control, conf->disk.path, shelf->inval, why, sizeof(why));
    if (shelf->journal == NULL) {
        buf_add_text(problem, why);
        return ERR_IO;
    }
    leave_sites(shelf->inval, conf);
    journal_levels(shelf->journal, conf_level_print(conf), true);
    return ERR_OK;
}

static void
say_opened(struct shelf *shelf, const struct conf *conf, uint64_t since_ns)
{
    struct disk_stats stats;

    disk_stats(shelf->disk, &stats);
    LOG(LOG_INFO,
        "the disk tier in \"%s\" has %llu objects in %llu bytes, and was "
        "opened in %llu ms",
        conf->disk.path, (unsigned long long)stats.records,
        (unsigned long long)stats.bytes,
        (unsigned long long)((clock_boot_ns() - since_ns) / NS_PER_MS));
}

enum err
shelf_open(struct loop *control, const struct conf *conf, struct inval *inval,
           struct shelf **shelf, struct buf *problem)
{
    struct shelf *s = mem_zalloc(sizeof(*s));
    uint64_t since_ns = clock_boot_ns();
    size_t share = (size_t)conf->memory_bytes / QUEUE_SHARE;

    TAG_SET(s, SHELF_TAG);
    s->inval = inval;
    s->boot = read_boot_id();
    s->buckets = mem_zalloc(SHELF_BUCKETS * sizeof(*s->buckets));
    s->queue_max = share < QUEUE_MAX ? share : QUEUE_MAX;
    atomic_init(&s->turn, 1);
    list_init(&s->queue.items);
    for (size_t i = 0; i < SHELF_STRIPES; i++)
        CHECK(pthread_mutex_init(&s->stripes[i], NULL) == 0);
    CHECK(pthread_mutex_init(&s->queue.lock, NULL) == 0);
    CHECK(pthread_cond_init(&s->queue.more, NULL) == 0);
    enum err err = open_log(s, conf, problem);

    if (err == ERR_OK)
        err = open_journal(s, control, conf, problem);
    if (err != ERR_OK) {
        shelf_close(&s);
        return err;
    }
    shelf_write_start(s);
    say_opened(s, conf, since_ns);
    *shelf = s;
    return ERR_OK;
}

void
shelf_close(struct shelf **shelf)
{
    struct shelf *s = *shelf;

    *shelf = NULL;
    if (s == NULL)
        return;
    TAG_CHECK(s, SHELF_TAG);
    timer_free(&s->timer);
    /* What waits to be written needs the numbers that are still on their way.
     */
    if (s->journal != NULL)
        journal_finish(s->journal);
    if (s->running)
        shelf_write_stop(s);
    journal_close(&s->journal);
    if (s->disk != NULL)
        disk_close(&s->disk);
    pthread_cond_destroy(&s->queue.more);
    pthread_mutex_destroy(&s->queue.lock);
    for (size_t i = 0; i < SHELF_STRIPES; i++)
        pthread_mutex_destroy(&s->stripes[i]);
    free(s->buckets);
    TAG_CLEAR(s);
    free(s);
}

struct journal *
shelf_journal(struct shelf *shelf)
{
    return shelf->journal;
}

/* ---- when it answers ---- */

static void
on_look(void *arg)
{
    struct shelf *shelf = arg;

    if (streams_configured(shelf->streams) &&
        !streams_in_sync(shelf->streams)) {
        if (clock_boot_ns() < shelf->until_ns) {
            timer_start(shelf->timer, BEGIN_LOOK_MS);
            return;
        }
        LOG(LOG_WARN,
            "not all streams could be read to their end within %d ms: what is "
            "on disk answers on `ap` routes as far as is known here",
            BEGIN_WAIT_MS);
    }
    atomic_store(&shelf->answers, true);
}

/* What was purged while this node was down must not be an answer in the moment
 * before it hears of it; nor must a network that is down keep it silent. */
void
shelf_begin(struct shelf *shelf, struct loop *control,
            const struct streams *streams)
{
    shelf->streams = streams;
    shelf->until_ns = clock_boot_ns() + BEGIN_WAIT_MS * NS_PER_MS;
    shelf->timer = timer_new(control, on_look, shelf);
    on_look(shelf);
}

void
shelf_configure(struct shelf *shelf, const struct conf *conf)
{
    journal_levels(shelf->journal, conf_level_print(conf), false);
}

/* ---- numbers ---- */

void
shelf_status(struct shelf *shelf, struct shelf_status *status)
{
    disk_stats(shelf->disk, &status->disk);
    pthread_mutex_lock(&shelf->queue.lock);
    status->waiting = shelf->queue.count;
    status->waiting_bytes = shelf->queue.bytes;
    pthread_mutex_unlock(&shelf->queue.lock);
    status->answers = atomic_load(&shelf->answers);
    status->journal = journal_synced(shelf->journal) != 0;
}
