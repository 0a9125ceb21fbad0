/*
 * TLS to a server, over a socket that is connected already (GnuTLS).
 *
 * What is trusted is read once for a pool and file, since to parse a system's
 * certificates takes tens of milliseconds, and again when the file has changed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "fetch_internal.h"

struct tls {
    gnutls_session_t session;
    struct tls_trust *trust; /* counted */
    struct upstream *upstream;
    char *host;
    gnutls_typed_vdata_st
        wanted[2]; /* of the certificate: read when it comes */
};

/* ---- what is trusted ---- */

struct tls_trust {
    struct list_link link; /* pool->trusts, or alone once it is outdated */
    unsigned refs;         /* sessions', and the list's */
    char *file;
    struct timespec changed;
    gnutls_certificate_credentials_t credentials;
};

static void
trust_unref(struct tls_trust **trust)
{
    struct tls_trust *t = *trust;

    *trust = NULL;
    if (t == NULL || --t->refs > 0)
        return;
    gnutls_certificate_free_credentials(t->credentials);
    free(t->file);
    free(t);
}

static void
forget(struct tls_trust *trust)
{
    list_remove(&trust->link);
    trust_unref(&trust);
}

void
tls_forget_all(struct fetch_pool *pool)
{
    while (!list_empty(&pool->trusts))
        forget(list_first(&pool->trusts, struct tls_trust, link));
}

static bool
same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static struct tls_trust *
trust_load(struct fetch_pool *pool, const char *file, struct timespec changed)
{
    struct tls_trust *trust = mem_zalloc(sizeof(*trust));
    int count;

    trust->refs = 1;
    trust->file = mem_strdup(file);
    trust->changed = changed;
    CHECK(gnutls_certificate_allocate_credentials(&trust->credentials) == 0);
    count = gnutls_certificate_set_x509_trust_file(trust->credentials, file,
                                                   GNUTLS_X509_FMT_PEM);
    if (count <= 0)
        LOG(LOG_ERROR,
            "no certificate to trust in %s (%s): https servers that are to be "
            "verified by it cannot be; name a PEM file in ca_file, or install "
            "ca-certificates",
            file, count < 0 ? gnutls_strerror(count) : "it holds none");
    list_push_front(&pool->trusts, &trust->link);
    return trust;
}

/* A use of it is the caller's. */
static struct tls_trust *
trust_of(const struct upstream *upstream)
{
    struct fetch_pool *pool = upstream->pool;
    const char *file = upstream->ca_file ? upstream->ca_file : TLS_CA_FILE;
    struct timespec changed = {0};
    struct tls_trust *trust;
    struct stat stat_buf;

    if (stat(file, &stat_buf) == 0)
        changed = stat_buf.st_mtim;
    list_for_each (trust, &pool->trusts, link) {
        if (strcmp(trust->file, file) != 0)
            continue;
        if (same_time(trust->changed, changed)) {
            trust->refs++;
            return trust;
        }
        forget(trust);
        break;
    }
    trust = trust_load(pool, file, changed);
    trust->refs++;
    return trust;
}

/* ---- a session ---- */

static bool
is_address(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 ||
           inet_pton(AF_INET6, host, &address) == 1;
}

/* The name, and that it is a server's: a certificate that was given to a
 * client must not do (RFC 5280 section 4.2.1.12). */
static void
verify(struct tls *tls)
{
    static const char purpose[] = GNUTLS_KP_TLS_WWW_SERVER;

    tls->wanted[0] = (gnutls_typed_vdata_st){GNUTLS_DT_DNS_HOSTNAME,
                                             (unsigned char *)tls->host, 0};
    tls->wanted[1] = (gnutls_typed_vdata_st){
        GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)purpose, 0};
    gnutls_session_set_verify_cert2(tls->session, tls->wanted,
                                    ARRAY_LEN(tls->wanted), 0);
}

static void
set_up(struct tls *tls)
{
    static const gnutls_datum_t http11 = {
        (unsigned char *)(uintptr_t) "http/1.1", 8};
    const struct upstream *upstream = tls->upstream;

    CHECK(gnutls_set_default_priority(tls->session) == 0);
    CHECK(gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE,
                                 tls->trust->credentials) == 0);
    gnutls_alpn_set_protocols(tls->session, &http11, 1, 0);
    /* RFC 6066 section 3: names only, no addresses. */
    if (!is_address(tls->host))
        gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, tls->host,
                               strlen(tls->host));
    if (upstream->tls_verify)
        verify(tls);
    if (upstream->ticket_len > 0 &&
        same_time(upstream->ticket_trust, tls->trust->changed))
        gnutls_session_set_data(tls->session, upstream->ticket,
                                upstream->ticket_len);
}

struct tls *
tls_new(struct upstream *upstream, int fd)
{
    struct tls *tls = mem_zalloc(sizeof(*tls));
    struct span host = upstream_host(upstream);

    tls->upstream = upstream;
    tls->host = mem_strndup(host.ptr, host.len);
    tls->trust = trust_of(upstream);
    CHECK(gnutls_init(&tls->session,
                      GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) == 0);
    set_up(tls);
    gnutls_transport_set_int(tls->session, fd);
    return tls;
}

void
tls_free(struct tls **tls)
{
    struct tls *t = *tls;

    *tls = NULL;
    if (t == NULL)
        return;
    gnutls_deinit(t->session);
    trust_unref(&t->trust);
    free(t->host);
    free(t);
}

static void
fail_certificate(struct tls *tls, struct fetch *fetch)
{
    gnutls_datum_t text = {0};
    unsigned status = gnutls_session_get_verify_cert_status(tls->session);

    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509,
                                                     &text, 0) < 0)
        text.data = NULL;
    fetch_fail(fetch, ERR_REFUSED, "tls_certificate_error", "%.*s",
               text.data ? (int)strcspn((char *)text.data, "\n") : 0,
               text.data ? (char *)text.data : "");
    gnutls_free(text.data);
}

enum err
tls_handshake(struct tls *tls, struct fetch *fetch)
{
    int rc;

    do
        rc = gnutls_handshake(tls->session);
    while (rc < 0 && rc != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(rc));
    if (rc == GNUTLS_E_SUCCESS)
        return ERR_OK;
    if (rc == GNUTLS_E_AGAIN)
        return ERR_AGAIN;
    /* A session that was not accepted must not be offered again. */
    tls->upstream->ticket_len = 0;
    if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
        fail_certificate(tls, fetch);
    else
        fetch_fail(fetch, ERR_REFUSED,
                   rc == GNUTLS_E_FATAL_ALERT_RECEIVED ? "tls_alert_received"
                                                       : "tls_protocol_error",
                   "TLS: %s", gnutls_strerror(rc));
    return ERR_REFUSED;
}

bool
tls_wants_room(const struct tls *tls)
{
    return gnutls_record_get_direction(tls->session) != 0;
}

/* TLS 1.3 brings tickets when it likes. */
static bool
may_be_resumed(const struct tls *tls)
{
    return gnutls_protocol_get_version(tls->session) < GNUTLS_TLS1_3 ||
           (gnutls_session_get_flags(tls->session) &
            GNUTLS_SFLAGS_SESSION_TICKET) != 0;
}

/* Once for a server: the next connection to it takes the session up again.
 * That skips the certificate: it is worth no more than what was trusted when
 * it was looked at. */
void
tls_keep_session(struct tls *tls)
{
    struct upstream *upstream = tls->upstream;
    struct timespec changed = tls->trust->changed;
    gnutls_datum_t data = {0};

    if (upstream->ticket_len > 0 && same_time(upstream->ticket_trust, changed))
        return;
    if (!may_be_resumed(tls) ||
        gnutls_session_get_data2(tls->session, &data) != 0)
        return;
    upstream->ticket_trust = changed;
    upstream->ticket = mem_realloc(upstream->ticket, data.size);
    memcpy(upstream->ticket, data.data, data.size);
    upstream->ticket_len = data.size;
    gnutls_free(data.data);
}

/* ---- bytes ---- */

/* An end without TLS's own close may be somebody's who cuts the body short
 * (RFC 8446 section 6.1). Before TLS 1.3 a warning is nothing: some
 * send one before they close. */
enum err
tls_recv(struct tls *tls, void *buffer, size_t max, size_t *n)
{
    ssize_t got;

    do
        got = gnutls_record_recv(tls->session, buffer, max);
    while (got == GNUTLS_E_INTERRUPTED);
    if (got > 0)
        *n = (size_t)got;
    if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_WARNING_ALERT_RECEIVED)
        return ERR_AGAIN;
    return got > 0 ? ERR_OK : got == 0 ? ERR_END : ERR_RESET;
}

bool
tls_holds(const struct tls *tls)
{
    return gnutls_record_check_pending(tls->session) > 0;
}

enum err
tls_send(struct tls *tls, const void *data, size_t len, size_t *n)
{
    ssize_t sent;

    do
        sent = gnutls_record_send(tls->session, data, len);
    while (sent == GNUTLS_E_INTERRUPTED);
    if (sent > 0)
        *n = (size_t)sent;
    if (sent == GNUTLS_E_AGAIN)
        return ERR_AGAIN;
    return sent > 0 ? ERR_OK : ERR_RESET;
}
