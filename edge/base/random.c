/* Apart from what is pure: a simulation links numbers of its own. */
#include <sodium.h>

#include "base/secret.h"

void
secret_random(void *bytes, size_t len)
{
    secret_init();
    randombytes_buf(bytes, len);
}
