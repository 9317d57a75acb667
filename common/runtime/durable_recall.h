//  durable_recall - the newest closed rounds of a run, as an aggregator wants to know them after a
//  restart: by their model late updates are told from foreign ones. Blocks for the disk.
#ifndef FL_RUNTIME_DURABLE_RECALL_H
#define FL_RUNTIME_DURABLE_RECALL_H

#include "common/round/aggregator.h"
#include "common/store/ledger.h"

//  Fill `pasts` with rounds up to `newest`; how many. A ledger that cannot be read gives none: late
//  updates of before are refused then, which is safe.
uint32_t fl_durable_recall(fl_ledger *ledger, const fl_run *run, uint64_t newest,
                           fl_past pasts[FL_PASTS_MAX]);

#endif
