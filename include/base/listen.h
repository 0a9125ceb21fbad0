/* Listening sockets from "host:port". */
#ifndef BASE_LISTEN_H
#define BASE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_ADDRESS_SIZE 96

struct listen_options {
    const char *option; /* that the text comes from, for the reason */
    bool share;         /* several sockets may listen there: SO_REUSEPORT */
    int backlog;
};

/* Gives a non-blocking socket, and in `address` the numeric address with the
 * port in use ("127.0.0.1:8080", "[::1]:8080"); `text` may ask for port 0. An
 * IPv6 address takes no IPv4 connections. -1: `why` says what is wrong and
 * what to do. */
int listen_open(const char *text, const struct listen_options *options,
                char address[LISTEN_ADDRESS_SIZE], char *why, size_t size);

#endif
