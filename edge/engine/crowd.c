#include "crowd_internal.h"

#include "base/clock.h"
#include "http/key.h"
#include "store/store.h"

/* How long an answer is remembered of its path. One that can be shared counts
 * longer: waiting for it is cheap, and a crowd at the origin is not. */
#define PRIVATE_NS (60 * NS_PER_S)
#define SHAREABLE_NS (600 * NS_PER_S)

/* Marks of a path, in the store's table of keys whose answers are private. */
enum mark {
    MARK_ONCE = 1, /* an answer was private */
    MARK_AGAIN,    /* and one more, of another key or later */
    MARK_SHAREABLE /* one could be shared */
};

static struct hash128
marked(struct hash128 path, enum mark mark)
{
    path.hi ^= UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)mark;
    return path;
}

void
crowd_learn(struct store *store, const struct key *plain, bool shareable,
            uint64_t now_ns)
{
    struct hash128 path = key_path_hash(plain);
    bool before = store_uncacheable(store, marked(path, MARK_ONCE), now_ns);

    if (!shareable) {
        store_mark_uncacheable(store, marked(path, MARK_ONCE),
                               now_ns + PRIVATE_NS);
        if (before)
            store_mark_uncacheable(store, marked(path, MARK_AGAIN),
                                   now_ns + PRIVATE_NS);
    } else if (before) {
        store_mark_uncacheable(store, marked(path, MARK_SHAREABLE),
                               now_ns + SHAREABLE_NS);
    }
}

bool
crowd_scatters(struct store *store, const struct key *plain, uint64_t now_ns)
{
    struct hash128 path = key_path_hash(plain);

    return store_uncacheable(store, marked(path, MARK_AGAIN), now_ns) &&
           !store_uncacheable(store, marked(path, MARK_SHAREABLE), now_ns);
}
