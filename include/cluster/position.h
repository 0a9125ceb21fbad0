/*
 * How far a node has applied each site's stream: a vector of
 * site -> (epoch, term, n). Numbers compare only within one epoch and term.
 *
 * As text, in fields of messages between nodes: `site=epoch/term/n`, joined by
 * `;`, epoch and term in hex, n in decimal. A value type without pointers;
 * pure functions.
 */
#ifndef CLUSTER_POSITION_H
#define CLUSTER_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define POSITION_SITES 64
#define POSITION_NAME 64 /* with the NUL */

struct position_site {
    char site[POSITION_NAME];
    uint64_t epoch;
    uint64_t term;
    uint64_t n;
};

struct position {
    size_t count;
    struct position_site sites[POSITION_SITES];
};

enum position_order {
    POSITION_EQUAL,
    POSITION_BEHIND,   /* a is before b */
    POSITION_AHEAD,    /* a is after b */
    POSITION_UNRELATED /* another epoch or term, or unknown: not comparable */
};

/* Letters, digits, '.', '_' and '-'; 1 to POSITION_NAME - 1 of them. */
bool position_site_valid(struct span name);

/* The entry of this site, or NULL. */
const struct position_site *position_find(const struct position *position,
                                          struct span site);
/* Sets or adds. False when the name is not valid or there is no room. */
bool position_set(struct position *position, struct span site, uint64_t epoch,
                  uint64_t term, uint64_t n);

/* Where a stands to b; NULL is "unknown". The names are not looked at. */
enum position_order position_order(const struct position_site *a,
                                   const struct position_site *b);
/* True when `a` has, for each site of `b`, the same epoch and term, and an n
 * that is not lower. */
bool position_covers(const struct position *a, const struct position *b);

/* Adds the text form; nothing for an empty vector. */
void position_write(const struct position *position, struct buf *out);
/* False, and *position empty, for anything but the form above: unknown
 * characters, names twice, numbers over 64 bits, too many sites. The empty
 * text is the empty vector. */
bool position_parse(struct span text, struct position *position);

#endif
