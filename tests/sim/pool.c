/* Work for the pool, grace periods, the log. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "sim.h"

/* ---- work for the pool ---- */

struct work {
    struct loop *loop;
    work_fn run;
    work_fn done;
    void *arg;
    bool was_run;
    struct event *event;
};

static void
on_done(void *arg)
{
    struct work *work = arg;
    work_fn done = work->done;
    void *done_arg = work->arg;

    free(work);
    done(done_arg);
}

static void
on_run(void *arg)
{
    struct work *work = arg;

    work->was_run = true;
    work->run(work->arg);
    work->event =
        event_in(chance_delay(5 * US, 5 * MS), work->loop, on_done, work);
}

struct work *
work_start(struct loop *loop, work_fn run, work_fn done, void *arg)
{
    struct work *work = mem_zalloc(sizeof(*work));

    work->loop = loop;
    work->run = run;
    work->done = done;
    work->arg = arg;
    work->event = event_in(chance_delay(20 * US, 20 * MS), loop, on_run, work);
    return work;
}

/* What dies takes with it what it has not begun to write. */
void
work_finish(struct work **work, bool cancel)
{
    struct work *w = *work;

    *work = NULL;
    event_cancel(&w->event);
    if (!w->was_run && !cancel && !loop_machine(w->loop)->dead)
        w->run(w->arg);
    free(w);
}

/* ---- grace periods ---- */

static struct list_link deferred = {&deferred, &deferred};

/* In the room that the header keeps. */
static struct list_link *
link_of(struct grace_defer *defer)
{
    return (struct list_link *)(void *)defer->link;
}

static void
run_first(void *arg)
{
    (void)arg;
    if (list_empty(&deferred))
        return;
    struct list_link *link = deferred.next;
    struct grace_defer *defer =
        CONTAINER_OF((void *)link, struct grace_defer, link);

    list_remove(link);
    defer->fn(defer);
}

void
grace_register(void)
{
}

void
grace_unregister(void)
{
}

void
grace_enter(void)
{
}

void
grace_idle(void)
{
}

/* Sometimes late: a thread may take its time to be quiescent. */
void
grace_defer(struct grace_defer *defer, grace_fn fn)
{
    defer->fn = fn;
    list_push_back(&deferred, link_of(defer));
    event_in(chance_delay(10 * US, chance_one_in(16) ? 2 * S : 5 * MS), NULL,
             run_first, NULL);
}

void
sim_grace(void)
{
    while (!list_empty(&deferred))
        run_first(NULL);
}

void
grace_barrier(void)
{
    sim_grace();
}

/* ---- the log ---- */

bool sim_verbose;

void
log_set_level(enum log_level level)
{
    (void)level;
}

void
log_set_name(const char *name)
{
    (void)name;
}

void
log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
    va_list args;

    (void)site;
    (void)level;
    if (!sim_verbose)
        return;
    va_start(args, format);
    printf("%10.6f   | ", (double)sim_now() / (double)S);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}
