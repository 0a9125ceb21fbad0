/*
 * A node is cut off from a Redis, and what that Redis published meanwhile is
 * gone before the node is back: all of it, history included, or only the
 * entries.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "injector.h"

/* Long enough for a purge to be acknowledged without the node: by then its
 * lease has run out. */
#define LEASES_OVER 8000

enum phase { PHASE_CUT, PHASE_GONE };

static bool
begin(struct injector *lab, struct fault *fault)
{
    fault->place = injector_pick(lab, PLACE_REDIS);
    fault->other = injector_pick(lab, PLACE_NODE);
    if (fault->place == PLACES_MAX || fault->other == PLACES_MAX ||
        !lab->processes[fault->place].primary)
        return false;
    const char *redis = lab->places.list[fault->place].name;
    const char *node = lab->places.list[fault->other].name;

    lab->processes[fault->place].busy = true;
    fault->pairs[0] =
        (struct pair){(uint8_t)fault->place, (uint8_t)fault->other};
    fault->pairs[1] =
        (struct pair){(uint8_t)fault->other, (uint8_t)fault->place};
    fault->pair_count = 2;
    links_cut(lab, &fault->pairs[0]);
    links_cut(lab, &fault->pairs[1]);
    fault->on = mem_printf("%s,%s>%s,%s>%s", redis, redis, node, node, redis);
    return true;
}

static bool
reconnect(struct injector *lab, struct fault *fault)
{
    if (lab->processes[fault->place].state != PROCESS_UP)
        return false;
    links_heal(lab, &fault->pairs[0]);
    links_heal(lab, &fault->pairs[1]);
    lab->processes[fault->place].busy = false;
    return true;
}

/* Everything is lost: another epoch begins. */
static bool
heal_amnesia(struct injector *lab, struct fault *fault)
{
    if (fault->phase == PHASE_CUT) {
        process_kill(lab, fault->place);
        process_wipe(lab, fault->place);
        process_start(lab, fault->place);
        fault->phase = PHASE_GONE;
    }
    return reconnect(lab, fault);
}

/* The entries are lost, and the numbers go on. */
static bool
heal_trim(struct injector *lab, struct fault *fault)
{
    char *command = mem_printf("XTRIM {atlas:%s}:log MAXLEN 0\r\n",
                               lab->places.list[fault->place].site);
    struct buf answer = {0};

    if (fault->phase == PHASE_CUT &&
        process_exchange(lab, fault->place, 6379, command, &answer) &&
        answer.data[0] == ':')
        fault->phase = PHASE_GONE;
    buf_fini(&answer);
    free(command);
    return fault->phase == PHASE_GONE && reconnect(lab, fault);
}

const struct fault_kind fault_amnesia = {"amnesia",   3,     1500,
                                         LEASES_OVER, begin, heal_amnesia};
const struct fault_kind fault_trim = {"trim",      2,     1500,
                                      LEASES_OVER, begin, heal_trim};
