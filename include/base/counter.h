/*
 * Counters: one table, a slot for each thread, summed when read. A count costs
 * a thread one store to a line of its own.
 *
 * A row: C(ID, metric name, labels, help). Rows of one metric stand together.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdint.h>

#include "base/counter_table.h"

enum counter {
#define C(id, name, labels, help) COUNTER_##id,
    COUNTER_TABLE(C)
#undef C
        COUNTER_COUNT
};

struct counter_row {
    const char *name;   /* "atlas_requests_total" */
    const char *labels; /* "result=\"hit\"", or "" */
    const char *help;
};

const struct counter_row *counter_row(enum counter id);

/* Adds on the calling thread. */
void counter_add(enum counter id, uint64_t n);
/* The sum over all threads, those that ended included. */
uint64_t counter_read(enum counter id);

#endif
