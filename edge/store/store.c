#include "store/store.h"

#include <stdlib.h>

#include "base/bloom.h"
#include "base/mem.h"
#include "ghost_internal.h"
#include "marks_internal.h"
#include "store_internal.h"

/* The store's own tables, as parts of the budget. A bucket of the index for
 * each 2 KiB: with the smallest objects there are two or three to a bucket. */
#define TABLE_SHARE 2048
#define TABLE_SIZE_MIN 64
#define TABLE_SIZE_MAX ((size_t)1 << 26)
#define BUCKET_BYTES 16
#define BLOOM_SHARE 512 /* one slot, one byte, each so many bytes */
#define GHOST_SHARE 128
#define MARKS_SHARE 512
#define BLOOM_SLOTS_MIN 1024
#define BLOOM_SLOTS_MAX ((size_t)1 << 23)
#define MARKS_MAX ((size_t)1 << 14)
#define ENTRIES_MIN 64
#define ENTRY_BYTES 8 /* of a ghost, of a mark */

/* The largest power of two that is not above `size`, within bounds. */
static size_t
power_within(size_t size, size_t least, size_t most)
{
    size_t power = least;

    while (power < most && power * 2 <= size)
        power *= 2;
    return power;
}

static size_t
budget_of(size_t budget)
{
    return budget < STORE_BUDGET_MIN ? STORE_BUDGET_MIN : budget;
}

static size_t
max_object_of(size_t budget, size_t max_object)
{
    size_t most = budget_of(budget) / 2;

    return max_object == 0 || max_object > most ? most : max_object;
}

struct store *
store_new(size_t budget, size_t max_object)
{
    struct store *store = mem_zalloc(sizeof(*store));

    store->budget = budget_of(budget);
    store->max_object = max_object_of(budget, max_object);
    size_t bloom = power_within(store->budget / BLOOM_SHARE, BLOOM_SLOTS_MIN,
                                BLOOM_SLOTS_MAX);
    size_t ghost = power_within(store->budget / GHOST_SHARE / ENTRY_BYTES,
                                ENTRIES_MIN, SIZE_MAX / 4);
    size_t marks = power_within(store->budget / MARKS_SHARE / ENTRY_BYTES,
                                ENTRIES_MIN, MARKS_MAX);
    size_t buckets = power_within(store->budget / TABLE_SHARE, TABLE_SIZE_MIN,
                                  TABLE_SIZE_MAX);

    store->table = table_new(buckets);
    store->bloom = bloom_new(bloom);
    store->ghost = ghost_new(ghost);
    store->marks = marks_new(marks);
    store->fixed = bloom + (ghost + marks) * ENTRY_BYTES +
                   buckets * BUCKET_BYTES + sizeof(*store);
    store->slack = room_slack_min(store);
    store->account = mem_zalloc(sizeof(*store->account));
    atomic_init(&store->account->holders, 1);
    atomic_init(&store->account->used, store->fixed);
    queue_init(store);
    CHECK(pthread_mutex_init(&store->mutex, NULL) == 0);
    return store;
}

void
store_free(struct store **store)
{
    struct store *s = *store;
    struct object *object;

    *store = NULL;
    if (s == NULL)
        return;
    while ((object = queue_victim(s)) != NULL)
        store_take_out(s, object, true);
    grace_barrier();
    table_free(&s->table);
    bloom_free(&s->bloom);
    ghost_free(&s->ghost);
    marks_free(&s->marks);
    account_drop(s->account);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void
store_resize(struct store *store, size_t budget, size_t max_object)
{
    pthread_mutex_lock(&store->mutex);
    store->budget = budget_of(budget);
    store->max_object = max_object_of(budget, max_object);
    store->slack = room_slack_min(store);
    (void)room_make(store, 0);
    pthread_mutex_unlock(&store->mutex);
}

/* ---- reading ---- */

struct object *
store_object_of(struct table_node *node)
{
    return CONTAINER_OF(node, struct object, node);
}

bool
store_same_key(const struct object *object, const struct key *key)
{
    return hash_eq(object->key.hash, key->hash) &&
           span_eq(object->key.text, key->text);
}

static bool
selects(const struct object *object, const struct fields *request)
{
    return object->vary == NULL || vary_match(object->vary, request);
}

void
store_hit(struct object *object)
{
    uint8_t freq = atomic_load_explicit(&object->freq, memory_order_relaxed);

    /* Two hits at once may count as one: it is an estimate. */
    if (freq < FREQ_MAX)
        atomic_store_explicit(&object->freq, (uint8_t)(freq + 1),
                              memory_order_relaxed);
}

struct object *
store_find(struct store *store, const struct key *key,
           const struct fields *request, bool *other_variants)
{
    struct table_node *node = table_find(store->table, key->hash.lo);
    struct object *best = NULL;
    bool others = false;

    for (; node != NULL; node = table_next(store->table, node)) {
        struct object *object = store_object_of(node);

        if (object->part != NULL || !store_same_key(object, key))
            continue;
        if (!selects(object, request))
            others = true;
        else if (best == NULL || object->sent_ns > best->sent_ns)
            best = object;
    }
    if (best != NULL)
        store_hit(best);
    if (other_variants != NULL)
        *other_variants = others;
    return best;
}

struct object *
store_find_by(struct store *store, const struct key *key,
              bool (*fits)(const struct object *object,
                           const struct fields *request),
              const struct fields *request)
{
    struct table_node *node = table_find(store->table, key->hash.lo);
    struct object *best = NULL;

    for (; node != NULL; node = table_next(store->table, node)) {
        struct object *object = store_object_of(node);

        if (object->part == NULL && store_same_key(object, key) &&
            (best == NULL || object->sent_ns > best->sent_ns) &&
            fits(object, request))
            best = object;
    }
    if (best != NULL)
        store_hit(best);
    return best;
}

struct bloom *
store_bloom(struct store *store)
{
    return store->bloom;
}

/* ---- changing ---- */

void
store_take_out(struct store *store, struct object *object, bool in_table)
{
    if (in_table)
        CHECK(table_remove(store->table, &object->node));
    if (object->part == NULL)
        bloom_remove(store->bloom, object->key.hash);
    atomic_store(&object->dead, true);
    object_unref(&object);
}

/* What is stored under a key, as an insertion needs to know it. */
struct company {
    struct object *same;  /* the same variant */
    struct object *spare; /* of the others, the one to do without */
    size_t count;
};

bool
store_same_variant(const struct object *a, const struct object *b)
{
    if (a->vary == NULL || b->vary == NULL)
        return a->vary == b->vary;
    return vary_same(a->vary, b->vary);
}

/* Asked for less, else sent earlier: a client that asks for ever new variants
 * crowds out its own, not those that others use. */
static bool
less_needed(struct object *a, struct object *b)
{
    uint8_t uses_a = atomic_load_explicit(&a->freq, memory_order_relaxed);
    uint8_t uses_b = atomic_load_explicit(&b->freq, memory_order_relaxed);

    return uses_a != uses_b ? uses_a < uses_b : a->sent_ns < b->sent_ns;
}

static struct company
company_of(struct store *store, const struct object *object)
{
    struct table_node *node = table_find(store->table, object->key.hash.lo);
    struct company company = {NULL, NULL, 0};

    for (; node != NULL; node = table_next(store->table, node)) {
        struct object *other = store_object_of(node);

        if (other->part != NULL || !store_same_key(other, &object->key))
            continue;
        company.count++;
        if (store_same_variant(other, object))
            company.same = other;
        else if (company.spare == NULL || less_needed(other, company.spare))
            company.spare = other;
    }
    return company;
}

void
store_evict(struct store *store, struct object *object)
{
    queue_take(store, object);
    store_take_out(store, object, true);
}

/* Moves the charge for a body that both share from the old one to the new
 * one, which will be charged whole; gives the bytes. */
static size_t
body_moves(struct object *old, const struct object *object)
{
    size_t body;

    if (old == NULL || old->body == NULL || old->body != object->body)
        return 0;
    body = object_body_cost(object);
    return body < old->cost ? body : 0;
}

static void
publish(struct store *store, struct object *object, struct object *old)
{
    if (object->part == NULL)
        bloom_add(store->bloom, object->key.hash);
    if (old == NULL) {
        queue_put(store, object, queue_choose(store, object));
        table_add(store->table, &object->node, object->key.hash.lo);
        return;
    }
    /* What replaces a popular object is as popular. */
    atomic_store_explicit(
        &object->freq, atomic_load_explicit(&old->freq, memory_order_relaxed),
        memory_order_relaxed);
    queue_put(store, object, old->queue);
    CHECK(table_replace(store->table, &old->node, &object->node));
    store_take_out(store, old, false);
}

bool
store_admit(struct store *store, struct object *object, struct object *old)
{
    size_t cost = object_cost(object);
    size_t moved = body_moves(old, object);
    bool room;

    if (cost > store->max_object)
        return false;
    if (old != NULL)
        queue_take(store, old); /* it must not be evicted to make the room */
    room = room_make(store, cost - moved);
    if (!room) {
        if (old != NULL)
            queue_put(store, old, old->queue);
        return false;
    }
    if (old != NULL)
        old->cost -= moved;
    object->cost = cost;
    object->account = store->account;
    atomic_fetch_add(&store->account->holders, 1);
    atomic_fetch_add(&store->account->used, cost - moved);
    publish(store, object, old);
    store->inserts++;
    return true;
}

/* Under the mutex. `target` is the object to replace, if that is known. */
static bool
insert(struct store *store, struct object *object, struct object *target)
{
    if (object->part != NULL)
        return parts_insert(store, object, target);
    struct company company = company_of(store, object);
    struct object *same = company.same;
    struct object *old = target != NULL ? target : same;

    if ((same != NULL && same->sent_ns > object->sent_ns) ||
        (old != NULL && old->sent_ns > object->sent_ns) ||
        parts_outdate(store, object))
        return false;
    if (!store_admit(store, object, old))
        return false;
    if (same != NULL && same != old && object_alive(same))
        store_evict(store, same);
    if (old == NULL && company.count >= STORE_VARIANTS_MAX &&
        company.spare != NULL && object_alive(company.spare))
        store_evict(store, company.spare);
    parts_evict(store, object);
    return true;
}

/* The rest of an insertion: what became of the caller's reference. */
static bool
settle(struct store *store, struct object *object, bool stored)
{
    if (!stored)
        store->refusals++;
    pthread_mutex_unlock(&store->mutex);
    counter_add(stored ? COUNTER_STORE_INSERT : COUNTER_STORE_REFUSE, 1);
    if (!stored)
        object_unref(&object);
    return stored;
}

bool
store_insert(struct store *store, struct object **object, size_t reserved)
{
    struct object *new = *object;

    *object = NULL;
    pthread_mutex_lock(&store->mutex);
    CHECK(new->account == NULL); /* an object is inserted once */
    room_release(store, reserved);
    return settle(store, new, insert(store, new, NULL));
}

/* Whether an update of `old`, which is out, may go in: only if something of its
 * variant is in that took its place. */
static bool
has_successor(struct store *store, const struct object *object)
{
    return object->part == NULL && company_of(store, object).same != NULL;
}

bool
store_replace(struct store *store, struct object *old, struct object **object)
{
    struct object *new = *object;
    bool stored;

    *object = NULL;
    pthread_mutex_lock(&store->mutex);
    CHECK(new->account == NULL &&store_same_key(old, &new->key));
    if (object_alive(old))
        stored = insert(store, new, old);
    else
        stored = has_successor(store, new) && insert(store, new, NULL);
    return settle(store, new, stored);
}

bool
store_remove(struct store *store, struct object *object)
{
    bool was_in;

    pthread_mutex_lock(&store->mutex);
    was_in = object->account == store->account && object_alive(object);
    if (was_in)
        store_evict(store, object);
    pthread_mutex_unlock(&store->mutex);
    return was_in;
}

size_t
store_remove_key(struct store *store, const struct key *key)
{
    size_t count = 0;

    pthread_mutex_lock(&store->mutex);
    struct table_node *node = table_find(store->table, key->hash.lo);

    while (node != NULL) {
        struct object *object = store_object_of(node);

        node = table_next(store->table, node);
        if (!store_same_key(object, key))
            continue;
        store_evict(store, object);
        count++;
    }
    pthread_mutex_unlock(&store->mutex);
    return count;
}

/* ---- hit-for-miss ---- */

void
store_mark_uncacheable(struct store *store, struct hash128 key,
                       uint64_t until_ns)
{
    marks_set(store->marks, key, until_ns);
}

bool
store_uncacheable(struct store *store, struct hash128 key, uint64_t now_ns)
{
    return marks_have(store->marks, key, now_ns);
}

/* ---- numbers ---- */

void
store_stats(struct store *store, struct store_stats *stats)
{
    pthread_mutex_lock(&store->mutex);
    stats->budget = store->budget;
    stats->bytes = atomic_load(&store->account->used);
    stats->reserved = store->reserved;
    stats->objects =
        store->queues[QUEUE_SMALL].count + store->queues[QUEUE_MAIN].count;
    size_t counted = store->fixed + store->reserved + room_live(store);

    stats->dying = stats->bytes > counted ? stats->bytes - counted : 0;
    stats->inserts = store->inserts;
    stats->evictions = store->evictions;
    stats->ghost_hits = store->ghost_hits;
    stats->refusals = store->refusals;
    pthread_mutex_unlock(&store->mutex);
}
