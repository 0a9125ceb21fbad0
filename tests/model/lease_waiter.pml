/*
 * lease.pml: the program that purges and waits; and one that takes rows of the
 * dead out of the table (-DREMOVE).
 */
inline finish(success)
{
    ok = success;
#ifdef STANDING
    assert(!(ok && gone));
#endif
    ended = true;
    stage = BEFORE;
    pera = 0;
    pnum = 0;
    pby = 0;
    seen = 0;
    watch = 0;
    wait = 0
}

#ifdef NO_A3
#define ROW_ACKED(s, i) true
#else
#define ROW_ACKED(s, i) (!r[s].row[i] || r[s].ack[i] >= pnum)
#endif
#if READERS == 2
#define ALL_ACKED(s) (ROW_ACKED(s, 0) && ROW_ACKED(s, 1))
#else
#define ALL_ACKED(s) ROW_ACKED(s, 0)
#endif
#ifdef NO_A4
#define WATCHED true
#else
#define WATCHED (watch == 0 && seen == pera)
#endif
#ifdef NO_A5
#define WATCHED_LONG 1
#else
#define WATCHED_LONG (watch == 0 && seen == pera)
#endif
#ifdef NO_A3_ERA
#define SAME_ERA(s) r[s].primary
#else
#define SAME_ERA(s) (r[s].primary && r[s].era == pera)
#endif
#ifdef NO_A9
#define STANDS(s) r[s].primary
#else
#define STANDS(s) (r[s].primary && r[s].era == pera && r[s].x == pnum)
#endif

/* That it can come to this at all: these must be found. */
#ifdef SHOW_EARLY
#define WITNESS_EARLY assert(!r[0].row[0])
#else
#define WITNESS_EARLY skip
#endif
#ifdef SHOW_TIME
#define WITNESS_TIME assert(n[0].clean)
#else
#define WITNESS_TIME skip
#endif

#ifdef NO_A2_SEEN
#define SEE(s) :: atomic { asking && r[s].primary -> asking = false; \
        seen = r[s].era }
#else
#define SEE(s) :: atomic { !ended && r[s].primary && seen != r[s].era -> \
        seen = r[s].era; watch = MARGIN(LONG) }
#endif
#define PUBLISH(s) :: atomic { stage == ASKED && r[s].primary && \
        r[s].last < LAST -> r[s].last++; r[s].x = r[s].last; \
        pera = r[s].era; pnum = r[s].last; pby = s; \
        if :: SERVERS == 1 -> stage = TOLD :: else -> stage = PUBLISHED fi }
#define EARLY(s) :: atomic { stage == WAITING && WATCHED && SAME_ERA(s) && \
        ALL_ACKED(s) -> WITNESS_EARLY; finish(true) }
#define IN_TIME(s) :: atomic { stage == WAITING && wait == 0 && \
        WATCHED_LONG && STANDS(s) -> WITNESS_TIME; finish(true) }
/* With an error: at any time before it is published for certain, and when
 * nothing could be found out at the end; where all is SURE, only when the
 * entry stands no more. */
#ifdef SURE
#define GIVES_UP (stage == WAITING && wait == 0 && !STANDS(0))
#else
#define GIVES_UP ((stage != BEFORE && stage != WAITING) || \
    (stage == WAITING && wait == 0))
#endif

proctype waiter()
{
    do
    EACH_SERVER(SEE)
#ifdef NO_A2_SEEN
    :: atomic { !ended && !asking && seen != r[0].era ->
        asking = true;
        watch = MARGIN(LONG) }
#endif
    :: atomic { stage == BEFORE && !ended ->
        written = true;
        stage = ASKED;
#ifdef NO_A2
        wait = MARGIN(LONG)
#endif
    }
    EACH_SERVER(PUBLISH)
#if SERVERS == 2
#ifdef NO_A10
    :: atomic { stage == PUBLISHED -> stage = TOLD }
#else
    :: atomic { stage == PUBLISHED && HAS_REPLICA(pby) ->
        copy(pby, OWN(pby));
        stage = TOLD }
#endif
#endif
    :: atomic { stage == TOLD ->
        stage = WAITING;
#ifndef NO_A2
        wait = MARGIN(LENGTH(pera));
#endif
        if
        :: seen != pera -> seen = pera; watch = MARGIN(LONG)
        :: else
        fi }
    EACH_SERVER(EARLY)
#ifndef NO_A11
    EACH_SERVER(IN_TIME)
#ifdef PROGRESS
    :: atomic { GIVES_UP -> finish(false) }
#endif
#endif
    od
}

#ifdef REMOVE
/* Takes rows of the dead out of the table; its clock is the waiter's. */
#ifdef NO_A8_ERA
#define BEAT_ERA true
#else
#define BEAT_ERA (r[0].era == beatera)
#endif
#ifdef NO_A8_WATCH
#define BEAT_WATCHED true
#else
#define BEAT_WATCHED (beats == 0)
#endif
proctype remover()
{
    do
#ifdef NO_A2_BEAT
    :: atomic { !looking && !doomed -> looking = true; beats = MARGIN(LONG) }
    :: atomic { looking ->
        looking = false;
        r[0].beat = false;
        beatera = r[0].era }
#else
    :: atomic { !doomed && (r[0].beat || !BEAT_ERA) ->
        r[0].beat = false;
        r[0].rewound = false;
        beatera = r[0].era;
        beats = MARGIN(LONG) }
#endif
    :: atomic { !doomed && r[0].row[0] && !r[0].beat && BEAT_ERA &&
        BEAT_WATCHED -> doomed = true }
    :: atomic { doomed ->
        if
#ifdef NO_A8_COMPARE
        :: true -> r[0].row[0] = false
#else
        :: !r[0].beat && BEAT_ERA -> r[0].row[0] = false
        :: else
#endif
        fi;
        doomed = false }
    od
}
#endif
