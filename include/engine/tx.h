/*
 * One request, from its head to its last byte: what the client side (front)
 * and the engine say to each other. The engine knows no HTTP library: another
 * front (HTTP/2, a test, a simulation) speaks to it by this header alone.
 *
 * Life: the front calls tx_start when the head is there; the engine answers by
 * ops->reply, once, perhaps from inside tx_start (a hit does). The front then
 * sends, reading a streamed body by tx_read. When the response is out, or the
 * client is gone, the front calls tx_end, once, always: also when it comes
 * before the reply. After tx_end nothing is called back.
 *
 * Everything here belongs to the worker's thread. What a callback passes is
 * valid during the call, unless it says otherwise.
 */
#ifndef ENGINE_TX_H
#define ENGINE_TX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "http/fields.h"

struct tx;
struct worker;

/* The head, valid and unchanged until tx_end. The front has judged it by
 * guard_request: framing, field syntax and Host are sound, unless it says
 * otherwise in refuse_status. */
struct tx_request {
    struct span method;
    struct span target; /* raw, as received */
    const struct fields *fields;
    const struct sockaddr *client; /* who asks */
    unsigned minor;                /* of HTTP/1.x */
    bool has_body;
    int64_t body_len;    /* -1: chunked */
    uint64_t arrived_ns; /* clock_boot_ns when the head was complete */
    size_t room;         /* for the head of the answer; 0: no bound */
    /* The front refuses it: answered with this status and reason, and logged,
     * but not looked at. 0: it is sound. */
    unsigned refuse_status;
    const char *refuse_why;
};

/*
 * A name for the bytes of a reply: replies with one identity are the same to
 * the last byte, so a front may keep what it made of one and send it again.
 */
struct tx_identity {
    uint64_t object; /* the stored object's serial; 0: not to be kept */
    uint64_t form;   /* Age, ttl, method, everything else that differs */
};

enum tx_body {
    TX_BODY_NONE,  /* HEAD, 204, 304: length still says what it would be */
    TX_BODY_FLAT,  /* all of it is in `flat` */
    TX_BODY_STREAM /* read it by tx_read */
};

struct tx_reply {
    unsigned status;
    /* What to send, hop-by-hop fields and framing left out, each NUL-terminated
     * behind its length, name and value. */
    const struct fields *fields;
    int64_t length; /* of the body; -1: not known */
    enum tx_body body;
    struct span flat;
    /* For TX_BODY_FLAT: the bytes live until release(owner), which the front
     * calls once, from its thread. NULL: copy them before reply returns. */
    void (*release)(void *owner);
    void *owner;
    bool close; /* the connection must not be used again */
    struct tx_identity identity;
};

struct tx_ops {
    /* True when the front still has what it made of this identity, and sends
     * that: then there is no reply. Called only for replies that may be kept,
     * so that a hit need not put its fields together each time. */
    bool (*reply_again)(void *client, struct tx_identity identity);
    void (*reply)(void *client, const struct tx_reply *reply);
    /* An interim response (1xx) to pass on before the reply. */
    void (*interim)(void *client, unsigned status, const struct fields *fields);
    /* tx_read or tx_upload, which gave ERR_AGAIN, may do better now. Never
     * from inside either. */
    void (*readable)(void *client);
    void (*writable)(void *client);
};

/* `client` is handed back in every callback. *request and *ops outlive the
 * transaction. */
struct tx *tx_start(struct worker *worker, const struct tx_request *request,
                    const struct tx_ops *ops, void *client);

/* Gives up to `max` bytes of a streamed body, in order. ERR_OK: *len > 0;
 * ERR_AGAIN: wait for readable; ERR_END: that was all; anything else: the body
 * cannot be finished, and the client must see that (close without the end). */
enum err tx_read(struct tx *tx, void *buffer, size_t max, size_t *len);

/* Takes the next bytes of the request's body; *taken may be less than len.
 * ERR_AGAIN: none were; wait for writable. ERR_END: they are not wanted any
 * more; throw the rest away. */
enum err tx_upload(struct tx *tx, const void *data, size_t len, size_t *taken);
/* The request's body is complete. */
void tx_upload_end(struct tx *tx);
/* The request's body turns out to be one that is not taken: unless an answer
 * is on its way already, `status` is, and the upstream is given up. */
void tx_refuse(struct tx *tx, unsigned status, const char *why);

/* How a transaction ended, for the access log. */
struct tx_end {
    bool complete;       /* the whole response was handed to the network */
    uint64_t body_bytes; /* of the body, sent */
};

/* Nulls *tx. */
void tx_end(struct tx **tx, const struct tx_end *end);

#endif
