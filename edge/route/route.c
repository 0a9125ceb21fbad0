/*
 * Longest-match routing.
 *
 * Hosts lie in a hash table: exact ones as they are, "*.example.com" as
 * ".example.com"; "*" stands apart. Each host has its paths, sorted by bytes,
 * every one linked to the longest of the others that it begins with. The last
 * path that is not greater than the request's begins with every path of the
 * host that the request's begins with; so one binary search and a walk up the
 * links find all candidates, longest first.
 */
#include "route/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "conf/conf.h"

#define ROUTER_TAG 0x524f5554u
#define NO_PARENT SIZE_MAX
/* RFC 1035 section 2.3.4; a longer host can match "*" only. */
#define HOST_MAX_LEN 253

/* Routes that differ in their methods alone; those that list some first. */
struct choices {
    const struct conf_route **list;
    size_t count;
    size_t cap;
};

struct path {
    struct span text; /* without the "*" */
    struct choices exact;
    struct choices prefix;
    size_t parent; /* the longest other path that this one begins with */
};

struct host {
    struct span name; /* "example.com", ".example.com", or "" for any */
    struct path *paths;
    size_t count;
    size_t cap;
};

struct router {
    TAG_FIELD;
    struct conf *conf;
    struct host any;
    struct host *hosts;
    size_t host_count;
    size_t host_cap;
    size_t *slots; /* index into hosts plus one; 0 is empty */
    size_t slot_mask;
    size_t wild_max_len; /* of the names that begin with "." */
};

/* ---- hosts ---- */

/* Configured names alone are in the table, so that nobody outside can aim at
 * a slot: the seed may be fixed. */
static size_t
slot_of(const struct router *router, struct span name)
{
    return (size_t)hash_bytes(name, 0).lo & router->slot_mask;
}

static struct host *
host_find(const struct router *router, struct span name)
{
    size_t slot = slot_of(router, name);

    while (router->slots[slot] != 0) {
        struct host *host = &router->hosts[router->slots[slot] - 1];

        if (span_eq(host->name, name))
            return host;
        slot = (slot + 1) & router->slot_mask;
    }
    return NULL;
}

static struct host *
host_add(struct router *router, struct span name)
{
    size_t slot = slot_of(router, name);

    while (router->slots[slot] != 0)
        slot = (slot + 1) & router->slot_mask;
    MEM_GROW(router->hosts, router->host_count, router->host_cap);
    struct host *host = &router->hosts[router->host_count++];

    *host = (struct host){.name = name};
    router->slots[slot] = router->host_count;
    return host;
}

static struct host *
host_of_route(struct router *router, const struct conf_route *route)
{
    struct span name = span_of(route->match.host);

    if (span_eq(name, SPAN("*")))
        return &router->any;
    if (span_starts(name, SPAN("*."))) {
        name = span_sub(name, 1, name.len);
        if (name.len > router->wild_max_len)
            router->wild_max_len = name.len;
    }
    struct host *host = host_find(router, name);

    return host ? host : host_add(router, name);
}

/* ---- building ---- */

/* Paths are sorted and joined later. */
static void
add_route(struct router *router, const struct conf_route *route)
{
    struct host *host = host_of_route(router, route);
    struct span text = span_of(route->match.path);
    bool prefix = text.len > 0 && text.ptr[text.len - 1] == '*';

    MEM_GROW(host->paths, host->count, host->cap);
    struct path *path = &host->paths[host->count++];

    *path = (struct path){.text = span_sub(text, 0, text.len - prefix),
                          .parent = NO_PARENT};
    struct choices *choices = prefix ? &path->prefix : &path->exact;

    MEM_GROW(choices->list, choices->count, choices->cap);
    choices->list[choices->count++] = route;
}

static int
path_order(const void *a, const void *b)
{
    return span_cmp(((const struct path *)a)->text,
                    ((const struct path *)b)->text);
}

static void
move_choices(struct choices *to, struct choices *from)
{
    for (size_t i = 0; i < from->count; i++) {
        MEM_GROW(to->list, to->count, to->cap);
        to->list[to->count++] = from->list[i];
    }
    free(from->list);
}

static int
method_order(const void *a, const void *b)
{
    const struct conf_route *one = *(const struct conf_route *const *)a;
    const struct conf_route *other = *(const struct conf_route *const *)b;

    return (one->match.methods.count == 0) - (other->match.methods.count == 0);
}

static void
sort_choices(struct choices *choices)
{
    if (choices->count > 1)
        qsort(choices->list, choices->count, sizeof(choices->list[0]),
              method_order);
}

/* The nearest path before `i` that it begins with: the one before it, or one
 * of those that one begins with. */
static size_t
parent_of(const struct host *host, size_t i)
{
    size_t at = i == 0 ? NO_PARENT : i - 1;

    while (at != NO_PARENT &&
           !span_starts(host->paths[i].text, host->paths[at].text))
        at = host->paths[at].parent;
    return at;
}

static void
host_finish(struct host *host)
{
    size_t kept = 0;

    if (host->count > 0)
        qsort(host->paths, host->count, sizeof(host->paths[0]), path_order);
    for (size_t i = 0; i < host->count; i++) {
        struct path *path = &host->paths[i];

        if (kept > 0 && span_eq(host->paths[kept - 1].text, path->text)) {
            move_choices(&host->paths[kept - 1].exact, &path->exact);
            move_choices(&host->paths[kept - 1].prefix, &path->prefix);
        } else {
            host->paths[kept++] = *path;
        }
    }
    host->count = kept;
    for (size_t i = 0; i < kept; i++) {
        host->paths[i].parent = parent_of(host, i);
        sort_choices(&host->paths[i].exact);
        sort_choices(&host->paths[i].prefix);
    }
}

struct router *
router_new(struct conf *conf)
{
    struct router *router = mem_zalloc(sizeof(*router));
    size_t slots = 8;

    /* At most half full, so that searches are short. */
    while (slots < 2 * conf->route_count)
        slots *= 2;
    TAG_SET(router, ROUTER_TAG);
    router->conf = conf_ref(conf);
    router->slots = mem_zalloc(slots * sizeof(router->slots[0]));
    router->slot_mask = slots - 1;
    for (size_t i = 0; i < conf->route_count; i++)
        add_route(router, &conf->routes[i]);
    host_finish(&router->any);
    for (size_t i = 0; i < router->host_count; i++)
        host_finish(&router->hosts[i]);
    return router;
}

/* ---- looking up ---- */

static const struct conf_route *
choose(const struct choices *choices, struct span method)
{
    for (size_t i = 0; i < choices->count; i++) {
        const struct conf_strings *methods = &choices->list[i]->match.methods;

        if (methods->count == 0)
            return choices->list[i];
        for (size_t j = 0; j < methods->count; j++) {
            if (span_eq(span_of(methods->list[j]), method))
                return choices->list[i];
        }
    }
    return NULL;
}

/* The last path that is not greater, or NO_PARENT. */
static size_t
last_not_greater(const struct host *host, struct span path)
{
    size_t from = 0;
    size_t to = host->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (span_cmp(host->paths[middle].text, path) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from == 0 ? NO_PARENT : from - 1;
}

static size_t
common_len(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    size_t i = 0;

    while (i < len && a.ptr[i] == b.ptr[i])
        i++;
    return i;
}

static const struct conf_route *
find_path(const struct host *host, struct span path, struct span method)
{
    size_t at = last_not_greater(host, path);
    const struct conf_route *route = NULL;

    if (at == NO_PARENT)
        return NULL;
    /* Those further up are beginnings of this one: no need to compare. */
    size_t common = common_len(host->paths[at].text, path);

    for (; at != NO_PARENT && route == NULL; at = host->paths[at].parent) {
        const struct path *candidate = &host->paths[at];

        if (candidate->text.len > common)
            continue;
        if (candidate->text.len == path.len)
            route = choose(&candidate->exact, method);
        if (route == NULL)
            route = choose(&candidate->prefix, method);
    }
    return route;
}

/* Without port and final dot. */
static struct span
bare_host(struct span host)
{
    size_t from = 0;

    if (host.len > 0 && host.ptr[0] == '[')
        from = span_find(host, ']', 0);
    host = span_sub(host, 0, span_find(host, ':', from));
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    return host;
}

/* `host` is in lower case. */
static const struct conf_route *
find_named(const struct router *router, struct span name, struct span path,
           struct span method)
{
    const struct host *host = host_find(router, name);
    const struct conf_route *route =
        host ? find_path(host, path, method) : NULL;
    size_t dot = span_find(name, '.', 0);

    for (; dot < name.len && route == NULL;
         dot = span_find(name, '.', dot + 1)) {
        struct span suffix = span_sub(name, dot, name.len);

        if (suffix.len > router->wild_max_len || dot == 0)
            continue;
        host = host_find(router, suffix);
        if (host != NULL)
            route = find_path(host, path, method);
    }
    return route;
}

/* Writes the name in lower case; false for what no configured host can be. A
 * name that begins with "." is how "*.NAME" is kept. */
static bool
lower_name(struct span host, char lower[HOST_MAX_LEN], struct span *name)
{
    struct span bare = bare_host(host);

    if (bare.len == 0 || bare.len > HOST_MAX_LEN || bare.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < bare.len; i++) {
        char c = bare.ptr[i];

        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    *name = (struct span){lower, bare.len};
    return true;
}

const struct conf_route *
router_find(const struct router *router, struct span host, struct span path,
            struct span method)
{
    const struct conf_route *route = NULL;
    char lower[HOST_MAX_LEN];
    struct span name;

    TAG_CHECK(router, ROUTER_TAG);
    if (router->host_count > 0 && lower_name(host, lower, &name))
        route = find_named(router, name, path, method);
    return route ? route : find_path(&router->any, path, method);
}

/* ---- the end ---- */

static void
host_fini(struct host *host)
{
    for (size_t i = 0; i < host->count; i++) {
        free(host->paths[i].exact.list);
        free(host->paths[i].prefix.list);
    }
    free(host->paths);
}

void
router_free(struct router **router)
{
    struct router *freed = *router;

    *router = NULL;
    if (freed == NULL)
        return;
    TAG_CHECK(freed, ROUTER_TAG);
    TAG_CLEAR(freed);
    host_fini(&freed->any);
    for (size_t i = 0; i < freed->host_count; i++)
        host_fini(&freed->hosts[i]);
    free(freed->hosts);
    free(freed->slots);
    conf_unref(&freed->conf);
    free(freed);
}
