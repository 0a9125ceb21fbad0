/*
 * A purge at a node that reaches no writer's stream: applied there, kept in a
 * durable outbox, published later. A peer has the copy from before, and so has
 * the node's own disk. The stream has no entry but this one.
 *
 * Promise: once the client was told (202), the node has no copy from before
 * that passes its validity rule; success of wait=all is told only when the peer
 * has dropped its copy too. With -DPROGRESS: in the end it drops it.
 */
#ifndef STARTS
#define STARTS 2 /* of the node, after a crash */
#endif

bool published;
bool peer_pos; /* the peer's position: has it applied the entry? */

/* The node's memory ... */
bool up = true;
bool asked, told, success;
bool applied; /* its tables have the purge, by a local number */
bool pos;
bool have; /* a copy from before that passes the rule */
bool fetching; /* from the peer, ... */
bool passes;   /* ... and the purge is not later than when it asked */
byte starts;
/* ... and its disk, where a record from before is. */
bool outbox, saved_pos;

/* A peer's copy counts as of our own position when we asked: all that was
 * applied by then it is believed to have seen. Unless its own position, which
 * comes with it, is behind ours. */
#define BELIEVED (!peer_pos && !pos)
#ifdef NO_O3
#define MAY_ASK true
#else
#ifdef NO_O3_READ
#define MAY_ASK !(outbox && !published)
#else
#define MAY_ASK !(outbox && !pos)
#endif
#endif

proctype node()
{
    do
    :: atomic { up && !asked ->
        asked = true;
#ifndef NO_O1
        outbox = true;
#endif
        applied = true;
        passes = false;
        have = false }
    :: atomic { up && applied && !told -> told = true }
    :: atomic { up && (outbox || applied) && !published -> published = true }
    :: atomic { up && published && !pos ->
        pos = true;
        applied = true;
        passes = false;
        have = false }
    :: atomic { up && pos && !saved_pos -> saved_pos = true }
#ifdef NO_O5
    :: atomic { up && outbox && published -> outbox = false }
#else
    :: atomic { up && outbox && published && saved_pos -> outbox = false }
#endif
    :: atomic { up && !fetching && BELIEVED && MAY_ASK ->
        fetching = true;
        passes = true }
    :: atomic { up && fetching ->
        fetching = false;
        if
        :: passes -> have = true
        :: else
        fi;
        passes = false }
#ifdef NO_O4
    :: atomic { up && told && !success -> success = true }
#else
    :: atomic { up && told && published && peer_pos && !success ->
        success = true }
#endif
    od
}

proctype peer()
{
    do
    :: atomic { published && !peer_pos -> peer_pos = true }
    od
}

proctype power()
{
    do
    :: atomic { up && starts < STARTS ->
        starts++;
        up = false;
        fetching = false;
        passes = false;
        have = false }
    :: atomic { !up ->
        pos = saved_pos;
#ifdef NO_O2
        applied = pos;
#else
        applied = pos || outbox;
#endif
        have = !applied; /* the record from before */
        up = true }
    od
}

proctype monitor()
{
    do
    :: atomic { told && up && have -> assert(false) }
    :: atomic { success && !peer_pos -> assert(false) }
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
        have = true;
        run node();
        run peer();
        run power();
#ifdef PROGRESS
        run idle();
#endif
        run monitor()
    }
}

#ifdef PROGRESS
ltl ends { [] (told -> <> peer_pos) }
#endif
