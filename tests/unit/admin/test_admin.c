/*
 * The operator's endpoints over real sockets: the loop runs on this thread,
 * the client is a thread that sends bytes and reads to the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/grace.h"
#include "base/loop.h"
#include "cluster/inval.h"
#include "cluster/stream.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "store/store.h"

#define TOKEN "sesame-1"
#define ALONE ""
/* Nobody listens on port 1. */
#define AWAY                                                                   \
    "\"site\":\"s1\",\"sites\":[{\"name\":\"s1\",\"redis\":\"127.0.0.1:1\"}]," \
    "\"secret\":\"sixteen-and-more\",\"advertise\":\"http://127.0.0.1:2\","
#define WITH_TOKEN "\"token\":\"" TOKEN "\","

struct rig {
    struct loop *loop;
    struct conf *conf;
    struct store *store;
    struct inval *inval;
    struct streams *streams;
    struct engine *engine;
    struct admin *admin;
    uint16_t port;
};

static struct conf *
load(const char *sites, const char *token)
{
    char path[] = "/tmp/atlas_admin_XXXXXX";
    struct conf_problems problems = {0};
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    dprintf(fd,
            "{\"node\":\"n\",%s\"listen\":[\"127.0.0.1:0\"],"
            "\"admin\":{%s\"listen\":\"127.0.0.1:0\"},"
            "\"origins\":{\"web\":{\"servers\":[\"http://127.0.0.1:1\"]}},"
            "\"routes\":[{\"name\":\"all\",\"origin\":\"web\"}]}",
            sites, token);
    close(fd);
    struct conf *conf = conf_load(path, &problems);

    conf_problems_print(&problems, stderr);
    conf_problems_fini(&problems);
    unlink(path);
    CHECK(conf != NULL);
    return conf;
}

static void
rig_begin(struct rig *rig, const char *sites, const char *token)
{
    char why[256];

    rig->loop = loop_new();
    rig->conf = load(sites, token);
    rig->store = store_new((size_t)1 << 20, 0);
    rig->inval = inval_new((size_t)16 << 20);
    rig->streams = streams_new(rig->loop, rig->conf, rig->inval,
                               &(struct streams_kept){0});
    rig->engine = engine_new(&(struct engine_parts){.store = rig->store,
                                                    .inval = rig->inval,
                                                    .streams = rig->streams},
                             rig->conf);
    rig->admin = admin_new(&(struct admin_parts){.loop = rig->loop,
                                                 .engine = rig->engine,
                                                 .store = rig->store,
                                                 .inval = rig->inval,
                                                 .streams = rig->streams},
                           rig->conf, why, sizeof(why));
    CHECK(rig->admin != NULL);
    rig->port = (uint16_t)atoi(strrchr(admin_address(rig->admin), ':') + 1);
}

/* In main's order: answers to purges may still come afterwards. */
static void
rig_end(struct rig *rig)
{
    admin_free(&rig->admin);
    engine_free(&rig->engine);
    streams_free(&rig->streams);
    store_free(&rig->store);
    inval_free(&rig->inval);
    grace_barrier();
    loop_free(&rig->loop);
    conf_unref(&rig->conf);
}

/* ---- the client ---- */

struct client {
    struct rig *rig;
    const struct span *requests;
    struct buf *answers; /* NULL: do not read them */
    size_t count;
};

static int
dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void
send_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* an early answer: it is read below */
        bytes = span_sub(bytes, (size_t)n, bytes.len);
    }
}

static void *
client_main(void *arg)
{
    struct client *client = arg;
    int fds[64];

    for (size_t i = 0; i < client->count; i++) {
        char chunk[4096];
        ssize_t n;

        fds[i] = dial(client->rig->port);
        send_all(fds[i], client->requests[i]);
        while (client->answers != NULL &&
               (n = recv(fds[i], chunk, sizeof(chunk), 0)) > 0)
            buf_add(&client->answers[i], chunk, (size_t)n);
    }
    loop_stop(client->rig->loop);
    /* Open until the node was told to end. */
    for (size_t i = 0; i < client->count; i++)
        close(fds[i]);
    return NULL;
}

static void
exchange(struct rig *rig, const struct span *requests, struct buf *answers,
         size_t count)
{
    struct client client = {rig, requests, answers, count};
    pthread_t thread;

    CHECK(count <= 64);
    CHECK(pthread_create(&thread, NULL, client_main, &client) == 0);
    loop_run(rig->loop);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* ---- tables of requests ---- */

struct row {
    const char *what;
    const char *head;    /* request line, and further fields */
    const char *body;    /* NULL: none */
    const char *want[4]; /* the status first; all in the answer */
};

#define AUTH "\r\nAuthorization: Bearer " TOKEN

static struct span
request_of(const struct row *row, struct buf *out)
{
    buf_printf(out, "%s\r\nHost: admin\r\nConnection: close\r\n", row->head);
    if (row->body != NULL)
        buf_printf(out, "Content-Length: %zu\r\n\r\n%s", strlen(row->body),
                   row->body);
    else
        buf_add_text(out, "\r\n");
    return buf_span(out);
}

static void
run_rows(struct rig *rig, const struct row *rows, size_t count)
{
    struct buf text[64] = {{0}};
    struct buf answers[64] = {{0}};
    struct span requests[64] = {{0}};

    for (size_t i = 0; i < count; i++)
        requests[i] = request_of(&rows[i], &text[i]);
    exchange(rig, requests, answers, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t w = 0; w < 4 && rows[i].want[w] != NULL; w++) {
            if (answers[i].len == 0 ||
                strstr(answers[i].data, rows[i].want[w]) == NULL)
                fail_msg("%s: no \"%s\" in: %s", rows[i].what, rows[i].want[w],
                         answers[i].len > 0 ? answers[i].data : "(nothing)");
        }
        buf_fini(&text[i]);
        buf_fini(&answers[i]);
    }
}

#define PURGE "POST /v1/purge HTTP/1.1" AUTH

static const struct row endpoint_rows[] = {
    {"the index", "GET / HTTP/1.1", NULL, {"HTTP/1.1 200", "/v1/explain"}},
    {"live", "GET /health/live HTTP/1.1", NULL, {"HTTP/1.1 200", "live"}},
    {"routable", "GET /health/routable HTTP/1.1", NULL, {"HTTP/1.1 200"}},
    {"in sync", "GET /health/sync HTTP/1.1", NULL, {"HTTP/1.1 200", "alone"}},
    {"metrics",
     "GET /metrics HTTP/1.1",
     NULL,
     {"HTTP/1.1 200", "text/plain; version=0.0.4", "atlas_store_bytes ",
      "atlas_origin_server_ejected{origin=\"web\""}},
    {"a head only",
     "HEAD /metrics HTTP/1.1",
     NULL,
     {"HTTP/1.1 200", "\r\n\r\n"}},
    {"the status",
     "GET /v1/status HTTP/1.1",
     NULL,
     {"HTTP/1.1 200", "application/json", "\"node\": \"n\"",
      "\"alone\": true"}},
    {"explain",
     "GET /v1/explain?url=http%3A%2F%2Fh.test%2Fa%3Fb=1 HTTP/1.1",
     NULL,
     {"HTTP/1.1 200", "\"text\":\"http://h.test/a?b=1\"",
      "\"verdict\":\"origin\""}},
    {"explain with fields and a method",
     "GET /v1/explain?url=http://h.test/a&method=POST&header=A:b&header=C%3ad "
     "HTTP/1.1",
     NULL,
     {"HTTP/1.1 200", "\"method\":\"POST\"", "\"verdict\":\"pass\""}},
    {"explain what?",
     "GET /v1/explain HTTP/1.1",
     NULL,
     {"HTTP/1.1 400", "problem+json", "is missing"}},
    {"explain no URL",
     "GET /v1/explain?url=x HTTP/1.1",
     NULL,
     {"HTTP/1.1 400", "problem+json"}},
    {"explain twice",
     "GET /v1/explain?url=http://a/&url=http://b/ HTTP/1.1",
     NULL,
     {"HTTP/1.1 400", "given twice"}},
    {"explain with a mistyped name",
     "GET /v1/explain?uri=http://a/ HTTP/1.1",
     NULL,
     {"HTTP/1.1 400", "no parameter", "uri"}},
    {"a field that is none",
     "GET /v1/explain?url=http://a/&header=nocolon HTTP/1.1",
     NULL,
     {"HTTP/1.1 400", "Name:value"}},
    {"a field with a line break",
     "GET /v1/explain?url=http://a/&header=A:b%0d%0aC:d HTTP/1.1",
     NULL,
     {"HTTP/1.1 400", "Name:value"}},
    {"no such endpoint",
     "GET /nope HTTP/1.1",
     NULL,
     {"HTTP/1.1 404", "/metrics", "POST /v1/purge"}},
    {"another method",
     "DELETE /metrics HTTP/1.1",
     NULL,
     {"HTTP/1.1 405", "Allow: GET, HEAD"}},
    {"GET of purge",
     "GET /v1/purge HTTP/1.1",
     NULL,
     {"HTTP/1.1 405", "Allow: POST"}},
    {"two lengths",
     "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0",
     NULL,
     {"HTTP/1.1 400"}},
};

static const struct row purge_rows[] = {
    {"no token",
     "POST /v1/purge HTTP/1.1",
     "{\"kind\":\"all\"}",
     {"HTTP/1.1 401", "WWW-Authenticate: Bearer", "problem+json"}},
    {"a wrong token",
     "POST /v1/purge HTTP/1.1\r\nAuthorization: Bearer sesame-2",
     "{\"kind\":\"all\"}",
     {"HTTP/1.1 401"}},
    {"a token twice", PURGE AUTH, "{\"kind\":\"all\"}", {"HTTP/1.1 401"}},
    {"all",
     PURGE,
     "{\"kind\":\"all\"}",
     {"HTTP/1.1 200", "\"applied\":true", "\"published\":false",
      "\"alone\":true"}},
    {"a URL",
     PURGE,
     "{\"kind\":\"url\",\"url\":\"http://h.test/a\"}",
     {"HTTP/1.1 200"}},
    {"a prefix in two parts",
     PURGE,
     "{\"kind\":\"prefix\",\"host\":\"h.test\",\"value\":\"/a\"}",
     {"HTTP/1.1 200"}},
    {"a tag, softly",
     PURGE,
     "{\"kind\":\"tag\",\"tag\":\"t\",\"soft\":true}",
     {"HTTP/1.1 200"}},
    {"a group",
     PURGE,
     "{\"kind\":\"group\",\"host\":\"h.test\",\"group\":\"g\"}",
     {"HTTP/1.1 200"}},
    {"a batch",
     PURGE,
     "{\"purges\":[{\"kind\":\"all\"},{\"kind\":\"host\",\"host\":\"a.b\"}]}",
     {"HTTP/1.1 200", "\"purges\":2", "\"applied\":2", "\"failed\":0"}},
    {"no body", PURGE, "", {"HTTP/1.1 400", "no JSON"}},
    {"no JSON", PURGE, "{kind: all}", {"HTTP/1.1 400", "line 1"}},
    {"an unknown member",
     PURGE,
     "{\"kind\":\"all\",\"sfot\":true}",
     {"HTTP/1.1 400", "sfot", "soft"}},
    {"a bad one in a batch",
     PURGE,
     "{\"purges\":[{\"kind\":\"all\"},{\"kind\":\"host\"}]}",
     {"HTTP/1.1 400", "$.purges[1].host: missing"}},
};

static void
test_endpoints(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, ALONE, WITH_TOKEN);
    run_rows(&rig, endpoint_rows, ARRAY_LEN(endpoint_rows));
    rig_end(&rig);
}

static void
test_purges(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig, ALONE, WITH_TOKEN);
    run_rows(&rig, purge_rows, ARRAY_LEN(purge_rows));
    /* all, URL, prefix, tag, group, and two of the batch: no other came in. */
    assert_int_equal(inval_seq(rig.inval), 1 + 7);
    rig_end(&rig);
}

/* The own site's Redis is away: applied here, and the caller hears that it
 * must repeat it. */
static void
test_not_published(void **state)
{
    static const struct row rows[] = {
        {"one",
         PURGE,
         "{\"kind\":\"all\"}",
         {"HTTP/1.1 503", "problem+json", "\"applied\":true", "repeat"}},
        {"a batch",
         PURGE,
         "{\"purges\":[{\"kind\":\"all\"},{\"kind\":\"all\"}]}",
         {"HTTP/1.1 503", "\"failed\":2", "\"published\":0",
          "2 of 2 were not published"}},
        {"not in sync",
         "GET /health/sync HTTP/1.1",
         NULL,
         {"HTTP/1.1 503", "site s1: not read yet"}},
    };
    struct rig rig;

    (void)state;
    rig_begin(&rig, AWAY, WITH_TOKEN);
    run_rows(&rig, rows, ARRAY_LEN(rows));
    rig_end(&rig);
}

static void
test_no_token(void **state)
{
    static const struct row rows[] = {
        {"nothing configured",
         PURGE,
         "{\"kind\":\"all\"}",
         {"HTTP/1.1 403", "admin.token_file"}},
        {"an empty token",
         "POST /v1/purge HTTP/1.1\r\nAuthorization: Bearer ",
         "{}",
         {"HTTP/1.1 403"}},
    };
    static const struct row later[] = {
        {"after a reload", PURGE, "{\"kind\":\"all\"}", {"HTTP/1.1 200"}},
        {"draining", "GET /health/routable HTTP/1.1", NULL, {"HTTP/1.1 503"}},
        {"but live", "GET /health/live HTTP/1.1", NULL, {"HTTP/1.1 200"}},
    };
    struct rig rig;

    (void)state;
    rig_begin(&rig, ALONE, "");
    run_rows(&rig, rows, ARRAY_LEN(rows));
    struct conf *conf = load(ALONE, WITH_TOKEN);

    admin_configure(rig.admin, conf);
    conf_unref(&conf);
    admin_set_draining(rig.admin, true);
    run_rows(&rig, later, ARRAY_LEN(later));
    rig_end(&rig);
}

static void
test_too_large(void **state)
{
    struct rig rig;
    struct buf request = {0};
    struct buf answer = {0};
    size_t size = (size_t)5 * 1024 * 1024;

    (void)state;
    buf_printf(&request,
               PURGE "\r\nHost: a\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n",
               size);
    buf_reserve(&request, size);
    memset(request.data + request.len, ' ', size);
    request.len += size;
    struct span bytes = buf_span(&request);

    rig_begin(&rig, ALONE, WITH_TOKEN);
    exchange(&rig, &bytes, &answer, 1);
    assert_non_null(strstr(answer.data, "HTTP/1.1 413"));
    assert_non_null(strstr(answer.data, "4 MiB"));
    rig_end(&rig);
    buf_fini(&request);
    buf_fini(&answer);
}

static void
add_batch(struct buf *request, size_t count)
{
    struct buf body = {0};

    buf_add_text(&body, "{\"purges\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&body, "%s{\"kind\":\"url\",\"url\":\"http://h.test/%zu\"}",
                   i > 0 ? "," : "", i);
    buf_add_text(&body, "]}");
    buf_printf(request,
               PURGE "\r\nHost: a\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
               body.len, body.data);
    buf_fini(&body);
}

static void
test_batches(void **state)
{
    static const struct {
        size_t count;
        const char *want;
    } rows[] = {
        {256, "\"applied\":256,"},
        {257, "\"applied\":257,"},
        {10000, "\"applied\":10000,"},
        {10001, "1 to 10000 purges"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf request = {0};
        struct buf answer = {0};
        struct rig rig;

        add_batch(&request, rows[i].count);
        struct span bytes = buf_span(&request);

        rig_begin(&rig, ALONE, WITH_TOKEN);
        exchange(&rig, &bytes, &answer, 1);
        if (strstr(answer.data, rows[i].want) == NULL)
            fail_msg("%zu: %.200s", rows[i].count, answer.data);
        rig_end(&rig);
        buf_fini(&request);
        buf_fini(&answer);
    }
}

/* The node ends at any point of a purge that is under way. */
static void
test_cut(void **state)
{
    struct buf request = {0};

    (void)state;
    add_batch(&request, 3000);
    struct span requests[3] = {buf_span(&request), buf_span(&request),
                               buf_span(&request)};

    for (int i = 0; i < 20; i++) {
        struct rig rig;

        rig_begin(&rig, i % 2 == 0 ? ALONE : AWAY, WITH_TOKEN);
        exchange(&rig, requests, NULL, 3);
        rig_end(&rig);
    }
    buf_fini(&request);
}

static void
test_promtool(void **state)
{
    static const char head[] =
        "GET /metrics HTTP/1.0\r\nConnection: close\r\n\r\n";
    struct span bytes = {head, sizeof(head) - 1};
    struct buf answer = {0};
    struct rig rig;

    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    rig_begin(&rig, AWAY, WITH_TOKEN);
    exchange(&rig, &bytes, &answer, 1);
    rig_end(&rig);
    const char *body = strstr(answer.data, "\r\n\r\n");

    assert_non_null(body);
    FILE *tool = popen("promtool check metrics >&2", "w");

    assert_non_null(tool);
    fputs(body + 4, tool);
    assert_int_equal(pclose(tool), 0);
    buf_fini(&answer);
}

static void
test_listen(void **state)
{
    struct rig first;
    char text[160];
    char why[256];

    (void)state;
    rig_begin(&first, ALONE, "");
    struct conf copy = *first.conf;

    snprintf(text, sizeof(text), "%s", admin_address(first.admin));
    copy.admin.listen = text;
    assert_null(admin_new(&(struct admin_parts){.loop = first.loop,
                                                .engine = first.engine,
                                                .store = first.store,
                                                .inval = first.inval,
                                                .streams = first.streams},
                          &copy, why, sizeof(why)));
    assert_non_null(strstr(why, "choose another port"));
    assert_non_null(strstr(why, text));
    rig_end(&first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints),     cmocka_unit_test(test_purges),
        cmocka_unit_test(test_not_published), cmocka_unit_test(test_no_token),
        cmocka_unit_test(test_too_large),     cmocka_unit_test(test_batches),
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_promtool),
        cmocka_unit_test(test_listen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
