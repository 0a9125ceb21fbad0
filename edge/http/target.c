#include "http/target.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- hosts and ports (RFC 3986 section 3.2) ---- */

static bool
is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/* Of a reg-name, without the sub-delims that RFC 3986 also allows: no host has
 * them, and keys, logs and patterns give them meanings. */
static bool
is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static bool
reg_name_valid(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (c == '%') {
            if (name.len - i < 3 || !is_hex(name.ptr[i + 1]) ||
                !is_hex(name.ptr[i + 2]))
                return false;
            i += 2;
        } else if (!is_name_char(c)) {
            return false;
        }
    }
    return name.len > 0 && name.len <= TARGET_HOST_MAX_LEN;
}

/* `literal` is what stands between the brackets. */
static bool
ipv6_valid(struct span literal)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (literal.len == 0 || literal.len >= sizeof(text) ||
        memchr(literal.ptr, '\0', literal.len) != NULL)
        return false;
    memcpy(text, literal.ptr, literal.len);
    text[literal.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* ":8080", ":" (the default) or nothing. */
static bool
port_parse(struct span rest, uint16_t default_port, uint16_t *port)
{
    uint64_t number;

    *port = default_port;
    if (rest.len == 0)
        return true;
    if (rest.ptr[0] != ':')
        return false;
    if (rest.len == 1)
        return true;
    if (rest.len > 6 ||
        !span_u64(span_sub(rest, 1, rest.len), UINT64_MAX, &number) ||
        number == 0 || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

const char *
target_parse_authority(struct span authority, uint16_t default_port,
                       struct span *host, uint16_t *port)
{
    size_t end;

    if (authority.len == 0)
        return "the host is empty";
    if (authority.ptr[0] == '[') {
        end = span_find(authority, ']', 0);
        if (end == authority.len || !ipv6_valid(span_sub(authority, 1, end)))
            return "the host is no IPv6 address in brackets";
        end++;
    } else {
        end = span_find(authority, ':', 0);
        if (!reg_name_valid(span_sub(authority, 0, end)))
            return "the host is no host name";
    }
    *host = span_sub(authority, 0, end);
    if (!port_parse(span_sub(authority, end, authority.len), default_port,
                    port))
        return "the port is no number from 1 to 65535";
    return NULL;
}

uint16_t
target_default_port(struct span scheme)
{
    return span_eq_nocase(scheme, SPAN("https")) ? 443 : 80;
}

/* ---- targets ---- */

/* Whether one of eight bytes is below 0x21, above 0x7e or '#'. Runs over
 * every request's target, hence a word at a time; `zero` is zero in a byte
 * that equals, and a borrow only ever starts at a byte that is bad itself. */
static bool
word_is_bad(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = ones * 0x80;
    uint64_t low = (word - ones * 0x21) & ~word;
    uint64_t hash = word ^ (ones * '#');
    uint64_t delete = word ^ (ones * 0x7f);

    hash = (hash - ones) & ~hash;
    delete = (delete - ones) & ~delete;
    return ((word | low | hash | delete) & highs) != 0;
}

static bool
has_bad_byte(struct span raw)
{
    uint64_t word;
    size_t i = 0;

    for (; i + sizeof(word) <= raw.len; i += sizeof(word)) {
        memcpy(&word, raw.ptr + i, sizeof(word));
        if (word_is_bad(word))
            return true;
    }
    memset(&word, 'a', sizeof(word));
    memcpy(&word, raw.ptr + i, raw.len - i);
    return word_is_bad(word);
}

static void
split_query(struct span path_query, struct target *out)
{
    size_t mark = span_find(path_query, '?', 0);

    out->path_query = path_query;
    out->path = span_sub(path_query, 0, mark);
    out->query = mark < path_query.len
                     ? span_sub(path_query, mark + 1, path_query.len)
                     : SPAN_NONE;
}

/* Takes "http://" or "https://" off the front. False: neither is there. */
static bool
take_scheme(struct span *url, struct span *scheme)
{
    static const struct span schemes[] = {{"http", 4}, {"https", 5}};

    for (size_t i = 0; i < 2; i++) {
        struct span name = span_sub(*url, 0, schemes[i].len);

        if (span_eq_nocase(name, schemes[i]) &&
            span_starts(span_sub(*url, name.len, url->len), SPAN("://"))) {
            *scheme = schemes[i];
            *url = span_sub(*url, name.len + 3, url->len);
            return true;
        }
    }
    return false;
}

static const char *
parse_absolute(struct span url, struct target *out)
{
    if (!take_scheme(&url, &out->scheme))
        return "the target is neither a path nor an http URL";
    size_t end = 0;

    while (end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?')
        end++;
    struct span authority = span_sub(url, 0, end);

    if (memchr(authority.ptr, '@', authority.len) != NULL)
        return "the target names a user";
    if (end < url.len && url.ptr[end] == '?')
        return "the target has a query but no path: put a '/' before the '?'";
    split_query(end < url.len ? span_sub(url, end, url.len) : SPAN("/"), out);
    return target_parse_authority(authority, target_default_port(out->scheme),
                                  &out->host, &out->port);
}

static const char *
check_bytes(struct span raw)
{
    if (raw.len == 0)
        return "the target is empty";
    if (raw.len > TARGET_MAX_LEN)
        return "the target is longer than 16 KiB";
    if (has_bad_byte(raw))
        return "the target holds a byte that must be percent-encoded";
    return NULL;
}

const char *
target_parse_url(struct span url, struct target *out)
{
    const char *why = check_bytes(url);

    return why ? why : parse_absolute(url, out);
}

/* The host of a target that does not name one itself. */
static const char *
take_host_field(struct span host_field, struct span scheme, struct target *out)
{
    uint16_t port = target_default_port(scheme);

    out->scheme = scheme;
    if (host_field.ptr != NULL)
        return target_parse_authority(host_field, port, &out->host, &out->port);
    out->host = SPAN("");
    out->port = port;
    return NULL;
}

const char *
target_parse(struct span raw, struct span method, struct span host_field,
             struct span scheme, struct target *out)
{
    const char *why = check_bytes(raw);

    if (why != NULL)
        return why;
    if (raw.ptr[0] == '/') {
        split_query(raw, out);
        return take_host_field(host_field, scheme, out);
    }
    if (raw.ptr[0] == '*') {
        if (raw.len > 1 || !span_eq(method, SPAN("OPTIONS")))
            return "the target '*' is for OPTIONS only";
        split_query(raw, out);
        return take_host_field(host_field, scheme, out);
    }
    /* A Host that is overridden must still be one. */
    why = take_host_field(host_field, scheme, out);
    if (why == NULL)
        why = parse_absolute(raw, out);
    if (why != NULL)
        return why;
    if (!span_eq(out->scheme, scheme))
        return "the target's scheme is not that of the connection";
    /* RFC 9112 section 3.2.4: OPTIONS for the server as a whole. */
    if (out->path.ptr[0] == '/' && span_eq(method, SPAN("OPTIONS")) &&
        raw.ptr + raw.len == out->host.ptr + out->host.len)
        split_query(SPAN("*"), out);
    return NULL;
}

/* ---- references (RFC 3986) ---- */

/* What stands before the first of `ends`; all of it when none is there. */
static struct span
until(struct span text, const char *ends)
{
    size_t end = 0;

    while (end < text.len && memchr(ends, text.ptr[end], strlen(ends)) == NULL)
        end++;
    return span_sub(text, 0, end);
}

/* Takes "scheme:" off the front (section 3.1). False: it has none. */
static bool
take_any_scheme(struct span *reference, struct span *scheme)
{
    *scheme = until(*reference, ":/?#");
    if (scheme->len == reference->len || reference->ptr[scheme->len] != ':')
        return false;
    *reference = span_sub(*reference, scheme->len + 1, reference->len);
    return true;
}

/* Takes the next segment off, with the slash before it, if it is `dots`. */
static bool
take_dots(struct span *path, struct span dots)
{
    struct span segment = until(span_sub(*path, 1, path->len), "/");

    if (!span_eq(segment, dots))
        return false;
    *path = span_sub(*path, 1 + dots.len, path->len);
    return true;
}

/* Section 5.2.4, for a path that begins with '/'. */
static void
add_without_dots(struct buf *out, struct span path)
{
    size_t start = out->len;

    while (path.len > 0) {
        bool up = take_dots(&path, SPAN(".."));

        if (up || take_dots(&path, SPAN("."))) {
            while (up && out->len > start && out->data[--out->len] != '/')
                ;
            if (path.len == 0)
                buf_add_char(out, '/');
            continue;
        }
        struct span segment = until(span_sub(path, 1, path.len), "/");

        buf_add_char(out, '/');
        buf_add_span(out, segment);
        path = span_sub(path, 1 + segment.len, path.len);
    }
    if (out->len == start)
        buf_add_char(out, '/');
}

/* The path of a relative reference (section 5.2.3): in place of what stands
 * behind the base's last slash. */
static void
add_merged(struct buf *out, struct span base, struct span path)
{
    size_t keep = base.len;
    struct buf merged = {0};

    while (keep > 0 && base.ptr[keep - 1] != '/')
        keep--;
    if (path.len > 0 && path.ptr[0] == '/')
        keep = 0;
    else if (keep == 0)
        buf_add_char(&merged, '/'); /* the base is "*" */
    buf_add_span(&merged, span_sub(base, 0, keep));
    buf_add_span(&merged, path);
    add_without_dots(out, buf_span(&merged));
    buf_fini(&merged);
}

static void
add_authority(struct buf *out, const struct target *target)
{
    buf_add_span(out, target->host);
    if (target->port == target_default_port(target->scheme))
        return;
    buf_add_char(out, ':');
    buf_add_u64(out, target->port);
}

/* `rest` is the reference without scheme, authority and fragment. */
static void
add_path_query(struct buf *out, const struct target *base, struct span rest,
               bool has_authority)
{
    struct span path = until(rest, "?");
    struct span query = span_sub(rest, path.len, rest.len);

    if (has_authority)
        add_without_dots(out, path);
    else if (path.len > 0)
        add_merged(out, base->path, path);
    else
        buf_add_span(out, base->path);
    if (!has_authority && rest.len == 0 && base->query.ptr != NULL) {
        buf_add_char(out, '?');
        buf_add_span(out, base->query);
    }
    buf_add_span(out, query);
}

bool
target_resolve(const struct target *base, struct span reference,
               struct buf *out)
{
    size_t start = out->len;
    struct span rest = until(reference, "#");
    struct span scheme;
    struct target target;
    bool own_scheme = take_any_scheme(&rest, &scheme);
    bool authority = span_starts(rest, SPAN("//"));

    if (own_scheme && !authority)
        return false; /* of another scheme, or "http:path" */
    buf_add_span(out, own_scheme ? scheme : base->scheme);
    buf_add_text(out, "://");
    if (authority) {
        struct span name = until(span_sub(rest, 2, rest.len), "/?");

        buf_add_span(out, name);
        rest = span_sub(rest, 2 + name.len, rest.len);
    } else {
        add_authority(out, base);
    }
    add_path_query(out, base, rest, authority);
    if (target_parse_url(span_sub(buf_span(out), start, out->len), &target) ==
        NULL)
        return true;
    out->len = start;
    return false;
}

bool
target_same(const struct target *a, const struct target *b)
{
    return span_eq_nocase(a->scheme, b->scheme) &&
           span_eq_nocase(a->host, b->host) && a->port == b->port &&
           span_eq(a->path_query, b->path_query);
}
