/*
 * Bloom filters (Bloom 1970): a set of keys in few bits, wrong only by saying
 * "perhaps" of a key that is not in it. One that counts, for the owner, who
 * also takes keys out; and its bits, for those it is sent to.
 */
#ifndef BASE_BLOOM_H
#define BASE_BLOOM_H

#include "base/hash.h"

#define BLOOM_PROBES 4

struct bloom;

/* `slots` is a power of two, 64 at least; one byte each. */
struct bloom *bloom_new(size_t slots);
void bloom_free(struct bloom **bloom);
/* Any thread. A slot that reached 255 stays. */
void bloom_add(struct bloom *bloom, struct hash128 key);
void bloom_remove(struct bloom *bloom, struct hash128 key);
/* Goes up with each change of the bits. */
uint64_t bloom_version(const struct bloom *bloom);
size_t bloom_slots(const struct bloom *bloom);
/* Writes slots / 8 bytes. */
void bloom_export(const struct bloom *bloom, unsigned char *bits);

/* Whether `key` may be in a set of `slots` (a power of two) exported bits. */
bool bloom_bits_have(const unsigned char *bits, size_t slots,
                     struct hash128 key);

#endif
