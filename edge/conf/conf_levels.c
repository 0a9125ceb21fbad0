/*
 * Whether a new configuration promises more of what is stored than the one
 * under which it came there. A weaker level lets in what a stricter one does
 * not: peers' copies, what has no tags, what was written while nobody could be
 * told.
 */
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "conf/conf.h"

static bool
has(const struct conf_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->list[i], text) == 0)
            return true;
    }
    return false;
}

/* Everything in `b` is in `a`; an empty list of writers is all sites. */
static bool
covers(const struct conf_strings *a, const struct conf_strings *b)
{
    if (a->count == 0 || b->count == 0)
        return a->count == 0;
    for (size_t i = 0; i < b->count; i++) {
        if (!has(a, b->list[i]))
            return false;
    }
    return true;
}

/* `ap` promises nothing, and `cp` answers nothing from the store. */
static bool
relies_on_store(const struct conf_route *route)
{
    return !route->pass && route->consistency != CONF_AP &&
           route->consistency != CONF_CP;
}

static bool
is_raised(const struct conf_route *old, const struct conf_route *new)
{
    if (new->require_tags && !old->require_tags && !new->pass)
        return true;
    if (!relies_on_store(new))
        return new->tighten && !old->tighten && !new->pass;
    return new->consistency != old->consistency ||
           !covers(&old->writers, &new->writers) ||
           (new->tighten && !old->tighten);
}

static bool
same_match(const struct conf_match *a, const struct conf_match *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0 &&
           a->methods.count == b->methods.count &&
           (a->methods.count == 0 || (covers(&a->methods, &b->methods) &&
                                      covers(&b->methods, &a->methods)));
}

static bool
same_matches(const struct conf *old, const struct conf *new)
{
    if (old->route_count != new->route_count)
        return false;
    for (size_t i = 0; i < old->route_count; i++) {
        if (!same_match(&old->routes[i].match, &new->routes[i].match))
            return false;
    }
    return true;
}

/* Which URLs are whose has changed: against the worst they could have had. */
static const char *
raised_by_any(const struct conf *old, const struct conf *new)
{
    for (size_t i = 0; i < new->route_count; i++) {
        for (size_t k = 0; k < old->route_count; k++) {
            if (is_raised(&old->routes[k], &new->routes[i]))
                return new->routes[i].name;
        }
    }
    return NULL;
}

const char *
conf_level_raised(const struct conf *old, const struct conf *new)
{
    if (!same_matches(old, new))
        return raised_by_any(old, new);
    for (size_t i = 0; i < new->route_count; i++) {
        if (is_raised(&old->routes[i], &new->routes[i]))
            return new->routes[i].name;
    }
    return NULL;
}

/* ---- over a restart ---- */

static void
add_strings(const struct conf_strings *list, struct buf *out)
{
    buf_add_u64(out, list->count);
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, " %s", list->list[i]);
}

/* The running node compares with what it had (conf_level_raised); a start only
 * sees that something is different. */
uint64_t
conf_level_print(const struct conf *conf)
{
    static const struct conf_route weakest = {.consistency = CONF_AP};
    struct buf text = {0};
    bool promises = false;

    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        promises |= is_raised(&weakest, route);
        buf_printf(&text, "%s|%s|", route->match.host, route->match.path);
        add_strings(&route->match.methods, &text);
        buf_printf(&text, "|%u%d%d%d|", (unsigned)route->consistency,
                   route->pass, route->require_tags, route->tighten);
        add_strings(&route->writers, &text);
        buf_add_char(&text, '\n');
    }
    uint64_t print = hash_bytes(buf_span(&text), 0).lo;

    buf_fini(&text);
    if (!promises)
        return 0;
    return print != 0 ? print : 1;
}
