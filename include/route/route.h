/*
 * Which route a request takes. The longest match wins, in this order:
 *   1. an exact host, then "*.example.com" (the longer one first), then "*";
 *   2. an exact path, then the longest prefix;
 *   3. a route that lists the method, then one without a method list.
 * A route that matches host and path but not the method is passed over.
 *
 * A router is immutable: any thread may look up without locks, and a lookup
 * allocates nothing.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/span.h"

struct conf;
struct conf_route;
struct router;

/* Takes a reference to `conf`; never NULL. */
struct router *router_new(struct conf *conf);
void router_free(struct router **router);

/*
 * `host` is the request's, in any case, a port and a final dot are ignored;
 * `path` is the raw path before '?'; `method` as received (case-sensitive,
 * RFC 9110 section 9.1). NULL when no route matches. The route lives as long
 * as the router or a reference to its configuration.
 */
const struct conf_route *router_find(const struct router *router,
                                     struct span host, struct span path,
                                     struct span method);

#endif
