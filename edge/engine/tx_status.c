/* What an answer says about itself: Cache-Status (RFC 9211) and Proxy-Status
 * (RFC 9209). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/cache_status.h"
#include "http/proxy_status.h"
#include "tx_internal.h"

enum cache_fwd
tx_fwd(const struct tx *tx)
{
    switch (tx->plan.why) {
    case PLAN_WHY_MISS:
        if (tx->part.beside)
            return CACHE_FWD_PARTIAL;
        return tx->other_variants ? CACHE_FWD_VARY_MISS : CACHE_FWD_URI_MISS;
    case PLAN_WHY_STALE:
    case PLAN_WHY_INVALIDATED:
        return CACHE_FWD_STALE;
    case PLAN_WHY_REQUEST:
    case PLAN_WHY_STRICT:
    case PLAN_WHY_UNCONFIRMED:
        return CACHE_FWD_REQUEST;
    case PLAN_WHY_METHOD:
        return CACHE_FWD_METHOD;
    case PLAN_WHY_BYPASS:
        return CACHE_FWD_BYPASS;
    case PLAN_WHY_HIT:
    case PLAN_WHYS:
        break;
    }
    return CACHE_FWD_NONE;
}

/* What an error of our own is called: in Proxy-Status (RFC 9209 section 2.3)
 * when nothing upstream failed, and as Cache-Status' detail. */
static const struct own_error {
    unsigned status;
    enum proxy_error error;
    const char *detail;
} own_errors[] = {
    {400, PROXY_ERROR_HTTP_REQUEST_ERROR, "malformed"},
    {401, PROXY_ERROR_HTTP_REQUEST_DENIED, "unauthorized"},
    {403, PROXY_ERROR_HTTP_REQUEST_DENIED, "forbidden"},
    {404, PROXY_ERROR_DESTINATION_NOT_FOUND, "no-route"},
    {405, PROXY_ERROR_HTTP_REQUEST_DENIED, "method"},
    {413, PROXY_ERROR_HTTP_REQUEST_ERROR, "too-large"},
    {414, PROXY_ERROR_HTTP_REQUEST_ERROR, "too-large"},
    {431, PROXY_ERROR_HTTP_REQUEST_ERROR, "too-large"},
    {503, PROXY_ERROR_DESTINATION_UNAVAILABLE, "unavailable"},
    {504, PROXY_ERROR_PROXY_INTERNAL_RESPONSE, "not-stored"},
    {508, PROXY_ERROR_PROXY_LOOP_DETECTED, "loop"},
};

static const struct own_error *
own_error(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LEN(own_errors); i++) {
        if (own_errors[i].status == status)
            return &own_errors[i];
    }
    return NULL;
}

/* ---- Cache-Status ---- */

/* Adds one more thing to what is said in detail. */
static void
note(struct tx *tx, const char *text)
{
    size_t len = strlen(tx->note);

    if (text == NULL)
        return;
    if (len > 0)
        len = span_put(tx->note, sizeof(tx->note), len, SPAN(", "));
    (void)span_put(tx->note, sizeof(tx->note), len, span_of(text));
}

/* Why it was asked for, and of whom. */
static void
note_forwarding(struct tx *tx)
{
    if (tx->fill != NULL && tx->fill->from_peer)
        note(tx, tx->upstream);
    if (tx->plan.why == PLAN_WHY_STRICT)
        note(tx, "cp");
    if (tx->plan.why == PLAN_WHY_UNCONFIRMED)
        note(tx, "unconfirmed");
    if (tx->plan.why == PLAN_WHY_INVALIDATED)
        note(tx, "invalidated");
    if (tx->found.uncacheable && tx->plan.verdict == PLAN_PASS) {
        note(tx, "uncacheable-lately");
        note(tx, tx->fill ? tx->fill->caching.why_not : NULL);
    }
}

/* Why a copy that is no good any more is the answer. */
static const char *
why_stale(const struct tx *tx)
{
    if (tx->tried.origin)
        return "stale-origin-unreachable";
    return tx->plan.why == PLAN_WHY_INVALIDATED ? "stale-invalidated"
                                                : "stale-while-revalidate";
}

static const char *
said(const struct tx *tx)
{
    return tx->note[0] != '\0' ? tx->note : NULL;
}

struct cache_status
tx_status_of_object(struct tx *tx, const struct object *object, uint64_t age_s)
{
    struct cache_status status = {
        .hit = tx->fill == NULL,
        .has_ttl = true,
        .ttl_s = caching_ttl_s(&object->caching, age_s),
    };

    tx->note[0] = '\0';
    if (tx->fill != NULL) {
        status.fwd = tx_fwd(tx);
        status.fwd_status = (int)tx->fill->status;
        status.collapsed = !tx->leads;
        note_forwarding(tx);
        if (tx->fill->outcome == FILL_RESPONSE)
            note(tx, "stale-if-error");
    } else if (tx->plan.verdict == PLAN_HIT_STALE) {
        note(tx, why_stale(tx));
    }
    if (tx->shelf.serial == object->serial)
        note(tx, "disk");
    status.detail = said(tx);
    return status;
}

struct cache_status
tx_status_of_fill(struct tx *tx)
{
    const struct fill *fill = tx->fill;
    struct cache_status status = {
        .fwd = tx_fwd(tx),
        .fwd_status = (int)fill->status,
        .stored = fill->keeps,
        .collapsed = !tx->leads,
        .has_ttl = fill->keeps,
    };

    if (status.has_ttl)
        status.ttl_s = caching_ttl_s(
            &fill->caching,
            caching_age_s(&fill->caching, fill->received_ns, clock_boot_ns()));
    tx->note[0] = '\0';
    note_forwarding(tx);
    if (tx->plan.why != PLAN_WHY_METHOD)
        note(tx, fill->why_not);
    status.detail = said(tx);
    return status;
}

struct cache_status
tx_status_of_error(struct tx *tx, unsigned status)
{
    struct cache_status cache_status = {0};

    tx->note[0] = '\0';
    /* It says how it was forwarded only if it was. */
    if (tx->tried.origin) {
        cache_status.fwd = tx_fwd(tx);
        note_forwarding(tx);
    } else {
        const struct own_error *error = own_error(status);

        note(tx, error ? error->detail : NULL);
    }
    cache_status.detail = said(tx);
    return cache_status;
}

void
tx_status_add(const struct tx *tx, const struct cache_status *cache_status,
              struct fields *fields, struct buf *value)
{
    const struct conf *conf = tx->use->snapshot->conf;
    struct cache_status status = *cache_status;

    status.node = span_of(conf->node);
    if (conf->cache_status.key && tx->policy != NULL)
        status.key = tx->key.text;
    cache_status_append(fields, &status, value);
    fields_remove(fields, SPAN("Cache-Status"));
    fields_add(fields, SPAN("Cache-Status"), buf_span(value));
}

/* ---- errors ---- */

/* The error type of this name (RFC 9209 section 2.3). */
enum proxy_error
tx_proxy_error(const char *name)
{
    for (int i = 0; i < PROXY_ERROR_COUNT; i++) {
        if (strcmp(proxy_error_name((enum proxy_error)i), name) == 0)
            return (enum proxy_error)i;
    }
    return PROXY_ERROR_PROXY_INTERNAL_ERROR;
}

/* Whom it was asked of, without where that is. */
static struct span
next_hop(const struct tx *tx)
{
    struct span upstream =
        span_of(tx->fill ? tx->fill->upstream_name : tx->upstream);
    size_t space = span_find(upstream, ' ', 0);

    return span_sub(upstream, space + 1, upstream.len);
}

static void
add_proxy_status(const struct tx *tx, struct proxy_status *status,
                 struct fields *fields, struct buf *value)
{
    status->node = span_of(tx->use->snapshot->conf->node);
    proxy_status_append(fields, status, value);
    fields_remove(fields, SPAN("Proxy-Status"));
    fields_add(fields, SPAN("Proxy-Status"), buf_span(value));
}

static void
say_failure(const struct tx *tx, struct proxy_status *status)
{
    status->error = tx_proxy_error(tx->proxy_error);
    status->next_hop = next_hop(tx);
    status->details = tx->detail;
}

void
tx_proxy_status_add(const struct tx *tx, unsigned status, struct fields *fields,
                    struct buf *value)
{
    const struct own_error *error = own_error(status);
    struct proxy_status proxy = {
        .error = error ? error->error : PROXY_ERROR_PROXY_INTERNAL_ERROR,
    };

    if (tx->proxy_error != NULL)
        say_failure(tx, &proxy);
    add_proxy_status(tx, &proxy, fields, value);
}

void
tx_proxy_status_stale(const struct tx *tx, struct fields *fields,
                      struct buf *value)
{
    struct proxy_status proxy = {0};

    /* Another node would keep it with its copy. */
    if (tx->ask.source != PLAN_CLIENT)
        return;
    if (tx->fill != NULL && tx->fill->outcome == FILL_RESPONSE) {
        proxy.received_status = (int)tx->fill->status;
        proxy.next_hop = next_hop(tx);
    } else if (tx->plan.verdict == PLAN_HIT_STALE && tx->tried.origin &&
               tx->proxy_error != NULL) {
        say_failure(tx, &proxy);
    } else {
        return;
    }
    add_proxy_status(tx, &proxy, fields, value);
}
