//  fake - a console without a world: whom a verb asks is a function of the test, time passes when
//  it pauses, and what it says is kept as text. Include after unit.h and place.h.
#ifndef FL_UNIT_FL_FAKE_H
#define FL_UNIT_FL_FAKE_H

#include "cloud/fl/verbs.h"
#include "tests/support/seeded.h"

enum { FAKE_WORDS_MAX = 32 };

//  Answers one question; FL_MISSING: nobody does, and the whole time-out passes.
typedef fl_status fake_answer(const fl_request_conf *to, const fl_message *question,
                              fl_message *reply, fl_bytes *body, fl_why *why);

static struct {
    fake_answer *answer;
    uint32_t asked;         // questions so far
    uint32_t pauses;        // until Ctrl-C; counts down; 0: never comes
    fl_time now;
    uint64_t wall_s;
    uint32_t columns, rows; // 0: out is no terminal
    const char *state;      // FL_STATE
    const char *input;      // standard input
    char *out, *err;        // of the last run
    fl_seeded source;
} fake;

static fl_status
fake_ask(void *self, const fl_request_conf *to, const fl_message *question, fl_verb answer,
         uint32_t timeout_ms, fl_message *reply, fl_bytes *body, fl_why *why)
{
    (void)self;
    (void)answer;
    assert_non_null(fake.answer);
    assert_true(timeout_ms > 0);
    fake.asked++;
    memset(reply, 0, sizeof *reply);
    *body = fl_bytes_of(NULL, 0);
    fl_status status = fake.answer(to, question, reply, body, why);
    if (status == FL_MISSING) {
        fake.now += timeout_ms;
        fl_why_set(why, "no answer from %s", to->endpoint);
    }
    return status;
}

static fl_status
fake_watch(void *self, fl_why *why)
{
    (void)self;
    (void)why;
    return FL_OK;
}

static bool
fake_pause(void *self, uint32_t ms)
{
    (void)self;
    fake.now += ms;
    return fake.pauses == 0 || --fake.pauses > 0;
}

static bool
fake_screen(void *self, uint32_t *columns, uint32_t *rows)
{
    (void)self;
    *columns = fake.columns;
    *rows = fake.rows;
    return fake.columns > 0;
}

static uint64_t
fake_wall(void)
{
    return fake.wall_s;
}

static fl_time
fake_now(void)
{
    return fake.now;
}

static void
fake_forget(void)
{
    free(fake.out);
    free(fake.err);
    memset(&fake, 0, sizeof fake);
    fake.source = fl_seeded_of(77);
    fake.wall_s = 1800000000;
}

//  Run `fl` with words that end with NULL; the exit code.
static int
fake_fl(const char *first, ...)
{
    char *words[FAKE_WORDS_MAX + 1] = { "fl" };
    int count = 1;
    size_t out_size = 0, err_size = 0;
    va_list args;
    va_start(args, first);
    for (const char *word = first; word != NULL; word = va_arg(args, const char *)) {
        assert_true(count < FAKE_WORDS_MAX);
        words[count++] = (char *)(uintptr_t)word;
    }
    va_end(args);
    free(fake.out);
    free(fake.err);
    const char *input = fake.input == NULL || fake.input[0] == '\0' ? " " : fake.input;
    FILE *in = fmemopen((void *)(uintptr_t)input, strlen(input), "r");
    FILE *out = open_memstream(&fake.out, &out_size), *err = open_memstream(&fake.err, &err_size);
    fl_context console = { .in = in,
                           .out = out,
                           .err = err,
                           .state = fake.state,
                           .entropy = fl_entropy_seeded(&fake.source),
                           .wall_s = fake_wall,
                           .now_ms = fake_now,
                           .ask = fake_ask,
                           .watch = fake_watch,
                           .pause = fake_pause,
                           .screen = fake_screen };
    int code = fl_cli_run(&fl_verbs, &console, count, words, out, err);
    assert_int_equal(fclose(in) | fclose(out) | fclose(err), 0);
    return code;
}

//  What stands in a text, and that an error is one line.
#define assert_out(words) assert_non_null(strstr(fake.out, (words)))
#define assert_err(words)                                                                          \
    do {                                                                                           \
        assert_non_null(strstr(fake.err, (words)));                                                \
        assert_ptr_equal(strchr(fake.err, '\n'), fake.err + strlen(fake.err) - 1);                 \
    } while (0)

#endif
