//  status - what an operation answers when it can fail for a reason outside this program, the
//  one-line explanation that goes with it, and the panic for a broken invariant of our own.
//  A status is only a status: results travel through the last parameter.
#ifndef FL_BASE_STATUS_H
#define FL_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum fl_status {
    FL_OK = 0,
    FL_NOMEM,     // out of memory
    FL_IO,        // the system refused a read, write, open or socket call
    FL_FULL,      // a bounded thing is full
    FL_MALFORMED, // bytes do not parse
    FL_MISSING,   // the named thing does not exist
    FL_EXISTS,    // the named thing exists already
    FL_DENIED,    // a signature, key, role or right is missing
    FL_RANGE,     // a value lies outside its bounds
    FL_MISMATCH,  // two things that must agree do not (shape, hash, version)
    FL_BUSY,      // somebody else holds it
    FL_STATUS_COUNT
} fl_status;

//  A stable lower-case name such as "no-memory"; never NULL.
const char *fl_status_name(fl_status status);

//  One line for a human: what failed, where, and what to do. Filled by whoever returns a status.
typedef struct fl_why {
    char text[384];
} fl_why;

//  Write a line into `why` (may be NULL); cut to its size, always terminated.
void fl_why_set(fl_why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
//  The same, and answers `status`.
fl_status fl_fail(fl_status status, fl_why *why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define FL_CHECKED __attribute__((warn_unused_result))

//  One step of several that may fail: the first that does ends the function with its status. Only
//  where the function holds nothing that must be given back.
#define FL_TRY(step)                                                                               \
    do {                                                                                           \
        const fl_status status_of_step = (step);                                                   \
        if (status_of_step != FL_OK) {                                                             \
            return status_of_step;                                                                 \
        }                                                                                          \
    } while (0)

//  The same where something must be given back: a step that is taken while `status` is FL_OK.
#define FL_THEN(status, step) ((status) = (status) == FL_OK ? (step) : (status))

//  A broken invariant: say it on stderr and abort. Never returns. Stays in every build.
_Noreturn void fl_panic(const char *file, int line, const char *expression);

#define FL_ASSERT(expression)                                                                      \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            fl_panic(__FILE__, __LINE__, #expression);                                             \
        }                                                                                          \
    } while (0)

#endif
