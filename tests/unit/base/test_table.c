/* Tables that are read without locks, and the grace periods they need. */
#include "base/table.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/mem.h"

#define ALIVE UINT32_C(0xa11ee11a)
#define KEYS 64
#define ROUNDS 20000
#define READERS 2
#define WRITERS 2

struct entry {
    struct table_node node;
    struct grace_defer defer;
    uint32_t alive;
    uint64_t key;
    uint64_t value;
};

static _Atomic uint64_t freed;

static struct entry *
entry_new(uint64_t key, uint64_t value)
{
    struct entry *entry = mem_zalloc(sizeof(*entry));

    entry->alive = ALIVE;
    entry->key = key;
    entry->value = value;
    return entry;
}

static void
on_free(struct grace_defer *defer)
{
    struct entry *entry = CONTAINER_OF(defer, struct entry, defer);

    CHECK(entry->alive == ALIVE);
    entry->alive = 0;
    atomic_fetch_add(&freed, 1);
    free(entry);
}

static struct entry *
entry_of(struct table_node *node)
{
    return node ? CONTAINER_OF(node, struct entry, node) : NULL;
}

static void
test_one_thread(void **state)
{
    struct table *table = table_new(8);
    struct entry *a = entry_new(1, 10);
    struct entry *b = entry_new(1, 20);
    struct entry *c = entry_new(1, 30);
    (void)state;

    assert_null(table_find(table, 1));
    table_add(table, &a->node, 1);
    assert_ptr_equal(table_find(table, 1), &a->node);
    assert_null(table_next(table, &a->node));
    assert_null(table_find(table, 2));
    /* Two of one hash are found in turn. */
    table_add(table, &b->node, 1);
    uint64_t sum = 0;

    for (struct table_node *n = table_find(table, 1); n != NULL;
         n = table_next(table, n))
        sum += entry_of(n)->value;
    assert_int_equal(sum, 30);
    /* Replacing: only what is in. */
    assert_true(table_replace(table, &a->node, &c->node));
    assert_false(table_replace(table, &a->node, &a->node));
    assert_false(table_remove(table, &a->node));
    sum = 0;
    for (struct table_node *n = table_find(table, 1); n != NULL;
         n = table_next(table, n))
        sum += entry_of(n)->value;
    assert_int_equal(sum, 50);
    assert_true(table_remove(table, &b->node));
    assert_false(table_remove(table, &b->node));
    assert_true(table_remove(table, &c->node));
    assert_null(table_find(table, 1));
    grace_defer(&a->defer, on_free);
    grace_defer(&b->defer, on_free);
    grace_defer(&c->defer, on_free);
    uint64_t before = atomic_load(&freed);

    grace_barrier();
    assert_true(atomic_load(&freed) == before + 3 || atomic_load(&freed) == 3);
    table_free(&table);
    assert_null(table);
    table_free(&table);
}

/* It grows far beyond its first size, and what is in stays in. */
static void
test_growing(void **state)
{
    struct table *table = table_new(2);
    struct entry **entries = mem_zalloc(5000 * sizeof(*entries));
    (void)state;

    for (uint64_t i = 0; i < 5000; i++) {
        entries[i] = entry_new(i, i);
        table_add(table, &entries[i]->node, i * UINT64_C(0x9e3779b97f4a7c15));
        if (i % 100 == 0)
            grace_idle(); /* lets it resize */
    }
    for (uint64_t i = 0; i < 5000; i++) {
        struct table_node *node =
            table_find(table, i * UINT64_C(0x9e3779b97f4a7c15));

        assert_ptr_equal(node, &entries[i]->node);
    }
    for (uint64_t i = 0; i < 5000; i++) {
        assert_true(table_remove(table, &entries[i]->node));
        grace_defer(&entries[i]->defer, on_free);
    }
    grace_barrier();
    table_free(&table);
    free(entries);
}

/* ---- a reader holds up the freeing ---- */

struct held {
    pthread_t thread;
    struct entry *entry;
    _Atomic bool reading;
    _Atomic bool go_on;
};

static void *
hold(void *arg)
{
    struct held *held = arg;

    grace_register();
    grace_enter();
    grace_enter(); /* cheap to repeat */
    atomic_store(&held->reading, true);
    while (!atomic_load(&held->go_on))
        sched_yield();
    CHECK(held->entry->alive == ALIVE);
    grace_idle();
    grace_idle();
    grace_unregister();
    return NULL;
}

static void
test_grace(void **state)
{
    struct held held = {.entry = entry_new(1, 1)};
    uint64_t before = atomic_load(&freed);
    (void)state;

    pthread_create(&held.thread, NULL, hold, &held);
    while (!atomic_load(&held.reading))
        sched_yield();
    grace_defer(&held.entry->defer, on_free);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(atomic_load(&freed), before);
        sched_yield();
    }
    atomic_store(&held.go_on, true);
    grace_barrier();
    assert_int_equal(atomic_load(&freed), before + 1);
    pthread_join(held.thread, NULL);
}

/* ---- all at once ---- */

struct stress {
    pthread_t thread;
    struct table *table;
    uint64_t random;
    uint64_t made;
    uint64_t found;
};

static uint64_t
random_of(struct stress *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random >> 11;
}

static struct entry *
look(struct table *table, uint64_t key)
{
    struct entry *entry = entry_of(table_find(table, key));

    for (struct entry *e = entry; e != NULL;
         e = entry_of(table_next(table, &e->node)))
        CHECK(e->alive == ALIVE && e->key == key);
    return entry;
}

static void *
read_work(void *arg)
{
    struct stress *s = arg;

    grace_register();
    for (int i = 0; i < ROUNDS; i++) {
        s->found += look(s->table, random_of(s) % KEYS) != NULL;
        if (i % 4 == 0)
            grace_idle();
    }
    grace_unregister();
    return NULL;
}

static void *
write_work(void *arg)
{
    struct stress *s = arg;

    grace_register();
    for (int i = 0; i < ROUNDS / 4; i++) {
        uint64_t key = random_of(s) % KEYS;
        struct entry *old = look(s->table, key);
        uint64_t what = random_of(s) % 3;
        struct entry *new = NULL;

        if (what > 0 || old == NULL) {
            new = entry_new(key, what);
            s->made++;
        }
        if (new != NULL && old != NULL &&what == 1) {
            if (table_replace(s->table, &old->node, &new->node))
                grace_defer(&old->defer, on_free);
            else
                table_add(s->table, &new->node, key);
        } else if (new != NULL) {
            table_add(s->table, &new->node, key);
        }
        /* Whoever takes it out frees it, once. */
        if (old != NULL && what != 1 && table_remove(s->table, &old->node))
            grace_defer(&old->defer, on_free);
        if (i % 8 == 0)
            grace_idle();
    }
    grace_unregister();
    return NULL;
}

static void
test_threads(void **state)
{
    struct table *table = table_new(4);
    struct stress stress[READERS + WRITERS] = {0};
    uint64_t before = atomic_load(&freed);
    uint64_t made = 0;
    uint64_t found = 0;
    (void)state;

    for (; made < KEYS; made++)
        table_add(table, &entry_new(made, made)->node, made);
    for (size_t i = 0; i < READERS + WRITERS; i++) {
        stress[i].table = table;
        stress[i].random = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        pthread_create(&stress[i].thread, NULL,
                       i < READERS ? read_work : write_work, &stress[i]);
    }
    for (size_t i = 0; i < READERS + WRITERS; i++) {
        pthread_join(stress[i].thread, NULL);
        made += stress[i].made;
        found += stress[i].found;
    }
    for (uint64_t key = 0; key < KEYS; key++) {
        struct entry *entry;

        while ((entry = look(table, key)) != NULL) {
            assert_true(table_remove(table, &entry->node));
            grace_defer(&entry->defer, on_free);
        }
    }
    grace_barrier();
    assert_int_equal(atomic_load(&freed) - before, made);
    assert_true(found > 0);
    table_free(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_threads),
    };

    grace_register();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    grace_unregister();
    return failed;
}
