/*
 * Inside the fetch layer:
 *   fetch.c         the pool, the life of a fetch, its deadlines
 *   fetch_callback.c what curl tells while a transfer runs
 *   fetch_request.c what curl is told to send
 *   fetch_head.c    what of a response head is let through
 *   fetch_socket.c  curl's sockets on the loop, and which may be used again
 *   fetch_result.c  what an end is called
 */
#ifndef FETCH_INTERNAL_H
#define FETCH_INTERNAL_H

#include <curl/curl.h>
#include <netinet/in.h>
#include <uv.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/list.h"
#include "base/loop.h"
#include "fetch/fetch.h"

/* ---- fetch_head.c: pure, no curl ---- */

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
 * reason into `detail`. Lines after the final head (trailers) are HEAD_MORE
 * and dropped. */
enum head_event head_line(struct head *head, const struct head_limits *limits,
                          struct span line, char detail[HEAD_DETAIL_MAX]);

/* ---- fetch_socket.c ---- */

#define SOCK_BUCKETS 1024

struct sock_poll;

/* A socket of curl's. It is `named` once its connection stands: by the four
 * parts of it, the only thing that curl tells when it is about to use it.
 *
 * curl 7.88 closes a socket that never got so far without calling
 * sockets_on_close: such a record lives on, without a poll handle, until the
 * number comes up again. Nothing may be done to its fd, which may be another's
 * by then. */
struct sock {
    struct list_link link;  /* of its opener, or of its name's bucket */
    struct sock_poll *poll; /* NULL: none */
    struct fetch_pool *pool;
    curl_socket_t fd;
    int events;  /* that curl waits for, UV_READABLE | UV_WRITABLE */
    bool opened; /* by our callback; others are the resolver's */
    bool named;
    int local_port;
    int remote_port;
    char local_ip[INET6_ADDRSTRLEN];
    char remote_ip[INET6_ADDRSTRLEN];
};

struct sockets {
    struct sock **by_fd;
    size_t by_fd_len;
    struct list_link names[SOCK_BUCKETS]; /* by local port */
};

/* The four parts of a connection as curl's PREREQFUNCTION gives them. */
struct conn_name {
    const char *remote_ip;
    const char *local_ip;
    int remote_port;
    int local_port;
};

void sockets_init(struct fetch_pool *pool);
void sockets_fini(struct fetch_pool *pool);
/* The callbacks of curl of these names. */
curl_socket_t sockets_on_open(void *fetch, curlsocktype purpose,
                              struct curl_sockaddr *address);
int sockets_on_close(void *pool, curl_socket_t fd);
int sockets_on_want(CURL *easy, curl_socket_t fd, int what, void *pool,
                    void *sock);
/* The socket of a connection, named on first sight if this fetch opened it;
 * NULL when it is unknown. */
struct sock *sockets_find(struct fetch *fetch, const struct conn_name *name);
/* What waits on it. No request of ours has been sent: whatever it is, it is no
 * answer. */
enum sock_news { SOCK_QUIET, SOCK_BYTES, SOCK_CLOSED };
enum sock_news sock_news(const struct sock *sock);

/* ---- fetch.c ---- */

#define FETCH_TAG 0x46455443u
/* Handles kept for use again; each holds its 64 KiB buffer meanwhile. */
#define FETCH_IDLE_MAX 64

enum fetch_state {
    FETCH_IDLE,    /* on the pool's free list */
    FETCH_PENDING, /* started, not yet given to curl */
    FETCH_RUNNING, /* curl has it */
    FETCH_DONE     /* inside on_done */
};

/* Why one of our callbacks made curl stop. */
enum fetch_stop {
    STOP_NONE,
    STOP_FAILED,   /* `failure` says why */
    STOP_POISONED, /* the kept connection must not be used */
    STOP_RESENT    /* curl was about to send it a second time */
};

struct fetch_pool {
    struct loop *loop;
    CURLM *multi;
    struct fetch_options options;
    struct head_limits limits;
    struct timer *curl_timer;
    struct timer *work_timer; /* at once: runs `work` from the loop */
    struct sockets sockets;
    struct list_link running; /* fetches that are not idle */
    struct list_link idle;
    struct list_link work; /* fetches that need something done */
    size_t idle_count;
    size_t active;
    unsigned in_curl; /* curl is on the stack: it must not be entered */
    struct buf scratch;
    const char *ca_file; /* for requests that name none; NULL: curl's own */
};

struct fetch {
    TAG_FIELD;
    enum fetch_state state;
    struct fetch_pool *pool;
    CURL *easy;
    struct list_link link;      /* pool->running or idle */
    struct list_link work_link; /* pool->work, or alone */
    const struct fetch_ops *ops;
    void *ctx;

    bool cancelled;
    bool resume_recv; /* asked for, not yet done */
    bool resume_send;
    bool recv_paused;
    bool send_paused;

    /* The request. */
    bool tls;
    bool idempotent;
    bool has_body;
    bool head_method;
    int64_t body_len;
    uint64_t body_sent;
    struct buf lines; /* the slist's strings */
    struct curl_slist *slist;
    size_t slist_cap;

    /* Deadlines, in the loop's ms; 0 in a *_ms limit: none. */
    struct timer *timer;
    uint64_t started_at;
    uint64_t active_at; /* the last progress */
    uint64_t first_byte_ms;
    uint64_t idle_ms;
    uint64_t total_ms;

    /* This attempt. */
    bool fresh; /* on a new connection, because the kept one was no good */
    bool reused;
    unsigned prereqs;
    struct list_link opened; /* sockets, until named or closed */
    unsigned opens;          /* how many there were */
    enum fetch_stop stop;

    bool connected;
    bool head_seen;
    bool answered; /* any line of a response arrived */
    struct head head;
    uint64_t body_bytes;
    struct fetch_result failure;
    char detail[HEAD_DETAIL_MAX];
    char curl_detail[CURL_ERROR_SIZE];
};

/* Ends or retries what curl has finished. */
void fetch_reap(struct fetch_pool *pool);
/* Notes that something came or went. */
void fetch_progress(struct fetch *fetch);
/* Sets the timer to the next deadline. */
void fetch_arm(struct fetch *fetch);

/* ---- fetch_callback.c: curl's, for one transfer ---- */

size_t fetch_on_header(char *data, size_t size, size_t count, void *fetch);
size_t fetch_on_write(char *data, size_t size, size_t count, void *fetch);
size_t fetch_on_read(char *data, size_t size, size_t count, void *fetch);
int fetch_on_prereq(void *fetch, char *remote_ip, char *local_ip,
                    int remote_port, int local_port);

/* ---- fetch_request.c ---- */

/* Sets up the handle. False, with `failure` filled, when it cannot be sent. */
bool fetch_prepare(struct fetch *fetch, const struct fetch_request *request);

/* ---- fetch_result.c ---- */

/* Fills `failure`; the reason is printed. For use from curl's callbacks. */
void fetch_fail(struct fetch *fetch, enum err err, const char *proxy_error,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Fills `failure` from what curl said. */
void fetch_fail_curl(struct fetch *fetch, CURLcode code);

#endif
