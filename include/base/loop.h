/*
 * An event loop (libuv), its timers, and messages between loops.
 *
 * A thread makes its loop, fills it with handles, and runs it; everything in
 * this header but loop_post and loop_stop belongs to that thread. While the
 * loop waits, its thread is quiescent (see grace.h). A simulation links an
 * implementation of its own: nothing here promises that time is real.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct timer;
struct uv_loop_s;

/* A message, embedded in what it is about. It belongs to the loop from
 * loop_post until fn is called, once, on the loop's thread; fn may free it or
 * post it again. */
struct post {
    struct post *next;
    void (*fn)(struct post *post);
};

/* Registers the calling thread with grace.h. */
struct loop *loop_new(void);
/* Every handle but the loop's own must be closed, or be closing. Messages
 * that are left are delivered first. */
void loop_free(struct loop **loop);

/* For layers that watch file descriptors. */
struct uv_loop_s *loop_uv(struct loop *loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* Any thread. */
void loop_stop(struct loop *loop);

/* Any thread. Delivered in the order of posting (of one thread). */
void loop_post(struct loop *loop, struct post *post);

/* `run` on a thread of the pool, then `done` on the loop's own. */
struct work;
typedef void (*work_fn)(void *arg);
struct work *work_start(struct loop *loop, work_fn run, work_fn done,
                        void *arg);
/* Before `done` has fired, which then does not: waits until `run` is over; or,
 * with `cancel`, sees to it that it need not begin. */
void work_finish(struct work **work, bool cancel);

/* One-shot timers. fn never fires after timer_stop or timer_free. */
typedef void (*timer_fn)(void *arg);
struct timer *timer_new(struct loop *loop, timer_fn fn, void *arg);
/* Starts, or starts anew, to fire once in `ms`. */
void timer_start(struct timer *timer, uint64_t ms);
void timer_stop(struct timer *timer);
bool timer_running(const struct timer *timer);
void timer_free(struct timer **timer);

#endif
