/*
 * Inside the fetch layer:
 *   fetch.c         the pool, the life of a fetch, its deadlines
 *   fetch_io.c      one exchange: bytes out, bytes in
 *   fetch_request.c the head of a request, as it is sent
 *   fetch_head.c    what of a response head is let through
 *   body.c          where a body ends
 *   upstream.c      a server: its idle connections, and who waits for one
 *   channel.c       one connection, plain or TLS, on the loop
 *   dial.c          new connections: names, races of addresses (libcurl)
 *   tls.c           TLS on them (GnuTLS)
 *   dial_socket.c   libcurl's sockets on the loop while it connects
 *   fetch_result.c  what an end is called
 */
#ifndef FETCH_INTERNAL_H
#define FETCH_INTERNAL_H

#include <curl/curl.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/loop.h"
#include "body_internal.h"
#include "fetch/fetch.h"

/* ---- fetch_head.c: pure ---- */

#define HEAD_INTERIM_MAX 20
#define HEAD_DETAIL_MAX 160

enum head_state { HEAD_STATUS, HEAD_FIELDS, HEAD_DONE };

struct head_limits {
    size_t bytes;
    size_t fields;
};

/* Where a field's name and value stand in the text. */
struct head_place {
    size_t name;
    size_t name_len;
    size_t value;
    size_t value_len;
};

struct head {
    enum head_state state;
    unsigned status;
    unsigned minor;
    unsigned interims;
    int64_t content_length; /* -1: none */
    bool chunked;
    bool foreign; /* a transfer coding that nobody knows: the body is what comes
                   * until the connection ends (RFC 9112 section 6.3) */
    struct buf text;
    struct head_place *places;
    size_t count;
    size_t cap;
    struct fields fields; /* made at the blank line, borrows from text */
};

enum head_event { HEAD_MORE, HEAD_INTERIM, HEAD_FINAL, HEAD_BAD };

/* Zero-initialised before the first head_reset; keeps its memory. */
void head_reset(struct head *head);
void head_fini(struct head *head);
/* Takes one line as received, end included. After HEAD_INTERIM and HEAD_FINAL
 * status, minor and fields are valid until the next call. HEAD_BAD puts a
 * reason into `detail`. Not after HEAD_FINAL. */
enum head_event head_line(struct head *head, const struct head_limits *limits,
                          struct span line, char detail[HEAD_DETAIL_MAX]);

/* ---- upstream.c ---- */

struct channel;
struct dial;
struct tls;

/* A server as it is connected to: its address, and how TLS is checked. Lives
 * as long as a fetch or a connection uses it. */
struct upstream {
    struct list_link link; /* pool->upstreams */
    struct fetch_pool *pool;
    struct hash128 key;
    size_t uses;
    char *base;     /* "http://host:port" */
    char *dial_url; /* the same for libcurl, which is to connect only */
    bool tls;
    bool tls_verify;
    char *ca_file;            /* NULL: none was named */
    struct list_link idle;    /* channels, newest first */
    struct list_link waiting; /* fetches, first come first */
    uint64_t turn_ms;         /* the ms in which `begun` were begun */
    unsigned begun;
    struct sockaddr_storage address; /* where the latest dial got through */
    socklen_t address_len;           /* 0: not known, or no more */
    uint64_t address_until;
    void *ticket; /* of a TLS session that may be taken up again */
    size_t ticket_len;
    struct timespec ticket_trust; /* tells which certificates vouched for it */
};

/* Takes a use of the server that the request names. */
struct upstream *upstream_of(struct fetch_pool *pool,
                             const struct fetch_request *request);
void upstream_unref(struct upstream **upstream);
/* The name or address in the URL, without brackets. */
struct span upstream_host(const struct upstream *upstream);
/* A kept connection on which nothing waits, or NULL. */
struct channel *upstream_take(struct upstream *upstream);
/* Connects for the fetch, at once or when its turn comes; a connection that
 * comes free before that is given to it. */
void upstream_want(struct fetch *fetch);
/* A connection is free again: for who waits, or kept. */
void upstream_give(struct channel *channel);
/* For the pool's turn timer: those who wait begin to connect. */
void upstream_turn(void *pool);

/* ---- channel.c ---- */

#define CHANNEL_TAG 0x4348414eu

struct channel {
    TAG_FIELD;
    struct list_link link; /* upstream->idle, or alone while it is used */
    struct list_link age;  /* pool->idle_channels, or alone */
    struct upstream *upstream;
    struct fetch *fetch; /* who uses it; NULL: it is idle */
    int fd;
    struct tls *tls; /* NULL: plain */
    bool connecting; /* TCP is under way */
    bool shaking;    /* the TLS handshake is */
    uv_poll_t poll;
    int events; /* polled for; 0: stopped */
    uint64_t idle_at;
};

/* Takes over the descriptor of a connected socket. */
struct channel *channel_new(struct upstream *upstream, int fd);
/* Connects to the address that the upstream is known to have; the rest as in
 * channel_greet, but never at once. False: there is none, or no descriptor. */
bool channel_connect(struct fetch *fetch);
/* TLS, where the upstream wants it; ends in fetch_connected or
 * fetch_not_connected, perhaps at once. */
void channel_greet(struct channel *channel, struct fetch *fetch);
void channel_close(struct channel **channel);
/* UV_READABLE, UV_WRITABLE: calls fetch_ready, or closes an idle one on which
 * something came. */
void channel_poll(struct channel *channel, int events);
/* ERR_OK: *n > 0. ERR_AGAIN. ERR_END: the server has closed. ERR_RESET. */
enum err channel_recv(struct channel *channel, void *buffer, size_t max,
                      size_t *n);
enum err channel_send(struct channel *channel, const void *data, size_t len,
                      size_t *n);
/* Something was received that the socket does not show any more. */
bool channel_holds(const struct channel *channel);
/* What waits on it. No request of ours is out: whatever it is, it is no
 * answer. */
enum channel_news { CHANNEL_QUIET, CHANNEL_BYTES, CHANNEL_CLOSED };
enum channel_news channel_news(struct channel *channel);

/* ---- tls.c ---- */

/* Where Debian keeps the certificates it trusts. */
#define TLS_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct tls *tls_new(struct upstream *upstream, int fd);
void tls_free(struct tls **tls);
/* ERR_OK: done. ERR_AGAIN: go on when the socket can be read, or written if
 * tls_wants_room. Else it failed, and `failure` of the fetch says why. */
enum err tls_handshake(struct tls *tls, struct fetch *fetch);
bool tls_wants_room(const struct tls *tls);
/* After a response: what shortens the next handshake with this server. */
void tls_keep_session(struct tls *tls);
/* As channel_recv and channel_send. */
enum err tls_recv(struct tls *tls, void *buffer, size_t max, size_t *n);
enum err tls_send(struct tls *tls, const void *data, size_t len, size_t *n);
bool tls_holds(const struct tls *tls);
/* What was read of certificates. No session may be left. */
void tls_forget_all(struct fetch_pool *pool);

/* ---- dial.c ---- */

/* A TCP connection being made by libcurl. */
struct dial {
    struct fetch_pool *pool;
    CURL *easy;
    struct fetch *fetch;
    unsigned opens; /* sockets that were opened */
    char detail[CURL_ERROR_SIZE];
};

void dial_init(struct fetch_pool *pool);
void dial_fini(struct fetch_pool *pool);
/* Ends in channel_greet or fetch_not_connected, from the loop. */
void dial_start(struct fetch *fetch);
/* The known address does not answer: looks the name up again. */
void dial_again(struct fetch *fetch);
/* Also to give up. */
void dial_free(struct dial **dial);
/* Looks for dials that are through. */
void dial_reap(struct fetch_pool *pool);

/* ---- dial_socket.c ---- */

struct sock_poll;

/* A socket of libcurl's while it connects.
 *
 * curl 7.88 closes a socket that did not get connected without calling
 * sockets_on_close: such a record lives on, without a poll handle, until the
 * number comes up again. Nothing may be done to its fd, which may be another's
 * by then. */
struct sock {
    struct sock_poll *poll; /* NULL: none */
    struct fetch_pool *pool;
    curl_socket_t fd;
    int events;  /* that curl waits for, UV_READABLE | UV_WRITABLE */
    bool opened; /* by our callback; others are the resolver's */
};

struct sockets {
    struct sock **by_fd;
    size_t by_fd_len;
};

void sockets_fini(struct fetch_pool *pool);
/* The callbacks of curl of these names. */
curl_socket_t sockets_on_open(void *dial, curlsocktype purpose,
                              struct curl_sockaddr *address);
int sockets_on_close(void *pool, curl_socket_t fd);
int sockets_on_want(CURL *easy, curl_socket_t fd, int what, void *pool,
                    void *sock);

/* ---- fetch.c ---- */

#define FETCH_TAG 0x46455443u
/* Records kept for use again. */
#define FETCH_IDLE_MAX 256

enum fetch_state {
    FETCH_IDLE,    /* on the pool's free list */
    FETCH_PENDING, /* started; to fail from the loop */
    FETCH_WAITING, /* for its turn to connect, or a connection */
    FETCH_DIALING, /* TLS included */
    FETCH_RUNNING, /* on a connection */
    FETCH_DONE     /* inside on_done */
};

struct fetch_pool {
    struct loop *loop;
    struct fetch_options options;
    struct head_limits limits;
    struct timer *work_timer; /* at once: runs `work` from the loop */
    struct timer *turn_timer; /* in a ms: upstream_turn */
    CURLM *multi;             /* libcurl, to connect */
    struct timer *dial_timer; /* its own */
    struct sockets sockets;
    struct list_link trusts; /* certificates, by file */
    struct list_link upstreams;
    struct list_link idle_channels; /* of all, newest first */
    size_t idle_channel_count;
    struct list_link running; /* fetches that are not idle */
    struct list_link idle;
    struct list_link work; /* fetches that need something done */
    size_t idle_count;
    size_t active;
    char *received; /* FETCH_RECEIVE bytes, for whoever reads now */
    struct buf scratch;
};

#define FETCH_RECEIVE ((size_t)64 * 1024)

struct fetch {
    TAG_FIELD;
    enum fetch_state state;
    struct fetch_pool *pool;
    struct upstream *upstream;
    struct dial *dial;          /* FETCH_DIALING, until TCP is connected */
    struct channel *channel;    /* from then on */
    struct list_link link;      /* pool->running or idle */
    struct list_link work_link; /* pool->work, or alone */
    struct list_link wait_link; /* upstream->waiting, or alone */
    const struct fetch_ops *ops;
    void *ctx;

    bool cancelled;
    bool resume_recv; /* asked for, not yet done */
    bool resume_send;
    bool recv_paused;
    bool send_paused;

    /* The request. */
    bool idempotent;
    bool has_body;
    bool head_method;
    int64_t body_len;
    uint64_t connect_ms;
    uint64_t connect_by; /* the deadline of connecting */
    uint64_t known_by;   /* of connecting to the address that is known */

    /* Deadlines, in the loop's ms; 0 in a *_ms limit: none. */
    struct timer *timer;
    uint64_t started_at;
    uint64_t active_at; /* the last progress */
    uint64_t armed_at;  /* when the timer will fire */
    uint64_t first_byte_ms;
    uint64_t idle_ms;
    uint64_t total_ms;

    /* This attempt. */
    bool fresh; /* on a new connection, because the kept one was no good */
    bool reused;
    struct buf head_out; /* the request's head, kept for a second attempt */
    struct buf out;      /* what of its body is to be sent */
    size_t head_pos;     /* what was sent of each */
    size_t out_pos;
    uint64_t body_sent; /* bytes that on_read gave */
    bool upload_over;   /* on_read has given all */
    bool sent;          /* all of it went out */
    bool send_failed;

    bool connected;
    bool head_seen;
    bool answered;   /* any byte of a response arrived */
    bool keep_alive; /* as the response says */
    struct buf in;   /* received, not yet taken: a line, or what was refused */
    struct head head;
    struct body body;
    uint64_t body_bytes;
    bool failed; /* `failure` says why */
    struct fetch_result failure;
    char detail[HEAD_DETAIL_MAX];
};

/* Notes that something came or went. */
void fetch_progress(struct fetch *fetch);
/* Sets the timer to the next deadline. */
void fetch_arm(struct fetch *fetch);
/* Has the loop look at it: to cancel, resume, fail, or read on. */
void fetch_put_to_work(struct fetch *fetch);
/* Takes up the connection and sends the head. No callback comes from here. */
void fetch_use(struct fetch *fetch, struct channel *channel);
/* fetch->channel stands, TLS included. */
void fetch_connected(struct fetch *fetch);
void fetch_not_connected(struct fetch *fetch);
/* From the channel: it can be read, or written. */
void fetch_ready(struct fetch *fetch, int events);

/* ---- fetch_io.c ---- */

enum fetch_io {
    FETCH_IO_WAIT, /* for the network, or for a callback's resume */
    FETCH_IO_WHOLE,
    FETCH_IO_FAILED, /* `failure` says why */
    FETCH_IO_BROKEN, /* the connection ended too early */
    FETCH_IO_GONE    /* cancelled by a callback */
};

/* Sends as much as the network takes; with `bodies`, asks on_read for more. */
enum fetch_io fetch_send(struct fetch *fetch, bool bodies);
enum fetch_io fetch_receive(struct fetch *fetch);

/* ---- fetch_request.c ---- */

/* Writes the head. False, with `failure` filled, when it cannot be sent. */
bool fetch_prepare(struct fetch *fetch, const struct fetch_request *request);

/* ---- fetch_result.c ---- */

/* Fills `failure`; the reason is printed. */
void fetch_fail(struct fetch *fetch, enum err err, const char *proxy_error,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Fills `failure` from what libcurl said while it connected. */
void fetch_fail_dial(struct fetch *fetch, const struct dial *dial,
                     CURLcode code);

#endif
