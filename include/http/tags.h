/*
 * Tags of a response, by which it can be purged: Surrogate-Key (separated by
 * spaces), Cache-Tag (by commas), Cache-Groups (a List of Strings, RFC 9875).
 * All are one namespace; the text is compared as it is, with case.
 */
#ifndef HTTP_TAGS_H
#define HTTP_TAGS_H

#include "http/fields.h"

/* The most bytes of tag fields that a response may have. */
#define TAGS_BYTES_MAX ((size_t)64 * 1024)

enum tags_kind {
    TAGS_SURROGATE_KEY,
    TAGS_CACHE_TAG,
    TAGS_CACHE_GROUPS,
};

/* Zero-initialise. The kind is of the tag last given. */
struct tags_cursor {
    enum tags_kind kind;
    size_t line;
    struct span rest;
    bool begun;
    bool checked; /* Cache-Groups: all of its lines are well-formed */
    struct buf text;
};

/* The next tag, empty ones skipped, repeated ones given again. It lives until
 * the next call. Cache-Groups with a syntax error, or with members that are no
 * Strings, gives none (RFC 9875 section 2). False at the end, where it frees
 * what it held; call tags_stop to leave before. */
bool tags_next(const struct fields *response, struct tags_cursor *cursor,
               struct span *tag);
void tags_stop(struct tags_cursor *cursor);

/* The next group that the answer to an unsafe request invalidates, from
 * Cache-Group-Invalidation (RFC 9875 section 3). As tags_next; the cursor
 * belongs to one of the two functions. */
bool tags_next_invalidated(const struct fields *response,
                           struct tags_cursor *cursor, struct span *group);

/* Moves the lines of Surrogate-Key and Cache-Tag, which clients are not sent,
 * from `response` to `out`. Spans stay where they are. */
void tags_split(struct fields *response, struct fields *out);

/* Adds to `out` what is kept of both after a 304 (RFC 9111 section 3.2): of
 * each of the two names the new lines, where there are any, else the old. */
void tags_update(const struct fields *stored, const struct fields *fresh,
                 struct fields *out);

/* The lines "Name: value\n", one after the other; and read back, with spans
 * into `text`. False when it is anything else than lines of those two names. */
void tags_write(const struct fields *tags, struct buf *out);
bool tags_read(struct span text, struct fields *out);

/* Bytes of all values of tag fields; more than TAGS_BYTES_MAX: refuse to store
 * the response and say so, never cut. */
size_t tags_bytes(const struct fields *response);

/* Fields that are for caches like us and are not sent on to clients:
 * Surrogate-Key, Cache-Tag. Cache-Groups is sent. */
bool tags_internal_field(struct span name);

#endif
