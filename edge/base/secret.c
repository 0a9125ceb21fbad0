#include "base/secret.h"

#include <sodium.h>

#include "base/check.h"

void
secret_init(void)
{
    CHECK(sodium_init() >= 0);
}

void
secret_mac(struct span key, struct span message,
           unsigned char mac[SECRET_MAC_LEN])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.ptr,
                                key.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)message.ptr,
                                  message.len);
    crypto_auth_hmacsha256_final(&state, mac);
}

void
secret_hex(const void *bytes, size_t len, char *text)
{
    sodium_bin2hex(text, 2 * len + 1, bytes, len);
}

bool
secret_eq(struct span a, struct span b)
{
    return a.len == b.len &&
           (a.len == 0 || sodium_memcmp(a.ptr, b.ptr, a.len) == 0);
}
