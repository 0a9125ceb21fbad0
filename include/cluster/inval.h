/*
 * What is no longer valid: the invalidations of all sites as tables.
 *
 * The control thread writes, any thread reads, without locks. Each applied
 * entry and each raised floor takes the next local sequence number. An object
 * keeps as its `position` the number read *before* its origin request was
 * sent, and is valid iff no matching entry and no floor has a later one. The
 * number means something in this process only, and in its journal (journal.h):
 * it is never sent. What is sent are vectors (position.h); inval_localize turns
 * one back.
 *
 * Callers keep hits cheap: an object also remembers the number it was last
 * checked against, inval_seq read before the check; while inval_seq still
 * gives that number there is nothing new to check.
 *
 * The tables have a byte budget. Over it the oldest entries are dropped, and
 * the floor is raised to the last one dropped. A hard one counts for everything
 * from then on: what it matched must not come back. So who knows of an object
 * that it was valid at a later number than its position asks by that number.
 */
#ifndef CLUSTER_INVAL_H
#define CLUSTER_INVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/span.h"
#include "cluster/position.h"

struct inval;

#define INVAL_HOST_MAX 255
#define INVAL_VALUE_MAX 8192

enum inval_kind {
    INVAL_URL,    /* host, and value = path with query, as in the key */
    INVAL_PREFIX, /* host, and value = what path with query begins with */
    INVAL_HOST,   /* host alone */
    INVAL_TAG,    /* value alone: the tag, on all hosts */
    INVAL_GROUP,  /* host, and value = a group (RFC 9875) of its responses */
    INVAL_ALL,    /* neither */
    INVAL_KINDS
};

enum validity {
    VALIDITY_VALID,
    VALIDITY_SOFT,  /* a soft invalidation: stale */
    VALIDITY_FLOOR, /* older than the floor: something may have been missed */
    VALIDITY_HARD   /* gone */
};

enum floor_reason {
    FLOOR_START,    /* a site's stream was met for the first time */
    FLOOR_HOLE,     /* entries are missing, or were trimmed before we came */
    FLOOR_TERM,     /* another epoch or term: another history */
    FLOOR_REWIND,   /* the stream's last number went back */
    FLOOR_OVERFLOW, /* the tables had no room */
    FLOOR_FOREIGN,  /* an entry that cannot be read */
    FLOOR_LEVEL,    /* a route promises more than before */
    FLOOR_REASONS
};

/* "url", "hole". Static. */
const char *inval_kind_name(enum inval_kind kind);
bool inval_kind_parse(struct span name, enum inval_kind *kind);
const char *floor_reason_name(enum floor_reason reason);

/* What an object is, as invalidations see it. Spans as in the normalised key:
 * host in lower case (with a port when the key has one). */
struct inval_subject {
    struct span host;
    struct span path;           /* with the query */
    const struct hash128 *tags; /* and groups */
    size_t tag_count;
};

/* ---- any thread ---- */

/* The hash by which an object keeps a tag. */
struct hash128 inval_tag_hash(struct span tag);
/* The same for a group: it is one of its host only (RFC 9875 section 2.1). */
struct hash128 inval_group_hash(struct span host, struct span group);

/* By this an object that answers several queries of its path is found: kept
 * among its tags, it is hit by an invalidation of any URL, or prefix with a
 * "?", of this path. Only since inval_keep_paths. `path` may have a query. */
struct hash128 inval_path_hash(struct span host, struct span path);

/* The last number applied: 1 or more, so that 0 is below every floor. */
uint64_t inval_seq(const struct inval *inval);
/* The worst of what is later than `position`: HARD, FLOOR, SOFT, VALID. */
enum validity inval_check(struct inval *inval,
                          const struct inval_subject *subject,
                          uint64_t position);
uint64_t inval_floor(const struct inval *inval);

/*
 * For a response that invalidates its own URL and is to be stored after that:
 * the entries that it publishes for this URL must not count against it, and
 * nobody else's may hide behind them, since the tables know the last one only.
 * inval_own_begin comes right before they are published: false when something
 * later than `position` matches already. inval_own_end comes when they have
 * been applied here, `count` of them: gives the number that the response may
 * claim, or 0 when anything else that matches it has come meanwhile.
 */
struct inval_own {
    uint64_t floor;
    uint32_t urls; /* entries for the URL so far */
};
bool inval_own_begin(struct inval *inval, const struct inval_subject *subject,
                     uint64_t position, struct inval_own *own);
uint64_t inval_own_end(struct inval *inval, const struct inval_subject *subject,
                       uint64_t position, const struct inval_own *own,
                       uint32_t count);

/* How far we are, to be sent: everything up to `seq` is in `position`, and
 * nothing later. Sites whose stream was never met are not in it. */
struct inval_snapshot {
    uint64_t seq;
    struct position position;
    struct span text; /* position_write of it, NUL-terminated */
};
/* Valid until the calling thread's loop next waits (grace.h). Never NULL. */
const struct inval_snapshot *inval_snapshot(struct inval *inval);

/* The number that a copy may claim here which its sender found valid at
 * `theirs`: at most `asked_seq`, inval_seq read before it was asked for.
 *  - asked_seq when `theirs` covers all we had then;
 *  - else the number just before the first entry it does not cover;
 *  - 0, never valid, when `theirs` is of another epoch or term, knows nothing
 *    of a site that we know, or is further behind than we remember.
 * Entries applied on this node only (never published) are known to nobody
 * else: a copy of what they match claims less than they. `subject` says what
 * the copy is. */
uint64_t inval_localize(struct inval *inval, const struct position *theirs,
                        uint64_t asked_seq,
                        const struct inval_subject *subject);
/* Whether a peer's copy cannot count for now, so that none need be asked for:
 * an invalidation that matches is held (inval_hold). */
bool inval_barred(struct inval *inval, const struct inval_subject *subject);

/* ---- the control thread ---- */

struct inval *inval_new(size_t budget_bytes);
/* On a thread known to grace.h; no thread may use it any more. */
void inval_free(struct inval **inval);

/* From here on invalidations of URLs are kept for inval_path_hash too, which
 * takes an entry more for each path. */
void inval_keep_paths(struct inval *inval);

struct inval_entry {
    enum inval_kind kind;
    bool soft;
    struct span host;  /* any case */
    struct span value; /* see the kinds */
};

/* Writes an entry into the tables, under the next number. It is n of `site`
 * (an index from inval_site), or on this node only when site is
 * INVAL_LOCAL. Counts as applied after inval_publish. */
#define INVAL_LOCAL SIZE_MAX
void inval_apply(struct inval *inval, const struct inval_entry *entry,
                 size_t site, uint64_t n);

/* The same for one of this node only that is kept, to be published: until it is
 * released no copy of a peer's passes for what it matches (inval_localize),
 * whatever else is applied and dropped meanwhile. Released when this node's own
 * position has passed the published entry, which is after inval_publish. */
struct inval_hold {
    unsigned count; /* of keys; 0: all */
    struct hash128 keys[2];
};
void inval_hold(struct inval *inval, const struct inval_entry *entry,
                struct inval_hold *hold);
void inval_release(struct inval *inval, const struct inval_hold *hold);
/* Everything older must be revalidated. After inval_publish. Counted. */
void inval_raise_floor(struct inval *inval, enum floor_reason reason);

/* The index of a site, which is added when new; SIZE_MAX when POSITION_SITES
 * are there already or the name is not valid. */
size_t inval_site(struct inval *inval, struct span name);
/* Says where we are in a site's stream, without an entry: when it is first
 * met, and when its history is another one. inval_apply moves n by itself. */
void inval_site_at(struct inval *inval, size_t site, uint64_t epoch,
                   uint64_t term, uint64_t n);
/* Makes what was done above count: first the number, then the snapshot. */
void inval_publish(struct inval *inval);

size_t inval_entries(const struct inval *inval);
size_t inval_bytes(const struct inval *inval);

#endif
