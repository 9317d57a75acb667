#include "device/device.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <string.h>

enum { UPDATE = 5, ENCODED = 6, SAMPLES = 95 };

static fl_device *device;
static fl_order order;
static uint32_t weight_max; // of the plan; 0: the usual one
static fl_weighting weighting;

static int
s_new(void **state)
{
    (void)state;
    device = fl_device_new(&(fl_participant_conf){ .node = machine_node("d1"),
                                                   .role = FL_ROLE_DEVICE,
                                                   .samples = 61, // of which it may see fewer
                                                   .incarnation = 5,
                                                   .beat_ms = 100,
                                                   .backoff_min_ms = 100,
                                                   .backoff_max_ms = 400 });
    assert_non_null(device);
    machine_it = fl_device_machine(device);
    machine_now = 1000;
    return 0;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_device_destroy(&device);
    return 0;
}

// ---- as far as ... ----------------------------------------------------------------------------
static void
s_task_under(uint64_t round, uint32_t attempt, fl_late late)
{
    order = machine_order(round);
    order.model = machine_hash(1);
    order.plan.late = (uint8_t)late;
    order.plan.weight_max = weight_max > 0 ? weight_max : order.plan.weight_max;
    order.plan.weighting = (uint8_t)weighting;
    fl_message task = machine_task(&order, attempt, 5000);
    machine_hear_parent(&task, 0);
}

static void
s_task(uint64_t round, uint32_t attempt)
{
    s_task_under(round, attempt, FL_LATE_CARRY);
}

//  Joined, the model of all rounds here, and the training of round 1 begun.
static void
s_begin(void)
{
    machine_tick();
    fl_message welcome = machine_welcome(0, 1);
    machine_hear_parent(&welcome, 0);
    s_task(1, 1);
    machine_fetch();
    assert_int_equal(machine_count(FL_FX_TRAIN), 1);
}

static void
s_trained(fl_reason reason)
{
    fl_event event = { .kind = FL_EV_TRAINED };
    event.token = machine_token(FL_FX_TRAIN, 0);
    event.trained.reason = reason;
    event.trained.update = reason == FL_WHY_NONE ? UPDATE : 0;
    event.trained.samples = SAMPLES;
    event.trained.stats[FL_STAT_SAMPLES] = SAMPLES;
    machine_step(&event);
}

static void
s_encoded(fl_reason reason, uint64_t saturated)
{
    fl_event event = { .kind = FL_EV_ENCODED, .token = machine_token(FL_FX_ENCODE, 0) };
    event.encoded.reason = reason;
    event.encoded.vec = reason == FL_WHY_NONE ? ENCODED : 0;
    event.encoded.hash = machine_hash(70);
    event.encoded.bytes = MACHINE_VECTOR;
    event.encoded.saturated = saturated;
    machine_step(&event);
}

static void
s_closed(uint64_t round, uint32_t attempt, fl_outcome outcome, fl_reason reason, bool final)
{
    fl_message closed = machine_closed(round, attempt, outcome, reason);
    closed.closed.final = final;
    machine_hear_parent(&closed, 0);
}

//  The contribution of round 1 is on offer, no byte of it sent.
static void
s_offer(void)
{
    s_begin();
    s_trained(FL_WHY_NONE);
    s_encoded(FL_WHY_NONE, 0);
    assert_non_null(machine_said(FL_PARENT, FL_CONTRIB));
}

static void
s_send(uint32_t attempt)
{
    fl_message grant = machine_message(FL_GRANT, order.round);
    grant.grant = (fl_grant){
        .attempt = attempt, .hash = machine_hash(70), .limit = MACHINE_VECTOR, .chunk_bytes = 1
    };
    machine_hear_parent(&grant, 0);
    assert_int_equal(machine_count(FL_FX_PUSH), 1);
}

static bool
s_dropped(fl_vec vec)
{
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        const fl_effect *effect = fl_outbox_at(machine_out, i);
        if (effect->kind == FL_FX_DROP && effect->drop.vec == vec) {
            return true;
        }
    }
    return false;
}

// ---- one round --------------------------------------------------------------------------------
static void
a_task_is_trained_encoded_and_offered(void **state)
{
    (void)state;
    s_begin();
    assert_int_equal(machine_effect(FL_FX_TRAIN)->train.budget_ms, 5000);
    assert_int_equal(machine_effect(FL_FX_TRAIN)->train.order.round, 1);
    assert_int_equal(fl_participant_activity(fl_device_participant(device)), FL_DOING_TRAIN);
    s_trained(FL_WHY_NONE);
    const fl_effect *encode = machine_effect(FL_FX_ENCODE);
    assert_int_equal(encode->encode.update, UPDATE);
    assert_int_equal(encode->encode.weight, 10); // 95 samples in units of ten
    assert_int_equal(fl_participant_activity(fl_device_participant(device)), FL_DOING_ENCODE);
    s_encoded(FL_WHY_NONE, 3);
    assert_int_equal(machine_note(FL_NOTE_SATURATED)->a, 3);
    const fl_contrib *contrib = &machine_said(FL_PARENT, FL_CONTRIB)->contrib;
    assert_int_equal(contrib->weight, 10);
    assert_int_equal(contrib->count, 1);
    assert_int_equal(contrib->base_round, 1);
    assert_int_equal(contrib->stats[FL_STAT_SAMPLES], SAMPLES);
    assert_int_equal(contrib->stats[FL_STAT_SATURATED], 3);
    s_send(1);
    s_closed(1, 1, FL_OUT_IN, FL_WHY_NONE, false);
    assert_true(s_dropped(ENCODED) && s_dropped(UPDATE));
    s_task(2, 1);
    assert_int_equal(machine_count(FL_FX_TRAIN), 1);
}

static void
a_training_that_fails_declines_the_task(void **state)
{
    static const fl_reason reasons[] = { FL_WHY_NO_DATA, FL_WHY_TRAINER, FL_WHY_MODEL };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        fl_device_destroy(&device);
        (void)s_new(state);
        s_begin();
        s_trained(reasons[i]);
        assert_true(machine_refuses(FL_PARENT, FL_TASK, reasons[i]));
        assert_int_equal(machine_count(FL_FX_TRAIN), 0);
        s_closed(1, 1, FL_OUT_REFUSED, reasons[i], false);
        s_task(2, 1);
        assert_int_equal(machine_count(FL_FX_TRAIN), 1);
    }
}

static void
an_update_with_nan_declines_the_task(void **state)
{
    (void)state;
    s_begin();
    s_trained(FL_WHY_NONE);
    s_encoded(FL_WHY_NAN, 0);
    assert_true(machine_refuses(FL_PARENT, FL_TASK, FL_WHY_NAN));
    assert_true(s_dropped(UPDATE));
}

// ---- late updates -----------------------------------------------------------------------------
static void
a_late_update_is_offered_to_the_next_round_with_less_weight(void **state)
{
    (void)state;
    s_offer();
    s_send(1);
    s_closed(1, 1, FL_OUT_LATE, FL_WHY_LATE, false);
    assert_true(s_dropped(ENCODED) && !s_dropped(UPDATE));
    s_task(2, 1);
    assert_int_equal(machine_count(FL_FX_TRAIN), 0);
    assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.weight, 5); // 10 / (1 + 1)
    assert_int_equal(machine_note(FL_NOTE_CARRIED)->a, 1);
    s_encoded(FL_WHY_NONE, 0);
    assert_int_equal(machine_said(FL_PARENT, FL_CONTRIB)->contrib.base_round, 1);
    s_closed(2, 1, FL_OUT_LATE, FL_WHY_LATE, false);
    s_task(3, 1);
    assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.weight, 3); // 10 / (1 + 2)
    s_encoded(FL_WHY_NONE, 0);
    s_closed(3, 1, FL_OUT_LATE, FL_WHY_LATE, false);
    s_task(4, 1); // staleness 3 is above the plan's 2
    assert_int_equal(machine_note(FL_NOTE_DROPPED)->a, 3);
    assert_true(s_dropped(UPDATE));
    assert_int_equal(machine_count(FL_FX_TRAIN), 1);
}

static void
a_plan_that_drops_late_updates_has_them_dropped(void **state)
{
    (void)state;
    s_begin();
    s_closed(1, 1, FL_OUT_LATE, FL_WHY_LATE, false);
    s_task_under(2, 1, FL_LATE_DROP); // training for round 1 still runs
    assert_int_equal(machine_count(FL_FX_CANCEL), 1);
    machine_tick();
    assert_int_equal(machine_count(FL_FX_CANCEL), 0); // said once
    s_trained(FL_WHY_TRAINER);
    assert_null(machine_said(FL_PARENT, FL_REFUSED)); // that is no answer to round 2
    assert_int_equal(machine_effect(FL_FX_TRAIN)->train.order.round, 2);
    s_trained(FL_WHY_NONE);
    s_encoded(FL_WHY_NONE, 0);
    s_closed(2, 1, FL_OUT_LATE, FL_WHY_LATE, false);
    assert_true(s_dropped(UPDATE));
}

static void
a_training_that_a_newer_round_overtook_is_carried_into_it(void **state)
{
    (void)state;
    s_begin();
    s_task(2, 1);
    assert_int_equal(machine_count(FL_FX_CANCEL), 0);
    s_trained(FL_WHY_NONE);
    assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.order.round, 2);
    assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.weight, 5);
}

//  90 of its 95 samples count: the device says so, and so does what it sends.
static void
samples_above_the_largest_weight_are_counted_and_said(void **state)
{
    for (uint32_t most = 9; most <= 10; most++) {
        s_destroy(state);
        assert_int_equal(s_new(state), 0);
        weight_max = most;
        s_offer();
        weight_max = 0;
        assert_int_equal(machine_note(FL_NOTE_WEIGHT_CAPPED) != NULL, most == 9);
        const fl_contrib *contrib = &machine_said(FL_PARENT, FL_CONTRIB)->contrib;
        assert_int_equal(contrib->weight, most);
        assert_int_equal(contrib->stats[FL_STAT_CAPPED], most == 9);
    }
}

//  Of a training of 95 samples, two rounds late: by samples it weighs 10 and is damped; a class is
//  that of the 61 that were there at the start.
static void
only_a_weight_by_samples_is_less_when_it_is_late(void **state)
{
    static const uint64_t late[FL_WEIGHTING_COUNT] = { 5, 1, 4 };
    for (unsigned i = 0; i < FL_WEIGHTING_COUNT; i++) {
        s_destroy(state);
        assert_int_equal(s_new(state), 0);
        weighting = (fl_weighting)i;
        weight_max = weighting == FL_WEIGHTING_EQUAL ? 1 : 0;
        s_begin();
        s_task(2, 1);
        s_trained(FL_WHY_NONE);
        assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.weight, late[i]);
    }
    weighting = FL_WEIGHTING_SAMPLES;
    weight_max = 0;
}

static void
an_encoding_for_a_round_that_is_gone_is_made_again_for_the_new_one(void **state)
{
    (void)state;
    s_begin();
    s_trained(FL_WHY_NONE);
    s_task(2, 1);
    assert_int_equal(machine_count(FL_FX_ENCODE), 0);
    s_encoded(FL_WHY_NONE, 0);
    assert_true(s_dropped(ENCODED) && !s_dropped(UPDATE));
    assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.order.round, 2);
}

static void
what_may_have_been_counted_is_never_offered_again(void **state)
{
    (void)state;
    s_offer();
    s_send(1);
    s_task(2, 1); // no verdict came about round 1
    assert_true(s_dropped(UPDATE));
    assert_int_equal(machine_count(FL_FX_ENCODE), 0);
    assert_int_equal(machine_effect(FL_FX_TRAIN)->train.order.round, 2);
}

static void
what_was_not_sent_whole_may_be_offered_again(void **state)
{
    (void)state;
    s_offer();
    s_task(2, 1);
    assert_false(s_dropped(UPDATE));
    assert_int_equal(machine_count(FL_FX_ENCODE), 1);
}

static void
a_refused_update_is_spent(void **state)
{
    (void)state;
    s_offer();
    s_closed(1, 1, FL_OUT_REFUSED, FL_WHY_BASE, false);
    assert_true(s_dropped(UPDATE));
}

static void
an_update_of_another_run_is_dropped(void **state)
{
    (void)state;
    s_offer();
    s_closed(1, 1, FL_OUT_LATE, FL_WHY_LATE, false);
    fl_message word = machine_message(FL_BEAT, 0);
    word.run = machine_run(2);
    machine_hear_parent(&word, 0);
    fl_message welcome = machine_welcome(0, 1);
    welcome.run = machine_run(2);
    machine_hear_parent(&welcome, 0);
    order = machine_order(2);
    order.model = machine_hash(1);
    order.run = machine_run(2);
    fl_message task = machine_task(&order, 1, 500);
    machine_hear_parent(&task, 0);
    assert_true(s_dropped(UPDATE));
    assert_int_equal(machine_count(FL_FX_TRAIN), 1);
}

//  Both runs have a round 1.
static void
bytes_of_another_run_are_not_offered(void **state)
{
    (void)state;
    s_begin();
    s_trained(FL_WHY_NONE);
    fl_order next = order;
    next.run = machine_run(2);
    fl_message task = machine_task(&next, 1, 5000);
    machine_hear_parent(&task, 0); // while the update is encoded for the old one
    s_encoded(FL_WHY_NONE, 0);
    assert_true(s_dropped(ENCODED) && s_dropped(UPDATE));
    assert_null(machine_said(FL_PARENT, FL_CONTRIB));
    assert_true(fl_run_equal(&machine_effect(FL_FX_TRAIN)->train.order.run, &next.run));
}

static void
a_new_attempt_of_the_round_has_the_update_encoded_anew(void **state)
{
    (void)state;
    s_offer();
    s_closed(1, 1, FL_OUT_LATE, FL_WHY_RESTART, false);
    s_task(1, 2);
    assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.weight, 10);
    s_closed(1, 2, FL_OUT_REFUSED, FL_WHY_ABORTED, false); // while the encoder reads it
    assert_false(s_dropped(UPDATE));
    s_encoded(FL_WHY_NONE, 0);
    assert_true(s_dropped(ENCODED));
}

// ---- the end ----------------------------------------------------------------------------------
static void
the_end_of_the_run_stops_what_runs_and_frees_what_is_held(void **state)
{
    (void)state;
    s_begin();
    s_closed(1, 1, FL_OUT_LATE, FL_WHY_NONE, true);
    assert_true(fl_device_done(device));
    assert_int_equal(machine_count(FL_FX_CANCEL), 1);
    s_trained(FL_WHY_NONE); // it had just been ready
    assert_true(s_dropped(UPDATE));
    assert_int_equal(machine_count(FL_FX_ENCODE), 0);
    fl_device_destroy(&device);
    (void)s_new(state);
    s_begin();
    s_trained(FL_WHY_NONE);
    s_closed(1, 1, FL_OUT_LATE, FL_WHY_NONE, true);
    assert_false(s_dropped(UPDATE)); // the encoder reads it
    s_encoded(FL_WHY_NONE, 0);
    assert_true(s_dropped(ENCODED) && s_dropped(UPDATE));
    s_task(2, 1); // it stays, and goes on when there is work again
    assert_false(fl_device_done(device));
    assert_int_equal(machine_count(FL_FX_TRAIN), 1);
}

static void
a_stop_says_goodbye_and_cancels(void **state)
{
    (void)state;
    s_begin();
    machine_step(&(fl_event){ .kind = FL_EV_STOP });
    assert_int_equal(machine_count(FL_FX_CANCEL), 1);
    assert_non_null(machine_said(FL_PARENT, FL_LEAVE));
    assert_true(fl_device_done(device));
}

static void
an_answer_that_nobody_waits_for_is_freed(void **state)
{
    (void)state;
    s_offer();
    s_trained(FL_WHY_NONE);
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, UPDATE);
    s_encoded(FL_WHY_NONE, 0);
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, ENCODED);
}

// ---- our own invariants -----------------------------------------------------------------------
static void
s_train_an_edge(void)
{
    (void)fl_device_new(&(fl_participant_conf){ .role = FL_ROLE_EDGE });
}

static void
s_fold(void)
{
    machine_step(&(fl_event){ .kind = FL_EV_FOLDED });
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_train_an_edge));
    assert_true(unit_dies(s_fold));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_destroy)

// ---- its site ---------------------------------------------------------------------------------
static fl_reason verdict;

static fl_reason
s_judge(void *self, const fl_order *asked, char text[FL_TEXT_MAX])
{
    assert_null(self);
    assert_int_equal(asked->round, order.round);
    memcpy(text, "not here", sizeof "not here");
    return verdict;
}

static void
what_its_site_refuses_is_declined_before_anything_is_done(void **state)
{
    (void)state;
    fl_device_destroy(&device);
    device = fl_device_new(&(fl_participant_conf){ .node = machine_node("d1"),
                                                   .role = FL_ROLE_DEVICE,
                                                   .incarnation = 5,
                                                   .beat_ms = 100,
                                                   .backoff_min_ms = 100,
                                                   .backoff_max_ms = 400,
                                                   .judge = s_judge });
    machine_it = fl_device_machine(device);
    verdict = FL_WHY_APPROVAL;
    machine_tick();
    fl_message welcome = machine_welcome(0, 1);
    machine_hear_parent(&welcome, 0);
    s_task(1, 1);
    const fl_message *said = machine_said(FL_PARENT, FL_REFUSED);
    assert_true(said->round == 1 && said->refused.reason == FL_WHY_APPROVAL);
    assert_string_equal(said->refused.text, "not here");
    assert_int_equal(machine_count(FL_FX_LANE), 0); // no model is fetched for it
    assert_false(fl_participant_busy(fl_device_participant(device)));
    verdict = FL_WHY_NONE;
    s_task(2, 1);
    assert_null(machine_said(FL_PARENT, FL_REFUSED));
    assert_int_equal(machine_count(FL_FX_LANE), 1);
}

static void
a_training_that_was_cut_short_is_offered_and_named(void **state)
{
    (void)state;
    s_begin();
    fl_event event = { .kind = FL_EV_TRAINED, .token = machine_token(FL_FX_TRAIN, 0) };
    event.trained.update = UPDATE;
    event.trained.samples = 30; // that it saw
    event.trained.steps = 3;
    event.trained.steps_wanted = 10;
    machine_step(&event);
    assert_int_equal(machine_effect(FL_FX_ENCODE)->encode.weight, 3); // in units of ten
    s_encoded(FL_WHY_NONE, 0);
    const fl_refused *refused = &machine_said(FL_PARENT, FL_REFUSED)->refused;
    assert_true(refused->reason == FL_WHY_PARTIAL && refused->about == FL_TASK);
    assert_int_equal(machine_note(FL_NOTE_PARTIAL)->a, 3);
    assert_int_equal(machine_note(FL_NOTE_PARTIAL)->b, 10);
    assert_int_equal(machine_said(FL_PARENT, FL_CONTRIB)->contrib.weight, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_trained_encoded_and_offered),
        TEST(a_training_that_fails_declines_the_task),
        TEST(an_update_with_nan_declines_the_task),
        TEST(a_late_update_is_offered_to_the_next_round_with_less_weight),
        TEST(a_plan_that_drops_late_updates_has_them_dropped),
        TEST(a_training_that_a_newer_round_overtook_is_carried_into_it),
        TEST(samples_above_the_largest_weight_are_counted_and_said),
        TEST(only_a_weight_by_samples_is_less_when_it_is_late),
        TEST(an_encoding_for_a_round_that_is_gone_is_made_again_for_the_new_one),
        TEST(what_may_have_been_counted_is_never_offered_again),
        TEST(what_was_not_sent_whole_may_be_offered_again),
        TEST(a_refused_update_is_spent),
        TEST(an_update_of_another_run_is_dropped),
        TEST(bytes_of_another_run_are_not_offered),
        TEST(a_new_attempt_of_the_round_has_the_update_encoded_anew),
        TEST(the_end_of_the_run_stops_what_runs_and_frees_what_is_held),
        TEST(a_stop_says_goodbye_and_cancels),
        TEST(an_answer_that_nobody_waits_for_is_freed),
        TEST(misuse_is_a_broken_invariant),
        unit_case(what_its_site_refuses_is_declined_before_anything_is_done, s_new, s_destroy),
        unit_case(a_training_that_was_cut_short_is_offered_and_named, s_new, s_destroy),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
