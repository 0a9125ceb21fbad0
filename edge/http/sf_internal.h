/* Writing bare items of Structured Fields (RFC 9651) for the two status
 * fields. What an item cannot hold is replaced, never sent. */
#ifndef HTTP_SF_INTERNAL_H
#define HTTP_SF_INTERNAL_H

#include "http/fields.h"

/* Adds a String; bytes that none may hold become '?'. */
void sf_add_string(struct buf *out, struct span s);
/* Adds a Token when `s` is one, else a String. */
void sf_add_name(struct buf *out, struct span s);
/* Adds the members of a List field, ", " behind each, but for those whose
 * quotes do not end: what comes behind would be read as a part of them. */
void sf_add_members(struct buf *out, const struct fields *fields,
                    struct span name);

#endif
