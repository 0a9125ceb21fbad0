/*
 * burst: opens N connections, sends one GET on each at the same moment, and
 * reads all answers.
 *
 *   burst [-n 1000] [-H "Name: value"]... [--timeout SECONDS] URL
 *
 * Prints one line of JSON: n, statuses (status to count), failed (connections
 * without a whole answer), bytes, distinct (bodies), connect_ms, and min_ms,
 * median_ms, p99_ms, max_ms from the moment to the end of an answer. Exit 0
 * when none failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "response.h"

#define CONNECTIONS_MAX 2000

struct client {
    int fd;
    bool connected;
    bool over;
    bool good;
    uint64_t end_ns;
    uint64_t bytes;
    XXH64_state_t *hash;
    struct response response;
};

struct burst {
    struct client *clients;
    size_t count;
    size_t waiting; /* for their connection, then for the end */
    int epoll;
    struct addrinfo *to;
    struct buf request;
    uint64_t deadline_ns;
};

static void
on_body(void *arg, const void *data, size_t len)
{
    struct client *c = arg;

    c->bytes += len;
    XXH64_update(c->hash, data, len);
}

static void
finish(struct burst *b, struct client *c, bool good)
{
    if (c->over)
        return;
    c->over = true;
    c->good = good;
    c->end_ns = clock_boot_ns();
    close(c->fd);
    b->waiting--;
}

static void
start_connect(struct burst *b, struct client *c)
{
    struct epoll_event event = {.events = EPOLLOUT, .data = {.ptr = c}};

    c->response.fn = on_body;
    c->response.arg = c;
    c->hash = XXH64_createState();
    XXH64_reset(c->hash, 0);
    c->fd = socket(b->to->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(c->fd >= 0);
    b->waiting++;
    if (connect(c->fd, b->to->ai_addr, b->to->ai_addrlen) != 0 &&
        errno != EINPROGRESS) {
        finish(b, c, false);
        return;
    }
    CHECK(epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0);
}

static void
on_connected(struct burst *b, struct client *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
    int error = 0;
    socklen_t len = sizeof(error);

    /* A server that closes at once: told again, and looked at later. */
    if (c->connected)
        return;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        finish(b, c, false);
        return;
    }
    c->connected = true;
    b->waiting--;
    CHECK(epoll_ctl(b->epoll, EPOLL_CTL_MOD, c->fd, &event) == 0);
}

static void
on_answer(struct burst *b, struct client *c)
{
    static char data[65536];
    ssize_t n = recv(c->fd, data, sizeof(data), 0);

    if (n > 0) {
        if (!response_feed(&c->response, data, (size_t)n))
            finish(b, c, c->response.state == RESPONSE_DONE);
    } else if (n == 0) {
        finish(b, c, response_end(&c->response));
    } else if (errno != EAGAIN && errno != EINTR) {
        finish(b, c, false);
    }
}

/* Until nobody waits, or time is up. */
static void
wait_all(struct burst *b, void (*fn)(struct burst *b, struct client *c))
{
    struct epoll_event events[256];

    while (b->waiting > 0 && clock_boot_ns() < b->deadline_ns) {
        int n = epoll_wait(b->epoll, events, 256, 100);

        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;

            if (!c->over)
                fn(b, c);
        }
    }
}

static uint64_t
fire(struct burst *b)
{
    uint64_t start = clock_boot_ns();

    for (size_t i = 0; i < b->count; i++) {
        struct client *c = &b->clients[i];

        if (c->over)
            continue;
        b->waiting++;
        if (!c->connected || send(c->fd, b->request.data, b->request.len,
                                  MSG_NOSIGNAL) != (ssize_t)b->request.len)
            finish(b, c, false);
    }
    return start;
}

/* ---- the result ---- */

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static size_t
distinct(uint64_t *list, size_t count)
{
    size_t kinds = 0;

    qsort(list, count, sizeof(*list), compare);
    for (size_t i = 0; i < count; i++)
        kinds += i == 0 || list[i] != list[i - 1];
    return kinds;
}

static double
ms_of(const uint64_t *times, size_t count, size_t permille)
{
    if (count == 0)
        return 0;
    return (double)times[(count - 1) * permille / 1000] / 1e6;
}

static bool
print(const struct burst *b, uint64_t start, double connect_ms)
{
    unsigned statuses[1000] = {0};
    uint64_t *times = mem_zalloc(b->count * sizeof(*times));
    uint64_t *hashes = mem_zalloc(b->count * sizeof(*hashes));
    uint64_t bytes = 0;
    size_t good = 0;
    const char *comma = "";

    for (size_t i = 0; i < b->count; i++) {
        const struct client *c = &b->clients[i];

        bytes += c->bytes;
        if (!c->good)
            continue;
        statuses[c->response.status % 1000]++;
        hashes[good] = XXH64_digest(c->hash);
        times[good++] = c->end_ns - start;
    }
    qsort(times, good, sizeof(*times), compare);
    printf("{\"n\": %zu, \"statuses\": {", b->count);
    for (int i = 0; i < 1000; i++) {
        if (statuses[i] == 0)
            continue;
        printf("%s\"%d\": %u", comma, i, statuses[i]);
        comma = ", ";
    }
    printf("}, \"failed\": %zu, \"bytes\": %llu, \"distinct\": %zu, "
           "\"connect_ms\": %.2f, \"min_ms\": %.2f, \"median_ms\": %.2f, "
           "\"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
           b->count - good, (unsigned long long)bytes, distinct(hashes, good),
           connect_ms, ms_of(times, good, 0), ms_of(times, good, 500),
           ms_of(times, good, 990), ms_of(times, good, 1000));
    free(times);
    free(hashes);
    return good == b->count;
}

/* ---- the command line ---- */

static int
usage(void)
{
    fputs("usage: burst [-n 1000] [-H \"Name: value\"]... [--timeout SECONDS] "
          "URL\n",
          stderr);
    return 2;
}

static bool
prepare(struct burst *b, const char *text, const struct buf *fields)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct url url;

    if (!url_parse(text, &url) ||
        getaddrinfo(url.host, url.port, &hints, &b->to) != 0) {
        fprintf(stderr, "burst: \"%s\": expected http://HOST:PORT/...\n", text);
        return false;
    }
    buf_printf(&b->request, "GET %s HTTP/1.1\r\n", url.target);
    if (fields->len == 0 || strcasestr(fields->data, "\nHost:") == NULL)
        buf_printf(&b->request, "Host: %s:%s\r\n", url.host, url.port);
    buf_printf(&b->request, "%s\r\n", fields->len == 0 ? "" : fields->data + 2);
    return true;
}

static bool
run(struct burst *b)
{
    uint64_t begin = clock_boot_ns();

    b->epoll = epoll_create1(0);
    b->clients = mem_zalloc(b->count * sizeof(*b->clients));
    for (size_t i = 0; i < b->count; i++)
        start_connect(b, &b->clients[i]);
    wait_all(b, on_connected);
    double connect_ms = (double)(clock_boot_ns() - begin) / 1e6;

    b->waiting = 0;
    uint64_t start = fire(b);

    wait_all(b, on_answer);
    for (size_t i = 0; i < b->count; i++)
        finish(b, &b->clients[i], false);
    bool good = print(b, start, connect_ms);

    for (size_t i = 0; i < b->count; i++)
        XXH64_freeState(b->clients[i].hash);
    free(b->clients);
    close(b->epoll);
    return good;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
    struct rlimit limit = {8192, 8192};
    struct burst b = {.count = 1000};
    struct buf fields = {0};
    unsigned long timeout = 60;
    int code;

    while ((code = getopt_long(argc, argv, "n:H:", options, NULL)) != -1) {
        if (code == 'n')
            b.count = strtoul(optarg, NULL, 10);
        else if (code == 't')
            timeout = strtoul(optarg, NULL, 10);
        else if (code == 'H')
            buf_printf(&fields, "%s%s\r\n", fields.len == 0 ? "\r\n" : "",
                       optarg);
        else
            return usage();
    }
    if (optind + 1 != argc || b.count == 0 || b.count > CONNECTIONS_MAX)
        return usage();
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    b.deadline_ns = clock_boot_ns() + timeout * NS_PER_S;
    bool good = prepare(&b, argv[optind], &fields) && run(&b);

    buf_fini(&fields);
    buf_fini(&b.request);
    if (b.to != NULL)
        freeaddrinfo(b.to);
    return good ? 0 : 1;
}
