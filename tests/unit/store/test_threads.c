/*
 * Finders, inserters, updaters and purgers at once, for the sanitizers; and
 * what must hold at any time: a found object is what was asked for, a key's
 * newest copy never gives way to an older one, the budget is kept.
 */
#include "store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "objects.h"

#define BUDGET ((size_t)1 << 20)
#define KEYS 200
#define ROUNDS 6000
#define THREADS 4

struct shared {
    struct store *store;
    _Atomic uint64_t clock;
    _Atomic uint64_t found;
};

struct worker {
    struct shared *shared;
    uint64_t random;
    pthread_t thread;
};

static const char *const values[] = {NULL, "a", "b"};

static void
read_it(const struct object *object, const char *value)
{
    CHECK(object->status == 200 && object->position == 7);
    CHECK(object->length == blob_len(object->body));
    CHECK(pack_fields(object->fields)->count == 2);
    struct fields request = {0};

    test_request(&request, value);
    CHECK(vary_match(object->vary, &request));
    fields_fini(&request);
}

static void
do_find(struct worker *worker, unsigned long key, const char *value)
{
    struct object *object = test_find(worker->shared->store, key, value, NULL);

    if (object == NULL)
        return;
    read_it(object, value);
    atomic_fetch_add(&worker->shared->found, 1);
    if (test_random(&worker->random) % 4 != 0 || !object_try_ref(object))
        return;
    grace_idle(); /* only the reference keeps it now */
    read_it(object, value);
    object_unref(&object);
}

static void
do_insert(struct worker *worker, unsigned long key, const char *value)
{
    struct store *store = worker->shared->store;
    size_t size = test_random(&worker->random) % 16384;
    uint64_t sent = atomic_fetch_add(&worker->shared->clock, 1) + 1;
    bool reserved = store_reserve(store, size);
    struct object *object = test_object(&(struct test_spec){
        .number = key,
        .vary = "X-Kind",
        .value = value,
        .sent_ns = sent,
        .size = size,
    });

    if (!store_insert(store, &object, reserved ? size : 0))
        return;
    struct object *found = test_find(store, key, value, NULL);

    /* Ours, or a newer one, or it went; never an older one. */
    CHECK(found == NULL || found->sent_ns >= sent);
}

static void
do_update(struct worker *worker, unsigned long key, const char *value)
{
    struct store *store = worker->shared->store;
    struct object *old = test_find(store, key, value, NULL);

    if (old == NULL || !object_try_ref(old))
        return;
    struct object *new = test_object(&(struct test_spec){
        .number = key,
        .vary = "X-Kind",
        .value = value,
        .sent_ns = atomic_fetch_add(&worker->shared->clock, 1) + 1,
        .body = old->body,
    });

    store_replace(store, old, &new);
    object_unref(&old);
}

static void
do_purge(struct worker *worker, unsigned long key, const char *value)
{
    struct store *store = worker->shared->store;
    struct test_key name;
    struct object *object = test_find(store, key, value, NULL);

    if (object != NULL && test_random(&worker->random) % 2 == 0) {
        store_remove(store, object);
        return;
    }
    test_key_set(&name, key);
    store_remove_key(store, &name.key);
}

static void *
work(void *arg)
{
    struct worker *worker = arg;

    grace_register();
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned long key = test_random(&worker->random) % KEYS;
        const char *value = values[test_random(&worker->random) % 3];
        unsigned what = (unsigned)(test_random(&worker->random) % 16);

        if (what < 8)
            do_find(worker, key, value);
        else if (what < 13)
            do_insert(worker, key, value);
        else if (what < 15)
            do_update(worker, key, value);
        else
            do_purge(worker, key, value);
        struct store_stats stats = test_stats(worker->shared->store);

        CHECK(stats.bytes <= stats.budget);
        if (i % 8 == 0)
            grace_idle();
        if (i % 256 == 0)
            grace_barrier();
    }
    grace_unregister();
    return NULL;
}

static void
test_stress(void **state)
{
    struct shared shared = {.store = store_new(BUDGET, 0)};
    struct worker workers[THREADS];
    (void)state;

    size_t empty = test_stats(shared.store).bytes;

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].shared = &shared;
        workers[i].random = i + 1;
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    assert_true(shared.found > 100);
    assert_true(test_stats(shared.store).inserts > 100);

    /* Everything that was charged is given back. */
    for (unsigned long key = 0; key < KEYS; key++) {
        struct test_key name;

        test_key_set(&name, key);
        store_remove_key(shared.store, &name.key);
    }
    assert_int_equal(test_stats(shared.store).objects, 0);
    grace_barrier();
    struct store_stats stats = test_stats(shared.store);

    assert_int_equal(stats.bytes, empty + stats.reserved);
    assert_int_equal(stats.reserved, 0);
    store_free(&shared.store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stress),
    };

    grace_register();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    grace_unregister();
    return failed;
}
