/*
 * What test_peers.c puts in the place of the clock, the bus and the fetch: one
 * C file includes it, once.
 */
#ifndef PEERS_FAKES_H
#define PEERS_FAKES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bloom.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/grace.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "bus/bus.h"
#include "cluster/auth.h"
#include "cluster/peers.h"
#include "conf/conf.h"
#include "fetch/fetch.h"

#define INC "0123456789abcdef0123456789abcdef"
#define INC_2 "f123456789abcdef0123456789abcdef"
#define SLOTS 1024
#define NODES 3

static const struct hash128 key = {0x1234567890abcdef, 0xfedcba0987654321};
static struct loop *loop;

/* ---- the clock ---- */

static uint64_t boot_ns = 1000 * NS_PER_S;

uint64_t
clock_boot_ns(void)
{
    return boot_ns;
}

int64_t
clock_wall_ms(void)
{
    return INT64_C(1700000000000) + (int64_t)(boot_ns / NS_PER_MS);
}

/* ---- the other nodes ---- */

struct node {
    const char *id;
    char incarnation[MEMBERSHIP_INCARNATION_SIZE];
    char url[64];
    uint64_t rtt_ms;
    bool listed;
    bool dead;
    bool reused;
    unsigned ping_status;
    const char *slots; /* of its digest; NULL: 404 */
    size_t digest_len;
    const char *etag;
    unsigned pings;
    unsigned digests;
    unsigned unchanged;
    struct auth *auth;
};

static struct node nodes[NODES];

static struct node *
node_at(struct span url)
{
    for (size_t i = 0; i < NODES; i++) {
        if (span_eq(span_of(nodes[i].url), url))
            return &nodes[i];
    }
    return NULL;
}

/* ---- the bus ---- */

struct bus {
    bool away;
    unsigned announced;
    char row[128];
    char payload[128];
};

struct bus_call {
    struct timer *timer;
    struct bus *bus;
    bus_announce_fn fn;
    void *arg;
};

static void
end_call(void *arg)
{
    struct bus_call *call = arg;
    struct bus_node rows[NODES + 1];
    char keys[NODES][128];
    char payloads[NODES][128];
    size_t count = 0;

    for (size_t i = 0; i < NODES; i++) {
        if (!nodes[i].listed)
            continue;
        snprintf(keys[count], sizeof(keys[count]), "%s/%s", nodes[i].id,
                 nodes[i].incarnation);
        snprintf(payloads[count], sizeof(payloads[count]),
                 "v=1 site=other url=%s", nodes[i].url);
        rows[count] = (struct bus_node){span_of(keys[count]),
                                        span_of(payloads[count]), 0};
        count++;
    }
    rows[count++] = (struct bus_node){span_of(call->bus->row),
                                      span_of(call->bus->payload), 0};
    call->bus->announced++;
    timer_free(&call->timer);
    if (call->bus->away)
        call->fn(call->arg, ERR_REFUSED, "away", NULL, 0);
    else
        call->fn(call->arg, ERR_OK, NULL, rows, count);
    free(call);
}

struct bus_call *
bus_announce(struct bus *bus, struct span id, struct span payload,
             uint64_t ttl_ms, bus_announce_fn fn, void *arg)
{
    struct bus_call *call = mem_zalloc(sizeof(*call));

    assert_int_equal(ttl_ms, MEMBERSHIP_TTL_MS);
    snprintf(bus->row, sizeof(bus->row), "%.*s", SPAN_FMT(id));
    snprintf(bus->payload, sizeof(bus->payload), "%.*s", SPAN_FMT(payload));
    *call = (struct bus_call){timer_new(loop, end_call, call), bus, fn, arg};
    timer_start(call->timer, 0);
    return call;
}

void
bus_cancel(struct bus_call **call)
{
    timer_free(&(*call)->timer);
    free(*call);
    *call = NULL;
}

/* ---- the fetch ---- */

struct fetch {
    struct timer *timer;
    struct node *node;
    const struct fetch_ops *ops;
    void *ctx;
    uint64_t sent_ns;
    bool is_ping;
    bool knows;
};

static void
answer_digest(struct fetch *fetch, struct fetch_head *head,
              struct fields *fields)
{
    struct node *node = fetch->node;

    node->digests++;
    head->status = node->slots == NULL ? 404 : fetch->knows ? 304 : 200;
    if (fetch->knows)
        node->unchanged++;
    if (node->slots != NULL)
        fields_add(fields, SPAN(PEERS_SLOTS_FIELD), span_of(node->slots));
    fields_add(fields, SPAN("ETag"), span_of(node->etag));
}

static enum err
give_bits(struct fetch *fetch)
{
    struct bloom *bloom = bloom_new(SLOTS);
    unsigned char bits[SLOTS];
    size_t half = fetch->node->digest_len / 2;

    memset(bits, 0, sizeof(bits));
    bloom_add(bloom, key);
    bloom_export(bloom, bits);
    bloom_free(&bloom);
    enum err err = fetch->ops->on_body(fetch->ctx, bits, half);

    if (err == ERR_OK)
        err = fetch->ops->on_body(fetch->ctx, bits + half,
                                  fetch->node->digest_len - half);
    return err;
}

/* The head comes one round trip after the request was sent, whatever other
 * answers have moved the clock on meanwhile. */
static void
give_head(struct fetch *fetch, const struct fetch_head *head)
{
    uint64_t now_ns = boot_ns;

    boot_ns = fetch->sent_ns + fetch->node->rtt_ms * NS_PER_MS;
    fetch->ops->on_head(fetch->ctx, head);
    if (boot_ns < now_ns)
        boot_ns = now_ns;
}

static void
end_fetch(void *arg)
{
    struct fetch *fetch = arg;
    struct node *node = fetch->node;
    struct fields fields = {0};
    struct fetch_head head = {.minor = 1, .fields = &fields};
    struct fetch_result result = {
        .err = ERR_OK, .detail = "", .reused = node->reused};

    if (node->dead) {
        result.err = ERR_REFUSED;
        result.detail = "connection refused";
    } else {
        if (fetch->is_ping) {
            node->pings++;
            head.status = node->ping_status;
        } else {
            answer_digest(fetch, &head, &fields);
        }
        give_head(fetch, &head);
        if (!fetch->is_ping && head.status == 200)
            result.err = give_bits(fetch);
        fields_fini(&fields);
    }
    timer_free(&fetch->timer);
    fetch->ops->on_done(fetch->ctx, &result);
    free(fetch);
}

/* Every request is signed for the node that it goes to. */
static void
check_signed(struct node *node, const struct fetch_request *request)
{
    struct auth_request received = {
        .method = request->method,
        .host = fields_get(request->fields, SPAN("Host")),
        .target = request->target,
    };
    struct auth_claims claims;

    assert_int_equal(auth_verify(node->auth,
                                 fields_get(request->fields, SPAN(AUTH_FIELD)),
                                 &received, clock_wall_ms(), &claims),
                     AUTH_OK);
    assert_string_equal(claims.node, "me");
    assert_int_equal(claims.op,
                     span_eq(request->target, SPAN(PEERS_PING_TARGET))
                         ? AUTH_PING
                         : AUTH_DIGEST);
}

struct fetch *
fetch_start(struct fetch_pool *pool, const struct fetch_request *request,
            const struct fetch_ops *ops, void *ctx)
{
    struct fetch *fetch = mem_zalloc(sizeof(*fetch));
    struct span known = fields_get(request->fields, SPAN("If-None-Match"));

    (void)pool;
    fetch->node = node_at(request->url_base);
    CHECK(fetch->node != NULL);
    check_signed(fetch->node, request);
    fetch->ops = ops;
    fetch->ctx = ctx;
    fetch->sent_ns = boot_ns;
    fetch->is_ping = span_eq(request->target, SPAN(PEERS_PING_TARGET));
    fetch->knows = span_eq(known, span_of(fetch->node->etag));
    fetch->timer = timer_new(loop, end_fetch, fetch);
    timer_start(fetch->timer, 0);
    return fetch;
}

void
fetch_cancel(struct fetch **fetch)
{
    if (*fetch == NULL)
        return;
    timer_free(&(*fetch)->timer);
    free(*fetch);
    *fetch = NULL;
}

#endif
