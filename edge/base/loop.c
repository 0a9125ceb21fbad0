#include "base/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/mem.h"

struct loop {
    uv_loop_t uv;
    uv_async_t async;     /* wakes the loop for posts */
    uv_prepare_t prepare; /* before it waits: the thread is quiescent */

    pthread_mutex_t mutex; /* guards the two below */
    struct post *first;
    struct post **last;
    bool stop; /* set by the stop post, on the loop's thread */
};

struct timer {
    uv_timer_t uv;
    timer_fn fn;
    void *arg;
};

static void
deliver(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct post *post = loop->first;

    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->mutex);
    while (post != NULL) {
        struct post *next = post->next;

        post->fn(post);
        post = next;
    }
}

static void
on_async(uv_async_t *async)
{
    deliver(async->data);
}

static void
on_prepare(uv_prepare_t *prepare)
{
    (void)prepare;
    grace_idle();
}

struct loop *
loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof(*loop));

    grace_register();
    loop->last = &loop->first;
    CHECK(pthread_mutex_init(&loop->mutex, NULL) == 0);
    CHECK(uv_loop_init(&loop->uv) == 0);
    CHECK(uv_async_init(&loop->uv, &loop->async, on_async) == 0);
    CHECK(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
    CHECK(uv_prepare_start(&loop->prepare, on_prepare) == 0);
    uv_unref((uv_handle_t *)&loop->prepare);
    loop->async.data = loop;
    return loop;
}

void
loop_free(struct loop **loop)
{
    struct loop *l = *loop;

    if (l == NULL)
        return;
    deliver(l);
    uv_close((uv_handle_t *)&l->async, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    deliver(l);
    CHECK(uv_loop_close(&l->uv) == 0);
    pthread_mutex_destroy(&l->mutex);
    free(l);
    grace_unregister();
    *loop = NULL;
}

struct uv_loop_s *
loop_uv(struct loop *loop)
{
    return &loop->uv;
}

void
loop_run(struct loop *loop)
{
    loop->stop = false;
    while (!loop->stop)
        uv_run(&loop->uv, UV_RUN_ONCE);
    grace_idle();
}

struct stop_post {
    struct post post;
    struct loop *loop;
};

static void
on_stop(struct post *post)
{
    struct stop_post *stop = CONTAINER_OF(post, struct stop_post, post);

    stop->loop->stop = true;
    free(stop);
}

void
loop_stop(struct loop *loop)
{
    struct stop_post *stop = mem_alloc(sizeof(*stop));

    stop->loop = loop;
    stop->post.fn = on_stop;
    loop_post(loop, &stop->post);
}

void
loop_post(struct loop *loop, struct post *post)
{
    post->next = NULL;
    pthread_mutex_lock(&loop->mutex);
    bool wake = loop->first == NULL;

    *loop->last = post;
    loop->last = &post->next;
    pthread_mutex_unlock(&loop->mutex);
    if (wake)
        uv_async_send(&loop->async);
}

/* ---- work ---- */

struct work {
    uv_work_t uv;
    uv_sem_t over; /* of `run` */
    work_fn run;
    work_fn done; /* NULL: nobody wants it any more */
    void *arg;
};

static void
on_work(uv_work_t *uv)
{
    struct work *work = CONTAINER_OF(uv, struct work, uv);

    work->run(work->arg);
    uv_sem_post(&work->over);
}

static void
on_worked(uv_work_t *uv, int status)
{
    struct work *work = CONTAINER_OF(uv, struct work, uv);
    work_fn done = work->done;
    void *arg = work->arg;

    (void)status; /* cancelled: then there is no `done` */
    uv_sem_destroy(&work->over);
    free(work);
    if (done != NULL)
        done(arg);
}

struct work *
work_start(struct loop *loop, work_fn run, work_fn done, void *arg)
{
    struct work *work = mem_zalloc(sizeof(*work));

    work->run = run;
    work->done = done;
    work->arg = arg;
    CHECK(uv_sem_init(&work->over, 0) == 0);
    CHECK(uv_queue_work(&loop->uv, &work->uv, on_work, on_worked) == 0);
    return work;
}

void
work_finish(struct work **work, bool cancel)
{
    struct work *w = *work;

    *work = NULL;
    w->done = NULL;
    if (!cancel || uv_cancel((uv_req_t *)&w->uv) != 0)
        uv_sem_wait(&w->over);
}

/* ---- timers ---- */

static void
on_timer(uv_timer_t *uv)
{
    struct timer *timer = CONTAINER_OF(uv, struct timer, uv);

    timer->fn(timer->arg);
}

struct timer *
timer_new(struct loop *loop, timer_fn fn, void *arg)
{
    struct timer *timer = mem_zalloc(sizeof(*timer));

    timer->fn = fn;
    timer->arg = arg;
    CHECK(uv_timer_init(&loop->uv, &timer->uv) == 0);
    return timer;
}

void
timer_start(struct timer *timer, uint64_t ms)
{
    uv_update_time(timer->uv.loop);
    CHECK(uv_timer_start(&timer->uv, on_timer, ms, 0) == 0);
}

void
timer_stop(struct timer *timer)
{
    uv_timer_stop(&timer->uv);
}

bool
timer_running(const struct timer *timer)
{
    return uv_is_active((const uv_handle_t *)&timer->uv) != 0;
}

static void
on_timer_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct timer, uv));
}

void
timer_free(struct timer **timer)
{
    if (*timer == NULL)
        return;
    uv_timer_stop(&(*timer)->uv);
    uv_close((uv_handle_t *)&(*timer)->uv, on_timer_closed);
    *timer = NULL;
}
