/* What must hold: each answer against what was known when its request came. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "node_internal.h"

#define BOUND (2 * S)
/* How long after a fault an answer is owed. */
#define HEALING (3 * S)

struct totals totals;
static const char *violated;
static char story[512];
static uint64_t acknowledged[KEYS_MAX];
static uint64_t promised[KEYS_MAX];
/* Answered with 200 by a node; and not purged hard, ever, which nodes may hear
 * of at any time. */
static uint64_t held[NODES_MAX][KEYS_MAX]; /* since then; 0: not */
static bool gone[KEYS_MAX];
/* What is signed by a clock that went back is refused for as long. */
static bool stepped;
static unsigned alone[NODES_MAX];
static uint64_t kept[NODES_MAX][KEYS_MAX];
static uint64_t seen[SESSIONS][KEYS_MAX];

void
check_reset(void)
{
    violated = NULL;
    story[0] = '\0';
    memset(acknowledged, 0, sizeof(acknowledged));
    memset(promised, 0, sizeof(promised));
    memset(seen, 0, sizeof(seen));
    memset(held, 0, sizeof(held));
    memset(gone, 0, sizeof(gone));
    stepped = false;
    memset(alone, 0, sizeof(alone));
    memset(kept, 0, sizeof(kept));
}

const char *
check_violated(void)
{
    return violated;
}

const char *
check_story(void)
{
    return story;
}

/* The first one counts. */
void
check_report(const char *rule, const char *format, ...)
{
    va_list args;

    if (violated != NULL)
        return;
    violated = rule;
    va_start(args, format);
    vsnprintf(story, sizeof(story), format, args);
    va_end(args);
}

static void
raise_to(uint64_t *value, uint64_t to)
{
    if (*value < to)
        *value = to;
}

void
check_acknowledged(unsigned key, uint64_t version)
{
    raise_to(&acknowledged[key], version);
}

void
check_promised(unsigned key, uint64_t version)
{
    raise_to(&promised[key], version);
}

void
check_gone(unsigned key, bool all)
{
    for (unsigned k = 0; k < KEYS_MAX; k++) {
        gone[k] = gone[k] || k == key || all;
        for (unsigned i = 0; i < NODES_MAX && gone[k]; i++)
            held[i][k] = 0;
    }
}

void
check_restarted(unsigned node)
{
    memset(held[node], 0, sizeof(held[node]));
    /* What it kept may be published and done with. */
    if (alone[node] == 0)
        memset(kept[node], 0, sizeof(kept[node]));
}

void
check_alone(unsigned node, bool is_alone)
{
    if (is_alone)
        alone[node]++;
    else if (alone[node] > 0)
        alone[node]--;
}

void
check_kept(unsigned node, unsigned key, uint64_t version)
{
    if (alone[node] > 0)
        raise_to(&kept[node][key], version);
}

void
check_stepped(void)
{
    stepped = true;
}

void
check_session(unsigned session, unsigned key, uint64_t version)
{
    if (session < SESSIONS)
        raise_to(&seen[session][key], version);
}

static bool
was_well(uint64_t since, const struct read_check *read)
{
    return since != UINT64_MAX && since + HEALING <= read->arrived;
}

void
check_read_begin(struct read_check *read)
{
    uint64_t now = sim_now();
    /* By a clock that is half a per cent wrong. */
    uint64_t bound = BOUND + BOUND / 100;

    read->arrived = now;
    read->held = held[read->node][read->key] != 0;
    for (unsigned i = 0; i < node_count; i++)
        read->peer_held[i] =
            held[i][read->key] != 0 && was_well(held[i][read->key], read);
    read->need = 1;
    switch (level_of(read->key)) {
    case LEVEL_CP:
        read->need = origin_version(read->key);
        break;
    case LEVEL_LEASE:
        raise_to(&read->need, acknowledged[read->key]);
        break;
    case LEVEL_BOUNDED:
        if (now > bound)
            read->need = origin_version_at(read->key, now - bound);
        break;
    case LEVEL_SESSION:
        if (read->session < SESSIONS)
            raise_to(&read->need, seen[read->session][read->key]);
        break;
    case LEVEL_AP:
    case LEVELS:
        break;
    }
    raise_to(&read->need, kept[read->node][read->key]);
    if (read->final)
        raise_to(&read->need, promised[read->key]);
}

/* Whether it can know of others: from a Redis. */
static bool
knows_members(const struct read_check *read)
{
    for (unsigned i = 0; i < site_count; i++) {
        if (was_well(redis_well_since(i), read) &&
            was_well(net_well_since(PLACE_NODE + (int)read->node,
                                    PLACE_REDIS + (int)i),
                     read))
            return true;
    }
    return false;
}

static bool
peer_holds(const struct read_check *read)
{
    for (unsigned i = 0; i < node_count && !stepped; i++) {
        if (i != read->node && read->peer_held[i] &&
            was_well(node_well_since(i), read) &&
            was_well(net_well_since(PLACE_NODE + (int)read->node,
                                    PLACE_NODE + (int)i),
                     read))
            return true;
    }
    return false;
}

/* An `ap` route answers, when its node has a copy, or could reach the origin,
 * or somebody who has one, all along. */
static const char *
owes_answer(const struct read_check *read)
{
    if (!was_well(node_well_since(read->node), read))
        return NULL;
    if (read->held && !gone[read->key])
        return "it had a copy";
    if (was_well(origin_well_since(), read) &&
        was_well(net_well_since(PLACE_NODE + (int)read->node, PLACE_ORIGIN),
                 read))
        return "the origin could be reached";
    return !gone[read->key] && knows_members(read) && peer_holds(read)
               ? "a peer had a copy"
               : NULL;
}

void
check_read_end(const struct read_check *read, unsigned status, uint64_t value,
               bool local)
{
    enum level level = level_of(read->key);

    if (status != 200) {
        const char *why = level == LEVEL_AP ? owes_answer(read) : NULL;

        totals.failures[level]++;
        if (read->final)
            why = "all was well again";
        if (why != NULL)
            check_report("available", "key %u (%s) at node %u: %u, and %s",
                         read->key, level_names[level], read->node, status,
                         why);
        return;
    }
    if (level == LEVEL_AP && !gone[read->key] &&
        held[read->node][read->key] == 0)
        held[read->node][read->key] = sim_now();
    totals.answers[level]++;
    totals.local[level] += local;
    if (value > origin_version(read->key) || value == 0)
        check_report("invented", "key %u at node %u: version %llu", read->key,
                     read->node, (unsigned long long)value);
    if (value < read->need)
        check_report(read->final ? "converged" : level_names[level],
                     "key %u (%s) at node %u: a request of %.6f got version "
                     "%llu; %llu was owed",
                     read->key, level_names[level], read->node,
                     (double)read->arrived / (double)S,
                     (unsigned long long)value, (unsigned long long)read->need);
    check_session(read->session, read->key, value);
}
