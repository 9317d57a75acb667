//  effects_inside - what each file of effects carries out: the rows of the table in effects.c.
#ifndef FL_RUNTIME_EFFECTS_INSIDE_H
#define FL_RUNTIME_EFFECTS_INSIDE_H

#include "common/runtime/effects_job.h"

//  effects_slot.c
void fl_effects_slot(fl_effects *self, const fl_effect *effect);
void fl_effects_stage(fl_effects *self, const fl_effect *effect);
void fl_effects_verify(fl_effects *self, const fl_effect *effect);

//  effects_sum.c
void fl_effects_clear(fl_effects *self, const fl_effect *effect);
void fl_effects_fold(fl_effects *self, const fl_effect *effect);
void fl_effects_finish(fl_effects *self, const fl_effect *effect);
//  All contributions are in `sum`; NULL: the round was given up.
void fl_effects_combined(fl_effects *self, fl_fold *sum);

//  effects_mask.c
void fl_effects_mask(fl_effects *self, const fl_effect *effect);
void fl_effects_unmask(fl_effects *self, const fl_effect *effect);
void fl_effects_keep(fl_effects *self, const fl_effect *effect);
void fl_effects_recall(fl_effects *self, const fl_effect *effect);

#endif
