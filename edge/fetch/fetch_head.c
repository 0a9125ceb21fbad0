#include "fetch_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* Memory kept from one response to the next. */
#define KEEP_BYTES 16384

static void
begin_message(struct head *head)
{
    buf_clear(&head->text);
    fields_clear(&head->fields);
    head->count = 0;
    head->status = 0;
    head->minor = 1;
    head->content_length = -1;
    head->chunked = head->foreign = false;
}

void
head_reset(struct head *head)
{
    if (head->text.cap > KEEP_BYTES)
        buf_fini(&head->text);
    begin_message(head);
    head->state = HEAD_STATUS;
    head->interims = 0;
}

void
head_fini(struct head *head)
{
    buf_fini(&head->text);
    fields_fini(&head->fields);
    free(head->places);
    head->places = NULL;
    head->count = head->cap = 0;
}

static enum head_event
bad(char detail[HEAD_DETAIL_MAX], const char *reason)
{
    snprintf(detail, HEAD_DETAIL_MAX, "%s", reason);
    return HEAD_BAD;
}

/* `name` is a valid token, so it is safe to print. */
static enum head_event
bad_field(char detail[HEAD_DETAIL_MAX], struct span name, const char *reason)
{
    snprintf(detail, HEAD_DETAIL_MAX, "response field %.*s %s",
             (int)(name.len < 40 ? name.len : 40), name.ptr, reason);
    return HEAD_BAD;
}

/* HTTP/1.[01] SP 3DIGIT [SP reason] (RFC 9112 section 4; the space before an
 * empty reason is often left out). */
static enum head_event
status_line(struct head *head, struct span line, char detail[HEAD_DETAIL_MAX])
{
    uint64_t status;

    if (!span_starts(line, SPAN("HTTP/")))
        return bad(detail, "response does not begin with HTTP/");
    if (line.len < 8 || !span_starts(line, SPAN("HTTP/1.")) ||
        (line.ptr[7] != '0' && line.ptr[7] != '1'))
        return bad(detail, "response is neither HTTP/1.0 nor HTTP/1.1");
    if (line.len < 12 || line.ptr[8] != ' ' ||
        !span_u64(span_sub(line, 9, 12), 999, &status) ||
        (line.len > 12 && line.ptr[12] != ' '))
        return bad(detail, "response has a malformed status line");
    if (!field_value_valid(line))
        return bad(detail, "control character in the status line");
    if (status < 100 || status > 599)
        return bad(detail, "response status is not within 100 to 599");
    if (status == 101)
        return bad(detail, "response 101 to a request without Upgrade");
    head->minor = (unsigned)(line.ptr[7] - '0');
    head->status = (unsigned)status;
    head->state = HEAD_FIELDS;
    return HEAD_MORE;
}

/* A coding that we do not know (RFC 9112 section 6.1). Those that we know, and
 * must not take for the content; and what looks like "chunked": somebody on
 * the way may read it as that. */
static bool
is_foreign(struct span coding)
{
    static const struct span known[] = {
        {"gzip", 4},        {"x-gzip", 6},   {"deflate", 7}, {"compress", 8},
        {"x-compress", 10}, {"identity", 8}, {"br", 2},      {"zstd", 4},
    };

    if (!token_valid(coding))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_eq_nocase(coding, known[i]))
            return false;
    }
    for (size_t i = 0; i + 5 <= coding.len; i++) {
        if (span_eq_nocase(span_sub(coding, i, i + 5), SPAN("chunk")))
            return false;
    }
    return true;
}

static enum head_event
transfer_coding(struct head *head, struct span name, struct span value,
                char detail[HEAD_DETAIL_MAX])
{
    if (head->chunked || head->foreign)
        return bad_field(detail, name, "is there twice");
    if (head->minor == 0)
        return bad_field(detail, name, "in an HTTP/1.0 response");
    head->foreign = is_foreign(value);
    if (!head->foreign && !span_eq_nocase(value, SPAN("chunked")))
        return bad_field(detail, name, "is not exactly \"chunked\"");
    head->chunked = !head->foreign;
    return HEAD_MORE;
}

/* What decides where the body ends may be said once, and one way
 * (RFC 9112 section 6.3; we refuse what it would let us repair). */
static enum head_event
framing(struct head *head, struct span name, struct span value,
        char detail[HEAD_DETAIL_MAX])
{
    uint64_t length;

    if (span_eq_nocase(name, SPAN("Content-Length"))) {
        if (head->content_length >= 0)
            return bad_field(detail, name, "is there twice");
        if (!span_u64(value, UINT64_MAX, &length) || length > INT64_MAX)
            return bad_field(detail, name, "is not one decimal number");
        head->content_length = (int64_t)length;
    } else if (span_eq_nocase(name, SPAN("Transfer-Encoding"))) {
        enum head_event event = transfer_coding(head, name, value, detail);

        if (event == HEAD_BAD)
            return event;
    }
    if ((head->chunked || head->foreign) && head->content_length >= 0)
        return bad(detail, "response has Content-Length and Transfer-Encoding");
    return HEAD_MORE;
}

static enum head_event
field_line(struct head *head, const struct head_limits *limits,
           struct span line, char detail[HEAD_DETAIL_MAX])
{
    size_t colon = span_find(line, ':', 0);
    struct span name = span_sub(line, 0, colon);

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return bad(detail, "folded field line in the response");
    if (colon == line.len)
        return bad(detail, "field line without a colon in the response");
    if (!token_valid(name))
        return bad(detail, "response field name is not a token");

    struct span value = span_trim(span_sub(line, colon + 1, line.len));

    if (!field_value_valid(value))
        return bad_field(detail, name, "holds a control character");
    if (head->count == limits->fields)
        return bad(detail, "response has too many fields");
    if (head->text.len + line.len > limits->bytes)
        return bad(detail, "response head is too large");

    size_t at = head->text.len;

    MEM_GROW(head->places, head->count, head->cap);
    head->places[head->count++] =
        (struct head_place){at, name.len, at + name.len, value.len};
    buf_add_span(&head->text, name);
    buf_add_span(&head->text, value);
    return framing(head, name, value, detail);
}

/* The text does not move any more: spans can point into it. */
static void
make_fields(struct head *head)
{
    const char *text = head->text.data;

    fields_clear(&head->fields);
    for (size_t i = 0; i < head->count; i++) {
        const struct head_place *place = &head->places[i];

        fields_add(&head->fields,
                   (struct span){text + place->name, place->name_len},
                   (struct span){text + place->value, place->value_len});
    }
}

static enum head_event
blank_line(struct head *head, char detail[HEAD_DETAIL_MAX])
{
    make_fields(head);
    if (head->status >= 200) {
        head->state = HEAD_DONE;
        return HEAD_FINAL;
    }
    if (head->interims++ == HEAD_INTERIM_MAX)
        return bad(detail, "too many 1xx responses");
    head->state = HEAD_STATUS;
    return HEAD_INTERIM;
}

enum head_event
head_line(struct head *head, const struct head_limits *limits, struct span line,
          char detail[HEAD_DETAIL_MAX])
{
    CHECK(head->state != HEAD_DONE);
    if (line.len > limits->bytes)
        return bad(detail, "response head is too large");
    if (line.len < 2 || line.ptr[line.len - 2] != '\r' ||
        line.ptr[line.len - 1] != '\n')
        return bad(detail, "line of the response head does not end in CRLF");
    line.len -= 2;
    if (head->state == HEAD_STATUS) {
        begin_message(head);
        return status_line(head, line, detail);
    }
    if (line.len == 0)
        return blank_line(head, detail);
    return field_line(head, limits, line, detail);
}
