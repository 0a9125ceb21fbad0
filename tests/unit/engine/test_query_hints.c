#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/check.h"
#include "base/grace.h"
#include "engine/query_hints_internal.h"

static struct query_hints *hints;

static int
setup(void **state)
{
    (void)state;
    grace_register();
    hints = query_hints_new();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    grace_barrier();
    query_hints_free(&hints);
    grace_unregister();
    return 0;
}

static struct hash128
path_of(uint64_t n)
{
    return hash_bytes((struct span){(const char *)&n, sizeof(n)}, 1);
}

/* NULL: none. */
static void
assert_hint(struct hash128 path, const char *want)
{
    char text[NO_VARY_SEARCH_MAX];
    struct span got;
    bool found = query_hints_find(hints, path, text, &got);

    assert_int_equal(found, want != NULL);
    if (found)
        assert_true(span_eq(got, span_of(want)));
}

static void
remembers(void **state)
{
    (void)state;
    assert_hint(path_of(1), NULL);
    query_hints_learn(hints, path_of(1), SPAN("-a&"));
    query_hints_learn(hints, path_of(2), SPAN("o-"));
    assert_hint(path_of(1), "-a&");
    assert_hint(path_of(2), "o-");
    assert_hint(path_of(3), NULL);
    query_hints_learn(hints, path_of(1), SPAN("+longer&than&before&"));
    query_hints_learn(hints, path_of(1), SPAN("+longer&than&before&"));
    assert_hint(path_of(1), "+longer&than&before&");
}

/* Paths that all fall into one set. */
static struct hash128
crowded(uint64_t n)
{
    return (struct hash128){.hi = n, .lo = n * 512 * 16};
}

static void
is_bounded(void **state)
{
    char text[NO_VARY_SEARCH_MAX];
    struct span got;
    size_t kept = 0;

    (void)state;
    for (uint64_t n = 1; n <= 100; n++) {
        query_hints_learn(hints, crowded(n), SPAN("o-"));
        assert_hint(crowded(n), "o-");
    }
    for (uint64_t n = 1; n <= 100; n++)
        kept += query_hints_find(hints, crowded(n), text, &got);
    assert_int_equal(kept, 4);
    /* The longest there is. */
    memset(text, 'a', sizeof(text));
    query_hints_learn(hints, path_of(7),
                      (struct span){text, NO_VARY_SEARCH_MAX});
    assert_true(query_hints_find(hints, path_of(7), text, &got));
    assert_int_equal(got.len, NO_VARY_SEARCH_MAX);
}

/* Every text that is read was written as a whole. */
static void *
learn_and_look(void *arg)
{
    unsigned self = *(unsigned *)arg;

    grace_register();
    for (unsigned n = 0; n < 20000; n++) {
        char text[NO_VARY_SEARCH_MAX];
        char all[64];
        size_t len = (n * 7 + self) % sizeof(all) + 1;
        struct span got;

        memset(all, 'a' + (int)len % 26, len);
        query_hints_learn(hints, crowded(n % 6), (struct span){all, len});
        if (query_hints_find(hints, crowded((n + self) % 6), text, &got)) {
            CHECK(got.len > 0 && got.len <= sizeof(all));
            for (size_t i = 0; i < got.len; i++)
                CHECK(got.ptr[i] == 'a' + (int)got.len % 26);
        }
        grace_idle();
    }
    grace_unregister();
    return NULL;
}

static void
is_shared_by_threads(void **state)
{
    pthread_t threads[4];
    unsigned numbers[4];

    (void)state;
    /* A reader that never waits would keep all that is replaced. */
    grace_idle();
    grace_unregister();
    for (unsigned i = 0; i < ARRAY_LEN(threads); i++) {
        numbers[i] = i;
        assert_int_equal(
            pthread_create(&threads[i], NULL, learn_and_look, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    grace_register();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(is_shared_by_threads, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
