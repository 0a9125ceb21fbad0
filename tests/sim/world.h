/* What is done to the nodes: clients and faults, as a plan that can be cut
 * down; and what must hold. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SESSIONS 3
#define HEAL (UINT64_C(16000000000)) /* when all faults are over */
#define PURGE_WIDE 6 /* from here on a purge is of more than the key */

enum level {
    LEVEL_AP,
    LEVEL_BOUNDED,
    LEVEL_SESSION,
    LEVEL_LEASE,
    LEVEL_CP,
    LEVELS
};

enum act {
    ACT_READ,
    ACT_SESSION,   /* a read with the token of a session */
    ACT_WRITE,     /* at the origin */
    ACT_PUT,       /* through a node */
    ACT_OWN_PURGE, /* by a session */
    ACT_PURGE,
    ACT_CUT,   /* a link, one way or both */
    ACT_PART,  /* two sites */
    ACT_ALONE, /* a node, from every Redis */
    ACT_DEAF,  /* a node hears of no entry of a site, and yet renews */
    ACT_KILL,
    ACT_PAUSE,
    ACT_STALL, /* one thread of a node */
    ACT_REDIS, /* down, and up again after redis_fault */
    ACT_TRIM,
    ACT_REDIS_PAUSE,
    ACT_ORIGIN,
    ACT_SLOW,
    ACT_STEP,  /* of a wall clock */
    ACT_SPLIT, /* two primaries: `b` is which nodes have the new one */
    ACTS
};

struct action {
    enum act act;
    bool off; /* cut out of the plan */
    uint64_t time;
    uint64_t until; /* faults */
    unsigned node;
    unsigned key;
    unsigned a, b; /* by the act */
    bool hard, both, all;
};

struct plan_of {
    struct action *list;
    size_t count;
};

extern const char *const level_names[LEVELS];
enum level level_of(unsigned key);
unsigned world_keys(void);

/* Makes what is to happen, and the nodes and sites it happens to. */
void world_plan(uint64_t seed, struct plan_of *plan);
/* Carries it out. Gives what was violated (static), or NULL. */
const char *world_run(uint64_t seed, const struct plan_of *plan,
                      const char *folder);
void action_print(const struct action *action);

/* ---- faults.c ---- */

bool place_exists(unsigned place);
unsigned place_site(unsigned place);
void fault_begin(const struct action *action);
/* Of the action. */
void fault_end(void *action);

/* ---- check.c ---- */

struct totals {
    uint64_t events;
    uint64_t answers[LEVELS], failures[LEVELS], local[LEVELS];
    uint64_t purges, acknowledged, kept, writes;
    uint64_t faults;
};
extern struct totals totals;

void check_reset(void);
const char *check_violated(void);
const char *check_story(void);
void check_report(const char *rule, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A request begins at a node: what its answer must be, at least. */
struct read_check {
    unsigned node, key;
    unsigned session; /* SESSIONS: none */
    uint64_t arrived;
    uint64_t need;
    bool held; /* the node had a copy; and the others */
    bool peer_held[8];
    bool final;
};
void check_read_begin(struct read_check *read);
/* `value` is 0 when there is none. */
void check_read_end(const struct read_check *read, unsigned status,
                    uint64_t value, bool local);
/* Nobody answers with less on `lease` from now on. */
void check_acknowledged(unsigned key, uint64_t version);
/* After healing nobody does on any level. */
void check_promised(unsigned key, uint64_t version);
/* Copies may be gone: of one key, or all; or those of a node. */
void check_gone(unsigned key, bool all);
void check_restarted(unsigned node);
/* A node reaches no Redis; what it keeps counts there meanwhile, over a crash,
 * too. */
void check_alone(unsigned node, bool alone);
void check_kept(unsigned node, unsigned key, uint64_t version);
/* A wall clock was. */
void check_stepped(void);
void check_session(unsigned session, unsigned key, uint64_t version);

#endif
