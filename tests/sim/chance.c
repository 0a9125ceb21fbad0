/* All chance, from one seed (splitmix64, Steele et al. 2014). */
#include <string.h>

#include "base/secret.h"
#include "sim.h"

static uint64_t state;

static uint64_t
mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Neighbours have nothing in common: without the mixing one seed's numbers were
 * those of the seed before, but for the first. */
void
chance_seed(uint64_t seed)
{
    state = mix(seed + UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t
chance(void)
{
    return mix(state += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t
chance_below(uint64_t n)
{
    return n > 0 ? chance() % n : 0;
}

bool
chance_one_in(uint64_t n)
{
    return chance_below(n) == 0;
}

uint64_t
chance_delay(uint64_t low, uint64_t high)
{
    uint64_t span = high > low ? high - low : 1;

    return low + chance_below(chance_one_in(8) ? span : span / 16 + 1);
}

/* The edge's. */
void
secret_random(void *bytes, size_t len)
{
    unsigned char *out = bytes;

    while (len > 0) {
        uint64_t value = chance();
        size_t n = len < sizeof(value) ? len : sizeof(value);

        memcpy(out, &value, n);
        out += n;
        len -= n;
    }
}
