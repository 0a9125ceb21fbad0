/* A configuration in force, with what each route means made ready for use. */
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

static void
names_fini(struct key_names *names)
{
    free((void *)(uintptr_t)names->list);
    *names = (struct key_names){0};
}

static struct key_policy
key_policy_of(const struct conf_key *key)
{
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
    };
}

static uint64_t
seconds_or_unset(uint64_t ms)
{
    return ms == CONF_UNSET ? CACHING_UNSET : S_OF_MS(ms);
}

static struct caching_policy
caching_policy_of(const struct conf_route *route)
{
    const struct conf_ttl *ttl = &route->ttl;

    return (struct caching_policy){
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

        snapshot->policies[i] = (struct policy){
            .route = route,
            .plan = {.level = route->consistency, .pass = route->pass},
            .caching = caching_policy_of(route),
            .key = key_policy_of(&route->key),
            .origin = snapshot->origins[route->origin - conf->origins],
            .max_stale_s = S_OF_MS(route->ttl.max_stale_ms),
        };
    }
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
    for (size_t i = 0; i < s->conf->route_count; i++) {
        names_fini(&s->policies[i].key.query_names);
        names_fini(&s->policies[i].key.headers);
        names_fini(&s->policies[i].key.cookies);
    }
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
