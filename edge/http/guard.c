#include "http/guard.h"

/* Counts and last values of the fields that decide about framing. */
struct framing {
    size_t hosts;
    size_t lengths;
    size_t codings;
    struct span host;
    struct span length;
    struct span coding;
};

/* Only three lengths of name cost a comparison. */
static void
note(struct framing *framing, const struct field *field)
{
    switch (field->name.len) {
    case 4:
        if (span_eq_nocase(field->name, SPAN("Host"))) {
            framing->hosts++;
            framing->host = field->value;
        }
        break;
    case 14:
        if (span_eq_nocase(field->name, SPAN("Content-Length"))) {
            framing->lengths++;
            framing->length = field->value;
        }
        break;
    case 17:
        if (span_eq_nocase(field->name, SPAN("Transfer-Encoding"))) {
            framing->codings++;
            framing->coding = field->value;
        }
        break;
    default:
        break;
    }
}

static const char *
check_fields(const struct fields *fields, struct framing *framing)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->list[i];

        if (field->name.len > GUARD_NAME_MAX_LEN)
            return "a field name is longer than 256 bytes";
        if (!token_valid(field->name))
            return "a field name holds a byte that none may";
        if (!field_value_valid(field->value))
            return "a field value holds a control character";
        note(framing, field);
    }
    return NULL;
}

static const char *
check_framing(const struct framing *framing, int64_t *length)
{
    uint64_t number = 0;

    if (framing->codings > 0 && framing->lengths > 0)
        return "both Content-Length and Transfer-Encoding";
    if (framing->codings > 1)
        return "more than one Transfer-Encoding";
    if (framing->codings == 1 &&
        !span_eq_nocase(framing->coding, SPAN("chunked")))
        return "Transfer-Encoding is not exactly \"chunked\"";
    if (framing->lengths > 1)
        return "more than one Content-Length";
    *length = -1;
    if (framing->lengths == 0)
        return NULL;
    if (!span_u64(framing->length, UINT64_MAX, &number) || number > INT64_MAX)
        return "Content-Length is no number";
    *length = (int64_t)number;
    return NULL;
}

static const char *
check_method(struct span method)
{
    if (method.len > GUARD_METHOD_MAX_LEN)
        return "the method is longer than 32 bytes";
    if (!token_valid(method))
        return "the method is no token";
    if (span_eq(method, SPAN("CONNECT")))
        return "CONNECT is not offered here";
    return NULL;
}

const char *
guard_request(struct span method, bool http11, const struct fields *request,
              struct guard_result *out)
{
    struct framing framing = {0};
    int64_t length;
    const char *why = check_method(method);

    if (why == NULL)
        why = check_fields(request, &framing);
    if (why == NULL)
        why = check_framing(&framing, &length);
    if (why != NULL)
        return why;
    if (framing.hosts > 1)
        return "more than one Host";
    if (http11 && framing.hosts == 0)
        return "no Host";
    if (!http11 && framing.codings > 0)
        return "Transfer-Encoding in an HTTP/1.0 request";

    out->body = framing.codings > 0 ? GUARD_BODY_CHUNKED
                : length >= 0       ? GUARD_BODY_LENGTH
                                    : GUARD_BODY_NONE;
    out->body_len = length > 0 ? length : 0;
    out->host = framing.hosts > 0 ? framing.host : SPAN_NONE;
    if (framing.hosts > 0 && out->host.ptr == NULL)
        out->host = SPAN("");
    return NULL;
}

const char *
guard_response(const struct fields *response, int64_t *length)
{
    struct framing framing = {0};
    const char *why = check_fields(response, &framing);

    return why ? why : check_framing(&framing, length);
}
