/* The links: what is under way, and what becomes of it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay.h"

#define PACKET_MAX (65536 + 128)
#define PACKETS_A_TURN 64
#define QUEUE_BYTES (64u << 20)

int64_t
relay_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
relay_links_init(struct relay *relay)
{
    for (size_t i = 0; i < RELAY_PLACES; i++) {
        for (size_t k = 0; k < RELAY_PLACES; k++) {
            struct relay_link *link = &relay->links[i][k];

            link->last = &link->first;
            link->queue = QUEUE_BYTES;
        }
    }
    for (size_t i = 0; i < RELAY_SHARED; i++) {
        for (size_t k = 0; k < RELAY_PLACES; k++)
            relay->shared[i][k] = RELAY_PLACES;
    }
}

/* 0 to 1 (xorshift). */
static double
chance(struct relay *relay)
{
    relay->random ^= relay->random << 13;
    relay->random ^= relay->random >> 7;
    relay->random ^= relay->random << 17;
    return (double)(relay->random >> 11) * 0x1p-53;
}

/* ---- on the way ---- */

/* When a packet that is sent now arrives. */
static int64_t
arrival(struct relay *relay, struct relay_link *link, size_t len,
        int64_t now_ns)
{
    int64_t sent = now_ns;

    if (link->rate > 0) {
        if (link->busy_ns > now_ns)
            sent = link->busy_ns;
        sent += (int64_t)((double)(len - RELAY_HEAD) * 8e9 / link->rate);
        link->busy_ns = sent;
    }
    double swing = link->jitter_ns > 0 ? 2 * chance(relay) - 1 : 0;
    int64_t due =
        sent + link->delay_ns + (int64_t)(swing * (double)link->jitter_ns);

    if (due < link->last_ns)
        due = link->last_ns;
    link->last_ns = due;
    return due;
}

static void
enqueue(struct relay *relay, struct relay_link *link, const void *data,
        size_t len, int64_t now_ns)
{
    if (link->cut) {
        link->swallowed++;
        return;
    }
    if (link->loss > 0 && chance(relay) < link->loss) {
        link->lost++;
        return;
    }
    struct relay_packet *packet = NULL;

    if (link->queued + len <= link->queue)
        packet = malloc(sizeof(*packet) + len);
    if (packet == NULL) {
        link->overflowed++;
        return;
    }
    packet->next = NULL;
    packet->due_ns = arrival(relay, link, len, now_ns);
    packet->len = len;
    memcpy(packet->data, data, len);
    *link->last = packet;
    link->last = &packet->next;
    link->queued += len;
}

/* The place of an IPv4 packet's destination; RELAY_PLACES: nowhere. */
static size_t
destination(const struct relay *relay, size_t from, const unsigned char *packet,
            size_t len)
{
    if (len < 20 || packet[0] >> 4 != 4 || packet[16] != 10 || packet[17] != 97)
        return RELAY_PLACES;
    if (packet[18] == 200)
        return packet[19] < RELAY_SHARED ? relay->shared[packet[19]][from]
                                         : RELAY_PLACES;
    size_t place = (size_t)packet[18] - 1;

    return place < relay->place_count ? place : RELAY_PLACES;
}

void
relay_receive(struct relay *relay, size_t place)
{
    unsigned char data[PACKET_MAX];
    struct relay_place *from = &relay->places[place];
    int64_t now_ns = relay_now_ns();

    for (int i = 0; i < PACKETS_A_TURN; i++) {
        ssize_t len = read(from->tun, data, sizeof(data));

        if (len <= RELAY_HEAD)
            break;
        size_t to = destination(relay, place, data + RELAY_HEAD,
                                (size_t)len - RELAY_HEAD);

        if (to == RELAY_PLACES || to == place)
            from->astray++;
        else
            enqueue(relay, &relay->links[place][to], data, (size_t)len, now_ns);
    }
}

/* ---- arriving ---- */

static int64_t
deliver(struct relay_link *link, int tun, int64_t now_ns)
{
    struct relay_packet *packet;

    while ((packet = link->first) != NULL && packet->due_ns <= now_ns) {
        link->first = packet->next;
        if (link->first == NULL)
            link->last = &link->first;
        link->queued -= packet->len;
        /* A cut swallows what is under way, too. */
        if (link->cut) {
            link->swallowed++;
        } else if (write(tun, packet->data, packet->len) ==
                   (ssize_t)packet->len) {
            link->packets++;
            link->bytes += packet->len - RELAY_HEAD;
        }
        free(packet);
    }
    return packet != NULL ? packet->due_ns : RELAY_NEVER;
}

int64_t
relay_deliver(struct relay *relay, int64_t now_ns)
{
    int64_t next = RELAY_NEVER;

    for (size_t i = 0; i < relay->place_count; i++) {
        for (size_t k = 0; k < relay->place_count; k++) {
            int64_t due =
                deliver(&relay->links[i][k], relay->places[k].tun, now_ns);

            if (due < next)
                next = due;
        }
    }
    return next;
}
