//  manifest - the two parts of a task beside its order, as canonical msgpack: one spelling for each
//  meaning, so that a hash names it. The settings are a map from names to numbers, for the trainer;
//  the manifest says what is the same in every round of a run. docs/protocol.md has the keys.
#ifndef FL_WIRE_MANIFEST_H
#define FL_WIRE_MANIFEST_H

#include "common/wire/message.h"

enum { FL_PARTS_MADE_MAX = 1024 }; // bytes of the largest of the three that this build makes

//  The part, in `room`. An order with values out of range is ours: it panics.
fl_bytes fl_settings_encode(const fl_order *order, uint8_t room[FL_PARTS_MADE_MAX]);
fl_bytes fl_manifest_encode(const fl_order *order, uint8_t room[FL_PARTS_MADE_MAX]);
//  Into an order that was decoded. It is `beyond` afterwards when the bytes are not canonical, or
//  say what this build has no part for.
void fl_settings_decode(fl_bytes bytes, fl_order *order);
void fl_manifest_decode(fl_bytes bytes, fl_order *order);

#endif
