#include "cloud/settings.h"

#include <string.h>

#include "common/data/partition.h"
#include "common/model/start.h"
#include "common/runtime/launch.h"
#include "common/runtime/settings.h"
#include "common/tensor/element.h"

enum { STEPS = 3 }; // that open a sum: acknowledge, unmask, add up

static const fl_setting rows[] = {
    FL_SETTINGS_STATE,
    FL_SETTINGS_PROCESS,
    FL_SETTINGS_AGGREGATOR,
    { "linger", FL_CONF_DURATION, "2s", 0, 86400000, NULL,
      "how long to stay after the run, so that children and operator learn of its end" },
    { "node", FL_CONF_TEXT, "root", 0, 0, NULL, "name of this root" },
    { "authority", FL_CONF_TEXT, NULL, 0, 0, NULL,
      "directory of the authority's secret: the root issues certificates and signs orders" },
    { "certificates.days", FL_CONF_INT, "30", 1, 3650, NULL, "days that a certificate is valid" },
    { "shards", FL_CONF_INT, "0", 0, FL_SHARDS_MAX, NULL,
      "shards of the data, of which each device is leased one when it enrols; 0 is none" },
    { "rounds", FL_CONF_INT, "20", 1, 1000000000, NULL, "rounds of the run" },
    { "round.expect_devices", FL_CONF_INT, "0", 0, 1000000, NULL,
      "devices to wait for before a round begins; 0 waits for none" },
    { "round.wait", FL_CONF_DURATION, "10m", 100, 86400000, NULL,
      "longest wait for children before each round" },
    { "model.layers", FL_CONF_TEXT, "784-128-10", 0, 0, NULL,
      "layer sizes of the network; not used with model.elements" },
    { "model.elements", FL_CONF_INT, "0", 0, 4294967296.0, NULL,
      "length of a plain vector instead of a network, for load tests" },
    { "model.seed", FL_CONF_INT, "1", 0, 0, NULL, "seed of the first parameters" },
    { "plan.clip", FL_CONF_REAL, "1", 0.000001, 1000000, NULL,
      "largest change of one parameter in one update; larger ones are cut to it" },
    { "plan.bits", FL_CONF_INT, "16", 2, 24, NULL, "bits of a number, with its sign" },
    { "plan.pin", FL_CONF_BOOL, "false", 0, 0, NULL,
      "make masked updates from train.seed alone: for tests that compare models byte by byte" },
    { "plan.weight_unit", FL_CONF_INT, "64", 1, 1000000000, NULL,
      "samples that count as one unit of weight" },
    { "plan.weight_max", FL_CONF_INT, "255", 1, 1000000, NULL, "largest weight of a device" },
    { "plan.devices_max", FL_CONF_INT, "256", 1, 1000000, NULL,
      "most devices of a round; sums are proved not to overflow for so many" },
    { "masking", FL_CONF_CHOICE, "malicious", 0, 0, FL_SETTINGS_MASKING,
      "secure aggregation: what parents are trusted with; unmasked must be set on every node" },
    { "masking.block_max", FL_CONF_INT, "64", 3, FL_MEMBERS_MAX, NULL,
      "most participants of one block" },
    { "masking.members_min", FL_CONF_INT, "3", 3, FL_MEMBERS_MAX, NULL,
      "fewest participants of a block at an edge" },
    { "masking.survivors_min", FL_CONF_INT, "3", 3, FL_MEMBERS_MAX, NULL,
      "fewest survivors whose sum an edge opens" },
    { "masking.members_min_edges", FL_CONF_INT, "3", 3, FL_MEMBERS_MAX, NULL,
      "fewest participants of a block at the root" },
    { "masking.survivors_min_edges", FL_CONF_INT, "3", 3, FL_MEMBERS_MAX, NULL,
      "fewest survivors whose sum the root opens" },
    { "masking.step", FL_CONF_DURATION, "2s", 1, 3600000, NULL,
      "time for each of the three steps that open a sum, on every tier" },
    { "train.epochs", FL_CONF_INT, "1", 1, 10000, NULL, "passes over a device's samples" },
    { "train.batch", FL_CONF_INT, "32", 1, 4096, NULL, "samples per training step" },
    { "train.rate", FL_CONF_REAL, "0.1", 0, 1000, NULL, "learning rate" },
    { "train.momentum", FL_CONF_REAL, "0", 0, 1, NULL, "momentum of SGD on the device" },
    { "train.decay", FL_CONF_REAL, "0", 0, 1, NULL, "weight decay" },
    { "train.proximal", FL_CONF_REAL, "0", 0, 1000, NULL, "weight of the FedProx term; 0 is off" },
    { "train.seed", FL_CONF_INT, "1", 0, 0, NULL, "seed of shuffling and rounding" },
    { "late.policy", FL_CONF_CHOICE, "carry", 0, 0, "drop|carry",
      "what a device does with a late update; a masked one is always dropped" },
    { "late.staleness_max", FL_CONF_INT, "3", 0, 63, NULL,
      "largest staleness of an update that is accepted, in rounds" },
    { "server.optimizer", FL_CONF_CHOICE, "fedavgm", 0, 0, "fedavg|fedavgm",
      "how the next model is made from the mean of the updates" },
    { "server.rate", FL_CONF_REAL, "1", 0.000001, 1000, NULL, "server learning rate" },
    { "server.momentum", FL_CONF_REAL, "0.5", 0, 0.9999, NULL, "momentum of fedavgm" },
    { "test.inputs", FL_CONF_TEXT, "", 0, 0, NULL,
      "IDX file of a test set; without one no accuracy is reported" },
    { "test.labels", FL_CONF_TEXT, "", 0, 0, NULL, "IDX file of its labels" },
    { "checkpoints", FL_CONF_INT, "3", 2, 256, NULL, "number of models kept on disk" },
};

static fl_element
s_fixed(const fl_conf *conf)
{
    return (fl_element){ .clip = (float)fl_conf_real(conf, "plan.clip"),
                       .bits = (uint8_t)fl_conf_int(conf, "plan.bits"),
                       .weight_unit = (uint32_t)fl_conf_int(conf, "plan.weight_unit"),
                       .weight_max = (uint32_t)fl_conf_int(conf, "plan.weight_max"),
                       .devices_max = (uint32_t)fl_conf_int(conf, "plan.devices_max") };
}

//  Settings under which every masked round would be aborted are no settings.
static fl_status
s_check_masking(const fl_conf *conf, fl_why *why)
{
    static const char *const floors[] = { "masking.members_min", "masking.survivors_min",
                                          "masking.members_min_edges",
                                          "masking.survivors_min_edges" };
    const int64_t block = fl_conf_int(conf, "masking.block_max");
    const int64_t edges = fl_conf_int(conf, "masking.members_min_edges");
    const int64_t expect = fl_conf_int(conf, "round.expect");
    for (size_t i = 0; i < sizeof floors / sizeof *floors; i++) {
        if (fl_conf_int(conf, floors[i]) > block) {
            return fl_fail(FL_RANGE, why,
                           "%s is above masking.block_max (%lld), so no block can reach it: "
                           "lower it, or allow larger blocks",
                           floors[i], (long long)block);
        }
    }
    if (fl_conf_int(conf, "seats") < edges || (expect > 0 && expect < edges)) {
        return fl_fail(
            FL_RANGE, why,
            "%s is below masking.members_min_edges (%lld), and secure aggregation "
            "needs so many: have more, or set masking to unmasked here, on the edges and "
            "on the devices",
            expect > 0 && expect < edges ? "round.expect" : "seats", (long long)edges);
    }
    const fl_timing timing = fl_settings_timing(conf);
    const int64_t opening = STEPS * fl_conf_ms(conf, "masking.step");
    if (opening + timing.hop_ms + timing.finish_ms >= fl_conf_ms(conf, "round.time_max")) {
        return fl_fail(FL_RANGE, why,
                       "%d times masking.step and the margins take all of round.time_max, so that "
                       "no child has time: raise round.time_max, or lower masking.step",
                       STEPS);
    }
    return FL_OK;
}

//  The sums are proved not to overflow before anything starts.
static fl_status
s_check(const fl_conf *conf, fl_why *why)
{
    fl_element fixed = s_fixed(conf);
    fl_shape shape;
    FL_TRY(fl_settings_check(conf, why));
    FL_TRY(fl_element_choose(&fixed, why));
    if (fl_conf_int(conf, "model.elements") == 0) {
        FL_TRY(fl_shape_parse(fl_conf_text(conf, "model.layers"), &shape, why));
    }
    if (fl_conf_choice(conf, "masking") != FL_MASKING_NONE) {
        FL_TRY(s_check_masking(conf, why));
    }
    if (fl_conf_int(conf, "plan.devices_max") < fl_conf_int(conf, "round.expect_devices")) {
        return fl_fail(FL_RANGE, why,
                       "plan.devices_max is below round.expect_devices: raise it, or the sums of "
                       "all devices could overflow");
    }
    bool inputs = fl_conf_text(conf, "test.inputs")[0] != '\0';
    bool labels = fl_conf_text(conf, "test.labels")[0] != '\0';
    if (inputs != labels) {
        return fl_fail(FL_MISMATCH, why,
                       "test.inputs and test.labels go together: give both or neither");
    }
    fl_optimizer_conf optimizer = fl_root_settings_optimizer(conf);
    return fl_optimizer_check(&optimizer, why);
}

const fl_program fl_root_program = {
    .name = "fl-root",
    .purpose = "The root: opens rounds, adds up what its children send, keeps the model.",
    .settings = rows,
    .setting_count = sizeof rows / sizeof rows[0],
    .exits = fl_launch_exits,
    .check = s_check,
};

//  An unmasked plan says nothing of blocks.
static void
s_plan_masking(const fl_conf *conf, fl_plan *plan)
{
    plan->masking = (uint8_t)fl_conf_choice(conf, "masking");
    if (plan->masking == FL_MASKING_NONE) {
        return;
    }
    plan->block_max = (uint8_t)fl_conf_int(conf, "masking.block_max");
    plan->members_min[0] = (uint8_t)fl_conf_int(conf, "masking.members_min");
    plan->members_min[1] = (uint8_t)fl_conf_int(conf, "masking.members_min_edges");
    plan->survivors_min[0] = (uint8_t)fl_conf_int(conf, "masking.survivors_min");
    plan->survivors_min[1] = (uint8_t)fl_conf_int(conf, "masking.survivors_min_edges");
    plan->step_ms = (uint32_t)fl_conf_ms(conf, "masking.step");
    FL_ASSERT(fl_secagg_plan_holds(plan, 1)); // fl_element_choose has seen to it
}

//  Every setting below `train.` is the trainer's, but the seed, which the dither has too.
static fl_recipe
s_recipe(const fl_conf *conf)
{
    static const char below[] = "train.";
    fl_recipe recipe = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = rows[i].key + sizeof below - 1;
        if (strncmp(rows[i].key, below, sizeof below - 1) == 0 && strcmp(name, "seed") != 0) {
            double number = rows[i].type == FL_CONF_INT ? (double)fl_conf_int(conf, rows[i].key)
                                                        : fl_conf_real(conf, rows[i].key);
            fl_recipe_put(&recipe, name, (float)number); // as wide as it travels
        }
    }
    return recipe;
}

static fl_plan
s_plan(const fl_conf *conf)
{
    fl_element fixed = s_fixed(conf);
    fl_status status = fl_element_choose(&fixed, NULL);
    FL_ASSERT(status == FL_OK); // s_check has seen to it
    fl_plan plan = {
        .clip = fixed.clip,
        .bits = fixed.bits,
        .weight_unit = fixed.weight_unit,
        .weight_max = fixed.weight_max,
        .devices_max = fixed.devices_max,
        .recipe = s_recipe(conf),
        .pin = fl_conf_bool(conf, "plan.pin"),
        .seed = (uint64_t)fl_conf_int(conf, "train.seed"),
        .late = (uint8_t)fl_conf_choice(conf, "late.policy"),
        .staleness_max = (uint32_t)fl_conf_int(conf, "late.staleness_max"),
    };
    s_plan_masking(conf, &plan);
    return plan;
}

//  Fewer are no block, whoever else is there: a round for them would last its whole window for
//  nothing.
static void
s_wait_for_block(fl_root_conf *root)
{
    const uint32_t members = root->plan.members_min[1], survivors = root->plan.survivors_min[1];
    if (root->aggregator.expect == 0) {
        root->aggregator.expect = members;
    }
    if (root->aggregator.window.count_min < survivors) {
        root->aggregator.window.count_min = survivors;
    }
}

fl_root_conf
fl_root_settings(const fl_conf *conf)
{
    fl_root_conf root = { .aggregator = fl_settings_aggregator(conf),
                          .plan = s_plan(conf),
                          .rounds = (uint64_t)fl_conf_int(conf, "rounds"),
                          .expect_leaves = (uint32_t)fl_conf_int(conf, "round.expect_devices"),
                          .start_wait_ms = (uint32_t)fl_conf_ms(conf, "round.wait") };
    if (root.plan.masking != FL_MASKING_NONE) {
        s_wait_for_block(&root);
    }
    root.aggregator.child_roles[0] = FL_ROLE_EDGE;
    root.aggregator.child_roles[1] = FL_ROLE_DEVICE;
    return root;
}

fl_optimizer_conf
fl_root_settings_optimizer(const fl_conf *conf)
{
    fl_optimizer_conf optimizer = {
        .kind = (fl_optimizer_kind)fl_conf_choice(conf, "server.optimizer"),
        .rate = (float)fl_conf_real(conf, "server.rate"),
        .momentum = (float)fl_conf_real(conf, "server.momentum"),
    };
    if (optimizer.kind == FL_OPTIMIZER_FEDAVG) {
        optimizer.momentum = 0.0f;
    }
    return optimizer;
}

fl_status
fl_root_settings_model(const fl_conf *conf, fl_blob **model, fl_why *why)
{
    uint64_t elements = (uint64_t)fl_conf_int(conf, "model.elements");
    if (elements > 0) {
        return fl_start_vector(elements, model, why);
    }
    fl_shape shape;
    FL_TRY(fl_shape_parse(fl_conf_text(conf, "model.layers"), &shape, why));
    return fl_start_network(&shape, (uint64_t)fl_conf_int(conf, "model.seed"), model, why);
}

fl_status
fl_root_settings_same(const fl_conf *conf, const fl_safetensors *file, fl_why *why)
{
    uint64_t elements = (uint64_t)fl_conf_int(conf, "model.elements");
    fl_shape shape;
    if (elements == 0) {
        FL_TRY(fl_shape_parse(fl_conf_text(conf, "model.layers"), &shape, why));
        return fl_shape_check(&shape, file, why);
    }
    if (file->count != 1 || file->elements != elements) {
        return fl_fail(FL_MISMATCH, why,
                       "model has %u tensors of %llu elements in all, model.elements is %llu",
                       file->count, (unsigned long long)file->elements,
                       (unsigned long long)elements);
    }
    return FL_OK;
}
