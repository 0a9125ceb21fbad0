#include "fetch_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CONNECT_TIMEOUT_MS 10000
#define BUFFER_BYTES 32768L

/* ---- what may be sent: curl puts anything on the wire as it is ---- */

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

static bool
check_request(struct fetch *fetch, const struct fetch_request *request)
{
    struct span target = request->target;
    struct span base = request->url_base;
    size_t scheme = span_starts(base, SPAN("https://")) ? 8 : 7;

    if (!token_valid(request->method))
        return refuse(fetch, "method is not a token");
    if (!printable(target) ||
        (target.ptr[0] != '/' && !span_eq(target, SPAN("*"))))
        return refuse(fetch, "target is not a path");
    if (!span_starts(base, SPAN("http://")) &&
        !span_starts(base, SPAN("https://")))
        return refuse(fetch, "server is not http:// or https://");
    base = span_sub(base, scheme, base.len);
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

/* Framing, and what speaks of the connection, is curl's to write. */
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
        if (span_eq_nocase(name, names[i]))
            return true;
    }
    return false;
}

/* "Name: value"; curl writes an empty value when it reads "Name;". */
static void
add_line(struct fetch *fetch, struct span name, struct span value)
{
    buf_add_span(&fetch->lines, name);
    if (value.len > 0) {
        buf_add_text(&fetch->lines, ": ");
        buf_add_span(&fetch->lines, value);
    } else {
        buf_add_char(&fetch->lines, ';');
    }
    buf_add_char(&fetch->lines, '\0');
}

static void
add_text(struct fetch *fetch, const char *line)
{
    buf_add(&fetch->lines, line, strlen(line) + 1);
}

/* The list curl wants, over the strings in `lines`. */
static void
link_lines(struct fetch *fetch, size_t count)
{
    char *line = fetch->lines.data;

    if (fetch->slist_cap < count) {
        fetch->slist_cap = count * 2;
        fetch->slist =
            mem_realloc(fetch->slist, fetch->slist_cap * sizeof(*fetch->slist));
    }
    for (size_t i = 0; i < count; i++) {
        fetch->slist[i].data = line;
        fetch->slist[i].next = i + 1 < count ? &fetch->slist[i + 1] : NULL;
        line += strlen(line) + 1;
    }
}

static bool
add_fields(struct fetch *fetch, const struct fetch_request *request)
{
    bool accept = false;
    bool content_type = false;
    size_t count = 0;

    buf_clear(&fetch->lines);
    for (size_t i = 0; i < request->fields->count; i++) {
        struct span name = request->fields->list[i].name;
        struct span value = span_trim(request->fields->list[i].value);

        if (!token_valid(name) || !field_value_valid(value))
            return refuse(fetch, "malformed request field");
        if (is_ours(name))
            continue;
        accept |= span_eq_nocase(name, SPAN("Accept"));
        content_type |= span_eq_nocase(name, SPAN("Content-Type"));
        add_line(fetch, name, value);
        count++;
    }
    /* What curl would add unasked. */
    add_text(fetch, "Expect:");
    count++;
    if (!accept) {
        add_text(fetch, "Accept:");
        count++;
    }
    if (!content_type) {
        add_text(fetch, "Content-Type:");
        count++;
    }
    if (fetch->has_body && fetch->body_len < 0) {
        add_text(fetch, "Transfer-Encoding: chunked");
        count++;
    }
    link_lines(fetch, count);
    curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->slist);
    return true;
}

/* ---- options ---- */

static const char *
string(struct fetch *fetch, struct span a, const char *b)
{
    struct buf *scratch = &fetch->pool->scratch;

    buf_clear(scratch);
    buf_add_span(scratch, a);
    buf_add_text(scratch, b);
    return scratch->data;
}

static void
set_callbacks(struct fetch *fetch)
{
    CURL *easy = fetch->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->curl_detail);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fetch_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fetch_on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, fetch_on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, fetch_on_prereq);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, sockets_on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
    /* Kept with the connection, which outlives the fetch. */
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, sockets_on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->pool);
}

static void
set_transport(struct fetch *fetch, const struct fetch_request *request)
{
    CURL *easy = fetch->easy;
    uint64_t connect_ms = request->connect_timeout_ms;

    if (connect_ms == 0)
        connect_ms = CONNECT_TIMEOUT_MS;
    if (connect_ms > INT32_MAX)
        connect_ms = INT32_MAX;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A cancelled name lookup must not hold up the loop until it is done. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    if (!fetch->tls)
        return;

    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER,
                     request->tls_verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST,
                     request->tls_verify ? 2L : 0L);
    const char *ca_file =
        request->ca_file != NULL ? request->ca_file : fetch->pool->ca_file;

    if (ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
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
set_method(struct fetch *fetch, struct span method)
{
    CURL *easy = fetch->easy;

    if (fetch->head_method) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (span_eq(method, SPAN("GET")) && !fetch->has_body)
        return;
    if (fetch->has_body) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                         (curl_off_t)fetch->body_len);
    } else if (means_a_body(method)) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, string(fetch, method, ""));
}

bool
fetch_prepare(struct fetch *fetch, const struct fetch_request *request)
{
    CURL *easy = fetch->easy;

    if (!check_request(fetch, request))
        return false;
    curl_easy_reset(easy);
    set_callbacks(fetch);
    set_transport(fetch, request);
    set_method(fetch, request->method);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    if (curl_easy_setopt(easy, CURLOPT_URL,
                         string(fetch, request->url_base, "/")) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET,
                         string(fetch, request->target, "")) != CURLE_OK)
        return refuse(fetch, "target is too long");
    return add_fields(fetch, request);
}
