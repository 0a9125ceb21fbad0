/* What all workers share, and the swap of configurations. */
#include "engine_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/watcher.h"
#include "cluster/inval.h"
#include "fetch/fetch.h"
#include "fill_internal.h"
#include "query_hints_internal.h"
#include "report/access.h"
#include "tx_internal.h"

/* What answers several queries of its path is purged by any of them. */
static void
keep_paths(struct engine *engine, const struct conf *conf)
{
    for (size_t i = 0; i < conf->route_count; i++) {
        if (conf->routes[i].key.no_vary_search) {
            inval_keep_paths(engine->parts.inval);
            return;
        }
    }
}

/* All nodes with one secret sign alike; a node alone signs for itself. */
static void
make_session_key(struct engine *engine, const struct conf *conf)
{
    if (conf->secret[0] != '\0')
        secret_mac(span_of(conf->secret), SPAN("atlas session"),
                   engine->session_key);
    else
        secret_random(engine->session_key, sizeof(engine->session_key));
}

struct engine *
engine_new(const struct engine_parts *parts, struct conf *conf)
{
    struct engine *engine = mem_zalloc(sizeof(*engine));

    engine->parts = *parts;
    engine->flights = flight_table_new();
    engine->hints = query_hints_new();
    keep_paths(engine, conf);
    make_session_key(engine, conf);
    CHECK(pthread_mutex_init(&engine->mutex, NULL) == 0);
    list_init(&engine->workers);
    engine->snapshot = snapshot_new(conf, NULL);
    return engine;
}

void
engine_free(struct engine **engine)
{
    struct engine *e = *engine;

    *engine = NULL;
    if (e == NULL)
        return;
    CHECK(list_empty(&e->workers));
    snapshot_unref(&e->snapshot);
    flight_table_free(&e->flights);
    query_hints_free(&e->hints);
    pthread_mutex_destroy(&e->mutex);
    free(e);
}

void
engine_configure(struct engine *engine, struct conf *conf)
{
    struct worker *worker;

    /* Before anything is stored by it. */
    keep_paths(engine, conf);
    pthread_mutex_lock(&engine->mutex);
    struct snapshot *old = engine->snapshot;

    engine->snapshot = snapshot_new(conf, old);
    list_for_each (worker, &engine->workers, link)
        watcher_wake(worker->news);
    pthread_mutex_unlock(&engine->mutex);
    snapshot_unref(&old);
}

struct snapshot *
engine_snapshot(struct engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    struct snapshot *snapshot = snapshot_ref(engine->snapshot);

    pthread_mutex_unlock(&engine->mutex);
    return snapshot;
}

static struct snapshot_use *
snapshot_use_new(struct engine *engine)
{
    struct snapshot_use *use = mem_alloc(sizeof(*use));

    use->snapshot = engine_snapshot(engine);
    use->users = 1;
    return use;
}

struct snapshot_use *
snapshot_use_ref(struct snapshot_use *use)
{
    use->users++;
    return use;
}

void
snapshot_use_unref(struct snapshot_use **use)
{
    struct snapshot_use *u = *use;

    *use = NULL;
    if (u == NULL || --u->users > 0)
        return;
    snapshot_unref(&u->snapshot);
    free(u);
}

static void
worker_news(void *arg)
{
    struct worker *worker = arg;

    snapshot_use_unref(&worker->use);
    worker->use = snapshot_use_new(worker->engine);
}

struct worker *
worker_new(struct engine *engine, struct loop *loop, unsigned index)
{
    struct worker *worker = mem_zalloc(sizeof(*worker));

    worker->engine = engine;
    worker->loop = loop;
    worker->index = index;
    worker->fetch = fetch_pool_new(loop, NULL);
    if (engine->parts.access_log != NULL)
        worker->lines = access_lines_new(engine->parts.access_log, loop);
    list_init(&worker->fills);
    list_init(&worker->shelf_jobs);
    worker->news = watcher_new(loop, worker_news, worker);
    worker->use = snapshot_use_new(engine);
    pthread_mutex_lock(&engine->mutex);
    list_push_back(&engine->workers, &worker->link);
    pthread_mutex_unlock(&engine->mutex);
    return worker;
}

void
worker_free(struct worker **worker)
{
    struct worker *w = *worker;

    *worker = NULL;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->engine->mutex);
    list_remove(&w->link);
    pthread_mutex_unlock(&w->engine->mutex);
    fill_give_up_all(w);
    tx_shelf_end(w);
    tx_pool_free(w);
    watcher_close(&w->news);
    access_lines_free(&w->lines);
    fetch_pool_free(&w->fetch);
    snapshot_use_unref(&w->use);
    free(w);
}

size_t
worker_fills(const struct worker *worker)
{
    return worker->fill_count;
}

bool
worker_quiet(const struct worker *worker)
{
    return worker->purges == 0;
}

const struct conf *
worker_conf(const struct worker *worker)
{
    return worker->use->snapshot->conf;
}

size_t
engine_flights(const struct engine *engine)
{
    return flight_count(engine->flights);
}

void
engine_each_origin(struct engine *engine, engine_origin_fn fn, void *arg)
{
    struct snapshot *snapshot = engine_snapshot(engine);
    uint64_t now = clock_boot_ns();

    for (size_t i = 0; i < snapshot->conf->origin_count; i++) {
        struct origin *origin = snapshot->origins[i];

        for (size_t j = 0; j < origin_count(origin); j++) {
            struct origin_status status;

            origin_status(origin, j, now, &status);
            fn(arg, origin_name(origin), &status);
        }
    }
    snapshot_unref(&snapshot);
}
