/*
 * The whole of peers.h on a real loop, but with a clock, a bus and a fetch of
 * our own: round-trip times are given, not measured, and nothing is waited for
 * but what must happen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peers_fakes.h"

/* ---- running ---- */

static struct conf_site site = {.name = "home"};
static struct conf conf;
static struct auth *auth;
static struct bloom *bloom;
static struct bus bus;
static struct peers *peers;

static struct auth *
make_auth(const char *node)
{
    struct auth_options options = {
        .secret = SPAN("a shared secret"), .node = node, .max_skew_ms = 30000};

    return auth_new(&options);
}

static void
reset_node(struct node *node, const char *id, uint64_t rtt_ms)
{
    *node = (struct node){.id = id,
                          .incarnation = INC,
                          .rtt_ms = rtt_ms,
                          .listed = true,
                          .reused = true,
                          .ping_status = 204,
                          .slots = "1024",
                          .digest_len = SLOTS / 8,
                          .etag = "\"1\"",
                          .auth = make_auth(id)};
    snprintf(node->url, sizeof(node->url), "http://%s:8080", id);
}

static int
setup(void **state)
{
    (void)state;
    conf = (struct conf){.node = "me",
                         .site = "home",
                         .advertise = "http://me:8080",
                         .sites = &site,
                         .site_count = 1,
                         .peers = {.enabled = true,
                                   .probe_interval_ms = 20,
                                   .digest_interval_ms = 20,
                                   .timeout_ms = 500}};
    atomic_init(&conf.refs, 1);
    loop = loop_new();
    auth = make_auth("me");
    bloom = bloom_new(SLOTS);
    bus = (struct bus){.away = false};
    reset_node(&nodes[0], "far", 80);
    reset_node(&nodes[1], "near", 5);
    reset_node(&nodes[2], "mid", 40);
    return 0;
}

static void
begin(void)
{
    struct bus *buses[] = {&bus};
    struct peers_options options = {.control = loop,
                                    .conf = &conf,
                                    .buses = buses,
                                    .auth = auth,
                                    .bloom = bloom};

    peers = peers_new(&options);
}

static int
teardown(void **state)
{
    (void)state;
    peers_free(&peers);
    assert_int_equal(atomic_load(&conf.refs), 1);
    for (size_t i = 0; i < NODES; i++)
        auth_free(&nodes[i].auth);
    auth_free(&auth);
    bloom_free(&bloom);
    grace_barrier();
    loop_free(&loop);
    return 0;
}

struct wait {
    bool (*done)(void);
    unsigned turns;
    struct timer *timer;
};

static void
look(void *arg)
{
    struct wait *wait = arg;

    CHECK(wait->turns++ < 20000);
    if (wait->done())
        loop_stop(loop);
    else
        timer_start(wait->timer, 1);
}

/* Runs the loop until `done` says so. */
static void
run_until(bool (*done)(void))
{
    struct wait wait = {.done = done};

    wait.timer = timer_new(loop, look, &wait);
    timer_start(wait.timer, 0);
    loop_run(loop);
    timer_free(&wait.timer);
}

/* Whom we would ask now, as "near mid far ". */
static const char *
chosen(void)
{
    static char text[256];
    struct peer_choice choices[NODES];
    size_t count = peers_choose(peers, key, false, choices, NODES);

    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(choices[i].kind, PEER_HOLDER);
        strcat(strcat(text, choices[i].node), " ");
    }
    return text;
}

static bool
all_chosen(void)
{
    return strcmp(chosen(), "near mid far ") == 0;
}

static bool
two_chosen(void)
{
    return strcmp(chosen(), "mid far ") == 0;
}

/* ---- tests ---- */

static void
note_near(void *arg, const struct peer_status *status)
{
    if (strcmp(status->node->id, "near") == 0)
        *(struct peer_status *)arg = *status;
}

static struct peer_status
near_status(void)
{
    struct peer_status status = {.node = NULL};

    peers_each(peers, note_near, &status);
    return status;
}

static void
test_nearest(void **state)
{
    (void)state;
    begin();
    assert_string_equal(chosen(), "");
    run_until(all_chosen);
    assert_true(span_starts(span_of(bus.row), SPAN("me/")));
    assert_string_equal(bus.payload, "v=1 site=home url=http://me:8080");
    assert_true(peers_known(peers, "far"));
    assert_false(peers_known(peers, "me"));
    struct peer_status status = near_status();

    assert_int_equal(status.rtt.estimate_us, 5000);
    assert_int_equal(status.digest_slots, SLOTS);
}

/* On a new connection half the time is TCP's. */
static void
test_new_connection(void **state)
{
    (void)state;
    nodes[1].reused = false;
    begin();
    run_until(all_chosen);
    assert_int_equal(near_status().rtt.estimate_us, 2500);
}

static void
test_down_and_up(void **state)
{
    (void)state;
    begin();
    run_until(all_chosen);
    nodes[1].dead = true;
    run_until(two_chosen);
    nodes[1].dead = false;
    run_until(all_chosen);
    nodes[1].ping_status = 401;
    run_until(two_chosen);
}

/* Three failures of workers, and no probe: it is down. */
static void
test_report(void **state)
{
    (void)state;
    conf.peers.probe_interval_ms = 600000;
    begin();
    run_until(all_chosen);
    unsigned pings = nodes[1].pings;

    peers_report(peers, "near", false, 0);
    peers_report(peers, "near", false, 0);
    peers_report(peers, "near", true, 3000);
    peers_report(peers, "near", false, 0);
    peers_report(peers, "near", false, 0);
    peers_report(peers, "nobody", false, 0);
    assert_true(all_chosen());
    peers_report(peers, "near", false, 0);
    run_until(two_chosen);
    assert_int_equal(nodes[1].pings, pings);
}

static bool
near_orphaned(void)
{
    return near_status().orphaned;
}

static bool
near_gone(void)
{
    return near_status().node == NULL;
}

/* While the site's Redis is away, members stay as long as they answer. */
static void
test_orphans(void **state)
{
    (void)state;
    begin();
    run_until(all_chosen);
    bus.away = true;
    boot_ns += 2 * MEMBERSHIP_TTL_MS * NS_PER_MS;
    run_until(near_orphaned);
    assert_true(all_chosen());
    nodes[1].dead = true;
    run_until(near_gone);
    assert_true(two_chosen());
    nodes[1].dead = false;
    bus.away = false;
    run_until(all_chosen);
}

static bool
near_restarted(void)
{
    struct peer_status status = near_status();

    return status.node != NULL &&
           strcmp(status.node->incarnation, INC_2) == 0 &&
           status.rtt.estimate_us == 60000;
}

static bool
near_last(void)
{
    return strcmp(chosen(), "mid near far ") == 0;
}

/* A new incarnation is measured from nothing. */
static void
test_restart(void **state)
{
    (void)state;
    begin();
    run_until(all_chosen);
    memcpy(nodes[1].incarnation, INC_2, sizeof(INC_2));
    nodes[1].rtt_ms = 60;
    boot_ns += NS_PER_S;
    run_until(near_restarted);
    run_until(near_last);
}

static bool
near_unchanged(void)
{
    return nodes[1].unchanged >= 2;
}

static bool
near_asked_often(void)
{
    return nodes[1].digests >= 3;
}

static void
test_not_modified(void **state)
{
    (void)state;
    begin();
    run_until(all_chosen);
    run_until(near_unchanged);
    assert_true(all_chosen());
}

static void
test_bad_digests(void **state)
{
    static const struct {
        const char *slots;
        size_t len;
    } rows[] = {
        {"1000", 125}, {"32", 4},         {"x", 128},    {"", 128},
        {"1024", 127}, {"1024", 129},     {NULL, 0},     {"-1024", 128},
        {"0", 0},      {"268435456", 10}, {"2048", 128},
    };

    (void)state;
    begin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nodes[1].slots = rows[i].slots;
        nodes[1].digest_len = rows[i].len;
        nodes[1].digests = 0;
        run_until(near_asked_often);
        run_until(two_chosen);
    }
}

static bool
has_digest(void)
{
    const struct peers_digest *digest = peers_own_digest(peers);
    bool has = digest != NULL;

    peers_digest_unref(&digest);
    return has;
}

static bool
digest_has_key(void)
{
    const struct peers_digest *digest = peers_own_digest(peers);
    bool has = bloom_bits_have(digest->bits, digest->slots, key);

    peers_digest_unref(&digest);
    return has;
}

/* It is renewed when the filter changes; who holds one keeps it. */
static void
test_own_digest(void **state)
{
    (void)state;
    begin();
    assert_null(peers_own_digest(peers));
    run_until(has_digest);
    const struct peers_digest *first = peers_own_digest(peers);

    assert_int_equal(first->slots, SLOTS);
    assert_int_equal(first->len, SLOTS / 8);
    bloom_add(bloom, key);
    run_until(digest_has_key);
    const struct peers_digest *second = peers_own_digest(peers);

    assert_string_not_equal(first->etag, second->etag);
    assert_false(bloom_bits_have(first->bits, first->slots, key));
    peers_digest_unref(&first);
    peers_free(&peers);
    assert_true(bloom_bits_have(second->bits, second->slots, key));
    peers_digest_unref(&second);
    assert_null(second);
}

/* Freed at once, with everything under way. */
static void
test_free_early(void **state)
{
    (void)state;
    begin();
    peers_free(&peers);
    begin();
    run_until(has_digest);
}

static bool
has_static(void)
{
    return strcmp(chosen(), "near ") == 0;
}

static void
test_static(void **state)
{
    struct conf_peer statics[] = {{"near", "other", "http://near:8080"},
                                  {"me", "home", "http://me:8080"},
                                  {"bad", "other", "https://bad"}};

    (void)state;
    for (size_t i = 0; i < NODES; i++)
        nodes[i].listed = false;
    conf.peers.statics = statics;
    conf.peers.static_count = ARRAY_LEN(statics);
    begin();
    run_until(has_static);
    assert_true(near_status().is_static);
}

static void
test_disabled(void **state)
{
    (void)state;
    conf.peers.enabled = false;
    begin();
    assert_string_equal(chosen(), "");
    assert_null(peers_own_digest(peers));
    assert_int_equal(bus.announced, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nearest),      TEST(test_new_connection),
        TEST(test_down_and_up),  TEST(test_report),
        TEST(test_orphans),      TEST(test_restart),
        TEST(test_not_modified), TEST(test_bad_digests),
        TEST(test_own_digest),   TEST(test_free_early),
        TEST(test_static),       TEST(test_disabled),
    };

    secret_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
