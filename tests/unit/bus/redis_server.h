/*
 * A redis-server of a test's own: on a free port of loopback, with a folder of
 * its own, ended by its pid. And a loop that runs until something is true.
 */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <arpa/inet.h>
#include <dirent.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct redis_server {
    pid_t pid;
    unsigned port;
    char dir[64];
    redisContext *client;
};

static inline bool
redis_server_available(void)
{
    if (system("command -v redis-server >/dev/null 2>&1") == 0)
        return true;
    fprintf(stderr, "skipped: redis-server is not installed\n");
    return false;
}

/* A listening socket on a free port; *port is told. */
static inline int
free_port(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    *port = ntohs(address.sin_port);
    return fd;
}

static inline void
redis_server_start(struct redis_server *server)
{
    char port[16];

    snprintf(port, sizeof(port), "%u", server->port);
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(127);
        execlp("redis-server", "redis-server", "--port", port, "--bind",
               "127.0.0.1", "--dir", server->dir, "--save", "", "--appendonly",
               "yes", "--appendfsync", "always", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000; i++) {
        server->client = redisConnect("127.0.0.1", (int)server->port);
        if (server->client != NULL && server->client->err == 0) {
            redisReply *pong = redisCommand(server->client, "PING");
            bool up = pong != NULL && pong->type == REDIS_REPLY_STATUS;

            freeReplyObject(pong);
            if (up)
                return;
        }
        redisFree(server->client);
        server->client = NULL;
        usleep(10000);
    }
    abort();
}

static inline void
redis_server_new(struct redis_server *server)
{
    int fd = free_port(&server->port);

    close(fd);
    snprintf(server->dir, sizeof(server->dir), "/tmp/atlas_redis_XXXXXX");
    if (mkdtemp(server->dir) == NULL)
        abort();
    redis_server_start(server);
}

static inline void
redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    redisFree(server->client);
    server->client = NULL;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline void
redis_server_free(struct redis_server *server)
{
    char command[128];

    redis_server_kill(server);
    snprintf(command, sizeof(command), "rm -rf '%s'", server->dir);
    if (system(command) != 0)
        abort();
}

/* Runs a command; the number or length of its answer, -1 for an error. */
__attribute__((format(printf, 2, 3))) static inline long long
redis_server_do(struct redis_server *server, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = redisvCommand(server->client, format, args);
    va_end(args);
    if (reply == NULL)
        abort();
    long long value = reply->type == REDIS_REPLY_ERROR     ? -1
                      : reply->type == REDIS_REPLY_INTEGER ? reply->integer
                      : reply->type == REDIS_REPLY_ARRAY
                          ? (long long)reply->elements
                          : (long long)reply->len;

    if (reply->type == REDIS_REPLY_ERROR)
        fprintf(stderr, "redis: %s\n", reply->str);
    freeReplyObject(reply);
    return value;
}

/* ---- a loop until ---- */

struct until {
    struct loop *loop;
    struct timer *timer;
    bool (*done)(void *arg);
    void *arg;
    uint64_t deadline_ns;
    bool result;
};

static inline void
until_tick(void *arg)
{
    struct until *until = arg;

    until->result = until->done(until->arg);
    if (until->result || clock_boot_ns() > until->deadline_ns)
        loop_stop(until->loop);
    else
        timer_start(until->timer, 2);
}

/* Runs the loop until done(arg), at most so long. What it gave last. */
static inline bool
loop_until(struct loop *loop, bool (*done)(void *arg), void *arg, uint64_t ms)
{
    struct until until = {.loop = loop,
                          .done = done,
                          .arg = arg,
                          .deadline_ns = clock_boot_ns() + ms * NS_PER_MS};

    until.timer = timer_new(loop, until_tick, &until);
    timer_start(until.timer, 0);
    loop_run(loop);
    timer_free(&until.timer);
    return until.result;
}

#endif
