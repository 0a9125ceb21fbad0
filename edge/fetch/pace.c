#include "fetch/pace.h"

#include "base/clock.h"

#define AT_ONCE 10 /* this part of a second's worth */

static uint64_t
spacing_ns(uint64_t rate)
{
    return rate < NS_PER_S ? NS_PER_S / rate : 1;
}

/* How far ahead of even spacing events may be: at least one always passes. */
static uint64_t
slack_ns(uint64_t rate)
{
    uint64_t spacing = spacing_ns(rate);
    uint64_t slack = NS_PER_S / AT_ONCE;

    return slack > spacing ? slack - spacing : 0;
}

static bool
is_due(uint64_t due_ns, uint64_t rate, uint64_t now_ns)
{
    return due_ns <= now_ns + slack_ns(rate);
}

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool
pace_ready(const struct pace *pace, uint64_t rate, uint64_t now_ns)
{
    return rate == 0 ||
           is_due(atomic_load_explicit(&pace->due_ns, memory_order_relaxed),
                  rate, now_ns);
}

bool
pace_take(struct pace *pace, uint64_t rate, uint64_t now_ns)
{
    uint64_t due = atomic_load_explicit(&pace->due_ns, memory_order_relaxed);

    if (rate == 0)
        return true;
    do {
        if (!is_due(due, rate, now_ns))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &pace->due_ns, &due, later(due, now_ns) + spacing_ns(rate),
        memory_order_relaxed, memory_order_relaxed));
    return true;
}

void
pace_count(struct pace *pace, uint64_t rate, uint64_t now_ns)
{
    uint64_t due = atomic_load_explicit(&pace->due_ns, memory_order_relaxed);
    uint64_t most = now_ns + slack_ns(rate > 0 ? rate : 1) + NS_PER_S;
    uint64_t next;

    if (rate == 0)
        return;
    do {
        next = later(due, now_ns) + spacing_ns(rate);
        if (next > most)
            next = later(due, most);
    } while (!atomic_compare_exchange_weak_explicit(
        &pace->due_ns, &due, next, memory_order_relaxed, memory_order_relaxed));
}
