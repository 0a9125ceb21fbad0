/* Who stands between: the nodes of Forwarded (RFC 7239 section 6), which
 * X-Forwarded-For names as well. */
#ifndef HTTP_NODE_H
#define HTTP_NODE_H

#include "base/span.h"

/* An address, with brackets or without, with a port or without; "unknown"; or
 * a name that hides one ("_a1"). A quoted node is to be unquoted first. */
bool node_valid(struct span node);

#endif
