#include "common/wire/message.h"

#include "tests/support/messages.h"
#include "tests/support/unit.h"

#include <string.h>

static messages_letter letter;

// ---- names ------------------------------------------------------------------------------------
static void
every_verb_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < MESSAGES_VERBS; i++) {
        assert_string_not_equal(fl_verb_name(messages_verbs[i]), "unknown");
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(fl_verb_name(messages_verbs[i]),
                                    fl_verb_name(messages_verbs[j]));
        }
    }
    assert_string_equal(fl_verb_name(FL_CONTRIB), "contrib");
    assert_string_equal(fl_verb_name((fl_verb)19), "unknown"); // a gap in the numbers
    assert_string_equal(fl_verb_name(FL_VERB_COUNT), "unknown");
    assert_string_equal(fl_verb_name((fl_verb)0xffffffffu), "unknown");
}

static void
every_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    static const fl_reason reasons[] = {
#define FL_REASON(name, number, text) FL_WHY_##name,
#include "common/wire/reason.def"
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        assert_string_not_equal(fl_reason_name(reasons[i]), "unknown");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(fl_reason_name(reasons[i]), fl_reason_name(reasons[j]));
        }
    }
    assert_string_equal(fl_reason_name(FL_WHY_NO_DATA), "no-data");
    assert_string_equal(fl_reason_name(FL_WHY_COUNT), "unknown");
}

static void
outcomes_and_activities_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < FL_OUT_COUNT; i++) {
        assert_string_not_equal(fl_outcome_name((fl_outcome)i), "unknown");
    }
    for (int i = 0; i < FL_DOING_COUNT; i++) {
        assert_string_not_equal(fl_activity_name((fl_activity)i), "unknown");
    }
    assert_string_equal(fl_outcome_name(FL_OUT_LATE), "late");
    assert_string_equal(fl_outcome_name(FL_OUT_COUNT), "unknown");
    assert_string_equal(fl_activity_name(FL_DOING_WAIT_GRANT), "wait-grant");
    assert_string_equal(fl_activity_name(FL_DOING_COUNT), "unknown");
}

// ---- orders -----------------------------------------------------------------------------------
static fl_order
s_order(void)
{
    messages_sample(FL_TASK, &letter);
    return letter.message.task.order;
}

static void
an_order_comes_back_from_its_bytes(void **state)
{
    (void)state;
    fl_rng rng = fl_rng_seeded(11);
    for (int i = 0; i < 500; i++) {
        uint8_t bytes[FL_ORDER_BYTES], again[FL_ORDER_BYTES];
        fl_order back;
        messages_random(FL_TASK, &rng, &letter);
        const fl_order *order = &letter.message.task.order;
        fl_order_encode(order, bytes);
        assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        fl_order_encode(&back, again);
        assert_memory_equal(bytes, again, sizeof bytes);
        assert_true(back.round == order->round && back.elements == order->elements);
        assert_true(back.plan.seed == order->plan.seed && !back.beyond);
    }
}

static void
an_order_of_another_size_is_malformed(void **state)
{
    (void)state;
    uint8_t bytes[FL_ORDER_BYTES + 1] = { 0 };
    fl_order order = s_order(), back;
    fl_order_encode(&order, bytes);
    for (size_t size = 0; size < FL_ORDER_BYTES; size++) {
        assert_false(fl_order_decode(fl_bytes_of(bytes, size), &back));
    }
    assert_false(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_false(fl_order_decode(fl_bytes_of(NULL, 0), &back));
    assert_int_equal(back.round, 0);
}

//  Offsets of the fields in an order's bytes, as docs/protocol.md lists them.
enum {
    AT_ROUND = 24,
    AT_MODEL_BYTES = 128,
    AT_ELEMENTS = 136,
    AT_DEVICES = 184,
    AT_UNIT = 188,
    AT_WEIGHT = 192,
    AT_MASKING = 197,
    AT_BLOCK = 199,
    AT_MEMBERS = 200,
    AT_SURVIVORS = 202,
    AT_STEP = 204,
};

static bool
s_accepts(size_t at, const void *value, size_t size)
{
    uint8_t bytes[FL_ORDER_BYTES];
    fl_order order = s_order(), back;
    fl_order_encode(&order, bytes);
    assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    memcpy(bytes + at, value, size);
    return fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back);
}

static bool
s_accepts_number(size_t at, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    fl_writer writer = fl_writer_over(bytes, sizeof bytes);
    fl_write_u64(&writer, value);
    return s_accepts(at, bytes, size);
}

static void
numbers_of_an_order_keep_their_ranges(void **state)
{
    (void)state;
    assert_true(s_accepts_number(AT_ROUND, 1, 8));
    assert_false(s_accepts_number(AT_ROUND, 0, 8));
    assert_true(s_accepts_number(AT_MODEL_BYTES, FL_VECTOR_BYTES_MAX, 8));
    assert_false(s_accepts_number(AT_MODEL_BYTES, FL_VECTOR_BYTES_MAX + 1, 8));
    assert_false(s_accepts_number(AT_MODEL_BYTES, 0, 8));
    assert_true(s_accepts_number(AT_ELEMENTS, FL_VECTOR_BYTES_MAX, 8));
    assert_false(s_accepts_number(AT_ELEMENTS, FL_VECTOR_BYTES_MAX + 1, 8));
    assert_false(s_accepts_number(AT_ELEMENTS, 0, 8));
    const size_t positive[] = { AT_UNIT, AT_WEIGHT, AT_DEVICES };
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++) {
        assert_true(s_accepts_number(positive[i], 1, 4));
        assert_false(s_accepts_number(positive[i], 0, 4));
    }
}

static void
the_masking_policy_of_an_order_makes_sense(void **state)
{
    (void)state;
    for (size_t hop = 0; hop < 2; hop++) { // each for itself
        assert_true(s_accepts_number(AT_MASKING + hop, FL_MASKING_HONEST, 1));
        assert_true(s_accepts_number(AT_MASKING + hop, FL_MASKING_NONE, 1));
        assert_false(s_accepts_number(AT_MASKING + hop, FL_MASKING_COUNT, 1));
    }
    assert_false(s_accepts_number(AT_MASKING, FL_MASKING_NONE, 2)); // with floors and steps
    assert_true(s_accepts_number(AT_BLOCK, 8, 1) && s_accepts_number(AT_BLOCK, 64, 1));
    assert_false(s_accepts_number(AT_BLOCK, 7, 1)); // the floor of hop 1 is 8
    assert_false(s_accepts_number(AT_BLOCK, 65, 1));
    for (size_t i = 0; i < 2; i++) {
        assert_true(s_accepts_number(AT_MEMBERS + i, 48, 1));
        assert_false(s_accepts_number(AT_MEMBERS + i, 49, 1));
        assert_true(s_accepts_number(AT_SURVIVORS + i, 0, 1));
        assert_false(s_accepts_number(AT_SURVIVORS + i, 49, 1));
    }
    assert_false(s_accepts_number(AT_STEP, 0, 4));
    fl_order order = s_order(), back;
    uint8_t bytes[FL_ORDER_BYTES];
    order.plan.masking[0] = order.plan.masking[1] = FL_MASKING_NONE;
    order.plan.block_max = 0;
    order.plan.step_ms = 0;
    memset(order.plan.members_min, 0, sizeof order.plan.members_min);
    memset(order.plan.survivors_min, 0, sizeof order.plan.survivors_min);
    fl_order_encode(&order, bytes);
    assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back));
}

static void
sets_are_counted_and_kept_within_their_members(void **state)
{
    (void)state;
    assert_int_equal(fl_set_count(0), 0);
    assert_int_equal(fl_set_count(UINT64_MAX), 64);
    assert_int_equal(fl_set_count(0x8000000000000005u), 3);
    assert_true(fl_set_within(UINT64_MAX, 64));
    assert_true(fl_set_within(7, 3));
    assert_false(fl_set_within(8, 3));
    assert_false(fl_set_within((uint64_t)1 << 63, 63));
}

//  Of the last byte of each field without a user, and of the first that is reserved.
static void
what_an_order_asks_for_beyond_this_build_is_seen(void **state)
{
    (void)state;
    static const size_t others[] = { 1, 2, 7, 216, 217, 225, 229, 230, 255 };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        uint8_t bytes[FL_ORDER_BYTES];
        fl_order order = s_order(), back;
        fl_order_encode(&order, bytes);
        assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back) && !back.beyond);
        bytes[others[i]] ^= 1;
        assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back) && back.beyond);
    }
    assert_false(s_accepts_number(0, 2, 1)); // another version may mean anything
    for (unsigned weighting = 0; weighting < 5; weighting++) { // equal: weight_max is 1
        uint8_t bytes[FL_ORDER_BYTES];
        fl_order order = s_order(), back;
        order.plan.weight_max = weighting == 4 ? 1 : 2;
        fl_order_encode(&order, bytes);
        bytes[196] = weighting == 4 ? FL_WEIGHTING_EQUAL : (uint8_t)weighting;
        assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        assert_int_equal(back.beyond, weighting == 1 || weighting == 3);
        assert_int_equal(back.plan.weighting, back.beyond ? 0 : bytes[196]);
    }
}

static void
s_encode_a_bad_order(void)
{
    uint8_t bytes[FL_ORDER_BYTES];
    fl_order order = s_order();
    order.beyond = true;
    fl_order_encode(&order, bytes);
}

static void
s_encode_a_bad_entry(void)
{
    uint8_t bytes[FL_ROLL_ENTRY_BYTES];
    fl_roll_encode(&(fl_roll_entry){ .outcome = FL_OUT_IN }, bytes);
}

static void
s_encode_a_bad_line(void)
{
    uint8_t bytes[FL_BLOCK_LINE_BYTES];
    fl_block_line line = { .hop = 1, .members = 3, .masked = 4 };
    FL_ASSERT(fl_name_parse("edge-b", &line.parent));
    fl_block_line_encode(&line, bytes);
}

static void
encoding_what_is_out_of_range_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_encode_a_bad_order));
    assert_true(unit_dies(s_encode_a_bad_entry));
    assert_true(unit_dies(s_encode_a_bad_line));
}

// ---- report lines -----------------------------------------------------------------------------
static void
a_report_line_comes_back_from_its_bytes(void **state)
{
    (void)state;
    uint8_t bytes[FL_ROLL_ENTRY_BYTES];
    fl_roll_entry entry = { .outcome = FL_OUT_REFUSED, .reason = FL_WHY_NAN, .staleness = 255 };
    fl_roll_entry back;
    assert_true(fl_name_parse("d-1", &entry.node) && fl_name_parse("edge.b", &entry.parent));
    fl_roll_encode(&entry, bytes);
    assert_true(fl_roll_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_memory_equal(&entry, &back, sizeof entry);
}

static void
a_malformed_report_line_is_refused(void **state)
{
    (void)state;
    //  offset, value: names, outcome, reason, spare
    const struct {
        size_t at;
        uint8_t value;
    } bad[] = {
        { 0, 0 },    { 0, 'A' },           { 15, 'a' },          { 16, 0 },
        { 17, ' ' }, { 32, FL_OUT_COUNT }, { 33, FL_WHY_COUNT }, { 35, 1 },
    };
    fl_roll_entry back;
    messages_sample(FL_CONTRIB, &letter);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t bytes[FL_ROLL_ENTRY_BYTES];
        memcpy(bytes, letter.message.contrib.roll.data, sizeof bytes);
        assert_true(fl_roll_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        bytes[bad[i].at] = bad[i].value;
        assert_false(fl_roll_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        assert_int_equal(back.node.name[0], 0);
    }
    assert_false(fl_roll_decode(fl_bytes_of(letter.room, FL_ROLL_ENTRY_BYTES - 1), &back));
    assert_false(fl_roll_decode(fl_bytes_of(letter.room, FL_ROLL_ENTRY_BYTES + 1), &back));
}

// ---- lines of blocks --------------------------------------------------------------------------
static void
a_line_of_a_block_comes_back_from_its_bytes(void **state)
{
    (void)state;
    uint8_t bytes[FL_BLOCK_LINE_BYTES];
    fl_block_line line = { .block = 0xa0b1,
                           .hop = 2,
                           .reason = FL_WHY_EQUIVOCATION,
                           .members = FL_MEMBERS_MAX,
                           .masked = FL_MEMBERS_MAX,
                           .survivors = FL_MEMBERS_MAX };
    fl_block_line back;
    assert_true(fl_name_parse("root", &line.parent));
    fl_block_line_encode(&line, bytes);
    const uint8_t tail[] = { 0xb1, 0xa0, 2, FL_WHY_EQUIVOCATION, 64, 64, 64, 0 };
    assert_memory_equal(bytes + 16, tail, sizeof tail);
    assert_true(fl_block_line_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_memory_equal(&line, &back, sizeof line);
}

static void
a_malformed_line_of_a_block_is_refused(void **state)
{
    (void)state;
    //  The sample: hop 1, five members, five masked, four survivors.
    const struct {
        size_t at;
        uint8_t fine, bad;
    } cases[] = {
        { 0, 'a', 0 },
        { 0, 'z', 'Z' },
        { 18, 2, 0 },
        { 18, 1, 3 },
        { 19, FL_WHY_KEY, FL_WHY_COUNT },
        { 20, 64, 65 },
        { 20, 5, 4 },
        { 21, 4, 3 },
        { 21, 5, 6 },
        { 22, 5, 6 },
        { 23, 0, 1 },
    };
    fl_block_line back;
    messages_sample(FL_CONTRIB, &letter);
    fl_bytes sample = letter.message.contrib.blocks;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[FL_BLOCK_LINE_BYTES];
        memcpy(bytes, sample.data, sizeof bytes);
        bytes[cases[i].at] = cases[i].fine;
        assert_true(fl_block_line_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        bytes[cases[i].at] = cases[i].bad;
        assert_false(fl_block_line_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        assert_int_equal(back.parent.name[0], 0);
        assert_int_equal(back.members, 0);
    }
    assert_false(fl_block_line_decode(fl_bytes_of(sample.data, FL_BLOCK_LINE_BYTES - 1), &back));
    assert_false(fl_block_line_decode(fl_bytes_of(sample.data, FL_BLOCK_LINE_BYTES + 1), &back));
}

static void
a_recipe_is_read_by_name_and_kept_in_the_order_of_names(void **state)
{
    (void)state;
    static const char *const names[] = { "rate", "batch", "zeta", "epochs", "batch" };
    static const char *const sorted[] = { "batch", "epochs", "rate", "zeta" };
    fl_recipe recipe = { 0 };
    for (int i = 0; i < 5; i++) {
        fl_recipe_put(&recipe, names[i], i);
    }
    assert_int_equal(recipe.count, 4); // the second batch replaced the first
    for (int i = 0; i < 4; i++) {
        assert_string_equal(recipe.value[i].name, sorted[i]);
    }
    assert_true(fl_recipe_get(&recipe, "batch", 9) == 4 && fl_recipe_get(&recipe, "zeta", 9) == 2);
    assert_true(fl_recipe_get(&recipe, "bat", 9) == 9 && fl_recipe_get(&recipe, "", 9) == 9);
}

//  A number of the plan's recipe, by which an order cannot be sent.
int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_a_name_of_its_own),
        cmocka_unit_test(every_reason_has_a_name_of_its_own),
        cmocka_unit_test(outcomes_and_activities_have_names),
        cmocka_unit_test(an_order_comes_back_from_its_bytes),
        cmocka_unit_test(an_order_of_another_size_is_malformed),
        cmocka_unit_test(numbers_of_an_order_keep_their_ranges),
        cmocka_unit_test(the_masking_policy_of_an_order_makes_sense),
        cmocka_unit_test(sets_are_counted_and_kept_within_their_members),
        cmocka_unit_test(what_an_order_asks_for_beyond_this_build_is_seen),
        cmocka_unit_test(encoding_what_is_out_of_range_is_our_mistake),
        cmocka_unit_test(a_report_line_comes_back_from_its_bytes),
        cmocka_unit_test(a_malformed_report_line_is_refused),
        cmocka_unit_test(a_line_of_a_block_comes_back_from_its_bytes),
        cmocka_unit_test(a_malformed_line_of_a_block_is_refused),
        cmocka_unit_test(a_recipe_is_read_by_name_and_kept_in_the_order_of_names),
    };
    return cmocka_run_group_tests_name("wire/message", tests, NULL, NULL);
}
