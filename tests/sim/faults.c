/* Faults, begun and ended. */
#include "node_internal.h"
#include "world.h"

#define SLOW_ONE_WAY (180 * MS)

bool
place_exists(unsigned place)
{
    if (place >= PLACE_NODE)
        return place - PLACE_NODE < node_count;
    return place == PLACE_ORIGIN || place - PLACE_REDIS < site_count;
}

unsigned
place_site(unsigned place)
{
    if (place >= PLACE_NODE)
        return (place - PLACE_NODE) / (node_count / site_count);
    return place == PLACE_ORIGIN ? 0 : place - PLACE_REDIS;
}

static void
cut_sites(const struct action *action, bool cut)
{
    for (unsigned a = 0; a < PLACES; a++) {
        for (unsigned b = 0; b < PLACES; b++) {
            if (!place_exists(a) || !place_exists(b) ||
                place_site(a) != action->a || place_site(b) != action->b ||
                action->a == action->b)
                continue;
            net_cut((int)a, (int)b, cut);
            if (action->both)
                net_cut((int)b, (int)a, cut);
        }
    }
}

static void
cut_redis(const struct action *action, bool cut)
{
    for (unsigned i = 0; i < site_count; i++)
        net_cut_both(PLACE_NODE + (int)action->node, PLACE_REDIS + (int)i, cut);
}

/* Both ways, or one way and by much. */
static void
slow(const struct action *action)
{
    uint64_t delay = action->hard ? SLOW_ONE_WAY : chance_below(120 * MS);

    net_slow((int)action->a, (int)action->b, delay);
    if (!action->hard)
        net_slow((int)action->b, (int)action->a, delay);
}

void
fault_begin(const struct action *action)
{
    struct node *node = nodes[action->node];

    totals.faults++;
    switch ((int)action->act) {
    case ACT_CUT:
        net_cut((int)action->a, (int)action->b, true);
        if (action->both)
            net_cut((int)action->b, (int)action->a, true);
        break;
    case ACT_PART:
        cut_sites(action, true);
        break;
    case ACT_ALONE:
        cut_redis(action, true);
        check_alone(action->node, true);
        break;
    case ACT_DEAF:
        net_deafen(PLACE_REDIS + (int)action->a, PLACE_NODE + (int)action->node,
                   true);
        break;
    case ACT_KILL:
        if (node != NULL)
            node_kill(action->node);
        check_restarted(action->node);
        break;
    case ACT_PAUSE:
        if (node != NULL)
            node->machine.paused_to = action->until;
        break;
    case ACT_STALL:
        if (node == NULL)
            break;
        loop_stall(action->a < WORKERS ? node->worker_loops[action->a]
                                       : node->loop,
                   action->until - action->time);
        node->machine.stalled_to = action->until;
        break;
    case ACT_REDIS:
        redis_down(action->a);
        break;
    case ACT_TRIM:
        redis_fault(action->a, REDIS_TRIMMED);
        break;
    case ACT_REDIS_PAUSE:
        redis_pause(action->a, action->until);
        break;
    case ACT_ORIGIN:
        origin_set_up(false);
        break;
    case ACT_SLOW:
        slow(action);
        break;
    case ACT_SPLIT:
        redis_split(action->a, (uint64_t)action->b << PLACE_NODE);
        break;
    case ACT_STEP: /* and nothing renews what it believes */
        cut_redis(action, true);
        check_stepped();
        if (node != NULL)
            node->machine.wall_ms += action->hard ? 9000 : -9000;
        break;
    default:
        break;
    }
}

void
fault_end(void *arg)
{
    const struct action *action = arg;

    switch ((int)action->act) {
    case ACT_CUT:
        net_cut((int)action->a, (int)action->b, false);
        if (action->both)
            net_cut((int)action->b, (int)action->a, false);
        break;
    case ACT_PART:
        cut_sites(action, false);
        break;
    case ACT_ALONE:
        check_alone(action->node, false);
        cut_redis(action, false);
        break;
    case ACT_STEP:
        cut_redis(action, false);
        break;
    case ACT_DEAF:
        net_deafen(PLACE_REDIS + (int)action->a, PLACE_NODE + (int)action->node,
                   false);
        break;
    case ACT_KILL:
        if (nodes[action->node] == NULL)
            node_start(action->node);
        break;
    case ACT_REDIS:
        redis_fault(action->a, (enum redis_fault)action->b);
        redis_up(action->a);
        break;
    case ACT_ORIGIN:
        origin_set_up(true);
        break;
    case ACT_SPLIT:
        redis_unsplit(action->a);
        break;
    case ACT_SLOW:
        net_slow((int)action->a, (int)action->b, 0);
        net_slow((int)action->b, (int)action->a, 0);
        break;
    default:
        break;
    }
}
