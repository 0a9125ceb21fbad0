#include "query_hints_internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/mem.h"

/* At most a megabyte, of hints as long as they can be. */
#define SETS 512
#define WAYS 4

/* Immutable. */
struct hint {
    struct grace_defer defer;
    struct hash128 path;
    size_t len;
    char text[];
};

struct query_hints {
    _Atomic(struct hint *) slots[SETS][WAYS];
    atomic_uint turn; /* which of a full set gives way */
};

struct query_hints *
query_hints_new(void)
{
    return mem_zalloc(sizeof(struct query_hints));
}

void
query_hints_free(struct query_hints **hints)
{
    struct query_hints *h = *hints;

    *hints = NULL;
    for (size_t i = 0; h != NULL && i < SETS; i++) {
        for (size_t k = 0; k < WAYS; k++)
            free(atomic_load(&h->slots[i][k]));
    }
    free(h);
}

static _Atomic(struct hint *) *
set_of(struct query_hints *hints, struct hash128 path)
{
    return hints->slots[path.lo % SETS];
}

static struct hint *
read_slot(_Atomic(struct hint *) *slot)
{
    return atomic_load_explicit(slot, memory_order_acquire);
}

bool
query_hints_find(struct query_hints *hints, struct hash128 path,
                 char text[NO_VARY_SEARCH_MAX], struct span *variance)
{
    _Atomic(struct hint *) *set = set_of(hints, path);

    grace_enter();
    for (size_t i = 0; i < WAYS; i++) {
        const struct hint *hint = read_slot(&set[i]);

        if (hint == NULL || !hash_eq(hint->path, path))
            continue;
        memcpy(text, hint->text, hint->len);
        *variance = (struct span){text, hint->len};
        return true;
    }
    return false;
}

static void
free_hint(struct grace_defer *defer)
{
    free(CONTAINER_OF(defer, struct hint, defer));
}

static struct hint *
hint_new(struct hash128 path, struct span variance)
{
    struct hint *hint = mem_alloc(sizeof(*hint) + variance.len);

    hint->path = path;
    hint->len = variance.len;
    memcpy(hint->text, variance.ptr, variance.len);
    return hint;
}

static void
put(_Atomic(struct hint *) *slot, struct hint *hint)
{
    struct hint *old = atomic_exchange(slot, hint);

    if (old != NULL)
        grace_defer(&old->defer, free_hint);
}

/* The slot of this path, else an empty one, else one after the other. Two
 * threads may put one path in twice: the first is found, and learns. */
static size_t
slot_for(struct query_hints *hints, struct hash128 path)
{
    _Atomic(struct hint *) *set = set_of(hints, path);
    size_t empty = WAYS;

    for (size_t i = WAYS; i-- > 0;) {
        const struct hint *hint = read_slot(&set[i]);

        if (hint == NULL)
            empty = i;
        else if (hash_eq(hint->path, path))
            return i;
    }
    return empty < WAYS ? empty : atomic_fetch_add(&hints->turn, 1) % WAYS;
}

void
query_hints_learn(struct query_hints *hints, struct hash128 path,
                  struct span variance)
{
    CHECK(variance.len > 0 && variance.len <= NO_VARY_SEARCH_MAX);
    grace_enter();
    _Atomic(struct hint *) *slot = &set_of(hints, path)[slot_for(hints, path)];
    const struct hint *now = read_slot(slot);

    /* Most responses say what the last one has said. */
    if (now != NULL && hash_eq(now->path, path) &&
        span_eq((struct span){now->text, now->len}, variance))
        return;
    put(slot, hint_new(path, variance));
}
