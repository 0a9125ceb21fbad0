/*
 * The scripts that run inside Redis, each one atomic there.
 *
 * They refuse, with an error whose first word says why, when
 *  ATLASPOLICY  maxmemory-policy is not noeviction: entries would vanish;
 *  ATLASTYPE    one of our keys holds something else;
 *  ATLASMIXED   the stream has entries, but the hash has no epoch: the hash
 *               was lost, and with it who reads the stream;
 *  ATLASFULL    somebody added an entry with an id beyond our numbers;
 *  ATLASINFO    the server does not say who it is;
 *  ATLASSITES   the caller's list of sites is older than another's.
 * A stream that vanished while the hash stayed begins a new epoch.
 *
 * KEYS are the stream, the hash, the channel; ARGV[1] is an epoch (16 hex
 * digits) for the case that one is needed.
 */
#ifndef BUS_SCRIPT_INTERNAL_H
#define BUS_SCRIPT_INTERNAL_H

enum script {
    SCRIPT_PUBLISH,  /* ARGV: epoch, key of the caller or "", how long it is
                        kept in s, items of an entry, entries to keep at least,
                        at most, items ...; gives epoch, term, the first and the
                        last n */
    SCRIPT_SYNC,     /* ARGV: epoch, first id to read, how many at most;
                        gives epoch, term, first id, last id, entries */
    SCRIPT_ANNOUNCE, /* ARGV: epoch, node, payload, ttl in ms; gives rows of
                        node, beat, age in ms, payload */
    SCRIPT_RENEW,    /* ARGV: epoch, length of a lease in ms if none is set,
                        node, term and n that it has applied, generation of the
                        list of sites; gives epoch, term, first id, last id,
                        length of a lease in ms */
    SCRIPT_ACK,      /* ARGV: epoch, node, term, n */
    SCRIPT_WATCH,    /* ARGV: epoch, length as for RENEW; gives epoch, term,
                        first id, last id, length, rows of node, beat, term,
                        n */
    SCRIPT_FORGET,   /* ARGV: epoch, node, beat; gives how many went */
    SCRIPT_MARK,     /* ARGV: epoch; writes something, which its replicas have
                        only once they have all before; gives epoch, term */
    SCRIPT_COUNT
};

const char *script_text(enum script script);

#endif
