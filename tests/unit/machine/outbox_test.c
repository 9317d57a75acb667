#include "common/machine/outbox.h"

#include "tests/support/unit.h"

static void
effects_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    fl_outbox *out = fl_outbox_new(4);
    assert_non_null(out);
    fl_outbox_add(out, FL_FX_DROP)->drop.vec = 7;
    fl_message *message = fl_outbox_send(out, 3, FL_BEAT);
    message->round = 9;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_LATE, .a = 5 });
    assert_int_equal(fl_outbox_count(out), 3);
    assert_int_equal(fl_outbox_at(out, 0)->kind, FL_FX_DROP);
    assert_int_equal(fl_outbox_at(out, 0)->drop.vec, 7);
    assert_int_equal(fl_outbox_at(out, 1)->kind, FL_FX_SEND);
    assert_int_equal(fl_outbox_at(out, 1)->send.to, 3);
    assert_int_equal(fl_outbox_at(out, 1)->send.message.verb, FL_BEAT);
    assert_int_equal(fl_outbox_at(out, 1)->send.message.round, 9);
    assert_int_equal(fl_outbox_at(out, 2)->note.id, FL_NOTE_LATE);
    fl_outbox_destroy(&out);
    assert_null(out);
}

static void
an_effect_is_zeroed_even_where_another_one_stood(void **state)
{
    (void)state;
    fl_outbox *out = fl_outbox_new(1);
    assert_non_null(out);
    fl_message *message = fl_outbox_send(out, 3, FL_GRANT);
    message->grant.limit = 77;
    fl_outbox_reset(out);
    assert_int_equal(fl_outbox_count(out), 0);
    message = fl_outbox_send(out, 0, FL_GRANT);
    assert_int_equal(message->grant.limit, 0);
    assert_int_equal(fl_outbox_at(out, 0)->send.to, 0);
    fl_outbox_destroy(&out);
}

static void
s_overfill(void)
{
    fl_outbox *out = fl_outbox_new(1);
    fl_outbox_add(out, FL_FX_CANCEL);
    fl_outbox_add(out, FL_FX_CANCEL);
}

static void
s_look_behind_the_end(void)
{
    fl_outbox *out = fl_outbox_new(1);
    (void)fl_outbox_at(out, 0);
}

static void
s_add_nothing_known(void)
{
    fl_outbox_add(fl_outbox_new(1), FL_FX_COUNT);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_overfill));
    assert_true(unit_dies(s_look_behind_the_end));
    assert_true(unit_dies(s_add_nothing_known));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effects_come_out_in_the_order_they_went_in),
        cmocka_unit_test(an_effect_is_zeroed_even_where_another_one_stood),
        cmocka_unit_test(misuse_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
