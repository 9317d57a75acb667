#include "common/config/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/conf_inside.h"

//  Words longer than this are compared with nothing; more edits than that are another word.
enum { WORD_MAX = 63, EDITS_MAX = 3 };

int
fl_conf_find(const fl_program *program, const char *key)
{
    for (uint32_t i = 0; i < program->setting_count; i++) {
        if (strcmp(program->settings[i].key, key) == 0) {
            return (int)i;
        }
    }
    return FL_CONF_NO_SETTING;
}

void
fl_conf_environment_name(const char *key, char name[FL_CONF_NAME_MAX])
{
    (void)snprintf(name, FL_CONF_NAME_MAX, "FL_%s", key);
    for (char *c = name; *c != '\0'; c++) {
        if (*c == '.') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        }
    }
}

void
fl_conf_flag_name(const char *key, char name[FL_CONF_NAME_MAX])
{
    (void)snprintf(name, FL_CONF_NAME_MAX, "--%s", key);
    for (char *c = name; *c != '\0'; c++) {
        if (*c == '.' || *c == '_') {
            *c = '-';
        }
    }
}

static const char *
s_place(const fl_conf *self, int index, fl_conf_source source, unsigned long line_number,
        char place[FL_CONF_TEXT_MAX])
{
    char name[FL_CONF_NAME_MAX];
    const char *key = self->program->settings[index].key;
    place[0] = '\0';
    switch (source) {
    case FL_CONF_FROM_NOWHERE:
    case FL_CONF_FROM_DEFAULT:
        (void)snprintf(place, FL_CONF_TEXT_MAX, "default");
        break;
    case FL_CONF_FROM_FILE:
        (void)snprintf(place, FL_CONF_TEXT_MAX, "%.200s:%lu", self->file, line_number);
        break;
    case FL_CONF_FROM_ENVIRONMENT:
        fl_conf_environment_name(key, name);
        (void)snprintf(place, FL_CONF_TEXT_MAX, "environment %s", name);
        break;
    case FL_CONF_FROM_FLAG:
        fl_conf_flag_name(key, place);
        break;
    }
    return place;
}

fl_status
fl_conf_set(fl_conf *self, int index, const char *text, fl_conf_source source,
            unsigned long line_number, fl_why *why)
{
    fl_why complaint;
    fl_conf_value value = { .source = source, .line = line_number };
    fl_status status = fl_conf_parse(&self->program->settings[index], text, &value, &complaint);
    if (status != FL_OK) {
        char place[FL_CONF_TEXT_MAX];
        fl_why_set(why, "%s: %s", s_place(self, index, source, line_number, place), complaint.text);
        return status;
    }
    self->values[index] = value;
    return FL_OK;
}

void
fl_conf_destroy(fl_conf **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

//  The setting that our own code asks for; it must exist.
static const fl_conf_value *
s_value(const fl_conf *self, const char *key, fl_conf_type type)
{
    int index = fl_conf_find(self->program, key);
    FL_ASSERT(index != FL_CONF_NO_SETTING);
    const fl_conf_type own = self->program->settings[index].type;
    FL_ASSERT(own == type || (own == FL_CONF_CHOICE && type == FL_CONF_TEXT));
    return &self->values[index];
}

const char *
fl_conf_text(const fl_conf *self, const char *key)
{
    return s_value(self, key, FL_CONF_TEXT)->text;
}

bool
fl_conf_name(const fl_conf *self, const char *key, fl_name *name)
{
    const char *text = fl_conf_text(self, key);
    return text[0] == '\0' || fl_name_parse(text, name);
}

int64_t
fl_conf_int(const fl_conf *self, const char *key)
{
    return s_value(self, key, FL_CONF_INT)->whole;
}

double
fl_conf_real(const fl_conf *self, const char *key)
{
    return s_value(self, key, FL_CONF_REAL)->real;
}

bool
fl_conf_bool(const fl_conf *self, const char *key)
{
    return s_value(self, key, FL_CONF_BOOL)->whole != 0;
}

uint32_t
fl_conf_choice(const fl_conf *self, const char *key)
{
    return (uint32_t)s_value(self, key, FL_CONF_CHOICE)->whole;
}

int64_t
fl_conf_ms(const fl_conf *self, const char *key)
{
    return s_value(self, key, FL_CONF_DURATION)->whole;
}

uint64_t
fl_conf_bytes(const fl_conf *self, const char *key)
{
    return (uint64_t)s_value(self, key, FL_CONF_SIZE)->whole;
}

const char *
fl_conf_written(const fl_conf *self, const char *key)
{
    int index = fl_conf_find(self->program, key);
    FL_ASSERT(index != FL_CONF_NO_SETTING);
    return self->values[index].text;
}

const char *const *
fl_conf_list(const fl_conf *self, uint32_t *count)
{
    *count = self->list_count;
    return self->list;
}

uint32_t
fl_conf_numbers(const fl_conf *self, const char *key, double numbers[FL_CONF_NUMBERS_MAX])
{
    uint32_t count = 0;
    bool parsed = fl_conf_parse_numbers(s_value(self, key, FL_CONF_NUMBERS)->text, numbers, &count);
    FL_ASSERT(parsed); // it was when it was set
    return count;
}

bool
fl_conf_given(const fl_conf *self, const char *key)
{
    int index = fl_conf_find(self->program, key);
    FL_ASSERT(index != FL_CONF_NO_SETTING);
    return self->values[index].source > FL_CONF_FROM_DEFAULT;
}

const char *
fl_conf_place(const fl_conf *self, const char *key, char place[FL_CONF_TEXT_MAX])
{
    int index = fl_conf_find(self->program, key);
    FL_ASSERT(index != FL_CONF_NO_SETTING);
    return s_place(self, index, self->values[index].source, self->values[index].line, place);
}

const char *
fl_conf_argument(const fl_conf *self, uint32_t index)
{
    return index < self->argument_count ? self->arguments[index] : NULL;
}

// ---- did you mean -----------------------------------------------------------------------------
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
    //  Of two, the longer one: a letter is left out more often than another is put in its place.
    if (self->word == NULL || distance < self->distance ||
        (distance == self->distance && length > strlen(self->word))) {
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
