#include "cloud/run_settings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/model/start.h"
#include "common/runtime/data_check.h"
#include "common/runtime/settings.h"
#include "common/store/ledger.h"
#include "common/tensor/element.h"

enum { STEPS = 3 }; // that open a sum: acknowledge, unmask, add up

static const fl_setting rows[] = {
    { "name", FL_CONF_TEXT, "", 0, 0, NULL,
      "name of the run: 1 to 31 of a-z, 0-9, dot and dash; none takes the file's name" },
    { "rounds", FL_CONF_INT, "20", 1, 1000000000, NULL, "rounds of the run" },
    FL_SETTINGS_WINDOW,
    { "round.on", FL_CONF_TEXT, "", 0, 0, NULL,
      "names of the root's children that take part, up to 16, with commas; none is all" },
    { "round.expect_devices", FL_CONF_INT, "0", 0, 1000000, NULL,
      "devices to wait for before a round begins; 0 waits for none" },
    { "round.wait", FL_CONF_DURATION, "10m", 100, 86400000, NULL,
      "longest wait for all expected children before each round" },
    { "round.patience", FL_CONF_DURATION, "0ms", 0, 31536000000, NULL,
      "how long a run waits for its quorum before it is aborted; 0 is for ever. It may be shorter "
      "than round.wait, and begins anew with each turn of the run" },
    { "model.layers", FL_CONF_TEXT, "784-128-10", 0, 0, NULL,
      "layer sizes of the network; not used with model.elements" },
    { "model.elements", FL_CONF_INT, "0", 0, 4294967296.0, NULL,
      "length of a plain vector instead of a network, for load tests" },
    { "model.seed", FL_CONF_INT, "1", 0, 0, NULL, "seed of the first parameters" },
    { "model.initial", FL_CONF_TEXT, "", 0, 0, NULL,
      "file of the first parameters instead, safetensors or npz, such as an exported model" },
    { "plan.clip", FL_CONF_REAL, "1", 0.000001, 1000000, NULL,
      "largest change of one parameter in one update; larger ones are cut to it" },
    { "plan.bits", FL_CONF_INT, "16", 2, 24, NULL, "bits of a number, with its sign" },
    { "plan.pin", FL_CONF_BOOL, "false", 0, 0, NULL,
      "make masked updates from train.seed alone: for tests that compare models byte by byte" },
    { "plan.weighting", FL_CONF_CHOICE, "equal", 0, 0, "equal|classes|samples",
      "how much a device counts in the mean: each the same, by a public class of its number of "
      "samples, or by that number, which is right only where devices are trusted" },
    { "plan.weight_unit", FL_CONF_INT, "64", 1, 1000000000, NULL,
      "samples that count as one unit of weight; not for equal" },
    { "plan.weight_max", FL_CONF_INT, "0", 0, 1000000, NULL,
      "largest weight of a device; 0 is the largest that plan.devices_max leaves room for; not for "
      "equal" },
    { "plan.devices_max", FL_CONF_INT, "256", 1, 1000000, NULL,
      "most devices of a round; sums are proved not to overflow for so many" },
    { "masking", FL_CONF_CHOICE, "malicious", 0, 0, FL_SETTINGS_MASKING,
      "secure aggregation of updates: what the parent of a device is trusted with; for unmasked, "
      "each device must say so too" },
    { "masking.edges", FL_CONF_CHOICE, "same", 0, 0, "same|" FL_SETTINGS_MASKING,
      "secure aggregation of what edges send, each the sum of its devices" },
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
    { "train.trainer", FL_CONF_TEXT, "", 0, 0, NULL,
      "that devices must offer; none is any. That of a command of their owners takes the model of "
      "model.initial, whatever it is" },
    { "train.data", FL_CONF_TEXT, "", 0, 0, NULL, "data.name of the devices; none is any" },
    { "train.epochs", FL_CONF_INT, "1", 1, 10000, NULL, "passes over a device's samples" },
    { "train.batch", FL_CONF_INT, "32", 1, 4096, NULL, "samples per training step" },
    { "train.rate", FL_CONF_REAL, "0.1", 0, FL_SCHEDULE_RATE_MAX, NULL,
      "learning rate, the same in every round" },
    { "train.rate.step", FL_CONF_NUMBERS, "", 0, 0, NULL,
      "instead: the first rate, a factor, and after how many rounds it is applied again" },
    { "train.rate.cosine", FL_CONF_NUMBERS, "", 0, 0, NULL,
      "instead: the rates of the first and the last round, half a cosine between them" },
    { "train.rate.warmup", FL_CONF_INT, "0", 0, 1000000000, NULL,
      "rounds in front of these in which the rate climbs to the first one" },
    { "train.momentum", FL_CONF_REAL, "0", 0, 1, NULL, "momentum of SGD on the device" },
    { "train.decay", FL_CONF_REAL, "0", 0, 1, NULL, "weight decay" },
    { "train.proximal", FL_CONF_REAL, "0", 0, 1000, NULL, "weight of the FedProx term; 0 is off" },
    { "train.seed", FL_CONF_INT, "1", 0, 0, NULL, "seed of shuffling and rounding" },
    { "late.policy", FL_CONF_CHOICE, "carry", 0, 0, "drop|carry",
      "what a device does with a late update; a masked one is always dropped" },
    { "late.staleness_max", FL_CONF_INT, "3", 0, 63, NULL,
      "largest staleness of an update that is accepted, in rounds" },
    { "server.optimizer", FL_CONF_CHOICE, "fedavgm", 0, 0, "fedavg|fedavgm|fedadam",
      "how the next model is made from the mean of the updates" },
    { "server.rate", FL_CONF_REAL, "1", 0.000001, 1000, NULL, "server learning rate" },
    { "server.momentum", FL_CONF_REAL, "0.5", 0, 0.9999, NULL, "momentum of fedavgm and fedadam" },
    { "evaluate.every", FL_CONF_INT, "1", 1, 1000000000, NULL,
      "rounds from one score of the model to the next; that of the last round is scored too" },
    { "evaluate.on", FL_CONF_CHOICE, "both", 0, 0, "both|root|devices",
      "whose samples score it: the root's test set, what devices train on, or both" },
    { "stop.metric", FL_CONF_CHOICE, "test.accuracy", 0, 0, "test.accuracy|test.loss",
      "by which score a model is the best" },
    { "stop.at", FL_CONF_REAL, "0", 0, 1000000000, NULL,
      "end the run when the best score reaches this; 0 is never" },
    { "stop.patience", FL_CONF_INT, "0", 0, 1000000000, NULL,
      "end the run after so many scores without a better one; 0 is never" },
    { "keep", FL_CONF_TEXT, "best", 0, 0, NULL,
      "which models stay beside the newest: best, or every N (rounds) and the best" },
    { "train.config", FL_CONF_TEXT, "", 0, 0, NULL,
      "more numbers for that trainer, up to 9: NAME=NUMBER, with commas; names of a-z and _" },
    { "masking.batch", FL_CONF_INT, "0", 0, FL_BATCH_NAMES_MAX, NULL,
      "so many names of a pool, 2 to 8, are summed up together or not at all; 0: each alone" },
    { "server.second", FL_CONF_REAL, "0.99", 0, 0.999999, NULL,
      "of fedadam: the momentum of squares" },
    { "server.tau", FL_CONF_REAL, "0.001", 1e-12, 1000, NULL,
      "of fedadam: how little it adapts; added to the root of a square" },
};

static fl_masking
s_masking_edges(const fl_conf *conf)
{
    const int64_t said = fl_conf_choice(conf, "masking.edges"); // 0: same
    return (fl_masking)(said == 0 ? fl_conf_choice(conf, "masking") : said - 1);
}

static bool
s_masks(const fl_conf *conf)
{
    return fl_conf_choice(conf, "masking") != FL_MASKING_NONE ||
           s_masking_edges(conf) != FL_MASKING_NONE;
}

static fl_weighting
s_weighting(const fl_conf *conf)
{
    static const fl_weighting said[] = { FL_WEIGHTING_EQUAL, FL_WEIGHTING_CLASSES,
                                         FL_WEIGHTING_SAMPLES };
    return said[fl_conf_choice(conf, "plan.weighting")];
}

static fl_element
s_fixed(const fl_conf *conf)
{
    const bool equal = s_weighting(conf) == FL_WEIGHTING_EQUAL;
    return (fl_element){ .clip = (float)fl_conf_real(conf, "plan.clip"),
                         .bits = (uint8_t)fl_conf_int(conf, "plan.bits"),
                         .weight_unit = (uint32_t)fl_conf_int(conf, "plan.weight_unit"),
                         .weight_max = equal ? 1 : (uint32_t)fl_conf_int(conf, "plan.weight_max"),
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
    const int64_t batch = fl_conf_int(conf, "masking.batch");
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
    if (batch == 1 || 4 * batch > block) {
        return fl_fail(FL_RANGE, why,
                       "masking.batch is %lld: it is 0 or 2 to 8, and at most a quarter of "
                       "masking.block_max (%lld)",
                       (long long)batch, (long long)block);
    }
    if (expect > 0 && expect < edges && s_masking_edges(conf) != FL_MASKING_NONE) {
        return fl_fail(FL_RANGE, why,
                       "round.expect is below masking.members_min_edges (%lld), and secure "
                       "aggregation of edges needs so many: have more, or set masking.edges to "
                       "unmasked, so that the root reads the sum of each edge",
                       (long long)edges);
    }
    return FL_OK;
}

//  What train.rate says, whichever way; `why` when it says nothing or too much.
static fl_status
s_rate(const fl_conf *conf, fl_schedule *rate, fl_why *why)
{
    double step[FL_CONF_NUMBERS_MAX], cosine[FL_CONF_NUMBERS_MAX];
    const uint32_t steps = fl_conf_numbers(conf, "train.rate.step", step);
    const uint32_t cosines = fl_conf_numbers(conf, "train.rate.cosine", cosine);
    *rate = (fl_schedule){ .kind = FL_SCHEDULE_CONSTANT,
                           .first = fl_conf_real(conf, "train.rate"),
                           .warmup = (uint64_t)fl_conf_int(conf, "train.rate.warmup") };
    if ((steps > 0) + (cosines > 0) + fl_conf_given(conf, "train.rate") > 1) {
        return fl_fail(FL_MISMATCH, why,
                       "train.rate, train.rate.step and train.rate.cosine: give one of them");
    }
    if ((steps != 0 && steps != 3) || (cosines != 0 && cosines != 2)) {
        return fl_fail(FL_RANGE, why,
                       "train.rate.step takes 3 numbers: the first rate, a factor, rounds; "
                       "train.rate.cosine takes 2: the first and the last rate");
    }
    if (steps > 0) {
        rate->kind = FL_SCHEDULE_STEP;
        rate->first = step[0];
        rate->factor = step[1];
        rate->every =
            step[2] >= 1 && step[2] <= 1e9 && floor(step[2]) == step[2] ? (uint64_t)step[2] : 0;
    } else if (cosines > 0) {
        rate->kind = FL_SCHEDULE_COSINE;
        rate->first = cosine[0];
        rate->last = cosine[1];
    }
    return fl_schedule_check(rate, (uint64_t)fl_conf_int(conf, "rounds"), why);
}

//  "best", "every 5". `*every`: 0 for the best alone.
static bool
s_keep(const char *text, uint64_t *every)
{
    char surplus;
    *every = 0;
    return strcmp(text, "best") == 0 ||
           (sscanf(text, "every %" SCNu64 "%c", every, &surplus) == 1 && *every > 0 &&
            *every <= 1000000000);
}

static fl_status
s_check_scores(const fl_conf *conf, fl_why *why)
{
    uint64_t every;
    const double at = fl_conf_real(conf, "stop.at");
    if (!s_keep(fl_conf_text(conf, "keep"), &every)) {
        return fl_fail(FL_MALFORMED, why,
                       "keep is '%.40s'; it must be best, or every N such as "
                       "every 10",
                       fl_conf_text(conf, "keep"));
    }
    if (at > 1 && fl_conf_choice(conf, "stop.metric") == FL_BEST_ACCURACY) {
        return fl_fail(FL_RANGE, why, "stop.at is %g, no accuracy is above 1", at);
    }
    return FL_OK;
}

//  "e1, e2". False: that is no list of different names.
static bool
s_on(const fl_conf *conf, fl_name on[FL_ON_MAX], uint32_t *count)
{
    const char *at = fl_conf_text(conf, "round.on");
    char word[FL_CONF_TEXT_MAX];
    bool fine = true;
    for (*count = 0; fine && *(at += strspn(at, ", ")) != '\0'; at += strcspn(at, ", ")) {
        (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(at, ", "), at);
        fine = *count < FL_ON_MAX && fl_name_parse(word, &on[*count]);
        for (uint32_t i = 0; fine && i < *count; i++) {
            fine = !fl_name_equal(&on[i], &on[*count]);
        }
        (*count)++;
    }
    return fine;
}

static fl_status
s_check_on(const fl_conf *conf, fl_why *why)
{
    fl_name on[FL_ON_MAX];
    uint32_t count;
    int64_t least = fl_conf_int(conf, "round.count_min");
    if (!s_on(conf, on, &count)) {
        return fl_fail(FL_MALFORMED, why, "round.on must be up to %d different names of nodes",
                       FL_ON_MAX);
    }
    if (s_masking_edges(conf) != FL_MASKING_NONE &&
        fl_conf_int(conf, "masking.members_min_edges") > least) {
        least = fl_conf_int(conf, "masking.members_min_edges");
    }
    return count == 0 || least <= count
               ? FL_OK
               : fl_fail(FL_RANGE, why, "round.on has %u names, and a round takes %lld children",
                         count, (long long)least);
}

//  Devices train it with a command of their owners; its shape is that of its file.
static bool
s_of_owners(const fl_conf *conf)
{
    return !fl_trainer_own(fl_conf_text(conf, "train.trainer"));
}

//  Every setting below `train.` is the trainer's, but the seed, which the dither has too, and what
//  the root makes a rate of.
static fl_recipe
s_recipe(const fl_conf *conf)
{
    static const char below[] = "train.";
    fl_recipe recipe = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = rows[i].key + sizeof below - 1;
        if (strncmp(rows[i].key, below, sizeof below - 1) == 0 && strcmp(name, "seed") != 0 &&
            strchr(name, '.') == NULL && rows[i].type != FL_CONF_TEXT) {
            double number = rows[i].type == FL_CONF_INT ? (double)fl_conf_int(conf, rows[i].key)
                                                        : fl_conf_real(conf, rows[i].key);
            fl_recipe_put(&recipe, name, (float)number); // as wide as it travels
        }
    }
    return recipe;
}

//  The numbers of train.config into the recipe, which has the others, and room for the one that the
//  root adds in each round. False: it is none such.
static bool
s_config(const fl_conf *conf, fl_recipe *recipe)
{
    char words[FL_CONF_TEXT_MAX], *rest = NULL;
    bool fine = true;
    (void)snprintf(words, sizeof words, "%s", fl_conf_text(conf, "train.config"));
    for (char *word = strtok_r(words, ", ", &rest); fine && word != NULL;
         word = strtok_r(NULL, ", ", &rest)) {
        char name[FL_RECIPE_NAME_BYTES], surplus;
        double number;
        fine = sscanf(word, "%15[a-z_]=%lf%c", name, &number, &surplus) == 2 && isfinite(number) &&
               isnan(fl_recipe_get(recipe, name, NAN)) && recipe->count + 1 < FL_RECIPE_MAX &&
               strcmp(name, "evaluate") != 0;
        if (fine) {
            fl_recipe_put(recipe, name, number);
        }
    }
    return fine;
}

static fl_status
s_check_trainer(const fl_conf *conf, fl_why *why)
{
    fl_recipe recipe = s_recipe(conf);
    if (!s_of_owners(conf)) {
        return fl_conf_text(conf, "train.config")[0] != '\0'
                   ? fl_fail(FL_MISMATCH, why,
                             "train.config is for a train.trainer of the owners of devices")
                   : FL_OK;
    }
    if (!s_config(conf, &recipe)) {
        return fl_fail(FL_MALFORMED, why,
                       "train.config is up to 9 of NAME=NUMBER with commas, and no name is one "
                       "of train.* or stands twice");
    }
    if (fl_conf_text(conf, "model.initial")[0] == '\0' || fl_conf_given(conf, "model.layers") ||
        fl_conf_given(conf, "model.elements")) {
        return fl_fail(FL_MISMATCH, why,
                       "the model of such a train.trainer is that of model.initial: give it, and "
                       "neither model.layers nor model.elements");
    }
    return FL_OK;
}

//  The sums are proved not to overflow before anything starts.
static fl_status
s_check(const fl_conf *conf, fl_why *why)
{
    fl_element fixed = s_fixed(conf);
    fl_shape shape;
    fl_schedule rate;
    fl_name name;
    if (!fl_conf_name(conf, "train.trainer", &name) || !fl_conf_name(conf, "train.data", &name)) {
        return fl_fail(FL_MALFORMED, why, "train.trainer, train.data: 1 to 15 of a-z 0-9 . -");
    }
    FL_TRY(s_rate(conf, &rate, why));
    FL_TRY(s_check_scores(conf, why));
    FL_TRY(s_check_on(conf, why));
    FL_TRY(s_check_trainer(conf, why));
    FL_TRY(fl_element_choose(&fixed, why));
    if (fl_conf_int(conf, "model.elements") == 0) {
        FL_TRY(fl_shape_parse(fl_conf_text(conf, "model.layers"), &shape, why));
    }
    if (s_masks(conf)) {
        FL_TRY(s_check_masking(conf, why));
    }
    if (fl_conf_int(conf, "plan.devices_max") < fl_conf_int(conf, "round.expect_devices")) {
        return fl_fail(FL_RANGE, why,
                       "plan.devices_max is below round.expect_devices: raise it, or the sums of "
                       "all devices could overflow");
    }
    fl_optimizer_conf optimizer = fl_run_settings_optimizer(conf);
    return fl_optimizer_check(&optimizer, why);
}

const fl_program fl_run_program = {
    .name = "fl-run",
    .purpose =
        "A run: which model is trained, how, for how many rounds, and what a round waits for.",
    .settings = rows,
    .setting_count = sizeof rows / sizeof rows[0],
    .check = s_check,
};

//  The test set of the root is one for this model, and is there when scores end the run. A plain
//  vector is not scored.
static fl_status
s_test_fits(const fl_conf *conf, const fl_conf *root, fl_why *why)
{
    const char *inputs = fl_conf_text(root, "test.inputs");
    fl_shape shape;
    if (inputs[0] == '\0' || s_of_owners(conf) || fl_conf_int(conf, "model.elements") > 0 ||
        fl_conf_choice(conf, "evaluate.on") == FL_EVALUATE_DEVICES) {
        return fl_conf_real(conf, "stop.at") > 0 || fl_conf_int(conf, "stop.patience") > 0
                   ? fl_fail(FL_MISMATCH, why,
                             "stop.at and stop.patience need scores at the root: a network, "
                             "test.inputs, and evaluate.on not devices")
                   : FL_OK;
    }
    FL_TRY(fl_shape_parse(fl_conf_text(conf, "model.layers"), &shape, why));
    return fl_data_check(inputs, fl_conf_text(root, "test.labels"), &shape, why);
}

//  The model, the next one, the optimizer's state and the sum, of 4 bytes or more each.
static fl_status
s_memory_fits(const fl_conf *conf, fl_why *why)
{
    const uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
    const uint64_t machine = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t wanted = 16 * (uint64_t)fl_conf_int(conf, "model.elements");
    return wanted <= machine
               ? FL_OK
               : fl_fail(FL_RANGE, why,
                         "a model of that many elements takes %llu MiB at the root, which has %llu",
                         (unsigned long long)(wanted >> 20), (unsigned long long)(machine >> 20));
}

fl_status
fl_run_settings_fit(const fl_conf *conf, const fl_conf *root, fl_why *why)
{
    const fl_timing timing = fl_settings_timing(root, conf);
    const int64_t opening = STEPS * fl_conf_ms(conf, "masking.step");
    FL_TRY(fl_settings_check(root, conf, why));
    FL_TRY(s_test_fits(conf, root, why));
    FL_TRY(s_memory_fits(conf, why));
    if (!s_masks(conf)) {
        return FL_OK;
    }
    if (s_masking_edges(conf) != FL_MASKING_NONE &&
        fl_conf_int(root, "seats") < fl_conf_int(conf, "masking.members_min_edges")) {
        return fl_fail(FL_RANGE, why,
                       "seats at the root is below masking.members_min_edges, and secure "
                       "aggregation needs so many: raise seats");
    }
    if (opening + timing.hop_ms + timing.finish_ms >= fl_conf_ms(conf, "round.time_max")) {
        return fl_fail(FL_RANGE, why,
                       "%d times masking.step and the margins take all of round.time_max, so that "
                       "no child has time: raise round.time_max, or lower masking.step",
                       STEPS);
    }
    return FL_OK;
}

//  An unmasked plan says nothing of blocks.
static void
s_plan_masking(const fl_conf *conf, fl_plan *plan)
{
    plan->masking[0] = (uint8_t)fl_conf_choice(conf, "masking");
    plan->masking[1] = (uint8_t)s_masking_edges(conf);
    if (!s_masks(conf)) {
        return;
    }
    plan->block_max = (uint8_t)fl_conf_int(conf, "masking.block_max");
    plan->members_min[0] = (uint8_t)fl_conf_int(conf, "masking.members_min");
    plan->members_min[1] = (uint8_t)fl_conf_int(conf, "masking.members_min_edges");
    plan->survivors_min[0] = (uint8_t)fl_conf_int(conf, "masking.survivors_min");
    plan->survivors_min[1] = (uint8_t)fl_conf_int(conf, "masking.survivors_min_edges");
    plan->step_ms = (uint32_t)fl_conf_ms(conf, "masking.step");
    plan->batch = (uint8_t)fl_conf_int(conf, "masking.batch");
    FL_ASSERT(fl_secagg_plan_holds(plan, 1)); // fl_element_choose has seen to it
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
        .weighting = (uint8_t)s_weighting(conf),
        .weight_unit = fixed.weight_unit,
        .weight_max = fixed.weight_max,
        .devices_max = fixed.devices_max,
        .recipe = s_recipe(conf),
        .pin = fl_conf_bool(conf, "plan.pin"),
        .seed = (uint64_t)fl_conf_int(conf, "train.seed"),
        .late = (uint8_t)fl_conf_choice(conf, "late.policy"),
        .staleness_max = (uint32_t)fl_conf_int(conf, "late.staleness_max"),
    };
    bool fine = s_config(conf, &plan.recipe);
    FL_ASSERT(fine); // s_check has seen to it
    s_plan_masking(conf, &plan);
    (void)fl_conf_name(conf, "train.trainer", &plan.trainer); // s_check has seen to it
    (void)fl_conf_name(conf, "train.data", &plan.data);
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
fl_run_settings_root(const fl_conf *conf, const fl_conf *root)
{
    fl_root_conf run = { .aggregator = fl_settings_aggregator(root, conf),
                         .plan = s_plan(conf),
                         .best = { .by = (fl_best_by)fl_conf_choice(conf, "stop.metric"),
                                   .target = fl_conf_real(conf, "stop.at"),
                                   .patience = (uint64_t)fl_conf_int(conf, "stop.patience") },
                         .rounds = (uint64_t)fl_conf_int(conf, "rounds"),
                         .evaluate_every = fl_conf_choice(conf, "evaluate.on") == FL_EVALUATE_ROOT
                                               ? 0
                                               : (uint64_t)fl_conf_int(conf, "evaluate.every"),
                         .expect_leaves = (uint32_t)fl_conf_int(conf, "round.expect_devices"),
                         .start_wait_ms = (uint32_t)fl_conf_ms(conf, "round.wait"),
                         .patience_ms = (uint64_t)fl_conf_ms(conf, "round.patience") };
    fl_status status = s_rate(conf, &run.rate, NULL);
    bool keeps = s_keep(fl_conf_text(conf, "keep"), &run.keep_every);
    bool named = s_on(conf, run.aggregator.on, &run.aggregator.on_count);
    FL_ASSERT(status == FL_OK && keeps && named); // s_check has seen to it
    if (run.plan.masking[1] != FL_MASKING_NONE) {
        s_wait_for_block(&run);
    }
    return run;
}

uint64_t
fl_run_settings_samples_max(const fl_conf *conf)
{
    fl_plan plan = s_plan(conf);
    return fl_policy_samples_max(&plan);
}

fl_optimizer_conf
fl_run_settings_optimizer(const fl_conf *conf)
{
    fl_optimizer_conf optimizer = {
        .kind = (fl_optimizer_kind)fl_conf_choice(conf, "server.optimizer"),
        .rate = (float)fl_conf_real(conf, "server.rate"),
        .momentum = (float)fl_conf_real(conf, "server.momentum"),
        .second = (float)fl_conf_real(conf, "server.second"),
        .tau = (float)fl_conf_real(conf, "server.tau"),
    };
    if (optimizer.kind == FL_OPTIMIZER_FEDAVG) {
        optimizer.momentum = 0.0f;
    }
    return optimizer;
}
