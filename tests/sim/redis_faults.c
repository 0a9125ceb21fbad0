/* The Redis servers: what becomes of them. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "redis_internal.h"

/* Of each site one; and behind them, for each, the other one of a split. */
static struct redis *servers;
static unsigned server_count;
static bool replicated;

struct redis *
redis_at(unsigned server)
{
    return &servers[server];
}

static void
data_fini(struct data *data)
{
    for (size_t i = 0; i < data->count; i++)
        stored_unref(data->entries[i]);
    for (size_t i = 0; i < data->node_count; i++)
        free(data->node_rows[i].payload);
    for (size_t i = 0; i < data->once_count; i++)
        free(data->once[i].key);
    memset(data, 0, sizeof(*data));
}

void
redis_copy(struct data *to, const struct data *from)
{
    data_fini(to);
    *to = *from;
    for (size_t i = 0; i < to->count; i++)
        to->entries[i]->refs++;
    for (size_t i = 0; i < to->node_count; i++)
        to->node_rows[i].payload = mem_strdup(from->node_rows[i].payload);
    for (size_t i = 0; i < to->once_count; i++)
        to->once[i].key = mem_strdup(from->once[i].key);
}

/* ---- faults ---- */

bool
redis_answers(unsigned server, uint64_t *later)
{
    const struct redis *redis = &servers[server];

    *later = redis->down ? 0 : redis->paused_to;
    return !redis->down && redis->paused_to <= sim_now();
}

uint64_t
redis_life(unsigned server)
{
    return servers[server].life;
}

uint64_t
redis_well_since(unsigned site)
{
    const struct redis *redis = &servers[site];

    if (redis->down || redis->paused_to > sim_now())
        return UINT64_MAX;
    return redis->paused_to > redis->well_since ? redis->paused_to
                                                : redis->well_since;
}

void
redis_checkpoint(unsigned site)
{
    if (!servers[site].alone)
        redis_copy(&servers[site].before, &servers[site].now);
}

void
redis_down(unsigned site)
{
    servers[site].down = true;
    servers[site].life++;
    bus_broken(site);
}

static void
trim(struct data *data)
{
    size_t keep = chance_below(3);
    size_t drop = data->count > keep ? data->count - keep : 0;

    for (size_t i = 0; i < drop; i++)
        stored_unref(data->entries[i]);
    memmove(data->entries, data->entries + drop,
            (data->count - drop) * sizeof(struct stored *));
    data->count -= drop;
}

void
redis_fault(unsigned site, enum redis_fault fault)
{
    struct redis *redis = &servers[site];

    if (fault == REDIS_TRIMMED) {
        trim(&redis->now);
        return;
    }
    if (fault == REDIS_LOST)
        redis_copy(&redis->now, &redis->before);
    else if (fault == REDIS_WIPED)
        data_fini(&redis->now);
    redis->term = chance() | 1;
}

void
redis_up(unsigned site)
{
    servers[site].down = false;
    servers[site].well_since = sim_now();
}

void
redis_pause(unsigned site, uint64_t until_ns)
{
    servers[site].paused_to = until_ns;
}

/* ---- two primaries ---- */

void
redis_split(unsigned site, uint64_t with_the_new)
{
    struct redis *old = &servers[site], *new = &servers[site_count + site];

    if (!replicated || old->alone || old->down)
        return;
    redis_copy(&new->now, &old->before);
    new->term = chance() | 1;
    new->life++;
    new->down = false;
    new->well_since = sim_now();
    old->alone = true;
    new->alone = true;
    old->moved = with_the_new;
    bus_broken(site);
}

void
redis_unsplit(unsigned site)
{
    struct redis *old = &servers[site], *new = &servers[site_count + site];

    if (!old->alone)
        return;
    old->life++;
    new->life++;
    redis_copy(&old->now, &new->now);
    redis_copy(&old->before, &new->now);
    old->term = new->term;
    old->alone = false;
    old->moved = 0;
    old->down = false;
    old->well_since = sim_now();
    bus_broken(site);
}

unsigned
redis_server(unsigned site, int place)
{
    return (servers[site].moved >> place & 1) != 0 ? site_count + site : site;
}

bool
redis_replicated(void)
{
    return replicated;
}

/* ---- life ---- */

void
redis_reset(unsigned sites, bool with_replicas)
{
    redis_free();
    replicated = with_replicas;
    server_count = 2 * sites;
    servers = mem_zalloc(server_count * sizeof(*servers));
    for (unsigned i = 0; i < server_count; i++) {
        list_init(&servers[i].listeners);
        servers[i].term = chance() | 1;
    }
}

void
redis_free(void)
{
    for (unsigned i = 0; i < server_count; i++) {
        data_fini(&servers[i].now);
        data_fini(&servers[i].before);
        CHECK(list_empty(&servers[i].listeners));
    }
    free(servers);
    servers = NULL;
    server_count = 0;
}
