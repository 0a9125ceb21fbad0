#include "base/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

static bool
split(const char *text, char host[256], char port[8])
{
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    if (colon == NULL || strlen(colon + 1) > 5)
        return false;
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= 256)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    snprintf(port, 8, "%s", colon + 1);
    return true;
}

static const char *
remedy(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program listens there; choose another port, or 0 for "
               "any that is free";
    case EADDRNOTAVAIL:
        return "this machine has no such address";
    case EACCES:
        return "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher "
               "one";
    default:
        return "choose another address";
    }
}

static int
open_at(const struct addrinfo *info, const struct listen_options *options)
{
    int on = 1;
    int fd =
        socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (options->share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 &&
        listen(fd, options->backlog) == 0)
        return fd;
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

static void
write_address(int fd, char address[LISTEN_ADDRESS_SIZE])
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    char host[64];
    char port[8];

    CHECK(getsockname(fd, (struct sockaddr *)&bound, &len) == 0);
    CHECK(getnameinfo((struct sockaddr *)&bound, len, host, sizeof(host), port,
                      sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0);
    snprintf(address, LISTEN_ADDRESS_SIZE,
             bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int
listen_open(const char *text, const struct listen_options *options,
            char address[LISTEN_ADDRESS_SIZE], char *why, size_t size)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE,
    };
    struct addrinfo *found;
    char host[256];
    char port[8];

    if (!split(text, host, port)) {
        snprintf(why, size, "%s \"%s\" is no host:port", options->option, text);
        return -1;
    }
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);

    if (code != 0) {
        snprintf(why, size, "%s \"%s\": %s", options->option, text,
                 gai_strerror(code));
        return -1;
    }
    int fd = open_at(found, options);

    if (fd < 0)
        snprintf(why, size, "cannot listen on %s \"%s\": %s; %s",
                 options->option, text, strerror(errno), remedy(errno));
    else
        write_address(fd, address);
    freeaddrinfo(found);
    return fd;
}
