//  A run's settings: what they mean for a plan, and which of them no round could live with; a
//  RUN.yaml as it is submitted.
#include "cloud/run_settings.h"

#include "tests/support/unit.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/settings.h"
#include "common/model/safetensors.h"
#include "common/secagg/secagg.h"
#include "common/wire/manifest.h"
#include "common/store/file.h"

#include "tests/support/place.h"

static fl_conf *conf, *root;
static fl_why why;

static fl_status
load(const fl_program *program, fl_conf **made, const char *const *flags)
{
    char *argv[24] = { (char *)(uintptr_t)program->name };
    int argc = 1;
    while (*flags != NULL) {
        argv[argc++] = (char *)(uintptr_t)*flags++;
    }
    fl_conf_destroy(made);
    why.text[0] = '\0';
    return fl_conf_load(program, argc, argv, stdout, made, &why);
}

//  A run of these settings, at a root with those.
#define with(...) load(&fl_run_program, &conf, (const char *const[]){ __VA_ARGS__ })
#define at_root(...)                                                                               \
    load(&fl_root_program, &root,                                                                  \
         (const char *const[]){ "--state", "/tmp", "--authority", "/tmp", __VA_ARGS__ })

static int
begin(void **state)
{
    (void)state;
    return at_root(NULL) == FL_OK ? 0 : -1;
}

static int
end(void **state)
{
    (void)state;
    fl_conf_destroy(&conf);
    fl_conf_destroy(&root);
    return 0;
}

static fl_plan
plan(void)
{
    return fl_run_settings_root(conf, root).plan;
}

static void
refused(const char *said)
{
    if (strstr(why.text, said) == NULL) {
        fail_msg("'%s' is not in: %s", said, why.text);
    }
}

//  libzmq would take the port modulo 65536, or the digits in front.
static void
a_listening_port_that_is_none_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const bad[] = { "tcp://0.0.0.0:99999", "tcp://0.0.0.0:70x",
                                       "tcp://0.0.0.0:-1", "0.0.0.0:7000" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(at_root("--listen-up", bad[i], NULL), FL_MALFORMED);
        refused("listen.up");
        refused(bad[i]);
    }
    assert_int_equal(at_root("--listen-up", "tcp://0.0.0.0:0", NULL), FL_OK);
}

static void
a_test_set_that_does_not_fit_is_found_before_the_start(void **state)
{
    (void)state;
    static const uint8_t inputs[4 + 8 + 2] = { 0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2 };
    static const uint8_t labels[4 + 4 + 1] = { 0, 0, 8, 1, 0, 0, 0, 1 };
    assert_int_equal(place_make(state), 0);
    place_write("in", inputs, sizeof inputs);
    place_write("out", labels, sizeof labels);
    assert_int_equal(at_root("--test-inputs", place_of("in"), NULL), FL_MISMATCH);
    refused("go together");
    assert_int_equal(
        at_root("--test-inputs", place_of("in"), "--test-labels", place_of("out"), NULL), FL_OK);
    assert_int_equal(with("--model-layers", "2-2", NULL), FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_OK);
    assert_int_equal(with("--model-layers", "3-2", NULL), FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_MISMATCH);
    refused("/in: samples have 2 values each, the network takes 3");
    assert_int_equal(with("--model-elements", "6", NULL), FL_OK); // it is not scored
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_OK);
    assert_int_equal(place_end(state), 0);
}

static void
masks_are_on_unless_it_is_said_otherwise(void **state)
{
    (void)state;
    assert_int_equal(with(NULL), FL_OK);
    fl_plan usual = plan();
    assert_int_equal(usual.masking[0], FL_MASKING_MALICIOUS);
    assert_int_equal(usual.masking[1], FL_MASKING_MALICIOUS);
    assert_int_equal(usual.block_max, 64);
    assert_int_equal(usual.members_min[0], 3);
    assert_int_equal(usual.members_min[1], 3);
    assert_int_equal(usual.survivors_min[0], 3);
    assert_int_equal(usual.survivors_min[1], 3);
    assert_int_equal(usual.step_ms, 2000);
    assert_int_equal(with("--masking", "honest", "--masking-block-max", "32",
                          "--masking-members-min", "8", "--masking-members-min-edges", "4",
                          "--masking-survivors-min", "7", "--masking-survivors-min-edges", "5",
                          "--masking-step", "300ms", NULL),
                     FL_OK);
    fl_plan own = plan();
    assert_int_equal(own.masking[0], FL_MASKING_HONEST);
    assert_int_equal(own.masking[1], FL_MASKING_HONEST);
    assert_int_equal(own.block_max, 32);
    assert_int_equal(own.members_min[0], 8);
    assert_int_equal(own.members_min[1], 4);
    assert_int_equal(own.survivors_min[0], 7);
    assert_int_equal(own.survivors_min[1], 5);
    assert_int_equal(own.step_ms, 300);
}

//  Two edges are too few to mask between them, their devices are not.
static void
the_sums_of_edges_are_masked_or_not_for_themselves(void **state)
{
    (void)state;
    assert_int_equal(with("--masking-edges", "unmasked", "--round-expect", "2", NULL), FL_OK);
    assert_int_equal(plan().masking[0], FL_MASKING_MALICIOUS);
    assert_int_equal(plan().masking[1], FL_MASKING_NONE);
    assert_int_equal(plan().members_min[0], 3);
    const fl_aggregator_conf two = fl_run_settings_root(conf, root).aggregator;
    assert_true(two.expect == 2 && two.window.count_min == 1);
    assert_int_equal(with("--masking", "unmasked", "--masking-edges", "malicious", NULL), FL_OK);
    assert_int_equal(plan().masking[0], FL_MASKING_NONE);
    assert_int_equal(plan().masking[1], FL_MASKING_MALICIOUS);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.expect, 3);
}

//  The wire knows an unmasked plan by its zeros.
static void
an_unmasked_plan_says_nothing_of_blocks(void **state)
{
    (void)state;
    assert_int_equal(
        with("--masking", "unmasked", "--masking-block-max", "8", "--round-expect", "1", NULL),
        FL_OK);
    fl_plan none = plan();
    assert_false(fl_plan_masks(&none));
    assert_int_equal(none.block_max, 0);
    assert_int_equal(none.members_min[0] + none.members_min[1], 0);
    assert_int_equal(none.survivors_min[0] + none.survivors_min[1], 0);
    assert_int_equal(none.step_ms, 0);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.expect, 1);
}

#define FIELD(name)                                                                                \
    {                                                                                              \
        offsetof(fl_plan, name), sizeof(((fl_plan *)NULL)->name)                                   \
    }

//  Field by field: what lies between two fields is nobody's.
static void
assert_same_plan(const fl_plan *one, const fl_plan *other)
{
    static const struct {
        size_t offset, size;
    } fields[] = { FIELD(weighting),  FIELD(clip),        FIELD(bits),         FIELD(weight_unit),
                   FIELD(weight_max), FIELD(devices_max), FIELD(recipe.count), FIELD(recipe.value),
                   FIELD(seed),       FIELD(pin),         FIELD(late),         FIELD(staleness_max),
                   FIELD(masking),    FIELD(block_max),   FIELD(members_min),  FIELD(survivors_min),
                   FIELD(step_ms) };
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
    static const char *const weightings[] = { "samples", "equal", "classes" };
    assert_int_equal(with(NULL), FL_OK);
    assert_int_equal(plan().weighting, FL_WEIGHTING_EQUAL); // unless it is said
    for (int i = 0; i < 3; i++) {
        assert_int_equal(with("--masking", profiles[i], "--plan-weighting", weightings[i],
                              "--plan-weight-max", "9", NULL),
                         FL_OK);
        fl_order order = { .round = 1, .model_bytes = 8, .elements = 2, .plan = plan() }, back;
        uint8_t bytes[FL_ORDER_BYTES], room[FL_PARTS_MADE_MAX];
        fl_order_encode(&order, bytes);
        assert_true(fl_order_decode(fl_bytes_of(bytes, sizeof bytes), &back));
        fl_settings_decode(fl_settings_encode(&order, room), &back);
        fl_manifest_decode(fl_manifest_encode(&order, room), &back);
        assert_false(back.beyond);
        assert_same_plan(&back.plan, &order.plan);
        assert_string_equal(fl_masking_name((fl_masking)order.plan.masking[0]), profiles[i]);
        assert_string_equal(fl_weighting_name((fl_weighting)order.plan.weighting), weightings[i]);
        assert_int_equal(order.plan.weight_max, i == 1 ? 1 : 9);
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
        fl_status status = with("--plan-bits", bits[i % 4], "--plan-weight-max", weights[i / 4 % 3],
                                "--plan-devices-max", devices[i / 12], NULL);
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
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.expect, 4);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.window.count_min, 3);
    assert_int_equal(with("--round-expect", "9", "--masking-survivors-min-edges", "5",
                          "--round-count-min", "4", NULL),
                     FL_OK);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.expect, 9);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.window.count_min, 5);
    assert_int_equal(with("--round-count-min", "6", NULL), FL_OK);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.window.count_min, 6);
    assert_int_equal(with("--masking", "unmasked", NULL), FL_OK);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.expect, 0);
    assert_int_equal(fl_run_settings_root(conf, root).aggregator.window.count_min, 1);
}

static void
settings_under_which_no_masked_round_succeeds_are_refused(void **state)
{
    (void)state;
    assert_int_equal(with("--round-expect", "2", NULL), FL_RANGE);
    refused("round.expect is below masking.members_min_edges (3)");
    refused("set masking.edges to unmasked");
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
    assert_int_equal(with("--masking-block-max", "2", NULL), FL_RANGE);
    assert_int_not_equal(with("--masking", "none", NULL), FL_OK);
    refused("unmasked");
}

static void
a_run_names_the_children_that_take_part(void **state)
{
    (void)state;
    static const char *const wrong[] = { "e1,e1,e2", "e1,E2,e3",
                                         "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" };
    assert_int_equal(with("--round-on", "e1, e2,edge-3", NULL), FL_OK);
    const fl_root_conf made = fl_run_settings_root(conf, root);
    assert_int_equal(made.aggregator.on_count, 3);
    assert_string_equal(made.aggregator.on[2].name, "edge-3");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(with("--round-on", wrong[i], NULL), FL_MALFORMED);
        refused("round.on must be up to 16 different names");
    }
    assert_int_equal(with("--round-on", "e1,e2", NULL), FL_RANGE);
    refused("round.on has 2 names, and a round takes 3 children");
    assert_int_equal(with("--round-on", "e1,e2", "--masking", "unmasked", NULL), FL_OK);
}

//  The model is that of its file, whatever the tensors are; so nothing else says what it is.
static void
a_run_of_the_owners_trainers_has_the_model_of_its_file(void **state)
{
    (void)state;
    static const float values[] = { 1, 2, 3, 4, 5, 6, 7 };
    static const fl_tensor tensors[] = { { .name = "head.w", .rank = 2, .shape = { 2, 3 } },
                                         { .name = "a", .rank = 0 } };
    fl_blob *file = NULL, *model = NULL;
    assert_int_equal(fl_safetensors_save(tensors, 2, NULL, 0, values, &file), FL_OK);
    assert_int_equal(with("--train-trainer", "digits", NULL), FL_MISMATCH);
    refused("give it");
    assert_int_equal(
        with("--train-trainer", "digits", "--model-initial", "f", "--model-layers", "2-2", NULL),
        FL_MISMATCH);
    static const char *const wrong[] = {
        "x",      "x=",         "x=1y",
        "rate=1", "x=1,x=2",    "x=nan",
        "X=1",    "evaluate=1", "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(with("--train-trainer", "digits", "--model-initial", "f", "--train-config",
                              wrong[i], NULL),
                         FL_MALFORMED);
    }
    assert_int_equal(with("--train-config", "x=1", NULL), FL_MISMATCH);
    assert_int_equal(with("--train-trainer", "digits", "--model-initial", "f", "--masking",
                          "unmasked", "--train-config",
                          "width=3, drop_out=0.5 c=1 d=1 e=1 f=1 g=1 h=1 i=1", NULL),
                     FL_OK);
    const fl_plan plan = fl_run_settings_root(conf, root).plan;
    assert_string_equal(plan.trainer.name, "digits");
    assert_true(fl_recipe_get(&plan.recipe, "trainer", -1) < 0);
    assert_true(fl_recipe_get(&plan.recipe, "epochs", 0) > 0);
    assert_true(fl_recipe_get(&plan.recipe, "drop_out", 0) == 0.5);
    assert_int_equal(fl_run_settings_memory(conf, root, 7), 7 * (8 + 4 + 4 * 3));
    assert_int_equal(fl_run_settings_model(conf, fl_blob_bytes(file), &model, &why), FL_OK);
    assert_true(fl_bytes_equal(fl_blob_bytes(file), fl_blob_bytes(model)));
    fl_blob_unref(&model);
    assert_int_equal(fl_run_settings_model(conf, fl_bytes_of("no", 2), &model, &why), FL_MALFORMED);
    fl_blob_unref(&file);
}

//  One sum of 8 bytes at most, the next model, and four uploads of 3 bytes each; masked, a sum for
//  each block of the 64 children that may be there.
static void
an_open_round_takes_as_much_memory_as_its_run_says(void **state)
{
    (void)state;
    assert_int_equal(with("--model-elements", "1000", "--masking", "unmasked", NULL), FL_OK);
    const uint64_t plain = fl_run_settings_memory(conf, root, 0);
    assert_int_equal(plain, 1000 * (8 + 4 + 4 * 3));
    assert_int_equal(with("--model-elements", "1000", "--masking-block-max", "16", NULL), FL_OK);
    assert_int_equal(fl_run_settings_memory(conf, root, 0), plain + 3 * 8000);
    assert_int_equal(with("--model-layers", "784-128-10", "--masking", "unmasked", NULL), FL_OK);
    assert_int_equal(fl_run_settings_memory(conf, root, 0), 101770 * 24);
}

static void
a_root_that_cannot_run_it_says_so(void **state)
{
    (void)state;
    assert_int_equal(with("--round-time-max", "6300ms", NULL), FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_RANGE);
    refused("3 times masking.step and the margins take all of round.time_max");
    assert_int_equal(with("--round-time-max", "6301ms", NULL), FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_OK);
    assert_int_equal(at_root("--seats", "2", NULL), FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_RANGE);
    refused("seats at the root is below masking.members_min_edges");
    assert_int_equal(
        with("--masking", "unmasked", "--round-expect", "2", "--round-time-max", "1s", NULL),
        FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_OK);
    assert_int_equal(with("--masking", "unmasked", "--round-expect", "3", NULL), FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_RANGE);
}

static void
the_rate_is_constant_or_follows_a_schedule(void **state)
{
    (void)state;
    assert_int_equal(with(NULL), FL_OK);
    fl_schedule rate = fl_run_settings_root(conf, root).rate;
    assert_true(rate.kind == FL_SCHEDULE_CONSTANT && rate.first == 0.1 && rate.warmup == 0);
    const uint32_t told = plan().recipe.count;
    assert_int_equal(with("--train-rate-cosine", "0.2, 0.01", "--train-rate-warmup", "3", NULL),
                     FL_OK);
    rate = fl_run_settings_root(conf, root).rate;
    assert_true(rate.kind == FL_SCHEDULE_COSINE && rate.first == 0.2 && rate.last == 0.01);
    assert_int_equal(rate.warmup, 3);
    assert_int_equal(plan().recipe.count, told); // a trainer hears of no schedule
    assert_int_equal(with("--train-rate-step", "0.2,0.5,10", NULL), FL_OK);
    rate = fl_run_settings_root(conf, root).rate;
    assert_true(rate.kind == FL_SCHEDULE_STEP && rate.factor == 0.5 && rate.every == 10);
    assert_int_equal(with("--train-rate-step", "0.2,0.5,1.5", NULL), FL_RANGE);
    assert_int_equal(with("--train-rate-step", "0.2,0.5", NULL), FL_RANGE);
    refused("train.rate.step takes 3 numbers");
    assert_int_equal(with("--train-rate-cosine", "0.2", NULL), FL_RANGE);
    assert_int_equal(with("--train-rate-cosine", "1,2", "--train-rate", "1", NULL), FL_MISMATCH);
    refused("give one of them");
    assert_int_equal(with("--train-rate-warmup", "20", NULL), FL_RANGE);
    refused("of 20 rounds");
}

static void
a_run_may_begin_with_the_weights_of_a_file(void **state)
{
    (void)state;
    fl_blob *npz = NULL, *model = NULL;
    fl_safetensors file;
    assert_int_equal(fl_file_read("tests/fuzz/corpus/npz/numpy-stored", 4096, &npz, &why), FL_OK);
    assert_int_equal(with("--model-layers", "2-2", NULL), FL_OK);
    assert_int_equal(fl_run_settings_model(conf, fl_blob_bytes(npz), &model, &why), FL_OK);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(model), &file, &why), FL_OK);
    assert_int_equal(file.elements, 6);
    assert_true(*fl_safetensors_values(model, 6) == 0.25f); // of the bias: seeded ones are 0
    fl_blob_unref(&model);
    assert_int_equal(with("--model-layers", "3-2", NULL), FL_OK);
    assert_int_equal(fl_run_settings_model(conf, fl_blob_bytes(npz), &model, &why), FL_MISMATCH);
    refused("the weights have layer0.weight as (2,2), the model needs it as (2,3)");
    assert_null(model);
    fl_blob_unref(&npz);
    assert_int_equal(with("--model-elements", "6", NULL), FL_OK); // a vector has weights too
    assert_int_equal(fl_run_settings_model(conf, fl_bytes_of(NULL, 0), &model, &why), FL_OK);
    npz = model;
    assert_int_equal(fl_run_settings_model(conf, fl_blob_bytes(npz), &model, &why), FL_OK);
    assert_true(fl_bytes_equal(fl_blob_bytes(npz), fl_blob_bytes(model)));
    fl_blob_unref(&model);
    assert_int_equal(with("--model-elements", "7", NULL), FL_OK);
    assert_int_equal(fl_run_settings_model(conf, fl_blob_bytes(npz), &model, &why), FL_MISMATCH);
    refused("model.elements is 7");
    fl_blob_unref(&npz);
}

static void
a_score_may_end_the_run_and_names_the_best(void **state)
{
    (void)state;
    assert_int_equal(with(NULL), FL_OK);
    fl_root_conf run = fl_run_settings_root(conf, root);
    assert_true(run.best.by == FL_BEST_ACCURACY && run.best.target == 0 && run.keep_every == 0);
    assert_int_equal(run.best.patience, 0);
    assert_int_equal(with("--stop-metric", "test.loss", "--stop-at", "1.5", "--stop-patience", "4",
                          "--keep", "every 10", NULL), FL_OK);
    run = fl_run_settings_root(conf, root);
    assert_true(run.best.by == FL_BEST_LOSS && run.best.target == 1.5 && run.keep_every == 10);
    assert_int_equal(run.best.patience, 4);
    assert_int_equal(with("--stop-at", "1.5", NULL), FL_RANGE);
    refused("no accuracy is above 1");
    static const char *const bad[] = { "last", "every", "every 0", "every 5x", "every -5", "" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(with("--keep", bad[i], NULL), FL_MALFORMED);
        refused("it must be best, or every N");
    }
    assert_int_equal(with("--stop-patience", "2", NULL), FL_OK);
    assert_int_equal(fl_run_settings_fit(conf, root, &why), FL_MISMATCH);
    refused("need scores");
}

static void
devices_score_the_model_unless_the_run_says_root(void **state)
{
    (void)state;
    assert_int_equal(with("--evaluate-every", "5", NULL), FL_OK);
    assert_int_equal(fl_run_settings_root(conf, root).evaluate_every, 5);
    assert_int_equal(with("--evaluate-every", "5", "--evaluate-on", "devices", NULL), FL_OK);
    assert_int_equal(fl_run_settings_root(conf, root).evaluate_every, 5);
    assert_int_equal(with("--evaluate-every", "5", "--evaluate-on", "root", NULL), FL_OK);
    assert_int_equal(fl_run_settings_root(conf, root).evaluate_every, 0);
}

// ---- as it is submitted -----------------------------------------------------------------------
static fl_status
s_read(const char *text, const char *const *sets, uint32_t count, fl_run_recipe *recipe)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/digits.%d.yaml", (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    why.text[0] = '\0';
    fl_status status = fl_run_recipe_read(path, sets, count, recipe, &why);
    assert_int_equal(unlink(path), 0);
    return status;
}

static void
a_recipe_is_what_was_given_in_one_spelling(void **state)
{
    (void)state;
    static const char *const sets[] = { "rounds=7", "train.rate=0.2" };
    fl_run_recipe one, other;
    assert_int_equal(s_read("train: {rate: 0.5}\nround:\n  expect: 4\n", sets, 2, &one), FL_OK);
    assert_string_equal(one.name, "digits"); // the file's
    assert_int_equal(
        s_read("round.expect: 4\nrounds: 7 # of many\ntrain.rate: 0.2\n", NULL, 0, &other), FL_OK);
    assert_true(fl_bytes_equal(fl_blob_bytes(one.text), fl_blob_bytes(other.text)));
    static const char wanted[] = "rounds: 7\nround.expect: 4\ntrain.rate: 0.2\n";
    assert_true(fl_bytes_equal(fl_blob_bytes(one.text), fl_bytes_of(wanted, sizeof wanted - 1)));
    fl_blob_unref(&one.text);
    fl_blob_unref(&other.text);
    static const char list[] = "train.rate.cosine: [0.2, 0.01]\n";
    assert_int_equal(s_read("train: {rate: {cosine: [0.2, 0.01]}}\n", NULL, 0, &one), FL_OK);
    assert_true(fl_bytes_equal(fl_blob_bytes(one.text), fl_bytes_of(list, sizeof list - 1)));
    fl_blob_unref(&one.text);
    assert_int_equal(s_read("name: night-2\n", NULL, 0, &one), FL_OK);
    assert_string_equal(one.name, "night-2");
    fl_blob_unref(&one.text);
    assert_int_equal(s_read("\n", NULL, 0, &one), FL_OK);
    static const char plain[] = "# every setting has its default\n"; // an empty one is refused
    assert_true(fl_bytes_equal(fl_blob_bytes(one.text), fl_bytes_of(plain, sizeof plain - 1)));
    fl_blob_unref(&one.text);
    assert_int_equal(s_read(plain, NULL, 0, &one), FL_OK);
    fl_blob_unref(&one.text);
}

static void
a_wrong_recipe_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *set, *said;
    } rows[] = {
        { "rounds: 3\nrouns: 4\n", NULL, ".yaml:2: unknown key 'rouns', did you mean" },
        { "rounds: 0\n", NULL, ".yaml:1: " },
        { "rounds: 3\n", "round=4", "'round' is no setting of a run" },
        { "rounds: 3\n", "rounds", "wanted is KEY=VALUE" },
        { "name: Night run\n", NULL, "is no name of a run" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_run_recipe recipe;
        const char *set[] = { rows[i].set };
        assert_int_not_equal(s_read(rows[i].text, set, rows[i].set != NULL, &recipe), FL_OK);
        assert_null(recipe.text);
        refused(rows[i].said);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_listening_port_that_is_none_is_refused_by_name, begin, end),
        unit_case(a_test_set_that_does_not_fit_is_found_before_the_start, begin, end),
        unit_case(masks_are_on_unless_it_is_said_otherwise, begin, end),
        unit_case(the_sums_of_edges_are_masked_or_not_for_themselves, begin, end),
        unit_case(an_unmasked_plan_says_nothing_of_blocks, begin, end),
        unit_case(every_plan_crosses_the_wire_as_it_is, begin, end),
        unit_case(the_whole_sum_fits_whatever_the_settings_are, begin, end),
        unit_case(a_root_waits_for_as_many_children_as_can_mask, begin, end),
        unit_case(settings_under_which_no_masked_round_succeeds_are_refused, begin, end),
        unit_case(a_run_names_the_children_that_take_part, begin, end),
        unit_case(a_run_of_the_owners_trainers_has_the_model_of_its_file, begin, end),
        unit_case(an_open_round_takes_as_much_memory_as_its_run_says, begin, end),
        unit_case(a_root_that_cannot_run_it_says_so, begin, end),
        unit_case(the_rate_is_constant_or_follows_a_schedule, begin, end),
        unit_case(a_run_may_begin_with_the_weights_of_a_file, begin, end),
        unit_case(a_score_may_end_the_run_and_names_the_best, begin, end),
        unit_case(devices_score_the_model_unless_the_run_says_root, begin, end),
        unit_case(a_recipe_is_what_was_given_in_one_spelling, begin, end),
        unit_case(a_wrong_recipe_is_refused_with_its_place, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
