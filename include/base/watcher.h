/*
 * A watcher carries news of shared things to the loop of whoever waits for
 * them. Many wakes before the loop comes round are one call; after
 * watcher_close there is none.
 */
#ifndef BASE_WATCHER_H
#define BASE_WATCHER_H

struct loop;
struct watcher;

typedef void (*watcher_fn)(void *arg);

/* On the thread of `loop`, which will call fn(arg). The caller holds one
 * reference, and gives it back with watcher_close. */
struct watcher *watcher_new(struct loop *loop, watcher_fn fn, void *arg);
/* The same thread. fn is not called after this. */
void watcher_close(struct watcher **watcher);

/* Any thread that holds a reference. */
struct watcher *watcher_ref(struct watcher *watcher);
void watcher_unref(struct watcher **watcher);
/* Any thread: fn(arg) will be called soon, never from inside this. */
void watcher_wake(struct watcher *watcher);

#endif
