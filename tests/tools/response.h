/*
 * Reading an HTTP/1.1 response piece by piece, for the tools of the tests.
 * Trusting: it is for answers of our own programs. Zero-initialise, set `fn`,
 * feed; and say when the connection ended.
 */
#ifndef TOOLS_RESPONSE_H
#define TOOLS_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RESPONSE_LINE 8192

enum response_state {
    RESPONSE_STATUS,
    RESPONSE_FIELDS,
    RESPONSE_BODY, /* of known length, or to the end of the connection */
    RESPONSE_SIZE, /* the line of a chunk's size */
    RESPONSE_CHUNK,
    RESPONSE_CHUNK_END,
    RESPONSE_TRAILER,
    RESPONSE_DONE,
    RESPONSE_BAD
};

typedef void (*response_fn)(void *arg, const void *data, size_t len);
typedef void (*response_field_fn)(void *arg, const char *line);

struct response {
    enum response_state state;
    response_fn fn;          /* for each piece of the body */
    response_field_fn field; /* for each field, or NULL */
    void *arg;
    bool head; /* the request was HEAD */
    int status;
    bool chunked;
    bool has_length;
    uint64_t left;  /* of the body, or of the chunk */
    uint64_t first; /* of Content-Range */
    char line[RESPONSE_LINE];
    size_t line_len;
};

static inline void
response_field(struct response *r)
{
    if (r->field != NULL)
        r->field(r->arg, r->line);
    if (strncasecmp(r->line, "Content-Length:", 15) == 0) {
        r->has_length = true;
        r->left = strtoull(r->line + 15, NULL, 10);
    } else if (strncasecmp(r->line, "Transfer-Encoding:", 18) == 0) {
        r->chunked = true;
    } else if (strncasecmp(r->line, "Content-Range: bytes ", 21) == 0) {
        r->first = strtoull(r->line + 21, NULL, 10);
    }
}

/* The head is complete: what comes next? */
static inline void
response_head(struct response *r)
{
    if (r->status >= 100 && r->status < 200) {
        r->state = RESPONSE_STATUS;
        r->has_length = r->chunked = false;
    } else if (r->head || r->status == 204 || r->status == 304) {
        r->state = RESPONSE_DONE;
    } else if (r->chunked) {
        r->state = RESPONSE_SIZE;
    } else {
        if (!r->has_length)
            r->left = UINT64_MAX;
        r->state = r->left == 0 ? RESPONSE_DONE : RESPONSE_BODY;
    }
}

static inline void
response_line(struct response *r)
{
    switch (r->state) {
    case RESPONSE_STATUS:
        if (strncmp(r->line, "HTTP/1.", 7) != 0 || r->line_len < 12) {
            r->state = RESPONSE_BAD;
            break;
        }
        r->status = atoi(r->line + 9);
        r->state = RESPONSE_FIELDS;
        break;
    case RESPONSE_FIELDS:
        if (r->line_len == 0)
            response_head(r);
        else
            response_field(r);
        break;
    case RESPONSE_SIZE:
        r->left = strtoull(r->line, NULL, 16);
        r->state = r->left == 0 ? RESPONSE_TRAILER : RESPONSE_CHUNK;
        break;
    case RESPONSE_CHUNK_END:
        r->state = RESPONSE_SIZE;
        break;
    case RESPONSE_TRAILER:
        if (r->line_len == 0)
            r->state = RESPONSE_DONE;
        break;
    case RESPONSE_BODY:
    case RESPONSE_CHUNK:
    case RESPONSE_DONE:
    case RESPONSE_BAD:
        break;
    }
}

/* Takes bytes of a line up to its end; gives how many it took. */
static inline size_t
response_take_line(struct response *r, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    size_t part = end == NULL ? len : (size_t)(end - data);

    if (r->line_len + part >= RESPONSE_LINE) {
        r->state = RESPONSE_BAD;
        return len;
    }
    memcpy(r->line + r->line_len, data, part);
    r->line_len += part;
    if (end == NULL)
        return len;
    if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
        r->line_len--;
    r->line[r->line_len] = '\0';
    response_line(r);
    r->line_len = 0;
    return part + 1;
}

static inline size_t
response_take_body(struct response *r, const char *data, size_t len)
{
    size_t part = r->left < len ? (size_t)r->left : len;

    if (r->fn != NULL)
        r->fn(r->arg, data, part);
    if (r->left != UINT64_MAX)
        r->left -= part;
    if (r->left == 0)
        r->state =
            r->state == RESPONSE_CHUNK ? RESPONSE_CHUNK_END : RESPONSE_DONE;
    return part;
}

/* False once it is done or bad: nothing more is taken. */
static inline bool
response_feed(struct response *r, const char *data, size_t len)
{
    while (len > 0 && r->state != RESPONSE_DONE && r->state != RESPONSE_BAD) {
        bool body = r->state == RESPONSE_BODY || r->state == RESPONSE_CHUNK;
        size_t n = body ? response_take_body(r, data, len)
                        : response_take_line(r, data, len);

        data += n;
        len -= n;
    }
    return r->state != RESPONSE_DONE && r->state != RESPONSE_BAD;
}

/* The connection ended in order: whether the response is whole. */
static inline bool
response_end(struct response *r)
{
    if (r->state == RESPONSE_BODY && r->left == UINT64_MAX)
        r->state = RESPONSE_DONE;
    return r->state == RESPONSE_DONE;
}

/* ---- URLs ---- */

struct url {
    char host[256];
    char port[8];
    const char *target;
};

/* "http://HOST[:PORT]/..."; false for anything else. */
static inline bool
url_parse(const char *text, struct url *url)
{
    if (strncmp(text, "http://", 7) != 0)
        return false;
    const char *start = text + 7;
    size_t len = strcspn(start, "/?");
    const char *end = start + len;
    const char *colon = end;

    url->target = *end == '\0' ? "/" : end;
    while (colon > start && *colon != ':' && *colon != ']')
        colon--;
    if (colon == start || *colon != ':')
        colon = end;
    size_t host = (size_t)(colon - start);
    size_t port = colon == end ? 0 : (size_t)(end - colon - 1);

    if (host >= 2 && start[0] == '[' && start[host - 1] == ']') {
        start++;
        host -= 2;
    }
    if (host == 0 || host >= sizeof(url->host) || port >= sizeof(url->port))
        return false;
    memcpy(url->host, start, host);
    url->host[host] = '\0';
    memcpy(url->port, port == 0 ? "80" : colon + 1, port == 0 ? 2 : port);
    url->port[port == 0 ? 2 : port] = '\0';
    return *end == '/' || *end == '\0';
}

#endif
