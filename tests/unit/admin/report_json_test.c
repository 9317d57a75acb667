#include "common/admin/status_json.h"

#include "tests/support/unit.h"

#include "tests/support/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


//  Two blocks of an edge, one of them not opened, and the root's own.
static const fl_block_line lines[] = {
    { .parent = { "edge-a" }, .block = 0, .hop = 1, .members = 9, .masked = 8, .survivors = 6 },
    { .parent = { "edge-a" }, .block = 1, .hop = 1, .members = 5, .masked = 5,
      .reason = FL_WHY_TOO_FEW_UPLOADS },
    { .parent = { "cloud" }, .block = 0, .hop = 2, .members = 4, .masked = 4, .survivors = 3 },
};

static fl_report
report_of(fl_masking masking, const fl_block_line *blocks, uint32_t count)
{
    return (fl_report){ .run = { { 1 } }, .round = 7, .attempt = 1, .close = FL_CLOSE_DONE,
                        .count = 6, .tally = { .masked = 13, .recovered = 2, .aborted = 5 },
                        .masking = masking, .blocks = blocks, .block_count = count };
}

static void
a_report_shows_the_profile_every_block_and_the_totals_of_each_tier(void **state)
{
    (void)state;
    const fl_report report = report_of(FL_MASKING_MALICIOUS, lines, 3);
    json_t *json = json_of(fl_report_json(&report, 1, 1, 1));
    assert_text(json, "masking", "malicious");
    assert_true(json_is_true(json_at(json, "masked")));
    assert_whole(json, "tally/masked", 13);
    assert_whole(json, "tally/recovered", 2);
    assert_whole(json, "tally/aborted", 5);
    assert_whole(json, "tiers/devices/masked", 8);
    assert_whole(json, "tiers/devices/recovered", 2);
    assert_whole(json, "tiers/devices/aborted", 5);
    assert_whole(json, "tiers/devices/blocks", 1);
    assert_whole(json, "tiers/devices/blocks_aborted", 1);
    assert_whole(json, "tiers/edges/masked", 4);
    assert_whole(json, "tiers/edges/recovered", 1);
    assert_whole(json, "tiers/edges/aborted", 0);
    assert_whole(json, "tiers/edges/blocks", 1);
    assert_whole(json, "tiers/edges/blocks_aborted", 0);
    assert_int_equal(json_array_size(json_at(json, "blocks")), 3);
    assert_text(json, "blocks/0/tier", "devices");
    assert_text(json, "blocks/0/parent", "edge-a");
    assert_text(json, "blocks/0/state", "done");
    assert_text(json, "blocks/1/state", "aborted");
    assert_whole(json, "blocks/0/members", 9);
    assert_whole(json, "blocks/0/masked", 8);
    assert_whole(json, "blocks/0/survivors", 6);
    assert_whole(json, "blocks/0/recovered", 2);
    assert_true(json_is_false(json_at(json, "blocks/0/aborted")));
    assert_null_at(json, "blocks/0/reason");
    assert_whole(json, "blocks/1/block", 1);
    assert_whole(json, "blocks/1/recovered", 0); // nobody: it was not opened
    assert_true(json_is_true(json_at(json, "blocks/1/aborted")));
    assert_text(json, "blocks/1/reason", "too-few-uploads");
    assert_text(json, "blocks/2/tier", "edges");
    assert_text(json, "blocks/2/parent", "cloud");
    json_decref(json);
}

static void
an_unmasked_report_says_so(void **state)
{
    (void)state;
    const fl_report report = report_of(FL_MASKING_NONE, NULL, 0);
    json_t *json = json_of(fl_report_json(&report, 1, 1, 1));
    assert_text(json, "masking", "unmasked");
    assert_true(json_is_false(json_at(json, "masked")));
    assert_int_equal(json_array_size(json_at(json, "blocks")), 0);
    json_decref(json);
}

static bool
s_masked(fl_masking masking, fl_close close, uint32_t count, fl_ledger_hop devices,
         fl_ledger_hop edges)
{
    const fl_ledger_round round = {
        .report = { .masking = masking, .close = close, .count = count },
        .hops = { devices, edges },
        .closed = true,
    };
    json_t *json = json_of(fl_rounds_json(&round, 1));
    bool masked = json_is_true(json_at(json, "rounds/0/masked"));
    json_decref(json);
    return masked;
}

static void
masked_means_that_no_sum_was_made_without_masks_at_either_hop(void **state)
{
    (void)state;
    const fl_ledger_hop none = { 0 }, open = { .opened = 1, .survivors = 6 };
    const fl_ledger_hop lost = { .aborted_blocks = 1 };
    const fl_masking malicious = FL_MASKING_MALICIOUS, honest = FL_MASKING_HONEST;
    const fl_close done = FL_CLOSE_DONE, skipped = FL_CLOSE_SKIPPED;
    assert_true(s_masked(malicious, done, 18, open, open));
    assert_true(s_masked(honest, done, 18, open, open));
    assert_false(s_masked(FL_MASKING_NONE, done, 18, none, none));
    assert_false(s_masked(FL_MASKING_NONE, done, 18, open, open));
    assert_true(s_masked(malicious, done, 6, open, none)); // the report of an edge
    assert_false(s_masked(malicious, done, 6, none, none)); // a sum out of nowhere
    assert_false(s_masked(malicious, done, 6, lost, none));
    assert_false(s_masked(malicious, done, 6, open, lost));
    assert_false(s_masked(malicious, done, 6, lost, open));
    //  Devices at the root itself: all that is in the sum came through its blocks.
    assert_true(s_masked(malicious, done, 6, none, open));
    assert_false(s_masked(malicious, done, 7, none, open));
    //  No sum, nothing seen.
    assert_true(s_masked(malicious, skipped, 0, lost, none));
    assert_false(s_masked(FL_MASKING_NONE, skipped, 0, none, none));
}

static fl_ledger_round
s_round(uint64_t round, fl_masking masking, bool blocks)
{
    fl_ledger_round made = { .report = report_of(masking, NULL, 0), .closed = true };
    made.report.round = round;
    for (unsigned i = 0; blocks && i < sizeof lines / sizeof *lines; i++) {
        fl_ledger_hop_add(made.hops, &lines[i]);
    }
    return made;
}

static void
each_round_and_all_of_them_say_how_they_were_masked(void **state)
{
    (void)state;
    fl_ledger_round rounds[3] = { s_round(1, FL_MASKING_MALICIOUS, true),
                                  s_round(2, FL_MASKING_MALICIOUS, true),
                                  s_round(3, FL_MASKING_NONE, false) };
    json_t *json = json_of(fl_rounds_json(rounds, 2));
    assert_text(json, "rounds/0/masking", "malicious");
    assert_true(json_is_true(json_at(json, "rounds/0/masked")));
    assert_whole(json, "rounds/1/tiers/devices/recovered", 2);
    assert_whole(json, "rounds/1/tiers/edges/masked", 4);
    json_decref(json);
    json = json_of(fl_rounds_json(rounds, 3)); // one round in the clear
    assert_text(json, "rounds/2/masking", "unmasked");
    assert_true(json_is_false(json_at(json, "rounds/2/masked")));
    json_decref(json);
    rounds[0].report.close = FL_CLOSE_SKIPPED;
    json = json_of(fl_rounds_json(rounds, 1));
    assert_true(json_is_true(json_at(json, "rounds/0/masked")));
    json_decref(json);
}

//  As long as a report and a row can get: all blocks, and the greatest numbers.
static void
the_longest_answers_fit(void **state)
{
    (void)state;
    fl_block_line many[FL_BLOCK_LINES_MAX];
    for (unsigned i = 0; i < FL_BLOCK_LINES_MAX; i++) {
        many[i] = (fl_block_line){ .parent = { "longest.name-00" }, .block = UINT16_MAX, .hop = 1,
                                   .members = 64, .masked = 64, .survivors = 10,
                                   .reason = FL_WHY_ROSTER_TOO_SMALL };
    }
    enum { ENTRIES = 6000 };
    fl_roll_entry *roll = calloc(ENTRIES, sizeof *roll);
    fl_ledger_round *rounds = calloc(FL_ROUNDS_JSON_MAX, sizeof *rounds);
    assert_true(roll != NULL && rounds != NULL);
    for (int i = 0; i < ENTRIES; i++) {
        roll[i] = (fl_roll_entry){ .node = { "longest.name-00" }, .parent = { "longest.name-11" },
                                   .outcome = FL_OUT_REFUSED, .reason = FL_WHY_ROSTER_TOO_SMALL,
                                   .staleness = 255 };
    }
    fl_report report = report_of(FL_MASKING_MALICIOUS, many, FL_BLOCK_LINES_MAX);
    report.roll = roll;
    report.roll_count = ENTRIES;
    json_t *json = json_of(fl_report_json(&report, UINT64_MAX, UINT64_MAX, UINT64_MAX));
    assert_int_equal(json_array_size(json_at(json, "blocks")), FL_BLOCK_LINES_MAX);
    assert_int_equal(json_array_size(json_at(json, "entries")), ENTRIES);
    json_decref(json);
    for (uint32_t i = 0; i < FL_ROUNDS_JSON_MAX; i++) {
        fl_ledger_round *round = &rounds[i];
        memset(round->hops, 0x0f, sizeof round->hops);
        memset(&round->report.tally, 0xff, sizeof round->report.tally);
        round->report.round = round->closed_at = UINT64_MAX;
        round->report.attempt = round->report.duration_ms = round->report.count = UINT32_MAX;
        round->report.reason = FL_WHY_ROSTER_TOO_SMALL;
        round->report.close = FL_CLOSE_SKIPPED;
        round->report.masking = FL_MASKING_MALICIOUS;
        round->report.loss = round->report.accuracy = 1.23456789e-100;
        round->closed = true;
    }
    json = json_of(fl_rounds_json(rounds, FL_ROUNDS_JSON_MAX));
    assert_int_equal(json_array_size(json_at(json, "rounds")), FL_ROUNDS_JSON_MAX);
    json_decref(json);
    free(roll);
    free(rounds);
}

static fl_report
full_report_of(const fl_roll_entry *roll, uint32_t count)
{
    fl_report report = { .run = { { 0xab, 0xcd } }, .round = 7, .attempt = 2,
                         .close = FL_CLOSE_DONE, .base = { { 1 } },
                         .model = { { 2 } }, .duration_ms = 2100,
                         .budget_ms = 10000, .weight = 600, .count = 3, .loss = 0.25,
                         .accuracy = 0.875,
                         .tally = { .invited = 4, .in = 2, .late = 1, .absent = 1,
                                    .samples_known = 1000, .samples_missing = 250,
                                    .merge_ms = 12, .bytes_up = 5, .bytes_down = 6 },
                         .roll = roll, .roll_count = count, .roll_dropped = 9 };
    report.stats[FL_STAT_SAMPLES] = 600;
    report.stats[FL_STAT_EVALUATED] = 400;
    report.stats[FL_STAT_CORRECT] = 300;
    report.stats[FL_STAT_LOSS] = (uint64_t)200 << 20;
    report.stats[FL_STAT_SATURATED] = 8;
    report.stats[FL_STAT_CAPPED] = 2;
    return report;
}

static void
a_report_says_who_was_in_and_who_was_not_and_why(void **state)
{
    (void)state;
    static const fl_roll_entry roll[] = {
        { .node = { "dev-1" }, .parent = { "edge-a" }, .outcome = FL_OUT_IN, .staleness = 1 },
        { .node = { "dev-2" }, .parent = { "edge-a" }, .outcome = FL_OUT_REFUSED,
          .reason = FL_WHY_NAN },
    };
    const fl_report report = full_report_of(roll, 2);
    json_t *json = json_of(fl_report_json(&report, 407100, 1000, 3100));
    assert_whole(json, "round", 7);
    assert_whole(json, "attempt", 2);
    assert_text(json, "close", "done");
    assert_null_at(json, "reason");
    assert_whole(json, "model_bytes", 407100);
    assert_whole(json, "opened_at", 1000);
    assert_whole(json, "closed_at", 3100);
    assert_whole(json, "duration_ms", 2100);
    assert_whole(json, "budget_ms", 10000);
    assert_whole(json, "weight", 600);
    assert_whole(json, "count", 3);
    assert_true(json_real_value(json_at(json, "accuracy")) == 0.875);
    assert_whole(json, "stats/samples", 600);
    assert_whole(json, "stats/saturated", 8);
    assert_whole(json, "stats/capped", 2);
    assert_true(json_real_value(json_at(json, "stats/device_loss")) == 0.5);
    assert_true(json_real_value(json_at(json, "stats/device_accuracy")) == 0.75);
    assert_whole(json, "tally/invited", 4);
    assert_true(json_real_value(json_at(json, "samples_lost_share")) == 0.25);
    assert_whole(json, "merge_ms", 12);
    assert_null_at(json, "sum");
    assert_text(json, "entries/0/node", "dev-1");
    assert_text(json, "entries/0/parent", "edge-a");
    assert_text(json, "entries/0/outcome", "in");
    assert_null_at(json, "entries/0/reason");
    assert_whole(json, "entries/0/staleness", 1);
    assert_text(json, "entries/1/outcome", "refused");
    assert_text(json, "entries/1/reason", "nan");
    assert_whole(json, "entries_dropped", 9);
    json_decref(json);
}

static void
a_report_without_devices_divides_nothing_by_nothing(void **state)
{
    (void)state;
    const fl_report report = { .round = 1, .close = FL_CLOSE_SKIPPED, .reason = FL_WHY_QUORUM,
                               .loss = NAN, .accuracy = INFINITY };
    json_t *json = json_of(fl_report_json(&report, 0, 0, 0));
    assert_text(json, "close", "skipped");
    assert_text(json, "reason", "quorum");
    assert_null_at(json, "loss");
    assert_null_at(json, "accuracy");
    assert_null_at(json, "stats/device_loss");
    assert_null_at(json, "samples_lost_share"); // nobody said how many there are
    json_decref(json);
}

//  As many lines as a tree can have: the answer stays within its bound and says what is missing.
static void
a_report_that_would_not_fit_is_cut_and_says_by_how_much(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    fl_roll_entry *roll = calloc(LINES, sizeof *roll);
    assert_non_null(roll);
    for (int i = 0; i < LINES; i++) {
        roll[i] = (fl_roll_entry){ .node = { "longest.name-00" }, .parent = { "longest.name-11" },
                                   .outcome = FL_OUT_REFUSED, .reason = FL_WHY_UNKNOWN_ROUND,
                                   .staleness = 255 };
    }
    const fl_report report = full_report_of(roll, LINES);
    json_t *json = json_of(fl_report_json(&report, 1, 1, 1));
    size_t shown = json_array_size(json_at(json, "entries"));
    assert_true(shown > 4000);
    assert_whole(json, "entries_dropped", (json_int_t)(LINES - shown) + 9);
    json_decref(json);
    free(roll);
}

static void
rounds_are_a_line_each(void **state)
{
    (void)state;
    fl_ledger_round rounds[3] = { 0 };
    for (uint32_t i = 0; i < 3; i++) {
        rounds[i].report = full_report_of(NULL, 0);
        rounds[i].report.round = i + 1;
        rounds[i].closed = i != 1;
        rounds[i].closed_at = 5000 + i;
    }
    json_t *json = json_of(fl_rounds_json(rounds, 3));
    assert_int_equal(json_array_size(json_at(json, "rounds")), 3);
    assert_whole(json, "rounds/0/round", 1);
    assert_text(json, "rounds/0/close", "done");
    assert_whole(json, "rounds/0/in", 2);
    assert_whole(json, "rounds/0/late", 1);
    assert_whole(json, "rounds/0/closed_at", 5000);
    assert_true(json_real_value(json_at(json, "rounds/0/accuracy")) == 0.875);
    assert_null_at(json, "rounds/1/close");
    assert_null_at(json, "rounds/1/accuracy");
    assert_whole(json, "rounds/0/merge_ms", 12);
    assert_whole(json, "rounds/0/carried", 0);
    assert_whole(json, "rounds/0/capped", 2);
    json_decref(json);
    json = json_of(fl_rounds_json(NULL, 0));
    assert_int_equal(json_array_size(json_at(json, "rounds")), 0);
    json_decref(json);
}

static void
short_answers_are_one_key_or_four(void **state)
{
    (void)state;
    json_t *json = json_of(fl_said_json("dev-7 is revoked"));
    assert_text(json, "said", "dev-7 is revoked");
    json_decref(json);
    json = json_of(fl_error_json("there is no round 9"));
    assert_text(json, "error", "there is no round 9");
    json_decref(json);
    json = json_of(fl_export_json("/s/models/ab.safetensors", &(fl_hash){ { 0xab } }, 9, 44));
    assert_text(json, "path", "/s/models/ab.safetensors");
    assert_int_equal(strlen(json_string_value(json_at(json, "hash"))), 64);
    assert_whole(json, "round", 9);
    assert_whole(json, "model_bytes", 44);
    json_decref(json);
}

static void
text_that_is_not_utf8_makes_no_answer_instead_of_a_broken_one(void **state)
{
    (void)state;
    assert_null(fl_said_json("\xff\xfe"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_says_who_was_in_and_who_was_not_and_why),
        cmocka_unit_test(a_report_without_devices_divides_nothing_by_nothing),
        cmocka_unit_test(a_report_that_would_not_fit_is_cut_and_says_by_how_much),
        cmocka_unit_test(rounds_are_a_line_each),
        cmocka_unit_test(short_answers_are_one_key_or_four),
        cmocka_unit_test(text_that_is_not_utf8_makes_no_answer_instead_of_a_broken_one),
        cmocka_unit_test(a_report_shows_the_profile_every_block_and_the_totals_of_each_tier),
        cmocka_unit_test(an_unmasked_report_says_so),
        cmocka_unit_test(masked_means_that_no_sum_was_made_without_masks_at_either_hop),
        cmocka_unit_test(each_round_and_all_of_them_say_how_they_were_masked),
        cmocka_unit_test(the_longest_answers_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
