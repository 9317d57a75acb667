//  exit_codes - what the operator's command ends with, beyond FL_EXIT_OK, _FAILED and _USAGE, and
//  what an enrolment answers. cloud/fl/verbs.c says what each means; a number is never used again
//  for something else.
#ifndef FL_CONFIG_EXIT_CODES_H
#define FL_CONFIG_EXIT_CODES_H

#include "common/config/cli.h"

enum {
    FL_EXIT_SILENT = 3,    // nobody answers
    FL_EXIT_STATE_DIR = 4, // files of the state or authority directory
    FL_EXIT_EXISTS = 5,
    FL_EXIT_NO_TOKEN = 6,
    FL_EXIT_TOKEN = 7,
    FL_EXIT_EXPIRED = 8,
    FL_EXIT_USED_UP = 9,
    FL_EXIT_NAME = 10,
    FL_EXIT_REFUSED = 11,
    FL_EXIT_ABORTED = 12,
    FL_EXIT_MISSING = 13,
    FL_EXIT_DAMAGED = 14,
    FL_EXIT_SKIPPED = 15,
    FL_EXIT_BUSY = 75,
};

#endif
