#include "fetch/origin.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/pace.h"

struct server {
    char *url;
    size_t url_len;
    _Atomic uint64_t requests;
    _Atomic uint64_t failures;
    _Atomic unsigned failures_in_row;
    /* Left alone until then; 0: not. */
    _Atomic uint64_t ejected_until_ns;
    _Atomic bool on_trial; /* one request was let through to try it */
};

struct origin {
    char *name;
    _Atomic unsigned refs;
    _Atomic unsigned turn;
    struct pace pace;
    size_t count;
    struct server servers[];
};

struct origin *
origin_new(const char *name, const char *const *servers, size_t count)
{
    struct origin *origin =
        mem_zalloc(sizeof(*origin) + count * sizeof(struct server));

    CHECK(count > 0 && count <= ORIGIN_SERVERS_MAX);
    origin->name = mem_strdup(name);
    atomic_init(&origin->refs, 1);
    origin->count = count;
    for (size_t i = 0; i < count; i++) {
        origin->servers[i].url = mem_strdup(servers[i]);
        origin->servers[i].url_len = span_of(servers[i]).len;
    }
    return origin;
}

struct origin *
origin_ref(struct origin *origin)
{
    atomic_fetch_add(&origin->refs, 1);
    return origin;
}

void
origin_unref(struct origin **origin)
{
    struct origin *o = *origin;

    *origin = NULL;
    if (o == NULL || atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    for (size_t i = 0; i < o->count; i++)
        free(o->servers[i].url);
    free(o->name);
    free(o);
}

const char *
origin_name(const struct origin *origin)
{
    return origin->name;
}

size_t
origin_count(const struct origin *origin)
{
    return origin->count;
}

static uint64_t
ejection_ns(unsigned failures_in_row)
{
    unsigned times = failures_in_row - ORIGIN_EJECT_AFTER;
    uint64_t ms = ORIGIN_EJECT_MAX_MS;

    if (times < 16 && (uint64_t)ORIGIN_EJECT_MIN_MS << times < ms)
        ms = (uint64_t)ORIGIN_EJECT_MIN_MS << times;
    return ms * NS_PER_MS;
}

/* True when the server may be asked. The first who comes after its time alone
 * tries it, and puts the others off for the shortest time. */
static bool
admit(struct server *server, uint64_t now_ns)
{
    uint64_t until = atomic_load(&server->ejected_until_ns);

    if (until == 0)
        return true;
    if (until > now_ns)
        return false;
    if (!atomic_compare_exchange_strong(&server->ejected_until_ns, &until,
                                        now_ns +
                                            ORIGIN_EJECT_MIN_MS * NS_PER_MS))
        return false;
    atomic_store(&server->on_trial, true);
    return true;
}

bool
origin_pick(struct origin *origin, uint64_t now_ns, uint64_t *tried,
            size_t *index, struct span *url)
{
    size_t first = origin->count > 1 ? atomic_fetch_add(&origin->turn, 1) : 0;
    size_t chosen = origin->count;

    for (size_t k = 0; k < origin->count; k++) {
        size_t i = (first + k) % origin->count;

        if (*tried & UINT64_C(1) << i)
            continue;
        if (admit(&origin->servers[i], now_ns)) {
            chosen = i;
            break;
        }
        if (chosen == origin->count)
            chosen = i; /* if nothing better turns up */
    }
    if (chosen == origin->count)
        return false;
    *tried |= UINT64_C(1) << chosen;
    *index = chosen;
    *url = (struct span){origin->servers[chosen].url,
                         origin->servers[chosen].url_len};
    atomic_fetch_add(&origin->servers[chosen].requests, 1);
    return true;
}

static void
report_failure(struct origin *origin, struct server *server, uint64_t now_ns)
{
    bool alone = atomic_load(&server->ejected_until_ns) > now_ns;

    atomic_fetch_add(&server->failures, 1);
    /* Those that were under way when it was ejected count for nothing: one
     * outage must not be taken for many. */
    if (!atomic_exchange(&server->on_trial, false) && alone)
        return;

    unsigned in_row = atomic_fetch_add(&server->failures_in_row, 1) + 1;

    if (in_row < ORIGIN_EJECT_AFTER)
        return;

    uint64_t alone_ns = ejection_ns(in_row);

    atomic_store(&server->ejected_until_ns, now_ns + alone_ns);
    LOG(LOG_WARN,
        "origin \"%s\": server %s failed %u times in a row and is left alone "
        "for %llu ms; check that it runs and can be reached from here",
        origin->name, server->url, in_row,
        (unsigned long long)(alone_ns / NS_PER_MS));
}

void
origin_report(struct origin *origin, size_t index, bool ok, uint64_t now_ns)
{
    struct server *server = &origin->servers[index];

    CHECK(index < origin->count);
    if (!ok) {
        report_failure(origin, server, now_ns);
        return;
    }
    /* Written only when it changes: the line is read by every worker. */
    if (atomic_load(&server->failures_in_row) != 0)
        atomic_store(&server->failures_in_row, 0);
    if (atomic_load(&server->ejected_until_ns) != 0) {
        atomic_store(&server->ejected_until_ns, 0);
        atomic_store(&server->on_trial, false);
        LOG(LOG_INFO, "origin \"%s\": server %s answers again", origin->name,
            server->url);
    }
}

struct pace *
origin_pace(struct origin *origin)
{
    return &origin->pace;
}

bool
origin_healthy(const struct origin *origin, uint64_t now_ns)
{
    for (size_t i = 0; i < origin->count; i++) {
        if (atomic_load(&origin->servers[i].ejected_until_ns) <= now_ns)
            return true;
    }
    return false;
}

void
origin_status(const struct origin *origin, size_t index, uint64_t now_ns,
              struct origin_status *status)
{
    const struct server *server = &origin->servers[index];

    CHECK(index < origin->count);

    uint64_t until = atomic_load(&server->ejected_until_ns);

    status->url = server->url;
    status->requests = atomic_load(&server->requests);
    status->failures = atomic_load(&server->failures);
    status->failures_in_row = atomic_load(&server->failures_in_row);
    status->ejected_ms = until > now_ns ? (until - now_ns) / NS_PER_MS : 0;
}
