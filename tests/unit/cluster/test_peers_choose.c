/* Whom a snapshot chooses, for given round-trip times and digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bloom.h"
#include "base/mem.h"
#include "cluster/peers_internal.h"
#include "cluster/rendezvous.h"

#define MAX 8
#define SLOTS 1024

static const struct hash128 key = {0x1234567890abcdef, 0xfedcba0987654321};

/* "ID SITE RTT_MS STATE HOLDS" */
struct given {
    const char *id;
    const char *site;
    uint32_t rtt_ms;
    enum rtt_state state;
    bool holds;
};

static struct peer *
make_peer(const struct given *given)
{
    struct peer *peer = mem_zalloc(sizeof(*peer));

    snprintf(peer->node.id, sizeof(peer->node.id), "%s", given->id);
    snprintf(peer->node.site, sizeof(peer->node.site), "%s", given->site);
    snprintf(peer->node.url, sizeof(peer->node.url), "http://%s", given->id);
    peer->number = rendezvous_node(span_of(given->id));
    peer->rtt.state = given->state;
    peer->rtt.estimate_us = given->rtt_ms * 1000;
    peer->news = mem_zalloc(sizeof(*peer->news));
    atomic_init(&peer->news->refs, 1);
    peer->bits = mem_zalloc(sizeof(*peer->bits) + SLOTS / 8);
    atomic_init(&peer->bits->refs, 1);
    peer->bits->slots = SLOTS;
    if (given->holds) {
        struct bloom *bloom = bloom_new(SLOTS);

        bloom_add(bloom, key);
        bloom_export(bloom, peer->bits->bits);
        bloom_free(&bloom);
    }
    return peer;
}

static void
drop_peer(struct peer *peer)
{
    peers_bits_unref(&peer->bits);
    if (atomic_fetch_sub(&peer->news->refs, 1) == 1)
        free(peer->news);
    free(peer);
}

/* The choice as "h:ID" for a home, "ID" for a holder. */
static void
expect_of(const char *own_site, const struct given *given, bool all, size_t max,
          const char *want)
{
    static _Atomic(struct peers_snapshot *) place;
    struct membership_node own = {.id = "me"};
    struct peer *peers[MAX] = {NULL};
    struct peer_choice choices[MAX];
    struct buf got = {0};
    size_t count = 0;

    snprintf(own.site, sizeof(own.site), "%s", own_site);
    for (; given[count].id != NULL; count++)
        peers[count] = make_peer(&given[count]);
    struct peers_snapshot *snapshot = peers_snapshot_new(&own, peers, count);

    peers_snapshot_publish(&place, snapshot);
    for (size_t i = 0; i < count; i++)
        drop_peer(peers[i]);
    count = peers_snapshot_choose(snapshot, key, all, choices, max);
    buf_add_text(&got, "");
    for (size_t i = 0; i < count; i++)
        buf_printf(&got, "%s%s ", choices[i].kind == PEER_HOME ? "h:" : "",
                   choices[i].node);
    peers_snapshot_publish(&place, NULL);
    grace_barrier();
    assert_string_equal(got.len ? got.data : "", want);
    buf_fini(&got);
}

static void
expect(const char *own_site, const struct given *given, size_t max,
       const char *want)
{
    expect_of(own_site, given, false, max, want);
}

/* As a last resort: a digest may be older than the copy. */
static void
test_last_resort(void **state)
{
    static const struct given given[] = {
        {"near", "a", 5, RTT_UP, false},
        {"far", "c", 80, RTT_UP, true},
        {"gone", "b", 40, RTT_DOWN, true},
        {"new", "b", 0, RTT_UNKNOWN, true},
        {.id = NULL},
    };

    (void)state;
    expect_of("z", given, false, MAX, "far ");
    expect_of("z", given, true, MAX, "far near new ");
    expect_of("z", given, true, 2, "far near ");
    expect_of("a", given, true, 0, "");
}

static void
test_nearest(void **state)
{
    static const struct given all[] = {
        {"far", "c", 80, RTT_UP, true},
        {"near", "a", 5, RTT_UP, true},
        {"mid", "b", 40, RTT_UP, true},
        {.id = NULL},
    };
    static const struct given not_near[] = {
        {"near", "a", 5, RTT_UP, false},
        {"far", "c", 80, RTT_UP, true},
        {"mid", "b", 40, RTT_UP, true},
        {.id = NULL},
    };
    static const struct given near_down[] = {
        {"near", "a", 5, RTT_DOWN, true},
        {"new", "a", 0, RTT_UNKNOWN, true},
        {"far", "c", 80, RTT_UP, true},
        {"mid", "b", 40, RTT_UP, true},
        {.id = NULL},
    };
    static const struct given none[] = {{.id = NULL}};

    (void)state;
    expect("z", all, MAX, "near mid far ");
    expect("z", all, 1, "near ");
    expect("z", all, 0, "");
    expect("z", not_near, MAX, "mid far ");
    expect("z", near_down, MAX, "mid far ");
    expect("z", none, MAX, "");
}

/* The name of a node that beats us (or does not) for the key. */
static const char *
rival(bool beats)
{
    static char name[2][32];
    uint64_t mine = rendezvous_weight(rendezvous_node(SPAN("me")), key);

    for (unsigned i = 0;; i++) {
        snprintf(name[beats], sizeof(name[beats]), "rival-%u", i);
        uint64_t number = rendezvous_node(span_of(name[beats]));

        if ((rendezvous_weight(number, key) > mine) == beats)
            return name[beats];
    }
}

static void
test_home(void **state)
{
    struct given given[] = {
        {"near", "a", 5, RTT_UP, true},
        {rival(true), "z", 90, RTT_UP, false},
        {.id = NULL},
    };
    char want[64];

    (void)state;
    snprintf(want, sizeof(want), "h:%s near ", given[1].id);
    expect("z", given, MAX, want);
    /* A home that holds it is named once, as the home. */
    given[1].holds = true;
    expect("z", given, MAX, want);
    /* Of another site it is a holder like any. */
    snprintf(want, sizeof(want), "near %s ", given[1].id);
    expect("y", given, MAX, want);
    /* While it is down, we are the home. */
    given[1].state = RTT_DOWN;
    expect("z", given, MAX, "near ");
    /* The home is us. */
    given[1] = (struct given){rival(false), "z", 1, RTT_UP, false};
    expect("z", given, MAX, "near ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_last_resort),
        cmocka_unit_test(test_home),
    };

    grace_register();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    grace_unregister();
    return failed;
}
