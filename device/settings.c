#include "device/settings.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/config/start.h"
#include "common/data/partition.h"
#include "common/identity/state_dir.h"
#include "common/runtime/data_check.h"
#include "common/runtime/launch.h"
#include "common/runtime/settings.h"
#include "device/trainer_builtin.h"
#include "device/trainer_synthetic.h"

static const fl_setting rows[] = {
    { "state", FL_CONF_TEXT, "", 0, 0, NULL,
      "directory of this process's keys and operator socket" },
    { "slots", FL_CONF_TEXT, "", 0, 0, NULL,
      "instead of state: directory of device slots; the lowest free one is claimed" },
    FL_SETTINGS_PROCESS,
    FL_SETTINGS_PARTICIPANT("malicious"),
    { "trainer", FL_CONF_CHOICE, "builtin", 0, 0, "builtin|synthetic", "how this device trains" },
    { "model.layers", FL_CONF_TEXT, "", 0, 0, NULL,
      "layer sizes of the only network that this device trains; without: of any that fits its "
      "samples" },
    { "data.inputs", FL_CONF_TEXT, "", 0, 0, NULL, "IDX file of the samples, plain or gzip" },
    { "data.labels", FL_CONF_TEXT, "", 0, 0, NULL, "IDX file of their labels" },
    { "data.name", FL_CONF_TEXT, "default", 0, 0, NULL,
      "what these samples are called: a run may ask for them by this name" },
    { "data.shards", FL_CONF_INT, "1", 1, FL_SHARDS_MAX, NULL,
      "number of shards that the samples are split into" },
    { "data.shard", FL_CONF_INT, "0", 0, FL_SHARDS_MAX - 1, NULL,
      "the shard of this device, from 0" },
    { "data.alpha", FL_CONF_REAL, "0", 0, 1000000, NULL,
      "label skew of the shards, Dirichlet(alpha); 0 splits evenly" },
    { "data.minimum", FL_CONF_INT, "64", 0, 1000000000, NULL,
      "fewest samples of a shard, when the samples are split into several" },
    { "data.seed", FL_CONF_INT, "1", 0, 0, NULL,
      "seed of the split into shards: the same on every device" },
    { "delay", FL_CONF_DURATION, "0ms", 0, 86400000, NULL,
      "time to wait before training, to show a slow device" },
    { "synthetic.elements", FL_CONF_INT, "0", 0, 4294967296.0, NULL,
      "length of the only models that the synthetic trainer takes; 0: of any" },
    { "synthetic.samples", FL_CONF_INT, "64", 0, 1000000000, NULL,
      "number of samples that the synthetic trainer reports" },
    { "synthetic.seed", FL_CONF_INT, "1", 0, 0, NULL, "seed of the synthetic trainer's updates" },
    { "trainers", FL_CONF_TEXT, "", 0, 0, NULL,
      "directory with a file NAME.yaml for each command that trains here, for runs that ask for "
      "it; without data.inputs it trains for no other run" },
    { "site", FL_CONF_TEXT, "", 0, 0, NULL,
      "file in which the owner of this site says what is allowed here; without: everything" },
    { "masking.draws_max", FL_CONF_INT, "1", 0, 3, NULL,
      "when sums were lost: so many more updates of a model, each of another half of the samples" },
};

static fl_status
s_check_home(const fl_conf *conf, fl_why *why)
{
    bool state = fl_conf_text(conf, "state")[0] != '\0';
    bool slots = fl_conf_text(conf, "slots")[0] != '\0';
    if (state == slots) {
        return fl_fail(FL_MISSING, why,
                       "set state (the directory of this device) or slots (a directory of many)%s",
                       state ? ", not both" : "");
    }
    return FL_OK;
}

//  Without layers: whatever the model's are.
static fl_status
s_shape(const fl_conf *conf, fl_shape *shape, fl_why *why)
{
    const char *layers = fl_conf_text(conf, "model.layers");
    *shape = (fl_shape){ .layers = 0 };
    return layers[0] == '\0' ? FL_OK : fl_shape_parse(layers, shape, why);
}

fl_offerings
fl_device_offers(const fl_conf *conf)
{
    fl_offerings offers = { .count = 0 };
    bool named = fl_name_parse(fl_conf_text(conf, "trainer"), &offers.of[0].trainer) &&
                 fl_name_parse(fl_conf_text(conf, "data.name"), &offers.of[0].data);
    offers.count = named ? 1 : 0;
    return offers;
}

//  It trains with its owner's commands only.
static bool
s_bare(const fl_conf *conf)
{
    return fl_conf_text(conf, "trainers")[0] != '\0' && !fl_conf_given(conf, "trainer") &&
           fl_conf_text(conf, "data.inputs")[0] == '\0';
}

static fl_status
s_check(const fl_conf *conf, fl_why *why)
{
    FL_TRY(s_check_home(conf, why));
    FL_TRY(fl_settings_check_parent(conf, why));
    if (fl_device_offers(conf).count == 0) {
        return fl_fail(FL_RANGE, why, "data.name: 1 to 15 characters of a-z 0-9 . -");
    }
    if (fl_conf_choice(conf, "trainer") != 0 || s_bare(conf)) {
        return FL_OK;
    }
    fl_shape shape;
    FL_TRY(s_shape(conf, &shape, why));
    if (fl_conf_int(conf, "data.shard") >= fl_conf_int(conf, "data.shards")) {
        return fl_fail(FL_RANGE, why, "data.shard counts from 0 and must be below data.shards");
    }
    if (fl_conf_text(conf, "data.inputs")[0] == '\0' ||
        fl_conf_text(conf, "data.labels")[0] == '\0') {
        return fl_fail(FL_MISSING, why,
                       "data.inputs and data.labels must name IDX files for the builtin trainer");
    }
    return fl_data_check(fl_conf_text(conf, "data.inputs"), fl_conf_text(conf, "data.labels"),
                         &shape, why);
}

const fl_program fl_device_program = {
    .name = "fl-device",
    .purpose = "A device: trains on its own samples, sends only what it learnt.",
    .settings = rows,
    .setting_count = sizeof rows / sizeof rows[0],
    .exits = fl_launch_exits,
    .check = s_check,
};

//  Load this device's shard only.
static fl_status
s_load(const fl_conf *conf, const fl_lease *ours, fl_dataset *data, fl_why *why)
{
    const char *labels_path = fl_conf_text(conf, "data.labels");
    const fl_partition_conf partition_conf = {
        .shards = ours->shards,
        .alpha = fl_conf_real(conf, "data.alpha"),
        .minimum = ours->shards > 1 ? (uint32_t)fl_conf_int(conf, "data.minimum") : 1,
        .seed = (uint64_t)fl_conf_int(conf, "data.seed"),
    };
    uint8_t *labels = NULL;
    uint32_t samples = 0;
    fl_partition partition = { 0 };
    fl_status status = fl_idx_labels(labels_path, &labels, &samples, why);
    if (status == FL_OK &&
        (status = fl_partition_make(&partition_conf, labels, samples, &partition, why)) != FL_OK) {
        const fl_why said = *why;
        status = fl_fail(status, why, "%.300s (data.shards, data.alpha, data.minimum)", said.text);
    }
    if (status == FL_OK) {
        uint32_t count = 0;
        const uint32_t *chosen = fl_partition_shard(&partition, ours->shard, &count);
        status = fl_dataset_load(fl_conf_text(conf, "data.inputs"), labels_path, chosen, count,
                                 data, why);
    }
    fl_partition_release(&partition);
    free(labels);
    return status;
}

static fl_status
s_builtin(const fl_conf *conf, const fl_site *site, const fl_lease *ours, fl_dataset *data,
          fl_trainer *trainer, fl_why *why)
{
    fl_trainer_builtin_conf builtin = { .shard = ours->shard,
                                        .delay_ms = (uint32_t)fl_conf_ms(conf, "delay") };
    if (site != NULL) {
        builtin.mute = !fl_conf_bool(fl_site_conf(site), "scores");
        builtin.steps_max = (uint64_t)fl_conf_int(fl_site_conf(site), "steps_max");
        builtin.time_max_ms = (uint32_t)fl_conf_ms(fl_site_conf(site), "time_max");
    }
    FL_TRY(s_shape(conf, &builtin.shape, why));
    fl_start_step("reading the samples", FL_START_LONG_S);
    FL_TRY(s_load(conf, ours, data, why));
    fl_start_step("opening OpenBLAS", FL_START_SHORT_S);
    fl_why note = { "" };
    fl_status status = fl_gemm_choose((unsigned)fl_conf_int(conf, "threads"), &builtin.gemm, &note);
    if (status != FL_OK) {
        *why = note;
        return status;
    }
    if (note.text[0] != '\0') {
        fl_log(FL_LOG_WARN, "blas", fl_log_text("why", note.text));
    }
    builtin.samples = (fl_samples){ .inputs = data->inputs, .labels = data->labels,
                                    .count = data->samples, .features = data->features };
    return fl_trainer_builtin_new(&builtin, trainer, why);
}

fl_status
fl_device_shard(const fl_conf *conf, const char *state, fl_lease *ours, fl_why *why)
{
    bool given = fl_conf_given(conf, "data.shards") || fl_conf_given(conf, "data.shard");
    bool slotted = fl_conf_text(conf, "slots")[0] != '\0';
    fl_status status = given ? FL_MISSING : fl_state_dir_lease_load(state, ours, why);
    if (status != FL_MISSING) {
        return status;
    }
    if (slotted && !given && fl_conf_choice(conf, "trainer") == 0 && !s_bare(conf)) {
        return fl_fail(FL_MISSING, why,
                       "the root has leased no data shard to %s: set shards at the root before "
                       "this device enrols, or data.shards and data.shard here",
                       state);
    }
    *ours = (fl_lease){ .shard = (uint32_t)fl_conf_int(conf, "data.shard"),
                        .shards = (uint32_t)fl_conf_int(conf, "data.shards") };
    return FL_OK;
}

fl_status
fl_device_trainer(const fl_conf *conf, const fl_site *site, const fl_lease *ours, fl_dataset *data,
                  fl_trainer *trainer, fl_why *why)
{
    *trainer = (fl_trainer){ .self = NULL };
    if (s_bare(conf)) {
        return FL_OK;
    }
    if (fl_conf_choice(conf, "trainer") == 0) {
        return s_builtin(conf, site, ours, data, trainer, why);
    }
    const fl_trainer_synthetic_conf synthetic = {
        .elements = (uint64_t)fl_conf_int(conf, "synthetic.elements"),
        .samples = (uint64_t)fl_conf_int(conf, "synthetic.samples"),
        .delay_ms = (uint32_t)fl_conf_ms(conf, "delay"),
        .seed = (uint64_t)fl_conf_int(conf, "synthetic.seed"),
    };
    return fl_trainer_synthetic_new(&synthetic, trainer, why);
}
