/* What goes wrong only when several things come together is rare by chance
 * alone. So some of it is arranged; when and where, chance says. */
#include "plan_internal.h"

#include "cluster/lease.h"
#include "node_internal.h"

static unsigned
some_node(void)
{
    return (unsigned)chance_below(node_count);
}

static unsigned
another(unsigned node)
{
    return (node + 1 + (unsigned)chance_below(node_count - 1)) % node_count;
}

static unsigned
site_of(unsigned node)
{
    return node / (node_count / site_count);
}

/* A key of a level, most often the one whose copies live on (origin.c). */
static unsigned
some_key(enum level level)
{
    return (unsigned)level + (chance_one_in(4) ? 0 : LEVELS);
}

static uint64_t
within(uint64_t from, uint64_t to)
{
    return from + chance_below(to - from);
}

static void
read_at(struct plan_of *plan, unsigned node, unsigned key, uint64_t time)
{
    struct action *action = plan_add(plan, ACT_READ, time);

    action->node = node;
    action->key = key;
}

static void
read_everywhere(struct plan_of *plan, unsigned key, uint64_t time)
{
    for (unsigned i = 0; i < node_count; i++)
        read_at(plan, i, key, time + chance_below(20 * MS));
}

static void
session_read(struct plan_of *plan, unsigned node, unsigned key,
             unsigned session, uint64_t time)
{
    struct action *action = plan_add(plan, ACT_SESSION, time);

    action->node = node;
    action->key = key;
    action->a = session;
}

static void
write_at(struct plan_of *plan, unsigned key, uint64_t time)
{
    plan_add(plan, ACT_WRITE, time)->key = key;
}

static void
purge_at(struct plan_of *plan, unsigned node, unsigned key, bool hard,
         uint64_t time)
{
    struct action *action = plan_add(plan, ACT_PURGE, time);

    action->node = node;
    action->key = key;
    action->a = (unsigned)chance_below(PURGE_WIDE);
    action->hard = hard;
    action->all = true;
}

static struct action *
fault(struct plan_of *plan, enum act act, unsigned node, uint64_t time,
      uint64_t length)
{
    struct action *action = plan_add(plan, act, time);

    action->node = node;
    action->until = time + length;
    return action;
}

static void
cut(struct plan_of *plan, unsigned node, unsigned site, uint64_t time,
    uint64_t length)
{
    struct action *action = fault(plan, ACT_CUT, node, time, length);

    action->a = PLACE_REDIS + site;
    action->b = PLACE_NODE + node;
    action->both = true;
}

/* From the Redis of a site to a node: `hard` is one way, and by much. */
static void
slow(struct plan_of *plan, unsigned site, unsigned node, bool hard,
     uint64_t time, uint64_t length)
{
    struct action *action = fault(plan, ACT_SLOW, node, time, length);

    action->a = PLACE_REDIS + site;
    action->b = PLACE_NODE + node;
    action->hard = hard;
}

/* A Redis fails while one node does not reach it, and something is published
 * there that this node will not read, or not in that history. */
static void
loss(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node(), site = site_of(node);
    size_t first = plan->count;
    struct action *action;

    plan_change(plan, time + within(200 * MS, 500 * MS));
    for (size_t i = first; i < plan->count; i++) {
        if (plan->list[i].act == ACT_PURGE || plan->list[i].act == ACT_PUT)
            plan->list[i].node = node;
    }
    cut(plan, some_node(), site, time, within(S, 5 * S));
    action = fault(plan, chance_one_in(3) ? ACT_TRIM : ACT_REDIS, node,
                   time + within(700 * MS, 2700 * MS), within(50 * MS, S));
    action->a = site;
    action->b = (unsigned)chance_below(3);
}

/* What a node did not read is trimmed. */
static void
trimmed(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node(), other = another(node);
    unsigned key = some_key(chance_one_in(2) ? LEVEL_LEASE : LEVEL_AP);

    read_at(plan, node, key, time);
    cut(plan, node, site_of(other), time + 300 * MS, within(S, 4 * S));
    write_at(plan, key, time + 400 * MS);
    purge_at(plan, other, key, chance_one_in(2), time + 500 * MS);
    fault(plan, ACT_TRIM, node, time + within(700 * MS, 1200 * MS), 0)->a =
        site_of(other);
}

/* A node dies with a write on its way. */
static void
dead_writer(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node();
    unsigned key = some_key(chance_one_in(2) ? LEVEL_LEASE : LEVEL_SESSION);
    struct action *put;

    read_everywhere(plan, key, time);
    put = plan_add(plan, ACT_PUT, time + 300 * MS);
    put->node = node;
    put->key = key;
    put->a = (unsigned)chance_below(SESSIONS);
    fault(plan, ACT_KILL, node,
          time + 300 * MS + chance_delay(2 * MS, 900 * MS),
          within(100 * MS, 1500 * MS));
    read_everywhere(plan, key, time + within(500 * MS, 3 * S));
}

/* A write that the origin is at for longer than anybody waits, while its node
 * cannot be told what came of it. */
static void
unheard_writer(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node();
    unsigned key = some_key(chance_one_in(2) ? LEVEL_LEASE : LEVEL_SESSION);
    struct action *action;

    read_everywhere(plan, key, time);
    action = plan_add(plan, ACT_PUT, time + 300 * MS);
    action->node = node;
    action->key = key;
    action->a = (unsigned)chance_below(SESSIONS);
    action = fault(plan, ACT_CUT, node,
                   time + 300 * MS + chance_delay(2 * MS, 200 * MS),
                   within(S, 3 * S));
    action->a = PLACE_ORIGIN;
    action->b = PLACE_NODE + node;
    action->both = false;
    read_everywhere(plan, key, time + within(1300 * MS, 2500 * MS));
}

/* A purge that no Redis takes, at a node that dies meanwhile, or not, while the
 * others have the old copy. */
static void
kept(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node(), other = another(node);
    unsigned key = some_key(chance_one_in(3) ? LEVEL_SESSION : LEVEL_AP);
    unsigned how;
    uint64_t end = time + within(4 * S, 6 * S);
    bool asks = chance_one_in(3);

    /* A node that never had it asks its peers. */
    for (unsigned i = 0; i < node_count; i++) {
        if (i != node || chance_one_in(2))
            read_at(plan, i, key, time + chance_below(20 * MS));
    }
    fault(plan, ACT_ALONE, node, time + 300 * MS, end - time - 300 * MS);
    /* Which it hears of before its own is published. */
    purge_at(plan, other, key, !chance_one_in(4), time + 500 * MS);
    how = plan->list[plan->count - 1].a;
    read_at(plan, other, key, time + 700 * MS);
    write_at(plan, key, time + 1200 * MS);
    purge_at(plan, node, key, true, time + 1300 * MS);
    if (chance_one_in(2))
        plan->list[plan->count - 1].a = how;
    /* So that it can get nothing better than what its peers have. */
    if (chance_one_in(2)) {
        struct action *away =
            fault(plan, ACT_CUT, node, time + 1250 * MS, end - time + 100 * MS);

        away->a = PLACE_ORIGIN;
        away->b = PLACE_NODE + node;
        away->both = true;
    }
    if (chance_one_in(3))
        fault(plan, ACT_KILL, node, time + within(1700 * MS, 2000 * MS),
              200 * MS);
    for (uint64_t at = time + 1500 * MS; at < time + 5 * S && asks;
         at += 300 * MS)
        read_at(plan, node, key, at);
    slow(plan, site_of(node), node, chance_one_in(2), end - 100 * MS, S);
    cut(plan, node, site_of(other), end - 100 * MS, within(100 * MS, 500 * MS));
    /* After the first one it has the new version. */
    for (uint64_t at = chance_below(600 * MS); at < 1200 * MS; at += 8 * MS)
        read_at(plan, node, key, end + at);
}

/* A purge is acknowledged, after its time, while a node that has the old copy
 * hears of nothing: it was cut off right after it renewed its lease. Before the
 * first history is as old as any lease nothing is acknowledged (A4). */
static void
late_lease(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node(), other = another(node);
    unsigned key = some_key(LEVEL_LEASE);
    uint64_t at;

    time = LEASE_LENGTH_MAX_MS * MS - 3 * S + time / 4;
    at = time + within(500 * MS, 1500 * MS);
    slow(plan, site_of(other), node, !chance_one_in(4), time, 3 * S);
    read_at(plan, node, key, at - 400 * MS);
    write_at(plan, key, at - 2 * MS);
    for (uint64_t more = 0; more < 3200 * MS; more += 90 * MS)
        purge_at(plan, other, key, chance_one_in(2), at + more);
    if (chance_one_in(4))
        cut(plan, node, site_of(other), at + chance_below(60 * MS), 6 * S);
    else
        fault(plan, ACT_DEAF, node, at - 300 * MS, 6 * S)->a = site_of(other);
}

/* Two primaries: a node renews its lease at the one that was left, and has the
 * old copy; a purge at the other one is acknowledged once that history is as
 * old as any lease (A4). */
static void
left_behind(struct plan_of *plan, unsigned node, unsigned other, unsigned key)
{
    uint64_t time = within(100 * MS, 3 * S);
    struct action *split = fault(plan, ACT_SPLIT, node, time, 15 * S - time);

    split->a = site_of(chance_one_in(2) ? other : node);
    split->b = 1U << other;
    for (uint64_t at = time + 9500 * MS; at < 14800 * MS; at += 400 * MS) {
        read_at(plan, node, key, at - 300 * MS);
        write_at(plan, key, at);
        purge_at(plan, other, key, chance_one_in(2), at + 2 * MS);
    }
}

/* The other way round: acknowledged at the one that was left, and not known to
 * the new one, where a node has a lease again once that has a replica. */
static void
acknowledged_behind(struct plan_of *plan, unsigned node, unsigned other,
                    unsigned key)
{
    uint64_t time = within(7 * S, 9 * S), end = within(14 * S, 15 * S);
    struct action *split = fault(plan, ACT_SPLIT, node, time, end - time);
    uint64_t at = within(10200 * MS, 10700 * MS);
    struct action *away;

    split->a = site_of(other);
    split->b = 1U << node;
    read_at(plan, node, key, at - 100 * MS);
    write_at(plan, key, at);
    purge_at(plan, other, key, chance_one_in(2), at + 2 * MS);
    /* So that it has no better copy by then. */
    away = fault(plan, ACT_CUT, node, at + 100 * MS, end - at);
    away->a = PLACE_ORIGIN;
    away->b = PLACE_NODE + node;
    away->both = true;
    /* Nobody who has read it is there to publish it again. */
    for (unsigned i = 0; i < node_count; i++) {
        if (i != node)
            cut(plan, i, site_of(other), end - 100 * MS, 2 * S);
    }
    for (; end < HEAL; end += 20 * MS)
        read_at(plan, node, key, end);
}

static void
split(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node(), other = another(node);
    unsigned key = some_key(LEVEL_LEASE);

    (void)time;
    if (chance_one_in(2))
        left_behind(plan, node, other, key);
    else
        acknowledged_behind(plan, node, other, key);
}

/* A session goes on at a node that lags. */
static void
lagging(struct plan_of *plan, uint64_t time)
{
    unsigned node = some_node(), other = another(node);
    unsigned session = (unsigned)chance_below(SESSIONS);
    unsigned key = some_key(LEVEL_SESSION);

    read_at(plan, node, key, time);
    read_at(plan, other, key, time);
    fault(plan, chance_one_in(2) ? ACT_ALONE : ACT_DEAF, other, time + 300 * MS,
          4 * S)
        ->a = site_of(node);
    write_at(plan, key, time + 400 * MS);
    if (chance_one_in(2)) {
        purge_at(plan, node, key, chance_one_in(2), time + 450 * MS);
        session_read(plan, node, key, session, time + 700 * MS);
    } else {
        struct action *change = plan_add(
            plan, chance_one_in(2) ? ACT_PUT : ACT_OWN_PURGE, time + 450 * MS);

        change->node = node;
        change->key = key;
        change->a = session;
    }
    session_read(plan, other, key, session, time + 900 * MS);
    session_read(plan, other, key, session, time + 1900 * MS);
}

void
plan_story(struct plan_of *plan, uint64_t time)
{
    static void (*const stories[])(struct plan_of *, uint64_t) = {
        loss, trimmed,    dead_writer, unheard_writer,
        kept, late_lease, lagging,     split};

    stories[chance_below(sizeof(stories) / sizeof(stories[0]))](plan, time);
}
