//  BURNT and BURNTS (docs/masking.md, R10): what they clear, what they never clear, and that a
//  member has one word per roster. Whole blocks, members killed where a test says.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>
#include <time.h>

#include "common/secagg/client_inside.h"

enum { MEMBERS = 8, VICTIM = MEMBERS - 1 };

//  The last BURNTS that was told, in memory of its own, and who says BURNT.
static struct {
    fl_message burnts;
    uint8_t list[FL_MEMBERS_MAX * (FL_MEMBER_BYTES + FL_SIGN_BYTES)];
    uint64_t told, said, acks_for; // acks_for: who hears ACKS
    uint64_t opened;               // who gave shares
    bool deaf;                     // BURNTS are taken down and heard by nobody
} post;

static bool
s_hook(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    if (message->verb == FL_BURNTS) {
        post.burnts = *message;
        memcpy(post.list, message->burnts.list.data, message->burnts.list.size);
        post.burnts.burnts.list = fl_bytes_of(post.list, message->burnts.list.size);
        post.told |= fl_secagg_bit((uint32_t)to);
        return !post.deaf;
    }
    if (message->verb == FL_BURNT) {
        post.said |= fl_secagg_bit((uint32_t)from);
    }
    if (message->verb == FL_UNMASK) {
        post.opened |= fl_secagg_bit((uint32_t)from);
    }
    return message->verb != FL_ACKS || (post.acks_for & fl_secagg_bit((uint32_t)to)) != 0;
}

//  A block whose round is over; `acks_for` have given their shares.
static masked_world *
s_block(uint32_t members, uint64_t acks_for)
{
    masked_plan plan = masked_plan_small(members);
    masked_world *world = masked_new(&plan, 5);
    memset(&post, 0, sizeof post);
    post.acks_for = acks_for;
    world->hook = s_hook;
    masked_open(world);
    (void)masked_run(world);
    masked_lapse(world);
    return world;
}

static const fl_secagg_deed *
s_deed(const masked_world *world, uint32_t index)
{
    const fl_secagg_drawn of = { .run = world->task.order.run,
                                 .tensors = world->task.order.tensors,
                                 .pin = world->plan.pin };
    return fl_secagg_mark_of(&world->member[index].machine->mark, &of);
}

//  All but `mute` are asked, and hear what comes of it.
static void
s_ask(masked_world *world, uint64_t mute)
{
    for (uint32_t i = 0; i < world->plan.members; i++) {
        world->member[i].silent = (mute & fl_secagg_bit(i)) != 0;
    }
    masked_tell_burnt(world);
    for (uint32_t i = 0; i < world->plan.members; i++) {
        world->member[i].silent = false;
    }
}

// ---- what clears a mark -------------------------------------------------------------------------
static void
t_members_clear_every_mark_and_fewer_none(void **state)
{
    (void)state;
    const uint32_t t = fl_secagg_threshold(MEMBERS);
    for (int restarted = 0; restarted < 2; restarted++) {
        masked_world *world = s_block(MEMBERS, 0);
        for (uint32_t i = 0; i < MEMBERS && restarted; i++) {
            masked_restart_member(world, i);
        }
        s_ask(world, ~fl_secagg_all(t - 1));
        assert_int_equal(post.said, fl_secagg_all(t - 1));
        for (uint32_t i = 0; i < MEMBERS; i++) {
            assert_non_null(s_deed(world, i));
        }
        s_ask(world, 0);
        for (uint32_t i = 0; i < MEMBERS; i++) {
            assert_null(s_deed(world, i));
        }
        masked_next_round(world, 2, true);
        masked_open(world);
        post.acks_for = UINT64_MAX;
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        assert_true(masked_sum_exact(world));
        masked_destroy(&world);
    }
}

//  Also of who gave shares: too few of them are out, for ever.
static void
a_proof_clears_the_mark_of_who_gave_shares_and_that_one_never_says_burnt(void **state)
{
    (void)state;
    masked_world *world = s_block(MEMBERS, 3); // two of eight: not even with bad ones enough
    assert_true(s_deed(world, 0)->released && s_deed(world, 1)->released);
    masked_restart_member(world, 1); // a crash makes nobody forget
    masked_next_round(world, 2, true);
    masked_begin(world, 0);
    assert_int_equal(fl_secagg_client_step_of(world->member[0].machine), FL_CLIENT_IDLE);
    masked_begin(world, 2);
    assert_int_equal(fl_secagg_client_step_of(world->member[2].machine), FL_CLIENT_HELD);
    s_ask(world, 0);
    assert_int_equal(post.said & 3, 0);
    assert_null(s_deed(world, 0));
    assert_null(s_deed(world, 1));
    assert_int_equal(fl_secagg_client_step_of(world->member[2].machine), FL_CLIENT_KEYED);
    masked_destroy(&world);
}

typedef void forge(masked_world *world, fl_message *burnts, uint8_t *list);

static uint8_t *
s_signature(uint8_t *list, uint32_t place)
{
    return list + (size_t)MEMBERS * FL_MEMBER_BYTES + (size_t)place * FL_SIGN_BYTES;
}

static void
s_one_too_few(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)world;
    (void)list;
    burnts->burnts.set = fl_secagg_all(fl_secagg_threshold(MEMBERS) - 1);
    burnts->burnts.list.size = (size_t)MEMBERS * FL_MEMBER_BYTES +
                               fl_set_count(burnts->burnts.set) * (size_t)FL_SIGN_BYTES;
}

//  One member twice, in its place and in that of another.
static void
s_one_twice(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)world;
    (void)burnts;
    memcpy(s_signature(list, 1), s_signature(list, 0), FL_SIGN_BYTES);
}

static void
s_other_round(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)world;
    (void)list;
    burnts->round++;
}

static void
s_other_block(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)world;
    (void)list;
    burnts->burnts.block++;
}

static void
s_other_run(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)world;
    (void)list;
    burnts->run.bytes[0] ^= 1;
}

static void
s_other_line(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)world;
    (void)burnts;
    list[FL_MEMBER_CERT_BYTES] ^= 1;
}

static void
s_other_parent(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)burnts;
    (void)list;
    const fl_name other = identity_node("edge-b");
    fl_secagg_client_under(world->member[VICTIM].machine, &other, 1);
}

static void
s_other_hop(masked_world *world, fl_message *burnts, uint8_t *list)
{
    (void)burnts;
    (void)list;
    fl_secagg_client_under(world->member[VICTIM].machine, &world->parent, 2);
}

//  Somebody of the same authority who is not in the roster.
static void
s_outsider(masked_world *world, fl_message *burnts, uint8_t *list)
{
    fl_keys *keys = identity_keys(4711);
    fl_transcript_round round = s_deed(world, VICTIM)->where;
    (void)burnts;
    fl_transcript_burnt_sign(keys, &round, 1, s_signature(list, 1));
    fl_keys_destroy(&keys);
}

static void
a_proof_with_anything_changed_clears_nothing(void **state)
{
    (void)state;
    forge *const forges[] = { s_one_too_few,  s_one_twice, s_other_round,
                              s_other_block,  s_other_run, s_other_line,
                              s_other_parent, s_other_hop, s_outsider };
    const uint32_t t = fl_secagg_threshold(MEMBERS);
    for (size_t i = 0; i < sizeof forges / sizeof *forges; i++) {
        masked_world *world = s_block(MEMBERS, 0);
        s_ask(world, ~fl_secagg_all(t)); // who is mute has not heard the proof
        post.deaf = true;
        masked_tell_burnt(world);
        fl_message good = post.burnts, bad = post.burnts;
        static uint8_t list[sizeof post.list];
        memcpy(list, post.list, sizeof list);
        assert_int_equal(good.burnts.set, fl_secagg_all(t));
        bad.burnts.list.data = list;
        assert_non_null(s_deed(world, VICTIM));
        forges[i](world, &bad, list);
        masked_say(world, VICTIM, &bad);
        assert_non_null(s_deed(world, VICTIM));
        fl_secagg_client_under(world->member[VICTIM].machine, &world->parent, 1);
        masked_say(world, VICTIM, &good);
        assert_null(s_deed(world, VICTIM));
        masked_destroy(&world);
    }
}

// ---- one word per roster ------------------------------------------------------------------------
//  A parent that asks while the round goes on gets nothing, in no step.
static void
nobody_says_burnt_of_the_round_in_hand(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    memset(&post, 0, sizeof post);
    post.acks_for = UINT64_MAX;
    world->hook = s_hook;
    masked_open(world);
    uint32_t asked = 0;
    do {
        const fl_secagg_client *victim = world->member[2].machine;
        fl_message ask = masked_message(world, FL_BURNTS);
        uint8_t lines[FL_MEMBERS_MAX * FL_MEMBER_BYTES];
        size_t size = (size_t)victim->block.members * FL_MEMBER_BYTES;
        const fl_secagg_step step = fl_secagg_client_step_of(victim);
        fl_transcript_round round;
        fl_bytes kept;
        (void)fl_secagg_server_lapsed(world->aggregator, &round, &kept);
        if (step != FL_CLIENT_IDLE && size > 0) {
            memcpy(lines, kept.data, size);
            ask.burnts.block = round.block;
            ask.burnts.list = fl_bytes_of(lines, size);
            masked_say(world, 2, &ask);
            asked++;
        }
    } while (masked_deliver(world));
    assert_true(asked > 10);
    assert_int_equal(post.said, 0);
    assert_int_equal(fl_secagg_client_step_of(world->member[2].machine), FL_CLIENT_OPENED);
    masked_destroy(&world);
}

//  The parent says of a block that it opened that it did not.
static void
s_lie(masked_world *world)
{
    fl_transcript_round round;
    fl_bytes lines;
    assert_false(fl_secagg_server_lapsed(world->aggregator, &round, &lines));
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_DONE);
    fl_burnt_book_add(world->burnt, &round, lines, &world->task.order.tensors,
                      world->trust.authority);
}

//  A victim that dies at its n-th write, before it is durable or right after.
static struct {
    uint32_t writes, at;
    bool durable;
} death;

static bool
s_dies(masked_world *world, uint32_t index, bool *durable)
{
    (void)world;
    const bool now = index == VICTIM && death.writes++ == death.at;
    *durable = !now || death.durable;
    return !now;
}

//  Killed at every write, and at none, it gives shares or says BURNT, and never masks twice.
static void
a_member_that_dies_at_any_write_has_one_word(void **state)
{
    (void)state;
    enum { MASK, RELEASE, NEVER, WRITES };
    for (int row = 0; row < 2 * WRITES; row++) {
        masked_plan plan = masked_plan_small(MEMBERS);
        masked_world *world = masked_new(&plan, 5);
        memset(&post, 0, sizeof post);
        post.acks_for = UINT64_MAX;
        world->hook = s_hook;
        world->keep_hook = s_dies;
        death.writes = 0;
        death.at = (uint32_t)row / 2;
        death.durable = row % 2 == 1;
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        masked_lapse(world);
        masked_restart_member(world, VICTIM);
        s_lie(world);
        s_ask(world, 0);
        const bool opened = (post.opened & fl_secagg_bit(VICTIM)) != 0;
        const bool said = (post.said & fl_secagg_bit(VICTIM)) != 0;
        assert_int_equal(opened, death.at == NEVER);
        assert_int_equal(said, death.at == MASK || (death.at == RELEASE && !death.durable));
        masked_next_round(world, 2, true);
        masked_open(world);
        (void)masked_run(world);
        assert_true(world->member[VICTIM].masks <= 1);
        masked_destroy(&world);
    }
}

//  The parent had t members give shares, says that the block was not opened, and has all of them
//  mask again: with this it could take the difference of two sums. It gets n - t signatures.
static void
a_block_that_was_opened_is_never_proved_unopened(void **state)
{
    (void)state;
    const uint32_t t = fl_secagg_threshold(MEMBERS);
    masked_world *world = s_block(MEMBERS, fl_secagg_all(t));
    for (uint32_t i = 0; i < MEMBERS; i++) {
        masked_restart_member(world, i);
    }
    s_lie(world);
    s_ask(world, 0);
    assert_int_equal(post.said, fl_secagg_all(MEMBERS) & ~fl_secagg_all(t));
    for (uint32_t i = 0; i < MEMBERS; i++) {
        assert_non_null(s_deed(world, i));
    }
    masked_destroy(&world);
}

//  Two sums under one model: shares of the first are given by those who heard ACKS; the others,
//  with bad ones who keep no mark, mask again. Below the cliff, and with nobody masked twice.
static void
who_did_not_give_shares_masks_once_all_the_same(void **state)
{
    (void)state;
    static const struct {
        uint32_t members, bad;
    } rows[] = { { 8, 3 }, { 60, 15 } };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const uint32_t n = rows[r].members, bad = rows[r].bad, t = fl_secagg_threshold(n);
        masked_world *world = s_block(n, fl_secagg_all(t));
        for (uint32_t i = 0; i < bad; i++) { // bad ones put an older mark back
            world->member[i].marked = false;
            masked_restart_member(world, i);
        }
        masked_next_round(world, 2, true);
        masked_open(world);
        (void)masked_run(world);
        for (uint32_t i = bad; i < n; i++) {
            assert_int_equal(world->member[i].masks, 1);
        }
        masked_destroy(&world);
    }
}

//  The cliff, with real signatures: bad ones give shares and say BURNT, too.
static void
the_cliff_is_where_the_count_puts_it(void **state)
{
    (void)state;
    const uint32_t t = fl_secagg_threshold(MEMBERS), cliff = 2 * t - MEMBERS;
    for (uint32_t bad = cliff - 1; bad <= cliff; bad++) {
        masked_world *world = s_block(MEMBERS, fl_secagg_all(t));
        for (uint32_t i = 0; i < bad; i++) {
            world->member[i].marked = false;
            masked_restart_member(world, i);
        }
        s_lie(world);
        s_ask(world, 0);
        assert_int_equal(fl_set_count(post.said), MEMBERS - t + bad);
        assert_int_equal(s_deed(world, MEMBERS - 1) == NULL, bad == cliff);
        masked_destroy(&world);
    }
}

//  The proof for the largest block, in time of this thread: nobody waits for a model because of it.
static void
a_proof_of_64_members_takes_less_than_ten_milliseconds(void **state)
{
    (void)state;
    const uint32_t t = fl_secagg_threshold(FL_MEMBERS_MAX);
    masked_world *world = s_block(FL_MEMBERS_MAX, 0);
    s_ask(world, ~fl_secagg_all(t));
    post.deaf = true;
    masked_tell_burnt(world);
    fl_burnts burnts;
    assert_true(fl_burnts_read(&post.burnts, &world->parent, 1, &burnts));
    double best = 1000;
    for (int i = 0; i < 5; i++) {
        struct timespec from, to;
        assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from), 0);
        assert_true(fl_burnts_prove(&burnts, world->trust.authority));
        assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to), 0);
        double ms =
            (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
        best = ms < best ? ms : best;
    }
    print_message("BURNTS of 64: %.1f ms\n", best);
    assert_true(best < 10);
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_members_clear_every_mark_and_fewer_none),
        cmocka_unit_test(a_proof_clears_the_mark_of_who_gave_shares_and_that_one_never_says_burnt),
        cmocka_unit_test(a_proof_with_anything_changed_clears_nothing),
        cmocka_unit_test(nobody_says_burnt_of_the_round_in_hand),
        cmocka_unit_test(a_member_that_dies_at_any_write_has_one_word),
        cmocka_unit_test(a_block_that_was_opened_is_never_proved_unopened),
        cmocka_unit_test(who_did_not_give_shares_masks_once_all_the_same),
        cmocka_unit_test(the_cliff_is_where_the_count_puts_it),
        cmocka_unit_test(a_proof_of_64_members_takes_less_than_ten_milliseconds),
    };
    return cmocka_run_group_tests_name("core/masking_burnt", tests, NULL, NULL);
}
