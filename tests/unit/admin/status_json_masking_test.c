#include "common/admin/status_json.h"

#include "tests/support/unit.h"

#include "tests/support/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin/status_json_inside.h"

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
    const fl_report report = { .masking = masking, .close = close, .count = count };
    const fl_ledger_hop hops[FL_LEDGER_HOPS] = { devices, edges };
    return fl_json_masked(&report, hops);
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
    assert_text(json, "summary/masking", "malicious");
    assert_true(json_is_true(json_at(json, "summary/masked")));
    assert_whole(json, "summary/tiers/devices/masked", 16);
    assert_whole(json, "summary/tiers/devices/aborted", 10);
    assert_whole(json, "summary/tiers/devices/blocks_aborted", 2);
    assert_whole(json, "summary/tiers/edges/recovered", 2);
    json_decref(json);
    json = json_of(fl_rounds_json(rounds, 3)); // one round in the clear
    assert_text(json, "rounds/2/masking", "unmasked");
    assert_true(json_is_false(json_at(json, "rounds/2/masked")));
    assert_text(json, "summary/masking", "mixed");
    assert_true(json_is_false(json_at(json, "summary/masked")));
    json_decref(json);
    rounds[2].closed = false; // which is still open, and says nothing yet
    json = json_of(fl_rounds_json(rounds, 3));
    assert_text(json, "summary/masking", "malicious");
    assert_true(json_is_true(json_at(json, "summary/masked")));
    json_decref(json);
    rounds[0].report.close = FL_CLOSE_SKIPPED;
    json = json_of(fl_rounds_json(rounds, 2)); // one of them was made
    assert_true(json_is_true(json_at(json, "summary/masked")));
    json_decref(json);
    json = json_of(fl_rounds_json(rounds, 1)); // nothing was, so nothing was masked
    assert_true(json_is_true(json_at(json, "rounds/0/masked")));
    assert_true(json_is_false(json_at(json, "summary/masked")));
    json_decref(json);
    json = json_of(fl_rounds_json(&rounds[2], 1));
    assert_null_at(json, "summary/masking");
    assert_true(json_is_false(json_at(json, "summary/masked")));
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

// ---- live -------------------------------------------------------------------------------------
static const fl_run run = { { 0xab } };
static fl_outbox *out;

static fl_aggregator *
s_cohort(const fl_secagg_server_conf *masking, uint32_t children)
{
    const fl_aggregator_conf conf = { .node = { "edge-a" }, .child_roles = { FL_ROLE_DEVICE },
                                  .seats_max = 16, .slots = 4, .window = fl_window_default(),
                                  .timing = fl_timing_default(), .masking = masking };
    out = fl_outbox_new(4096);
    fl_aggregator *aggregator = fl_aggregator_new(&conf);
    assert_true(out != NULL && aggregator != NULL);
    fl_aggregator_model(aggregator, &run, &(fl_hash){ { 1 } }, 100);
    for (uint32_t i = 0; i < children; i++) {
        const fl_message hello = { .verb = FL_HELLO, .run = run,
                                   .hello = { .role = FL_ROLE_DEVICE, .incarnation = i + 1,
                                              .leaves = 1 } };
        fl_event event = { .kind = FL_EV_MESSAGE,
                           .message = { .from = i, .role = FL_ROLE_DEVICE, .message = &hello } };
        (void)snprintf(event.message.node.name, sizeof event.message.node.name, "dev-%u", i);
        fl_aggregator_step(aggregator, &event, 1000, out);
        fl_outbox_reset(out);
    }
    return aggregator;
}

static void
a_status_shows_each_block_and_how_far_it_has_come(void **state)
{
    (void)state;
    const fl_secagg_server_conf masking = { .node = { "edge-a" }, .hop = 1 };
    fl_aggregator *aggregator = s_cohort(&masking, 6);
    const fl_status_input input = { .tier = "edge", .version = "0.1.0", .aggregator = aggregator };
    json_t *json = json_of(fl_status_json(&input));
    assert_int_equal(json_array_size(json_at(json, "blocks")), 0); // no round yet
    json_decref(json);
    const fl_task task = { .attempt = 1,
                           .order = { .run = run, .round = 7, .model = { { 1 } },
                                      .model_bytes = 100, .elements = 10,
                                      .plan = { .clip = 1, .bits = 8, .ring_bits = 32,
                                                .wire_bytes = 4, .weight_unit = 1,
                                                .weight_max = 100, .devices_max = 8, .epochs = 1,
                                                .batch = 1, .rate = 1,
                                                .masking = FL_MASKING_MALICIOUS, .block_max = 3,
                                                .step_ms = 100 } } };
    fl_aggregator_open(aggregator, &task, 1000 + 60000, 0, 1000, out);
    fl_outbox_reset(out);
    json = json_of(fl_status_json(&input));
    assert_int_equal(json_array_size(json_at(json, "blocks")), 2);
    assert_text(json, "blocks/0/tier", "devices");
    assert_text(json, "blocks/0/parent", "edge-a");
    assert_text(json, "blocks/1/state", "invited");
    assert_whole(json, "blocks/1/block", 1);
    assert_whole(json, "blocks/1/members", 0); // nobody has said KEYS
    assert_true(json_is_false(json_at(json, "blocks/1/aborted")));
    assert_null_at(json, "blocks/1/reason");
    json_decref(json);
    fl_aggregator_abandon(aggregator, FL_WHY_RESTART, 2000, out);
    fl_outbox_reset(out);
    json = json_of(fl_status_json(&input));
    assert_text(json, "blocks/0/state", "aborted");
    assert_true(json_is_true(json_at(json, "blocks/0/aborted")));
    json_decref(json);
    fl_aggregator_destroy(&aggregator);
    fl_outbox_destroy(&out);
}

static void
a_cohort_that_opens_no_masked_round_has_no_blocks(void **state)
{
    (void)state;
    fl_aggregator *aggregator = s_cohort(NULL, 3);
    fl_block_view view;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        assert_false(fl_aggregator_block(aggregator, i, &view));
    }
    fl_aggregator_destroy(&aggregator);
    fl_outbox_destroy(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_shows_the_profile_every_block_and_the_totals_of_each_tier),
        cmocka_unit_test(an_unmasked_report_says_so),
        cmocka_unit_test(masked_means_that_no_sum_was_made_without_masks_at_either_hop),
        cmocka_unit_test(each_round_and_all_of_them_say_how_they_were_masked),
        cmocka_unit_test(a_status_shows_each_block_and_how_far_it_has_come),
        cmocka_unit_test(a_cohort_that_opens_no_masked_round_has_no_blocks),
        cmocka_unit_test(the_longest_answers_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
