/* Addresses and numbers on a command line, for the tools of the tests. They end
 * the program, with a text, when something is wrong. */
#ifndef TOOLS_ADDRESS_H
#define TOOLS_ADDRESS_H

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The whole text, not negative. */
static inline bool
address_number(const char *text, double *value)
{
    char *end;

    *value = strtod(text, &end);
    return end != text && *end == '\0' && *value >= 0 && *value < 1e15;
}

/* "ADDRESS:PORT", IPv6 in brackets. The caller frees with freeaddrinfo. */
static inline struct addrinfo *
address_resolve(const char *program, const char *text)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST};
    struct addrinfo *info = NULL;
    const char *colon = strrchr(text, ':');
    char host[64];

    if (colon != NULL && (size_t)(colon - text) < sizeof(host)) {
        size_t len = (size_t)(colon - text);
        size_t from = len > 2 && text[0] == '[' && text[len - 1] == ']';

        memcpy(host, text + from, len - 2 * from);
        host[len - 2 * from] = '\0';
        (void)getaddrinfo(host, colon + 1, &hints, &info);
    }
    if (info == NULL) {
        fprintf(stderr, "%s: \"%s\": expected ADDRESS:PORT\n", program, text);
        exit(2);
    }
    return info;
}

/* Listens there, and prints "WHAT ADDRESS:PORT" with the port that was got.
 * Gives the socket, which does not block. */
static inline int
address_listen(const char *program, const char *text, const char *what)
{
    struct addrinfo *info = address_resolve(program, text);
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[64];
    char port[16];
    int one = 1;
    int fd =
        socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 ||
        listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        fprintf(stderr, "%s: cannot listen on %s: %s\n", program, text,
                strerror(errno));
        exit(1);
    }
    freeaddrinfo(info);
    printf(strchr(host, ':') ? "%s [%s]:%s\n" : "%s %s:%s\n", what, host, port);
    fflush(stdout);
    return fd;
}

#endif
