/*
 * No-Vary-Search (draft-ietf-httpbis-no-vary-search): a response says that
 * other queries of its URL would have given the same one.
 *
 * What it says is kept as a short text, its variance, in one form for all that
 * mean the same: "o" when the order of parameters does not matter; then "-" and
 * the names that do not, or "+" and the only ones that do, each with an "&"
 * behind. Under a variance
 * every query has a canonical form; two queries are equivalent when their
 * forms are equal. Texts and forms hold letters, digits and "-._~%&=+o" only.
 *
 * Stricter than the draft in one point: bytes that are not UTF-8 differ from
 * each other.
 */
#ifndef HTTP_NO_VARY_SEARCH_H
#define HTTP_NO_VARY_SEARCH_H

#include "http/fields.h"

/* A longer variance counts as none. */
#define NO_VARY_SEARCH_MAX 512

/* Adds the variance of a response. False, and nothing added, when it has the
 * default one, in which every query differs: the field is absent, says so, is
 * malformed in any way, or is too long. */
bool no_vary_search_read(const struct fields *response, struct buf *out);

/* Adds the canonical form of a query (without "?"; may be empty). False, and
 * nothing added, when it has too much in it to be looked at: over 4 KiB or 128
 * parameters. Then it is equivalent to itself alone. `out` must not hold
 * `query` or `variance`. */
bool no_vary_search_apply(struct span variance, struct span query,
                          struct buf *out);

#endif
