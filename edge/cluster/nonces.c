#include "cluster/nonces_internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

#define SHARDS 16 /* a power of two */
#define SET_MIN 64

/* Open addressing with linear probing; at most half full. The hash {0, 0}
 * stands for an empty place. */
struct set {
    uint64_t period;
    bool closed; /* nonces of the period were forgotten */
    size_t count;
    size_t cap; /* a power of two, or 0 */
    struct hash128 *places;
};

struct shard {
    _Alignas(64) pthread_mutex_t mutex; /* guards the rest */
    size_t count;                       /* in all sets */
    struct set sets[NONCES_PERIODS];
};

struct nonces {
    size_t shard_max;
    uint64_t skew_ms;
    uint64_t period_ms;
    struct shard shards[SHARDS];
};

struct nonces *
nonces_new(size_t max, uint64_t skew_ms)
{
    struct nonces *nonces =
        aligned_alloc(_Alignof(struct nonces), sizeof(*nonces));

    CHECK(nonces != NULL && max > 0);
    *nonces = (struct nonces){.shard_max = (max + SHARDS - 1) / SHARDS,
                              .skew_ms = skew_ms,
                              .period_ms = skew_ms > 0 ? skew_ms : 1};
    for (size_t i = 0; i < SHARDS; i++)
        CHECK(pthread_mutex_init(&nonces->shards[i].mutex, NULL) == 0);
    return nonces;
}

void
nonces_free(struct nonces **nonces)
{
    if (*nonces == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &(*nonces)->shards[i];

        for (size_t k = 0; k < NONCES_PERIODS; k++)
            free(shard->sets[k].places);
        pthread_mutex_destroy(&shard->mutex);
    }
    free(*nonces);
    *nonces = NULL;
}

static void
empty_set(struct shard *shard, struct set *set)
{
    shard->count -= set->count;
    free(set->places);
    set->places = NULL;
    set->count = 0;
    set->cap = 0;
}

/* Empties the sets whose nonces can no longer be acceptable. */
static void
make_room(struct nonces *nonces, struct shard *shard, uint64_t now_ms)
{
    for (size_t k = 0; k < NONCES_PERIODS; k++) {
        struct set *set = &shard->sets[k];
        uint64_t end = (set->period + 1) * nonces->period_ms;

        if (set->count > 0 && end + nonces->skew_ms < now_ms) {
            empty_set(shard, set);
            set->closed = true;
        }
    }
}

/* The place of a nonce, or the empty one where it belongs. */
static struct hash128 *
find(const struct set *set, struct hash128 nonce)
{
    size_t at = (size_t)nonce.hi & (set->cap - 1);

    while ((set->places[at].hi | set->places[at].lo) != 0 &&
           !hash_eq(set->places[at], nonce))
        at = (at + 1) & (set->cap - 1);
    return &set->places[at];
}

static void
grow(struct set *set)
{
    struct set old = *set;

    set->cap = old.cap ? old.cap * 2 : SET_MIN;
    set->places = mem_zalloc(set->cap * sizeof(*set->places));
    for (size_t i = 0; i < old.cap; i++) {
        if ((old.places[i].hi | old.places[i].lo) != 0)
            *find(set, old.places[i]) = old.places[i];
    }
    free(old.places);
}

static enum nonces_verdict
add(struct nonces *nonces, struct shard *shard, struct hash128 nonce,
    uint64_t sent_ms, uint64_t now_ms)
{
    uint64_t period = sent_ms / nonces->period_ms;
    struct set *set = &shard->sets[period % NONCES_PERIODS];

    if (period < set->period || (period == set->period && set->closed))
        return NONCES_PAST;
    if (period > set->period) {
        empty_set(shard, set);
        set->period = period;
        set->closed = false;
    }
    if (set->cap > 0 && hash_eq(*find(set, nonce), nonce))
        return NONCES_SEEN;
    if (shard->count >= nonces->shard_max) {
        make_room(nonces, shard, now_ms);
        if (shard->count >= nonces->shard_max)
            return NONCES_FULL;
    }
    if ((set->count + 1) * 2 > set->cap)
        grow(set);
    *find(set, nonce) = nonce;
    set->count++;
    shard->count++;
    return NONCES_NEW;
}

enum nonces_verdict
nonces_add(struct nonces *nonces, struct hash128 nonce, uint64_t sent_ms,
           uint64_t now_ms)
{
    struct shard *shard = &nonces->shards[nonce.lo & (SHARDS - 1)];

    if ((nonce.hi | nonce.lo) == 0)
        nonce.hi = 1;
    pthread_mutex_lock(&shard->mutex);
    enum nonces_verdict verdict = add(nonces, shard, nonce, sent_ms, now_ms);

    pthread_mutex_unlock(&shard->mutex);
    return verdict;
}
