/* The parts of a plan. */
#ifndef SIM_PLAN_INTERNAL_H
#define SIM_PLAN_INTERNAL_H

#include "sim.h"
#include "world.h"

/* Of a node and a key that chance chooses; valid until the next one. */
struct action *plan_add(struct plan_of *plan, enum act act, uint64_t time);
/* A write, a purge of it, and reads around both. */
void plan_change(struct plan_of *plan, uint64_t time);
/* Faults, changes and reads that belong together: one of stories.c. */
void plan_story(struct plan_of *plan, uint64_t time);

#endif
