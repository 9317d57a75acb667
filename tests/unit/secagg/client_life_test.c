//  The member's half over time: tasks and updates that it takes or not, frames of other rounds,
//  deaths between any two steps, and what is left of a round when it is over.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/secagg/client_inside.h"
#include "common/wire/codec.h"

enum { VICTIM = 1 };

static fl_reason refused;
static uint32_t keys_said;

static bool
s_listen(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)to;
    if (from == VICTIM) {
        keys_said += message->verb == FL_KEYS;
        refused = message->verb == FL_REFUSED ? message->refused.reason : refused;
    }
    return true;
}

// ---- tasks -----------------------------------------------------------------------------------
static fl_reason
s_begin(masked_world *world, const fl_task *task)
{
    fl_reason reason = fl_secagg_client_begin(world->member[0].machine, task, &world->parent,
                                              world->now + 5000, world->now, world->out);
    masked_obey(world, 0);
    return reason;
}

//  Who knows the plan could make the update again: a member must have said that it may.
static void
a_pinned_task_is_refused_under_malicious_unless_it_is_allowed(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        masked_plan plan = masked_plan_small(3);
        masked_world *world = masked_new(&plan, 5);
        world->member[0].conf.pin_allowed = kind == 1;
        world->member[0].conf.profile = kind == 2 ? FL_MASKING_HONEST : FL_MASKING_MALICIOUS;
        masked_restart_member(world, 0);
        fl_task task = world->task;
        task.order.plan.pin = true;
        assert_int_equal(s_begin(world, &task), kind == 0 ? FL_WHY_POLICY_REFUSED : FL_WHY_NONE);
        masked_destroy(&world);
    }
}

static void
a_task_below_what_a_member_asks_for_is_refused(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    masked_world *world = masked_new(&plan, 5);
    fl_task task = world->task;
    task.order.plan.masking[0] = task.order.plan.masking[1] = FL_MASKING_HONEST;
    assert_int_equal(s_begin(world, &task), FL_WHY_POLICY_REFUSED);
    task.order.plan.masking[0] = task.order.plan.masking[1] = FL_MASKING_NONE;
    task.order.plan.block_max = 0;
    task.order.plan.step_ms = 0;
    assert_int_equal(s_begin(world, &task), FL_WHY_POLICY_REFUSED);
    assert_false(fl_secagg_client_open(world->member[0].machine, &task.order.plan));
    task = world->task;
    task.order.plan.weight_max = task.order.plan.devices_max = UINT32_MAX;
    assert_int_equal(s_begin(world, &task), FL_WHY_PLAN);
    assert_int_equal(fl_secagg_client_step_of(world->member[0].machine), FL_CLIENT_IDLE);
    assert_int_equal(s_begin(world, &world->task), FL_WHY_NONE);
    assert_int_equal(s_begin(world, &world->task), FL_WHY_NONE); // heard again
    task = world->task;
    task.order.manifest.bytes[0] ^= 1;
    assert_int_equal(s_begin(world, &task), FL_WHY_EQUIVOCATION);
    assert_int_equal(s_begin(world, &world->task), FL_WHY_STALE); // burnt is burnt
    masked_next_round(world, 2, false);
    assert_int_equal(s_begin(world, &world->task), FL_WHY_NONE);
    world->parent = identity_node("edge-b");
    assert_int_equal(s_begin(world, &world->task), FL_WHY_EQUIVOCATION); // of another parent
    masked_destroy(&world);
}

static void
an_update_is_judged_before_it_is_masked(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_client *machine = world->member[0].machine;
    fl_secagg_input good = { .vec = 1,
                             .elements = plan.elements,
                             .weight = 1,
                             .count = 1,
                             .base = world->task.order.model };
    fl_secagg_input bad = good;
    assert_int_equal(fl_secagg_client_trained(machine, &good, 0, world->out), FL_WHY_LATE);
    assert_int_equal(s_begin(world, &world->task), FL_WHY_NONE);
    bad.weight = 0;
    assert_int_equal(fl_secagg_client_trained(machine, &bad, 0, world->out), FL_WHY_WEIGHT);
    bad.count = 0;
    assert_int_equal(fl_secagg_client_trained(machine, &bad, 0, world->out), FL_WHY_WEIGHT);
    bad.count = 1;
    bad.weight = plan.weight_max + 1;
    assert_int_equal(fl_secagg_client_trained(machine, &bad, 0, world->out), FL_WHY_WEIGHT);
    bad = good;
    bad.elements++;
    assert_int_equal(fl_secagg_client_trained(machine, &bad, 0, world->out), FL_WHY_WEIGHT);
    bad = good;
    bad.base.bytes[0] ^= 1;
    assert_int_equal(fl_secagg_client_trained(machine, &bad, 0, world->out), FL_WHY_BASE);
    assert_int_equal(fl_secagg_client_trained(machine, &good, 0, world->out), FL_WHY_NONE);
    assert_int_equal(fl_secagg_client_trained(machine, &good, 0, world->out), FL_WHY_LATE);
    masked_destroy(&world);
}

// ---- strangers, replays, restarts ------------------------------------------------------------
enum { TAPE_MAX = 256 };
static struct {
    int32_t to;
    fl_blob *frame;
} tape[TAPE_MAX];
static uint32_t taped;

static bool
s_tape(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    if (from < 0 && taped < TAPE_MAX) {
        tape[taped].to = to;
        tape[taped++].frame = fl_encode(message, 0);
    }
    return true;
}

//  Hear frame `i` of the tape, with its envelope as it was or moved into this round.
static void
s_replay(masked_world *world, uint32_t i, bool moved, uint32_t block)
{
    fl_message message;
    fl_codec_result result = fl_decode(fl_blob_bytes(tape[i].frame), 0, &message);
    assert_int_equal(result.code, FL_CODEC_OK);
    message.round = moved ? world->task.order.round : message.round;
    message.dealt.block += block; // the first member of them all
    masked_say(world, VICTIM, &message);
}

static void
frames_of_another_round_block_or_run_change_nothing(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    taped = 0;
    world->hook = s_tape;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    masked_next_round(world, 2, false);
    world->hook = NULL;
    masked_open(world);
    fl_secagg_client *machine = world->member[VICTIM].machine;
    uint32_t steps = 0;
    do { // in every state, each frame of the round before; dealings of another block too
        fl_secagg_step step = fl_secagg_client_step_of(machine);
        for (uint32_t i = 0; i < taped; i++) {
            s_replay(world, i, false, 0);
            assert_int_equal(fl_secagg_client_step_of(machine), step);
        }
        steps++;
    } while (masked_deliver(world));
    assert_true(steps > 20);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    for (uint32_t i = 0; i < taped; i++) {
        fl_blob_unref(&tape[i].frame);
    }
    masked_destroy(&world);
}

static void
frames_moved_into_this_round_never_give_a_wrong_sum(void **state)
{
    (void)state;
    for (uint32_t due = 0; due < 5; due++) {
        masked_plan plan = masked_plan_small(5);
        masked_world *world = masked_new(&plan, 5);
        taped = 0;
        world->hook = s_tape;
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        masked_next_round(world, 2, false);
        world->hook = NULL;
        masked_open(world);
        uint32_t delivered = 0;
        while (masked_deliver(world) && delivered++ < due * 8) {
        }
        for (uint32_t i = 0; i < taped; i++) {
            s_replay(world, i, true, due % 2);
        }
        bool exact = masked_run(world) == FL_WHY_NONE;
        assert_int_equal(masked_sum_exact(world), exact);
        for (uint32_t i = 0; i < taped; i++) {
            fl_blob_unref(&tape[i].frame);
        }
        masked_destroy(&world);
    }
}

// ---- time, storage, secrets ------------------------------------------------------------------
static void
an_unanswered_message_is_repeated_and_given_up_in_the_end(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    masked_world *world = masked_new(&plan, 5);
    keys_said = 0;
    world->hook = s_listen;
    masked_begin(world, VICTIM);
    fl_secagg_client *machine = world->member[VICTIM].machine;
    for (uint32_t i = 1; i < 4; i++) {
        world->now = fl_secagg_client_deadline(machine);
        if (i < 2) {
            fl_secagg_client_tick(machine, world->now - 1, world->out);
            masked_obey(world, VICTIM);
            assert_int_equal(keys_said, i);
        }
        fl_secagg_client_tick(machine, world->now, world->out);
        masked_obey(world, VICTIM);
    }
    assert_int_equal(refused, FL_WHY_SILENT);
    assert_true(fl_secagg_client_deadline(machine) == FL_NEVER);
    fl_secagg_client_again(machine, world->now, world->out);
    assert_int_equal(fl_outbox_count(world->out), 0); // nothing to say
    masked_destroy(&world);
}

static void
a_task_heard_again_with_more_time_is_given_more(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_client *machine = world->member[0].machine;
    assert_int_equal(s_begin(world, &world->task), FL_WHY_NONE);
    fl_time until = world->now + 5000;
    assert_int_equal(fl_secagg_client_deadline(machine), until); // `again` is far away
    world->now -= 100;
    assert_int_equal(s_begin(world, &world->task), FL_WHY_NONE);
    assert_int_equal(fl_secagg_client_deadline(machine), until); // not less
    world->now += 800;
    assert_int_equal(s_begin(world, &world->task), FL_WHY_NONE);
    assert_int_equal(fl_secagg_client_deadline(machine), until + 700);
    masked_destroy(&world);
}

static void
s_under_in_a_round(void)
{
    masked_plan plan = masked_plan_small(3);
    masked_world *world = masked_new(&plan, 5);
    (void)s_begin(world, &world->task);
    fl_secagg_client_under(world->member[0].machine, &world->parent, 2);
}

static void
a_participant_signs_for_its_new_hop_and_never_changes_it_within_a_round(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    plan.hop = 2;
    masked_world *world = masked_new(&plan, 5);
    for (uint32_t i = 0; i < 3; i++) {
        world->member[i].conf.hop = 1;
        masked_restart_member(world, i);
        fl_secagg_client_under(world->member[i].machine, &world->parent, 2);
    }
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    masked_next_round(world, 2, false);
    fl_secagg_client_end(world->member[0].machine, FL_WHY_NONE, world->out);
    masked_obey(world, 0);
    fl_secagg_client_under(world->member[0].machine, &world->parent, 1);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_ROSTER_TOO_SMALL); // its keys are of another hop
    masked_destroy(&world);
    assert_true(unit_dies(s_under_in_a_round));
}

static bool
s_all_zero(const void *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum |= ((const uint8_t *)bytes)[i];
    }
    return sum == 0;
}

static void
secrets_are_gone_when_a_round_ends(void **state)
{
    (void)state;
    for (uint32_t steps = 0; steps < 60; steps += 3) {
        masked_plan plan = masked_plan_small(4);
        masked_world *world = masked_new(&plan, 5);
        fl_secagg_client *machine = world->member[VICTIM].machine;
        masked_open(world);
        assert_false(s_all_zero(machine->secrets, sizeof *machine->secrets)); // it can fail
        for (uint32_t i = 0; i < steps; i++) {
            (void)masked_deliver(world);
        }
        if (fl_secagg_client_step_of(machine) >= FL_CLIENT_MASKED) {
            assert_true(s_all_zero(machine->secrets->msk, sizeof machine->secrets->msk));
            assert_true(s_all_zero(machine->secrets->seeds, sizeof machine->secrets->seeds));
        }
        fl_secagg_client_end(machine, FL_WHY_NONE, world->out);
        masked_obey(world, VICTIM);
        assert_true(s_all_zero(machine->secrets, sizeof *machine->secrets));
        assert_true(s_all_zero(machine->shares, sizeof machine->shares));
        fl_secagg_upload upload;
        assert_false(fl_secagg_client_upload(machine, &upload));
        masked_destroy(&world);
    }
}

static void
a_mark_that_cannot_be_stored_ends_the_round_before_a_byte_is_masked(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_client *machine = world->member[VICTIM].machine;
    masked_open(world);
    while (fl_secagg_client_step_of(machine) != FL_CLIENT_READY) {
        assert_true(masked_deliver(world));
    }
    fl_message message = masked_message(world, FL_MASKSET);
    message.maskset.block = 3;
    message.maskset.set = 7;
    fl_secagg_client_hear(machine, &message, IDENTITY_NOW, world->now, world->out);
    const fl_effect *effect = fl_outbox_at(world->out, 0);
    assert_int_equal(effect->kind, FL_FX_KEEP);
    uint64_t token = effect->token;
    assert_false(masked_saved(world, VICTIM, token + 1, true));
    fl_outbox_reset(world->out);
    assert_true(masked_saved(world, VICTIM, token, false));
    for (uint32_t i = 0; i < fl_outbox_count(world->out); i++) {
        assert_int_not_equal(fl_outbox_at(world->out, i)->kind, FL_FX_MASK);
    }
    fl_secagg_outcome how;
    assert_true(fl_secagg_client_outcome(machine, &how));
    assert_true(how.burnt && !how.spent && how.reason == FL_WHY_STORAGE);
    assert_false(fl_secagg_client_outcome(machine, &how));
    masked_destroy(&world);
}

//  A draw counts only where it was masked, and none comes twice.
static void
of_a_model_further_draws_are_masked_as_often_as_the_member_allows(void **state)
{
    (void)state;
    for (uint32_t most = 0; most < 3; most++) {
        masked_plan plan = masked_plan_small(5);
        masked_world *world = masked_new(&plan, 5);
        for (uint32_t i = 0; i < 5; i++) {
            world->member[i].conf.draws_max = most;
            masked_restart_member(world, i);
        }
        for (uint8_t round = 1; round <= 5; round++) {
            static const uint8_t draws[] = { 0, 0, 1, 1, 2 };
            const uint8_t draw = world->draw = draws[round - 1];
            const bool fresh = round == 1 || draw > draws[round - 2];
            const bool may = fresh && draw <= most;
            if (round > 1 || draw > 0) {
                masked_next_round(world, round, true);
            }
            masked_open(world);
            assert_int_equal(masked_run(world), may ? FL_WHY_NONE : FL_WHY_ROSTER_TOO_SMALL);
            const bool used = draw > most || (draw == most && !fresh);
            assert_int_equal(world->member[0].refused, may    ? FL_WHY_NONE
                                                       : used ? FL_WHY_DRAWS_USED
                                                              : FL_WHY_SAME_MODEL);
        }
        masked_destroy(&world);
    }
}

static void
steps_have_names(void **state)
{
    (void)state;
    assert_string_equal(fl_secagg_step_name(FL_CLIENT_IDLE), "idle");
    assert_string_equal(fl_secagg_step_name(FL_CLIENT_OPENED), "opened");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pinned_task_is_refused_under_malicious_unless_it_is_allowed),
        cmocka_unit_test(a_task_below_what_a_member_asks_for_is_refused),
        cmocka_unit_test(an_update_is_judged_before_it_is_masked),
        cmocka_unit_test(frames_of_another_round_block_or_run_change_nothing),
        cmocka_unit_test(frames_moved_into_this_round_never_give_a_wrong_sum),
        cmocka_unit_test(an_unanswered_message_is_repeated_and_given_up_in_the_end),
        cmocka_unit_test(a_task_heard_again_with_more_time_is_given_more),
        cmocka_unit_test(a_participant_signs_for_its_new_hop_and_never_changes_it_within_a_round),
        cmocka_unit_test(secrets_are_gone_when_a_round_ends),
        cmocka_unit_test(a_mark_that_cannot_be_stored_ends_the_round_before_a_byte_is_masked),
        cmocka_unit_test(of_a_model_further_draws_are_masked_as_often_as_the_member_allows),
        cmocka_unit_test(steps_have_names),
    };
    return cmocka_run_group_tests_name("core/masking_member_life", tests, NULL, NULL);
}
