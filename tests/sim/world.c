/* The plan, carried out. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/purge.h"
#include "cluster/purge_ack.h"
#include "cluster/stream.h"
#include "engine/engine.h"
#include "node_internal.h"

#define FIRST_LOOK (20 * S)
#define LAST_LOOK (22 * S)
#define THE_END (25 * S)

static struct session {
    char token[1024];
    bool busy;
} sessions[SESSIONS];

static void
target_of(unsigned key, struct buf *out)
{
    buf_printf(out, "/%s/%u/x", level_names[level_of(key)], key);
}

/* A version from an entity tag, "k3-17". */
static uint64_t
version_of(const struct fields *fields)
{
    struct span etag = fields_get(fields, SPAN("ETag"));
    size_t dash = span_find(etag, '-', 0);

    return dash < etag.len ? strtoull(etag.ptr + dash + 1, NULL, 10) : 0;
}

/* ---- requests ---- */

struct request {
    struct read_check check;
    unsigned worker;
    struct span method;
    uint64_t before; /* the version when it was sent */
};

static bool
is_get(const struct request *request)
{
    return span_eq(request->method, SPAN("GET"));
}

static void
keep_token(unsigned index, const struct fields *fields)
{
    struct span token = fields_get(fields, SPAN("Atlas-Session"));

    if (index < SESSIONS && token.len > 0 &&
        token.len < sizeof(sessions[index].token))
        memcpy(sessions[index].token, token.ptr, token.len + 1);
}

static void ask(unsigned index, unsigned key, unsigned session,
                struct span method, bool final);

static void
change_answered(const struct request *request,
                const struct exchange_answer *answer)
{
    unsigned key = request->check.key;
    struct span hint = fields_get(answer->fields, SPAN("Atlas-Invalidation"));
    uint64_t version = span_eq(request->method, SPAN("PUT"))
                           ? version_of(answer->fields)
                           : request->before;

    if (answer->status < 200 || answer->status > 299)
        return;
    if (hint.len == 0 && level_of(key) == LEVEL_LEASE)
        check_acknowledged(key, version);
    if (!span_eq(hint, SPAN("local"))) {
        check_promised(key, version);
        check_session(request->check.session, key, version);
    }
}

static void
on_answered(void *arg, const struct exchange_answer *answer)
{
    struct request *request = arg;
    unsigned session = request->check.session;
    struct buf body = {0};

    buf_add_span(&body, answer->body);
    buf_add_char(&body, '\0');
    if (session < SESSIONS)
        sessions[session].busy = false;
    if (answer->status >= 200 && answer->status < 400)
        keep_token(session, answer->fields);
    if (sim_verbose)
        printf("%10.6f node %u key %u: %u %s %.*s %.*s\n",
               (double)sim_now() / (double)S, request->check.node,
               request->check.key, answer->status, body.data,
               (int)fields_get(answer->fields, SPAN("Cache-Status")).len,
               fields_get(answer->fields, SPAN("Cache-Status")).len
                   ? fields_get(answer->fields, SPAN("Cache-Status")).ptr
                   : "",
               (int)fields_get(answer->fields, SPAN("Atlas-Invalidation")).len,
               fields_get(answer->fields, SPAN("Atlas-Invalidation")).len
                   ? fields_get(answer->fields, SPAN("Atlas-Invalidation")).ptr
                   : "");
    sim_mix(answer->status);
    if (!is_get(request))
        change_answered(request, answer);
    else if (answer->status != 0)
        check_read_end(
            &request->check, answer->status, strtoull(body.data, NULL, 10),
            span_find(fields_get(answer->fields, SPAN("Cache-Status")), 'h',
                      0) == 4);
    /* A session goes on elsewhere, at once. */
    if (session < SESSIONS && answer->status == 200 && chance_one_in(2))
        ask((unsigned)chance_below(node_count), request->check.key, session,
            SPAN("GET"), false);
    buf_fini(&body);
    free(request);
}

static void
drop_request(void *arg)
{
    struct request *request = arg;

    if (request->check.session < SESSIONS)
        sessions[request->check.session].busy = false;
    free(request);
}

static void
on_turn(void *arg)
{
    struct request *request = arg;
    struct read_check *check = &request->check;
    struct node *node = nodes[check->node];
    struct fields fields = {0};
    struct buf target = {0};
    struct span body =
        span_eq(request->method, SPAN("PUT")) ? SPAN("new") : SPAN("");

    if (node_here(check->node) == NULL) { /* it died meanwhile */
        drop_request(request);
        return;
    }
    target_of(check->key, &target);
    fields_add(&fields, SPAN("Host"), SPAN("h"));
    if (check->session < SESSIONS && sessions[check->session].token[0] != '\0')
        fields_add(&fields, SPAN("Atlas-Session"),
                   span_of(sessions[check->session].token));
    if (span_eq(request->method, SPAN("PURGE")))
        fields_add(&fields, SPAN("Authorization"), SPAN("Bearer " TOKEN));
    check_read_begin(check);
    request->before = origin_version(check->key);
    exchange_start(node, request->worker, request->method, buf_span(&target),
                   &fields, body, on_answered, request);
    fields_fini(&fields);
    buf_fini(&target);
}

static void
ask(unsigned index, unsigned key, unsigned session, struct span method,
    bool final)
{
    struct node *node = nodes[index];

    if (node == NULL || (session < SESSIONS && sessions[session].busy))
        return;
    struct request *request = mem_zalloc(sizeof(*request));

    request->check = (struct read_check){
        .node = index, .key = key, .session = session, .final = final};
    request->worker = (unsigned)chance_below(WORKERS);
    request->method = method;
    if (session < SESSIONS)
        sessions[session].busy = true;
    totals.writes += span_eq(method, SPAN("PUT"));
    event_message(sim_now(), node->worker_loops[request->worker], on_turn,
                  drop_request, request);
}

static void
ask_all(unsigned key)
{
    for (unsigned i = 0; i < node_count; i++)
        ask(i, key, SESSIONS, SPAN("GET"), false);
}

/* ---- purges ---- */

struct purging {
    unsigned node, key;
    uint64_t version;
    bool all;
    struct node *at;
    struct loop *loop;
    struct purge purge;
    char host[8], value[64];
    struct purge_ack ack;
};

static void
purging_free(struct purging *purging)
{
    purge_ack_fini(&purging->ack);
    free(purging);
}

static void
on_acknowledged(void *arg)
{
    struct purging *purging = arg;

    if (purging->ack.worst == PURGE_ACKNOWLEDGED &&
        !purging->at->machine.dead) {
        totals.acknowledged++;
        if (sim_verbose)
            printf("%10.6f purge of key %u: acknowledged, version %llu\n",
                   (double)sim_now() / (double)S, purging->key,
                   (unsigned long long)purging->version);
        check_acknowledged(purging->key, purging->version);
        ask_all(purging->key);
    }
    purging_free(purging);
}

/* "Published and applied" is said of what was read back from the stream. */
static void
check_applied(const struct purging *purging, const struct purge_result *result)
{
    struct stream_status status;

    for (size_t i = 0; streams_status(purging->at->streams, i, &status); i++) {
        if (strcmp(status.site, result->site) == 0 &&
            status.epoch == result->epoch && status.term == result->term &&
            status.n < result->n)
            check_report("applied",
                         "key %u at node %u: said to be applied as %llu of %s; "
                         "the node has read %llu",
                         purging->key, purging->node,
                         (unsigned long long)result->n, result->site,
                         (unsigned long long)status.n);
    }
}

static void
on_purged(void *arg, const struct purge_result *result)
{
    struct purging *purging = arg;

    sim_mix((uint64_t)result->outcome);
    if (sim_verbose)
        printf("%10.6f purge of key %u: outcome %d, applied %d %s\n",
               (double)sim_now() / (double)S, purging->key,
               (int)result->outcome, result->applied, result->why);
    if (purging->at->machine.dead || result->outcome == PURGE_LOCAL ||
        (result->outcome == PURGE_PUBLISHED && !result->applied)) {
        purging_free(purging);
        return;
    }
    if (result->outcome == PURGE_PUBLISHED)
        check_applied(purging, result);
    check_promised(purging->key, purging->version);
    if (result->outcome == PURGE_KEPT && !purging->purge.soft)
        check_kept(purging->node, purging->key, purging->version);
    totals.kept += result->outcome == PURGE_KEPT;
    if (result->outcome != PURGE_PUBLISHED || !purging->all) {
        ask(purging->node, purging->key, SESSIONS, SPAN("GET"), false);
        purging_free(purging);
        return;
    }
    purge_ack_add(&purging->ack, result);
    purge_ack_start(&purging->ack, purging->at->streams, PURGE_WAIT_ALL, 10000,
                    purging->loop, on_acknowledged, purging);
}

static void
describe(struct purging *purging, unsigned how)
{
    static const enum inval_kind kinds[] = {INVAL_URL,  INVAL_URL, INVAL_URL,
                                            INVAL_TAG,  INVAL_TAG, INVAL_PREFIX,
                                            INVAL_HOST, INVAL_ALL};
    struct purge *purge = &purging->purge;

    purge->kind = kinds[how % 8];
    purge->host = purging->host;
    purge->value = purging->value;
    if (purge->kind == INVAL_TAG) {
        snprintf(purging->value, sizeof(purging->value), "t%u", purging->key);
        return;
    }
    if (purge->kind == INVAL_ALL)
        return;
    strcpy(purging->host, "h");
    if (purge->kind == INVAL_HOST)
        return;
    snprintf(purging->value, sizeof(purging->value), "/%s/%u/%s",
             level_names[level_of(purging->key)], purging->key,
             purge->kind == INVAL_URL ? "x" : "");
}

static void
on_purge_turn(void *arg)
{
    struct purging *purging = arg;
    char why[128];

    if (node_here(purging->node) == NULL) {
        purging_free(purging);
        return;
    }
    purging->version = origin_version(purging->key);
    purging->purge.writers = engine_purge_sites(purging->at->engine);
    CHECK(purge_valid(&purging->purge, why, sizeof(why)));
    purge_submit(purging->at->streams, &purging->purge, purging->loop,
                 on_purged, purging);
}

static void
drop_purging(void *arg)
{
    purging_free(arg);
}

static void
purge(const struct action *action)
{
    struct node *node = nodes[action->node];

    if (node == NULL)
        return;
    struct purging *purging = mem_zalloc(sizeof(*purging));

    purging->node = action->node;
    purging->key = action->key;
    purging->at = node;
    purging->loop = node->loop;
    purging->all = action->all || level_of(action->key) == LEVEL_LEASE;
    purging->purge.soft = !action->hard;
    describe(purging, action->a);
    totals.purges++;
    if (action->hard)
        check_gone(action->key, purging->purge.kind == INVAL_HOST ||
                                    purging->purge.kind == INVAL_ALL);
    event_message(sim_now(), node->loop, on_purge_turn, drop_purging, purging);
}

/* ---- the run ---- */

static void
on_action(void *arg)
{
    const struct action *action = arg;

    if (sim_verbose)
        action_print(action);
    switch ((int)action->act) {
    case ACT_READ:
        ask(action->node, action->key, SESSIONS, SPAN("GET"), false);
        break;
    case ACT_SESSION:
        ask(action->node, action->key, action->a % SESSIONS, SPAN("GET"),
            false);
        break;
    case ACT_WRITE:
        origin_write(action->key);
        totals.writes++;
        break;
    case ACT_PUT:
        check_gone(action->key, false);
        ask(action->node, action->key,
            level_of(action->key) == LEVEL_SESSION ? action->a % SESSIONS
                                                   : SESSIONS,
            SPAN("PUT"), false);
        break;
    case ACT_OWN_PURGE:
        check_gone(action->key, false);
        ask(action->node, action->key, action->a % SESSIONS, SPAN("PURGE"),
            false);
        break;
    case ACT_PURGE:
        purge(action);
        break;
    default:
        fault_begin(action);
        event_at(action->until < HEAL ? action->until : HEAL, NULL, fault_end,
                 arg);
        break;
    }
}

static void
on_checkpoint(void *arg)
{
    (void)arg;
    redis_checkpoint((unsigned)chance_below(site_count));
    event_in(chance_below(2 * S), NULL, on_checkpoint, NULL);
}

static void
on_burial(void *arg)
{
    (void)arg;
    nodes_buried();
    event_in(S, NULL, on_burial, NULL);
}

static void
look(void *arg)
{
    bool last = arg != NULL;

    /* Whatever became of them and of their nodes: W1 to W4. */
    for (unsigned key = 0; key < world_keys() && last; key++) {
        if (level_of(key) != LEVEL_AP)
            check_promised(key, origin_put_version(key));
    }
    for (unsigned i = 0; i < node_count; i++) {
        for (unsigned key = 0; key < world_keys(); key++)
            ask(i, key, SESSIONS, SPAN("GET"), last);
    }
}

static void
check_end(void)
{
    for (unsigned i = 0; i < node_count; i++) {
        if (nodes[i] == NULL) {
            check_report("alive", "node %u did not start again", i);
            continue;
        }
        sim_become(&nodes[i]->machine);
        if (!streams_in_sync(nodes[i]->streams))
            check_report("in sync", "node %u is not, 9 s after healing", i);
        sim_become(NULL);
    }
}

const char *
world_run(uint64_t seed, const struct plan_of *plan, const char *folder)
{
    unsigned sites = site_count, each = node_count / site_count;
    char command[200];

    sim_reset();
    check_reset();
    memset(sessions, 0, sizeof(sessions));
    chance_seed(seed ^ UINT64_C(0x5bd1e995));
    net_reset();
    redis_reset(sites, sim_replicas);
    origin_reset(world_keys());
    nodes_reset(folder, sites, each);
    for (unsigned a = 0; a < PLACES; a++) {
        for (unsigned b = 0; b < a; b++) {
            if (place_exists(a) && place_exists(b) &&
                place_site(a) != place_site(b))
                net_delay((int)a, (int)b, chance_delay(2 * MS, 45 * MS));
        }
    }
    for (unsigned i = 0; i < node_count; i++)
        node_start(i);
    for (size_t i = 0; i < plan->count; i++) {
        if (!plan->list[i].off)
            event_at(plan->list[i].time, NULL, on_action, &plan->list[i]);
    }
    event_in(0, NULL, on_checkpoint, NULL);
    event_in(S, NULL, on_burial, NULL);
    event_at(FIRST_LOOK, NULL, look, NULL);
    event_at(LAST_LOOK, NULL, look, sessions);
    for (uint64_t time = 0; time < THE_END && check_violated() == NULL;
         time += 100 * MS)
        totals.events += sim_run(time);
    if (check_violated() == NULL)
        check_end();
    sim_mix((uint64_t)(check_violated() != NULL));
    const char *violated = check_violated();

    nodes_stop();
    sim_reset();
    sim_grace();
    redis_free();
    snprintf(command, sizeof(command), "rm -rf '%s'/*", folder);
    CHECK(system(command) == 0);
    return violated;
}
