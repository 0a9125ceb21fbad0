/* What the modules of the operator's side share. */
#ifndef ADMIN_INTERNAL_H
#define ADMIN_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/admin.h"
#include "base/buf.h"
#include "base/span.h"
#include "server_internal.h"

struct admin {
    struct admin_parts parts;
    struct conf *conf; /* a reference */
    struct server *server;
    uint64_t started_ns;
    int64_t started_wall_ms;
    bool draining;
};

/* ---- answers ---- */

#define ADMIN_JSON "application/json"
#define ADMIN_TEXT "text/plain; charset=utf-8"

void admin_answer(struct server_request *request, unsigned status,
                  const char *type, struct span body);
/* An error, as problem details or as a line of text. `detail` says what is
 * wrong and what to do. */
void admin_fail(struct server_request *request, unsigned status,
                const char *detail);

/* ---- parts of the query ---- */

/* Takes the next name=value off *query, with escapes decoded ('+' too). False
 * at the end. The buffers are cleared first. */
bool admin_next_parameter(struct span *query, struct buf *name,
                          struct buf *value);

/* ---- the endpoints ---- */

/* Prometheus: all counters and gauges. */
void admin_metrics(const struct admin *admin, struct buf *out);
/* The disk tier's part of it. */
void admin_disk_metrics(const struct admin *admin, struct buf *out);
/* The node as JSON. */
void admin_overview(const struct admin *admin, struct buf *out);
/* False, with a text for people in `out`: then the status is 400. */
bool admin_explain(const struct admin *admin, struct span query,
                   struct buf *out);

/* Whether the bearer token is there and right. */
bool admin_authorised(const struct admin *admin,
                      const struct server_request *request);
/* Answers at once, or later. */
void admin_purge(struct admin *admin, struct server_request *request);
/* Such a request will not be answered any more. */
void admin_purge_gone(struct server_request *request);

#endif
