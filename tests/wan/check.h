/*
 * The checker: whether a history (history.h) kept the promises of each level.
 * It does no I/O.
 *
 * Each key has one writer, which writes one value after another, each larger
 * than all before: what is older is told by the number. Only what is certain
 * counts: an operation takes effect somewhere between its begin and its end,
 * and of two that overlap either may have been first.
 *
 *   all      a value is one that was written, not before its write began, and
 *            whole
 *   cp       the reads and writes of a key are linearizable: no read is older
 *            than a write that completed before it began, nor than what a read
 *            that ended before it began had returned
 *   lease    no read is older than what an acknowledged purge, which ended
 *            before the read began, had found written when it began; nor than
 *            an acknowledged write
 *   session  no read that sent its session's token is older than what that
 *            token covers: what the session read, wrote and purged before
 *   bounded  no read is older than a write that completed more than the bound
 *            before it began
 *   ap       a read is answered whenever a usable copy could be reached; and a
 *            second after healing no read is older than what a published purge
 *            had found written, but the first of a key at a node
 */
#ifndef WAN_CHECK_H
#define WAN_CHECK_H

#include "history.h"

enum check_rule {
    RULE_UNWRITTEN,   /* nobody wrote this value */
    RULE_TORN,        /* a body of several values */
    RULE_FUTURE,      /* read before its write began */
    RULE_STALE_WRITE, /* cp: a write had completed */
    RULE_STALE_READ,  /* cp: a read had returned a later value */
    RULE_STALE_PURGE, /* lease: a purge, or a write, was acknowledged */
    RULE_BACK,        /* session: the token covered a later value */
    RULE_BOUND,       /* bounded: overwritten longer ago than the bound */
    RULE_UNAVAILABLE, /* ap: a copy could be reached */
    RULE_DIVERGED,    /* ap: healed, and yet the old value */
    RULE_COUNT
};

#define CHECK_WITNESSES 4

/* The lines that show it, fewest first found, by their begin; and the faults
 * while they ran. Borrowed for the call. */
struct check_violation {
    enum history_level level;
    enum check_rule rule;
    struct history_line lines[CHECK_WITNESSES];
    size_t line_count;
    const struct span *faults;
    size_t fault_count;
};

struct check_level {
    uint64_t reads;
    uint64_t answered;  /* of the reads: with a value */
    uint64_t local;     /* of those: from the node's own store */
    uint64_t checked;   /* of those: there was something to hold them against */
    uint64_t converged; /* ap: those held against a purge after healing */
    uint64_t refreshing; /* of those: an old value, as the copy is made new */
    uint64_t writes;
    uint64_t purges;       /* published */
    uint64_t acknowledged; /* of those: by all */
    uint64_t violations;
    uint64_t by_rule[RULE_COUNT];
};

typedef void (*check_fn)(void *arg, const struct check_violation *violation);

struct check;

/* fn(arg) is called for each violation, within check_run. */
struct check *check_new(check_fn fn, void *arg);
void check_free(struct check **check);
/* Takes a line, in any order but that of places, which come first. False, with
 * what is wrong added to *why. */
bool check_add(struct check *check, struct span line, struct buf *why);
/* Once, when all lines are there. False, with what is wrong added to *why,
 * when this is no history of such clients: then it proves nothing. */
bool check_run(struct check *check, struct buf *why);

const struct check_level *check_level(const struct check *check,
                                      enum history_level level);
/* How many faults there were of each kind: names by `index`, or NULL. */
const char *check_fault(const struct check *check, size_t index,
                        uint64_t *count);

const char *check_rule_name(enum check_rule rule); /* "stale-write" */
const char *check_rule_text(enum check_rule rule); /* a sentence */

#endif
