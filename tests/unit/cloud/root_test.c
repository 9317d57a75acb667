//  The root from round to round.
#include "tests/support/root.h"

#include <math.h>
#include <string.h>

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
    fl_root_conf conf = s_conf();
    conf.rounds = 2; // fewer than have been
    s_make(&conf);
    s_start(4, 0);
    assert_int_equal(s_look().round, 3);
    assert_int_equal(s_look().rounds, 3);
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

//  Both refuse the task in hand, and that the round is over is durable.
static void
s_all_refuse(fl_reason reason)
{
    const uint64_t round = s_look().round;
    for (fl_peer peer = 0; peer < 2; peer++) {
        fl_message refused = machine_refused(FL_TASK, round, reason);
        machine_hear_child(peer, &refused, 0);
    }
    machine_now += 1000;
    machine_tick();
    s_answer_save(true);
}

//  One round is for proofs; a root that starts anew goes on with the draw that it had.
static void
two_rounds_of_members_that_are_bound_make_another_draw(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.rounds = 9;
    s_make(&conf);
    s_open();
    s_all_refuse(FL_WHY_SAME_MODEL);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->task.order.draw, 0);
    s_all_refuse(FL_WHY_TRAINER); // is none of those
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->task.order.draw, 0);
    s_all_refuse(FL_WHY_SAME_MODEL);
    assert_int_equal(machine_note(FL_NOTE_DRAW)->a, 1);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->draw, 1);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->task.order.draw, 1);
    fl_order order = machine_order(4);
    order.model = machine_hash(1); // that of round 1 still
    const uint32_t slot = machine_send(0, &order, s_look().attempt, 100, 5);
    machine_verified(slot, true, FL_WHY_NONE);
    machine_folded(slot);
    machine_now += 1000;
    machine_tick();
    s_finished();
    s_applied(4, true);
    s_answer_save(true);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->task.order.draw, 0); // another model
}

static void
a_run_whose_draws_are_used_is_paused_for_a_minute(void **state)
{
    (void)state;
    s_open();
    s_all_refuse(FL_WHY_DRAWS_USED);
    assert_int_equal(s_look().phase, FL_ROOT_PAUSED);
    assert_int_equal(s_look().reason, FL_WHY_DRAWS_USED);
    assert_int_equal(s_look().left_ms, 60000);
    machine_now += 60000;
    machine_tick();
    machine_join(0);
    machine_join(1);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->task.order.draw, 0); // who was away may clear it
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

static void
a_round_that_no_memory_was_left_for_ends_no_run(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.aggregator.window.missed = FL_MISSED_ABORT;
    s_make(&conf);
    s_open();
    s_give(0, 1);
    s_give(1, 1);
    machine_step(&(fl_event){ .kind = FL_EV_FINISHED,
                              .token = machine_token(FL_FX_FINISH, 0),
                              .finished.reason = FL_WHY_STORAGE });
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->reason, FL_WHY_STORAGE);
    s_answer_save(true);
    assert_false(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(s_look().round, 2);
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

static unsigned signatures;

static bool
s_sign(void *self, fl_task *task)
{
    assert_ptr_equal(self, &signatures);
    signatures++;
    memset(task->signature, (int)task->order.round, sizeof task->signature);
    return true;
}

static void
an_order_is_signed_before_anybody_hears_of_it(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.signer = (fl_signer){ .self = &signatures, .sign = s_sign };
    signatures = 0;
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    uint8_t expected[FL_SIGNATURE_BYTES];
    memset(expected, 1, sizeof expected);
    const fl_report *kept = machine_effect(FL_FX_SAVE)->save.report; // before it is sent
    fl_order order;
    assert_true(fl_order_decode(kept->order, &order) && order.round == 1);
    assert_int_equal(kept->signature.size, sizeof expected);
    assert_memory_equal(kept->signature.data, expected, sizeof expected);
    assert_true(kept->settings.size > 0);
    s_answer_save(true);
    assert_int_equal(signatures, 1);
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
    conf.plan.masking[0] = conf.plan.masking[1] = FL_MASKING_MALICIOUS;
    conf.plan.block_max = 64;
    conf.plan.step_ms = 100;
    s_make(&conf);
    s_open();
    assert_int_equal(machine_said(0, FL_TASK)->task.order.plan.masking[0], FL_MASKING_MALICIOUS);
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
    conf.plan.masking[0] = conf.plan.masking[1] = FL_MASKING_MALICIOUS;
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
        unit_case(a_round_is_opened_durably_collected_applied_closed_durably_and_told, s_new,
                  s_destroy),
        unit_case(an_order_is_signed_before_anybody_hears_of_it, s_new, s_destroy),
        unit_case(the_run_ends_after_its_last_round, s_new, s_destroy),
        unit_case(a_restart_goes_on_with_the_next_attempt_of_the_round, s_new, s_destroy),
        unit_case(a_restart_after_the_last_round_is_done_at_once, s_new, s_destroy),
        unit_case(a_skipped_round_leaves_the_model_as_it_is, s_new, s_destroy),
        unit_case(an_aborted_round_ends_the_run, s_new, s_destroy),
        unit_case(two_rounds_of_members_that_are_bound_make_another_draw, s_new, s_destroy),
        unit_case(a_run_whose_draws_are_used_is_paused_for_a_minute, s_new, s_destroy),
        unit_case(a_round_that_no_memory_was_left_for_ends_no_run, s_new, s_destroy),
        unit_case(a_look_tells_how_much_of_the_window_is_left, s_new, s_destroy),
        unit_case(a_masked_round_reports_its_blocks, s_new, s_destroy),
        unit_case(a_root_that_cannot_mask_opens_no_masked_round, s_new, s_destroy),
        unit_case(every_phase_has_a_name, s_new, s_destroy),
        unit_case(a_stop_needs_no_words, s_new, s_destroy),
        unit_case(misuse_is_a_broken_invariant, s_new, s_destroy),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
