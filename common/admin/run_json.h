//  run_json - runs as a process shows them to its operator: rows of the ledger in, one blob of JSON
//  out, the caller's; NULL when out of memory. The keys are a contract, as those of status_json.h.
#ifndef FL_ADMIN_RUN_JSON_H
#define FL_ADMIN_RUN_JSON_H

#include "common/base/blob.h"
#include "common/store/ledger.h"

//  Rows of one answer; who asks goes on from `next`, which is null when there are no more.
enum { FL_RUNS_JSON_MAX = 500, FL_EVENTS_JSON_MAX = 200, FL_CHANGES_JSON_MAX = 200 };

//  Answers `run-submit`, and what changes a run: the run, and what became of it in a line.
fl_blob *fl_run_json(const fl_ledger_run *run, const char *said);
//  Answers `run-show`: with its recipe, the newest changes of its settings, the newest scores (of
//  round 0: none), and whether updates are pinned.
fl_blob *fl_run_whole_json(const fl_ledger_run *run, fl_bytes recipe, bool pinned,
                           const fl_report *scored, const fl_ledger_change *changes,
                           uint32_t count);
//  Answers `run-list`.
fl_blob *fl_runs_json(const fl_ledger_run *runs, uint32_t count);
//  Answers `run-watch`: what happened after `after`, and the state of the run after it. What is not
//  kept of it any more stands first, as an event «missed».
fl_blob *fl_events_json(const fl_ledger_run *run, uint64_t after, const fl_ledger_event *events,
                        uint32_t count);
//  Answers `put`: the first byte that is wanted next.
fl_blob *fl_put_json(uint64_t next);

#endif
