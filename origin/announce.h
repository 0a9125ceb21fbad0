/*
 * Telling the caches: invalidations, published in order to the stream of a
 * site's Redis.
 *
 * What cannot be published now stays in a queue and is tried again until it
 * is, in the order of the changes. Each entry may be published twice, never
 * not at all: when the queue overflows, one invalidation of everything takes
 * its place; and while the queue is not empty a file named `.atlas-pending`
 * stands in the root, so that a crash is made good by the same at the next
 * start.
 */
#ifndef ORIGIN_ANNOUNCE_H
#define ORIGIN_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANNOUNCE_QUEUE_MAX 10000

struct announcement;
struct announcer;
struct loop;
struct settings;

enum announce_kind {
    ANNOUNCE_URL,
    ANNOUNCE_PREFIX,
    ANNOUNCE_TAG,
    ANNOUNCE_ALL
};

struct announce_entry {
    enum announce_kind kind;
    bool soft;
    const char *host;  /* of URL and PREFIX, else "" */
    const char *value; /* the path, or the tag */
};

/* All entries of one announcement were published. */
typedef void (*announce_fn)(void *arg);

/* `root_fd` and `settings` are borrowed. Without a Redis in the settings
 * nothing is ever published. */
struct announcer *announce_new(struct loop *loop,
                               const struct settings *settings, int root_fd);
void announce_free(struct announcer **announcer);
/* Whether there is a Redis to publish to. */
bool announce_enabled(const struct announcer *announcer);

/* Something is about to be changed: the file that stands for it is written.
 * What comes next is announce_submit, or nothing when the change failed. */
void announce_intend(struct announcer *announcer);

/* Queues the entries (copied), one after another. NULL when not enabled, or
 * when there are none. The handle is good until done(arg) is called, which may
 * be NULL; announce_forget says that it must not be called, and NULLs it. */
struct announcement *announce_submit(struct announcer *announcer,
                                     const struct announce_entry *entries,
                                     size_t count, announce_fn done, void *arg);
void announce_forget(struct announcement **announcement);

/* Entries that wait, and those published since the start. */
size_t announce_pending(const struct announcer *announcer);
uint64_t announce_published(const struct announcer *announcer);
/* What is wrong with the Redis, for people; "" when nothing is. */
const char *announce_error(const struct announcer *announcer);

#endif
