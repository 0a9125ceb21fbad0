/* Leases and acknowledgements, the latter against real Redis servers. */
#include "stream_nodes.h"

#include "cluster/lease.h"
#include "cluster/purge_wait.h"

#define SITE(i) ((lease_sites)1 << (i))
#define MS(ms) ((ms)*NS_PER_MS)

/* ---- the board ---- */

static void
test_board(void **state)
{
    struct leases *leases = leases_new();

    (void)state;
    assert_true(leases_held(leases, 0, 1));
    assert_int_equal(leases_confirmed_ns(leases, 0, 7), 7);
    assert_false(leases_held(leases, SITE(0), 1));
    leases_grant(leases, 0, MS(100), 50);
    assert_true(leases_held(leases, SITE(0), MS(100)));
    assert_true(leases_held(leases, SITE(0), MS(150) - 1));
    assert_false(leases_held(leases, SITE(0), MS(150)));
    assert_false(leases_held(leases, SITE(0) | SITE(63), MS(100)));
    leases_grant(leases, 63, MS(90), 50);
    assert_true(leases_held(leases, SITE(0) | SITE(63), MS(120)));
    assert_int_equal(leases_confirmed_ns(leases, SITE(0) | SITE(63), MS(120)),
                     MS(90));
    assert_int_equal(leases_confirmed_ns(leases, SITE(0) | SITE(63), MS(145)),
                     0);
    leases_end(leases, 0);
    assert_false(leases_held(leases, SITE(0), MS(120)));
    assert_true(leases_held(leases, SITE(63), MS(120)));
    leases_free(&leases);
    assert_true(lease_wait_ns(990, 1) >= MS(1010) &&
                lease_wait_ns(990, 1) < MS(1011));
    /* Never a nanosecond short, whatever does not divide. */
    for (uint64_t ms = 1; ms <= LEASE_LENGTH_MAX_MS; ms++) {
        for (unsigned drift = 0; drift < 50; drift++)
            assert_true(lease_wait_ns(ms, drift) * (100 - drift) >
                        MS(ms) * (100 + drift));
    }
}

/* ---- with Redis ---- */

static bool
holds(const struct node *node, lease_sites sites)
{
    return leases_held(streams_leases(node->streams), sites, clock_boot_ns());
}

static bool
both_hold(void *arg)
{
    (void)arg;
    return holds(&nodes[0], 3) && holds(&nodes[1], 3);
}

static bool
first_holds_not(void *arg)
{
    return !holds(&nodes[0], *(lease_sites *)arg);
}

struct waited {
    bool done;
    enum purge_wait_outcome outcome;
    size_t count;
    unsigned states[3];
    uint64_t ms;
};

static void
on_waited(void *arg, const struct purge_wait_result *result)
{
    struct waited *waited = arg;

    assert_false(waited->done);
    waited->done = true;
    waited->outcome = result->outcome;
    waited->count = result->count;
    for (size_t i = 0; i < result->count; i++)
        waited->states[result->holders[i].state]++;
}

static bool
is_waited(void *arg)
{
    return ((struct waited *)arg)->done;
}

static struct waited
wait_for(struct node *node, const struct purge_result *purged,
         enum purge_wait scope, uint64_t deadline_ms)
{
    struct purge_wait_options options = {
        .site = purged->site,
        .epoch = purged->epoch,
        .term = purged->term,
        .n = purged->n,
        .scope = scope,
        .deadline_ms = deadline_ms,
    };
    struct waited waited = {0};
    uint64_t begin = clock_boot_ns();

    purge_wait_start(node->streams, &options, loop, on_waited, &waited);
    assert_true(loop_until(loop, is_waited, &waited, PATIENCE_MS));
    waited.ms = (clock_boot_ns() - begin) / NS_PER_MS;
    return waited;
}

/* Short leases, so that the tests do not wait for long. */
static void
set_lengths(void)
{
    for (int i = 0; i < 2; i++)
        redis_server_do(&servers[i], "HSET {atlas:%s}:meta lease 600",
                        i == 0 ? "p" : "q");
}

static int
setup_leases(void **state)
{
    setup(state);
    if (!available)
        return 0;
    set_lengths();
    assert_true(loop_until(loop, both_hold, NULL, PATIENCE_MS));
    return 0;
}

/* All acknowledge, once this node has known the term for a whole lease. */
static void
test_acknowledged(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    for (int i = 0; i < 3; i++) {
        struct purge_result purged = purge(&nodes[0], "/a");
        struct waited waited =
            wait_for(&nodes[0], &purged, PURGE_WAIT_ALL, 5000);

        assert_int_equal(waited.outcome, PURGE_ACKNOWLEDGED);
        assert_int_equal(waited.count, 2);
        if (i > 0)
            assert_int_equal(waited.states[PURGE_HOLDER_ACKNOWLEDGED], 2);
        /* A3: not before, and not slower than its rule says. */
        if (i == 2)
            assert_true(waited.ms < 300);
    }
    struct purge_result purged = purge(&nodes[0], "/b");
    struct waited waited = wait_for(&nodes[0], &purged, PURGE_WAIT_SITE, 5000);

    assert_int_equal(waited.outcome, PURGE_ACKNOWLEDGED);
    assert_int_equal(waited.count, 1);
}

/* A node that is gone: its lease runs out, and that is said. */
static void
test_expired(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    node_stop(&nodes[1]);
    struct purge_result purged = purge(&nodes[0], "/a");
    struct waited waited = wait_for(&nodes[0], &purged, PURGE_WAIT_ALL, 100);

    assert_int_equal(waited.outcome, PURGE_DEADLINE);
    assert_int_equal(waited.states[PURGE_HOLDER_PENDING], 1);
    waited = wait_for(&nodes[0], &purged, PURGE_WAIT_ALL, 5000);
    assert_int_equal(waited.outcome, PURGE_ACKNOWLEDGED);
    assert_int_equal(waited.states[PURGE_HOLDER_EXPIRED], 1);
    assert_int_equal(waited.states[PURGE_HOLDER_ACKNOWLEDGED], 1);
    assert_true(waited.ms >= 600);
    node_start_with(&nodes[1], "q", 50, 2000);
}

static bool
has_fields(void *arg)
{
    (void)arg;
    return redis_server_do(&servers[0], "HLEN {atlas:p}:meta") == *(int *)arg;
}

/* Who is gone is not waited for for ever: its row is taken out, by what was
 * seen of its beat. */
static void
test_forgotten(void **state)
{
    int fields;

    (void)state;
    SKIP_WITHOUT_REDIS();
    fields = (int)redis_server_do(&servers[0], "HLEN {atlas:p}:meta");
    node_stop(&nodes[1]);
    fields--;
    assert_true(loop_until(loop, has_fields, &fields, PATIENCE_MS));
    struct purge_result purged = purge(&nodes[0], "/a");
    struct waited waited = wait_for(&nodes[0], &purged, PURGE_WAIT_ALL, 5000);

    assert_int_equal(waited.outcome, PURGE_ACKNOWLEDGED);
    assert_int_equal(waited.count, 1);
    node_start_with(&nodes[1], "q", 50, 2000);
}

/* Its Redis stands still: the lease there ends by our clock alone, the other
 * one goes on. */
static void
test_redis_stands_still(void **state)
{
    lease_sites p = SITE(0);

    (void)state;
    SKIP_WITHOUT_REDIS();
    kill(servers[0].pid, SIGSTOP);
    assert_true(loop_until(loop, first_holds_not, &p, PATIENCE_MS));
    assert_true(holds(&nodes[0], SITE(1)));
    kill(servers[0].pid, SIGCONT);
    assert_true(loop_until(loop, both_hold, NULL, PATIENCE_MS));
}

/* A Redis that was restarted is another term: what was published in the one
 * before is not acknowledged, and nothing new is before a whole lease. */
static void
test_term(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    struct purge_result purged = purge(&nodes[0], "/a");

    redis_server_kill(&servers[0]);
    redis_server_start(&servers[0]);
    assert_true(loop_until(loop, both_hold, NULL, PATIENCE_MS));
    struct waited waited = wait_for(&nodes[0], &purged, PURGE_WAIT_ALL, 5000);

    assert_int_equal(waited.outcome, PURGE_LOST);
}

/* Whoever knows an older list of sites gets no lease. */
static void
test_generation(void **state)
{
    lease_sites p = SITE(0);

    (void)state;
    SKIP_WITHOUT_REDIS();
    node_stop(&nodes[1]);
    generation = 2;
    node_start_with(&nodes[1], "q", 50, 2000);
    generation = 1;
    assert_true(loop_until(loop, first_holds_not, &p, PATIENCE_MS));
}

/* ---- the outbox ---- */

static bool
is_empty(void *arg)
{
    return outbox_count(arg) == 0;
}

struct applied {
    uint64_t want;
};

static bool
is_applied(void *arg)
{
    return status(&nodes[1], 1).applied >= ((struct applied *)arg)->want;
}

/* No stream can be written: kept, applied here, published later, once, also
 * over a restart. */
static void
test_outbox(void **state)
{
    char folder[] = "/tmp/atlas_outbox_XXXXXX", command[64], why[300];

    (void)state;
    SKIP_WITHOUT_REDIS();
    assert_non_null(mkdtemp(folder));
    node_stop(&nodes[0]);
    outbox = outbox_open(loop, folder, why, sizeof(why));
    assert_non_null(outbox);
    redis_server_kill(&servers[0]);
    redis_server_kill(&servers[1]);
    node_start_with(&nodes[0], "p", 50, 2000);
    struct purge_result purged = purge(&nodes[0], "/kept");

    assert_int_equal(purged.outcome, PURGE_KEPT);
    assert_true(purged.applied);
    assert_int_equal(check(&nodes[0], "/kept", 1), VALIDITY_HARD);
    assert_int_equal(outbox_count(outbox), 1);
    /* Another start finds it. */
    node_stop(&nodes[0]);
    outbox_close(&outbox);
    outbox = outbox_open(loop, folder, why, sizeof(why));
    assert_int_equal(outbox_count(outbox), 1);
    node_start_with(&nodes[0], "p", 50, 2000);
    assert_int_equal(check(&nodes[0], "/kept", 1), VALIDITY_HARD);
    struct applied applied = {status(&nodes[1], 1).applied + 1};

    redis_server_start(&servers[1]);
    assert_true(loop_until(loop, is_empty, outbox, PATIENCE_MS));
    assert_true(loop_until(loop, is_applied, &applied, PATIENCE_MS));
    assert_int_equal(redis_server_do(&servers[1], "XLEN {atlas:q}:log"), 1);
    node_stop(&nodes[0]);
    outbox_close(&outbox);
    redis_server_start(&servers[0]);
    node_start_with(&nodes[0], "p", 50, 2000);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* The same key publishes once. */
static void
test_once(void **state)
{
    struct answer answers[3] = {{0}};
    char host[] = "h", value[] = "/x", key[] = "order-7", other[] = "order-8";
    struct purge what = {INVAL_URL, false, host, value, 0, key};

    (void)state;
    SKIP_WITHOUT_REDIS();
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            what.once = other;
        purge_submit(nodes[0].streams, &what, loop, on_purged, &answers[i]);
        assert_true(loop_until(loop, is_answered, &answers[i], PATIENCE_MS));
        assert_int_equal(answers[i].result.outcome, PURGE_PUBLISHED);
    }
    assert_int_equal(answers[0].result.n, answers[1].result.n);
    assert_int_equal(answers[2].result.n, answers[1].result.n + 1);
}

/* The stream is cut behind what everybody has applied, not before. */
static void
test_trim(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    redis_server_do(&servers[0], "HSET {atlas:p}:meta lease:x/slow/1 %s",
                    "1 0000000000000000 0");
    for (int i = 0; i < 300; i++)
        purge(&nodes[0], "/a");
    assert_int_equal(redis_server_do(&servers[0], "XLEN {atlas:p}:log"), 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_board),
        cmocka_unit_test_setup_teardown(test_acknowledged, setup_leases,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_expired, setup_leases, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten, setup_leases, teardown),
        cmocka_unit_test_setup_teardown(test_redis_stands_still, setup_leases,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_term, setup_leases, teardown),
        cmocka_unit_test_setup_teardown(test_generation, setup_leases,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_outbox, setup_leases, teardown),
        cmocka_unit_test_setup_teardown(test_once, setup_leases, teardown),
        cmocka_unit_test_setup_teardown(test_trim, setup_leases, teardown),
    };

    available = redis_server_available();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
