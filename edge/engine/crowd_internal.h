/*
 * Whether a crowd that asks for one key would wait for nothing: what a path has
 * answered lately, whatever the query, was private each time. A hint: where it
 * is wrong, those who come while one asks ask the origin themselves, once.
 */
#ifndef ENGINE_CROWD_INTERNAL_H
#define ENGINE_CROWD_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct key;
struct store;

/* The answer that one had for all who wait; of a key's first, not of those who
 * knew better. Any thread. */
void crowd_learn(struct store *store, const struct key *plain, bool shareable,
                 uint64_t now_ns);
/* Each for itself, rather than behind the one that asks. No lock. */
bool crowd_scatters(struct store *store, const struct key *plain,
                    uint64_t now_ns);

#endif
