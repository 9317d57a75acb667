//  words - the command line of a small program of the tests: `PROGRAM ACT key=value ...`. What is
//  wrong with it ends the program with one line and exit code 2.
#ifndef FL_SUPPORT_WORDS_H
#define FL_SUPPORT_WORDS_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

typedef struct words_act {
    const char *name;
    void (*act)(void);
} words_act;

//  One of each in a program, however many of its files ask.
__attribute__((weak)) int words_count;
__attribute__((weak)) char **words_all;

static inline void __attribute__((noreturn, format(printf, 1, 2)))
words_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(2);
}

//  The value of "key=value" on the command line, or else `otherwise`.
static inline const char *
words_get(const char *key, const char *otherwise)
{
    size_t length = strlen(key);
    for (int i = 0; i < words_count; i++) {
        if (strncmp(words_all[i], key, length) == 0 && words_all[i][length] == '=') {
            return words_all[i] + length + 1;
        }
    }
    return otherwise;
}

static inline const char *
words_need(const char *key)
{
    const char *value = words_get(key, NULL);
    if (value == NULL) {
        words_die("%s=... is missing", key);
    }
    return value;
}

static inline int64_t
words_number(const char *key, int64_t otherwise)
{
    const char *text = words_get(key, NULL);
    return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

static inline void
words_must(fl_status status, const fl_why *why)
{
    if (status != FL_OK) {
        words_die("%s", why->text);
    }
}

//  Do what the first word says.
static inline void
words_run(int argc, char **argv, const words_act *acts, size_t count)
{
    words_count = argc - 2;
    words_all = argv + 2;
    for (size_t i = 0; argc > 1 && i < count; i++) {
        if (strcmp(argv[1], acts[i].name) == 0) {
            acts[i].act();
            return;
        }
    }
    words_die("usage: %s ACT key=value ...", argv[0]);
}

#endif
