#include "common/secagg/client_memory.h"

#include "tests/support/unit.h"

#include <string.h>

static fl_name
s_node(const char *name)
{
    fl_name node;
    assert_true(fl_name_parse(name, &node));
    return node;
}

static fl_secagg_mark
s_mark(void)
{
    fl_secagg_mark mark = { .run = { { 1 } }, .round = 9 };
    fl_name names[] = { s_node("c"), s_node("a"), s_node("b") };
    fl_secagg_mark_open(&mark, 8, &(fl_secagg_drawn){ .tensors = { { 7 } } }, names, 3);
    return mark;
}

static void
a_mark_comes_back_from_its_bytes(void **state)
{
    (void)state;
    uint8_t bytes[FL_MARK_BYTES];
    fl_secagg_mark back, empty = { 0 }, mark = s_mark();
    fl_secagg_mark_encode(&mark, bytes);
    assert_true(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_int_equal(back.round, 9);
    assert_int_equal(back.opened, 8);
    assert_int_equal(back.count, 3);
    assert_string_equal(back.survivors[0].name, "a"); // in order, whatever it was made from
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
    mark.count = 65;
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, FL_MARK_BYTES), &back));
    mark = s_mark();
    mark.survivors[1] = mark.survivors[0];
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, FL_MARK_BYTES), &back));
    mark = s_mark();
    mark.opened = 0;
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, FL_MARK_BYTES), &back));
    assert_int_equal(back.round, 0);
}

static void
a_mark_tells_whether_its_survivors_are_among_given_names(void **state)
{
    (void)state;
    fl_secagg_mark mark = s_mark(), none = { 0 };
    const fl_secagg_drawn model = { .tensors = { { 7 } } }, other = { .tensors = { { 8 } } };
    const fl_secagg_drawn again = { .tensors = { { 7 } }, .draw = 1 };
    const fl_secagg_drawn elsewhere = { .run = { { 1 } }, .tensors = { { 7 } } };
    fl_name more[] = { s_node("d"), s_node("b"), s_node("a"), s_node("c") };
    assert_true(fl_secagg_mark_within(&mark, &model, more, 4));
    assert_false(fl_secagg_mark_within(&mark, &model, more, 3));
    assert_false(fl_secagg_mark_within(&mark, &model, more, 0));
    assert_true(fl_secagg_mark_within(&mark, &other, more, 0));
    assert_true(fl_secagg_mark_within(&mark, &again, more, 0));
    assert_true(fl_secagg_mark_within(&mark, &elsewhere, more, 0)); // the same model in another run
    assert_true(fl_secagg_mark_within(&none, &model, more, 0));
    assert_false(fl_secagg_mark_exactly(&mark, &model, more, 4));
    assert_true(fl_secagg_mark_exactly(&mark, &model, more + 1, 3));
    assert_false(fl_secagg_mark_exactly(&mark, &model, more + 2, 2));
    assert_true(fl_secagg_mark_exactly(&mark, &other, more, 4));
    assert_true(fl_secagg_mark_exactly(&none, &model, more, 4));
}

//  Models 1, 2, ... opened in their rounds, by survivors whose number tells.
static void
s_open_models(fl_secagg_mark *mark, uint32_t first, uint32_t count)
{
    fl_name names[] = { s_node("a"), s_node("b"), s_node("c"), s_node("d"), s_node("e") };
    for (uint32_t i = first; i < first + count; i++) {
        fl_secagg_drawn model = { .tensors = { { (uint8_t)i, 1 } } };
        fl_secagg_mark_open(mark, i, &model, names, 3 + i % 3);
    }
}

static void
sums_under_older_models_are_remembered_too(void **state)
{
    (void)state;
    fl_secagg_mark mark = { 0 }, back;
    fl_name names[] = { s_node("e"), s_node("d"), s_node("c"), s_node("b"), s_node("a") };
    uint8_t bytes[FL_MARK_BYTES];
    s_open_models(&mark, 1, 1 + FL_MARK_OLDER_MAX);
    fl_secagg_mark_encode(&mark, bytes);
    assert_true(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    for (uint32_t i = 1; i <= 1 + FL_MARK_OLDER_MAX; i++) {
        const fl_secagg_drawn model = { .tensors = { { (uint8_t)i, 1 } } };
        assert_int_equal(fl_secagg_mark_opened(&back, &model), i);
        for (uint32_t count = 3; count <= 5; count++) {
            assert_int_equal(fl_secagg_mark_exactly(&back, &model, names + 5 - count, count),
                             count == 3 + i % 3);
        }
    }
    s_open_models(&mark, 5, 1); // again: one entry for each model, the newest
    assert_int_equal(mark.older_count, FL_MARK_OLDER_MAX);
    assert_int_equal(fl_secagg_mark_opened(&mark, &(fl_secagg_drawn){ .tensors = { { 1, 1 } } }),
                     1);
    s_open_models(&mark, 100, 1); // one more than there is room for: the oldest is forgotten
    assert_int_equal(fl_secagg_mark_opened(&mark, &(fl_secagg_drawn){ .tensors = { { 1, 1 } } }),
                     0);
    assert_int_equal(fl_secagg_mark_opened(&mark, &(fl_secagg_drawn){ .tensors = { { 2, 1 } } }),
                     2);
    assert_int_equal(fl_secagg_mark_opened(&mark, &(fl_secagg_drawn){ .tensors = { { 5, 1 } } }),
                     5);
    mark.older[3].round = 0;
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    mark.older[3].round = 1;
    mark.older_count = FL_MARK_OLDER_MAX + 1;
    fl_secagg_mark_encode(&mark, bytes);
    assert_false(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
}

static fl_secagg_drawn
s_of_run(uint32_t run, uint32_t model)
{
    return (fl_secagg_drawn){ .run = { { (uint8_t)run, 1 } },
                              .tensors = { { (uint8_t)model, (uint8_t)run } } };
}

static void
the_newest_sum_of_a_run_that_rests_outlasts_the_rounds_of_another(void **state)
{
    (void)state;
    fl_secagg_mark mark = { 0 };
    fl_name names[] = { s_node("a"), s_node("b"), s_node("c") };
    for (uint32_t run = 1; run <= FL_MARK_RUNS_MAX; run++) { // two sums of each
        for (uint32_t model = 1; model <= 2; model++) {
            const fl_secagg_drawn of = s_of_run(run, model);
            fl_secagg_mark_open(&mark, run, &of, names, 3);
        }
    }
    for (uint32_t model = 1; model <= 200; model++) {
        const fl_secagg_drawn of = s_of_run(0, model);
        fl_secagg_mark_open(&mark, model, &of, names, 3);
    }
    for (uint32_t run = 1; run <= FL_MARK_RUNS_MAX; run++) { // the 17th run from the newest is not
        const fl_secagg_drawn before = s_of_run(run, 1), newest = s_of_run(run, 2);
        assert_int_equal(fl_secagg_mark_opened(&mark, &before), 0);
        assert_int_equal(fl_secagg_mark_opened(&mark, &newest), run > 1 ? run : 0);
    }
    uint32_t known = 0;
    for (uint32_t model = 1; model <= 200; model++) {
        const fl_secagg_drawn of = s_of_run(0, model);
        known += fl_secagg_mark_opened(&mark, &of) == model;
    }
    assert_int_equal(known, 1 + FL_MARK_OLDER_MAX - (FL_MARK_RUNS_MAX - 1));
}

static void
what_is_pinned_is_the_same_in_every_run(void **state)
{
    (void)state;
    uint8_t bytes[FL_MARK_BYTES];
    fl_secagg_mark mark = { 0 }, back;
    fl_name names[] = { s_node("a"), s_node("b"), s_node("c") };
    fl_secagg_drawn of = { .run = { { 1 } }, .tensors = { { 7 } }, .draw = 3, .pin = true };
    fl_secagg_mark_open(&mark, 8, &of, names, 3);
    fl_secagg_mark_encode(&mark, bytes);
    assert_true(fl_secagg_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    of.run.bytes[0] = 2;
    assert_int_equal(fl_secagg_mark_opened(&back, &of), 8);
    of.pin = false;
    assert_int_equal(fl_secagg_mark_opened(&back, &of), 0);
    of.run.bytes[0] = 1;
    assert_int_equal(fl_secagg_mark_opened(&back, &of), 0);
}

//  Run `number` is gone into, or back to.
static void
s_spend(fl_secagg_mark *mark, uint32_t number, uint64_t round)
{
    fl_run run = { { (uint8_t)number, 1 } };
    fl_secagg_mark_spend(mark, &run, round);
}

static uint64_t
s_spent(const fl_secagg_mark *mark, uint32_t number)
{
    fl_run run = { { (uint8_t)number, 1 } };
    return fl_secagg_mark_spent(mark, &run);
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
        cmocka_unit_test(a_mark_tells_whether_its_survivors_are_among_given_names),
        cmocka_unit_test(sums_under_older_models_are_remembered_too),
        cmocka_unit_test(the_newest_sum_of_a_run_that_rests_outlasts_the_rounds_of_another),
        cmocka_unit_test(what_is_pinned_is_the_same_in_every_run),
        cmocka_unit_test(the_last_round_of_a_run_that_was_left_is_remembered),
    };
    return cmocka_run_group_tests_name("core/masking_mark", tests, NULL, NULL);
}
