/* Servers that mean ill, or are gone. Looks inside the pool where a moment
 * must be met that the clock would miss. */
#include <errno.h>
#include <uv.h>

#include "fetch/fetch_internal.h"
#include "fetch_client.h"

static struct upstream *
only_upstream(const struct client *client)
{
    return list_first(&client->pool->upstreams, struct upstream, link);
}

/* ---- surplus ---- */

/* A response comes with another behind it, while somebody waits for the
 * connection: that one must not get it. */
static void
test_surplus_and_crowd(void **state)
{
    static const struct script scripts[2] = {
        {{"<", ">" OK3, "?", ">" R "Content-Length: 4\r\n\r\nevil", "!", "e"}},
        {{"<", ">" R "Content-Length: 3\r\n\r\nnew"}}};
    struct server server;
    struct client client;
    struct client other = {0};

    (void)state;
    server_start(&server, scripts, 2);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    client.hold = true;
    start(&client, &request);
    loop_run(client.loop);
    assert_int_equal(client.pauses, 1);
    server_go(&server);
    server_wait(&server);
    /* As many as may have begun to connect in this millisecond. */
    only_upstream(&client)->turn_ms = uv_now(loop_uv(client.loop));
    only_upstream(&client)->begun = 1000;
    other.loop = client.loop;
    other.pool = client.pool;
    start(&other, &request);
    assert_int_equal(other.fetch->state, FETCH_WAITING);
    timer_stop(client.pool->turn_timer);
    client.hold = false;
    fetch_resume_recv(client.fetch);
    loop_run(client.loop);
    assert_true(client.done);
    assert_false(other.done);
    timer_start(client.pool->turn_timer, 0);
    loop_run(client.loop);
    assert_true(other.done);
    assert_int_equal(other.result.err, ERR_OK);
    assert_memory_equal(other.body.data, "new", 3);
    buf_fini(&other.body);
    client_close(&client);
    server_stop(&server);
}

/* What a 204 speaks of may come late: the connection is not used again. */
static void
check_no_content(const char *field, bool reused)
{
    char answer[128];
    const struct script scripts[2] = {{{"<", answer, "<", ">" OK3}},
                                      {{"<", ">" OK3}}};
    struct server server;
    struct client client;

    snprintf(answer, sizeof(answer), ">HTTP/1.1 204 No\r\n%s\r\n", field);
    server_start(&server, scripts, 2);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    run(&client, &request);
    assert_int_equal(client.result.err, ERR_OK);
    client_again(&client);
    run(&client, &request);
    assert_int_equal(client.result.err, ERR_OK);
    assert_int_equal(client.result.reused, reused);
    client_close(&client);
    server_stop(&server);
}

static void
test_no_content(void **state)
{
    (void)state;
    check_no_content("", true);
    check_no_content("Content-Length: 0\r\n", true);
    check_no_content("Content-Length: 40\r\n", false);
    check_no_content("Transfer-Encoding: chunked\r\n", false);
    check_no_content("Transfer-Encoding: odd\r\n", false);
}

/* ---- an upload that is refused ---- */

struct refused {
    struct client client;
    struct server *server;
};

static enum err
on_read_nothing(void *ctx, void *buffer, size_t max, size_t *len)
{
    struct refused *refused = ctx;

    (void)buffer;
    (void)max;
    *len = 0;
    server_go(refused->server);
    return ERR_AGAIN;
}

/* The client has nothing to send for a long time; the server refuses, and then
 * falls silent: that is the server's fault now. */
static void
test_refusal_stalls(void **state)
{
    static const struct fetch_ops waiting_ops = {on_interim, on_head, on_body,
                                                 on_read_nothing, on_done};
    static const struct script script = {
        {"?", ">HTTP/1.1 413 No\r\nContent-Length: 9\r\n\r\nabc", "e"}};
    struct server server;
    struct refused refused = {.server = &server};
    struct client *client = &refused.client;

    (void)state;
    server_start(&server, &script, 1);
    client_open(client);

    struct fetch_request request = request_to(&server, "PUT");

    request.has_body = true;
    request.body_len = 10;
    request.idle_timeout_ms = 50;
    request.total_timeout_ms = 5000;
    client->fetch = fetch_start(client->pool, &request, &waiting_ops, client);
    loop_run(client->loop);
    assert_true(client->done);
    assert_int_equal(client->status, 413);
    assert_int_equal(client->result.err, ERR_TIMEOUT);
    assert_string_equal(client->detail, "no byte of the body for 50 ms");
    client_close(client);
    server_stop(&server);
}

/* ---- an upload on a connection that dies ---- */

struct waiting {
    struct client client;
    struct server *server;
    unsigned asked;
};

static enum err
on_read_late(void *ctx, void *buffer, size_t max, size_t *len)
{
    struct waiting *waiting = ctx;

    if (++waiting->asked > 1)
        return on_read(ctx, buffer, max, len);
    server_go(waiting->server); /* which resets the kept connection */
    return ERR_AGAIN;
}

/* Who has paused is not asked again because the request is sent again, and
 * what it resumes meanwhile counts. */
static void
check_pause_lasts(bool while_connecting)
{
    static const struct fetch_ops late_ops = {on_interim, on_head, on_body,
                                              on_read_late, on_done};
    static const struct script scripts[2] = {{{"<", ">" OK3, "?", "r"}},
                                             {{"!", "<", ">" OK3}}};
    struct server server;
    struct waiting waiting = {.server = &server};
    struct client *client = &waiting.client;

    server_start(&server, scripts, 2);
    client_open(client);

    struct fetch_request request = request_to(&server, "PUT");

    request.idempotent = true;
    run(client, &request);
    client_again(client);
    request.has_body = true;
    request.body_len = 5;
    client->upload = "hello";
    client->fetch = fetch_start(client->pool, &request, &late_ops, client);
    while (client->fetch->state != FETCH_DIALING)
        uv_run(loop_uv(client->loop), UV_RUN_ONCE);
    if (while_connecting)
        fetch_resume_send(client->fetch);
    while (client->fetch->state == FETCH_DIALING)
        uv_run(loop_uv(client->loop), UV_RUN_ONCE);
    server_wait(&server);
    for (int i = 0; i < 3; i++)
        uv_run(loop_uv(client->loop), UV_RUN_NOWAIT);
    if (!while_connecting) {
        assert_int_equal(waiting.asked, 1);
        fetch_resume_send(client->fetch);
    }
    while (!client->done)
        uv_run(loop_uv(client->loop), UV_RUN_ONCE);
    assert_int_equal(client->result.err, ERR_OK);
    assert_int_equal(client->uploaded, 5);
    assert_int_equal(waiting.asked, 2);
    client_close(client);
    server_stop(&server);
}

static void
test_pause_lasts(void **state)
{
    (void)state;
    check_pause_lasts(false);
    check_pause_lasts(true);
}

/* ---- an address that is out of date ---- */

#define FILLERS 4

struct hole {
    int fd;
    int fillers[FILLERS];
    struct sockaddr_in address;
};

/* A port where connections are neither taken nor refused. */
static void
hole_open(struct hole *hole)
{
    socklen_t len = sizeof(hole->address);

    hole->address = (struct sockaddr_in){.sin_family = AF_INET};
    hole->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    hole->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(hole->fd, (struct sockaddr *)&hole->address, len) == 0);
    CHECK(listen(hole->fd, 0) == 0);
    CHECK(getsockname(hole->fd, (struct sockaddr *)&hole->address, &len) == 0);
    for (size_t i = 0; i < FILLERS; i++) {
        hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(hole->fillers[i], (struct sockaddr *)&hole->address, len))
            CHECK(errno == EINPROGRESS);
    }
}

static void
hole_close(struct hole *hole)
{
    for (size_t i = 0; i < FILLERS; i++)
        close(hole->fillers[i]);
    close(hole->fd);
}

/* Who has the time gets through all the same; who has not is the last to
 * meet the silence. */
static void
test_address_gone(void **state)
{
    static const struct script scripts[2] = {
        {{"<", ">" OK3, "e"}},
        {{"<", ">" R "Connection: close\r\nContent-Length: 3\r\n\r\nabc"}}};
    struct server server;
    struct client client;
    struct client other = {0};
    struct hole hole;

    (void)state;
    server_start(&server, scripts, 2);
    client_open(&client);
    hole_open(&hole);

    struct fetch_request request = request_to(&server, "GET");

    request.connect_timeout_ms = 5000;
    client.hold = true; /* keeps the server known */
    start(&client, &request);
    loop_run(client.loop);

    struct upstream *upstream = only_upstream(&client);

    assert_int_equal(upstream->address_len, sizeof(hole.address));
    for (int i = 0; i < 4; i++) {
        bool short_time = i == 2;

        if (i % 2 == 0)
            memcpy(&upstream->address, &hole.address, sizeof(hole.address));
        request.connect_timeout_ms = short_time ? 50 : 5000;
        other = (struct client){.loop = client.loop, .pool = client.pool};
        start(&other, &request);
        loop_run(client.loop);
        assert_true(other.done);
        assert_int_equal(other.result.err, short_time ? ERR_TIMEOUT : ERR_OK);
        buf_fini(&other.body);
    }
    client_close(&client);
    hole_close(&hole);
    server_stop(&server);
}

/* What makes libcurl throw a new connection away before we have seen it: it is
 * closed by the server while the loop stands still, for longer than libcurl
 * takes to look for such ones, and another fetch begins before its turn. */
struct standstill {
    struct post post;
    struct client client;
    struct client other;
    struct fetch_request request;
    struct timer *halt;
};

static void
begin_other(struct post *post)
{
    struct standstill *still = CONTAINER_OF(post, struct standstill, post);

    start(&still->other, &still->request);
}

static void
stand_still(void *arg)
{
    (void)arg;
    usleep(1100 * 1000);
}

static void
begin_first(void *arg)
{
    struct standstill *still = arg;

    still->post.fn = begin_other;
    loop_post(still->client.loop, &still->post);
    start(&still->client, &still->request);
    timer_start(still->halt, 0);
}

static void
test_closed_at_once(void **state)
{
    static const struct script scripts[1] = {{{"x"}}};
    struct standstill still = {0};
    struct server server;

    (void)state;
    server_start(&server, scripts, 1);
    client_open(&still.client);
    still.other =
        (struct client){.loop = still.client.loop, .pool = still.client.pool};
    still.request = request_to(&server, "POST");
    struct timer *first = timer_new(still.client.loop, begin_first, &still);
    still.halt = timer_new(still.client.loop, stand_still, NULL);

    timer_start(first, 0);
    while (!still.client.done || !still.other.done)
        loop_run(still.client.loop);
    assert_int_equal(still.client.result.err, ERR_RESET);
    assert_string_equal(still.client.proxy_error, "connection_terminated");
    timer_free(&first);
    timer_free(&still.halt);
    client_close(&still.client);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_surplus_and_crowd),
        cmocka_unit_test(test_no_content),
        cmocka_unit_test(test_refusal_stalls),
        cmocka_unit_test(test_pause_lasts),
        cmocka_unit_test(test_address_gone),
        cmocka_unit_test(test_closed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
