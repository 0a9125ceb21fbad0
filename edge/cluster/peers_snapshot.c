/* What workers see of the peers, and how they choose. */
#include <stdlib.h>
#include <string.h>

#include "base/bloom.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/watcher.h"
#include "cluster/peers_internal.h"
#include "cluster/rendezvous.h"

struct peers_bits *
peers_bits_ref(struct peers_bits *bits)
{
    if (bits != NULL)
        atomic_fetch_add(&bits->refs, 1);
    return bits;
}

void
peers_bits_unref(struct peers_bits **bits)
{
    if (*bits != NULL && atomic_fetch_sub(&(*bits)->refs, 1) == 1)
        free(*bits);
    *bits = NULL;
}

static int
by_rtt(const void *left, const void *right)
{
    const struct peer *a = *(struct peer *const *)left;
    const struct peer *b = *(struct peer *const *)right;
    bool a_up = a->rtt.state == RTT_UP;
    bool b_up = b->rtt.state == RTT_UP;

    if (a_up != b_up)
        return a_up ? -1 : 1;
    if (a->rtt.estimate_us != b->rtt.estimate_us)
        return a->rtt.estimate_us < b->rtt.estimate_us ? -1 : 1;
    return strcmp(a->node.id, b->node.id);
}

static void
view_of(struct peers_view *view, struct peer *peer, const char *own_site)
{
    *view = (struct peers_view){
        .node = peer->node,
        .number = peer->number,
        .own_site = strcmp(peer->node.site, own_site) == 0,
        .is_static = peer->is_static,
        .orphaned = peer->orphaned,
        .rtt = peer->rtt,
        .since_ns = peer->since_ns,
        .bits_ns = peer->bits_ns,
        .bits = peers_bits_ref(peer->bits),
        .news = peer->news,
    };
    atomic_fetch_add(&peer->news->refs, 1);
}

struct peers_snapshot *
peers_snapshot_new(const struct membership_node *own, struct peer *const *peers,
                   size_t count)
{
    struct peers_snapshot *snapshot =
        mem_zalloc(sizeof(*snapshot) + count * sizeof(struct peers_view));
    struct peer **order = mem_alloc((count + 1) * sizeof(struct peer *));

    for (size_t i = 0; i < count; i++)
        order[i] = peers[i];
    qsort(order, count, sizeof(struct peer *), by_rtt);
    snapshot->own_number = rendezvous_node(span_of(own->id));
    snapshot->count = count;
    for (size_t i = 0; i < count; i++)
        view_of(&snapshot->views[i], order[i], own->site);
    free(order);
    return snapshot;
}

static void
free_snapshot(struct grace_defer *defer)
{
    struct peers_snapshot *snapshot =
        CONTAINER_OF(defer, struct peers_snapshot, defer);

    for (size_t i = 0; i < snapshot->count; i++) {
        struct peers_view *view = &snapshot->views[i];

        peers_bits_unref(&view->bits);
        if (atomic_fetch_sub(&view->news->refs, 1) == 1)
            free(view->news);
    }
    free(snapshot);
}

void
peers_snapshot_publish(_Atomic(struct peers_snapshot *) *place,
                       struct peers_snapshot *snapshot)
{
    struct peers_snapshot *old = atomic_exchange(place, snapshot);

    if (old != NULL)
        grace_defer(&old->defer, free_snapshot);
}

static const struct peers_snapshot *
current(const struct peers *peers)
{
    TAG_CHECK(peers, PEERS_TAG);
    grace_enter();
    return atomic_load_explicit(&peers->snapshot, memory_order_acquire);
}

/* The peer in our site that is the key's home; NULL when we are. */
static const struct peers_view *
home_of(const struct peers_snapshot *snapshot, struct hash128 key)
{
    uint64_t most = rendezvous_weight(snapshot->own_number, key);
    uint64_t number = snapshot->own_number;
    const struct peers_view *home = NULL;

    for (size_t i = 0; i < snapshot->count; i++) {
        const struct peers_view *view = &snapshot->views[i];

        if (view->rtt.state != RTT_UP)
            break;
        if (!view->own_site)
            continue;
        uint64_t weight = rendezvous_weight(view->number, key);

        if (weight > most || (weight == most && view->number < number)) {
            most = weight;
            number = view->number;
            home = view;
        }
    }
    return home;
}

static void
choice_of(struct peer_choice *choice, const struct peers_view *view,
          enum peer_kind kind)
{
    memcpy(choice->node, view->node.id, sizeof(choice->node));
    memcpy(choice->base_url, view->node.url, sizeof(choice->base_url));
    choice->kind = kind;
    choice->rtt_us = view->rtt.estimate_us;
}

static bool
may_hold(const struct peers_view *view, struct hash128 key)
{
    return view->bits != NULL &&
           bloom_bits_have(view->bits->bits, view->bits->slots, key);
}

size_t
peers_snapshot_choose(const struct peers_snapshot *snapshot, struct hash128 key,
                      bool all, struct peer_choice *choices, size_t max)
{
    const struct peers_view *home = home_of(snapshot, key);
    size_t count = 0;

    if (home != NULL && max > 0)
        choice_of(&choices[count++], home, PEER_HOME);
    for (size_t i = 0; i < snapshot->count && count < max; i++) {
        const struct peers_view *view = &snapshot->views[i];

        if (view->rtt.state != RTT_UP)
            break;
        if (view != home && may_hold(view, key))
            choice_of(&choices[count++], view, PEER_HOLDER);
    }
    for (size_t i = 0; all && i < snapshot->count && count < max; i++) {
        const struct peers_view *view = &snapshot->views[i];

        if (view != home && view->rtt.state != RTT_DOWN &&
            (view->rtt.state != RTT_UP || !may_hold(view, key)))
            choice_of(&choices[count++], view, PEER_HOLDER);
    }
    return count;
}

size_t
peers_choose(const struct peers *peers, struct hash128 key, bool all,
             struct peer_choice *choices, size_t max)
{
    return peers_snapshot_choose(current(peers), key, all, choices, max);
}

static const struct peers_view *
view_by_id(const struct peers_snapshot *snapshot, const char *node)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (strcmp(snapshot->views[i].node.id, node) == 0)
            return &snapshot->views[i];
    }
    return NULL;
}

bool
peers_known(const struct peers *peers, const char *node)
{
    return view_by_id(current(peers), node) != NULL;
}

bool
peers_answers(const struct peers *peers, const char *node)
{
    const struct peers_view *view = view_by_id(current(peers), node);

    return view != NULL && view->rtt.state == RTT_UP && view->rtt.failures == 0;
}

/* An answer is never faster than the network: one that beats the estimate
 * says that the estimate is too high. */
static void
report_time(const struct peers_view *view, uint64_t elapsed_us)
{
    uint64_t best = atomic_load(&view->news->best_us);

    if (elapsed_us == 0 || elapsed_us >= view->rtt.estimate_us)
        return;
    while (
        (best == 0 || elapsed_us < best) &&
        !atomic_compare_exchange_weak(&view->news->best_us, &best, elapsed_us))
        continue;
}

void
peers_report(struct peers *peers, const char *node, bool ok,
             uint64_t elapsed_us)
{
    const struct peers_view *view = view_by_id(current(peers), node);

    if (view == NULL)
        return;
    if (!ok) {
        if (atomic_fetch_add(&view->news->failures, 1) + 1 == RTT_FAILURES)
            watcher_wake(peers->watcher);
        return;
    }
    /* Reading first keeps the line shared while all goes well. */
    if (atomic_load(&view->news->failures) != 0)
        atomic_store(&view->news->failures, 0);
    report_time(view, elapsed_us);
}

void
peers_each(const struct peers *peers, peers_status_fn fn, void *arg)
{
    const struct peers_snapshot *snapshot = current(peers);
    uint64_t now_ns = clock_boot_ns();

    for (size_t i = 0; i < snapshot->count; i++) {
        const struct peers_view *view = &snapshot->views[i];
        struct peer_status status = {
            .node = &view->node,
            .is_static = view->is_static,
            .orphaned = view->orphaned,
            .rtt = view->rtt,
            .since_ms = (now_ns - view->since_ns) / NS_PER_MS,
        };

        if (view->bits != NULL) {
            status.digest_slots = view->bits->slots;
            status.digest_age_ms = (now_ns - view->bits_ns) / NS_PER_MS;
        }
        fn(arg, &status);
    }
}
