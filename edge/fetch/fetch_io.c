/* One exchange on its connection: the request out, the response in. */
#include <string.h>

#include "base/counter.h"
#include "fetch_internal.h"

#define UPLOAD_PIECE ((size_t)32 * 1024)
/* A chunk's size line, in front of its data. */
#define CHUNK_HEAD 18u
/* Reads and pieces in one go, so that others get their turn, and an answer
 * that comes early is seen. */
#define READS_MAX 8
#define PIECES_MAX 4

/* ---- out ---- */

/* Sends the rest of `buf`, noting how far it got. */
static enum err
flush(struct fetch *fetch, const struct buf *buf, size_t *pos)
{
    while (*pos < buf->len) {
        size_t n;
        enum err err =
            channel_send(fetch->channel, buf->data + *pos, buf->len - *pos, &n);

        if (err != ERR_OK)
            return err;
        *pos += n;
        fetch_progress(fetch);
    }
    return ERR_OK;
}

static enum fetch_io
end_of_upload(struct fetch *fetch)
{
    if (fetch->body_len < 0) {
        buf_clear(&fetch->out);
        buf_add_text(&fetch->out, "0\r\n\r\n");
        fetch->out_pos = 0;
        fetch->upload_over = true;
        return FETCH_IO_WAIT;
    }
    /* Nothing would end it but a timeout. */
    fetch_fail(fetch, ERR_CANCELLED, "http_request_error",
               "the request body ended %llu bytes early",
               (unsigned long long)fetch->body_len -
                   (unsigned long long)fetch->body_sent);
    return FETCH_IO_FAILED;
}

/* `len` bytes stand behind the room for a size line. */
static void
frame_piece(struct fetch *fetch, size_t len)
{
    struct buf *out = &fetch->out;
    struct buf head = {0};

    out->len = CHUNK_HEAD + len;
    fetch->out_pos = CHUNK_HEAD;
    fetch->body_sent += len;
    if (fetch->body_len >= 0) {
        fetch->upload_over = fetch->body_sent == (uint64_t)fetch->body_len;
        return;
    }
    buf_printf(&head, "%zx\r\n", len);
    fetch->out_pos -= head.len;
    memcpy(out->data + fetch->out_pos, head.data, head.len);
    buf_add(out, "\r\n", 2);
    buf_fini(&head);
}

/* Asks for the next piece of the request's body. */
static enum fetch_io
next_piece(struct fetch *fetch)
{
    struct buf *out = &fetch->out;
    size_t max = UPLOAD_PIECE;
    size_t len = 0;

    if (fetch->body_len >= 0 &&
        max > (uint64_t)fetch->body_len - fetch->body_sent)
        max = (size_t)((uint64_t)fetch->body_len - fetch->body_sent);
    buf_clear(out);
    buf_reserve(out, CHUNK_HEAD + max);
    fetch->out_pos = 0;
    fetch_progress(fetch);

    enum err err =
        fetch->ops->on_read(fetch->ctx, out->data + CHUNK_HEAD, max, &len);

    if (fetch->cancelled)
        return FETCH_IO_GONE;
    switch ((int)err) {
    case ERR_OK:
        CHECK(len > 0 && len <= max);
        frame_piece(fetch, len);
        return FETCH_IO_WAIT;
    case ERR_AGAIN:
        fetch->send_paused = true;
        return FETCH_IO_WAIT;
    case ERR_END:
        return end_of_upload(fetch);
    default:
        fetch_fail(fetch, err, "http_request_error",
                   "the request body could not be had: %s", err_name(err));
        return FETCH_IO_FAILED;
    }
}

/* An error here is not the end yet: the server may have said why, before. */
static enum err
send_on(struct fetch *fetch)
{
    enum err err = flush(fetch, &fetch->head_out, &fetch->head_pos);

    if (err == ERR_OK)
        err = flush(fetch, &fetch->out, &fetch->out_pos);
    if (err != ERR_OK && err != ERR_AGAIN) {
        fetch->send_failed = true;
        fetch->upload_over = true;
    }
    return err;
}

static void
poll_on(struct fetch *fetch, bool wants_room)
{
    channel_poll(fetch->channel, (fetch->recv_paused ? 0 : UV_READABLE) |
                                     (wants_room ? UV_WRITABLE : 0));
}

enum fetch_io
fetch_send(struct fetch *fetch, bool bodies)
{
    enum err err = ERR_OK;
    int pieces = 0;

    while (!fetch->sent && !fetch->send_failed) {
        err = send_on(fetch);
        if (err != ERR_OK)
            break;
        if (fetch->upload_over) {
            fetch->sent = true;
        } else if (!bodies || fetch->send_paused || pieces++ == PIECES_MAX) {
            break;
        } else {
            enum fetch_io io = next_piece(fetch);

            if (io != FETCH_IO_WAIT)
                return io;
        }
    }
    poll_on(fetch, err == ERR_AGAIN || pieces > PIECES_MAX);
    return FETCH_IO_WAIT;
}

/* ---- in: the head ---- */

static bool
connection_says(const struct head *head, struct span option)
{
    struct member_cursor cursor = {0};
    struct span member;

    while (fields_next_member(&head->fields, SPAN("Connection"), &cursor,
                              &member)) {
        if (span_eq_nocase(member, option))
            return true;
    }
    return false;
}

static bool
has_no_body(const struct fetch *fetch)
{
    unsigned status = fetch->head.status;

    return fetch->head_method || status == 204 || status == 304;
}

/* A 204 with a length or a coding, which it must not have (RFC 9110 section
 * 8.6, RFC 9112 section 6.1): the body that it speaks of may follow, when the
 * next request is out already. */
static bool
announces_surplus(const struct head *head)
{
    return head->status == 204 &&
           (head->chunked || head->foreign || head->content_length > 0);
}

static void
begin_body(struct fetch *fetch)
{
    const struct head *head = &fetch->head;
    enum body_kind kind = BODY_UNTIL_CLOSE;

    if (has_no_body(fetch))
        kind = BODY_NONE;
    else if (head->chunked)
        kind = BODY_CHUNKED;
    else if (head->content_length >= 0)
        kind = BODY_LENGTH;
    body_init(&fetch->body, kind,
              kind == BODY_LENGTH ? (uint64_t)head->content_length : 0);
    fetch->keep_alive =
        kind != BODY_UNTIL_CLOSE && !announces_surplus(head) &&
        !connection_says(head, SPAN("close")) &&
        (head->minor > 0 || connection_says(head, SPAN("keep-alive")));
    /* The rest of the request is not sent to who refuses it, and the
     * connection is of no use then (RFC 9112 section 9.5). */
    if (head->status >= 400 && !fetch->sent) {
        fetch->upload_over = true;
        fetch->send_failed = true;
    }
}

static enum fetch_io
deliver_head(struct fetch *fetch)
{
    const struct head *head = &fetch->head;
    struct fetch_head news = {
        .status = head->status,
        .minor = head->minor,
        .fields = &head->fields,
        .content_length = head->content_length,
        .no_body = has_no_body(fetch),
        .close_delimited =
            !has_no_body(fetch) && !head->chunked && head->content_length < 0,
    };

    begin_body(fetch);
    fetch->head_seen = true;
    fetch_progress(fetch);
    fetch_arm(fetch);
    fetch->ops->on_head(fetch->ctx, &news);
    return fetch->cancelled ? FETCH_IO_GONE : FETCH_IO_WAIT;
}

static enum fetch_io
deliver_interim(struct fetch *fetch)
{
    fetch_progress(fetch);
    if (fetch->ops->on_interim != NULL)
        fetch->ops->on_interim(fetch->ctx, fetch->head.status,
                               &fetch->head.fields);
    return fetch->cancelled ? FETCH_IO_GONE : FETCH_IO_WAIT;
}

static enum fetch_io
bad_head(struct fetch *fetch, const char *detail)
{
    fetch_fail(fetch, ERR_PROTOCOL,
               strstr(detail, "too ") != NULL
                   ? "http_response_header_section_size"
                   : "http_protocol_error",
               "%s", detail);
    return FETCH_IO_FAILED;
}

static enum fetch_io
take_line(struct fetch *fetch, struct span line)
{
    char detail[HEAD_DETAIL_MAX];

    switch (head_line(&fetch->head, &fetch->pool->limits, line, detail)) {
    case HEAD_MORE:
        return FETCH_IO_WAIT;
    case HEAD_INTERIM:
        return deliver_interim(fetch);
    case HEAD_FINAL:
        return deliver_head(fetch);
    case HEAD_BAD:
        break;
    }
    return bad_head(fetch, detail);
}

/* The beginning of a line, whose end has not come: kept, unless it is wrong
 * already. */
static enum fetch_io
keep_part(struct fetch *fetch, struct span part)
{
    static const struct span version = {"HTTP/", 5};

    buf_add_span(&fetch->in, part);

    struct span line = buf_span(&fetch->in);

    if (line.len > fetch->pool->limits.bytes)
        return bad_head(fetch, "response head is too large");
    if (fetch->head.state == HEAD_STATUS &&
        !span_starts(line, span_sub(version, 0, line.len)))
        return bad_head(fetch, "response does not begin with HTTP/");
    return FETCH_IO_WAIT;
}

static enum fetch_io
take_head(struct fetch *fetch, struct span *in)
{
    enum fetch_io io = FETCH_IO_WAIT;

    while (io == FETCH_IO_WAIT && in->len > 0 &&
           fetch->head.state != HEAD_DONE) {
        size_t end = span_find(*in, '\n', 0);
        struct span part = span_sub(*in, 0, end + 1);

        *in = span_sub(*in, part.len, in->len);
        if (end == part.len)
            return keep_part(fetch, part);
        if (fetch->in.len > 0) {
            buf_add_span(&fetch->in, part);
            part = buf_span(&fetch->in);
        }
        io = take_line(fetch, part);
        buf_clear(&fetch->in);
    }
    return io;
}

/* ---- in: the body ---- */

/* What was not taken comes again, first. */
static enum fetch_io
pause_receiving(struct fetch *fetch, struct span in)
{
    fetch->recv_paused = true;
    buf_add_span(&fetch->in, in);
    poll_on(fetch, (fetch->channel->events & UV_WRITABLE) != 0);
    return FETCH_IO_WAIT;
}

static enum fetch_io
take_data(struct fetch *fetch, struct span *in, struct span data)
{
    enum err err = fetch->ops->on_body(fetch->ctx, data.ptr, data.len);

    if (fetch->cancelled)
        return FETCH_IO_GONE;
    if (err == ERR_AGAIN)
        return pause_receiving(fetch, *in);
    if (err != ERR_OK) {
        fetch_fail(fetch, err, "proxy_internal_error",
                   "the response body was not taken: %s", err_name(err));
        return FETCH_IO_FAILED;
    }
    *in = span_sub(*in, data.len, in->len);
    body_used(&fetch->body, data.len);
    fetch->body_bytes += data.len;
    counter_add(COUNTER_ORIGIN_BYTES_IN, data.len);
    return FETCH_IO_WAIT;
}

static enum fetch_io
take_body(struct fetch *fetch, struct span in)
{
    const char *why = NULL;

    for (;;) {
        struct span data = SPAN_NONE;
        enum fetch_io io;

        switch (body_next(&fetch->body, &in, &data, &why)) {
        case BODY_MORE:
            return FETCH_IO_WAIT;
        case BODY_END:
            /* Bytes behind it are no answer to what comes next. */
            fetch->keep_alive &= in.len == 0;
            return FETCH_IO_WHOLE;
        case BODY_BAD:
            fetch_fail(fetch, ERR_PROTOCOL, "http_response_transfer_coding",
                       "%s", why);
            return FETCH_IO_FAILED;
        case BODY_DATA:
            io = take_data(fetch, &in, data);
            if (io != FETCH_IO_WAIT || fetch->recv_paused)
                return io;
        }
    }
}

static enum fetch_io
take(struct fetch *fetch, struct span in)
{
    enum fetch_io io = take_head(fetch, &in);

    if (io != FETCH_IO_WAIT || fetch->head.state != HEAD_DONE)
        return io;
    return take_body(fetch, in);
}

/* Reads in one go are few, so that others get their turn: the loop comes back
 * while the socket shows more. It does not show what TLS has taken in. */
static bool
reads_on(const struct fetch *fetch, int reads)
{
    return !fetch->recv_paused &&
           (reads < READS_MAX || channel_holds(fetch->channel));
}

/* What was refused before a pause. */
static enum fetch_io
take_refused(struct fetch *fetch)
{
    struct buf refused = fetch->in;

    fetch->in = (struct buf){0};
    enum fetch_io io = take(fetch, buf_span(&refused));

    buf_fini(&refused);
    return io;
}

static enum fetch_io
at_end(struct fetch *fetch, enum err err)
{
    if (err == ERR_END && fetch->head_seen && body_ends_here(&fetch->body))
        return FETCH_IO_WHOLE;
    return FETCH_IO_BROKEN;
}

enum fetch_io
fetch_receive(struct fetch *fetch)
{
    enum fetch_io io = FETCH_IO_WAIT;
    size_t n = FETCH_RECEIVE;

    if (fetch->head_seen && fetch->in.len > 0)
        io = take_refused(fetch);
    for (int i = 0; io == FETCH_IO_WAIT && reads_on(fetch, i); i++) {
        char *buffer = fetch->pool->received;
        enum err err = channel_recv(fetch->channel, buffer, FETCH_RECEIVE, &n);

        if (err == ERR_AGAIN)
            return FETCH_IO_WAIT;
        if (err != ERR_OK)
            return at_end(fetch, err);
        fetch->answered = true;
        /* A head that trickles in is late all the same. */
        if (fetch->head_seen)
            fetch_progress(fetch);
        io = take(fetch, (struct span){buffer, n});
        /* Without TLS a short read has emptied the socket. */
        if (n < FETCH_RECEIVE && fetch->channel->tls == NULL)
            return io;
    }
    return io;
}
