/* Reading the journal: what its lines say is done again, in the tables. */
#ifndef CLUSTER_JOURNAL_READ_INTERNAL_H
#define CLUSTER_JOURNAL_READ_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/span.h"
#include "cluster/inval.h"
#include "cluster/position.h"

/* What counts only once the group that says it is whole. What was invalidated
 * counts at once: once too often does no harm. */
struct journal_state {
    struct position position;
    uint64_t levels;
    bool has_levels;
};

/* Begins as 0 but for the first two. */
struct journal_read {
    struct inval *inval;
    uint64_t number; /* the last one that was done again */
    bool any;        /* a head was read */
    struct hash128 id;
    size_t lost; /* gaps */
    bool bad;    /* a line was not good: what it said is not known */
    bool torn;   /* the last line of a file has no end */
    bool open;   /* a group has not ended */
    struct journal_state in_group, done;
};

/* Of one file; gives how far it is to be kept. As a journal_take_fn. */
size_t journal_read_file(void *arg, struct span text);
/* All numbers up to this one should have been read, and no line that was bad
 * (not all have a number that would be missed): else all up to it is lost. */
void journal_read_expect(struct journal_read *read, uint64_t number);
/* Where the last whole group has left us in the streams. Whether there was
 * one that is not. */
bool journal_read_go_back(struct journal_read *read);

#endif
