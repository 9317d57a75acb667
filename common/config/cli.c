#include "common/config/cli.h"

#include <string.h>


enum { TYPED_MAX = 64 };

static void
s_print_help(const fl_cli *self, FILE *out)
{
    (void)fprintf(out, "usage: %s VERB [ARGUMENT]... [--SETTING VALUE]...\n%s\n\nVerbs:\n",
                  self->name, self->purpose);
    for (uint32_t i = 0; i < self->command_count; i++) {
        const fl_program *program = &self->commands[i].program;
        char usage[TYPED_MAX];
        (void)snprintf(usage, sizeof usage, "%s%s%s", program->name,
                       program->arguments == NULL ? "" : " ",
                       program->arguments == NULL ? "" : program->arguments);
        (void)fprintf(out, "  %-28s %s\n", usage, program->purpose);
    }
    (void)fprintf(out, "\n'%s VERB --help' shows the settings of a verb. Exit codes:\n",
                  self->name);
    fl_conf_print_exits(self->exits, out);
}

//  Every verb as a section of a man page.
static void
s_print_man(const fl_cli *self, FILE *out)
{
    (void)fprintf(out, ".SH VERBS\n");
    for (uint32_t i = 0; i < self->command_count; i++) {
        const fl_program *program = &self->commands[i].program;
        (void)fprintf(out, ".SS %s %s%s%s\n%s\n", self->name, program->name,
                      program->arguments == NULL ? "" : " ",
                      program->arguments == NULL ? "" : program->arguments, program->purpose);
        fl_conf_print_man(program, out);
    }
    fl_conf_print_man_exits(self->exits, out);
}

//  How many words of argv spell `name`; 0 when they do not.
static int
s_spells(const char *name, int argc, char **argv)
{
    int words = 0;
    while (*name != '\0') {
        size_t length = strcspn(name, " ");
        int at = words + 1;
        if (at >= argc || strlen(argv[at]) != length || strncmp(argv[at], name, length) != 0) {
            return 0;
        }
        words++;
        name += length + (name[length] == ' ');
    }
    return words;
}

//  The first verb of two words that begins with `word`; NULL: there is none.
static const char *
s_begins(const fl_cli *self, const char *word)
{
    size_t length = strlen(word);
    for (uint32_t i = 0; i < self->command_count; i++) {
        const char *name = self->commands[i].program.name;
        if (strncmp(name, word, length) == 0 && name[length] == ' ') {
            return name;
        }
    }
    return NULL;
}

static int
s_unknown(const fl_cli *self, int argc, char **argv, FILE *err)
{
    char typed[TYPED_MAX], hint[96];
    fl_nearest nearest = { 0 };
    bool two = argc > 2 && argv[2][0] != '-';
    (void)snprintf(typed, sizeof typed, "%s%s%s", argv[1], two ? " " : "", two ? argv[2] : "");
    for (uint32_t i = 0; i < self->command_count; i++) {
        const char *name = self->commands[i].program.name;
        fl_nearest_try(&nearest, strchr(name, ' ') == NULL ? argv[1] : typed, name);
    }
    if (nearest.word == NULL) {
        nearest.word = s_begins(self, argv[1]);
    }
    fl_nearest_say(&nearest, hint);
    (void)fprintf(err, "%s: there is no verb '%.40s'%s%s\n", self->name, argv[1], hint,
                  nearest.word == NULL ? "; 'help' lists them" : "");
    return FL_EXIT_USAGE;
}

static int
s_run(const fl_cli *self, const fl_command *command, void *context, int argc, char **argv,
      FILE *out, FILE *err)
{
    fl_conf *conf = NULL;
    fl_why why;
    char name[TYPED_MAX];
    fl_program program = command->program; // under the name that is typed: "fl report"
    FL_ASSERT(program.flags_only);
    (void)snprintf(name, sizeof name, "%s %s", self->name, command->program.name);
    program.name = name;
    fl_status status = fl_conf_load(&program, argc, argv, out, &conf, &why);
    if (status != FL_OK) {
        (void)fprintf(err, "%s: %s\n", name, why.text);
        return FL_EXIT_USAGE;
    }
    if (conf == NULL) {
        return FL_EXIT_OK;
    }
    int code = command->run(context, conf);
    fl_conf_destroy(&conf);
    return code;
}

int
fl_cli_run(const fl_cli *self, void *context, int argc, char **argv, FILE *out, FILE *err)
{
    if (argc < 2) {
        s_print_help(self, err);
        return FL_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        s_print_help(self, out);
        return FL_EXIT_OK;
    }
    if (strcmp(word, "--version") == 0) {
        (void)fprintf(out, "%s %s\n", self->name, FL_VERSION);
        return FL_EXIT_OK;
    }
    if (strcmp(word, "--man") == 0) {
        s_print_man(self, out);
        return FL_EXIT_OK;
    }
    for (uint32_t i = 0; i < self->command_count; i++) {
        const fl_command *command = &self->commands[i];
        int words = s_spells(command->program.name, argc, argv);
        if (words > 0) {
            return s_run(self, command, context, argc - words, argv + words, out, err);
        }
    }
    return s_unknown(self, argc, argv, err);
}
