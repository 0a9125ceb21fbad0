#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "origin.h"

#define TIMEOUT_S 30

static void
on_body(void *arg, const void *data, size_t len)
{
    struct client *c = arg;

    if (c->bytes < sizeof(c->text) - 1) {
        size_t room = sizeof(c->text) - 1 - (size_t)c->bytes;

        memcpy(c->text + c->bytes, data, len < room ? len : room);
    }
    uint64_t offset = c->bytes;

    if (c->versioned)
        offset += c->response.first + origin_shift(c->version);
    if (c->check && !origin_pattern(offset, data, len))
        c->wrong = true;
    c->bytes += len;
}

static void
on_field(void *arg, const char *line)
{
    struct client *c = arg;

    if (c->versioned && strncasecmp(line, "ETag:", 5) == 0 &&
        sscanf(line + 5, " \"%llu-%llu\"", &c->key, &c->version) != 2)
        c->version = c->key = 0;
}

static bool
open_connection(struct client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)c->port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval timeout = {TIMEOUT_S, 0};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->fresh = true;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return true;
    client_close(c);
    return false;
}

void
client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

enum outcome { WHOLE, BROKEN, UNANSWERED };

static enum outcome
exchange(struct client *c, const char *request, size_t len)
{
    char data[16384];
    bool any = false;

    c->response = (struct response){.fn = on_body, .field = on_field, .arg = c};
    c->response.head = strncmp(request, "HEAD ", 5) == 0;
    c->bytes = 0;
    c->wrong = false;
    memset(c->text, 0, sizeof(c->text));
    if (send(c->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
        return UNANSWERED;
    for (;;) {
        ssize_t n = recv(c->fd, data, sizeof(data), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 && any && response_end(&c->response)) {
            client_close(c);
            return WHOLE;
        }
        if (n <= 0)
            return any || (n < 0 && errno == EAGAIN) ? BROKEN : UNANSWERED;
        any = true;
        if (!response_feed(&c->response, data, (size_t)n))
            break;
        load_sleep_us(c->pause_us);
    }
    c->fresh = false;
    return c->response.state == RESPONSE_DONE ? WHOLE : BROKEN;
}

int
client_ask(struct client *c, const char *method, const char *target,
           const char *fields)
{
    char request[1024];
    int len = snprintf(request, sizeof(request),
                       "%s %s HTTP/1.1\r\nHost: load.test\r\n%s\r\n", method,
                       target, fields);

    c->requests++;
    if (c->fd < 0 && !open_connection(c))
        return -1;
    bool fresh = c->fresh;
    enum outcome outcome = exchange(c, request, (size_t)len);

    if (outcome == UNANSWERED && !fresh) {
        c->reconnects++;
        client_close(c);
        if (!open_connection(c))
            return -1;
        outcome = exchange(c, request, (size_t)len);
    }
    if (outcome != WHOLE || c->wrong) {
        client_close(c);
        return -1;
    }
    if (!c->check && c->response.status == 200 &&
        sscanf(c->text, "v %llu n %llu s %llu", &c->version, &c->key,
               &c->serial) != 3)
        c->version = c->key = c->serial = 0;
    return c->response.status;
}
