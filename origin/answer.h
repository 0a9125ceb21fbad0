/* Answers to exchanges. The fields are set first, then one of the answer_*
 * calls sends the answer; each of them may be called once in an exchange. */
#ifndef ORIGIN_ANSWER_H
#define ORIGIN_ANSWER_H

#include <jansson.h>

#include "body.h"
#include "server.h"

/* Adds a field. Values that may not stand in one, and empty ones, are left
 * out. */
void answer_header(struct exchange *x, const char *name, const char *value);
/* Takes back the fields set so far: those of a representation that is not
 * answered after all. */
void answer_clear(struct exchange *x);

/* A body of text; `type` may be NULL. */
void answer_text(struct exchange *x, int status, const char *type,
                 struct span text);
/* "text/plain", with the reason of the status and `why`. */
void answer_error(struct exchange *x, int status, const char *why);
/* Consumes the reference. */
void answer_json(struct exchange *x, int status, json_t *json);
void answer_empty(struct exchange *x, int status);
/* 304 for a representation of `len` bytes. */
void answer_not_modified(struct exchange *x, uint64_t len);
/* Part of a file; takes the descriptor. */
void answer_file(struct exchange *x, int status, int fd, uint64_t from,
                 uint64_t len);
void answer_body(struct exchange *x, int status, struct body **body);

/* Bytes instead of HTTP, or a part of it; blocks at most as long as the
 * socket's buffer takes them. What comes then is exchange_kill. */
void answer_raw(struct exchange *x, const void *data, size_t len);

#endif
