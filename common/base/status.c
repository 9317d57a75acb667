#include "common/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[FL_STATUS_COUNT] = {
    [FL_OK] = "ok",
    [FL_NOMEM] = "no-memory",
    [FL_IO] = "io",
    [FL_FULL] = "full",
    [FL_MALFORMED] = "malformed",
    [FL_MISSING] = "missing",
    [FL_EXISTS] = "exists",
    [FL_DENIED] = "denied",
    [FL_RANGE] = "range",
    [FL_MISMATCH] = "mismatch",
    [FL_BUSY] = "busy",
};

const char *
fl_status_name(fl_status status)
{
    FL_ASSERT((unsigned)status < FL_STATUS_COUNT);
    return names[status];
}

static void __attribute__((format(printf, 2, 0)))
s_write(fl_why *why, const char *format, va_list args)
{
    if (why != NULL) {
        (void)vsnprintf(why->text, sizeof why->text, format, args);
    }
}

void
fl_why_set(fl_why *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s_write(why, format, args);
    va_end(args);
}

fl_status
fl_fail(fl_status status, fl_why *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s_write(why, format, args);
    va_end(args);
    return status;
}

_Noreturn void
fl_panic(const char *file, int line, const char *expression)
{
    (void)fprintf(stderr, "level=error id=panic at=%s:%d broken=\"%s\"\n", file, line, expression);
    abort();
}
