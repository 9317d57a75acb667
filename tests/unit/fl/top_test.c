#include "cloud/fl/verbs.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"
#include "tests/unit/fl/fake.h"

// ---- a root whose life is a list of answers ---------------------------------------------------
#define STATUS(rest) "{\"tier\":\"root\",\"node\":\"cloud\",\"run\":\"0a1b2c3d\",\"rounds\":2," rest
#define WAITING(ready, left, missing)                                                              \
    STATUS("\"phase\":\"waiting\",\"round\":1,\"final\":false,\"waiting\":{\"for\":\"children\","  \
           "\"ready\":" ready ",\"expect\":2,\"left_ms\":" left ",\"missing\":[" missing "]}}")
#define COLLECTING(round, left)                                                                    \
    STATUS("\"phase\":\"collecting\",\"round\":" round ",\"final\":false,\"waiting\":{"            \
           "\"for\":\"contributions\",\"ready\":0,\"expect\":2,\"left_ms\":" left                  \
           ",\"missing\":[\"e1\",\"e2\"]}}")
#define DONE STATUS("\"phase\":\"done\",\"round\":2,\"final\":true,\"accuracy\":0.85}")
#define ABORTED                                                                                    \
    STATUS("\"phase\":\"done\",\"round\":1,\"final\":true,\"aborted\":true,"                       \
           "\"reason\":\"quorum\"}")
#define SILENCE ""

static const char *const *life;
static uint32_t age, reports;
static char asked_run[FL_TEXT_MAX], asked_report[FL_TEXT_MAX];

static fl_status
look(const fl_request_conf *to, const fl_message *question, fl_message *reply, fl_bytes *body,
     fl_why *why)
{
    static char report[160];
    (void)to;
    (void)why;
    *reply = (fl_message){ .verb = FL_ANSWER };
    if (strcmp(question->ask.verb, "report") == 0) {
        reports++;
        memcpy(asked_report, question->ask.argument, sizeof asked_report);
        (void)snprintf(report, sizeof report,
                       "{\"round\":%.8s,\"close\":\"done\",\"duration_ms\":2000,"
                       "\"tally\":{\"invited\":4,\"in\":4}}", question->ask.argument);
        *body = fl_bytes_of(report, strlen(report));
        return FL_OK;
    }
    const char *text = life[age];
    memcpy(asked_run, question->ask.argument, sizeof asked_run);
    age += life[age + 1] != NULL;
    *body = fl_bytes_of(text, strlen(text));
    return text[0] == '\0' ? FL_MISSING : FL_OK;
}

static int
start(void **state)
{
    fake_forget();
    age = reports = 0;
    int made = place_make(state);
    place_write("operator.sock", "", 0);
    fake.answer = look;
    fake.state = place;
    return made;
}

static int
stop(void **state)
{
    fake_forget();
    return place_end(state);
}

static const char *const whole_life[] = {
    WAITING("0", "30000", "\"e1\""), WAITING("0", "29500", "\"e1\""), WAITING("1", "29000", ""),
    COLLECTING("1", "8000"), COLLECTING("1", "7500"), COLLECTING("2", "8000"), DONE, NULL,
};

// ---- plain lines ------------------------------------------------------------------------------
static void
a_pipe_gets_one_line_a_change_and_the_outcome(void **state)
{
    (void)state;
    life = whole_life;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_OK);
    assert_string_equal(
        fake.out,
        "round 1/2 waiting: 0 of 2 children ready, 30 s more for e1 and 1 not seen yet\n"
        "round 1/2 waiting: 1 of 2 children ready, 29 s more for 1 not seen yet\n"
        "round 1/2 collecting: 0 of 2 children in, 8.0 s more for e1, e2\n"
        "round 1 done in 2.0 s: 4 of 4 devices in\n"
        "round 2/2 collecting: 0 of 2 children in, 8.0 s more for e1, e2\n"
        "round 2 done in 2.0 s: 4 of 4 devices in\n"
        "round 2/2 done\n"
        "run done: 2 rounds, accuracy 0.8500\n");
    assert_string_equal(fake.err, "");
    assert_null(strchr(fake.out, '\x1b'));
}

static void
rounds_that_closed_between_two_looks_are_not_lost(void **state)
{
    (void)state;
    static const char *const quick[] = { COLLECTING("3", "100"), COLLECTING("7", "100"),
                                         COLLECTING("7", "90"), COLLECTING("90", "100"), DONE,
                                         NULL };
    life = quick;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_OK);
    //  The last before the first look, all since, the newest 16 of a great leap; none twice.
    assert_int_equal(reports, 1 + 4 + 16);
    assert_null(strstr(fake.out, "round 1 done"));
    assert_out("round 2 done");
    assert_out("round 3 done in 2.0 s: 4 of 4 devices in\nround 4 done");
    assert_null(strstr(fake.out, "round 73 done"));
    assert_out("round 74 done");
    assert_out("round 89 done");
}

static void
json_gets_the_status_itself_a_line_a_change(void **state)
{
    (void)state;
    life = whole_life;
    assert_int_equal(fake_fl("top", "--json", NULL), FL_EXIT_OK);
    uint32_t lines = 0;
    for (const char *line = fake.out; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_int_equal(line[0], '{');
        lines++;
    }
    assert_int_equal(lines, 5);
    assert_out(DONE);
}

static void
a_run_that_was_aborted_ends_with_another_code(void **state)
{
    (void)state;
    static const char *const sad[] = { WAITING("0", "100", ""), ABORTED, NULL };
    life = sad;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_ABORTED);
    assert_out("run aborted in round 1 of 2: quorum\n");
}

// ---- nobody there -----------------------------------------------------------------------------
static void
a_run_that_is_named_is_watched_from_the_queue_to_its_end(void **state)
{
    (void)state;
    static const char *const later[] = {
        "{\"number\":3,\"name\":\"a\",\"state\":\"queued\",\"ended\":false}",
        "{\"number\":3,\"name\":\"a\",\"state\":\"queued\",\"ended\":false}",
        COLLECTING("2", "9000"),
        "{\"number\":3,\"name\":\"a\",\"state\":\"stopped\",\"ended\":true}",
        NULL,
    };
    life = later;
    assert_int_equal(fake_fl("top", "--run", "a", NULL), FL_EXIT_ABORTED);
    assert_ptr_equal(strstr(fake.out, "run 3 (a) is queued\n"), fake.out);
    assert_null(strstr(fake.out + 20, "is queued"));
    assert_out("round 2");
    assert_out("\nrun 3 (a) is stopped\n");
    assert_string_equal(asked_run, "run:a");
    assert_string_equal(asked_report, "run:a 1");
    age = 0;
    assert_int_equal(fake_fl("top", "--json", "--run", "a", NULL), FL_EXIT_ABORTED);
    assert_ptr_equal(strstr(fake.out, "{\"number\":3,"), fake.out);
}

static void
a_process_that_comes_later_is_waited_for_and_said_so_once(void **state)
{
    (void)state;
    static const char *const late[] = { SILENCE, SILENCE, SILENCE, DONE, NULL };
    life = late;
    assert_int_equal(fake_fl("top", "--wait", "10s", NULL), FL_EXIT_OK);
    assert_err("no answer, waiting 10 s in all");
    assert_out("run done");
}

static void
a_process_that_never_comes_is_given_up_at_the_bound(void **state)
{
    (void)state;
    static const char *const none[] = { SILENCE, NULL };
    life = none;
    assert_int_equal(fake_fl("top", "--wait", "5s", NULL), FL_EXIT_SILENT);
    assert_in_range(fake.now, 5000, 8000);
    assert_int_equal(fake_fl("top", "--state", place_of("nowhere"), "--wait", "0s", NULL),
                     FL_EXIT_SILENT);
    assert_err("no process runs in");
    fake.state = NULL;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_USAGE);
}

static void
a_process_that_goes_and_returns_gets_its_whole_wait_again(void **state)
{
    (void)state;
    static const char *const flaky[] = {
        SILENCE, SILENCE, COLLECTING("1", "9000"), SILENCE, SILENCE, DONE, NULL,
    };
    life = flaky;
    assert_int_equal(fake_fl("top", "--wait", "3s", NULL), FL_EXIT_OK);
}

static void
an_answer_that_is_trouble_ends_the_watch(void **state)
{
    (void)state;
    static const char *const wrong[] = { "[]", NULL };
    life = wrong;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_FAILED);
    assert_err("no JSON object");
}

// ---- on a terminal ----------------------------------------------------------------------------
static void
a_terminal_is_drawn_over_and_nothing_of_it_needs_restoring(void **state)
{
    (void)state;
    life = whole_life;
    fake.columns = 60;
    fake.rows = 24;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_OK);
    //  Up, clear to the end of line, clear below: no other control is ever sent.
    for (const char *at = strchr(fake.out, '\x1b'); at != NULL; at = strchr(at + 1, '\x1b')) {
        char last = at[2 + strspn(at + 2, "0123456789")];
        assert_true(at[1] == '[' && (last == 'A' || last == 'K' || last == 'J'));
    }
    assert_out("\r\x1b[3A");
    assert_out("run done: 2 rounds, accuracy 0.8500\x1b[K\n");
    assert_out("round 2 done in 2.0 s: 4 of 4 devices in\x1b[K\n");
    //  The first picture has nothing above it to climb over.
    assert_int_equal(fake.out[0], 'r');
    for (const char *line = fake.out; line != NULL; line = strchr(line + 1, '\n')) {
        assert_true(strcspn(line + 1, "\n") <= 60 + 16);
    }
}

static void
a_low_terminal_shows_what_fits_and_says_so(void **state)
{
    (void)state;
    life = whole_life;
    fake.columns = 60;
    fake.rows = 4;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_OK);
    assert_out("more lines: make the window higher)");
    assert_null(strstr(fake.out, "\x1b[3A"));
}

static void
trouble_is_drawn_too(void **state)
{
    (void)state;
    static const char *const late[] = { SILENCE, DONE, NULL };
    life = late;
    fake.columns = 200;
    fake.rows = 24;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_OK);
    assert_out("no answer, waiting 30 s in all");
    assert_string_equal(fake.err, "");
}

static void
ctrl_c_ends_the_watch_without_an_error(void **state)
{
    (void)state;
    static const char *const endless[] = { COLLECTING("1", "9000"), NULL };
    life = endless;
    fake.pauses = 3;
    assert_int_equal(fake_fl("top", NULL), FL_EXIT_OK);
    assert_int_equal(fake.asked, 3);
    assert_string_equal(fake.err, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_pipe_gets_one_line_a_change_and_the_outcome, start, stop),
        unit_case(rounds_that_closed_between_two_looks_are_not_lost, start, stop),
        unit_case(json_gets_the_status_itself_a_line_a_change, start, stop),
        unit_case(a_run_that_was_aborted_ends_with_another_code, start, stop),
        unit_case(a_run_that_is_named_is_watched_from_the_queue_to_its_end, start, stop),
        unit_case(a_process_that_comes_later_is_waited_for_and_said_so_once, start, stop),
        unit_case(a_process_that_never_comes_is_given_up_at_the_bound, start, stop),
        unit_case(a_process_that_goes_and_returns_gets_its_whole_wait_again, start, stop),
        unit_case(an_answer_that_is_trouble_ends_the_watch, start, stop),
        unit_case(a_terminal_is_drawn_over_and_nothing_of_it_needs_restoring, start, stop),
        unit_case(a_low_terminal_shows_what_fits_and_says_so, start, stop),
        unit_case(trouble_is_drawn_too, start, stop),
        unit_case(ctrl_c_ends_the_watch_without_an_error, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
