#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/check.h"
#include "base/loop.h"
#include "base/mem.h"
#include "http/guard.h"
#include "path.h"
#include "server_internal.h"

void *
exchange_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct server *server = cls;
    struct exchange *x = mem_zalloc(sizeof(*x));
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const char *mark = strchr(uri, '?');

    TAG_SET(x, EXCHANGE_TAG);
    x->server = server;
    x->app = server->app;
    x->mhd = mhd;
    x->conn = info->socket_context;
    x->raw_target = mem_strdup(uri);
    list_push_back(&server->exchanges, &x->link);
    x->conn->listener->requests++;
    /* So that libmicrohttpd does not take the query apart, for which it has
     * little room: we do it ourselves. The text is its own buffer. */
    if (mark != NULL)
        ((char *)(uintptr_t)mark)[1] = '\0';
    return x;
}

void
exchange_on_done(void *cls, struct MHD_Connection *mhd, void **state,
                 enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *state;

    (void)cls;
    (void)mhd;
    (void)code;
    if (x == NULL)
        return;
    TAG_CHECK(x, EXCHANGE_TAG);
    if (x->on_free != NULL)
        x->on_free(x);
    timer_free(&x->timer);
    list_remove(&x->link);
    fields_fini(&x->request);
    buf_fini(&x->out_names);
    free(x->raw_target);
    free(x->method);
    TAG_CLEAR(x);
    free(x);
    *state = NULL;
}

static enum MHD_Result
add_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
          const char *value, size_t value_len)
{
    struct exchange *x = cls;

    (void)kind;
    fields_add(&x->request, (struct span){name, name_len},
               span_trim((struct span){value, value_len}));
    return MHD_YES;
}

/* The head is good, or is answered 400 at once: the connection is closed then,
 * since nobody knows where the next request would begin. */
static void
begin(struct exchange *x, const char *method, const char *version)
{
    struct guard_result guard;

    x->begun = true;
    x->method = mem_strdup(method);
    x->is_head = strcmp(method, "HEAD") == 0;
    x->http11 = strcmp(version, "HTTP/1.1") == 0;
    MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, add_field, x);
    const char *why =
        guard_request(span_of(x->method), x->http11, &x->request, &guard);

    if (why == NULL)
        why = target_parse(span_of(x->raw_target), span_of(x->method),
                           guard.host, SPAN("http"), &x->target);
    if (why != NULL)
        answer_error(x, 400, why);
    else
        x->server->handler(x);
}

/* All of the request is there; the answer may be held up by the link. */
static void
end(struct exchange *x)
{
    struct gate_state state = x->conn->listener->state;

    if (state.mode == GATE_HANG) {
        x->hanging = true;
        exchange_suspend(x);
    } else if (state.delay_ms > 0) {
        exchange_after(x, state.delay_ms, x->on_end);
    } else {
        x->on_end(x);
    }
}

void
exchange_link_changed(struct exchange *x)
{
    if (!x->hanging || x->killed)
        return;
    x->hanging = false;
    end(x);
}

enum MHD_Result
exchange_on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                   const char *method, const char *version, const char *data,
                   size_t *len, void **state)
{
    struct exchange *x = *state;

    (void)cls;
    (void)mhd;
    (void)url;
    TAG_CHECK(x, EXCHANGE_TAG);
    if (x->killed)
        return MHD_NO;
    if (!x->begun) {
        begin(x, method, version);
    } else if (*len > 0) {
        x->received += *len;
        if (x->on_data != NULL)
            x->on_data(x, data, *len);
        *len = 0;
    } else {
        if (!x->ended) {
            x->ended = true;
            end(x);
        }
        /* Never "not ready" without suspending: that would spin. */
        if (!x->replied && !x->suspended && !x->killed)
            exchange_suspend(x);
    }
    return x->killed ? MHD_NO : MHD_YES;
}

const char *
exchange_listener(const struct exchange *x)
{
    return x->conn->listener->name;
}

int
exchange_fd(const struct exchange *x)
{
    return x->conn->fd;
}

void
exchange_suspend(struct exchange *x)
{
    if (x->suspended)
        return;
    x->suspended = true;
    MHD_suspend_connection(x->mhd);
}

void
exchange_resume(struct exchange *x)
{
    x->server->need_run = true;
    if (!x->suspended)
        return;
    x->suspended = false;
    MHD_resume_connection(x->mhd);
}

static void
on_timer(void *arg)
{
    struct exchange *x = arg;

    TAG_CHECK(x, EXCHANGE_TAG);
    x->on_timer(x);
}

void
exchange_after(struct exchange *x, uint64_t ms, exchange_fn fn)
{
    if (x->timer == NULL)
        x->timer = timer_new(x->server->loop, on_timer, x);
    CHECK(!timer_running(x->timer));
    x->on_timer = fn;
    exchange_suspend(x);
    timer_start(x->timer, ms);
}

void
exchange_cancel(struct exchange *x)
{
    if (x->timer != NULL)
        timer_stop(x->timer);
}

void
exchange_kill(struct exchange *x, bool reset)
{
    x->killed = true;
    if (reset)
        conn_reset(x->conn->fd);
    exchange_cancel(x);
    exchange_resume(x);
}

/* ---- the query ---- */

bool
exchange_query(const struct exchange *x, const char *name, size_t nth,
               struct buf *out)
{
    struct span rest = x->target.query;
    struct span part;

    while (rest.ptr != NULL && span_split(&rest, '&', &part)) {
        size_t equal = span_find(part, '=', 0);

        if (!span_eq(span_sub(part, 0, equal), span_of(name)) || nth-- > 0)
            continue;
        struct span value = equal < part.len
                                ? span_sub(part, equal + 1, part.len)
                                : span_sub(part, part.len, part.len);
        size_t len;

        buf_reserve(out, value.len + 1);
        if (!path_unescape(value, out->data + out->len, &len))
            return false;
        out->len += len;
        return true;
    }
    return false;
}

uint64_t
exchange_query_u64(const struct exchange *x, const char *name, uint64_t max,
                   uint64_t fallback)
{
    struct buf text = {0};
    uint64_t value = fallback;

    if (exchange_query(x, name, 0, &text) &&
        !span_u64(buf_span(&text), max, &value))
        value = fallback;
    buf_fini(&text);
    return value;
}
