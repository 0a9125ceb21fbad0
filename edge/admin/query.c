/* The query of a request, and what /v1/explain makes of it. */
#include "admin_internal.h"

#include <string.h>

#include "engine/engine.h"

/* ---- decoding ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* What is no escape stands for itself. */
static void
decode(struct span s, struct buf *out)
{
    buf_clear(out);
    buf_reserve(out, s.len + 1);
    for (size_t i = 0; i < s.len; i++) {
        int high = i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
        int low = i + 2 < s.len ? hex_digit(s.ptr[i + 2]) : -1;

        if (s.ptr[i] == '%' && high >= 0 && low >= 0) {
            buf_add_char(out, (char)(high * 16 + low));
            i += 2;
        } else {
            buf_add_char(out, s.ptr[i] == '+' ? ' ' : s.ptr[i]);
        }
    }
}

bool
admin_next_parameter(struct span *query, struct buf *name, struct buf *value)
{
    struct span part;

    while (span_split(query, '&', &part)) {
        if (part.len == 0)
            continue;
        size_t equal = span_find(part, '=', 0);

        decode(span_sub(part, 0, equal), name);
        decode(equal < part.len ? span_sub(part, equal + 1, part.len)
                                : SPAN_NONE,
               value);
        return true;
    }
    return false;
}

/* ---- /v1/explain ---- */

#define HEADERS_MAX 64

struct asked {
    struct buf url;
    struct buf method;
    struct buf headers[HEADERS_MAX];
    size_t header_count;
    struct fields fields;
};

static bool
take_header(struct asked *asked, struct span text, struct buf *out)
{
    size_t colon = span_find(text, ':', 0);
    struct span value = span_trim(
        span_sub(text, colon < text.len ? colon + 1 : text.len, text.len));

    if (colon == text.len || !token_valid(span_sub(text, 0, colon)) ||
        !field_value_valid(value)) {
        buf_add_text(out, "\"header\" wants Name:value, with a name of "
                          "letters, digits and dashes, and no control "
                          "characters");
        return false;
    }
    if (asked->header_count == HEADERS_MAX) {
        buf_printf(out, "at most %d header parameters", HEADERS_MAX);
        return false;
    }
    buf_add_span(&asked->headers[asked->header_count++], text);
    return true;
}

static bool
take(struct asked *asked, struct span name, struct span value, struct buf *out)
{
    if (span_eq(name, SPAN("header")))
        return take_header(asked, value, out);
    struct buf *into = span_eq(name, SPAN("url"))      ? &asked->url
                       : span_eq(name, SPAN("method")) ? &asked->method
                                                       : NULL;

    if (into == NULL || into->len > 0 || value.len == 0) {
        buf_add_text(out, into == NULL ? "there is no parameter \""
                                       : "given twice, or empty: \"");
        buf_add_span(out, name);
        buf_add_text(out,
                     "\"; the parameters are url (once), method (at most once) "
                     "and header (Name:value, any number)");
        return false;
    }
    buf_add_span(into, value);
    return true;
}

static bool
read_query(struct asked *asked, struct span query, struct buf *out)
{
    struct buf name = {0};
    struct buf value = {0};
    bool good = true;

    while (good && admin_next_parameter(&query, &name, &value))
        good = take(asked, buf_span(&name), buf_span(&value), out);
    buf_fini(&name);
    buf_fini(&value);
    if (good && asked->url.len == 0) {
        buf_add_text(out, "\"url\" is missing: ask for "
                          "/v1/explain?url=http://host/path, with & and ? in "
                          "it written as %26 and %3F");
        good = false;
    }
    return good;
}

static bool
explain(const struct admin *admin, struct asked *asked, struct buf *out)
{
    for (size_t i = 0; i < asked->header_count; i++) {
        struct span text = buf_span(&asked->headers[i]);
        size_t colon = span_find(text, ':', 0);

        fields_add(&asked->fields, span_sub(text, 0, colon),
                   span_trim(span_sub(text, colon + 1, text.len)));
    }
    struct explain_request ask = {
        .method =
            asked->method.len > 0 ? buf_span(&asked->method) : SPAN("GET"),
        .url = buf_span(&asked->url),
        .fields = &asked->fields,
    };

    if (!engine_explain(admin->parts.engine, &ask, out)) {
        buf_add_text(out, " (url)");
        return false;
    }
    buf_add_char(out, '\n');
    return true;
}

bool
admin_explain(const struct admin *admin, struct span query, struct buf *out)
{
    struct asked asked = {0};
    bool good = read_query(&asked, query, out) && explain(admin, &asked, out);

    buf_fini(&asked.url);
    buf_fini(&asked.method);
    for (size_t i = 0; i < asked.header_count; i++)
        buf_fini(&asked.headers[i]);
    fields_fini(&asked.fields);
    return good;
}
