/*
 * This node's lease at one site, and what it acknowledges there.
 *
 *   none --renewal answered, and all that it told of applied--> held
 *   held --its time passes, or the term ends, or it is refused--> none
 *
 * Invariants (lease_sanity runs those that can be seen from here):
 *  L1 a lease begins when its renewal was sent, by CLOCK_BOOTTIME, and lasts
 *     the length that the site's Redis told with that renewal;
 *  L2 it is granted only once everything up to the last n that the renewal
 *     told is applied, in that epoch and term;
 *  L3 another epoch or term ends it at once, and so do a floor that tells of
 *     one, and a refusal (an older list of sites);
 *  L4 only the newest renewal counts: one is under way at a time, and an
 *     answer of an earlier connection never comes;
 *  L5 acknowledged is only what is applied: first the tables, then the number,
 *     then the acknowledgement; and only under a row that a renewal wrote.
 *  L7 with replicas it is granted only once all of these have the renewal
 *     (stream_safe.c).
 * The readers' part (engine/tx.c): the lease is read before the store is
 * looked up, by a clock that was read after the request was parsed.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "cluster/lease.h"
#include "stream_internal.h"

/* Renewals in one length of a lease. */
#define RENEWALS 3

static uint64_t
length_ms(const struct stream *stream)
{
    return stream->lease_ms > 0 ? stream->lease_ms : LEASE_LENGTH_MS;
}

static uint64_t
renew_every_ms(const struct stream *stream)
{
    uint64_t every = length_ms(stream) / RENEWALS;

    return every > 0 ? every : 1;
}

void
lease_sanity(const struct stream *stream)
{
    CHECK(!stream->pending.wanted || stream->pending.sent_ns > 0);
    CHECK(stream->acked_n <= stream->cursor.n ||
          stream->acked_term != stream->era.term);
    CHECK(stream->lease_era.epoch == stream->era.epoch ||
          !stream->lease_granted);
    CHECK(stream->lease_era.term == stream->era.term || !stream->lease_granted);
}

void
lease_end(struct stream *stream)
{
    stream->pending.wanted = false;
    stream->lease_granted = false;
    leases_end(stream->streams->leases, stream->index);
}

/* ---- granting ---- */

void
lease_take_length(struct stream *stream, uint64_t length_ms)
{
    uint64_t max = stream->streams->lease_max_ms;

    stream->lease_ms = length_ms < max ? length_ms : max;
}

void
lease_look(struct stream *stream)
{
    struct stream_pending *pending = &stream->pending;

    if (pending->wanted && stream->met && !stream->streams->leaves) {
        if (pending->era.epoch != stream->era.epoch ||
            pending->era.term != stream->era.term) {
            lease_end(stream); /* L3; the sync that is due tells more */
        } else if (stream->cursor.n >= pending->last_n &&
                   safe_reached(stream, &pending->era, pending->safe)) {
            pending->wanted = false;
            stream->lease_granted = true;
            stream->lease_era = pending->era;
            leases_grant(stream->streams->leases, stream->index,
                         pending->sent_ns, stream->lease_ms);
        }
    }
    lease_sanity(stream);
}

static void
on_renewed(void *arg, enum err err, const char *why,
           const struct bus_lease *lease)
{
    struct stream *stream = arg;

    (void)why; /* the bus has told */
    stream->renewal = NULL;
    if (err == ERR_OK)
        lease_take_length(stream, lease->length_ms);
    if (err == ERR_OK || err == ERR_PROTOCOL)
        leases_heard(stream->streams->leases, stream->index,
                     stream->renewal_sent_ns + length_ms(stream) * NS_PER_MS);
    timer_start(stream->renew, renew_every_ms(stream));
    if (err == ERR_PROTOCOL)
        lease_end(stream); /* refused: L3 */
    if (err != ERR_OK)
        return;
    stream->rtt_ns = clock_boot_ns() - stream->renewal_sent_ns;
    stream->has_row = true;
    stream->pending = (struct stream_pending){
        .wanted = true,
        .sent_ns = stream->renewal_sent_ns,
        .era = lease->era,
        .last_n = lease->last.n,
        .safe = safe_ticket(stream),
    };
    if (stream->last_n < lease->last.n && stream->met &&
        lease->era.term == stream->era.term)
        stream->last_n = lease->last.n;
    lease_look(stream);
    if (stream->pending.wanted || !stream->met ||
        stream->era.term != lease->era.term)
        stream_sync(stream);
    ack_look(stream);
}

void
lease_renew(struct stream *stream)
{
    struct streams *streams = stream->streams;

    if (stream->renewal != NULL || streams->leaves)
        return;
    timer_stop(stream->renew);
    stream->renewal_sent_ns = clock_boot_ns(); /* L1: before it is sent */
    stream->renewal =
        bus_renew(stream->bus, buf_span(&streams->holder), stream->era.term,
                  stream->met ? stream->cursor.n : 0, LEASE_LENGTH_MS,
                  streams->generation, on_renewed, stream);
}

static void
on_renew(void *arg)
{
    lease_renew(arg);
}

/* ---- acknowledging ---- */

#define ACK_EVERY_MS 2
#define ACKS_MAX 256 /* on their way at once */

static void
on_acked(void *arg, enum err err, const char *why)
{
    struct stream *stream = arg;

    (void)why;
    stream->acks--;
    if (err != ERR_OK)
        stream->acked_term = 0; /* the next renewal tells it anyway */
}

/* Whether it must wait a moment: entries by the thousand are not acknowledged
 * one by one. */
static bool
ack_later(struct stream *stream, uint64_t now)
{
    if (stream->acks == 0 ||
        (stream->acks < ACKS_MAX &&
         now - stream->acked_ns >= ACK_EVERY_MS * NS_PER_MS))
        return false;
    if (!timer_running(stream->ack_timer))
        timer_start(stream->ack_timer, ACK_EVERY_MS);
    return true;
}

void
ack_look(struct stream *stream)
{
    uint64_t now = clock_boot_ns();

    if (!stream->has_row || !stream->met || !bus_connected(stream->bus) ||
        (stream->acked_term == stream->era.term &&
         stream->acked_n >= stream->cursor.n) ||
        ack_later(stream, now))
        return;
    stream->acked_term = stream->era.term;
    stream->acked_n = stream->cursor.n; /* applied, and published: L5 */
    stream->acked_ns = now;
    stream->acks++;
    bus_ack(stream->bus, buf_span(&stream->streams->holder), stream->acked_term,
            stream->acked_n, on_acked, stream);
}

static void
on_ack_timer(void *arg)
{
    ack_look(arg);
}

void
lease_start(struct stream *stream)
{
    stream->renew = timer_new(stream->streams->control, on_renew, stream);
    stream->ack_timer =
        timer_new(stream->streams->control, on_ack_timer, stream);
    timer_start(stream->renew, renew_every_ms(stream));
}

void
lease_stop(struct stream *stream)
{
    leases_end(stream->streams->leases, stream->index);
    bus_cancel(&stream->renewal);
    timer_free(&stream->renew);
    timer_free(&stream->ack_timer);
}
