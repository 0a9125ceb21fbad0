/*
 * S3-FIFO (Yang and others, SOSP 2023), by bytes. What is new goes to the
 * small queue. What was asked for again there goes on to main, the rest goes,
 * and leaves its fingerprint in the ghost; what comes back while
 * the ghost knows it goes straight to main. Main is a FIFO in which what was
 * asked for gets another round.
 */
#include "store_internal.h"

#include "ghost_internal.h"

/* The small queue's part of all bytes is 1 / SMALL_SHARE. One hit takes an
 * object from small to main. The ghost reaches back 12 / 10 of the budget in
 * evicted bytes. The paper has two hits, and as many ghosts as main has
 * objects; these did better on traces (tests/bench/replay.c). */
#define SMALL_SHARE 10
#define PROMOTE_FREQ 1
#define GHOST_PARTS 10
#define GHOST_WINDOW 12
#define STEPS_MAX 1024 /* objects passed over for one victim */

void
queue_init(struct store *store)
{
    for (unsigned i = 0; i < QUEUE_COUNT; i++)
        list_init(&store->queues[i].list);
}

void
queue_put(struct store *store, struct object *object, unsigned queue)
{
    struct queue *q = &store->queues[queue];

    object->queue = (uint8_t)queue;
    list_push_front(&q->list, &object->link);
    q->bytes += object->cost;
    q->count++;
}

void
queue_take(struct store *store, struct object *object)
{
    struct queue *q = &store->queues[object->queue];

    list_remove(&object->link);
    q->bytes -= object->cost;
    q->count--;
}

unsigned
queue_choose(struct store *store, const struct object *object)
{
    size_t window = store->budget / GHOST_PARTS * GHOST_WINDOW;

    if (!ghost_take(store->ghost, object->key.hash, window))
        return QUEUE_SMALL;
    store->ghost_hits++;
    return QUEUE_MAIN;
}

static struct object *
last_of(struct queue *queue)
{
    CHECK(queue->count > 0);
    return list_last(&queue->list, struct object, link);
}

static uint8_t
freq_of(const struct object *object)
{
    return atomic_load_explicit(&object->freq, memory_order_relaxed);
}

static void
freq_set(struct object *object, uint8_t freq)
{
    atomic_store_explicit(&object->freq, freq, memory_order_relaxed);
}

/* One step in small: its last object goes to main, or is the victim. */
static struct object *
step_small(struct store *store, bool promote)
{
    struct object *object = last_of(&store->queues[QUEUE_SMALL]);

    queue_take(store, object);
    if (promote && freq_of(object) >= PROMOTE_FREQ) {
        freq_set(object, 0);
        queue_put(store, object, QUEUE_MAIN);
        return NULL;
    }
    ghost_add(store->ghost, object->key.hash, object->cost);
    return object;
}

/* One step in main: its last object gets another round, or is the victim. */
static struct object *
step_main(struct store *store, bool again)
{
    struct object *object = last_of(&store->queues[QUEUE_MAIN]);
    uint8_t freq = freq_of(object);

    queue_take(store, object);
    if (again && freq > 0) {
        freq_set(object, (uint8_t)(freq - 1));
        queue_put(store, object, QUEUE_MAIN);
        return NULL;
    }
    return object;
}

struct object *
queue_victim(struct store *store)
{
    const struct queue *small = &store->queues[QUEUE_SMALL];
    const struct queue *main = &store->queues[QUEUE_MAIN];
    struct object *victim = NULL;

    /* After STEPS_MAX the next in line goes, however popular: nobody waits
     * for a walk through everything. */
    for (unsigned steps = 0; victim == NULL; steps++) {
        bool kind = steps < STEPS_MAX;

        if (small->count == 0 && main->count == 0)
            return NULL;
        if (main->count == 0 ||
            (small->count > 0 &&
             small->bytes >= (small->bytes + main->bytes) / SMALL_SHARE))
            victim = step_small(store, kind);
        else
            victim = step_main(store, kind);
    }
    return victim;
}
