/* The rules over several options of routes and origin groups. */
#include <string.h>

#include "base/check.h"
#include "conf/conf_internal.h"

static void
check_origin_name(const struct conf *conf, const struct conf_route *route,
                  const struct conf_tree *item, struct conf_problems *problems)
{
    struct conf_nearest nearest = conf_nearest_to(route->origin_name);
    struct buf hint = {0};

    if (route->origin_name[0] == '\0' ||
        conf_origin(conf, route->origin_name) != NULL)
        return;
    for (size_t i = 0; i < conf->origin_count; i++)
        conf_nearest_offer(&nearest, conf->origins[i].name);
    conf_nearest_add(&nearest, &hint);
    conf_error_at(problems, item, "origin",
                  "expected the name of one of the origins, found \"%s\"%s",
                  route->origin_name, hint.data ? hint.data : "");
    buf_fini(&hint);
}

/* The writers are sites that have a stream. */
static bool
check_writers(const struct conf *conf, const struct conf_route *route,
              const struct conf_tree *item, struct conf_problems *problems)
{
    bool known = true;

    for (size_t i = 0; i < route->writers.count; i++) {
        const char *name = route->writers.list[i];
        const struct conf_site *site = conf_site(conf, name);
        struct conf_nearest nearest = conf_nearest_to(name);
        struct buf hint = {0};

        if (site != NULL && site->redis[0] != '\0')
            continue;
        for (size_t k = 0; k < conf->site_count; k++) {
            if (conf->sites[k].redis[0] != '\0')
                conf_nearest_offer(&nearest, conf->sites[k].name);
        }
        conf_nearest_add(&nearest, &hint);
        conf_error_at(problems, item, "writers",
                      "expected names of sites that have \"redis\", found "
                      "\"%s\"%s",
                      name, hint.data ? hint.data : "");
        buf_fini(&hint);
        known = false;
    }
    return known;
}

/* An invalidation by tag may concern all routes: there is a site in whose
 * stream it may stand for all of them. */
static void
check_common_writer(const struct conf *conf, struct conf_tree *root,
                    struct conf_problems *problems)
{
    bool needed = false;

    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        needed |= (route->consistency == CONF_LEASE || route->tighten) &&
                  conf_route_writers(conf, route) != 0;
    }
    if (needed && conf_purge_sites(conf) == 0)
        conf_error_at(problems, root, "routes",
                      "expected a site that is among the \"writers\" of all "
                      "`lease` routes (and of those with \"tighten\"), found "
                      "none: an invalidation by tag could stand nowhere");
}

/* A method that both match, "any method" when both match all, or NULL. */
static const char *
shared_method(const struct conf_strings *a, const struct conf_strings *b)
{
    if (a->count == 0 && b->count == 0)
        return "any method";
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = 0; j < b->count; j++) {
            if (strcmp(a->list[i], b->list[j]) == 0)
                return a->list[i];
        }
    }
    return NULL;
}

/* Of a wrong match only defaults are known, which are no twins of anything. */
static bool
match_sound(const struct conf_tree *item)
{
    const struct conf_tree *match = conf_tree_get(item, "match");

    if (match == NULL)
        return true;
    for (const struct conf_tree *at = match->first; at; at = at->next) {
        if (at->bad)
            return false;
    }
    return !match->bad;
}

/* `first` is of the first route, `item` of this one. */
static void
check_twins(const struct conf *conf, size_t i, const struct conf_tree *first,
            const struct conf_tree *item, struct conf_problems *problems)
{
    const struct conf_route *route = &conf->routes[i];

    for (size_t j = 0; j < i; j++, first = first->next) {
        const struct conf_route *other = &conf->routes[j];

        if (route->name[0] != '\0' && strcmp(route->name, other->name) == 0)
            conf_error_at(problems, item, "name",
                          "expected a name of its own, found \"%s\" again",
                          route->name);
        if (!match_sound(first) || !match_sound(item) ||
            strcmp(route->match.path, other->match.path) != 0 ||
            strcmp(route->match.host, other->match.host) != 0)
            continue;
        const char *method =
            shared_method(&route->match.methods, &other->match.methods);

        if (method != NULL)
            conf_error_at(problems, item, "match",
                          "expected a host, path and methods of its own, "
                          "found those of routes[%zu] \"%s\": host \"%s\", "
                          "path \"%s\", %s",
                          j, other->name, route->match.host, route->match.path,
                          method);
    }
}

/* Ages and lifetimes in HTTP are whole seconds (RFC 9111 section 1.2.2). */
static void
check_seconds(const struct conf_tree *ttl, const char *name, uint64_t ms,
              struct conf_problems *problems)
{
    struct buf found = {0};

    if (ms == CONF_UNSET || ms % 1000 == 0)
        return;
    conf_format_duration(ms, &found);
    conf_error_at(problems, ttl, name, "expected whole seconds, found %s",
                  found.data);
    buf_fini(&found);
}

static void
check_all_seconds(const struct conf_route *route, const struct conf_tree *item,
                  struct conf_problems *problems)
{
    const struct conf_ttl *ttl = &route->ttl;
    const struct conf_tree *tree = conf_tree_get(item, "ttl");
    const struct {
        const char *name;
        uint64_t ms;
    } rows[] = {
        {"default", ttl->default_ms},
        {"min", ttl->min_ms},
        {"max", ttl->max_ms},
        {"override", ttl->override_ms},
        {"stale_while_revalidate", ttl->stale_while_revalidate_ms},
        {"stale_if_error", ttl->stale_if_error_ms},
        {"max_stale", ttl->max_stale_ms},
        {"heuristic_max", ttl->heuristic_max_ms},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_seconds(tree, rows[i].name, rows[i].ms, problems);
    for (size_t i = 0; i < ttl->status.count; i++)
        check_seconds(conf_tree_get(tree, "status"), ttl->status.list[i].key,
                      ttl->status.list[i].ms, problems);
}

static void
check_ttl(const struct conf_route *route, const struct conf_tree *item,
          struct conf_problems *problems)
{
    struct buf min = {0};
    struct buf max = {0};

    if (route->ttl.min_ms <= route->ttl.max_ms)
        return;
    conf_format_duration(route->ttl.min_ms, &min);
    conf_format_duration(route->ttl.max_ms, &max);
    conf_error_at(problems, conf_tree_get(item, "ttl"), "min",
                  "expected at most \"max\", which is %s, found %s", max.data,
                  min.data);
    buf_fini(&min);
    buf_fini(&max);
}

static void
check_query(const struct conf_route *route, const struct conf_tree *item,
            struct conf_problems *problems)
{
    const struct conf_query_key *query = &route->key.query;
    const struct conf_tree *tree =
        conf_tree_get(conf_tree_get(item, "key"), "query");
    const struct conf_tree *names = conf_tree_get(tree, "names");
    const struct conf_tree *mode = conf_tree_get(tree, "mode");
    bool listed =
        query->mode == CONF_QUERY_ALLOW || query->mode == CONF_QUERY_DENY;

    if ((names != NULL && names->bad) || (mode != NULL && mode->bad))
        return;
    if (listed && query->names.count == 0)
        conf_error_at(problems, tree, "names",
                      "expected the parameters that \"mode\" means, found "
                      "none");
    else if (!listed && query->names.count > 0)
        conf_error_at(problems, tree, "names",
                      "expected no names unless \"mode\" is \"allow\" or "
                      "\"deny\"");
}

/* Lifetimes that were written down and can have no effect. */
static void
check_idle_ttl(const struct conf_route *route, const struct conf_tree *item,
               struct conf_problems *problems)
{
    static const char *const stale[] = {"stale_while_revalidate",
                                        "stale_if_error", "max_stale"};
    const struct conf_tree *ttl = conf_tree_get(item, "ttl");

    if (route->pass && ttl != NULL && ttl->first != NULL)
        conf_warning_at(problems, ttl, NULL,
                        "has no effect: \"pass\" stores nothing");
    for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
        if (route->consistency == CONF_CP && !route->pass &&
            conf_tree_get(ttl, stale[i]) != NULL)
            conf_warning_at(problems, ttl, stale[i],
                            "has no effect: \"cp\" serves nothing stale");
    }
}

static void
check_purge(const struct conf *conf, const struct conf_route *route,
            const struct conf_tree *item, struct conf_problems *problems)
{
    if (route->purge && conf->admin.token[0] == '\0' &&
        conf->admin.token_file[0] == '\0')
        conf_error_at(problems, item, "purge",
                      "expected \"admin.token\" or \"admin.token_file\" "
                      "beside it, found neither: nobody could purge");
}

/* The promise is kept over a crash only with something on the disk. */
static void
check_intents(const struct conf *conf, const struct conf_route *route,
              const struct conf_tree *item, struct conf_problems *problems)
{
    bool writes =
        route->consistency == CONF_LEASE || route->write_wait != CONF_WAIT_NONE;

    if (writes && conf->state_dir[0] == '\0' &&
        conf_route_writers(conf, route) != 0)
        conf_warning_at(problems, item, NULL,
                        "a write that breaks off, or whose node ends before "
                        "it is answered, may invalidate nothing: set "
                        "\"state_dir\", where what writes intend is kept");
}

/* A plain loop: groups are few. */
static void
check_unused(const struct conf *conf, const struct conf_tree *root,
             struct conf_problems *problems)
{
    const struct conf_tree *origins = conf_tree_get(root, "origins");

    for (size_t i = 0; i < conf->origin_count; i++) {
        bool used = false;

        for (size_t j = 0; j < conf->route_count && !used; j++)
            used =
                strcmp(conf->origins[i].name, conf->routes[j].origin_name) == 0;
        if (!used)
            conf_warning_at(problems, origins, conf->origins[i].name,
                            "no route uses this group");
    }
}

void
conf_check_routes(const struct conf *conf, struct conf_tree *root,
                  struct conf_problems *problems)
{
    const struct conf_tree *list = conf_tree_get(root, "routes");
    const struct conf_tree *item = list ? list->first : NULL;
    bool writers_known = true;

    for (size_t i = 0; i < conf->route_count && item; i++, item = item->next) {
        const struct conf_route *route = &conf->routes[i];

        check_origin_name(conf, route, item, problems);
        check_twins(conf, i, list->first, item, problems);
        check_ttl(route, item, problems);
        check_all_seconds(route, item, problems);
        check_query(route, item, problems);
        check_idle_ttl(route, item, problems);
        check_purge(conf, route, item, problems);
        check_intents(conf, route, item, problems);
        writers_known &= check_writers(conf, route, item, problems);
    }
    if (writers_known)
        check_common_writer(conf, root, problems);
    check_unused(conf, root, problems);
    if (conf->route_count == 0 && (list == NULL || !list->bad))
        conf_warning_at(problems, root, "routes",
                        "there are none: every request is answered 404");
}
