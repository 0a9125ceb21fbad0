/* Answers of our own: errors, and what is said without asking anybody. */
#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "http/error.h"
#include "http/proxy_status.h"
#include "peer_fields_internal.h"
#include "tx_internal.h"

/* The error type of this name (RFC 9209 section 2.3). */
static enum proxy_error
proxy_error_of(const char *name)
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

void
tx_answer(struct tx *tx, unsigned status, const char *type, struct span body,
          const struct fields *more)
{
    const struct own_error *error = own_error(status);
    struct cache_status cache_status = {0};
    struct fields fields = {0};
    struct tx_reply reply = {.status = status};

    /* It says how it was forwarded only if it was. */
    if (tx->tried.origin) {
        cache_status.fwd = tx_fwd(tx);
        cache_status.detail = tx_detail(tx);
    } else if (error != NULL) {
        cache_status.detail = error->detail;
    }
    if (more != NULL)
        fields_add_all(&fields, more);
    if (type != NULL)
        fields_add(&fields, SPAN("Content-Type"), span_of(type));
    fields_add(&fields, SPAN("Cache-Control"), SPAN("no-store"));
    reply.length = (int64_t)body.len;
    reply.body = tx->ask.head || body.len == 0 ? TX_BODY_NONE : TX_BODY_FLAT;
    reply.flat = body;
    /* What follows a malformed request may be no request. */
    reply.close = status == 400 || status == 414;
    tx_reply(tx, &reply, &fields, &cache_status);
    fields_fini(&fields);
}

static void
add_proxy_status(const struct tx *tx, unsigned status, struct fields *fields,
                 struct buf *value)
{
    const struct own_error *error = own_error(status);
    struct proxy_status proxy = {
        .node = span_of(tx->use->snapshot->conf->node),
    };

    if (tx->proxy_error != NULL) {
        proxy.error = proxy_error_of(tx->proxy_error);
        proxy.details = tx->detail;
    } else if (error != NULL) {
        proxy.error = error->error;
    } else {
        proxy.error = PROXY_ERROR_PROXY_INTERNAL_ERROR;
    }
    proxy_status_format(&proxy, value);
    fields_add(fields, SPAN("Proxy-Status"), buf_span(value));
}

void
tx_fail_with(struct tx *tx, unsigned status, const char *detail,
             const struct fields *more)
{
    bool problem = error_wants_problem(tx->request->fields);
    struct error_page page = {.status = (int)status, .detail = detail};
    struct fields fields = {0};
    struct buf body = {0};
    struct buf value = {0};

    tx->cache = "error";
    counter_add(COUNTER_REQ_ERROR, 1);
    error_body(&page, problem, &body);
    if (more != NULL)
        fields_add_all(&fields, more);
    add_proxy_status(tx, status, &fields, &value);
    if (tx->ask.source != PLAN_CLIENT)
        fields_add(&fields, SPAN(PEER_RESULT_FIELD), SPAN("miss"));
    tx_answer(tx, status, error_content_type(problem).ptr, buf_span(&body),
              &fields);
    fields_fini(&fields);
    buf_fini(&body);
    buf_fini(&value);
}

void
tx_fail(struct tx *tx, unsigned status, const char *detail)
{
    tx_fail_with(tx, status, detail, NULL);
}

void
tx_fail_planned(struct tx *tx)
{
    char text[320];
    unsigned status = 504;
    bool cp = tx->policy->plan.level == CONF_CP;

    if (tx->ask.source != PLAN_CLIENT && !tx->tried.origin) {
        tx_fail(tx, 504, "nothing valid is stored here for another node");
        return;
    }
    if (!tx->tried.origin) {
        tx_fail(tx, 504,
                cp ? "only-if-cached on a cp route: every answer needs the "
                     "origin"
                   : "nothing usable is stored, and the request says "
                     "only-if-cached");
        return;
    }
    if (!cp && tx->proxy_error != NULL)
        status = (unsigned)proxy_error_status(proxy_error_of(tx->proxy_error));
    snprintf(text, sizeof(text), "%s%s", tx->detail,
             cp ? "; this route is cp: it answers only with what the origin "
                  "has just confirmed"
                : "");
    tx_fail(tx, status, text);
}
