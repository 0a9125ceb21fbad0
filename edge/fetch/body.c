#include "body_internal.h"

/* A chunk's size: as many digits as 2^60 has, so that nothing overflows. */
#define DIGITS_MAX 16u
#define CHUNK_MAX (UINT64_C(1) << 60)

void
body_init(struct body *body, enum body_kind kind, uint64_t length)
{
    *body = (struct body){.kind = kind, .state = BODY_BYTES, .left = length};
    if (kind == BODY_NONE || (kind == BODY_LENGTH && length == 0))
        body->state = BODY_OVER;
    else if (kind == BODY_CHUNKED)
        *body = (struct body){.kind = kind, .state = BODY_SIZE};
    else if (kind == BODY_UNTIL_CLOSE)
        body->left = UINT64_MAX;
}

void
body_used(struct body *body, size_t len)
{
    if (body->kind == BODY_UNTIL_CLOSE)
        return;
    body->left -= len;
    if (body->left == 0)
        body->state = body->kind == BODY_CHUNKED ? BODY_DATA_CR : BODY_OVER;
}

bool
body_ends_here(const struct body *body)
{
    return body->state == BODY_OVER || body->kind == BODY_UNTIL_CLOSE;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_control(char c)
{
    unsigned char u = (unsigned char)c;

    return (u < ' ' && u != '\t') || u == 0x7f;
}

/* One byte of a size line, behind its digits or among them. */
static const char *
size_byte(struct body *body, char c)
{
    int digit = hex_digit(c);

    if (body->state == BODY_SIZE && digit >= 0) {
        if (++body->digits > DIGITS_MAX)
            return "a chunk's size has too many digits";
        body->left = body->left << 4 | (uint64_t)digit;
        return body->left > CHUNK_MAX ? "a chunk's size is too large" : NULL;
    }
    if (body->digits == 0)
        return "a chunk's size is not hexadecimal";
    if (c == '\r') {
        body->state = BODY_SIZE_LF;
        return NULL;
    }
    /* chunk-ext begins with a semicolon, perhaps behind blanks; what it says
     * is for nobody (RFC 9112 section 7.1.1). */
    if (body->state == BODY_SIZE && c != ';' && c != ' ' && c != '\t')
        return "a chunk's size is not hexadecimal";
    if (is_control(c))
        return "a chunk extension holds a control character";
    body->state = BODY_EXTENSION;
    return NULL;
}

static const char *
trailer_byte(struct body *body, char c)
{
    if (body->state == BODY_TRAILER_START && c == '\r') {
        body->state = BODY_LAST_LF;
        return NULL;
    }
    if (c == '\r') {
        body->state = BODY_TRAILER_LF;
        return NULL;
    }
    if (is_control(c))
        return "a trailer holds a control character, or ends in a bare LF";
    body->state = BODY_TRAILER;
    return NULL;
}

static const char *
expect(struct body *body, char c, char want, enum body_state next)
{
    if (c != want)
        return "a line of the chunked body does not end in CRLF";
    body->state = next;
    return NULL;
}

/* The size line is over: its data, or the trailers, follow. */
static const char *
size_end(struct body *body, char c)
{
    body->digits = body->framing = 0;
    return expect(body, c, '\n',
                  body->left > 0 ? BODY_BYTES : BODY_TRAILER_START);
}

static const char *
framing_byte(struct body *body, char c)
{
    switch (body->state) {
    case BODY_SIZE:
    case BODY_EXTENSION:
        if (++body->framing > BODY_LINE_MAX)
            return "a chunk's size line is too long";
        return size_byte(body, c);
    case BODY_SIZE_LF:
        return size_end(body, c);
    case BODY_DATA_CR:
        return expect(body, c, '\r', BODY_DATA_LF);
    case BODY_DATA_LF:
        return expect(body, c, '\n', BODY_SIZE);
    case BODY_TRAILER_START:
    case BODY_TRAILER:
        if (++body->framing > BODY_TRAILERS_MAX)
            return "the trailers are too large";
        return trailer_byte(body, c);
    case BODY_TRAILER_LF:
        return expect(body, c, '\n', BODY_TRAILER_START);
    case BODY_LAST_LF:
        return expect(body, c, '\n', BODY_OVER);
    case BODY_BYTES:
    case BODY_OVER:
        break;
    }
    return NULL;
}

enum body_event
body_next(struct body *body, struct span *in, struct span *data,
          const char **why)
{
    while (in->len > 0 && body->state != BODY_BYTES &&
           body->state != BODY_OVER) {
        *why = framing_byte(body, in->ptr[0]);
        if (*why != NULL)
            return BODY_BAD;
        *in = span_sub(*in, 1, in->len);
    }
    if (body->state == BODY_OVER)
        return BODY_END;
    if (in->len == 0)
        return BODY_MORE;
    *data = body->left < in->len ? span_sub(*in, 0, (size_t)body->left) : *in;
    return BODY_DATA;
}
