/*
 * The invalidation tables over a restart: what is done is told to whoever
 * writes it down (cluster/journal.h), and done again from there.
 */
#ifndef CLUSTER_INVAL_RESTORE_H
#define CLUSTER_INVAL_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "cluster/inval.h"

/* What was done under which number; a site moves without taking one. Spans for
 * the time of the call. */
struct inval_event {
    enum { INVAL_EVENT_ENTRY, INVAL_EVENT_FLOOR, INVAL_EVENT_SITE } what;
    uint64_t number;
    const struct inval_entry *entry;
    enum floor_reason reason;
    struct span site; /* ENTRY: empty for one of this node only */
    uint64_t epoch;   /* SITE */
    uint64_t term;
    uint64_t n;
};
typedef void (*inval_event_fn)(void *arg, const struct inval_event *event);
/* From here on `fn` hears of everything, as it is done. */
void inval_watch(struct inval *inval, inval_event_fn fn, void *arg);

/* Does it again, under the same number: the next one, else false. Of a site
 * that cannot be added any more, false, too. */
bool inval_redo(struct inval *inval, const struct inval_event *event);
/* What has numbers up to this is not known: it is below the floor, and counts
 * as purged, as at an overflow. The number is not below the last one given. */
void inval_lose(struct inval *inval, uint64_t number);
/* The next number is behind this one, which is not below the last one. */
void inval_skip(struct inval *inval, uint64_t number);
/* We are not (any more) in this site's stream. */
void inval_site_leave(struct inval *inval, size_t site);
/* The name of a site by its index; NULL: there is none. */
const char *inval_site_name(const struct inval *inval, size_t site);

#endif
