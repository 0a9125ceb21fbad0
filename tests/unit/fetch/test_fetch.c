#include "fetch_client.h"

/* ---- responses ---- */

struct response_case {
    const char *name;
    const char *method;
    const char *reply;
    enum err err;
    unsigned status;
    const char *body;
    const char *proxy_error;
};

static const struct response_case responses[] = {
    {"length", "GET", OK3, ERR_OK, 200, "abc", ""},
    {"chunked", "GET",
     R "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
     ERR_OK, 200, "abc", ""},
    {"until close", "GET", R "\r\nabc", ERR_OK, 200, "abc", ""},
    {"http/1.0", "GET", "HTTP/1.0 404 No\r\n\r\nabc", ERR_OK, 404, "abc", ""},
    {"no reason", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ERR_OK,
     200, "", ""},
    {"gzip untouched", "GET",
     R "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", ERR_OK, 200,
     "abc", ""},
    {"redirect not followed", "GET",
     "HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", ERR_OK, 302,
     "", ""},
    {"head", "HEAD", R "Content-Length: 300\r\n\r\n", ERR_OK, 200, "", ""},
    {"304", "GET", "HTTP/1.1 304 NM\r\nContent-Length: 9\r\n\r\n", ERR_OK, 304,
     "", ""},
    {"204", "GET", "HTTP/1.1 204 NC\r\n\r\n", ERR_OK, 204, "", ""},
    {"interims", "GET",
     "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n" OK3, ERR_OK, 200,
     "abc", ""},
    /* Lengths that curl forgives. */
    {"two lengths", "GET",
     R "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", ERR_PROTOCOL, 0,
     "", "http_protocol_error"},
    {"same length twice", "GET",
     R "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"length list", "GET", R "Content-Length: 3, 3\r\n\r\nabc", ERR_PROTOCOL, 0,
     "", "http_protocol_error"},
    {"length +3", "GET", R "Content-Length: +3\r\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"length 3a", "GET", R "Content-Length: 3a\r\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"length 0x3", "GET", R "Content-Length: 0x3\r\n\r\nabc", ERR_PROTOCOL, 0,
     "", "http_protocol_error"},
    {"length huge", "GET", R "Content-Length: 99999999999999999999\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"length negative", "GET", R "Content-Length: -3\r\n\r\nabc", ERR_PROTOCOL,
     0, "", "http_protocol_error"},
    {"length empty", "GET", R "Content-Length:\r\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"both", "GET",
     R "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\nabc\r\n0\r\n\r\n",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"gzip, chunked", "GET",
     R "Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     ERR_PROTOCOL, 0, "", NULL},
    {"identity", "GET",
     R "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", NULL},
    {"xchunked", "GET", R "Transfer-Encoding: xchunked\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", NULL},
    {"two codings", "GET",
     R "Transfer-Encoding: junk\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\nabc\r\n0\r\n\r\n",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"foreign coding and a length", "GET",
     R "Transfer-Encoding: junk\r\nContent-Length: 3\r\n\r\nabc", ERR_PROTOCOL,
     0, "", "http_protocol_error"},
    {"gzip alone", "GET", R "Transfer-Encoding: gzip\r\n\r\nabc", ERR_PROTOCOL,
     0, "", "http_protocol_error"},
    {"foreign coding", "GET", R "Transfer-Encoding: junk\r\n\r\nabc", ERR_OK,
     200, "abc", ""},
    {"chunked in 1.0", "GET",
     "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
     "\r\n",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"space before colon", "GET", R "Content-Length : 3\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"te space before colon", "GET",
     R "Transfer-Encoding : chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ERR_PROTOCOL,
     0, "", "http_protocol_error"},
    {"folded", "GET",
     R "Transfer-Encoding:\r\n chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     ERR_PROTOCOL, 0, "", NULL},
    {"folded value", "GET", R "X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    /* Lines that curl forgives. */
    {"bare lf", "GET", R "Content-Length: 3\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"bare lf at the end", "GET", R "Content-Length: 3\r\n\nabc", ERR_PROTOCOL,
     0, "", "http_protocol_error"},
    {"bare cr", "GET", R "X: a\rb\r\nContent-Length: 3\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"control character", "GET", R "X: a\001b\r\nContent-Length: 3\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"no name", "GET", R ": x\r\nContent-Length: 3\r\n\r\nabc", ERR_PROTOCOL, 0,
     "", "http_protocol_error"},
    {"bad name", "GET", R "X(: x\r\nContent-Length: 3\r\n\r\nabc", ERR_PROTOCOL,
     0, "", "http_protocol_error"},
    {"no colon", "GET", R "X\r\nContent-Length: 3\r\n\r\nabc", ERR_PROTOCOL, 0,
     "", "http_protocol_error"},
    {"http/2", "GET", "HTTP/2 200\r\nContent-Length: 3\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"http/1.2", "GET", "HTTP/1.2 200\r\nContent-Length: 3\r\n\r\nabc",
     ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"http/0.9", "GET", "hello", ERR_PROTOCOL, 0, "", "http_protocol_error"},
    {"icy", "GET", "ICY 200 OK\r\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"status 099", "GET", "HTTP/1.1 099 X\r\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"status 600", "GET", "HTTP/1.1 600 X\r\n\r\nabc", ERR_PROTOCOL, 0, "",
     "http_protocol_error"},
    {"101", "GET", "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\nabc", ERR_PROTOCOL, 0,
     "", "http_protocol_error"},
    /* Cut off. */
    {"nothing", "GET", "", ERR_RESET, 0, "", "connection_terminated"},
    {"half a status line", "GET", "HTTP/1.1 20", ERR_RESET, 0, "", NULL},
    {"half a head", "GET", R "Content-Length: 3\r\n", ERR_RESET, 0, "",
     "http_response_incomplete"},
    {"short body", "GET", R "Content-Length: 5\r\n\r\nabc", ERR_RESET, 200,
     "abc", "http_response_incomplete"},
    {"short chunk", "GET", R "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
     ERR_RESET, 200, "abc", "http_response_incomplete"},
    {"no last chunk", "GET", R "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
     ERR_RESET, 200, "abc", "http_response_incomplete"},
    {"bad chunk", "GET",
     R "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nabc\r\n",
     ERR_PROTOCOL, 200, NULL, "http_response_transfer_coding"},
    {"bad chunk end", "GET",
     R "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
     ERR_PROTOCOL, 200, NULL, "http_response_transfer_coding"},
};

static void
check_response(const struct response_case *c)
{
    char *reply = malloc(strlen(c->reply) + 2);
    struct server server;
    struct client client;

    sprintf(reply, ">%s", c->reply);

    const struct script script = {{"<", reply, "x"}};

    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, c->method);

    request.idempotent = false;
    run(&client, &request);
    if (client.result.err != c->err || client.status != c->status ||
        (c->body != NULL &&
         (client.body.len != strlen(c->body) ||
          memcmp(client.body.data == NULL ? "" : client.body.data, c->body,
                 client.body.len) != 0)) ||
        (c->proxy_error != NULL &&
         strcmp(client.proxy_error, c->proxy_error) != 0))
        fail_msg("%s: got %s (%s: %s), status %u, body \"%s\"", c->name,
                 err_name(client.result.err), client.proxy_error, client.detail,
                 client.status, client.body.data);
    assert_int_equal(client.result.body_bytes, client.body.len);
    assert_true((client.proxy_error[0] == '\0') == (c->err == ERR_OK));
    client_close(&client);
    server_stop(&server);
    free(reply);
}

static void
test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(responses); i++)
        check_response(&responses[i]);
}

/* A reply that is made, of too much of something. */
static void
check_excess(const char *unit, size_t count, const char *proxy_error)
{
    struct buf reply = {0};
    struct server server;
    struct client client;

    buf_add_text(&reply, ">");
    if (strncmp(unit, "HTTP", 4) != 0)
        buf_add_text(&reply, R);
    for (size_t i = 0; i < count; i++)
        buf_add_text(&reply, unit);
    buf_add_text(&reply, "\r\n");

    const struct script script = {{"<", reply.data, "e"}};

    server_start(&server, &script, 1);
    client_open(&client);

    struct fetch_request request = request_to(&server, "GET");

    run(&client, &request);
    assert_int_equal(client.result.err, ERR_PROTOCOL);
    assert_string_equal(client.proxy_error, proxy_error);
    assert_int_equal(client.heads, 0);
    assert_true(client.interims <= 20);
    client_close(&client);
    server_stop(&server);
    buf_fini(&reply);
}

static void
test_excess(void **state)
{
    char *line = malloc(120001);

    (void)state;
    check_excess("X: y\r\n", 201, "http_response_header_section_size");
    check_excess("HTTP/1.1 102 P\r\n\r\n", 21,
                 "http_response_header_section_size");
    for (size_t len = 40000; len <= 120000; len += 40000) {
        memset(line, 'a', len);
        line[1] = ':';
        memcpy(line + len - 2, "\r\n", 3);
        check_excess(line, 3, "http_response_header_section_size");
    }
    free(line);
}

/* ---- requests ---- */

struct request_case {
    const char *name;
    const char *method;
    const char *upload;
    int64_t body_len; /* with upload */
    const char *want; /* the whole request */
};

static const struct request_case requests[] = {
    {"get", "GET", NULL, 0,
     "GET /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n\r\n"},
    {"head", "HEAD", NULL, 0,
     "HEAD /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n\r\n"},
    {"delete", "DELETE", NULL, 0,
     "DELETE /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n\r\n"},
    {"empty post", "POST", NULL, 0,
     "POST /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n"
     "Content-Length: 0\r\n\r\n"},
    {"empty put", "PUT", "", 0,
     "PUT /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n"
     "Content-Length: 0\r\n\r\n"},
    {"put", "PUT", "hello", 5,
     "PUT /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n"
     "Content-Length: 5\r\n\r\nhello"},
    {"chunked post", "POST", "hello", -1,
     "POST /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n"
     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    {"never more than said", "PUT", "hello world", 5,
     "PUT /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n"
     "Content-Length: 5\r\n\r\nhello"},
    {"get with a body", "GET", "hello", 5,
     "GET /a/../b?c=%41 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nVia: v\r\n"
     "Content-Length: 5\r\n\r\nhello"},
};

/* Without the order of fields, which is curl's: each line must be there, and
 * no other. */
static void
compare_request(const char *name, const char *got, const char *want)
{
    const char *line = want;

    if (strlen(got) != strlen(want))
        fail_msg("%s: got\n%s", name, got);
    while (*line != '\0') {
        const char *end = strstr(line, "\r\n");
        size_t len = end == NULL ? strlen(line) : (size_t)(end - line) + 2;
        char *text = strndup(line, len);

        if (strstr(got, text) == NULL)
            fail_msg("%s: no \"%s\" in\n%s", name, text, got);
        free(text);
        line += len;
    }
}

static void
test_requests(void **state)
{
    static const struct script script = {{"<", ">" R "Content-Length: 0\r\n"
                                               "\r\n"}};
    struct fields fields = {0};

    (void)state;
    fields_add(&fields, SPAN("Host"), SPAN("x"));
    fields_add(&fields, SPAN("Empty"), SPAN(""));
    fields_add(&fields, SPAN("Via"), SPAN("v"));
    fields_add(&fields, SPAN("content-length"), SPAN("7"));
    fields_add(&fields, SPAN("Transfer-Encoding"), SPAN("chunked"));
    fields_add(&fields, SPAN("Connection"), SPAN("close"));
    fields_add(&fields, SPAN("Expect"), SPAN("100-continue"));
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        const struct request_case *c = &requests[i];
        struct server server;
        struct client client;

        server_start(&server, &script, 1);
        client_open(&client);

        struct fetch_request request = request_to(&server, c->method);

        request.fields = &fields;
        request.has_body = c->upload != NULL;
        request.body_len = c->body_len;
        client.upload = c->upload;
        run(&client, &request);
        if (client.result.err != ERR_OK)
            fail_msg("%s: %s", c->name, client.detail);
        compare_request(c->name, server.log.data, c->want);
        client_close(&client);
        server_stop(&server);
    }
    fields_fini(&fields);
}

static void
test_injection(void **state)
{
    static const struct {
        const char *method, *base, *target, *name, *value;
    } cases[] = {
        {"G T", "http://127.0.0.1:1", "/", "a", "b"},
        {"GET", "ftp://127.0.0.1:1", "/", "a", "b"},
        {"GET", "http://127.0.0.1:1/x", "/", "a", "b"},
        {"GET", "http://u@127.0.0.1:1", "/", "a", "b"},
        {"GET", "http://127.0.0.1:1", "/ HTTP/1.1\r\nX: y", "a", "b"},
        {"GET", "http://127.0.0.1:1", "http://x/", "a", "b"},
        {"GET", "http://127.0.0.1:1", "", "a", "b"},
        {"GET", "http://127.0.0.1:1", "/", "a ", "b"},
        {"GET", "http://127.0.0.1:1", "/", "a", "b\r\nX: y"},
    };
    struct client client;

    (void)state;
    client_open(&client);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct field field = {span_of(cases[i].name), span_of(cases[i].value)};
        struct fields fields = {&field, 1, 0};
        struct fetch_request request = {.method = span_of(cases[i].method),
                                        .url_base = span_of(cases[i].base),
                                        .target = span_of(cases[i].target),
                                        .fields = &fields};

        client_again(&client);
        run(&client, &request);
        assert_int_equal(client.result.err, ERR_PROTOCOL);
        assert_string_equal(client.proxy_error, "http_request_error");
        assert_false(client.result.connected);
    }
    client_close(&client);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_excess),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_injection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
