/*
 * lease.pml: a node. Three processes: renewals and the era (node), entries and
 * acknowledgements (applier), requests (worker). Messages are lost, late, or
 * carried out though the node gave them up.
 */
#ifdef NO_L3
#define IN_SYNC(i) (n[i].era != 0 && n[i].lease > 0)
#else
#define IN_SYNC(i) (n[i].era != 0 && n[i].lease > 0 && n[i].pos >= n[i].need)
#endif
/* No worker can decide by what the tables said before. */
#ifdef NO_S4_GRACE
#define GRACE(i) true
#else
#define GRACE(i) (n[i].doing == OUT || !n[i].clean)
#endif
#ifdef NO_R4
#define ROW(i) 0 /* one row for all incarnations */
#else
#define ROW(i) i
#endif

#ifdef NO_L6
#define ROW_WRITTEN(s, i) skip
#define ROW_AT_ACK(s, i) true
#else
#define ROW_WRITTEN(s, i) r[s].row[ROW(i)] = true
#define ROW_AT_ACK(s, i) r[s].row[i]
#endif
#ifdef REMOVE
#define BEAT(s) if :: r[s].beat = true :: r[s].rewound fi
#else
#define BEAT(s) skip
#endif
/* With -DCARRIES it acknowledges as well; of another era, nothing. */
#if !defined(CARRIES)
#define CARRIED(s) skip
#elif defined(NO_A7_CARRIED)
#define CARRIED(s) r[s].ack[ROW(i)] = n[i].pos
#else
#define CARRIED(s) \
    r[s].ack[ROW(i)] = (n[i].era == r[s].era -> n[i].pos : 0)
#endif
#define RENEW(s) :: atomic { n[i].at == SENT && r[s].primary -> \
        ROW_WRITTEN(s, i); BEAT(s); CARRIED(s); \
        n[i].aera = r[s].era; n[i].alast = r[s].last; \
        if :: SERVERS == 1 -> n[i].at = ANSWERED \
           :: else -> n[i].at = DONE; n[i].by = s fi }

/* WAIT: the replica has it; and the era is still the same. */
#ifdef NO_L7
#define LEASE_WAITED(s) true
#else
#ifdef NO_L7_ERA
#define LEASE_WAITED(s) HAS_REPLICA(s)
#else
#define LEASE_WAITED(s) (HAS_REPLICA(s) && r[s].era == n[i].aera)
#endif
#endif
#define HAS_REPLICA(s) (r[s].primary && !r[OWN(s)].primary)

/* Read from any server, by whatever connection, script or push: only the era
 * counts. */
#ifdef NO_S1
#define FITS(s) (n[i].era != 0 && r[s].last > n[i].pos)
#else
#define FITS(s) (r[s].era == n[i].era && r[s].last > n[i].pos)
#endif
#ifdef NO_S4_ORDER
#define TABLES(s) :: atomic { n[i].up && n[i].era != 0 && r[s].x != 0 && \
        r[s].x <= n[i].pos && !n[i].clean -> n[i].clean = true }
#define COUNT(s) :: atomic { n[i].up && FITS(s) -> n[i].pos++ }
#else
#define TABLES(s) :: atomic { n[i].up && FITS(s) && r[s].x == n[i].pos + 1 && \
        !n[i].clean -> n[i].clean = true }
#define COUNT(s) :: atomic { n[i].up && FITS(s) && (r[s].x != n[i].pos + 1 || \
        n[i].clean && GRACE(i)) -> n[i].pos++ }
#endif

#ifdef NO_A6
#define ACKED(s) (n[i].pos + (r[s].x == n[i].pos + 1 && r[s].era == n[i].era))
#else
#define ACKED(s) n[i].pos
#endif
#ifdef NO_A7
#define ACK_ERA(s) n[i].era != 0
#else
#define ACK_ERA(s) r[s].era == n[i].era
#endif
#define ACK(s) :: atomic { n[i].up && r[s].primary && ACK_ERA(s) && \
        r[s].ack[ROW(i)] < ACKED(s) -> r[s].ack[ROW(i)] = ACKED(s); \
        r[s].row[ROW(i)] = ROW_AT_ACK(s, ROW(i)) }

#define SYNC(s) :: atomic { n[i].up && n[i].at == IDLE && \
        r[s].era != n[i].era -> n[i].aera = r[s].era; \
        n[i].alast = r[s].last; raise(i); n[i].at = SYNCED }

/* Everything is revalidated: it is new if the origin has the new version. */
inline raise(i)
{
#ifndef NO_S2
    if
    :: written -> n[i].clean = true
    :: else
    fi
#else
    skip
#endif
}

inline forget(i)
{
    n[i].at = IDLE;
    n[i].left = 0;
    n[i].aera = 0;
    n[i].alast = 0;
    n[i].by = 0
}

inline lease_for(i, age)
{
    n[i].lease = age;
    DOWN(n[i].lease, LONG - LENGTH(n[i].aera))
}

inline granted(i)
{
#ifdef NO_L1
    n[i].lease = LENGTH(n[i].aera); /* from the arrival of the answer */
#else
    lease_for(i, n[i].left);
#endif
    n[i].need = n[i].alast;
    forget(i)
}

inline adopt(i)
{
    n[i].era = n[i].aera;
    n[i].pos = n[i].alast;
    n[i].lease = 0;
    n[i].need = 0
}

inline die(i)
{
    forget(i);
    n[i].era = 0;
    n[i].pos = 0;
    n[i].need = 0;
    n[i].lease = 0;
    n[i].doing = OUT;
    n[i].clean = false;
    n[i].up = false
}

/* With -DKEEPS the lease from before goes on, with what it needs, until the
 * node has what the new one needs; else the new one takes its place at once. */
#ifdef KEEPS
#define READY(i) (n[i].aera != n[i].era || n[i].pos >= n[i].alast)
#else
#define READY(i) true
#endif

proctype node(byte i)
{
    do
    :: atomic { n[i].up && n[i].at == IDLE ->
        n[i].at = SENT;
        n[i].left = LONG }
    EACH_SERVER(RENEW)
#if SERVERS == 2
    :: atomic { n[i].at == DONE && LEASE_WAITED(n[i].by) ->
#ifndef NO_L7
        copy(n[i].by, OWN(n[i].by));
#endif
        n[i].at = ANSWERED }
#endif
    :: atomic { n[i].at == ANSWERED && READY(i) ->
        if
        :: n[i].aera == n[i].era -> granted(i)
        :: else -> raise(i); n[i].at = FLOOR
        fi }
    :: atomic { n[i].at == FLOOR && GRACE(i) ->
        adopt(i);
        granted(i) }
    EACH_SERVER(SYNC)
    :: atomic { n[i].at == SYNCED && GRACE(i) ->
        adopt(i);
        forget(i) }
    /* The request, or its answer, is lost, or the node gives it up. */
    :: atomic { n[i].at != IDLE && n[i].at < FLOOR ->
#ifdef STALE
        if
        :: n[i].at == ANSWERED ->
            n[i].oera = n[i].aera;
            n[i].olast = n[i].alast;
            n[i].oleft = n[i].left
        :: true
        fi;
#endif
        forget(i) }
#ifdef NO_L4
    /* An answer on a connection given up comes after a newer one. */
    :: atomic { n[i].oera != 0 && n[i].oera == n[i].era ->
        n[i].need = n[i].olast;
        if
        :: n[i].oleft > n[i].lease -> n[i].lease = n[i].oleft
        :: else
        fi;
        n[i].oera = 0;
        n[i].olast = 0;
        n[i].oleft = 0 }
#endif
#ifdef DIES
    :: atomic { n[i].up && i == 0 -> die(i) }
#endif
#ifdef LEAVES
#ifdef NO_L8
    :: atomic { n[i].up && r[0].row[i] -> r[0].row[i] = false }
#else
    /* It drops its lease for good, then takes its row out. */
    :: atomic { n[i].up && n[i].doing == OUT && n[i].at == IDLE ->
        die(i);
        r[0].row[i] = false }
#endif
#endif
    /* Another incarnation begins, whether or not the one before has ended. */
    :: atomic { !n[i].up && i == 1 -> n[i].up = true }
    od
}

proctype applier(byte i)
{
    do
    EACH_SERVER(TABLES)
    EACH_SERVER(COUNT)
#ifndef NO_ACK
    EACH_SERVER(ACK)
#endif
    od
}

/* What a turn decides by is what the tables said when it began. Turns that
 * began with clean tables, and requests that arrived before the
 * acknowledgement, can break no promise: they are left out. */
proctype worker(byte i)
{
    do
    :: atomic { n[i].up && n[i].doing == OUT && !n[i].clean ->
#ifdef NO_L2
        n[i].good = IN_SYNC(i);
#endif
        n[i].doing = TURN }
    :: atomic { n[i].doing == TURN && ok -> n[i].doing = ARRIVED }
#ifdef NO_L2
    :: atomic { n[i].doing == ARRIVED && n[i].good -> n[i].doing = ANSWERS }
#else
    :: atomic { n[i].doing == ARRIVED && IN_SYNC(i) -> n[i].doing = ANSWERS }
#endif
    /* With the old version, to a request that came after the promise. */
    :: n[i].doing == ANSWERS -> assert(false)
    :: atomic { n[i].doing == TURN || n[i].doing == ARRIVED ->
        n[i].doing = OUT }
    od
}
