/*
 * The operator's side: an HTTP listener of its own, on the control thread.
 *
 *   GET  /metrics            Prometheus text format
 *   GET  /health/live        200 while the process runs
 *   GET  /health/routable    200 while users may be sent here; 503 draining
 *   GET  /health/sync        200 while every site's stream is read; else 503
 *   GET  /v1/status          JSON: node, sites, streams, peers, store, origins
 *   GET  /v1/explain?url=U   JSON: what would be decided for U, and why
 *   POST /v1/purge           JSON in and out; needs the bearer token
 *
 * It reads, and never steers a request. All functions are for the control
 * thread.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

struct admin;
struct conf;
struct engine;
struct inval;
struct loop;
struct peers;
struct shelf;
struct store;
struct streams;

/* Borrowed. `peers` and `shelf` may be NULL. */
struct admin_parts {
    struct loop *loop;
    struct engine *engine;
    struct store *store;
    struct shelf *shelf;
    struct inval *inval;
    struct streams *streams;
    struct peers *peers;
};

/* Listens on conf->admin.listen. NULL when it cannot: `why` says what to do.
 * Not called when that is empty. */
struct admin *admin_new(const struct admin_parts *parts, struct conf *conf,
                        char *why, size_t size);
/* Requests under way are cut. */
void admin_free(struct admin **admin);
/* A reload: the token and what the status shows. A reference is taken. */
void admin_configure(struct admin *admin, struct conf *conf);
/* What /health/routable says from now on. */
void admin_set_draining(struct admin *admin, bool draining);
/* The address in use, with the port chosen where 0 was asked for. */
const char *admin_address(const struct admin *admin);

#endif
