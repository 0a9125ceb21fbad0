#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

static char *
put_number(char *at, unsigned n)
{
    if (n >= 100)
        *at++ = (char)('0' + n / 100);
    if (n >= 10)
        *at++ = (char)('0' + n / 10 % 10);
    *at++ = (char)('0' + n % 10);
    return at;
}

/* inet_ntop takes longer over these than the rest of a line of the log. */
static size_t
put_ipv4(const unsigned char byte[4], char *text)
{
    char *at = text;

    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = put_number(at, byte[i]);
    }
    *at = '\0';
    return (size_t)(at - text);
}

size_t
address_text(const struct sockaddr *address, char text[INET6_ADDRSTRLEN])
{
    text[0] = '\0';
    if (address == NULL)
        return 0;
    if (address->sa_family == AF_INET) {
        const struct in_addr *in =
            &((const struct sockaddr_in *)(const void *)address)->sin_addr;

        return put_ipv4((const unsigned char *)in, text);
    }
    if (address->sa_family == AF_INET6)
        inet_ntop(
            AF_INET6,
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
            text, INET6_ADDRSTRLEN);
    return strlen(text);
}
