/*
 * One HTTP/1.1 request to an origin or a peer, streamed both ways. libcurl
 * makes the connections (names, races of addresses), GnuTLS encrypts them; the
 * exchange is ours, so that nothing is sent that was not checked, nothing is
 * sent twice unasked, and a miss costs half of what it does through libcurl.
 *
 * A pool belongs to one loop and its thread: so do all its fetches and every
 * function here. Connections are kept and used again.
 *
 * Life of a fetch: fetch_start; any on_interim; on_head once; on_body any
 * number of times; on_done once, last, also when nothing else came. on_read
 * runs beside them while the request has a body to send. No callback comes
 * from inside fetch_start, fetch_cancel or fetch_resume_*. After fetch_cancel,
 * which may be called from any callback, none comes at all.
 *
 * What reaches the callbacks is strict HTTP (RFC 9112): a head that others
 * forgive (two lengths, a length beside a transfer coding, folded lines, bare
 * LF, control characters, an unasked-for 101, no blank line at its end) ends
 * the fetch with ERR_PROTOCOL. A body is whole only when on_done says ERR_OK.
 * Trailers are read, bounded and dropped (RFC 9110 section 6.5.1).
 *
 * Not offered: redirects, proxies, cookies, decoding of content, HTTP/2.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "http/fields.h"

struct loop;
struct fetch;
struct fetch_pool;

/* Zero in a member means its default. */
struct fetch_options {
    size_t max_connections; /* kept open while idle; 4096 */
    size_t head_max;        /* bytes of a response head; 82 KiB */
    size_t fields_max;      /* fields of a response head; 200 */
};

struct fetch_request {
    struct span method;
    struct span url_base; /* "http://host:port" or "https://host:port" of the
                           * server to connect to, no path */
    struct span target;   /* "/path?query" or "*", sent as it is */
    /* What to send, Host included, hop-by-hop fields taken out. Framing
     * (Content-Length, Transfer-Encoding, Connection, Expect and the like) is
     * left out here and made anew. */
    const struct fields *fields;
    bool has_body;    /* not with HEAD */
    int64_t body_len; /* -1: not known, sent chunked */

    /* Zero: no limit (but connecting: 10 s). */
    uint64_t connect_timeout_ms;    /* name, TCP and TLS together */
    uint64_t first_byte_timeout_ms; /* request (or its latest part) sent, until
                                     * the head is complete */
    uint64_t idle_timeout_ms;       /* between two pieces of the body */
    uint64_t total_timeout_ms;      /* start to end, pauses included */
    /* The first-byte and idle times stand still while a callback of ours has
     * paused either direction. */

    bool tls_verify;
    const char *ca_file; /* NULL: what Debian trusts */

    /* May be sent a second time when a kept connection died with no byte of a
     * response. What was never sent (the connection was found dead or holding
     * bytes nobody asked for) is always sent anew. */
    bool idempotent;
};

struct fetch_head {
    unsigned status;             /* 200 to 599 */
    unsigned minor;              /* of HTTP/1.x: 0 or 1 */
    const struct fields *fields; /* in order, hop-by-hop ones still in */
    int64_t content_length;      /* as the field says; -1: none */
    bool no_body;                /* HEAD, 204, 304 */
    bool close_delimited;        /* a cut-off body cannot be told from a
                                  * whole one */
};

struct fetch_result {
    enum err err;            /* ERR_OK: whole */
    const char *proxy_error; /* RFC 9209 section 2.3 type; NULL with ERR_OK */
    const char *detail;      /* one line for logs and Proxy-Status details,
                              * never NULL; valid during the call */
    bool connected;          /* the server could be reached */
    bool head_seen;          /* on_head was called */
    bool reused;             /* on a kept connection */
    uint64_t body_bytes;     /* given to on_body and taken */
};

/* What is passed is valid during the call. on_interim and on_read may be NULL
 * when not wanted or not needed. */
struct fetch_ops {
    /* A 1xx response but 101, at most 20 of them. */
    void (*on_interim)(void *ctx, unsigned status, const struct fields *fields);
    void (*on_head)(void *ctx, const struct fetch_head *head);
    /* ERR_OK: all was taken. ERR_AGAIN: nothing was; the same bytes come again
     * some time after fetch_resume_recv. Anything else ends the fetch with that
     * error. */
    enum err (*on_body)(void *ctx, const void *data, size_t len);
    /* Puts 1 to `max` bytes into `buffer` and their count into *len: ERR_OK.
     * ERR_AGAIN: none now; called again after fetch_resume_send. ERR_END: that
     * was all (before body_len bytes it ends the fetch: ERR_CANCELLED). Not
     * called any more once body_len bytes were given, and `max` never reaches
     * beyond them. Anything else ends the fetch with that error. */
    enum err (*on_read)(void *ctx, void *buffer, size_t max, size_t *len);
    /* The fetch is over and its handle no longer valid, but that fetch_cancel
     * inside this call does no harm. */
    void (*on_done)(void *ctx, const struct fetch_result *result);
};

/* `options` may be NULL. */
struct fetch_pool *fetch_pool_new(struct loop *loop,
                                  const struct fetch_options *options);
/* Not from inside a callback. Fetches that still run are cancelled; closes all
 * connections; their handles finish closing as the loop runs on. */
void fetch_pool_free(struct fetch_pool **pool);
/* Fetches that run now. */
size_t fetch_pool_active(const struct fetch_pool *pool);

/* Copies what it needs; *ops must live as long as the fetch. Never fails at
 * once: what cannot even be sent is reported by on_done. */
struct fetch *fetch_start(struct fetch_pool *pool,
                          const struct fetch_request *request,
                          const struct fetch_ops *ops, void *ctx);
/* Gives up, and nulls *fetch. No callback fires after this. NULL is allowed. */
void fetch_cancel(struct fetch **fetch);

/* End a pause. They only take note: the callbacks come later, from the loop.
 * Allowed at any time, also when nothing is paused, and from inside on_body or
 * on_read just before they return ERR_AGAIN. */
void fetch_resume_recv(struct fetch *fetch);
void fetch_resume_send(struct fetch *fetch);

#endif
