/*
 * Waiting until a published entry is acknowledged: until every node that may
 * hold a lease has applied it, or can hold none any more.
 *
 * Invariants:
 *  A1 all waiting is measured on this node's own clock, from when the answer
 *     to the publication was received; no clock of Redis counts;
 *  A2 it ends by itself once a lease that was granted before the publication
 *     cannot be held any more (lease_wait_ns);
 *  A3 it ends sooner only when all rows, read after the publication, have
 *     acknowledged it in its own term;
 *  A4 in either case this node has known that term for as long as the longest
 *     lease that anybody may have been given: those of an earlier term, whose
 *     rows may be lost, have run out;
 *  A5 success is said only right after the entry was seen to stand, in the
 *     same epoch and term, in the same reading as the rows;
 *  A10 with replicas none of this begins before all of these have the entry
 *     (stream_safe.c);
 *  A6 a row is taken out only when its beat was seen to stand still for as
 *     long, on this node's own clock.
 */
#include "stream_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/lease.h"

/* Between two looks when the Redis cannot be read. */
#define RETRY_MS 100

struct wait {
    struct post post;
    struct list_link link; /* stream->waits */
    struct streams *streams;
    struct stream *stream;
    char site[POSITION_NAME];
    struct bus_era era;
    uint64_t n;
    enum purge_wait scope;
    uint64_t deadline_ms;
    uint64_t published_ns; /* A1; or when it was safe, A10 */
    uint64_t safe;         /* its ticket; 0: none, or it is safe */
    uint64_t deadline_ns;  /* the caller's */
    struct bus_call *watch;
    struct timer *timer;
    bool again; /* look once more as soon as this look is over */
    struct purge_holder *holders;
    size_t count;
    enum purge_wait_outcome outcome;
    struct loop *reply_to;
    purge_wait_fn fn;
    void *arg;
};

static void look(struct wait *wait);

const char *
purge_wait_name(enum purge_wait wait)
{
    static const char *const names[] = {"none", "site", "all"};

    CHECK((unsigned)wait < ARRAY_LEN(names));
    return names[wait];
}

const char *
purge_holder_name(enum purge_holder_state state)
{
    static const char *const names[] = {"pending", "acknowledged",
                                        "lease-expired"};

    CHECK((unsigned)state < ARRAY_LEN(names));
    return names[state];
}

/* ---- holders: "SITE/NODE/INCARNATION" ---- */

static struct span
part(struct span id, size_t index)
{
    struct span piece = SPAN_NONE;

    for (size_t i = 0; i <= index; i++) {
        if (!span_split(&id, '/', &piece))
            return SPAN("");
    }
    return piece;
}

static bool
concerns(const struct wait *wait, struct span id)
{
    return wait->scope == PURGE_WAIT_ALL ||
           span_eq(part(id, 0), span_of(wait->stream->streams->site));
}

static void
copy(char *to, size_t size, struct span from)
{
    snprintf(to, size, "%.*s", SPAN_FMT(from));
}

static void
take_holders(struct wait *wait, const struct bus_watched *watched)
{
    free(wait->holders);
    wait->holders = mem_zalloc((watched->count + 1) * sizeof(*wait->holders));
    wait->count = 0;
    for (size_t i = 0; i < watched->count; i++) {
        const struct bus_holder *from = &watched->holders[i];
        struct purge_holder *to = &wait->holders[wait->count];

        if (!concerns(wait, from->id))
            continue;
        wait->count++;
        copy(to->site, sizeof(to->site), part(from->id, 0));
        copy(to->node, sizeof(to->node), part(from->id, 1));
        copy(to->id, sizeof(to->id), from->id);
        to->state = from->term == wait->era.term && from->n >= wait->n
                        ? PURGE_HOLDER_ACKNOWLEDGED
                        : PURGE_HOLDER_PENDING;
    }
}

static bool
all_acknowledged(const struct wait *wait)
{
    for (size_t i = 0; i < wait->count; i++) {
        if (wait->holders[i].state != PURGE_HOLDER_ACKNOWLEDGED)
            return false;
    }
    return true;
}

/* ---- the end ---- */

static void
on_reply_loop(struct post *post)
{
    struct wait *wait = CONTAINER_OF(post, struct wait, post);
    struct purge_wait_result result = {wait->outcome, wait->holders,
                                       wait->count};

    wait->fn(wait->arg, &result);
    free(wait->holders);
    free(wait);
}

/* The end of its time on the control thread. */
static void
end(struct wait *wait, enum purge_wait_outcome outcome)
{
    struct streams *streams = wait->streams;

    list_remove(&wait->link);
    bus_cancel(&wait->watch);
    timer_free(&wait->timer);
    wait->outcome = outcome;
    wait->post.fn = on_reply_loop;
    loop_post(wait->reply_to, &wait->post);
    streams_unref(streams);
}

void
wait_abandon(struct stream *stream)
{
    while (!list_empty(&stream->waits))
        end(list_first(&stream->waits, struct wait, link), PURGE_DEADLINE);
}

/* ---- looking ---- */

static uint64_t
span_ns(const struct wait *wait)
{
    return lease_wait_ns(wait->stream->lease_ms > 0 ? wait->stream->lease_ms
                                                    : LEASE_LENGTH_MS,
                         wait->stream->streams->drift_percent);
}

static uint64_t
span_max_ns(const struct stream *stream)
{
    return lease_wait_ns(stream->streams->lease_max_ms,
                         stream->streams->drift_percent);
}

static bool
stands(const struct wait *wait, const struct bus_lease *lease)
{
    return lease->era.epoch == wait->era.epoch &&
           lease->era.term == wait->era.term && lease->last.n >= wait->n;
}

/* Whether it is over, after a look that was sent at `now`. */
static bool
settle(struct wait *wait, uint64_t now)
{
    const struct stream *stream = wait->stream;

    if (wait->safe != 0 || stream->era.epoch != wait->era.epoch ||
        stream->era.term != wait->era.term ||
        now - stream->era_since_ns < span_max_ns(stream)) /* A4 */
        return false;
    if (all_acknowledged(wait)) { /* A3 */
        end(wait, PURGE_ACKNOWLEDGED);
        return true;
    }
    if (now - wait->published_ns < span_ns(wait))
        return false;
    for (size_t i = 0; i < wait->count; i++) { /* A2 */
        if (wait->holders[i].state == PURGE_HOLDER_PENDING)
            wait->holders[i].state = PURGE_HOLDER_EXPIRED;
    }
    end(wait, PURGE_ACKNOWLEDGED);
    return true;
}

/* When to look again, with no news: at the end of all leases, and of those of
 * the term before, or at the caller's deadline. */
static void
arm(struct wait *wait, uint64_t now)
{
    uint64_t at = wait->published_ns + span_ns(wait);
    uint64_t term = wait->stream->era_since_ns + span_max_ns(wait->stream);

    if (all_acknowledged(wait) || term > at)
        at = term;
    if (wait->deadline_ns < at)
        at = wait->deadline_ns;
    timer_start(wait->timer, at > now ? (at - now) / NS_PER_MS + 1 : RETRY_MS);
}

static void
on_watched(void *arg, enum err err, const char *why,
           const struct bus_watched *watched)
{
    struct wait *wait = arg;
    uint64_t now = clock_boot_ns();

    (void)why;
    wait->watch = NULL;
    if (err != ERR_OK) {
        if (now >= wait->deadline_ns)
            end(wait, PURGE_DEADLINE);
        else
            timer_start(wait->timer, RETRY_MS);
        return;
    }
    if (!stands(wait, &watched->lease)) { /* A5 */
        end(wait, PURGE_LOST);
        return;
    }
    lease_take_length(wait->stream, watched->lease.length_ms);
    take_holders(wait, watched);
    if (settle(wait, now))
        return;
    if (now >= wait->deadline_ns)
        end(wait, PURGE_DEADLINE);
    else if (wait->again)
        look(wait);
    else
        arm(wait, now);
}

static void
look(struct wait *wait)
{
    if (wait->watch != NULL) {
        wait->again = true;
        return;
    }
    wait->again = false;
    timer_stop(wait->timer);
    wait->watch =
        bus_watch(wait->stream->bus, LEASE_LENGTH_MS, on_watched, wait);
}

static void
on_timer(void *arg)
{
    look(arg);
}

#define MOMENT_PART 4 /* of a round trip */
#define MOMENT_MAX_MS 10

static void
on_control(struct post *post)
{
    struct wait *wait = CONTAINER_OF(post, struct wait, post);
    struct stream *stream = NULL;

    list_init(&wait->link);
    for (size_t i = 0; i < wait->streams->count; i++) {
        if (strcmp(wait->streams->list[i].name, wait->site) == 0)
            stream = &wait->streams->list[i];
    }
    if (wait->streams->closed || stream == NULL) {
        end(wait, PURGE_DEADLINE);
        return;
    }
    wait->stream = stream;
    wait->published_ns = clock_boot_ns();
    wait->deadline_ns = wait->published_ns + wait->deadline_ms * NS_PER_MS;
    wait->timer = timer_new(wait->streams->control, on_timer, wait);
    list_push_back(&stream->waits, &wait->link);
    wait->safe = safe_ticket(stream);
    /* Those who read it when we did acknowledge it now: who looks a moment
     * later finds that, and is spared another look. */
    uint64_t moment_ms = stream->rtt_ns / MOMENT_PART / NS_PER_MS;

    if (moment_ms > 0)
        timer_start(wait->timer,
                    moment_ms < MOMENT_MAX_MS ? moment_ms : MOMENT_MAX_MS);
    else
        look(wait);
}

void
purge_wait_start(struct streams *streams,
                 const struct purge_wait_options *options,
                 struct loop *reply_to, purge_wait_fn fn, void *arg)
{
    struct wait *wait = mem_zalloc(sizeof(*wait));

    TAG_CHECK(streams, STREAMS_TAG);
    CHECK(options->scope != PURGE_WAIT_NONE);
    wait->streams = streams;
    copy(wait->site, sizeof(wait->site), span_of(options->site));
    wait->era = (struct bus_era){options->epoch, options->term};
    wait->n = options->n;
    wait->scope = options->scope;
    wait->deadline_ms = options->deadline_ms;
    wait->reply_to = reply_to;
    wait->fn = fn;
    wait->arg = arg;
    atomic_fetch_add(&streams->refs, 1);
    wait->post.fn = on_control;
    loop_post(streams->control, &wait->post);
}

void
wait_safe(struct stream *stream)
{
    struct wait *wait, *next;

    list_for_each_safe (wait, next, &stream->waits, link) {
        if (wait->safe == 0 || !safe_reached(stream, &wait->era, wait->safe))
            continue;
        wait->safe = 0;
        wait->published_ns = clock_boot_ns();
        look(wait);
    }
}

/* A hint: when it was the last one that was missing, the rows are read. Before
 * they were read once it is not known who is missing: that is the moment's. */
void
wait_acked(struct stream *stream, struct span id, uint64_t term, uint64_t n)
{
    struct wait *wait, *next;

    list_for_each_safe (wait, next, &stream->waits, link) {
        if (term != wait->era.term || n < wait->n)
            continue;
        for (size_t i = 0; i < wait->count; i++) {
            if (span_eq(span_of(wait->holders[i].id), id))
                wait->holders[i].state = PURGE_HOLDER_ACKNOWLEDGED;
        }
        if (wait->watch != NULL)
            wait->again = true;
        else if (wait->count > 0 && all_acknowledged(wait))
            look(wait);
    }
}
