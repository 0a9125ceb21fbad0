/* Many threads are given the same signed requests: each is accepted once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/secret.h"
#include "cluster/auth.h"

#define NOW INT64_C(1700000000000)
#define THREADS 4
#define VALUES 2000

static struct auth *receiver;
static struct buf values[VALUES];
static _Atomic unsigned accepted[VALUES];
static _Atomic unsigned replayed;

static const struct auth_request request = {.op = AUTH_FILL,
                                            .to = {"tokyo-2", 7},
                                            .method = {"GET", 3},
                                            .host = {"h", 1},
                                            .target = {"/", 1}};

static void *
verify_all(void *arg)
{
    size_t from = (size_t)(uintptr_t)arg * VALUES / THREADS;

    for (size_t i = 0; i < VALUES; i++) {
        size_t at = (from + i) % VALUES;
        struct auth_claims claims;

        switch ((int)auth_verify(receiver, buf_span(&values[at]), &request, NOW,
                                 &claims)) {
        case AUTH_OK:
            atomic_fetch_add(&accepted[at], 1);
            break;
        case AUTH_REPLAYED:
            atomic_fetch_add(&replayed, 1);
            break;
        default:
            break;
        }
    }
    return NULL;
}

static void
test_once(void **state)
{
    struct auth_options options = {.secret = SPAN("a shared secret"),
                                   .node = "tokyo-2",
                                   .max_skew_ms = 1000};
    pthread_t threads[THREADS];

    (void)state;
    receiver = auth_new(&options);
    /* Signed over three periods of the cache. */
    for (int i = 0; i < VALUES; i++)
        auth_sign(receiver, &request, NOW - 1000 + i, &values[i]);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, verify_all, (void *)(uintptr_t)i),
            0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < VALUES; i++) {
        assert_int_equal(atomic_load(&accepted[i]), 1);
        buf_fini(&values[i]);
    }
    assert_int_equal(atomic_load(&replayed), VALUES * (THREADS - 1));
    auth_free(&receiver);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_once)};

    secret_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
