#include "base/bloom.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

struct bloom {
    size_t slots;
    _Atomic uint64_t version;
    _Atomic unsigned char count[];
};

/* Probe i of a key, by double hashing (Kirsch and Mitzenmacher 2006). */
static size_t
probe(struct hash128 key, unsigned i, size_t slots)
{
    return (size_t)(key.lo + i * (key.hi | 1)) & (slots - 1);
}

struct bloom *
bloom_new(size_t slots)
{
    CHECK(slots >= 64 && (slots & (slots - 1)) == 0);
    struct bloom *bloom = mem_zalloc(sizeof(*bloom) + slots);

    bloom->slots = slots;
    return bloom;
}

void
bloom_free(struct bloom **bloom)
{
    free(*bloom);
    *bloom = NULL;
}

/* Moves one counter by one; true when its bit changed. */
static bool
step(_Atomic unsigned char *count, bool up)
{
    unsigned char old = atomic_load_explicit(count, memory_order_relaxed);
    unsigned char now;

    do {
        if (old == 255 || (!up && old == 0))
            return false;
        now = (unsigned char)(up ? old + 1 : old - 1);
    } while (!atomic_compare_exchange_weak(count, &old, now));
    return old == 0 || now == 0;
}

static void
step_all(struct bloom *bloom, struct hash128 key, bool up)
{
    bool changed = false;

    for (unsigned i = 0; i < BLOOM_PROBES; i++)
        changed |= step(&bloom->count[probe(key, i, bloom->slots)], up);
    if (changed)
        atomic_fetch_add(&bloom->version, 1);
}

void
bloom_add(struct bloom *bloom, struct hash128 key)
{
    step_all(bloom, key, true);
}

void
bloom_remove(struct bloom *bloom, struct hash128 key)
{
    step_all(bloom, key, false);
}

uint64_t
bloom_version(const struct bloom *bloom)
{
    return atomic_load(&bloom->version);
}

size_t
bloom_slots(const struct bloom *bloom)
{
    return bloom->slots;
}

void
bloom_export(const struct bloom *bloom, unsigned char *bits)
{
    memset(bits, 0, bloom->slots / 8);
    for (size_t i = 0; i < bloom->slots; i++) {
        if (atomic_load_explicit(&bloom->count[i], memory_order_relaxed) > 0)
            bits[i / 8] = (unsigned char)(bits[i / 8] | 1u << (i % 8));
    }
}

bool
bloom_bits_have(const unsigned char *bits, size_t slots, struct hash128 key)
{
    for (unsigned i = 0; i < BLOOM_PROBES; i++) {
        size_t at = probe(key, i, slots);

        if ((bits[at / 8] & 1u << (at % 8)) == 0)
            return false;
    }
    return true;
}
