/* What strings must look like: names, addresses, URLs, patterns. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/check.h"
#include "conf/conf_internal.h"

#define NAME_MAX_LEN 63
#define HOST_MAX_LEN 253

static bool
alnum(char c)
{
    return isalnum((unsigned char)c) && (unsigned char)c < 0x80;
}

/* Whether every byte is a letter, a digit, or in `others`; at least one. */
static bool
only(struct span s, const char *others)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!alnum(s.ptr[i]) && strchr(others, s.ptr[i]) == NULL)
            return false;
    }
    return s.len > 0;
}

static void
add_lower(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, (char)tolower((unsigned char)s.ptr[i]));
}

static bool
accept_any(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    return true;
}

static bool
accept_name(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    return s.len <= NAME_MAX_LEN && only(s, "-_.") && alnum(s.ptr[0]);
}

/* RFC 9110 section 5.6.2. */
static bool
token(struct span s)
{
    return only(s, "!#$%&'*+-.^_`|~");
}

/* ---- hosts and addresses ---- */

static bool
ip4(struct span s)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;

    if (s.len >= sizeof(text))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1;
}

/* With its brackets. */
static bool
ip6(struct span s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (s.len < 4 || s.ptr[0] != '[' || s.ptr[s.len - 1] != ']')
        return false;
    struct span inside = span_sub(s, 1, s.len - 1);

    if (inside.len >= sizeof(text))
        return false;
    memcpy(text, inside.ptr, inside.len);
    text[inside.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool
host_name(struct span s)
{
    struct span rest = s;
    struct span label;

    if (s.len > HOST_MAX_LEN)
        return false;
    while (span_split(&rest, '.', &label)) {
        if (label.len > NAME_MAX_LEN || !only(label, "-_"))
            return false;
    }
    return s.len > 0;
}

static bool
host(struct span s)
{
    return host_name(s) || ip6(s);
}

/* Cuts "host:port" in two; without a port, *port has ptr NULL. */
static void
split_port(struct span s, struct span *name, struct span *port)
{
    size_t from = 0;

    if (s.len > 0 && s.ptr[0] == '[')
        from = span_find(s, ']', 0);
    size_t colon = span_find(s, ':', from);

    *name = span_sub(s, 0, colon);
    *port = colon < s.len ? span_sub(s, colon + 1, s.len) : SPAN_NONE;
}

static bool
port_number(struct span s, uint64_t least)
{
    uint64_t number;

    return s.len <= 5 && span_u64(s, 65536, &number) && number >= least &&
           number <= 65535;
}

static bool
accept_listen(struct span s, struct buf *out)
{
    struct span name;
    struct span port;

    split_port(s, &name, &port);
    buf_add_span(out, s);
    return (ip4(name) || ip6(name)) && port_number(port, 0);
}

static bool
accept_address(struct span s, struct buf *out)
{
    struct span name;
    struct span port;

    split_port(s, &name, &port);
    add_lower(s, out);
    return host(name) && port_number(port, 1);
}

static bool
accept_authority(struct span s, struct buf *out)
{
    struct span name;
    struct span port;

    split_port(s, &name, &port);
    add_lower(s, out);
    return host(name) && (port.ptr == NULL || port_number(port, 1));
}

/* Without the one slash that may end a URL. */
static struct span
without_slash(struct span s)
{
    bool slash = s.len > 0 && s.ptr[s.len - 1] == '/';

    return span_sub(s, 0, s.len - slash);
}

static bool
accept_url(struct span s, struct buf *out)
{
    struct span scheme = SPAN("http://");

    if (span_starts(s, SPAN("https://")))
        scheme = SPAN("https://");
    if (!span_starts(s, scheme))
        return false;
    buf_add_span(out, scheme);
    return accept_authority(without_slash(span_sub(s, scheme.len, s.len)), out);
}

static bool
accept_base(struct span s, struct buf *out)
{
    struct span scheme = SPAN("http://");

    if (span_starts(s, scheme))
        s = without_slash(span_sub(s, scheme.len, s.len));
    buf_add_span(out, scheme);
    return accept_address(s, out);
}

/* ---- what routes match ---- */

static bool
accept_host(struct span s, struct buf *out)
{
    add_lower(s, out);
    if (span_eq(s, SPAN("*")))
        return true;
    if (span_starts(s, SPAN("*.")))
        return host_name(span_sub(s, 2, s.len));
    return host(s);
}

static bool
accept_path(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    if (s.len == 0 || s.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c <= ' ' || c >= 0x7f || c == '?' || c == '#')
            return false;
        if (c == '*' && i + 1 < s.len)
            return false;
    }
    return true;
}

static bool
accept_method(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    for (size_t i = 0; i < s.len; i++) {
        if (islower((unsigned char)s.ptr[i]))
            return false;
    }
    return only(s, "-_");
}

static bool
accept_field(struct span s, struct buf *out)
{
    add_lower(s, out);
    return token(s);
}

/* `identity` is what there is without a coding. */
static bool
accept_coding(struct span s, struct buf *out)
{
    add_lower(s, out);
    return token(s) && !span_eq(s, SPAN("*")) &&
           !span_eq_nocase(s, SPAN("identity"));
}

/* A status of a final response, or a class of them. */
static bool
accept_status(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    if (s.len != 3 || s.ptr[0] < '2' || s.ptr[0] > '5')
        return false;
    return span_eq(span_sub(s, 1, 3), SPAN("xx")) ||
           (isdigit((unsigned char)s.ptr[1]) &&
            isdigit((unsigned char)s.ptr[2]));
}

static bool
accept_cookie(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    return token(s);
}

static bool
accept_parameter(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] <= ' ' || strchr("&=#", s.ptr[i]) != NULL)
            return false;
    }
    return s.len > 0;
}

/* ---- secrets ---- */

/* Visible ASCII, so that it passes through a header field and a shell. */
static bool
visible(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
            return false;
    }
    return true;
}

static bool
accept_secret(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    return s.len >= 16 && s.len <= 1024 && visible(s);
}

static bool
accept_token(struct span s, struct buf *out)
{
    buf_add_span(out, s);
    return s.len >= 8 && s.len <= 1024 && visible(s);
}

/* ---- the table ---- */

#define HOST_RE "[A-Za-z0-9_.-]+|\\[[0-9A-Fa-f:.]+\\]"

static const struct conf_text_row rows[] = {
    [CONF_TEXT_ANY] = {"a string", NULL, false, accept_any},
    [CONF_TEXT_NAME] = {"a name such as \"paris-1\" (letters, digits, - _ ., "
                        "at most 63)",
                        "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", false,
                        accept_name},
    [CONF_TEXT_LISTEN] = {"an IP address and port such as \"127.0.0.1:8080\" "
                          "or \"[::]:8080\"",
                          "^([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$", false,
                          accept_listen},
    [CONF_TEXT_ADDRESS] = {"an address such as \"127.0.0.1:6379\", "
                           "\"host:6379\" or \"[::1]:6379\"",
                           "^(" HOST_RE "):[0-9]{1,5}$", false, accept_address},
    [CONF_TEXT_BASE] = {"an address such as \"10.0.0.1:8080\" or "
                        "\"http://edge-1:8080\", without a path",
                        "^(http://)?(" HOST_RE "):[0-9]{1,5}/?$", false,
                        accept_base},
    [CONF_TEXT_URL] = {"a URL such as \"http://127.0.0.1:7000\" or "
                       "\"https://example.com\", without a path",
                       "^https?://(" HOST_RE ")(:[0-9]{1,5})?/?$", false,
                       accept_url},
    [CONF_TEXT_AUTHORITY] = {"a host such as \"example.com\" or "
                             "\"example.com:8080\"",
                             "^(" HOST_RE ")(:[0-9]{1,5})?$", false,
                             accept_authority},
    [CONF_TEXT_HOST] = {"\"*\", a host such as \"example.com\", or "
                        "\"*.example.com\", without a port",
                        "^(\\*|(\\*\\.)?[A-Za-z0-9_.-]+|"
                        "\\[[0-9A-Fa-f:.]+\\])$",
                        false, accept_host},
    [CONF_TEXT_PATH] = {"a path such as \"/exact\", or a prefix such as "
                        "\"/static/*\" (\"*\" only at the end, no query)",
                        "^/[^*?# ]*\\*?$", false, accept_path},
    [CONF_TEXT_METHOD] = {"a method in capitals such as \"GET\"",
                          "^[A-Z0-9_-]+$", false, accept_method},
    [CONF_TEXT_FIELD] = {"the name of a header field such as "
                         "\"accept-language\"",
                         "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", false, accept_field},
    [CONF_TEXT_CODING] = {"the name of a content coding such as \"br\", but "
                          "not \"identity\"",
                          "^[A-Za-z0-9!#$%&'+.^_`|~-]+$", false, accept_coding},
    [CONF_TEXT_STATUS] = {"a status such as \"404\", or a class of them such "
                          "as \"5xx\"",
                          "^[2-5]([0-9][0-9]|xx)$", false, accept_status},
    [CONF_TEXT_COOKIE] = {"the name of a cookie such as \"theme\"",
                          "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", false,
                          accept_cookie},
    [CONF_TEXT_PARAMETER] = {"the name of a query parameter such as \"page\"",
                             "^[^&=# ]+$", false, accept_parameter},
    [CONF_TEXT_SECRET] = {"a secret of 16 to 1024 visible ASCII characters",
                          "^[!-~]{16,1024}$", true, accept_secret},
    [CONF_TEXT_TOKEN] = {"a token of 8 to 1024 visible ASCII characters",
                         "^[!-~]{8,1024}$", true, accept_token},
    [CONF_TEXT_FILE] = {"the path of a file", NULL, false, accept_any},
};

const struct conf_text_row *
conf_text_row(enum conf_text text)
{
    CHECK((size_t)text < ARRAY_LEN(rows));
    return &rows[text];
}
