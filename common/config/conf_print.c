//  What the table of settings prints: help, man page, and the settings in force.
#include "common/config/conf_inside.h"

#include <string.h>

//  " VALUE" behind a flag, as short as it can be said.
static const char *
s_metavar(const fl_setting *setting)
{
    static const char *const words[] = {
        [FL_CONF_TEXT] = "TEXT",         [FL_CONF_INT] = "N",           [FL_CONF_REAL] = "X",
        [FL_CONF_LIST] = "KEY=VALUE",    [FL_CONF_BOOL] = "true|false", [FL_CONF_SIZE] = "SIZE",
        [FL_CONF_DURATION] = "DURATION", [FL_CONF_NUMBERS] = "X,X...",
    };
    return setting->type == FL_CONF_CHOICE ? setting->choices : words[setting->type];
}

void
fl_conf_print_help(const fl_program *program, FILE *out)
{
    (void)fprintf(out, "usage: %s%s%s%s\n%s\n", program->name,
                  program->setting_count > 0 ? " [--SETTING VALUE]..." : "",
                  program->arguments == NULL ? "" : " ",
                  program->arguments == NULL ? "" : program->arguments, program->purpose);
    if (program->setting_count > 0) {
        (void)fprintf(out, "\nSettings%s:\n",
                      program->flags_only ? "" : " (flag > FL_* environment > file > default)");
    }
    for (uint32_t i = 0; i < program->setting_count; i++) {
        const fl_setting *setting = &program->settings[i];
        char flag[FL_CONF_NAME_MAX], wanted[FL_CONF_TEXT_MAX];
        fl_conf_flag_name(setting->key, flag);
        fl_conf_wanted(setting, wanted);
        (void)fprintf(out, "  %s %s\n      %s.", flag, s_metavar(setting), setting->help);
        if (setting->type != FL_CONF_TEXT && setting->type != FL_CONF_BOOL) {
            (void)fprintf(out, " Takes %s.", wanted);
        }
        if (setting->fallback == NULL) {
            (void)fprintf(out, " Must be given.\n");
        } else {
            (void)fprintf(out, " Default: %s.\n",
                          setting->fallback[0] == '\0' ? "none" : setting->fallback);
        }
    }
    (void)fprintf(out, "\nOther options:\n");
    if (!program->flags_only) {
        (void)fprintf(out, "  --config FILE    read settings from this YAML file (or FL_CONFIG)\n"
                           "  --check-config   say whether the settings are fine, then end\n"
                           "  --print-config   print every setting and where it comes from\n");
    }
    (void)fprintf(out, "  --man            print the settings as a section of a man page\n"
                       "  --help           print this\n"
                       "  --version        print the version\n");
    if (program->exits != NULL) {
        (void)fprintf(out, "\nExit codes:\n");
        fl_conf_print_exits(program->exits, out);
    }
}

void
fl_conf_print_exits(const fl_exit *exits, FILE *out)
{
    for (; exits->meaning != NULL; exits++) {
        (void)fprintf(out, "  %-3d %s\n", exits->code, exits->meaning);
    }
}

void
fl_conf_print_man_exits(const fl_exit *exits, FILE *out)
{
    (void)fprintf(out, ".SH EXIT STATUS\n");
    for (; exits->meaning != NULL; exits++) {
        (void)fprintf(out, ".TP\n.B %d\n%s\n", exits->code, exits->meaning);
    }
}

//  Text for roff: a leading dot or quote and every backslash would be commands.
static void
s_roff(const char *text, FILE *out)
{
    if (*text == '.' || *text == '\'') {
        (void)fputs("\\&", out);
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            (void)fputs("\\e", out);
        } else if (*text == '-') {
            (void)fputs("\\-", out);
        } else {
            (void)fputc(*text, out);
        }
    }
}

void
fl_conf_print_man(const fl_program *program, FILE *out)
{
    if (!program->flags_only) { // a verb is a part of the page of its command
        (void)fprintf(out, ".SH SETTINGS\n");
    }
    for (uint32_t i = 0; i < program->setting_count; i++) {
        const fl_setting *setting = &program->settings[i];
        char flag[FL_CONF_NAME_MAX], name[FL_CONF_NAME_MAX], wanted[FL_CONF_TEXT_MAX];
        fl_conf_flag_name(setting->key, flag);
        fl_conf_environment_name(setting->key, name);
        fl_conf_wanted(setting, wanted);
        (void)fprintf(out, ".TP\n.B ");
        s_roff(setting->key, out);
        (void)fprintf(out, "\n");
        s_roff(setting->help, out);
        (void)fprintf(out, ".\nTakes ");
        s_roff(wanted, out);
        (void)fprintf(out, ".\n%s", setting->fallback == NULL ? "Must be given" : "Default: ");
        if (setting->fallback != NULL) {
            s_roff(setting->fallback[0] == '\0' ? "none" : setting->fallback, out);
        }
        (void)fprintf(out, ".\nFlag: ");
        s_roff(flag, out);
        if (!program->flags_only) {
            (void)fprintf(out, "; environment: ");
            s_roff(name, out);
        }
        (void)fprintf(out, ".\n");
    }
    if (program->exits != NULL) {
        fl_conf_print_man_exits(program->exits, out);
    }
}

static void
s_print_quoted(const char *text, FILE *out)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static void
s_print_pair(const fl_setting *setting, const char *text, FILE *out)
{
    (void)fprintf(out, "%s: ", setting->key);
    if (setting->type == FL_CONF_TEXT) {
        s_print_quoted(text, out);
    } else if (setting->type == FL_CONF_NUMBERS) {
        (void)fprintf(out, "[%s]", text);
    } else {
        (void)fputs(text, out);
    }
}

void
fl_conf_print(const fl_conf *self, FILE *out)
{
    for (uint32_t i = 0; i < self->program->setting_count; i++) {
        const fl_setting *setting = &self->program->settings[i];
        char place[FL_CONF_TEXT_MAX];
        if (self->values[i].source == FL_CONF_FROM_NOWHERE) {
            (void)fprintf(out, "# %s: must be given\n", setting->key);
            continue;
        }
        s_print_pair(setting, self->values[i].text, out);
        (void)fprintf(out, "  # %s\n", fl_conf_place(self, setting->key, place));
    }
}

void
fl_conf_print_given(const fl_conf *self, FILE *out)
{
    for (uint32_t i = 0; i < self->program->setting_count; i++) {
        if (self->values[i].source > FL_CONF_FROM_DEFAULT) {
            s_print_pair(&self->program->settings[i], self->values[i].text, out);
            (void)fputc('\n', out);
        }
    }
}
