/* Where the body of a response ends (RFC 9112 sections 6.3 and 7.1); pure.
 *
 * The bytes received are taken piece by piece: body_next takes framing off the
 * front of `in` and shows the data that stands there; the caller takes as much
 * of it as it likes and says so by body_used. So a piece that could not be
 * handed on is shown again. */
#ifndef BODY_INTERNAL_H
#define BODY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* What may stand beside the data of a chunked body. */
#define BODY_LINE_MAX 4096u            /* one size line, extensions included */
#define BODY_TRAILERS_MAX (16u * 1024) /* all trailers, which are dropped */

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

enum body_state {
    BODY_SIZE,      /* the digits of a chunk's size */
    BODY_EXTENSION, /* what follows them, up to CR */
    BODY_SIZE_LF,
    BODY_BYTES, /* data, also of the other kinds */
    BODY_DATA_CR,
    BODY_DATA_LF,
    BODY_TRAILER_START, /* of a line behind the last chunk */
    BODY_TRAILER,
    BODY_TRAILER_LF,
    BODY_LAST_LF,
    BODY_OVER
};

struct body {
    enum body_kind kind;
    enum body_state state;
    uint64_t left; /* data bytes of the body, or of this chunk */
    uint32_t digits;
    uint32_t framing; /* bytes of this size line, or of the trailers */
};

enum body_event {
    BODY_MORE, /* all of `in` was taken; there is more to come */
    BODY_DATA, /* *data is the front of `in`, not empty */
    BODY_END,  /* the body is whole; what is left of `in` is not its */
    BODY_BAD
};

void body_init(struct body *body, enum body_kind kind, uint64_t length);
/* After BODY_BAD *why says what is wrong. */
enum body_event body_next(struct body *body, struct span *in, struct span *data,
                          const char **why);
/* `len` bytes of what was shown were taken; the caller takes them off `in`. */
void body_used(struct body *body, size_t len);
/* The connection has ended: was that the end of the body? */
bool body_ends_here(const struct body *body);

#endif
