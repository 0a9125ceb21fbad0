#include "fetch_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
fill(struct fetch *fetch, enum err err, const char *proxy_error)
{
    fetch->failure.err = err;
    fetch->failure.proxy_error = proxy_error;
    fetch->failure.detail = fetch->detail;
}

void
fetch_fail(struct fetch *fetch, enum err err, const char *proxy_error,
           const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fetch->detail, sizeof(fetch->detail), format, args);
    va_end(args);
    fill(fetch, err, proxy_error);
    fetch->stop = STOP_FAILED;
}

struct meaning {
    CURLcode code;
    enum err err;
    const char *proxy_error; /* RFC 9209 section 2.3 */
};

/* Whatever the moment. The rest depends on how far the transfer was. */
static const struct meaning meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_REFUSED, "dns_error"},
    {CURLE_SSL_CONNECT_ERROR, ERR_REFUSED, "tls_protocol_error"},
    {CURLE_SSL_CIPHER, ERR_REFUSED, "tls_protocol_error"},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_REFUSED, "tls_certificate_error"},
    {CURLE_SSL_ISSUER_ERROR, ERR_REFUSED, "tls_certificate_error"},
    {CURLE_SSL_INVALIDCERTSTATUS, ERR_REFUSED, "tls_certificate_error"},
    {CURLE_URL_MALFORMAT, ERR_CONFIG, "proxy_configuration_error"},
    {CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "proxy_configuration_error"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_PROTOCOL, "http_protocol_error"},
    {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL, "http_protocol_error"},
    {CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL, "http_response_transfer_coding"},
};

static bool
fail_connect(struct fetch *fetch, CURLcode code)
{
    long os_errno = 0;

    if (code == CURLE_OPERATION_TIMEDOUT) {
        fill(fetch, ERR_TIMEOUT,
             fetch->opens > 0 ? "connection_timeout" : "dns_timeout");
        return true;
    }
    if (code != CURLE_COULDNT_CONNECT)
        return false;
    curl_easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == ENETUNREACH || os_errno == EHOSTUNREACH)
        fill(fetch, ERR_REFUSED, "destination_ip_unroutable");
    else if (os_errno == ETIMEDOUT)
        fill(fetch, ERR_TIMEOUT, "connection_timeout");
    else
        fill(fetch, ERR_REFUSED, "connection_refused");
    return true;
}

/* A transfer that broke: where it broke decides what it is called. */
static void
fail_transfer(struct fetch *fetch, CURLcode code)
{
    bool chunks = strstr(fetch->curl_detail, "chunk") != NULL;

    switch ((int)code) {
    case CURLE_RECV_ERROR:
    case CURLE_BAD_FUNCTION_ARGUMENT: /* how curl names some bad chunks */
        if (fetch->head_seen &&
            (chunks || code == CURLE_BAD_FUNCTION_ARGUMENT)) {
            fill(fetch, ERR_PROTOCOL, "http_response_transfer_coding");
            return;
        }
        break;
    case CURLE_OUT_OF_MEMORY: /* a line over curl's own bound, too */
        if (fetch->prereqs > 0 && !fetch->head_seen) {
            fill(fetch, ERR_PROTOCOL, "http_response_header_section_size");
            return;
        }
        fill(fetch, ERR_NOMEM, "proxy_internal_error");
        return;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        break;
    default:
        fill(fetch, ERR_IO, "proxy_internal_error");
        return;
    }
    fill(fetch, ERR_RESET,
         fetch->answered ? "http_response_incomplete"
                         : "connection_terminated");
}

void
fetch_fail_curl(struct fetch *fetch, CURLcode code)
{
    const char *text = fetch->curl_detail[0] != '\0' ? fetch->curl_detail
                                                     : curl_easy_strerror(code);

    snprintf(fetch->detail, sizeof(fetch->detail), "%.*s", HEAD_DETAIL_MAX - 1,
             text);
    fetch->stop = STOP_FAILED;
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (meanings[i].code != code)
            continue;
        fill(fetch, meanings[i].err, meanings[i].proxy_error);
        return;
    }
    if (!fail_connect(fetch, code))
        fail_transfer(fetch, code);
}
