//  conf_inside - what the five files of conf share with each other and with nobody else: conf would
//  be longer than a file may be.
#ifndef FL_CONFIG_CONF_INSIDE_H
#define FL_CONFIG_CONF_INSIDE_H

#include "common/config/conf.h"

enum { FL_CONF_NAME_MAX = 64, FL_CONF_NO_SETTING = -1, FL_CONF_FILE_BYTES_MAX = 1024 * 1024 };

typedef enum fl_conf_source {
    FL_CONF_FROM_NOWHERE,
    FL_CONF_FROM_DEFAULT,
    FL_CONF_FROM_FILE,
    FL_CONF_FROM_ENVIRONMENT,
    FL_CONF_FROM_FLAG
} fl_conf_source;

typedef struct fl_conf_value {
    char text[FL_CONF_TEXT_MAX]; // as written
    int64_t whole;               // INT, BOOL, CHOICE, DURATION, SIZE
    double real;                 // REAL
    fl_conf_source source;
    unsigned long line; // of the file
} fl_conf_value;

struct fl_conf {
    const fl_program *program;
    const char *file; // borrowed from argv or the environment; NULL: none
    const char *arguments[FL_CONF_ARGUMENTS_MAX];
    uint32_t argument_count;
    const char *list[FL_CONF_LIST_MAX]; // of FL_CONF_LIST
    uint32_t list_count;
    fl_conf_value values[FL_CONF_SETTINGS_MAX];
};

//  Index of the setting with this key, or FL_CONF_NO_SETTING.
int fl_conf_find(const fl_program *program, const char *key);
//  "FL_A_B" and "--a-b" of a key.
void fl_conf_environment_name(const char *key, char name[FL_CONF_NAME_MAX]);
void fl_conf_flag_name(const char *key, char name[FL_CONF_NAME_MAX]);

//  Parse `text` into `value` (text, whole, real). On refusal `complaint` says what is wrong and
//  what is wanted, without a place.
FL_CHECKED fl_status fl_conf_parse(const fl_setting *setting, const char *text,
                                   fl_conf_value *value, fl_why *complaint);
//  The numbers of a list and how many. False when it is no list, or too long.
bool fl_conf_parse_numbers(const char *text, double numbers[FL_CONF_NUMBERS_MAX], uint32_t *count);
//  "1500ms to 1h", "a whole number from 1 to 5": what the setting takes.
void fl_conf_wanted(const fl_setting *setting, char text[FL_CONF_TEXT_MAX]);

//  Parse and store one value; refuses it with its place.
FL_CHECKED fl_status fl_conf_set(fl_conf *self, int index, const char *text, fl_conf_source source,
                                 unsigned long line, fl_why *why);
//  Read `self->file`.
FL_CHECKED fl_status fl_conf_read_file(fl_conf *self, fl_why *why);
//  Read this text as if it stood in `self->file`.
FL_CHECKED fl_status fl_conf_read_text(fl_conf *self, fl_bytes text, fl_why *why);

#endif
