/*
 * What the latest responses of a path have said of its queries
 * (http/no_vary_search.h): where to look for what other queries have brought.
 * A hint may be wrong or missing; what it leads to is stored under a key that
 * has its variance, so nothing wrong is found by it.
 *
 * A bounded table, read without locks by any thread that is registered for
 * grace periods.
 */
#ifndef QUERY_HINTS_INTERNAL_H
#define QUERY_HINTS_INTERNAL_H

#include "base/hash.h"
#include "base/span.h"
#include "http/no_vary_search.h"

struct query_hints;

struct query_hints *query_hints_new(void);
/* Nobody may use it any more. */
void query_hints_free(struct query_hints **hints);

/* The variance of a path (key_path_hash), copied to `text`; false: none is
 * known. */
bool query_hints_find(struct query_hints *hints, struct hash128 path,
                      char text[NO_VARY_SEARCH_MAX], struct span *variance);

/* Remembers it, in the place of an older one, of this path or of another. */
void query_hints_learn(struct query_hints *hints, struct hash128 path,
                       struct span variance);

#endif
