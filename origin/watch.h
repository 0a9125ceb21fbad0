/*
 * Watching the root for changes that were not made through us (inotify), so
 * that they are published too. A change is told within about 20 ms, and once
 * more after each further one; what the kernel could not tell (its queue
 * overflowed) becomes an invalidation of everything.
 */
#ifndef ORIGIN_WATCH_H
#define ORIGIN_WATCH_H

#include <sys/stat.h>

struct origin;
struct watch;

/* Watches every folder below the root. NULL, logged, when that cannot be. */
struct watch *watch_new(struct origin *origin);
/* The loop must run once more for its handle to close. */
void watch_free(struct watch **watch);

/* We ourselves made `text` what `st` says, or removed it (NULL), and tell it:
 * the watch need not. `watch` may be NULL. */
void watch_note(struct watch *watch, const char *text, const struct stat *st);

#endif
