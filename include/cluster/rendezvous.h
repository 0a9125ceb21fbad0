/*
 * Rendezvous hashing (Thaler and Ravishankar 1998): of some nodes, the home of
 * a key is the one with the highest weight for it. When a node leaves, only
 * its own keys move; when one joins, it takes its share and nothing else
 * moves. Pure; every node computes the same.
 */
#ifndef CLUSTER_RENDEZVOUS_H
#define CLUSTER_RENDEZVOUS_H

#include "base/hash.h"

/* A node's part of the weight, computed once from its id. */
uint64_t rendezvous_node(struct span node);

/* Two different nodes have one weight for a key about once in 2^64: whoever
 * compares then takes the lower node number. */
uint64_t rendezvous_weight(uint64_t node, struct hash128 key);

#endif
