/*
 * Grace periods: memory that other threads may still read is freed once every
 * thread has been quiescent (liburcu, QSBR flavour).
 *
 * A registered thread may hold pointers got from a table or a published
 * snapshot until its loop next waits; grace_idle says so. Reading costs
 * nothing but a thread-local test. Threads that run a `struct loop` need call
 * none of this: the loop does.
 */
#ifndef BASE_GRACE_H
#define BASE_GRACE_H

struct grace_defer;
typedef void (*grace_fn)(struct grace_defer *defer);

/* Embedded in what is to be freed. */
struct grace_defer {
    void *link[2];
    grace_fn fn;
};

void grace_register(void);
void grace_unregister(void);

/* Before reading shared structures: the thread counts as a reader from here
 * to its next grace_idle. Cheap to repeat. */
void grace_enter(void);

/* The thread holds no shared pointers (and may go to sleep). */
void grace_idle(void);

/* Calls `fn` on another thread after a grace period. Any registered thread. */
void grace_defer(struct grace_defer *defer, grace_fn fn);

/* Waits until all that was deferred before has run. Not from a callback. */
void grace_barrier(void);

#endif
