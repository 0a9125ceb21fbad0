/* A growing byte buffer. Zero-initialise to begin; buf_fini to end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

struct buf {
    char *data; /* always NUL-terminated once something was added */
    size_t len;
    size_t cap;
};

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_span(struct buf *buf, struct span s);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds `s` as the inside of a JSON string. Bytes that are no UTF-8 are written
 * as \u00XX, so the result is valid JSON whatever a client sent. */
void buf_add_json(struct buf *buf, struct span s);
/* Makes room for `more` bytes past len; buf->data + buf->len is writable. */
void buf_reserve(struct buf *buf, size_t more);
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_fini(struct buf *buf);
struct span buf_span(const struct buf *buf);
/* Hands over the string (NUL-terminated, never NULL); the caller frees it. */
char *buf_steal(struct buf *buf);

#endif
