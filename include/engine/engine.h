/*
 * The engine: what all workers share, and what each has of its own.
 *
 * One `struct engine` is made by main before the threads start and freed after
 * they ended. Each worker thread makes a `struct worker` on its loop. The
 * configuration in force is a snapshot that is swapped whole by
 * engine_configure; transactions under way keep the one they began with.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "cluster/lease.h"

struct auth;
struct buf;
struct conf;
struct engine;
struct fields;
struct flight_table;
struct inval;
struct key;
struct loop;
struct peers;
struct shelf;
struct store;
struct streams;
struct worker;
struct access_log;
struct origin_status;

/* Borrowed by the engine; `peers`, `auth` and `streams` may be NULL: one node
 * alone. */
struct engine_parts {
    struct store *store;
    struct shelf *shelf; /* NULL: nothing is kept on disk */
    struct inval *inval;
    struct streams *streams;
    struct peers *peers;
    struct auth *auth;
    struct access_log *access_log; /* NULL: none is kept */
};

/* Any thread may call engine_configure and what reads; the rest is main's. */
struct engine *engine_new(const struct engine_parts *parts, struct conf *conf);
/* After all workers were freed. */
void engine_free(struct engine **engine);
/* Puts a new configuration in force, for requests that arrive from now on. A
 * reference is taken. */
void engine_configure(struct engine *engine, struct conf *conf);

/* ---- a worker, on its own thread ---- */

struct worker *worker_new(struct engine *engine, struct loop *loop,
                          unsigned index);
/* No transaction may be left; fills that still run are given up. */
void worker_free(struct worker **worker);
/* Fills that this worker owns and that are not over. */
size_t worker_fills(const struct worker *worker);
/* Nothing will be posted to this worker's loop any more, once it has no
 * transactions: its loop must run until then. */
bool worker_quiet(const struct worker *worker);
/* What is in force here; valid until the loop's next turn. */
const struct conf *worker_conf(const struct worker *worker);

/* ---- for the operator ---- */

struct explain_request {
    struct span method;
    struct span url; /* absolute, http */
    const struct fields *fields;
};

/* What would be decided for this request here and now, and why, as a JSON
 * object: route, key, object, validity, verdict. Nothing is fetched, counted
 * or changed. False, with a text for people in `out`, when the URL is not one.
 * Any registered thread (base/grace.h). */
bool engine_explain(struct engine *engine, const struct explain_request *ask,
                    struct buf *out);

/* The subject of an invalidation by URL, prefix or host: the host, path and
 * query that the objects of this absolute URL have, by the key of the route
 * that a GET of it takes (http/key.h). Cleared and written: scratch. NULL, or
 * why the URL is refused (static). Any thread. */
const char *engine_subject(struct engine *engine, struct span url,
                           struct buf *scratch, struct key *key);

/* Where an invalidation may stand (struct purge, writers), so that every lease
 * route hears of it in time. Any thread. */
lease_sites engine_purge_sites(struct engine *engine);

/* Calls fn for each server of each origin group. Any thread. */
typedef void (*engine_origin_fn)(void *arg, const char *group,
                                 const struct origin_status *status);
void engine_each_origin(struct engine *engine, engine_origin_fn fn, void *arg);

/* Flights that are open now. */
size_t engine_flights(const struct engine *engine);

#endif
