/*
 * relay: passes TCP connections on, with the delay of a long line.
 *
 *   relay --listen ADDR:PORT --to ADDR:PORT [--delay MS] [--rate BYTES]
 *         [--control ADDR:PORT]
 *
 * Each piece of data leaves `delay` ms (fractions are fine) after it came, in
 * both directions, so that a round trip takes twice that; the line carries
 * `rate` bytes a second in each direction, for all connections together.
 * Connections themselves are accepted at once. Half-closed connections stay
 * so. Prints "listening ADDR:PORT", and "control ADDR:PORT".
 *
 * Commands, a line each, on standard input or on a connection to the control
 * port; each is answered by "ok", or "error ...":
 *
 *   delay MS     for data that comes from now on
 *   rate BYTES   0: as fast as it goes
 *   cut          resets all connections, and new ones at once
 *   hold         nothing passes, but connections stay: a hole in the line
 *   heal         after cut or hold
 *   stats        connections now, connections ever, bytes
 *
 * What waits is bounded for each direction of each connection: beyond that
 * the sender is not read.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"

#define BLOCK 65536
#define WAITING_MAX ((size_t)8 * 1024 * 1024)

enum source_kind {
    SOURCE_LISTEN,
    SOURCE_CONTROL_LISTEN,
    SOURCE_CONTROL,
    SOURCE_SIDE
};

/* What epoll tells of. */
struct source {
    enum source_kind kind;
    int fd;
};

struct piece {
    struct piece *next;
    uint64_t due_ns;
    size_t len; /* 0: the end of the data */
    size_t sent;
    char data[];
};

/* One end of a connection, and what goes to it. */
struct side {
    struct source source; /* the first member */
    struct line *line;
    struct side *other;
    struct piece *first;
    struct piece **last;
    size_t waiting;
    bool ended;   /* nothing more comes from here */
    bool shut;    /* nothing more goes to here */
    bool blocked; /* the socket takes no more now */
    bool deaf;    /* not watched any more */
    bool open;    /* connected */
    uint32_t events;
    size_t heap; /* its place there, from 1; 0: none */
};

struct line {
    struct list_link link;
    struct side side[2];
    bool dead;
};

struct control {
    struct source source; /* the first member */
    struct list_link link;
    struct buf text;
    bool dead;
};

static struct {
    int epoll;
    struct addrinfo *to;
    uint64_t delay_ns;
    uint64_t rate;
    uint64_t free_ns[2]; /* when the line may carry the next byte */
    bool cut;
    bool held;
    struct list_link lines;
    struct list_link controls;
    struct side **heap; /* of sides, by the due time of their first piece */
    size_t heap_count, heap_cap;
    uint64_t open, total, bytes;
} relay;

/* ---- the heap ---- */

static void
heap_put(size_t at, struct side *side)
{
    relay.heap[at - 1] = side;
    side->heap = at;
}

static uint64_t
heap_due(size_t at)
{
    return relay.heap[at - 1]->first->due_ns;
}

static void
heap_up(size_t at)
{
    while (at > 1 && heap_due(at) < heap_due(at / 2)) {
        struct side *side = relay.heap[at - 1];

        heap_put(at, relay.heap[at / 2 - 1]);
        at /= 2;
        heap_put(at, side);
    }
}

static void
heap_down(size_t at)
{
    for (;;) {
        size_t least = at;

        for (size_t child = 2 * at; child <= 2 * at + 1; child++) {
            if (child <= relay.heap_count && heap_due(child) < heap_due(least))
                least = child;
        }
        if (least == at)
            return;
        struct side *side = relay.heap[at - 1];

        heap_put(at, relay.heap[least - 1]);
        heap_put(least, side);
        at = least;
    }
}

static void
heap_add(struct side *side)
{
    if (side->heap != 0 || side->first == NULL)
        return;
    MEM_GROW(relay.heap, relay.heap_count, relay.heap_cap);
    heap_put(++relay.heap_count, side);
    heap_up(side->heap);
}

static void
heap_remove(struct side *side)
{
    size_t at = side->heap;

    if (at == 0)
        return;
    struct side *last = relay.heap[--relay.heap_count];

    side->heap = 0;
    if (last == side)
        return;
    heap_put(at, last);
    heap_up(at);
    heap_down(last->heap);
}

/* ---- lines ---- */

static void
set_events(struct side *side)
{
    struct epoll_event event = {.data = {.ptr = side}};
    struct line *line = side->line;

    if (line->dead || side->deaf)
        return;
    if (!side->ended && side->open && side->other->waiting < WAITING_MAX &&
        !relay.held)
        event.events |= EPOLLIN;
    if (side->blocked || !side->open)
        event.events |= EPOLLOUT;
    if (event.events == side->events)
        return;
    side->events = event.events;
    CHECK(epoll_ctl(relay.epoll, EPOLL_CTL_MOD, side->source.fd, &event) == 0);
}

static void
drop_pieces(struct side *side)
{
    while (side->first != NULL) {
        struct piece *piece = side->first;

        side->first = piece->next;
        free(piece);
    }
}

/* Marks it; sweep() frees it when no event can name it any more. */
static void
kill_line(struct line *line, bool reset)
{
    struct linger now = {1, 0};

    if (line->dead)
        return;
    line->dead = true;
    relay.open--;
    for (int i = 0; i < 2; i++) {
        struct side *side = &line->side[i];

        heap_remove(side);
        drop_pieces(side);
        if (reset)
            (void)setsockopt(side->source.fd, SOL_SOCKET, SO_LINGER, &now,
                             sizeof(now));
        close(side->source.fd);
    }
}

static void
sweep(void)
{
    struct line *line;
    struct line *next_line;
    struct control *control;
    struct control *next_control;

    list_for_each_safe (line, next_line, &relay.lines, link) {
        if (!line->dead)
            continue;
        list_remove(&line->link);
        free(line);
    }
    list_for_each_safe (control, next_control, &relay.controls, link) {
        if (!control->dead)
            continue;
        list_remove(&control->link);
        buf_fini(&control->text);
        free(control);
    }
}

/* When data that came now leaves. */
static uint64_t
due(const struct side *to, size_t len)
{
    int direction = to == &to->line->side[1];
    uint64_t now = clock_boot_ns();

    if (relay.rate > 0) {
        uint64_t *next = &relay.free_ns[direction];

        if (*next < now)
            *next = now;
        *next += len * NS_PER_S / relay.rate;
        now = *next;
    }
    return now + relay.delay_ns;
}

static void
queue(struct side *to, const char *data, size_t len)
{
    struct piece *piece = mem_alloc(sizeof(*piece) + len);

    piece->next = NULL;
    piece->due_ns = due(to, len);
    piece->len = len;
    piece->sent = 0;
    memcpy(piece->data, data, len);
    *to->last = piece;
    to->last = &piece->next;
    to->waiting += len;
    if (!to->blocked)
        heap_add(to);
}

static void
read_side(struct side *side)
{
    static char block[BLOCK];
    ssize_t n = recv(side->source.fd, block, sizeof(block), 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        kill_line(side->line, true);
        return;
    }
    side->ended = n == 0;
    relay.bytes += (uint64_t)n;
    queue(side->other, block, (size_t)n);
    set_events(side);
}

/* True when the piece went out whole. */
static bool
send_piece(struct side *side, struct piece *piece)
{
    if (piece->len == 0) {
        side->shut = true;
        (void)shutdown(side->source.fd, SHUT_WR);
        return true;
    }
    ssize_t n = send(side->source.fd, piece->data + piece->sent,
                     piece->len - piece->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        kill_line(side->line, true);
        return false;
    }
    if (n > 0)
        piece->sent += (size_t)n;
    side->blocked = piece->sent < piece->len;
    return !side->blocked;
}

/* Sends what is due. */
static void
write_side(struct side *side)
{
    uint64_t now = clock_boot_ns();

    heap_remove(side);
    side->blocked = false;
    while (side->open && side->first != NULL && side->first->due_ns <= now) {
        struct piece *piece = side->first;

        if (!send_piece(side, piece))
            break;
        side->first = piece->next;
        if (side->first == NULL)
            side->last = &side->first;
        side->waiting -= piece->len;
        free(piece);
    }
    if (side->line->dead)
        return;
    if (side->shut && side->other->shut) {
        kill_line(side->line, false);
        return;
    }
    if (!side->blocked && side->open)
        heap_add(side);
    set_events(side);
    set_events(side->other);
}

static void
side_event(struct side *side, uint32_t events)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (side->line->dead)
        return;
    if (!side->open && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        getsockopt(side->source.fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0) {
            kill_line(side->line, true);
            return;
        }
        side->open = true;
    }
    if (events & EPOLLERR) {
        kill_line(side->line, true);
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP)) && !side->ended && !relay.held &&
        side->other->waiting < WAITING_MAX)
        read_side(side);
    if (!side->line->dead && !relay.held)
        write_side(side);
    else if (!side->line->dead)
        set_events(side);
    /* Both ways are closed here: epoll would tell of it without end, while
     * the other side still has to be served. */
    if (!side->line->dead && (events & EPOLLHUP) && side->ended && side->shut &&
        !side->deaf) {
        side->deaf = true;
        epoll_ctl(relay.epoll, EPOLL_CTL_DEL, side->source.fd, NULL);
    }
}

static void
add_side(struct line *line, int index, int fd, bool open)
{
    struct side *side = &line->side[index];
    int one = 1;

    side->source = (struct source){SOURCE_SIDE, fd};
    side->line = line;
    side->other = &line->side[1 - index];
    side->last = &side->first;
    side->open = open;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event event = {.data = {.ptr = side}};

    CHECK(epoll_ctl(relay.epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void
accept_line(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct linger now = {1, 0};

    if (fd < 0)
        return;
    int to = socket(relay.to->ai_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (relay.cut || to < 0 ||
        (connect(to, relay.to->ai_addr, relay.to->ai_addrlen) != 0 &&
         errno != EINPROGRESS)) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close(fd);
        if (to >= 0)
            close(to);
        return;
    }
    struct line *line = mem_zalloc(sizeof(*line));

    relay.open++;
    relay.total++;
    list_push_back(&relay.lines, &line->link);
    add_side(line, 0, fd, true);
    add_side(line, 1, to, false);
    set_events(&line->side[0]);
    set_events(&line->side[1]);
}

/* ---- commands ---- */

static void
cut(void)
{
    struct line *line;

    relay.cut = true;
    list_for_each (line, &relay.lines, link)
        kill_line(line, true);
}

static void
hold(bool held)
{
    struct line *line;

    relay.held = held;
    list_for_each (line, &relay.lines, link) {
        for (int i = 0; i < 2 && !line->dead; i++) {
            if (held)
                set_events(&line->side[i]);
            else
                write_side(&line->side[i]);
        }
    }
}

/* Writes the answer of a command line. */
static void
command(const char *text, struct buf *answer)
{
    double value;

    if (strcmp(text, "cut") == 0) {
        cut();
    } else if (strcmp(text, "hold") == 0) {
        hold(true);
    } else if (strcmp(text, "heal") == 0) {
        relay.cut = false;
        hold(false);
    } else if (strncmp(text, "delay ", 6) == 0 &&
               address_number(text + 6, &value)) {
        relay.delay_ns = (uint64_t)(value * 1e6);
    } else if (strncmp(text, "rate ", 5) == 0 &&
               address_number(text + 5, &value)) {
        relay.rate = (uint64_t)value;
    } else if (strcmp(text, "stats") == 0) {
        buf_printf(answer, "open %llu total %llu bytes %llu\n",
                   (unsigned long long)relay.open,
                   (unsigned long long)relay.total,
                   (unsigned long long)relay.bytes);
        return;
    } else {
        buf_add_text(answer, "error: there are cut, hold, heal, delay MS, "
                             "rate BYTES, stats\n");
        return;
    }
    buf_add_text(answer, "ok\n");
}

static void
take_commands(struct control *control)
{
    struct buf answer = {0};
    char *end;

    while (control->text.len > 0 && (end = memchr(control->text.data, '\n',
                                                  control->text.len)) != NULL) {
        size_t used = (size_t)(end - control->text.data) + 1;

        *end = '\0';
        if (used > 1 && end[-1] == '\r')
            end[-1] = '\0';
        command(control->text.data, &answer);
        memmove(control->text.data, control->text.data + used,
                control->text.len - used);
        control->text.len -= used;
    }
    int fd =
        control->source.fd == STDIN_FILENO ? STDOUT_FILENO : control->source.fd;

    if (answer.len > 0)
        (void)!write(fd, answer.data, answer.len);
    buf_fini(&answer);
}

static void
control_event(struct control *control)
{
    char data[1024];
    ssize_t n = read(control->source.fd, data, sizeof(data));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || control->text.len > 65536) {
        epoll_ctl(relay.epoll, EPOLL_CTL_DEL, control->source.fd, NULL);
        if (control->source.fd != STDIN_FILENO)
            close(control->source.fd);
        control->dead = true;
        return;
    }
    buf_add(&control->text, data, (size_t)n);
    take_commands(control);
}

static void
add_control(int fd)
{
    struct control *control = mem_zalloc(sizeof(*control));
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = control}};

    control->source = (struct source){SOURCE_CONTROL, fd};
    list_push_back(&relay.controls, &control->link);
    /* A file or /dev/null cannot be watched: no commands come from there. */
    if (epoll_ctl(relay.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        control->dead = true;
}

/* ---- the loop ---- */

static void
dispatch(struct source *source, uint32_t events)
{
    int fd;

    switch (source->kind) {
    case SOURCE_LISTEN:
        accept_line(source->fd);
        break;
    case SOURCE_CONTROL_LISTEN:
        fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            add_control(fd);
        break;
    case SOURCE_CONTROL:
        control_event((struct control *)source);
        break;
    case SOURCE_SIDE:
        side_event((struct side *)source, events);
        break;
    }
}

static _Noreturn void
run(void)
{
    struct epoll_event events[64];

    for (;;) {
        struct timespec wait = {0};
        uint64_t now = clock_boot_ns();
        bool timed = relay.heap_count > 0 && !relay.held;

        if (timed && heap_due(1) > now) {
            wait.tv_sec = (time_t)((heap_due(1) - now) / NS_PER_S);
            wait.tv_nsec = (long)((heap_due(1) - now) % NS_PER_S);
        }
        int n =
            epoll_pwait2(relay.epoll, events, 64, timed ? &wait : NULL, NULL);

        now = clock_boot_ns();
        while (!relay.held && relay.heap_count > 0 && heap_due(1) <= now)
            write_side(relay.heap[0]);
        for (int i = 0; i < n; i++)
            dispatch(events[i].data.ptr, events[i].events);
        sweep();
    }
}

/* ---- start ---- */

static void
listen_on(struct source *source, const char *text, const char *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = source}};

    source->fd = address_listen("relay", text, what);
    CHECK(epoll_ctl(relay.epoll, EPOLL_CTL_ADD, source->fd, &event) == 0);
}

static int
usage(void)
{
    fputs("usage: relay --listen ADDR:PORT --to ADDR:PORT [--delay MS] "
          "[--rate BYTES]\n  [--control ADDR:PORT]\n",
          stderr);
    return 2;
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"to", required_argument, NULL, 't'},
        {"delay", required_argument, NULL, 'd'},
        {"rate", required_argument, NULL, 'r'},
        {"control", required_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    static struct source listener = {SOURCE_LISTEN, -1};
    static struct source control = {SOURCE_CONTROL_LISTEN, -1};
    struct rlimit limit = {16384, 16384};
    const char *listen_text = NULL;
    const char *control_text = NULL;
    double value;
    int code;

    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (code == 'l')
            listen_text = optarg;
        else if (code == 't')
            relay.to = address_resolve("relay", optarg);
        else if (code == 'c')
            control_text = optarg;
        else if (code == 'd' && address_number(optarg, &value))
            relay.delay_ns = (uint64_t)(value * 1e6);
        else if (code == 'r' && address_number(optarg, &value))
            relay.rate = (uint64_t)value;
        else
            return usage();
    }
    if (listen_text == NULL || relay.to == NULL || optind < argc)
        return usage();
    signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    list_init(&relay.lines);
    list_init(&relay.controls);
    relay.epoll = epoll_create1(EPOLL_CLOEXEC);
    listen_on(&listener, listen_text, "listening");
    if (control_text != NULL)
        listen_on(&control, control_text, "control");
    (void)fcntl(STDIN_FILENO, F_SETFL,
                fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    add_control(STDIN_FILENO);
    run();
}
