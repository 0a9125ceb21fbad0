/* What the engine answers, as libmicrohttpd wants it. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "front_internal.h"
#include "http/forward.h"

#define BLOCK ((size_t)64 * 1024)

/* ---- bodies ---- */

static ssize_t
read_stream(void *cls, uint64_t pos, char *buffer, size_t max)
{
    struct request *request = cls;
    size_t len;

    (void)pos;
    TAG_CHECK(request, REQUEST_TAG);
    if (request->conn->dead)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    enum err err = tx_read(request->tx, buffer, max, &len);

    if (err == ERR_OK) {
        request->sent += len;
        return (ssize_t)len;
    }
    if (err == ERR_AGAIN) {
        request_suspend(request);
        return 0;
    }
    return err == ERR_END ? MHD_CONTENT_READER_END_OF_STREAM
                          : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* For bodies that are only told of: nothing is ever read. */
static ssize_t
read_nothing(void *cls, uint64_t pos, char *buffer, size_t max)
{
    (void)cls;
    (void)pos;
    (void)buffer;
    (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static bool
bodiless(const struct tx_reply *reply)
{
    return reply->body == TX_BODY_NONE;
}

/*
 * A response without a body to send says the length it would have (HEAD, 304);
 * libmicrohttpd must be given a known one, or it sends the end of a chunked
 * body behind the head. Where none is known the connection is closed.
 */
static struct MHD_Response *
response_without_body(const struct tx_reply *reply)
{
    if (reply->length > 0)
        return MHD_create_response_from_callback((uint64_t)reply->length, 1,
                                                 read_nothing, NULL, NULL);
    if (reply->length == 0 || reply->status == 204)
        return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "",
                                               MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 1, read_nothing, NULL, NULL);

    if (response != NULL)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
                                 MHD_RO_END);
    return response;
}

static struct MHD_Response *
response_flat(const struct tx_reply *reply)
{
    void *bytes = (void *)(uintptr_t)reply->flat.ptr;

    if (reply->release == NULL)
        return MHD_create_response_from_buffer(reply->flat.len, bytes,
                                               MHD_RESPMEM_MUST_COPY);
    return MHD_create_response_from_buffer_with_free_callback_cls(
        reply->flat.len, bytes, reply->release, reply->owner);
}

static struct MHD_Response *
response_stream(struct request *request, const struct tx_reply *reply)
{
    uint64_t len =
        reply->length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)reply->length;
    size_t block = reply->length >= 0 && (uint64_t)reply->length < BLOCK
                       ? (size_t)reply->length
                       : BLOCK;

    request->streamed = true;
    return MHD_create_response_from_callback(len, block ? block : 1,
                                             read_stream, request, NULL);
}

static struct MHD_Response *
response_of(struct request *request, const struct tx_reply *reply)
{
    struct MHD_Response *response;
    bool close = reply->close || request->worker->draining;

    request->length = bodiless(reply) ? 0 : reply->flat.len;
    if (bodiless(reply))
        response = response_without_body(reply);
    else if (reply->body == TX_BODY_FLAT)
        response = response_flat(reply);
    else
        response = response_stream(request, reply);
    CHECK(response != NULL);
    /* First, or libmicrohttpd forgets what it knows of the response. */
    if (close)
        MHD_add_response_header(response, "Connection", "close");
    for (size_t i = 0; i < reply->fields->count; i++) {
        const struct field *field = &reply->fields->list[i];

        /* libmicrohttpd refuses an empty value; a blank one is empty to who
         * reads it (RFC 9110 section 5.5). */
        MHD_add_response_header(response, field->name.ptr,
                                field->value.len > 0 ? field->value.ptr : " ");
    }
    return response;
}

/* ---- what the engine calls ---- */

enum MHD_Result
reply_queue(struct request *request)
{
    enum MHD_Result result =
        MHD_queue_response(request->mhd, request->status, request->response);

    MHD_destroy_response(request->response);
    request->response = NULL;
    request->queued = result == MHD_YES;
    if (!request->queued)
        conn_kill(request->conn);
    return result;
}

/* The reply can go as soon as the whole request is read; until then the rest
 * of its body is thrown away. */
static void
send_when_ready(struct request *request)
{
    if (request->in_handler)
        return; /* the handler goes on with it */
    if (request->body_done)
        reply_queue(request);
    request_resume(request);
}

static bool
reply_again(void *client, struct tx_identity identity)
{
    struct request *request = client;

    if (request->worker->draining || !request->body_done ||
        !request->in_handler)
        return false;
    const struct rendered *rendered =
        render_find(request->worker->renders, identity);

    if (rendered == NULL || rendered->head > request->tx_request.room)
        return false;
    request->length = rendered->length;
    request->queued = MHD_queue_response(request->mhd, rendered->status,
                                         rendered->response) == MHD_YES;
    return request->queued;
}

static void
on_reply(void *client, const struct tx_reply *reply)
{
    struct request *request = client;

    TAG_CHECK(request, REQUEST_TAG);
    CHECK(request->response == NULL && !request->queued);
    request->status = reply->status;
    request->response = response_of(request, reply);
    bool keep = reply->identity.object != 0 && !request->worker->draining &&
                reply->body != TX_BODY_STREAM && request->body_done &&
                request->in_handler;

    if (!keep) {
        send_when_ready(request);
        return;
    }
    /* Queue it here: the table then takes over the creator's reference. */
    request->queued = MHD_queue_response(request->mhd, request->status,
                                         request->response) == MHD_YES;
    struct rendered rendered = {request->response, request->status,
                                forward_size(reply->fields), request->length};

    render_keep(request->worker->renders, reply->identity, &rendered);
    request->response = NULL;
    if (!request->queued)
        conn_kill(request->conn);
}

/* Interim responses are written by hand: libmicrohttpd would take any it is
 * given for the final one. What does not fit at once ends the connection. */
static void
on_interim(void *client, unsigned status, const struct fields *fields)
{
    struct request *request = client;
    struct buf head = {0};

    if (request->conn->dead || status < 102)
        return;
    buf_printf(&head, "HTTP/1.1 %u Interim\r\n", status);
    for (size_t i = 0; i < fields->count; i++) {
        buf_add_span(&head, fields->list[i].name);
        buf_add_text(&head, ": ");
        buf_add_span(&head, fields->list[i].value);
        buf_add_text(&head, "\r\n");
    }
    buf_add_text(&head, "\r\n");
    ssize_t sent = send(request->conn->fd, head.data, head.len,
                        MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent >= 0 && (size_t)sent < head.len)
        conn_kill(request->conn);
    buf_fini(&head);
}

static void
on_ready(void *client)
{
    struct request *request = client;

    TAG_CHECK(request, REQUEST_TAG);
    if (request->queued || !request->body_done)
        request_resume(request);
}

const struct tx_ops reply_ops = {
    .reply_again = reply_again,
    .reply = on_reply,
    .interim = on_interim,
    .readable = on_ready,
    .writable = on_ready,
};
