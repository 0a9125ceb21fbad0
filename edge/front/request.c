/*
 * A request as libmicrohttpd tells it: the URI first, then the handler, once
 * with the head, then with each piece of the body, then once more; then that
 * it is completed. A response that is queued in the first call closes the
 * connection, so only refusals are; everything else waits for the last call.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/mem.h"
#include "front_internal.h"
#include "http/guard.h"

/* ---- the pool ---- */

static struct request *
request_alloc(struct front_worker *worker)
{
    struct request *request = worker->free_requests;

    if (request == NULL) {
        request = mem_zalloc(sizeof(*request));
    } else {
        struct request kept = *request;

        worker->free_requests = kept.next;
        memset(request, 0, sizeof(*request));
        request->target = kept.target;
        request->target_cap = kept.target_cap;
        request->fields = kept.fields;
        fields_clear(&request->fields);
    }
    TAG_SET(request, REQUEST_TAG);
    request->worker = worker;
    return request;
}

static void
request_recycle(struct request *request)
{
    struct front_worker *worker = request->worker;

    TAG_CLEAR(request);
    request->next = worker->free_requests;
    worker->free_requests = request;
}

void
request_pool_free(struct front_worker *worker)
{
    while (worker->free_requests != NULL) {
        struct request *request = worker->free_requests;

        worker->free_requests = request->next;
        fields_fini(&request->fields);
        free(request->target);
        free(request);
    }
}

/* ---- waiting ---- */

void
request_suspend(struct request *request)
{
    if (request->suspended)
        return;
    request->suspended = true;
    MHD_suspend_connection(request->mhd);
    conn_watch(request->conn);
}

void
request_resume(struct request *request)
{
    request->worker->need_run = true;
    if (!request->suspended)
        return;
    request->suspended = false;
    MHD_resume_connection(request->mhd);
}

void
request_abandon(struct request *request)
{
    TAG_CHECK(request, REQUEST_TAG);
    conn_kill(request->conn);
    request_resume(request);
}

/* ---- the head ---- */

void *
request_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct request *request = request_alloc(cls);
    size_t len = strlen(uri);
    const char *query = memchr(uri, '?', len);

    if (len + 1 > request->target_cap) {
        request->target_cap = len + 256;
        request->target = mem_realloc(request->target, request->target_cap);
    }
    memcpy(request->target, uri, len + 1);
    request->target_len = len;
    request->raw = uri;
    request->mhd = mhd;
    request->conn = conn_of(mhd);
    request->conn->request = request;
    request->conn->since_ms = conn_now_ms(request->worker);
    /* Keeps libmicrohttpd from parsing the query: thousands of arguments would
     * fill its pool, and the request would hang. */
    if (query != NULL && query[1] != '\0')
        ((char *)(uintptr_t)query)[1] = '\0';
    return request;
}

struct collecting {
    struct request *request;
    const char *why;
    const char *last; /* the end of the last value */
};

/*
 * Takes a field over. libmicrohttpd is lenient (it glues folded lines to the
 * name, takes a bare LF for a line end, and a NUL for the end of the head); it
 * leaves its traces in the buffer: name NUL blanks value NUL NUL. The version
 * is pinned by Debian, and tests/scenario holds a case for each trace.
 */
static enum MHD_Result
collect(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
        const char *value, size_t value_len)
{
    struct collecting *c = cls;
    struct fields *fields = &c->request->fields;

    (void)kind;
    if (value == NULL || value <= name + name_len || name[name_len] != '\0') {
        c->why = "a header field without a value, or a folded line";
        return MHD_NO;
    }
    for (const char *p = name + name_len + 1; p < value; p++) {
        if (*p != ' ' && *p != '\t') {
            c->why = "a folded header line (obs-fold)";
            return MHD_NO;
        }
    }
    if (value[value_len] != '\0' || value[value_len + 1] != '\0') {
        c->why = "a header line that ends in a bare LF, or holds a NUL";
        return MHD_NO;
    }
    if (fields->count == FRONT_FIELDS_MAX) {
        c->why = "too many header fields";
        return MHD_NO;
    }
    fields_add(fields, (struct span){name, name_len},
               span_trim((struct span){value, value_len}));
    c->last = value + value_len;
    return MHD_YES;
}

static const char *
why_head_unsound(struct request *request, const char *version)
{
    struct collecting c = {.request = request};

    if (request->raw + request->target_len + 1 != version)
        return "a NUL or a blank in the request target";
    MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, collect, &c);
    if (c.why != NULL)
        return c.why;
    if (c.last != NULL && (c.last[0] != '\0' || c.last[1] != '\0' ||
                           c.last[2] != '\0' || c.last[3] != '\0'))
        return "the header section does not end in an empty line";
    return NULL;
}

static size_t
head_size(const struct request *request)
{
    size_t size = request->target_len;

    for (size_t i = 0; i < request->fields.count; i++)
        size += request->fields.list[i].name.len +
                request->fields.list[i].value.len + 4;
    return size;
}

/*
 * What is left of the connection's memory for the head of the answer. In it
 * libmicrohttpd keeps the head, a struct for each field, a copy of the cookies
 * and a struct for each of these; what does not fit any more it does not
 * answer, but breaks off.
 */
#define ERROR_ROOM ((size_t)1500)
#define FIELD_STRUCT 80
#define OTHER_BYTES 512 /* the request line, the answer's own fields */

static size_t
room_left(const struct request *request, size_t head)
{
    const struct fields *fields = &request->fields;
    struct span cookies = fields_get(fields, SPAN("Cookie"));
    size_t used = head + fields->count * FIELD_STRUCT + OTHER_BYTES;

    if (cookies.len > 0) {
        used += cookies.len + FIELD_STRUCT;
        for (size_t i = 0; i < cookies.len; i++)
            used += cookies.ptr[i] == ';' ? FIELD_STRUCT : 0;
    }
    return used < request->worker->pool ? request->worker->pool - used : 1;
}

static void
refuse(struct request *request, unsigned status, const char *why)
{
    request->tx_request.refuse_status = status;
    request->tx_request.refuse_why = why;
}

static const char body_too_large[] =
    "the request's body is over limits.max_body";

/* Fills in the request's head; what is wrong with it is in refuse_status. */
static void
read_head(struct request *request, const char *method, const char *version)
{
    struct tx_request *head = &request->tx_request;
    struct guard_result guard = {0};
    const char *why = why_head_unsound(request, version);
    size_t size = head_size(request);

    head->method = span_of(method);
    head->target = (struct span){request->target, request->target_len};
    head->fields = &request->fields;
    head->client = (const struct sockaddr *)&request->conn->address;
    head->minor = strcmp(version, "HTTP/1.0") == 0 ? 0 : 1;
    head->arrived_ns = clock_boot_ns();
    head->room = room_left(request, size);
    if (why == NULL)
        why =
            guard_request(head->method, head->minor > 0, head->fields, &guard);
    if (why != NULL) {
        refuse(request, 400, why);
        return;
    }
    /* What the origin will not be sent must not count as sent, for Vary or in
     * a key: the answer would be kept for those who do send it. */
    fields_remove_nominated(&request->fields);
    if (size > request->worker->max_head) {
        refuse(request, 431,
               "the request's head is over limits.request_header_bytes");
        return;
    }
    head->has_body = guard.body != GUARD_BODY_NONE &&
                     !(guard.body == GUARD_BODY_LENGTH && guard.body_len == 0);
    head->body_len = guard.body == GUARD_BODY_CHUNKED ? -1 : guard.body_len;
    if (request->worker->max_body > 0 && head->body_len > 0 &&
        (uint64_t)head->body_len > request->worker->max_body)
        refuse(request, 413, body_too_large);
}

static void
start(struct request *request)
{
    request->tx = tx_start(request->worker->worker, &request->tx_request,
                           &reply_ops, request);
}

/* Even an error page has no room. */
static enum MHD_Result
refuse_by_hand(struct request *request)
{
    static const char answer[] =
        "HTTP/1.1 431 Request Header Fields Too Large\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n";

    (void)send(request->conn->fd, answer, sizeof(answer) - 1,
               MSG_DONTWAIT | MSG_NOSIGNAL);
    conn_kill(request->conn);
    return MHD_NO;
}

/* ---- the handler ---- */

static enum MHD_Result
first_call(struct request *request, const char *method, const char *version)
{
    read_head(request, method, version);
    if (request->tx_request.room < ERROR_ROOM)
        return refuse_by_hand(request);
    if (request->tx_request.refuse_status != 0) {
        request->body_done = true; /* none of it is read */
        start(request);
        return reply_queue(request);
    }
    if (request->tx_request.has_body)
        start(request);
    return MHD_YES;
}

static enum MHD_Result
discard(struct request *request, size_t *len)
{
    request->discarded += *len;
    *len = 0;
    if (request->discarded > FRONT_DISCARD_MAX)
        conn_kill(request->conn);
    return MHD_YES;
}

static enum MHD_Result
take_body(struct request *request, const char *data, size_t *len)
{
    size_t taken = 0;

    if (request->conn->dead)
        return MHD_NO;
    if (request->discarding || request->response != NULL)
        return discard(request, len);
    /* One that did not say its length is counted. */
    if (request->worker->max_body > 0 &&
        request->received + *len > request->worker->max_body) {
        request->discarding = true;
        tx_refuse(request->tx, 413, body_too_large);
        return discard(request, len);
    }
    enum err err = tx_upload(request->tx, data, *len, &taken);

    counter_add(COUNTER_CLIENT_BYTES_IN, taken);
    if (err == ERR_END) {
        request->discarding = true;
        return discard(request, len);
    }
    *len -= taken;
    request->received += taken;
    if (*len > 0)
        request_suspend(request);
    return MHD_YES;
}

static enum MHD_Result
last_call(struct request *request)
{
    if (!request->body_done) {
        request->body_done = true;
        if (request->tx == NULL)
            start(request);
        else
            tx_upload_end(request->tx);
    }
    if (request->response != NULL)
        return reply_queue(request);
    if (request->conn->dead)
        return MHD_NO;
    if (!request->queued)
        request_suspend(request);
    return MHD_YES;
}

enum MHD_Result
request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
               const char *method, const char *version, const char *data,
               size_t *len, void **context)
{
    struct request *request = *context;
    enum MHD_Result result;

    (void)cls;
    (void)mhd;
    (void)url;
    TAG_CHECK(request, REQUEST_TAG);
    if (request->queued)
        return MHD_YES;
    request->in_handler = true;
    if (request->calls++ == 0)
        result = first_call(request, method, version);
    else if (*len > 0)
        result = take_body(request, data, len);
    else
        result = last_call(request);
    request->in_handler = false;
    return result;
}

void
request_completed(void *cls, struct MHD_Connection *mhd, void **context,
                  enum MHD_RequestTerminationCode code)
{
    struct request *request = *context;

    (void)cls;
    (void)mhd;
    if (request == NULL)
        return;
    TAG_CHECK(request, REQUEST_TAG);
    *context = NULL;
    struct tx_end end = {
        .complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK,
        .body_bytes = request->sent,
    };

    if (end.complete && !request->streamed)
        end.body_bytes = request->length;
    if (request->tx != NULL)
        tx_end(&request->tx, &end);
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    request->conn->request = NULL;
    request->conn->since_ms = conn_now_ms(request->worker);
    request_recycle(request);
}
