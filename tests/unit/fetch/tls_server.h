/*
 * A TLS server for tests, on a free port of 127.0.0.1, with an authority and a
 * certificate of its own that are made on the spot. Each connection is served
 * by a function of the test's, on a thread of its own.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

#define TLS_CONNS_MAX 64

struct tls_server;

typedef void (*tls_serve_fn)(struct tls_server *server,
                             gnutls_session_t session);

/* What the certificate says. */
struct tls_identity {
    const char *name;    /* NULL: none */
    bool address;        /* 127.0.0.1 */
    const char *purpose; /* an extended key usage; NULL: any */
};

struct tls_server {
    int fd;
    int port;
    char url[64];
    char ca_file[64];
    tls_serve_fn serve;
    void *arg;
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t ticket_key;
    pthread_t acceptor;
    pthread_t threads[TLS_CONNS_MAX];
    size_t accepted;         /* read after tls_server_stop */
    bool old;                /* TLS 1.2 at most */
    unsigned flags;          /* of the sessions, beside the usual ones */
    atomic_uint connections; /* shaken hands with */
    atomic_uint resumed;
};

static gnutls_x509_privkey_t
tls_key(void)
{
    gnutls_x509_privkey_t key;

    CHECK(gnutls_x509_privkey_init(&key) == 0);
    CHECK(gnutls_x509_privkey_generate(
              key, GNUTLS_PK_EC,
              GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0);
    return key;
}

static gnutls_x509_crt_t
tls_certificate(gnutls_x509_privkey_t key, const char *common_name)
{
    gnutls_x509_crt_t crt;
    unsigned char serial[] = {1, 2, 3};

    CHECK(gnutls_x509_crt_init(&crt) == 0);
    CHECK(gnutls_x509_crt_set_version(crt, 3) == 0);
    CHECK(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)) == 0);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    CHECK(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0,
                                        common_name,
                                        (unsigned)strlen(common_name)) == 0);
    CHECK(gnutls_x509_crt_set_key(crt, key) == 0);
    return crt;
}

static void
tls_write_ca(struct tls_server *server, gnutls_x509_crt_t ca)
{
    gnutls_datum_t pem;
    int fd;

    snprintf(server->ca_file, sizeof(server->ca_file), "/tmp/test_tls.XXXXXX");
    fd = mkstemp(server->ca_file);
    CHECK(fd >= 0);
    CHECK(gnutls_x509_crt_export2(ca, GNUTLS_X509_FMT_PEM, &pem) == 0);
    CHECK(write(fd, pem.data, pem.size) == (ssize_t)pem.size);
    close(fd);
    gnutls_free(pem.data);
}

static void
tls_identify(struct tls_server *server, const struct tls_identity *identity)
{
    static const unsigned char address[4] = {127, 0, 0, 1};
    gnutls_x509_privkey_t ca_key = tls_key();
    gnutls_x509_crt_t ca = tls_certificate(ca_key, "authority");
    gnutls_x509_privkey_t key = tls_key();
    gnutls_x509_crt_t crt = tls_certificate(key, "server");

    gnutls_x509_crt_set_ca_status(ca, 1);
    CHECK(gnutls_x509_crt_sign2(ca, ca, ca_key, GNUTLS_DIG_SHA256, 0) == 0);
    if (identity->name != NULL)
        gnutls_x509_crt_set_subject_alt_name(
            crt, GNUTLS_SAN_DNSNAME, identity->name,
            (unsigned)strlen(identity->name), GNUTLS_FSAN_APPEND);
    if (identity->address)
        gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address,
                                             sizeof(address),
                                             GNUTLS_FSAN_APPEND);
    if (identity->purpose != NULL)
        gnutls_x509_crt_set_key_purpose_oid(crt, identity->purpose, 0);
    CHECK(gnutls_x509_crt_sign2(crt, ca, ca_key, GNUTLS_DIG_SHA256, 0) == 0);
    CHECK(gnutls_certificate_allocate_credentials(&server->credentials) == 0);
    CHECK(gnutls_certificate_set_x509_key(server->credentials, &crt, 1, key) >=
          0);
    tls_write_ca(server, ca);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_privkey_deinit(ca_key);
}

struct tls_conn {
    struct tls_server *server;
    int fd;
};

static void *
tls_serve_one(void *arg)
{
    struct tls_conn *conn = arg;
    struct tls_server *server = conn->server;
    int fd = conn->fd;
    gnutls_session_t session;
    int rc;

    free(conn);
    CHECK(gnutls_init(&session,
                      GNUTLS_SERVER | GNUTLS_NO_SIGNAL | server->flags) == 0);
    CHECK(gnutls_set_default_priority_append(
              session, server->old ? "-VERS-TLS1.3" : "+VERS-TLS1.3", NULL,
              0) == 0);
    CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
                                 server->credentials) == 0);
    gnutls_session_ticket_enable_server(session, &server->ticket_key);
    gnutls_transport_set_int(session, fd);
    do
        rc = gnutls_handshake(session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    if (rc == 0) {
        if (gnutls_session_is_resumed(session))
            server->resumed++;
        server->connections++;
        server->serve(server, session);
    }
    gnutls_deinit(session);
    close(fd);
    return NULL;
}

static void *
tls_accept(void *arg)
{
    struct tls_server *server = arg;

    for (;;) {
        int fd = accept(server->fd, NULL, NULL);

        if (fd < 0 || server->accepted == TLS_CONNS_MAX)
            return NULL;

        struct tls_conn *conn = malloc(sizeof(*conn));

        *conn = (struct tls_conn){server, fd};
        CHECK(pthread_create(&server->threads[server->accepted++], NULL,
                             tls_serve_one, conn) == 0);
    }
}

static void
tls_server_start(struct tls_server *server, const struct tls_identity *identity,
                 tls_serve_fn serve, void *arg)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    *server = (struct tls_server){.serve = serve, .arg = arg};
    tls_identify(server, identity);
    CHECK(gnutls_session_ticket_key_generate(&server->ticket_key) == 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server->fd, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(server->fd, 64) == 0);
    CHECK(getsockname(server->fd, (struct sockaddr *)&address, &len) == 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof(server->url), "https://127.0.0.1:%d",
             server->port);
    CHECK(pthread_create(&server->acceptor, NULL, tls_accept, server) == 0);
}

/* The client's connections must be closed. */
static void
tls_server_stop(struct tls_server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    for (size_t i = 0; i < server->accepted; i++)
        pthread_join(server->threads[i], NULL);
    close(server->fd);
    gnutls_certificate_free_credentials(server->credentials);
    gnutls_free(server->ticket_key.data);
    unlink(server->ca_file);
}

/* Reads to the end of a request's head; false: the client has closed. */
static inline bool
tls_read_head(gnutls_session_t session)
{
    char head[8192];
    size_t len = 0;

    while (len < sizeof(head) - 1) {
        ssize_t n = gnutls_record_recv(session, head + len, 1);

        if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n <= 0)
            return false;
        head[++len] = '\0';
        if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

/* False: the client has closed. */
static inline bool
tls_write(gnutls_session_t session, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = gnutls_record_send(session, data, len);

        if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

#endif
