//  Runs in the ledger: the queue, states, two runs in one file, what happened to them.
#include "common/store/ledger.h"

#include "tests/support/unit.h"

#include "tests/support/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const fl_run other = { { 7, 8, 8 } };

static uint64_t
s_submit(const fl_run *id, const char *name, uint64_t bytes)
{
    fl_ledger_run asked = { .run = *id, .priority = -3, .model_bytes = bytes };
    asked.model.bytes[0] = 42;
    (void)snprintf(asked.name, sizeof asked.name, "%s", name);
    uint64_t number = 0;
    assert_int_equal(
        fl_ledger_run_submit(ledger, &asked, fl_bytes_of("rounds: 5\n", 10), &number, &why), FL_OK);
    return number;
}

static void
s_begin(const fl_run *id)
{
    const fl_hash model = { { 42 } };
    assert_int_equal(fl_ledger_run_begin(ledger, id, 10, &model, 99, fl_bytes_of("m", 1), &why),
                     FL_OK);
}

static fl_report
s_report(const fl_run *id, uint64_t round, uint32_t attempt)
{
    fl_report report = { .run = *id, .round = round, .attempt = attempt };
    report.model = (fl_hash){ { id->bytes[2], (uint8_t)round } };
    return report;
}

static void
s_close(const fl_run *id, uint64_t round, uint32_t attempt)
{
    fl_report report = s_report(id, round, attempt);
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
    assert_int_equal(fl_ledger_round_close(ledger, &report, 4096 + round, &why), FL_OK);
}

static fl_ledger_run
s_find(const char *which)
{
    fl_ledger_run found;
    assert_int_equal(fl_ledger_run_find(ledger, which, &found, &why), FL_OK);
    return found;
}

static void
a_run_is_submitted_once_however_often_it_is_said(void **state)
{
    (void)state;
    assert_int_equal(s_submit(&run, "digits.lr-01", 0), 1);
    const fl_ledger_run again = { .run = run, .name = "something-else" };
    uint64_t number = 0;
    assert_int_equal(fl_ledger_run_submit(ledger, &again, fl_bytes_of("", 0), &number, &why),
                     FL_EXISTS);
    assert_int_equal(number, 1);
    ledger_reopen();
    const fl_ledger_run found = s_find("");
    assert_true(found.number == 1 && found.state == FL_RUN_QUEUED && found.priority == -3);
    assert_string_equal(found.name, "digits.lr-01");
    assert_true(found.submitted_at > 1600000000000u && found.begun_at == 0 && found.ended_at == 0);
    assert_true(found.elements == 0 && found.rounds_closed == 0);
    fl_blob *recipe = NULL;
    assert_int_equal(fl_ledger_run_recipe(ledger, &run, &recipe, &why), FL_OK);
    assert_int_equal(fl_blob_size(recipe), 10);
    assert_memory_equal(fl_blob_bytes(recipe).data, "rounds: 5\n", 10);
    fl_blob_unref(&recipe);
    assert_int_equal(fl_ledger_run_recipe(ledger, &other, &recipe, &why), FL_MISSING);
    assert_null(recipe);
}

static void
a_name_is_of_one_run_until_that_has_ended(void **state)
{
    (void)state;
    (void)s_submit(&run, "digits", 0);
    const fl_ledger_run second = { .run = other, .name = "digits" };
    uint64_t number = 9;
    assert_int_equal(fl_ledger_run_submit(ledger, &second, fl_bytes_of("", 0), &number, &why),
                     FL_EXISTS);
    assert_int_equal(number, 0);
    assert_non_null(strstr(why.text, "run 1 is called digits"));
    assert_int_equal(fl_ledger_run_enter(ledger, &run, FL_RUN_STOPPED, FL_WHY_LEFT, "", &why),
                     FL_OK);
    assert_int_equal(s_submit(&other, "digits", 0), 2);
    assert_int_equal(s_find("digits").number, 2);
    const fl_run third = { { 3 } };
    assert_int_equal(s_submit(&third, "", 0), 3);
    assert_string_equal(s_find("3").name, "run-3");
}

static void
what_is_no_name_or_too_long_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "12", "Digits", "a b", "a/b" };
    fl_ledger_run asked = { .run = run };
    uint64_t number = 0;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)snprintf(asked.name, sizeof asked.name, "%s", bad[i]);
        assert_int_equal(fl_ledger_run_submit(ledger, &asked, fl_bytes_of("", 0), &number, &why),
                         FL_RANGE);
    }
    asked.name[0] = '\0';
    char *long_one = calloc(1, FL_RUN_RECIPE_MAX + 1);
    assert_int_equal(fl_ledger_run_submit(ledger, &asked,
                                          fl_bytes_of(long_one, FL_RUN_RECIPE_MAX + 1), &number,
                                          &why),
                     FL_RANGE);
    free(long_one);
    fl_ledger_run found;
    assert_int_equal(fl_ledger_run_find(ledger, "", &found, &why), FL_MISSING);
}

static void
a_run_is_found_by_number_name_and_id(void **state)
{
    (void)state;
    (void)s_submit(&run, "one", 0);
    (void)s_submit(&other, "two", 0);
    char hex[33];
    fl_hex(run.bytes, sizeof run.bytes, hex);
    assert_int_equal(s_find("1").number, 1);
    assert_int_equal(s_find("one").number, 1);
    assert_int_equal(s_find(hex).number, 1);
    assert_int_equal(s_find("").number, 2);
    fl_ledger_run found;
    assert_int_equal(fl_ledger_run_find(ledger, "3", &found, &why), FL_MISSING);
    assert_int_equal(fl_ledger_run_find(ledger, "three", &found, &why), FL_MISSING);
    assert_non_null(strstr(why.text, "no run three"));
    fl_ledger_run all[2];
    uint32_t count = 0;
    assert_int_equal(fl_ledger_runs(ledger, 2, all, 2, &count, &why), FL_OK);
    assert_true(count == 1 && all[0].number == 2);
    assert_int_equal(fl_ledger_runs(ledger, 0, all, 1, &count, &why), FL_OK);
    assert_true(count == 1 && all[0].number == 1);
}

static void
a_run_begins_once_and_ends_once(void **state)
{
    (void)state;
    const fl_hash model = { { 42 } };
    assert_int_equal(fl_ledger_run_begin(ledger, &run, 10, &model, 99, fl_bytes_of("m", 1), &why),
                     FL_MISSING);
    (void)s_submit(&run, "digits", 0);
    s_begin(&run);
    assert_int_equal(fl_ledger_run_begin(ledger, &run, 10, &model, 99, fl_bytes_of("m", 1), &why),
                     FL_EXISTS);
    assert_non_null(strstr(why.text, "run 1 (digits) is running"));
    assert_true(s_find("").state == FL_RUN_RUNNING && s_find("").begun_at > 0);
    assert_true(s_find("").elements == 10 && s_find("").model_bytes == 99);
    assert_int_equal(
        fl_ledger_run_enter(ledger, &run, FL_RUN_PAUSED, FL_WHY_STORAGE, "disk \"full\"", &why),
        FL_OK);
    ledger_reopen();
    fl_ledger_run found = s_find("");
    assert_true(found.state == FL_RUN_PAUSED && found.reason == FL_WHY_STORAGE);
    assert_string_equal(found.text, "disk \"full\"");
    assert_int_equal(fl_ledger_run_enter(ledger, &run, FL_RUN_RUNNING, FL_WHY_NONE, "", &why),
                     FL_OK);
    assert_int_equal(fl_ledger_run_enter(ledger, &run, FL_RUN_DONE, FL_WHY_NONE, "", &why), FL_OK);
    assert_true(s_find("").state == FL_RUN_DONE && s_find("").ended_at >= s_find("").begun_at);
    assert_int_equal(fl_ledger_run_enter(ledger, &run, FL_RUN_RUNNING, FL_WHY_NONE, "", &why),
                     FL_EXISTS);
    assert_true(s_find("").state == FL_RUN_DONE);

    fl_ledger_event events[8];
    uint32_t count = 0;
    assert_int_equal(fl_ledger_events(ledger, &run, 0, events, 8, &count, &why), FL_OK);
    assert_int_equal(count, 5); // queued, running, paused, running, done
    assert_string_equal(events[2].kind, "state");
    assert_string_equal(events[2].json, "{\"state\":\"paused\",\"reason\":\"storage\","
                                        "\"text\":\"disk \\\"full\\\"\"}");
}

static void
the_end_of_a_run_frees_its_facts_and_no_others(void **state)
{
    (void)state;
    (void)s_submit(&run, "one", 0);
    (void)s_submit(&other, "two", 0);
    fl_ledger_fact fact = {
        .what = FL_KEEP_ROSTER, .run = run, .round = 1, .bytes = fl_bytes_of("roster", 6)
    };
    assert_int_equal(fl_ledger_fact_put(ledger, &fact, &why), FL_OK);
    fact.run = other;
    assert_int_equal(fl_ledger_fact_put(ledger, &fact, &why), FL_OK);
    assert_int_equal(fl_ledger_run_enter(ledger, &run, FL_RUN_ABORTED, FL_WHY_QUORUM, "", &why),
                     FL_OK);
    fl_ledger_facts *facts = NULL;
    assert_int_equal(fl_ledger_facts_get(ledger, &run, 1, &facts, &why), FL_OK);
    assert_int_equal(facts->count, 0);
    fl_ledger_facts_destroy(&facts);
    assert_int_equal(fl_ledger_facts_get(ledger, &other, 1, &facts, &why), FL_OK);
    assert_int_equal(facts->count, 1);
    fl_ledger_facts_destroy(&facts);
}

static void
two_runs_go_on_where_each_of_them_stood(void **state)
{
    (void)state;
    fl_ledger_resume resume;
    assert_int_equal(fl_ledger_resume_get(ledger, &run, &resume, &why), FL_MISSING);
    (void)s_submit(&run, "one", 0);
    (void)s_submit(&other, "two", 0);
    s_begin(&run);
    assert_int_equal(fl_ledger_resume_get(ledger, &run, &resume, &why), FL_OK);
    assert_true(resume.round == 1 && resume.attempt == 0 && resume.run.elements == 10);
    assert_true(resume.run.model.bytes[0] == 42 && resume.run.model_bytes == 99);

    s_begin(&other);
    s_close(&run, 1, 1);
    s_close(&other, 1, 1);
    s_close(&other, 2, 1);
    fl_report second = s_report(&run, 2, 4); // opened, then the process died
    second.draw = 1;
    assert_int_equal(fl_ledger_round_open(ledger, &second, &why), FL_OK);
    fl_report skipped = s_report(&other, 3, 1);
    skipped.close = FL_CLOSE_SKIPPED;
    skipped.reason = FL_WHY_SAME_MODEL;
    assert_int_equal(fl_ledger_round_close(ledger, &skipped, 0, &why), FL_OK);
    ledger_reopen();
    assert_int_equal(fl_ledger_resume_get(ledger, &run, &resume, &why), FL_OK);
    assert_true(resume.round == 2 && resume.attempt == 4 && resume.run.rounds_closed == 1);
    assert_true(resume.run.open > 0 && resume.draw == 1 && resume.bound == 0);
    assert_true(resume.run.model.bytes[0] == 9 && resume.run.model.bytes[1] == 1);
    assert_int_equal(resume.run.model_bytes, 4097);
    assert_int_equal(fl_ledger_resume_get(ledger, &other, &resume, &why), FL_OK);
    assert_true(resume.round == 4 && resume.attempt == 0 && resume.run.rounds_closed == 3);
    assert_true(resume.run.open == 0);
    assert_true(resume.run.model.bytes[0] == 8 && resume.run.model.bytes[1] == 2);
    assert_int_equal(resume.run.model_bytes, 4098); // a skipped round made none

    fl_run newest;
    uint64_t round = 0;
    uint32_t attempt = 0;
    assert_int_equal(fl_ledger_newest(ledger, &newest, &round, &attempt, &why), FL_OK);
    assert_true(fl_run_equal(&newest, &other) && round == 3);
}

static void
a_changed_setting_is_recorded(void **state)
{
    (void)state;
    const fl_ledger_change change = { .run = run,
                                      .round = 7,
                                      .setting = "combine.server.rate",
                                      .old_value = "1",
                                      .new_value = "0.5",
                                      .who = "operator" };
    fl_ledger_change found[2], elsewhere = change;
    elsewhere.run = other;
    uint32_t count = 0;
    assert_int_equal(fl_ledger_run_change(ledger, &change, &why), FL_OK);
    assert_int_equal(fl_ledger_run_change(ledger, &elsewhere, &why), FL_OK);
    assert_int_equal(fl_ledger_run_changes(ledger, &run, 0, found, 2, &count, &why), FL_OK);
    assert_int_equal(count, 1);
    assert_true(found[0].line == 1 && found[0].at > 1600000000000u && found[0].round == 7);
    assert_string_equal(found[0].setting, "combine.server.rate");
    assert_string_equal(found[0].old_value, "1");
    assert_string_equal(found[0].new_value, "0.5");
    assert_string_equal(found[0].who, "operator");
    assert_int_equal(fl_ledger_run_changes(ledger, &run, 1, found, 2, &count, &why), FL_OK);
    assert_int_equal(count, 0);
}

static void
events_are_followed_from_where_one_stood(void **state)
{
    (void)state;
    static char much[FL_EVENT_JSON_BYTES + 1];
    memset(much, 'm', FL_EVENT_JSON_BYTES);
    assert_int_equal(fl_ledger_event_put(ledger, &run, "round", "{\"round\":1}", &why), FL_OK);
    assert_int_equal(fl_ledger_event_put(ledger, &other, "round", "{}", &why), FL_OK);
    assert_int_equal(fl_ledger_event_put(ledger, &run, "round", "{\"round\":2}", &why), FL_OK);
    assert_int_equal(fl_ledger_event_put(ledger, &run, "round", much, &why), FL_RANGE);
    fl_ledger_event events[2];
    uint32_t count = 0;
    assert_int_equal(fl_ledger_events(ledger, &other, 0, events, 2, &count, &why), FL_OK);
    assert_true(count == 1 && events[0].seq == 2 && events[0].at > 1600000000000u);
    assert_int_equal(fl_ledger_events(ledger, &run, 0, events, 1, &count, &why), FL_OK);
    assert_true(count == 1 && events[0].seq == 1);
    assert_int_equal(fl_ledger_events(ledger, &run, 1, events, 2, &count, &why), FL_OK);
    assert_true(count == 1 && events[0].seq == 3);
    assert_string_equal(events[0].json, "{\"round\":2}");
}

static void
the_newest_events_are_kept_and_those_given_up_are_counted(void **state)
{
    (void)state;
    (void)s_submit(&run, "", 0);                                                     // event 1
    (void)s_submit(&other, "", 0);                                                   // event 2
    assert_int_equal(fl_ledger_event_put(ledger, &run, "round", "{}", &why), FL_OK); // event 3
    assert_int_equal(s_find("1").pruned, 0);
    ledger_sql("INSERT INTO event VALUES(10001, 5, x'00', 'round', '{}')"); // what 3 and this leave
    assert_int_equal(fl_ledger_event_put(ledger, &other, "round", "{}", &why), FL_OK);
    fl_ledger_event events[4];
    uint32_t count = 0;
    assert_int_equal(fl_ledger_events(ledger, &run, 0, events, 4, &count, &why), FL_OK);
    assert_true(count == 1 && events[0].seq == 3);
    assert_int_equal(fl_ledger_events(ledger, &other, 0, events, 4, &count, &why), FL_OK);
    assert_true(count == 1 && events[0].seq == 10002);
    assert_true(s_find("1").pruned == 1 && s_find("1").pruned_to == 1);
    assert_true(s_find("2").pruned == 1 && s_find("2").pruned_to == 2);
    assert_int_equal(fl_ledger_event_put(ledger, &run, "round", "{}", &why), FL_OK);
    assert_true(s_find("1").pruned == 2 && s_find("1").pruned_to == 3);
    assert_true(s_find("2").pruned == 1 && s_find("2").pruned_to == 2);
}

static void
the_newest_round_with_a_score_is_found(void **state)
{
    (void)state;
    fl_ledger_round found;
    (void)s_submit(&run, "", 0);
    assert_int_equal(fl_ledger_scored(ledger, &run, &found, &why), FL_OK);
    assert_int_equal(found.report.round, 0);
    for (uint64_t round = 1; round <= 4; round++) {
        fl_report report = s_report(&run, round, 1);
        report.accuracy = round == 1 ? 0.5 : NAN;
        report.stats[FL_STAT_EVALUATED] = round == 3 ? 40 : 0;
        report.pin = round == 3;
        report.weighting = round == 3 ? FL_WEIGHTING_CLASSES : FL_WEIGHTING_EQUAL;
        assert_int_equal(fl_ledger_round_close(ledger, &report, 5, &why), FL_OK);
        assert_int_equal(fl_ledger_scored(ledger, &run, &found, &why), FL_OK);
        assert_int_equal(found.report.round, round < 3 ? 1 : 3);
        assert_int_equal(found.report.pin, round >= 3);
        assert_int_equal(found.report.weighting,
                         round >= 3 ? FL_WEIGHTING_CLASSES : FL_WEIGHTING_EQUAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_run_is_submitted_once_however_often_it_is_said, ledger_begin, ledger_end),
        unit_case(a_name_is_of_one_run_until_that_has_ended, ledger_begin, ledger_end),
        unit_case(what_is_no_name_or_too_long_is_refused, ledger_begin, ledger_end),
        unit_case(a_run_is_found_by_number_name_and_id, ledger_begin, ledger_end),
        unit_case(a_run_begins_once_and_ends_once, ledger_begin, ledger_end),
        unit_case(the_end_of_a_run_frees_its_facts_and_no_others, ledger_begin, ledger_end),
        unit_case(two_runs_go_on_where_each_of_them_stood, ledger_begin, ledger_end),
        unit_case(a_changed_setting_is_recorded, ledger_begin, ledger_end),
        unit_case(events_are_followed_from_where_one_stood, ledger_begin, ledger_end),
        unit_case(the_newest_events_are_kept_and_those_given_up_are_counted, ledger_begin,
                  ledger_end),
        unit_case(the_newest_round_with_a_score_is_found, ledger_begin, ledger_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
