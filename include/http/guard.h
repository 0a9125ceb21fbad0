/*
 * The guard at the door: what a request head must be before anything believes
 * it (RFC 9112 sections 2, 5, 6). It refuses all that two HTTP parsers have
 * ever been known to read differently. The target is target.h's.
 */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include "http/fields.h"

#define GUARD_METHOD_MAX_LEN 32
#define GUARD_NAME_MAX_LEN 256

enum guard_body { GUARD_BODY_NONE, GUARD_BODY_LENGTH, GUARD_BODY_CHUNKED };

struct guard_result {
    enum guard_body body;
    int64_t body_len; /* with GUARD_BODY_LENGTH; 0 is possible */
    struct span host; /* the Host field; ptr NULL when there was none */
};

/* `http11` is false for HTTP/1.0. NULL when the head is good and *out is set,
 * else the reason in words for a 400 (static). The connection must be closed
 * after a refusal: nobody knows where the next request would begin. */
const char *guard_request(struct span method, bool http11,
                          const struct fields *request,
                          struct guard_result *out);

/* The same care for a head that an origin or a peer sent: names, values, one
 * digits-only Content-Length, Transfer-Encoding exactly "chunked", not both.
 * NULL, or the reason (static). *length is the Content-Length, -1 without. */
const char *guard_response(const struct fields *response, int64_t *length);

#endif
