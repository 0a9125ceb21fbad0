/* Nodes: what edge/main.c puts together, on loops of the simulation. */
#include "node_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/auth.h"
#include "cluster/bookmark.h"
#include "cluster/inval.h"
#include "cluster/outbox.h"
#include "cluster/peers.h"
#include "cluster/stream.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "fetch/fetch.h"
#include "store/store.h"

#define SECRET "simulated-secret-0123456789"

struct node *nodes[NODES_MAX];
unsigned node_count, site_count;
bool sim_replicas;
static char base_folder[100];
static struct machine machines[NODES_MAX]; /* what outlives a process */
static unsigned lives[NODES_MAX];
static struct list_link graves = {&graves, &graves};

struct grave {
    struct list_link link;
    struct node *node;
};

int
node_place(const struct node *node)
{
    return PLACE_NODE + (int)node->index;
}

struct node *
node_here(unsigned index)
{
    struct node *node = nodes[index];

    return node != NULL && &node->machine == sim_machine() ? node : NULL;
}

/* ---- configuration ---- */

static const char routes[] =
    "{'name':'ap','match':{'path':'/ap/*'},'origin':'web'},"
    "{'name':'bounded','match':{'path':'/bounded/*'},'origin':'web',"
    "'consistency':'bounded','max_staleness':'2s'},"
    "{'name':'session','match':{'path':'/session/*'},'origin':'web',"
    "'consistency':'session','session_wait':'300ms','purge':true},"
    "{'name':'lease','match':{'path':'/lease/*'},'origin':'web',"
    "'consistency':'lease'},"
    "{'name':'cp','match':{'path':'/cp/*'},'origin':'web',"
    "'consistency':'cp'}";

/* Text with ' for ". */
static void
put(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        putc(*text == '\'' ? '"' : *text, out);
}

static char *
write_conf(const struct node *node)
{
    char *path = mem_printf("%s/%s.json", base_folder, node->name);
    FILE *out = fopen(path, "w");
    char line[512];

    CHECK(out != NULL);
    snprintf(line, sizeof(line),
             "{'node':'%s','site':'s%u','listen':['%s:80'],'advertise':"
             "'http://%s:80','workers':%d,'memory':'1MiB','max_object':'64KiB',"
             "'invalidation_memory':'1MiB','access_log':'','secret':'" SECRET
             "','admin':{'token':'" TOKEN
             "','listen':''},'state_dir':'%s','sites':[",
             node->name, node->site, "127.0.0.1", node->name, WORKERS,
             node->folder);
    put(out, line);
    for (unsigned i = 0; i < site_count; i++) {
        snprintf(line, sizeof(line),
                 "%s{'name':'s%u','redis':'redis:%u','replicas':%d}",
                 i > 0 ? "," : "", i, i + 1, sim_replicas);
        put(out, line);
    }
    put(out, "],'redis':{'timeout':'300ms','poll':'500ms',"
             "'backoff_max':'200ms'},"
             "'peers':{'probe_interval':'500ms','digest_interval':'1s',"
             "'timeout':'300ms'},"
             "'origins':{'web':{'servers':['http://origin:80'],"
             "'connect_timeout':'500ms','first_byte_timeout':'1s',"
             "'idle_timeout':'1s','retries':1,'execution_max':'3s'}},"
             "'routes':[");
    put(out, routes);
    put(out, "]}");
    fclose(out);
    return path;
}

/* What an earlier life has left. */
static void
copy_file(const char *from, const char *to, const char *name)
{
    char *source = mem_printf("%s/%s", from, name);
    char *target = mem_printf("%s/%s", to, name);
    FILE *in = fopen(source, "r");
    FILE *out = in != NULL ? fopen(target, "w") : NULL;
    char text[4096];
    size_t n;

    while (out != NULL && (n = fread(text, 1, sizeof(text), in)) > 0)
        CHECK(fwrite(text, 1, n, out) == n);
    if (out != NULL)
        fclose(out);
    if (in != NULL)
        fclose(in);
    free(source);
    free(target);
}

static struct conf *
load_conf(struct node *node)
{
    struct conf_problems problems = {0};
    char *path = write_conf(node);
    struct conf *conf = conf_load(path, &problems);

    if (conf == NULL)
        conf_problems_print(&problems, stderr);
    CHECK(conf != NULL);
    conf_problems_fini(&problems);
    free(path);
    return conf;
}

/* ---- a start ---- */

static void
make_cluster(struct node *node)
{
    struct bus *buses[SITES_MAX];
    struct auth_options auth = {.secret = SPAN(SECRET),
                                .node = node->name,
                                .max_skew_ms = node->conf->peers.max_skew_ms,
                                .started_ms = clock_wall_ms()};
    struct position position;
    char why[300];

    node->outbox = outbox_open(node->loop, node->folder, why, sizeof(why));
    CHECK(node->outbox != NULL);
    node->inval = inval_new((size_t)node->conf->invalidation_memory_bytes);
    node->bookmark = bookmark_open(node->loop, node->folder, &position);
    struct streams_kept kept = {.outbox = node->outbox,
                                .bookmark = node->bookmark,
                                .resume = &position};

    node->streams = streams_new(node->loop, node->conf, node->inval, &kept);
    node->auth = auth_new(&auth);
    for (size_t i = 0; i < node->conf->site_count; i++)
        buses[i] =
            streams_bus(node->streams, span_of(node->conf->sites[i].name));
    struct peers_options options = {.control = node->loop,
                                    .conf = node->conf,
                                    .buses = buses,
                                    .pool = node->pool,
                                    .auth = node->auth,
                                    .bloom = store_bloom(node->store)};

    node->peers = peers_new(&options);
}

static void
make_engine(struct node *node)
{
    struct engine_parts parts = {.store = node->store,
                                 .inval = node->inval,
                                 .streams = node->streams,
                                 .peers = node->peers,
                                 .auth = node->auth};

    node->engine = engine_new(&parts, node->conf);
    for (unsigned i = 0; i < WORKERS; i++) {
        node->worker_loops[i] = loop_new();
        node->workers[i] = worker_new(node->engine, node->worker_loops[i], i);
    }
}

void
node_start(unsigned index)
{
    struct node *node = mem_zalloc(sizeof(*node));
    char old[sizeof(node->folder)];
    unsigned a_site = node_count / site_count;

    CHECK(nodes[index] == NULL);
    node->index = index;
    node->site = index / a_site;
    node->life = lives[index]++;
    snprintf(node->name, sizeof(node->name), "%c%u",
             (char)('a' + (int)node->site), index % a_site + 1);
    snprintf(node->folder, sizeof(node->folder), "%s/%s.%u", base_folder,
             node->name, node->life);
    CHECK(mkdir(node->folder, 0700) == 0);
    if (node->life > 0) {
        snprintf(old, sizeof(old), "%s/%s.%u", base_folder, node->name,
                 node->life - 1);
        copy_file(old, node->folder, "outbox");
        copy_file(old, node->folder, "position");
    }
    node->machine = machines[index];
    node->machine.place = node_place(node);
    node->started = sim_now();
    list_init(&node->exchanges);
    sim_become(&node->machine);
    node->conf = load_conf(node);
    node->loop = loop_new();
    node->pool = fetch_pool_new(node->loop, NULL);
    node->store = store_new((size_t)node->conf->memory_bytes,
                            (size_t)node->conf->max_object_bytes);
    make_cluster(node);
    make_engine(node);
    sim_become(NULL);
    nodes[index] = node;
}

/* ---- the end of one ---- */

static void
take_apart(struct node *node)
{
    sim_become(&node->machine);
    for (unsigned i = 0; i < WORKERS; i++)
        worker_free(&node->workers[i]);
    engine_free(&node->engine);
    peers_free(&node->peers);
    streams_free(&node->streams);
    outbox_close(&node->outbox);
    bookmark_close(&node->bookmark);
    auth_free(&node->auth);
    store_free(&node->store);
    inval_free(&node->inval);
    fetch_pool_free(&node->pool);
    sim_grace();
    for (unsigned i = 0; i < WORKERS; i++)
        loop_free(&node->worker_loops[i]);
    loop_free(&node->loop);
    conf_unref(&node->conf);
    sim_become(NULL);
    free(node);
}

void
node_kill(unsigned index)
{
    struct node *node = nodes[index];
    struct grave *grave = mem_zalloc(sizeof(*grave));

    machines[index] = node->machine;
    node->machine.dead = true;
    node->machine.paused_to = 0;
    exchanges_abort(node);
    nodes[index] = NULL;
    grave->node = node;
    list_push_back(&graves, &grave->link);
}

bool
nodes_buried(void)
{
    struct grave *grave, *next;

    list_for_each_safe (grave, next, &graves, link) {
        bool quiet = true;

        for (unsigned i = 0; i < WORKERS; i++)
            quiet = quiet && worker_quiet(grave->node->workers[i]);
        if (!quiet)
            continue;
        take_apart(grave->node);
        list_remove(&grave->link);
        free(grave);
    }
    return list_empty(&graves);
}

static void
kill_all(void)
{
    for (unsigned i = 0; i < node_count; i++) {
        if (nodes[i] != NULL)
            node_kill(i);
    }
}

void
nodes_stop(void)
{
    /* What was planned may start some again. */
    for (int i = 0; i < 100; i++) {
        kill_all();
        if (nodes_buried())
            break;
        sim_run(sim_now() + S);
    }
    CHECK(nodes_buried());
}

void
nodes_reset(const char *folder, unsigned sites, unsigned nodes_a_site)
{
    snprintf(base_folder, sizeof(base_folder), "%s", folder);
    site_count = sites;
    node_count = sites * nodes_a_site;
    memset(machines, 0, sizeof(machines));
    memset(lives, 0, sizeof(lives));
    for (unsigned i = 0; i < node_count; i++) {
        /* One per cent is what is configured for two clocks. */
        machines[i].drift_ppm = (int64_t)chance_below(10001) - 5000;
        machines[i].boot_ns = chance_below(1000 * S);
        machines[i].wall_ms = (int64_t)chance_below(401) - 200;
    }
    hash_seed_set(auth_derive(SPAN(SECRET), "keys"));
}

uint64_t
node_well_since(unsigned index)
{
    const struct node *node = nodes[index];

    if (node == NULL)
        return UINT64_MAX;
    uint64_t since = node->started;

    if (node->machine.paused_to > since)
        since = node->machine.paused_to;
    if (node->machine.stalled_to > since)
        since = node->machine.stalled_to;
    return since > sim_now() ? UINT64_MAX : since;
}
