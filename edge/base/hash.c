#include "base/hash.h"

#include <pthread.h>
#include <xxhash.h>

#include "base/secret.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool given;
static uint64_t seed_of_process;

static void
make_seed(void)
{
    if (!given)
        secret_random(&seed_of_process, sizeof(seed_of_process));
}

uint64_t
hash_seed(void)
{
    pthread_once(&once, make_seed);
    return seed_of_process;
}

void
hash_seed_set(uint64_t seed)
{
    given = true;
    seed_of_process = seed;
}

struct hash128
hash_bytes(struct span s, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(s.ptr ? s.ptr : "", s.len, seed);

    return (struct hash128){h.high64, h.low64};
}

bool
hash_eq(struct hash128 a, struct hash128 b)
{
    return a.hi == b.hi && a.lo == b.lo;
}
