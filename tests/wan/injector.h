/*
 * The injector: starts the programs of the lab, each in its place, and does to
 * them and to the links between them what happens to programs and links. Each
 * fault becomes a line of the history, from before it began until after all
 * was as it should be again.
 */
#ifndef WAN_INJECTOR_H
#define WAN_INJECTOR_H

#include <stdio.h>
#include <sys/types.h>

#include "history.h"
#include "place.h"

#define INJECTOR_FAULTS 8
#define INJECTOR_PAIRS 256

enum process_state {
    PROCESS_DOWN,
    PROCESS_STARTING, /* it runs, and does not answer yet */
    PROCESS_UP
};

struct process {
    const struct place *place;
    pid_t pid;
    enum process_state state;
    bool busy;         /* some fault has it */
    bool primary;      /* a Redis that its site's address leads to */
    size_t replica_of; /* index; PLACES_MAX: of none */
    int64_t *clock_ns; /* how far off its wall clock is */
    uint64_t probe_us; /* when to look again whether it answers */
    uint64_t start_us;
};

struct injector;
struct fault;

struct fault_kind {
    const char *name;
    unsigned weight;
    unsigned min_ms, max_ms; /* how long it lasts */
    /* Chooses whom it hits and begins. False: it cannot now. */
    bool (*begin)(struct injector *lab, struct fault *fault);
    /* Its time is over: heals, a step each turn. True: all is well again. */
    bool (*heal)(struct injector *lab, struct fault *fault);
};

struct pair {
    uint8_t from, to;
};

struct fault {
    const struct fault_kind *kind; /* NULL: free */
    uint64_t begin_us;
    uint64_t heal_us;
    size_t place; /* of whom it is, by its kind */
    size_t other;
    unsigned phase; /* of healing */
    bool told;      /* the line was written before all was over */
    struct pair pairs[INJECTOR_PAIRS];
    size_t pair_count;
    char *on; /* what the line names */
};

struct injector {
    struct places places;
    struct process processes[PLACES_MAX];
    const char *dir;
    FILE *relay;
    FILE *out;
    uint64_t random;
    unsigned cuts[PLACES_MAX][PLACES_MAX]; /* faults that cut a direction */
    bool weather[PLACES_MAX][PLACES_MAX];  /* slow, or lossy */
    struct fault faults[INJECTOR_FAULTS];
    uint64_t injected;
    unsigned crashes;
};

/* ---- injector_process.c ---- */

/* Starts it; it is STARTING. */
void process_start(struct injector *lab, size_t index);
/* kill -9, and waits for its end. */
void process_kill(struct injector *lab, size_t index);
/* What it had stored is lost; it must be down. */
void process_wipe(struct injector *lab, size_t index);
void process_signal(struct injector *lab, size_t index, int number);
/* Looks who has ended, and who answers by now. */
void process_look(struct injector *lab);
/* SIGTERM, or what it takes; false when it did not end in order. */
bool process_end(struct injector *lab, size_t index);
/* Sends `text` to a port of the place, and adds what comes back within the
 * time, up to `enough` bytes. False when nothing does. */
bool process_exchange(struct injector *lab, size_t index, unsigned port,
                      const char *text, struct buf *answer);
/* Every node has read every stream. */
bool process_in_sync(struct injector *lab);
/* The wall clock is off by this. */
void process_set_clock(struct injector *lab, size_t index, int64_t off_ns);

/* ---- injector_links.c ---- */

bool links_open(struct injector *lab, const char *path);
/* As the file of places has them. */
void links_reset(struct injector *lab, const struct pair *pair);
void links_reset_all(struct injector *lab);
void links_weather(struct injector *lab, const struct pair *pair,
                   double delay_times, double loss);
void links_cut(struct injector *lab, const struct pair *pair);
void links_heal(struct injector *lab, const struct pair *pair);
/* The shared address of a Redis leads to this place now, as the place `viewer`
 * sees it; "*" for all. */
void links_move(struct injector *lab, size_t index, const char *viewer);

/* ---- injector_network.c, injector_failover.c, injector_amnesia.c,
 * injector_faults.c ---- */

extern const struct fault_kind fault_partition, fault_one_way, fault_isolate,
    fault_redis_cut, fault_origin_cut, fault_peer_cut, fault_slow, fault_lossy;
extern const struct fault_kind fault_failover, fault_split, fault_amnesia,
    fault_trim;
extern const struct fault_kind fault_kill_node, fault_stop_node,
    fault_kill_redis, fault_stop_redis, fault_wipe_redis, fault_kill_site,
    fault_kill_origin, fault_stop_origin, fault_clock;

/* ---- injector_main.c ---- */

uint64_t injector_random(struct injector *lab, uint64_t below);
/* Writes the line of the fault: it is over, or what comes is no fault. */
void injector_tell(struct injector *lab, struct fault *fault);
/* A random process of the role which no fault has; PLACES_MAX: none. */
size_t injector_pick(struct injector *lab, enum place_role role);

#endif
