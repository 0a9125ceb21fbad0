/* What an answer says about itself: Cache-Status (RFC 9211) and Proxy-Status
 * (RFC 9209). */
#include <string.h>

#include "http/cache_status.h"
#include "http/proxy_status.h"
#include "tx_internal.h"

enum cache_fwd
tx_fwd(const struct tx *tx)
{
    switch (tx->plan.why) {
    case PLAN_WHY_MISS:
        return tx->other_variants ? CACHE_FWD_VARY_MISS : CACHE_FWD_URI_MISS;
    case PLAN_WHY_STALE:
    case PLAN_WHY_INVALIDATED:
        return CACHE_FWD_STALE;
    case PLAN_WHY_REQUEST:
    case PLAN_WHY_STRICT:
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

const char *
tx_detail(const struct tx *tx)
{
    if (tx->plan.why == PLAN_WHY_STRICT)
        return "cp";
    if (tx->plan.why == PLAN_WHY_INVALIDATED)
        return "invalidated";
    if (tx->fill != NULL && tx->fill->from_peer)
        return tx->upstream;
    return NULL;
}

struct cache_status
tx_status_of_object(const struct tx *tx, const struct object *object,
                    uint64_t age_s)
{
    struct cache_status status = {
        .hit = tx->fill == NULL,
        .has_ttl = true,
        .ttl_s = caching_ttl_s(&object->caching, age_s),
    };

    if (tx->fill != NULL) {
        status.fwd = tx_fwd(tx);
        status.fwd_status = (int)tx->fill->status;
        status.collapsed = !tx->leads;
        status.detail = tx_detail(tx);
    } else if (tx->plan.verdict == PLAN_HIT_STALE) {
        status.detail = tx->tried.origin ? "stale-origin-unreachable"
                        : tx->plan.why == PLAN_WHY_INVALIDATED
                            ? "stale-invalidated"
                            : "stale-while-revalidate";
    }
    return status;
}

struct cache_status
tx_status_of_fill(const struct tx *tx)
{
    return (struct cache_status){
        .fwd = tx_fwd(tx),
        .fwd_status = (int)tx->fill->status,
        .stored = tx->fill->keeps,
        .collapsed = !tx->leads,
        .detail = tx_detail(tx),
    };
}

void
tx_status_add(const struct tx *tx, const struct cache_status *cache_status,
              struct fields *fields, struct buf *value)
{
    struct cache_status status = *cache_status;

    status.node = span_of(tx->use->snapshot->conf->node);
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

const char *
tx_status_own(unsigned status)
{
    const struct own_error *error = own_error(status);

    return error ? error->detail : NULL;
}

void
tx_proxy_status_add(const struct tx *tx, unsigned status, struct fields *fields,
                    struct buf *value)
{
    const struct own_error *error = own_error(status);
    struct proxy_status proxy = {
        .node = span_of(tx->use->snapshot->conf->node),
    };

    if (tx->proxy_error != NULL) {
        proxy.error = tx_proxy_error(tx->proxy_error);
        proxy.details = tx->detail;
    } else if (error != NULL) {
        proxy.error = error->error;
    } else {
        proxy.error = PROXY_ERROR_PROXY_INTERNAL_ERROR;
    }
    proxy_status_format(&proxy, value);
    fields_add(fields, SPAN("Proxy-Status"), buf_span(value));
}
