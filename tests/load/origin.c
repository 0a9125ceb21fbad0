#include "origin.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

#define PERIOD 251 /* prime, so that no piece begins like another */
#define PIECE 65536
#define HEAD_MAX 16384

static _Atomic uint32_t asked[ORIGIN_KEYS];
static _Atomic uint64_t versions[ORIGIN_KEYS];
static _Atomic uint64_t requests;
static _Atomic uint64_t serial;
static char pattern[PERIOD + PIECE];

/* ---- small things ---- */

uint32_t
load_random(uint32_t below)
{
    static _Atomic uint64_t seeds = 1;
    static _Thread_local uint64_t x;

    if (x == 0)
        x = atomic_fetch_add(&seeds, 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return below == 0 ? 0 : (uint32_t)((x >> 20) % below);
}

void
load_sleep_us(uint32_t us)
{
    struct timespec wait = {us / 1000000, (long)(us % 1000000) * 1000};

    while (us > 0 && nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
}

bool
origin_pattern(uint64_t offset, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        size_t n = len < PIECE ? len : PIECE;

        if (memcmp(at, pattern + offset % PERIOD, n) != 0)
            return false;
        at += n;
        offset += n;
        len -= n;
    }
    return true;
}

uint64_t
origin_shift(uint64_t version)
{
    return version * 37;
}

uint32_t
origin_asked(size_t key)
{
    return atomic_load(&asked[key % ORIGIN_KEYS]);
}

uint64_t
origin_requests(void)
{
    return atomic_load(&requests);
}

uint64_t
origin_version(size_t key)
{
    return atomic_load(&versions[key % ORIGIN_KEYS]);
}

uint64_t
origin_bump(size_t key)
{
    return atomic_fetch_add(&versions[key % ORIGIN_KEYS], 1) + 1;
}

/* ---- a connection ---- */

struct asking {
    int fd;
    char head[HEAD_MAX]; /* NUL-terminated */
    size_t len;          /* of what was read; may hold the next request */
    size_t head_len;
    char kind[16];
    size_t key;
    uint32_t hold;
    uint32_t pause;
    uint64_t body_len;
};

static bool
send_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static uint64_t
parameter(const char *target, const char *name, uint64_t otherwise)
{
    const char *end = target + 1 + strcspn(target + 1, " ");
    const char *at = strstr(target, name);

    return at == NULL || at > end ? otherwise
                                  : strtoull(at + strlen(name), NULL, 10);
}

static bool
read_head(struct asking *a)
{
    char *end;

    a->head[a->len] = '\0';
    while ((end = strstr(a->head, "\r\n\r\n")) == NULL) {
        if (a->len == HEAD_MAX - 1)
            return false;
        ssize_t n = recv(a->fd, a->head + a->len, HEAD_MAX - 1 - a->len, 0);

        if (n <= 0)
            return false;
        a->len += (size_t)n;
        a->head[a->len] = '\0';
    }
    a->head_len = (size_t)(end - a->head) + 4;
    return true;
}

/* "METHOD /KIND/KEY?..." */
static bool
parse_head(struct asking *a)
{
    unsigned long key;
    const char *target = strchr(a->head, ' ');

    if (target == NULL || sscanf(target, " /%15[a-z]/%lu", a->kind, &key) != 2)
        return false;
    a->key = key % ORIGIN_KEYS;
    a->hold = (uint32_t)parameter(target, "hold=", 0);
    a->pause = (uint32_t)parameter(target, "pause=", 0);
    a->body_len = parameter(target, "len=", PIECE);
    return true;
}

/* Throws away a request's body; true when the connection can go on. */
static bool
skip_body(struct asking *a)
{
    const char *field = strcasestr(a->head, "\r\nContent-Length:");
    size_t left = field == NULL || field > a->head + a->head_len
                      ? 0
                      : strtoul(field + 17, NULL, 10);
    size_t have = a->len - a->head_len;
    char waste[4096];

    if (left <= have) {
        a->len = have - left;
        memmove(a->head, a->head + a->head_len + left, a->len);
        return true;
    }
    left -= have;
    a->len = 0;
    while (left > 0) {
        ssize_t n =
            recv(a->fd, waste, left < sizeof(waste) ? left : sizeof(waste), 0);

        if (n <= 0)
            return false;
        left -= (size_t)n;
    }
    return true;
}

static bool
answer_big(struct asking *a, bool stored)
{
    char head[512];
    const char *range = strcasestr(a->head, "\r\nRange: bytes=");
    uint64_t at = range == NULL || range > a->head + a->head_len
                      ? 0
                      : strtoull(range + 15, NULL, 10);

    /* "bytes=N-" is all that the edge asks for by itself. */
    if (at >= a->body_len)
        at = 0;
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %s\r\nContent-Length: %llu\r\n"
                     "ETag: \"big-%zu\"\r\nCache-Control: %s\r\n",
                     at > 0 ? "206 Partial Content" : "200 OK",
                     (unsigned long long)(a->body_len - at), a->key,
                     stored ? "max-age=600" : "no-store");

    if (at > 0)
        n += snprintf(head + n, sizeof(head) - (size_t)n,
                      "Content-Range: bytes %llu-%llu/%llu\r\n",
                      (unsigned long long)at,
                      (unsigned long long)a->body_len - 1,
                      (unsigned long long)a->body_len);
    n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");

    if (!send_all(a->fd, head, (size_t)n))
        return false;
    while (at < a->body_len) {
        uint64_t left = a->body_len - at;
        size_t len = left < PIECE ? (size_t)left : PIECE;

        if (!send_all(a->fd, pattern + at % PERIOD, len))
            return false;
        at += len;
        load_sleep_us(a->pause);
    }
    return true;
}

static bool
answer_chunked(struct asking *a, const char *body, size_t len)
{
    char text[256];
    size_t half = len / 2;
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                     "Cache-Control: max-age=600\r\n\r\n%zx\r\n%.*s\r\n",
                     half, (int)half, body);

    if (!send_all(a->fd, text, (size_t)n))
        return false;
    load_sleep_us(a->pause);
    n = snprintf(text, sizeof(text), "%zx\r\n%s\r\n0\r\n\r\n", len - half,
                 body + half);
    return send_all(a->fd, text, (size_t)n);
}

static bool
not_modified(const struct asking *a, const char *etag)
{
    const char *field = strcasestr(a->head, "\r\nIf-None-Match:");

    if (field == NULL || field > a->head + a->head_len)
        return false;
    const char *end = strstr(field + 2, "\r\n");
    const char *at = strstr(field, etag);

    return at != NULL && at < end;
}

static bool
answer_small(struct asking *a, uint64_t version)
{
    char etag[64];
    char body[128];
    char text[512];
    bool private = strcmp(a->kind, "private") == 0;
    int body_len = snprintf(body, sizeof(body), "v %llu n %zu s %llu\n",
                            (unsigned long long)version, a->key,
                            (unsigned long long)atomic_fetch_add(&serial, 1));

    if (strcmp(a->kind, "chunked") == 0)
        return answer_chunked(a, body, (size_t)body_len);
    snprintf(etag, sizeof(etag), "\"%zu-%llu\"", a->key,
             (unsigned long long)version);
    bool same = private ? false : not_modified(a, etag);
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nContent-Length: %d\r\nETag: %s\r\n"
                     "Cache-Control: %s\r\n\r\n%s",
                     same ? "304 Not Modified" : "200 OK", body_len, etag,
                     private ? "private" : "max-age=600", same ? "" : body);

    return send_all(a->fd, text, (size_t)n);
}

/* The value of a field, to the end of its line; NULL: none. */
static const char *
field_of(const struct asking *a, const char *name)
{
    const char *at = strcasestr(a->head, name);

    return at == NULL || at > a->head + a->head_len ? NULL : at + strlen(name);
}

/* "A-B", "A-", "-N". */
static void
range_of(const char *text, uint64_t len, uint64_t *first, uint64_t *last)
{
    char *end;
    uint64_t number = strtoull(text + (*text == '-'), &end, 10);

    *last = len - 1;
    *first = *text == '-' ? len - (number < len ? number : len) : number;
    if (*text != '-' && end[1] >= '0' && end[1] <= '9' &&
        strtoull(end + 1, NULL, 10) < len)
        *last = strtoull(end + 1, NULL, 10);
}

static bool
answer_part(struct asking *a, uint64_t version)
{
    char etag[64];
    char head[1024];
    uint64_t first = 0;
    uint64_t last = a->body_len - 1;
    const char *range = field_of(a, "\r\nRange: bytes=");
    const char *if_range = field_of(a, "\r\nIf-Range: ");
    bool post = strncmp(a->head, "POST ", 5) == 0;
    int target = (int)strcspn(a->head + 5, " ");

    snprintf(etag, sizeof(etag), "\"%zu-%llu\"", a->key,
             (unsigned long long)version);
    if (range != NULL &&
        (if_range == NULL || strncmp(if_range, etag, strlen(etag)) == 0))
        range_of(range, a->body_len, &first, &last);
    bool whole = first == 0 && last == a->body_len - 1;
    bool same = !post && not_modified(a, etag);
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %s\r\nContent-Length: %llu\r\nETag: %s\r\n"
                     "Cache-Control: max-age=600\r\n",
                     same    ? "304 Not Modified"
                     : whole ? "200 OK"
                             : "206 Partial Content",
                     (unsigned long long)(last - first + 1), etag);

    if (!same && !whole)
        n += snprintf(head + n, sizeof(head) - (size_t)n,
                      "Content-Range: bytes %llu-%llu/%llu\r\n",
                      (unsigned long long)first, (unsigned long long)last,
                      (unsigned long long)a->body_len);
    if (post)
        n += snprintf(head + n, sizeof(head) - (size_t)n,
                      "Content-Location: %.*s\r\n", target, a->head + 5);
    n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
    if (!send_all(a->fd, head, (size_t)n))
        return false;
    if (same || strncmp(a->head, "HEAD ", 5) == 0)
        return true;
    uint64_t at = (first + origin_shift(version)) % PERIOD;
    uint64_t half = (last - first + 1) / 2;

    CHECK(last - first + 1 <= PIECE);
    if (!send_all(a->fd, pattern + at, (size_t)half))
        return false;
    load_sleep_us(load_random(a->pause));
    at = (at + half) % PERIOD;
    return send_all(a->fd, pattern + at, (size_t)(last - first + 1 - half));
}

/* The version is read before the answer waits: what comes late is old. */
static bool
answer(struct asking *a)
{
    bool part = strcmp(a->kind, "part") == 0;
    bool put = strncmp(a->head, "PUT ", 4) == 0 ||
               (part && strncmp(a->head, "POST ", 5) == 0);
    uint64_t version = put ? origin_bump(a->key) : origin_version(a->key);

    atomic_fetch_add(&requests, 1);
    atomic_fetch_add(&asked[a->key], 1);
    load_sleep_us(load_random(a->hold));
    if (strcmp(a->kind, "big") == 0 || strcmp(a->kind, "stream") == 0)
        return answer_big(a, a->kind[0] == 'b');
    if (part && strncmp(a->head, "PUT ", 4) != 0)
        return answer_part(a, version);
    return answer_small(a, version);
}

static void *
serve(void *arg)
{
    struct asking *a = arg;

    while (read_head(a) && parse_head(a) && answer(a) && skip_body(a))
        continue;
    close(a->fd);
    free(a);
    return NULL;
}

/* ---- the listener ---- */

static void *
accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg;
    pthread_attr_t attributes;
    int one = 1;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 * 1024);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;

        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct asking *a = calloc(1, sizeof(*a));

        CHECK(a != NULL);
        a->fd = fd;
        if (pthread_create(&thread, &attributes, serve, a) != 0) {
            close(fd);
            free(a);
        }
    }
    return NULL;
}

int
origin_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;

    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)('!' + i % PERIOD % 90);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(fd, 4096) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    CHECK(pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) == 0);
    pthread_detach(thread);
    return ntohs(address.sin_port);
}
