/* Intents against real Redis servers: what is published of a write, by what
 * became of it (W1 to W4, cluster/intent.h). */
#include "stream_nodes.h"

#include <sys/resource.h>

#include "cluster/intent.h"

static char folder[40];

static int
setup_outbox(void **state)
{
    char why[300];

    if (!available)
        return 0;
    setup(state);
    node_stop(&nodes[0]);
    snprintf(folder, sizeof(folder), "/tmp/atlas_intent_XXXXXX");
    assert_non_null(mkdtemp(folder));
    outbox = outbox_open(loop, folder, why, sizeof(why));
    assert_non_null(outbox);
    node_start_with(&nodes[0], "p", 50, 2000);
    return 0;
}

static int
teardown_outbox(void **state)
{
    char command[64];

    if (!available)
        return 0;
    node_stop(&nodes[0]);
    outbox_close(&outbox);
    node_start_with(&nodes[0], "p", 50, 2000);
    teardown(state);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
    return 0;
}

/* It died, and starts again. */
static void
start_again(void)
{
    char why[300];

    node_stop(&nodes[0]);
    outbox_close(&outbox);
    outbox = outbox_open(loop, folder, why, sizeof(why));
    assert_non_null(outbox);
    node_start_with(&nodes[0], "p", 50, 2000);
}

struct recorded {
    bool done;
    enum err err;
    uint64_t id;
};

static void
on_recorded(void *arg, enum err err, uint64_t id)
{
    *(struct recorded *)arg = (struct recorded){true, err, id};
}

static bool
is_recorded(void *arg)
{
    return ((struct recorded *)arg)->done;
}

static void
ask(struct recorded *recorded, char *value)
{
    char host[] = "h";
    struct purge what = {INVAL_URL, true, host, value, 0, NULL};

    assert_true(intent_possible(nodes[0].streams));
    intent_record(nodes[0].streams, &what, loop, on_recorded, recorded);
    assert_false(recorded->done);
}

static struct recorded
record(char *value)
{
    struct recorded recorded = {0};

    ask(&recorded, value);
    assert_true(loop_until(loop, is_recorded, &recorded, PATIENCE_MS));
    return recorded;
}

static long long
published(void)
{
    return redis_server_do(&servers[0], "XLEN {atlas:p}:log");
}

static bool
is_empty(void *arg)
{
    (void)arg;
    return outbox_count(outbox) == 0;
}

static bool
is_published(void *arg)
{
    return published() >= *(long long *)arg;
}

static void
wait_published(long long count)
{
    assert_true(loop_until(loop, is_published, &count, PATIENCE_MS));
}

static bool
has_applied(void *arg)
{
    (void)arg;
    return status(&nodes[1], 0).applied > 0;
}

static bool
never(void *arg)
{
    (void)arg;
    return false;
}

struct end_case {
    enum intent_end end;
    uint64_t again_ms;
    long long published;
};

static const struct end_case ends[] = {
    {INTENT_VOID, 0, 0},
    {INTENT_PUBLISH, 0, 1},
    {INTENT_PUBLISH, 200, 2},
    {INTENT_AGAIN, 200, 1},
};

static void
test_ends(void **state)
{
    char value[] = "/x";
    long long before = 0;

    (void)state;
    SKIP_WITHOUT_REDIS();
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct recorded recorded = record(value);
        uint64_t begin = clock_boot_ns();

        assert_int_equal(recorded.err, ERR_OK);
        assert_int_equal(outbox_count(outbox), 1);
        assert_int_equal(published(), before);
        intent_over(nodes[0].streams, recorded.id, ends[i].end,
                    ends[i].again_ms);
        assert_true(loop_until(loop, is_empty, NULL, PATIENCE_MS));
        before += ends[i].published;
        assert_int_equal(published(), before);
        if (ends[i].end == INTENT_AGAIN)
            assert_true(clock_boot_ns() - begin >= 200 * NS_PER_MS);
    }
}

/* Of one found at the start nobody knows how it ended: at once, and when the
 * origin can not be at it any more; over another start, too. */
static void
test_inherited(void **state)
{
    char value[] = "/x";

    (void)state;
    SKIP_WITHOUT_REDIS();
    uint64_t before = inval_seq(nodes[1].inval);

    execution_max_ms = 60000;
    record(value);
    start_again();
    wait_published(1);
    assert_true(loop_until(loop, has_applied, NULL, PATIENCE_MS));
    assert_int_equal(check(&nodes[1], "/x", before), VALIDITY_SOFT);
    loop_until(loop, never, NULL, 100);
    assert_int_equal(outbox_count(outbox), 1);
    execution_max_ms = 200;
    start_again();
    wait_published(2);
    assert_true(loop_until(loop, is_empty, NULL, PATIENCE_MS));
    assert_int_equal(published(), 2);
    start_again();
    assert_int_equal(outbox_count(outbox), 0);
}

/* It is durable, or the write is not forwarded. */
static void
test_no_room(void **state)
{
    struct rlimit limit, none;
    char value[] = "/x";

    (void)state;
    SKIP_WITHOUT_REDIS();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    none = (struct rlimit){0, limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    struct recorded recorded = record(value);

    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(recorded.err, ERR_IO);
    assert_int_equal(outbox_count(outbox), 0);
    assert_int_equal(record(value).err, ERR_OK);
}

/* The node stops while it is written. */
static void
test_stops(void **state)
{
    struct recorded recorded[2] = {{0}};
    char value[] = "/x";

    (void)state;
    SKIP_WITHOUT_REDIS();
    ask(&recorded[0], value);
    loop_until(loop, never, NULL, 0);
    ask(&recorded[1], value);
    node_stop(&nodes[0]);
    for (int i = 0; i < 2; i++)
        assert_true(loop_until(loop, is_recorded, &recorded[i], PATIENCE_MS));
    assert_int_equal(recorded[1].err, ERR_CANCELLED);
    node_start_with(&nodes[0], "p", 50, 2000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends, setup_outbox,
                                        teardown_outbox),
        cmocka_unit_test_setup_teardown(test_inherited, setup_outbox,
                                        teardown_outbox),
        cmocka_unit_test_setup_teardown(test_no_room, setup_outbox,
                                        teardown_outbox),
        cmocka_unit_test_setup_teardown(test_stops, setup_outbox,
                                        teardown_outbox),
    };

    /* Where they are counted: the other Redis may be connected first. */
    purge_sites = 1;
    available = redis_server_available();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
