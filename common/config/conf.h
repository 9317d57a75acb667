//  conf - the settings of one program, driven by one table: flag > FL_* environment > file >
//  default. The same table prints --help, the man page and --print-config, and refuses what it does
//  not know with file, line and the nearest name. Built once at start-up, read-only afterwards.
//
//  A key is dotted ("round.window.min"): nested maps in YAML, FL_ROUND_WINDOW_MIN in the
//  environment, --round-window-min as a flag. No setting holds a secret: it names a file that does.
#ifndef FL_CONFIG_CONF_H
#define FL_CONFIG_CONF_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/id.h"
#include "common/base/bytes.h"
#include "common/base/status.h"

enum {
    FL_CONF_TEXT_MAX = 256,
    FL_CONF_SETTINGS_MAX = 128,
    FL_CONF_ARGUMENTS_MAX = 8,
    FL_CONF_NUMBERS_MAX = 8,
};
enum { FL_CONF_LIST_MAX = 64 }; // how often a flag of type FL_CONF_LIST may be given

typedef enum fl_conf_type {
    FL_CONF_TEXT,
    FL_CONF_INT,      // whole number
    FL_CONF_REAL,     // finite
    FL_CONF_BOOL,     // true | false
    FL_CONF_CHOICE,   // one word of `choices`
    FL_CONF_DURATION, // 1500ms | 2s | 3m | 1h | 2d; a fraction such as 1.5s is fine
    FL_CONF_SIZE,     // bytes: 512 | 64k | 16M | 2G, in steps of 1024
    FL_CONF_LIST,     // text, and the flag may be given again; at most one of a program
    FL_CONF_NUMBERS,  // up to FL_CONF_NUMBERS_MAX numbers: "0.1, 0.001"; in YAML a sequence
} fl_conf_type;

typedef struct fl_setting {
    const char *key; // [a-z0-9_.]+, unique in all of its three spellings
    fl_conf_type type;
    const char *fallback; // default as text; NULL: must be given
    double least, most;   // inclusive, of the parsed value (ms, bytes); both 0: 0 to 2^53
    const char *choices;  // "extend|skip|abort"
    const char *help;     // one sentence without its full stop
} fl_setting;

typedef struct fl_conf fl_conf;

//  An exit code and what it means; a table ends with a row without a meaning.
typedef struct fl_exit {
    int code;
    const char *meaning;
} fl_exit;

typedef struct fl_program {
    const char *name;      // "edge-agg"
    const char *purpose;   // one sentence
    const char *arguments; // "ROUND [FILE]": what stands without a flag; NULL: nothing
    const fl_setting *settings;
    uint32_t setting_count;
    const fl_exit *exits; // of the process; NULL: a verb, whose command has them
    bool flags_only;      // no file, no environment: a verb of `fl`
    //  What must hold between settings. NULL: nothing. Part of --check-config.
    fl_status (*check)(const fl_conf *conf, fl_why *why);
} fl_program;

//  Read everything and build `*conf`, which is the caller's. It is NULL with FL_OK when the command
//  line only asked for --help, --version, --man, --check-config or --print-config: the answer is on
//  `out`, exit 0. Otherwise: FL_MALFORMED, FL_RANGE, FL_MISSING, FL_IO, FL_NOMEM and one line in
//  `why` that begins with the place ("edge.yaml:12: ", "environment FL_X: ", "--x: ").
FL_CHECKED fl_status fl_conf_load(const fl_program *program, int argc, char **argv, FILE *out,
                                  fl_conf **conf, fl_why *why);
//  Build `*conf` from a text alone, without environment and flags; the caller's. `name` stands in
//  front of what is wrong with it, and outlives the result. `sets` (count): "KEY=VALUE" words that
//  win over the text.
FL_CHECKED fl_status fl_conf_of_text(const fl_program *program, const char *name, fl_bytes text,
                                     const char *const *sets, uint32_t count, fl_conf **conf,
                                     fl_why *why);
void fl_conf_destroy(fl_conf **self_p);

//  The value of a setting. An unknown key or another type is our own mistake: panic.
const char *fl_conf_text(const fl_conf *self, const char *key); // the word of a choice, too
//  The name of a node or a thing; none leaves `name` as it is. False: the text is no name.
bool fl_conf_name(const fl_conf *self, const char *key, fl_name *name);
int64_t fl_conf_int(const fl_conf *self, const char *key);
double fl_conf_real(const fl_conf *self, const char *key);
bool fl_conf_bool(const fl_conf *self, const char *key);
uint32_t fl_conf_choice(const fl_conf *self, const char *key); // index into `choices`
int64_t fl_conf_ms(const fl_conf *self, const char *key);
uint64_t fl_conf_bytes(const fl_conf *self, const char *key);
//  As it was written, whatever its type.
const char *fl_conf_written(const fl_conf *self, const char *key);
//  All that was given of the setting of type FL_CONF_LIST, in order; borrowed from argv.
const char *const *fl_conf_list(const fl_conf *self, uint32_t *count);
//  The numbers of a list; how many.
uint32_t fl_conf_numbers(const fl_conf *self, const char *key, double numbers[FL_CONF_NUMBERS_MAX]);
//  False when it is the default.
bool fl_conf_given(const fl_conf *self, const char *key);
//  Where the value came from, for a message: "edge.yaml:12", "--x", "environment FL_X", "default".
//  Written into `place`; returned for convenience.
const char *fl_conf_place(const fl_conf *self, const char *key, char place[FL_CONF_TEXT_MAX]);
//  What stood without a flag, in order; NULL beyond the last.
const char *fl_conf_argument(const fl_conf *self, uint32_t index);

//  What --help, --man and --print-config print.
void fl_conf_print_help(const fl_program *program, FILE *out);
void fl_conf_print_man(const fl_program *program, FILE *out);
void fl_conf_print(const fl_conf *self, FILE *out);
//  Only what was given, in the order of the table, a line each: the text from which fl_conf_of_text
//  makes the same settings.
void fl_conf_print_given(const fl_conf *self, FILE *out);
//  Exit codes, a line each, or a section of a man page.
void fl_conf_print_exits(const fl_exit *exits, FILE *out);
void fl_conf_print_man_exits(const fl_exit *exits, FILE *out);

//  «Did you mean»: how far one word is from another. The best word so far.
typedef struct fl_nearest {
    const char *word; // borrowed; NULL: nothing is near enough
    unsigned distance;
} fl_nearest;

//  Let `candidate` compete: near enough is at most 3 edits and at most a third of the longer word.
//  An edit inserts, removes, replaces or swaps neighbours.
void fl_nearest_try(fl_nearest *self, const char *typed, const char *candidate);
//  ", did you mean 'window'?" or "" into `text`.
void fl_nearest_say(const fl_nearest *self, char text[96]);

#endif
