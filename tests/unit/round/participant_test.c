#include "common/round/participant.h"

#include "tests/support/child.h"
#include "tests/support/unit.h"

// ---- the link ---------------------------------------------------------------------------------
static void
a_child_says_hello_on_a_connection_of_its_own(void **state)
{
    (void)state;
    assert_true(fl_participant_deadline(child_member) <= machine_now);
    machine_tick();
    assert_int_equal(machine_count(FL_FX_RECONNECT), 1);
    const fl_message *hello = machine_said(FL_PARENT, FL_HELLO);
    assert_int_equal(hello->hello.role, FL_ROLE_DEVICE);
    assert_int_equal(hello->hello.incarnation, 5);
    assert_int_equal(hello->hello.leaves, 1);
    assert_int_equal(hello->round, 0);
    assert_false(fl_participant_joined(child_member));
}

//  Lanes are tried at the join; those that stay shut are named to the parent, and no task is taken
//  until they open.
static void
lanes_are_tried_at_the_join_and_named_when_they_stay_shut(void **state)
{
    (void)state;
    (void)child_destroy(state);
    child_lanes_ms = 150;
    (void)child_new(state);
    child_lanes_ms = 0;
    child_join();
    assert_int_equal(machine_count(FL_FX_LANE), 2);
    fl_event open = { .kind = FL_EV_LANE, .lane.lane = FL_LANE_DOWN };
    machine_step(&open);
    assert_false(machine_effect(FL_FX_LANE)->lane.open); // nothing is sent on it yet
    machine_step(&open);
    assert_null(machine_effect(FL_FX_LANE));
    fl_message beat = machine_message(FL_BEAT, 0);
    machine_hear_parent(&beat, 0);
    machine_now += 150;
    machine_tick();
    assert_int_equal(machine_said_count(FL_PARENT, FL_REFUSED), 1);
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->refused.about, FL_CHUNK);
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->refused.reason, FL_WHY_UNREACHABLE);
    child_task(1, 1, 5000);
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->refused.about, FL_TASK);
    assert_int_equal(machine_effect(FL_FX_LANE)->lane.lane, FL_LANE_UP); // perhaps now
    open.lane.lane = FL_LANE_UP;
    machine_step(&open);
    child_task(2, 1, 5000);
    assert_null(machine_said(FL_PARENT, FL_REFUSED));
    assert_non_null(machine_said(FL_PARENT, FL_FETCH));
}

//  At each connection once: a new seat is no new way to it.
static void
lanes_that_opened_are_not_tried_again_for_another_seat(void **state)
{
    (void)state;
    (void)child_destroy(state);
    child_lanes_ms = 150;
    (void)child_new(state);
    child_lanes_ms = 0;
    child_join();
    for (fl_lane lane = FL_LANE_UP; lane <= FL_LANE_DOWN; lane++) {
        machine_step(&(fl_event){ .kind = FL_EV_LANE, .lane.lane = lane });
    }
    const fl_message lost = machine_refused(FL_BEAT, 0, FL_WHY_UNKNOWN_SEAT);
    machine_hear_parent(&lost, 0);
    assert_non_null(machine_said(FL_PARENT, FL_HELLO));
    const fl_message welcome = machine_welcome(0, 1);
    machine_hear_parent(&welcome, 0);
    assert_non_null(machine_note(FL_NOTE_WELCOMED));
    assert_int_equal(machine_count(FL_FX_LANE), 0);
}

static void
a_lost_welcome_costs_one_connection(void **state)
{
    (void)state;
    machine_tick();
    machine_now = 1300;
    machine_tick();
    assert_int_equal(machine_note(FL_NOTE_RECONNECT)->reason, FL_WHY_SILENT);
    assert_in_range(fl_participant_deadline(child_member), 1350, 1400);
    fl_message welcome = machine_welcome(3, 1);
    machine_hear_parent(&welcome, 0); // too late: that connection is given up
    assert_false(fl_participant_joined(child_member));
    machine_now = fl_participant_deadline(child_member);
    machine_tick();
    assert_int_equal(machine_count(FL_FX_RECONNECT), 1);
    machine_hear_parent(&welcome, 0);
    assert_true(fl_participant_joined(child_member));
}

static void
a_refused_hello_is_tried_again_after_the_backoff(void **state)
{
    (void)state;
    static const fl_reason reasons[] = { FL_WHY_ROLE, FL_WHY_FULL, FL_WHY_UNKNOWN_RUN,
                                         FL_WHY_REVOKED };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        machine_now = fl_participant_deadline(child_member) > machine_now
                          ? fl_participant_deadline(child_member)
                          : machine_now;
        machine_tick();
        fl_message refused = machine_refused(FL_HELLO, 0, reasons[i]);
        machine_hear_parent(&refused, 0);
        assert_int_equal(machine_note(FL_NOTE_RECONNECT)->reason, reasons[i]);
        assert_true(fl_participant_deadline(child_member) > machine_now);
        machine_hear_parent(&refused, 0); // once is enough
        assert_null(machine_note(FL_NOTE_RECONNECT));
    }
}

static void
a_seated_child_beats_and_leaves_a_silent_parent(void **state)
{
    (void)state;
    child_join();
    assert_int_equal(machine_note(FL_NOTE_WELCOMED)->a, 3);
    fl_participant_doing(
        child_member,
        &(fl_doing){
            .activity = FL_DOING_TRAIN, .done = 4, .total = 9, .leaves = 1, .samples = 600 });
    machine_now = 1100;
    machine_tick();
    const fl_message *beat = machine_said(FL_PARENT, FL_BEAT);
    assert_int_equal(beat->beat.seat, 3);
    assert_int_equal(beat->beat.epoch, 1);
    assert_int_equal(beat->beat.attempt, 0);
    assert_int_equal(beat->beat.samples, 600);
    assert_int_equal(beat->beat.done, 4);
    fl_message answer = machine_message(FL_BEAT, 0);
    machine_hear_parent(&answer, 0);
    machine_now = 1401;
    machine_tick();
    assert_int_equal(machine_note(FL_NOTE_RECONNECT)->reason, FL_WHY_SILENT);
    assert_false(fl_participant_joined(child_member));
}

//  Its connection was cut for what it sent.
static void
a_parent_that_was_left_is_asked_again_after_the_backoff(void **state)
{
    (void)state;
    const fl_event gone = { .kind = FL_EV_GONE, .gone = { FL_PARENT, FL_WHY_FULL } };
    child_join();
    machine_step(&gone);
    assert_int_equal(machine_note(FL_NOTE_RECONNECT)->reason, FL_WHY_FULL);
    assert_false(fl_participant_joined(child_member));
    assert_int_equal(machine_count(FL_FX_RECONNECT), 0);
    machine_step(&gone); // once is enough
    assert_null(machine_note(FL_NOTE_RECONNECT));
    machine_now = fl_participant_deadline(child_member);
    machine_tick();
    assert_int_equal(machine_count(FL_FX_RECONNECT), 1);
}

static void
a_pause_of_the_run_is_heard_on_a_beat(void **state)
{
    (void)state;
    child_join();
    fl_message beat = { .verb = FL_BEAT, .beat.activity = FL_DOING_PAUSED };
    beat.beat.done = FL_WHY_AUTHORITY;
    machine_hear_parent(&beat, 0);
    assert_int_equal(machine_note(FL_NOTE_RUN_PAUSED)->reason, FL_WHY_AUTHORITY);
    assert_int_equal(fl_participant_paused(child_member), FL_WHY_AUTHORITY);
    assert_int_equal(fl_participant_trouble(child_member), FL_WHY_AUTHORITY);
    machine_hear_parent(&beat, 0);
    assert_null(machine_note(FL_NOTE_RUN_PAUSED)); // no news
    beat.beat.done = UINT64_MAX;                   // a reason that we do not know
    machine_hear_parent(&beat, 0);
    assert_int_equal(machine_note(FL_NOTE_RUN_PAUSED)->reason, FL_WHY_STORAGE);
    beat.beat.activity = FL_DOING_NOTHING;
    machine_hear_parent(&beat, 0);
    assert_non_null(machine_note(FL_NOTE_RUN_RESUMED));
    assert_int_equal(fl_participant_trouble(child_member), FL_WHY_NONE);
}

static void
an_unknown_seat_or_ticket_means_hello_once_more_without_a_new_connection(void **state)
{
    (void)state;
    static const fl_reason reasons[] = { FL_WHY_UNKNOWN_SEAT, FL_WHY_TICKET };
    child_join();
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        fl_message refused = machine_refused(FL_BEAT, 0, reasons[i]);
        machine_hear_parent(&refused, 0);
        assert_non_null(machine_said(FL_PARENT, FL_HELLO));
        assert_int_equal(machine_count(FL_FX_RECONNECT), 0);
        machine_hear_parent(&refused, 0); // it is being seen to
        assert_null(machine_said(FL_PARENT, FL_HELLO));
        fl_message welcome = machine_welcome(3, 2);
        machine_hear_parent(&welcome, 0);
    }
}

static void
another_certificate_is_shown_at_once_and_other_keys_on_a_new_connection(void **state)
{
    (void)state;
    fl_event renewed = { .kind = FL_EV_RENEWED };
    machine_step(&renewed); // without a connection there is nobody to show it to
    assert_null(machine_said(FL_PARENT, FL_HELLO));
    child_join();
    machine_step(&renewed);
    assert_non_null(machine_said(FL_PARENT, FL_HELLO));
    assert_int_equal(machine_count(FL_FX_RECONNECT), 0);
    renewed.renewed.rekeyed = true;
    machine_step(&renewed); // also while a WELCOME is awaited
    assert_non_null(machine_said(FL_PARENT, FL_HELLO));
    assert_int_equal(machine_count(FL_FX_RECONNECT), 1);
    fl_message welcome = machine_welcome(3, 1);
    machine_hear_parent(&welcome, 0);
    assert_true(fl_participant_joined(child_member));
}

static void
a_task_of_another_run_begins_it_and_what_is_held_of_the_old_one_is_dropped(void **state)
{
    (void)state;
    static const fl_verb verbs[] = { FL_BEAT, FL_GRANT, FL_CLOSED, FL_REFUSED };
    child_work();
    child_task(9, 1, 5000); // rounds of the old run are far ahead
    (void)child_verdict();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) { // other words of it change nothing
        fl_message word = machine_message(verbs[i], 9);
        word.run = machine_run(2);
        machine_hear_parent(&word, 0);
        assert_true(child_no_verdict());
        assert_null(machine_said(FL_PARENT, FL_HELLO));
    }
    fl_order left = child_order;
    child_order = machine_order(1);
    child_order.run = machine_run(2);
    fl_message task = machine_task(&child_order, 1, 100);
    machine_hear_parent(&task, 0);
    fl_verdict verdict = child_verdict();
    assert_true(fl_run_equal(&verdict.run, &left.run));
    assert_int_equal(verdict.round, 9);
    assert_int_equal(verdict.outcome, FL_OUT_REFUSED);
    assert_int_equal(verdict.reason, FL_WHY_UNKNOWN_RUN);
    assert_true(fl_participant_wants(child_member)); // round 1 again, and the model is held
    fl_message old = machine_task(&left, 1, 100);    // the old one again does not take us back
    machine_hear_parent(&old, 0);
    assert_true(child_no_verdict());
    old.task.attempt = 2; // a new attempt of it does
    machine_hear_parent(&old, 0);
    assert_int_equal(child_verdict().round, 1);
}

static void
a_goodbye_is_said_to_who_can_hear_it_and_is_for_good(void **state)
{
    (void)state;
    child_join();
    machine_clear();
    fl_participant_leave(child_member, FL_WHY_LEFT, machine_out);
    machine_proof();
    assert_int_equal(machine_said(FL_PARENT, FL_LEAVE)->leave.reason, FL_WHY_LEFT);
    assert_int_equal(fl_participant_deadline(child_member), FL_NEVER);
    fl_message refused = machine_refused(FL_BEAT, 0, FL_WHY_UNKNOWN_SEAT);
    machine_hear_parent(&refused, 0);
    assert_null(machine_said(FL_PARENT, FL_HELLO));
    (void)child_destroy(state);
    (void)child_new(state);
    machine_clear();
    fl_participant_leave(child_member, FL_WHY_LEFT, machine_out);
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

static void
verbs_that_are_not_for_a_child_are_noted_and_dropped(void **state)
{
    (void)state;
    static const fl_verb verbs[] = { FL_HELLO,    FL_CONTRIB, FL_LEAVE, FL_DENY, FL_ENROL,
                                     FL_ENROLLED, FL_CHUNK,   FL_FETCH, FL_ASK,  FL_ANSWER };
    child_work();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        fl_message message = machine_message(verbs[i], 1);
        machine_hear_parent(&message, 0);
        assert_int_equal(machine_note(FL_NOTE_REFUSED)->reason, FL_WHY_MALFORMED);
        assert_int_equal(fl_outbox_count(machine_out), 1);
    }
}

// ---- a task and its model ---------------------------------------------------------------------
static void
a_task_is_worked_on_once_its_model_is_here(void **state)
{
    (void)state;
    child_join();
    child_task(1, 1, 500);
    assert_int_equal(machine_said_count(FL_PARENT, FL_FETCH), 2);
    assert_int_equal(machine_effect(FL_FX_LANE)->lane.port, 1002);
    assert_int_equal(fl_participant_activity(child_member), FL_DOING_FETCH);
    assert_int_equal(fl_participant_due(child_member), 1500);
    assert_null(fl_participant_task(child_member));
    child_fetch_all();
    machine_model(true);
    assert_int_equal(machine_note(FL_NOTE_MODEL)->a, MACHINE_MODEL);
    assert_false(machine_effect(FL_FX_LANE)->lane.open);
    assert_true(fl_participant_wants(child_member));
    assert_int_equal(fl_participant_task(child_member)->order.round, 1);
    child_task(2, 1, 500); // the same model: no fetch
    assert_true(fl_participant_wants(child_member));
    assert_null(machine_said(FL_PARENT, FL_FETCH));
}

static void
a_fetch_that_stands_still_is_asked_for_again(void **state)
{
    (void)state;
    child_join();
    child_task(1, 1, 5000);
    fl_message beat = machine_message(FL_BEAT, 0);
    machine_now = 1199;
    machine_hear_parent(&beat, 0);
    machine_tick();
    assert_null(machine_said(FL_PARENT, FL_FETCH));
    assert_true(fl_participant_deadline(child_member) <= 1200);
    machine_now = 1200;
    machine_tick();
    assert_int_equal(machine_said_count(FL_PARENT, FL_FETCH), 2);
    assert_int_equal(machine_count(FL_FX_LANE), 2);
}

//  The parent lives, whatever time it is.
static void
s_tick_heard(fl_time now)
{
    fl_message beat = machine_message(FL_BEAT, 0);
    machine_now = now;
    machine_hear_parent(&beat, 0);
    machine_tick();
}

//  All of it comes, and fails its check.
static void
s_fail_the_check(fl_reason reason)
{
    child_fetch_all();
    fl_event event = { .kind = FL_EV_MODEL };
    event.token = machine_token(FL_FX_CHECK, 0);
    event.model.reason = reason;
    machine_step(&event);
}

//  Nothing is asked for before `until`, everything at it.
static void
s_await_the_fetch(fl_time until)
{
    s_tick_heard(until - 1);
    assert_null(machine_said(FL_PARENT, FL_FETCH));
    assert_true(fl_participant_deadline(child_member) <= until);
    s_tick_heard(until);
    assert_int_equal(machine_said_count(FL_PARENT, FL_FETCH), 2);
    assert_int_equal(machine_said(FL_PARENT, FL_FETCH)->fetch.offset, CHILD_CHUNK);
    assert_int_equal(machine_count(FL_FX_LANE), 1);
}

static void
a_model_with_wrong_bytes_is_fetched_again_from_the_start_after_a_pause(void **state)
{
    (void)state;
    child_join();
    child_task(1, 1, 5000);
    s_fail_the_check(FL_WHY_NONE);
    const fl_note *note = machine_note(FL_NOTE_MODEL_FAILED);
    assert_int_equal(note->reason, FL_WHY_HASH);
    assert_in_range(note->b, 50, 100);
    fl_time until = machine_now + (fl_time)note->b;
    assert_null(machine_said(FL_PARENT, FL_FETCH));
    fl_message piece = machine_message(FL_PIECE, 1); // one that was still under way
    piece.piece = (fl_piece){ .hash = machine_hash(1), .total = MACHINE_MODEL };
    machine_hear_parent(&piece, CHILD_CHUNK);
    assert_int_equal(machine_count(FL_FX_PLACE), 0);
    machine_model(true); // of nothing that is being checked
    assert_false(fl_participant_wants(child_member));
    s_await_the_fetch(until);
    child_fetch_all();
    machine_model(true);
    assert_true(fl_participant_wants(child_member));
}

static void
a_model_that_never_passes_its_check_ends_the_task_and_is_tried_again_in_the_next(void **state)
{
    (void)state;
    static const fl_reason reasons[] = { FL_WHY_HASH, FL_WHY_STORAGE };
    uint64_t failures = 0;
    fl_time until = 0;
    child_join();
    for (uint64_t round = 1; round <= 2; round++) {
        child_task(round, 1, 5000);
        for (int tries = 1; tries <= 3; tries++) {
            if (until > 0) {
                s_await_the_fetch(until);
            }
            s_fail_the_check(reasons[round - 1]);
            const fl_note *note = machine_note(FL_NOTE_MODEL_FAILED);
            assert_int_equal(note->reason, reasons[round - 1]);
            assert_int_equal(note->a, ++failures);
            uint64_t most = failures > 2 ? 400 : 100u << (failures - 1);
            assert_in_range(note->b, most / 2, most);
            until = machine_now + (fl_time)note->b;
            assert_int_equal(machine_said_count(FL_PARENT, FL_REFUSED), tries == 3);
        }
        const fl_message *refused = machine_said(FL_PARENT, FL_REFUSED);
        assert_int_equal(refused->refused.about, FL_TASK);
        assert_int_equal(refused->refused.reason, reasons[round - 1]);
        assert_int_equal(machine_note(FL_NOTE_DECLINED)->reason, reasons[round - 1]);
        s_tick_heard(until); // the pause is over, but the task is, too
        assert_null(machine_said(FL_PARENT, FL_FETCH));
        child_task(round, 1, 5000); // said again, and answered again
        assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->refused.reason, reasons[round - 1]);
        until = 0;
    }
    child_task(3, 1, 5000);
    child_fetch_all();
    machine_model(true);
    assert_true(fl_participant_wants(child_member));
}

static void
a_new_task_does_not_cut_the_pause_short(void **state)
{
    (void)state;
    child_join();
    child_task(1, 1, 5000);
    s_fail_the_check(FL_WHY_NONE);
    fl_time until = machine_now + (fl_time)machine_note(FL_NOTE_MODEL_FAILED)->b;
    child_task(2, 1, 5000);
    assert_null(machine_said(FL_PARENT, FL_FETCH));
    assert_int_equal(fl_participant_activity(child_member), FL_DOING_FETCH);
    s_await_the_fetch(until);
    child_fetch_all();
    machine_model(true);
    assert_true(fl_participant_wants(child_member));
}

static void
a_fetch_goes_on_where_it_was_after_a_reconnect(void **state)
{
    (void)state;
    child_join();
    child_task(1, 1, 5000);
    fl_message piece = machine_message(FL_PIECE, 1);
    piece.piece = (fl_piece){ .hash = machine_hash(1), .total = MACHINE_MODEL };
    machine_hear_parent(&piece, CHILD_CHUNK);
    machine_now += 301;
    machine_tick(); // silence
    machine_hear_parent(&piece, CHILD_CHUNK);
    assert_int_equal(machine_count(FL_FX_PLACE), 0); // no seat, no pieces
    machine_now = fl_participant_deadline(child_member);
    machine_tick();
    fl_message welcome = machine_welcome(3, 1);
    machine_hear_parent(&welcome, 0);
    assert_int_equal(machine_said(FL_PARENT, FL_FETCH)->fetch.offset, CHILD_CHUNK);
    machine_hear_parent(&piece, CHILD_CHUNK); // had it
    assert_int_equal(machine_note(FL_NOTE_CHUNK_DROPPED)->reason, FL_WHY_DUPLICATE);
}

static void
an_old_task_and_one_that_is_over_change_nothing(void **state)
{
    (void)state;
    child_work();
    child_closed(1, 1, FL_OUT_IN, FL_WHY_NONE, false);
    (void)child_verdict();
    child_task(1, 1, 500);
    assert_int_equal(fl_outbox_count(machine_out), 0);
    child_task(1, 2, 500); // but another attempt begins again
    assert_true(fl_participant_wants(child_member));
    child_task(1, 1, 500);
    assert_int_equal(fl_outbox_count(machine_out), 0);
    child_task(2, 1, 500);
    child_task(1, 9, 500); // of a parent that remembers less than we do
    const fl_message *said = machine_said(FL_PARENT, FL_REFUSED);
    assert_true(said != NULL && said->round == 1 && said->refused.about == FL_TASK);
    assert_int_equal(said->refused.reason, FL_WHY_RESTORED);
    assert_int_equal(fl_participant_task(child_member)->order.round, 2);
}

static void
a_newer_task_replaces_an_older_one_in_any_state(void **state)
{
    (void)state;
    child_work();
    child_task(2, 1, 500);
    fl_verdict verdict = child_verdict();
    assert_int_equal(verdict.round, 1);
    assert_int_equal(verdict.outcome, FL_OUT_LATE);
    assert_true(verdict.certain);
    child_offer();
    child_task(3, 1, 500);
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, CHILD_VEC);
    assert_true(child_verdict().certain); // nothing was sent
    child_offer();
    child_grant(1, 0, CHILD_BYTES, 0);
    child_task(4, 1, 500);
    assert_false(child_verdict().certain); // it may have been counted
}

// ---- our own invariants -----------------------------------------------------------------------
static void
s_offer_without_a_task(void)
{
    child_offer();
}

static void
s_decline_without_a_task(void)
{
    fl_participant_decline(child_member, FL_WHY_NAN, "", 0, machine_out);
}

static void
s_hear_a_child(void)
{
    fl_message beat = machine_message(FL_BEAT, 0);
    machine_hear_child(1, &beat, 0);
}

static void
s_hear_of_a_fold(void)
{
    machine_step(&(fl_event){ .kind = FL_EV_FOLDED });
}

static void
an_answer_that_nobody_waits_for_changes_nothing(void **state)
{
    (void)state;
    fl_event masked = { .kind = FL_EV_MASKED, .token = 5 };
    machine_step(&masked);
    machine_saved(5, true);
    assert_int_equal(fl_outbox_count(machine_out), 0);
    masked.masked.vec = 9;
    machine_step(&masked);
    assert_int_equal(fl_outbox_count(machine_out), 1);
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, 9);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_offer_without_a_task));
    assert_true(unit_dies(s_decline_without_a_task));
    assert_true(unit_dies(s_hear_a_child));
    assert_true(unit_dies(s_hear_of_a_fold));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, child_new, child_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_says_hello_on_a_connection_of_its_own),
        TEST(lanes_are_tried_at_the_join_and_named_when_they_stay_shut),
        TEST(lanes_that_opened_are_not_tried_again_for_another_seat),
        TEST(a_lost_welcome_costs_one_connection),
        TEST(a_refused_hello_is_tried_again_after_the_backoff),
        TEST(a_seated_child_beats_and_leaves_a_silent_parent),
        TEST(a_parent_that_was_left_is_asked_again_after_the_backoff),
        TEST(a_pause_of_the_run_is_heard_on_a_beat),
        TEST(an_unknown_seat_or_ticket_means_hello_once_more_without_a_new_connection),
        TEST(another_certificate_is_shown_at_once_and_other_keys_on_a_new_connection),
        TEST(a_task_of_another_run_begins_it_and_what_is_held_of_the_old_one_is_dropped),
        TEST(a_goodbye_is_said_to_who_can_hear_it_and_is_for_good),
        TEST(verbs_that_are_not_for_a_child_are_noted_and_dropped),
        TEST(a_task_is_worked_on_once_its_model_is_here),
        TEST(a_fetch_that_stands_still_is_asked_for_again),
        TEST(a_model_with_wrong_bytes_is_fetched_again_from_the_start_after_a_pause),
        TEST(a_model_that_never_passes_its_check_ends_the_task_and_is_tried_again_in_the_next),
        TEST(a_new_task_does_not_cut_the_pause_short),
        TEST(a_fetch_goes_on_where_it_was_after_a_reconnect),
        TEST(an_old_task_and_one_that_is_over_change_nothing),
        TEST(a_newer_task_replaces_an_older_one_in_any_state),
        TEST(an_answer_that_nobody_waits_for_changes_nothing),
        TEST(misuse_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
