/* Rows of a node table as text. What is read was written by whoever can write
 * to that Redis: it is taken only when it is exactly of our form. */
#include "cluster/membership.h"

#include <string.h>

#include "cluster/auth.h"

_Static_assert(MEMBERSHIP_ID_SIZE == AUTH_NODE_SIZE, "one form of node ids");
_Static_assert(MEMBERSHIP_SITE_SIZE == AUTH_NODE_SIZE, "and sites alike");

void
membership_print(const struct membership_node *node, struct buf *key,
                 struct buf *payload)
{
    buf_printf(key, "%s/%s", node->id, node->incarnation);
    buf_printf(payload, "v=1 site=%s url=%s", node->site, node->url);
}

static void
copy(char *to, struct span from)
{
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
}

static bool
incarnation_valid(struct span s)
{
    if (s.len != MEMBERSHIP_INCARNATION_SIZE - 1)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (strchr("0123456789abcdef", s.ptr[i]) == NULL || s.ptr[i] == '\0')
            return false;
    }
    return true;
}

/* Takes the prefix, and what follows up to a space, off the front. */
static bool
take(struct span *rest, struct span prefix, struct span *value)
{
    if (!span_starts(*rest, prefix))
        return false;
    size_t end = span_find(*rest, ' ', prefix.len);

    *value = span_sub(*rest, prefix.len, end);
    *rest = span_sub(*rest, end, rest->len);
    return true;
}

bool
membership_parse(struct span key, struct span payload,
                 struct membership_node *node)
{
    size_t slash = span_find(key, '/', 0);
    struct span id = span_sub(key, 0, slash);
    struct span incarnation = span_sub(key, slash + 1, key.len);
    struct span site;
    struct span url;

    if (slash == key.len || !auth_node_valid(id) ||
        !incarnation_valid(incarnation))
        return false;
    if (!take(&payload, SPAN("v=1 site="), &site) ||
        !take(&payload, SPAN(" url="), &url) || payload.len != 0)
        return false;
    if (!auth_node_valid(site) || !membership_url_valid(url))
        return false;
    copy(node->id, id);
    copy(node->incarnation, incarnation);
    copy(node->site, site);
    copy(node->url, url);
    return true;
}

static bool
all_of(struct span s, bool (*good)(char c))
{
    for (size_t i = 0; i < s.len; i++) {
        if (!good(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

static bool
name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool
address_char(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
           (c >= '0' && c <= '9') || c == '.' || c == ':';
}

bool
membership_url_valid(struct span url)
{
    struct span scheme = SPAN("http://");
    uint64_t port = 80;

    if (url.len >= MEMBERSHIP_URL_SIZE || !span_starts(url, scheme))
        return false;
    struct span rest = span_sub(url, scheme.len, url.len);
    bool bracket = rest.len > 0 && rest.ptr[0] == '[';
    size_t end = span_find(rest, bracket ? ']' : ':', 0);
    struct span host = span_sub(rest, bracket ? 1 : 0, end);

    if (bracket && end++ == rest.len)
        return false;
    if (!all_of(host, bracket ? address_char : name_char))
        return false;
    rest = span_sub(rest, end, rest.len);
    if (rest.len == 0)
        return true;
    return rest.ptr[0] == ':' && rest.len >= 2 && rest.len <= 6 &&
           rest.ptr[1] != '0' &&
           span_u64(span_sub(rest, 1, rest.len), UINT64_MAX, &port) &&
           port >= 1 && port <= 65535;
}
