#include "base/grace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <urcu/urcu-qsbr.h>

#include "base/check.h"
#include "base/tsan.h"

/* liburcu's own head must fit the room that the header keeps for it. */
_Static_assert(sizeof(struct rcu_head) <= sizeof(void *) * 2,
               "grace_defer.link holds a struct rcu_head");

static _Thread_local bool registered;
static _Thread_local bool reading;
static char order; /* the address that stands for "a grace period" */

void
grace_register(void)
{
    CHECK(!registered);
    urcu_qsbr_register_thread();
    urcu_qsbr_thread_offline();
    registered = true;
    reading = false;
}

void
grace_unregister(void)
{
    CHECK(registered);
    grace_idle();
    urcu_qsbr_unregister_thread();
    registered = false;
}

void
grace_enter(void)
{
    if (reading)
        return;
    CHECK(registered);
    urcu_qsbr_thread_online();
    reading = true;
}

void
grace_idle(void)
{
    if (!reading)
        return;
    TSAN_RELEASE(&order);
    urcu_qsbr_thread_offline();
    reading = false;
}

static void
run_deferred(struct rcu_head *head)
{
    struct grace_defer *defer = (struct grace_defer *)(void *)head;

    TSAN_ACQUIRE(&order);
    defer->fn(defer);
}

void
grace_defer(struct grace_defer *defer, grace_fn fn)
{
    CHECK(registered);
    defer->fn = fn;
    TSAN_RELEASE(&order);
    urcu_qsbr_call_rcu((struct rcu_head *)(void *)defer->link, run_deferred);
}

/* liburcu's own barrier allocates in one thread and frees in another behind
 * the sanitizer's back. Deferred calls run in the order in which they were
 * made, on one thread, so a last one does as well. */
struct barrier {
    struct grace_defer defer;
    pthread_mutex_t mutex;
    pthread_cond_t passed;
    bool done;
};

static void
on_barrier(struct grace_defer *defer)
{
    struct barrier *barrier = CONTAINER_OF(defer, struct barrier, defer);

    pthread_mutex_lock(&barrier->mutex);
    barrier->done = true;
    pthread_cond_signal(&barrier->passed);
    pthread_mutex_unlock(&barrier->mutex);
}

void
grace_barrier(void)
{
    struct barrier barrier = {.done = false};

    pthread_mutex_init(&barrier.mutex, NULL);
    pthread_cond_init(&barrier.passed, NULL);
    grace_defer(&barrier.defer, on_barrier);
    grace_idle();
    pthread_mutex_lock(&barrier.mutex);
    while (!barrier.done)
        pthread_cond_wait(&barrier.passed, &barrier.mutex);
    pthread_mutex_unlock(&barrier.mutex);
    pthread_cond_destroy(&barrier.passed);
    pthread_mutex_destroy(&barrier.mutex);
}
