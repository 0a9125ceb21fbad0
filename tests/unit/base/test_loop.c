/* Loops, their posts and timers, and watchers. */
#include "base/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/watcher.h"

#define THREADS 4
#define POSTS 5000

/* ---- posts ---- */

struct numbered {
    struct post post;
    struct loop *loop;
    unsigned thread;
    unsigned number;
};

static unsigned next[THREADS];
static unsigned arrived;
static pthread_t loop_thread;

static void
on_numbered(struct post *post)
{
    struct numbered *n = CONTAINER_OF(post, struct numbered, post);

    CHECK(pthread_equal(pthread_self(), loop_thread));
    CHECK(n->number == next[n->thread]++); /* in the order of posting */
    if (++arrived == THREADS * POSTS)
        loop_stop(n->loop);
    free(n);
}

struct posting {
    pthread_t thread;
    struct loop *loop;
    unsigned index;
};

static void *
post_all(void *arg)
{
    struct posting *p = arg;

    for (unsigned i = 0; i < POSTS; i++) {
        struct numbered *n = mem_alloc(sizeof(*n));

        *n = (struct numbered){{NULL, on_numbered}, p->loop, p->index, i};
        loop_post(p->loop, &n->post);
    }
    return NULL;
}

static void
test_posts_of_threads(void **state)
{
    struct loop *loop = loop_new();
    struct posting postings[THREADS];
    (void)state;

    loop_thread = pthread_self();
    for (unsigned i = 0; i < THREADS; i++) {
        postings[i] = (struct posting){.loop = loop, .index = i};
        pthread_create(&postings[i].thread, NULL, post_all, &postings[i]);
    }
    loop_run(loop);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(postings[i].thread, NULL);
        assert_int_equal(next[i], POSTS);
    }
    loop_free(&loop);
    assert_null(loop);
}

struct again {
    struct post post;
    struct loop *loop;
    int left;
};

static void
on_again(struct post *post)
{
    struct again *again = CONTAINER_OF(post, struct again, post);

    if (--again->left > 0)
        loop_post(again->loop, post);
    else
        loop_stop(again->loop);
}

static void
test_post_from_itself(void **state)
{
    struct loop *loop = loop_new();
    struct again again = {{NULL, on_again}, loop, 10};
    (void)state;

    loop_post(loop, &again.post);
    loop_run(loop);
    assert_int_equal(again.left, 0);
    loop_free(&loop);
}

/* What is left when the loop goes is delivered all the same. */
static void
test_posts_at_the_end(void **state)
{
    struct loop *loop = loop_new();
    struct again again = {{NULL, on_again}, loop, 1};
    (void)state;

    loop_post(loop, &again.post);
    loop_free(&loop);
    assert_int_equal(again.left, 0);
}

static void
test_stop_before_run(void **state)
{
    struct loop *loop = loop_new();
    (void)state;

    for (int i = 0; i < 3; i++) {
        loop_stop(loop);
        loop_run(loop);
    }
    loop_free(&loop);
    loop_free(&loop);
}

/* ---- timers ---- */

struct alarms {
    struct loop *loop;
    struct timer *a, *b, *c, *end;
    char order[8];
    size_t count;
};

static void
on_a(void *arg)
{
    struct alarms *alarms = arg;

    alarms->order[alarms->count++] = 'a';
    assert_false(timer_running(alarms->a));
    timer_stop(alarms->c);
}

static void
on_b(void *arg)
{
    struct alarms *alarms = arg;

    alarms->order[alarms->count++] = 'b';
    if (alarms->count < 4)
        timer_start(alarms->b, 1); /* anew, from its own callback */
    else
        timer_free(&alarms->b);
}

static void
on_c(void *arg)
{
    struct alarms *alarms = arg;

    alarms->order[alarms->count++] = 'c';
}

static void
on_end(void *arg)
{
    struct alarms *alarms = arg;

    loop_stop(alarms->loop);
}

static void
test_timers(void **state)
{
    struct alarms alarms = {.loop = loop_new()};
    uint64_t begin = clock_boot_ns();
    (void)state;

    alarms.a = timer_new(alarms.loop, on_a, &alarms);
    alarms.b = timer_new(alarms.loop, on_b, &alarms);
    alarms.c = timer_new(alarms.loop, on_c, &alarms);
    alarms.end = timer_new(alarms.loop, on_end, &alarms);
    assert_false(timer_running(alarms.a));
    timer_stop(alarms.a);
    timer_start(alarms.a, 1000000);
    timer_start(alarms.a, 10); /* anew */
    assert_true(timer_running(alarms.a));
    timer_start(alarms.b, 30);
    timer_start(alarms.c, 20); /* stopped by a */
    timer_start(alarms.end, 120);
    loop_run(alarms.loop);
    assert_string_equal(alarms.order, "abbb");
    assert_null(alarms.b);
    assert_true(clock_boot_ns() - begin >= 119 * NS_PER_MS);
    timer_start(alarms.c, 0);
    timer_free(&alarms.c); /* never fires */
    timer_free(&alarms.a);
    timer_free(&alarms.a);
    timer_free(&alarms.end);
    loop_free(&alarms.loop);
    assert_int_equal(alarms.count, 4);
}

/* ---- watchers ---- */

struct watched {
    struct loop *loop;
    struct watcher *watcher;
    int calls;
    int again; /* wakes itself so often from its callback */
};

static void
on_watched(void *arg)
{
    struct watched *w = arg;

    w->calls++;
    if (w->again-- > 0)
        watcher_wake(w->watcher);
}

static void
turn(struct loop *loop)
{
    loop_stop(loop);
    loop_run(loop);
}

static void
test_watcher(void **state)
{
    struct watched w = {.loop = loop_new()};
    (void)state;

    w.watcher = watcher_new(w.loop, on_watched, &w);
    turn(w.loop);
    assert_int_equal(w.calls, 0);
    for (int i = 0; i < 5; i++)
        watcher_wake(w.watcher);
    assert_int_equal(w.calls, 0); /* never from inside */
    turn(w.loop);
    assert_int_equal(w.calls, 1);
    /* News that comes during the call is told by another one. */
    w.again = 2;
    watcher_wake(w.watcher);
    for (int i = 0; i < 4; i++)
        turn(w.loop);
    assert_int_equal(w.calls, 4);
    /* Closed before delivery: no call. */
    struct watcher *other = watcher_ref(w.watcher);

    watcher_wake(w.watcher);
    watcher_close(&w.watcher);
    assert_null(w.watcher);
    turn(w.loop);
    assert_int_equal(w.calls, 4);
    /* Who still holds it may wake it, to no effect. */
    watcher_wake(other);
    watcher_unref(&other);
    turn(w.loop);
    assert_int_equal(w.calls, 4);
    watcher_close(&w.watcher);
    watcher_unref(&w.watcher);
    loop_free(&w.loop);
}

/* The last news is never lost: what was written before a wake is seen by a
 * call that comes after it. */
struct shared {
    struct loop *loop;
    struct watcher *watcher;
    _Atomic unsigned written;
    unsigned seen;
};

static void
on_shared(void *arg)
{
    struct shared *s = arg;

    s->seen = atomic_load(&s->written);
    if (s->seen == THREADS * POSTS)
        loop_stop(s->loop);
}

struct waker {
    pthread_t thread;
    struct shared *shared;
    struct watcher *watcher; /* a reference */
};

static void *
wake_all(void *arg)
{
    struct waker *waker = arg;

    for (int i = 0; i < POSTS; i++) {
        atomic_fetch_add(&waker->shared->written, 1);
        watcher_wake(waker->watcher);
    }
    watcher_unref(&waker->watcher);
    return NULL;
}

static void
test_watcher_of_threads(void **state)
{
    struct shared shared = {.loop = loop_new()};
    struct waker wakers[THREADS];
    (void)state;

    shared.watcher = watcher_new(shared.loop, on_shared, &shared);
    for (int i = 0; i < THREADS; i++) {
        wakers[i].shared = &shared;
        wakers[i].watcher = watcher_ref(shared.watcher);
        pthread_create(&wakers[i].thread, NULL, wake_all, &wakers[i]);
    }
    loop_run(shared.loop);
    assert_int_equal(shared.seen, THREADS * POSTS);
    watcher_close(&shared.watcher);
    for (int i = 0; i < THREADS; i++)
        pthread_join(wakers[i].thread, NULL);
    loop_free(&shared.loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_of_threads),
        cmocka_unit_test(test_post_from_itself),
        cmocka_unit_test(test_posts_at_the_end),
        cmocka_unit_test(test_stop_before_run),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_watcher),
        cmocka_unit_test(test_watcher_of_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
