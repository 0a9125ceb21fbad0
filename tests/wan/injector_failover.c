/*
 * Failover to a replica: the primary dies, or stands still; a while later the
 * replica is promoted and the site's address leads to it; and later still the
 * old primary comes back, as a replica.
 *
 * Replication is not synchronous: what the primary had not sent is lost. Half
 * of the time replication had stood still before.
 *
 * Split: the primary lives on, and some sites go on using it until it dies.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "injector.h"

#define DETECT_MIN_MS 200
#define DETECT_MAX_MS 1500

enum phase { PHASE_LAG, PHASE_DEAD, PHASE_PROMOTED, PHASE_COMES_BACK };

/* A primary with a replica that follows it. */
static bool
find(struct injector *lab, struct fault *fault)
{
    for (size_t i = 0; i < lab->places.count; i++) {
        const struct process *replica = &lab->processes[i];

        if (replica->replica_of == PLACES_MAX || replica->busy ||
            replica->state != PROCESS_UP ||
            lab->processes[replica->replica_of].busy ||
            lab->processes[replica->replica_of].state != PROCESS_UP)
            continue;
        fault->place = replica->replica_of;
        fault->other = i;
        return true;
    }
    return false;
}

static void
cut_replication(struct injector *lab, struct fault *fault)
{
    fault->pairs[0] =
        (struct pair){(uint8_t)fault->place, (uint8_t)fault->other};
    fault->pairs[1] =
        (struct pair){(uint8_t)fault->other, (uint8_t)fault->place};
    fault->pair_count = 2;
    links_cut(lab, &fault->pairs[0]);
    links_cut(lab, &fault->pairs[1]);
}

static void
heal_replication(struct injector *lab, struct fault *fault)
{
    for (size_t i = 0; i < fault->pair_count; i++)
        links_heal(lab, &fault->pairs[i]);
    fault->pair_count = 0;
}

static void
lose_primary(struct injector *lab, struct fault *fault)
{
    if (injector_random(lab, 2) == 0)
        process_kill(lab, fault->place);
    else
        process_signal(lab, fault->place, SIGSTOP);
    fault->phase = PHASE_DEAD;
}

static bool
take(struct injector *lab, struct fault *fault)
{
    if (!find(lab, fault))
        return false;
    lab->processes[fault->place].busy = true;
    lab->processes[fault->other].busy = true;
    fault->on = mem_printf("%s,%s", lab->places.list[fault->place].name,
                           lab->places.list[fault->other].name);
    return true;
}

static bool
begin(struct injector *lab, struct fault *fault)
{
    if (!take(lab, fault))
        return false;
    if (injector_random(lab, 2) == 0)
        cut_replication(lab, fault);
    else
        lose_primary(lab, fault);
    return true;
}

static bool
promote(struct injector *lab, struct fault *fault)
{
    struct buf answer = {0};
    bool good = process_exchange(lab, fault->other, 6379,
                                 "REPLICAOF NO ONE\r\n", &answer) &&
                strncmp(answer.data, "+OK", 3) == 0;

    buf_fini(&answer);
    return good;
}

/* All see the new primary: from here on the site has a Redis. */
static void
complete(struct injector *lab, struct fault *fault)
{
    links_move(lab, fault->other, "*");
    lab->processes[fault->other].primary = true;
    lab->processes[fault->other].replica_of = PLACES_MAX;
    lab->processes[fault->place].primary = false;
    lab->processes[fault->place].replica_of = fault->other;
    injector_tell(lab, fault);
}

static bool
heal(struct injector *lab, struct fault *fault)
{
    uint64_t pause =
        (DETECT_MIN_MS + injector_random(lab, DETECT_MAX_MS - DETECT_MIN_MS)) *
        1000;

    switch ((enum phase)fault->phase) {
    case PHASE_LAG:
        lose_primary(lab, fault);
        fault->heal_us = history_now_us() + pause;
        return false;
    case PHASE_DEAD:
        if (promote(lab, fault)) {
            heal_replication(lab, fault);
            complete(lab, fault);
            fault->phase = PHASE_PROMOTED;
            fault->heal_us = history_now_us() + pause;
        }
        return false;
    case PHASE_PROMOTED:
        process_kill(lab, fault->place);
        process_start(lab, fault->place);
        fault->phase = PHASE_COMES_BACK;
        return false;
    case PHASE_COMES_BACK:
        if (lab->processes[fault->place].state != PROCESS_UP)
            return false;
        lab->processes[fault->place].busy = false;
        lab->processes[fault->other].busy = false;
        return true;
    }
    return false;
}

/* ---- split ---- */

static bool
begin_split(struct injector *lab, struct fault *fault)
{
    uint64_t with_the_old;

    if (!take(lab, fault))
        return false;
    if (!promote(lab, fault)) {
        lab->processes[fault->place].busy = false;
        lab->processes[fault->other].busy = false;
        return false;
    }
    /* Each node by itself, as names and caches of names have it. */
    with_the_old = injector_random(lab, UINT32_MAX);
    for (size_t i = 0; i < lab->places.count; i++) {
        if ((with_the_old >> i & 1) == 0)
            links_move(lab, fault->other, lab->places.list[i].name);
    }
    return true;
}

static bool
heal_split(struct injector *lab, struct fault *fault)
{
    if (fault->phase == 0) {
        process_kill(lab, fault->place);
        complete(lab, fault);
        fault->phase = PHASE_PROMOTED;
    }
    return heal(lab, fault);
}

const struct fault_kind fault_failover = {"failover",    4,     DETECT_MIN_MS,
                                          DETECT_MAX_MS, begin, heal};
const struct fault_kind fault_split = {"split", 3,           500,
                                       8000,    begin_split, heal_split};
