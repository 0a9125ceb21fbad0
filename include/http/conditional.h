/* Conditional requests (RFC 9110 section 13, RFC 9111 section 4.3). */
#ifndef HTTP_CONDITIONAL_H
#define HTTP_CONDITIONAL_H

#include "http/fields.h"

enum condition {
    CONDITION_NONE,         /* answer as if there were no condition */
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED,       /* 412; only of conditional_evaluate_origin */
    CONDITION_ORIGIN,       /* If-Match or If-Unmodified-Since: only the origin
                               may judge it; pass the request on as it is */
};

/* Whether the request carries any conditional field, If-Range left aside. */
bool conditional_present(const struct fields *request);

/* True when only the origin may judge: see CONDITION_ORIGIN. Ask before the
 * lookup. */
bool conditional_needs_origin(const struct fields *request);

/*
 * Judges a GET or HEAD against a stored response that may be served (fresh, or
 * just validated), by RFC 9111 section 4.3.2: If-None-Match (a list, "*", weak
 * comparison) wins over If-Modified-Since (all three date forms). That one is
 * held against Last-Modified, else Date, else `received_s`, the wall clock (s
 * since 1970) when the response came. `status` is the stored one: only a 2xx
 * gives a 304.
 */
enum condition conditional_evaluate(struct span method,
                                    const struct fields *request, int status,
                                    const struct fields *stored,
                                    int64_t received_s);

/* What an origin makes of all four fields, in the order of RFC 9110 section
 * 13.2.2. `current` is NULL when there is no current representation. */
enum condition conditional_evaluate_origin(struct span method,
                                           const struct fields *request,
                                           const struct fields *current,
                                           int64_t now_s);

/* Adds If-None-Match and If-Modified-Since with the stored validators, byte
 * for byte (RFC 9111 section 4.3.1). With `strong`, only a strong entity tag
 * will do. The values are borrowed from `stored`. False: there is none. */
bool conditional_for_validation(const struct fields *stored, bool strong,
                                struct fields *out);

/* Takes the five conditional fields out: a fill asks for all of it. */
void conditional_strip(struct fields *request);

/* Adds what a 304 carries of a stored response (RFC 9110 section 15.4.5):
 * everything but the metadata of the body. Borrowed. */
void conditional_not_modified_fields(const struct fields *stored,
                                     struct fields *out);

/* ---- validators ---- */

/* W/"..." or "..." with etagc inside (RFC 9110 section 8.8.3). */
bool etag_valid(struct span etag);
bool etag_is_strong(struct span etag); /* valid, and not weak */
/* RFC 9110 section 8.8.3.2. Values without quotes compare as they are in the
 * weak comparison; they never compare strongly. */
bool etag_strong_equal(struct span a, struct span b);
bool etag_weak_equal(struct span a, struct span b);

/* Whether Last-Modified is a strong validator: older than Date by a second at
 * least (RFC 9110 section 8.8.2.2). Two-digit years are never trusted. */
bool conditional_strong_last_modified(const struct fields *stored);

#endif
