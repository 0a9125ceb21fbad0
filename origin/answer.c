#include "answer.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/status.h"
#include "server_internal.h"

#define BLOCK 65536

struct stream {
    struct exchange *x; /* gone when free_stream is called */
    struct body *body;
    uint64_t start_ns; /* of the sending; 0: not begun */
};

void
answer_header(struct exchange *x, const char *name, const char *value)
{
    struct span v = span_trim(span_of(value));

    if (v.len == 0 || !field_value_valid(v) || !token_valid(span_of(name)))
        return;
    buf_add(&x->out_names, name, strlen(name) + 1);
    buf_add_span(&x->out_names, v);
    buf_add_char(&x->out_names, '\0');
    x->out_count++;
}

void
answer_clear(struct exchange *x)
{
    buf_clear(&x->out_names);
    x->out_count = 0;
}

static void
send_response(struct exchange *x, int status, struct MHD_Response *response)
{
    const char *at = x->out_names.data;

    CHECK(!x->replied && response != NULL);
    for (size_t i = 0; i < x->out_count; i++) {
        const char *value = at + strlen(at) + 1;

        MHD_add_response_header(response, at, value);
        at = value + strlen(value) + 1;
    }
    x->replied = true;
    /* Refused only while the body is still coming, or without memory. */
    if (MHD_queue_response(x->mhd, (unsigned)status, response) != MHD_YES)
        x->killed = true;
    MHD_destroy_response(response);
    exchange_resume(x);
}

void
answer_text(struct exchange *x, int status, const char *type, struct span text)
{
    if (type != NULL)
        answer_header(x, "Content-Type", type);
    send_response(x, status,
                  MHD_create_response_from_buffer(text.len,
                                                  (void *)(uintptr_t)text.ptr,
                                                  MHD_RESPMEM_MUST_COPY));
}

void
answer_error(struct exchange *x, int status, const char *why)
{
    struct buf text = {0};

    buf_printf(&text, "%d %s: %s\n", status, status_reason(status), why);
    answer_text(x, status, "text/plain", buf_span(&text));
    buf_fini(&text);
}

void
answer_json(struct exchange *x, int status, json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);

    json_decref(json);
    CHECK(text != NULL);
    struct buf line = {0};

    buf_printf(&line, "%s\n", text);
    free(text);
    answer_text(x, status, "application/json", buf_span(&line));
    buf_fini(&line);
}

void
answer_empty(struct exchange *x, int status)
{
    send_response(
        x, status,
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

static ssize_t
read_nothing(void *cls, uint64_t pos, char *out, size_t max)
{
    (void)cls;
    (void)pos;
    (void)out;
    (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The length is told, but no byte is asked for: of an answer that has no
 * body. */
static struct MHD_Response *
bodyless(uint64_t len)
{
    if (len == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_callback(len, 1, read_nothing, NULL, NULL);
}

void
answer_not_modified(struct exchange *x, uint64_t len)
{
    send_response(x, 304, bodyless(len));
}

void
answer_file(struct exchange *x, int status, int fd, uint64_t from, uint64_t len)
{
    /* The descriptor is closed with the response. */
    send_response(x, status,
                  MHD_create_response_from_fd_at_offset64(len, fd, from));
}

/* ---- streams ---- */

/* More bytes than `max` are not asked for; 0 means wait. */
static size_t
pace(struct stream *stream, uint64_t pos, size_t max)
{
    uint64_t now = clock_boot_ns();

    if (stream->body->every_ms == 0)
        return max;
    if (stream->start_ns == 0)
        stream->start_ns = now;
    uint64_t elapsed = (now - stream->start_ns) / NS_PER_MS;
    uint64_t allowed = body_allowed(stream->body, elapsed);

    if (allowed <= pos) {
        exchange_after(stream->x, body_wait_ms(stream->body, elapsed, pos),
                       exchange_resume);
        return 0;
    }
    return allowed - pos < max ? (size_t)(allowed - pos) : max;
}

static ssize_t
read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
    struct stream *stream = cls;
    const struct body *body = stream->body;

    if (stream->x->killed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (pos >= body->fail_at) {
        exchange_kill(stream->x, body->fail_reset);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (body->fail_at - pos < max)
        max = (size_t)(body->fail_at - pos);
    if (pos >= body->len)
        return MHD_CONTENT_READER_END_OF_STREAM;
    max = pace(stream, pos, max);
    if (max == 0)
        return 0; /* suspended */
    ssize_t n = body_read(body, pos, out, max);

    return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void
free_stream(void *cls)
{
    struct stream *stream = cls;

    body_free(&stream->body);
    free(stream);
}

void
answer_body(struct exchange *x, int status, struct body **body)
{
    struct stream *stream;
    uint64_t len = (*body)->len;

    /* Without a known length an answer to HEAD would get a stray last
     * chunk. */
    if (x->is_head || len == 0) {
        body_free(body);
        send_response(x, status, bodyless(len));
        return;
    }
    stream = mem_zalloc(sizeof(*stream));
    stream->x = x;
    stream->body = *body;
    *body = NULL;
    send_response(x, status,
                  MHD_create_response_from_callback(
                      stream->body->chunked ? MHD_SIZE_UNKNOWN : len, BLOCK,
                      read_stream, stream, free_stream));
}

void
answer_raw(struct exchange *x, const void *data, size_t len)
{
    (void)!send(exchange_fd(x), data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}
