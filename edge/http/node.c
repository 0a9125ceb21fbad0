#include "http/node.h"

#include <arpa/inet.h>
#include <string.h>

static bool
address_valid(int family, struct span text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address; /* room for either family */

    if (text.len == 0 || text.len >= sizeof(copy) ||
        memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, &address) == 1;
}

/* "_a1" (section 6.3). */
static bool
hidden_valid(struct span name)
{
    if (name.len < 2 || name.ptr[0] != '_')
        return false;
    for (size_t i = 1; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
              (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* ":8080", ":_a1", or nothing. */
static bool
port_valid(struct span rest)
{
    uint64_t number;

    if (rest.len == 0)
        return true;
    struct span port = span_sub(rest, 1, rest.len);

    return rest.ptr[0] == ':' &&
           (hidden_valid(port) ||
            (port.len <= 5 && span_u64(port, UINT64_MAX, &number) &&
             number <= UINT16_MAX));
}

bool
node_valid(struct span node)
{
    size_t end;

    if (address_valid(AF_INET6, node))
        return true;
    if (node.len > 0 && node.ptr[0] == '[') {
        end = span_find(node, ']', 0);
        return end < node.len &&
               address_valid(AF_INET6, span_sub(node, 1, end)) &&
               port_valid(span_sub(node, end + 1, node.len));
    }
    end = span_find(node, ':', 0);
    struct span name = span_sub(node, 0, end);

    return (address_valid(AF_INET, name) || hidden_valid(name) ||
            span_eq_nocase(name, SPAN("unknown"))) &&
           port_valid(span_sub(node, end, node.len));
}
