#include "http/forward.h"

#include "base/check.h"
#include "http/fields_internal.h"
#include "http/node.h"

#define NAME(literal)                                                          \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }

/* More than the normal forms of Accept-Encoding and Accept-Language take, but
 * for the names of codings, which are counted. */
#define NORMAL_MAX 512
#define CAPABILITY SPAN("Surrogate-Capability")

/* Never the client's: framing and what we say ourselves. The hop-by-hop names
 * are here for their spellings with '_'. */
static const struct span replaced_names[] = {
    NAME("Host"),
    NAME("Expect"),
    NAME("Content-Length"),
    NAME("Transfer-Encoding"),
    NAME("Proxy-Authorization"),
    NAME("Proxy"), /* HTTP_PROXY to programs behind CGI */
    NAME("Keep-Alive"),
    NAME("Via"),
    NAME("X-Forwarded-For"),
    NAME("X-Forwarded-Proto"),
    NAME("Forwarded"),
    NAME("CDN-Loop"),
};

/* Fields that programs build answers from and that no key holds: the known
 * ways to poison a cache. First those that come in families. */
static const struct span unkeyed_prefixes[] = {
    NAME("X-Forwarded-"),  NAME("X-Forward-"), NAME("X-Original-"),
    NAME("X-Rewrite-"),    NAME("X-HTTP-"),    NAME("X-Override-"),
    NAME("X-Middleware-"), NAME("X-Invoke-"),  NAME("X-Envoy-"),
    NAME("X-ARR-"),        NAME("WL-Proxy-"),  NAME("CloudFront-"),
    NAME("Fastly-"),
};

static const struct span unkeyed_names[] = {
    NAME("X-Forwarded"),
    NAME("X-Host"),
    NAME("X-Backend-Host"),
    NAME("X-Proxy-Host"),
    NAME("X-Proxy-URL"),
    NAME("Proxy-Host"),
    NAME("X-Script-Name"),
    NAME("X-Matched-Path"),
    NAME("X-Now-Route-Matches"),
    NAME("X-Scheme"),
    NAME("X-Url-Scheme"),
    NAME("X-URL"),
    NAME("X-Method-Override"),
    NAME("X-Real-IP"),
    NAME("X-Client-IP"),
    NAME("X-Cluster-Client-IP"),
    NAME("X-ProxyUser-Ip"),
    NAME("X-Remote-IP"),
    NAME("X-Remote-Addr"),
    NAME("X-Originating-IP"),
    NAME("True-Client-IP"),
    NAME("Client-IP"),
    NAME("CF-Connecting-IP"),
    NAME("CF-Connecting-IPv6"),
    NAME("CF-Visitor"),
    NAME("CF-IPCountry"),
    NAME("Front-End-Https"),
    NAME("Base-Url"),
    NAME("Request-Uri"),
    NAME("Destination"),
    NAME("X-Amz-Website-Redirect-Location"),
    NAME("X-Sendfile-Type"),
    NAME("X-Accel-Mapping"),
    NAME("Surrogate-Capability"),
};

/* ---- names ---- */

static char
fold(char c)
{
    if (c == '_')
        return '-';
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* Whether the first `want.len` bytes of name are `want`, '_' taken as '-'. */
static bool
starts_folded(struct span name, struct span want)
{
    if (name.len < want.len)
        return false;
    for (size_t i = 0; i < want.len; i++) {
        if (fold(name.ptr[i]) != fold(want.ptr[i]))
            return false;
    }
    return true;
}

static bool
in_list(struct span name, const struct span *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (name.len == list[i].len && starts_folded(name, list[i]))
            return true;
    }
    return false;
}

static bool
is_internal(struct span name)
{
    return starts_folded(name, SPAN("Atlas-"));
}

static bool
is_unkeyed(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(unkeyed_prefixes); i++) {
        if (starts_folded(name, unkeyed_prefixes[i]))
            return true;
    }
    return span_find(name, '_', 0) < name.len ||
           in_list(name, unkeyed_names, ARRAY_LEN(unkeyed_names));
}

/* By the exact name: the key has no other spelling. */
static bool
is_passing(struct span name, const struct forward_context *context)
{
    for (size_t i = 0; i < context->passing_count; i++) {
        if (span_eq_nocase(name, context->passing[i]))
            return true;
    }
    return false;
}

static bool
is_replaced(struct span name)
{
    return is_internal(name) ||
           in_list(name, replaced_names, ARRAY_LEN(replaced_names));
}

static bool
request_field_passes(struct span name, const struct forward_context *context)
{
    if (is_replaced(name))
        return false;
    return !context->shared || is_passing(name, context) || !is_unkeyed(name);
}

/* Whether the client's field is sent on with all that it says; else only with
 * who stood between, by address. */
static bool
passes_whole(struct span name, const struct forward_context *context)
{
    return !context->shared || is_passing(name, context);
}

bool
forward_has_unkeyed(const struct fields *in,
                    const struct forward_context *context)
{
    for (size_t i = 0; i < in->count; i++) {
        struct span name = in->list[i].name;

        if (is_passing(name, context))
            continue;
        if (!is_replaced(name) && is_unkeyed(name))
            return true;
        if (span_eq_nocase(name, SPAN("Forwarded")))
            return true;
    }
    return false;
}

/* ---- values ---- */

/* The bytes in `scratch` from `start` on; it must have had room for them from
 * the beginning, since earlier values lie in it too. */
static struct span
value_from(const struct buf *scratch, size_t start)
{
    return span_sub(buf_span(scratch), start, scratch->len);
}

/* The client's value of this list field, ready for ours to follow; of it only
 * the nodes if the rest is not to pass. */
static void
begin_list(const struct fields *in, struct span name, bool nodes_only,
           struct buf *scratch)
{
    struct member_cursor cursor = {0};
    struct span member;

    while (fields_next_member(in, name, &cursor, &member)) {
        if (!quotes_closed(member) || !field_value_valid(member) ||
            (nodes_only && !node_valid(member)))
            continue;
        buf_add_span(scratch, member);
        buf_add_text(scratch, ", ");
    }
}

static void
add_via(const struct fields *in, bool http11, struct span pseudonym,
        struct buf *scratch, struct fields *out)
{
    size_t start = scratch->len;

    begin_list(in, SPAN("Via"), false, scratch);
    buf_add_text(scratch, http11 ? "1.1 " : "1.0 ");
    buf_add_span(scratch, pseudonym);
    fields_add(out, SPAN("Via"), value_from(scratch, start));
}

static void
add_member(const struct fields *in, struct span name, struct span ours,
           bool nodes_only, struct buf *scratch, struct fields *out)
{
    size_t start = scratch->len;

    begin_list(in, name, nodes_only, scratch);
    buf_add_span(scratch, ours);
    fields_add(out, name, value_from(scratch, start));
}

/* Takes the next pair of one Forwarded element off the front: "for=1.2.3.4",
 * split at ';' outside quotes. */
static bool
next_pair(struct span *element, struct span *pair)
{
    bool quoted = false;
    size_t end = 0;

    if (element->len == 0)
        return false;
    for (; end < element->len; end++) {
        char c = element->ptr[end];

        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            end++;
        else if (!quoted && c == ';')
            break;
    }
    *pair = span_trim(span_sub(*element, 0, end));
    *element = span_sub(*element, end + 1, element->len);
    return true;
}

/* "for" or "by", and a node. */
static bool
names_node(struct span name, struct span value)
{
    if (value.len > 1 && value.ptr[0] == '"')
        value = span_sub(value, 1, value.len - 1);
    return (span_eq_nocase(name, SPAN("for")) ||
            span_eq_nocase(name, SPAN("by"))) &&
           node_valid(value);
}

/* Copies an element, less what the client may not say. False: nothing left. */
static bool
copy_element(struct span element, bool keep_all, struct buf *scratch)
{
    bool any = false;
    struct span pair;

    while (next_pair(&element, &pair)) {
        struct span name = span_sub(pair, 0, span_find(pair, '=', 0));

        if (!token_valid(name) || name.len == pair.len || !quotes_closed(pair))
            continue;
        if (!keep_all &&
            !names_node(name, span_sub(pair, name.len + 1, pair.len)))
            continue;
        if (any)
            buf_add_char(scratch, ';');
        buf_add_span(scratch, pair);
        any = true;
    }
    return any;
}

/* A token as it is, else a quoted string (RFC 7239 section 4). */
static void
add_node(struct buf *scratch, struct span node)
{
    if (token_valid(node)) {
        buf_add_span(scratch, node);
        return;
    }
    buf_add_char(scratch, '"');
    for (size_t i = 0; i < node.len; i++) {
        if (node.ptr[i] == '"' || node.ptr[i] == '\\')
            buf_add_char(scratch, '\\');
        buf_add_char(scratch, node.ptr[i]);
    }
    buf_add_char(scratch, '"');
}

static void
add_forwarded(const struct fields *in, const struct forward_context *context,
              struct buf *scratch, struct fields *out)
{
    bool keep_all = passes_whole(SPAN("Forwarded"), context);
    size_t start = scratch->len;
    struct member_cursor cursor = {0};
    struct span element;

    while (fields_next_member(in, SPAN("Forwarded"), &cursor, &element)) {
        if (copy_element(element, keep_all, scratch))
            buf_add_text(scratch, ", ");
    }
    buf_add_text(scratch, "for=");
    if (span_find(context->client, ':', 0) < context->client.len) {
        buf_add_text(scratch, "\"[");
        buf_add_span(scratch, context->client);
        buf_add_text(scratch, "]\"");
    } else if (context->client.len > 0) {
        add_node(scratch, context->client);
    } else {
        buf_add_text(scratch, "unknown");
    }
    if (context->host.len > 0) {
        buf_add_text(scratch, ";host=");
        add_node(scratch, context->host);
    }
    buf_add_text(scratch, ";proto=");
    buf_add_span(scratch, context->scheme);
    fields_add(out, SPAN("Forwarded"), value_from(scratch, start));
}

/* W3C Edge Architecture, section 2.2. The client's own stand before ours only
 * where they have passed into `out`. */
static void
add_capability(struct span name, struct buf *scratch, struct fields *out)
{
    size_t start = scratch->len;

    if (name.len == 0)
        return;
    begin_list(out, CAPABILITY, false, scratch);
    buf_add_span(scratch, name);
    buf_add_text(scratch, "=\"Surrogate/1.0\"");
    fields_remove(out, CAPABILITY);
    fields_add(out, CAPABILITY, value_from(scratch, start));
}

/* In the place of the first line of this name; others go. */
static void
replace_value(struct fields *fields, struct span name, struct span value)
{
    size_t kept = 0;
    bool done = false;

    for (size_t i = 0; i < fields->count; i++) {
        struct field field = fields->list[i];

        if (span_eq_nocase(field.name, name)) {
            if (done)
                continue;
            done = true;
            field.value = value;
        }
        fields->list[kept++] = field;
    }
    fields->count = kept;
}

/* What answers are kept by is what the origin is asked. */
static void
cut_down(struct span name, const struct vary_codings *codings,
         struct buf *scratch, struct fields *out)
{
    size_t start = scratch->len;

    if (!fields_has(out, name))
        return;
    if (vary_normalise(out, name, codings, scratch))
        replace_value(out, name, value_from(scratch, start));
    else
        fields_remove(out, name);
}

/* More bytes than all new values can take: a list member grows by ", " at
 * most, and it stood behind a comma or a line of its own. */
static size_t
room_for(const struct fields *in, size_t ours)
{
    size_t room = NORMAL_MAX + 256 + 4 * ours;

    for (size_t i = 0; i < in->count; i++)
        room += 2 * in->list[i].value.len + 2;
    return room;
}

static size_t
codings_len(const struct vary_codings *codings)
{
    size_t len = 0;

    for (size_t i = 0; codings != NULL && i < codings->count; i++)
        len += codings->list[i].len + 1;
    return len;
}

/* ---- requests ---- */

void
forward_request(const struct fields *in, const struct forward_context *context,
                struct fields *out, struct buf *scratch)
{
    size_t kept = 0;

    buf_clear(scratch);
    buf_reserve(scratch,
                room_for(in, context->client.len + 2 * context->host.len +
                                 context->pseudonym.len + context->scheme.len +
                                 context->surrogate.len +
                                 codings_len(context->codings)));
    const char *before = scratch->data;

    fields_clear(out);
    fields_add_all(out, in);
    fields_remove_hop_by_hop(out);
    for (size_t i = 0; i < out->count; i++) {
        if (request_field_passes(out->list[i].name, context))
            out->list[kept++] = out->list[i];
    }
    out->count = kept;
    if (context->shared) {
        cut_down(SPAN("Accept-Encoding"), context->codings, scratch, out);
        cut_down(SPAN("Accept-Language"), context->codings, scratch, out);
    }
    if (context->host.len > 0)
        fields_add(out, SPAN("Host"), context->host);
    add_via(in, context->http11, context->pseudonym, scratch, out);
    if (context->client.len > 0)
        add_member(in, SPAN("X-Forwarded-For"), context->client,
                   !passes_whole(SPAN("X-Forwarded-For"), context), scratch,
                   out);
    fields_add(out, SPAN("X-Forwarded-Proto"), context->scheme);
    add_forwarded(in, context, scratch, out);
    add_member(in, SPAN("CDN-Loop"), context->pseudonym, false, scratch, out);
    add_capability(context->surrogate, scratch, out);
    CHECK(scratch->data == before);
}

bool
forward_is_loop(const struct fields *request, struct span pseudonym)
{
    struct member_cursor cursor = {0};
    struct span member;

    while (fields_next_member(request, SPAN("CDN-Loop"), &cursor, &member)) {
        struct span id =
            span_trim(span_sub(member, 0, span_find(member, ';', 0)));

        if (span_eq_nocase(id, pseudonym))
            return true;
    }
    return false;
}

/* ---- responses ---- */

static bool
response_field_passes(const struct field *field,
                      const struct forward_response_options *options)
{
    if (!token_valid(field->name) || !field_value_valid(field->value))
        return false;
    if (is_internal(field->name) ||
        span_eq_nocase(field->name, SPAN("Content-Length")) ||
        span_eq_nocase(field->name, SPAN("Via")))
        return false;
    for (size_t i = 0; i < options->hidden_count; i++) {
        if (span_eq_nocase(field->name, options->hidden[i]))
            return false;
    }
    return true;
}

void
forward_response(const struct fields *in,
                 const struct forward_response_options *options,
                 struct fields *out, struct buf *scratch)
{
    size_t kept = 0;

    buf_clear(scratch);
    fields_clear(out);
    fields_add_all(out, in);
    fields_remove_hop_by_hop(out);
    for (size_t i = 0; i < out->count; i++) {
        if (response_field_passes(&out->list[i], options))
            out->list[kept++] = out->list[i];
    }
    out->count = kept;
    add_via(in, options->http11, options->pseudonym, scratch, out);
}

size_t
forward_size(const struct fields *fields)
{
    size_t size = 0;

    for (size_t i = 0; i < fields->count; i++)
        size += fields->list[i].name.len + fields->list[i].value.len + 4;
    return size;
}
