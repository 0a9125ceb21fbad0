#include "fetch_internal.h"

#include <string.h>

#include "base/counter.h"

/* ---- before a request goes out ---- */

static bool
is_poisoned(struct fetch *fetch, const struct sock *sock)
{
    if (sock == NULL)
        return fetch->reused; /* whose it is, nobody knows */
    if (fetch->reused)
        return sock_news(sock) != SOCK_QUIET;
    /* On a new TLS connection session tickets may be waiting; one that closed
     * already is left for curl to find. */
    return !fetch->tls && sock_news(sock) == SOCK_BYTES;
}

int
fetch_on_prereq(void *arg, char *remote_ip, char *local_ip, int remote_port,
                int local_port)
{
    struct fetch *fetch = arg;
    const struct conn_name name = {remote_ip, local_ip, remote_port,
                                   local_port};

    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        return CURL_PREREQFUNC_ABORT;
    /* curl is about to send it again on its own, whatever the method is. */
    if (fetch->prereqs++ > 0) {
        fetch->stop = STOP_RESENT;
        return CURL_PREREQFUNC_ABORT;
    }
    fetch->connected = true;
    fetch->reused = fetch->opens == 0;

    struct sock *sock = sockets_find(fetch, &name);

    if (is_poisoned(fetch, sock)) {
        fetch->stop = STOP_POISONED;
        if (!fetch->reused)
            fetch_fail(fetch, ERR_PROTOCOL, "http_protocol_error",
                       "the server sent bytes before it was asked");
        return CURL_PREREQFUNC_ABORT;
    }
    uv_update_time(loop_uv(fetch->pool->loop));
    fetch_progress(fetch);
    fetch_arm(fetch);
    return CURL_PREREQFUNC_OK;
}

/* ---- the response ---- */

static bool
deliver_interim(struct fetch *fetch)
{
    fetch_progress(fetch);
    if (fetch->ops->on_interim != NULL)
        fetch->ops->on_interim(fetch->ctx, fetch->head.status,
                               &fetch->head.fields);
    return !fetch->cancelled;
}

static bool
deliver_head(struct fetch *fetch)
{
    const struct head *head = &fetch->head;
    struct fetch_head news = {
        .status = head->status,
        .minor = head->minor,
        .fields = &head->fields,
        .content_length = head->content_length,
        .no_body =
            fetch->head_method || head->status == 204 || head->status == 304,
    };

    news.close_delimited =
        !news.no_body && !head->chunked && head->content_length < 0;
    fetch->head_seen = true;
    fetch_progress(fetch);
    fetch_arm(fetch);
    fetch->ops->on_head(fetch->ctx, &news);
    return !fetch->cancelled;
}

/* Zero makes curl stop. */
size_t
fetch_on_header(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *fetch = arg;
    struct span line = {data, size * count};
    char detail[HEAD_DETAIL_MAX];
    bool go_on = true;

    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        return 0;
    fetch->answered = true;
    switch (head_line(&fetch->head, &fetch->pool->limits, line, detail)) {
    case HEAD_MORE:
        break;
    case HEAD_INTERIM:
        go_on = deliver_interim(fetch);
        break;
    case HEAD_FINAL:
        go_on = deliver_head(fetch);
        break;
    case HEAD_BAD:
        fetch_fail(fetch, ERR_PROTOCOL,
                   strstr(detail, "too ") != NULL
                       ? "http_response_header_section_size"
                       : "http_protocol_error",
                   "%s", detail);
        go_on = false;
        break;
    }
    return go_on ? line.len : 0;
}

size_t
fetch_on_write(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *fetch = arg;
    size_t len = size * count;

    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        return CURL_WRITEFUNC_ERROR;
    if (fetch->head.state != HEAD_DONE) {
        fetch_fail(fetch, ERR_PROTOCOL, "http_protocol_error",
                   "body without a response head");
        return CURL_WRITEFUNC_ERROR;
    }
    if (len == 0)
        return 0;
    fetch_progress(fetch);

    enum err err = fetch->ops->on_body(fetch->ctx, data, len);

    if (fetch->cancelled)
        return CURL_WRITEFUNC_ERROR;
    if (err == ERR_AGAIN) {
        fetch->recv_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (err != ERR_OK) {
        fetch_fail(fetch, err, "proxy_internal_error",
                   "the response body was not taken: %s", err_name(err));
        return CURL_WRITEFUNC_ERROR;
    }
    fetch->body_bytes += len;
    counter_add(COUNTER_ORIGIN_BYTES_IN, len);
    return len;
}

/* ---- the request's body ---- */

static size_t
end_of_upload(struct fetch *fetch)
{
    if (fetch->body_len < 0)
        return 0;
    /* Nothing would end it but a timeout. */
    fetch_fail(fetch, ERR_CANCELLED, "http_request_error",
               "the request body ended %llu bytes early",
               (unsigned long long)fetch->body_len -
                   (unsigned long long)fetch->body_sent);
    return CURL_READFUNC_ABORT;
}

size_t
fetch_on_read(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *fetch = arg;
    size_t max = size * count;
    size_t len = 0;

    TAG_CHECK(fetch, FETCH_TAG);
    if (fetch->cancelled)
        return CURL_READFUNC_ABORT;
    if (fetch->body_len >= 0 &&
        max > (uint64_t)fetch->body_len - fetch->body_sent)
        max = (size_t)((uint64_t)fetch->body_len - fetch->body_sent);
    if (max == 0)
        return 0;
    fetch_progress(fetch);

    enum err err = fetch->ops->on_read(fetch->ctx, data, max, &len);

    if (fetch->cancelled)
        return CURL_READFUNC_ABORT;
    switch ((int)err) {
    case ERR_OK:
        CHECK(len > 0 && len <= max);
        fetch->body_sent += len;
        return len;
    case ERR_AGAIN:
        fetch->send_paused = true;
        return CURL_READFUNC_PAUSE;
    case ERR_END:
        return end_of_upload(fetch);
    default:
        fetch_fail(fetch, err, "http_request_error",
                   "the request body could not be had: %s", err_name(err));
        return CURL_READFUNC_ABORT;
    }
}
