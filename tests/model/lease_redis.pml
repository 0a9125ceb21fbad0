/*
 * lease.pml: the Redis servers of the site. A server that nobody asks is one
 * that is down, or cut off, or stopped: that needs no step of its own.
 */
inline new_era(s)
{
    eras++;
    r[s].era = eras;
#ifndef NO_A7
    r[s].ack[0] = 0;
#if READERS == 2
    r[s].ack[1] = 0;
#endif
#endif
}

inline copy(from, to)
{
    d_step {
        r[to].era = r[from].era;
        r[to].last = r[from].last;
        r[to].x = r[from].x;
        r[to].row[0] = r[from].row[0];
        r[to].ack[0] = r[from].ack[0];
        r[to].beat = r[from].beat;
#if READERS == 2
        r[to].row[1] = r[from].row[1];
        r[to].ack[1] = r[from].ack[1];
#endif
    }
}

/* Any tail may be lost, rows and acknowledgements one by one: more than an
 * append-only file can lose. */
inline crash(s)
{
    crashes++;
    do
    :: r[s].last > 0 -> r[s].last--
    :: break
    od;
    if
    :: r[s].x > r[s].last ->
        r[s].x = 0;
#ifdef STANDING
        gone = true
#endif
    :: else
    fi;
    if
    :: r[s].row[0] = false
    :: skip
    fi;
#if READERS == 2
    if
    :: r[s].row[1] = false
    :: skip
    fi;
#endif
#ifdef REMOVE
    r[s].rewound = true;
#endif
    if
    :: r[s].primary -> new_era(s)
    :: else
    fi
}

#define CRASH(s) :: atomic { crashes < CRASHES -> crash(s) }
/* Others publish as well; one number is left for our purge. */
#define OTHER(s) :: atomic { r[s].primary && \
        r[s].last + (!ended && stage <= ASKED) < LAST -> r[s].last++ }
#define OWN(s) (1 - (s))

proctype redis()
{
    do
    EACH_SERVER(CRASH)
    EACH_SERVER(OTHER)
#if SERVERS == 2
#define REPLICATE(s) :: atomic { r[s].primary && !r[OWN(s)].primary -> \
        copy(s, OWN(s)) }
#define PROMOTE(s) :: atomic { !r[s].primary && failovers < FAILOVERS -> \
        failovers++; r[s].primary = true; new_era(s) }
#define DEMOTE(s) :: atomic { r[s].primary && r[OWN(s)].primary -> \
        r[s].primary = false }
    EACH_SERVER(REPLICATE)
    EACH_SERVER(PROMOTE)
    EACH_SERVER(DEMOTE)
#endif
#ifdef NO_A8_CLOCK
    /* Rows go by the wall clock of Redis, and it was set forward. */
    :: atomic { steps < STEPS && r[0].row[0] -> steps++; r[0].row[0] = false }
#endif
#ifdef NO_A1_CLOCK
    /* So does the waiter's deadline. */
    :: atomic { steps < STEPS && wait > 0 -> steps++; wait = 0 }
#endif
    od
}
