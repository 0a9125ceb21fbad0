/*
 * The limit to compare with: one thread, one epoll, and one answer that was
 * read from a file before, written for every request head that came in whole.
 *
 *   bare ADDRESS PORT FILE      FILE holds the whole response, head and all
 *
 * It looks for empty lines and for nothing else: no method, no target, no
 * bodies. Requests that came together are answered together.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 65536
#define EVENTS_MAX 256
#define READ_MAX 65536
#define TOGETHER 16 /* answers in one write */

/* What is left over of one connection. */
struct conn {
    unsigned matched; /* of CR LF CR LF, so far */
    unsigned owed;    /* answers not yet begun */
    size_t sent;      /* of the answer under way; 0: none is */
    int waiting;      /* for room to write */
};

static struct conn conns[FDS_MAX];
static char *answers; /* TOGETHER copies of the answer */
static size_t answer_len;

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static void
load(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die(path);
    long len = ftell(file);

    rewind(file);
    if (len <= 0)
        die(path);
    answer_len = (size_t)len;
    answers = malloc(answer_len * TOGETHER);
    if (answers == NULL || fread(answers, 1, answer_len, file) != answer_len)
        die(path);
    fclose(file);
    for (size_t i = 1; i < TOGETHER; i++)
        memcpy(answers + i * answer_len, answers, answer_len);
}

static int
listen_at(const char *address, const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    at.sin_port = htons((unsigned short)atoi(port));
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        fprintf(stderr, "bare: \"%s\" is no IPv4 address\n", address);
        exit(2);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(fd, 1024) != 0)
        die("bare: listen");
    return fd;
}

static void
watch(int epoll, int op, int fd, unsigned events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (epoll_ctl(epoll, op, fd, &event) != 0)
        die("bare: epoll_ctl");
}

static void
accept_all(int epoll, int listener)
{
    int on = 1;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= FDS_MAX) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        conns[fd] = (struct conn){0};
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

/* How many heads end in these bytes. */
static unsigned
heads_in(struct conn *conn, const char *data, size_t len)
{
    static const char end[] = "\r\n\r\n";
    unsigned heads = 0;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == end[conn->matched])
            conn->matched++;
        else
            conn->matched = data[i] == '\r';
        if (conn->matched == 4) {
            conn->matched = 0;
            heads++;
        }
    }
    return heads;
}

/* Writes what is owed. 0: all or what had room; -1: the connection is lost. */
static int
write_owed(int epoll, int fd)
{
    struct conn *conn = &conns[fd];

    while (conn->owed > 0) {
        size_t count = conn->owed < TOGETHER ? conn->owed : TOGETHER;
        ssize_t n = send(fd, answers + conn->sent,
                         count * answer_len - conn->sent, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            return -1;
        if (n < 0)
            break;
        conn->sent += (size_t)n;
        conn->owed -= (unsigned)(conn->sent / answer_len);
        conn->sent %= answer_len;
    }
    int waiting = conn->owed > 0;

    if (waiting != conn->waiting)
        watch(epoll, EPOLL_CTL_MOD, fd, waiting ? EPOLLOUT : EPOLLIN);
    conn->waiting = waiting;
    return 0;
}

static int
serve(int epoll, int fd)
{
    static char data[READ_MAX];

    if (!conns[fd].waiting) {
        ssize_t n = recv(fd, data, sizeof(data), 0);

        if (n == 0 || (n < 0 && errno != EAGAIN))
            return -1;
        if (n > 0)
            conns[fd].owed += heads_in(&conns[fd], data, (size_t)n);
    }
    return write_owed(epoll, fd);
}

int
main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];

    if (argc != 4) {
        fprintf(stderr, "usage: bare ADDRESS PORT FILE\n");
        return 2;
    }
    load(argv[3]);
    int listener = listen_at(argv[1], argv[2]);
    int epoll = epoll_create1(0);

    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd == listener)
                accept_all(epoll, listener);
            else if (serve(epoll, fd) != 0)
                close(fd);
        }
    }
}
