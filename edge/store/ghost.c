#include "ghost_internal.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

#define WAYS 8
#define STAMP_SHIFT 12 /* stamps count 4 KiB, and wrap after 16 TiB */

/* Zero: free. A fingerprint is never 0. */
struct entry {
    uint32_t print;
    uint32_t stamp;
};

struct ghost {
    size_t sets;      /* a power of two */
    uint64_t evicted; /* bytes so far */
    struct entry entries[];
};

struct ghost *
ghost_new(size_t entries)
{
    CHECK(entries >= WAYS && (entries & (entries - 1)) == 0);
    struct ghost *ghost =
        mem_zalloc(sizeof(*ghost) + entries * sizeof(ghost->entries[0]));

    ghost->sets = entries / WAYS;
    return ghost;
}

void
ghost_free(struct ghost **ghost)
{
    free(*ghost);
    *ghost = NULL;
}

static struct entry *
set_of(struct ghost *ghost, struct hash128 key)
{
    return ghost->entries + (key.lo & (ghost->sets - 1)) * WAYS;
}

static uint32_t
print_of(struct hash128 key)
{
    uint32_t print = (uint32_t)(key.hi >> 32);

    return print != 0 ? print : 1;
}

static uint32_t
stamp_of(uint64_t bytes)
{
    return (uint32_t)(bytes >> STAMP_SHIFT);
}

void
ghost_add(struct ghost *ghost, struct hash128 key, size_t cost)
{
    struct entry *set = set_of(ghost, key);
    struct entry *place = set;
    uint32_t print = print_of(key);
    uint32_t now = stamp_of(ghost->evicted);
    uint32_t age = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        uint32_t this_age = now - set[i].stamp;

        if (set[i].print == 0 || set[i].print == print) {
            place = &set[i];
            break;
        }
        if (this_age >= age) {
            age = this_age;
            place = &set[i];
        }
    }
    ghost->evicted += cost;
    *place = (struct entry){print, now};
}

bool
ghost_take(struct ghost *ghost, struct hash128 key, size_t window)
{
    struct entry *set = set_of(ghost, key);
    uint32_t print = print_of(key);

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].print != print)
            continue;
        set[i].print = 0;
        return stamp_of(ghost->evicted) - set[i].stamp <= stamp_of(window);
    }
    return false;
}
