//  json_read - values out of JSON that somebody else made: what is not there, or of another type,
//  reads as nothing. For the show files.
#ifndef FL_CLOUD_FL_JSON_READ_H
#define FL_CLOUD_FL_JSON_READ_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

//  "-" for nothing. The json keeps it.
static inline const char *
leaf_text(const json_t *in, const char *key)
{
    const char *text = json_string_value(json_object_get(in, key));
    return text == NULL ? "-" : text;
}

static inline bool
leaf_is(const json_t *in, const char *key, const char *value)
{
    return strcmp(leaf_text(in, key), value) == 0;
}

//  0 for nothing, and for what is negative.
static inline uint64_t
leaf_whole(const json_t *in, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(in, key));
    return value < 0 ? 0 : (uint64_t)value;
}

//  NaN for nothing.
static inline double
leaf_real(const json_t *in, const char *key)
{
    const json_t *value = json_object_get(in, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static inline bool
leaf_true(const json_t *in, const char *key)
{
    return json_is_true(json_object_get(in, key));
}

#endif
