/* Answers that libmicrohttpd would not give: written to the socket as they
 * are, after which the connection ends. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/check.h"
#include "base/mem.h"
#include "scripted_internal.h"

/* SPAN, as a static initialiser wants it. */
#define BYTES(literal)                                                         \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define CACHEABLE "Cache-Control: max-age=60\r\n"

static const struct {
    const char *kind;
    struct span bytes;
} garbage[] = {
    {"", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no HTTP\r\n\r\n")},
    {"status", BYTES("HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nhi")},
    {"version", BYTES("HTTP/7.3 200 OK\r\nContent-Length: 2\r\n\r\nhi")},
    {"field",
     BYTES(HEAD CACHEABLE "no colon here\r\nContent-Length: 2\r\n\r\nhi")},
    {"name",
     BYTES(HEAD CACHEABLE "Bad Name: x\r\nContent-Length: 2\r\n\r\nhi")},
    {"fold",
     BYTES(HEAD CACHEABLE "X-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nhi")},
    {"length",
     BYTES(HEAD CACHEABLE "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!")},
    {"hex", BYTES(HEAD CACHEABLE "Content-Length: 0x2\r\n\r\nhi")},
    {"both", BYTES(HEAD CACHEABLE
                   "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "2\r\nhi\r\n0\r\n\r\n")},
    {"coding", BYTES(HEAD CACHEABLE "Transfer-Encoding: xchunked\r\n\r\n"
                                    "2\r\nhi\r\n0\r\n\r\n")},
    {"chunk", BYTES(HEAD CACHEABLE "Transfer-Encoding: chunked\r\n\r\n"
                                   "2\r\nhi\r\nzz\r\nhi\r\n0\r\n\r\n")},
    {"unfinished", BYTES(HEAD CACHEABLE "Transfer-Encoding: chunked\r\n\r\n"
                                        "2\r\nhi\r\n")},
    {"head", BYTES(HEAD CACHEABLE "Content-Len")},
    {"nothing", BYTES("")},
};

/* /_test/garbage, /_test/garbage/KIND */
void
run_garbage(struct exchange *x, struct span rest)
{
    struct buf kinds = {0};

    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        if (!span_eq(rest, span_of(garbage[i].kind))) {
            buf_printf(&kinds, " %s", garbage[i].kind);
            continue;
        }
        answer_raw(x, garbage[i].bytes.ptr, garbage[i].bytes.len);
        exchange_kill(x, false);
        buf_fini(&kinds);
        return;
    }
    answer_error(x, 404, kinds.data);
    buf_fini(&kinds);
}

static void
reset(struct exchange *x)
{
    exchange_kill(x, true);
}

/* A head and a bit of the body, then a reset; /_test/reset/early: at once. */
void
run_reset(struct exchange *x, struct span rest)
{
    static const char text[] =
        HEAD CACHEABLE "ETag: \"reset\"\r\nContent-Length: 1000000\r\n\r\n"
                       "the beginning of a body";

    if (span_eq(rest, SPAN("early"))) {
        exchange_kill(x, true);
        return;
    }
    answer_raw(x, text, sizeof(text) - 1);
    exchange_after(x, 50, reset);
}

/* ---- a head that trickles ---- */

static void
trickle_next(struct exchange *x)
{
    static const char text[] =
        HEAD CACHEABLE "Content-Length: 2\r\nConnection: close\r\n\r\nhi";
    size_t at = x->raw_sent++;

    if (at == sizeof(text) - 1) {
        exchange_kill(x, false);
        return;
    }
    answer_raw(x, text + at, 1);
    exchange_after(x, x->raw_every_ms, trickle_next);
}

void
trickle_head(struct exchange *x, uint64_t every_ms)
{
    x->raw_every_ms = every_ms;
    trickle_next(x);
}
