/*
 * Pages go round: a worker fills one of its own, hands it to the thread's
 * queue when it is full or a tick has passed, and takes an empty one back from
 * its pool. The mutex is taken once a page, never once a line.
 */
#include "report/access.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define PAGE_BYTES ((size_t)64 * 1024)
#define PAGES 8 /* of each worker */
#define TICK_MS 100

struct page {
    struct page *next;
    unsigned lines;
    struct buf text;
};

struct access_log {
    char *path;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t news;
    struct page *first; /* to be written, in order */
    struct page **last;
    struct page *free; /* empty ones, for any worker */
    bool reopen;
    bool ending;
    int fd; /* the thread's, once it runs */
};

struct access_lines {
    struct access_log *log;
    struct timer *tick;
    struct page *page; /* being filled; NULL: none could be had */
    unsigned pages;    /* made for this worker */

    /* The text that does not change within a second. */
    int64_t second;
    char stamp[32];
    size_t stamp_len;
};

/* ---- the thread ---- */

static int
open_path(const char *path)
{
    if (strcmp(path, "-") == 0)
        return STDOUT_FILENO;
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void
write_all(struct access_log *log, const struct page *page)
{
    const char *from = page->text.data;
    size_t left = page->text.len;

    while (left > 0) {
        ssize_t n = write(log->fd, from, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            counter_add(COUNTER_LOG_DROPPED, page->lines);
            LOG(LOG_ERROR, "the access log \"%s\" cannot be written: %s",
                log->path, strerror(errno));
            return;
        }
        from += n;
        left -= (size_t)n;
    }
}

static void
open_again(struct access_log *log)
{
    int fd = open_path(log->path);

    if (fd < 0) {
        LOG(LOG_ERROR,
            "the access log \"%s\" cannot be opened again: %s; lines go to "
            "the old file",
            log->path, strerror(errno));
        return;
    }
    if (log->fd != STDOUT_FILENO)
        close(log->fd);
    log->fd = fd;
}

static void *
thread_main(void *arg)
{
    struct access_log *log = arg;

    pthread_mutex_lock(&log->mutex);
    for (;;) {
        while (log->first == NULL && !log->ending && !log->reopen)
            pthread_cond_wait(&log->news, &log->mutex);
        struct page *page = log->first;
        bool reopen = log->reopen;

        if (page == NULL && !reopen)
            break;
        log->reopen = false;
        if (page != NULL) {
            log->first = page->next;
            if (log->first == NULL)
                log->last = &log->first;
        }
        pthread_mutex_unlock(&log->mutex);
        if (reopen)
            open_again(log);
        if (page != NULL) {
            write_all(log, page);
            buf_clear(&page->text);
            page->lines = 0;
        }
        pthread_mutex_lock(&log->mutex);
        if (page != NULL) {
            page->next = log->free;
            log->free = page;
        }
    }
    pthread_mutex_unlock(&log->mutex);
    return NULL;
}

struct access_log *
access_log_new(const char *path, enum err *err)
{
    int fd = open_path(path);

    if (fd < 0) {
        *err = ERR_IO;
        return NULL;
    }
    struct access_log *log = mem_zalloc(sizeof(*log));

    log->path = mem_strdup(path);
    log->fd = fd;
    log->last = &log->first;
    CHECK(pthread_mutex_init(&log->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&log->news, NULL) == 0);
    CHECK(pthread_create(&log->thread, NULL, thread_main, log) == 0);
    *err = ERR_OK;
    return log;
}

void
access_log_free(struct access_log **log)
{
    struct access_log *l = *log;

    *log = NULL;
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->mutex);
    l->ending = true;
    pthread_cond_signal(&l->news);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    while (l->free != NULL) {
        struct page *page = l->free;

        l->free = page->next;
        buf_fini(&page->text);
        free(page);
    }
    if (l->fd != STDOUT_FILENO)
        close(l->fd);
    pthread_cond_destroy(&l->news);
    pthread_mutex_destroy(&l->mutex);
    free(l->path);
    free(l);
}

void
access_log_reopen(struct access_log *log)
{
    pthread_mutex_lock(&log->mutex);
    log->reopen = true;
    pthread_cond_signal(&log->news);
    pthread_mutex_unlock(&log->mutex);
}

/* ---- a worker ---- */

static struct page *
page_new(struct access_lines *lines)
{
    struct page *page = mem_zalloc(sizeof(*page));

    lines->pages++;
    buf_reserve(&page->text, PAGE_BYTES);
    return page;
}

/* An empty page: one that was written out, or a new one while this worker has
 * made few. NULL: the disk is behind. */
static struct page *
page_get(struct access_lines *lines)
{
    struct access_log *log = lines->log;

    pthread_mutex_lock(&log->mutex);
    struct page *page = log->free;

    if (page != NULL)
        log->free = page->next;
    pthread_mutex_unlock(&log->mutex);
    if (page == NULL && lines->pages < PAGES)
        page = page_new(lines);
    return page;
}

static void
page_put(struct access_lines *lines)
{
    struct access_log *log = lines->log;
    struct page *page = lines->page;

    lines->page = NULL;
    page->next = NULL;
    pthread_mutex_lock(&log->mutex);
    *log->last = page;
    log->last = &page->next;
    pthread_cond_signal(&log->news);
    pthread_mutex_unlock(&log->mutex);
}

static void
on_tick(void *arg)
{
    struct access_lines *lines = arg;

    if (lines->page != NULL && lines->page->text.len > 0)
        page_put(lines);
}

struct access_lines *
access_lines_new(struct access_log *log, struct loop *loop)
{
    struct access_lines *lines = mem_zalloc(sizeof(*lines));

    lines->log = log;
    lines->tick = timer_new(loop, on_tick, lines);
    lines->page = page_new(lines);
    return lines;
}

void
access_lines_free(struct access_lines **lines)
{
    struct access_lines *l = *lines;

    *lines = NULL;
    if (l == NULL)
        return;
    if (l->page != NULL)
        page_put(l);
    timer_free(&l->tick);
    free(l);
}

/* ---- a line ---- */

/*
 * A line is written where it will stay: room for the worst of it is reserved
 * first, and then everything is put down without looking again. On a hit this
 * is most of what the log costs.
 */
struct pen {
    struct buf *out;
    char *at;
};

/* All that is not the record's: names, punctuation, numbers, the time, the
 * address. */
#define LINE_FIXED ((size_t)640)

#define PUT(pen, literal)                                                      \
    do {                                                                       \
        memcpy((pen)->at, (literal), sizeof(literal) - 1);                     \
        (pen)->at += sizeof(literal) - 1;                                      \
    } while (0)

static void
put(struct pen *pen, const char *text, size_t len)
{
    memcpy(pen->at, text, len);
    pen->at += len;
}

/* A byte that a JSON string cannot hold as it is, or that needs a look. */
static bool
plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
put_string(struct pen *pen, struct span s)
{
    size_t i = 0;

    for (; i < s.len && plain((unsigned char)s.ptr[i]); i++)
        pen->at[i] = s.ptr[i];
    pen->at += i;
    if (i == s.len)
        return;
    pen->out->len = (size_t)(pen->at - pen->out->data);
    buf_add_json(pen->out, span_sub(s, i, s.len));
    pen->at = pen->out->data + pen->out->len;
}

static void
put_number(struct pen *pen, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (; n < sizeof(digits); n++)
        *pen->at++ = digits[n];
}

static void
put_stamp(struct access_lines *lines, struct pen *pen)
{
    int64_t ms = clock_wall_ms();
    int64_t second = ms / 1000;

    if (second != lines->second) {
        time_t t = (time_t)second;
        struct tm tm;

        gmtime_r(&t, &tm);
        lines->stamp_len = strftime(lines->stamp, sizeof(lines->stamp),
                                    "{\"time\":\"%Y-%m-%dT%H:%M:%S.", &tm);
        lines->second = second;
    }
    unsigned rest = (unsigned)(ms % 1000);
    char digits[] = {(char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                     (char)('0' + rest % 10), 'Z', '"'};

    put(pen, lines->stamp, lines->stamp_len);
    put(pen, digits, sizeof(digits));
}

static void
add_line(struct access_lines *lines, const struct access_record *r,
         struct buf *out)
{
    const struct span words[] = {span_of(r->cache), span_of(r->why),
                                 span_of(r->route), span_of(r->upstream),
                                 span_of(r->error)};
    size_t most = r->method.len + r->host.len + r->target.len;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        most += words[i].len;
    buf_reserve(out, LINE_FIXED + 6 * most); /* \u00XX at the worst */
    struct pen pen = {out, out->data + out->len};

    put_stamp(lines, &pen);
    PUT(&pen, ",\"client\":\"");
    pen.at += address_text(r->client, pen.at);
    PUT(&pen, "\",\"method\":\"");
    put_string(&pen, r->method);
    PUT(&pen, "\",\"host\":\"");
    put_string(&pen, r->host);
    PUT(&pen, "\",\"target\":\"");
    put_string(&pen, r->target);
    PUT(&pen, "\",\"status\":");
    put_number(&pen, r->status);
    PUT(&pen, ",\"bytes\":");
    put_number(&pen, r->body_bytes);
    PUT(&pen, ",\"us\":");
    put_number(&pen, r->duration_us);
    PUT(&pen, ",\"first_byte_us\":");
    put_number(&pen, r->first_byte_us);
    PUT(&pen, ",\"cache\":\"");
    put_string(&pen, words[0]);
    PUT(&pen, "\",\"why\":\"");
    put_string(&pen, words[1]);
    PUT(&pen, "\",\"route\":\"");
    put_string(&pen, words[2]);
    PUT(&pen, "\",\"upstream\":\"");
    put_string(&pen, words[3]);
    PUT(&pen, "\",\"error\":\"");
    put_string(&pen, words[4]);
    if (r->complete)
        PUT(&pen, "\",\"complete\":true}\n");
    else
        PUT(&pen, "\",\"complete\":false}\n");
    out->len = (size_t)(pen.at - out->data);
    out->data[out->len] = '\0';
}

void
access_write(struct access_lines *lines, const struct access_record *record)
{
    if (lines->page == NULL)
        lines->page = page_get(lines);
    if (lines->page == NULL) {
        counter_add(COUNTER_LOG_DROPPED, 1);
        return;
    }
    struct page *page = lines->page;

    if (page->text.len == 0)
        timer_start(lines->tick, TICK_MS);
    add_line(lines, record, &page->text);
    page->lines++;
    if (page->text.len > PAGE_BYTES - 4096)
        page_put(lines);
}
