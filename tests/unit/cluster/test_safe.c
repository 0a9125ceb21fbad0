/* A Redis with a replica: what counts only once that has it (L7, A10). */
#include "cluster/purge_wait.h"
#include "stream_nodes.h"

#define SHORT_MS 300 /* a deadline that is to pass */

static struct redis_server replica;

static void
follow(struct redis_server *server, const struct redis_server *primary)
{
    assert_true(
        redis_server_do(server, "REPLICAOF 127.0.0.1 %u", primary->port) >= 0);
}

static int
setup_replica(void **state)
{
    replicas = 1;
    if (setup(state) != 0 || !available)
        return 0;
    redis_server_new(&replica);
    assert_true(redis_server_do(&servers[0],
                                "CONFIG SET repl-diskless-sync-delay 0") >= 0);
    follow(&replica, &servers[0]);
    return 0;
}

static int
teardown_replica(void **state)
{
    if (available)
        redis_server_free(&replica);
    return teardown(state);
}

static bool
is_leased(void *arg)
{
    const bool *want = arg;

    return status(&nodes[0], 0).leased == *want;
}

static void
wait_leased(bool want)
{
    assert_true(loop_until(loop, is_leased, &want, PATIENCE_MS));
}

struct acked {
    bool done;
    enum purge_wait_outcome outcome;
};

static void
on_waited(void *arg, const struct purge_wait_result *result)
{
    struct acked *acked = arg;

    acked->done = true;
    acked->outcome = result->outcome;
}

static bool
is_acked(void *arg)
{
    return ((struct acked *)arg)->done;
}

static enum purge_wait_outcome
wait_all(const struct purge_result *purge, uint64_t deadline_ms)
{
    struct acked acked = {0};
    struct purge_wait_options options = {.site = purge->site,
                                         .epoch = purge->epoch,
                                         .term = purge->term,
                                         .n = purge->n,
                                         .scope = PURGE_WAIT_ALL,
                                         .deadline_ms = deadline_ms};

    purge_wait_start(nodes[0].streams, &options, loop, on_waited, &acked);
    assert_true(loop_until(loop, is_acked, &acked, PATIENCE_MS));
    return acked.outcome;
}

static void
counts_with_it(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    wait_leased(true);
    struct purge_result result = purge(&nodes[0], "/x");

    assert_int_equal(result.outcome, PURGE_PUBLISHED);
    assert_true(result.applied);
    assert_int_equal(wait_all(&result, PATIENCE_MS), PURGE_ACKNOWLEDGED);
    assert_true(status(&nodes[0], 0).safe);
    assert_int_equal(status(&nodes[0], 0).replicas, 1);
    /* What was written had time to get there: it did. */
    assert_int_equal(redis_server_do(&replica, "XLEN {atlas:p}:log"), 1);
}

/* Nothing else is wrong with it; and all is well once it is back. */
static void
does_not_without(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    wait_leased(true);
    redis_server_kill(&replica);
    wait_leased(false);
    struct purge_result result = purge(&nodes[0], "/x");

    assert_int_equal(result.outcome, PURGE_PUBLISHED);
    assert_false(result.applied);
    assert_non_null(strstr(result.why, "replicas"));
    assert_int_equal(wait_all(&result, SHORT_MS), PURGE_DEADLINE);
    assert_non_null(strstr(status(&nodes[0], 0).error, "0 of 1 replicas"));
    assert_false(status(&nodes[0], 0).safe);
    redis_server_start(&replica);
    follow(&replica, &servers[0]);
    wait_leased(true);
    assert_string_equal(status(&nodes[0], 0).error, "");
    assert_int_equal(wait_all(&result, PATIENCE_MS), PURGE_ACKNOWLEDGED);
}

/* Two primaries: nothing counts at the one that was left. */
static void
split(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    wait_leased(true);
    assert_true(redis_server_do(&replica, "REPLICAOF NO ONE") >= 0);
    wait_leased(false);
    struct purge_result result = purge(&nodes[0], "/x");

    assert_int_equal(result.outcome, PURGE_PUBLISHED);
    assert_false(result.applied);
    assert_int_equal(wait_all(&result, SHORT_MS), PURGE_DEADLINE);
    assert_int_equal(redis_server_do(&replica, "XLEN {atlas:p}:log"), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_with_it, setup_replica,
                                        teardown_replica),
        cmocka_unit_test_setup_teardown(does_not_without, setup_replica,
                                        teardown_replica),
        cmocka_unit_test_setup_teardown(split, setup_replica, teardown_replica),
    };

    available = redis_server_available();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
