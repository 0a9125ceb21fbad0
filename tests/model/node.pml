/*
 * One node, one stream: what it reads, how it raises floors, what it keeps on
 * disk, how it starts again. No clock: that a lease is had at the right time is
 * lease.pml's matter.
 *
 * Promise: once the purge is in the stream, a node that stands where the stream
 * ends (a renewal at this moment would put it in sync) has no copy from before
 * that passes its validity rule. With -DPROGRESS: in the end it stands there.
 */
#ifndef LAST
#define LAST 2 /* entries */
#endif
#ifndef CRASHES
#define CRASHES 1 /* of Redis; each may lose any tail, or everything */
#endif
#ifndef STARTS
#define STARTS 1 /* of the node, after a crash */
#endif

/* ---- Redis ---- */

byte era = 1, eras = 1;
byte first = 1, last; /* entries first to last are kept */
byte x;               /* the number of our purge; 0: it is in no stream */
byte crashes, starts;
bool written; /* the origin has the new version */
bool purged;  /* the purge was published */

/* A push on its way: 0 when there is none. */
byte push, push_era;
bool push_x;

inline pushes(n, is_x)
{
    if
    :: push = n;
       push_era = era;
       push_x = is_x
    :: skip /* lost, or the connection is half open */
    fi
}

proctype redis()
{
    do
    :: atomic { last + !purged < LAST ->
        last++;
        pushes(last, false) }
    :: atomic { !written -> written = true }
    :: atomic { written && !purged && last < LAST ->
        last++;
        x = last;
        purged = true;
        pushes(last, true) }
#ifdef TRIMS
    :: atomic { first <= last ->
        if
        :: x == first -> x = 0
        :: else
        fi;
        first++ }
#endif
    :: atomic { crashes < CRASHES ->
        crashes++;
        eras++;
        era = eras;
        do
        :: last > 0 -> last--
        :: break
        od;
        if
        :: first > last + 1 -> first = last + 1
        :: else
        fi;
        if
        :: x > last -> x = 0
        :: else
        fi }
    od
}

/* ---- the node's memory ---- */

bool up;
byte nera, npos; /* era 0: nothing is known */
byte tx;         /* the number at which the tables have our purge; 0: not */
byte start;      /* the tables have all from here on; older is below the floor */

/* A copy, or a fill on its way, both of the version from before the purge: what
 * was asked for later is new, and cannot break the promise. X, F: the purge, or
 * a floor, came after its position (by the local numbers, which are in no
 * message and on no disk). */
typedef copy {
    bool here;
    bool x, f;
    byte era, pos;
};
copy have, fill;

#define VALID(c) (c.here && !(c.x && tx != 0) && !c.f)

/* A synchronisation: what the script answered. */
bool sync;
byte sera, sfirst, slast, sx;

/* ---- its disk ---- */

copy rec;         /* a record: `x` and `f` are not kept */
byte dera, dpos;  /* the saved position */
byte dtx, dstart; /* the durable tables, ... */
byte tera, tpos;  /* ... and what they are complete up to */
#ifdef NO_R5
bool loaded;
#endif

inline clear(c)
{
    c.here = false;
    c.x = false;
    c.f = false;
    c.era = 0;
    c.pos = 0
}

inline floor(at)
{
    have.f = have.here;
#ifdef NO_R3
    fill.f = fill.here && nera != 0;
#else
    fill.f = fill.here;
#endif
    start = at
}

inline apply(n)
{
    tx = n;
    have.x = have.here;
    fill.x = fill.here
}

/* Stands at the end of the stream that was read, with a floor. */
inline begin()
{
#ifndef NO_S2
    floor(slast);
#endif
    nera = sera;
    npos = slast;
    tx = 0
}

inline take_all()
{
    if
    :: sfirst > npos + 1 && slast > npos ->
#ifndef NO_S3_TRIM
        floor(slast)
#else
        skip
#endif
    :: else
    fi;
    if
    :: sx > npos -> apply(sx)
    :: else
    fi;
    if
    :: slast > npos -> npos = slast
    :: else
    fi
}

proctype reads()
{
    do
#ifdef NO_S5
    :: atomic { up && !sync && nera == 0 ->
#else
    :: atomic { up && !sync ->
#endif
        sync = true;
        sera = era;
        sfirst = first;
        slast = last;
        sx = x }
    :: atomic { up && sync ->
        if
#ifdef NO_R5
        :: loaded -> nera = sera; take_all(); loaded = false
#endif
        :: sera != nera -> begin()
        :: else -> take_all()
        fi;
        sync = false;
        sera = 0;
        sfirst = 0;
        slast = 0;
        sx = 0 }
    :: atomic { push != 0 && up && nera != 0 ->
        if
#ifdef NO_S1
        :: push > npos ->
#else
#ifdef NO_S3
        :: push_era == nera && push > npos ->
#else
        :: push_era == nera && push == npos + 1 ->
#endif
#endif
            if
            :: push_x -> apply(push)
            :: else
            fi;
            npos = push
        :: else /* a hole, or old: a synchronisation will tell */
        fi;
        push = 0;
        push_era = 0;
        push_x = false }
    /* The tables are full: what they hold is forgotten. */
#ifdef OVERFLOWS
    :: atomic { up && tx != 0 ->
#ifndef NO_S7
        floor(npos);
#endif
        tx = 0 }
#endif
    od
}

proctype fills()
{
    do
    :: atomic { up && !fill.here && !written ->
        fill.here = true;
        fill.era = nera;
        fill.pos = npos }
    :: atomic { up && fill.here ->
#ifdef NO_S6
        fill.x = false;
        fill.f = false;
        fill.era = nera;
        fill.pos = npos;
#endif
        /* Its head is judged as everything else is. */
        if
        :: VALID(fill) ->
            have.here = true;
            have.x = fill.x;
            have.f = fill.f;
            have.era = fill.era;
            have.pos = fill.pos
        :: else
        fi;
        clear(fill) }
    od
}

proctype disk()
{
    do
    /* A record may be written late, when it is valid no more. */
    :: atomic { up && have.here && have.era != 0 &&
        (rec.era != have.era || rec.pos != have.pos) ->
        rec.here = true;
#ifdef NO_R6
        rec.era = nera;
        rec.pos = npos
#else
        rec.era = have.era;
        rec.pos = have.pos
#endif
    }
    :: atomic { up && nera != 0 && (tera != nera || tpos != npos ||
        dtx != tx || dstart != start) ->
        dtx = tx;
        dstart = start;
        tera = nera;
        tpos = npos }
#ifdef NO_R1
    :: atomic { up && nera != 0 -> dera = nera; dpos = npos }
#else
    :: atomic { up && tera != 0 && (dera != tera || dpos != tpos) ->
        dera = tera;
        dpos = tpos }
#endif
    od
}

/* A record is good when it is of the saved era, not below the floor, and not
 * older than a purge in the tables. */
#ifdef NO_R2
#define ABOVE true
#else
#define ABOVE (rec.pos >= dstart)
#endif

inline load()
{
    nera = dera;
    npos = dpos;
#ifdef NO_R5
    loaded = dera != 0;
#endif
    if
    :: tera == dera -> tx = dtx; start = dstart
    :: else -> tx = 0; start = dpos
    fi;
    if
    :: rec.here && dera != 0 && rec.era == dera && ABOVE &&
        (tx == 0 || tx <= rec.pos) ->
        have.here = true;
        have.era = rec.era;
        have.pos = rec.pos
    :: else
    fi
}

proctype power()
{
    do
#if STARTS > 0
    :: atomic { up && starts < STARTS ->
        starts++;
        up = false;
        clear(have);
        clear(fill);
        sync = false;
        sera = 0;
        sfirst = 0;
        slast = 0;
        sx = 0;
        nera = 0;
        npos = 0;
        tx = 0;
        start = 0 }
#endif
    :: atomic { !up ->
        load();
        up = true }
    od
}

#define AT_THE_END (up && nera == era && npos == last)

proctype monitor()
{
    do
    :: atomic { purged && AT_THE_END && VALID(have) ->
        assert(false) }
    od
}

#ifdef PROGRESS
/* Spin's fairness sees no run that merely stops. */
proctype idle()
{
    do
    :: eras > 0
    od
}
#endif

init
{
    atomic {
        run redis();
        run reads();
        run fills();
#if STARTS > 0
        run disk();
#endif
        run power();
#ifdef PROGRESS
        run idle();
#endif
        run monitor()
    }
}

#ifdef PROGRESS
ltl ends { <> [] AT_THE_END }
#endif
