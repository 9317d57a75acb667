#include "common/config/nearest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 63, EDITS_MAX = 3 };

static unsigned
s_least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

//  Optimal string alignment distance (Damerau, CACM 7(3), 1964, without a second touch of the same
//  place), by three rows of its table.
static unsigned
s_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][WORD_MAX + 1];
    for (size_t k = 0; k <= b_length; k++) {
        rows[0][k] = (unsigned)k;
    }
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t k = 1; k <= b_length; k++) {
            unsigned cost = a[i - 1] == b[k - 1] ? 0 : 1;
            now[k] = s_least(s_least(last[k] + 1, now[k - 1] + 1), last[k - 1] + cost);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) {
                now[k] = s_least(now[k], before[k - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

void
fl_nearest_try(fl_nearest *self, const char *typed, const char *candidate)
{
    size_t typed_length = strlen(typed), length = strlen(candidate);
    if (typed_length > WORD_MAX || length > WORD_MAX) {
        return;
    }
    unsigned distance = s_distance(typed, typed_length, candidate, length);
    size_t longer = typed_length > length ? typed_length : length;
    if (distance > EDITS_MAX || 3 * distance > longer) {
        return;
    }
    if (self->word == NULL || distance < self->distance) {
        *self = (fl_nearest){ .word = candidate, .distance = distance };
    }
}

void
fl_nearest_say(const fl_nearest *self, char text[96])
{
    text[0] = '\0';
    if (self->word != NULL) {
        (void)snprintf(text, 96, ", did you mean '%s'?", self->word);
    }
}
