/*
 * A write through a node, which publishes: durable intent, origin, publication,
 * with crashes of the node at any time. One reader holds the copy from before;
 * it drops it when it applies the publication, and asks the origin at once.
 *
 * Promise: when the client is told of success, the reader has the new version.
 * With -DPROGRESS: a write that the origin carried out is what the reader has in
 * the end, whatever the client was told.
 */
#ifndef STARTS
#define STARTS 2 /* of the node, after a crash */
#endif
#define EXECUTION 2            /* the origin's longest time for a request */
#define MARGIN (2 * EXECUTION) /* ... on the node's clock; see lease.pml */

/* The request to the origin. */
#define NOT_SENT 0
#define SENT 1
#define REFUSED 2
#define CARRIED_OUT 3
byte request;
byte within;   /* what is left for the origin to carry it out */
bool executed; /* the origin has the new version */

bool invalid; /* published, and not applied by the reader yet */
bool fresh;   /* the reader has the new version */
bool told;    /* the client, of success */

/* The node's memory: which step is next. */
#define BEGIN 0
#define FORWARD 1
#define OUTCOME 2
#define PUBLISH 3
#define ACKNOWLEDGED 4
#define WAIT 5   /* the outcome is unknown, and a publication was made ... */
#define AGAIN 6  /* ... as there is one more when the origin's time is up */
#define END 7
bool up = true;
byte at;
bool sure; /* the outcome is known */
byte wait, starts;
bool intent; /* on its disk */

#define DOWN(timer, by) timer = ((timer) > (by) -> (timer) - (by) : 0)

proctype time()
{
    byte rate;

    do
    :: atomic { within + wait > 0 ->
        DOWN(within, 1);
        if
        :: rate = 1
        :: rate = 2
        fi;
        DOWN(wait, rate);
        rate = 0 }
    od
}

proctype origin()
{
    do
    :: atomic { request == SENT && within > 0 ->
        executed = true;
        request = CARRIED_OUT }
    :: atomic { request == SENT -> request = REFUSED }
    od
}

proctype reader()
{
    do
    :: atomic { invalid ->
        invalid = false;
        fresh = executed }
    od
}

proctype node()
{
    do
    :: atomic { up && at == BEGIN ->
#ifndef NO_W1
        intent = true;
#endif
        at = FORWARD }
    :: atomic { up && at == FORWARD ->
        request = SENT;
        within = EXECUTION;
        at = OUTCOME
#ifdef NO_W2
        ;
        invalid = true /* published as it is sent, and then no more */
#endif
    }
    :: atomic { up && at == OUTCOME && request > SENT ->
        sure = true;
        at = PUBLISH }
    :: atomic { up && at == OUTCOME -> at = PUBLISH } /* no answer came */
    :: atomic { up && at == PUBLISH ->
#ifndef NO_W2
        invalid = true;
#endif
#ifdef NO_W4
        intent = false;
#endif
        if
        :: sure ->
            at = ACKNOWLEDGED
#ifdef NO_W5
            ;
            told = (request == CARRIED_OUT)
#endif
#ifdef NO_W3
        :: else -> at = ACKNOWLEDGED
#else
        :: else -> at = WAIT; wait = MARGIN
#endif
        fi }
    :: atomic { up && at == WAIT && wait == 0 -> at = AGAIN }
    :: atomic { up && at == AGAIN ->
        invalid = true;
        at = ACKNOWLEDGED }
    :: atomic { up && at == ACKNOWLEDGED && !invalid ->
        if
        :: sure && request == CARRIED_OUT -> told = true
        :: else
        fi;
        intent = false;
        at = END }
    od
}

proctype power()
{
    do
    :: atomic { up && starts < STARTS ->
        starts++;
        up = false;
        sure = false;
        wait = 0;
        at = END }
    :: atomic { !up ->
        up = true;
        if
#ifdef NO_W3_START
        :: intent -> at = AGAIN /* its time must be long up */
#else
        :: intent -> at = PUBLISH
#endif
        :: else
        fi }
    od
}

proctype monitor()
{
    do
    :: atomic { told && !fresh -> assert(false) }
    od
}

#ifdef PROGRESS
/* Spin's fairness sees no run that merely stops. */
proctype idle()
{
    do
    :: starts <= STARTS
    od
}
#endif

init
{
    atomic {
        run time();
        run origin();
        run reader();
        run node();
        run power();
#ifdef PROGRESS
        run idle();
#endif
        run monitor()
    }
}

#ifdef PROGRESS
ltl ends { [] (executed -> <> fresh) }
#endif
