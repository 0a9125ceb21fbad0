/*
 * Leases and acknowledged purges at one site: SERVERS Redis servers, READERS
 * nodes (or incarnations of a node), one program that purges and waits.
 *
 * Promise: once the purge was acknowledged, no request that arrives later is
 * answered under a lease with the version from before. README.md has the rules
 * by name; -DNO_ and its name takes one out.
 *
 * There is no global clock and no horizon: each program counts its own timers
 * down, at 1 or 2 units a tick, chosen anew at each tick and for each program.
 * A drift of a third is (1 + 1/3) : (1 - 1/3), the same 2 : 1. Whatever is not
 * a tick takes no time, and may be put off as long as it likes: this is how
 * slow networks, half-open connections and stopped processes are in here.
 */
#ifndef SERVERS
#define SERVERS 1
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef LAST
#define LAST 2 /* entries in a stream, at most */
#endif
#ifndef CRASHES
#define CRASHES 0 /* of a Redis; each may lose any tail, or everything */
#endif
#ifndef FAILOVERS
#define FAILOVERS 0
#endif
#ifndef STEPS
#define STEPS 0 /* of the wall clock of Redis */
#endif

/* The length of a lease; an era is one epoch and term, from 1 on. */
#ifndef LONG
#define LONG 2
#endif
#ifdef SHORTER
#define LENGTH(era) ((era) == 1 -> LONG : 1)
#else
#define LENGTH(era) LONG
#endif
/* L(1 + m) on the waiter's clock: (1 + rho) / (1 - rho) = 2. */
#ifdef NO_A1
#define MARGIN(l) ((4 * (l)) / 3) /* the drift of one clock only */
#else
#define MARGIN(l) (2 * (l))
#endif

#define DOWN(timer, by) timer = ((timer) > (by) -> (timer) - (by) : 0)

#if SERVERS == 2
#define EACH_SERVER(x) x(0) x(1)
#else
#define EACH_SERVER(x) x(0)
#endif

typedef server {
    bool primary;
    byte era;  /* of a replica: the era of what it was sent */
    byte last; /* the last number given */
    byte x;    /* the number of our purge; 0: it is not in the stream */
    bool row[READERS];
    byte ack[READERS]; /* of this era */
    bool beat;    /* of row 0: another than its watcher saw last */
    bool rewound; /* it may come to one that was there before */
};
server r[SERVERS];
byte eras = 1, crashes, failovers, steps;

bool written; /* the origin has the new version */
bool ok;      /* the purge was acknowledged */
bool ended;
#ifdef STANDING
bool gone; /* the entry, by a crash */
#endif

/* A renewal: what it is at. */
#define IDLE 0
#define SENT 1
#define DONE 2     /* by a Redis, whose replica may not have it yet */
#define ANSWERED 3 /* the answer is on its way */
#define FLOOR 4    /* another era: the floor is raised, and not yet counted */
#define SYNCED 5   /* the same, of a mere reading: it brings no lease */

/* A worker: it takes what the tables say when its turn begins. */
#define OUT 0
#define TURN 1
#define ARRIVED 2 /* a request has been parsed */
#define ANSWERS 3 /* the lease was found good */

typedef reader {
    bool up;
    byte era, pos, need; /* pos counts; era 0: nothing is known */
    byte lease;          /* units left */
    byte at, left, aera, alast, by;
    bool clean; /* no copy from before passes the validity rule */
    byte doing;
#ifdef NO_L2
    bool good;
#endif
#ifdef STALE
    byte oleft, oera, olast; /* an answer on a connection given up */
#endif
};
reader n[READERS];

/* The program that waits. */
#define BEFORE 0
#define ASKED 1
#define PUBLISHED 2
#define TOLD 3
#define WAITING 4
byte stage, pera, pnum, pby;
byte seen, watch;  /* the era last seen, and what is left of the watch on it */
byte wait;
#ifdef NO_A2_SEEN
bool asking; /* for the era */
#endif
#ifdef REMOVE
byte beats;   /* what is left of the watch on row 0 */
byte beatera; /* in which it was seen */
bool doomed;  /* the row's deletion is on its way */
#ifdef NO_A2_BEAT
bool looking;
#endif
#endif

/* Servers, whichever are primaries, are asked by whoever likes: nobody knows
 * which of two is the one that counts. */
#include "lease_redis.pml"

/* ---- time ---- */

inline pass(i)
{
    if
    :: rate = 1
    :: rate = 2
#ifdef NO_L1_CLOCK
    :: rate = 0 /* a clock that stands still in a suspended machine */
#endif
    fi;
    DOWN(n[i].lease, rate);
    DOWN(n[i].left, rate);
#ifdef STALE
    DOWN(n[i].oleft, rate);
#endif
}

#if READERS == 2
#define RUNNING_1 n[1].lease + n[1].left
#else
#define RUNNING_1 0
#endif
#ifdef STALE
#define RUNNING_2 n[0].oleft
#else
#define RUNNING_2 0
#endif
#ifdef REMOVE
#define RUNNING_3 beats
#else
#define RUNNING_3 0
#endif
#define RUNNING (n[0].lease + n[0].left + watch + wait + RUNNING_1 + \
    RUNNING_2 + RUNNING_3 > 0)

proctype time()
{
    byte rate;

    do
    :: atomic { RUNNING ->
        pass(0);
#if READERS == 2
        pass(1);
#endif
        if
        :: rate = 1
        :: rate = 2
        fi;
        DOWN(watch, rate);
        DOWN(wait, rate);
#ifdef REMOVE
        DOWN(beats, rate);
#endif
        rate = 0 }
    od
}

#include "lease_node.pml"
#include "lease_waiter.pml"

init
{
    atomic {
        r[0].primary = true;
        r[0].era = 1;
#if SERVERS == 2
        r[1].era = 1;
#endif
        n[0].up = true;
        run redis();
#ifdef STILL
        /* No time passes: acknowledgements alone must do. */
        seen = 1;
        n[0].era = 1;
        r[0].row[0] = true;
#else
        run time();
#endif
        run waiter();
#ifdef REMOVE
        run remover();
#endif
        run node(0);
        run applier(0);
        run worker(0);
#if READERS == 2
        run node(1);
        run applier(1);
        run worker(1);
#endif
    }
}

#ifdef PROGRESS
#ifdef SURE
ltl ends { <> ok }
#else
ltl ends { <> ended }
#endif
#endif
