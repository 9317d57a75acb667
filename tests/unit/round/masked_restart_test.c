//  A parent that dies in a masked round: with what it kept it goes on, and makes the same sum; with
//  what is not of the round, or was changed, it does not. And one that says to have died, to be
//  told again what it may know once.
#include "tests/support/unit.h"

#include "tests/support/stage.h"

#include <string.h>

enum { CHILD = 2, DOWN_MS = 100 };

static void
s_kill(uint32_t node)
{
    fl_sim_node_crash(stage, &stage->nodes[node], DOWN_MS);
}

//  Who is there when the round is opened again: all children, the first of them, or all and CHILD
//  is another process.
typedef enum way { CHILDREN_BACK, CHILDREN_LATER, CHILD_DEAD, WAYS } way;

//  After so many events of round 1. False: the round was over before.
static bool
s_killed_after(uint32_t events, fl_masking profile, way how)
{
    fl_sim_layout layout = stage_layout(0, 5, profile);
    layout.plan.step_ms = 400; // less than it takes to come back: there is more time then
    stage_open(&layout);
    stage_until_told(CHILD, FL_TASK);
    for (uint32_t i = 0; i < events && stage->notary.closed == 0; i++) {
        assert_true(fl_sim_go_on(stage));
    }
    bool running = stage->notary.closed == 0;
    uint32_t facts = stage->nodes[0].masks.fact_count;
    if (how == CHILDREN_LATER && running && facts > 0) { // else they are no members
        stage->expect = 0;
        stage->expect_leaves = 1;
        for (uint32_t child = 2; child <= 5; child++) {
            stage->links[stage->nodes[child].link].cut_until = stage->now + 900;
        }
    }
    s_kill(0);
    if (how == CHILD_DEAD) {
        s_kill(CHILD);
    }
    const fl_report *report = stage_closed(running ? 1 : 2);
    //  Once the survivors are kept its upload belongs to the sum, and went with its process; before
    //  there is a roster it is a member like any other.
    bool dead = how == CHILD_DEAD && running;
    uint32_t in = dead && facts >= 4 ? 0 : dead && facts > 0 ? 4 : 5;
    if (report->reason != (in > 0 ? FL_WHY_NONE : FL_WHY_RESTART) || report->tally.in != in) {
        fail_msg("killed after %u events, %u facts, %d: %s, %u in", events, facts, (int)how,
                 fl_reason_name(report->reason), report->tally.in);
    }
    stage_end();
    return running;
}

static void
killed_at_any_moment_it_makes_the_same_sum_unless_a_survivor_died_too(void **state)
{
    (void)state;
    for (way how = CHILDREN_BACK; how < WAYS; how++) {
        for (int profile = FL_MASKING_HONEST; profile <= FL_MASKING_MALICIOUS; profile++) {
            uint32_t events = 0;
            while (s_killed_after(events, (fl_masking)profile, how)) {
                events += 4;
            }
            assert_true(events > 60);
        }
    }
}

static bool
s_mute_the_last_four(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    return from < 5 || message->verb != FL_KEYS;
}

static void
blocks_that_were_not_yet_fixed_are_not_made_again(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 8, FL_MASKING_MALICIOUS);
    layout.plan.block_max = 4;
    stage_open(&layout);
    stage->letter_hook = s_mute_the_last_four;
    while (stage->nodes[0].masks.fact_count < 5) {
        assert_true(fl_sim_go_on(stage));
    }
    stage->letter_hook = NULL;
    s_kill(0);
    const fl_report *report = stage_closed(1);
    assert_int_equal(report->close, FL_CLOSE_DONE);
    assert_int_equal(report->tally.in, 4);
    assert_int_equal(report->block_count, 1);
    assert_int_equal(stage_closed(2)->tally.in, 8);
    stage_end();
}

//  Where the facts of a round are, byte by byte: docs/masking.md, 8.
enum {
    AT_KIND = 0,
    AT_BLOCK = 1,
    AT_RUN = 5,
    AT_ROUND = 21,
    AT_TASK = 29,
    AT_CERTIFICATE = 69 + 5
};

static void
facts_that_were_changed_end_their_block_and_foreign_ones_are_not_looked_at(void **state)
{
    (void)state;
    static const struct {
        uint32_t round, fact, at;
        uint8_t flip;
        fl_reason reason;
    } rows[] = {
        { 1, 0, AT_CERTIFICATE, 1, FL_WHY_RESTART },
        { 1, 1, AT_TASK, 1, FL_WHY_RESTART },
        { 1, 2, AT_TASK, 1, FL_WHY_RESTART },
        { 2, 0, AT_KIND, 0, FL_WHY_NONE },              // of the round before
        { 2, 0, AT_RUN, 1, FL_WHY_NONE },               // of another run
        { 2, 0, AT_KIND, FL_KEEP_ROSTER, FL_WHY_NONE }, // of no kind
        { 2, 0, AT_BLOCK, FL_BLOCKS_MAX, FL_WHY_NONE }, // of no block
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_begin(4);
        stage_until_told(CHILD, rows[i].round == 1 ? FL_MASKSET : FL_CLOSED);
        s_kill(0);
        const fl_time killed = stage->now;
        fl_sim_masks *masks = &stage->nodes[0].masks;
        for (uint32_t f = 0; f < masks->fact_count; f++) {
            uint8_t *fact = fl_blob_data(masks->facts[f].bytes);
            fact[AT_ROUND] = (uint8_t)(rows[i].at == AT_RUN ? 2 : fact[AT_ROUND]);
            fact[rows[i].at] ^= rows[i].round == 2 || f == rows[i].fact ? rows[i].flip : 0;
        }
        const fl_report *report = stage_closed(rows[i].round);
        assert_int_equal(report->round, rows[i].round);
        assert_int_equal(report->reason, rows[i].reason);
        assert_int_equal(report->tally.in, rows[i].reason == FL_WHY_NONE ? 4 : 0);
        assert_int_equal(report->block_count, 1);
        assert_true(stage->now < killed + 8000); // and not at the end of its 16 seconds
        stage_close();
    }
}

// ---- a parent that tells two things -----------------------------------------------------------
enum { MEMBERS = 4, ALL = 15, OTHERS = ALL & ~(1 << (CHILD - 1)) }; // three are enough

static struct {
    uint64_t self, pair;
    uint32_t contents;
} opened[MEMBERS + 1];
static uint8_t psigs[(MEMBERS - 1) * FL_SIGN_BYTES]; // true ones, of all but CHILD

static bool
s_watch(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    if (message->verb == FL_UNMASK && from != 0) {
        const fl_block_unmask *unmask = &message->unmask;
        bool same = unmask->self == opened[from].self && unmask->pair == opened[from].pair;
        opened[from].contents += opened[from].contents == 0 || !same;
        opened[from].self = unmask->self;
        opened[from].pair = unmask->pair;
    } else if (message->verb == FL_CONTRIB && from != CHILD) {
        memcpy(psigs + (from > CHILD ? from - 2 : from - 1) * FL_SIGN_BYTES,
               message->contrib.psig.data, FL_SIGN_BYTES);
    }
    return true;
}

static void
s_tell_all(const fl_message *message)
{
    for (uint32_t child = 1; child <= MEMBERS; child++) {
        stage_hear(child, message);
    }
}

static void
s_tell_another_roster(void)
{
    static const uint8_t line[FL_MEMBER_BYTES] = { 1 };
    fl_message message = stage_message(FL_ROSTER);
    message.roster.list = fl_bytes_of(line, sizeof line);
    s_tell_all(&message);
}

static void
s_tell_another_mask_set(void)
{
    fl_message message = stage_message(FL_MASKSET);
    message.maskset.set = OTHERS;
    s_tell_all(&message);
}

static void
s_tell_other_survivors(void)
{
    fl_message message = stage_message(FL_SURVIVORS);
    message.survivors.set = OTHERS;
    message.survivors.list = fl_bytes_of(psigs, sizeof psigs);
    s_tell_all(&message);
}

static void
s_tell_other_acks(void)
{
    static const uint8_t asigs[(MEMBERS - 1) * FL_SIGN_BYTES];
    fl_message message = stage_message(FL_ACKS);
    message.acks.set = OTHERS;
    message.acks.list = fl_bytes_of(asigs, sizeof asigs);
    s_tell_all(&message);
}

static void
s_tell_another_task(void)
{
    const fl_task *task = fl_participant_task(stage_member(CHILD));
    if (task != NULL) {
        fl_message message = stage_message(FL_TASK);
        message.task = *task;
        message.task.attempt++;
        message.task.order.plan.seed++;
        s_tell_all(&message);
    }
}

static void
s_tell_nothing(void)
{
}

//  The trick after so many events of a round, and once more after a restart, as each child sees it:
//  its seat is unknown, HELLO, WELCOME and the task again. False: the round was over before.
static bool
s_try(void (*trick)(void), bool restarts, uint32_t events, uint32_t *sums)
{
    fl_sim_layout layout = stage_layout(0, MEMBERS, FL_MASKING_MALICIOUS);
    layout.rounds = 1;
    stage_open(&layout);
    stage->deaf = STAGE_LIES;
    stage->letter_hook = s_watch;
    memset(opened, 0, sizeof opened);
    stage_until_told(CHILD, FL_TASK);
    for (uint32_t i = 0; i < events && stage->closed == NULL; i++) {
        assert_true(fl_sim_go_on(stage));
    }
    bool running = stage->closed == NULL;
    trick();
    if (restarts && running) {
        for (uint32_t child = 1; child <= MEMBERS; child++) {
            stage_refuse(child, FL_BEAT, FL_WHY_UNKNOWN_SEAT);
        }
        stage_pass(20);
        trick();
    }
    *sums += stage_closed(1)->close == FL_CLOSE_DONE;
    for (uint32_t i = 1; i <= MEMBERS; i++) {
        assert_true(opened[i].contents <= 1);
        for (uint32_t n = 1; n <= MEMBERS; n++) { // of two who opened, nobody gave the other kind
            assert_true((opened[i].self & opened[n].pair) == 0);
        }
    }
    stage_close();
    return running;
}

static void
no_second_word_of_a_parent_gets_another_sum_opened(void **state)
{
    (void)state;
    static void (*const tricks[])(void) = {
        s_tell_another_roster, s_tell_another_mask_set, s_tell_other_survivors,
        s_tell_other_acks,     s_tell_another_task,     s_tell_nothing,
    };
    for (size_t t = 0; t < 2 * sizeof tricks / sizeof *tricks; t++) {
        void (*trick)(void) = tricks[t / 2];
        uint32_t sums = 0, tries = 0;
        while (s_try(trick, t % 2 == 1, 5 * tries, &sums)) {
            tries++;
        }
        assert_true(tries > 15);
        assert_true(trick != s_tell_nothing || sums == tries + 1); // a restart alone harms nobody
    }
}

static bool
s_forge_shares(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    message->shares.signature[5] ^= from == CHILD && message->verb == FL_SHARES;
    return true;
}

//  Another aggregator, to which the child goes over, leaves it out too.
static void
s_assert_known_elsewhere(void)
{
    const fl_aggregator_conf conf = { .child_roles = { FL_ROLE_DEVICE },
                                      .seats_max = 4,
                                      .slots = 1,
                                      .window = { .count_min = 1, .time_max_ms = 1000 },
                                      .timing = fl_timing_default() };
    const fl_message hello = { .verb = FL_HELLO };
    fl_aggregator *other = fl_aggregator_new(&conf);
    fl_outbox *out = fl_outbox_new(64);
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = 77;
    event.message.node = stage->nodes[CHILD].name;
    event.message.role = FL_ROLE_DEVICE;
    event.message.message = &hello;
    fl_aggregator *at = fl_root_aggregator(fl_tracks_root(stage->nodes[0].tracks, 0));
    assert_true(fl_aggregator_part(at, other, &event, stage->now + 60000, out));
    fl_aggregator_step(other, &event, 1, out);
    fl_aggregator_open(other, &(fl_task){ .order.round = 1 }, FL_NEVER, 0, 2, out);
    assert_int_equal(fl_aggregator_seat(other, 0).reason, FL_WHY_SIGNATURE);
    fl_outbox_destroy(&out);
    fl_aggregator_destroy(&other);
}

static void
who_was_blamed_is_left_out_of_later_rounds_in_a_new_process_too(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 6, FL_MASKING_MALICIOUS);
    layout.rounds = 3;
    stage_open(&layout);
    stage->deaf = STAGE_LIES;
    stage->letter_hook = s_forge_shares;
    assert_int_equal(stage_closed(1)->tally.in, 5);
    stage_assert_outcome(CHILD, FL_OUT_REFUSED, FL_WHY_SIGNATURE);
    stage->letter_hook = NULL;
    for (uint64_t round = 2; round <= 3; round++) {
        const fl_report *report = stage_closed(round);
        assert_int_equal(report->tally.in, 5);
        assert_int_equal(report->tally.refused, 1);
        assert_int_equal(report->blocks[0].members, 5);
        stage_assert_outcome(CHILD, FL_OUT_REFUSED, FL_WHY_SIGNATURE);
        fl_sim_node_crash(stage, &stage->nodes[CHILD], 10);
    }
    assert_int_equal(stage->nodes[CHILD].told[FL_TASK], 1);
    s_assert_known_elsewhere();
    stage_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_it_makes_the_same_sum_unless_a_survivor_died_too),
        cmocka_unit_test(blocks_that_were_not_yet_fixed_are_not_made_again),
        cmocka_unit_test(
            facts_that_were_changed_end_their_block_and_foreign_ones_are_not_looked_at),
        cmocka_unit_test(who_was_blamed_is_left_out_of_later_rounds_in_a_new_process_too),
        cmocka_unit_test(no_second_word_of_a_parent_gets_another_sum_opened),
    };
    return cmocka_run_group_tests_name("round/masked_restart", tests, NULL, NULL);
}
