/*
 * A history of the WAN lab: what its clients did and saw, and which faults
 * there were, one line each:
 *
 *   read key=cp/3 at=c1 begin=1200 end=5300 out=ok value=7
 *
 * A line is a kind and fields; history.c has the table of both. Times are us
 * of one monotonic clock. The part of a key before the first '/' is its level.
 */
#ifndef WAN_HISTORY_H
#define WAN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum history_kind {
    HISTORY_READ,
    HISTORY_WRITE,
    HISTORY_PURGE,
    HISTORY_FAULT, /* `on` is not as it should be, or may not be */
    HISTORY_PLACE, /* a process and its network: name, role and site */
    HISTORY_SET,   /* what the promises were set to */
    HISTORY_KINDS
};

enum history_outcome {
    HISTORY_OK,
    HISTORY_FAILED, /* it had no effect, and gave no value */
    HISTORY_MAYBE,  /* whether it had an effect between begin and end is not
                     * known; of a purge: between begin and for ever */
    HISTORY_LOCAL,  /* a purge that was not published, only applied there */
    HISTORY_OUTCOMES
};

enum history_level {
    HISTORY_AP,
    HISTORY_BOUNDED,
    HISTORY_SESSION,
    HISTORY_LEASE,
    HISTORY_CP,
    HISTORY_LEVELS
};

struct history_line {
    enum history_kind kind;
    enum history_outcome outcome;
    uint64_t begin;
    uint64_t end; /* 0: it had none when the history was written */
    uint64_t value;
    uint64_t status;  /* of HTTP; 0: there was no answer */
    uint64_t session; /* 0: none */
    struct span key;
    struct span at;   /* the place that was asked */
    bool local;       /* answered from the node's own store */
    bool stored;      /* the node keeps a copy now */
    bool torn;        /* the body was of several values */
    bool hard;        /* a purge */
    bool all;         /* acknowledged: by every node, or their leases ran out */
    bool sent;        /* the session's token went with the request */
    bool got;         /* and a token came with the answer */
    struct span what; /* of a fault, or how a purge named the key */
    struct span on;   /* "a1,a1>origin": processes, and directions of links */
    struct span name; /* of a place */
    struct span role; /* "node", "redis", "origin" */
    struct span site; /* of a place; or where a purge was published, if that is
                       * not the site of `at` */
    uint64_t bound_us;    /* of `bounded` */
    uint64_t converge_us; /* of `ap` */
};

/* "ap", "bounded", "session", "lease", "cp". */
const char *history_level_name(enum history_level level);
/* By the key "LEVEL/..."; false when there is no such level. */
bool history_level_of(struct span key, enum history_level *level);

/* A line without its end. Spans of *line borrow from `text`. False, with what
 * is wrong added to *why, when it is no line of a history. */
bool history_parse(struct span text, struct history_line *line,
                   struct buf *why);
/* Adds the line, with its end. Fields that are 0, false or empty are left
 * out, but those that the kind always has. */
void history_format(const struct history_line *line, struct buf *out);

/* CLOCK_MONOTONIC. */
uint64_t history_now_us(void);

#endif
