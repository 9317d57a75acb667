#include "common/secagg/client_memory.h"

#include "tests/support/unit.h"

#include <string.h>

//  A deed of the model `tensors` in a run, masked in that round.
static void
s_mask(fl_secagg_mark *mark, uint8_t run, uint8_t tensors, uint64_t round)
{
    const fl_secagg_drawn of = { .run = { { run } }, .tensors = { { tensors } } };
    const fl_transcript_round where = {
        .run = of.run, .hop = 1, .block = 3, .round = round, .roster = { { run, tensors, 5 } }
    };
    fl_secagg_mark_mask(mark, &of, &where);
}

static const fl_secagg_deed *
s_of(const fl_secagg_mark *mark, uint8_t run, uint8_t tensors)
{
    return fl_secagg_mark_of(mark,
                             &(fl_secagg_drawn){ .run = { { run } }, .tensors = { { tensors } } });
}

static fl_secagg_mark
s_mark(void)
{
    fl_secagg_mark mark = { .run = { { 1 } }, .round = 9 };
    s_mask(&mark, 1, 7, 8);
    return mark;
}

static void
a_mark_comes_back_from_its_bytes(void **state)
{
    (void)state;
    uint8_t bytes[FL_MARK_BYTES];
    fl_secagg_mark back, empty = { 0 }, mark = s_mark();
    fl_secagg_mark_release(&mark, &mark.deed[0].where.roster);
    fl_secagg_mark_encode(&mark, bytes);
    assert_true(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_memory_equal(&back, &mark, sizeof back);
    fl_secagg_mark_encode(&empty, bytes);
    assert_true(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_int_equal(back.count, 0);
}

static void
bytes_that_are_no_mark_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[FL_MARK_BYTES + 1] = { 0 };
    fl_secagg_mark back, mark = s_mark();
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, FL_MARK_BYTES - 1), &back));
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    for (uint32_t count = 0; count < FL_MARK_DEEDS_MAX + 2; count += FL_MARK_DEEDS_MAX / 2) {
        mark.count = count; // it has one
        fl_secagg_mark_encode(&mark, bytes);
        assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, FL_MARK_BYTES), &back));
    }
    mark = s_mark();
    mark.left_count = 1;
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, FL_MARK_BYTES), &back));
    assert_int_equal(back.round, 0);
}

//  What is drawn anew is another update: of another model, run or draw.
static void
a_mark_knows_what_was_masked_and_whether_shares_were_given(void **state)
{
    (void)state;
    fl_secagg_mark mark = s_mark();
    const fl_secagg_drawn again = { .run = { { 1 } }, .tensors = { { 7 } }, .draw = 1 };
    assert_non_null(s_of(&mark, 1, 7));
    assert_null(s_of(&mark, 1, 8));
    assert_null(s_of(&mark, 2, 7));
    assert_null(fl_secagg_mark_of(&mark, &again));
    const fl_hash roster = s_of(&mark, 1, 7)->where.roster, other = { { 9 } };
    assert_false(s_of(&mark, 1, 7)->released);
    fl_secagg_mark_release(&mark, &roster);
    assert_true(s_of(&mark, 1, 7)->released && fl_secagg_mark_at(&mark, &roster)->released);
    assert_null(fl_secagg_mark_at(&mark, &other));
    assert_false(fl_secagg_mark_clear(&mark, &other));
    assert_true(fl_secagg_mark_clear(&mark, &roster));
    assert_null(s_of(&mark, 1, 7));
    assert_int_equal(mark.count, 0);
    s_mask(&mark, 1, 7, 9);
    s_mask(&mark, 1, 7, 10); // in place of the one before
    assert_int_equal(mark.count, 1);
    assert_int_equal(s_of(&mark, 1, 7)->where.round, 10);
    const fl_secagg_drawn first = { .run = again.run, .tensors = again.tensors };
    assert_true(fl_secagg_mark_binds(&mark, &first, 3) != NULL);
    assert_true(fl_secagg_mark_binds(&mark, &again, 0) != NULL); // none beside the first
    assert_null(fl_secagg_mark_binds(&mark, &again, 1));
    assert_int_equal(fl_secagg_mark_draws(&mark, &again), 1);
}

//  Runs take turns: the newest deed of each of sixteen stays, however many rounds another one has.
static void
the_newest_of_each_run_outlives_the_rounds_of_others(void **state)
{
    (void)state;
    fl_secagg_mark mark = { 0 }, back;
    uint8_t bytes[FL_MARK_BYTES];
    for (uint8_t run = 1; run < FL_MARK_RUNS_MAX; run++) {
        s_mask(&mark, run, 1, 1);
    }
    for (uint32_t i = 0; i < 3 * FL_MARK_DEEDS_MAX; i++) {
        const fl_secagg_drawn of = { .run = { { 99 } },
                                     .tensors = { { 2, (uint8_t)(i >> 8), (uint8_t)i } } };
        fl_secagg_mark_mask(&mark, &of, &(fl_transcript_round){ .run = of.run, .round = i + 1 });
        assert_true(mark.count <= FL_MARK_DEEDS_MAX);
    }
    fl_secagg_mark_encode(&mark, bytes);
    assert_true(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    for (uint8_t run = 1; run < FL_MARK_RUNS_MAX; run++) {
        assert_non_null(s_of(&back, run, 1));
    }
    assert_int_equal(back.deed[0].where.round, 3 * FL_MARK_DEEDS_MAX);
    const uint32_t others = FL_MARK_DEEDS_MAX - (FL_MARK_RUNS_MAX - 1);
    assert_int_equal(back.deed[others - 1].where.round, 3 * FL_MARK_DEEDS_MAX - others + 1);
}

static void
a_pinned_deed_is_known_in_every_run(void **state)
{
    (void)state;
    fl_secagg_mark mark = { 0 };
    fl_secagg_drawn of = { .run = { { 1 } }, .tensors = { { 7 } }, .draw = 3, .pin = true };
    fl_secagg_mark_mask(&mark, &of, &(fl_transcript_round){ .run = of.run, .round = 8 });
    of.run.bytes[0] = 2;
    assert_non_null(fl_secagg_mark_of(&mark, &of));
    of.draw = 2;
    assert_null(fl_secagg_mark_of(&mark, &of));
    of.draw = 3;
    of.pin = false;
    assert_null(fl_secagg_mark_of(&mark, &of));
}

static void
s_spend(fl_secagg_mark *mark, uint32_t number, uint64_t round)
{
    fl_run run = { { (uint8_t)number, 1 } };
    fl_secagg_mark_spend(mark, &run, round, 100 + round);
}

static uint64_t
s_spent(const fl_secagg_mark *mark, uint32_t number)
{
    fl_run run = { { (uint8_t)number, 1 } };
    const fl_secagg_left spent = fl_secagg_mark_spent(mark, &run);
    assert_int_equal(spent.pools, spent.round > 0 ? 100 + spent.round : 0);
    return spent.round;
}

static void
the_last_round_of_a_run_that_was_left_is_remembered(void **state)
{
    (void)state;
    fl_secagg_mark mark = { 0 }, back;
    uint8_t bytes[FL_MARK_BYTES];
    assert_int_equal(s_spent(&mark, 0), 0);
    for (uint32_t run = 0; run <= FL_MARK_LEFT_MAX; run++) {
        s_spend(&mark, run, 1);
        s_spend(&mark, run, 10 + run);
    }
    fl_secagg_mark_encode(&mark, bytes);
    assert_true(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    for (uint32_t run = 0; run <= FL_MARK_LEFT_MAX; run++) {
        assert_int_equal(s_spent(&back, run), 10 + run);
    }
    s_spend(&mark, 0, 11); // back to the oldest: nothing is forgotten
    assert_int_equal(mark.left_count, FL_MARK_LEFT_MAX);
    assert_int_equal(s_spent(&mark, 0), 11);
    assert_int_equal(s_spent(&mark, 1), 11);
    assert_int_equal(s_spent(&mark, FL_MARK_LEFT_MAX), 10 + FL_MARK_LEFT_MAX);
    s_spend(&mark, 200, 1); // one more than there is room for: the oldest is
    assert_int_equal(s_spent(&mark, 1), 0);
    assert_int_equal(s_spent(&mark, 2), 12);
    assert_int_equal(s_spent(&mark, 0), 11);
    mark.left[3].round = 0;
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    mark.left[3].round = 1;
    mark.left_count = FL_MARK_LEFT_MAX + 1;
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_comes_back_from_its_bytes),
        cmocka_unit_test(bytes_that_are_no_mark_are_refused),
        cmocka_unit_test(a_mark_knows_what_was_masked_and_whether_shares_were_given),
        cmocka_unit_test(the_newest_of_each_run_outlives_the_rounds_of_others),
        cmocka_unit_test(a_pinned_deed_is_known_in_every_run),
        cmocka_unit_test(the_last_round_of_a_run_that_was_left_is_remembered),
    };
    return cmocka_run_group_tests_name("core/masking_mark", tests, NULL, NULL);
}
