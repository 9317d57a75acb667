//  The root's settings: what they mean for a plan, and which of them no round could live with.
#include "cloud/settings.h"

#include "tests/support/unit.h"

#include <stddef.h>
#include <string.h>

#include "common/secagg/secagg.h"
#include "common/wire/manifest.h"

static fl_conf *conf;
static fl_why why;

static fl_status
load(const char *const *flags)
{
    char *argv[24] = { (char *)(uintptr_t)"fl-root" };
    int argc = 1;
    while (*flags != NULL) {
        argv[argc++] = (char *)(uintptr_t)*flags++;
    }
    fl_conf_destroy(&conf);
    why.text[0] = '\0';
    return fl_conf_load(&fl_root_program, argc, argv, stdout, &conf, &why);
}

#define with(...)                                                                                  \
    load((const char *const[]){ "--state", "/tmp", "--authority", "/tmp", __VA_ARGS__ })

static int
end(void **state)
{
    (void)state;
    fl_conf_destroy(&conf);
    return 0;
}

static fl_plan
plan(void)
{
    return fl_root_settings(conf).plan;
}

static void
refused(const char *said)
{
    if (strstr(why.text, said) == NULL) {
        fail_msg("'%s' is not in: %s", said, why.text);
    }
}

static void
masks_are_on_unless_it_is_said_otherwise(void **state)
{
    (void)state;
    assert_int_equal(with(NULL), FL_OK);
    fl_plan usual = plan();
    assert_int_equal(usual.masking, FL_MASKING_MALICIOUS);
    assert_int_equal(usual.block_max, 64);
    assert_int_equal(usual.members_min[0], 3);
    assert_int_equal(usual.members_min[1], 3);
    assert_int_equal(usual.survivors_min[0], 3);
    assert_int_equal(usual.survivors_min[1], 3);
    assert_int_equal(usual.step_ms, 2000);
    assert_int_equal(with("--masking", "honest", "--masking-block-max", "32",
                          "--masking-members-min", "8", "--masking-members-min-edges", "4",
                          "--masking-survivors-min", "7", "--masking-survivors-min-edges", "5",
                          "--masking-step", "300ms", NULL), FL_OK);
    fl_plan own = plan();
    assert_int_equal(own.masking, FL_MASKING_HONEST);
    assert_int_equal(own.block_max, 32);
    assert_int_equal(own.members_min[0], 8);
    assert_int_equal(own.members_min[1], 4);
    assert_int_equal(own.survivors_min[0], 7);
    assert_int_equal(own.survivors_min[1], 5);
    assert_int_equal(own.step_ms, 300);
}

//  The wire knows an unmasked plan by its zeros.
static void
an_unmasked_plan_says_nothing_of_blocks(void **state)
{
    (void)state;
    assert_int_equal(with("--masking", "unmasked", "--masking-block-max", "8",
                          "--round-expect", "1", NULL), FL_OK);
    fl_plan none = plan();
    assert_int_equal(none.masking, FL_MASKING_NONE);
    assert_int_equal(none.block_max, 0);
    assert_int_equal(none.members_min[0] + none.members_min[1], 0);
    assert_int_equal(none.survivors_min[0] + none.survivors_min[1], 0);
    assert_int_equal(none.step_ms, 0);
    assert_int_equal(fl_root_settings(conf).aggregator.expect, 1);
}

#define FIELD(name) { offsetof(fl_plan, name), sizeof(((fl_plan *)NULL)->name) }

//  Field by field: what lies between two fields is nobody's.
static void
assert_same_plan(const fl_plan *one, const fl_plan *other)
{
    static const struct {
        size_t offset, size;
    } fields[] = { FIELD(clip),        FIELD(bits),         FIELD(weight_unit),   FIELD(weight_max),
                   FIELD(devices_max), FIELD(recipe.count), FIELD(recipe.value),  FIELD(seed),
                   FIELD(pin),         FIELD(late),         FIELD(staleness_max), FIELD(masking),
                   FIELD(block_max),   FIELD(members_min),  FIELD(survivors_min), FIELD(step_ms) };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        assert_memory_equal((const uint8_t *)one + fields[i].offset,
                            (const uint8_t *)other + fields[i].offset, fields[i].size);
    }
}

static void
every_plan_crosses_the_wire_as_it_is(void **state)
{
    (void)state;
    static const char *const profiles[] = { "unmasked", "honest", "malicious" };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(with("--masking", profiles[i], NULL), FL_OK);
        fl_order order = { .round = 1, .model_bytes = 8, .elements = 2, .plan = plan() }, back;
        uint8_t bytes[FL_ORDER_BYTES], room[FL_PARTS_MADE_MAX];
        fl_order_encode(&order, bytes);
        assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        fl_settings_decode(fl_settings_encode(&order, room), &back);
        fl_manifest_decode(fl_manifest_encode(&order, room), &back);
        assert_false(back.beyond);
        assert_same_plan(&back.plan, &order.plan);
        assert_string_equal(fl_masking_name((fl_masking)order.plan.masking), profiles[i]);
    }
}

static void
the_whole_sum_fits_whatever_the_settings_are(void **state)
{
    (void)state;
    static const char *const bits[] = { "2", "8", "16", "24" };
    static const char *const weights[] = { "1", "255", "1000000" };
    static const char *const devices[] = { "1", "16", "256", "1000000" };
    unsigned held = 0;
    for (int i = 0; i < 4 * 3 * 4; i++) {
        fl_status status = with("--plan-bits", bits[i % 4], "--plan-weight-max",
                                weights[i / 4 % 3], "--plan-devices-max", devices[i / 12], NULL);
        if (status == FL_OK) { // else it is refused at the start
            fl_plan one = plan();
            assert_true(fl_secagg_plan_holds(&one, 1));
            held++;
        }
    }
    assert_true(held > 40);
}

static void
a_root_waits_for_as_many_children_as_can_mask(void **state)
{
    (void)state;
    assert_int_equal(with("--masking-members-min-edges", "4", NULL), FL_OK);
    assert_int_equal(fl_root_settings(conf).aggregator.expect, 4);
    assert_int_equal(fl_root_settings(conf).aggregator.window.count_min, 3);
    assert_int_equal(with("--round-expect", "9", "--masking-survivors-min-edges", "5",
                          "--round-count-min", "4", NULL), FL_OK);
    assert_int_equal(fl_root_settings(conf).aggregator.expect, 9);
    assert_int_equal(fl_root_settings(conf).aggregator.window.count_min, 5);
    assert_int_equal(with("--round-count-min", "6", NULL), FL_OK);
    assert_int_equal(fl_root_settings(conf).aggregator.window.count_min, 6);
    assert_int_equal(with("--masking", "unmasked", NULL), FL_OK);
    assert_int_equal(fl_root_settings(conf).aggregator.expect, 0);
    assert_int_equal(fl_root_settings(conf).aggregator.window.count_min, 1);
}

static void
settings_under_which_no_masked_round_succeeds_are_refused(void **state)
{
    (void)state;
    assert_int_equal(with("--round-expect", "2", NULL), FL_RANGE);
    refused("round.expect is below masking.members_min_edges (3)");
    refused("unmasked here, on the edges and on the devices");
    assert_int_equal(with("--seats", "2", NULL), FL_RANGE);
    refused("seats is below masking.members_min_edges (3)");
    static const char *const floors[] = { "--masking-members-min", "--masking-survivors-min",
                                          "--masking-members-min-edges",
                                          "--masking-survivors-min-edges" };
    static const char *const names[] = { "masking.members_min is", "masking.survivors_min is",
                                         "masking.members_min_edges is",
                                         "masking.survivors_min_edges is" };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(with("--masking-block-max", "8", floors[i], "9", NULL), FL_RANGE);
        refused(names[i]);
        refused("above masking.block_max (8)");
        assert_int_equal(with("--masking-block-max", "9", floors[i], "9", NULL), FL_OK);
    }
    assert_int_equal(with("--round-time-max", "6300ms", NULL), FL_RANGE);
    refused("3 times masking.step and the margins take all of round.time_max");
    assert_int_equal(with("--round-time-max", "6301ms", NULL), FL_OK);
    assert_int_equal(with("--masking-block-max", "2", NULL), FL_RANGE);
    assert_int_not_equal(with("--masking", "none", NULL), FL_OK);
    refused("unmasked");
    assert_int_equal(with("--masking", "unmasked", "--round-expect", "2", "--seats", "2",
                          "--round-time-max", "1s", NULL), FL_OK);
}

//  All have 24 parameters: their number alone does not tell them apart.
static void
a_run_goes_on_with_its_own_model_only_whatever_its_size(void **state)
{
    (void)state;
    const struct { const char *flag, *value; bool same; } rows[] = {
        { "--model-layers", "7-3", true },
        { "--model-layers", "11-2", false },
        { "--model-elements", "24", false },
    };
    fl_blob *model = NULL;
    fl_safetensors file;
    assert_int_equal(with("--model-layers", "7-3", NULL), FL_OK);
    assert_int_equal(fl_root_settings_model(conf, &model, &why), FL_OK);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(model), &file, &why), FL_OK);
    assert_int_equal(file.elements, 24);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(with(rows[i].flag, rows[i].value, NULL), FL_OK);
        assert_int_equal(fl_root_settings_same(conf, &file, &why),
                         rows[i].same ? FL_OK : FL_MISMATCH);
    }
    refused("model.elements is 24");
    fl_blob_unref(&model);
    assert_int_equal(fl_root_settings_model(conf, &model, &why), FL_OK);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(model), &file, &why), FL_OK);
    assert_int_equal(fl_root_settings_same(conf, &file, &why), FL_OK);
    fl_blob_unref(&model);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(masks_are_on_unless_it_is_said_otherwise, end),
        cmocka_unit_test_teardown(an_unmasked_plan_says_nothing_of_blocks, end),
        cmocka_unit_test_teardown(every_plan_crosses_the_wire_as_it_is, end),
        cmocka_unit_test_teardown(the_whole_sum_fits_whatever_the_settings_are, end),
        cmocka_unit_test_teardown(a_root_waits_for_as_many_children_as_can_mask, end),
        cmocka_unit_test_teardown(settings_under_which_no_masked_round_succeeds_are_refused, end),
        cmocka_unit_test_teardown(a_run_goes_on_with_its_own_model_only_whatever_its_size, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
