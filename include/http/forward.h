/*
 * Fields that cross the edge, in both directions (RFC 9110 section 7.6).
 * Nothing is passed on by default of the library that sends it: the lists made
 * here are all that is sent, but for framing, which is the sender's.
 */
#ifndef HTTP_FORWARD_H
#define HTTP_FORWARD_H

#include "http/vary.h"

struct forward_context {
    struct span client; /* the client's address, "192.0.2.1", "2001:db8::1" */
    struct span scheme; /* by which the client came */
    struct span host;   /* that the client asked, with port if it gave one */
    struct span pseudonym; /* this node's, or its cluster's: a token */
    bool http11;           /* what the client spoke; else HTTP/1.0 */
    /* The answer may be given to others: what could change it without being
     * part of the key is left out. Those are the fields that programs are
     * known to build answers from (X-Forwarded-Host, X-Original-URL, method
     * overrides, other addresses of the client and the like), of the client's
     * Forwarded and X-Forwarded-For what names no node, and every name with
     * '_', which an origin behind CGI takes for another field. */
    bool shared;
    /* Names that go through all the same, as they are written: because the key
     * has them, or the operator says so. */
    const struct span *passing;
    size_t passing_count;
    /* Of a shared request, Accept-Encoding and Accept-Language are sent in
     * their normal form (vary.h), by which the answer is kept. */
    const struct vary_codings *codings; /* only where `shared` */
    /* The name in Surrogate-Capability, behind the client's; empty: none. */
    struct span surrogate;
};

/*
 * Makes in `out` (cleared first) the fields for the origin: the end-to-end
 * ones of `in`, less Host, Expect, Content-Length, Proxy, Atlas-*, and those
 * that `shared` is about; then Host, Via, X-Forwarded-For, X-Forwarded-Proto,
 * Forwarded (RFC 7239), CDN-Loop (RFC 8586) and Surrogate-Capability with ours
 * behind the client's. '_' in a name counts as '-', as it does for origins
 * behind CGI. New values are in `scratch`, which is cleared first; `in`, the
 * context's spans and scratch must outlive `out`.
 */
void forward_request(const struct fields *in,
                     const struct forward_context *context, struct fields *out,
                     struct buf *scratch);

/* Whether a request has a field that `shared` would leave out: its answer, if
 * it was sent without `shared`, must not be given to others. */
bool forward_has_unkeyed(const struct fields *in,
                         const struct forward_context *context);

/* Whether a request has been here before: our pseudonym in CDN-Loop. */
bool forward_is_loop(const struct fields *request, struct span pseudonym);

struct forward_response_options {
    struct span pseudonym;
    bool http11;               /* what the origin spoke */
    const struct span *hidden; /* names not to be sent, such as tag fields */
    size_t hidden_count;
};

/*
 * Makes in `out` (cleared first) the fields of an origin's response that may go
 * to a client or into the store: hop-by-hop ones, Content-Length, Atlas-*, the
 * hidden ones and invalid ones are left out; Via has ours behind. `scratch` as
 * above.
 */
void forward_response(const struct fields *in,
                      const struct forward_response_options *options,
                      struct fields *out, struct buf *scratch);

/* Bytes that these fields take on the wire: what the cap of a response head is
 * held against. */
size_t forward_size(const struct fields *fields);

#endif
