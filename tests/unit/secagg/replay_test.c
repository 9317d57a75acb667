//  What children said in one round, said again to the parent in another: as it was it changes
//  nothing, whoever says it; put into this round it may spoil the part of who says it, and never
//  the sum or the name of another. And sums at the very edge of their ring.
#include "tests/support/unit.h"

#include "tests/support/secagg_thief.h"

#include <stdlib.h>
#include <string.h>

#include "common/secagg/server_inside.h"
#include "common/wire/codec.h"

enum { MEMBERS = 5, TAPE_MAX = 64 };

static struct {
    int32_t from;
    fl_blob *frame;
} tape[TAPE_MAX];
static uint32_t taped;
static fl_secagg_server before;

static bool
s_tape(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)to;
    if (from >= 0) {
        assert_true(taped < TAPE_MAX);
        tape[taped].from = from;
        tape[taped++].frame = fl_encode(message, 0);
    }
    return true;
}

//  A world in its second round, the tape of its first at hand.
static masked_world *
s_second_round(void)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    masked_world *world = masked_new(&plan, 5);
    taped = 0;
    world->hook = s_tape;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    masked_next_round(world, 2, false);
    world->hook = NULL;
    masked_open(world);
    return world;
}

static void
s_let_go(masked_world *world)
{
    while (taped > 0) {
        fl_blob_unref(&tape[--taped].frame);
    }
    masked_destroy(&world);
}

//  Frame `i` of the tape from member `who`, or from nobody of the block.
static void
s_hear(masked_world *world, uint32_t i, int32_t who, bool moved)
{
    fl_message message;
    assert_int_equal(fl_decode(fl_blob_bytes(tape[i].frame), 0, &message).code, FL_CODEC_OK);
    message.round = moved ? world->task.order.round : message.round;
    fl_event event = { .kind = FL_EV_MESSAGE, .wall_s = IDENTITY_NOW };
    event.message.from = (fl_peer)who;
    event.message.node = who < MEMBERS ? world->member[who].node : identity_node("stranger");
    event.message.role = FL_ROLE_DEVICE;
    event.message.message = &message;
    fl_secagg_server_hear(world->aggregator, event.message.from, &event, world->now, world->out);
}

static void
s_assert_nothing(masked_world *world, uint32_t i, int32_t who, bool moved)
{
    before = *world->aggregator;
    s_hear(world, i, who, moved);
    assert_memory_equal(&before, world->aggregator, sizeof before);
    assert_int_equal(fl_outbox_count(world->out), 0);
}

static void
frames_of_another_round_change_nothing_at_the_parent(void **state)
{
    (void)state;
    masked_world *world = s_second_round();
    uint32_t steps = 0;
    do {
        for (uint32_t i = 0; i < taped; i++) {
            s_assert_nothing(world, i, tape[i].from, false);
            s_assert_nothing(world, i, (tape[i].from + 1) % MEMBERS, false);
            s_assert_nothing(world, i, MEMBERS, true); // nobody of this block
        }
        steps++;
    } while (masked_deliver(world));
    assert_true(steps > 20 && taped >= MEMBERS * 5);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    s_let_go(world);
}

//  Words of others and of earlier, put into this round by member 1.
static void
frames_moved_into_this_round_harm_their_sender_alone(void **state)
{
    (void)state;
    uint32_t complete = 0;
    for (uint32_t at = 0; at < 40; at += 2) {
        masked_world *world = s_second_round();
        for (uint32_t delivered = 0; delivered < at && masked_deliver(world); delivered++) {
        }
        for (uint32_t i = 0; i < taped; i++) {
            s_hear(world, i, 1, true);
            masked_obey(world, -1);
        }
        fl_reason reason = masked_run(world);
        assert_int_equal(masked_sum_exact(world), reason == FL_WHY_NONE);
        assert_true(world->notes[FL_NOTE_MASKING_BLAMED] == 0 ||
                    fl_name_equal(&world->blamed, &world->member[1].node));
        complete += reason == FL_WHY_NONE ? 1 : 0;
        s_let_go(world);
    }
    assert_true(complete > 10); // four of five are enough
}

// ---- the edge of the ring ----------------------------------------------------------------------
//  Four edges of 64 devices each, all at their greatest weight and value: the most that this plan
//  may ever sum up.
static void
s_at_the_edge(masked_plan *plan, int64_t sign)
{
    plan->members = 4;
    plan->hop = 2;
    masked_world *world = masked_new(plan, 4);
    assert_int_equal(world->task.order.plan.devices_max, 256);
    for (uint32_t i = 0; i < 4; i++) {
        masked_member *member = &world->member[i];
        member->count = 64;
        member->weight = (uint64_t)64 * plan->weight_max;
        int64_t most = sign * (int64_t)member->weight * (((int64_t)1 << (plan->bits - 1)) - 1);
        for (uint32_t e = 0; e < plan->elements; e++) {
            member->plain[e] = most;
            for (uint32_t b = 0; b < plan->wire_bytes; b++) {
                member->wire[e * plan->wire_bytes + b] = (uint8_t)((uint64_t)most >> (8 * b));
            }
        }
    }
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
}

static void
sums_at_the_edge_of_the_ring_are_exact(void **state)
{
    (void)state;
    //  bits of a value and of 256 * weight_max are as many as the wire has; the last one is 255
    //  below the end of its ring
    static const struct {
        uint8_t bits, ring_bits, wire_bytes;
        uint32_t weight_max;
    } edges[] = {
        { 8, 32, 3, 256 },  { 8, 32, 4, 65536 },  { 2, 32, 2, 64 },
        { 24, 64, 5, 256 }, { 24, 64, 6, 65536 }, { 24, 32, 4, 1 },
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        masked_plan plan = masked_plan_small(4);
        plan.bits = edges[i].bits;
        plan.ring_bits = edges[i].ring_bits;
        plan.wire_bytes = edges[i].wire_bytes;
        plan.weight_max = edges[i].weight_max;
        s_at_the_edge(&plan, 1);
        s_at_the_edge(&plan, -1);
    }
}

//  A sum of long ago, its model forgotten by now: the parent leaves the run for a round of another
//  one, of which it has kept a task as well, comes back with the task of then, and leaves one out.
static void
a_round_of_long_ago_is_not_masked_again_by_a_detour(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(MEMBERS);
    masked_world *world = masked_new(&plan, 5);
    uint64_t *first = calloc(plan.elements, sizeof *first);
    assert_non_null(first);
    for (uint64_t round = 1; round <= 2 + FL_MARK_DEEDS_MAX; round++) {
        masked_next_round(world, round, false);
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        if (round == 1) {
            memcpy(first, world->sum, plan.elements * sizeof *first);
        }
    }
    world->run = 1;
    masked_next_round(world, 100, false);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    world->run = 0;
    world->model = 1;
    masked_next_round(world, 1, true);
    world->member[4].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    fl_reason reason = masked_run(world);
    for (uint32_t e = 0; e < plan.elements && reason == FL_WHY_NONE; e++) {
        assert_int_not_equal(first[e] - world->sum[e], world->member[4].plain[e]); // it is read
    }
    assert_int_equal(reason, FL_WHY_ROSTER_TOO_SMALL);
    masked_destroy(&world);
    free(first);
}

static thief bad;

//  An upload of an earlier round, of the same update, once that round was given up: neither it nor
//  its difference from the new one opens, and in the place of the new one it spoils the sum.
static void
an_upload_said_again_a_round_later_stays_closed(void **state)
{
    (void)state;
    const masked_plan plan = masked_plan_small(MEMBERS);
    masked_world *world = masked_new(&plan, MEMBERS);
    masked_member *victim = &world->member[1];
    uint8_t first[24], second[24];
    world->member[3].drop = world->member[4].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_UPLOADS);
    memcpy(first, victim->masked, sizeof first);
    world->member[3].drop = world->member[4].drop = MASKED_STAYS;
    masked_lapse(world);
    masked_tell_burnt(world);
    masked_next_round(world, 2, true);
    thief_move_in(&bad, world, 0);
    thief_wait_for_uploads(&bad);
    memcpy(second, victim->masked, sizeof second);
    uint32_t same = 0;
    for (uint32_t i = 0; i < sizeof first; i++) { // 24 bytes: a third of them alike is 1 in 10^12
        same += first[i] == second[i];
    }
    assert_true(same < 8);
    uint64_t all = thief_all(&bad);
    thief_tell_survivors(&bad, all, all, 0);
    thief_tell_acks(&bad, all, all);
    assert_true(thief_reads(&bad, all));
    memcpy(victim->masked, first, sizeof first);
    assert_false(thief_reads(&bad, all));
    assert_false(thief_reads(&bad, 2));
    for (uint32_t i = 0; i < sizeof first; i++) {
        victim->masked[i] = (uint8_t)(second[i] - first[i]);
    }
    assert_false(thief_reads(&bad, 2));
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_another_round_change_nothing_at_the_parent),
        cmocka_unit_test(frames_moved_into_this_round_harm_their_sender_alone),
        cmocka_unit_test(sums_at_the_edge_of_the_ring_are_exact),
        cmocka_unit_test(a_round_of_long_ago_is_not_masked_again_by_a_detour),
        cmocka_unit_test(an_upload_said_again_a_round_later_stays_closed),
    };
    return cmocka_run_group_tests_name("core/masking_replay", tests, NULL, NULL);
}
