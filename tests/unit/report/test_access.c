/* The lines of the access log, byte for byte but for the time. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"
#include "report/access.h"

/* Writes the records as a worker would, and gives what is in the file then. */
static char *
written(const struct access_record *records, size_t count, size_t times)
{
    char path[] = "/tmp/access-XXXXXX";
    enum err err;
    struct buf text = {0};
    char block[4096];
    size_t n;

    close(mkstemp(path));
    struct access_log *log = access_log_new(path, &err);
    struct loop *loop = loop_new();
    struct access_lines *lines = access_lines_new(log, loop);

    for (size_t t = 0; t < times; t++) {
        for (size_t i = 0; i < count; i++)
            access_write(lines, &records[i]);
    }
    access_lines_free(&lines);
    loop_free(&loop);
    access_log_free(&log);
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    while ((n = fread(block, 1, sizeof(block), file)) > 0)
        buf_add(&text, block, n);
    fclose(file);
    unlink(path);
    return buf_steal(&text);
}

static void
test_line(void **state)
{
    struct sockaddr_in six_or_four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    const struct {
        const char *what;
        struct access_record record;
        const char *want; /* behind the time */
    } cases[] = {
        {"a hit",
         {.client = (const struct sockaddr *)&six_or_four,
          .method = SPAN("GET"),
          .host = SPAN("example.com"),
          .target = SPAN("/a?b=c"),
          .status = 200,
          .body_bytes = 1024,
          .duration_us = 87,
          .first_byte_us = 9,
          .cache = "hit",
          .why = "",
          .route = "default",
          .upstream = "",
          .error = "",
          .complete = true},
         "\"client\":\"127.0.20.255\",\"method\":\"GET\","
         "\"host\":\"example.com\",\"target\":\"/a?b=c\",\"status\":200,"
         "\"bytes\":1024,\"us\":87,\"first_byte_us\":9,\"cache\":\"hit\","
         "\"why\":\"\",\"route\":\"default\",\"upstream\":\"\","
         "\"error\":\"\",\"complete\":true}\n"},
        {"what a client may send",
         {.client = (const struct sockaddr *)&six,
          .method = SPAN("GET"),
          .target = SPAN("/\"\\\x01\xff\xc3\xa9/"),
          .body_bytes = UINT64_MAX,
          .cache = "error",
          .why = "",
          .route = "",
          .upstream = "",
          .error = "http_request_error"},
         "\"client\":\"::1\",\"method\":\"GET\",\"host\":\"\","
         "\"target\":\"/\\\"\\\\\\u0001\\u00ff\xc3\xa9/\",\"status\":0,"
         "\"bytes\":18446744073709551615,\"us\":0,\"first_byte_us\":0,"
         "\"cache\":\"error\",\"why\":\"\",\"route\":\"\","
         "\"upstream\":\"\",\"error\":\"http_request_error\","
         "\"complete\":false}\n"},
        {"nobody known",
         {.cache = "", .why = "", .route = "", .upstream = "", .error = ""},
         "\"client\":\"\",\"method\":\"\",\"host\":\"\",\"target\":\"\","
         "\"status\":0,\"bytes\":0,\"us\":0,\"first_byte_us\":0,"
         "\"cache\":\"\",\"why\":\"\",\"route\":\"\",\"upstream\":\"\","
         "\"error\":\"\",\"complete\":false}\n"},
    };

    (void)state;
    six_or_four.sin_addr.s_addr = htonl(0x7f0014ff);
    six.sin6_addr = in6addr_loopback;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = written(&cases[i].record, 1, 1);
        const char *rest = strstr(text, "Z\",");

        print_message("%s\n", cases[i].what);
        assert_int_equal(strncmp(text, "{\"time\":\"20", 11), 0);
        assert_non_null(rest);
        assert_int_equal(rest - text,
                         strlen("{\"time\":\"2026-01-01T00:00:00.000"));
        assert_string_equal(rest + 3, cases[i].want);
        free(text);
    }
}

/* Every byte, and lines of which few fit on a page, make lines of JSON. */
static void
test_hostile(void **state)
{
    enum { LEN = 20000 };
    char *target = mem_alloc(LEN);

    (void)state;
    for (size_t i = 0; i < LEN; i++)
        target[i] = (char)(i < 10000 ? i * 7 : 1);
    struct access_record record = {
        .target = {target, LEN},
        .cache = "",
        .why = "",
        .route = "",
        .upstream = "",
        .error = "",
    };
    char *text = written(&record, 1, 4);
    const char *line = text;
    size_t lines = 0;

    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *json =
            json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);

        assert_non_null(json);
        assert_non_null(json_object_get(json, "complete"));
        json_decref(json);
        lines++;
    }
    assert_int_equal(lines, 4);
    free(text);
    free(target);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
