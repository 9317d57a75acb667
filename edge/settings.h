//  settings - the settings table of edge-agg.
#ifndef FL_EDGE_SETTINGS_H
#define FL_EDGE_SETTINGS_H

#include "common/config/conf.h"

extern const fl_program fl_edge_program;

#endif
