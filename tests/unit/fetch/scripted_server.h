/*
 * A server that does what a script says, byte for byte, for tests: one thread
 * for each connection, on a free port of 127.0.0.1. A connection's script is a
 * list of steps:
 *   "<"      reads one request, head and body, and logs it
 *   ">text"  writes text
 *   "#n"     writes n times 'b'
 *   "h"      closes its half
 *   "x"      closes;  "r" resets;  "e" reads until the client closes
 *   "^"      begins the script anew
 *   "?"      waits until the test calls server_go
 *   "!"      tells the test, which waits in server_wait
 * The k-th connection follows the k-th script; with no more scripts, the last.
 */
#ifndef SCRIPTED_SERVER_H
#define SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"

#define SERVER_CONNS_MAX 128

struct script {
    const char *steps[12];
};

struct server {
    int fd;
    int port;
    char url[64];
    const struct script *scripts;
    size_t script_count;
    pthread_t acceptor;
    pthread_t threads[SERVER_CONNS_MAX];
    size_t conns; /* read after server_stop, or through server_conns */
    sem_t go;
    sem_t told;
    pthread_mutex_t mutex;
    struct buf log; /* every request's bytes */
    size_t requests;
};

struct server_conn {
    struct server *server;
    const struct script *script;
    int fd;
};

/* Reads until `upto` bytes are in `in`. */
static bool
server_fill(int fd, struct buf *in, size_t upto)
{
    while (in->len < upto) {
        buf_reserve(in, 65536);
        ssize_t n = recv(fd, in->data + in->len, 65535, 0);

        if (n <= 0)
            return false;
        in->len += (size_t)n;
        in->data[in->len] = '\0';
    }
    return true;
}

static bool
server_read_request(struct server *server, int fd)
{
    struct buf in = {0};
    char *end;
    bool ok = true;

    while (in.len == 0 || (end = strstr(in.data, "\r\n\r\n")) == NULL) {
        if (!server_fill(fd, &in, in.len + 1)) {
            buf_fini(&in);
            return false;
        }
    }

    size_t head = (size_t)(end - in.data) + 4;
    const char *length = strcasestr(in.data, "\r\ncontent-length:");

    if (strcasestr(in.data, "\r\ntransfer-encoding: chunked") != NULL) {
        while (ok && strstr(in.data + head - 2, "\r\n0\r\n\r\n") == NULL)
            ok = server_fill(fd, &in, in.len + 1);
    } else if (length != NULL) {
        ok = server_fill(fd, &in, head + strtoul(length + 17, NULL, 10));
    }
    pthread_mutex_lock(&server->mutex);
    buf_add(&server->log, in.data, in.len);
    server->requests++;
    pthread_mutex_unlock(&server->mutex);
    buf_fini(&in);
    return ok;
}

static void
server_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void
server_write_many(int fd, size_t count)
{
    char block[8192];

    memset(block, 'b', sizeof(block));
    while (count > 0) {
        size_t n = count < sizeof(block) ? count : sizeof(block);

        server_write(fd, block, n);
        count -= n;
    }
}

static void
server_drain(int fd)
{
    char block[8192];

    while (recv(fd, block, sizeof(block), 0) > 0)
        ;
}

static bool
server_step(struct server_conn *conn, const char *step)
{
    struct linger reset = {1, 0};

    switch (step[0]) {
    case '<':
        return server_read_request(conn->server, conn->fd);
    case '>':
        server_write(conn->fd, step + 1, strlen(step + 1));
        return true;
    case '#':
        server_write_many(conn->fd, strtoul(step + 1, NULL, 10));
        return true;
    case 'e':
        server_drain(conn->fd);
        return true;
    case '?':
        sem_wait(&conn->server->go);
        return true;
    case 'h':
        shutdown(conn->fd, SHUT_WR);
        return true;
    case '^':
        return true;
    case '!':
        sem_post(&conn->server->told);
        return true;
    case 'r':
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        return false;
    default:
        return false;
    }
}

static void *
server_serve(void *arg)
{
    struct server_conn *conn = arg;

    for (size_t i = 0; i < ARRAY_LEN(conn->script->steps); i++) {
        if (conn->script->steps[i] == NULL ||
            !server_step(conn, conn->script->steps[i]))
            break;
        if (conn->script->steps[i][0] == '^')
            i = SIZE_MAX; /* to 0 */
    }
    close(conn->fd);
    free(conn);
    return NULL;
}

static void *
server_accept(void *arg)
{
    struct server *server = arg;

    for (;;) {
        int fd = accept(server->fd, NULL, NULL);

        if (fd < 0 || server->conns == SERVER_CONNS_MAX)
            return NULL;

        struct server_conn *conn = malloc(sizeof(*conn));
        size_t k = server->conns;

        if (k >= server->script_count)
            k = server->script_count - 1;
        *conn = (struct server_conn){server, &server->scripts[k], fd};
        CHECK(pthread_create(&server->threads[server->conns], NULL,
                             server_serve, conn) == 0);
        pthread_mutex_lock(&server->mutex);
        server->conns++;
        pthread_mutex_unlock(&server->mutex);
    }
}

static void
server_start(struct server *server, const struct script *scripts, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    *server = (struct server){.scripts = scripts, .script_count = count};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server->fd, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(server->fd, 64) == 0);
    CHECK(getsockname(server->fd, (struct sockaddr *)&address, &len) == 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d",
             server->port);
    CHECK(sem_init(&server->go, 0, 0) == 0);
    CHECK(sem_init(&server->told, 0, 0) == 0);
    CHECK(pthread_mutex_init(&server->mutex, NULL) == 0);
    CHECK(pthread_create(&server->acceptor, NULL, server_accept, server) == 0);
}

static inline void
server_go(struct server *server)
{
    sem_post(&server->go);
}

static inline void
server_wait(struct server *server)
{
    sem_wait(&server->told);
}

/* The client's connections must be closed, or the scripts at their end. */
static void
server_stop(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    for (size_t i = 0; i < server->conns; i++)
        pthread_join(server->threads[i], NULL);
    close(server->fd);
    sem_destroy(&server->go);
    sem_destroy(&server->told);
    pthread_mutex_destroy(&server->mutex);
    buf_fini(&server->log);
}

#endif
