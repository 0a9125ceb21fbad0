/*
 * The client side: worker threads that accept connections, read requests and
 * send what the engine answers (libmicrohttpd, HTTP/1.x).
 *
 * Each worker has its own listening socket for each address (SO_REUSEPORT),
 * its own libmicrohttpd daemon in external epoll mode, and its own engine
 * worker, all on its own loop. All functions but front_connections are for the
 * main thread.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct conf;
struct engine;
struct front;
struct loop;

/* Binds every address of conf->listen and starts conf->workers threads. NULL
 * when an address cannot be bound: `why` (of `size` bytes) says which, why and
 * what to do. The configuration is read at the start; later ones come through
 * the engine. */
struct front *front_new(struct engine *engine, const struct conf *conf,
                        char *why, size_t size);

/* The addresses that were bound, "127.0.0.1:8080", with the port chosen where
 * 0 was asked for. NULL beyond the last. */
const char *front_address(const struct front *front, size_t index);

/* Connections that are open now. Any thread. */
size_t front_connections(const struct front *front);

/* Stops accepting at once; answers what is under way, with "Connection:
 * close"; after `deadline_ms` cuts what is left. `fn` is called on `loop`, the
 * main thread's, when no connection is left anywhere. */
void front_drain(struct front *front, uint64_t deadline_ms, struct loop *loop,
                 void (*fn)(void *arg), void *arg);
/* After `fn`: ends the threads. NULL is ignored. */
void front_free(struct front **front);

#endif
