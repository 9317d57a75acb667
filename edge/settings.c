#include "edge/settings.h"

#include "common/runtime/launch.h"
#include "common/runtime/settings.h"

static const fl_setting rows[] = { FL_SETTINGS_STATE, FL_SETTINGS_PROCESS, FL_SETTINGS_PARENT,
                                   FL_SETTINGS_WINDOW, FL_SETTINGS_PARTICIPANT("unmasked") };

static fl_status
s_check(const fl_conf *conf, fl_why *why)
{
    FL_TRY(fl_settings_check_listen(conf, why));
    FL_TRY(fl_settings_check(conf, conf, why));
    return fl_settings_check_parent(conf, why);
}

const fl_program fl_edge_program = {
    .name = "edge-agg",
    .purpose = "An edge: adds up what its devices (or further edges) send, passes one sum on.",
    .settings = rows,
    .setting_count = sizeof rows / sizeof rows[0],
    .exits = fl_launch_exits,
    .check = s_check,
};
