//  What children say in masked rounds, whole machines in a simulated world: announcements and bytes
//  that are not taken, and words of anybody at any time.
#include "tests/support/unit.h"

#include "tests/support/stage.h"

#include <string.h>

#include "tests/support/messages.h"

enum { CHILD = 2, WINDOW_MS = 16000 };

// ---- uploads ----------------------------------------------------------------------------------
static uint8_t psig[FL_SIGNATURE_BYTES];

static void
s_weight(fl_contrib *contrib)
{
    contrib->weight = 1;
}

static void
s_count(fl_contrib *contrib)
{
    contrib->count = 1;
}

static void
s_stat(fl_contrib *contrib)
{
    contrib->stats[FL_STAT_LOSS] = 1;
}

static void
s_shape(fl_contrib *contrib)
{
    contrib->elements++;
}

static void
s_base(fl_contrib *contrib)
{
    contrib->base.bytes[0] ^= 1;
}

static void
s_stale(fl_contrib *contrib)
{
    contrib->base_round = 1;
}

static void
s_header(fl_contrib *contrib)
{
    contrib->header = (fl_bytes){ 0 };
}

static void
s_psig(fl_contrib *contrib)
{
    (void)contrib;
    psig[7] ^= 1;
}

//  The announcement of CHILD in round 2, which does not arrive as it was said: the codec would
//  refuse most of what is made of it.
static fl_message announced;
static uint8_t header[FL_MASKED_HEADER_BYTES];

static bool
s_catch_contrib(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    if (from != CHILD || message->verb != FL_CONTRIB || message->round != 2) {
        return true;
    }
    announced = *message;
    memcpy(header, message->contrib.header.data, sizeof header);
    memcpy(psig, message->contrib.psig.data, sizeof psig);
    announced.contrib.header = fl_bytes_of(header, sizeof header);
    announced.contrib.psig = fl_bytes_of(psig, sizeof psig);
    return false;
}

static void
an_announcement_that_cannot_be_is_refused_once_by_name(void **state)
{
    (void)state;
    static const struct {
        void (*change)(fl_contrib *contrib);
        fl_reason reason;
    } rows[] = {
        { s_weight, FL_WHY_WEIGHT },    { s_count, FL_WHY_WEIGHT },   { s_stat, FL_WHY_WEIGHT },
        { s_shape, FL_WHY_SHAPE },      { s_base, FL_WHY_BASE },      { s_stale, FL_WHY_BASE },
        { s_header, FL_WHY_MALFORMED }, { s_psig, FL_WHY_SIGNATURE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stage_begin(4);
        stage->deaf = STAGE_LIES;
        stage->letter_hook = s_catch_contrib;
        (void)stage_closed(1);
        stage_until_said(CHILD, FL_CONTRIB);
        rows[i].change(&announced.contrib);
        stage_hear_from(0, CHILD - 1, &announced, 0);
        const fl_report *report = stage_closed(2);
        assert_true(report->duration_ms < 2000); // nobody waits for it
        assert_int_equal(report->tally.in, 3);
        stage_assert_outcome(CHILD, FL_OUT_REFUSED, rows[i].reason);
        assert_int_equal(stage->nodes[CHILD].told[FL_REFUSED], 1);
        stage_close();
    }
}

//  A parent that restarted may not be that far again.
static void
an_announcement_before_there_is_a_mask_set_has_the_task_said_again(void **state)
{
    (void)state;
    stage_begin(4);
    stage_until_said(CHILD, FL_SHARES);
    fl_message early = stage_message(FL_CONTRIB);
    early.contrib = (fl_contrib){ .attempt = 1,
                                  .seat = CHILD - 1,
                                  .epoch = 1,
                                  .elements = stage->elements,
                                  .vector_bytes = stage->elements *
                                                  fl_policy_element(&stage->plan).wire_bytes };
    uint32_t tasks = stage->nodes[0].said[FL_TASK];
    stage_hear_from(0, CHILD - 1, &early, 0);
    assert_int_equal(stage->nodes[0].said[FL_TASK], tasks + 1);
    assert_int_equal(stage->nodes[0].said[FL_REFUSED], 0);
    assert_int_equal(stage_closed(1)->tally.in, 4);
    stage_end();
}

static uint32_t held_count;
static fl_event held;
static uint32_t held_of; // whose upload it is about

//  Holds one VERIFIED of the root back.
static bool
s_hold(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_event *answer)
{
    if (node->index != 0 || effect->kind != FL_FX_VERIFY || held_count++ != 2) {
        return true;
    }
    held = *answer;
    held_of = fl_sim_lot_of(sim, &effect->verify.hash)->node;
    return false;
}

static void
bytes_that_are_wrong_verified_too_late_or_of_a_dead_process_are_not_folded(void **state)
{
    (void)state;
    typedef enum how { WRONG, LATE, DEAD, HOWS } how;
    for (how what = WRONG; what < HOWS; what++) {
        stage_begin(5);
        held_count = held_of = 0;
        stage->answer_hook = s_hold;
        while (held_of == 0) {
            assert_true(fl_sim_go_on(stage));
        }
        if (what == WRONG) {
            held.verified.ok = false;
        } else if (what == LATE) {
            stage_until_told(held_of == 1 ? 2 : 1, FL_SURVIVORS);
        } else {
            fl_sim_node_crash(stage, &stage->nodes[held_of], 10);
            stage_until_told(held_of, FL_WELCOME);
        }
        fl_sim_node_step(stage, &stage->nodes[0], &held, NULL);
        const fl_report *report = stage_closed(1);
        assert_int_equal(report->duration_ms >= WINDOW_MS, what == LATE);
        assert_int_equal(report->tally.in, 4);
        assert_int_equal(report->tally.recovered, 1);
        assert_int_equal(report->tally.late, what != WRONG);
        assert_int_equal(report->tally.refused, what == WRONG);
        stage_end();
    }
}

// ---- any word at any time ---------------------------------------------------------------------
enum { STRANGER = 200 };

//  Every verb of a masked round, of rounds that are not open, and of one whom nobody knows.
static void
s_say_everything(void)
{
    static messages_letter letter;
    for (fl_verb verb = FL_KEYS; verb <= FL_UNMASK; verb++) {
        for (uint32_t i = 0; i < 4; i++) {
            messages_sample(verb, &letter);
            fl_message message = stage_message(verb);
            letter.message.run = message.run;
            letter.message.round = i == 0 ? 0 : message.round + i - 1;
            uint32_t refused = stage->nodes[0].said[FL_REFUSED];
            stage_hear_from(0, i == 1 ? STRANGER : CHILD - 1, &letter.message, 0);
            assert_true(stage->nodes[0].said[FL_REFUSED] <= refused + 1);
        }
    }
}

static void
any_word_of_a_masked_round_changes_nothing_in_any_phase(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 4, FL_MASKING_MALICIOUS);
    layout.rounds = 1;
    stage_open(&layout);
    stage->deaf = STAGE_LIES;
    stage_until_told(CHILD, FL_WELCOME);
    s_say_everything();
    static const fl_verb at[] = {
        FL_TASK, FL_ROSTER, FL_MASKSET, FL_SURVIVORS, FL_ACKS, FL_CLOSED
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        stage_until_told(CHILD, at[i]);
        s_say_everything();
    }
    assert_int_equal(stage_closed(1)->tally.in, 4);
    stage_close();
}

//  Keys of the first child, as the second one says them.
static fl_message named;
static uint8_t certificate[FL_CERT_BYTES];

static bool
s_keep_back_keys(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)to;
    if (from != 1 || message->verb != FL_KEYS || named.verb != FL_VERB_NONE) {
        return true;
    }
    named = *message;
    memcpy(certificate, message->keys.certificate.data, sizeof certificate);
    named.keys.certificate = fl_bytes_of(certificate, sizeof certificate);
    return false;
}

static void
a_step_counts_for_the_seat_that_it_came_from(void **state)
{
    (void)state;
    stage_begin(5);
    stage->deaf = STAGE_LIES;
    stage->letter_hook = s_keep_back_keys;
    stage_until_said(1, FL_KEYS);
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = 1; // its seat, the other's name
    event.message.node = stage->nodes[1].name;
    event.message.role = FL_ROLE_DEVICE;
    event.message.message = &named;
    fl_sim_node_step(stage, &stage->nodes[0], &event, NULL);
    assert_int_equal(stage_closed(1)->close, FL_CLOSE_DONE);
    stage_assert_outcome(2, FL_OUT_REFUSED, FL_WHY_CERTIFICATE);
    stage_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_announcement_that_cannot_be_is_refused_once_by_name),
        cmocka_unit_test(an_announcement_before_there_is_a_mask_set_has_the_task_said_again),
        cmocka_unit_test(
            bytes_that_are_wrong_verified_too_late_or_of_a_dead_process_are_not_folded),
        cmocka_unit_test(any_word_of_a_masked_round_changes_nothing_in_any_phase),
        cmocka_unit_test(a_step_counts_for_the_seat_that_it_came_from),
    };
    return cmocka_run_group_tests_name("round/masked_upload", tests, NULL, NULL);
}
