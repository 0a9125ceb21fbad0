/*
 * Metrics in the text format of Prometheus (exposition format 0.0.4).
 *
 * The counters write themselves, from base/counter_table.h; gauges are written
 * by whoever knows them: metrics_family once, then a sample for each set of
 * labels. Any thread.
 */
#ifndef REPORT_METRICS_H
#define REPORT_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Adds every row of the counter table. Rows whose name ends in "_bucket" count
 * their own bucket each: they become a histogram, cumulative, with its _count;
 * the row "_sum" of the same metric is in microseconds, and shown in seconds.
 */
void metrics_counters(struct buf *out);

struct metrics_label {
    const char *name;  /* [a-z_]+ */
    const char *value; /* any text */
};

/* `type` is "gauge" or "counter" (whose name ends in "_total"). */
void metrics_family(struct buf *out, const char *name, const char *type,
                    const char *help);
void metrics_u64(struct buf *out, const char *name,
                 const struct metrics_label *labels, size_t count,
                 uint64_t value);
void metrics_real(struct buf *out, const char *name,
                  const struct metrics_label *labels, size_t count,
                  double value);

/* One family with one sample without labels. */
void metrics_gauge(struct buf *out, const char *name, const char *help,
                   uint64_t value);

/* What Prometheus' own clients call process_*: start time, resident memory,
 * processor time, open files. What the system does not tell is left out. */
void metrics_process(struct buf *out);

#endif
