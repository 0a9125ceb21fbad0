/* Status codes (RFC 9110 section 15 and the registry). */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include <stdbool.h>

/* "Not Found"; for codes without a name that of their class. Static. */
const char *status_reason(int status);

/* 100 to 599: what may be passed on. */
bool status_valid(int status);

/* False for 1xx, 204 and 304 (RFC 9112 section 6.3). */
bool status_has_body(int status);

/* May be given a lifetime by rule of thumb (RFC 9110 section 15.1). 206 is
 * left out: parts are stored as slices of a whole. */
bool status_heuristically_cacheable(int status);

/* Its meaning for a cache is known here, as must-understand asks (RFC 9111
 * section 5.2.2.3). */
bool status_understood(int status);

/* Of an error: whether it is about this request (its credentials, its fields,
 * how many came) rather than about the resource. To store such a one for all
 * would let one client take a resource from the others. */
bool status_about_request(int status);

#endif
