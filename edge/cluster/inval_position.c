/*
 * What local numbers and vectors have to do with each other.
 *
 * A vector that lags behind ours at a site lacks the entry n + 1 there, first
 * of all; the ring of that site tells which local number that entry has.
 */
#include "inval_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
inval_ring_put(struct inval_ring *ring, uint64_t n, uint64_t seq)
{
    size_t at = (size_t)(n % INVAL_RING);

    /* A reader that sees the new seq sees the 0 or what follows it, too. */
    atomic_store_explicit(&ring->slots[at].n, 0, memory_order_relaxed);
    atomic_store_explicit(&ring->slots[at].seq, seq, memory_order_release);
    atomic_store_explicit(&ring->slots[at].n, n, memory_order_release);
}

/* 0 when it is not there (any more). */
static uint64_t
ring_find(struct inval_ring *ring, uint64_t n)
{
    size_t at = (size_t)(n % INVAL_RING);

    if (atomic_load_explicit(&ring->slots[at].n, memory_order_acquire) != n)
        return 0;
    uint64_t seq =
        atomic_load_explicit(&ring->slots[at].seq, memory_order_acquire);

    if (atomic_load_explicit(&ring->slots[at].n, memory_order_acquire) != n)
        return 0;
    return seq;
}

/* ---- snapshots ---- */

static void
free_view(struct grace_defer *defer)
{
    struct inval_view *view = CONTAINER_OF(defer, struct inval_view, defer);

    free(view->text);
    free(view);
}

static void
free_ring(struct grace_defer *defer)
{
    free(CONTAINER_OF(defer, struct inval_ring, defer));
}

void
inval_view_publish(struct inval *inval)
{
    struct inval_view *view = mem_zalloc(sizeof(*view));
    struct position *position = &view->snapshot.position;
    struct buf text = {0};

    for (size_t i = 0; i < inval->site_count; i++) {
        const struct inval_site *site = &inval->sites[i];

        if (!site->met)
            continue;
        view->rings[position->count] = site->ring;
        CHECK(position_set(position, span_of(site->name), site->epoch,
                           site->term, site->n));
    }
    position_write(position, &text);
    view->snapshot.text.len = text.len;
    view->text = buf_steal(&text);
    view->snapshot.text.ptr = view->text;
    view->snapshot.seq = inval->next;
    struct inval_view *old =
        atomic_exchange_explicit(&inval->view, view, memory_order_acq_rel);

    if (old != NULL)
        grace_defer(&old->defer, free_view);
    /* Only the snapshots before this one lead to them. */
    while (inval->retired != NULL) {
        struct inval_ring *ring = inval->retired;

        inval->retired = ring->next;
        grace_defer(&ring->defer, free_ring);
    }
}

void
inval_view_free(struct inval *inval)
{
    struct inval_view *view = atomic_load(&inval->view);

    for (size_t i = 0; i < inval->site_count; i++)
        free(inval->sites[i].ring);
    while (inval->retired != NULL) {
        struct inval_ring *ring = inval->retired;

        inval->retired = ring->next;
        free(ring);
    }
    free(view->text);
    free(view);
}

const struct inval_snapshot *
inval_snapshot(struct inval *inval)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    grace_enter();
    return &atomic_load_explicit(&inval->view, memory_order_acquire)->snapshot;
}

/* ---- sites ---- */

size_t
inval_site(struct inval *inval, struct span name)
{
    size_t i = 0;

    while (i < inval->site_count &&
           !span_eq(span_of(inval->sites[i].name), name))
        i++;
    if (i < inval->site_count)
        return i;
    if (i == POSITION_SITES || !position_site_valid(name))
        return SIZE_MAX;
    memcpy(inval->sites[i].name, name.ptr, name.len);
    inval->site_count++;
    return i;
}

void
inval_site_at(struct inval *inval, size_t site, uint64_t epoch, uint64_t term,
              uint64_t n)
{
    CHECK(site < inval->site_count);
    struct inval_site *at = &inval->sites[site];

    /* Numbers may come again: what was remembered of them means nothing. */
    if (at->ring != NULL) {
        at->ring->next = inval->retired;
        inval->retired = at->ring;
    }
    at->ring = calloc(1, sizeof(*at->ring));
    CHECK(at->ring != NULL);
    at->met = true;
    at->epoch = epoch;
    at->term = term;
    at->n = n;
    inval->changed = true;
    inval_tell(inval, &(struct inval_event){.what = INVAL_EVENT_SITE,
                                            .number = inval->next,
                                            .site = span_of(at->name),
                                            .epoch = epoch,
                                            .term = term,
                                            .n = n});
}

/* ---- localize ---- */

uint64_t
inval_localize(struct inval *inval, const struct position *theirs,
               uint64_t asked_seq, const struct inval_subject *subject)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    grace_enter();
    const struct inval_view *view =
        atomic_load_explicit(&inval->view, memory_order_acquire);
    const struct position *ours = &view->snapshot.position;
    /* Entries after the snapshot are not in the vector we compare with. */
    uint64_t claim =
        asked_seq < view->snapshot.seq ? asked_seq : view->snapshot.seq;
    struct inval_found found;

    for (size_t i = 0; i < ours->count; i++) {
        const struct position_site *site =
            position_find(theirs, span_of(ours->sites[i].site));
        enum position_order order = position_order(site, &ours->sites[i]);

        if (order == POSITION_UNRELATED)
            return 0;
        if (order != POSITION_BEHIND)
            continue;
        uint64_t seq = ring_find(view->rings[i], site->n + 1);

        if (seq == 0)
            return 0;
        if (seq - 1 < claim)
            claim = seq - 1;
    }
    inval_find(inval, subject, &found);
    if (found.local > 0 && found.local - 1 < claim)
        claim = found.local - 1;
    return claim;
}
