/* The queue of events, and what stands on it: clocks, loops, timers, posts. */
#include "sim.h"

#include <stdlib.h>
#include <urcu/urcu-qsbr.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"

struct event {
    uint64_t time;
    uint64_t number; /* equal times: in the order of their making */
    struct loop *loop;
    event_fn fn; /* NULL: cancelled */
    event_fn drop;
    void *arg;
};

static struct event **heap;
static size_t heap_len, heap_cap;
static uint64_t now_ns, numbers, hash_value;
static struct machine nobody;
static struct machine *current = &nobody;

struct loop {
    struct machine *machine;
    uint64_t stalled_to;
    uint64_t last_post; /* posts keep their order */
    struct post *posts;
    struct post **posts_end;
};

/* ---- the heap ---- */

static bool
before(const struct event *a, const struct event *b)
{
    return a->time != b->time ? a->time < b->time : a->number < b->number;
}

static void
sift_up(size_t i)
{
    struct event *event = heap[i];

    for (; i > 0 && before(event, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = event;
}

static void
sift_down(void)
{
    struct event *event = heap[0];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < heap_len) {
        if (child + 1 < heap_len && before(heap[child + 1], heap[child]))
            child++;
        if (before(event, heap[child]))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = event;
}

static void
push(struct event *event)
{
    if (heap_len == heap_cap) {
        heap_cap = heap_cap > 0 ? heap_cap * 2 : 1024;
        heap = mem_realloc(heap, heap_cap * sizeof(struct event *));
    }
    event->number = numbers++;
    heap[heap_len] = event;
    sift_up(heap_len++);
}

static struct event *
pop(void)
{
    struct event *event = heap[0];

    heap[0] = heap[--heap_len];
    if (heap_len > 0)
        sift_down();
    return event;
}

/* ---- events ---- */

uint64_t
sim_now(void)
{
    return now_ns;
}

uint64_t
sim_hash(void)
{
    return hash_value;
}

void
sim_mix(uint64_t value)
{
    hash_value = (hash_value ^ value) * UINT64_C(0x100000001b3);
}

struct event *
event_at(uint64_t time, struct loop *loop, event_fn fn, void *arg)
{
    struct event *event = mem_zalloc(sizeof(*event));

    event->time = time > now_ns ? time : now_ns;
    event->loop = loop;
    event->fn = fn;
    event->arg = arg;
    push(event);
    return event;
}

struct event *
event_message(uint64_t time, struct loop *loop, event_fn fn, event_fn drop,
              void *arg)
{
    struct event *event = event_at(time, loop, fn, arg);

    event->drop = drop;
    return event;
}

struct event *
event_in(uint64_t ns, struct loop *loop, event_fn fn, void *arg)
{
    return event_at(now_ns + ns, loop, fn, arg);
}

void
event_cancel(struct event **event)
{
    if (*event != NULL)
        (*event)->fn = NULL;
    *event = NULL;
}

/* When its thread can take it; now, or later. */
static uint64_t
turn_of(const struct event *event)
{
    const struct loop *loop = event->loop;
    uint64_t time = event->time;

    if (loop == NULL)
        return time;
    if (loop->stalled_to > time)
        time = loop->stalled_to;
    if (loop->machine->paused_to > time)
        time = loop->machine->paused_to;
    return time;
}

uint64_t
sim_run(uint64_t until_ns)
{
    uint64_t count = 0;

    while (heap_len > 0 && heap[0]->time <= until_ns) {
        struct event *event = pop();
        uint64_t turn = event->fn != NULL ? turn_of(event) : event->time;

        if (turn > event->time) {
            event->time = turn;
            push(event);
            continue;
        }
        now_ns = event->time;
        if (event->fn != NULL) {
            current = event->loop != NULL ? event->loop->machine : &nobody;
            sim_mix(now_ns);
            count++;
            event->fn(event->arg);
            current = &nobody;
            urcu_qsbr_quiescent_state();
        }
        free(event);
    }
    if (now_ns < until_ns)
        now_ns = until_ns;
    return count;
}

void
sim_reset(void)
{
    while (heap_len > 0) {
        struct event *event = pop();

        if (event->fn != NULL && event->drop != NULL)
            event->drop(event->arg);
        free(event);
    }
    now_ns = 0;
    numbers = 0;
    hash_value = UINT64_C(0xcbf29ce484222325);
    current = &nobody;
}

/* ---- machines ---- */

struct machine *
sim_machine(void)
{
    return current;
}

void
sim_become(struct machine *machine)
{
    current = machine != NULL ? machine : &nobody;
}

uint64_t
clock_boot_ns(void)
{
    int64_t drift = (int64_t)(now_ns / 1000000) * current->drift_ppm;

    return S + current->boot_ns + (uint64_t)((int64_t)now_ns + drift);
}

int64_t
clock_wall_ms(void)
{
    return INT64_C(1790000000000) + current->wall_ms + (int64_t)(now_ns / MS);
}

/* So many of its own ms, in our time. */
static uint64_t
own_ms(const struct machine *machine, uint64_t ms)
{
    int64_t ns = (int64_t)(ms * MS);

    return (uint64_t)(ns - ns / 1000000 * machine->drift_ppm);
}

/* ---- loops ---- */

struct loop *
loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof(*loop));

    loop->machine = current;
    loop->posts_end = &loop->posts;
    return loop;
}

struct machine *
loop_machine(const struct loop *loop)
{
    return loop->machine;
}

void
loop_stall(struct loop *loop, uint64_t ns)
{
    loop->stalled_to = now_ns + ns;
}

static void
deliver_one(void *arg)
{
    struct loop *loop = arg;
    struct post *post = loop->posts;

    if (post == NULL)
        return;
    loop->posts = post->next;
    if (loop->posts == NULL)
        loop->posts_end = &loop->posts;
    post->fn(post);
}

static void
abandon(struct event *event)
{
    if (event->fn != NULL && event->drop != NULL)
        event->drop(event->arg);
    event->fn = NULL;
    event->drop = NULL;
    event->loop = NULL;
}

void
loop_free(struct loop **loop)
{
    struct loop *l = *loop;

    while (l->posts != NULL)
        deliver_one(l);
    for (size_t i = 0; i < heap_len; i++) {
        if (heap[i]->loop == l)
            abandon(heap[i]);
    }
    free(l);
    *loop = NULL;
}

struct uv_loop_s *
loop_uv(struct loop *loop)
{
    (void)loop;
    CHECK(!"nothing that is simulated knows libuv");
    return NULL;
}

void
loop_run(struct loop *loop)
{
    (void)loop;
    CHECK(!"the simulation runs the loops");
}

void
loop_stop(struct loop *loop)
{
    (void)loop;
}

void
loop_post(struct loop *loop, struct post *post)
{
    uint64_t time = now_ns + chance_delay(2 * US, 200 * US);

    if (time < loop->last_post)
        time = loop->last_post;
    loop->last_post = time;
    post->next = NULL;
    *loop->posts_end = post;
    loop->posts_end = &post->next;
    event_at(time, loop, deliver_one, loop);
}

/* ---- timers ---- */

struct timer {
    struct loop *loop;
    timer_fn fn;
    void *arg;
    struct event *event;
};

static void
on_timer(void *arg)
{
    struct timer *timer = arg;

    timer->event = NULL;
    timer->fn(timer->arg);
}

struct timer *
timer_new(struct loop *loop, timer_fn fn, void *arg)
{
    struct timer *timer = mem_zalloc(sizeof(*timer));

    timer->loop = loop;
    timer->fn = fn;
    timer->arg = arg;
    return timer;
}

void
timer_start(struct timer *timer, uint64_t ms)
{
    event_cancel(&timer->event);
    timer->event =
        event_in(own_ms(timer->loop->machine, ms) + chance_delay(US, 300 * US),
                 timer->loop, on_timer, timer);
}

void
timer_stop(struct timer *timer)
{
    event_cancel(&timer->event);
}

bool
timer_running(const struct timer *timer)
{
    return timer->event != NULL;
}

void
timer_free(struct timer **timer)
{
    if (*timer == NULL)
        return;
    event_cancel(&(*timer)->event);
    free(*timer);
    *timer = NULL;
}
