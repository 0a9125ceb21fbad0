/* Which sites write: by the order in which they are configured. */
#include <string.h>

#include "conf/conf.h"

uint64_t
conf_route_writers(const struct conf *conf, const struct conf_route *route)
{
    uint64_t writers = 0;

    for (size_t i = 0; i < conf->site_count; i++) {
        bool is = route->writers.count == 0;

        for (size_t k = 0; k < route->writers.count; k++)
            is |= strcmp(route->writers.list[k], conf->sites[i].name) == 0;
        if (is && conf->sites[i].redis[0] != '\0')
            writers |= UINT64_C(1) << i;
    }
    return writers;
}

uint64_t
conf_purge_sites(const struct conf *conf)
{
    uint64_t common = UINT64_MAX;

    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        if (route->consistency == CONF_LEASE || route->tighten)
            common &= conf_route_writers(conf, route);
    }
    return common == UINT64_MAX ? 0 : common;
}
