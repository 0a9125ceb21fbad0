/*
 * Readers beside the writer, for ThreadSanitizer; and the rule itself: who
 * reads the number s and then checks an object older than an entry at or
 * before s never finds it valid.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/grace.h"
#include "base/log.h"
#include "cluster/inval.h"

#define READERS 3
#define ROUNDS 6000

static struct inval *inval;
static _Atomic bool over;
static _Atomic unsigned ready;

static void
read_once(void)
{
    uint64_t seq = inval_seq(inval);
    char path[32];
    struct hash128 tag = inval_tag_hash(SPAN("t"));

    /* Entry number s is for the path /s % 100; see the writer. */
    snprintf(path, sizeof(path), "/%llu/x", (unsigned long long)(seq % 100));
    struct inval_subject subject = {SPAN("h"), span_of(path), &tag, 1};

    CHECK(inval_check(inval, &subject, seq - 1) != VALIDITY_VALID);
    const struct inval_snapshot *snapshot = inval_snapshot(inval);

    CHECK(snapshot->position.count == 1);
    /* One number for the floor at the start, then one for each entry. */
    CHECK(snapshot->seq == snapshot->position.sites[0].n + 2);
    struct position theirs = snapshot->position;
    uint64_t at = snapshot->seq;

    if (theirs.sites[0].n > 0)
        theirs.sites[0].n--;
    uint64_t claim = inval_localize(inval, &theirs, UINT64_MAX, &subject);

    CHECK(claim <= at && (claim == 0 || claim + 1 >= at || at == 2));
    grace_idle();
}

static void *
reader(void *arg)
{
    (void)arg;
    grace_register();
    atomic_fetch_add(&ready, 1);
    while (!atomic_load(&over))
        read_once();
    grace_unregister();
    return NULL;
}

static void
readers_and_a_writer(void **state)
{
    pthread_t threads[READERS];
    char path[32];

    (void)state;
    log_set_level(LOG_ERROR);
    grace_register();
    inval = inval_new(0); /* the smallest: it overflows all the time */
    size_t site = inval_site(inval, SPAN("p"));

    inval_site_at(inval, site, 1, 1, 0);
    inval_raise_floor(inval, FLOOR_START);
    inval_publish(inval);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
    while (atomic_load(&ready) < READERS)
        sched_yield();
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        int len = snprintf(path, sizeof(path), "/%llu/x",
                           (unsigned long long)((n + 2) % 100));
        struct inval_entry e = {n % 3 ? INVAL_URL : INVAL_PREFIX,
                                n % 5 == 0,
                                SPAN("h"),
                                {path, (size_t)len}};

        inval_apply(inval, &e, site, n);
        inval_publish(inval);
        grace_idle();
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    inval_free(&inval);
    grace_unregister();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_a_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
