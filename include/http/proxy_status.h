/* Proxy-Status (RFC 9209): what went wrong on the way to this answer. */
#ifndef HTTP_PROXY_STATUS_H
#define HTTP_PROXY_STATUS_H

#include "http/fields.h"

/* The error types we give: RFC 9209 section 2.3. */
enum proxy_error {
    PROXY_ERROR_NONE,
    PROXY_ERROR_DNS_TIMEOUT,
    PROXY_ERROR_DNS_ERROR,
    PROXY_ERROR_DESTINATION_NOT_FOUND,
    PROXY_ERROR_DESTINATION_UNAVAILABLE,
    PROXY_ERROR_CONNECTION_TERMINATED,
    PROXY_ERROR_CONNECTION_TIMEOUT,
    PROXY_ERROR_CONNECTION_READ_TIMEOUT,
    PROXY_ERROR_CONNECTION_WRITE_TIMEOUT,
    PROXY_ERROR_CONNECTION_REFUSED,
    PROXY_ERROR_CONNECTION_LIMIT_REACHED,
    PROXY_ERROR_TLS_PROTOCOL_ERROR,
    PROXY_ERROR_TLS_CERTIFICATE_ERROR,
    PROXY_ERROR_HTTP_REQUEST_ERROR,
    PROXY_ERROR_HTTP_REQUEST_DENIED,
    PROXY_ERROR_HTTP_RESPONSE_INCOMPLETE,
    PROXY_ERROR_HTTP_RESPONSE_HEADER_SECTION_SIZE,
    PROXY_ERROR_HTTP_RESPONSE_BODY_SIZE,
    PROXY_ERROR_HTTP_RESPONSE_TRANSFER_CODING,
    PROXY_ERROR_HTTP_RESPONSE_TIMEOUT,
    PROXY_ERROR_HTTP_PROTOCOL_ERROR,
    PROXY_ERROR_PROXY_INTERNAL_RESPONSE,
    PROXY_ERROR_PROXY_INTERNAL_ERROR,
    PROXY_ERROR_PROXY_CONFIGURATION_ERROR,
    PROXY_ERROR_PROXY_LOOP_DETECTED,
    PROXY_ERROR_COUNT
};

struct proxy_status {
    struct span node; /* who says it */
    enum proxy_error error;
    int received_status;  /* 0: left out */
    struct span next_hop; /* empty: left out */
    const char *details;  /* NULL: left out; for people */
};

/* "connection_timeout"; "" for none. Static. */
const char *proxy_error_name(enum proxy_error error);
/* The status that the registry recommends for it: 502, 503, 504, 500, ... */
int proxy_error_status(enum proxy_error error);

/* Adds one member: `edge1; error=connection_timeout; details="..."`. */
void proxy_status_format(const struct proxy_status *status, struct buf *out);

/* The same behind the members that the response already carries: the whole
 * value of the field to be sent (RFC 9209 section 2: who adds one, adds it
 * behind those of others). */
void proxy_status_append(const struct fields *response,
                         const struct proxy_status *status, struct buf *out);

#endif
