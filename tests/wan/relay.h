/*
 * The relay: a wide area network for tests, on kernels without sch_netem.
 *
 * Each place is a network namespace with a TUN device, `wan0`; this one process
 * carries the packets between them, by the rules of each direction of each
 * link: delay, jitter, loss, rate, cut.
 *
 * Place number i (from 1, in the order of the command line) has the address
 * 10.97.i.1. The shared addresses 10.97.200.k belong to whichever place they
 * were moved to, as a failover does it; not all may see the same.
 */
#ifndef WAN_RELAY_H
#define WAN_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RELAY_PLACES 32
#define RELAY_SHARED 16
#define RELAY_NAME 24
/* In front of each packet of the device: struct virtio_net_hdr. */
#define RELAY_HEAD 10
#define RELAY_NEVER INT64_MAX

struct relay_packet {
    struct relay_packet *next;
    int64_t due_ns;
    size_t len;
    unsigned char data[];
};

/* One direction of a link. */
struct relay_link {
    int64_t delay_ns, jitter_ns;
    double loss;  /* 0 to 1 */
    double rate;  /* bits a second; 0: no limit */
    size_t queue; /* bytes that may wait, of a link with a rate or a delay */
    bool cut;
    int64_t busy_ns; /* the last packet has left the sender */
    int64_t last_ns; /* and arrives: a link never reorders */
    size_t queued;
    struct relay_packet *first, **last;
    uint64_t packets, bytes, lost, overflowed, swallowed;
};

struct relay_place {
    char name[RELAY_NAME];
    int tun;
    uint64_t astray; /* packets to nowhere */
};

struct relay {
    struct relay_place places[RELAY_PLACES];
    size_t place_count;
    struct relay_link links[RELAY_PLACES][RELAY_PLACES];
    /* By who sends there: index of a place; RELAY_PLACES: nobody's. */
    size_t shared[RELAY_SHARED][RELAY_PLACES];
    uint64_t random;
    bool stop;
};

int64_t relay_now_ns(void);

/* ---- relay_place.c ---- */

/* Opens the place's namespace (/run/netns/NAME, which is there) and makes its
 * device there. False, after a word on standard error, if it cannot. */
bool relay_place_open(struct relay *relay, const char *name);

/* ---- relay_link.c ---- */

void relay_links_init(struct relay *relay);
/* Reads what the place sends, and puts it on its way. */
void relay_receive(struct relay *relay, size_t place);
/* Delivers what is due, and tells when more is; RELAY_NEVER: nothing waits. */
int64_t relay_deliver(struct relay *relay, int64_t now_ns);

/* ---- relay_command.c ---- */

/* Executes a line:
 *
 *   link A B [delay=40ms] [jitter=2ms] [loss=1.5%] [rate=100mbit] [queue=512k]
 *   cut A B | heal A B       A, B: a place, or * for all
 *   move K A [B]             the shared address 10.97.200.K, as B sees it
 *   stats | quit
 *
 * Of links, `A B` means both directions and `A>B` one. Adds the answer to
 * *out: its last line is "ok", or "error: WHY" and then nothing was done. */
void relay_command(struct relay *relay, char *line, struct buf *out);

/* ---- relay_control.c ---- */

struct relay_control;

/* Listens at a Unix socket. NULL, after a word on standard error, if it
 * cannot. */
struct relay_control *relay_control_new(struct relay *relay, int epoll,
                                        const char *path);
/* Something came for `fd`; false when it is none of the control's. */
bool relay_control_event(struct relay_control *control, int fd);
void relay_control_free(struct relay_control **control);
/* The other side: sends each command, prints the answers. An exit code. */
int relay_control_ask(const char *path, char *const *commands, int count);

#endif
