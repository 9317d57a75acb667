//  What a device that lies about its weight takes of a sum (rule R12): of sixteen, one that breaks
//  its own half of the protocol, and members that look at their own part.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/machine/policy.h"
#include "common/secagg/client_inside.h"

enum { EVIL = 3, MEMBERS = 16, WEIGHT_MAX = 16 };

static masked_world *
s_world(fl_weighting weighting, uint32_t members, const uint32_t *samples)
{
    masked_plan plan = masked_plan_small(members);
    plan.weighting = weighting;
    plan.weight_max = weighting == FL_WEIGHTING_EQUAL ? 1 : WEIGHT_MAX;
    plan.ring_bits = 64;
    plan.wire_bytes = 4;
    for (uint32_t i = 0; samples != NULL && i < members; i++) {
        plan.samples[i] = samples[i];
    }
    return masked_new(&plan, 5);
}

//  The update of a member: so many times its weight in each element.
static void
s_holds(masked_world *world, uint32_t index, uint64_t weight, int64_t each)
{
    masked_member *member = &world->member[index];
    member->weight = weight;
    for (uint32_t e = 0; e < world->plan.elements; e++) {
        member->plain[e] = each * (int64_t)weight;
        for (uint32_t b = 0; b < world->plan.wire_bytes; b++) {
            member->wire[e * world->plan.wire_bytes + b] =
                (uint8_t)((uint64_t)member->plain[e] >> (8 * b));
        }
    }
}

//  Honest members weigh what they should and send zeros; one claims `claims` and sends its clip so
//  many times. How the block ended; `part` is its part of the mean, 1 for all of it.
static fl_reason
s_attack(fl_weighting weighting, uint64_t claims, double *part)
{
    uint32_t samples[MEMBERS];
    for (uint32_t i = 0; i < MEMBERS; i++) {
        samples[i] = i == EVIL ? 4 : 2 + i % 5; // 2..6
    }
    masked_world *world = s_world(weighting, MEMBERS, samples);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        s_holds(world, i, fl_policy_weight(samples[i], &world->task.order.plan), 0);
    }
    masked_open(world);
    s_holds(world, EVIL, claims, 127);
    ((fl_secagg_client *)world->member[EVIL].machine)->input.weight = claims;
    fl_reason reason = masked_run(world);
    fl_secagg_result result;
    (void)fl_secagg_server_result(world->aggregator, &result);
    *part = reason == FL_WHY_NONE
                ? (double)(int64_t)world->sum[0] / 127.0 / (double)result.sums.weight
                : 0;
    masked_destroy(&world);
    return reason;
}

static void
a_weight_that_the_weighting_does_not_give_ends_the_block(void **state)
{
    (void)state;
    double part;
    assert_int_equal(s_attack(FL_WEIGHTING_EQUAL, 1, &part), FL_WHY_NONE);
    assert_true(part == 1.0 / 16);
    for (uint64_t claims = 0; claims <= 196; claims += claims < 4 ? 1 : 64) {
        fl_reason reason = claims == 1 ? FL_WHY_NONE : FL_WHY_WEIGHT;
        assert_int_equal(s_attack(FL_WEIGHTING_EQUAL, claims, &part), reason);
        reason = claims == 4 ? FL_WHY_NONE : FL_WHY_WEIGHT; // what 4 samples give
        assert_int_equal(s_attack(FL_WEIGHTING_CLASSES, claims, &part), reason);
    }
    assert_int_equal(s_attack(FL_WEIGHTING_CLASSES, 4, &part), FL_WHY_NONE);
    assert_true(part == 4.0 / 50); // its public part
}

//  What nothing stops where weights are hidden.
static void
by_samples_one_of_sixteen_takes_78_percent(void **state)
{
    (void)state;
    double part;
    assert_int_equal(s_attack(FL_WEIGHTING_SAMPLES, 256 - 57, &part), FL_WHY_NONE);
    assert_true(part > 0.77 && part < 0.78);
    assert_int_equal(s_attack(FL_WEIGHTING_SAMPLES, 256 - 56, &part), FL_WHY_COUNT_MISMATCH);
}

//  What no weighting stops: where the others send little, a vector has the room of the whole sum.
static void
a_vector_may_move_the_mean_by_a_clip_whatever_it_weighs(void **state)
{
    (void)state;
    masked_world *world = s_world(FL_WEIGHTING_EQUAL, MEMBERS, NULL);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        s_holds(world, i, 1, i == EVIL ? 16 * 127 : 0);
    }
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_int_equal(world->sum[0], 16 * 127); // of 16: the clip
    s_holds(world, EVIL, 1, 16 * 127 + 1);
    masked_next_round(world, 2, false);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_WEIGHT);
    masked_destroy(&world);
}

static void
s_all(uint32_t samples[MEMBERS], uint32_t each)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        samples[i] = each;
    }
}

// ---- classes ----------------------------------------------------------------------------------
//  A member that says a class of its choice, rightly signed.
static bool
s_climb(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)to;
    if (message->verb == FL_KEYS && from == EVIL) {
        message->keys.class = *(const uint8_t *)world->hook_arg;
        fl_transcript_keys_sign(world->member[EVIL].keys,
                                &((fl_secagg_client *)world->member[EVIL].machine)->block.round,
                                message->keys.class, message->keys.epk, message->keys.mpk,
                                message->keys.signature);
    }
    return true;
}

static void
a_class_above_the_plan_or_the_certificate_is_refused(void **state)
{
    (void)state;
    static const struct {
        fl_weighting weighting;
        uint8_t class, class_max;
        bool fine;
    } rows[] = { { FL_WEIGHTING_CLASSES, 4, 0, true },    { FL_WEIGHTING_CLASSES, 5, 0, false },
                 { FL_WEIGHTING_CLASSES, 2, 2, true },    { FL_WEIGHTING_CLASSES, 3, 2, false },
                 { FL_WEIGHTING_CLASSES, 200, 0, false }, { FL_WEIGHTING_EQUAL, 1, 0, false },
                 { FL_WEIGHTING_SAMPLES, 1, 0, false } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t samples[MEMBERS];
        uint8_t class = rows[i].class;
        s_all(samples, 16);
        masked_world *world = s_world(rows[i].weighting, MEMBERS, samples);
        masked_member *evil = &world->member[EVIL];
        evil->cert.class_max = rows[i].class_max;
        fl_cert_issue(world->authority, &evil->cert, IDENTITY_NOW, IDENTITY_WEEK_S,
                      evil->certificate);
        memcpy(evil->conf.certificate, evil->certificate, FL_CERT_BYTES);
        masked_restart_member(world, EVIL);
        world->hook = s_climb;
        world->hook_arg = &class;
        masked_open(world);
        (void)masked_run(world);
        fl_secagg_seat seat = fl_secagg_server_seat(world->aggregator, EVIL);
        assert_int_equal(seat.reason == FL_WHY_WEIGHT, !rows[i].fine);
        assert_false(seat.blamed);
        masked_destroy(&world);
    }
}

//  Which of the members refuse, or were left out, for their weight.
static uint64_t
s_refuse(const uint32_t *samples, uint32_t members, uint64_t silent)
{
    masked_world *world = s_world(FL_WEIGHTING_CLASSES, members, samples);
    for (uint32_t i = 0; i < members; i++) {
        world->member[i].drop =
            (silent & fl_secagg_bit(i)) != 0 ? MASKED_BEFORE_UPLOAD : MASKED_STAYS;
    }
    masked_open(world);
    (void)masked_run(world);
    uint64_t refused = 0;
    for (uint32_t i = 0; i < members; i++) {
        bool weight = fl_secagg_server_seat(world->aggregator, i).reason == FL_WHY_WEIGHT;
        refused |= weight ? fl_secagg_bit(i) : 0;
    }
    masked_destroy(&world);
    return refused;
}

static void
the_heaviest_stay_out_of_a_roster_that_they_would_refuse(void **state)
{
    (void)state;
    const uint32_t equal[] = { 8, 8, 8 }, fourth[] = { 4, 4, 4, 4 }, one[] = { 8, 1, 1, 1 };
    const uint32_t two[] = { 8, 8, 1, 1, 1 }, edge[] = { 2, 2, 1, 1, 1, 1 };
    const uint32_t three[] = { 2, 1, 1 };
    assert_int_equal(s_refuse(equal, 3, 0), 0); // a third each: there is no smaller part
    assert_int_equal(s_refuse(fourth, 4, 0), 0);
    assert_int_equal(s_refuse(one, 4, 0), 1);
    assert_int_equal(s_refuse(two, 5, 0), 3);
    assert_int_equal(s_refuse(edge, 6, 0), 0);
    assert_int_equal(s_refuse(three, 3, 0), 1); // then two are left: no block
}

//  A parent that keeps the heavy one in, and one that drops the others after they masked: n = 16
//  may lose 5, and here these are all that hides the first.
static void
a_member_is_no_large_part_of_what_it_lets_be_opened(void **state)
{
    (void)state;
    uint32_t samples[MEMBERS];
    s_all(samples, 1);
    samples[0] = samples[1] = samples[2] = samples[3] = 8; // 44 together
    assert_int_equal(s_refuse(samples, MEMBERS, 0), 0);
    assert_int_equal(s_refuse(samples, MEMBERS, 2), 0);         // 8 of 36
    assert_int_equal(s_refuse(samples, MEMBERS, 2 | 4 | 8), 1); // 8 of 20
    fl_secagg_block block = { .members = 3 };
    block.seat[0].class = 1;
    assert_false(fl_secagg_hides(&block, 0, 7, FL_SECAGG_PART_ROSTER)); // 2 of 4
    assert_true(fl_secagg_hides(&block, 1, 7, FL_SECAGG_PART_ROSTER));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weight_that_the_weighting_does_not_give_ends_the_block),
        cmocka_unit_test(by_samples_one_of_sixteen_takes_78_percent),
        cmocka_unit_test(a_vector_may_move_the_mean_by_a_clip_whatever_it_weighs),
        cmocka_unit_test(a_class_above_the_plan_or_the_certificate_is_refused),
        cmocka_unit_test(the_heaviest_stay_out_of_a_roster_that_they_would_refuse),
        cmocka_unit_test(a_member_is_no_large_part_of_what_it_lets_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
