#include "base/watcher.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"

struct watcher {
    struct post post; /* in the loop's queue while `queued` */
    struct loop *loop;
    watcher_fn fn; /* the loop's thread only; NULL once closed */
    void *arg;
    _Atomic unsigned refs;
    _Atomic bool queued;
};

static void
on_post(struct post *post)
{
    struct watcher *watcher = CONTAINER_OF(post, struct watcher, post);

    /* Cleared before the call: news that comes during it is told again. */
    atomic_store(&watcher->queued, false);
    if (watcher->fn != NULL)
        watcher->fn(watcher->arg);
    watcher_unref(&watcher);
}

struct watcher *
watcher_new(struct loop *loop, watcher_fn fn, void *arg)
{
    struct watcher *watcher = mem_zalloc(sizeof(*watcher));

    watcher->post.fn = on_post;
    watcher->loop = loop;
    watcher->fn = fn;
    watcher->arg = arg;
    atomic_init(&watcher->refs, 1);
    return watcher;
}

void
watcher_close(struct watcher **watcher)
{
    if (*watcher == NULL)
        return;
    (*watcher)->fn = NULL;
    watcher_unref(watcher);
}

struct watcher *
watcher_ref(struct watcher *watcher)
{
    atomic_fetch_add(&watcher->refs, 1);
    return watcher;
}

void
watcher_unref(struct watcher **watcher)
{
    struct watcher *w = *watcher;

    *watcher = NULL;
    if (w != NULL && atomic_fetch_sub(&w->refs, 1) == 1)
        free(w);
}

void
watcher_wake(struct watcher *watcher)
{
    if (atomic_exchange(&watcher->queued, true))
        return;
    watcher_ref(watcher);
    loop_post(watcher->loop, &watcher->post);
}
