//  chronicle - what a machine notes, as log lines and counters. One table says for each note how
//  urgent it is, what its two numbers are called and which counter it moves.
//  Reactor's thread.
#ifndef FL_HOST_CHRONICLE_H
#define FL_HOST_CHRONICLE_H

#include "common/base/metrics.h"
#include "common/core/event.h"

//  Say and count one note.
void fl_chronicle(const fl_note *note, fl_metrics *metrics);

#endif
