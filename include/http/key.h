/*
 * The cache key (RFC 9111 section 2): what makes two requests the same.
 *
 * Its text is "scheme://host[:port]/path?query", the host in lower case, a
 * default port left out, then for each request field or cookie that the policy
 * selects a line "\nh:name=value" or "\nc:name=value" ("\nh:name" when it is
 * absent). Values hold no newline, so no two requests that differ give one
 * text; of Accept-Encoding and Accept-Language the normal form counts (vary.h).
 * The host is always a part.
 */
#ifndef HTTP_KEY_H
#define HTTP_KEY_H

#include "base/hash.h"
#include "http/fields.h"
#include "http/target.h"
#include "http/vary.h"

enum key_query {
    KEY_QUERY_ALL,   /* the whole query */
    KEY_QUERY_NONE,  /* no query */
    KEY_QUERY_ALLOW, /* only the parameters named */
    KEY_QUERY_DENY,  /* all parameters but those named */
};

struct key_names {
    const struct span *list;
    size_t count;
};

/* Zero-initialised it is the default: all of the query, in its order. */
struct key_policy {
    enum key_query query;
    bool sort_query;       /* by parameter, stable for equal names */
    bool ignore_path_case; /* ASCII letters of the path become lower case */
    struct key_names query_names; /* with case; raw, as in a URL; a '*' at the
                                     end matches any rest ("utm_*") */
    struct key_names headers;     /* without case */
    struct key_names cookies;     /* with case */
    struct vary_codings codings;  /* for Accept-Encoding among `headers` */
};

/*
 * Where a response says that other queries would have given the same one
 * (no_vary_search.h), it is kept under its search key: that has the canonical
 * form in the place of the query, and a last line "\nq:variance", so that it is
 * no plain key and none of another variance.
 */

/* Every span lies in `text`. */
struct key {
    struct hash128 hash;
    struct span text;
    struct span host;       /* host[:port], normalised */
    struct span path_query; /* normalised; without the selected lines */
};

/* Makes the key of a request in `scratch`, which is cleared first; *out is
 * valid until scratch changes. Once scratch has grown, nothing is allocated,
 * but for sorting more than 64 parameters. */
void key_build(const struct key_policy *policy, const struct target *target,
               const struct fields *request, struct buf *scratch,
               struct key *out);

/* Makes the search key of a plain one, in `scratch`, where `plain` and
 * `variance` do not lie. False: its query has too much in it. */
bool key_build_search(const struct key *plain, struct span variance,
                      struct buf *scratch, struct key *out);
/* The variance of a search key; ptr NULL: it is a plain one. */
struct span key_variance(const struct key *key);
/* Whether what is stored under `stored`, plain or not, answers a request with
 * this plain key. `scratch` is cleared first. */
bool key_answers(const struct key *stored, const struct key *plain,
                 struct buf *scratch);
/* Of scheme, host and path: the same for all queries of it. */
struct hash128 key_path_hash(const struct key *plain);

/* Reads a key's own text back, as when it comes from disk. `text` must stay
 * for as long as *out. False when it is no key. */
bool key_parse(struct span text, struct key *out);

/* The subject of an invalidation by URL, prefix or host: the host and the
 * path and query that objects made under `policy` (NULL: the default) have
 * for this target. Cleared and written: scratch. */
void key_of_target(const struct key_policy *policy, const struct target *target,
                   struct buf *scratch, struct key *out);
/* The same for an absolute URL. NULL, or why the URL is refused (static). */
const char *key_subject(const struct key_policy *policy, struct span url,
                        struct buf *scratch, struct key *out);

#endif
