/* 128-bit hashes (XXH3): cache keys, tags, checksums of what is not hostile. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>

#include "base/span.h"

struct hash128 {
    uint64_t hi;
    uint64_t lo;
};

/* The seed of keys and tags. Random, so that nobody outside can aim at one
 * bucket, until hash_seed_set gives the one that all nodes of a cluster share
 * (made from their secret): digests compare keys across nodes. Set it once,
 * before anything is hashed. */
uint64_t hash_seed(void);
void hash_seed_set(uint64_t seed);

struct hash128 hash_bytes(struct span s, uint64_t seed);
bool hash_eq(struct hash128 a, struct hash128 b);

#endif
