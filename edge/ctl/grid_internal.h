/* A table of texts, printed in columns. */
#ifndef GRID_INTERNAL_H
#define GRID_INTERNAL_H

#include <stddef.h>

#define GRID_COLUMNS 8

/* Zero-initialise. */
struct grid {
    size_t columns;
    size_t rows;
    size_t cap;
    char *(*cells)[GRID_COLUMNS];
};

/* A new row, whose first cells are these words, divided by '|'. */
void grid_row(struct grid *grid, const char *words);
/* The next cell of the last row. */
void grid_cell(struct grid *grid, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints it, and empties it. */
void grid_print(struct grid *grid);

#endif
