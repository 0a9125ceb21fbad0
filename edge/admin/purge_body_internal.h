/*
 * The body of POST /v1/purge: one purge, or a batch.
 *
 *   {"kind": "url", "url": "http://example.com/a", "soft": true}
 *   {"kind": "prefix", "host": "example.com", "value": "/static/"}
 *   {"kind": "host", "host": "example.com"}
 *   {"kind": "tag", "tag": "product-17"}
 *   {"kind": "all"}
 *   {"purges": [ ... ]}
 *
 * beside either, how the answer is to be given:
 *
 *   "wait": "none", "site" or "all": for whose acknowledgement
 *   "deadline_ms": how long, at most
 *   "once": a key of the caller's own: sent again with it, nothing is
 *           published a second time
 */
#ifndef PURGE_BODY_INTERNAL_H
#define PURGE_BODY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "cluster/purge.h"
#include "cluster/purge_wait.h"

#define PURGE_BODY_MAX 10000 /* in a batch */
#define PURGE_BODY_DEADLINE_MS 10000
#define PURGE_BODY_ONCE_MAX 128 /* bytes of the key */

struct engine;

struct purge_body {
    struct purge *list; /* each purge_valid; hosts and paths as in keys */
    size_t count;
    bool batch; /* it came as "purges" */
    enum purge_wait wait;
    uint64_t deadline_ms;
};

/* False, with what is wrong and where (a JSON path) in `why`, when any of it
 * is; *body is empty then. */
bool purge_body_read(struct engine *engine, struct span text,
                     struct purge_body *body, struct buf *why);
void purge_body_fini(struct purge_body *body);

#endif
