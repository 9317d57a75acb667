//  enrol_at_start - the first steps of a program that has nobody to lead it by the hand: it waits
//  for the files that others make and joins with a token. Each wait has a bound and is said in the
//  log: for what, and how long still. Blocks. Main thread, before the node is opened.
#ifndef FL_RUNTIME_ENROL_AT_START_H
#define FL_RUNTIME_ENROL_AT_START_H

#include "common/config/stop.h"
#include "common/identity/enrol_client.h"
#include "common/runtime/settings.h"

//  Wait until `path` is there, at most the setting start.wait. FL_MISSING: it is not, and `why`
//  says so; also when a signal came.
FL_CHECKED fl_status fl_enrol_at_start_wait(const fl_conf *conf, fl_stop *stop, const char *path,
                                            fl_why *why);

typedef struct fl_enrol_at_start_conf {
    const fl_conf *conf; // join.* and start.wait
    fl_stop *stop;
    const char *state; // the directory is open and its lock held
    fl_role role;
    bool slotted; // the number of a slot goes behind join.name, and picks the token
    uint32_t slot;
} fl_enrol_at_start_conf;

//  Join with the token that join.token names, unless this was done before; nothing when it names
//  none. FL_DENIED: refused, no token, or nobody answered, as `why` says.
FL_CHECKED fl_status fl_enrol_at_start_join(const fl_enrol_at_start_conf *conf, fl_why *why);

#endif
