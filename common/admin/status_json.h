//  status_json - what a process shows to its operator, as JSON: values in, one blob of UTF-8 out.
//  No socket, no clock. The keys are a contract with `fl` and with whoever reads its --json. Every
//  function returns the caller's blob of at most FL_JSON_BYTES_MAX, NULL when out of memory. A list
//  that would not fit is cut and says by how much ("children_dropped").
#ifndef FL_ADMIN_STATUS_JSON_H
#define FL_ADMIN_STATUS_JSON_H

#include "common/admin/root_view.h"
#include "common/base/blob.h"
#include "common/base/metrics.h"
#include "common/crypto/cert.h"
#include "common/net/counters.h"
#include "common/round/aggregator.h"
#include "common/round/participant.h"
#include "common/store/ledger.h"

//  Rounds of one answer to `rounds`; fl asks again for those before the first.
enum { FL_ROUNDS_JSON_MAX = 1100 };

//  Any tier fills in what it has. All pointers are borrowed for the call.
typedef struct fl_status_input {
    const char *tier;    // "root", "edge", "device"
    const char *version; // of the program
    fl_name node;
    fl_run run; // zero: not known yet
    uint64_t uptime_ms;
    fl_time now;                  // of the machines' clock
    uint64_t wall_s;              // wall clock
    const fl_cert *certificate;   // ours; may be NULL
    uint64_t round;               // in hand, 0 = none; not read when `root` is there
    bool final;                   // the run is over; not read when `root` is there
    const char *parent;           // its endpoint; NULL at the root
    const fl_root_view *root;     // NULL but at the root
    const fl_aggregator *aggregator;   // NULL at a device
    const fl_aggregator *beside;       // with the children of another run; NULL but at the root
    const fl_participant *participant; // NULL at the root
    const fl_metrics *metrics;    // may be NULL
} fl_status_input;

//  Answers `status`.
fl_blob *fl_status_json(const fl_status_input *input);
//  Answers `report`: one closed round. Times in ms since 1970, 0 = unknown.
fl_blob *fl_report_json(const fl_report *report, uint64_t model_bytes, uint64_t opened_at,
                        uint64_t closed_at);
//  Answers `rounds`: a short line per round, FL_ROUNDS_JSON_MAX at most.
fl_blob *fl_rounds_json(const fl_ledger_round *rounds, uint32_t count);
//  Answers `export`: where a model lies and what its hash is.
fl_blob *fl_export_json(const char *path, const fl_hash *hash, uint64_t round,
                        uint64_t model_bytes);
//  Answers `health`, `revoke`, `admit`, `stop`: it is done, or all is well, in one line.
fl_blob *fl_said_json(const char *text);
//  Answers what cannot be answered, beside a code that is not 0.
fl_blob *fl_error_json(const char *text);

#endif
