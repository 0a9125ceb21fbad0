/*
 * atlas-edge: puts the parts together, in the order in which they need each
 * other, and takes them apart in the reverse one. The main thread is the
 * control thread: it runs the control loop, which signals come to as well.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/grace.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cluster/auth.h"
#include "cluster/bookmark.h"
#include "cluster/inval.h"
#include "cluster/outbox.h"
#include "cluster/peers.h"
#include "cluster/stream.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "engine/shelf.h"
#include "fetch/fetch.h"
#include "front/front.h"
#include "report/access.h"
#include "store/store.h"
#include "version.h"

struct edge {
    struct conf *conf;
    struct loop *loop;
    struct fetch_pool *fetch;
    struct store *store;
    struct inval *inval;
    struct shelf *shelf;       /* NULL: there is no disk tier */
    struct bookmark *bookmark; /* and where we were, by that */
    struct position resume;
    struct outbox *outbox;
    struct streams *streams;
    struct auth *auth;
    struct peers *peers;
    struct access_log *access_log;
    struct engine *engine;
    struct front *front;
    struct admin *admin;
    uv_signal_t *signals;
    size_t signal_count;
    bool stopping;
};

static const char usage[] =
    "usage: atlas-edge -c FILE [--check]\n"
    "  -c, --config FILE   the configuration (see conf/REFERENCE.md)\n"
    "      --check         only say whether the configuration is right\n"
    "      --reference     print the reference page of all options\n"
    "      --schema        print the JSON Schema of the configuration\n"
    "      --version\n"
    "      --help\n"
    "SIGHUP reads the configuration again; SIGTERM and SIGINT drain and end;\n"
    "SIGUSR1 opens the access log again.\n";

/* ---- reload ---- */

static struct conf *
load(const char *path)
{
    struct conf_problems problems = {0};
    struct conf *conf = conf_load(path, &problems);

    conf_problems_print(&problems, stderr);
    conf_problems_fini(&problems);
    return conf;
}

/* Before the new one is in force, so that nobody answers by the new promise
 * with what was let in under the old. What is on its way then was asked for
 * before the floor, and is below it, too. */
static void
raise_floor_for(struct edge *edge, const struct conf *conf)
{
    const char *route = conf_level_raised(edge->conf, conf);

    if (route == NULL)
        return;
    inval_raise_floor(edge->inval, FLOOR_LEVEL);
    inval_publish(edge->inval);
    LOG(LOG_INFO,
        "route \"%s\" may promise more than before; everything stored before "
        "is revalidated",
        route);
}

static void
reload(struct edge *edge)
{
    struct conf_problems problems = {0};
    struct conf *conf = load(edge->conf->path);

    if (conf == NULL || !conf_reload_check(edge->conf, conf, &problems)) {
        conf_problems_print(&problems, stderr);
        conf_problems_fini(&problems);
        conf_unref(&conf);
        counter_add(COUNTER_RELOADS_REFUSED, 1);
        LOG(LOG_ERROR, "the configuration was not reloaded; the one in force "
                       "stays");
        return;
    }
    conf_problems_fini(&problems);
    store_resize(edge->store, conf->memory_bytes, conf->max_object_bytes);
    streams_configure(edge->streams, conf);
    raise_floor_for(edge, conf);
    if (edge->shelf != NULL)
        shelf_configure(edge->shelf, conf);
    engine_configure(edge->engine, conf);
    if (edge->admin != NULL)
        admin_configure(edge->admin, conf);
    conf_unref(&edge->conf);
    edge->conf = conf;
    counter_add(COUNTER_RELOADS, 1);
    LOG(LOG_INFO, "the configuration was reloaded");
}

/* ---- the way out ---- */

static void
on_left(void *arg)
{
    struct edge *edge = arg;

    loop_stop(edge->loop);
}

static void
on_drained(void *arg)
{
    struct edge *edge = arg;

    streams_leave(edge->streams, on_left, edge);
}

static void
stop(struct edge *edge)
{
    if (edge->stopping)
        return;
    edge->stopping = true;
    LOG(LOG_INFO, "draining: requests under way are answered, new connections "
                  "are not accepted");
    if (edge->admin != NULL)
        admin_set_draining(edge->admin, true);
    front_drain(edge->front, edge->conf->limits.drain_timeout_ms, edge->loop,
                on_drained, edge);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct edge *edge = handle->data;

    if (number == SIGHUP)
        reload(edge);
    else if (number == SIGUSR1 && edge->access_log != NULL)
        access_log_reopen(edge->access_log);
    else if (number == SIGTERM || number == SIGINT)
        stop(edge);
}

/* ---- the process ---- */

static void
raise_limits(const struct conf *conf)
{
    struct rlimit limit;
    rlim_t want =
        (rlim_t)conf->limits.max_connections * 2 + 1024 + shelf_files(conf);

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < want && limit.rlim_max != RLIM_INFINITY) {
        struct rlimit more = {want, want};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return;
        LOG(LOG_WARN,
            "at most %llu files can be open, %llu may be needed: raise the "
            "limit (LimitNOFILE) or lower limits.max_connections or disk.size",
            (unsigned long long)limit.rlim_max, (unsigned long long)want);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Of the pool that reads from the disk: some for what else it does. libuv
 * takes it from the environment. */
#define POOL_THREADS "16"

static void
set_up_process(const struct conf *conf)
{
    if (conf->disk.size_bytes > 0)
        setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write that fails says so itself */
    secret_init();
}

static void
watch_signals(struct edge *edge)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1};
    static uv_signal_t handles[ARRAY_LEN(numbers)];

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        CHECK(uv_signal_init(loop_uv(edge->loop), &handles[i]) == 0);
        handles[i].data = edge;
        CHECK(uv_signal_start(&handles[i], on_signal, numbers[i]) == 0);
        uv_unref((uv_handle_t *)&handles[i]);
    }
    edge->signals = handles;
    edge->signal_count = ARRAY_LEN(numbers);
}

/* ---- putting it together ---- */

/* False when the folder is of no use. */
static bool
open_state(struct edge *edge)
{
    char why[512];

    if (edge->conf->state_dir[0] == '\0')
        return true;
    edge->outbox =
        outbox_open(edge->loop, edge->conf->state_dir, why, sizeof(why));
    if (edge->outbox == NULL) {
        LOG(LOG_ERROR, "the outbox cannot be used: %s", why);
        return false;
    }
    edge->bookmark =
        bookmark_open(edge->loop, edge->conf->state_dir, &edge->resume);
    return true;
}

/* What is on disk knows better where we were than the bookmark: it has the
 * tables up to there. */
static bool
open_shelf(struct edge *edge)
{
    struct buf problem = {0};

    if (edge->conf->disk.size_bytes == 0)
        return true;
    if (shelf_open(edge->loop, edge->conf, edge->inval, &edge->shelf,
                   &problem) != ERR_OK)
        LOG(LOG_ERROR, "the disk tier cannot be used: %s", problem.data);
    else
        edge->resume = inval_snapshot(edge->inval)->position;
    buf_fini(&problem);
    return edge->shelf != NULL;
}

static void
make_cluster(struct edge *edge)
{
    const struct conf *conf = edge->conf;
    struct streams_kept kept = {.outbox = edge->outbox,
                                .bookmark = edge->bookmark,
                                .resume = &edge->resume};

    if (edge->shelf != NULL)
        kept.journal = shelf_journal(edge->shelf);

    edge->streams = streams_new(edge->loop, conf, edge->inval, &kept);
    if (edge->shelf != NULL)
        shelf_begin(edge->shelf, edge->loop, edge->streams);
    if (conf->secret[0] == '\0')
        return;
    struct auth_options options = {
        .secret = span_of(conf->secret),
        .node = conf->node,
        .max_skew_ms = conf->peers.max_skew_ms,
        .started_ms = clock_wall_ms(),
    };

    edge->auth = auth_new(&options);
}

static void
make_peers(struct edge *edge)
{
    struct conf *conf = edge->conf;
    struct bus **buses = mem_zalloc(conf->site_count * sizeof(struct bus *));

    for (size_t i = 0; i < conf->site_count; i++)
        buses[i] = streams_bus(edge->streams, span_of(conf->sites[i].name));
    struct peers_options options = {
        .control = edge->loop,
        .conf = conf,
        .buses = buses,
        .pool = edge->fetch,
        .auth = edge->auth,
        .bloom = store_bloom(edge->store),
    };

    edge->peers = peers_new(&options);
    free(buses);
}

static bool
make_reports(struct edge *edge)
{
    enum err err = ERR_OK;

    if (edge->conf->access_log[0] == '\0')
        return true;
    edge->access_log = access_log_new(edge->conf->access_log, &err);
    if (edge->access_log == NULL)
        LOG(LOG_ERROR,
            "the access log \"%s\" cannot be opened: %s; change "
            "\"access_log\" (\"-\" is standard output, \"\" is none)",
            edge->conf->access_log, strerror(errno));
    return edge->access_log != NULL;
}

static void
make_engine(struct edge *edge)
{
    struct engine_parts parts = {
        .store = edge->store,
        .shelf = edge->shelf,
        .inval = edge->inval,
        .streams = edge->streams,
        .peers = edge->peers,
        .auth = edge->auth,
        .access_log = edge->access_log,
    };

    edge->engine = engine_new(&parts, edge->conf);
}

static bool
make_listeners(struct edge *edge)
{
    char why[512];
    struct admin_parts parts = {
        .loop = edge->loop,
        .engine = edge->engine,
        .store = edge->store,
        .shelf = edge->shelf,
        .inval = edge->inval,
        .streams = edge->streams,
        .peers = edge->peers,
    };

    edge->front = front_new(edge->engine, edge->conf, why, sizeof(why));
    if (edge->front == NULL) {
        LOG(LOG_ERROR, "%s", why);
        return false;
    }
    if (edge->conf->admin.listen[0] != '\0') {
        edge->admin = admin_new(&parts, edge->conf, why, sizeof(why));
        if (edge->admin == NULL) {
            LOG(LOG_ERROR, "%s", why);
            return false;
        }
    }
    return true;
}

static bool
make(struct edge *edge)
{
    const struct conf *conf = edge->conf;

    if (conf->secret[0] != '\0')
        hash_seed_set(auth_derive(span_of(conf->secret), "keys"));
    edge->loop = loop_new();
    edge->fetch = fetch_pool_new(edge->loop, NULL);
    edge->store =
        store_new((size_t)conf->memory_bytes, (size_t)conf->max_object_bytes);
    if (!open_state(edge))
        return false;
    edge->inval = inval_new((size_t)conf->invalidation_memory_bytes);
    if (!open_shelf(edge))
        return false;
    make_cluster(edge);
    if (edge->auth != NULL && conf->peers.enabled)
        make_peers(edge);
    if (!make_reports(edge))
        return false;
    make_engine(edge);
    return make_listeners(edge);
}

static void
take_apart(struct edge *edge)
{
    admin_free(&edge->admin);
    front_free(&edge->front);
    engine_free(&edge->engine);
    access_log_free(&edge->access_log);
    peers_free(&edge->peers);
    streams_free(&edge->streams);
    shelf_close(&edge->shelf);
    outbox_close(&edge->outbox);
    bookmark_close(&edge->bookmark);
    auth_free(&edge->auth);
    store_free(&edge->store);
    inval_free(&edge->inval);
    fetch_pool_free(&edge->fetch);
    for (size_t i = 0; i < edge->signal_count; i++)
        uv_close((uv_handle_t *)&edge->signals[i], NULL);
    grace_barrier();
    loop_free(&edge->loop);
    conf_unref(&edge->conf);
}

static void
say_addresses(const struct edge *edge)
{
    for (size_t i = 0; front_address(edge->front, i) != NULL; i++)
        LOG(LOG_INFO, "listening on http://%s", front_address(edge->front, i));
    if (edge->admin != NULL)
        LOG(LOG_INFO, "admin on http://%s", admin_address(edge->admin));
}

/* From here on signals change nothing: the handles that took them are about to
 * go, and with them the default action would come back. */
static void
ignore_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sigaddset(&set, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int
run(struct edge *edge)
{
    int status = EXIT_FAILURE;

    set_up_process(edge->conf);
    log_set_name(edge->conf->node);
    raise_limits(edge->conf);
    if (make(edge)) {
        watch_signals(edge);
        say_addresses(edge);
        LOG(LOG_INFO, "atlas-edge %s: node %s of site %s is ready",
            ATLAS_VERSION, edge->conf->node, edge->conf->site);
        loop_run(edge->loop);
        LOG(LOG_INFO, "ended");
        status = EXIT_SUCCESS;
    } else if (edge->front != NULL) {
        front_drain(edge->front, 0, edge->loop, on_drained, edge);
        loop_run(edge->loop);
    }
    ignore_signals();
    take_apart(edge);
    return status;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"reference", no_argument, NULL, 'r'},
        {"schema", no_argument, NULL, 's'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct edge edge = {0};
    const char *path = NULL;
    bool check = false;
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'k':
            check = true;
            break;
        case 'r':
            conf_write_reference(stdout);
            return EXIT_SUCCESS;
        case 's':
            conf_write_schema(stdout);
            return EXIT_SUCCESS;
        case 'v':
            printf("atlas-edge %s\n", ATLAS_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_FAILURE;
        }
    }
    if (path == NULL || optind < argc) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    edge.conf = load(path);
    if (edge.conf == NULL)
        return EXIT_FAILURE;
    if (check) {
        printf("%s is right: node %s, %zu routes\n", path, edge.conf->node,
               edge.conf->route_count);
        conf_unref(&edge.conf);
        return EXIT_SUCCESS;
    }
    return run(&edge);
}
