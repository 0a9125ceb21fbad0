/* Faults of one program, or of all of a site. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "injector.h"

/* ---- whom ---- */

/* Takes a program that no other fault has. */
static bool
take(struct injector *lab, struct fault *fault, enum place_role role)
{
    fault->place = injector_pick(lab, role);
    if (fault->place == PLACES_MAX)
        return false;
    lab->processes[fault->place].busy = true;
    fault->on = mem_strdup(lab->places.list[fault->place].name);
    return true;
}

static bool
give_back(struct injector *lab, struct fault *fault)
{
    lab->processes[fault->place].busy = false;
    return true;
}

/* ---- kill -9, and start again ---- */

static bool
begin_kill(struct injector *lab, struct fault *fault, enum place_role role)
{
    if (!take(lab, fault, role))
        return false;
    process_kill(lab, fault->place);
    return true;
}

static bool
heal_kill(struct injector *lab, struct fault *fault)
{
    if (fault->phase == 0) {
        process_start(lab, fault->place);
        fault->phase = 1;
    }
    return lab->processes[fault->place].state == PROCESS_UP &&
           give_back(lab, fault);
}

static bool
begin_kill_node(struct injector *lab, struct fault *fault)
{
    return begin_kill(lab, fault, PLACE_NODE);
}

static bool
begin_kill_redis(struct injector *lab, struct fault *fault)
{
    return begin_kill(lab, fault, PLACE_REDIS);
}

static bool
begin_kill_origin(struct injector *lab, struct fault *fault)
{
    return begin_kill(lab, fault, PLACE_ORIGIN);
}

/* Its data is lost. */
static bool
begin_wipe(struct injector *lab, struct fault *fault)
{
    if (!begin_kill(lab, fault, PLACE_REDIS))
        return false;
    process_wipe(lab, fault->place);
    return true;
}

const struct fault_kind fault_kill_node = {"kill-node",     5,        0, 3000,
                                           begin_kill_node, heal_kill};
const struct fault_kind fault_kill_redis = {"kill-redis",     4,        0, 3000,
                                            begin_kill_redis, heal_kill};
const struct fault_kind fault_kill_origin = {
    "kill-origin", 2, 0, 2000, begin_kill_origin, heal_kill};
const struct fault_kind fault_wipe_redis = {"wipe-redis", 1,        0, 1000,
                                            begin_wipe,   heal_kill};

/* ---- SIGSTOP, SIGCONT ---- */

static bool
begin_stop(struct injector *lab, struct fault *fault, enum place_role role)
{
    if (!take(lab, fault, role))
        return false;
    process_signal(lab, fault->place, SIGSTOP);
    return true;
}

static bool
heal_stop(struct injector *lab, struct fault *fault)
{
    process_signal(lab, fault->place, SIGCONT);
    return give_back(lab, fault);
}

static bool
begin_stop_node(struct injector *lab, struct fault *fault)
{
    return begin_stop(lab, fault, PLACE_NODE);
}

static bool
begin_stop_redis(struct injector *lab, struct fault *fault)
{
    return begin_stop(lab, fault, PLACE_REDIS);
}

static bool
begin_stop_origin(struct injector *lab, struct fault *fault)
{
    return begin_stop(lab, fault, PLACE_ORIGIN);
}

const struct fault_kind fault_stop_node = {"stop-node",     5,        200, 6000,
                                           begin_stop_node, heal_stop};
const struct fault_kind fault_stop_redis = {
    "stop-redis", 4, 200, 4000, begin_stop_redis, heal_stop};
const struct fault_kind fault_stop_origin = {
    "stop-origin", 2, 200, 2000, begin_stop_origin, heal_stop};

/* ---- all of a site at once ---- */

static bool
begin_kill_site(struct injector *lab, struct fault *fault)
{
    const char *site =
        lab->places.list[injector_random(lab, lab->places.count)].site;
    struct buf on = {0};

    for (size_t i = 0; i < lab->places.count; i++) {
        if (strcmp(lab->places.list[i].site, site) == 0 &&
            (lab->processes[i].busy || lab->processes[i].state != PROCESS_UP))
            return false;
    }
    for (size_t i = 0; i < lab->places.count; i++) {
        if (strcmp(lab->places.list[i].site, site) != 0)
            continue;
        buf_printf(&on, "%s%s", on.len > 0 ? "," : "",
                   lab->places.list[i].name);
        lab->processes[i].busy = true;
        process_kill(lab, i);
        fault->place = i;
    }
    fault->on = buf_steal(&on);
    return true;
}

static bool
heal_kill_site(struct injector *lab, struct fault *fault)
{
    const char *site = lab->places.list[fault->place].site;
    bool all = true;

    for (size_t i = 0; i < lab->places.count; i++) {
        if (strcmp(lab->places.list[i].site, site) != 0)
            continue;
        if (fault->phase == 0)
            process_start(lab, i);
        all = all && lab->processes[i].state == PROCESS_UP;
    }
    fault->phase = 1;
    for (size_t i = 0; all && i < lab->places.count; i++) {
        if (strcmp(lab->places.list[i].site, site) == 0)
            lab->processes[i].busy = false;
    }
    return all;
}

const struct fault_kind fault_kill_site = {
    "kill-site", 1, 0, 2000, begin_kill_site, heal_kill_site};

/* ---- the wall clock of one program ---- */

#define STEP_MAX_S 12

/* Nothing may come of it, so that it excuses nothing. */
static bool
begin_clock(struct injector *lab, struct fault *fault)
{
    enum place_role role =
        injector_random(lab, 2) == 0 ? PLACE_NODE : PLACE_REDIS;
    int64_t step = (int64_t)injector_random(lab, 2 * STEP_MAX_S * 1000);

    if (!take(lab, fault, role))
        return false;
    free(fault->on);
    fault->on = mem_strdup("-");
    process_set_clock(lab, fault->place, (step - STEP_MAX_S * 1000) * 1000000);
    return true;
}

static bool
heal_clock(struct injector *lab, struct fault *fault)
{
    process_set_clock(lab, fault->place, 0);
    return give_back(lab, fault);
}

const struct fault_kind fault_clock = {"clock", 3,           500,
                                       8000,    begin_clock, heal_clock};
