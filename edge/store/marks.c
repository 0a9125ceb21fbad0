/*
 * A word holds a fingerprint of the key (upper half) and the tick at which the
 * mark ends (lower half; 0 is a free word). 2^32 ticks of 2^27 ns are 18
 * years, of which the clock begins at four and a half.
 */
#include "marks_internal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

#define WAYS 4
#define TICK_SHIFT 27

struct marks {
    size_t sets; /* a power of two */
    _Atomic uint64_t words[];
};

struct marks *
marks_new(size_t entries)
{
    CHECK(entries >= WAYS && (entries & (entries - 1)) == 0);
    struct marks *marks =
        mem_zalloc(sizeof(*marks) + entries * sizeof(marks->words[0]));

    marks->sets = entries / WAYS;
    return marks;
}

void
marks_free(struct marks **marks)
{
    free(*marks);
    *marks = NULL;
}

static size_t
first_of(const struct marks *marks, struct hash128 key)
{
    return (size_t)(key.lo & (marks->sets - 1)) * WAYS;
}

static uint32_t
print_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t
end_of(uint64_t word)
{
    return (uint32_t)word;
}

static uint32_t
tick_after(uint64_t ns)
{
    uint64_t tick = (ns >> TICK_SHIFT) + 1;

    return tick < UINT32_MAX ? (uint32_t)tick : UINT32_MAX;
}

void
marks_set(struct marks *marks, struct hash128 key, uint64_t until_ns)
{
    uint32_t print = (uint32_t)(key.hi >> 32);
    uint64_t word = ((uint64_t)print << 32) | tick_after(until_ns);
    _Atomic uint64_t *set = marks->words + first_of(marks, key);
    _Atomic uint64_t *place = set;
    uint64_t seen = atomic_load(place);

    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t now = atomic_load(&set[i]);
        bool same = end_of(now) != 0 && print_of(now) == print;

        if (same && end_of(now) >= end_of(word))
            return;
        if (same || end_of(now) < end_of(seen)) {
            place = &set[i];
            seen = now;
        }
        if (same)
            break;
    }
    /* Losing a race loses a mark, which costs one request its haste. */
    atomic_compare_exchange_strong(place, &seen, word);
}

bool
marks_have(const struct marks *marks, struct hash128 key, uint64_t now_ns)
{
    const _Atomic uint64_t *set = marks->words + first_of(marks, key);
    uint32_t print = (uint32_t)(key.hi >> 32);
    uint64_t tick = now_ns >> TICK_SHIFT;

    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);

        if (print_of(word) == print && end_of(word) > tick)
            return true;
    }
    return false;
}
