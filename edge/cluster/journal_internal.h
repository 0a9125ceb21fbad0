/* The lines of the journal; pure. */
#ifndef CLUSTER_JOURNAL_INTERNAL_H
#define CLUSTER_JOURNAL_INTERNAL_H

#include "base/buf.h"
#include "cluster/journal.h"

/*
 *   head ID NUMBER        the first line of a file: whose it is, and the number
 *                         before the first of this file
 *   entry NUMBER hard|soft KIND HOST VALUE SITE N
 *                         host and value in hex, "-" for none; "-" 0 for one of
 *                         this node only
 *   floor NUMBER REASON
 *   site SITE EPOCH TERM N    where we are in its stream, in hex but for N
 *   skip NUMBER           none is given up to this: what was may be lost
 *   levels PRINT          of what the routes promise (conf_level_print)
 *   done NUMBER           a group ends here, NUMBER is its last: what is behind
 *                         the last such line is no part of one
 * each followed by a blank and the 16 hex digits of its XXH3 checksum.
 */
enum journal_line {
    JOURNAL_HEAD,
    JOURNAL_ENTRY,
    JOURNAL_FLOOR,
    JOURNAL_SITE,
    JOURNAL_SKIP,
    JOURNAL_LEVELS,
    JOURNAL_DONE
};

struct journal_record {
    enum journal_line line;
    struct hash128 id; /* HEAD */
    uint64_t number;   /* HEAD, ENTRY, FLOOR, SKIP, DONE; LEVELS: the print */
    enum inval_kind kind;
    bool soft;
    char *host; /* ENTRY: allocated by journal_parse */
    char *value;
    enum floor_reason reason;
    char site[POSITION_NAME]; /* ENTRY, SITE; "" for this node only */
    uint64_t epoch;
    uint64_t term;
    uint64_t n;
};

void journal_print(const struct journal_record *record, struct buf *out);
/* `line` without its line feed. False, and nothing to free, when any of it is
 * not as journal_print writes it. */
bool journal_parse(struct span line, struct journal_record *record);
void journal_record_fini(struct journal_record *record);

#endif
