#include "base/counter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

struct slots {
    struct slots *next;
    _Atomic uint64_t value[COUNTER_COUNT];
};

/* Slots are never freed: a thread that ended keeps its counts. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct slots *all;
static _Thread_local struct slots *mine;

static struct slots *
slots_add(void)
{
    struct slots *slots = aligned_alloc(64, (sizeof(*slots) + 63) / 64 * 64);

    CHECK(slots != NULL);
    for (int i = 0; i < COUNTER_COUNT; i++)
        atomic_init(&slots->value[i], 0);
    pthread_mutex_lock(&mutex);
    slots->next = all;
    all = slots;
    pthread_mutex_unlock(&mutex);
    mine = slots;
    return slots;
}

const struct counter_row *
counter_row(enum counter id)
{
    static const struct counter_row rows[] = {
#define C(id, name, labels, help) {name, labels, help},
        COUNTER_TABLE(C)
#undef C
    };

    CHECK((unsigned)id < COUNTER_COUNT);
    return &rows[id];
}

void
counter_add(enum counter id, uint64_t n)
{
    struct slots *slots = mine ? mine : slots_add();
    _Atomic uint64_t *value = &slots->value[id];

    /* One writer a slot: a plain addition, but atomic for those who read. */
    atomic_store_explicit(value,
                          atomic_load_explicit(value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

uint64_t
counter_read(enum counter id)
{
    uint64_t sum = 0;

    pthread_mutex_lock(&mutex);
    for (struct slots *s = all; s != NULL; s = s->next)
        sum += atomic_load_explicit(&s->value[id], memory_order_relaxed);
    pthread_mutex_unlock(&mutex);
    return sum;
}
