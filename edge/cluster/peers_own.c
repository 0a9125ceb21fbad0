/*
 * Our own digest. Exporting a large filter takes longer than the control
 * thread may be away, so libuv's pool does it: one export at a time, not
 * before an interval has passed since the last, and only when the filter has
 * changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bloom.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cluster/peers_internal.h"

/* A digest with its count. The one in `latest` holds a reference, which is
 * given back after a grace period: until then, whoever read it there may take
 * one more. */
struct own_export {
    struct peers_digest digest;
    struct grace_defer defer;
    _Atomic unsigned refs;
    unsigned char bits[];
};

struct peers_own {
    struct loop *loop;
    const struct bloom *bloom;
    char incarnation[MEMBERSHIP_INCARNATION_SIZE];
    uint64_t interval_ms;
    struct timer *timer;
    struct work *work;         /* the one that runs, or NULL */
    struct own_export *export; /* what it fills */
    uint64_t version;          /* of the latest export */
    _Atomic(struct own_export *) latest;
};

static void
drop(struct own_export *export)
{
    if (atomic_fetch_sub(&export->refs, 1) == 1)
        free(export);
}

static void
drop_deferred(struct grace_defer *defer)
{
    drop(CONTAINER_OF(defer, struct own_export, defer));
}

static struct own_export *
make_export(const struct peers_own *own, uint64_t version)
{
    size_t slots = bloom_slots(own->bloom);
    struct own_export *export = malloc(sizeof(*export) + slots / 8);

    if (export == NULL)
        return NULL;
    *export = (struct own_export){
        .digest = {.bits = export->bits, .len = slots / 8, .slots = slots}};
    atomic_init(&export->refs, 1);
    snprintf(export->digest.etag, sizeof(export->digest.etag),
             "\"%s-%" PRIx64 "\"", own->incarnation, version);
    return export;
}

static void
publish(struct peers_own *own, struct own_export *export)
{
    struct own_export *old = atomic_exchange(&own->latest, export);

    if (old != NULL)
        grace_defer(&old->defer, drop_deferred);
}

/* On the pool. */
static void
fill_export(void *arg)
{
    struct peers_own *own = arg;

    bloom_export(own->bloom, own->export->bits);
}

static void
on_filled(void *arg)
{
    struct peers_own *own = arg;

    own->work = NULL;
    publish(own, own->export);
    own->export = NULL;
    timer_start(own->timer, own->interval_ms);
}

static void
on_timer(void *arg)
{
    struct peers_own *own = arg;
    /* Read before the bits: what changes during the export is seen next. */
    uint64_t version = bloom_version(own->bloom);
    struct own_export *export;

    if (atomic_load(&own->latest) != NULL && version == own->version) {
        timer_start(own->timer, own->interval_ms);
        return;
    }
    export = make_export(own, version);
    if (export == NULL) {
        LOG(LOG_ERROR, "peers: no memory to export the digest of the store; "
                       "peers go by the one before");
        timer_start(own->timer, own->interval_ms);
        return;
    }
    own->version = version;
    own->export = export;
    own->work = work_start(own->loop, fill_export, on_filled, own);
}

struct peers_own *
peers_own_new(struct loop *loop, const struct bloom *bloom,
              const char *incarnation, uint64_t interval_ms)
{
    struct peers_own *own = mem_zalloc(sizeof(*own));

    own->loop = loop;
    own->bloom = bloom;
    own->interval_ms = interval_ms;
    memcpy(own->incarnation, incarnation, sizeof(own->incarnation));
    own->timer = timer_new(loop, on_timer, own);
    timer_start(own->timer, 0);
    return own;
}

void
peers_own_free(struct peers_own **own)
{
    struct peers_own *o = *own;

    if (o == NULL)
        return;
    timer_free(&o->timer);
    /* Past this, nobody touches the bloom. */
    if (o->work != NULL)
        work_finish(&o->work, true);
    free(o->export);
    publish(o, NULL);
    free(o);
    *own = NULL;
}

const struct peers_digest *
peers_own_latest(const struct peers_own *own)
{
    if (own == NULL)
        return NULL;
    grace_enter();
    struct own_export *export =
        atomic_load_explicit(&own->latest, memory_order_acquire);

    if (export == NULL)
        return NULL;
    atomic_fetch_add(&export->refs, 1);
    return &export->digest;
}

void
peers_digest_unref(const struct peers_digest **digest)
{
    if (*digest == NULL)
        return;
    /* The digest is the first member of what we made. */
    union {
        const struct peers_digest *digest;
        struct own_export *export;
    } made = {*digest};

    *digest = NULL;
    drop(made.export);
}
