/*
 * The table of fills in progress, shared by all workers, so that many who want
 * one thing ask for it once. Mechanism only: what may be shared is decided by
 * whoever uses it.
 *
 * A `struct flight` is embedded in the fill. It belongs to a loop, its owner's,
 * never to one client. Its states, and who moves it:
 *
 *   WAITING --flight_sent--> SENT --flight_publish--> HEAD --flight_end-->
 * ENDED any state but ENDED --flight_end--> ENDED
 *
 * Two ways to join:
 * - flight_join: any open flight will do, also one long under way.
 * - flight_join_strict: only one whose request has not been sent yet. While
 *   one is SENT, all who come gather in the next, which is held back until the
 *   one before has its head, is closed, or ends; then the owner of the next is
 *   woken and may send it.
 *
 * References: the owner's, which flight_end gives back, and one for each
 * flight_join*. The last one out calls `release`, on its own thread.
 *
 * Invariants (flight_sanity runs them):
 *  F1 of one key, at most one open flight is SENT;
 *  F2 of one key, at most one open flight is WAITING;
 *  F3 a flight is held back iff it is WAITING and another of its key is SENT;
 *  F4 a flight in the table is open and not ENDED, and the owner has a ref;
 *  F5 sent numbers grow in the order of sending: whoever joined strictly has
 *     a flight with a higher number than all that were sent before it came.
 */
#ifndef FETCH_FLIGHT_H
#define FETCH_FLIGHT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"

struct watcher;
struct flight_table;

enum flight_state {
    FLIGHT_WAITING,
    FLIGHT_SENT,
    FLIGHT_HEAD,
    FLIGHT_ENDED,
};

/* Embed it; its members are the implementation's. */
struct flight {
    TAG_FIELD;
    _Atomic unsigned refs;
    _Atomic enum flight_state state;
    void (*release)(struct flight *flight);
    struct watcher *owner; /* woken when a flight that was held back may go */
    struct flight_table *table;
    struct hash128 key;

    /* Guarded by the mutex of the key's shard. */
    struct list_link link; /* in the shard while open */
    bool open;
    bool held_back;
    _Atomic uint64_t number; /* of its sending; 0: not sent */

    pthread_mutex_t waiters_mutex; /* taken after a shard's, if both are */
    struct list_link waiters;
};

/* Embedded by who waits. Zero-initialise. */
struct flight_waiter {
    struct list_link link;
    struct watcher *watcher; /* a reference while it waits */
};

enum flight_role {
    FLIGHT_JOINED,    /* somebody else sees to it */
    FLIGHT_LEAD,      /* made by this call: start it now */
    FLIGHT_LEAD_LATER /* made by this call; its owner's watcher will be woken
                       * once flight_may_send */
};

struct flight_table *flight_table_new(void);
/* The table must be empty. */
void flight_table_free(struct flight_table **table);

/* For `make` below. `owner` (a reference is taken) is woken when it may be
 * sent; NULL when only flight_join uses it. `release` is called once, by any
 * thread; it calls flight_fini and frees what holds the flight. */
void flight_init(struct flight *flight, struct watcher *owner,
                 void (*release)(struct flight *flight));
void flight_fini(struct flight *flight);

/* Makes the flight for a key: allocates, calls flight_init, and nothing that
 * takes time or a lock of this module, since it runs under the shard's. */
typedef struct flight *(*flight_make_fn)(void *ctx);

/* Any thread. Gives a flight of this key with a reference for the caller
 * (beside the owner's, when it is new). Of several open ones: the newest with
 * its head in, else the one that is sent, else the one that waits. */
struct flight *flight_join(struct flight_table *table, struct hash128 key,
                           flight_make_fn make, void *ctx,
                           enum flight_role *role);
/* The same, but only a flight not yet sent, which may be held back. */
struct flight *flight_join_strict(struct flight_table *table,
                                  struct hash128 key, flight_make_fn make,
                                  void *ctx, enum flight_role *role);

/* Whether flight_join would find one now. Any thread. */
bool flight_running(struct flight_table *table, struct hash128 key);

struct flight *flight_ref(struct flight *flight);
void flight_unref(struct flight **flight);

/* Any thread. What the owner wrote before it moved the state is visible to
 * who sees the state here. */
enum flight_state flight_state(const struct flight *flight);
/* The number of its sending, over the whole table; 0: not sent yet. */
uint64_t flight_number(const struct flight *flight);

/* Any thread with a reference. From now on `watcher` is woken by
 * flight_publish, flight_wake and flight_end; look at the state after this
 * call, since it may have moved just before. Each waiter is taken off once. */
void flight_wait(struct flight *flight, struct flight_waiter *waiter,
                 struct watcher *watcher);
/* Harmless on a waiter that does not wait. */
void flight_unwait(struct flight *flight, struct flight_waiter *waiter);

/* Any thread with a reference. No new joiners; it goes on for those it has.
 * Lets the next batch go. */
void flight_close(struct flight *flight);

/* ---- the owner's, on its thread ---- */

/* True when it is WAITING and not held back. */
bool flight_may_send(struct flight *flight);
/* Right before the origin request is sent: from here on no strict joiner. The
 * flight must be one that flight_may_send. Gives its number. */
uint64_t flight_sent(struct flight *flight);
/* The head is there: SENT to HEAD; the next batch may go; all are woken. */
void flight_publish(struct flight *flight);
/* Wakes those who wait: there is more of the body. */
void flight_wake(struct flight *flight);
/* When nobody but the owner has a reference: closes it and gives true, after
 * which nobody can join; the owner then calls flight_end. */
bool flight_close_unwanted(struct flight *flight);
/* It is over, well or not (the owner keeps which, and writes it before): out
 * of the table, all are woken, the owner's reference is given back. */
void flight_end(struct flight **flight);

/* For the status page: open flights. */
size_t flight_count(struct flight_table *table);
/* CHECKs every invariant of every flight: for tests. */
void flight_sanity(struct flight_table *table);

#endif
