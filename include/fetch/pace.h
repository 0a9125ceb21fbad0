/*
 * How many events a second are let through: the generic cell rate algorithm
 * (ITU-T I.371), which keeps one number, the time at which the next event would
 * be due were they evenly spaced. A tenth of a second's worth may come at once.
 *
 * Any thread, without locks. Times are those of one monotonic clock.
 */
#ifndef FETCH_PACE_H
#define FETCH_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pace {
    _Atomic uint64_t due_ns;
};

/* Whether pace_take would let one through now. Writes nothing. A rate of 0 is
 * no limit. */
bool pace_ready(const struct pace *pace, uint64_t rate, uint64_t now_ns);
/* Lets one through, or not. */
bool pace_take(struct pace *pace, uint64_t rate, uint64_t now_ns);
/* One that cannot be put off: those that can wait the longer, but a second at
 * most. */
void pace_count(struct pace *pace, uint64_t rate, uint64_t now_ns);

#endif
