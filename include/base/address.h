/* The address of a peer on the network, for fields and logs. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>

/* Without the port. Gives its length; 0, and "", for what is neither IPv4 nor
 * IPv6, or NULL. */
size_t address_text(const struct sockaddr *address,
                    char text[INET6_ADDRSTRLEN]);

#endif
