/*
 * Marks on keys that run out by themselves: a fixed table of sets of atomic
 * words, written and read without locks. Used for keys whose answers cannot be
 * shared (hit-for-miss).
 */
#ifndef STORE_MARKS_INTERNAL_H
#define STORE_MARKS_INTERNAL_H

#include "base/hash.h"

struct marks;

/* `entries` is a power of two, 4 at least; 8 bytes each. */
struct marks *marks_new(size_t entries);
void marks_free(struct marks **marks);

/* Any thread. Until `until_ns`, rounded up to 2^27 ns; the mark of the set
 * that ends first gives way. A later end replaces an earlier one. */
void marks_set(struct marks *marks, struct hash128 key, uint64_t until_ns);
bool marks_have(const struct marks *marks, struct hash128 key, uint64_t now_ns);

#endif
