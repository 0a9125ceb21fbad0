/*
 * Two sites with a real Redis each, and a node at each, on one loop; for tests.
 */
#ifndef TESTS_STREAM_NODES_H
#define TESTS_STREAM_NODES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../bus/redis_server.h"
#include "base/check.h"
#include "base/grace.h"
#include "bus/bus.h"
#include "cluster/bookmark.h"
#include "cluster/inval.h"
#include "cluster/outbox.h"
#include "cluster/purge.h"
#include "cluster/stream.h"

#define PATIENCE_MS 10000

struct node {
    struct inval *inval;
    struct streams *streams;
};

static struct redis_server servers[2];
static struct loop *loop;
static struct node nodes[2];
static bool available;
static uint64_t generation = 1;
static uint64_t execution_max_ms = 1000;
static unsigned replicas;       /* of the first Redis */
static lease_sites purge_sites; /* where what the outbox holds may stand */
static struct outbox *outbox;
static struct bookmark *bookmark;
static struct position resume;

static inline void
node_start_with(struct node *node, const char *site, uint64_t poll_ms,
                uint64_t timeout_ms)
{
    struct streams_site sites[] = {
        {"p", "127.0.0.1", servers[0].port, replicas},
        {"q", "localhost", servers[1].port, 0},
    };
    struct streams_options options = {
        .site = site,
        .node = "node",
        .sites = sites,
        .site_count = 2,
        .connect_timeout_ms = timeout_ms,
        .command_timeout_ms = timeout_ms,
        .backoff_max_ms = 200,
        .poll_ms = poll_ms,
        .generation = generation,
        .lease_max_ms = 600,
        .outbox = outbox,
        .purge_sites = purge_sites,
        .bookmark = bookmark,
        .resume = &resume,
        .execution_max_ms = execution_max_ms,
    };

    node->inval = inval_new(1 << 20);
    node->streams = streams_start(loop, &options, node->inval);
}

static void
node_stop(struct node *node)
{
    streams_free(&node->streams);
    inval_free(&node->inval);
}

static inline struct stream_status
status(struct node *node, size_t site)
{
    struct stream_status s;

    assert_true(streams_status(node->streams, site, &s));
    return s;
}

static bool
all_in_sync(void *arg)
{
    (void)arg;
    return streams_in_sync(nodes[0].streams) &&
           streams_in_sync(nodes[1].streams);
}

static int
setup(void **state)
{
    (void)state;
    if (!available)
        return 0;
    redis_server_new(&servers[0]);
    redis_server_new(&servers[1]);
    loop = loop_new();
    node_start_with(&nodes[0], "p", 50, 2000);
    node_start_with(&nodes[1], "q", 50, 2000);
    assert_true(loop_until(loop, all_in_sync, NULL, PATIENCE_MS));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    if (!available)
        return 0;
    node_stop(&nodes[0]);
    node_stop(&nodes[1]);
    loop_free(&loop);
    redis_server_free(&servers[0]);
    redis_server_free(&servers[1]);
    return 0;
}

#define SKIP_WITHOUT_REDIS()                                                   \
    do {                                                                       \
        if (!available)                                                        \
            skip();                                                            \
    } while (0)

/* ---- helpers ---- */

struct answer {
    bool done;
    struct purge_result result;
};

static void
on_purged(void *arg, const struct purge_result *result)
{
    struct answer *answer = arg;

    assert_false(answer->done);
    answer->done = true;
    answer->result = *result;
}

static bool
is_answered(void *arg)
{
    return ((struct answer *)arg)->done;
}

/* To the streams of `writers`; 0: any. */
static inline struct purge_result
purge_at(struct node *node, const char *path, lease_sites writers)
{
    struct answer answer = {0};
    char host[] = "h", value[64];
    struct purge what = {INVAL_URL, false, host, value, writers, NULL};

    snprintf(value, sizeof(value), "%s", path);
    purge_submit(node->streams, &what, loop, on_purged, &answer);
    assert_false(answer.done);
    assert_true(loop_until(loop, is_answered, &answer, PATIENCE_MS));
    return answer.result;
}

static inline struct purge_result
purge(struct node *node, const char *path)
{
    return purge_at(node, path, 0);
}

static inline enum validity
check(struct node *node, const char *path, uint64_t position)
{
    struct inval_subject subject = {SPAN("h"), span_of(path), NULL, 0};

    return inval_check(node->inval, &subject, position);
}

#endif
