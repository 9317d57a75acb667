//  tracks - rounds of several runs at a time: a root machine for each track, with its own seats,
//  slots and accumulators, behind one machine. A child sits at the track whose run in hand wants
//  it, and stays there until the other one's does; no two runs in hand want the same one. Who comes
//  when its run has ended sits where that run was, and hears of the end. What is asked for says its
//  track, and so does the answer. One thread at a time.
#ifndef FL_CLOUD_TRACKS_H
#define FL_CLOUD_TRACKS_H

#include "cloud/root.h"

typedef struct fl_tracks fl_tracks;

//  The caller owns the result. NULL when out of memory.
fl_tracks *fl_tracks_new(const fl_root_conf *shared);
void fl_tracks_destroy(fl_tracks **self_p);
fl_machine fl_tracks_machine(fl_tracks *self);
fl_root *fl_tracks_root(const fl_tracks *self, uint32_t track);

#endif
