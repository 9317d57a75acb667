//  durable - where the facts of masked rounds go: a participant's mark into a file of its state
//  directory, an aggregator's facts into its ledger. What a saver's `keep` calls: on a worker, one
//  call at a time, blocks for the disk. And what of it a process wants to know after a restart.
#ifndef FL_RUNTIME_DURABLE_H
#define FL_RUNTIME_DURABLE_H

#include "common/round/aggregator.h"
#include "common/runtime/effects.h"
#include "common/secagg/client_memory.h"
#include "common/store/ledger.h"

//  Borrowed.
typedef struct fl_durable {
    const char *directory; // NULL: no participant here
    fl_name node;          // whose mark is in it
    fl_ledger *ledger;     // NULL: no aggregator here
} fl_durable;

//  Did a write to the ledger or a directory work? If not, it is logged.
bool fl_durable_said(fl_status status, const fl_why *why);
//  Carry out a KEEP. False, logged: it is not durable.
bool fl_durable_keep(const fl_durable *self, const fl_effect *keep);

//  Carries out KEEP, and SAVE where there is a ledger: the rounds of an aggregator that makes no
//  model. Borrows `self`.
fl_saver fl_durable_saver(fl_durable *self);

//  The newest closed rounds of a run up to `newest` into `pasts`; how many. By their model an
//  aggregator tells late updates from foreign ones. A ledger that cannot be read gives none: late
//  updates of before are refused then, which is safe.
uint32_t fl_durable_recall(fl_ledger *ledger, const fl_run *run, uint64_t newest,
                           fl_past pasts[FL_PASTS_MAX]);
//  The newest closed round of a run, for those whom its report names; the caller's. NULL when there
//  is none; when it cannot be read, or names what cannot be, too, which is logged.
fl_ledger_round *fl_durable_members(fl_ledger *ledger, const fl_run *run);

#endif
