/*
 * A simulation: the edge's own cluster, store, engine and configuration, many
 * nodes in one process and one thread, over a clock, a network, Redis servers
 * and an origin of its own.
 *
 * What is replaced, and nothing else: base/clock.h, base/loop.h, base/grace.h,
 * secret_random and the log (sched.c, chance.c), bus/bus.h (redis.c, bus.c),
 * fetch/fetch.h (web.c). Whatever happens, happens as an event of one queue,
 * ordered by virtual time; all chance comes from the seed. So a seed is a
 * history, the same each time.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/span.h"

#define US UINT64_C(1000)
#define MS NS_PER_MS
#define S NS_PER_S

/* Places of the network. */
#define SITES_MAX 3
#define NODES_MAX 6
enum { PLACE_ORIGIN, PLACE_REDIS, PLACE_NODE = PLACE_REDIS + SITES_MAX };
#define PLACES (PLACE_NODE + NODES_MAX)

struct loop;
struct node;

/* ---- chance.c: everything that is not decided ---- */

void chance_seed(uint64_t seed);
uint64_t chance(void);
/* 0 to n - 1. */
uint64_t chance_below(uint64_t n);
/* One in n. */
bool chance_one_in(uint64_t n);
/* From `low` to `high`; mostly near `low`. */
uint64_t chance_delay(uint64_t low, uint64_t high);

/* ---- sched.c: the queue of events, clocks, loops ---- */

/* Virtual time, since the beginning. */
uint64_t sim_now(void);
struct event;
typedef void (*event_fn)(void *arg);
/* On a loop: in the turn of its thread, when that is not stopped; NULL: of
 * nobody. */
struct event *event_at(uint64_t time, struct loop *loop, event_fn fn,
                       void *arg);
struct event *event_in(uint64_t ns, struct loop *loop, event_fn fn, void *arg);
/* With what is to become of `arg` if the loop goes before. */
struct event *event_message(uint64_t time, struct loop *loop, event_fn fn,
                            event_fn drop, void *arg);
/* It will not fire. Nulls the handle, which is invalid once it has fired. */
void event_cancel(struct event **event);
/* Runs until nothing is left, or the time has come. Gives how many there
 * were. */
uint64_t sim_run(uint64_t until_ns);
/* Drops what is left of an old run, and begins at 0. */
void sim_reset(void);
/* What was deferred for a grace period, all of it. */
void sim_grace(void);
/* The history so far, as a number: two runs of one seed have the same. */
uint64_t sim_hash(void);
void sim_mix(uint64_t value);

/* Tells what happens. */
extern bool sim_verbose;

/* A machine, and whose turn it is: clocks are those of the current one. */
struct machine {
    int64_t drift_ppm;   /* its clock runs faster by so much */
    uint64_t boot_ns;    /* what it showed at the beginning */
    int64_t wall_ms;     /* its wall clock is off by this */
    uint64_t paused_to;  /* stopped (SIGSTOP) until then */
    uint64_t stalled_to; /* one of its threads */
    bool dead;           /* of its process: nothing that it does shows */
    int place;
};
struct machine *sim_machine(void);
void sim_become(struct machine *machine);
/* The machine of a loop made from now on is the current one. */
struct machine *loop_machine(const struct loop *loop);
/* One thread stands still: what comes for it waits. */
void loop_stall(struct loop *loop, uint64_t ns);

/* ---- net.c: who reaches whom ---- */

void net_reset(void);
void net_cut(int from, int to, bool cut);
/* Both ways. */
void net_cut_both(int a, int b, bool cut);
bool net_up(int from, int to);
void net_delay(int a, int b, uint64_t ns);
/* It takes so long, at least, one way; 0: as usual. */
void net_slow(int from, int to, uint64_t delay_ns);
/* Of a Redis and a node: entries do not get through, all else does. */
void net_deafen(int redis, int node, bool deaf);
bool net_deaf(int redis, int node);
/* One way, this time. */
uint64_t net_latency(int from, int to);
/* Since when nothing was wrong between the two, both ways; UINT64_MAX: it is.
 */
uint64_t net_well_since(int a, int b);

/* ---- redis.c and bus.c ---- */

enum redis_fault {
    REDIS_RESTART, /* with all its data: another term */
    REDIS_LOST,    /* its last entries are lost: a failover */
    REDIS_WIPED,   /* empty: another epoch */
    REDIS_TRIMMED  /* cut to its last entries; no restart */
};
void redis_reset(unsigned sites, bool with_replicas);
void redis_free(void);
/* Remembers what a failover would find. */
void redis_checkpoint(unsigned site);
void redis_down(unsigned site);
void redis_fault(unsigned site, enum redis_fault fault);
void redis_up(unsigned site);
/* Its replica becomes a primary, too, and has what it had at the last barrier
 * or checkpoint; places with a bit in the mask go over to it. Nothing happens
 * without replicas. And: all do, and the old one is gone. */
void redis_split(unsigned site, uint64_t with_the_new);
void redis_unsplit(unsigned site);
/* Which server a place has for a site. */
unsigned redis_server(unsigned site, int place);
/* All connections to it are told. */
void bus_broken(unsigned site);
/* Stopped until then. */
void redis_pause(unsigned site, uint64_t until_ns);
uint64_t redis_well_since(unsigned site);

/* ---- web.c: the origin, and requests between nodes ---- */

#define KEYS_MAX 16
void origin_reset(unsigned keys);
/* A write at the origin itself. Gives the version. */
uint64_t origin_write(unsigned key);
uint64_t origin_version(unsigned key);
/* The last one that a node wrote. */
uint64_t origin_put_version(unsigned key);
/* What a key's version was at that time. */
uint64_t origin_version_at(unsigned key, uint64_t time);
void origin_set_up(bool up);
bool origin_up(void);
uint64_t origin_well_since(void);
/* "/LEVEL/N/x" is of key N. */
bool origin_key_of(struct span target, unsigned *key);

/* ---- node.c ---- */

extern struct node *nodes[NODES_MAX];
extern unsigned node_count, site_count;
extern bool sim_replicas; /* each Redis has one */

#endif
