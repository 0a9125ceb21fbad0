/*
 * A client of the load tests: one connection, one request at a time, blocking.
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "tools/response.h"

struct client {
    int port;
    int fd;            /* -1: none yet */
    bool fresh;        /* nothing was answered on this connection yet */
    bool check;        /* the body must be the origin's pattern */
    bool versioned;    /* that of the version that the ETag names */
    uint32_t pause_us; /* between two reads: a slow reader */
    struct response response;
    uint64_t bytes;
    char text[128]; /* the body's first bytes */
    bool wrong;     /* the body was not the pattern */
    /* counts */
    uint64_t requests;
    uint64_t reconnects; /* a kept connection had been closed meanwhile */
    /* what the last line of a small body said, or the ETag ("KEY-VERSION") */
    unsigned long long version, key, serial;
};

/* Asks 127.0.0.1:`port`. The status, or -1 when there is no whole and correct
 * answer. `fields` is "Name: value\r\n..." or "". A kept connection that was
 * closed before any byte of the answer came is opened again, once. */
int client_ask(struct client *client, const char *method, const char *target,
               const char *fields);
void client_close(struct client *client);

#endif
