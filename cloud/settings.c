#include "cloud/settings.h"

#include "cloud/run_settings.h"
#include "common/data/partition.h"
#include "common/runtime/launch.h"
#include "common/runtime/settings.h"

static const fl_setting rows[] = {
    FL_SETTINGS_STATE,
    FL_SETTINGS_PROCESS,
    FL_SETTINGS_PARENT,
    { "node", FL_CONF_TEXT, "root", 0, 0, NULL, "name of this root" },
    { "authority", FL_CONF_TEXT, NULL, 0, 0, NULL,
      "directory of the authority's secret: the root issues certificates and signs orders" },
    { "certificates.life", FL_CONF_DURATION, "30d", 10e3, 3650 * 86400e3, NULL,
      "how long a certificate is valid; each node renews its own in the last third" },
    { "certificates.grace", FL_CONF_DURATION, "7d", 0, 3650 * 86400e3, NULL,
      "how long after its end a certificate may still be renewed: for a node that was off" },
    { "shards", FL_CONF_INT, "0", 0, FL_SHARDS_MAX, NULL,
      "shards of the data, of which each device is leased one when it enrols; 0 is none" },
    { "test.inputs", FL_CONF_TEXT, "", 0, 0, NULL,
      "IDX file of a test set; without one no accuracy is reported" },
    { "test.labels", FL_CONF_TEXT, "", 0, 0, NULL, "IDX file of its labels" },
    { "checkpoints", FL_CONF_INT, "3", 2, 256, NULL, "number of models kept on disk" },
    { "runs", FL_CONF_INT, "2", 1, 8, NULL, "most runs in hand; each holds its model in memory" },
    { "runs.memory", FL_CONF_SIZE, "4G", 1048576, 1099511627776, NULL,
      "bytes that open rounds of two runs may take together; for more the second one waits" },
    { "pools.online", FL_CONF_INT, "80", 1, 100, NULL,
      "percent of an edge's devices that are there in a round: the size of pools and the floor of "
      "blocks follow from it" },
    { "pools.floor", FL_CONF_INT, "0", 0, FL_MEMBERS_MAX, NULL,
      "fewest devices of a block; 0: by the size of its pool; 1 and 2 are 3. Of 4, 8, 12, 16, 32, "
      "48, 64 it takes 2, 3, 4, 5, 9, 13, 18 bad ones, and a bad edge, to read all updates" },
    { "run", FL_CONF_TEXT, "", 0, 0, NULL,
      "RUN.yaml of a run to submit at the start, if it was not yet; see fl-run(5)" },
};

static fl_status
s_check_run(const fl_conf *conf, fl_why *why)
{
    fl_run_recipe recipe;
    fl_conf *run = NULL;
    const char *path = fl_conf_text(conf, "run");
    FL_TRY(fl_run_recipe_read(path, NULL, 0, &recipe, why));
    fl_status status =
        fl_conf_of_text(&fl_run_program, path, fl_blob_bytes(recipe.text), NULL, 0, &run, why);
    fl_blob_unref(&recipe.text);
    FL_THEN(status, fl_run_settings_fit(run, conf, why));
    fl_conf_destroy(&run);
    return status;
}

static fl_status
s_check(const fl_conf *conf, fl_why *why)
{
    FL_TRY(fl_settings_check_listen(conf, why));
    bool inputs = fl_conf_text(conf, "test.inputs")[0] != '\0';
    bool labels = fl_conf_text(conf, "test.labels")[0] != '\0';
    if (inputs != labels) {
        return fl_fail(FL_MISMATCH, why,
                       "test.inputs and test.labels go together: give both or neither");
    }
    return fl_conf_text(conf, "run")[0] == '\0' ? FL_OK : s_check_run(conf, why);
}

const fl_program fl_root_program = {
    .name = "fl-root",
    .purpose = "The root: runs what is submitted, round by round, and keeps the models.",
    .settings = rows,
    .setting_count = sizeof rows / sizeof rows[0],
    .exits = fl_launch_exits,
    .check = s_check,
};
