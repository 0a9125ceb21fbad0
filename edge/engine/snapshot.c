/* A configuration in force, with what each route means made ready for use. */
#include "base/clock.h"
#include "base/mem.h"
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define S_OF_MS(ms) ((ms) / 1000)

static struct key_names
names_new(const struct conf_strings *strings)
{
    struct span *list = mem_alloc(strings->count * sizeof(*list));

    for (size_t i = 0; i < strings->count; i++)
        list[i] = span_of(strings->list[i]);
    return (struct key_names){list, strings->count};
}

static struct key_names
passing_new(const struct conf_route *route)
{
    const struct conf_strings *keyed = &route->key.headers;
    const struct conf_strings *passing = &route->forward.headers;
    struct span *list =
        mem_alloc((keyed->count + passing->count) * sizeof(*list));
    size_t count = 0;

    for (size_t i = 0; i < keyed->count; i++)
        list[count++] = span_of(keyed->list[i]);
    for (size_t i = 0; i < passing->count; i++)
        list[count++] = span_of(passing->list[i]);
    return (struct key_names){list, count};
}

static void
names_fini(struct key_names *names)
{
    free((void *)(uintptr_t)names->list);
    *names = (struct key_names){0};
}

static struct key_policy
key_policy_of(const struct conf_route *route)
{
    const struct conf_key *key = &route->key;
    struct key_names codings = names_new(&route->encodings);

    static const enum key_query modes[] = {
        [CONF_QUERY_ALL] = KEY_QUERY_ALL,
        [CONF_QUERY_NONE] = KEY_QUERY_NONE,
        [CONF_QUERY_ALLOW] = KEY_QUERY_ALLOW,
        [CONF_QUERY_DENY] = KEY_QUERY_DENY,
    };

    return (struct key_policy){
        .query = modes[key->query.mode],
        .sort_query = key->query.sort,
        .ignore_path_case = key->ignore_case,
        .query_names = names_new(&key->query.names),
        .headers = names_new(&key->headers),
        .cookies = names_new(&key->cookies),
        .codings = {codings.list, codings.count},
    };
}

static uint64_t
seconds_or_unset(uint64_t ms)
{
    return ms == CONF_UNSET ? CACHING_UNSET : S_OF_MS(ms);
}

/* "404", or "4xx" for all of a class. */
static struct caching_status_ttl
status_ttl_of(const struct conf_duration *duration)
{
    const char *key = duration->key;
    int hundreds = (key[0] - '0') * 100;
    bool class = key[1] == 'x';
    int rest = class ? 0 : (key[1] - '0') * 10 + (key[2] - '0');

    return (struct caching_status_ttl){
        .first = hundreds + rest,
        .last = class ? hundreds + 99 : hundreds + rest,
        .ttl_s = S_OF_MS(duration->ms),
    };
}

/* Statuses of their own stand before the classes: the first row counts. */
static struct caching_status_ttl *
status_ttls_new(const struct conf_durations *durations)
{
    struct caching_status_ttl *list =
        mem_alloc(durations->count * sizeof(*list));
    size_t count = 0;

    for (int classes = 0; classes < 2; classes++) {
        for (size_t i = 0; i < durations->count; i++) {
            struct caching_status_ttl row = status_ttl_of(&durations->list[i]);

            if ((row.last > row.first) == (classes == 1))
                list[count++] = row;
        }
    }
    return list;
}

static struct caching_policy
caching_policy_of(const struct conf_route *route)
{
    const struct conf_ttl *ttl = &route->ttl;
    struct key_names targets = names_new(&route->targets);

    return (struct caching_policy){
        .targets = targets.list,
        .target_count = targets.count,
        .surrogate_device =
            route->surrogate[0] != '\0' ? span_of(route->surrogate) : SPAN_NONE,
        .status_ttl = status_ttls_new(&ttl->status),
        .status_ttl_count = ttl->status.count,
        .default_s = S_OF_MS(ttl->default_ms),
        .min_s = S_OF_MS(ttl->min_ms),
        .max_s = seconds_or_unset(ttl->max_ms),
        .override_s = seconds_or_unset(ttl->override_ms),
        .stale_while_revalidate_s = S_OF_MS(ttl->stale_while_revalidate_ms),
        .stale_if_error_s = S_OF_MS(ttl->stale_if_error_ms),
        .heuristic_percent = (unsigned)ttl->heuristic_percent,
        .heuristic_max_s = S_OF_MS(ttl->heuristic_max_ms),
        .store_set_cookie = route->set_cookie == CONF_SET_COOKIE_STORE,
    };
}

/* The group of the old snapshot that has the same servers keeps its health. */
static struct origin *
origin_for(const struct conf_origin *conf, const struct snapshot *old)
{
    for (size_t i = 0; old != NULL && i < old->conf->origin_count; i++) {
        const struct conf_origin *before = &old->conf->origins[i];
        bool same = strcmp(before->name, conf->name) == 0 &&
                    before->servers.count == conf->servers.count;

        for (size_t j = 0; same && j < conf->servers.count; j++)
            same = strcmp(before->servers.list[j], conf->servers.list[j]) == 0;
        if (same)
            return origin_ref(old->origins[i]);
    }
    return origin_new(conf->name, conf->servers.list, conf->servers.count);
}

static void
policy_init(struct policy *policy, const struct conf *conf,
            const struct conf_route *route, struct origin *origin)
{
    *policy = (struct policy){
        .route = route,
        .plan = {.needs = level_needs(route->consistency), .pass = route->pass},
        .caching = caching_policy_of(route),
        .key = key_policy_of(route),
        .passing = passing_new(route),
        .origin = origin,
        .max_stale_s = S_OF_MS(route->ttl.max_stale_ms),
        .max_staleness_ns = route->max_staleness_ms * NS_PER_MS,
        .writers = conf_route_writers(conf, route),
    };
}

static void
policy_fini(struct policy *policy)
{
    names_fini(&policy->key.query_names);
    names_fini(&policy->key.headers);
    names_fini(&policy->key.cookies);
    names_fini(&policy->passing);
    free((void *)(uintptr_t)policy->key.codings.list);
    free((void *)(uintptr_t)policy->caching.targets);
    free((void *)(uintptr_t)policy->caching.status_ttl);
}

struct snapshot *
snapshot_new(struct conf *conf, const struct snapshot *old)
{
    struct snapshot *snapshot = mem_zalloc(sizeof(*snapshot));

    atomic_init(&snapshot->refs, 1);
    snapshot->conf = conf_ref(conf);
    snapshot->router = router_new(conf);
    snapshot->origins =
        mem_zalloc(conf->origin_count * sizeof(struct origin *));
    for (size_t i = 0; i < conf->origin_count; i++)
        snapshot->origins[i] = origin_for(&conf->origins[i], old);
    snapshot->policies =
        mem_zalloc(conf->route_count * sizeof(*snapshot->policies));
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        policy_init(&snapshot->policies[i], conf, route,
                    snapshot->origins[route->origin - conf->origins]);
    }
    snapshot->purge_sites = conf_purge_sites(conf);
    return snapshot;
}

struct snapshot *
snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    return snapshot;
}

void
snapshot_unref(struct snapshot **snapshot)
{
    struct snapshot *s = *snapshot;

    *snapshot = NULL;
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->conf->route_count; i++)
        policy_fini(&s->policies[i]);
    for (size_t i = 0; i < s->conf->origin_count; i++)
        origin_unref(&s->origins[i]);
    free(s->policies);
    free(s->origins);
    router_free(&s->router);
    conf_unref(&s->conf);
    free(s);
}

const struct policy *
snapshot_find(const struct snapshot *snapshot, struct span host,
              struct span path, struct span method)
{
    const struct conf_route *route =
        router_find(snapshot->router, host, path, method);

    if (route == NULL)
        return NULL;
    return &snapshot->policies[route - snapshot->conf->routes];
}
