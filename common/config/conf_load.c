//  Making the settings of a process: the command line is sorted; then defaults, file, environment
//  and flags are laid one over the other. --help and its like are answered instead.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/conf_inside.h"

//  What the command line asked for besides settings.
typedef enum wish { RUN, HELP, VERSION, MAN, CHECK, PRINT } wish;

typedef struct option {
    const char *name;
    wish wish;
    bool flags_only; // verbs of `fl` know it as well
} option;

static const option options[] = {
    { "--help", HELP, true },           { "-h", HELP, true },
    { "--version", VERSION, true },     { "--man", MAN, true },
    { "--check-config", CHECK, false }, { "--print-config", PRINT, false },
};

enum { OPTIONS = sizeof options / sizeof *options };

//  The command line, sorted: a pointer per setting, NULL when its flag is absent.
typedef struct line {
    const char *flags[FL_CONF_SETTINGS_MAX];
    const char *file;
    wish wish;
} line;

//  The table is ours: each key fits its spellings and no two share one.
static void
s_prove_table(const fl_program *program)
{
    char one[FL_CONF_NAME_MAX], other[FL_CONF_NAME_MAX];
    FL_ASSERT(program->setting_count <= FL_CONF_SETTINGS_MAX);
    for (uint32_t i = 0; i < program->setting_count; i++) {
        const fl_setting *setting = &program->settings[i];
        FL_ASSERT(strlen(setting->key) + 4 < FL_CONF_NAME_MAX);
        FL_ASSERT(setting->least <= setting->most);
        FL_ASSERT((setting->type == FL_CONF_CHOICE) == (setting->choices != NULL));
        fl_conf_flag_name(setting->key, one);
        FL_ASSERT(strcmp(one, "--config") != 0);
        for (uint32_t k = 0; k < i; k++) {
            fl_conf_flag_name(program->settings[k].key, other);
            FL_ASSERT(strcmp(one, other) != 0);
        }
    }
}

//  An option that is no setting: --help and its like. False when `word` is none of them.
static bool
s_take_option(const fl_program *program, const char *word, line *self)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        bool known = options[i].flags_only || !program->flags_only;
        if (known && strcmp(word, options[i].name) == 0) {
            if (self->wish == RUN || options[i].wish == HELP) {
                self->wish = options[i].wish; // the first wish counts, but help always wins
            }
            return true;
        }
    }
    return false;
}

static fl_status
s_unknown_flag(const fl_program *program, const char *name, fl_why *why)
{
    char flags[FL_CONF_SETTINGS_MAX][FL_CONF_NAME_MAX];
    char hint[96];
    fl_nearest nearest = { 0 };
    for (uint32_t i = 0; i < program->setting_count; i++) {
        fl_conf_flag_name(program->settings[i].key, flags[i]);
        fl_nearest_try(&nearest, name, flags[i]);
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].flags_only || !program->flags_only) {
            fl_nearest_try(&nearest, name, options[i].name);
        }
    }
    fl_nearest_say(&nearest, hint);
    return fl_fail(FL_MALFORMED, why, "%.64s: unknown option%s%s", name, hint,
                   nearest.word == NULL ? "; --help lists them" : "");
}

//  Where the value of flag `name` goes, and its setting's type. NULL: no such flag.
static const char **
s_flag(const fl_program *program, const char *name, line *self, fl_conf_type *type)
{
    char flag[FL_CONF_NAME_MAX];
    *type = FL_CONF_TEXT;
    if (!program->flags_only && strcmp(name, "--config") == 0) {
        return &self->file;
    }
    for (uint32_t i = 0; i < program->setting_count; i++) {
        fl_conf_flag_name(program->settings[i].key, flag);
        if (strcmp(flag, name) == 0) {
            *type = program->settings[i].type;
            return &self->flags[i];
        }
    }
    return NULL;
}

//  One flag at argv[*at], with its value in the same word, in the next one, or none (a bool).
static fl_status
s_take_flag(fl_conf *conf, char **argv, int argc, int *at, line *self, fl_why *why)
{
    const fl_program *program = conf->program;
    char name[FL_CONF_NAME_MAX];
    fl_conf_type type;
    const char *word = argv[*at];
    size_t length = strcspn(word, "=");
    if (length >= sizeof name) {
        return s_unknown_flag(program, word, why);
    }
    memcpy(name, word, length);
    name[length] = '\0';
    const char **value = s_flag(program, name, self, &type);
    if (value == NULL) {
        return s_unknown_flag(program, name, why);
    }
    if (*value != NULL && type != FL_CONF_LIST) {
        return fl_fail(FL_MALFORMED, why, "%s: given twice", name);
    }
    if (word[length] == '=') {
        *value = word + length + 1;
    } else if (type == FL_CONF_BOOL) {
        *value = "true";
    } else if (*at + 1 < argc) {
        *value = argv[++*at];
    } else {
        return fl_fail(FL_MALFORMED, why, "%s: needs a value behind it", name);
    }
    if (type == FL_CONF_LIST) {
        if (conf->list_count == FL_CONF_LIST_MAX) {
            return fl_fail(FL_RANGE, why, "%s: given more than %d times", name, FL_CONF_LIST_MAX);
        }
        conf->list[conf->list_count++] = *value;
    }
    return FL_OK;
}

//  How many arguments "ROUND [FILE]" takes: all words, and those without brackets.
static uint32_t
s_count_arguments(const char *text, bool required_only)
{
    uint32_t count = 0;
    while (text != NULL && *text != '\0') {
        text += strspn(text, " ");
        if (*text != '\0' && (*text != '[' || !required_only)) {
            count++;
        }
        text += strcspn(text, " ");
    }
    return count;
}

static fl_status
s_read_line(fl_conf *conf, int argc, char **argv, line *self, fl_why *why)
{
    const fl_program *program = conf->program;
    uint32_t most = s_count_arguments(program->arguments, false);
    bool flags_ended = false;
    FL_ASSERT(most <= FL_CONF_ARGUMENTS_MAX);
    for (int at = 1; at < argc; at++) {
        if (!flags_ended && strcmp(argv[at], "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && argv[at][0] == '-' && argv[at][1] != '\0') {
            if (!s_take_option(program, argv[at], self)) {
                FL_TRY(s_take_flag(conf, argv, argc, &at, self, why));
            }
        } else if (conf->argument_count < most) {
            conf->arguments[conf->argument_count++] = argv[at];
        } else {
            return fl_fail(FL_MALFORMED, why,
                           "unexpected argument '%.80s'; --help shows what is taken", argv[at]);
        }
    }
    return FL_OK;
}

static void
s_apply_defaults(fl_conf *self)
{
    for (uint32_t i = 0; i < self->program->setting_count; i++) {
        const char *fallback = self->program->settings[i].fallback;
        if (fallback != NULL) {
            fl_status status = fl_conf_set(self, (int)i, fallback, FL_CONF_FROM_DEFAULT, 0, NULL);
            FL_ASSERT(status == FL_OK); // a default that its own row refuses
        }
    }
}

//  Environment, then flags: each wins over what came before.
static fl_status
s_apply_above_file(fl_conf *self, const line *command, fl_why *why)
{
    for (uint32_t i = 0; i < self->program->setting_count; i++) {
        char name[FL_CONF_NAME_MAX];
        fl_conf_environment_name(self->program->settings[i].key, name);
        const char *text = self->program->flags_only ? NULL : getenv(name);
        if (text != NULL) {
            FL_TRY(fl_conf_set(self, (int)i, text, FL_CONF_FROM_ENVIRONMENT, 0, why));
        }
        if (command->flags[i] != NULL) {
            FL_TRY(fl_conf_set(self, (int)i, command->flags[i], FL_CONF_FROM_FLAG, 0, why));
        }
    }
    return FL_OK;
}

static fl_status
s_prove_complete(const fl_conf *self, fl_why *why)
{
    const fl_program *program = self->program;
    for (uint32_t i = 0; i < program->setting_count; i++) {
        char flag[FL_CONF_NAME_MAX], name[FL_CONF_NAME_MAX];
        if (self->values[i].source != FL_CONF_FROM_NOWHERE) {
            continue;
        }
        fl_conf_flag_name(program->settings[i].key, flag);
        fl_conf_environment_name(program->settings[i].key, name);
        if (program->flags_only) {
            fl_why_set(why, "%s must be given: %s", flag, program->settings[i].help);
        } else {
            fl_why_set(why, "%s%s'%s' is not set (%s); set it there, with %s or with %s",
                       self->file == NULL ? "" : self->file, self->file == NULL ? "" : ": ",
                       program->settings[i].key, program->settings[i].help, flag, name);
        }
        return FL_MISSING;
    }
    if (self->argument_count < s_count_arguments(program->arguments, true)) {
        return fl_fail(FL_MISSING, why, "an argument is missing; wanted: %s", program->arguments);
    }
    return program->check == NULL ? FL_OK : program->check(self, why);
}

static fl_status
s_build(fl_conf *self, const line *command, fl_why *why)
{
    s_apply_defaults(self);
    self->file = command->file;
    if (self->file == NULL && !self->program->flags_only) {
        self->file = getenv("FL_CONFIG");
    }
    if (self->file != NULL) {
        FL_TRY(fl_conf_read_file(self, why));
    }
    FL_TRY(s_apply_above_file(self, command, why));
    //  --print-config shows an incomplete set too: that is when one wants to see it.
    return command->wish == PRINT ? FL_OK : s_prove_complete(self, why);
}

//  --help and its like. True when nothing else is to be done.
static bool
s_answer(const fl_program *program, wish asked, FILE *out)
{
    if (asked == HELP) {
        fl_conf_print_help(program, out);
    } else if (asked == MAN) {
        fl_conf_print_man(program, out);
    } else if (asked == VERSION) {
        (void)fprintf(out, "%s %s\n", program->name, FL_VERSION);
    } else {
        return false;
    }
    return true;
}

fl_status
fl_conf_load(const fl_program *program, int argc, char **argv, FILE *out, fl_conf **conf,
             fl_why *why)
{
    line command = { .wish = RUN };
    *conf = NULL;
    s_prove_table(program);
    fl_conf *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->program = program;
    fl_status status = s_read_line(self, argc, argv, &command, why);
    if (status == FL_OK && s_answer(program, command.wish, out)) {
        fl_conf_destroy(&self);
        return FL_OK;
    }
    FL_THEN(status, s_build(self, &command, why));
    if (status == FL_OK && command.wish == PRINT) {
        fl_conf_print(self, out);
    } else if (status == FL_OK && command.wish == CHECK) {
        (void)fprintf(out, "%s: the settings are fine\n", program->name);
    }
    if (status != FL_OK || command.wish != RUN) {
        fl_conf_destroy(&self);
    }
    *conf = self;
    return status;
}

//  "key=value": wins over what the text said.
static fl_status
s_take_set(fl_conf *self, const char *word, fl_why *why)
{
    char key[FL_CONF_NAME_MAX];
    const size_t length = strcspn(word, "=");
    fl_nearest nearest = { 0 };
    char hint[96];
    if (word[length] == '\0' || length >= sizeof key) {
        return fl_fail(FL_MALFORMED, why, "'%.80s' is no setting: wanted is KEY=VALUE", word);
    }
    memcpy(key, word, length);
    key[length] = '\0';
    const int index = fl_conf_find(self->program, key);
    if (index != FL_CONF_NO_SETTING) {
        return fl_conf_set(self, index, word + length + 1, FL_CONF_FROM_FLAG, 0, why);
    }
    for (uint32_t i = 0; i < self->program->setting_count; i++) {
        fl_nearest_try(&nearest, key, self->program->settings[i].key);
    }
    fl_nearest_say(&nearest, hint);
    return fl_fail(FL_MALFORMED, why, "'%s' is no setting of a run%s", key, hint);
}

fl_status
fl_conf_of_text(const fl_program *program, const char *name, fl_bytes text, const char *const *sets,
                uint32_t count, fl_conf **conf, fl_why *why)
{
    s_prove_table(program);
    *conf = NULL;
    fl_conf *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->program = program;
    self->file = name;
    s_apply_defaults(self);
    fl_status status = fl_conf_read_text(self, text, why);
    for (uint32_t i = 0; i < count && status == FL_OK; i++) {
        status = s_take_set(self, sets[i], why);
    }
    FL_THEN(status, s_prove_complete(self, why));
    if (status != FL_OK) {
        fl_conf_destroy(&self);
    }
    *conf = self;
    return status;
}
