#include "edge/edge.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <string.h>

enum { SUM = 9 };

static fl_edge *edge;
static fl_order order;
static uint64_t token; // of the SAVE in the outbox

static fl_edge_conf
s_conf(void)
{
    return (fl_edge_conf){
        .participant = { .node = machine_node("e1"),
                         .role = FL_ROLE_EDGE,
                         .incarnation = 5,
                         .beat_ms = 100,
                         .backoff_min_ms = 100,
                         .backoff_max_ms = 400 },
        .aggregator = { .node = machine_node("e1"),
                        .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
                        .seats_max = MACHINE_SEATS,
                        .slots = 2,
                        .window = { .count_min = 1, .time_max_ms = 1000, .missed = FL_MISSED_SKIP },
                        .timing = { .beat_ms = 10000,
                                    .evasive_beats = 3,
                                    .lease_beats = 6,
                                    .hop_ms = 10,
                                    .finish_ms = 50,
                                    .rate_window_ms = 100000 } }
    };
}

static void
s_make(const fl_edge_conf *conf)
{
    fl_edge_destroy(&edge);
    edge = fl_edge_new(conf);
    assert_non_null(edge);
    machine_it = fl_edge_machine(edge);
    machine_now = 1000;
}

static int
s_new(void **state)
{
    (void)state;
    fl_edge_conf conf = s_conf();
    s_make(&conf);
    return 0;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_edge_destroy(&edge);
    return 0;
}

// ---- as far as ... ----------------------------------------------------------------------------
static void
s_welcome(uint8_t run)
{
    fl_message welcome = machine_welcome(0, 1);
    welcome.run = machine_run(run);
    machine_hear_parent(&welcome, 0);
}

//  Joined above, with two children below.
static void
s_join(void)
{
    machine_tick();
    s_welcome(1);
    machine_join(0);
    machine_join(1);
    assert_non_null(machine_said(1, FL_WELCOME));
}

static void
s_task(uint64_t round, uint32_t attempt)
{
    order = machine_order(round);
    order.model = machine_hash(1);
    fl_message task = machine_task(&order, attempt, 800);
    machine_hear_parent(&task, 0);
    if (machine_count(FL_FX_SAVE) > 0) {
        token = machine_effect(FL_FX_SAVE)->token;
    }
}

static void
s_model(void)
{
    machine_fetch();
    assert_int_equal(machine_count(FL_FX_SAVE), 1);
    token = machine_effect(FL_FX_SAVE)->token;
}

//  Round 1 is open for both children.
static void
s_open(void)
{
    s_join();
    s_task(1, 1);
    s_model();
    machine_saved(token, true);
    assert_non_null(machine_said(0, FL_TASK));
}

//  A child's contribution, verified, its fold begun; answers the slot.
static uint32_t
s_fold(fl_peer peer, uint32_t attempt)
{
    uint32_t slot = machine_send(peer, &order, attempt, 100 + peer, 5 + peer);
    machine_verified(slot, true, FL_WHY_NONE);
    return machine_effect(FL_FX_FOLD)->fold.slot;
}

static void
s_collect(uint32_t attempt)
{
    machine_folded(s_fold(0, attempt));
    machine_folded(s_fold(1, attempt));
    assert_true(machine_effect(FL_FX_FINISH)->finish.vector);
    machine_finished(SUM);
}

//  The sum is on offer above.
static void
s_offer(void)
{
    s_open();
    s_collect(1);
    assert_non_null(machine_said(FL_PARENT, FL_CONTRIB));
}

static void
s_send(void)
{
    fl_message grant = machine_message(FL_GRANT, order.round);
    grant.grant = (fl_grant){
        .attempt = 1, .hash = machine_hash(MACHINE_SUM), .limit = MACHINE_VECTOR, .chunk_bytes = 1
    };
    machine_hear_parent(&grant, 0);
    assert_int_equal(machine_effect(FL_FX_PUSH)->push.vec, SUM);
}

static void
s_closed(uint64_t round, fl_outcome outcome, fl_reason reason, bool final)
{
    fl_message closed = machine_closed(round, 1, outcome, reason);
    closed.closed.final = final;
    machine_hear_parent(&closed, 0);
}

static void
s_children_hear(fl_outcome outcome, fl_reason reason, bool final)
{
    for (fl_peer peer = 0; peer < 2; peer++) {
        const fl_message *closed = machine_said(peer, FL_CLOSED);
        assert_non_null(closed);
        assert_int_equal(closed->closed.outcome, outcome);
        assert_int_equal(closed->closed.reason, reason);
        assert_int_equal(closed->closed.final, final);
    }
}

// ---- one round --------------------------------------------------------------------------------
static void
children_are_seated_before_the_first_task(void **state)
{
    (void)state;
    machine_join(0);
    assert_non_null(machine_said(0, FL_WELCOME));
    machine_tick();
    s_welcome(1);
    assert_null(machine_said(0, FL_TASK));
}

static void
a_task_becomes_a_round_below_and_its_sum_one_contribution_above(void **state)
{
    (void)state;
    s_join();
    s_task(1, 1);
    assert_int_equal(machine_count(FL_FX_SAVE), 0); // the model first
    s_model();
    assert_int_equal(fl_edge_round(edge), 1);
    const fl_effect *save = machine_effect(FL_FX_SAVE);
    assert_int_equal(save->save.what, FL_SAVE_OPEN);
    assert_int_equal(save->save.report->round, 1);
    assert_int_equal(save->save.report->attempt, 1);
    assert_null(machine_said(0, FL_TASK)); // durable first
    machine_now = 1100;
    machine_saved(token, true);
    const fl_message *task = machine_said(0, FL_TASK);
    assert_int_equal(task->task.budget_ms, 700 - 50 - 10); // budgets shrink per hop
    assert_int_equal(fl_participant_activity(fl_edge_participant(edge)), FL_DOING_COLLECT);
    s_collect(1);
    const fl_contrib *contrib = &machine_said(FL_PARENT, FL_CONTRIB)->contrib;
    assert_int_equal(contrib->weight, 11);
    assert_int_equal(contrib->count, 2);
    assert_int_equal(contrib->base_round, 1);
    assert_int_equal(contrib->tally.in, 2);
    assert_int_equal(contrib->roll.size, 2 * FL_ROLL_ENTRY_BYTES);
    assert_int_equal(contrib->stats[FL_STAT_SAMPLES], 110);
    assert_null(machine_said(0, FL_CLOSED)); // not before the root has it
    s_send();
    s_closed(1, FL_OUT_IN, FL_WHY_NONE, false);
    s_children_hear(FL_OUT_IN, FL_WHY_NONE, false);
    save = machine_effect(FL_FX_SAVE);
    assert_int_equal(save->save.what, FL_SAVE_CLOSE);
    assert_int_equal(save->save.report->close, FL_CLOSE_DONE);
    assert_int_equal(save->save.report->weight, 11);
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, SUM);
    assert_int_equal(fl_edge_round(edge), 0);
    assert_false(fl_edge_done(edge));
}

static void
a_model_is_fetched_once_and_served_to_every_child(void **state)
{
    (void)state;
    s_open();
    for (fl_peer peer = 0; peer < 2; peer++) {
        fl_message fetch = machine_message(FL_FETCH, 1);
        fetch.fetch = (fl_fetch){ .hash = machine_hash(1), .bytes = 1000 };
        machine_hear_child(peer, &fetch, 0);
        assert_int_equal(machine_effect(FL_FX_SERVE)->serve.to, peer);
        assert_null(machine_said(FL_PARENT, FL_FETCH));
    }
}

static void
the_fate_of_the_sum_is_the_fate_of_what_is_in_it(void **state)
{
    const struct {
        bool sent;
        fl_outcome outcome;
        fl_reason reason;
        fl_outcome want;
        fl_reason want_reason;
    } rows[] = {
        { true, FL_OUT_IN, FL_WHY_NONE, FL_OUT_IN, FL_WHY_NONE },
        { true, FL_OUT_LATE, FL_WHY_LATE, FL_OUT_LATE, FL_WHY_LATE },
        { true, FL_OUT_REFUSED, FL_WHY_HASH, FL_OUT_REFUSED, FL_WHY_HASH },
        { true, FL_OUT_ABSENT, FL_WHY_SILENT, FL_OUT_LATE, FL_WHY_SILENT },
        { true, FL_OUT_IDLE, FL_WHY_NONE, FL_OUT_LATE, FL_WHY_NONE },
        { true, FL_OUT_REFUSED, FL_WHY_UNKNOWN_ROUND, FL_OUT_REFUSED, FL_WHY_UNKNOWN_ROUND },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)s_new(state);
        s_offer();
        s_send();
        s_closed(1, rows[i].outcome, rows[i].reason, false);
        s_children_hear(rows[i].want, rows[i].want_reason, false);
    }
}

static void
a_sum_without_a_verdict_may_have_been_counted_so_its_children_hear_refused(void **state)
{
    (void)state;
    s_offer();
    s_send();
    s_task(2, 1); // the verdict about round 1 never came
    s_children_hear(FL_OUT_REFUSED, FL_WHY_UNKNOWN_ROUND, false);
    assert_int_equal(fl_edge_round(edge), 2);
}

static void
the_close_and_the_next_open_of_one_step_have_a_report_each(void **state)
{
    (void)state;
    s_offer();
    s_task(2, 1);
    assert_int_equal(machine_count(FL_FX_SAVE), 2);
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        const fl_effect *effect = fl_outbox_at(machine_out, i);
        if (effect->kind == FL_FX_SAVE) {
            bool closes = effect->save.what == FL_SAVE_CLOSE;
            assert_int_equal(effect->save.report->round, closes ? 1 : 2);
            assert_int_equal(effect->save.report->weight, closes ? 11 : 0);
        }
    }
    machine_saved(token - 1, true); // of the close: nothing waits for it
    assert_int_equal(fl_outbox_count(machine_out), 0);
    machine_saved(token, true);
    assert_int_equal(machine_said(0, FL_TASK)->round, 2);
}

// ---- too few, and what fails ------------------------------------------------------------------
static void
a_round_with_too_few_is_declined(void **state)
{
    (void)state;
    s_open();
    fl_message beat = machine_message(FL_BEAT, 0);
    machine_now = 1200;
    machine_hear_parent(&beat, 0);
    machine_now = 1750; // due at 1800, less what the finish takes
    machine_tick();
    fl_message welcome = machine_welcome(0, 1); // it was silent meanwhile
    machine_now = 2100;
    machine_tick();
    machine_hear_parent(&welcome, 0);
    s_task(1, 1);
    assert_true(machine_refuses(FL_PARENT, FL_TASK, FL_WHY_QUORUM));
    s_closed(1, FL_OUT_REFUSED, FL_WHY_QUORUM, false);
    s_children_hear(FL_OUT_LATE, FL_WHY_LATE, false);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->close, FL_CLOSE_SKIPPED);
}

static void
an_edge_that_cannot_write_declines_for_storage(void **state)
{
    (void)state;
    s_join();
    s_task(1, 1);
    s_model();
    machine_saved(token, false);
    assert_non_null(machine_note(FL_NOTE_SAVE_FAILED));
    assert_true(machine_refuses(FL_PARENT, FL_TASK, FL_WHY_STORAGE));
    assert_null(machine_said(0, FL_TASK));
    s_closed(1, FL_OUT_REFUSED, FL_WHY_STORAGE, false);
    assert_int_equal(machine_count(FL_FX_SAVE), 0); // there was no round below
    assert_int_equal(fl_edge_round(edge), 0);
    s_task(2, 1);
    machine_saved(token, true);
    assert_int_equal(machine_said(0, FL_TASK)->round, 2);
}

static void
a_close_that_cannot_be_saved_is_noted(void **state)
{
    (void)state;
    s_offer();
    s_closed(1, FL_OUT_IN, FL_WHY_NONE, false);
    machine_saved(machine_effect(FL_FX_SAVE)->token, false);
    assert_int_equal(machine_note(FL_NOTE_SAVE_FAILED)->reason, FL_WHY_STORAGE);
}

// ---- overtaken --------------------------------------------------------------------------------
static void
a_newer_task_gives_the_round_up_and_waits_for_its_folds(void **state)
{
    (void)state;
    s_open();
    uint32_t slot = s_fold(0, 1);
    s_task(2, 1);
    s_children_hear(FL_OUT_LATE, FL_WHY_LATE, false);
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    assert_int_equal(fl_edge_round(edge), 0);
    machine_folded(slot);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->round, 2);
    machine_saved(machine_effect(FL_FX_SAVE)->token, true);
    assert_int_equal(machine_said(0, FL_TASK)->round, 2);
}

static void
a_round_that_is_given_up_before_it_is_durable_is_never_opened(void **state)
{
    (void)state;
    s_join();
    s_task(1, 1);
    s_model();
    uint64_t first = token;
    s_task(2, 1);
    assert_true(token > first);
    machine_saved(first, true);
    assert_null(machine_said(0, FL_TASK));
    machine_saved(token, true);
    assert_int_equal(machine_said(0, FL_TASK)->round, 2);
    s_closed(2, FL_OUT_LATE, FL_WHY_LATE, false); // the parent gave up before we had a sum
    s_children_hear(FL_OUT_LATE, FL_WHY_LATE, false);
}

static void
a_new_attempt_above_asks_for_the_same_sum(void **state)
{
    (void)state;
    s_offer();
    s_send();
    s_task(1, 2);
    assert_int_equal(machine_said(FL_PARENT, FL_CONTRIB)->contrib.attempt, 2);
    assert_null(machine_said(0, FL_TASK));
}

static void
a_restarted_edge_opens_the_round_under_its_next_attempt(void **state)
{
    (void)state;
    fl_edge_conf conf = s_conf();
    conf.last_run = machine_run(1);
    conf.last_round = 1;
    conf.last_attempt = 4;
    s_make(&conf);
    s_join();
    s_task(1, 1);
    s_model();
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->attempt, 5);
    machine_saved(token, true);
    assert_int_equal(machine_said(0, FL_TASK)->task.attempt, 5);
}

static void
another_run_above_is_another_run_below(void **state)
{
    (void)state;
    s_offer();
    fl_order next = machine_order(1);
    next.run = machine_run(2);
    fl_message task = machine_task(&next, 1, 5000);
    machine_hear_parent(&task, 0);
    s_children_hear(FL_OUT_REFUSED, FL_WHY_UNKNOWN_RUN, false);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->attempt, 1); // it is no second one
    machine_saved(machine_token(FL_FX_SAVE, 0), true);
    assert_true(fl_run_equal(&machine_said(0, FL_TASK)->run, &next.run));
}

// ---- the end ----------------------------------------------------------------------------------
static void
the_end_of_the_run_goes_down_with_the_last_verdict(void **state)
{
    (void)state;
    s_offer();
    s_closed(1, FL_OUT_IN, FL_WHY_NONE, true);
    s_children_hear(FL_OUT_IN, FL_WHY_NONE, true);
    assert_int_equal(machine_said_count(0, FL_CLOSED), 1);
    assert_true(fl_edge_done(edge));
}

static void
the_end_of_the_run_waits_for_our_own_folds(void **state)
{
    (void)state;
    s_open();
    uint32_t slot = s_fold(0, 1);
    s_closed(0, FL_OUT_IDLE, FL_WHY_NONE, true);
    s_children_hear(FL_OUT_LATE, FL_WHY_NONE, false);
    machine_folded(slot);
    s_children_hear(FL_OUT_IDLE, FL_WHY_NONE, true);
    machine_tick();
    assert_null(machine_said(0, FL_CLOSED)); // once
}

//  Nor was this edge asked to take part in it: somebody below may have been, before.
static void
the_end_of_another_run_goes_down_too(void **state)
{
    (void)state;
    s_offer();
    s_closed(1, FL_OUT_IN, FL_WHY_NONE, true);
    for (int heard = 1; heard >= 0; heard--) { // once
        fl_message end = machine_closed(7, 1, FL_OUT_IDLE, FL_WHY_NONE);
        end.run = machine_run(2);
        end.closed.final = true;
        machine_hear_parent(&end, 0);
        assert_int_equal(machine_said_count(0, FL_CLOSED), heard);
        assert_int_equal(machine_said_count(1, FL_CLOSED), heard);
        const fl_message *said = machine_said(0, FL_CLOSED);
        assert_true(said == NULL || (said->closed.final && fl_run_equal(&said->run, &end.run)));
    }
}

static void
a_stop_says_goodbye_above(void **state)
{
    (void)state;
    s_join();
    machine_step(&(fl_event){ .kind = FL_EV_STOP });
    assert_non_null(machine_said(FL_PARENT, FL_LEAVE));
}

static void
a_child_that_is_cut_off_is_gone_below(void **state)
{
    (void)state;
    s_open();
    fl_event gone = { .kind = FL_EV_GONE };
    gone.gone.reason = FL_WHY_REVOKED;
    machine_step(&gone);
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, 0);
    machine_now = 1100;
    machine_tick();
    const fl_beat *beat = &machine_said(FL_PARENT, FL_BEAT)->beat;
    assert_int_equal(beat->leaves, 1);
    assert_int_equal(beat->tally.invited, 2);
    assert_int_equal(beat->tally.absent, 1); // as it stands when it is said
    assert_int_equal(beat->total, 2);
}

// ---- our own invariants -----------------------------------------------------------------------
static void
s_start(void)
{
    machine_step(&(fl_event){ .kind = FL_EV_START });
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_start));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_destroy)

static void
an_edge_that_drains_tells_both_sides_and_closes_its_round(void **state)
{
    (void)state;
    const fl_event drain = { .kind = FL_EV_REST, .rest.reason = FL_WHY_DRAIN };
    s_open();
    machine_step(&drain);
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->refused.reason, FL_WHY_DRAIN);
    fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_TRAIN);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_BEAT)->beat.done, FL_WHY_DRAIN);
    s_collect(1);
    assert_non_null(machine_said(FL_PARENT, FL_CONTRIB));
    fl_message closed = machine_closed(1, 1, FL_OUT_IN, FL_WHY_NONE);
    machine_hear_parent(&closed, 0);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_int_equal(fl_edge_round(edge), 0);
    s_task(2, 1);
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->round, 2);
}

//  The operator's word comes from above: for the edge itself, or with the name of who is below.
static void
an_edge_that_is_told_to_drain_does_and_passes_on_what_is_for_others(void **state)
{
    (void)state;
    s_open();
    fl_message told = machine_refused(FL_TASK, 0, FL_WHY_DRAIN);
    memcpy(told.refused.text, "d1", sizeof "d1");
    machine_hear_parent(&told, 0);
    assert_true(machine_refuses(1, FL_TASK, FL_WHY_DRAIN));
    assert_string_equal(machine_said(1, FL_REFUSED)->refused.text, "");
    assert_null(machine_said(0, FL_REFUSED));
    assert_null(machine_effect(FL_FX_REST));
    told = machine_refused(FL_TASK, 0, FL_WHY_DRAIN);
    machine_hear_parent(&told, 0);
    assert_true(machine_effect(FL_FX_REST)->rest.drains);
    assert_true(machine_refuses(FL_PARENT, FL_TASK, FL_WHY_DRAIN)); // no task of this turn either
    machine_hear_parent(&told, 0);
    assert_null(machine_said(FL_PARENT, FL_REFUSED)); // told again, it has nothing new to say
    told.refused.about = FL_REFUSED;
    machine_hear_parent(&told, 0);
    assert_false(machine_effect(FL_FX_REST)->rest.drains);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(children_are_seated_before_the_first_task),
        TEST(a_task_becomes_a_round_below_and_its_sum_one_contribution_above),
        TEST(a_model_is_fetched_once_and_served_to_every_child),
        TEST(the_fate_of_the_sum_is_the_fate_of_what_is_in_it),
        TEST(a_sum_without_a_verdict_may_have_been_counted_so_its_children_hear_refused),
        TEST(the_close_and_the_next_open_of_one_step_have_a_report_each),
        TEST(a_round_with_too_few_is_declined),
        TEST(an_edge_that_cannot_write_declines_for_storage),
        TEST(a_close_that_cannot_be_saved_is_noted),
        TEST(a_newer_task_gives_the_round_up_and_waits_for_its_folds),
        TEST(a_round_that_is_given_up_before_it_is_durable_is_never_opened),
        TEST(a_new_attempt_above_asks_for_the_same_sum),
        TEST(a_restarted_edge_opens_the_round_under_its_next_attempt),
        TEST(another_run_above_is_another_run_below),
        TEST(the_end_of_the_run_goes_down_with_the_last_verdict),
        TEST(the_end_of_the_run_waits_for_our_own_folds),
        TEST(the_end_of_another_run_goes_down_too),
        TEST(a_stop_says_goodbye_above),
        TEST(a_child_that_is_cut_off_is_gone_below),
        TEST(misuse_is_a_broken_invariant),
        TEST(an_edge_that_drains_tells_both_sides_and_closes_its_round),
        TEST(an_edge_that_is_told_to_drain_does_and_passes_on_what_is_for_others),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
