/*
 * The HTTP side: listeners, connections and exchanges over libmicrohttpd, all
 * on one loop.
 *
 * An exchange is one request and its answer. When its head has come, the
 * server calls the handler, which sets the exchange's callbacks: on_data for
 * each piece of the body, on_end when all of it is there, on_free at the very
 * end, whatever happened. At on_end, or at any time after it, an answer
 * (answer.h) answers; until then the connection is suspended.
 */
#ifndef ORIGIN_SERVER_H
#define ORIGIN_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "gate.h"
#include "http/fields.h"
#include "http/target.h"

struct MHD_Connection;
struct conn;
struct exchange;
struct loop;
struct server;
struct timer;

typedef void (*exchange_fn)(struct exchange *x);
typedef void (*exchange_data_fn)(struct exchange *x, const void *data,
                                 size_t len);

struct exchange {
    uint32_t tag;
    struct server *server;
    struct MHD_Connection *mhd;
    struct conn *conn;
    struct list_link link;

    /* The request; valid from the handler's call to on_free. */
    char *raw_target;
    char *method;
    struct target target;
    struct fields request;
    bool http11;
    bool is_head;
    uint64_t received; /* bytes of the body so far */

    /* For the handler. */
    void *app; /* what server_new was given */
    exchange_data_fn on_data;
    exchange_fn on_end;
    exchange_fn on_free;
    void *state;
    size_t raw_sent; /* of an answer written by ourselves */
    uint64_t raw_every_ms;

    /* The answer's fields; answer.h. */
    struct buf out_names; /* name NUL value NUL, in turn */
    size_t out_count;

    /* The server's own. */
    struct timer *timer;
    exchange_fn on_timer;
    bool begun;
    bool ended;
    bool suspended;
    bool replied;
    bool killed;
    bool hanging; /* waits for its link */
};

struct server_options {
    struct loop *loop;
    unsigned idle_timeout_s; /* 0: never */
    exchange_fn handler;
    void *app;
};

/* NULL, logged, when libmicrohttpd refuses. */
struct server *server_new(const struct server_options *options);
/* Binds and listens. False, with a text, when that fails. *port is the one
 * bound. */
bool server_listen(struct server *server, const char *name, const char *host,
                   unsigned *port, struct buf *why);
/* No new connections; exchanges under way have up to `ms` to end, then
 * `done` is called, once. */
void server_stop(struct server *server, uint64_t ms, void (*done)(void *arg),
                 void *arg);
/* Ends what is left. The loop must run once more for handles to close. */
void server_free(struct server **server);

/* False when no listener has this name. */
bool server_set_link(struct server *server, struct span name,
                     struct gate_state state);
/* Adds per listener {"state", "accepted", "open", "requests"} to `object`. */
void server_listeners_json(const struct server *server, json_t *object);
void server_reset_counts(struct server *server);

/* ---- exchanges ---- */

const char *exchange_listener(const struct exchange *x);
int exchange_fd(const struct exchange *x);
/* Calls fn(x) in `ms`, unless the exchange ends before; the connection is
 * suspended until exchange_resume or a reply. One at a time. */
void exchange_after(struct exchange *x, uint64_t ms, exchange_fn fn);
/* The call will not come. */
void exchange_cancel(struct exchange *x);
void exchange_suspend(struct exchange *x);
void exchange_resume(struct exchange *x);
/* The connection is closed without (more of) an answer; with a reset instead
 * of an orderly end when `reset`. Before or after a reply. */
void exchange_kill(struct exchange *x, bool reset);
/* Values of a query parameter, decoded, into `out`; the `nth` of that name
 * (from 0). False when there is none, or it is malformed. */
bool exchange_query(const struct exchange *x, const char *name, size_t nth,
                    struct buf *out);
/* The same as a number, capped at max; `fallback` when missing or none. */
uint64_t exchange_query_u64(const struct exchange *x, const char *name,
                            uint64_t max, uint64_t fallback);

#endif
