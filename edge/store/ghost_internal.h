/*
 * The ghost queue of S3-FIFO: fingerprints of what was evicted lately, in a
 * fixed table of sets. An entry's place in the queue is the count of bytes
 * evicted before it, so that nothing needs to be moved or taken out in order.
 * The store's mutex guards it.
 */
#ifndef STORE_GHOST_INTERNAL_H
#define STORE_GHOST_INTERNAL_H

#include "base/hash.h"

struct ghost;

/* `entries` is a power of two, 8 at least; 8 bytes each. */
struct ghost *ghost_new(size_t entries);
void ghost_free(struct ghost **ghost);

/* An object of this key and cost was evicted now. */
void ghost_add(struct ghost *ghost, struct hash128 key, size_t cost);
/* Whether the key is among the last `window` bytes evicted; forgets it. */
bool ghost_take(struct ghost *ghost, struct hash128 key, size_t window);

#endif
