//  An aggregator in masked rounds, with whole members below it: who counts, and how a round ends.
#include "common/round/aggregator.h"

#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include <string.h>

// ---- whole rounds -----------------------------------------------------------------------------
static void
a_masked_round_counts_everybody(void **state)
{
    (void)state;
    flock_begin(6);
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 6);
    assert_int_equal(flock.accumulators, 1);
    assert_int_equal(flock.finished, 1);
    assert_int_equal(result.masking, FL_MASKING_MALICIOUS);
    assert_int_equal(result.tally.in, 6);
    assert_int_equal(result.tally.masked, 6);
    assert_int_equal(result.tally.recovered, 0);
    assert_int_equal(result.tally.aborted, 0);
    assert_int_equal(result.block_count, 1);
    assert_string_equal(result.blocks[0].parent.name, "edge-a");
    assert_int_equal(result.blocks[0].hop, 1);
    assert_int_equal(result.blocks[0].reason, FL_WHY_NONE);
    assert_int_equal(result.blocks[0].members, 6);
    assert_int_equal(result.blocks[0].survivors, 6);
    flock_settle_round(FL_OUT_IN);
    assert_int_equal(flock.child[3].closed.outcome, FL_OUT_IN);
    flock_open(2, FL_NEVER); // and the machines of its blocks are used again
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 6);
    flock_end();
}

static void
the_profile_honest_is_opened_without_signatures(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    plan.profile = FL_MASKING_HONEST;
    flock_new(&plan);
    flock_join_all();
    flock_open(1, FL_NEVER);
    assert_int_equal(flock_run().masking, FL_MASKING_HONEST);
    flock_assert_exact();
    assert_int_equal(flock_in(), 5);
    assert_int_equal(flock.child[0].said[FL_ACK], 0);
    flock_end();
}

static void
many_children_are_masked_in_even_blocks(void **state)
{
    (void)state;
    flock_begin(11);
    flock.block_max = 4; // three blocks: 4, 4 and 3
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 11);
    assert_int_equal(flock.accumulators, 3);
    assert_int_equal(flock.finished, 7);
    assert_int_equal(result.block_count, 3);
    uint32_t members = 0;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(result.blocks[i].block, i);
        assert_true(result.blocks[i].members == 3 || result.blocks[i].members == 4);
        members += result.blocks[i].members;
    }
    assert_int_equal(members, 11);
    flock_end();
}

static void
whom_no_block_has_room_for_waits(void **state)
{
    (void)state;
    flock_begin(5);
    flock.block_max = 3; // two blocks would be too small
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 3);
    assert_int_equal(result.block_count, 1);
    assert_int_equal(result.tally.invited, 3);
    assert_int_equal(flock.child[4].told[FL_TASK], 0);
    assert_int_equal(flock.notes[FL_NOTE_MASKING_OUT], 2);
    flock_end();
}

//  Child 0 says that a block of ours was opened, child 1 one of its own in our name, child 2 in the
//  name of child 3.
static bool
s_boast(int32_t from, int32_t to, fl_message *message)
{
    static uint8_t bytes[3][FL_BLOCK_LINE_BYTES];
    if (to == -1 && message->verb == FL_CONTRIB && from < 3) {
        fl_block_line line = { .members = 4, .masked = 4, .survivors = 4 };
        line.hop = from == 0 ? 2 : 1;
        line.parent = from == 1 ? flock.conf.node : flock.child[from == 0 ? 0 : 3].conf.node;
        fl_block_line_encode(&line, bytes[from]);
        message->contrib.blocks = fl_bytes_of(bytes[from], sizeof bytes[from]);
    }
    return true;
}

static void
edges_speak_neither_for_us_nor_for_each_other(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(4);
    plan.hop = 2;
    flock_new(&plan);
    flock_join_all();
    flock.hook = s_boast;
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    assert_int_equal(flock_in(), 4);
    assert_int_equal(result.block_count, 2); // our own, and that of the one other
    for (uint32_t i = 1; i < result.block_count; i++) {
        assert_int_equal(result.blocks[i].hop, 1);
        assert_int_equal(result.blocks[i].survivors, 3);
    }
    flock_end();
}

static void
edges_report_what_is_behind_them(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(4);
    plan.hop = 2;
    flock_new(&plan);
    flock_join_all();
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    assert_int_equal(result.block_count, 5); // our own, and one of each
    assert_int_equal(result.blocks[0].hop, 2);
    assert_int_equal(result.blocks[0].survivors, 4);
    assert_int_equal(result.blocks[4].hop, 1);
    assert_int_equal(result.blocks[4].survivors, 3);
    assert_int_equal(result.tally.masked, 16); // devices: as the edges say
    assert_int_equal(result.tally.recovered, 4);
    assert_int_equal(result.tally.in, 12);
    flock_end();
}

// ---- losses -----------------------------------------------------------------------------------
static fl_verb silent_from;
static uint32_t loser;

static bool
s_fall_silent(int32_t from, int32_t to, fl_message *message)
{
    (void)to;
    if (from == (int32_t)loser && message->verb == silent_from) {
        flock.child[loser].cut = true;
    }
    return !flock.child[loser].cut || from != (int32_t)loser;
}

static void
a_child_may_vanish_at_any_step(void **state)
{
    (void)state;
    static const struct {
        fl_verb from;
        uint32_t in, recovered;
    } rows[] = {
        { FL_KEYS, 5, 0 },  { FL_SHARES, 5, 0 }, { FL_READY, 5, 0 },  { FL_CONTRIB, 5, 1 },
        { FL_CHUNK, 5, 1 }, { FL_ACK, 6, 0 },    { FL_UNMASK, 6, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        flock_begin(6);
        loser = 2;
        silent_from = rows[i].from;
        flock.hook = s_fall_silent;
        flock_open(1, FL_NEVER);
        fl_result result = flock_run();
        flock_assert_exact();
        if (flock_in() != rows[i].in || result.tally.recovered != rows[i].recovered) {
            fail_msg("silent from %s: %u in, %u recovered", fl_verb_name(rows[i].from), flock_in(),
                     result.tally.recovered);
        }
        assert_int_equal(result.count, rows[i].in);
        flock_end();
    }
}

static void
a_child_that_leaves_is_not_waited_for(void **state)
{
    (void)state;
    flock_begin(5);
    flock.child[1].idle = true; // the others are ready, it never will be
    flock_open(1, FL_NEVER);
    fl_time opened = flock.now;
    flock_pass(opened + 1000);
    fl_message leave = { .verb = FL_LEAVE, .run = flock.keys->task.order.run };
    leave.leave.reason = FL_WHY_LEFT;
    flock_say(1, &leave);
    flock.child[1].cut = true;
    fl_result result = flock_run();
    assert_true(flock.now - opened < 2000);
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_assert_seat(1, FL_OUT_ABSENT, FL_WHY_LEFT);
    assert_int_equal(result.tally.masked, 4);
    flock_end();
}

static void
a_child_that_refuses_a_step_is_out_of_the_round(void **state)
{
    (void)state;
    flock_begin(5);
    flock.child[1].idle = true;
    flock_open(1, FL_NEVER);
    flock_settle();
    fl_message refused = { .verb = FL_REFUSED, .run = flock.keys->task.order.run, .round = 1 };
    refused.refused = (fl_refused){ .reason = FL_WHY_SAME_MODEL, .about = FL_ROSTER };
    flock_say(1, &refused);
    fl_time opened = flock.now;
    (void)flock_run();
    assert_true(flock.now - opened < 1000); // nobody waits for it
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_assert_seat(1, FL_OUT_REFUSED, FL_WHY_SAME_MODEL);
    flock_end();
}

static void
a_child_that_declines_the_task_is_out_of_its_block(void **state)
{
    (void)state;
    flock_begin(5);
    flock.child[4].idle = true;
    flock_open(1, FL_NEVER);
    flock_settle();
    fl_message refused = { .verb = FL_REFUSED, .run = flock.keys->task.order.run, .round = 1 };
    refused.refused = (fl_refused){ .reason = FL_WHY_NO_DATA, .about = FL_TASK };
    flock_say(4, &refused);
    (void)flock_run();
    flock_assert_exact();
    flock_assert_seat(4, FL_OUT_REFUSED, FL_WHY_NO_DATA);
    assert_int_equal(flock_in(), 4);
    flock_end();
}

static void
who_is_not_ready_in_time_is_late_and_costs_no_recovery(void **state)
{
    (void)state;
    flock_begin(5);
    flock.child[0].idle = true;
    flock_open(1, FL_NEVER);
    fl_time opened = flock.now;
    fl_result result = flock_run();
    assert_true(flock.now - opened >= FLOCK_WINDOW_MS / 4 * 3);
    flock_assert_exact();
    flock_assert_seat(0, FL_OUT_LATE, FL_WHY_LATE);
    assert_int_equal(result.tally.recovered, 0);
    assert_int_equal(result.tally.late, 1);
    flock_end();
}

// ---- blocks that end by name ------------------------------------------------------------------
static void
one_block_is_aborted_and_the_other_counts(void **state)
{
    (void)state;
    flock_begin(8);
    flock.block_max = 4;
    flock.checksum_error[1] = 1;
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact(); // of the first four
    assert_int_equal(flock_in(), 4);
    assert_int_equal(flock.finished, 1);
    assert_int_equal(result.reason, FL_WHY_NONE);
    assert_int_equal(result.tally.aborted, 4);
    assert_int_equal(result.tally.masked, 8);
    assert_int_equal(result.tally.refused, 4);
    assert_int_equal(result.blocks[1].reason, FL_WHY_CHECKSUM);
    flock_assert_seat(5, FL_OUT_REFUSED, FL_WHY_CHECKSUM);
    flock_settle_round(FL_OUT_IN);
    assert_int_equal(flock.child[0].closed.outcome, FL_OUT_IN);
    assert_int_equal(flock.child[5].closed.outcome, FL_OUT_REFUSED);
    assert_int_equal(flock.child[5].closed.reason, FL_WHY_CHECKSUM);
    flock_destroy();
}

static void
the_first_block_may_be_the_one_that_is_aborted(void **state)
{
    (void)state;
    flock_begin(8);
    flock.block_max = 4;
    flock.checksum_error[0] = 1;
    flock_open(1, FL_NEVER);
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock.finished, 2);
    flock_assert_seat(0, FL_OUT_REFUSED, FL_WHY_CHECKSUM);
    flock_end();
}

//  Each is within the plan's proof, and together they are not.
static void
blocks_that_are_too_much_together_are_not_added(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    plan.hop = 2;
    flock_new(&plan);
    flock_join_all();
    flock.block_max = 3;
    uint64_t first = 0, second = 0;
    for (uint32_t i = 0; i < 3; i++) {
        first += flock.keys->member[i].count;
        second += flock.keys->member[3 + i].count;
    }
    flock.devices_max = (uint32_t)(first + second - 1);
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact(); // of whichever was opened first
    assert_int_equal(flock_in(), 3);
    assert_true(flock.finished == 1 || flock.finished == 2);
    uint32_t other = flock.finished == 1 ? 1 : 0;
    assert_int_equal(result.blocks[other].reason, FL_WHY_COUNT_MISMATCH);
    flock_assert_seat(3 * other, FL_OUT_REFUSED, FL_WHY_COUNT_MISMATCH);
    flock_end();
}

static void
a_round_without_an_opened_block_says_why(void **state)
{
    (void)state;
    for (int abort = 0; abort < 2; abort++) {
        masked_plan plan = masked_plan_small(8);
        flock_new(&plan);
        flock.conf.window.missed = abort ? FL_MISSED_ABORT : FL_MISSED_EXTEND; // it is not extended
        flock.conf.window.extend_ms = 5000;
        flock.conf.window.extends_max = 3;
        flock_restart();
        flock_join_all();
        flock.block_max = 4;
        flock.checksum_error[0] = flock.checksum_error[1] = 1;
        flock_open(1, FL_NEVER);
        fl_result result = flock_run();
        assert_int_equal(result.close, abort ? FL_CLOSE_ABORTED : FL_CLOSE_SKIPPED);
        assert_int_equal(result.reason, FL_WHY_CHECKSUM);
        assert_int_equal(result.count, 0);
        assert_int_equal(result.tally.aborted, 8);
        assert_int_equal(flock_in(), 0);
        assert_int_equal(flock.notes[FL_NOTE_ROUND_EXTEND], 0);
        flock_end();
    }
}

static void
fewer_than_the_window_asks_for_are_no_result(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(8);
    flock_new(&plan);
    flock.conf.window.count_min = 5;
    flock_restart();
    flock_join_all();
    flock.block_max = 4;
    flock.checksum_error[1] = 1;
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    assert_int_equal(result.close, FL_CLOSE_SKIPPED);
    assert_int_equal(result.reason, FL_WHY_CHECKSUM);
    flock_assert_seat(0, FL_OUT_IN, FL_WHY_NONE); // of a sum that goes nowhere
    flock_end();
}

static void
fewer_than_the_floor_are_no_block(void **state)
{
    (void)state;
    for (uint32_t children = 1; children < 3; children++) {
        flock_begin(children);
        flock_open(1, flock.now + FLOCK_WINDOW_MS);
        fl_time opened = flock.now;
        fl_result result = flock_run();
        assert_int_equal(result.close, FL_CLOSE_SKIPPED);
        assert_int_equal(result.reason, FL_WHY_ROSTER_TOO_SMALL);
        assert_int_equal(result.blocks[0].reason, FL_WHY_ROSTER_TOO_SMALL);
        flock_assert_seat(0, FL_OUT_REFUSED, FL_WHY_ROSTER_TOO_SMALL);
        assert_true(flock.now - opened < 100); // who waits for us hears so at once
        flock_end();
    }
}

//  A root that would open the next round at once, and the next, waits out its window instead.
static void
with_nobody_above_a_hopeless_round_lasts_its_window(void **state)
{
    (void)state;
    flock_begin(2);
    flock_open(1, FL_NEVER);
    fl_time opened = flock.now;
    assert_int_equal(flock_run().reason, FL_WHY_ROSTER_TOO_SMALL);
    assert_int_equal(flock.now - opened, FLOCK_WINDOW_MS);
    flock_end();
}

static void
a_round_for_nobody_ends(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    flock_new(&plan);
    flock_open(1, flock.now + FLOCK_WINDOW_MS);
    fl_time opened = flock.now;
    fl_result result = flock_run();
    assert_int_equal(result.close, FL_CLOSE_SKIPPED);
    assert_int_equal(result.reason, FL_WHY_QUORUM);
    assert_int_equal(result.block_count, 0);
    assert_int_equal(flock.now - opened, 0);
    assert_int_equal(flock.accumulators, 1);
    flock_settle_round(FL_OUT_LATE);
    flock_open(2, FL_NEVER);
    assert_int_equal(flock_run().reason, FL_WHY_QUORUM);
    flock_destroy();
}

static void
a_task_that_comes_too_late_ends_as_late(void **state)
{
    (void)state;
    static const fl_time left[] = { -500, 0, 3000, 3050 }; // three steps and the finish are ours
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        flock_begin(4);
        flock_open(1, flock.now + left[i]);
        fl_result result = flock_run();
        assert_int_equal(result.close, FL_CLOSE_SKIPPED);
        assert_int_equal(result.reason, FL_WHY_LATE);
        assert_int_equal(result.tally.late, 4);
        flock_end();
    }
    flock_begin(4); // a moment is enough when nobody needs more
    flock_open(1, flock.now + 3051 + 8);
    assert_int_equal(flock_run().close, FL_CLOSE_DONE);
    flock_assert_exact();
    flock_end();
}

//  Nothing else happens: no child beats, no lease is looked after.
static void
it_is_woken_when_the_time_of_a_step_is_over(void **state)
{
    (void)state;
    static const struct {
        fl_verb mute;
        uint32_t eighths; // of the window
    } rows[] = { { FL_KEYS, 1 }, { FL_SHARES, 2 }, { FL_READY, 6 }, { FL_CONTRIB, 8 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        masked_plan plan = masked_plan_small(4);
        flock_new(&plan);
        flock.conf.timing.beat_ms = 100000;
        flock_restart();
        flock_join_all();
        flock.child[2].mute = (uint64_t)1 << rows[i].mute;
        flock_open(1, FL_NEVER);
        flock_step(&(fl_event){ .kind = FL_EV_TICK }); // as it wants to be, right after the open
        flock_settle();
        fl_time at = flock.now + FLOCK_WINDOW_MS / 8 * (fl_time)rows[i].eighths;
        assert_int_equal(fl_aggregator_deadline(flock.aggregator), at);
        (void)flock_run();
        assert_int_equal(flock_in(), 3);
        flock_end();
    }
}

static void
what_cannot_be_kept_aborts_its_block(void **state)
{
    (void)state;
    for (uint32_t nth = 1; nth <= 5; nth++) { // ROSTER to ACKS
        flock_begin(4);
        flock.fail_keep = nth;
        flock_open(1, flock.now + FLOCK_WINDOW_MS);
        fl_result result = flock_run();
        assert_int_equal(result.close, FL_CLOSE_SKIPPED);
        assert_int_equal(result.reason, FL_WHY_STORAGE);
        flock_assert_seat(2, FL_OUT_REFUSED, FL_WHY_STORAGE);
        flock_end();
    }
}

#define TEST(name) cmocka_unit_test(name)

static void
more_shares_than_it_takes_are_no_refusal(void **state)
{
    (void)state;
    flock_begin(6); // four of them open the sum
    flock.hold = FLOCK_UNMASKED;
    flock_open(1, FL_NEVER);
    flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
    assert_int_equal(flock.held_count, 1);
    uint32_t said = 0;
    for (uint32_t i = 0; i < 6; i++) {
        said += flock.child[i].said[FL_UNMASK] > 0;
    }
    assert_int_equal(said, 6);
    assert_int_equal(flock.notes[FL_NOTE_MASKING_REFUSED], 0);
    flock.hold = 0;
    flock_release();
    (void)flock_run();
    flock_assert_exact();
    flock_end();
}

//  The second round, when the first one was quick: children that are edges need `below` more.
static void
s_second_window(uint8_t hop, bool below)
{
    masked_plan plan = masked_plan_small(4);
    plan.hop = hop;
    flock_new(&plan);
    flock.conf.window.factor_permille = 1000;
    flock.conf.window.time_min_ms = 400; // more than what is measured here
    flock_restart();
    flock_join_all();
    flock_open(1, FL_NEVER);
    (void)flock_run();
    flock_settle_round(FL_OUT_IN);
    flock_open(2, FL_NEVER);
    const fl_timing *timing = &flock.conf.timing;
    fl_time more = 3 * (fl_time)flock.keys->task.order.plan.step_ms + (fl_time)timing->finish_ms +
                   (fl_time)timing->hop_ms;
    assert_int_equal(fl_aggregator_cutoff(flock.aggregator) - flock.now,
                     below ? (400 + more) * 3 / 2 : 400 * 4 / 3);
    (void)flock_run();
    assert_int_equal(flock_in(), 4);
    flock_end();
}

static void
a_measured_deadline_leaves_room_for_uploads_and_for_edges_to_open_their_sums(void **state)
{
    (void)state;
    s_second_window(1, false);
    s_second_window(2, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_masked_round_counts_everybody),
        TEST(the_profile_honest_is_opened_without_signatures),
        TEST(many_children_are_masked_in_even_blocks),
        TEST(whom_no_block_has_room_for_waits),
        TEST(edges_report_what_is_behind_them),
        TEST(edges_speak_neither_for_us_nor_for_each_other),
        TEST(a_child_may_vanish_at_any_step),
        TEST(a_child_that_leaves_is_not_waited_for),
        TEST(a_child_that_refuses_a_step_is_out_of_the_round),
        TEST(a_child_that_declines_the_task_is_out_of_its_block),
        TEST(who_is_not_ready_in_time_is_late_and_costs_no_recovery),
        TEST(one_block_is_aborted_and_the_other_counts),
        TEST(the_first_block_may_be_the_one_that_is_aborted),
        TEST(blocks_that_are_too_much_together_are_not_added),
        TEST(a_round_without_an_opened_block_says_why),
        TEST(fewer_than_the_window_asks_for_are_no_result),
        TEST(fewer_than_the_floor_are_no_block),
        TEST(with_nobody_above_a_hopeless_round_lasts_its_window),
        TEST(a_round_for_nobody_ends),
        TEST(a_task_that_comes_too_late_ends_as_late),
        TEST(it_is_woken_when_the_time_of_a_step_is_over),
        TEST(what_cannot_be_kept_aborts_its_block),
        TEST(more_shares_than_it_takes_are_no_refusal),
        TEST(a_measured_deadline_leaves_room_for_uploads_and_for_edges_to_open_their_sums),
    };
    return cmocka_run_group_tests_name("core/cohort_masking", tests, NULL, NULL);
}
