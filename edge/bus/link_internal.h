/*
 * A connection that comes back by itself: a wire, and the pauses between the
 * attempts, which double up to a bound and are jittered so that the nodes of a
 * site do not return as one.
 */
#ifndef BUS_LINK_INTERNAL_H
#define BUS_LINK_INTERNAL_H

#include <stdbool.h>

#include "wire_internal.h"

struct link;

#define LINK_BACKOFF_MIN_MS UINT64_C(100)

struct link_options {
    const char *host; /* must outlive the link */
    unsigned port;
    uint64_t connect_timeout_ms;
    uint64_t backoff_max_ms;
};

/* As those of a wire; after `down` the link is already on its way to the next
 * attempt. `why` is valid for the time of the call. */
struct link *link_new(struct loop *loop, const struct link_options *options,
                      const struct wire_events *events);
/* Only while up: between the events `up` and `down`. */
void link_send(struct link *link, const struct span *args, size_t count);
/* The other side has proved to work: the next pause is a short one. */
void link_healthy(struct link *link);
/* Gives this connection up; `down` is called before it returns. */
void link_reset(struct link *link, enum err err, const char *why);
void link_free(struct link **link);

/* The pause before attempt number `failures` (1, 2, ...); `random` is any
 * number. Between half and the whole of the doubled pause. Pure. */
uint64_t link_backoff_ms(unsigned failures, uint64_t max_ms, uint64_t random);

#endif
