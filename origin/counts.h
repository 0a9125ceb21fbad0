/* Named counters: how often each path was asked for, and the like. Bounded:
 * when it is full, new names count under "(other)". */
#ifndef ORIGIN_COUNTS_H
#define ORIGIN_COUNTS_H

#include <jansson.h>

#include "base/span.h"

#define COUNTS_MAX 10000
#define COUNTS_NAME_MAX 512 /* longer names are cut */

struct counts;

struct counts *counts_new(void);
void counts_free(struct counts **counts);
/* Gives the count with this one. */
uint64_t counts_add(struct counts *counts, struct span name);
uint64_t counts_get(const struct counts *counts, struct span name);
void counts_clear(struct counts *counts);
/* A new object, name to count. Bytes that are no UTF-8 become '?'. */
json_t *counts_json(const struct counts *counts);

#endif
