/* Answers of our own: errors, and what is said without asking anybody. */
#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "http/error.h"
#include "http/proxy_status.h"
#include "peer_fields_internal.h"
#include "tx_internal.h"

void
tx_answer(struct tx *tx, unsigned status, const char *type, struct span body,
          const struct fields *more)
{
    struct cache_status cache_status = tx_status_of_error(tx, status);
    struct fields fields = {0};
    struct tx_reply reply = {.status = status};

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
    tx_proxy_status_add(tx, status, &fields, &value);
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

/* Why the answer to only-if-cached is none. */
static const char *
why_not_stored(const struct tx *tx)
{
    if (tx->policy->route->pass)
        return "only-if-cached on a route that stores nothing";
    if (tx->plan.why == PLAN_WHY_STRICT)
        return "only-if-cached on a cp route: every answer needs the origin";
    if (tx->plan.why == PLAN_WHY_UNCONFIRMED)
        return "only-if-cached, and the copy is not confirmed as the level of "
               "this route wants it";
    if (tx->ask.origin_only)
        return "only-if-cached, and a condition or a body that only the "
               "origin can judge";
    return "nothing usable is stored, and the request says only-if-cached";
}

void
tx_fail_planned(struct tx *tx)
{
    char text[320];
    unsigned status = 504;
    bool cp = (tx->needs & ~(unsigned)PLAN_NEEDS_SESSION) != 0 ||
              tx->plan.why == PLAN_WHY_UNCONFIRMED;

    if (tx->ask.source != PLAN_CLIENT && !tx->tried.origin) {
        tx_fail(tx, 504, "nothing valid is stored here for another node");
        return;
    }
    if (!tx->tried.origin) {
        tx_fail(tx, 504, why_not_stored(tx));
        return;
    }
    if (!cp && tx->proxy_error != NULL)
        status = (unsigned)proxy_error_status(tx_proxy_error(tx->proxy_error));
    snprintf(text, sizeof(text), "%s%s", tx->detail,
             cp ? tx->plan.why == PLAN_WHY_STRICT
                      ? "; this route is cp: it answers only with what the "
                        "origin has just confirmed"
                      : "; this route answers only with what is confirmed as "
                        "its level wants it"
                : "");
    tx_fail(tx, status, text);
}
