//  The attacks that the rules of docs/masking.md answer, run for real: each works with its rule
//  switched off (a build that only tests have) and fails with all rules on. An attack works when a
//  sum over fewer honest members comes out than m_min - A.
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
s_world(uint32_t members, unsigned rules_off)
{
    masked_plan plan = masked_plan_small(members);
    plan.rules_off = rules_off;
    return masked_new(&plan, members);
}

// ---- R1 --------------------------------------------------------------------------------------
static bool
s_missing_signatures(unsigned rules_off)
{
    masked_world *world = s_world(10, rules_off);
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
    assert_true(s_missing_signatures(FL_RULE_PSIG));
    assert_false(s_missing_signatures(0));
}

//  The victim alone is told a small mask set, of members whose mask keys are to be had.
static bool
s_private_maskset(unsigned rules_off)
{
    masked_world *world = s_world(10, rules_off);
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
a_private_mask_set_reads_its_victim(void **state)
{
    (void)state;
    assert_true(s_private_maskset(FL_RULE_SIZE | FL_RULE_SIGNED));
    assert_false(s_private_maskset(FL_RULE_SIZE)); // each of the two walls stands alone
    assert_false(s_private_maskset(FL_RULE_SIGNED));
    assert_false(s_private_maskset(0));
}

// ---- R2 --------------------------------------------------------------------------------------
static bool
s_both_kinds(unsigned rules_off)
{
    masked_world *world = s_world(6, rules_off);
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
survivors_said_twice_get_both_kinds(void **state)
{
    (void)state;
    assert_true(s_both_kinds(FL_RULE_ONE_CONTENT | FL_RULE_SAME_MODEL));
    assert_false(s_both_kinds(FL_RULE_ONE_CONTENT)); // R4 is a second wall
    assert_false(s_both_kinds(FL_RULE_SAME_MODEL));
    assert_false(s_both_kinds(0));
}

// ---- R3 --------------------------------------------------------------------------------------
//  Every honest member gets survivors of its own, so that as many as possible look dead to enough.
//  Answers whether a group below m_min - A comes out; `left` is its size.
static bool
s_equivocate(uint32_t n, uint32_t corrupt, unsigned rules_off, uint32_t *left)
{
    masked_world *world = s_world(n, rules_off);
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
    *left = honest - lost;
    bool reads = thief_reads(&bad, s_span(lost, honest - lost));
    masked_destroy(&world);
    return reads;
}

static void
survivors_of_ones_own_open_small_groups(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = { { 10, 2 }, { 20, 5 }, { 64, 16 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t n = sizes[i][0], left = 0;
        uint32_t promised = fl_secagg_quorum(n, 0) - fl_secagg_corrupt(n);
        assert_true(s_equivocate(n, sizes[i][1], FL_RULE_ACKS, &left));
        assert_true(left < promised);
        assert_false(s_equivocate(n, sizes[i][1], 0, &left));
    }
}

//  Survivors padded with members who never masked: a floor of one's own is void.
static bool
s_padded(unsigned rules_off)
{
    masked_plan plan = masked_plan_small(12); // t = 8, A = 3
    plan.rules_off = rules_off;
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
padded_survivors_void_the_floor(void **state)
{
    (void)state;
    assert_true(s_padded(FL_RULE_SUBSET));
    assert_false(s_padded(0));
}

//  Two halves of the honest members, each with enough of ours to be a quorum of its own.
static bool
s_half_and_half(uint32_t n, uint32_t corrupt, uint32_t first_half)
{
    masked_world *world = s_world(n, 0);
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
//  The same updates again under the same model, one member left out: the difference is its own.
static bool
s_open_twice(unsigned rules_off, bool same_model, masked_drop drop)
{
    masked_world *world = s_world(8, rules_off);
    uint64_t first[8];
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    memcpy(first, world->sum, sizeof first);
    masked_next_round(world, 2, same_model);
    world->member[7].drop = drop;
    masked_open(world);
    bool reads = masked_run(world) == FL_WHY_NONE;
    for (uint32_t e = 0; e < 8; e++) {
        reads = reads && (int64_t)(first[e] - world->sum[e]) == world->member[7].plain[e];
    }
    masked_destroy(&world);
    return reads;
}

static void
an_update_opened_twice_with_different_survivors_is_read(void **state)
{
    (void)state;
    assert_true(s_open_twice(FL_RULE_SAME_MODEL, true, MASKED_BEFORE_UPLOAD));
    assert_false(s_open_twice(0, true, MASKED_BEFORE_UPLOAD));
    assert_false(s_open_twice(0, true, MASKED_BEFORE_READY));
    assert_false(s_open_twice(0, true, MASKED_BEFORE_KEYS));
    //  Of another model it is another update: that is what trainers see to, not masks.
    assert_true(s_open_twice(0, false, MASKED_BEFORE_UPLOAD));
}

//  An edge that has signed tasks of an older run: it has the members open another model between two
//  sums under the one, so that they forget the first.
static bool
s_detour(unsigned rules_off)
{
    masked_world *world = s_world(8, rules_off);
    uint64_t first[8];
    masked_open(world); // model 1
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    memcpy(first, world->sum, sizeof first);
    world->run = 1;
    masked_next_round(world, 7, false);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    world->run = 0;
    world->model = 1;
    masked_next_round(world, 2, true); // the first model again: its round 1 was skipped above
    world->member[7].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    bool reads = masked_run(world) == FL_WHY_NONE;
    for (uint32_t e = 0; e < 8; e++) {
        reads = reads && (int64_t)(first[e] - world->sum[e]) == world->member[7].plain[e];
    }
    masked_destroy(&world);
    return reads;
}

static void
a_detour_over_another_run_makes_nobody_forget(void **state)
{
    (void)state;
    assert_true(s_detour(FL_RULE_SAME_MODEL));
    assert_false(s_detour(0));
}

//  A resend that rounds anew, under the same masks: the difference is bare.
static bool
s_resend(unsigned rules_off)
{
    masked_world *world = s_world(5, rules_off);
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
    assert_true(s_resend(FL_RULE_ONCE));
    assert_false(s_resend(0));
}

// ---- R8, and what is in the context ----------------------------------------------------------
static void
s_zero(masked_world *world, uint32_t index)
{
    memset(world->member[index].plain, 0, world->plan.elements * sizeof(int64_t));
    memset(world->member[index].wire, 0, (size_t)world->plan.elements * world->plan.wire_bytes);
}

//  A dead model makes fresh updates zero; a stale one among them stands alone.
static bool
s_stale(unsigned rules_off)
{
    masked_world *world = s_world(5, rules_off);
    fl_hash model = world->task.order.model, old = { { 9 } };
    fl_secagg_invite invites[5];
    for (uint32_t i = 0; i < 5; i++) {
        invites[i] = (fl_secagg_invite){ .node = world->member[i].node, .peer = i };
        if (i > 0) {
            s_zero(world, i);
        }
    }
    world->times = (fl_secagg_times){ 2000, 2000, 2000, 2000 };
    fl_secagg_server_open(world->aggregator, 3, &world->task, invites, 5, &world->times, world->now,
                          world->out);
    masked_obey(world, -1);
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
a_stale_update_among_dead_ones_is_read(void **state)
{
    (void)state;
    assert_true(s_stale(FL_RULE_BASE));
    assert_false(s_stale(0));
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
    order->plan.epochs++;
    order->plan.rate = 0;
}

static bool
s_two_tasks(unsigned rules_off, void (*change)(fl_order *order))
{
    masked_world *world = s_world(5, rules_off);
    fl_task mine = world->task, other = world->task;
    change(&other.order);
    uint8_t bytes[FL_ORDER_BYTES];
    fl_order_encode(&other.order, bytes);
    fl_order_sign(world->authority, fl_bytes_of(bytes, sizeof bytes), other.signature);
    thief_move_in(&bad, world, 0);
    fl_secagg_invite invites[5];
    for (uint32_t i = 0; i < 5; i++) {
        invites[i] = (fl_secagg_invite){ .node = world->member[i].node, .peer = i };
        if (i > 0) {
            s_zero(world, i);
        }
    }
    world->times = (fl_secagg_times){ 2000, 2000, 2000, 2000 };
    fl_secagg_server_open(world->aggregator, 3, &mine, invites, 5, &world->times, world->now,
                          world->out);
    masked_obey(world, -1);
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
two_tasks_in_one_block_isolate_a_member(void **state)
{
    (void)state;
    static void (*const changes[])(fl_order *) = { s_wide_clip, s_dead_model, s_no_floors,
                                                   s_no_epochs };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_true(s_two_tasks(FL_RULE_CTX_TASK, changes[i]));
        assert_false(s_two_tasks(0, changes[i]));
    }
}

//  Two rosters: members of the two views hold no shares of each other, so no mask set holds both.
static void
two_rosters_never_meet_in_one_mask_set(void **state)
{
    (void)state;
    masked_world *world = s_world(8, 0);
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
s_block_of_one(unsigned rules_off)
{
    masked_world *world = s_world(1, rules_off);
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
    assert_true(s_block_of_one(FL_RULE_FLOORS | FL_RULE_SIZE));
    assert_false(s_block_of_one(0));
}

static void
a_weaker_profile_is_refused_whoever_signed_it(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        masked_world *world = s_world(3, off == 1 ? FL_RULE_PROFILE : 0);
        fl_plan open = world->task.order.plan;
        open.masking = FL_MASKING_NONE;
        assert_int_equal(fl_secagg_client_open(world->member[0].machine, &open), off == 1);
        masked_destroy(&world);
    }
}

// ---- late and dead ---------------------------------------------------------------------------
static void
an_upload_after_the_survivors_stays_closed(void **state)
{
    (void)state;
    masked_world *world = s_world(6, 0);
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

//  An upload of an earlier round, of the same update, once that round was given up: neither it nor
//  its difference from the new one opens, and in the place of the new one it spoils the sum.
static void
an_upload_said_again_a_round_later_stays_closed(void **state)
{
    (void)state;
    masked_world *world = s_world(5, 0);
    masked_member *victim = &world->member[1];
    uint8_t first[24], second[24];
    world->member[3].drop = world->member[4].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_UPLOADS);
    memcpy(first, victim->masked, sizeof first);
    masked_next_round(world, 2, true);
    world->member[3].drop = world->member[4].drop = MASKED_STAYS;
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
    assert_false(thief_reads(&bad, s_one(1)));
    for (uint32_t i = 0; i < sizeof first; i++) {
        victim->masked[i] = (uint8_t)(second[i] - first[i]);
    }
    assert_false(thief_reads(&bad, s_one(1)));
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_signature_never_means_dead),
        cmocka_unit_test(a_private_mask_set_reads_its_victim),
        cmocka_unit_test(survivors_said_twice_get_both_kinds),
        cmocka_unit_test(survivors_of_ones_own_open_small_groups),
        cmocka_unit_test(padded_survivors_void_the_floor),
        cmocka_unit_test(half_and_half_opens_all_at_the_cliff_and_nothing_before),
        cmocka_unit_test(an_update_opened_twice_with_different_survivors_is_read),
        cmocka_unit_test(a_detour_over_another_run_makes_nobody_forget),
        cmocka_unit_test(an_update_is_masked_once),
        cmocka_unit_test(a_stale_update_among_dead_ones_is_read),
        cmocka_unit_test(two_tasks_in_one_block_isolate_a_member),
        cmocka_unit_test(two_rosters_never_meet_in_one_mask_set),
        cmocka_unit_test(a_block_of_one_is_no_block),
        cmocka_unit_test(a_weaker_profile_is_refused_whoever_signed_it),
        cmocka_unit_test(an_upload_after_the_survivors_stays_closed),
        cmocka_unit_test(an_upload_said_again_a_round_later_stays_closed),
    };
    return cmocka_run_group_tests_name("core/masking_attack", tests, NULL, NULL);
}
