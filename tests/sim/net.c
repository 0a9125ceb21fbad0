/* Who reaches whom, and how long it takes. */
#include <string.h>

#include "sim.h"

struct way {
    unsigned cuts; /* faults may overlap */
    unsigned deaf;
    unsigned slow; /* times as long */
    uint64_t delay_ns;
    uint64_t well_since;
};

static struct way ways[PLACES][PLACES];

void
net_reset(void)
{
    memset(ways, 0, sizeof(ways));
    for (int a = 0; a < PLACES; a++) {
        for (int b = 0; b < PLACES; b++) {
            ways[a][b].delay_ns = 200 * US;
            ways[a][b].slow = 1;
        }
    }
}

void
net_cut(int from, int to, bool cut)
{
    struct way *way = &ways[from][to];

    if (cut)
        way->cuts++;
    else if (way->cuts > 0 && --way->cuts == 0)
        way->well_since = sim_now();
}

void
net_cut_both(int a, int b, bool cut)
{
    net_cut(a, b, cut);
    net_cut(b, a, cut);
}

bool
net_up(int from, int to)
{
    return ways[from][to].cuts == 0;
}

void
net_delay(int a, int b, uint64_t ns)
{
    ways[a][b].delay_ns = ns;
    ways[b][a].delay_ns = ns;
}

void
net_slow(int from, int to, uint64_t delay_ns)
{
    struct way *way = &ways[from][to];
    uint64_t usual = way->delay_ns;

    way->slow = 1;
    if (delay_ns > usual && usual > 0)
        way->slow = (unsigned)(delay_ns / usual) + 1;
    way->well_since = sim_now();
}

void
net_deafen(int redis, int node, bool deaf)
{
    struct way *way = &ways[redis][node];

    if (deaf)
        way->deaf++;
    else if (way->deaf > 0)
        way->deaf--;
}

bool
net_deaf(int redis, int node)
{
    return ways[redis][node].deaf > 0;
}

uint64_t
net_latency(int from, int to)
{
    const struct way *way = &ways[from][to];
    uint64_t low = way->delay_ns * way->slow;

    return chance_delay(low, low * 3);
}

static uint64_t
way_well_since(const struct way *way)
{
    return way->cuts > 0 || way->slow > 1 ? UINT64_MAX : way->well_since;
}

uint64_t
net_well_since(int a, int b)
{
    uint64_t there = way_well_since(&ways[a][b]);
    uint64_t back = way_well_since(&ways[b][a]);

    return there > back ? there : back;
}
