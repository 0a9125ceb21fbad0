/*
 * The origin of the load tests, inside the driver: it knows how often each key
 * was asked for and which version it last gave, so that what clients get can
 * be held against it. A thread for each connection.
 *
 *   /k/N        version N's counter; an ETag; 304 for If-None-Match. PUT counts
 *               the version up
 *   /once/N     cacheable; of known length
 *   /chunked/N  cacheable; chunked, in pieces
 *   /private/N  not to be shared
 *   /big/N      cacheable generated content of `len` bytes, with an ETag
 *   /stream/N   the same, not to be stored
 *   /part/N     cacheable content of `len` bytes, that of version N's counter;
 *               ranges, If-Range, If-None-Match, HEAD; PUT counts the version
 *               up, POST too, and gives what a GET would
 *
 * Parameters: hold (the answer waits up to so many us), len, pause (us between
 * two pieces of a body of 64 KiB each). A body begins with a line
 * "v VERSION n N s SERIAL", but for /big and /stream, which give the pattern.
 */
#ifndef LOAD_ORIGIN_H
#define LOAD_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORIGIN_KEYS 1000000

/* Listens on a free port of 127.0.0.1, which it gives. It runs until the
 * program ends. */
int origin_start(void);

/* Requests for the key so far, of /once, /chunked and /private. */
uint32_t origin_asked(size_t key);
/* All requests. */
uint64_t origin_requests(void);
/* The version that /k/KEY has now; and counts it up, and gives the new one. */
uint64_t origin_version(size_t key);
uint64_t origin_bump(size_t key);

/* Whether these bytes are the generated content at `offset`. */
bool origin_pattern(uint64_t offset, const void *data, size_t len);

/* Where the pattern begins in a version's content. */
uint64_t origin_shift(uint64_t version);

/* For all: uniform in [0, below). */
uint32_t load_random(uint32_t below);
void load_sleep_us(uint32_t us);

#endif
