/* Request methods (RFC 9110 section 9), as received: with case. */
#ifndef HTTP_METHOD_H
#define HTTP_METHOD_H

#include <stdbool.h>

#include "base/span.h"

/* That asks for no change (RFC 9110 section 9.2.1, the registry of section
 * 16.1.1). What is not known is not safe. */
bool method_safe(struct span method);

#endif
