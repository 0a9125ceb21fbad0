/*
 * One TCP connection to a Redis: names resolved on the thread pool, bytes out,
 * replies in. hiredis formats the commands and parses the replies; sockets are
 * libuv's. Its asynchronous half is not used: it asserts on answers it does
 * not expect, and so lets whatever listens on that port stop the program.
 */
#ifndef BUS_WIRE_INTERNAL_H
#define BUS_WIRE_INTERNAL_H

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct loop;
struct wire;

/* A reply that is larger than this is nonsense. */
#define WIRE_REPLY_MAX ((size_t)64 << 20)

struct wire_options {
    const char *host;
    unsigned port;
    unsigned attempt; /* which of several addresses to begin with */
    uint64_t connect_timeout_ms;
};

/* None is called from inside wire_open or wire_send. After `down`, which comes
 * once, there is nothing but wire_close; the others may call wire_close. */
struct wire_events {
    void (*up)(void *arg);
    /* Bytes came, of whatever. May be NULL. Must not close. */
    void (*heard)(void *arg);
    void (*reply)(void *arg, const redisReply *reply);
    void (*down)(void *arg, enum err err, const char *why);
    void *arg;
};

struct wire *wire_open(struct loop *loop, const struct wire_options *options,
                       const struct wire_events *events);
/* Only when up. */
void wire_send(struct wire *wire, const struct span *args, size_t count);
/* No callback comes after this. */
void wire_close(struct wire **wire);

#endif
