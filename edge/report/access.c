/*
 * Pages go round: a worker fills one of its own, hands it to the thread's
 * queue when it is full or a tick has passed, and takes an empty one back from
 * its pool. The mutex is taken once a page, never once a line.
 */
#include "report/access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

static void
add_stamp(struct access_lines *lines, struct buf *out)
{
    int64_t ms = clock_wall_ms();
    int64_t second = ms / 1000;

    if (second != lines->second) {
        time_t t = (time_t)second;
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(lines->stamp, sizeof(lines->stamp),
                 "{\"time\":\"%Y-%m-%dT%H:%M:%S.", &tm);
        lines->second = second;
    }
    unsigned rest = (unsigned)(ms % 1000);
    char digits[] = {(char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                     (char)('0' + rest % 10), 'Z', '"'};

    buf_add_text(out, lines->stamp);
    buf_add(out, digits, sizeof(digits));
}

static void
add_client(struct buf *out, const struct sockaddr *client)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (client != NULL && client->sa_family == AF_INET) {
        const unsigned char *b =
            (const unsigned char *)&(
                (const struct sockaddr_in *)(const void *)client)
                ->sin_addr;

        for (int i = 0; i < 4; i++) {
            if (i > 0)
                buf_add_char(out, '.');
            buf_add_u64(out, b[i]);
        }
        return;
    }
    if (client != NULL && client->sa_family == AF_INET6)
        inet_ntop(
            AF_INET6,
            &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr,
            text, sizeof(text));
    buf_add_text(out, text);
}

static void
add_member(struct buf *out, struct span name, struct span value)
{
    buf_add_span(out, name);
    buf_add_json(out, value);
}

static void
add_number(struct buf *out, struct span name, uint64_t value)
{
    buf_add_span(out, name);
    buf_add_u64(out, value);
}

static void
add_line(struct access_lines *lines, const struct access_record *r,
         struct buf *out)
{
    add_stamp(lines, out);
    buf_add_span(out, SPAN(",\"client\":\""));
    add_client(out, r->client);
    add_member(out, SPAN("\",\"method\":\""), r->method);
    add_member(out, SPAN("\",\"host\":\""), r->host);
    add_member(out, SPAN("\",\"target\":\""), r->target);
    add_number(out, SPAN("\",\"status\":"), r->status);
    add_number(out, SPAN(",\"bytes\":"), r->body_bytes);
    add_number(out, SPAN(",\"us\":"), r->duration_us);
    add_number(out, SPAN(",\"first_byte_us\":"), r->first_byte_us);
    add_member(out, SPAN(",\"cache\":\""), span_of(r->cache));
    add_member(out, SPAN("\",\"why\":\""), span_of(r->why));
    add_member(out, SPAN("\",\"route\":\""), span_of(r->route));
    add_member(out, SPAN("\",\"upstream\":\""), span_of(r->upstream));
    add_member(out, SPAN("\",\"error\":\""), span_of(r->error));
    buf_add_span(out, r->complete ? SPAN("\",\"complete\":true}\n")
                                  : SPAN("\",\"complete\":false}\n"));
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
