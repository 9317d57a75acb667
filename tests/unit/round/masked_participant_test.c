//  A child in masked rounds, a whole device in a simulated world: what it takes part in, how its
//  part ends at any stage, and what becomes of its update then.
#include "tests/support/unit.h"

#include "tests/support/stage.h"

#include <stdio.h>
#include <string.h>

enum { CHILD = 2 };

static fl_sim_node *
s_child(void)
{
    return &stage->nodes[CHILD];
}

//  Its half of the masked round is over.
static void
s_assert_out(void)
{
    assert_int_equal(s_child()->note[FL_NOTE_MASKING_STEP].a, FL_CLIENT_IDLE);
}

static fl_verdict
s_verdict(void)
{
    const fl_note *note = &s_child()->note[FL_NOTE_VERDICT];
    return (fl_verdict){ .round = note->round,
                         .outcome = (fl_outcome)note->a,
                         .reason = note->reason,
                         .certain = note->b != 0 };
}

// ---- what it takes part in --------------------------------------------------------------------
static fl_plan asked; // of CHILD, in place of what was ordered

static bool
s_ask(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)from;
    if (to == CHILD && message->verb == FL_TASK) {
        message->task.order.plan = asked;
    }
    return true;
}

static void
a_task_is_declined_when_it_masks_less_than_configured_or_its_sums_may_wrap(void **state)
{
    (void)state;
    static const struct {
        fl_masking run, own, asked; // run NONE: it has no masks at all
        uint32_t weight_max;
        fl_reason reason;
    } rows[] = {
        { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS, FL_MASKING_NONE, 4, FL_WHY_POLICY_REFUSED },
        { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS, FL_MASKING_HONEST, 4, FL_WHY_POLICY_REFUSED },
        { FL_MASKING_HONEST, FL_MASKING_HONEST, FL_MASKING_NONE, 4, FL_WHY_POLICY_REFUSED },
        { FL_MASKING_HONEST, FL_MASKING_HONEST, FL_MASKING_MALICIOUS, 4, FL_WHY_NONE },
        { FL_MASKING_HONEST, FL_MASKING_NONE, FL_MASKING_HONEST, 4, FL_WHY_NONE },
        { FL_MASKING_HONEST, FL_MASKING_NONE, FL_MASKING_NONE, 4, FL_WHY_NONE },
        { FL_MASKING_NONE, FL_MASKING_NONE, FL_MASKING_HONEST, 4, FL_WHY_POLICY_REFUSED },
        { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS, UINT32_MAX,
          FL_WHY_PLAN },
        { FL_MASKING_HONEST, FL_MASKING_NONE, FL_MASKING_NONE, UINT32_MAX, FL_WHY_PLAN },
        { FL_MASKING_NONE, FL_MASKING_NONE, FL_MASKING_NONE, UINT32_MAX, FL_WHY_PLAN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_sim_layout layout = stage_layout(0, 5, rows[i].run);
        stage_open(&layout);
        stage->deaf = STAGE_LIES;
        s_child()->masks.profile = rows[i].own;
        asked = stage_layout(0, 5, rows[i].asked).plan;
        asked.weight_max = rows[i].weight_max;
        asked.devices_max = asked.weight_max == UINT32_MAX ? UINT32_MAX : asked.devices_max;
        stage->letter_hook = s_ask;
        stage_until_told(CHILD, FL_TASK);
        assert_int_equal(s_child()->said[FL_REFUSED], rows[i].reason != FL_WHY_NONE);
        assert_int_equal(s_child()->refused.reason, rows[i].reason);
        if (rows[i].reason != FL_WHY_NONE) {
            assert_int_equal(s_child()->refused.about, FL_TASK);
            assert_int_equal(stage_closed(1)->tally.in, 4);
            stage_assert_outcome(CHILD, FL_OUT_REFUSED, rows[i].reason);
            assert_int_equal(s_child()->train_serial, 0); // its trainer never heard of it
            assert_int_equal(s_child()->said[FL_KEYS] + s_child()->said[FL_FETCH], 0);
        } else {
            assert_int_equal(s_child()->said[FL_KEYS], rows[i].asked != FL_MASKING_NONE);
        }
        stage_close();
    }
}

static void
words_of_a_masked_round_are_malformed_to_who_has_no_masks(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 3, FL_MASKING_NONE);
    stage_open(&layout);
    stage_until_told(CHILD, FL_TASK);
    fl_message message = stage_message(FL_MASKSET);
    stage_hear(CHILD, &message);
    assert_int_equal(s_child()->note[FL_NOTE_REFUSED].reason, FL_WHY_MALFORMED);
    stage_end();
}

static void
an_update_that_may_not_be_masked_is_freed_and_the_task_declined(void **state)
{
    (void)state;
    static const fl_reason reasons[] = { FL_WHY_WEIGHT, FL_WHY_BASE };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        stage_begin(4);
        s_child()->train_ms = 1000;
        stage_until_said(CHILD, FL_SHARES);
        fl_participant *member = (fl_participant *)stage_member(CHILD);
        const fl_order *order = &fl_participant_task(member)->order;
        fl_offer offer = { .vec = 7, .base = order->model, .weight = 4, .count = 1 };
        offer.weight = reasons[i] == FL_WHY_WEIGHT ? 5 : 4;
        offer.base.bytes[0] ^= reasons[i] == FL_WHY_BASE;
        fl_outbox_reset(s_child()->out);
        fl_participant_offer(member, &offer, stage->now, s_child()->out);
        uint32_t drops = 0, refusals = 0;
        for (uint32_t n = 0; n < fl_outbox_count(s_child()->out); n++) {
            const fl_effect *effect = fl_outbox_at(s_child()->out, n);
            drops += effect->kind == FL_FX_DROP && effect->drop.vec == 7;
            refusals += effect->kind == FL_FX_SEND &&
                        effect->send.message.refused.about == FL_TASK &&
                        effect->send.message.refused.reason == reasons[i];
        }
        assert_int_equal(drops, 1);
        assert_int_equal(refusals, 1);
        stage_close();
    }
}

// ---- who the parent is ------------------------------------------------------------------------
static bool
s_no_welcome(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)from;
    return to != CHILD || message->verb != FL_WELCOME;
}

//  WELCOME of a parent of this role; `spoil`: its certificate is not quite one.
static void
s_welcome(fl_role role, bool spoil)
{
    fl_name name = { 0 };
    (void)snprintf(name.name, sizeof name.name, "p%d", (int)role);
    uint8_t certificate[FL_CERT_BYTES];
    memcpy(certificate, fl_sim_identity_of(role, &name, 99)->certificate, sizeof certificate);
    certificate[100] ^= spoil;
    fl_message message = stage_message(FL_WELCOME);
    message.welcome = (fl_welcome){ .epoch = 1,
                                    .beat_ms = 500,
                                    .up_port = 1001,
                                    .down_port = 1002,
                                    .certificate = fl_bytes_of(certificate, sizeof certificate) };
    stage_hear(CHILD, &message);
}

static void
a_parent_without_a_certificate_that_holds_is_left_by_name(void **state)
{
    (void)state;
    static const struct {
        fl_role role;
        bool spoilt;
        fl_reason reason;
    } rows[] = { { FL_ROLE_EDGE, true, FL_WHY_CERTIFICATE },
                 { FL_ROLE_DEVICE, false, FL_WHY_ROLE },
                 { FL_ROLE_EDGE, false, FL_WHY_NONE } };
    stage_begin(3);
    stage->letter_hook = s_no_welcome;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_until_said(CHILD, FL_HELLO); // anew, after each
        s_child()->note[FL_NOTE_REFUSED].reason = FL_WHY_NONE;
        s_welcome(rows[i].role, rows[i].spoilt);
        assert_int_equal(fl_participant_joined(stage_member(CHILD)), rows[i].reason == FL_WHY_NONE);
        assert_int_equal(s_child()->note[FL_NOTE_REFUSED].reason, rows[i].reason);
    }
    assert_string_equal(s_child()->note[FL_NOTE_WELCOMED].node.name, "p2");
    s_child()->note[FL_NOTE_RECONNECT].node.name[0] = '\0';
    stage_refuse(CHILD, FL_BEAT, FL_WHY_UNKNOWN_SEAT);
    stage_until_said(CHILD, FL_HELLO);
    assert_string_equal(s_child()->note[FL_NOTE_RECONNECT].node.name, "p2");
    stage_close();
}

static void
another_parent_ends_what_was_masked_for_the_old_one(void **state)
{
    (void)state;
    static const fl_note_id at[] = { FL_NOTE_TASK, FL_NOTE_SENT };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        stage_begin(4);
        stage_until_noted(CHILD, at[i]);
        stage->letter_hook = s_no_welcome;
        stage_refuse(CHILD, FL_BEAT, FL_WHY_UNKNOWN_SEAT);
        stage_until_said(CHILD, FL_HELLO);
        s_welcome(FL_ROLE_EDGE, false);
        assert_int_equal(s_verdict().reason, FL_WHY_MOVED);
        assert_int_equal(s_verdict().certain, at[i] == FL_NOTE_TASK);
        s_assert_out();
        stage_close();
    }
}

// ---- how its part ends ------------------------------------------------------------------------
static void
a_parent_that_is_not_that_far_ends_nothing_and_one_that_refuses_a_step_does(void **state)
{
    (void)state;
    static const fl_verb steps[] = { FL_KEYS, FL_SHARES, FL_READY, FL_ACK, FL_UNMASK, FL_CONTRIB };
    static const fl_reason reasons[] = { FL_WHY_UNKNOWN_ROUND, FL_WHY_SIGNATURE };
    for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
        fl_verb step = steps[i / 2];
        stage_begin(4);
        stage->deaf = STAGE_LIES;
        stage_until_said(CHILD, step == FL_CONTRIB ? FL_CONTRIB : FL_SHARES);
        fl_message other = stage_message(FL_REFUSED);
        other.round = 2; // not this one
        other.refused = (fl_refused){ .reason = FL_WHY_SIGNATURE, .about = step };
        stage_hear(CHILD, &other);
        stage_refuse(CHILD, step, reasons[i % 2]);
        bool ended = reasons[i % 2] == FL_WHY_SIGNATURE;
        stage_until_told(CHILD, FL_REFUSED);
        assert_int_equal(s_child()->noted[FL_NOTE_VERDICT], ended);
        if (ended) {
            assert_int_equal(s_verdict().reason, FL_WHY_SIGNATURE);
            s_assert_out();
            assert_int_equal(s_child()->said[FL_REFUSED], 0);
        } else {
            assert_int_equal(stage_closed(1)->tally.in, 4);
        }
        stage_close();
    }
}

//  Answers of CHILD's crew that are held back, or changed.
static fl_event masked, saved[2];
static uint32_t saved_count;
static bool hold_masked, hold_saved, no_memory, no_disk;
static fl_time answered_at; // without memory

static bool
s_crew(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_event *answer)
{
    if (node->index != CHILD) {
        return true;
    }
    if (effect->kind == FL_FX_KEEP && no_disk) {
        answer->saved.ok = false;
    } else if (effect->kind == FL_FX_KEEP && hold_saved) {
        assert_true(saved_count < 2);
        saved[saved_count++] = *answer;
        return false;
    } else if (effect->kind == FL_FX_MASK && no_memory) {
        fl_sim_drop(sim, node, answer->masked.vec);
        answer->masked.vec = 0;
        answered_at = sim->now;
    } else if (effect->kind == FL_FX_MASK && hold_masked) {
        masked = *answer;
        return false;
    }
    return true;
}

static void
s_begin(uint32_t devices)
{
    fl_sim_layout layout = stage_layout(0, devices, FL_MASKING_MALICIOUS);
    layout.rounds = 3;
    stage_open(&layout);
    masked = (fl_event){ 0 };
    saved_count = 0;
    hold_masked = hold_saved = no_memory = no_disk = false;
    stage->answer_hook = s_crew;
}

static void
without_memory_or_a_durable_mark_its_part_ends_and_nothing_was_said(void **state)
{
    (void)state;
    for (int disk = 0; disk < 2; disk++) {
        s_begin(4);
        no_disk = disk;
        no_memory = !disk;
        stage_until_noted(CHILD, FL_NOTE_VERDICT);
        no_disk = no_memory = false;
        assert_int_equal(s_verdict().reason, FL_WHY_STORAGE);
        assert_true(s_verdict().certain);
        assert_true(disk || stage->now == answered_at);
        s_assert_out();
        assert_int_equal(s_child()->said[FL_CONTRIB], 0);
        assert_int_equal(s_child()->masks.masked_in[0], disk ? 0 : 1);
        assert_int_equal(stage_closed(1)->tally.recovered, 1);
        assert_int_equal(stage_closed(2)->tally.in, 4);
        stage_end();
    }
}

//  MASKED of round 1 and SAVED of round 2 come in round 3, in which a mark is kept, too.
static void
answers_to_rounds_that_are_over_change_nothing(void **state)
{
    (void)state;
    s_begin(4);
    hold_masked = true;
    assert_int_equal(stage_closed(1)->tally.in, 3);
    hold_saved = true;
    assert_int_equal(stage_closed(2)->tally.in, 3);
    while (saved_count < 2) {
        assert_true(fl_sim_go_on(stage));
    }
    hold_masked = hold_saved = false;
    fl_sim_node_step(stage, s_child(), &saved[0], NULL);
    fl_sim_node_step(stage, s_child(), &masked, NULL);
    stage_pass(500);
    assert_int_equal(s_child()->masks.masked_in[0], 1);
    fl_sim_node_step(stage, s_child(), &saved[1], NULL); // it waited for nothing else
    assert_int_equal(stage_closed(3)->tally.in, 4);
    stage_end();
}

// ---- at any stage -----------------------------------------------------------------------------
typedef enum stage_of { FETCHING, TRAINING, READY, MASKING, OFFERED, SENT, STAGES } stage_of;

static bool no_piece, no_grant; // to CHILD
static bool no_ready;           // of it

static bool
s_starve(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    bool lost = (to == CHILD && ((no_piece && message->verb == FL_PIECE) ||
                                 (no_grant && message->verb == FL_GRANT))) ||
                (from == CHILD && no_ready && message->verb == FL_READY);
    return !lost;
}

//  CHILD is so far in round 1; the others are as far as they can be, and no sum is opened.
static void
s_reach(stage_of at)
{
    s_begin(4);
    stage->deaf = STAGE_LIES;
    stage->letter_hook = s_starve;
    stage->nodes[1].train_ms = at > READY ? 20 : 100000;
    s_child()->train_ms = at == TRAINING ? 100000 : 20;
    no_piece = at == FETCHING;
    no_grant = at == OFFERED;
    hold_masked = at == MASKING;
    if (at == SENT) {
        stage_until_noted(CHILD, FL_NOTE_SENT);
    } else if (at == MASKING) {
        while (masked.kind != FL_EV_MASKED) {
            assert_true(fl_sim_go_on(stage));
        }
    } else {
        static const fl_verb said[] = { FL_SHARES, FL_SHARES, FL_READY, FL_KEYS, FL_CONTRIB };
        stage_until_said(CHILD, said[at]);
    }
    no_piece = no_grant = hold_masked = false;
}

static void
s_another_roster(void)
{
    static const uint8_t line[FL_MEMBER_BYTES] = { 1 };
    fl_message message = stage_message(FL_ROSTER);
    message.roster.list = fl_bytes_of(line, sizeof line);
    stage_hear(CHILD, &message);
}

static void
s_another_task(void)
{
    fl_message message = stage_message(FL_TASK);
    message.task = *fl_participant_task(stage_member(CHILD));
    message.task.order.manifest.bytes[0] ^= 1;
    stage_hear(CHILD, &message);
}

static void
s_closed(void)
{
    fl_message message = stage_message(FL_CLOSED);
    message.closed = (fl_closed){ .attempt = 1, .outcome = FL_OUT_LATE, .reason = FL_WHY_LATE };
    stage_hear(CHILD, &message);
}

static void
s_left_out(void)
{
    fl_message message = stage_message(FL_MASKSET);
    message.maskset.set = 15 & ~(1u << (CHILD - 1));
    stage_hear(CHILD, &message);
}

static void
s_stop(void)
{
    fl_sim_node_step(stage, s_child(), &(fl_event){ .kind = FL_EV_STOP }, NULL);
}

//  What was masked may not be offered again, whatever became of it.
static void
its_part_ends_at_any_stage_and_the_next_round_is_whole(void **state)
{
    (void)state;
    static const struct {
        void (*end)(void);
        fl_outcome outcome;
        fl_reason reason, said;
    } rows[] = { { s_another_roster, FL_OUT_REFUSED, FL_WHY_EQUIVOCATION, FL_WHY_EQUIVOCATION },
                 { s_another_task, FL_OUT_REFUSED, FL_WHY_EQUIVOCATION, FL_WHY_EQUIVOCATION },
                 { s_closed, FL_OUT_LATE, FL_WHY_LATE, FL_WHY_NONE },
                 { s_left_out, FL_OUT_LATE, FL_WHY_LATE, FL_WHY_NONE },
                 { s_stop, FL_OUT_IDLE, FL_WHY_NONE, FL_WHY_NONE } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (stage_of at = FETCHING; at < STAGES; at++) {
            if ((at == FETCHING && rows[i].end == s_another_task) ||
                (at != READY && rows[i].end == s_left_out)) {
                continue; // it has no task to show yet; or is not to mask anyway, or does already
            }
            s_reach(at);
            rows[i].end();
            s_assert_out();
            if (s_child()->refused.reason != rows[i].said) {
                fail_msg("row %zu, stage %d: says %s", i, (int)at,
                         fl_reason_name(s_child()->refused.reason));
            }
            bool told = rows[i].said == FL_WHY_NONE || at < SENT; // else only the parent knows
            assert_int_equal(s_child()->noted[FL_NOTE_VERDICT],
                             rows[i].end != s_stop && told ? 1 : 0);
            if (rows[i].end != s_stop && told) {
                assert_int_equal(s_verdict().outcome, rows[i].outcome);
                assert_int_equal(s_verdict().reason, rows[i].reason);
                assert_true(s_verdict().certain);
            }
            if (masked.kind == FL_EV_MASKED) {
                fl_sim_node_step(stage, s_child(), &masked, NULL); // nobody waits for it
            }
            stage->nodes[1].train_ms = s_child()->train_ms = 20;
            if (rows[i].end == s_closed) {
                (void)stage_closed(1);
                assert_int_equal(stage_closed(2)->tally.in, 4);
                assert_int_equal(s_child()->said[FL_KEYS], 2);
            }
            stage_close();
        }
    }
}

//  Late in round 1: what becomes of it in round 2.
static void
a_late_update_is_carried_when_it_was_not_masked_and_all_are_honest(void **state)
{
    (void)state;
    for (int profile = FL_MASKING_HONEST; profile <= FL_MASKING_MALICIOUS; profile++) {
        for (int was_masked = 0; was_masked < 2; was_masked++) {
            fl_sim_layout layout = stage_layout(0, 5, (fl_masking)profile);
            layout.plan.late = FL_LATE_CARRY;
            layout.plan.staleness_max = 2;
            stage_open(&layout);
            stage->letter_hook = s_starve;
            no_grant = was_masked;
            s_child()->train_ms = was_masked ? 20 : 18000;
            (void)stage_closed(1);
            stage_assert_outcome(CHILD, FL_OUT_LATE, FL_WHY_LATE);
            no_grant = false;
            s_child()->train_ms = 20;
            assert_int_equal(stage_closed(2)->tally.in, 5);
            bool carried = profile == FL_MASKING_HONEST && !was_masked;
            assert_int_equal(s_child()->noted[FL_NOTE_CARRIED], carried);
            assert_int_equal(stage->totals.count[SIM_CARRIED], carried);
            stage_end();
        }
    }
}

static void
a_round_after_one_that_was_masked_is_not(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 5, FL_MASKING_HONEST);
    layout.rounds = 3;
    layout.plan.late = FL_LATE_CARRY;
    layout.plan.staleness_max = 2;
    stage_open(&layout);
    stage->letter_hook = s_starve;
    no_grant = true;
    (void)stage_closed(1); // masked, and late
    no_grant = false;
    no_ready = true;
    (void)stage_closed(2); // late, and not masked
    no_ready = false;
    assert_int_equal(stage_closed(3)->tally.in, 5);
    assert_int_equal(s_child()->noted[FL_NOTE_CARRIED], 1);
    stage_end();
}

// ---- time -------------------------------------------------------------------------------------
static bool
s_beats_only(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)from;
    if (to == CHILD && message->verb != FL_PIECE) {
        *message = (fl_message){ .verb = FL_BEAT, .run = message->run };
    }
    return true;
}

//  Its parent lives and tells it nothing more; but for the task again, with as much time as before.
static void
a_round_that_takes_too_long_is_given_up_unless_there_is_more_time(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        stage_begin(4);
        stage_until_told(CHILD, FL_TASK);
        fl_time told = stage->now;
        stage->letter_hook = s_beats_only;
        stage_pass(more ? 5000 : 100);
        if (more) {
            fl_message message = stage_message(FL_TASK);
            message.task = *fl_participant_task(stage_member(CHILD));
            message.task.attempt = 2;
            told = stage->now;
            stage_hear(CHILD, &message);
        }
        fl_time bound = told + s_child()->desk[0].watch.heard_budget_ms + 4 * 1000 + 2 * 500;
        stage_pass(bound - 100 - stage->now);
        assert_int_equal(s_child()->noted[FL_NOTE_VERDICT], 0);
        stage_pass(200);
        assert_int_equal(s_verdict().reason, FL_WHY_SILENT);
        assert_true(s_verdict().certain);
        assert_int_equal(s_child()->refused.reason, FL_WHY_SILENT);
        s_assert_out();
        stage_close();
    }
}

static void
who_has_opened_owes_nothing_and_waits_for_the_verdict(void **state)
{
    (void)state;
    stage_begin(4);
    stage_until_told(CHILD, FL_TASK);
    fl_time told = stage->now;
    stage_until_said(CHILD, FL_UNMASK);
    stage->letter_hook = s_beats_only;
    stage_pass(told + s_child()->desk[0].watch.heard_budget_ms + 4 * 1000 + 2 * 500 + 100 -
               stage->now);
    assert_int_equal(s_child()->said[FL_REFUSED], 0);
    assert_int_equal(s_child()->noted[FL_NOTE_VERDICT], 0);
    s_assert_out();
    fl_message message = stage_message(FL_CLOSED);
    message.round = 1;
    message.closed = (fl_closed){ .attempt = 1, .outcome = FL_OUT_IN };
    stage_hear(CHILD, &message);
    assert_int_equal(s_verdict().outcome, FL_OUT_IN);
    assert_true(s_verdict().certain);
    stage_close();
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_declined_when_it_masks_less_than_configured_or_its_sums_may_wrap),
        TEST(words_of_a_masked_round_are_malformed_to_who_has_no_masks),
        TEST(an_update_that_may_not_be_masked_is_freed_and_the_task_declined),
        TEST(a_parent_without_a_certificate_that_holds_is_left_by_name),
        TEST(another_parent_ends_what_was_masked_for_the_old_one),
        TEST(a_parent_that_is_not_that_far_ends_nothing_and_one_that_refuses_a_step_does),
        TEST(without_memory_or_a_durable_mark_its_part_ends_and_nothing_was_said),
        TEST(answers_to_rounds_that_are_over_change_nothing),
        TEST(its_part_ends_at_any_stage_and_the_next_round_is_whole),
        TEST(a_late_update_is_carried_when_it_was_not_masked_and_all_are_honest),
        TEST(a_round_after_one_that_was_masked_is_not),
        TEST(a_round_that_takes_too_long_is_given_up_unless_there_is_more_time),
        TEST(who_has_opened_owes_nothing_and_waits_for_the_verdict),
    };
    return cmocka_run_group_tests_name("round/masked_participant", tests, NULL, NULL);
}
