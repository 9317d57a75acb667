//  text_table - rows and columns of short text for a terminal: as wide as needed, columns dropped by rank
//  when it would be too wide, and every line cut to the width. ASCII. One thread.
#ifndef FL_CLOUD_FL_TEXT_TABLE_H
#define FL_CLOUD_FL_TEXT_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FL_GRID_COLUMNS_MAX = 16, FL_GRID_CELL_BYTES = 40 };

typedef struct fl_grid_column {
    const char *title;
    bool right;      // numbers
    uint8_t rank;    // 0 is never dropped; else the greatest goes first
} fl_grid_column;

typedef struct fl_grid fl_grid;

//  The columns are borrowed. The caller owns the result. NULL when out of memory.
fl_grid *fl_grid_new(const fl_grid_column *columns, uint32_t count);
void fl_grid_destroy(fl_grid **self_p);

//  Begin a row, then fill its cells from the left. What does not fit a cell is cut. Out of memory:
//  the row is not shown, and the grid says at its end how many are missing.
void fl_grid_row(fl_grid *self);
void fl_grid_cell(fl_grid *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

//  Titles and rows, no line longer than `width`.
void fl_grid_print(const fl_grid *self, uint32_t width, FILE *out);

//  `text`, up to its newline, cut to `width` (then it ends with '>'), and a newline.
void fl_grid_line(const char *text, uint32_t width, FILE *out);

#endif
