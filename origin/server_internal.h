/* Shared by server.c (the daemon and its loop) and exchange.c. */
#ifndef ORIGIN_SERVER_INTERNAL_H
#define ORIGIN_SERVER_INTERNAL_H

#include <microhttpd.h>
#include <uv.h>

#include "server.h"

#define EXCHANGE_TAG 0x58434847
#define LISTENER_NAME 64

struct listener {
    struct list_link link; /* of server->listeners */
    struct list_link conns;
    struct server *server;
    char name[LISTENER_NAME];
    int fd;
    uv_poll_t poll;
    struct gate_state state;
    uint64_t accepted;
    uint64_t open;
    uint64_t requests;
};

/* A connection, from accept to close. */
struct conn {
    struct list_link link; /* of listener->conns */
    struct listener *listener;
    int fd;
};

struct server {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    exchange_fn handler;
    void *app;

    struct list_link listeners;
    struct list_link exchanges;
    struct conn *accepting; /* being handed to libmicrohttpd */

    uv_poll_t poll; /* its epoll descriptor */
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t wake;
    struct timer *sweep;
    bool need_run;
    unsigned handles; /* that are not closed yet */

    struct timer *stop_timer;
    void (*stop_done)(void *arg);
    void *stop_arg;
    bool stopping;
};

/* exchange.c: libmicrohttpd's callbacks. */
void *exchange_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result exchange_on_access(void *cls, struct MHD_Connection *mhd,
                                   const char *url, const char *method,
                                   const char *version, const char *data,
                                   size_t *len, void **state);
void exchange_on_done(void *cls, struct MHD_Connection *mhd, void **state,
                      enum MHD_RequestTerminationCode code);
/* Its link came back, if it waits for it. */
void exchange_link_changed(struct exchange *x);

/* Sends a reset: what is connected is not any more. */
void conn_reset(int fd);

#endif
