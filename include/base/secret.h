/* Random bytes, message authentication, comparison in constant time. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/span.h"

#define SECRET_MAC_LEN 32
#define SECRET_MAC_HEX 65 /* with the NUL */

/* Call once before any thread starts. */
void secret_init(void);

void secret_random(void *bytes, size_t len);

/* HMAC-SHA-256 (RFC 2104) of `message`. Keys of any length. */
void secret_mac(struct span key, struct span message,
                unsigned char mac[SECRET_MAC_LEN]);

/* Lower-case hex, NUL-terminated: `text` holds 2 * len + 1 bytes. */
void secret_hex(const void *bytes, size_t len, char *text);

/* True when equal; the time taken tells nothing but the length. */
bool secret_eq(struct span a, struct span b);

#endif
