/*
 * relay [-p] [-r SEED] [-s SOCKET] PLACE... : carries packets between the
 *     network namespaces /run/netns/PLACE, and listens for commands
 * relay [-s SOCKET] -c COMMAND... : sends commands (relay.h), prints answers
 *
 * -p runs it by SCHED_FIFO: delays stay exact while others use all cores.
 * Prints "ready" when it carries.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "relay.h"

#define EVENTS 32

static volatile sig_atomic_t ended;

static void
on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void
catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Delays are kept to less than the default 50 us of timer slack. */
static void
be_exact(bool fifo)
{
    struct sched_param param = {.sched_priority = 10};

    prctl(PR_SET_TIMERSLACK, 1000);
    if (fifo && sched_setscheduler(0, SCHED_FIFO, &param) != 0)
        perror("relay: SCHED_FIFO");
}

static bool
open_places(struct relay *relay, int epoll, char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (!relay_place_open(relay, names[i]))
            return false;
        int tun = relay->places[relay->place_count - 1].tun;
        struct epoll_event event = {.events = EPOLLIN, .data = {.fd = tun}};

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, tun, &event) != 0) {
            perror("relay: epoll_ctl");
            return false;
        }
    }
    return true;
}

static void
on_event(struct relay *relay, struct relay_control *control, int fd)
{
    if (relay_control_event(control, fd))
        return;
    for (size_t i = 0; i < relay->place_count; i++) {
        if (relay->places[i].tun == fd)
            relay_receive(relay, i);
    }
}

/* Whole ms would be too coarse for what is due. */
static void
turn(struct relay *relay, struct relay_control *control, int epoll)
{
    struct epoll_event events[EVENTS];
    int64_t now = relay_now_ns();
    int64_t next = relay_deliver(relay, now);
    int64_t wait = next == RELAY_NEVER ? 1000000000 : next - now;

    if (wait < 0)
        wait = 0;
    struct timespec time = {wait / 1000000000, wait % 1000000000};
    int count = epoll_pwait2(epoll, events, EVENTS, &time, NULL);

    for (int i = 0; i < count; i++)
        on_event(relay, control, events[i].data.fd);
}

static int
carry(struct relay *relay, const char *path, char *const *names, int count)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct relay_control *control = relay_control_new(relay, epoll, path);

    relay_links_init(relay);
    if (control == NULL || !open_places(relay, epoll, names, count))
        return 1;
    printf("ready\n");
    fflush(stdout);
    while (!ended && !relay->stop)
        turn(relay, control, epoll);
    relay_control_free(&control);
    close(epoll);
    return 0;
}

int
main(int argc, char **argv)
{
    static struct relay relay = {.random = 0x9E3779B97F4A7C15};
    const char *path = "relay.sock";
    bool fifo = false;
    bool ask = false;
    int option;

    while ((option = getopt(argc, argv, "pr:s:c")) != -1) {
        switch (option) {
        case 'p':
            fifo = true;
            break;
        case 'r':
            relay.random ^= strtoull(optarg, NULL, 0) * 0xD1342543DE82EF95;
            break;
        case 's':
            path = optarg;
            break;
        case 'c':
            ask = true;
            break;
        default:
            return 2;
        }
    }
    int count = argc - optind;

    if (count < 1 || (!ask && count > RELAY_PLACES)) {
        fprintf(stderr, "usage: relay [-p] [-r SEED] [-s SOCKET] PLACE...\n"
                        "       relay [-s SOCKET] -c COMMAND...\n");
        return 2;
    }
    if (ask)
        return relay_control_ask(path, argv + optind, count);
    catch_signals();
    be_exact(fifo);
    return carry(&relay, path, argv + optind, count);
}
