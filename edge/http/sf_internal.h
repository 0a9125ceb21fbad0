/* Writing bare items of Structured Fields (RFC 9651) for the two status
 * fields. What an item cannot hold is replaced, never sent. */
#ifndef HTTP_SF_INTERNAL_H
#define HTTP_SF_INTERNAL_H

#include "base/buf.h"

/* Adds a String; bytes that none may hold become '?'. */
void sf_add_string(struct buf *out, struct span s);
/* Adds a Token when `s` is one, else a String. */
void sf_add_name(struct buf *out, struct span s);

#endif
