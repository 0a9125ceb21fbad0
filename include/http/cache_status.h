/* Cache-Status (RFC 9211): how this cache handled a request. */
#ifndef HTTP_CACHE_STATUS_H
#define HTTP_CACHE_STATUS_H

#include "http/fields.h"

enum cache_fwd {
    CACHE_FWD_NONE, /* it did not go forward */
    CACHE_FWD_BYPASS,
    CACHE_FWD_METHOD,
    CACHE_FWD_URI_MISS,
    CACHE_FWD_VARY_MISS,
    CACHE_FWD_MISS,
    CACHE_FWD_REQUEST,
    CACHE_FWD_STALE,
    CACHE_FWD_PARTIAL,
    CACHE_FWD_COUNT
};

/* Zero-initialised parameters are left out. */
struct cache_status {
    struct span node; /* who says it */
    bool hit;
    enum cache_fwd fwd; /* ignored with `hit` */
    int fwd_status;     /* 0: none */
    bool stored;
    bool collapsed;
    bool has_ttl;
    int64_t ttl_s;      /* negative when stale */
    struct span key;    /* empty: left out; cut after 256 bytes */
    const char *detail; /* NULL: left out */
};

/* "uri-miss"; "" for none. Static. */
const char *cache_fwd_name(enum cache_fwd fwd);

/* Adds one member, such as `edge1; hit; ttl=30`. What a parameter may not
 * hold is replaced by '?'. */
void cache_status_format(const struct cache_status *status, struct buf *out);

/* The same behind the members that the response already carries (RFC 9211
 * section 2): the whole value of the field to be sent. */
void cache_status_append(const struct fields *response,
                         const struct cache_status *status, struct buf *out);

#endif
