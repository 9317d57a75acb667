//  device - a participant with a trainer behind it: trains each task's model, encodes the
//  difference, offers it; keeps a late update for the next round or drops it, as the plan says. One
//  thread at a time. Holds one update.
#ifndef FL_DEVICE_DEVICE_H
#define FL_DEVICE_DEVICE_H

#include "common/round/participant.h"

typedef struct fl_device fl_device;

//  The caller owns the result. NULL when out of memory.
fl_device *fl_device_new(const fl_participant_conf *conf);
void fl_device_destroy(fl_device **self_p);
fl_machine fl_device_machine(fl_device *self);

const fl_participant *fl_device_participant(const fl_device *self);
bool fl_device_done(const fl_device *self); // the run is over; it waits for the next one

#endif
