/* The control socket: commands, a line each, in as many pieces as they come. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "relay.h"

#define PEERS 16
#define LINE_MAX_BYTES 4096

struct peer {
    int fd; /* -1: free */
    struct buf in;
};

struct relay_control {
    struct relay *relay;
    int epoll;
    int listening;
    char *path;
    struct peer peers[PEERS];
};

static int
open_socket(const char *path, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path)) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address->sun_path, path);
    return fd;
}

/* ---- peers ---- */

static bool
listen_for(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void
drop(struct peer *peer)
{
    close(peer->fd);
    peer->fd = -1;
    buf_clear(&peer->in);
}

static void
take_peer(struct relay_control *control)
{
    int fd =
        accept4(control->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    for (size_t i = 0; fd >= 0 && i < PEERS; i++) {
        if (control->peers[i].fd >= 0)
            continue;
        if (!listen_for(control->epoll, fd))
            break;
        control->peers[i].fd = fd;
        return;
    }
    if (fd >= 0)
        close(fd);
}

static void
answer(struct peer *peer, const struct buf *out)
{
    /* An answer fits the socket's buffer; who does not read it is dropped. */
    if (out->len > 0 &&
        send(peer->fd, out->data, out->len, MSG_NOSIGNAL) != (ssize_t)out->len)
        drop(peer);
}

/* Executes the lines that are whole; what is left waits for its end. */
static void
take_lines(struct relay_control *control, struct peer *peer)
{
    struct buf out = {0};
    char *line = peer->in.data;
    char *end;

    while ((end = memchr(line, '\n',
                         (size_t)(peer->in.data + peer->in.len - line))) !=
           NULL) {
        *end = '\0';
        relay_command(control->relay, line, &out);
        line = end + 1;
    }
    size_t left = (size_t)(peer->in.data + peer->in.len - line);

    memmove(peer->in.data, line, left);
    peer->in.len = left;
    if (left > LINE_MAX_BYTES)
        drop(peer);
    else
        answer(peer, &out);
    buf_fini(&out);
}

static void
take_bytes(struct relay_control *control, struct peer *peer)
{
    buf_reserve(&peer->in, LINE_MAX_BYTES);
    ssize_t len = recv(peer->fd, peer->in.data + peer->in.len, LINE_MAX_BYTES,
                       MSG_DONTWAIT);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        drop(peer);
        return;
    }
    peer->in.len += (size_t)len;
    take_lines(control, peer);
}

bool
relay_control_event(struct relay_control *control, int fd)
{
    if (fd == control->listening) {
        take_peer(control);
        return true;
    }
    for (size_t i = 0; i < PEERS; i++) {
        if (control->peers[i].fd == fd) {
            take_bytes(control, &control->peers[i]);
            return true;
        }
    }
    return false;
}

/* ---- life ---- */

struct relay_control *
relay_control_new(struct relay *relay, int epoll, const char *path)
{
    struct relay_control *control = mem_zalloc(sizeof(*control));
    struct sockaddr_un address;

    control->relay = relay;
    control->epoll = epoll;
    control->path = mem_strdup(path);
    for (size_t i = 0; i < PEERS; i++)
        control->peers[i].fd = -1;
    (void)unlink(path);
    control->listening = open_socket(path, &address);
    if (control->listening >= 0 &&
        bind(control->listening, (struct sockaddr *)&address,
             sizeof(address)) == 0 &&
        listen(control->listening, PEERS) == 0 &&
        listen_for(epoll, control->listening))
        return control;
    fprintf(stderr, "relay: %s: %s\n", path, strerror(errno));
    relay_control_free(&control);
    return NULL;
}

void
relay_control_free(struct relay_control **control)
{
    struct relay_control *c = *control;

    *control = NULL;
    if (c == NULL)
        return;
    for (size_t i = 0; i < PEERS; i++) {
        if (c->peers[i].fd >= 0)
            drop(&c->peers[i]);
        buf_fini(&c->peers[i].in);
    }
    if (c->listening >= 0)
        close(c->listening);
    (void)unlink(c->path);
    free(c->path);
    free(c);
}

/* ---- the other side ---- */

/* Prints the answer to one command. */
static bool
hear(FILE *relay)
{
    char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof(line), relay) != NULL) {
        if (strcmp(line, "ok\n") == 0)
            return true;
        if (strncmp(line, "error", 5) == 0) {
            fputs(line, stderr);
            return false;
        }
        fputs(line, stdout);
    }
    fputs("relay: it does not answer\n", stderr);
    return false;
}

int
relay_control_ask(const char *path, char *const *commands, int count)
{
    struct sockaddr_un address;
    int fd = open_socket(path, &address);
    bool good = true;

    if (fd < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fprintf(stderr, "relay: %s: %s\n", path, strerror(errno));
        return 1;
    }
    FILE *relay = fdopen(fd, "r+");

    for (int i = 0; i < count; i++) {
        fprintf(relay, "%s\n", commands[i]);
        fflush(relay);
        good = hear(relay) && good;
    }
    fclose(relay);
    return good ? 0 : 1;
}
