/*
 * The access log: a JSON object a line, one line a request.
 *
 * Each worker writes lines into memory of its own, without a lock; a full
 * page, or one that is 100 ms old, is handed to the log's one thread, which
 * writes it out. When the disk cannot keep up, whole pages are dropped and
 * counted (atlas_access_log_dropped_total), rather than that a request waits.
 *
 * A file is opened for appending; access_log_reopen lets it be rotated.
 */
#ifndef REPORT_ACCESS_H
#define REPORT_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/span.h"

struct access_log;
struct access_lines;
struct loop;

/* Starts the thread. `path` is a file, or "-" for standard output. NULL, and
 * *err set, when it cannot be opened. */
struct access_log *access_log_new(const char *path, enum err *err);
/* Writes out what is left, and ends the thread. All lines must be freed. */
void access_log_free(struct access_log **log);
/* Opens the path anew. Any thread. */
void access_log_reopen(struct access_log *log);

/* A worker's part of the log, on its own thread. */
struct access_lines *access_lines_new(struct access_log *log,
                                      struct loop *loop);
void access_lines_free(struct access_lines **lines);

/* What is told of a request. Spans may be empty: then the member is "". */
struct access_record {
    const struct sockaddr *client; /* NULL: unknown */
    struct span method;
    struct span host;
    struct span target;
    unsigned status;
    uint64_t body_bytes;    /* sent */
    uint64_t duration_us;   /* from the head to the last byte */
    uint64_t first_byte_us; /* to the answer's head */
    const char *cache;      /* "hit", "miss", "stale", "pass", ... */
    const char *why;        /* Cache-Status' fwd, or "" */
    const char *route;
    const char *upstream; /* "origin web", "peer tokyo-1", or "" */
    const char *error;    /* Proxy-Status' error, or "" */
    bool complete;        /* the client got all of it */
};

/* Adds a line; never blocks. */
void access_write(struct access_lines *lines,
                  const struct access_record *record);

#endif
