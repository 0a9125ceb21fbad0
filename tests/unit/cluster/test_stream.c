/* Streams and purges against real Redis servers. */
#include "stream_nodes.h"

struct want {
    struct node *node;
    const char *path;
    uint64_t position;
    enum validity validity;
};

static bool
is_valid_as(void *arg)
{
    struct want *want = arg;

    return check(want->node, want->path, want->position) == want->validity;
}

static void
wait_validity(struct node *node, const char *path, uint64_t position,
              enum validity validity)
{
    struct want want = {node, path, position, validity};

    if (!loop_until(loop, is_valid_as, &want, PATIENCE_MS))
        fail_msg("%s: %d, not %d", path, (int)check(node, path, position),
                 (int)validity);
}

struct floor_want {
    size_t site;
    enum floor_reason reason;
    uint64_t more_than;
};

static bool
floors_raised(void *arg)
{
    struct floor_want *want = arg;

    for (size_t i = 0; i < 2; i++) {
        if (status(&nodes[i], want->site).floors[want->reason] <=
            want->more_than)
            return false;
    }
    return all_in_sync(NULL);
}

static void
wait_floor(size_t site, enum floor_reason reason, uint64_t more_than)
{
    struct floor_want want = {site, reason, more_than};

    if (!loop_until(loop, floors_raised, &want, PATIENCE_MS))
        fail_msg("no floor for %s", floor_reason_name(reason));
}

struct number_want {
    size_t site;
    uint64_t n;
};

static bool
number_reached(void *arg)
{
    const struct number_want *want = arg;

    return status(&nodes[0], want->site).n >= want->n &&
           status(&nodes[1], want->site).n >= want->n;
}

static void
wait_number(size_t site, uint64_t n)
{
    struct number_want want = {site, n};

    assert_true(number_reached(&want) ||
                loop_until(loop, number_reached, &want, PATIENCE_MS));
}

/* After whatever happened, a purge goes through again, to both nodes. */
static void
works_again(size_t site)
{
    uint64_t before[2] = {inval_seq(nodes[0].inval), inval_seq(nodes[1].inval)};
    struct purge_result result = purge(&nodes[site], "/again");

    assert_int_equal(result.outcome, PURGE_PUBLISHED);
    assert_true(result.applied);
    for (size_t i = 0; i < 2; i++)
        wait_validity(&nodes[i], "/again", before[i], VALIDITY_HARD);
}

/* ---- tests ---- */

static void
publish_and_apply(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    uint64_t before[2] = {inval_seq(nodes[0].inval), inval_seq(nodes[1].inval)};

    for (uint64_t n = 1; n <= 5; n++) {
        struct purge_result result = purge(&nodes[0], "/x");

        assert_int_equal(result.outcome, PURGE_PUBLISHED);
        assert_true(result.applied);
        assert_string_equal(result.site, "p");
        assert_string_equal(result.why, "");
        assert_int_equal(result.n, n);
    }
    assert_int_equal(check(&nodes[0], "/x", before[0]), VALIDITY_HARD);
    wait_validity(&nodes[1], "/x", before[1], VALIDITY_HARD);
    assert_int_equal(check(&nodes[1], "/y", before[1]), VALIDITY_VALID);
    assert_int_equal(purge(&nodes[1], "/y").n, 1);
    wait_validity(&nodes[0], "/y", before[0], VALIDITY_HARD);
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    /* Both stand at the same place now. */
    assert_string_equal(inval_snapshot(nodes[0].inval)->text.ptr,
                        inval_snapshot(nodes[1].inval)->text.ptr);
    assert_int_equal(inval_snapshot(nodes[0].inval)->position.count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct stream_status s = status(&nodes[0], i);

        assert_true(s.connected && s.met);
        assert_int_equal(s.lag, 0);
        assert_string_equal(s.error, "");
        assert_int_equal(s.own, i == 0);
        assert_int_equal(s.floors[FLOOR_START], 1);
    }
}

static void
many_at_once(void **state)
{
    static struct answer answers[3000];
    char host[] = "h", value[64];
    struct purge what = {INVAL_URL, true, host, value, 0, NULL};

    (void)state;
    SKIP_WITHOUT_REDIS();
    uint64_t before = inval_seq(nodes[1].inval);
    memset(answers, 0, sizeof(answers));
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        snprintf(value, sizeof(value), "/%zu", i);
        purge_submit(nodes[0].streams, &what, loop, on_purged, &answers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        assert_true(loop_until(loop, is_answered, &answers[i], PATIENCE_MS));
        assert_int_equal(answers[i].result.n, i + 1);
        assert_true(answers[i].result.applied);
    }
    wait_validity(&nodes[1], "/2999", before, VALIDITY_SOFT);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        snprintf(value, sizeof(value), "/%zu", i);
        assert_int_equal(check(&nodes[1], value, before), VALIDITY_SOFT);
    }
    assert_int_equal(status(&nodes[1], 0).floors[FLOOR_HOLE], 0);
}

static void
restart(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    purge(&nodes[0], "/x");
    uint64_t before = inval_seq(nodes[0].inval);

    redis_server_kill(&servers[0]);
    /* The own site is cut off: another one takes it. */
    struct purge_result result = purge(&nodes[0], "/y");

    assert_int_equal(result.outcome, PURGE_PUBLISHED);
    assert_string_equal(result.site, "q");
    assert_true(result.applied);
    assert_int_equal(check(&nodes[0], "/y", before), VALIDITY_HARD);
    assert_int_equal(check(&nodes[0], "/z", before), VALIDITY_VALID);
    /* Of one that may stand in its stream only: told, and applied here. */
    result = purge_at(&nodes[0], "/w", 1);
    assert_int_equal(result.outcome, PURGE_LOCAL);
    assert_true(result.applied);
    assert_non_null(strstr(result.why, "applied on this node only"));
    assert_int_equal(check(&nodes[0], "/w", before), VALIDITY_HARD);
    /* The other site goes on. */
    assert_int_equal(purge(&nodes[1], "/q").outcome, PURGE_PUBLISHED);
    redis_server_start(&servers[0]);
    wait_floor(0, FLOOR_TERM, 0);
    assert_int_equal(check(&nodes[0], "/z", before), VALIDITY_FLOOR);
    assert_int_equal(check(&nodes[0], "/y", before), VALIDITY_HARD);
    works_again(0);
    assert_int_equal(status(&nodes[0], 0).n, 2);
}

/* Entries that vanish before a node has read them, on the other site. */
static void
trimmed(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    purge(&nodes[0], "/x");
    /* By hand, so without pushes; all are gone before the next poll reads. */
    assert_true(redis_server_do(&servers[0], "MULTI") >= 0);
    for (int n = 2; n <= 9; n++)
        assert_true(redis_server_do(&servers[0],
                                    "XADD {atlas:p}:log %d-0 v 1 kind all "
                                    "soft 0 host %s value %s node n time 1",
                                    n, "", "") >= 0);
    assert_true(redis_server_do(&servers[0], "XTRIM {atlas:p}:log MAXLEN 2") >=
                0);
    assert_true(redis_server_do(&servers[0], "EXEC") >= 0);
    wait_floor(0, FLOOR_HOLE, 0);
    assert_int_equal(status(&nodes[1], 0).n, 9);
    works_again(0);
    /* A trimmed stream of which everything was read is no hole. */
    uint64_t holes = status(&nodes[0], 0).floors[FLOOR_HOLE];

    redis_server_do(&servers[0], "XTRIM {atlas:p}:log MAXLEN 0");
    works_again(0);
    assert_int_equal(status(&nodes[0], 0).floors[FLOOR_HOLE], holes);
}

static void
deleted(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    purge(&nodes[0], "/x");
    purge(&nodes[0], "/x");
    uint64_t epoch = status(&nodes[0], 0).epoch;

    assert_int_equal(redis_server_do(&servers[0], "DEL {atlas:p}:log"), 1);
    wait_floor(0, FLOOR_TERM, 0);
    assert_true(status(&nodes[0], 0).epoch != epoch);
    /* What was there is published again, once, whoever had read it. */
    wait_number(0, 2);
    works_again(0);
    assert_int_equal(status(&nodes[0], 0).n, 3);
    assert_int_equal(status(&nodes[0], 0).epoch, status(&nodes[1], 0).epoch);
    /* All of it. */
    assert_true(redis_server_do(&servers[0], "FLUSHALL") >= 0);
    works_again(0);
}

/* Data put back from a copy, without a restart. */
static void
rewound(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    purge(&nodes[0], "/x");
    assert_true(redis_server_do(&servers[0], "COPY {atlas:p}:log old") == 1);
    purge(&nodes[0], "/x");
    purge(&nodes[0], "/x");
    assert_true(all_in_sync(NULL) ||
                loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    assert_true(redis_server_do(&servers[0], "RENAME old {atlas:p}:log") >= 0);
    wait_floor(0, FLOOR_REWIND, 0);
    assert_int_equal(status(&nodes[0], 0).n, 1);
    works_again(0);
}

static void
foreign(void **state)
{
    static const char *const ids[] = {"2-0", "3-1", "*"};

    (void)state;
    SKIP_WITHOUT_REDIS();
    purge(&nodes[0], "/x");
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        uint64_t before = status(&nodes[0], 0).floors[FLOOR_FOREIGN];

        assert_true(redis_server_do(&servers[0],
                                    "XADD {atlas:p}:log %s some thing",
                                    ids[i]) > 0);
        wait_floor(0, FLOOR_FOREIGN, before);
        works_again(0);
        assert_int_equal(status(&nodes[0], 0).floors[FLOOR_FOREIGN],
                         before + 1);
        assert_int_equal(status(&nodes[0], 0).floors[FLOOR_HOLE], 0);
    }
    /* Nonsense on the channel harms nothing. */
    assert_true(redis_server_do(&servers[0], "PUBLISH {atlas:p}:push junk") >=
                1);
    works_again(0);
}

struct error_want {
    struct node *node;
    const char *begin;
};

static bool
error_begins(void *arg)
{
    struct error_want *want = arg;
    struct stream_status s = status(want->node, 0);

    return strncmp(s.error, want->begin, strlen(want->begin)) == 0;
}

static void
wait_error(const char *begin)
{
    struct error_want want = {&nodes[0], begin};

    if (!loop_until(loop, error_begins, &want, PATIENCE_MS))
        fail_msg("\"%s\", not \"%s\"", status(&nodes[0], 0).error, begin);
}

static bool
no_error(void *arg)
{
    (void)arg;
    return status(&nodes[0], 0).error[0] == '\0' && all_in_sync(NULL);
}

static void
refusals(void **state)
{
    struct redis_server *s = &servers[0];

    (void)state;
    SKIP_WITHOUT_REDIS();
    purge(&nodes[0], "/x");

    redis_server_do(s, "CONFIG SET maxmemory-policy allkeys-lru");
    wait_error("ATLASPOLICY");
    assert_int_equal(purge_at(&nodes[0], "/y", 1).outcome, PURGE_LOCAL);
    redis_server_do(s, "CONFIG SET maxmemory-policy noeviction");
    works_again(0);

    redis_server_do(s, "RENAME {atlas:p}:meta aside");
    wait_error("ATLASMIXED");
    redis_server_do(s, "RENAME aside {atlas:p}:meta");
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));

    redis_server_do(s, "RENAME {atlas:p}:log aside");
    redis_server_do(s, "SET {atlas:p}:log text");
    wait_error("ATLASTYPE");
    redis_server_do(s, "RENAME aside {atlas:p}:log");
    works_again(0);

    /* Full: what is there can still be read. */
    redis_server_do(s, "CONFIG SET maxmemory 1");
    struct purge_result result = purge_at(&nodes[0], "/full", 1);

    assert_int_equal(result.outcome, PURGE_LOCAL);
    assert_non_null(strstr(result.why, "OOM"));
    wait_error("OOM");
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    redis_server_do(s, "CONFIG SET maxmemory 0");
    works_again(0);
    assert_true(loop_until(loop, no_error, NULL, PATIENCE_MS));

    /* It forgot its scripts. */
    redis_server_do(s, "SCRIPT FLUSH");
    works_again(0);
}

static bool
is_cut(void *arg)
{
    (void)arg;
    return !status(&nodes[0], 0).connected && !status(&nodes[1], 0).connected;
}

static bool
is_back(void *arg)
{
    (void)arg;
    return status(&nodes[0], 0).connected && status(&nodes[1], 0).connected &&
           all_in_sync(NULL);
}

/* Pushes are cut: the poll brings what is missing, and they come back. */
static void
push_lost(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    uint64_t before = inval_seq(nodes[1].inval);
    assert_true(redis_server_do(&servers[0],
                                "XADD {atlas:p}:log 1-0 v 1 kind url soft 0 "
                                "host h value /x node n time 1") > 0);
    wait_validity(&nodes[1], "/x", before, VALIDITY_HARD);
    assert_int_equal(status(&nodes[1], 0).floors[FLOOR_HOLE], 0);
    assert_int_equal(redis_server_do(&servers[0], "CLIENT KILL TYPE pubsub"),
                     2);
    works_again(0);
    redis_server_do(&servers[0], "CLIENT KILL TYPE normal SKIPME yes");
    assert_true(loop_until(loop, is_cut, NULL, PATIENCE_MS));
    assert_true(loop_until(loop, is_back, NULL, PATIENCE_MS));
    works_again(0);
}

/* A push that skips numbers is no hole: what lies between can be read. */
static void
gap_is_filled(void **state)
{
    (void)state;
    SKIP_WITHOUT_REDIS();
    uint64_t before = inval_seq(nodes[1].inval);
    for (int n = 1; n <= 2500; n++)
        assert_true(redis_server_do(&servers[0],
                                    "XADD {atlas:p}:log %d-0 v 1 kind url "
                                    "soft 0 host h value /%d node n time 1",
                                    n, n) > 0);
    assert_int_equal(purge(&nodes[0], "/last").n, 2501);
    wait_validity(&nodes[1], "/last", before, VALIDITY_HARD);
    assert_int_equal(check(&nodes[1], "/1", before), VALIDITY_HARD);
    assert_int_equal(check(&nodes[1], "/2500", before), VALIDITY_HARD);
    assert_int_equal(status(&nodes[1], 0).floors[FLOOR_HOLE], 0);
    assert_int_equal(status(&nodes[1], 0).applied, 2501);
}

/* ---- without our two servers ---- */

static void
alone(void **state)
{
    struct streams_site site = {.name = "p"};
    struct streams_options options = {.site = "p",
                                      .node = "n",
                                      .sites = &site,
                                      .site_count = 1,
                                      .poll_ms = 100};
    struct node node;

    (void)state;
    loop = loop_new();
    node.inval = inval_new(1 << 20);
    node.streams = streams_start(loop, &options, node.inval);
    assert_false(streams_configured(node.streams));
    assert_true(streams_in_sync(node.streams));
    assert_null(streams_bus(node.streams, SPAN("p")));
    uint64_t before = inval_seq(node.inval);
    struct purge_result result = purge(&node, "/x");

    assert_int_equal(result.outcome, PURGE_ALONE);
    assert_true(result.applied);
    assert_int_equal(check(&node, "/x", before), VALIDITY_HARD);
    node_stop(&node);
    loop_free(&loop);
}

static void
never(void *arg, const struct purge_result *result)
{
    bool *called = arg;

    *called = true;
    assert_int_equal(result->outcome, PURGE_LOCAL);
}

/* What is under way when the streams end is answered all the same. */
static void
stops_under_way(void **state)
{
    char host[] = "h", value[] = "/x";
    struct purge what = {INVAL_URL, false, host, value, 0, NULL};
    bool called = false;

    (void)state;
    SKIP_WITHOUT_REDIS();
    purge_submit(nodes[0].streams, &what, loop, never, &called);
    node_stop(&nodes[0]);
    struct answer nothing = {0};

    loop_until(loop, is_answered, &nothing, 20);
    assert_true(called);
    node_start_with(&nodes[0], "p", 50, 2000);
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    works_again(0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(publish_and_apply), T(many_at_once),    T(restart),
        T(trimmed),           T(deleted),         T(rewound),
        T(foreign),           T(refusals),        T(push_lost),
        T(gap_is_filled),     T(stops_under_way), cmocka_unit_test(alone),
    };

    available = redis_server_available();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
