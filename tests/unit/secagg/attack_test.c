//  The attacks that the rules of docs/masking.md stop, run for real: each fails here, and succeeds
//  on the mutant without its rule (tests/mutants). An attack succeeds when the attacker learns a
//  sum over fewer than m_min - A honest updates. It asserts nothing on its way, so that on a mutant
//  a test fails for one reason only: the attacker has read something.
#include "tests/support/unit.h"

#include "tests/support/secagg_thief.h"

#include <string.h>

#include "common/secagg/client_inside.h"

static thief bad;

static uint64_t
s_one(uint32_t index)
{
    return (uint64_t)1 << index;
}

//  Members first..first + count - 1.
static uint64_t
s_span(uint32_t first, uint32_t count)
{
    return count == 0 ? 0 : UINT64_MAX >> (64 - count) << first;
}

static masked_world *
s_world(uint32_t members)
{
    masked_plan plan = masked_plan_small(members);
    return masked_new(&plan, members);
}

// ---- R1 --------------------------------------------------------------------------------------
static bool
s_missing_signatures(void)
{
    masked_world *world = s_world(10);
    thief_move_in(&bad, world, 0);
    thief_wait_for_uploads(&bad);
    thief_tell_survivors(&bad, thief_all(&bad), thief_all(&bad), thief_all(&bad) & ~s_one(4));
    thief_tell_acks(&bad, thief_all(&bad), bad.acked);
    bool reads = thief_reads(&bad, s_one(4));
    masked_destroy(&world);
    return reads;
}

static void
a_missing_signature_never_means_dead(void **state)
{
    (void)state;
    assert_false(s_missing_signatures());
}

//  The victim alone is told a small mask set, of members whose mask keys are to be had.
static bool
s_private_maskset(void)
{
    masked_world *world = s_world(10);
    uint64_t own = s_span(8, 2), dead = s_span(6, 2), victim = s_one(0);
    thief_move_in(&bad, world, own);
    masked_open(world);
    world->hold_saved = true; // MASKSET is ours to tell
    while (masked_deliver(world)) {
        if (fl_secagg_server_state(world->aggregator) < FL_SERVER_COLLECTING && world->token != 0) {
            masked_answer_saved(world, true);
            world->token = 0;
        }
    }
    thief_tell_maskset(&bad, victim, victim | own | dead);
    thief_tell_maskset(&bad, thief_all(&bad) & ~victim, thief_all(&bad));
    uint64_t survivors = thief_all(&bad) & ~dead;
    thief_tell_survivors(&bad, survivors & ~victim, survivors, 0);
    thief_tell_acks(&bad, survivors & ~victim, survivors & ~victim);
    bool reads = thief_reads(&bad, victim);
    masked_destroy(&world);
    return reads;
}

static void
a_mask_set_for_one_member_alone_does_not_read_it(void **state)
{
    (void)state;
    assert_false(s_private_maskset());
}

// ---- R2 --------------------------------------------------------------------------------------
static bool
s_both_kinds(void)
{
    masked_world *world = s_world(6);
    uint64_t all = s_span(0, 6), victim = s_one(2);
    thief_move_in(&bad, world, 0);
    thief_wait_for_uploads(&bad);
    thief_tell_survivors(&bad, all, all, 0);
    thief_tell_acks(&bad, all, all);
    thief_tell_survivors(&bad, all & ~victim, all & ~victim, 0);
    if (bad.refused == 0) {
        thief_tell_acks(&bad, all & ~victim, all & ~victim);
    }
    bool reads = thief_reads(&bad, victim);
    masked_destroy(&world);
    return reads;
}

static void
survivors_told_twice_get_one_kind_of_share(void **state)
{
    (void)state;
    assert_false(s_both_kinds());
}

// ---- R3 --------------------------------------------------------------------------------------
//  Every honest member gets survivors of its own, so that as many as possible look dead to enough.
//  Whether a group below m_min - A comes out.
static bool
s_equivocate(uint32_t n, uint32_t corrupt)
{
    masked_world *world = s_world(n);
    uint32_t honest = n - corrupt, threshold = fl_secagg_threshold(n);
    uint32_t needed = threshold - corrupt, each = n - fl_secagg_quorum(n, 0);
    uint32_t lost = honest * each / needed, votes[MASKED_MEMBERS] = { 0 };
    lost = lost < honest ? lost : honest - 1;
    uint64_t view[MASKED_MEMBERS];
    thief_move_in(&bad, world, s_span(honest, corrupt));
    thief_wait_for_uploads(&bad);
    for (uint32_t i = 0; i < honest; i++) {
        view[i] = thief_all(&bad);
        for (uint32_t k = 0; k < each; k++) { // whoever looks dead to the fewest so far
            uint32_t best = MASKED_MEMBERS;
            for (uint32_t z = 0; z < lost; z++) {
                bool open = z != i && (view[i] & s_one(z)) != 0;
                best = open && (best == MASKED_MEMBERS || votes[z] < votes[best]) ? z : best;
            }
            if (best < MASKED_MEMBERS) {
                view[i] &= ~s_one(best);
                votes[best]++;
            }
        }
    }
    for (uint32_t i = 0; i < honest; i++) {
        thief_tell_survivors(&bad, s_one(i), view[i], 0);
    }
    for (uint32_t i = 0; i < honest; i++) {
        thief_tell_acks(&bad, s_one(i), view[i]);
    }
    bool small = honest - lost < fl_secagg_quorum(n, 0) - fl_secagg_corrupt(n);
    bool reads = small && thief_reads(&bad, s_span(lost, honest - lost));
    masked_destroy(&world);
    return reads;
}

static void
survivors_that_differ_by_member_open_no_small_group(void **state)
{
    const uint32_t *size = *state; // members, corrupt ones
    assert_false(s_equivocate(size[0], size[1]));
}

//  Survivors padded with members who never masked: a floor of one's own is void.
static bool
s_padded(void)
{
    masked_plan plan = masked_plan_small(12); // t = 8, A = 3
    plan.own_survivors_min = 10;
    masked_world *world = masked_new(&plan, 12);
    uint64_t own = s_span(7, 3), outside = s_span(10, 2), dead = s_span(5, 2);
    world->member[10].drop = MASKED_BEFORE_READY;
    world->member[11].drop = MASKED_BEFORE_READY;
    thief_move_in(&bad, world, own);
    thief_wait_for_uploads(&bad);
    uint64_t survivors = thief_all(&bad) & ~dead;
    thief_tell_survivors(&bad, s_span(0, 5), survivors, 0);
    thief_tell_acks(&bad, s_span(0, 5), survivors & ~outside);
    bool reads = thief_reads(&bad, s_span(0, 5)); // 5, and 10 - 3 are promised
    masked_destroy(&world);
    return reads;
}

static void
survivors_who_never_masked_are_refused(void **state)
{
    (void)state;
    assert_false(s_padded());
}

//  Two halves of the honest members, each with enough of ours to be a quorum of its own.
static bool
s_half_and_half(uint32_t n, uint32_t corrupt, uint32_t first_half)
{
    masked_world *world = s_world(n);
    uint64_t all = s_span(0, n), own = s_span(n - corrupt, corrupt), victim = s_one(0);
    uint64_t one = s_span(0, first_half), other = all & ~own & ~one;
    thief_move_in(&bad, world, own);
    thief_wait_for_uploads(&bad);
    thief_tell_survivors(&bad, one, all, 0);
    thief_tell_survivors(&bad, other, all & ~victim, 0);
    thief_tell_acks(&bad, one, one | own);
    thief_tell_acks(&bad, other, other | own);
    bool reads = thief_reads(&bad, victim);
    masked_destroy(&world);
    return reads;
}

static void
half_and_half_opens_all_at_the_cliff_and_nothing_before(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 6, 10, 13, 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t n = sizes[i], t = fl_secagg_threshold(n), cliff = 2 * t - n;
        assert_true(s_half_and_half(n, cliff, n - t)); // with all rules on: out of the model
        for (uint32_t half = 1; half < n - cliff + 1; half++) {
            assert_false(s_half_and_half(n, cliff - 1, half));
        }
    }
}

// ---- R4 --------------------------------------------------------------------------------------
static bool
s_sums(masked_world *world)
{
    masked_open(world);
    return masked_run(world) == FL_WHY_NONE;
}

//  The same updates again, the last one left out: the difference is its own.
static bool
s_sums_without_last(masked_world *world, const uint64_t *first, masked_drop drop)
{
    const masked_member *last = &world->member[world->plan.members - 1];
    world->member[world->plan.members - 1].drop = drop;
    bool reads = s_sums(world);
    for (uint32_t e = 0; e < world->plan.elements; e++) {
        reads = reads && (int64_t)(first[e] - world->sum[e]) == last->plain[e];
    }
    return reads;
}

static bool
s_open_twice(bool same_model, masked_drop drop)
{
    masked_world *world = s_world(8);
    uint64_t first[8];
    bool reads = s_sums(world);
    memcpy(first, world->sum, sizeof first);
    masked_next_round(world, 2, same_model);
    reads = s_sums_without_last(world, first, drop) && reads;
    masked_destroy(&world);
    return reads;
}

static void
an_update_is_not_opened_again_with_other_survivors(void **state)
{
    assert_false(s_open_twice(true, *(const masked_drop *)*state));
}

//  A root that lies: the same tensors in a file with other metadata.
static bool
s_open_twice_with_metadata(void)
{
    masked_world *world = s_world(8);
    uint64_t first[8];
    bool reads = s_sums(world);
    memcpy(first, world->sum, sizeof first);
    masked_next_round(world, 2, true);
    world->task.order.model.bytes[0] ^= 1;
    masked_sign(world, &world->task);
    reads = s_sums_without_last(world, first, MASKED_BEFORE_UPLOAD) && reads;
    masked_destroy(&world);
    return reads;
}

static void
a_file_with_other_metadata_is_the_same_model(void **state)
{
    (void)state;
    assert_false(s_open_twice_with_metadata());
}

//  Of another model it is another update: that is what trainers see to, not masks.
static void
the_same_update_under_another_model_is_opened_again(void **state)
{
    (void)state;
    assert_true(s_open_twice(false, MASKED_BEFORE_UPLOAD));
}

//  What a member has kept, after so many rounds of that run, each under a model of its own.
static void
s_masked_in(masked_member *member, const fl_run *run, uint64_t rounds)
{
    static fl_secagg_mark mark;
    assert_true(fl_secagg_mark_decode(fl_bytes_of(member->mark, sizeof member->mark), &mark));
    for (uint64_t i = 0; i < rounds; i++) {
        const fl_secagg_drawn of = { .run = *run,
                                     .tensors = { { 9, (uint8_t)i, (uint8_t)(i >> 8) } } };
        fl_secagg_mark_mask(&mark, &of, &(fl_transcript_round){ .run = *run, .round = 8 + i });
    }
    fl_secagg_mark_encode(&mark, member->mark);
}

//  Another run has its rounds, each under a model of its own, between two sums of one run under one
//  model, so that the members forget the first.
static bool
s_detour(uint64_t rounds)
{
    masked_world *world = s_world(8);
    uint64_t first[8];
    bool reads = s_sums(world); // model 1
    memcpy(first, world->sum, sizeof first);
    world->run = 1;
    masked_next_round(world, 7, false);
    reads = s_sums(world) && reads;
    for (uint32_t i = 0; i < 8; i++) {
        s_masked_in(&world->member[i], &world->task.order.run, rounds);
        masked_restart_member(world, i);
    }
    world->run = 0;
    world->model = 1;
    masked_next_round(world, 2, true); // the first model again: its round 1 was skipped above
    reads = s_sums_without_last(world, first, MASKED_BEFORE_UPLOAD) && reads;
    masked_destroy(&world);
    return reads;
}

static void
a_detour_over_another_run_makes_nobody_forget(void **state)
{
    (void)state;
    assert_false(s_detour(FL_MARK_DEEDS_MAX + 2)); // more than there is room for
}

//  A resend that rounds anew, under the same masks: the difference is bare.
static bool
s_resend(void)
{
    masked_world *world = s_world(5);
    uint8_t first[64];
    masked_member *victim = &world->member[1];
    thief_move_in(&bad, world, 0);
    thief_wait_for_uploads(&bad);
    memcpy(first, victim->masked, sizeof first / 8 * world->plan.wire_bytes);
    victim->wire[0] ^= 1; // rounded the other way
    masked_train(world, 1);
    bool reads = victim->masks == 2;
    for (uint32_t e = 1; e < world->plan.elements; e++) { // the rest of the mask fell out
        reads = reads && memcmp(first + e * 3, victim->masked + e * 3, 3) == 0;
    }
    reads = reads && memcmp(first, victim->masked, 3) != 0;
    masked_destroy(&world);
    return reads;
}

static void
an_update_is_masked_once(void **state)
{
    (void)state;
    assert_false(s_resend());
}

// ---- R8, and what is in the context ----------------------------------------------------------
//  A block of five: all updates but the first are zero.
static masked_world *
s_four_zeros(void)
{
    masked_world *world = s_world(5);
    for (uint32_t i = 1; i < 5; i++) {
        memset(world->member[i].plain, 0, world->plan.elements * sizeof(int64_t));
        memset(world->member[i].wire, 0, (size_t)world->plan.elements * world->plan.wire_bytes);
    }
    return world;
}

//  A dead model makes fresh updates zero; a stale one among them stands alone.
static bool
s_stale(void)
{
    masked_world *world = s_four_zeros();
    fl_hash model = world->task.order.model, old = { { 9 } };
    masked_invite(world);
    for (uint32_t i = 0; i < 5; i++) {
        masked_begin(world, i);
        world->task.order.model = i == 0 ? old : model; // what it was trained from
        masked_train(world, i);
        world->task.order.model = model;
    }
    bool reads = masked_run(world) == FL_WHY_NONE;
    for (uint32_t e = 0; e < world->plan.elements; e++) {
        reads = reads && (int64_t)world->sum[e] == world->member[0].plain[e];
    }
    masked_destroy(&world);
    return reads;
}

static void
an_update_of_an_older_model_is_not_masked(void **state)
{
    (void)state;
    assert_false(s_stale());
}

//  Another body for all but one, so that their updates round to zero, or are made of a dead model.
static void
s_wide_clip(fl_order *order)
{
    order->plan.clip = 1e9f;
}

static void
s_dead_model(fl_order *order)
{
    order->model.bytes[0] ^= 1;
}

static void
s_no_floors(fl_order *order)
{
    order->plan.members_min[0] = order->plan.survivors_min[0] = 1;
}

static void
s_no_epochs(fl_order *order)
{
    fl_recipe_put(&order->plan.recipe, "epochs", 2);
    fl_recipe_put(&order->plan.recipe, "rate", 0);
}

typedef void order_change(fl_order *order);

static bool
s_two_tasks(order_change *change)
{
    masked_world *world = s_four_zeros();
    fl_task mine = world->task, other = world->task;
    change(&other.order);
    masked_sign(world, &other);
    thief_move_in(&bad, world, 0);
    masked_invite(world);
    for (uint32_t i = 0; i < 5; i++) {
        world->task = i == 0 ? mine : other;
        masked_begin(world, i);
        masked_train(world, i);
    }
    (void)masked_settle(world);
    uint64_t all = thief_all(&bad);
    thief_tell_survivors(&bad, all, all, 0);
    thief_tell_acks(&bad, all, all);
    bool reads = thief_reads(&bad, all); // of which only the victim's is not zero
    masked_destroy(&world);
    return reads;
}

static void
two_tasks_in_one_block_do_not_isolate_a_member(void **state)
{
    order_change *const *change = *state;
    assert_false(s_two_tasks(*change));
}

//  Two rosters: members of the two views hold no shares of each other, so no mask set holds both.
static void
two_rosters_never_meet_in_one_mask_set(void **state)
{
    (void)state;
    masked_world *world = s_world(8);
    thief_move_in(&bad, world, 0);
    bad.roster_too = true; // the honest one is not heard
    masked_open(world);
    while (masked_deliver(world)) {
    }
    thief_tell_roster(&bad, s_span(0, 4), s_span(0, 7));
    thief_tell_roster(&bad, s_span(4, 4), s_span(0, 8));
    const fl_secagg_client *one = world->member[0].machine, *other = world->member[4].machine;
    assert_int_equal(one->step, FL_CLIENT_DEALT);
    assert_int_equal(other->step, FL_CLIENT_DEALT);
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES], back[FL_TRANSCRIPT_KEY_BYTES];
    assert_true(fl_transcript_pair_key(&one->block.round, &one->block.seat[0], one->secrets->esk,
                                       &one->block.seat[4], key));
    assert_true(fl_transcript_pair_key(&other->block.round, &other->block.seat[4],
                                       other->secrets->esk, &other->block.seat[0], back));
    assert_memory_not_equal(key, back, sizeof key);
    masked_destroy(&world);
}

// ---- floors ----------------------------------------------------------------------------------
static bool
s_block_of_one(void)
{
    masked_world *world = s_world(1);
    thief_move_in(&bad, world, 0);
    bad.roster_too = true;
    masked_begin(world, 0);
    masked_train(world, 0);
    thief_tell_roster(&bad, 1, 1);
    fl_message message = masked_message(world, FL_DEALT);
    message.dealt.block = 3;
    masked_say(world, 0, &message);
    thief_tell_maskset(&bad, 1, 1);
    thief_tell_survivors(&bad, 1, 1, 0);
    thief_tell_acks(&bad, 1, bad.acked | 1);
    bool reads = thief_reads(&bad, 1);
    masked_destroy(&world);
    return reads;
}

static void
a_block_of_one_is_no_block(void **state)
{
    (void)state;
    assert_false(s_block_of_one());
}

static void
a_weaker_profile_is_refused_whoever_signed_it(void **state)
{
    (void)state;
    masked_world *world = s_world(3);
    fl_plan open = world->task.order.plan;
    open.masking[0] = open.masking[1] = FL_MASKING_NONE;
    assert_false(fl_secagg_client_open(world->member[0].machine, &open));
    open.masking[1] = FL_MASKING_MALICIOUS; // of another hop than this member's
    assert_false(fl_secagg_client_open(world->member[0].machine, &open));
    world->task.order.plan.masking[0] = FL_MASKING_HONEST;
    assert_int_equal(fl_secagg_client_begin(world->member[0].machine, &world->task, &world->parent,
                                            1000, 0, world->out),
                     FL_WHY_POLICY_REFUSED);
    masked_destroy(&world);
}

// ---- late and dead ---------------------------------------------------------------------------
static void
an_upload_after_the_survivors_stays_closed(void **state)
{
    (void)state;
    masked_world *world = s_world(6);
    uint64_t all = s_span(0, 6), late = s_one(5);
    thief_move_in(&bad, world, s_one(0));
    thief_wait_for_uploads(&bad);
    thief_tell_survivors(&bad, all, all & ~late, 0);
    thief_tell_acks(&bad, all & ~late, all & ~late);
    assert_true(thief_reads(&bad, all & ~late)); // as it should be
    assert_false(thief_reads(&bad, late));       // the upload is there; its own mask is on it
    assert_false(thief_reads(&bad, all));
    assert_false(thief_reads_anybody(&bad));
    masked_destroy(&world);
}

int
main(void)
{
    static uint32_t sizes[][2] = { { 10, 2 }, { 20, 5 }, { 64, 16 } };
    static masked_drop drops[] = { MASKED_BEFORE_UPLOAD, MASKED_BEFORE_READY, MASKED_BEFORE_KEYS };
    static order_change *changes[] = { s_wide_clip, s_dead_model, s_no_floors, s_no_epochs };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_signature_never_means_dead),
        cmocka_unit_test(a_mask_set_for_one_member_alone_does_not_read_it),
        cmocka_unit_test(survivors_told_twice_get_one_kind_of_share),
        cmocka_unit_test_prestate(survivors_that_differ_by_member_open_no_small_group, &sizes[0]),
        cmocka_unit_test_prestate(survivors_that_differ_by_member_open_no_small_group, &sizes[1]),
        cmocka_unit_test_prestate(survivors_that_differ_by_member_open_no_small_group, &sizes[2]),
        cmocka_unit_test(survivors_who_never_masked_are_refused),
        cmocka_unit_test(half_and_half_opens_all_at_the_cliff_and_nothing_before),
        cmocka_unit_test_prestate(an_update_is_not_opened_again_with_other_survivors, &drops[0]),
        cmocka_unit_test_prestate(an_update_is_not_opened_again_with_other_survivors, &drops[1]),
        cmocka_unit_test_prestate(an_update_is_not_opened_again_with_other_survivors, &drops[2]),
        cmocka_unit_test(a_file_with_other_metadata_is_the_same_model),
        cmocka_unit_test(the_same_update_under_another_model_is_opened_again),
        cmocka_unit_test(a_detour_over_another_run_makes_nobody_forget),
        cmocka_unit_test(an_update_is_masked_once),
        cmocka_unit_test(an_update_of_an_older_model_is_not_masked),
        cmocka_unit_test_prestate(two_tasks_in_one_block_do_not_isolate_a_member, &changes[0]),
        cmocka_unit_test_prestate(two_tasks_in_one_block_do_not_isolate_a_member, &changes[1]),
        cmocka_unit_test_prestate(two_tasks_in_one_block_do_not_isolate_a_member, &changes[2]),
        cmocka_unit_test_prestate(two_tasks_in_one_block_do_not_isolate_a_member, &changes[3]),
        cmocka_unit_test(two_rosters_never_meet_in_one_mask_set),
        cmocka_unit_test(a_block_of_one_is_no_block),
        cmocka_unit_test(a_weaker_profile_is_refused_whoever_signed_it),
        cmocka_unit_test(an_upload_after_the_survivors_stays_closed),
    };
    return cmocka_run_group_tests_name("core/masking_attack", tests, NULL, NULL);
}
