/* What TLS adds: whom to trust, sessions taken up again, cut-off bodies, and
 * fairness. */
#include <fcntl.h>
#include <sys/stat.h>

#include "fetch_client.h"
#include "tls_server.h"

#define CLOSING R "Connection: close\r\n\r\n"

static const struct tls_identity both = {"localhost", true, NULL};

static struct fetch_request
request_by_tls(const struct tls_server *server, const char *url)
{
    struct fetch_request request = {
        .method = SPAN("GET"),
        .url_base = span_of(url),
        .target = SPAN("/"),
        .fields = &no_fields,
        .body_len = -1,
        .first_byte_timeout_ms = 5000,
        .idle_timeout_ms = 5000,
        .tls_verify = true,
        .ca_file = server->ca_file,
    };

    return request;
}

/* One answer, then TLS's own end. */
static void
serve_once(struct tls_server *server, gnutls_session_t session)
{
    static const char answer[] =
        R "Connection: close\r\nContent-Length: 3\r\n\r\nabc";

    (void)server;
    if (tls_read_head(session) && tls_write(session, answer, strlen(answer)))
        gnutls_bye(session, GNUTLS_SHUT_WR);
}

/* Any number of answers. */
static void
serve_all(struct tls_server *server, gnutls_session_t session)
{
    (void)server;
    while (tls_read_head(session) && tls_write(session, OK3, strlen(OK3)))
        continue;
}

/* ---- trust ---- */

static const struct trust_case {
    const char *name;
    struct tls_identity identity;
    const char *host;
    bool verify;
    enum err want;
} trust_cases[] = {
    {"address", {NULL, true, NULL}, "127.0.0.1", true, ERR_OK},
    {"name", {"localhost", false, NULL}, "localhost", true, ERR_OK},
    {"for servers",
     {"localhost", true, GNUTLS_KP_TLS_WWW_SERVER},
     "127.0.0.1",
     true,
     ERR_OK},
    {"address, but a name's", both, "127.0.0.1", true, ERR_OK},
    {"no address", {"localhost", false, NULL}, "127.0.0.1", true, ERR_REFUSED},
    {"an address as a name",
     {"127.0.0.1", false, NULL},
     "127.0.0.1",
     true,
     ERR_REFUSED},
    {"another name", {"example", false, NULL}, "localhost", true, ERR_REFUSED},
    {"part of a name",
     {"*.localhost", false, NULL},
     "localhost",
     true,
     ERR_REFUSED},
    {"nobody", {NULL, false, NULL}, "localhost", true, ERR_REFUSED},
    {"for clients",
     {"localhost", true, GNUTLS_KP_TLS_WWW_CLIENT},
     "127.0.0.1",
     true,
     ERR_REFUSED},
    {"not verified", {"example", false, NULL}, "localhost", false, ERR_OK},
};

static void
check_trust(const struct trust_case *c)
{
    struct tls_server server;
    struct client client;
    char url[80];

    tls_server_start(&server, &c->identity, serve_once, NULL);
    client_open(&client);
    snprintf(url, sizeof(url), "https://%s:%d", c->host, server.port);

    struct fetch_request request = request_by_tls(&server, url);

    request.tls_verify = c->verify;
    run(&client, &request);
    if (client.result.err != c->want)
        fail_msg("%s: %s (%s)", c->name, err_name(client.result.err),
                 client.detail);
    if (c->want != ERR_OK)
        assert_string_equal(client.proxy_error, "tls_certificate_error");
    client_close(&client);
    tls_server_stop(&server);
}

static void
test_trust(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(trust_cases); i++)
        check_trust(&trust_cases[i]);
}

/* What was agreed on without looking is of no use to who looks. */
static void
test_unverified_session(void **state)
{
    static const struct tls_identity example = {"example", false, NULL};
    struct tls_server server;
    struct client client;

    (void)state;
    tls_server_start(&server, &example, serve_once, NULL);
    client_open(&client);

    struct fetch_request request = request_by_tls(&server, server.url);

    for (int i = 0; i < 4; i++) {
        request.tls_verify = i % 2 == 1;
        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, i % 2 ? ERR_REFUSED : ERR_OK);
    }
    client_close(&client);
    tls_server_stop(&server);
}

static void
replace_file(const char *file, const char *with)
{
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    char text[16384];
    FILE *from = fopen(with, "r");
    size_t len = fread(text, 1, sizeof(text), from);

    fclose(from);

    FILE *to = fopen(file, "w");

    assert_int_equal(fwrite(text, 1, len, to), len);
    fclose(to);
    /* Another time for sure, however coarse the clock. */
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}

/* ---- sessions ---- */

/* Two at once, where one connection is kept: the other shakes hands. */
static void
run_two(struct client *client, const struct fetch_request *request)
{
    struct client other = {.loop = client->loop, .pool = client->pool};

    client_again(client);
    start(client, request);
    start(&other, request);
    assert_true(fetch_pool_active(client->pool) == 2);
    while (!client->done || !other.done)
        loop_run(client->loop);
    assert_int_equal(client->result.err, ERR_OK);
    assert_true(client->result.reused);
    buf_fini(&client->body);
    buf_fini(&other.body);
    *client = other; /* what became of the second */
    client->body = (struct buf){0};
}

/* A session that the old certificates vouched for ends with them. */
static void
test_trust_replaced(void **state)
{
    struct tls_server server;
    struct tls_server other;
    struct client client;

    (void)state;
    tls_server_start(&server, &both, serve_all, NULL);
    tls_server_start(&other, &both, serve_all, NULL);
    client_open(&client);

    struct fetch_request request = request_by_tls(&server, server.url);

    run(&client, &request);
    assert_int_equal(client.result.err, ERR_OK);
    replace_file(server.ca_file, other.ca_file);
    run_two(&client, &request);
    assert_int_equal(client.result.err, ERR_REFUSED);
    assert_string_equal(client.proxy_error, "tls_certificate_error");
    assert_int_equal(server.resumed, 0);
    client_close(&client);
    tls_server_stop(&server);
    tls_server_stop(&other);
}

/* Sends its ticket after its first answer. */
static void
serve_late_ticket(struct tls_server *server, gnutls_session_t session)
{
    (void)server;
    while (tls_read_head(session) && tls_write(session, OK3, strlen(OK3)))
        gnutls_session_ticket_send(session, 1, 0);
}

static void
check_resumption(bool old, unsigned flags, tls_serve_fn serve)
{
    struct tls_server server;
    struct client client;

    tls_server_start(&server, &both, serve, NULL);
    server.old = old;
    server.flags = flags;
    client_open(&client);

    struct fetch_request request = request_by_tls(&server, server.url);

    for (int i = 0; i < 3; i++) {
        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_OK);
    }
    run_two(&client, &request);
    assert_int_equal(client.result.err, ERR_OK);
    assert_false(client.result.reused);
    client_close(&client);
    tls_server_stop(&server);
    assert_int_equal(server.connections, 2);
    assert_int_equal(server.resumed, 1);
}

static void
test_resumption(void **state)
{
    (void)state;
    check_resumption(true, 0, serve_all);
    check_resumption(false, 0, serve_all);
    check_resumption(false, GNUTLS_NO_AUTO_SEND_TICKET, serve_late_ticket);
}

static void
test_tls_reuse(void **state)
{
    struct tls_server server;
    struct client client;

    (void)state;
    tls_server_start(&server, &both, serve_all, NULL);
    client_open(&client);

    struct fetch_request request = request_by_tls(&server, server.url);

    for (int i = 0; i < 3; i++) {
        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_OK);
        assert_int_equal(client.result.reused, i > 0);
    }
    assert_int_equal(server.connections, 1);
    client_close(&client);
    tls_server_stop(&server);
}

/* ---- ends ---- */

enum ending { CUT, CLOSED, WARNED_AND_CUT, WARNED_AND_CLOSED, ENDINGS };

static void
serve_cut(struct tls_server *server, gnutls_session_t session)
{
    const enum ending *ending = server->arg;
    static const char answer[] = CLOSING "abc";

    tls_read_head(session);
    tls_write(session, answer, strlen(answer));
    if (*ending >= WARNED_AND_CUT)
        gnutls_alert_send(session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
    if (*ending == CLOSED || *ending == WARNED_AND_CLOSED)
        gnutls_bye(session, GNUTLS_SHUT_WR);
}

/* A body that ends with the connection is whole only by TLS's own close
 * (RFC 8446 section 6.1). */
static void
check_cut_off(bool old, enum ending endings)
{
    for (enum ending ending = CUT; ending < endings; ending++) {
        bool whole = ending == CLOSED || ending == WARNED_AND_CLOSED;
        struct tls_server server;
        struct client client;

        tls_server_start(&server, &both, serve_cut, &ending);
        server.old = old;
        client_open(&client);

        struct fetch_request request = request_by_tls(&server, server.url);

        run(&client, &request);
        assert_int_equal(client.result.err, whole ? ERR_OK : ERR_RESET);
        assert_int_equal(client.status, 200);
        client_close(&client);
        tls_server_stop(&server);
    }
}

static void
test_cut_off(void **state)
{
    (void)state;
    check_cut_off(true, ENDINGS);
    check_cut_off(false, WARNED_AND_CUT);
}

/* Takes the connection and says nothing. */
static void
test_mute(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    struct tls_server server;
    struct client client;
    char url[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d", ntohs(address.sin_port));
    tls_server_start(&server, &both, serve_once, NULL);
    client_open(&client);

    struct fetch_request request = request_by_tls(&server, url);

    request.connect_timeout_ms = 50;
    request.first_byte_timeout_ms = 0;
    for (int i = 0; i < 2; i++) {
        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_TIMEOUT);
        assert_string_equal(client.proxy_error, "connection_timeout");
        assert_false(client.result.connected);
    }
    client_close(&client);
    tls_server_stop(&server);
    close(fd);
}

/* ---- fairness ---- */

#define FLOOD_BYTES ((size_t)24 * 1024 * 1024)

static void
serve_flood(struct tls_server *server, gnutls_session_t session)
{
    static char block[16384];
    size_t sent = 0;

    (void)server;
    tls_read_head(session);
    tls_write(session, CLOSING, strlen(CLOSING));
    while (sent < FLOOD_BYTES && tls_write(session, block, sizeof(block)))
        sent += sizeof(block);
    gnutls_bye(session, GNUTLS_SHUT_WR);
}

struct flooded {
    struct client *plain;
    size_t taken;
    bool done;
};

static void
on_flood_head(void *ctx, const struct fetch_head *head)
{
    (void)ctx;
    (void)head;
}

/* Slower than the server, so that there is always more to read. */
static enum err
on_flood(void *ctx, const void *data, size_t len)
{
    struct flooded *flooded = ctx;
    const struct timespec pause = {0, 200000};

    (void)data;
    flooded->taken += len;
    nanosleep(&pause, NULL);
    return ERR_OK;
}

static void
on_flood_done(void *ctx, const struct fetch_result *result)
{
    struct flooded *flooded = ctx;

    (void)result;
    flooded->done = true;
}

/* Who has much to say does not keep the others waiting. */
static void
test_fair(void **state)
{
    static const struct fetch_ops flood_ops = {.on_head = on_flood_head,
                                               .on_body = on_flood,
                                               .on_done = on_flood_done};
    static const struct script script = {{"<", ">" OK3, "^"}};
    struct server plain;
    struct tls_server server;
    struct client client;

    (void)state;
    server_start(&plain, &script, 1);
    tls_server_start(&server, &both, serve_flood, NULL);
    client_open(&client);

    struct flooded flooded = {.plain = &client};
    struct fetch_request request = request_by_tls(&server, server.url);
    struct fetch_request small = request_to(&plain, "GET");

    fetch_start(client.pool, &request, &flood_ops, &flooded);
    for (int i = 0; i < 50; i++) {
        client_again(&client);
        run(&client, &small);
        assert_int_equal(client.result.err, ERR_OK);
    }
    assert_true(flooded.taken > 0);
    assert_false(flooded.done);
    client_close(&client);
    tls_server_stop(&server);
    server_stop(&plain);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_unverified_session),
        cmocka_unit_test(test_trust_replaced),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_tls_reuse),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_fair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
