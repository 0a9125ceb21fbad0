/*
 * steps: an origin whose answers stop where a test wants them to.
 *
 *   steps --listen ADDR:PORT --dir DIR
 *
 * The N-th request for /NAME (from 1; a query is not looked at) is answered by
 * the file DIR/NAME.N, or else DIR/NAME.any; without either by a 500. When it
 * has come, its head is in DIR/NAME.N.came. The file is an answer, a line each
 * for the head, an empty line, and lines of a body, whose line ends are not
 * sent. Content-Length is added, unless the status has no body. Wherever a
 * line is "@wait WHAT", what follows waits until there is a file DIR/WHAT.go.
 * "@{Name}" is the value of that field of the request, or "nobody".
 *
 * Prints "ready". One thread a connection; for tests alone.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/span.h"

#define HEAD_MAX 65536
#define NAMES_MAX 1000
#define POLL_US 3000
#define WAIT_US 60000000

static const char *dir;

/* How often each name was asked for. */
static struct {
    pthread_mutex_t mutex;
    struct {
        char *name;
        unsigned times;
    } list[NAMES_MAX];
    size_t count;
} asked = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct request {
    struct buf text; /* the head */
    struct span method;
    char name[256];
    unsigned nth;
    size_t body; /* bytes that follow it */
};

static unsigned
count_name(const char *name)
{
    unsigned times = 0;

    pthread_mutex_lock(&asked.mutex);
    for (size_t i = 0; i < asked.count && times == 0; i++) {
        if (strcmp(asked.list[i].name, name) == 0)
            times = ++asked.list[i].times;
    }
    if (times == 0) {
        CHECK(asked.count < NAMES_MAX);
        asked.list[asked.count].name = mem_strdup(name);
        asked.list[asked.count++].times = times = 1;
    }
    pthread_mutex_unlock(&asked.mutex);
    return times;
}

/* ---- requests ---- */

static struct span
header(struct span head, const char *name)
{
    struct span line;

    while (span_split(&head, '\n', &line)) {
        size_t colon = span_find(line, ':', 0);

        if (span_eq_nocase(span_sub(line, 0, colon), span_of(name)))
            return span_trim(span_sub(line, colon + 1, line.len - 1));
    }
    return SPAN_NONE;
}

static void
parse(struct request *request)
{
    struct span head = buf_span(&request->text);
    size_t space = span_find(head, ' ', 0);
    struct span target = span_sub(head, space + 2, head.len);
    struct span length = header(head, "Content-Length");
    uint64_t bytes = 0;

    request->method = span_sub(head, 0, space);
    target = span_sub(target, 0, span_find(target, ' ', 0));
    target = span_sub(target, 0, span_find(target, '?', 0));
    snprintf(request->name, sizeof(request->name), "%.*s", SPAN_FMT(target));
    for (char *c = request->name; *c != '\0'; c++)
        *c = *c == '/' ? '-' : *c;
    if (length.ptr != NULL)
        CHECK(span_u64(length, SIZE_MAX, &bytes));
    request->body = (size_t)bytes;
    request->nth = count_name(request->name);
}

/* A byte at a time: nothing is read beyond the head. False: the end. */
static bool
read_head(int fd, struct request *request)
{
    char c;

    buf_clear(&request->text);
    while (request->text.len < HEAD_MAX) {
        if (recv(fd, &c, 1, 0) != 1)
            return false;
        buf_add_char(&request->text, c);
        if (request->text.len >= 4 &&
            memcmp(request->text.data + request->text.len - 4, "\r\n\r\n", 4) ==
                0) {
            parse(request);
            return true;
        }
    }
    return false;
}

static void
read_body(int fd, size_t left)
{
    char buffer[4096];
    ssize_t got = 1;

    while (left > 0 && got > 0) {
        got =
            recv(fd, buffer, left < sizeof(buffer) ? left : sizeof(buffer), 0);
        left -= got > 0 ? (size_t)got : 0;
    }
}

/* ---- files ---- */

static char *
path_of(const struct request *request, const char *end)
{
    return mem_printf("%s/%s.%u%s", dir, request->name, request->nth, end);
}

static void
tell_came(const struct request *request)
{
    char *path = path_of(request, ".came");
    char *new = mem_printf("%s.new", path);
    FILE *file = fopen(new, "we");

    CHECK(file != NULL);
    fwrite(request->text.data, 1, request->text.len, file);
    fclose(file);
    CHECK(rename(new, path) == 0);
    free(new);
    free(path);
}

static bool
read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    char buffer[4096];
    size_t got;

    if (file == NULL)
        return false;
    while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
        buf_add(out, buffer, got);
    fclose(file);
    return true;
}

/* "@{Name}" for the values of the request's fields. */
static void
fill_in(const struct request *request, struct span text, struct buf *out)
{
    while (text.len > 0) {
        size_t at = span_find(text, '@', 0);
        size_t end = span_find(text, '}', at);

        buf_add_span(out, span_sub(text, 0, at));
        text = span_sub(text, at, text.len);
        if (!span_starts(text, SPAN("@{"))) {
            buf_add_span(out, span_sub(text, 0, 1));
            text = span_sub(text, 1, text.len);
            continue;
        }
        char *name = mem_strndup(text.ptr + 2, end - at - 2);
        struct span value = header(buf_span(&request->text), name);

        buf_add_span(out, value.ptr != NULL ? value : SPAN("nobody"));
        text = span_sub(text, end - at + 1, text.len);
        free(name);
    }
}

static void
read_answer(const struct request *request, struct buf *out)
{
    char *own = path_of(request, "");
    char *any = mem_printf("%s/%s.any", dir, request->name);
    struct buf file = {0};

    if (!read_file(own, &file) && !read_file(any, &file))
        buf_add_text(&file, "HTTP/1.1 500 No Such Step\n\nno such step\n");
    fill_in(request, buf_span(&file), out);
    buf_fini(&file);
    free(own);
    free(any);
}

/* ---- answers ---- */

static void
wait_for(struct span what)
{
    char *path = mem_printf("%s/%.*s.go", dir, SPAN_FMT(what));

    for (int us = 0; us < WAIT_US && access(path, F_OK) != 0; us += POLL_US)
        usleep(POLL_US);
    free(path);
}

static bool
is_wait(struct span line, struct span *what)
{
    if (!span_starts(line, SPAN("@wait ")))
        return false;
    *what = span_trim(span_sub(line, 6, line.len));
    return true;
}

/* Bytes of the body, in the lines from `text` on. */
static size_t
body_length(struct span text)
{
    struct span line;
    struct span what;
    size_t len = 0;

    while (span_split(&text, '\n', &line))
        len += is_wait(line, &what) ? 0 : line.len;
    return len;
}

static void
send_all(int fd, struct span data)
{
    while (data.len > 0) {
        ssize_t sent = send(fd, data.ptr, data.len, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        data = span_sub(data, (size_t)sent, data.len);
    }
}

static bool
has_body(const struct request *request, struct span answer)
{
    struct span status = span_sub(answer, 9, 12);

    return !span_eq(request->method, SPAN("HEAD")) &&
           !span_eq(status, SPAN("204")) && !span_eq(status, SPAN("304"));
}

static void
answer(int fd, const struct request *request)
{
    struct buf file = {0};
    struct buf line_out = {0};
    struct span line;
    struct span what;
    bool in_body = false;
    bool body = true;
    bool first = true;

    read_answer(request, &file);
    struct span rest = buf_span(&file);

    while (span_split(&rest, '\n', &line)) {
        if (is_wait(line, &what)) {
            wait_for(what);
            continue;
        }
        if (first)
            body = has_body(request, line);
        first = false;
        buf_clear(&line_out);
        if (!in_body && line.len == 0 && body)
            buf_printf(&line_out, "Content-Length: %zu\r\n", body_length(rest));
        buf_add_span(&line_out, line);
        if (!in_body)
            buf_add_text(&line_out, "\r\n");
        if (!in_body || body)
            send_all(fd, buf_span(&line_out));
        in_body = in_body || line.len == 0;
    }
    buf_fini(&line_out);
    buf_fini(&file);
}

static void *
serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct request request = {0};

    while (read_head(fd, &request)) {
        read_body(fd, request.body);
        tell_came(&request);
        answer(fd, &request);
    }
    buf_fini(&request.text);
    close(fd);
    return NULL;
}

static void
on_term(int signal)
{
    (void)signal;
    _exit(0);
}

static int
listen_at(const char *text)
{
    struct addrinfo *info = address_resolve("steps", text);
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, info->ai_addr, info->ai_addrlen) != 0 ||
        listen(fd, 128) != 0) {
        perror("steps");
        exit(1);
    }
    freeaddrinfo(info);
    return fd;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"dir", required_argument, NULL, 'd'},
        {0},
    };
    const char *address = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'l')
            address = optarg;
        else if (option == 'd')
            dir = optarg;
        else
            return 2;
    }
    if (address == NULL || dir == NULL) {
        fprintf(stderr, "usage: steps --listen ADDR:PORT --dir DIR\n");
        return 2;
    }
    int fd = listen_at(address);

    signal(SIGTERM, on_term);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int client = accept(fd, NULL, NULL);
        pthread_t thread;

        if (client < 0)
            continue;
        CHECK(pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) ==
              0);
        pthread_detach(thread);
    }
}
