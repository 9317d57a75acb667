#include "cloud/run_settings.h"

static const fl_setting rows[] = {
    { "name", FL_CONF_TEXT, "", 0, 0, NULL,
      "name of the run: 1 to 31 of a-z, 0-9, dot and dash; none takes the file's name" },
    { "rounds", FL_CONF_INT, "20", 1, 1000000000, NULL, "rounds of the run" },
    { "round.wait", FL_CONF_DURATION, "10m", 100, 86400000, NULL,
      "longest wait for children before each round" },
    { "model.initial", FL_CONF_TEXT, "", 0, 0, NULL,
      "safetensors file that the run begins with; none begins with model.layers" },
    { "model.layers", FL_CONF_TEXT, "784-128-10", 0, 0, NULL, "layer sizes of the network" },
    { "train.rate", FL_CONF_REAL, "0.1", 0, 1000, NULL, "learning rate" },
    { "server.rate", FL_CONF_REAL, "1", 0.000001, 1000, NULL, "server learning rate" },
};

const fl_program fl_run_program = {
    .name = "fl-run",
    .purpose = "A run: which model is trained, how, and for how many rounds.",
    .settings = rows,
    .setting_count = sizeof rows / sizeof rows[0],
};
