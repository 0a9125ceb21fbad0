/*
 * slowclient: an HTTP client that reads (or sends) slowly, and checks what it
 * reads.
 *
 *   slowclient [options] URL
 *     -n COUNT             connections at the same time (1)
 *     --rate BYTES         a second, of each (as fast as it goes)
 *     --abort-after BYTES  reset the connection when so much body was read
 *     -H "Name: value"     repeatable
 *     --pattern SEED       the body must be the origin's generated content
 *                          (/_test/bytes/N?version=SEED), from the first byte
 *                          of its Content-Range
 *     --upload BYTES       PUT so much generated content (of seed 0)
 *     --chunked            the upload does not tell its length
 *     --timeout SECONDS    without a byte (60)
 *
 * Prints a line of JSON for each connection: status, bytes, xxh64, seconds,
 * first_byte_s, max_gap_s (between two reads that gave something), whole,
 * error; with --upload also sent and sent_xxh64. Exit 0 when all were whole
 * (or aborted by --abort-after) and as they had to be.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "../../origin/pattern.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "response.h"

#define CONNECTIONS_MAX 2000
#define BLOCK 16384

static struct {
    size_t count;
    uint64_t rate;
    uint64_t abort_after; /* UINT64_MAX: never */
    bool check;
    uint64_t seed;
    bool upload;
    bool chunked;
    uint64_t upload_len;
    unsigned long timeout_s;
    struct addrinfo *to;
    struct buf request;
} set = {.count = 1, .abort_after = UINT64_MAX, .timeout_s = 60};

struct client {
    pthread_t thread;
    int fd;
    struct response response;
    XXH64_state_t *hash;
    uint64_t bytes;
    uint64_t sent;
    uint64_t sent_hash;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t max_gap_ns;
    bool aborted;
    char error[128];
};

static void
fail(struct client *c, const char *what)
{
    if (c->error[0] == '\0')
        snprintf(c->error, sizeof(c->error), "%s", what);
}

/* Waits until `bytes` may have been moved since `since_ns`. */
static void
pace(uint64_t since_ns, uint64_t bytes)
{
    if (set.rate == 0)
        return;
    uint64_t due = since_ns + (uint64_t)((double)bytes / (double)set.rate *
                                         (double)NS_PER_S);
    uint64_t now = clock_boot_ns();

    if (due <= now)
        return;
    struct timespec wait = {(time_t)((due - now) / NS_PER_S),
                            (long)((due - now) % NS_PER_S)};

    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        ;
}

/* ---- sending ---- */

static bool
send_all(struct client *c, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail(c, strerror(errno));
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool
send_block(struct client *c, const char *block, size_t len)
{
    char line[32];
    int n = snprintf(line, sizeof(line), "%zx\r\n", len);

    if (!set.chunked)
        return send_all(c, block, len);
    return send_all(c, line, (size_t)n) && send_all(c, block, len) &&
           send_all(c, "\r\n", 2);
}

static bool
upload(struct client *c)
{
    XXH64_state_t *hash = XXH64_createState();
    uint64_t begin = clock_boot_ns();
    char block[BLOCK];
    bool good = true;

    XXH64_reset(hash, 0);
    while (good && c->sent < set.upload_len) {
        uint64_t left = set.upload_len - c->sent;
        size_t len = left < BLOCK ? (size_t)left : BLOCK;

        pattern_fill(0, c->sent, block, len);
        good = send_block(c, block, len);
        XXH64_update(hash, block, len);
        c->sent += len;
        pace(begin, c->sent);
    }
    if (good && set.chunked)
        good = send_all(c, "0\r\n\r\n", 5);
    c->sent_hash = XXH64_digest(hash);
    XXH64_freeState(hash);
    return good;
}

/* ---- reading ---- */

static void
on_body(void *arg, const void *data, size_t len)
{
    struct client *c = arg;
    uint64_t wrong;

    if (set.check && !pattern_check(set.seed, c->response.first + c->bytes,
                                    data, len, &wrong))
        fail(c, "the body is not the generated content");
    XXH64_update(c->hash, data, len);
    c->bytes += len;
}

static void
note_read(struct client *c)
{
    uint64_t now = clock_boot_ns();

    if (c->first_ns == 0)
        c->first_ns = now;
    else if (now - c->last_ns > c->max_gap_ns)
        c->max_gap_ns = now - c->last_ns;
    c->last_ns = now;
}

static void
reset(struct client *c)
{
    struct linger now = {1, 0};

    c->aborted = true;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void
read_answer(struct client *c)
{
    uint64_t begin = clock_boot_ns();
    uint64_t total = 0;
    char block[BLOCK];

    for (;;) {
        ssize_t n = recv(c->fd, block, sizeof(block), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n < 0)
                fail(c, errno == EAGAIN ? "timeout" : strerror(errno));
            else if (!response_end(&c->response))
                fail(c, "the connection ended early");
            return;
        }
        note_read(c);
        total += (uint64_t)n;
        if (!response_feed(&c->response, block, (size_t)n))
            return;
        if (c->bytes >= set.abort_after) {
            reset(c);
            return;
        }
        pace(begin, total);
    }
}

static bool
open_connection(struct client *c)
{
    struct timeval timeout = {(time_t)set.timeout_s, 0};
    int small = 65536;

    c->fd = socket(set.to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(c->fd >= 0);
    /* Else the kernel would read ahead of us. */
    if (set.rate > 0)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(c->fd, set.to->ai_addr, set.to->ai_addrlen) == 0)
        return true;
    fail(c, strerror(errno));
    return false;
}

static void *
run(void *arg)
{
    struct client *c = arg;

    c->response.fn = on_body;
    c->response.arg = c;
    c->hash = XXH64_createState();
    XXH64_reset(c->hash, 0);
    c->start_ns = clock_boot_ns();
    /* An upload that breaks off may have been answered all the same. */
    if (open_connection(c) && send_all(c, set.request.data, set.request.len)) {
        if (set.upload)
            (void)upload(c);
        read_answer(c);
    }
    c->end_ns = clock_boot_ns();
    close(c->fd);
    return NULL;
}

/* ---- the result and the command line ---- */

static bool
print(const struct client *c)
{
    bool whole = c->response.state == RESPONSE_DONE;
    double first =
        c->first_ns == 0 ? 0 : (double)(c->first_ns - c->start_ns) / 1e9;

    printf("{\"status\": %d, \"bytes\": %llu, \"xxh64\": \"%016llx\", "
           "\"seconds\": %.3f, \"first_byte_s\": %.3f, \"max_gap_s\": %.3f, "
           "\"whole\": %s, \"aborted\": %s, ",
           c->response.status, (unsigned long long)c->bytes,
           (unsigned long long)XXH64_digest(c->hash),
           (double)(c->end_ns - c->start_ns) / 1e9, first,
           (double)c->max_gap_ns / 1e9, whole ? "true" : "false",
           c->aborted ? "true" : "false");
    if (set.upload)
        printf("\"sent\": %llu, \"sent_xxh64\": \"%016llx\", ",
               (unsigned long long)c->sent, (unsigned long long)c->sent_hash);
    printf("\"error\": \"%s\"}\n", c->error);
    return c->error[0] == '\0' && (whole || c->aborted);
}

static int
usage(void)
{
    fputs("usage: slowclient [-n COUNT] [--rate BYTES] [--abort-after BYTES] "
          "[-H FIELD]...\n  [--pattern SEED] [--upload BYTES] [--chunked] "
          "[--timeout SECONDS] URL\n",
          stderr);
    return 2;
}

static bool
prepare(const char *text, const struct buf *fields)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct url url;

    if (!url_parse(text, &url) ||
        getaddrinfo(url.host, url.port, &hints, &set.to) != 0) {
        fprintf(stderr, "slowclient: \"%s\": expected http://HOST:PORT/...\n",
                text);
        return false;
    }
    buf_printf(&set.request, "%s %s HTTP/1.1\r\nConnection: close\r\n",
               set.upload ? "PUT" : "GET", url.target);
    if (fields->len == 0 || strcasestr(fields->data, "\nHost:") == NULL)
        buf_printf(&set.request, "Host: %s:%s\r\n", url.host, url.port);
    if (set.upload && set.chunked)
        buf_add_text(&set.request, "Transfer-Encoding: chunked\r\n");
    else if (set.upload)
        buf_printf(&set.request, "Content-Length: %llu\r\n",
                   (unsigned long long)set.upload_len);
    buf_printf(&set.request, "%s\r\n",
               fields->len == 0 ? "" : fields->data + 2);
    return true;
}

static bool
run_all(void)
{
    struct client *clients = mem_zalloc(set.count * sizeof(*clients));
    bool good = true;
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 * 1024);
    for (size_t i = 0; i < set.count; i++)
        CHECK(pthread_create(&clients[i].thread, &attributes, run,
                             &clients[i]) == 0);
    for (size_t i = 0; i < set.count; i++)
        pthread_join(clients[i].thread, NULL);
    for (size_t i = 0; i < set.count; i++) {
        good = print(&clients[i]) && good;
        XXH64_freeState(clients[i].hash);
    }
    pthread_attr_destroy(&attributes);
    free(clients);
    return good;
}

static bool
take(int code, struct buf *fields)
{
    uint64_t number = optarg == NULL ? 0 : strtoull(optarg, NULL, 10);

    if (code == 'n')
        set.count = number;
    else if (code == 'r')
        set.rate = number;
    else if (code == 'a')
        set.abort_after = number;
    else if (code == 'p')
        set.seed = number;
    else if (code == 'u')
        set.upload_len = number;
    else if (code == 't')
        set.timeout_s = number;
    else if (code == 'H')
        buf_printf(fields, "%s%s\r\n", fields->len == 0 ? "\r\n" : "", optarg);
    else if (code != 'c')
        return false;
    set.check |= code == 'p';
    set.upload |= code == 'u';
    set.chunked |= code == 'c';
    return true;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"rate", required_argument, NULL, 'r'},
        {"abort-after", required_argument, NULL, 'a'},
        {"pattern", required_argument, NULL, 'p'},
        {"upload", required_argument, NULL, 'u'},
        {"chunked", no_argument, NULL, 'c'},
        {"timeout", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    struct buf fields = {0};
    int code;

    while ((code = getopt_long(argc, argv, "n:H:", options, NULL)) != -1) {
        if (!take(code, &fields))
            return usage();
    }
    if (optind + 1 != argc || set.count == 0 || set.count > CONNECTIONS_MAX)
        return usage();
    bool good = prepare(argv[optind], &fields) && run_all();

    buf_fini(&fields);
    buf_fini(&set.request);
    if (set.to != NULL)
        freeaddrinfo(set.to);
    return good ? 0 : 1;
}
