/* A listening socket from "host:port". */
#ifndef LISTEN_INTERNAL_H
#define LISTEN_INTERNAL_H

#include <stddef.h>

#define LISTEN_ADDRESS_SIZE 96

/* Gives the socket, non-blocking, and its numeric address with the port in
 * use. -1: `why` says what is wrong and what to do. */
int listen_open(const char *text, char address[LISTEN_ADDRESS_SIZE], char *why,
                size_t size);

#endif
