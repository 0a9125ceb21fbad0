/*
 * One writer, several readers, each on a thread and a loop of its own, for the
 * sanitizers; and what must hold: each reader sees every byte in its place, or
 * is told that it was left behind.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/check.h"
#include "base/loop.h"
#include "base/watcher.h"

#define READERS 4
#define TOTAL ((uint64_t)4 << 20)
#define WINDOW ((size_t)64 << 10)

struct reading {
    pthread_t thread;
    struct blob *blob; /* a reference */
    size_t step;       /* bytes at a time */
    struct loop *loop;
    struct watcher *watcher;
    struct blob_reader *reader;
    uint64_t seen;
    enum err end;
    _Atomic bool ready;
};

static char
byte_at(uint64_t at)
{
    return (char)(at * 31 + (at >> 13));
}

/* Reads what there is; a slow one takes little and looks again later. */
static void
on_news(void *arg)
{
    struct reading *r = arg;
    char data[8192];
    size_t n;

    for (int turns = 0; turns < 64; turns++) {
        enum err err = blob_read(r->reader, data, r->step, &n);

        if (err == ERR_AGAIN)
            return;
        if (err != ERR_OK) {
            r->end = err;
            loop_stop(r->loop);
            return;
        }
        for (size_t i = 0; i < n; i++)
            CHECK(data[i] == byte_at(r->seen + i));
        r->seen += n;
    }
    watcher_wake(r->watcher);
}

static void *
read_all(void *arg)
{
    struct reading *r = arg;

    r->loop = loop_new();
    r->watcher = watcher_new(r->loop, on_news, r);
    r->reader = blob_reader_new(r->blob, 0, r->watcher);
    CHECK(r->reader != NULL);
    atomic_store(&r->ready, true);
    watcher_wake(r->watcher);
    loop_run(r->loop);
    blob_reader_free(&r->reader);
    watcher_close(&r->watcher);
    loop_free(&r->loop);
    blob_unref(&r->blob);
    return NULL;
}

struct writing {
    struct loop *loop;
    struct watcher *room;
    struct blob *blob;
    uint64_t at;
};

static void
on_room(void *arg)
{
    struct writing *w = arg;
    char data[1500];

    while (w->at < TOTAL) {
        size_t len = TOTAL - w->at < sizeof(data) ? (size_t)(TOTAL - w->at)
                                                  : sizeof(data);

        for (size_t i = 0; i < len; i++)
            data[i] = byte_at(w->at + i);
        if (blob_append(w->blob, data, len) == ERR_AGAIN)
            return;
        w->at += len;
    }
    blob_finish(w->blob, ERR_OK);
    loop_stop(w->loop);
}

static void
run(bool slide, bool leave_slow, const size_t *steps)
{
    struct writing w = {.loop = loop_new(), .blob = blob_new(TOTAL / 2)};
    struct reading readings[READERS] = {0};
    size_t whole = 0;

    w.room = watcher_new(w.loop, on_room, &w);
    if (slide)
        blob_slide(w.blob, WINDOW, leave_slow, w.room);
    for (size_t i = 0; i < READERS; i++) {
        readings[i].blob = blob_ref(w.blob);
        readings[i].step = steps[i];
        CHECK(pthread_create(&readings[i].thread, NULL, read_all,
                             &readings[i]) == 0);
    }
    for (size_t i = 0; i < READERS; i++) {
        while (!atomic_load(&readings[i].ready))
            sched_yield();
    }
    watcher_wake(w.room);
    loop_run(w.loop);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readings[i].thread, NULL);
    for (size_t i = 0; i < READERS; i++) {
        if (readings[i].end == ERR_END)
            assert_int_equal(readings[i].seen, TOTAL);
        else
            assert_true(leave_slow && readings[i].end == ERR_LOST);
        whole += readings[i].end == ERR_END;
    }
    assert_true(whole >= 1);
    assert_int_equal(blob_readers(w.blob), 0);
    blob_unref(&w.blob);
    watcher_close(&w.room);
    loop_free(&w.loop);
}

static const size_t quick[READERS] = {8192, 8192, 5000, 8000};
static const size_t mixed[READERS] = {8192, 900, 200, 4000};

static void
test_kept(void **state)
{
    (void)state;
    run(false, false, quick);
    run(false, false, mixed);
}

static void
test_sliding(void **state)
{
    (void)state;
    run(true, false, quick);
    run(true, false, mixed);
}

static void
test_leaving_slow(void **state)
{
    (void)state;
    run(true, true, quick);
    run(true, true, mixed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_sliding),
        cmocka_unit_test(test_leaving_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
