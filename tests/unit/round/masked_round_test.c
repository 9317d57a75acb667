//  A parent and its children in masked rounds, whole machines in a simulated world: who counts,
//  who is out and why, and by what name a block or a round ends.
#include "tests/support/unit.h"

#include "tests/support/stage.h"

enum { CHILD = 2, WINDOW_MS = 16000 };

// ---- whole rounds -----------------------------------------------------------------------------
static void
children_are_masked_in_even_blocks_of_three_at_least(void **state)
{
    (void)state;
    static const struct {
        uint32_t devices, block_max, blocks, in;
    } rows[] = {
        { 6, 64, 1, 6 }, { 11, 4, 3, 11 }, { 5, 3, 1, 3 }, { 5, 4, 1, 4 }, { 5, 6, 1, 5 }
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_sim_layout layout = stage_layout(0, rows[i].devices, FL_MASKING_MALICIOUS);
        layout.plan.block_max = (uint8_t)rows[i].block_max;
        stage_open(&layout);
        const fl_report *report = stage_closed(1);
        uint32_t members = 0;
        for (uint32_t b = 0; b < report->block_count; b++) {
            assert_int_equal(report->blocks[b].block, b);
            assert_int_equal(report->blocks[b].survivors, report->blocks[b].members);
            assert_true(report->blocks[b].members >= 3);
            members += report->blocks[b].members;
        }
        assert_int_equal(report->block_count, rows[i].blocks);
        assert_int_equal(report->tally.in, rows[i].in);
        assert_int_equal(report->tally.invited, rows[i].in); // for the others there is no room
        assert_int_equal(report->tally.masked, rows[i].in);
        assert_int_equal(members, rows[i].in);
        stage_end(); // and the machines of its blocks are used again
    }
}

//  Edge 1 says that a block of the root's was opened, edge 2 one of its own in the root's name,
//  edge 3 in the name of edge 4.
static bool
s_boast(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    static uint8_t bytes[4][FL_BLOCK_LINE_BYTES];
    if (to == 0 && message->verb == FL_CONTRIB && from < 4) {
        fl_block_line line = { .members = 4, .masked = 4, .survivors = 4 };
        line.hop = from == 1 ? 2 : 1;
        line.parent = sim->nodes[from == 1 ? 1 : from == 2 ? 0 : 4].name;
        fl_block_line_encode(&line, bytes[from]);
        message->contrib.blocks = fl_bytes_of(bytes[from], sizeof bytes[from]);
    }
    return true;
}

static void
edges_report_their_blocks_and_nobody_elses(void **state)
{
    (void)state;
    for (int boast = 0; boast < 2; boast++) {
        fl_sim_layout layout = stage_layout(4, 3, FL_MASKING_HONEST);
        stage_open(&layout);
        stage->letter_hook = boast ? s_boast : NULL;
        const fl_report *report = stage_closed(1);
        assert_int_equal(report->tally.in, 12);
        assert_int_equal(report->masking, FL_MASKING_HONEST);
        assert_int_equal(report->block_count, boast ? 2 : 5); // the root's own, and theirs
        assert_int_equal(report->blocks[0].hop, 2);
        assert_int_equal(report->blocks[0].survivors, 4);
        for (uint32_t i = 1; i < report->block_count; i++) {
            assert_int_equal(report->blocks[i].hop, 1);
            assert_int_equal(report->blocks[i].survivors, 3);
        }
        stage_close();
    }
}

// ---- losses -----------------------------------------------------------------------------------
static fl_verb lost_from; // of CHILD, this and all that follows
static bool lost;

static bool
s_fall_silent(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    lost = lost || (from == CHILD && message->verb == lost_from);
    return !lost || from != CHILD;
}

static void
a_child_silent_from_any_step_on_costs_its_own_update_at_most(void **state)
{
    (void)state;
    static const struct {
        fl_verb from;
        uint32_t in, recovered;
    } rows[] = {
        { FL_KEYS, 5, 0 },  { FL_SHARES, 5, 0 }, { FL_READY, 5, 0 },  { FL_CONTRIB, 5, 1 },
        { FL_CHUNK, 5, 1 }, { FL_ACK, 6, 0 },    { FL_UNMASK, 6, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_begin(6);
        lost = false;
        lost_from = rows[i].from;
        stage->letter_hook = s_fall_silent;
        const fl_report *report = stage_closed(1);
        if (report->tally.in != rows[i].in || report->tally.recovered != rows[i].recovered) {
            fail_msg("silent from %s: %u in, %u recovered", fl_verb_name(rows[i].from),
                     report->tally.in, report->tally.recovered);
        }
        stage_close();
    }
}

static bool
s_lose_one_word(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    return from != CHILD || message->verb != lost_from;
}

//  Nothing else is due: no child beats, no lease is looked after.
static void
a_parent_wakes_up_when_the_time_of_a_step_is_over(void **state)
{
    (void)state;
    static const struct {
        fl_verb lost;
        uint32_t eighths; // of the window
    } rows[] = { { FL_KEYS, 1 }, { FL_SHARES, 2 }, { FL_READY, 6 }, { FL_CONTRIB, 8 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_sim_layout layout = stage_layout(0, 4, FL_MASKING_MALICIOUS);
        layout.timing.beat_ms = 100000;
        stage_open(&layout);
        lost_from = rows[i].lost;
        stage->letter_hook = s_lose_one_word;
        stage_until_noted(0, FL_NOTE_ROUND_OPEN);
        fl_time due = stage->now + WINDOW_MS / 8 * (fl_time)rows[i].eighths;
        stage_pass(1000);
        assert_int_equal(fl_aggregator_deadline(stage_cohort(0)), due);
        assert_int_equal(stage_closed(1)->tally.in, 3);
        stage_close();
    }
}

//  For three heartbeats, both ways: it gives its connection up.
static void
a_child_that_reconnects_after_any_step_goes_on(void **state)
{
    (void)state;
    static const fl_verb at[] = { FL_KEYS, FL_SHARES, FL_READY, FL_CONTRIB, FL_ACK };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        stage_begin(4);
        stage_until_said(CHILD, at[i]);
        stage->links[stage->nodes[CHILD].link].cut_until = stage->now + 1600;
        assert_int_equal(stage_closed(1)->tally.in, 4);
        if (stage->nodes[CHILD].said[FL_HELLO] < 2) {
            stage_until_said(CHILD, FL_HELLO);
        }
        stage_end();
    }
}

static void
a_new_process_of_a_child_has_no_part_in_the_round_unless_it_was_counted(void **state)
{
    (void)state;
    static const fl_verb after[] = { FL_SHARES, FL_READY, FL_ACK };
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        stage_begin(5);
        stage_until_said(CHILD, after[i]);
        fl_sim_node_crash(stage, &stage->nodes[CHILD], 50);
        uint32_t tasks = stage->nodes[CHILD].told[FL_TASK];
        stage_until_told(CHILD, FL_WELCOME);
        bool counted = after[i] == FL_ACK;
        if (!counted) { // and what it says of the round all the same is refused
            fl_message contrib = stage_message(FL_CONTRIB);
            contrib.contrib = (fl_contrib){ .attempt = 1, .seat = CHILD - 1, .epoch = 2 };
            contrib.contrib.elements = stage->elements;
            contrib.contrib.vector_bytes =
                stage->elements * fl_policy_element(&stage->plan).wire_bytes;
            stage_hear_from(0, CHILD - 1, &contrib, 0);
            assert_int_equal(stage->nodes[0].refused.reason, FL_WHY_RESTART);
            fl_message ready = stage_message(FL_READY);
            stage_hear_from(0, CHILD - 1, &ready, 0);
            assert_int_equal(stage->nodes[0].refused.reason, FL_WHY_UNKNOWN_ROUND);
        }
        const fl_report *report = stage_closed(1);
        assert_int_equal(report->tally.in, counted ? 5 : 4);
        assert_true(report->duration_ms < 1500 + 3 * 500); // nobody waits for it longer
        stage_assert_outcome(CHILD, counted ? FL_OUT_IN : FL_OUT_ABSENT,
                             counted ? FL_WHY_NONE : FL_WHY_RESTART);
        if (!counted) { // else it is seated when the next round is open
            assert_int_equal(stage->nodes[CHILD].told[FL_TASK], tasks);
        }
        assert_int_equal(stage_closed(2)->tally.in, 5); // its keys are in no roster yet
        stage_end();
    }
}

static void
a_child_that_joins_after_the_open_waits_for_the_next_round(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 5, FL_MASKING_MALICIOUS);
    layout.train_ms = 3000;
    stage_open(&layout);
    stage->nodes[5].alive = true; // it starts later
    stage_until_told(1, FL_TASK);
    stage->nodes[5].alive = false;
    fl_sim_node_start(stage, &stage->nodes[5]);
    const fl_report *report = stage_closed(1);
    assert_int_equal(report->tally.invited, 4);
    assert_int_equal(report->tally.in, 4);
    assert_int_equal(stage->nodes[5].told[FL_TASK], 0);
    assert_int_equal(stage_closed(2)->tally.in, 5);
    stage_end();
}

//  It trains for ever, and then says this.
static void
a_child_that_says_that_it_is_out_is_not_waited_for(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb, about;
        fl_reason reason;
        fl_outcome outcome;
    } rows[] = { { FL_LEAVE, FL_VERB_NONE, FL_WHY_LEFT, FL_OUT_ABSENT },
                 { FL_REFUSED, FL_ROSTER, FL_WHY_SAME_MODEL, FL_OUT_REFUSED },
                 { FL_REFUSED, FL_TASK, FL_WHY_NO_DATA, FL_OUT_REFUSED },
                 { FL_VERB_NONE, FL_VERB_NONE, FL_WHY_LATE, FL_OUT_LATE } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_begin(5);
        stage->nodes[CHILD].train_ms = 100000;
        stage_until_said(CHILD, FL_SHARES);
        fl_message message = stage_message(rows[i].verb);
        if (rows[i].verb == FL_LEAVE) {
            message.leave.reason = rows[i].reason;
            stage->links[stage->nodes[CHILD].link].cut_until = FL_NEVER; // and is gone
            stage_hear_from(0, CHILD - 1, &message, 0);
        } else if (rows[i].verb == FL_REFUSED) {
            message.refused = (fl_refused){ .reason = rows[i].reason, .about = rows[i].about };
            stage_say(CHILD, &message);
        }
        const fl_report *report = stage_closed(1);
        stage_assert_outcome(CHILD, rows[i].outcome, rows[i].reason);
        assert_int_equal(report->tally.in, 4);
        assert_int_equal(report->tally.recovered, 0); // nobody has masked with it
        bool waited = report->duration_ms >= WINDOW_MS * 3 / 4;
        assert_int_equal(waited, rows[i].verb == FL_VERB_NONE);
        stage_close();
    }
}

// ---- blocks and rounds that end by name -------------------------------------------------------
static unsigned wrong; // set of blocks of the root whose sums come out wrong

static bool
s_checksum(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_event *answer)
{
    (void)sim;
    if (node->index == 0 && effect->kind == FL_FX_UNMASK) {
        answer->unmasked.checksum += wrong >> effect->unmask.block & 1;
    }
    return true;
}

static void
a_round_is_done_when_what_its_opened_blocks_hold_is_enough(void **state)
{
    (void)state;
    static const struct {
        unsigned wrong;
        fl_missed missed;
        uint32_t count_min;
        fl_close close;
    } rows[] = { { 1, FL_MISSED_SKIP, 1, FL_CLOSE_DONE },
                 { 2, FL_MISSED_SKIP, 1, FL_CLOSE_DONE },
                 { 2, FL_MISSED_SKIP, 5, FL_CLOSE_SKIPPED },   // of a sum that goes nowhere
                 { 3, FL_MISSED_EXTEND, 1, FL_CLOSE_SKIPPED }, // it is not extended
                 { 3, FL_MISSED_ABORT, 1, FL_CLOSE_ABORTED } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_sim_layout layout = stage_layout(0, 8, FL_MASKING_MALICIOUS);
        layout.plan.block_max = 4;
        layout.window.missed = rows[i].missed;
        layout.window.count_min = rows[i].count_min;
        layout.window.extend_ms = 5000;
        layout.window.extends_max = 3;
        stage_open(&layout);
        stage->deaf = STAGE_LIES;
        wrong = rows[i].wrong;
        stage->answer_hook = s_checksum;
        const fl_report *report = stage_closed(1);
        uint32_t aborted = 4 * ((wrong & 1) + (wrong >> 1));
        assert_int_equal(report->close, rows[i].close);
        assert_int_equal(report->reason,
                         rows[i].close == FL_CLOSE_DONE ? FL_WHY_NONE : FL_WHY_CHECKSUM);
        assert_int_equal(report->tally.masked, 8);
        assert_int_equal(report->tally.aborted, aborted);
        assert_int_equal(report->tally.refused, aborted);
        for (uint32_t child = 1; child <= 8; child++) {
            bool out = (wrong >> (child > 4) & 1) != 0;
            stage_assert_outcome(child, out ? FL_OUT_REFUSED : FL_OUT_IN,
                                 out ? FL_WHY_CHECKSUM : FL_WHY_NONE);
        }
        assert_int_equal(stage->nodes[0].noted[FL_NOTE_ROUND_EXTEND], 0);
        stage_close();
    }
}

static uint32_t kept, failing; // KEEP effects of the root; this one is not durable

static bool
s_fail_keep(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_event *answer)
{
    (void)sim;
    if (node->index == 0 && effect->kind == FL_FX_KEEP) {
        answer->saved.ok = kept++ != failing;
    }
    return true;
}

static bool
s_peak(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_event *answer)
{
    (void)sim;
    (void)node;
    if (effect->kind == FL_FX_UNMASK) { // more than the weights of its members allow
        answer->unmasked.peak = (uint64_t)127 * 4 * 4 + 1;
    }
    return true;
}

static void
a_block_without_a_sound_sum_ends_by_name(void **state)
{
    (void)state;
    static const struct {
        uint32_t devices, block_max, devices_max, step_ms, fails;
        fl_sim_answer_hook *hook;
        fl_reason reason; // of the last block
        uint32_t in;
    } rows[] = {
        { 4, 64, 64, 1000, 0, s_fail_keep, FL_WHY_STORAGE, 0 }, // ROSTER
        { 4, 64, 64, 1000, 1, s_fail_keep, FL_WHY_STORAGE, 0 },
        { 4, 64, 64, 1000, 2, s_fail_keep, FL_WHY_STORAGE, 0 },
        { 4, 64, 64, 1000, 3, s_fail_keep, FL_WHY_STORAGE, 0 },
        { 4, 64, 64, 1000, 4, s_fail_keep, FL_WHY_STORAGE, 0 }, // ACKS
        { 4, 64, 64, 1000, 0, s_peak, FL_WHY_WEIGHT, 0 },
        { 1, 64, 64, 1000, 0, NULL, FL_WHY_ROSTER_TOO_SMALL, 0 },
        { 2, 64, 64, 1000, 0, NULL, FL_WHY_ROSTER_TOO_SMALL, 0 },
        { 5, 64, 64, 150, 0, NULL, FL_WHY_NONE, 5 },
        { 5, 64, 64, 4000, 0, NULL, FL_WHY_NONE, 5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_sim_layout layout = stage_layout(0, rows[i].devices, FL_MASKING_MALICIOUS);
        layout.plan.block_max = (uint8_t)rows[i].block_max;
        layout.plan.devices_max = rows[i].devices_max;
        layout.plan.weight_unit = 1000; // of every device one
        layout.plan.step_ms = rows[i].step_ms;
        stage_open(&layout);
        stage->deaf = STAGE_LIES;
        kept = 0;
        failing = rows[i].fails;
        stage->answer_hook = rows[i].hook;
        const fl_report *report = stage_closed(1);
        assert_int_equal(report->tally.in, rows[i].in);
        assert_int_equal(report->close, rows[i].in > 0 ? FL_CLOSE_DONE : FL_CLOSE_SKIPPED);
        if (rows[i].in == 0) {
            assert_int_equal(report->reason, rows[i].reason);
            bool pool = rows[i].devices >= FL_SECAGG_MEMBERS_MIN; // of fewer there is none
            stage_assert_outcome(1, pool ? FL_OUT_REFUSED : FL_OUT_ABSENT,
                                 pool ? rows[i].reason : FL_WHY_NO_POOL);
        }
        stage_close();
    }
}

static uint32_t budget_ms;

static bool
s_give_edge_1(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)from;
    if (to == 1 && message->verb == FL_TASK) {
        message->task.budget_ms = budget_ms;
    }
    return true;
}

static void
an_edge_without_time_for_the_steps_of_an_opening_is_late_at_once(void **state)
{
    (void)state;
    static const struct {
        uint32_t budget_ms, step_ms;
        bool in;
    } rows[] = { { 0, 1000, false },   { 3000, 1000, false },  { 3050, 1000, false },
                 { 8000, 1000, true }, { 15000, 5000, false }, { 15000, UINT32_MAX, false } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_sim_layout layout = stage_layout(3, 3, FL_MASKING_MALICIOUS);
        layout.plan.step_ms = rows[i].step_ms;
        stage_open(&layout);
        budget_ms = rows[i].budget_ms;
        stage->letter_hook = s_give_edge_1;
        stage_until_told(1, FL_TASK);
        fl_time told = stage->now;
        stage_until_said(1, rows[i].in ? FL_CONTRIB : FL_REFUSED);
        assert_true(rows[i].in || stage->now - told < 200);
        if (!rows[i].in) {
            assert_int_equal(stage->nodes[1].refused.reason, FL_WHY_LATE);
            assert_int_equal(fl_aggregator_seat(stage_cohort(1), 0).outcome, FL_OUT_LATE);
        }
        stage_close();
    }
}

static void
with_too_few_children_an_edge_says_so_at_once_and_a_root_waits_its_window_out(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(3, 2, FL_MASKING_MALICIOUS);
    stage_open(&layout);
    stage_until_told(1, FL_TASK);
    fl_time told = stage->now;
    stage_until_said(1, FL_REFUSED);
    assert_int_equal(stage->nodes[1].refused.reason, FL_WHY_ROSTER_TOO_SMALL);
    assert_true(stage->now - told < 200);
    stage_close();
    stage_begin(2); // one that would open the next round at once, and the next
    assert_in_range(stage_closed(1)->duration_ms, WINDOW_MS, WINDOW_MS + 2);
    stage_close();
}

//  All its children have had this round, or have another task of it in hand.
static void
a_root_from_a_backup_is_told_so_by_name_and_loses_no_time(void **state)
{
    (void)state;
    static const fl_reason said[] = { FL_WHY_RESTORED, FL_WHY_EQUIVOCATION };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        stage_begin(3);
        stage->deaf = STAGE_LIES;
        for (uint32_t child = 1; child <= 3; child++) {
            stage_until_told(child, FL_TASK);
            fl_message refused = stage_message(FL_REFUSED);
            refused.refused = (fl_refused){ .reason = said[i], .about = FL_TASK };
            stage_say(child, &refused);
        }
        const fl_report *report = stage_closed(1);
        assert_int_equal(report->reason, FL_WHY_RESTORED);
        assert_true(report->duration_ms < WINDOW_MS / 8);
        stage_assert_outcome(CHILD, FL_OUT_REFUSED, FL_WHY_RESTORED);
        stage_close();
    }
}

//  Which word of child 2 never comes, and with it the block of three.
static void
who_is_missing_in_a_block_that_has_too_few_is_named(void **state)
{
    (void)state;
    static const struct {
        fl_verb lost;
        fl_reason reason;
    } rows[] = { { FL_KEYS, FL_WHY_ROSTER_TOO_SMALL }, { FL_SHARES, FL_WHY_TOO_FEW_DEALT },
                 { FL_READY, FL_WHY_TOO_FEW_READY }, { FL_CONTRIB, FL_WHY_TOO_FEW_UPLOADS } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_begin(3);
        lost_from = rows[i].lost;
        stage->letter_hook = s_lose_one_word;
        assert_int_equal(stage_closed(1)->reason, rows[i].reason);
        stage_assert_outcome(CHILD, FL_OUT_LATE, FL_WHY_LATE);
        stage_assert_outcome(1, FL_OUT_REFUSED, rows[i].reason);
        stage_close();
    }
}

static bool
s_lose_all(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    (void)message;
    return from != CHILD;
}

static void
a_block_goes_on_without_who_is_silent_when_it_is_opened(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 4, FL_MASKING_MALICIOUS);
    layout.timing.lease_beats = 1000;
    layout.rounds = 3;
    stage_open(&layout);
    assert_int_equal(stage_closed(1)->tally.in, 4);
    stage->letter_hook = s_lose_all;
    stage_until_noted(0, FL_NOTE_EVASIVE);
    const fl_report *report = stage_closed(3);
    assert_int_equal(report->tally.in, 3);
    assert_int_equal(report->blocks[0].members, 3);
    stage_assert_outcome(CHILD, FL_OUT_ABSENT, FL_WHY_SILENT);
    assert_true(report->duration_ms < WINDOW_MS / 8); // nobody waited for its keys
    stage_close();
}

// ---- pace -------------------------------------------------------------------------------------
//  What the second round is given, when the first was so quick; `extra` is done while all train.
static fl_time
s_second_window(const fl_sim_layout *layout, uint32_t slow_ms, bool away)
{
    stage_open(layout);
    stage->nodes[stage->node_count - 1].train_ms = slow_ms > 0 ? slow_ms : layout->train_ms;
    stage_until_told(1, FL_TASK);
    if (away) { // two that are ready are gone for a moment, and are tasked again
        stage_pass((fl_time)layout->train_ms * 5 / 4);
        fl_sim_expel(stage, stage->nodes[1].link);
        fl_sim_expel(stage, stage->nodes[2].link);
    }
    (void)stage_closed(1);
    stage_until_said(0, FL_TASK);
    fl_time left = fl_aggregator_cutoff(stage_cohort(0)) - stage->now;
    stage_close();
    return left;
}

static void
a_measured_deadline_is_of_what_members_take_and_leaves_room_for_the_opening(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 4, FL_MASKING_MALICIOUS);
    layout.window.factor_permille = 1000;
    layout.window.time_min_ms = 400; // more than what is measured here
    assert_int_equal(s_second_window(&layout, 0, false), 400 * 4 / 3);
    layout.edges = 4; // whose own rounds need more
    layout.devices = 3;
    fl_time more = 3 * (fl_time)layout.plan.step_ms + 50 + 10;
    layout.window.time_min_ms = 4000;
    assert_int_equal(s_second_window(&layout, 0, false), (4000 + more) * 3 / 2);
    layout = stage_layout(0, 5, FL_MASKING_MALICIOUS);
    layout.window.factor_permille = 2000;
    layout.window.time_min_ms = 1;
    layout.train_ms = 400;
    fl_time quick = s_second_window(&layout, 9000, false); // all wait for one: not their time
    assert_true(quick >= 640 && quick < 4000);
    layout = stage_layout(0, 3, FL_MASKING_MALICIOUS);
    layout.window.factor_permille = 2000;
    layout.train_ms = 4000;
    assert_true(s_second_window(&layout, 6000, true) >= 6400); // a second task is no new clock
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(children_are_masked_in_even_blocks_of_three_at_least),
        TEST(edges_report_their_blocks_and_nobody_elses),
        TEST(a_child_silent_from_any_step_on_costs_its_own_update_at_most),
        TEST(a_parent_wakes_up_when_the_time_of_a_step_is_over),
        TEST(a_child_that_reconnects_after_any_step_goes_on),
        TEST(a_new_process_of_a_child_has_no_part_in_the_round_unless_it_was_counted),
        TEST(a_child_that_joins_after_the_open_waits_for_the_next_round),
        TEST(a_child_that_says_that_it_is_out_is_not_waited_for),
        TEST(a_round_is_done_when_what_its_opened_blocks_hold_is_enough),
        TEST(a_block_without_a_sound_sum_ends_by_name),
        TEST(an_edge_without_time_for_the_steps_of_an_opening_is_late_at_once),
        TEST(who_is_missing_in_a_block_that_has_too_few_is_named),
        TEST(a_block_goes_on_without_who_is_silent_when_it_is_opened),
        TEST(a_root_from_a_backup_is_told_so_by_name_and_loses_no_time),
        TEST(with_too_few_children_an_edge_says_so_at_once_and_a_root_waits_its_window_out),
        TEST(a_measured_deadline_is_of_what_members_take_and_leaves_room_for_the_opening),
    };
    return cmocka_run_group_tests_name("round/masked_round", tests, NULL, NULL);
}
