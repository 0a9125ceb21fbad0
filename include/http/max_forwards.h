/* Max-Forwards (RFC 9110 section 7.6.2): how often a TRACE or OPTIONS request
 * may still be forwarded. For other methods it means nothing. */
#ifndef HTTP_MAX_FORWARDS_H
#define HTTP_MAX_FORWARDS_H

#include "http/fields.h"

enum max_forwards {
    MAX_FORWARDS_NONE, /* forward it as it is */
    MAX_FORWARDS_LEFT, /* forward it, with *left in its place */
    MAX_FORWARDS_HERE, /* we are the one who answers */
    MAX_FORWARDS_BAD   /* no number, or there twice */
};

/* `left` is at most MAX_FORWARDS_MAX, and set for MAX_FORWARDS_LEFT only. */
#define MAX_FORWARDS_MAX UINT64_C(255)
enum max_forwards max_forwards_of(struct span method,
                                  const struct fields *request, uint64_t *left);

/* Adds the request as it came, as a message/http body: the answer to TRACE
 * (section 9.3.8). Fields that may hold secrets (Cookie, Authorization and the
 * like) are left out. */
void max_forwards_reflect(struct span method, struct span target,
                          unsigned minor, const struct fields *request,
                          struct buf *out);

#endif
