#include "http/proxy_status.h"

#include "base/check.h"
#include "http/sf_internal.h"

/* Name and recommended status, from the registry of RFC 9209 section 2.3. */
static const struct {
    const char *name;
    int status;
} rows[PROXY_ERROR_COUNT] = {
    [PROXY_ERROR_NONE] = {"", 502},
    [PROXY_ERROR_DNS_TIMEOUT] = {"dns_timeout", 504},
    [PROXY_ERROR_DNS_ERROR] = {"dns_error", 502},
    [PROXY_ERROR_DESTINATION_NOT_FOUND] = {"destination_not_found", 500},
    [PROXY_ERROR_DESTINATION_UNAVAILABLE] = {"destination_unavailable", 503},
    [PROXY_ERROR_CONNECTION_TERMINATED] = {"connection_terminated", 502},
    [PROXY_ERROR_CONNECTION_TIMEOUT] = {"connection_timeout", 504},
    [PROXY_ERROR_CONNECTION_READ_TIMEOUT] = {"connection_read_timeout", 504},
    [PROXY_ERROR_CONNECTION_WRITE_TIMEOUT] = {"connection_write_timeout", 504},
    [PROXY_ERROR_CONNECTION_REFUSED] = {"connection_refused", 502},
    [PROXY_ERROR_CONNECTION_LIMIT_REACHED] = {"connection_limit_reached", 503},
    [PROXY_ERROR_TLS_PROTOCOL_ERROR] = {"tls_protocol_error", 502},
    [PROXY_ERROR_TLS_CERTIFICATE_ERROR] = {"tls_certificate_error", 502},
    [PROXY_ERROR_HTTP_REQUEST_ERROR] = {"http_request_error", 400},
    [PROXY_ERROR_HTTP_REQUEST_DENIED] = {"http_request_denied", 403},
    [PROXY_ERROR_HTTP_RESPONSE_INCOMPLETE] = {"http_response_incomplete", 502},
    [PROXY_ERROR_HTTP_RESPONSE_HEADER_SECTION_SIZE] =
        {"http_response_header_section_size", 502},
    [PROXY_ERROR_HTTP_RESPONSE_BODY_SIZE] = {"http_response_body_size", 502},
    [PROXY_ERROR_HTTP_RESPONSE_TRANSFER_CODING] =
        {"http_response_transfer_coding", 502},
    [PROXY_ERROR_HTTP_RESPONSE_TIMEOUT] = {"http_response_timeout", 504},
    [PROXY_ERROR_HTTP_PROTOCOL_ERROR] = {"http_protocol_error", 502},
    [PROXY_ERROR_PROXY_INTERNAL_RESPONSE] = {"proxy_internal_response", 502},
    [PROXY_ERROR_PROXY_INTERNAL_ERROR] = {"proxy_internal_error", 500},
    [PROXY_ERROR_PROXY_CONFIGURATION_ERROR] = {"proxy_configuration_error",
                                               500},
    [PROXY_ERROR_PROXY_LOOP_DETECTED] = {"proxy_loop_detected", 502},
};

const char *
proxy_error_name(enum proxy_error error)
{
    CHECK(error < PROXY_ERROR_COUNT);
    return rows[error].name;
}

int
proxy_error_status(enum proxy_error error)
{
    CHECK(error < PROXY_ERROR_COUNT);
    return rows[error].status;
}

void
proxy_status_format(const struct proxy_status *status, struct buf *out)
{
    sf_add_name(out, status->node);
    if (status->error != PROXY_ERROR_NONE) {
        buf_add_text(out, "; error=");
        buf_add_text(out, proxy_error_name(status->error));
    }
    if (status->received_status > 0) {
        buf_add_text(out, "; received-status=");
        buf_add_u64(out, (uint64_t)status->received_status);
    }
    if (status->next_hop.len > 0) {
        buf_add_text(out, "; next-hop=");
        sf_add_name(out, status->next_hop);
    }
    if (status->details != NULL) {
        buf_add_text(out, "; details=");
        sf_add_string(out, span_of(status->details));
    }
}

void
proxy_status_append(const struct fields *response,
                    const struct proxy_status *status, struct buf *out)
{
    sf_add_members(out, response, SPAN("Proxy-Status"));
    proxy_status_format(status, out);
}
