/* The two halves of vary: what is compared, and how values are normalised. */
#ifndef HTTP_VARY_INTERNAL_H
#define HTTP_VARY_INTERNAL_H

#include "http/fields.h"

/* The distinct names that Vary lists, borrowed, in the order received. False
 * for VARY_ANY. `names` has room for VARY_NAMES_MAX. */
bool vary_names(const struct fields *response, struct span *names,
                size_t *count);

/* The language range that the request likes best, when that is one, and no
 * "*". Borrowed. */
bool vary_best_language(const struct fields *request, struct span *range);

#define ACCEPT_ENCODING SPAN("Accept-Encoding")
#define ACCEPT_LANGUAGE SPAN("Accept-Language")

/* Adds `s` in lower case (ASCII). */
void vary_add_lower(struct buf *out, struct span s);

#endif
