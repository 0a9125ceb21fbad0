#include "cluster/rendezvous.h"

/* One that all nodes share: hash_seed differs where no secret is set. */
#define NODE_SEED UINT64_C(0x61746c61732d6e6f)

uint64_t
rendezvous_node(struct span node)
{
    return hash_bytes(node, NODE_SEED).lo;
}

/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t
mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t
rendezvous_weight(uint64_t node, struct hash128 key)
{
    return mix(mix(node ^ key.lo) + key.hi);
}
