#include "edge/settings.h"

#include "common/runtime/launch.h"
#include "common/runtime/settings.h"

static const fl_setting rows[] = { FL_SETTINGS_STATE, FL_SETTINGS_PROCESS, FL_SETTINGS_AGGREGATOR,
                                   FL_SETTINGS_PARTICIPANT };

const fl_program fl_edge_program = {
    .name = "edge-agg",
    .purpose = "An edge: adds up what its devices (or further edges) send, passes one sum on.",
    .settings = rows,
    .setting_count = sizeof rows / sizeof rows[0],
    .exits = fl_launch_exits,
    .check = fl_settings_check,
};
