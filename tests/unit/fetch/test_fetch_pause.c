#include "fetch_client.h"

/* ---- pauses ---- */

static void
test_pause_recv(void **state)
{
    static const struct script script = {
        {"<", ">" R "Content-Length: 1000000\r\n\r\n", "#1000000"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    client.pause_recv = true;
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_OK);
    assert_int_equal(client.body.len, 1000000);
    assert_true(client.pauses > 10);
    client_close(&client);
    server_stop(&server);
}

/* Paused for long: what the server sends meanwhile waits in the kernel. */
static void
test_pause_chunked(void **state)
{
    static const struct script script = {
        {"<", ">" R "Transfer-Encoding: chunked\r\n\r\n30d40\r\n", "#200000",
         ">\r\n0\r\n\r\n"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    client.pause_recv = true;
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_OK);
    assert_int_equal(client.body.len, 200000);
    client_close(&client);
    server_stop(&server);
}

static void
test_pause_send(void **state)
{
    static const struct script script = {{"<", ">" OK3}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct server server;
        struct client client;

        server_start(&server, &script, 1);
        client_open(&client);

        struct fetch_request request = request_to(&server, "PUT");

        request.has_body = true;
        request.body_len = i == 0 ? 11 : -1;
        client.upload = "hello world";
        client.upload_step = 2;
        client.pause_send = true;
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_OK);
        assert_int_equal(client.uploaded, 11);
        assert_true(client.pauses >= 6);
        assert_memory_equal(client.body.data, "abc", 3);
        client_close(&client);
        server_stop(&server);
    }
}

static void
test_short_upload(void **state)
{
    static const struct script script = {{"<", ">" OK3}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "PUT");

    request.has_body = true;
    request.body_len = 11;
    client.upload = "hello world";
    client.upload_step = 4;
    client.upload_short = true;
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_CANCELLED);
    client_close(&client);
    server_stop(&server);
}

/* The server answers before the body is sent, and closes. */
static void
test_early_answer(void **state)
{
    static const struct script script = {
        {">HTTP/1.1 413 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
         "abc",
         "e"}};
    struct server server;
    struct client client;
    char *upload = malloc(4000001);

    (void)state;
    memset(upload, 'u', 4000000);
    upload[4000000] = '\0';
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "PUT");

    request.has_body = true;
    request.body_len = 4000000;
    client.upload = upload;
    run(&client, &request);
    /* It may have come before the request: then it is no answer to it. */
    if (client.result.err == ERR_OK) {
        assert_int_equal(client.status, 413);
        assert_true(client.uploaded < 4000000);
    } else {
        assert_int_equal(client.result.err, ERR_PROTOCOL);
    }
    client_close(&client);
    server_stop(&server);
    free(upload);
}

static void
test_body_refused(void **state)
{
    static const struct script script = {{"<", ">" OK3, "e"}};
    struct server server;
    struct client client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    client.body_error = ERR_NOMEM;
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_NOMEM);
    assert_string_equal(client.proxy_error, "proxy_internal_error");
    client_close(&client);
    server_stop(&server);
}

/* ---- cancelling ---- */

static void
test_cancel(void **state)
{
    static const struct script script = {
        {"<", ">HTTP/1.1 103 E\r\n\r\n" OK3, "e"}};

    (void)state;
    for (enum moment moment = AT_START; moment <= IN_DONE; moment++) {
        struct server server;
        struct client client;

        server_start(&server, &script, 1);
        client_open(&client);

        struct fetch_request request = request_to(&server, "PUT");

        request.has_body = true;
        request.body_len = 5;
        client.upload = "hello";
        client.cancel = moment;
        start(&client, &request);
        if (moment == AT_START)
            fetch_cancel(&client.fetch);
        run_until_idle(&client);
        assert_null(client.fetch);
        assert_int_equal(client.done, moment == IN_DONE);
        assert_int_equal(client.after_cancel, 0);
        client_close(&client);
        server_stop(&server);
    }
}

/* A pool goes away with fetches in every state. */
static void
test_pool_free(void **state)
{
    static const struct script script = {
        {"<", ">" R "Content-Length: 9\r\n\r\nabc", "e"}};
    struct server server;
    struct client client;
    struct client other = {0};

    (void)state;
    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    client.hold = true;
    start(&client, &request);
    loop_run(client.loop);
    other.loop = client.loop;
    other.fetch = fetch_start(client.pool, &request, &ops, &other);
    assert_int_equal(fetch_pool_active(client.pool), 2);
    client_close(&client);
    assert_false(client.done);
    assert_false(other.done);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause_recv),
        cmocka_unit_test(test_pause_chunked),
        cmocka_unit_test(test_pause_send),
        cmocka_unit_test(test_short_upload),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_body_refused),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_pool_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
