//  A setting's text as a value: the part of conf that knows types, units and bounds.
#include "common/config/conf_inside.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_MOST 9007199254740992.0 // 2^53: every whole number up to it is exact in a double

typedef struct unit {
    const char *name;
    double factor;
} unit;

static const unit durations[] = {
    { "ms", 1.0 }, { "s", 1e3 }, { "m", 6e4 }, { "h", 3.6e6 }, { "d", 8.64e7 }, { NULL, 0.0 },
};

static const unit sizes[] = {
    { "", 1.0 },       { "k", 1024.0 },      { "M", 1048576.0 },      { "G", 1073741824.0 },
    { "KiB", 1024.0 }, { "MiB", 1048576.0 }, { "GiB", 1073741824.0 }, { NULL, 0.0 },
};

static bool
s_unbounded(const fl_setting *setting)
{
    return !(setting->least < 0.0 || setting->least > 0.0 || setting->most < 0.0 ||
             setting->most > 0.0);
}

//  In the largest unit that leaves a whole number: 90000 -> "90s".
static void
s_format(double value, const unit *units, char text[32])
{
    const unit *best = &units[0];
    for (const unit *u = units; u->name != NULL; u++) {
        bool whole = fmod(value, u->factor) < 0.5 / WHOLE_MOST;
        if (u->factor > best->factor && value >= u->factor && whole) {
            best = u;
        }
    }
    (void)snprintf(text, 32, "%.15g%s", value / best->factor, best->name);
}

static void
s_bound(const fl_setting *setting, double value, char text[32])
{
    if (setting->type == FL_CONF_DURATION) {
        s_format(value, durations, text);
    } else if (setting->type == FL_CONF_SIZE) {
        s_format(value, sizes, text);
    } else {
        (void)snprintf(text, 32, "%.15g", value);
    }
}

void
fl_conf_wanted(const fl_setting *setting, char text[FL_CONF_TEXT_MAX])
{
    static const char *const kinds[] = {
        [FL_CONF_TEXT] = "text",
        [FL_CONF_LIST] = "text; may be given again",
        [FL_CONF_INT] = "a whole number",
        [FL_CONF_REAL] = "a number",
        [FL_CONF_BOOL] = "true or false",
        [FL_CONF_CHOICE] = "one of ",
        [FL_CONF_DURATION] = "a duration such as 1500ms, 2s or 3m",
        [FL_CONF_SIZE] = "a size such as 512, 64k, 16M or 2G",
        [FL_CONF_NUMBERS] = "numbers, with commas between them",
    };
    char least[32], most[32];
    s_bound(setting, setting->least, least);
    s_bound(setting, setting->most, most);
    const char *kind = kinds[setting->type];
    if (s_unbounded(setting)) {
        (void)snprintf(text, FL_CONF_TEXT_MAX, "%s%s", kind,
                       setting->type == FL_CONF_CHOICE ? setting->choices : "");
    } else {
        (void)snprintf(text, FL_CONF_TEXT_MAX, "%s from %s to %s", kind, least, most);
    }
}

//  A decimal number at the start of `text`; no hex, no infinity, no spaces. `*rest`: behind it.
static bool
s_number(const char *text, double *value, const char **rest)
{
    size_t length = strspn(text, "+-.0123456789eE");
    char copy[48];
    if (length == 0 || length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *end = NULL;
    errno = 0;
    *value = strtod(copy, &end);
    *rest = text + (end - copy);
    return end != copy && errno == 0 && isfinite(*value);
}

bool
fl_conf_parse_numbers(const char *text, double numbers[FL_CONF_NUMBERS_MAX], uint32_t *count)
{
    const char *at = text + strspn(text, " ");
    for (*count = 0; *at != '\0'; (*count)++) {
        if (*count == FL_CONF_NUMBERS_MAX || !s_number(at, &numbers[*count], &at)) {
            return false;
        }
        at += strspn(at, " ");
        if (*at == '\0') {
            (*count)++;
            return true;
        }
        if (*at != ',') {
            return false;
        }
        at += 1 + strspn(at + 1, " ");
    }
    return *count == 0; // else a comma ends it
}

static bool
s_with_unit(const char *text, const unit *units, double *value)
{
    const char *rest = "";
    if (!s_number(text, value, &rest)) {
        return false;
    }
    for (const unit *u = units; u->name != NULL; u++) {
        if (strcmp(rest, u->name) == 0) {
            *value = round(*value * u->factor);
            return true;
        }
    }
    return *rest == '\0' && fpclassify(*value) == FP_ZERO; // 0 needs no unit
}

static bool
s_choice(const char *choices, const char *text, double *value)
{
    size_t length = strlen(text);
    for (double index = 0.0; choices != NULL; index += 1.0) {
        size_t word = strcspn(choices, "|");
        if (word == length && strncmp(choices, text, word) == 0) {
            *value = index;
            return true;
        }
        choices = choices[word] == '\0' ? NULL : choices + word + 1;
    }
    return false;
}

//  The text as a number, whatever its type. False when it is no such thing.
static bool
s_evaluate(const fl_setting *setting, const char *text, double *value)
{
    const char *rest = "";
    double numbers[FL_CONF_NUMBERS_MAX];
    uint32_t count = 0;
    switch (setting->type) {
    case FL_CONF_TEXT:
    case FL_CONF_LIST:
        return true;
    case FL_CONF_INT:
        return s_number(text, value, &rest) && text + strspn(text, "+-0123456789") == rest &&
               *rest == '\0';
    case FL_CONF_REAL:
        return s_number(text, value, &rest) && *rest == '\0';
    case FL_CONF_BOOL:
        return s_choice("false|true", text, value);
    case FL_CONF_CHOICE:
        return s_choice(setting->choices, text, value);
    case FL_CONF_DURATION:
        return s_with_unit(text, durations, value);
    case FL_CONF_SIZE:
        return s_with_unit(text, sizes, value);
    case FL_CONF_NUMBERS:
        return fl_conf_parse_numbers(text, numbers, &count);
    }
    FL_ASSERT(false);
}

static bool
s_bounded(const fl_setting *setting, double value)
{
    if (!s_unbounded(setting)) {
        return value >= setting->least && value <= setting->most;
    }
    bool any = setting->type == FL_CONF_TEXT || setting->type == FL_CONF_LIST ||
               setting->type == FL_CONF_REAL || setting->type == FL_CONF_NUMBERS;
    return any || (value >= 0.0 && value <= WHOLE_MOST);
}

fl_status
fl_conf_parse(const fl_setting *setting, const char *text, fl_conf_value *value, fl_why *complaint)
{
    char wanted[FL_CONF_TEXT_MAX];
    double number = 0.0;
    fl_conf_wanted(setting, wanted);
    if (strlen(text) >= sizeof value->text) {
        return fl_fail(FL_RANGE, complaint, "'%s' is longer than %d characters", setting->key,
                       FL_CONF_TEXT_MAX - 1);
    }
    if (!s_evaluate(setting, text, &number)) {
        return fl_fail(FL_MALFORMED, complaint, "'%s' is '%.80s'; it must be %s", setting->key,
                       text, wanted);
    }
    if (!s_bounded(setting, number)) {
        return fl_fail(FL_RANGE, complaint, "'%s' is %.80s, out of range; it must be %s",
                       setting->key, text, wanted);
    }
    (void)snprintf(value->text, sizeof value->text, "%s", text);
    value->real = number;
    value->whole = setting->type == FL_CONF_REAL ? 0 : (int64_t)number;
    return FL_OK;
}
