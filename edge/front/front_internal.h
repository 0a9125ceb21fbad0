/* What the modules of the client side share. */
#ifndef FRONT_INTERNAL_H
#define FRONT_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/check.h"
#include "base/list.h"
#include "base/loop.h"
#include "engine/engine.h"
#include "engine/tx.h"
#include "front/front.h"
#include "http/fields.h"

#define FRONT_FIELDS_MAX 256
#define FRONT_BACKLOG 4096
/* A request's body that nobody wants is read to its end up to this, so that
 * the client sees the answer; a longer one is cut. */
#define FRONT_DISCARD_MAX ((uint64_t)1024 * 1024)

struct front {
    struct engine *engine;
    struct front_worker **workers;
    size_t worker_count;
    char **addresses;
    size_t address_count;
    /* draining; the main thread's */
    struct loop *drained_loop;
    void (*drained_fn)(void *arg);
    void *drained_arg;
    size_t drained;             /* workers without connections left */
    _Atomic size_t connections; /* written at accept and close only */
};

struct listener {
    uv_poll_t poll;
    struct front_worker *worker;
    int fd;
    bool resting; /* no descriptor was left: not polled until the next tick */
};

/* One client connection. */
struct conn {
    struct list_link link;
    struct front_worker *worker;
    int fd;
    struct sockaddr_storage address;
    struct request *request; /* NULL between requests */
    uint64_t since_ms;       /* of the latest change of the line above, by the
                              * loop's own clock: coarse, and free */
    bool dead;               /* it was shut down by us, or by the client */
    bool watched;            /* in watch_fd, until it is closed */
    bool left;               /* the client has closed its side */
};

struct front_worker {
    struct front *front;
    pthread_t thread;
    unsigned index;
    struct loop *loop;
    struct worker *worker;
    struct MHD_Daemon *daemon;
    size_t pool; /* bytes of memory of a connection */

    struct listener *listeners;
    size_t listener_count;
    uv_poll_t mhd_poll;   /* of libmicrohttpd's own epoll */
    uv_poll_t watch_poll; /* of watch_fd */
    int watch_fd;         /* epoll: clients that leave while they wait */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* active while libmicrohttpd has work left */
    struct timer *tick;
    bool need_run;

    struct list_link conns;
    size_t conn_count;
    struct request *free_requests;
    struct render *renders;

    /* copies of options that a reload may change */
    uint64_t idle_timeout_ms;
    uint64_t header_timeout_ms;
    uint64_t max_connections;
    uint64_t max_body;
    uint64_t max_head;

    /* the way out */
    bool draining;
    bool drained;
    uint64_t deadline_ns;
    struct post drain_post;   /* to us */
    struct post drained_post; /* from us */
};

/* One request on a connection; kept in a pool of the worker. */
struct request {
    TAG_FIELD;
    struct request *next; /* in the pool */
    struct front_worker *worker;
    struct conn *conn;
    struct MHD_Connection *mhd;

    char *target; /* a copy, as received */
    size_t target_cap;
    size_t target_len;
    const char *raw;      /* where it stood, to find a NUL in it */
    struct fields fields; /* the list is kept with the pool */
    struct tx_request tx_request;

    struct tx *tx;
    struct MHD_Response *response; /* not queued yet */
    unsigned status;
    unsigned calls;
    bool in_handler;
    bool body_done; /* the whole request has been read */
    bool queued;
    bool suspended;
    bool discarding; /* the rest of its body is thrown away */
    uint64_t discarded;
    uint64_t received; /* of its body, and passed on */
    uint64_t sent;     /* of a streamed body */
    uint64_t length;   /* of one that is not streamed */
    bool streamed;
};

#define REQUEST_TAG UINT32_C(0x4e905701)

/* ---- worker ---- */

struct front_worker *front_worker_new(struct front *front, unsigned index,
                                      const struct conf *conf);
/* Takes over a listening socket. Before front_worker_run. */
void front_worker_listen(struct front_worker *worker, int fd);
/* Starts the thread; returns once it is ready to serve. */
void front_worker_run(struct front_worker *worker);
/* Any thread: stop accepting, answer what is under way, cut the rest at the
 * deadline, and end. */
void front_worker_drain(struct front_worker *worker, uint64_t deadline_ms);
/* After its thread has ended. */
void front_worker_free(struct front_worker **worker);
/* Instead of front_worker_run. */
void front_worker_give_up(struct front_worker **worker);

/* ---- connections ---- */

/* The time of this turn of the loop, for since_ms. */
uint64_t conn_now_ms(const struct front_worker *worker);

void conn_accept(struct listener *listener);
void conn_readable(uv_poll_t *poll, int status, int events);
void conn_notify(void *cls, struct MHD_Connection *mhd, void **context,
                 enum MHD_ConnectionNotificationCode code);
struct conn *conn_of(struct MHD_Connection *mhd);
/* Nothing more is read or sent; libmicrohttpd will close it. */
void conn_kill(struct conn *conn);
/* From now on the client's leaving is told, while its request is suspended:
 * libmicrohttpd does not look at those connections. */
void conn_watch(struct conn *conn);
void conn_left(struct conn *conn);
/* Once a second: cuts those that are too slow, or idle while draining. */
void conn_tick(struct front_worker *worker);

/* ---- requests ---- */

void *request_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd,
                               const char *url, const char *method,
                               const char *version, const char *data,
                               size_t *len, void **context);
void request_completed(void *cls, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode code);
void request_pool_free(struct front_worker *worker);
void request_suspend(struct request *request);
void request_resume(struct request *request);
/* A client that waits has left. */
void request_abandon(struct request *request);

/* ---- replies ---- */

extern const struct tx_ops reply_ops;
/* Queues the response that waits; in the handler or while suspended. */
enum MHD_Result reply_queue(struct request *request);

/* Rendered responses, kept for a second or two. */
struct rendered {
    struct MHD_Response *response;
    unsigned status;
    size_t head;     /* bytes of it */
    uint64_t length; /* of the body that is sent */
};
struct render *render_new(void);
void render_free(struct render **renders);
/* NULL: there is none. Borrowed, for this turn of the loop. */
const struct rendered *render_find(struct render *renders,
                                   struct tx_identity identity);
/* Takes over the creator's reference; something else may have to go. */
void render_keep(struct render *renders, struct tx_identity identity,
                 const struct rendered *rendered);
/* Drops those that were not used since the tick before the last. */
void render_tick(struct render *renders);

#endif
