#include "fetch_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void
fill(struct fetch *fetch, enum err err, const char *proxy_error)
{
    fetch->failure.err = err;
    fetch->failure.proxy_error = proxy_error;
    fetch->failure.detail = fetch->detail;
    fetch->failed = true;
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
}

struct meaning {
    CURLcode code;
    enum err err;
    const char *proxy_error; /* RFC 9209 section 2.3 */
};

static const struct meaning meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_REFUSED, "dns_error"},
    {CURLE_SSL_CONNECT_ERROR, ERR_REFUSED, "tls_protocol_error"},
    {CURLE_SSL_CIPHER, ERR_REFUSED, "tls_protocol_error"},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_REFUSED, "tls_certificate_error"},
    {CURLE_SSL_ISSUER_ERROR, ERR_REFUSED, "tls_certificate_error"},
    {CURLE_SSL_INVALIDCERTSTATUS, ERR_REFUSED, "tls_certificate_error"},
    {CURLE_URL_MALFORMAT, ERR_CONFIG, "proxy_configuration_error"},
    {CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "proxy_configuration_error"},
};

/* By how far it got. */
static void
fail_connect(struct fetch *fetch, const struct dial *dial, CURLcode code)
{
    long os_errno = 0;

    if (code == CURLE_OPERATION_TIMEDOUT) {
        fill(fetch, ERR_TIMEOUT,
             dial->opens > 0 ? "connection_timeout" : "dns_timeout");
        return;
    }
    if (code == CURLE_OUT_OF_MEMORY) {
        fill(fetch, ERR_NOMEM, "proxy_internal_error");
        return;
    }
    if (code != CURLE_COULDNT_CONNECT) {
        fill(fetch, ERR_IO, "proxy_internal_error");
        return;
    }
    curl_easy_getinfo(dial->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == ENETUNREACH || os_errno == EHOSTUNREACH)
        fill(fetch, ERR_REFUSED, "destination_ip_unroutable");
    else if (os_errno == ETIMEDOUT)
        fill(fetch, ERR_TIMEOUT, "connection_timeout");
    else
        fill(fetch, ERR_REFUSED, "connection_refused");
}

void
fetch_fail_dial(struct fetch *fetch, const struct dial *dial, CURLcode code)
{
    const char *text =
        dial->detail[0] != '\0' ? dial->detail : curl_easy_strerror(code);

    snprintf(fetch->detail, sizeof(fetch->detail), "%.*s", HEAD_DETAIL_MAX - 1,
             text);
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (meanings[i].code != code)
            continue;
        fill(fetch, meanings[i].err, meanings[i].proxy_error);
        return;
    }
    fail_connect(fetch, dial, code);
}
