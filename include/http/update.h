/*
 * Freshening a stored response from a 304 or from the answer to a HEAD
 * (RFC 9111 sections 3.2, 4.3.4 and 4.3.5). Pure; spans are borrowed.
 */
#ifndef HTTP_UPDATE_H
#define HTTP_UPDATE_H

#include "http/fields.h"

/*
 * Adds to `out` the stored fields as the 304 changes them: every field it
 * names replaces all stored ones of that name, but for what describes the
 * stored bytes or this hop (Content-Length, Content-Encoding, Content-Range,
 * digests, the hop-by-hop fields), and Set-Cookie where the stored response has
 * none:
 * that is between the origin and one client. Age and Date of the stored
 * response never survive, since the new ones, or their absence, say how old
 * the validated response is: give a 304 without Date its time of arrival
 * before (RFC 9110 section 6.6.1).
 * `out` borrows from both, which must outlive it.
 */
void update_fields(const struct fields *stored, const struct fields *from_304,
                   struct fields *out);

/* False when the 304 carries a validator that says it is about another
 * response than the stored one (RFC 9111 section 4.3.4): fetch whole. */
bool update_applies(const struct fields *stored, const struct fields *from_304);

enum update_head {
    UPDATE_HEAD_FRESHENS,    /* update_fields may be applied */
    UPDATE_HEAD_INVALIDATES, /* the stored response is out of date */
    UPDATE_HEAD_SAYS_NOTHING /* about the stored bytes */
};

struct update_head_lengths {
    int64_t stored;
    int64_t from_head; /* its Content-Length; -1: none */
};

/*
 * What a 200 answer to HEAD says of the stored 200 answer to GET: it is out of
 * date when one of ETag, Last-Modified and the length, where both have it, is
 * another. It freshens when a validator is the same; RFC 9111 section 4.3.5
 * would have it do so without any as well, but then nothing says that the
 * stored bytes are still those of now.
 */
enum update_head update_head(const struct fields *stored,
                             const struct fields *from_head,
                             struct update_head_lengths lengths);

#endif
