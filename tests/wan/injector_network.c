/* Faults of the network. Each lists the directions that it has to do with. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "injector.h"

/* ---- directions ---- */

static void
add_pair(struct fault *fault, size_t from, size_t to)
{
    CHECK(fault->pair_count < INJECTOR_PAIRS);
    fault->pairs[fault->pair_count++] =
        (struct pair){(uint8_t)from, (uint8_t)to};
}

static bool
of_site(const struct injector *lab, size_t index, const char *site)
{
    return strcmp(lab->places.list[index].site, site) == 0;
}

static void
add_sites(const struct injector *lab, struct fault *fault, const char *from,
          const char *to)
{
    for (size_t i = 0; i < lab->places.count; i++) {
        for (size_t k = 0; k < lab->places.count; k++) {
            if (of_site(lab, i, from) && of_site(lab, k, to))
                add_pair(fault, i, k);
        }
    }
}

/* One way, the other, or both. */
static void
add_some_way(struct injector *lab, struct fault *fault, size_t a, size_t b)
{
    uint64_t way = injector_random(lab, 4);

    if (way != 0)
        add_pair(fault, a, b);
    if (way != 1)
        add_pair(fault, b, a);
}

static void
name_pairs(const struct injector *lab, struct fault *fault)
{
    struct buf on = {0};

    for (size_t i = 0; i < fault->pair_count; i++)
        buf_printf(&on, "%s%s>%s", i > 0 ? "," : "",
                   lab->places.list[fault->pairs[i].from].name,
                   lab->places.list[fault->pairs[i].to].name);
    fault->on = buf_steal(&on);
}

/* ---- cuts ---- */

static bool
cut(struct injector *lab, struct fault *fault)
{
    name_pairs(lab, fault);
    for (size_t i = 0; i < fault->pair_count; i++)
        links_cut(lab, &fault->pairs[i]);
    return true;
}

static bool
heal_cut(struct injector *lab, struct fault *fault)
{
    for (size_t i = 0; i < fault->pair_count; i++)
        links_heal(lab, &fault->pairs[i]);
    return true;
}

/* Two nodes whose sites differ. */
static void
two_sites(struct injector *lab, const char **a, const char **b)
{
    do {
        *a = lab->places.list[injector_random(lab, lab->places.count)].site;
        *b = lab->places.list[injector_random(lab, lab->places.count)].site;
    } while (strcmp(*a, *b) == 0);
}

static bool
begin_partition(struct injector *lab, struct fault *fault)
{
    const char *a, *b;

    two_sites(lab, &a, &b);
    add_sites(lab, fault, a, b);
    add_sites(lab, fault, b, a);
    return cut(lab, fault);
}

static bool
begin_one_way(struct injector *lab, struct fault *fault)
{
    const char *a, *b;

    two_sites(lab, &a, &b);
    add_sites(lab, fault, a, b);
    return cut(lab, fault);
}

/* A site from all others, and from the origin. */
static bool
begin_isolate(struct injector *lab, struct fault *fault)
{
    size_t node = injector_random(lab, lab->places.count);
    const char *site = lab->places.list[node].site;

    for (size_t i = 0; i < lab->places.count; i++) {
        for (size_t k = 0; k < lab->places.count; k++) {
            if (of_site(lab, i, site) != of_site(lab, k, site))
                add_pair(fault, i, k);
        }
    }
    return cut(lab, fault);
}

/* A random place of this role, busy or not. */
static size_t
any(struct injector *lab, enum place_role role)
{
    size_t index;

    do
        index = injector_random(lab, lab->places.count);
    while (lab->places.list[index].role != role);
    return index;
}

static bool
begin_between(struct injector *lab, struct fault *fault, enum place_role role)
{
    size_t node = any(lab, PLACE_NODE);
    size_t other = any(lab, role);

    if (node == other)
        return false;
    add_some_way(lab, fault, node, other);
    return cut(lab, fault);
}

static bool
begin_redis_cut(struct injector *lab, struct fault *fault)
{
    return begin_between(lab, fault, PLACE_REDIS);
}

static bool
begin_origin_cut(struct injector *lab, struct fault *fault)
{
    return begin_between(lab, fault, PLACE_ORIGIN);
}

static bool
begin_peer_cut(struct injector *lab, struct fault *fault)
{
    return begin_between(lab, fault, PLACE_NODE);
}

const struct fault_kind fault_partition = {"partition",     4,       500, 6000,
                                           begin_partition, heal_cut};
const struct fault_kind fault_one_way = {"one-way",     4,       500, 6000,
                                         begin_one_way, heal_cut};
const struct fault_kind fault_isolate = {"isolate",     2,       500, 4000,
                                         begin_isolate, heal_cut};
const struct fault_kind fault_redis_cut = {"redis-cut",     6,       300, 8000,
                                           begin_redis_cut, heal_cut};
const struct fault_kind fault_origin_cut = {
    "origin-cut", 5, 300, 5000, begin_origin_cut, heal_cut};
const struct fault_kind fault_peer_cut = {"peer-cut",     3,       300, 5000,
                                          begin_peer_cut, heal_cut};

/* ---- weather ---- */

static bool
begin_weather(struct injector *lab, struct fault *fault, double delay_times,
              double loss)
{
    const char *a, *b;

    two_sites(lab, &a, &b);
    add_sites(lab, fault, a, b);
    add_sites(lab, fault, b, a);
    const struct pair *pair = &fault->pairs[0];

    if (lab->weather[pair->from][pair->to])
        return false;
    name_pairs(lab, fault);
    for (size_t i = 0; i < fault->pair_count; i++) {
        pair = &fault->pairs[i];
        lab->weather[pair->from][pair->to] = true;
        links_weather(lab, pair, delay_times, loss);
    }
    return true;
}

static bool
heal_weather(struct injector *lab, struct fault *fault)
{
    for (size_t i = 0; i < fault->pair_count; i++) {
        const struct pair *pair = &fault->pairs[i];

        lab->weather[pair->from][pair->to] = false;
        links_reset(lab, pair);
    }
    return true;
}

static bool
begin_slow(struct injector *lab, struct fault *fault)
{
    return begin_weather(lab, fault, 2 + (double)injector_random(lab, 5), 0);
}

static bool
begin_lossy(struct injector *lab, struct fault *fault)
{
    return begin_weather(lab, fault, 1,
                         0.02 + (double)injector_random(lab, 20) / 100);
}

const struct fault_kind fault_slow = {"slow", 2,          1000,
                                      6000,   begin_slow, heal_weather};
const struct fault_kind fault_lossy = {"lossy", 2,           1000,
                                       6000,    begin_lossy, heal_weather};
