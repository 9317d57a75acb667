//  The operator's questions, with a ledger and models on disk, a workers, and a node that is the
//  test's own.
#include "common/admin/queries.h"

#include "common/crypto/hash.h"
#include "tests/support/unit.h"

#include "tests/support/node.h"
#include "tests/support/place.h"

// ---- a desk -----------------------------------------------------------------------------------
static fl_ledger *ledger;
static fl_checkpoints *checkpoints;
static fl_queries *queries;
static fl_why why;
static const fl_run run = { { 0xaa, 0xbb } };

static void
s_fill(void *self, fl_status_input *input)
{
    assert_ptr_equal(self, &run);
    input->tier = "root";
    input->run = run;
    assert_true(fl_name_parse("root", &input->node));
}

static fl_report
report_of(uint64_t round)
{
    fl_report report = {
        .run = run, .round = round, .attempt = 1, .close = FL_CLOSE_DONE, .weight = 12, .count = 3
    };
    report.model = fl_hash_of(fl_bytes_of("model", 5));
    return report;
}

static int
start(void **state)
{
    const fl_ledger_run asked = { .run = run };
    uint64_t number = 0;
    fl_report first = report_of(1), second = report_of(2), third = report_of(3);
    if (place_make(state) != 0 || fl_ledger_open(place_of("ledger.db"), &ledger, &why) != FL_OK ||
        fl_checkpoints_open(place_of("models"), ledger, &checkpoints, &why) != FL_OK) {
        return -1;
    }
    assert_int_equal(fl_checkpoints_save(checkpoints, &first.model, fl_bytes_of("model", 5), &why),
                     FL_OK);
    assert_int_equal(fl_ledger_run_submit(ledger, &asked, fl_bytes_of(NULL, 0), &number, &why),
                     FL_OK);
    assert_int_equal(
        fl_ledger_run_begin(ledger, &run, 10, &first.model, 5, fl_bytes_of("m", 1), &why), FL_OK);
    assert_int_equal(fl_ledger_round_open(ledger, &first, &why), FL_OK);
    assert_int_equal(fl_ledger_round_close(ledger, &first, 5, &why), FL_OK);
    second.best = true;
    assert_int_equal(fl_ledger_round_close(ledger, &second, 5, &why), FL_OK);
    assert_int_equal(fl_ledger_round_open(ledger, &third, &why), FL_OK);
    workers = fl_workers_new(1, 2, &why);
    const fl_queries_conf conf = { .ledger = ledger,
                                   .checkpoints = checkpoints,
                                   .fill = s_fill,
                                   .self = (void *)(uintptr_t)&run };
    queries = fl_queries_new(&conf);
    answers = 0;
    return workers == NULL || queries == NULL;
}

static int
end(void **state)
{
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, STATION_WAIT_MS), FL_OK);
    (void)fl_workers_collect(workers);
    fl_workers_destroy(&workers);
    fl_queries_destroy(&queries);
    fl_checkpoints_close(&checkpoints);
    fl_ledger_close(&ledger);
    return place_end(state);
}

static bool
ask(const char *verb, const char *argument)
{
    fl_ask question = { .verb = "" };
    (void)snprintf(question.verb, sizeof question.verb, "%s", verb);
    (void)snprintf(question.argument, sizeof question.argument, "%s", argument);
    static uint32_t ticket = 100;
    answers = 0;
    if (!fl_queries_ask(queries, ++ticket, &question)) {
        assert_int_equal(answers, 0);
        return false;
    }
    station_hear(1);
    assert_int_equal(answered, ticket);
    return true;
}

#define assert_says(part) assert_non_null(strstr(text, part))

static void
status_says_what_the_tier_and_the_station_know(void **state)
{
    (void)state;
    assert_true(ask("status", ""));
    assert_int_equal(code, 0);
    assert_says("\"tier\":\"root\"");
    assert_says("\"node\":\"root\"");
    assert_says("\"fl_net_admitted\":31");
    assert_says("\"run\":\"aabb");
}

static void
a_report_is_of_a_round_or_of_the_newest(void **state)
{
    (void)state;
    assert_true(ask("report", "1"));
    assert_int_equal(code, 0);
    assert_says("\"round\":1");
    assert_says("\"weight\":12");
    assert_true(ask("report", ""));
    assert_int_equal(code, 0);
    assert_says("\"round\":2");
    assert_true(ask("report", "3"));
    assert_int_equal(code, 13);
    assert_says("not closed yet");
    assert_true(ask("report", "7"));
    assert_int_equal(code, 13);
}

static void
rounds_are_listed_from_one_on(void **state)
{
    (void)state;
    assert_true(ask("rounds", ""));
    assert_int_equal(code, 0);
    assert_says("\"round\":1");
    assert_says("\"round\":2");
    assert_true(ask("rounds", "2"));
    assert_null(strstr(text, "\"round\":1"));
    assert_says("\"round\":2");
    assert_true(ask("rounds", "1 2"));
    assert_says("\"round\":1");
    assert_null(strstr(text, "\"round\":2"));
    assert_true(ask("rounds", "0 0 1"));
    assert_null(strstr(text, "\"round\":1"));
    assert_says("\"round\":2");
    assert_true(ask("rounds", "1 2 3 4"));
    assert_int_equal(code, 2);
}

static void
an_export_names_the_file_of_the_model(void **state)
{
    (void)state;
    assert_true(ask("export", "1"));
    assert_int_equal(code, 0);
    assert_says(".safetensors");
    assert_says(place);
    assert_true(ask("export", "9"));
    assert_int_equal(code, 13);
    fl_report report = report_of(1);
    char path[256];
    assert_true(fl_checkpoints_path(checkpoints, &report.model, path, sizeof path));
    assert_int_equal(unlink(path), 0);
    assert_true(ask("export", "1"));
    assert_int_equal(code, 13);
}

//  Two more runs, of which the second is the newest; neither is in hand.
static void
another_run_is_asked_for_by_name_number_or_id(void **state)
{
    (void)state;
    static const fl_ledger_run more[] = { { .run = { { 1 } }, .name = "old" },
                                          { .run = { { 2 } }, .name = "newest" } };
    fl_report other = report_of(9);
    uint64_t number;
    other.run = more[0].run;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fl_ledger_run_submit(ledger, &more[i], fl_bytes_of("", 0), &number, &why),
                         FL_OK);
    }
    assert_int_equal(fl_ledger_round_close(ledger, &other, 5, &why), FL_OK);
    static const char *const same[] = { "run:old 9", "run:2", "run:old",
                                        "run:01000000000000000000000000000000 9" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(ask("report", same[i]));
        assert_int_equal(code, 0);
        assert_says("\"round\":9");
    }
    assert_true(ask("report", "run:newest"));
    assert_int_equal(code, 13);
    assert_true(ask("rounds", "run:none"));
    assert_int_equal(code, 13);
    assert_says("there is no run none");
    assert_true(ask("status", "run:newest"));
    assert_int_equal(code, 0);
    assert_says("\"name\":\"newest\",\"state\":\"queued\"");
    assert_true(ask("status", "run:1")); // which is in hand
    assert_says("\"tier\":\"root\"");
    assert_true(ask("status", "run:none"));
    assert_int_equal(code, 13);
    assert_true(ask("report", "")); // the one in hand, not the newest
    assert_says("\"round\":2");
}

static void
an_export_of_the_best_model_is_that_of_its_round(void **state)
{
    (void)state;
    const fl_ledger_run other = { .run = { { 1 } }, .name = "other" };
    uint64_t number = 0;
    assert_true(ask("export", "best"));
    assert_int_equal(code, 0);
    assert_says("\"round\":2");
    assert_true(ask("export", "run:1 best"));
    assert_int_equal(code, 0);
    assert_says("\"round\":2");
    assert_int_equal(fl_ledger_run_submit(ledger, &other, fl_bytes_of(NULL, 0), &number, &why),
                     FL_OK);
    assert_true(ask("export", "run:other best"));
    assert_int_equal(code, 13);
    assert_says("no model of that run was scored");
    assert_true(ask("report", "best")); // only models have a best
    assert_int_equal(code, 2);
}

static void
an_argument_that_is_no_round_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "x",      "-1",      "1x",
        " 1",     "1.5",     "run:",
        "run: 1", "run:a x", "run:0123456789012345678901234567890123456789 1"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(ask("report", wrong[i]));
        assert_int_equal(code, 2);
        assert_says("whole number");
    }
}

static void
what_is_not_kept_here_is_not_of_this_desk(void **state)
{
    (void)state;
    assert_false(ask("revoke", "d1"));
    assert_false(ask("", ""));
    fl_queries_destroy(&queries);
    const fl_queries_conf device = { .fill = s_fill, .self = (void *)(uintptr_t)&run };
    queries = fl_queries_new(&device);
    assert_false(ask("report", "1"));
    assert_false(ask("rounds", ""));
    assert_false(ask("export", "1"));
    assert_true(ask("status", ""));
}

static void
a_desk_says_yes_or_no_in_one_line(void **state)
{
    (void)state;
    fl_queries_say(queries, 5, 0, "d1 is revoked");
    assert_int_equal(answered, 5);
    assert_int_equal(code, 0);
    assert_says("d1 is revoked");
    fl_queries_say(queries, 6, 1, "it is not revoked");
    assert_int_equal(code, 1);
    assert_says("error");
}

static void
a_crew_without_room_is_said_to_be_busy(void **state)
{
    (void)state;
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, STATION_WAIT_MS), FL_OK);
    assert_true(ask("report", "1"));
    assert_int_equal(code, 1);
    assert_says("ask again");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(status_says_what_the_tier_and_the_station_know, start, end),
        unit_case(a_report_is_of_a_round_or_of_the_newest, start, end),
        unit_case(rounds_are_listed_from_one_on, start, end),
        unit_case(an_export_names_the_file_of_the_model, start, end),
        unit_case(another_run_is_asked_for_by_name_number_or_id, start, end),
        unit_case(an_export_of_the_best_model_is_that_of_its_round, start, end),
        unit_case(an_argument_that_is_no_round_is_refused, start, end),
        unit_case(what_is_not_kept_here_is_not_of_this_desk, start, end),
        unit_case(a_desk_says_yes_or_no_in_one_line, start, end),
        unit_case(a_crew_without_room_is_said_to_be_busy, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
