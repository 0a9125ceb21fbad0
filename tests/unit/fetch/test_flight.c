#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/watcher.h"
#include "fetch/flight.h"

/* ---- one thread: what becomes of each who comes, step by step ---- */

static unsigned released;

struct fill {
    struct flight flight;
    char name;
};

struct making {
    struct watcher *watcher;
    char next_name;
};

static void
release_fill(struct flight *flight)
{
    struct fill *fill = CONTAINER_OF(flight, struct fill, flight);

    flight_fini(flight);
    free(fill);
    released++;
}

static struct flight *
make_fill(void *ctx)
{
    struct making *making = ctx;
    struct fill *fill = mem_zalloc(sizeof(*fill));

    fill->name = making->next_name++;
    flight_init(&fill->flight, making->watcher, release_fill);
    return &fill->flight;
}

static void
on_woken(void *arg)
{
    (*(unsigned *)arg)++;
}

/*
 * A script over one key. Each word:
 *   a, s   somebody joins (any open one; strictly) and must get what follows:
 *          the flight's name and its role: '+' lead, '-' lead later, '=' joined
 *   >A     A is sent;  !A its head is published;  .A it ends;  xA it is closed
 *   ?A     A may be sent now;  ~A it may not
 */
struct batch_case {
    const char *name;
    const char *script;
};

static const struct batch_case batches[] = {
    {"one leads, all join", "aA+ aA= >A aA= !A aA= .A aB+ .B"},
    {"a closed one is not joined", "aA+ >A xA aB+ .B .A"},
    {"closed before it is sent", "aA+ xA aB+ ?A >A >B .A .B"},
    {"strict joins before the sending", "sA+ sA= ?A sA= >A !A .A"},
    {"strict after it is the next batch",
     "sA+ >A sB- sB= ~B !A ?B >B !B .A .B"},
    {"one next, however many", "sA+ >A sB- sB= !A sB= >B sC- sC= .B ?C >C !C"
                               " .A .C"},
    {"the next goes when one fails", "sA+ >A sB- ~B .A ?B >B .B"},
    {"the next goes when one is closed", "sA+ >A sB- ~B xA ?B >B .B .A"},
    {"a head does not hold back", "sA+ >A !A sB+ ?B >B .B .A"},
    {"strict waits for any that is sent", "aA+ >A sB- aA= !A ?B aA= >B !B aB="
                                          " .A .B"},
    {"any joins strict ones", "sA+ aA= >A aA= sB- aA= .A aB= ?B .B"},
    {"the next may end before its time", "sA+ >A sB- .B sC- ~C !A ?C .A .C"},
    {"a closed next may go", "sA+ >A sB- xB ?B sC- ~C >B ~C !B ~C !A ?C .A .B"
                             " .C"},
};

static const char role_letter[] = {
    [FLIGHT_JOINED] = '=', [FLIGHT_LEAD] = '+', [FLIGHT_LEAD_LATER] = '-'};

struct play {
    struct flight_table *table;
    struct hash128 key;
    struct making making;
    struct flight *owned[26]; /* the owner's reference */
    struct flight *taken[32]; /* the joiners' */
    size_t taken_count;
};

static bool
play_join(struct play *play, const char *word)
{
    enum flight_role role;
    struct flight *flight = (word[0] == 's' ? flight_join_strict : flight_join)(
        play->table, play->key, make_fill, &play->making, &role);
    struct fill *fill = CONTAINER_OF(flight, struct fill, flight);

    play->taken[play->taken_count++] = flight;
    if (role != FLIGHT_JOINED)
        play->owned[fill->name - 'A'] = flight;
    return fill->name == word[1] && role_letter[role] == word[2];
}

static bool
play_word(struct play *play, const char *word)
{
    struct flight **flight = &play->owned[(size_t)(word[1] - 'A') % 26];

    switch (word[0]) {
    case '>':
        flight_sent(*flight);
        return flight_state(*flight) == FLIGHT_SENT;
    case '!':
        flight_publish(*flight);
        return flight_state(*flight) == FLIGHT_HEAD;
    case '.':
        flight_end(flight);
        return true;
    case 'x':
        flight_close(*flight);
        return true;
    case '?':
        return flight_may_send(*flight);
    case '~':
        return !flight_may_send(*flight);
    default:
        return play_join(play, word);
    }
}

static void
test_batches(void **state)
{
    struct loop *loop = loop_new();
    unsigned woken = 0;
    struct watcher *watcher = watcher_new(loop, on_woken, &woken);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        struct play play = {.table = flight_table_new(),
                            .key = {1, 2},
                            .making = {watcher, 'A'}};
        char *script = mem_strdup(batches[i].script);
        char *rest = NULL;

        released = 0;
        for (char *word = strtok_r(script, " ", &rest); word != NULL;
             word = strtok_r(NULL, " ", &rest)) {
            if (!play_word(&play, word))
                fail_msg("%s: at %s", batches[i].name, word);
            flight_sanity(play.table);
        }
        assert_int_equal(released, 0);
        while (play.taken_count > 0)
            flight_unref(&play.taken[--play.taken_count]);
        assert_int_equal(released, play.making.next_name - 'A');
        flight_table_free(&play.table);
        free(script);
    }
    watcher_close(&watcher);
    loop_free(&loop);
}

/* Two keys of one bucket have nothing to do with each other. */
static void
test_keys_apart(void **state)
{
    struct flight_table *table = flight_table_new();
    struct making making = {NULL, 'A'};
    enum flight_role role;
    struct flight *owned[2];
    struct flight *taken[2];

    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        struct hash128 key = {i, 5};

        taken[i] = flight_join(table, key, make_fill, &making, &role);
        owned[i] = taken[i];
        assert_int_equal(role, FLIGHT_LEAD);
        assert_int_equal(flight_sent(owned[i]), i + 1);
        flight_sanity(table);
    }
    assert_int_equal(flight_count(table), 2);
    for (size_t i = 0; i < 2; i++) {
        flight_end(&owned[i]);
        flight_unref(&taken[i]);
    }
    flight_table_free(&table);
}

static void
test_unwanted(void **state)
{
    struct flight_table *table = flight_table_new();
    struct making making = {NULL, 'A'};
    struct hash128 key = {7, 7};
    enum flight_role role;

    (void)state;

    struct flight *taken = flight_join(table, key, make_fill, &making, &role);
    struct flight *owned = taken;

    assert_false(flight_close_unwanted(owned));
    assert_int_equal(flight_count(table), 1);
    flight_unref(&taken);
    assert_true(flight_close_unwanted(owned));
    assert_int_equal(flight_count(table), 0);
    released = 0;
    flight_end(&owned);
    assert_null(owned);
    assert_int_equal(released, 1);
    flight_table_free(&table);
}

static void
on_stop(void *arg)
{
    loop_stop(arg);
}

/* Who waits is woken by each piece of news until taken off; the owner of the
 * next batch when its time has come. */
static void
test_wakes(void **state)
{
    struct loop *loop = loop_new();
    struct timer *timer = timer_new(loop, on_stop, loop);
    unsigned owner_woken = 0;
    unsigned woken = 0;
    struct watcher *owner = watcher_new(loop, on_woken, &owner_woken);
    struct watcher *watcher = watcher_new(loop, on_woken, &woken);
    struct flight_table *table = flight_table_new();
    struct making making = {owner, 'A'};
    struct hash128 key = {3, 3};
    struct flight_waiter waiter = {0};
    enum flight_role role;

    (void)state;

    struct flight *first =
        flight_join_strict(table, key, make_fill, &making, &role);
    struct flight *owned = first;

    flight_wait(first, &waiter, watcher);
    flight_sent(owned);

    struct flight *second =
        flight_join_strict(table, key, make_fill, &making, &role);
    struct flight *second_owned = second;

    assert_int_equal(role, FLIGHT_LEAD_LATER);
    timer_start(timer, 0);
    loop_run(loop);
    assert_int_equal(woken, 0);
    assert_int_equal(owner_woken, 0);

    flight_publish(owned);
    flight_wake(owned);
    timer_start(timer, 1);
    loop_run(loop);
    assert_int_equal(woken, 1);
    assert_int_equal(owner_woken, 1);

    flight_unwait(first, &waiter);
    flight_unwait(first, &waiter);
    flight_end(&owned);
    timer_start(timer, 1);
    loop_run(loop);
    assert_int_equal(woken, 1);

    flight_end(&second_owned);
    flight_unref(&first);
    flight_unref(&second);
    flight_table_free(&table);
    watcher_close(&watcher);
    watcher_close(&owner);
    timer_free(&timer);
    loop_free(&loop);
}

/* ---- many threads ---- */

#define THREADS 4
#define TURNS 400
#define KEYS 3

struct job {
    struct flight flight;
    struct watcher *watcher;
    struct flight *owned;
    struct worker *worker;
    uint64_t payload; /* written by the owner, no atomics: the table orders */
};

struct visit {
    struct worker *worker;
    struct flight *flight;
    struct flight_waiter waiter;
    struct watcher *watcher;
    uint64_t sent_before;
    bool strict;
};

struct worker {
    struct flight_table *table;
    pthread_t thread;
    struct loop *loop;
    unsigned seed;
    unsigned turns;
    unsigned visits; /* in progress */
    unsigned jobs;   /* this worker owns */
    struct timer *timer;
};

static _Atomic uint64_t last_sent;
static _Atomic unsigned made;
static _Atomic unsigned freed;

static void
release_job(struct flight *flight)
{
    struct job *job = CONTAINER_OF(flight, struct job, flight);

    flight_fini(flight);
    free(job);
    atomic_fetch_add(&freed, 1);
}

static void
maybe_stop(struct worker *worker)
{
    if (worker->turns == 0 && worker->visits == 0 && worker->jobs == 0)
        loop_stop(worker->loop);
}

static void
end_job(struct job *job)
{
    struct worker *worker = job->worker;

    watcher_close(&job->watcher);
    worker->jobs--;
    flight_end(&job->owned);
    maybe_stop(worker);
}

/* Woken by the table, or by itself: each time one step of its life. */
static void
on_job(void *arg)
{
    struct job *job = arg;

    switch (flight_state(&job->flight)) {
    case FLIGHT_WAITING:
        if (!flight_may_send(&job->flight))
            return;
        if (flight_close_unwanted(&job->flight)) {
            end_job(job);
            return;
        }
        {
            uint64_t number = flight_sent(&job->flight);
            uint64_t last = atomic_load(&last_sent);

            while (last < number &&
                   !atomic_compare_exchange_weak(&last_sent, &last, number))
                ;
        }
        break;
    case FLIGHT_SENT:
        job->payload = flight_number(&job->flight) * 3;
        if (job->payload % 4 == 0) {
            end_job(job);
            return;
        }
        flight_publish(&job->flight);
        break;
    case FLIGHT_HEAD:
        if (job->payload % 5 == 0)
            flight_close(&job->flight);
        end_job(job);
        return;
    case FLIGHT_ENDED:
        return;
    }
    watcher_wake(job->watcher);
}

static struct flight *
make_job(void *ctx)
{
    struct worker *worker = ctx;
    struct job *job = mem_zalloc(sizeof(*job));

    job->worker = worker;
    job->watcher = watcher_new(worker->loop, on_job, job);
    job->owned = &job->flight;
    flight_init(&job->flight, job->watcher, release_job);
    worker->jobs++;
    atomic_fetch_add(&made, 1);
    return &job->flight;
}

static void
on_visit(void *arg)
{
    struct visit *visit = arg;
    struct worker *worker = visit->worker;
    enum flight_state state = flight_state(visit->flight);
    struct job *job = CONTAINER_OF(visit->flight, struct job, flight);

    if (state == FLIGHT_WAITING || state == FLIGHT_SENT)
        return;
    CHECK(job->payload == flight_number(visit->flight) * 3);
    if (visit->strict)
        CHECK(flight_number(visit->flight) > visit->sent_before);
    flight_unwait(visit->flight, &visit->waiter);
    flight_unref(&visit->flight);
    watcher_close(&visit->watcher);
    free(visit);
    worker->visits--;
    maybe_stop(worker);
}

static void
on_turn(void *arg)
{
    struct worker *worker = arg;
    struct visit *visit = mem_zalloc(sizeof(*visit));
    struct hash128 key = {1, (uint64_t)rand_r(&worker->seed) % KEYS};
    enum flight_role role;

    worker->turns--;
    worker->visits++;
    visit->worker = worker;
    visit->strict = rand_r(&worker->seed) % 2 == 0;
    visit->sent_before = atomic_load(&last_sent);
    visit->watcher = watcher_new(worker->loop, on_visit, visit);
    visit->flight = (visit->strict ? flight_join_strict : flight_join)(
        worker->table, key, make_job, worker, &role);
    if (role == FLIGHT_LEAD)
        watcher_wake(CONTAINER_OF(visit->flight, struct job, flight)->watcher);
    flight_wait(visit->flight, &visit->waiter, visit->watcher);
    watcher_wake(visit->watcher); /* it may have moved just before */
    if (worker->turns % 64 == 0)
        flight_sanity(worker->table);
    if (worker->turns > 0)
        timer_start(worker->timer, 0);
}

static void *
run_worker(void *arg)
{
    struct worker *worker = arg;

    worker->loop = loop_new();
    worker->timer = timer_new(worker->loop, on_turn, worker);
    worker->turns = TURNS;
    timer_start(worker->timer, 0);
    loop_run(worker->loop);
    timer_free(&worker->timer);
    loop_free(&worker->loop);
    return NULL;
}

static void
test_threads(void **state)
{
    struct worker workers[THREADS] = {0};
    struct flight_table *table = flight_table_new();

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].table = table;
        workers[i].seed = i + 1;
        CHECK(pthread_create(&workers[i].thread, NULL, run_worker,
                             &workers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    assert_int_equal(flight_count(table), 0);
    assert_int_equal(atomic_load(&made), atomic_load(&freed));
    assert_true(atomic_load(&made) < THREADS * TURNS);
    flight_table_free(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),  cmocka_unit_test(test_keys_apart),
        cmocka_unit_test(test_unwanted), cmocka_unit_test(test_wakes),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
