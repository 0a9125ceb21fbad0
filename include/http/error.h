/* The edge's own error pages: one line of text, or problem details (RFC 9457)
 * for those who ask. */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include "http/fields.h"

struct error_page {
    int status;
    const char *detail;   /* what went wrong, for people; NULL: none */
    struct span instance; /* the request's id; empty: none */
};

/* Whether the client prefers application/problem+json to text/plain (Accept,
 * RFC 9110 section 12.5.1; a wildcard alone does not ask for it). */
bool error_wants_problem(const struct fields *request);

/* "application/problem+json" or "text/plain; charset=utf-8". Static. */
struct span error_content_type(bool problem);

/* Adds the body. The title is the status' reason phrase. */
void error_body(const struct error_page *page, bool problem, struct buf *out);

#endif
