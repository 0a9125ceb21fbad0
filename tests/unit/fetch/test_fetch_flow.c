#include "fetch_client.h"

#include <uv.h>

/* ---- connections ---- */

static void
test_reuse(void **state)
{
    static const struct script script = {
        {"<", ">" OK3, "<", ">" OK3, "<", ">" OK3}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);
    for (int i = 0; i < 3; i++) {
        struct fetch_request request = request_to(&server, "POST");

        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_OK);
        assert_int_equal(client.result.reused, i > 0);
    }
    client_close(&client);
    server_stop(&server);
}

/* Bytes or an end on the idle connection: whatever the method, the request
 * goes out on a new one, and only there. */
static void
check_poisoned(const char *surplus)
{
    const struct script scripts[2] = {
        {{"<", ">" OK3, "?", surplus, "!", "e"}},
        {{"<", ">" R "Content-Length: 3\r\n\r\nnew"}}};
    struct server server;
    struct client client;

    server_start(&server, scripts, 2);
    client_open(&client);

    struct fetch_request request = request_to(&server, "POST");

    run(&client, &request);
    server_go(&server);
    server_wait(&server);
    client_again(&client);
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_OK);
    assert_memory_equal(client.body.data, "new", 3);
    assert_false(client.result.reused);
    client_close(&client);
    server_stop(&server);
    assert_int_equal(server.requests, 2);
}

static void
test_poisoned(void **state)
{
    (void)state;
    check_poisoned(">" R "Content-Length: 4\r\n\r\nevil");
    check_poisoned(">x");
    check_poisoned("h");
}

/* The kept connection dies after the request was sent. */
static void
check_resend(const char *method, const char *upload, bool idempotent,
             const char *ending, enum err want, size_t requests_want)
{
    const struct script scripts[2] = {
        {{"<", ">" OK3, "<", ending}},
        {{"<", ">" R "Content-Length: 3\r\n\r\nnew"}}};
    struct server server;
    struct client client;

    server_start(&server, scripts, 2);
    client_open(&client);

    struct fetch_request first = request_to(&server, "GET");
    struct fetch_request request = request_to(&server, method);

    run(&client, &first);
    client_again(&client);
    request.idempotent = idempotent;
    request.has_body = upload != NULL;
    request.body_len = upload == NULL ? 0 : (int64_t)strlen(upload);
    client.upload = upload;
    run(&client, &request);
    assert_int_equal(client.result.err, want);
    assert_string_equal(client.proxy_error,
                        want == ERR_OK ? "" : "connection_terminated");
    client_close(&client);
    server_stop(&server);
    assert_int_equal(server.requests, requests_want);
}

static void
test_resend(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *ending = i == 0 ? "x" : "r";

        check_resend("GET", NULL, true, ending, ERR_OK, 3);
        check_resend("GET", NULL, false, ending, ERR_RESET, 2);
        check_resend("POST", NULL, false, ending, ERR_RESET, 2);
        check_resend("DELETE", NULL, false, ending, ERR_RESET, 2);
        check_resend("PUT", "hello", true, ending, ERR_RESET, 2);
        check_resend("PUT", "hello", false, ending, ERR_RESET, 2);
    }
}

/* A fresh connection that dies is not tried again. */
static void
test_no_second_try(void **state)
{
    static const struct script script = {{"<", "r"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    run(&client, &request);
    assert_int_equal(client.result.err, ERR_RESET);
    assert_string_equal(client.proxy_error, "connection_terminated");
    client_close(&client);
    server_stop(&server);
    assert_int_equal(server.requests, 1);
}

static void
test_unreachable(void **state)
{
    static const struct script script = {{"x"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    server_stop(&server);
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_REFUSED);
    assert_string_equal(client.proxy_error, "connection_refused");
    assert_false(client.result.connected);

    client_again(&client);
    request.url_base = SPAN("http://no-such-name.invalid:80");
    run(&client, &request);
    assert_string_equal(client.proxy_error, "dns_error");
    client_close(&client);
}

/* A server that was there: the address that it had is tried first, then its
 * name once more. */
static void
test_gone(void **state)
{
    static const struct script script = {
        {"<", ">" R "Connection: close\r\nContent-Length: 3\r\n\r\nabc", "x"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    for (int i = 0; i < 3; i++) {
        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_OK);
        assert_false(client.result.reused);
    }
    server_stop(&server);
    client_again(&client);
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_REFUSED);
    assert_string_equal(client.proxy_error, "connection_refused");
    assert_false(client.result.connected);
    client_close(&client);
}

/* The first of two addresses refuses (where the machine has IPv6), and its
 * socket's number is used again at once for the second. */
static void
test_two_addresses(void **state)
{
    static const struct script script = {{"<", ">" OK3, "^"}};
    struct server server;
    struct client client;
    char url[64];

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    snprintf(url, sizeof(url), "http://localhost:%d", server.port);
    request.url_base = span_of(url);
    request.connect_timeout_ms = 5000;
    for (int i = 0; i < 2; i++) {
        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_OK);
        assert_int_equal(client.result.reused, i);
    }
    client_close(&client);
    server_stop(&server);
}

/* curl closes the socket of a connection given up half made without a word:
 * whoever gets its number must not feel it. */
static void
test_connecting_cancelled(void **state)
{
    static const struct script script = {
        {"<", ">" R "Connection: close\r\nContent-Length: 3\r\n\r\nabc"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    for (int i = 0; i < 20; i++) {
        struct fetch *fetches[3];

        for (size_t k = 0; k < 3; k++)
            fetches[k] = fetch_start(client.pool, &request, &ops, &client);
        /* One turn: curl has begun to connect. */
        uv_run(loop_uv(client.loop), UV_RUN_NOWAIT);
        for (size_t k = 0; k < 3; k++)
            fetch_cancel(&fetches[k]);
        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_OK);
    }
    client_close(&client);
    server_stop(&server);
}

/* A plain server is no TLS server. */
static void
test_tls_error(void **state)
{
    static const struct script script = {{">HTTP/1.1 400 Bad\r\n\r\n", "x"}};
    struct server server;
    struct client client;
    char url[64];

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    snprintf(url, sizeof(url), "https://127.0.0.1:%d", server.port);
    request.url_base = span_of(url);
    request.tls_verify = true;
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_REFUSED);
    assert_string_equal(client.proxy_error, "tls_protocol_error");
    client_close(&client);
    server_stop(&server);
}

/* ---- time ---- */

static void
check_timeout(const struct script *script, uint64_t first_byte, uint64_t idle,
              uint64_t total, unsigned status)
{
    struct server server;
    struct client client;

    server_start(&server, script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    request.first_byte_timeout_ms = first_byte;
    request.idle_timeout_ms = idle;
    request.total_timeout_ms = total;
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_TIMEOUT);
    assert_string_equal(client.proxy_error, "http_response_timeout");
    assert_int_equal(client.status, status);
    client_close(&client);
    server_stop(&server);
}

static void
test_timeouts(void **state)
{
    static const struct script mute = {{"<", "e"}};
    static const struct script half_head = {{"<", ">" R "X: y\r\n", "e"}};
    static const struct script half_body = {
        {"<", ">" R "Content-Length: 9\r\n\r\nabc", "e"}};

    (void)state;
    check_timeout(&mute, 50, 0, 0, 0);
    check_timeout(&half_head, 50, 0, 0, 0);
    check_timeout(&half_body, 5000, 50, 0, 200);
    check_timeout(&mute, 0, 0, 50, 0);
    check_timeout(&half_body, 5000, 5000, 50, 200);
}

static void
on_tick(void *arg)
{
    struct client *client = arg;

    client->hold = false;
    fetch_resume_recv(client->fetch);
}

/* The idle time does not run while we are the ones who wait. */
static void
test_pause_stops_the_clock(void **state)
{
    static const struct script script = {
        {"<", ">" R "Content-Length: 6\r\n\r\nabc", "?", ">def"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");
    struct timer *timer = timer_new(client.loop, on_tick, &client);

    request.idle_timeout_ms = 40;
    client.hold = true;
    start(&client, &request);
    loop_run(client.loop);
    assert_int_equal(client.pauses, 1);
    server_go(&server);
    timer_start(timer, 120);
    loop_run(client.loop);
    assert_true(client.done);
    assert_int_equal(client.result.err, ERR_OK);
    assert_memory_equal(client.body.data, "abcdef", 6);
    timer_free(&timer);
    client_close(&client);
    server_stop(&server);
}

/* ---- many at once ---- */

struct many {
    struct client client;
    size_t left;
};

static void
on_many_head(void *ctx, const struct fetch_head *head)
{
    (void)ctx;
    assert_int_equal(head->status, 200);
}

static enum err
on_many_body(void *ctx, const void *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    return ERR_OK;
}

static void
on_many_done(void *ctx, const struct fetch_result *result)
{
    struct many *many = ctx;

    assert_int_equal(result->err, ERR_OK);
    assert_int_equal(result->body_bytes, 3);
    if (--many->left == 0)
        loop_stop(many->client.loop);
}

static void
test_many(void **state)
{
    static const struct script script = {{"<", ">" OK3, "^"}};
    static const struct fetch_ops many_ops = {NULL, on_many_head, on_many_body,
                                              NULL, on_many_done};
    struct server server;
    struct many many = {0};

    (void)state;
    server_start(&server, &script, 1);
    client_open(&many.client);

    struct fetch_request request = request_to(&server, "GET");

    for (int round = 0; round < 4; round++) {
        many.left = 30;
        for (size_t i = 0; i < 30; i++)
            fetch_start(many.client.pool, &request, &many_ops, &many);
        loop_run(many.client.loop);
        assert_int_equal(fetch_pool_active(many.client.pool), 0);
    }
    client_close(&many.client);
    server_stop(&server);
    assert_int_equal(server.requests, 120);
    assert_true(server.conns <= 30);
}

/* Many more than may begin to connect at once: all are served, the later ones
 * on connections of the first. */
static void
test_crowd(void **state)
{
    static const struct script script = {{"<", ">" OK3, "^"}};
    static const struct fetch_ops many_ops = {NULL, on_many_head, on_many_body,
                                              NULL, on_many_done};
    struct server server;
    struct many many = {.left = 120};

    (void)state;
    server_start(&server, &script, 1);
    client_open(&many.client);

    struct fetch_request request = request_to(&server, "GET");

    for (size_t i = 0; i < 120; i++) {
        struct fetch *fetch =
            fetch_start(many.client.pool, &request, &many_ops, &many);

        if (i % 10 == 0) {
            fetch_cancel(&fetch);
            many.left--;
        }
    }
    loop_run(many.client.loop);
    run_until_idle(&many.client);
    client_close(&many.client);
    server_stop(&server);
    assert_true(server.requests >= 108);
    assert_true(server.conns <= 120);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_poisoned),
        cmocka_unit_test(test_resend),
        cmocka_unit_test(test_no_second_try),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_two_addresses),
        cmocka_unit_test(test_connecting_cancelled),
        cmocka_unit_test(test_tls_error),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_pause_stops_the_clock),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
