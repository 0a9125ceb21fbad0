/* How far a request may go: Max-Forwards of TRACE and OPTIONS. */
#include <stdio.h>

#include "base/counter.h"
#include "http/max_forwards.h"
#include "tx_internal.h"

/* We are the final recipient (RFC 9110 sections 9.3.7 and 9.3.8). */
static void
answer_here(struct tx *tx)
{
    const struct tx_request *request = tx->request;
    bool trace = span_eq(request->method, SPAN("TRACE"));
    struct fields more = {0};
    struct buf body = {0};

    if (trace)
        max_forwards_reflect(request->method, request->target, request->minor,
                             request->fields, &body);
    else
        fields_add(&more, SPAN("Allow"), SPAN(TX_METHODS));
    tx->cache = "own";
    counter_add(COUNTER_REQ_OWN, 1);
    tx_answer(tx, 200, trace ? "message/http" : NULL, buf_span(&body), &more);
    fields_fini(&more);
    buf_fini(&body);
}

bool
tx_hops(struct tx *tx)
{
    uint64_t left;

    switch (max_forwards_of(tx->request->method, tx->request->fields, &left)) {
    case MAX_FORWARDS_NONE:
    case MAX_FORWARDS_LEFT:
        break;
    case MAX_FORWARDS_HERE:
        answer_here(tx);
        return true;
    case MAX_FORWARDS_BAD:
        counter_add(COUNTER_REQUESTS_BAD, 1);
        tx_fail(tx, 400, "Max-Forwards is no number");
        return true;
    }
    return false;
}

void
tx_hops_update(const struct tx *tx, struct fields *fields,
               char text[TX_HOPS_SIZE])
{
    uint64_t left;

    if (max_forwards_of(tx->request->method, tx->request->fields, &left) !=
        MAX_FORWARDS_LEFT)
        return;
    snprintf(text, TX_HOPS_SIZE, "%llu", (unsigned long long)left);
    fields_remove(fields, SPAN("Max-Forwards"));
    fields_add(fields, SPAN("Max-Forwards"), span_of(text));
}
