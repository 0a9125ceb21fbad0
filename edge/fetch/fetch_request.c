/* The head of a request, as it is sent: checked, with framing of our own. */
#include "fetch_internal.h"

/* ---- what may be sent ---- */

static bool
printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
            return false;
    }
    return s.len > 0;
}

static bool
refuse(struct fetch *fetch, const char *reason)
{
    fetch_fail(fetch, ERR_PROTOCOL, "http_request_error", "%s", reason);
    return false;
}

/* The server's host and port: what stands behind the scheme. */
static struct span
authority_of(struct span base)
{
    size_t scheme = span_starts(base, SPAN("https://")) ? 8 : 7;

    return span_sub(base, scheme, base.len);
}

static bool
check_request(struct fetch *fetch, const struct fetch_request *request)
{
    struct span target = request->target;
    struct span base = request->url_base;

    if (!token_valid(request->method))
        return refuse(fetch, "method is not a token");
    if (!printable(target) ||
        (target.ptr[0] != '/' && !span_eq(target, SPAN("*"))))
        return refuse(fetch, "target is not a path");
    if (!span_starts(base, SPAN("http://")) &&
        !span_starts(base, SPAN("https://")))
        return refuse(fetch, "server is not http:// or https://");
    base = authority_of(base);
    if (!printable(base) || span_find(base, '/', 0) != base.len ||
        span_find(base, '?', 0) != base.len ||
        span_find(base, '#', 0) != base.len ||
        span_find(base, '@', 0) != base.len)
        return refuse(fetch, "server is not host:port");
    if (request->has_body && span_eq(request->method, SPAN("HEAD")))
        return refuse(fetch, "HEAD with a body");
    return true;
}

/* ---- fields ---- */

/* Framing, and what speaks of the connection, is written anew. */
static bool
is_ours(struct span name)
{
    static const struct span names[] = {
        {"Connection", 10},
        {"Content-Length", 14},
        {"Expect", 6},
        {"Keep-Alive", 10},
        {"TE", 2},
        {"Trailer", 7},
        {"Proxy-Connection", 16},
        {"Upgrade", 7},
        {"Transfer-Encoding", 17},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (name.len == names[i].len && span_eq_nocase(name, names[i]))
            return true;
    }
    return false;
}

static void
add_line(struct buf *out, struct span name, struct span value)
{
    buf_add_span(out, name);
    buf_add(out, ": ", value.len > 0 ? 2 : 1);
    buf_add_span(out, value);
    buf_add(out, "\r\n", 2);
}

/* Host goes first (RFC 9110 section 7.2). */
static void
add_host(struct buf *out, const struct fetch_request *request)
{
    struct span host = fields_get(request->fields, SPAN("Host"));

    if (host.ptr == NULL)
        host = authority_of(request->url_base);
    add_line(out, SPAN("Host"), host);
}

static bool
add_fields(struct fetch *fetch, const struct fetch_request *request)
{
    for (size_t i = 0; i < request->fields->count; i++) {
        struct span name = request->fields->list[i].name;
        struct span value = span_trim(request->fields->list[i].value);

        if (!token_valid(name) || !field_value_valid(value))
            return refuse(fetch, "malformed request field");
        if (!is_ours(name) && !span_eq_nocase(name, SPAN("Host")))
            add_line(&fetch->head_out, name, value);
    }
    return true;
}

/* POST, PUT and PATCH say Content-Length: 0 when they have no body (RFC 9110
 * section 8.6). */
static bool
means_a_body(struct span method)
{
    return span_eq(method, SPAN("POST")) || span_eq(method, SPAN("PUT")) ||
           span_eq(method, SPAN("PATCH"));
}

static void
add_framing(struct fetch *fetch, const struct fetch_request *request)
{
    struct buf *out = &fetch->head_out;

    if (fetch->has_body && fetch->body_len < 0) {
        buf_add_text(out, "Transfer-Encoding: chunked\r\n");
    } else if (fetch->has_body || request->has_body ||
               means_a_body(request->method)) {
        buf_add_text(out, "Content-Length: ");
        buf_add_u64(out, fetch->has_body ? (uint64_t)fetch->body_len : 0);
        buf_add_text(out, "\r\n");
    }
    buf_add_text(out, "\r\n");
}

bool
fetch_prepare(struct fetch *fetch, const struct fetch_request *request)
{
    struct buf *out = &fetch->head_out;

    buf_clear(out);
    if (!check_request(fetch, request))
        return false;
    buf_add_span(out, request->method);
    buf_add_char(out, ' ');
    buf_add_span(out, request->target);
    buf_add_text(out, " HTTP/1.1\r\n");
    add_host(out, request);
    if (!add_fields(fetch, request))
        return false;
    add_framing(fetch, request);
    return true;
}
