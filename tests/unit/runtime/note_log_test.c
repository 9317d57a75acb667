#include "common/runtime/note_log.h"

#include "common/base/log.h"
#include "common/secagg/client.h"
#include "common/secagg/server.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static char line[FL_LOG_LINE_MAX + 1];
static unsigned lines;
static fl_metrics metrics;

static void
s_sink(void *self, const char *text, size_t size)
{
    (void)self;
    memcpy(line, text, size);
    line[size] = '\0';
    lines++;
}

static void
listen_to(fl_log_level least)
{
    const fl_log_conf log = { .tier = "edge", .node = "e1", .least = least, .sink = s_sink };
    fl_log_setup(&log);
    lines = 0;
    line[0] = '\0';
}

static int
start(void **state)
{
    (void)state;
    memset(&metrics, 0, sizeof metrics);
    listen_to(FL_LOG_DEBUG);
    return 0;
}

static void
a_note_is_one_line_with_names_for_its_numbers(void **state)
{
    (void)state;
    const fl_note note = {
        .id = FL_NOTE_LEFT, .node = { "d7" }, .round = 9, .reason = FL_WHY_REVOKED, .a = 3
    };
    fl_note_log(&note, &metrics);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(line, "level=info tier=edge node=e1 id=left"));
    assert_non_null(strstr(line, " round=9 peer=d7 seat=3 reason=revoked"));
}

static void
verbs_and_outcomes_are_written_by_their_names(void **state)
{
    (void)state;
    fl_note_log(&(fl_note){ .id = FL_NOTE_REFUSED, .reason = FL_WHY_NAN, .a = FL_TASK }, &metrics);
    assert_non_null(strstr(line, " verb=task reason=nan"));
    fl_note_log(&(fl_note){ .id = FL_NOTE_VERDICT, .a = FL_OUT_LATE, .b = 1 }, &metrics);
    assert_non_null(strstr(line, " outcome=late certain=1"));
    assert_null(strstr(line, "peer="));
    assert_null(strstr(line, "reason="));
}

static void
a_place_in_a_masked_round_is_written_by_its_name(void **state)
{
    (void)state;
    fl_note_log(&(fl_note){ .id = FL_NOTE_MASKING, .a = FL_SERVER_WAITING_READY, .b = 8 },
                &metrics);
    assert_non_null(strstr(line, "level=debug"));
    assert_non_null(strstr(line, " state=waiting-ready members=8"));
    fl_note_log(&(fl_note){ .id = FL_NOTE_MASKING_STEP, .a = FL_CLIENT_DEALT, .b = 8 }, &metrics);
    assert_non_null(strstr(line, " id=masking-step "));
    assert_non_null(strstr(line, " step=dealt members=8"));
    const fl_note of_child = { .id = FL_NOTE_MASKING_OUT,
                               .node = { "d1" },
                               .a = 3,
                               .reason = FL_WHY_EQUIVOCATION,
                               .b = FL_SERVER_ACKING };
    fl_note_log(&of_child, &metrics);
    assert_non_null(strstr(line, " peer=d1 index=3 state=acking reason=equivocation"));
    fl_note ours = of_child;
    ours.node = (fl_name){ "" };
    ours.b = FL_CLIENT_ACKED;
    fl_note_log(&ours, &metrics);
    assert_non_null(strstr(line, " index=3 step=acked reason=equivocation"));
    assert_null(strstr(line, "state="));
    ours.id = FL_NOTE_MASKING_REFUSED;
    ours.a = FL_SURVIVORS;
    fl_note_log(&ours, &metrics);
    assert_non_null(strstr(line, " verb=survivors step=acked reason="));
    fl_note_log(&(fl_note){ .id = FL_NOTE_MASKING_BLAMED,
                            .node = { "d1" },
                            .a = 3,
                            .reason = FL_WHY_DEALER_LIED,
                            .b = FL_SERVER_SUMMING },
                &metrics);
    assert_non_null(strstr(line, "level=error"));
    assert_non_null(strstr(line, " index=3 state=summing reason=dealer-lied"));
}

static void
blocks_and_their_members_are_counted(void **state)
{
    (void)state;
    fl_note_log(&(fl_note){ .id = FL_NOTE_MASKING_ENDED, .a = 5, .b = 2 }, &metrics);
    assert_int_equal(metrics.masking_opened_total, 1);
    assert_int_equal(metrics.masking_masked_total, 7);
    assert_int_equal(metrics.masking_recovered_total, 2);
    assert_non_null(strstr(line, " survivors=5 lost=2"));
    fl_note block = { .id = FL_NOTE_MASKING, .a = FL_SERVER_DONE, .b = 8 };
    fl_note_log(&block, &metrics);
    assert_int_equal(metrics.masking_aborted_total, 0);
    block.a = FL_SERVER_ABORTED;
    block.reason = FL_WHY_CHECKSUM;
    fl_note_log(&block, &metrics);
    assert_int_equal(metrics.masking_aborted_total, 1);
    assert_non_null(strstr(line, "level=warn")); // others of this note are for debugging
    assert_non_null(strstr(line, " state=aborted members=8 reason=checksum"));
    fl_note_log(&(fl_note){ .id = FL_NOTE_MASKING_REFUSED, .a = FL_ACK }, &metrics);
    assert_int_equal(metrics.masking_refused_total, 1);
}

static void
only_the_refusal_of_a_childs_contribution_counts_as_one(void **state)
{
    (void)state;
    const struct {
        fl_note note;
        bool contribution;
    } rows[] = {
        { { .node = { "d1" }, .a = FL_CONTRIB, .reason = FL_WHY_WEIGHT }, true },
        { { .node = { "d1" }, .a = FL_CHUNK, .reason = FL_WHY_CREDIT }, true },
        { { .node = { "d1" }, .a = FL_HELLO, .reason = FL_WHY_FULL }, false },
        { { .node = { "d1" }, .a = FL_TASK, .reason = FL_WHY_NAN }, false }, // it declined
        { { .a = FL_CONTRIB, .reason = FL_WHY_LATE }, false },               // ours, by the parent
        { { .a = FL_PIECE, .reason = FL_WHY_HASH }, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_note note = rows[i].note;
        note.id = FL_NOTE_REFUSED;
        memset(&metrics, 0, sizeof metrics);
        fl_note_log(&note, &metrics);
        assert_int_equal(metrics.contrib_refused_total, rows[i].contribution);
        assert_int_equal(metrics.messages_refused_total, !rows[i].contribution);
    }
}

static void
what_is_counted_is_counted_even_when_it_is_not_shown(void **state)
{
    (void)state;
    listen_to(FL_LOG_ERROR);
    fl_note_log(&(fl_note){ .id = FL_NOTE_COUNTED }, &metrics);
    fl_note_log(&(fl_note){ .id = FL_NOTE_COUNTED }, &metrics);
    fl_note_log(&(fl_note){ .id = FL_NOTE_WEIGHT_CAPPED, .a = 2, .b = 16384 }, &metrics);
    assert_int_equal(metrics.weight_capped_total, 2);
    fl_note_log(&(fl_note){ .id = FL_NOTE_SATURATED, .a = 500, .b = 1000 }, &metrics);
    assert_int_equal(metrics.contrib_counted_total, 2);
    assert_int_equal(metrics.saturated_total, 500);
    assert_int_equal(lines, 0);
    fl_note_log(&(fl_note){ .id = FL_NOTE_SAVE_FAILED, .a = 4 }, &metrics);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(line, "id=save-failed"));
}

//  The table has a row for each: none of them panics, all of them say something.
static void
every_note_has_its_row(void **state)
{
    (void)state;
    for (int id = 0; id < FL_NOTE_COUNT_OF; id++) {
        char expected[64];
        const fl_note note = {
            .id = (fl_note_id)id, .node = { "d1" }, .reason = FL_WHY_LATE, .a = 1, .b = 1
        };
        unsigned before = lines;
        fl_note_log(&note, &metrics);
        (void)snprintf(expected, sizeof expected, " id=%s ", fl_note_name(note.id));
        assert_int_equal(lines, before + 1);
        assert_non_null(strstr(line, expected));
        assert_non_null(strstr(line, " peer=d1 "));
        assert_non_null(strstr(line, " reason=late"));
    }
}

static void
s_no_such_note(void)
{
    fl_note_log(&(fl_note){ .id = FL_NOTE_COUNT_OF }, &metrics);
}

static void
a_note_of_no_row_is_ours_and_panics(void **state)
{
    (void)state;
    assert_true(unit_dies(s_no_such_note));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_note_is_one_line_with_names_for_its_numbers, start),
        cmocka_unit_test_setup(verbs_and_outcomes_are_written_by_their_names, start),
        cmocka_unit_test_setup(a_place_in_a_masked_round_is_written_by_its_name, start),
        cmocka_unit_test_setup(blocks_and_their_members_are_counted, start),
        cmocka_unit_test_setup(only_the_refusal_of_a_childs_contribution_counts_as_one, start),
        cmocka_unit_test_setup(what_is_counted_is_counted_even_when_it_is_not_shown, start),
        cmocka_unit_test_setup(every_note_has_its_row, start),
        cmocka_unit_test_setup(a_note_of_no_row_is_ours_and_panics, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
