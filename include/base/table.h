/*
 * A hash table that is read without locks (liburcu's cds_lfht). Readers are
 * threads between grace_enter and grace_idle, which every lookup does for
 * them. Several nodes may have one hash; they are found in turn.
 *
 * A node that was taken out may still be read by others: free it through
 * grace_defer.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <urcu/rculfhash.h>

struct table;

struct table_node {
    struct cds_lfht_node node;
    uint64_t hash;
};

/* A fixed number of buckets, a power of two, 8 bytes each and more: choose it
 * by the most nodes there can be. (Left to itself, liburcu's table grows by the
 * longest chain it meets: a million nodes took gigabytes of buckets; and its
 * growing can stop for good.) */
struct table *table_new(size_t size);
/* The table must be empty, and nobody may use it any more. */
void table_free(struct table **table);

void table_add(struct table *table, struct table_node *node, uint64_t hash);
/* False when somebody else took it out first. */
bool table_remove(struct table *table, struct table_node *node);
/* Puts `node` where `old` was, in one step for readers; `old` is out then.
 * False, and nothing done, when `old` was out already. */
bool table_replace(struct table *table, struct table_node *old,
                   struct table_node *node);

/* The first node with this hash, or NULL; then the ones after it. */
struct table_node *table_find(struct table *table, uint64_t hash);
struct table_node *table_next(struct table *table, struct table_node *node);

#endif
