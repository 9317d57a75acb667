#include "cloud/fl/text_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

enum { ROWS_FIRST = 16, GAP = 2, LINE_BYTES = FL_TABLE_COLUMNS_MAX * (FL_TABLE_CELL_BYTES + GAP) };

typedef struct row {
    char cells[FL_TABLE_COLUMNS_MAX][FL_TABLE_CELL_BYTES];
} row;

struct fl_text_table {
    const fl_text_table_column *columns;
    uint32_t count;
    row *rows;
    uint32_t used, room, lost;
    uint32_t at; // next cell of the last row
    bool losing; // the last row had no room
};

fl_text_table *
fl_text_table_new(const fl_text_table_column *columns, uint32_t count)
{
    FL_ASSERT(count > 0 && count <= FL_TABLE_COLUMNS_MAX);
    fl_text_table *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->columns = columns;
        self->count = count;
    }
    return self;
}

void
fl_text_table_destroy(fl_text_table **self_p)
{
    if (*self_p != NULL) {
        free((*self_p)->rows);
        free(*self_p);
        *self_p = NULL;
    }
}

void
fl_text_table_row(fl_text_table *self)
{
    self->at = 0;
    if (self->used == self->room) {
        uint32_t room = self->room == 0 ? ROWS_FIRST : 2 * self->room;
        row *rows = realloc(self->rows, room * sizeof *rows);
        self->losing = rows == NULL;
        if (rows == NULL) {
            self->lost++;
            return;
        }
        self->rows = rows;
        self->room = room;
    }
    memset(&self->rows[self->used++], 0, sizeof(row));
}

void
fl_text_table_cell(fl_text_table *self, const char *format, ...)
{
    va_list args;
    FL_ASSERT(self->at < self->count && (self->used > 0 || self->losing));
    if (self->losing) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(self->rows[self->used - 1].cells[self->at++], FL_TABLE_CELL_BYTES, format,
                    args);
    va_end(args);
}

//  Width of each column, 0 for one that is dropped.
static void
s_measure(const fl_text_table *self, uint32_t width, uint32_t widths[FL_TABLE_COLUMNS_MAX])
{
    uint32_t sum = 0;
    for (uint32_t c = 0; c < self->count; c++) {
        widths[c] = (uint32_t)strlen(self->columns[c].title);
        for (uint32_t r = 0; r < self->used; r++) {
            uint32_t length = (uint32_t)strlen(self->rows[r].cells[c]);
            widths[c] = length > widths[c] ? length : widths[c];
        }
        sum += widths[c] + (c > 0 ? GAP : 0);
    }
    while (sum > width) {
        uint32_t worst = self->count;
        for (uint32_t c = 0; c < self->count; c++) {
            bool worse = worst == self->count || self->columns[c].rank >= self->columns[worst].rank;
            worst = widths[c] > 0 && self->columns[c].rank > 0 && worse ? c : worst;
        }
        if (worst == self->count) {
            return;
        }
        sum -= widths[worst] + GAP;
        widths[worst] = 0;
    }
}

static void
s_print_row(const fl_text_table *self, const row *cells, const uint32_t widths[], uint32_t width,
            FILE *out)
{
    char line[LINE_BYTES + 1] = "";
    size_t length = 0;
    for (uint32_t c = 0; c < self->count; c++) {
        const fl_text_table_column *column = &self->columns[c];
        const char *cell = cells == NULL ? column->title : cells->cells[c];
        if (widths[c] > 0) {
            int added =
                snprintf(line + length, sizeof line - length, "%*s%*s", length > 0 ? GAP : 0, "",
                         column->right ? (int)widths[c] : -(int)widths[c], cell);
            length += (size_t)added;
        }
    }
    while (length > 0 && line[length - 1] == ' ') {
        line[--length] = '\0';
    }
    fl_text_table_line(line, width, out);
}

void
fl_text_table_print(const fl_text_table *self, uint32_t width, FILE *out)
{
    uint32_t widths[FL_TABLE_COLUMNS_MAX];
    s_measure(self, width, widths);
    s_print_row(self, NULL, widths, width, out);
    for (uint32_t r = 0; r < self->used; r++) {
        s_print_row(self, &self->rows[r], widths, width, out);
    }
    if (self->lost > 0) {
        (void)fprintf(out, "(%u more: out of memory)\n", self->lost);
    }
}

void
fl_text_table_line(const char *text, uint32_t width, FILE *out)
{
    size_t length = strcspn(text, "\n");
    if (length <= width) {
        (void)fprintf(out, "%.*s\n", (int)length, text);
    } else {
        (void)fprintf(out, "%.*s>\n", width == 0 ? 0 : (int)(width - 1), text);
    }
}
