#include "cloud/root.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <math.h>
#include <string.h>

static fl_root *root;

static fl_root_conf
s_conf(void)
{
    return (fl_root_conf){ .aggregator = { .node = machine_node("root"),
                                           .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
                                           .seats_max = MACHINE_SEATS,
                                           .slots = 2,
                                           .expect = 2,
                                           .window = { .count_min = 1,
                                                       .time_max_ms = 1000,
                                                       .missed = FL_MISSED_SKIP,
                                                       .extends_max = 2 },
                                           .timing = { .beat_ms = 10000,
                                                       .evasive_beats = 3,
                                                       .lease_beats = 6,
                                                       .hop_ms = 10,
                                                       .finish_ms = 50,
                                                       .rate_window_ms = 100000 } },
                           .plan = machine_plan(),
                           .rounds = 3,
                           .start_wait_ms = 500,
                           .patience_ms = 1500 };
}

static void
s_make(const fl_root_conf *conf)
{
    fl_root_destroy(&root);
    root = fl_root_new(conf);
    assert_non_null(root);
    machine_it = fl_root_machine(root);
    machine_now = 0;
}

static int
s_new(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    s_make(&conf);
    return 0;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_root_destroy(&root);
    return 0;
}

static fl_root_view
s_look(void)
{
    return fl_root_look(root, machine_now);
}

// ---- driving it -------------------------------------------------------------------------------
static void
s_start(uint64_t round, uint32_t attempts)
{
    fl_event event = { .kind = FL_EV_START };
    event.start.round = round;
    event.start.attempt = attempts;
    event.start.run = machine_run(1);
    event.start.model = machine_hash((uint32_t)round);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = MACHINE_ELEMENTS;
    machine_step(&event);
}

//  The last SAVE in the outbox is answered.
static void
s_answer_save(bool ok)
{
    assert_int_equal(machine_count(FL_FX_SAVE), 1);
    machine_saved(machine_effect(FL_FX_SAVE)->token, ok);
}

//  As far as an open round 1 with two children.
static void
s_open(void)
{
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
}

static void
s_give(fl_peer peer, uint64_t round)
{
    fl_order order = machine_order(round);
    uint32_t slot = machine_send(peer, &order, s_look().attempt, 100 + peer, 5 + peer);
    machine_verified(slot, true, FL_WHY_NONE);
    machine_folded(slot);
}

static void
s_finished(void)
{
    assert_int_equal(machine_count(FL_FX_FINISH), 1);
    machine_finished(0);
}

static void
s_applied(uint64_t round, bool ok)
{
    fl_event event = { .kind = FL_EV_APPLIED, .token = machine_token(FL_FX_APPLY, 0) };
    event.applied.ok = ok;
    event.applied.model = machine_hash((uint32_t)round + 1);
    event.applied.model_bytes = MACHINE_MODEL;
    event.applied.loss = 0.5;
    event.applied.accuracy = 0.75;
    machine_step(&event);
}

//  A whole round with both children in; ends with the SAVE of its close in the outbox.
static void
s_collect(uint64_t round)
{
    s_give(0, round);
    s_give(1, round);
    s_finished();
    assert_int_equal(s_look().phase, FL_ROOT_APPLYING);
    s_applied(round, true);
}

// ---- rounds -----------------------------------------------------------------------------------
static void
a_round_is_opened_durably_collected_applied_closed_durably_and_told(void **state)
{
    (void)state;
    s_start(1, 0);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    machine_join(0);
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    machine_join(1);
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.what, FL_SAVE_OPEN);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->attempt, 1);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->task.attempt, 1);
    assert_int_equal(machine_said(1, FL_TASK)->task.budget_ms, 990);
    s_give(0, 1);
    machine_now = 20;
    s_give(1, 1);
    assert_false(machine_effect(FL_FX_FINISH)->finish.vector);
    s_finished();
    const fl_effect *apply = machine_effect(FL_FX_APPLY);
    assert_int_equal(apply->apply.weight, 11);
    assert_int_equal(apply->apply.count, 2);
    assert_int_equal(apply->apply.order.round, 1);
    s_applied(1, true);
    const fl_effect *save = machine_effect(FL_FX_SAVE);
    assert_int_equal(save->save.what, FL_SAVE_CLOSE);
    const fl_report *report = save->save.report;
    fl_hash sum = machine_hash(MACHINE_SUM), next = machine_hash(2), base = machine_hash(1);
    assert_int_equal(report->close, FL_CLOSE_DONE);
    assert_true(fl_hash_equal(&report->sum, &sum));
    assert_true(fl_hash_equal(&report->base, &base));
    assert_true(fl_hash_equal(&report->model, &next));
    assert_int_equal(report->weight, 11);
    assert_int_equal(report->duration_ms, 20);
    assert_int_equal(report->roll_count, 2);
    assert_null(machine_said(0, FL_CLOSED)); // not before it is durable
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_false(machine_said(0, FL_CLOSED)->closed.final);
    fl_root_view view = s_look(); // and the next one begins
    assert_int_equal(view.phase, FL_ROOT_OPENING);
    assert_int_equal(view.round, 2);
    assert_int_equal(view.attempt, 1);
    assert_int_equal(view.round_ms, 20);
    assert_true(view.accuracy > 0.7);
    s_answer_save(true);
    assert_true(fl_hash_equal(&machine_said(0, FL_TASK)->task.order.model, &next));
}

//  A child that joins now, and took part in the run.
static void
s_hears_the_end(fl_peer peer)
{
    machine_join(peer);
    fl_message beat = machine_beat(peer, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(peer, &beat, 0);
    assert_true(machine_said(peer, FL_CLOSED)->closed.final);
}

static void
the_run_ends_after_its_last_round(void **state)
{
    (void)state;
    s_open();
    for (uint64_t round = 1; round <= 3; round++) {
        s_collect(round);
        s_answer_save(true);
        if (round < 3) {
            s_answer_save(true);
        }
    }
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_non_null(machine_note(FL_NOTE_RUN_DONE));
    fl_root_view view = s_look();
    assert_int_equal(view.phase, FL_ROOT_DONE);
    assert_false(view.aborted);
    s_hears_the_end(2); // who comes later hears it too
}

static void
a_restart_goes_on_with_the_next_attempt_of_the_round(void **state)
{
    (void)state;
    s_start(2, 3);
    machine_join(0);
    machine_join(1);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->attempt, 4);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->task.attempt, 4);
    assert_int_equal(machine_said(0, FL_TASK)->round, 2);
}

static void
a_restart_after_the_last_round_is_done_at_once(void **state)
{
    (void)state;
    s_start(4, 0);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().round, 3);
    assert_int_equal(machine_note(FL_NOTE_RUN_DONE)->a, 3);
    assert_false(s_look().aborted);
    s_hears_the_end(0);
}

static void
a_skipped_round_leaves_the_model_as_it_is(void **state)
{
    (void)state;
    s_open();
    machine_now = 1000;
    machine_tick();
    const fl_effect *save = machine_effect(FL_FX_SAVE);
    assert_int_equal(save->save.report->close, FL_CLOSE_SKIPPED);
    assert_int_equal(save->save.report->reason, FL_WHY_QUORUM);
    assert_true(fl_hash_equal(&save->save.report->base, &save->save.report->model));
    assert_int_equal(machine_count(FL_FX_APPLY), 0);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_LATE);
    assert_int_equal(s_look().round, 2);
    s_answer_save(true);
    fl_hash same = machine_hash(1);
    assert_true(fl_hash_equal(&machine_said(0, FL_TASK)->task.order.model, &same));
}

static void
an_aborted_round_ends_the_run(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.aggregator.window.missed = FL_MISSED_ABORT;
    s_make(&conf);
    s_open();
    machine_now = 1000;
    machine_tick();
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->close, FL_CLOSE_ABORTED);
    s_answer_save(true);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_QUORUM);
    assert_true(s_look().aborted);
    assert_int_equal(s_look().reason, FL_WHY_QUORUM);
}

// ---- what fails -------------------------------------------------------------------------------
//  Paused for that reason at `now`, and tried again at `at`.
static void
s_retried(fl_time at)
{
    fl_root_view view = s_look();
    assert_int_equal(view.phase, FL_ROOT_PAUSED);
    assert_int_equal(view.reason, FL_WHY_STORAGE);
    assert_false(view.aborted);
    assert_int_equal(machine_note(FL_NOTE_RUN_PAUSED)->reason, FL_WHY_STORAGE);
    assert_int_equal(fl_root_machine(root).deadline(root), at);
    machine_now = at;
    machine_tick();
    assert_non_null(machine_note(FL_NOTE_RUN_RESUMED));
}

static void
an_opening_that_cannot_be_saved_is_tried_again(void **state)
{
    (void)state;
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    s_answer_save(false);
    assert_non_null(machine_note(FL_NOTE_SAVE_FAILED));
    s_retried(1000);
    s_answer_save(false);
    s_retried(3000); // it waits twice as long
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    assert_int_equal(s_look().attempt, 3);
}

static void
a_close_that_cannot_be_saved_is_said_again_and_counts(void **state)
{
    (void)state;
    s_open();
    s_collect(1);
    s_answer_save(false);
    assert_int_equal(machine_count(FL_FX_SEND), 0); // nobody hears of what is not durable
    assert_true(isnan(s_look().accuracy));
    s_retried(1000);
    const fl_report *report = machine_effect(FL_FX_SAVE)->save.report;
    assert_int_equal(report->close, FL_CLOSE_DONE);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_false(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(s_look().round, 2);
}

static void
a_model_that_cannot_be_made_is_tried_again(void **state)
{
    (void)state;
    s_open();
    s_give(0, 1);
    s_give(1, 1);
    s_finished();
    const uint32_t count = machine_effect(FL_FX_APPLY)->apply.count;
    s_applied(1, false);
    s_retried(1000);
    assert_int_equal(machine_effect(FL_FX_APPLY)->apply.count, count);
    s_applied(1, true);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
}

// ---- the operator's word ----------------------------------------------------------------------
static void
s_order(fl_run_order order)
{
    machine_step(&(fl_event){ .kind = FL_EV_RUN, .run.order = order });
}

static void
a_run_is_left_after_the_round_in_hand_or_at_once_when_there_is_none(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_LEAVE);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
    s_start(2, 0); // with the same children
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    fl_root_conf conf = s_conf();
    s_make(&conf);
    s_start(1, 0);
    s_order(FL_RUN_LEAVE);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
}

static void
a_stopped_run_ends_between_two_rounds_and_says_so(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_STOP);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().reason, FL_WHY_STOPPED);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    s_order(FL_RUN_GO); // of no run: nothing happens
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    fl_event event = { .kind = FL_EV_START };
    event.start.round = 1;
    event.start.run = machine_run(2);
    event.start.order = FL_RUN_STOP; // while another one had its turn
    machine_step(&event);
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
}

static void
a_run_gives_its_turn_away_after_a_round_or_when_nobody_comes(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_YIELD);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
    assert_false(machine_said(0, FL_CLOSED)->closed.final); // nobody hears of it
    s_start(2, 0);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    fl_root_conf conf = s_conf();
    s_make(&conf);
    s_start(1, 0);
    s_order(FL_RUN_YIELD);
    machine_now = 500;
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
}

static void
the_next_run_begins_with_the_same_children(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_STOP);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    fl_root_conf conf = s_conf();
    conf.rounds = 7;
    fl_root_assign(root, &conf);
    fl_event event = { .kind = FL_EV_START };
    event.start.round = 1;
    event.start.run = machine_run(2);
    event.start.model = machine_hash(70);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = MACHINE_ELEMENTS;
    machine_step(&event);
    s_answer_save(true);
    assert_int_equal(s_look().rounds, 7);
    const fl_message *task = machine_said(1, FL_TASK);
    assert_int_equal(task->round, 1);
    assert_true(fl_run_equal(&task->task.order.run, &event.start.run));
}

// ---- the wait for children --------------------------------------------------------------------
static void
a_root_waits_for_the_expected_children_and_says_so(void **state)
{
    (void)state;
    s_start(1, 0);
    machine_now = 100;
    machine_join(0);
    assert_int_equal(machine_note(FL_NOTE_WAITING)->a, 1);
    assert_int_equal(machine_note(FL_NOTE_WAITING)->b, 2);
    machine_tick();
    assert_null(machine_note(FL_NOTE_WAITING)); // said once per change
    fl_root_view view = s_look();
    assert_int_equal(view.ready, 1);
    assert_int_equal(view.expect, 2);
    assert_int_equal(view.left_ms, 400);
    assert_int_equal(view.phase_ms, 100);
    assert_int_equal(fl_root_machine(root).deadline(root), 500);
    machine_now = 499;
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    machine_now = 500; // one of two will do: the window needs one
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
}

static void
a_root_waits_for_devices_below_its_children(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.aggregator.expect = 1;
    conf.expect_leaves = 3;
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    assert_int_equal(s_look().leaves, 2);
    machine_join(2);
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
}

static void
a_wait_in_vain_is_repeated_as_long_as_the_patience_lasts(void **state)
{
    (void)state;
    s_start(1, 0);
    for (fl_time at = 500; at <= 1500; at += 500) {
        assert_int_equal(s_look().phase, FL_ROOT_WAITING);
        assert_int_equal(fl_root_machine(root).deadline(root), at);
        machine_now = at;
        machine_tick();
    }
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().reason, FL_WHY_QUORUM);
    assert_true(s_look().aborted);
}

static void
without_a_bound_of_patience_a_root_waits_and_says_so_each_minute(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.patience_ms = 0;
    s_make(&conf);
    s_start(1, 0);
    unsigned notes = 0;
    for (machine_now = 500; machine_now <= 600000; machine_now += 500) {
        machine_tick();
        notes += machine_note(FL_NOTE_WAITING) != NULL ? 1 : 0;
    }
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    assert_int_equal(notes, 10);
}

// ---- looking at it ----------------------------------------------------------------------------
static void
a_look_tells_how_much_of_the_window_is_left(void **state)
{
    (void)state;
    s_open();
    machine_now = 300;
    fl_root_view view = s_look();
    assert_int_equal(view.left_ms, 700);
    assert_int_equal(view.phase_ms, 300);
    assert_int_equal(view.rounds, 3);
    assert_int_equal(view.round_ms, 0);
    assert_true(isnan(view.loss));
    assert_int_equal(fl_aggregator_presence(fl_root_aggregator(root)).joined, 2);
    machine_now = 1100; // past the cut-off, before anybody has woken it
    assert_int_equal(s_look().left_ms, 0);
}

static void
every_phase_has_a_name(void **state)
{
    (void)state;
    static const char *const names[FL_ROOT_PHASES] = { "idle",       "waiting",  "opening",
                                                       "collecting", "applying", "saving",
                                                       "paused",     "done" };
    for (int i = 0; i < FL_ROOT_PHASES; i++) {
        assert_string_equal(fl_root_phase_name((fl_root_phase)i), names[i]);
    }
}

static void
a_stop_needs_no_words(void **state)
{
    (void)state;
    s_open();
    machine_step(&(fl_event){ .kind = FL_EV_STOP });
    assert_int_equal(fl_outbox_count(machine_out), 0); // the ledger knows where to go on
}

// ---- our own invariants -----------------------------------------------------------------------
static void
s_start_twice(void)
{
    s_start(1, 0);
    s_start(1, 0);
}

static void
s_train(void)
{
    machine_step(&(fl_event){ .kind = FL_EV_TRAINED });
}

static void
s_name_no_phase(void)
{
    (void)fl_root_phase_name(FL_ROOT_PHASES);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_start_twice));
    assert_true(unit_dies(s_train));
    assert_true(unit_dies(s_name_no_phase));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_destroy)

static unsigned signatures;

static void
s_sign(void *self, fl_task *task)
{
    assert_ptr_equal(self, &signatures);
    signatures++;
    memset(task->signature, (int)task->order.round, sizeof task->signature);
}

static void
an_order_is_signed_before_anybody_hears_of_it(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.signer = (fl_signer){ .self = &signatures, .sign = s_sign };
    signatures = 0;
    s_make(&conf);
    s_open();
    assert_int_equal(signatures, 1);
    uint8_t expected[FL_SIGNATURE_BYTES];
    memset(expected, 1, sizeof expected);
    for (fl_peer peer = 0; peer < 2; peer++) {
        assert_memory_equal(machine_said(peer, FL_TASK)->task.signature, expected, sizeof expected);
    }
}

// ---- masked rounds ----------------------------------------------------------------------------
//  Two children are no block. What is left of the round is its report.
static void
a_masked_round_reports_its_blocks(void **state)
{
    (void)state;
    static const fl_secagg_server_conf blocks = { .node = { "root" }, .hop = 2 };
    fl_root_conf conf = s_conf();
    conf.aggregator.masking = &blocks;
    conf.plan.masking = FL_MASKING_MALICIOUS;
    conf.plan.block_max = 64;
    conf.plan.step_ms = 100;
    s_make(&conf);
    s_open();
    assert_int_equal(machine_said(0, FL_TASK)->task.order.plan.masking, FL_MASKING_MALICIOUS);
    machine_saved(5000, true); // of a round before, or of no round
    assert_int_equal(fl_outbox_count(machine_out), 0);
    machine_saved(5000, false);
    assert_int_equal(machine_note(FL_NOTE_SAVE_FAILED)->reason, FL_WHY_STORAGE);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    assert_true(fl_root_machine(root).deadline(root) <= 1000 / 8); // for keys
    machine_now = 1000;
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_SAVING);
    const fl_report *report = machine_effect(FL_FX_SAVE)->save.report;
    assert_int_equal(report->close, FL_CLOSE_SKIPPED);
    assert_int_equal(report->reason, FL_WHY_ROSTER_TOO_SMALL);
    assert_int_equal(report->masking, FL_MASKING_MALICIOUS);
    assert_int_equal(report->block_count, 1);
    assert_int_equal(report->blocks[0].hop, 2);
    assert_int_equal(report->blocks[0].reason, FL_WHY_ROSTER_TOO_SMALL);
    assert_string_equal(report->blocks[0].parent.name, "root");
    assert_int_equal(report->tally.aborted, 2);
}

static void
s_mask_without_blocks(void)
{
    fl_root_conf conf = s_conf();
    conf.plan.masking = FL_MASKING_MALICIOUS;
    s_make(&conf);
    s_open();
}

static void
a_root_that_cannot_mask_opens_no_masked_round(void **state)
{
    (void)state;
    assert_true(unit_dies(s_mask_without_blocks));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_round_is_opened_durably_collected_applied_closed_durably_and_told),
        TEST(an_order_is_signed_before_anybody_hears_of_it),
        TEST(the_run_ends_after_its_last_round),
        TEST(a_restart_goes_on_with_the_next_attempt_of_the_round),
        TEST(a_restart_after_the_last_round_is_done_at_once),
        TEST(a_skipped_round_leaves_the_model_as_it_is),
        TEST(an_aborted_round_ends_the_run),
        TEST(an_opening_that_cannot_be_saved_is_tried_again),
        TEST(a_close_that_cannot_be_saved_is_said_again_and_counts),
        TEST(a_model_that_cannot_be_made_is_tried_again),
        TEST(a_run_is_left_after_the_round_in_hand_or_at_once_when_there_is_none),
        TEST(a_stopped_run_ends_between_two_rounds_and_says_so),
        TEST(a_run_gives_its_turn_away_after_a_round_or_when_nobody_comes),
        TEST(the_next_run_begins_with_the_same_children),
        TEST(without_a_bound_of_patience_a_root_waits_and_says_so_each_minute),
        TEST(a_root_waits_for_the_expected_children_and_says_so),
        TEST(a_root_waits_for_devices_below_its_children),
        TEST(a_wait_in_vain_is_repeated_as_long_as_the_patience_lasts),
        TEST(a_look_tells_how_much_of_the_window_is_left),
        TEST(a_masked_round_reports_its_blocks),
        TEST(a_root_that_cannot_mask_opens_no_masked_round),
        TEST(every_phase_has_a_name),
        TEST(a_stop_needs_no_words),
        TEST(misuse_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
