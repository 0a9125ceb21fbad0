/*
 * A small HTTP server on the control loop: libmicrohttpd in external epoll
 * mode. It knows requests and replies, not what they mean.
 *
 * A request's life: ops->wants_body when its head is there, ops->handle when
 * it is whole, server_reply once, from inside handle or later. A request that
 * is cut first (server_free, or a client that leaves while it still sends) is
 * told by ops->gone, when handle had it, and must not be answered any more.
 */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "http/fields.h"

/* Of a request's body. */
#define SERVER_BODY_MAX ((size_t)4 * 1024 * 1024)

struct loop;
struct server;

struct server_request {
    struct span method;
    struct span path;     /* raw */
    struct span query;    /* raw, behind '?'; may be empty */
    struct fields fields; /* borrowed from the connection */
    struct buf body;
    bool too_large; /* the body was over SERVER_BODY_MAX, and is not kept */
    void *context;  /* the handler's own; NULL at first */

    /* the server's */
    struct server *server;
    struct server_conn *conn;
    struct MHD_Connection *mhd;
    struct MHD_Response *response;
    unsigned status;
    char *target;
    const char *refused; /* why the head is not sound */
    size_t discarded;
    bool begun;
    bool keeps;  /* the body */
    bool handed; /* to ops->handle */
    bool queued;
    bool in_handler;
    bool suspended;
};

struct server_ops {
    /* Whether the body of this request is to be kept; else it is thrown away
     * as it comes. */
    bool (*wants_body)(void *arg, const struct server_request *request);
    void (*handle)(void *arg, struct server_request *request);
    void (*gone)(void *arg, struct server_request *request);
};

struct server_reply {
    unsigned status;
    const char *type;
    struct span body;         /* copied */
    const char *allow;        /* NULL, or the value of Allow */
    const char *authenticate; /* NULL, or that of WWW-Authenticate */
};

/* Listens on "host:port". NULL: `why` says what to do. */
struct server *server_new(struct loop *loop, const char *listen,
                          const struct server_ops *ops, void *arg, char *why,
                          size_t size);
/* Cuts what is under way. */
void server_free(struct server **server);
/* Numeric, with the port in use. */
const char *server_address(const struct server *server);

void server_reply(struct server_request *request,
                  const struct server_reply *reply);

#endif
