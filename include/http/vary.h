/*
 * Selecting among the variants of a resource (RFC 9111 section 4.1).
 *
 * A `struct vary` is an immutable, owned copy of the names that a response's
 * Vary lists and of the values that the request it answered had for them,
 * normalised: white space round commas goes, lines are joined; Accept-Language
 * is compared without case and order; Accept-Encoding is the set of codings
 * accepted. An absent field and an empty one differ.
 */
#ifndef HTTP_VARY_H
#define HTTP_VARY_H

#include "http/fields.h"

/* More names than this count as "*". */
#define VARY_NAMES_MAX 32

enum vary_kind {
    VARY_NONE, /* no Vary, or an empty one: one variant answers all */
    VARY_SOME,
    VARY_ANY, /* "*" in any line, a member that is no field name, or too many:
               * never reused */
};

struct vary; /* any thread may read it */

enum vary_kind vary_kind(const struct fields *response);

/* NULL for VARY_NONE, which matches every request. Not for VARY_ANY. The
 * caller frees it with vary_free. */
struct vary *vary_new(const struct fields *response,
                      const struct fields *request);
void vary_free(struct vary **vary);

/* Would `request` have selected the same variant? NULL matches all. */
bool vary_match(const struct vary *vary, const struct fields *request);
/* The same names with the same values: one variant replaces the other. */
bool vary_same(const struct vary *a, const struct vary *b);

/* Bytes of memory it costs; 0 for NULL. */
size_t vary_cost(const struct vary *vary);
/* Adds "name=value; other=(absent)", for people. */
void vary_text(const struct vary *vary, struct buf *out);

/* Walks the pairs, in the order of names; `*at` begins at 0. The name is in
 * lower case. value.ptr is NULL when the field was absent. For storing a
 * variant on disk or sending it. */
bool vary_next(const struct vary *vary, size_t *at, struct span *name,
               struct span *value);
/* Builds one from such pairs (any order, values as vary_next gave them). NULL
 * when count is 0, or exceeds VARY_NAMES_MAX, or a name is no token or comes
 * twice. */
struct vary *vary_of_pairs(const struct field *pairs, size_t count);

/* Adds the normalised value of one request field; false, and nothing added,
 * when it is absent. For parts of a cache key as well. */
bool vary_normalise(const struct fields *request, struct span name,
                    struct buf *out);

#endif
