#include "common/wire/manifest.h"

#include "tests/support/messages.h"
#include "tests/support/unit.h"

#include <math.h>
#include <string.h>

static messages_letter letter;
static uint8_t room[FL_PARTS_MADE_MAX];

static fl_order
s_order(void)
{
    messages_sample(FL_TASK, &letter);
    return letter.message.task.order;
}

//  The order without its parts, as decoding them finds it.
static fl_order
s_bare(const fl_order *order)
{
    return (fl_order){ .round = order->round, .elements = order->elements };
}

static void
both_parts_come_back_from_their_bytes(void **state)
{
    (void)state;
    fl_rng rng = fl_rng_seeded(12);
    for (int i = 0; i < 500; i++) {
        messages_random(FL_TASK, &rng, &letter);
        const fl_order *order = &letter.message.task.order;
        fl_order back = s_bare(order);
        fl_bytes settings = fl_settings_encode(order, room);
        assert_true(settings.size < FL_SETTINGS_BYTES_MAX);
        fl_settings_decode(settings, &back);
        fl_manifest_decode(fl_manifest_encode(order, room), &back);
        assert_false(back.beyond);
        assert_true(back.plan.clip == order->plan.clip && back.plan.bits == order->plan.bits);
        assert_string_equal(back.plan.run, order->plan.run);
        assert_true(fl_name_equal(&back.plan.trainer, &order->plan.trainer));
        assert_true(fl_name_equal(&back.plan.data, &order->plan.data));
        assert_int_equal(back.plan.late, order->plan.late);
        assert_int_equal(back.plan.pin, order->plan.pin);
        assert_int_equal(back.plan.staleness_max, order->plan.staleness_max);
        assert_memory_equal(&back.plan.recipe, &order->plan.recipe, sizeof back.plan.recipe);
    }
}

static bool
s_settings_beyond(const void *bytes, size_t size)
{
    fl_order order = s_order(), back = s_bare(&order);
    fl_settings_decode(fl_bytes_of(bytes, size), &back);
    return back.beyond;
}

static void
settings_have_one_spelling(void **state)
{
    (void)state;
    assert_false(s_settings_beyond("\x80", 1));
    assert_false(s_settings_beyond("\x82\xa1""a\x01\xa1""b\xcc\x80", 8));
    assert_true(s_settings_beyond("\x82\xa1""b\x01\xa1""a\x02", 7));           // not ascending
    assert_true(s_settings_beyond("\x82\xa1""a\x01\xa1""a\x01", 7));           // twice
    assert_true(s_settings_beyond("\x81\xd9\x01""a\x01", 5));                  // a long form
    assert_true(s_settings_beyond("\x81\xa1""a\xcc\x01", 5));                  // likewise
    assert_true(s_settings_beyond("\x81\xa1""a\xca\x3f\x00\x00\x00", 8));     // a float of four
    assert_true(s_settings_beyond("\x81\xa1""a\xff", 4));                      // not as a float
    assert_true(s_settings_beyond("\x81\xa1""a\xcb\x7f\xf8\0\0\0\0\0\0", 12)); // NaN
    assert_true(s_settings_beyond("\x81\xa1""a\xa1""b", 5));                   // a text
    assert_true(s_settings_beyond("\x81\xa0\x01", 3));                        // without a name
    assert_true(s_settings_beyond("\x81\xb0""0123456789abcdef\x01", 19));      // a long one
    assert_true(s_settings_beyond("\x80\x80", 2));
    assert_true(s_settings_beyond("", 0));
}

static void
more_settings_than_there_is_room_for_are_beyond_this_build(void **state)
{
    (void)state;
    uint8_t bytes[64] = { 0xde, 0, FL_RECIPE_MAX };
    size_t size = 3;
    for (unsigned i = 0; i <= FL_RECIPE_MAX; i++) {
        bytes[2] = (uint8_t)(i + 1);
        bytes[size++] = 0xa1;
        bytes[size++] = (uint8_t)('a' + i);
        bytes[size++] = 1;
        assert_int_equal(s_settings_beyond(bytes, size), i + 1 != FL_RECIPE_MAX);
    }
}

//  What one byte less, one more or any other byte makes of it: beyond, or another plan.
static void
no_two_manifests_say_the_same(void **state)
{
    (void)state;
    fl_order order = s_order();
    fl_bytes made = fl_manifest_encode(&order, room);
    uint8_t bytes[FL_PARTS_MADE_MAX], again[FL_PARTS_MADE_MAX];
    for (size_t at = 0; at < made.size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            fl_order back = s_bare(&order);
            memcpy(bytes, made.data, made.size);
            bytes[at] ^= (uint8_t)(1u << bit);
            fl_manifest_decode(fl_bytes_of(bytes, made.size), &back);
            fl_bytes same = back.beyond ? made : fl_manifest_encode(&back, again);
            assert_true(back.beyond || memcmp(same.data, bytes, made.size) == 0);
        }
        fl_order cut = s_bare(&order);
        fl_manifest_decode(fl_bytes_of(made.data, at), &cut);
        assert_true(cut.beyond);
    }
    fl_order other = s_bare(&order);
    other.elements++; // the segment is not of this order
    fl_manifest_decode(made, &other);
    assert_true(other.beyond);
}

static void
s_encode_a_bad_manifest(void)
{
    fl_order order = s_order();
    order.plan.bits = 1;
    (void)fl_manifest_encode(&order, room);
}

static void
s_encode_bad_settings(void)
{
    fl_order order = s_order();
    fl_recipe_put(&order.plan.recipe, "rate", NAN);
    (void)fl_settings_encode(&order, room);
}

static void
encoding_what_is_out_of_range_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_encode_a_bad_manifest));
    assert_true(unit_dies(s_encode_bad_settings));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_parts_come_back_from_their_bytes),
        cmocka_unit_test(settings_have_one_spelling),
        cmocka_unit_test(more_settings_than_there_is_room_for_are_beyond_this_build),
        cmocka_unit_test(no_two_manifests_say_the_same),
        cmocka_unit_test(encoding_what_is_out_of_range_is_our_mistake),
    };
    return cmocka_run_group_tests_name("wire/manifest", tests, NULL, NULL);
}
