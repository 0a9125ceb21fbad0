/*
 * Selecting among the variants of a resource (RFC 9111 section 4.1).
 *
 * A `struct vary` is an immutable, owned copy of the names that a response's
 * Vary lists and of the values that the request it answered had for them,
 * normalised: white space round commas goes, lines are joined. An absent field
 * and an empty one differ.
 *
 * Of Accept-Encoding there is left which of the route's codings are accepted,
 * and whether identity is refused; of Accept-Language the best six ranges, by
 * rank. Where values are cut down so, the normal form must be what the origin
 * was asked with (http/forward.h does it).
 */
#ifndef HTTP_VARY_H
#define HTTP_VARY_H

#include "http/fields.h"

/* More names than this count as "*". */
#define VARY_NAMES_MAX 32
/* Of a route: each doubles the variants that there may be of one key. */
#define VARY_CODINGS_MAX 4

/* Content codings that a route tells apart: in lower case, in the order in
 * which origins are asked for them. */
struct vary_codings {
    const struct span *list;
    size_t count; /* at most VARY_CODINGS_MAX */
};
/* br, gzip, zstd. */
extern const struct vary_codings vary_codings_default;

enum vary_kind {
    VARY_NONE, /* no Vary, or an empty one: one variant answers all */
    VARY_SOME,
    VARY_ANY, /* "*" in any line, a member that is no field name, or too many:
               * never reused */
};

struct vary; /* any thread may read it */

enum vary_kind vary_kind(const struct fields *response);

/* NULL for VARY_NONE, which matches every request. Not for VARY_ANY. It keeps
 * what it needs of `codings`: requests are matched by those with which it was
 * made, even when the route has others by then. The caller frees it with
 * vary_free. */
struct vary *vary_new(const struct fields *response,
                      const struct fields *request,
                      const struct vary_codings *codings);
void vary_free(struct vary **vary);

/* Would `request` have selected the same variant? NULL matches all. */
bool vary_match(const struct vary *vary, const struct fields *request);
/* Would it do for another language preference than its own: it varies by
 * Accept-Language, all else matches, and the one Content-Language of `response`
 * is the very language that the request likes best, and no other as much. A
 * guess: the origin might have chosen otherwise. */
bool vary_match_language(const struct vary *vary, const struct fields *request,
                         const struct fields *response);
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

/* Adds the normal form of one request field; false, and nothing added, when it
 * is absent, or is an Accept-Language that says nothing. For parts of a cache
 * key as well. */
bool vary_normalise(const struct fields *request, struct span name,
                    const struct vary_codings *codings, struct buf *out);
/* Whether the normal form of this field says less than the field does. */
bool vary_cut_down(struct span name);

#endif
