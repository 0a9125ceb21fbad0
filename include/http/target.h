/*
 * The request target (RFC 9112 section 3.2) and the host it is for. Nothing is
 * decoded or copied: the spans point into what was given.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/buf.h"
#include "base/span.h"

/* Longer targets are refused; the status for them is 414, not 400. */
#define TARGET_MAX_LEN ((size_t)16 * 1024)
#define TARGET_HOST_MAX_LEN ((size_t)255)

struct target {
    struct span scheme; /* "http" or "https" */
    struct span host;   /* as given, without port, "[...]" for IPv6; empty when
                           an HTTP/1.0 request named none */
    uint16_t port;      /* the scheme's default when none was given */
    struct span path;   /* raw; begins with '/', or is "*" (OPTIONS) */
    struct span query;  /* raw, behind the '?'; ptr NULL when there is no '?' */
    struct span path_query; /* both, contiguous: what an origin is asked */
};

/*
 * Reads origin-form ("/path?query"), absolute-form (whose authority overrides
 * the Host field, RFC 9112 section 3.2.2) and asterisk-form (OPTIONS only).
 * `host_field` has ptr NULL when there was no Host. `scheme` is the one of the
 * connection ("http" or "https"); an absolute-form target must agree with it.
 * Returns NULL when good, else why it is not, in words for a 400 (static);
 * *out is undefined then. Refused: bytes outside 0x21..0x7e, '#', user names,
 * hosts that are neither a name (letters, digits, "-._~", %XX) nor an address,
 * ports that are none, an empty Host.
 */
const char *target_parse(struct span raw, struct span method,
                         struct span host_field, struct span scheme,
                         struct target *out);

/* Reads an absolute http or https URL, such as an operator gives. A missing
 * path becomes "/". Returns as above. */
const char *target_parse_url(struct span url, struct target *out);

/* Splits "host[:port]" and checks both. `default_port` is for when there is no
 * port. NULL, or why not. */
const char *target_parse_authority(struct span authority, uint16_t default_port,
                                   struct span *host, uint16_t *port);

/* Resolves a URI reference, such as the value of Location, against the target
 * of the request that it answers (RFC 3986 section 5.2): adds the absolute URL
 * to `out`, dot segments taken out, a fragment dropped. False, and nothing
 * added, when that is no http or https URL, or not one that target_parse_url
 * takes. `reference` may be of any bytes, but not in `out`. */
bool target_resolve(const struct target *base, struct span reference,
                    struct buf *out);

/* Of one origin (RFC 6454 section 5), and with one path and query. */
bool target_same(const struct target *a, const struct target *b);

/* 80 or 443. */
uint16_t target_default_port(struct span scheme);

#endif
