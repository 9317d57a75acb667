//  note_log - what a machine notes, as log lines and counters. One table says for each note how
//  urgent it is, what its two numbers are called and which counter it moves.
//  Reactor's thread.
#ifndef FL_RUNTIME_NOTE_LOG_H
#define FL_RUNTIME_NOTE_LOG_H

#include "common/base/metrics.h"
#include "common/machine/event.h"

//  Say and count one note.
void fl_note_log(const fl_note *note, fl_metrics *metrics);

#endif
