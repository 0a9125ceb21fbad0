/*
 * The tables over a restart: what is done is told to whoever writes it down,
 * and done again from there. Numbers stay what they were, so that an object
 * that was kept with one is judged by it as if nothing had happened.
 */
#include "inval_internal.h"

void
inval_watch(struct inval *inval, inval_event_fn fn, void *arg)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    inval->event = fn;
    inval->event_arg = arg;
}

void
inval_tell(struct inval *inval, const struct inval_event *event)
{
    if (inval->event != NULL)
        inval->event(inval->event_arg, event);
}

static bool
redo_entry(struct inval *inval, const struct inval_event *event)
{
    size_t site = INVAL_LOCAL;

    if (event->site.len > 0) {
        site = inval_site(inval, event->site);
        /* Its site's place in its stream must have been told before. */
        if (site == SIZE_MAX || !inval->sites[site].met)
            return false;
    }
    inval_apply(inval, event->entry, site, event->n);
    return true;
}

static bool
redo(struct inval *inval, const struct inval_event *event)
{
    if (event->what == INVAL_EVENT_SITE) {
        size_t site = inval_site(inval, event->site);

        if (site == SIZE_MAX)
            return false;
        inval_site_at(inval, site, event->epoch, event->term, event->n);
        return true;
    }
    if (event->number != inval->next + 1)
        return false;
    if (event->what == INVAL_EVENT_ENTRY)
        return redo_entry(inval, event);
    inval_raise_floor(inval, event->reason);
    return true;
}

bool
inval_redo(struct inval *inval, const struct inval_event *event)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    CHECK(inval->event == NULL);
    inval->redoing = true;
    bool done = redo(inval, event);

    inval->redoing = false;
    return done;
}

void
inval_lose(struct inval *inval, uint64_t number)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    CHECK(number >= inval->next);
    inval->next = number;
    inval->changed = true;
    atomic_store_explicit(&inval->all.hard, number, memory_order_release);
    atomic_store_explicit(&inval->newest, number, memory_order_release);
    atomic_store_explicit(&inval->floor, number, memory_order_release);
}

void
inval_skip(struct inval *inval, uint64_t number)
{
    TAG_CHECK(inval, INVAL_TAG_VALUE);
    CHECK(number >= inval->next);
    inval->changed = inval->changed || number > inval->next;
    inval->next = number;
}

void
inval_site_leave(struct inval *inval, size_t site)
{
    CHECK(site < inval->site_count);
    inval->sites[site].met = false;
    inval->changed = true;
}

const char *
inval_site_name(const struct inval *inval, size_t site)
{
    return site < inval->site_count ? inval->sites[site].name : NULL;
}
