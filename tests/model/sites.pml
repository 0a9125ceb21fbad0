/*
 * Two writer sites of a route. The second joins while all runs: list 1 names
 * site 0, list 2 names both. With -DBOTH both are there from the start. It is
 * the same whether site 1 is new, or only new among the writers of the route.
 *
 * Promise: as in lease.pml. That a lease at one site is what it should be is
 * shown there; here renewing, reading and acknowledging take no time.
 */
#define LENGTH 2
#define MARGIN (2 * LENGTH) /* see lease.pml */
#ifndef CRASHES
#define CRASHES 0 /* of site 0's Redis */
#endif
#ifndef READERS
#define READERS 1
#endif

typedef site {
    byte era;
    byte list; /* the generation it knows; 0: none */
    bool x;    /* our purge was published here */
    bool row[READERS], ack[READERS];
};
site r[2];
byte crashes;
bool open; /* site 1 takes publications */

typedef reader {
    byte list;
    byte lease[2]; /* units left */
    bool behind[2]; /* the last renewal told of the purge, not applied yet */
    bool clean;     /* the purge was applied */
    bool arrived;   /* a request, after the acknowledgement */
};
reader n[READERS];

bool ok;
byte where; /* it was published: 0, 1; 2: not yet */
byte wait, watch;
bool seen, done;

#ifdef NO_L5
#define AT(i, s) ((n[i].lease[0] > 0 && !n[i].behind[0]) || \
    (n[i].list == 2 && n[i].lease[1] > 0 && !n[i].behind[1]))
#define IN_SYNC(i) AT(i, 0)
#else
#define AT(i, s) (n[i].lease[s] > 0 && !n[i].behind[s])
#define IN_SYNC(i) (AT(i, 0) && (n[i].list == 1 || AT(i, 1)))
#endif

#ifdef NO_G1
#define TAKES(s, i) true
#else
#ifdef NO_G4
/* An empty Redis takes the generation of whoever comes first. */
#define TAKES(s, i) (n[i].list >= r[s].list)
#else
#define TAKES(s, i) (r[s].list != 0 && n[i].list >= r[s].list)
#endif
#endif

#define RENEW(s) :: atomic { n[i].list > s && TAKES(s, i) -> \
        r[s].row[i] = true; n[i].lease[s] = LENGTH; \
        n[i].behind[s] = r[s].x && !n[i].clean }
#define APPLY(s) :: atomic { n[i].list > s && r[s].x && !n[i].clean -> \
        n[i].clean = true; n[i].behind[0] = false; n[i].behind[1] = false }
#define ACK(s) :: atomic { n[i].list > s && r[s].x && n[i].clean -> \
        r[s].ack[i] = true }

proctype node(byte i)
{
    do
    RENEW(0)
    RENEW(1)
    APPLY(0)
    APPLY(1)
    ACK(0)
    ACK(1)
    :: atomic { n[i].list == 1 -> n[i].list = 2 } /* its configuration */
    :: atomic { ok && !n[i].clean && !n[i].arrived -> n[i].arrived = true }
    :: atomic { n[i].arrived && IN_SYNC(i) -> assert(n[i].clean) }
    od
}

#define DOWN(timer, by) timer = ((timer) > (by) -> (timer) - (by) : 0)
byte opening; /* what is left of the wait before site 1 opens */

proctype time()
{
    byte rate;

    do
    :: atomic {
        (n[0].lease[0] + n[0].lease[1] + wait + watch + opening > 0) ->
        if
        :: rate = 1
        :: rate = 2
        fi;
        DOWN(n[0].lease[0], rate);
        DOWN(n[0].lease[1], rate);
        if
        :: rate = 1
        :: rate = 2
        fi;
        DOWN(wait, rate);
        DOWN(watch, rate);
        if
        :: rate = 1
        :: rate = 2
        fi;
        DOWN(opening, rate);
        rate = 0 }
    od
}

/* Who brings site 1 into service. */
byte step, era0;

proctype operator()
{
    do
    :: atomic { step == 0 && !open ->
        r[0].list = 2;
        era0 = r[0].era;
        step = 1 }
    :: atomic { step == 1 ->
        r[1].list = 2;
#ifndef NO_G2
        opening = MARGIN;
#endif
        step = 2 }
    :: atomic { step == 2 && opening == 0 ->
        if
#ifdef NO_G3
        :: true -> open = true
#else
#ifdef NO_G3_ERA
        :: r[0].list == 2 -> open = true
#else
        :: r[0].list == 2 && r[0].era == era0 -> open = true
#endif
        :: else /* begin again */
#endif
        fi;
        step = 0 }
    /* After a loss the list is written again. */
    :: atomic { r[0].list == 0 -> r[0].list = (open || step > 0 -> 2 : 1) }
    od
}

/* The tail that a crash may lose is shorter than a lease: what is older than
 * the wait before opening is lost only with everything else. */
proctype redis()
{
    do
    :: atomic { crashes < CRASHES && where != 0 ->
        crashes++;
        r[0].era++;
        r[0].row[0] = false;
        r[0].ack[0] = false;
        if
        :: r[0].list = 0
        :: !open -> r[0].list = 1
        :: skip
        fi }
    od
}

#define PUBLISH(s) :: atomic { where == 2 && (s == 0 || open) -> \
        where = s; r[s].x = true; wait = MARGIN; \
        if :: !seen -> seen = true; watch = MARGIN :: else fi }
#define EARLY(s) :: atomic { where == s && !done && watch == 0 && \
        (!r[s].row[0] || r[s].ack[0]) -> done = true; ok = true }

proctype waiter()
{
    do
    /* It watches the era of site 1, where nothing crashes here. */
    :: atomic { !seen -> seen = true; watch = MARGIN }
    PUBLISH(0)
    PUBLISH(1)
    EARLY(1)
#if CRASHES == 0
    EARLY(0)
#endif
    :: atomic { where != 2 && !done && wait == 0 -> done = true; ok = true }
    od
}

init
{
    atomic {
        r[0].era = 1;
        r[1].era = 1;
        r[0].list = 1;
        n[0].list = 1;
        where = 2;
#ifdef BOTH
        r[0].list = 2;
        r[1].list = 2;
        n[0].list = 2;
        open = true;
#endif
        run node(0);
        run time();
        run operator();
        run redis();
        run waiter()
    }
}
