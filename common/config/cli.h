//  cli - the verbs of a command as one table: name, arguments, settings, help, function. Help, the
//  man page and «did you mean» come from the table, exit codes from a second one.
#ifndef FL_CONFIG_CLI_H
#define FL_CONFIG_CLI_H

#include "common/config/conf.h"

//  What every command answers; its own codes start at 3.
enum { FL_EXIT_OK = 0, FL_EXIT_FAILED = 1, FL_EXIT_USAGE = 2 };
#define FL_CLI_EXITS                                                                               \
    { FL_EXIT_OK, "it worked" },                                                                   \
        { FL_EXIT_FAILED, "it did not work; one line on standard error says why" },                \
    {                                                                                              \
        FL_EXIT_USAGE, "the command line is wrong"                                                 \
    }

typedef struct fl_command {
    //  `name` is the verb, one or two words ("report", "ca init"); flags_only is set for it.
    fl_program program;
    //  `context` is the caller's. Returns the exit code.
    int (*run)(void *context, const fl_conf *conf);
} fl_command;

typedef struct fl_cli {
    const char *name; // "fl"
    const char *purpose;
    const fl_command *commands;
    uint32_t command_count;
    const fl_exit *exits; // all of them, the three above first
} fl_cli;

//  Find the verb in argv, read its settings, run it; returns the exit code of the process. Help
//  goes to `out`, one line about a mistake to `err`.
int fl_cli_run(const fl_cli *self, void *context, int argc, char **argv, FILE *out, FILE *err);

#endif
