#include "grid_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/span.h"

static void
add(struct grid *grid, char *text)
{
    char **row = grid->cells[grid->rows - 1];
    size_t i = 0;

    while (i < GRID_COLUMNS && row[i] != NULL)
        i++;
    CHECK(i < GRID_COLUMNS);
    row[i] = text;
    if (i + 1 > grid->columns)
        grid->columns = i + 1;
}

void
grid_row(struct grid *grid, const char *words)
{
    struct span rest = span_of(words);
    struct span word;

    MEM_GROW(grid->cells, grid->rows, grid->cap);
    memset(grid->cells[grid->rows++], 0, sizeof(*grid->cells));
    while (rest.len > 0 && span_split(&rest, '|', &word))
        add(grid, mem_strndup(word.ptr, word.len));
}

void
grid_cell(struct grid *grid, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    CHECK(vasprintf(&text, format, args) >= 0);
    va_end(args);
    add(grid, text);
}

static int
width_of(const struct grid *grid, size_t column)
{
    size_t width = 0;

    for (size_t i = 0; i < grid->rows; i++) {
        const char *cell = grid->cells[i][column];

        if (cell != NULL && strlen(cell) > width)
            width = strlen(cell);
    }
    return (int)width;
}

void
grid_print(struct grid *grid)
{
    int widths[GRID_COLUMNS];

    for (size_t c = 0; c < grid->columns; c++)
        widths[c] = width_of(grid, c);
    for (size_t r = 0; r < grid->rows; r++) {
        char **row = grid->cells[r];

        for (size_t c = 0; c < grid->columns && row[c] != NULL; c++) {
            bool last = c + 1 == grid->columns || row[c + 1] == NULL;

            if (last)
                printf("%s\n", row[c]);
            else
                printf("%-*s  ", widths[c], row[c]);
        }
        for (size_t c = 0; c < grid->columns; c++)
            free(row[c]);
    }
    free(grid->cells);
    *grid = (struct grid){0};
}
