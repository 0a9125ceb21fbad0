/* What is to happen, by the seed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "node_internal.h"
#include "plan_internal.h"

#define KEYS 10
#define PURGE_WIDE 6     /* from here on a purge is of more than the key */
#define CALM (1500 * MS) /* at the beginning */
#define END (15 * S)     /* of faults and writes */

const char *const level_names[LEVELS] = {"ap", "bounded", "session", "lease",
                                         "cp"};

static const char *const act_names[ACTS] = {
    "read", "session-read", "write",  "put",  "own-purge", "purge", "cut",
    "part", "alone",        "deaf",   "kill", "pause",     "stall", "redis",
    "trim", "redis-pause",  "origin", "slow", "step",      "split",
};

enum level
level_of(unsigned key)
{
    return (enum level)(key % LEVELS);
}

unsigned
world_keys(void)
{
    return KEYS;
}

static uint64_t
some_time(void)
{
    return CALM + chance_below(END - CALM);
}

struct action *
plan_add(struct plan_of *plan, enum act act, uint64_t time)
{
    plan->list =
        mem_realloc(plan->list, (plan->count + 1) * sizeof(*plan->list));
    struct action *action = &plan->list[plan->count++];

    *action = (struct action){
        .act = act,
        .time = time,
        .until = time,
        .node = (unsigned)chance_below(node_count),
        .key = (unsigned)chance_below(KEYS),
        .hard = chance_one_in(2),
        .both = chance_one_in(2),
        .all = chance_one_in(2),
    };
    return action;
}

/* One that nodes have to do with. */
static unsigned
some_place(void)
{
    switch (chance_below(4)) {
    case 0:
        return PLACE_ORIGIN;
    case 1:
        return PLACE_NODE + (unsigned)chance_below(node_count);
    default:
        return PLACE_REDIS + (unsigned)chance_below(site_count);
    }
}

static void
add_fault(struct plan_of *plan)
{
    enum act act = ACT_CUT + (enum act)chance_below(ACTS - ACT_CUT);
    struct action *action = plan_add(plan, act, some_time());
    uint64_t length =
        50 * MS + chance_below(chance_one_in(3) ? 500 * MS : 6 * S);

    action->until = action->time + length;
    action->a = some_place();
    action->b = PLACE_NODE + (unsigned)chance_below(node_count);
    if (chance_one_in(2)) {
        unsigned a = action->a;

        action->a = action->b;
        action->b = a;
    }
    if (act == ACT_PART) {
        action->a = (unsigned)chance_below(site_count);
        action->b = (unsigned)chance_below(site_count);
    } else if (act == ACT_REDIS) {
        action->a = (unsigned)chance_below(site_count);
        action->b = (unsigned)chance_below(3);
    } else if (act == ACT_SPLIT) {
        action->a = (unsigned)chance_below(site_count);
        action->b = (unsigned)chance_below(1U << node_count);
    } else if (act == ACT_TRIM || act == ACT_REDIS_PAUSE || act == ACT_DEAF) {
        action->a = (unsigned)chance_below(site_count);
    } else if (act == ACT_STALL) {
        action->a = (unsigned)chance_below(WORKERS + 1);
    }
}

/* Around a change: reads before and after, at all nodes. */
void
plan_change(struct plan_of *plan, uint64_t time)
{
    struct action *write = plan_add(plan, ACT_WRITE, time);
    unsigned key = write->key;

    /* Some keys are never purged hard, so that there is a copy to be had. */
    bool soft = key >= KEYS / 2 && level_of(key) == LEVEL_AP;

    if (!soft && chance_one_in(3))
        write->act = ACT_PUT;
    if (!chance_one_in(5)) {
        struct action *purge =
            plan_add(plan, ACT_PURGE, time + chance_delay(MS, 800 * MS));

        purge->key = key;
        purge->a = (unsigned)chance_below(8); /* how: see world.c */
        purge->hard =
            purge->hard && !soft && (purge->a < PURGE_WIDE || chance_one_in(8));
    }
    for (int i = 0; i < 8; i++) {
        struct action *read =
            plan_add(plan, chance_one_in(4) ? ACT_SESSION : ACT_READ,
                     time - 500 * MS + chance_below(4 * S));

        read->key = key;
        read->a = (unsigned)chance_below(SESSIONS);
    }
}

static int
by_time(const void *a, const void *b)
{
    const struct action *x = a, *y = b;

    return x->time < y->time ? -1 : x->time > y->time;
}

void
world_plan(uint64_t seed, struct plan_of *plan)
{
    size_t faults;

    chance_seed(seed);
    *plan = (struct plan_of){0};
    site_count = 2 + (unsigned)chance_below(2);
    node_count = site_count * (1 + (unsigned)chance_below(2));
    sim_replicas = chance_one_in(2);
    faults = chance_below(14);
    for (size_t i = 0; i < faults; i++)
        add_fault(plan);
    for (size_t i = 0; i < 30; i++)
        plan_change(plan, some_time());
    for (size_t i = chance_below(5); i > 0; i--)
        plan_story(plan, some_time());
    for (size_t i = 0; i < 60; i++)
        plan_add(plan, ACT_READ, some_time());
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->list[i].until > HEAL)
            plan->list[i].until = HEAL;
    }
    qsort(plan->list, plan->count, sizeof(*plan->list), by_time);
}

void
action_print(const struct action *action)
{
    printf("%10.6f %s", (double)action->time / (double)S,
           act_names[action->act]);
    if (action->act >= ACT_CUT)
        printf(" until %.6f", (double)action->until / (double)S);
    printf(" node %u key %u (%s) a %u b %u%s%s%s\n", action->node, action->key,
           level_names[level_of(action->key)], action->a, action->b,
           action->hard ? " hard" : "", action->both ? " both" : "",
           action->all ? " all" : "");
}
