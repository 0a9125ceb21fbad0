/* The form of an entry in the stream, apart so that a test holds it against
 * the reader's. */
#ifndef ORIGIN_ANNOUNCE_INTERNAL_H
#define ORIGIN_ANNOUNCE_INTERNAL_H

#include "announce.h"
#include "base/span.h"

#define ANNOUNCE_ITEMS 14

/* Names and values in turn. Borrows from the entry, and from `time`. */
void announce_items(const struct announce_entry *entry, int64_t wall_ms,
                    char time[24], struct span items[ANNOUNCE_ITEMS]);

#endif
