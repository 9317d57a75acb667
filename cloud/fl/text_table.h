//  text_table - rows and columns of short text for a terminal: as wide as needed, columns dropped
//  by rank when it would be too wide, and every line cut to the width. ASCII. One thread.
#ifndef FL_CLOUD_FL_TEXT_TABLE_H
#define FL_CLOUD_FL_TEXT_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FL_TABLE_COLUMNS_MAX = 20, FL_TABLE_CELL_BYTES = 40 };

typedef struct fl_text_table_column {
    const char *title;
    bool right;   // numbers
    uint8_t rank; // 0 is never dropped; else the greatest goes first
} fl_text_table_column;

typedef struct fl_text_table fl_text_table;

//  The columns are borrowed. The caller owns the result. NULL when out of memory.
fl_text_table *fl_text_table_new(const fl_text_table_column *columns, uint32_t count);
void fl_text_table_destroy(fl_text_table **self_p);

//  Begin a row, then fill its cells from the left. What does not fit a cell is cut. Out of memory:
//  the row is not shown, and the grid says at its end how many are missing.
void fl_text_table_row(fl_text_table *self);
void fl_text_table_cell(fl_text_table *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

//  Titles and rows, no line longer than `width`.
void fl_text_table_print(const fl_text_table *self, uint32_t width, FILE *out);

//  `text`, up to its newline, cut to `width` (then it ends with '>'), and a newline.
void fl_text_table_line(const char *text, uint32_t width, FILE *out);

#endif
