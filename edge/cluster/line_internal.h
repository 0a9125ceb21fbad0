/* What the files of lines share (outbox_line.c, journal_line.c): texts in hex,
 * and a checksum at the end of each line. Pure. */
#ifndef CLUSTER_LINE_INTERNAL_H
#define CLUSTER_LINE_INTERNAL_H

#include <stdbool.h>

#include "base/buf.h"

/* "-" for the empty text. */
void line_add_hex(struct buf *out, struct span text);
/* Allocated; NULL when it is none, holds a NUL, or is longer than an
 * invalidation's value may be. */
char *line_from_hex(struct span hex);
/* The value of a digit in lower case; -1: it is none. */
int line_digit(char c);

/* Adds a blank, the 16 hex digits of the XXH3 of all since `from`, and a line
 * feed. */
void line_add_sum(struct buf *out, size_t from);
/* Takes that off a line (without its line feed). False: it is wrong. */
bool line_check_sum(struct span *line);

#endif
