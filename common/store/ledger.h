//  ledger - what must survive this process: runs, rounds, receipts, reports, and at the root the
//  tokens, certificates and revocations as well. SQLite, WAL, synchronous=FULL; one transaction per
//  step, so that a fact is there whole or not at all. Calls block for the disk: one thread, not the
//  reactor's. The same file serves root and edge; an edge uses fewer tables.
#ifndef FL_STORE_LEDGER_H
#define FL_STORE_LEDGER_H

#include "common/base/blob.h"
#include "common/base/id.h"
#include "common/base/status.h"
#include "common/machine/event.h"

typedef struct fl_ledger fl_ledger;

//  Open or make the ledger at `path`; the caller's. FL_MALFORMED: damaged, or another program's
//  file. FL_MISMATCH: written by a newer or an older program.
FL_CHECKED fl_status fl_ledger_open(const char *path, fl_ledger **ledger, fl_why *why);
void fl_ledger_close(fl_ledger **self_p);

// ---- runs -------------------------------------------------------------------------------------
//  Kept as their numbers. Those from DONE on are ends: nothing follows them.
typedef enum fl_run_state {
    FL_RUN_QUEUED = 1,
    FL_RUN_RUNNING,
    FL_RUN_PAUSED,
    FL_RUN_DONE,
    FL_RUN_STOPPED,
    FL_RUN_ABORTED,
    FL_RUN_STATES
} fl_run_state;
const char *fl_run_state_name(fl_run_state state); // "queued"

enum { FL_RUN_NAME_BYTES = 32, FL_RUN_RECIPE_MAX = 64 * 1024 };

//  Why a run of a ledger before version 4, whose recipe is empty, is paused and cannot go on.
#define FL_RUN_OLD                                                                                 \
    "begun before runs had recipes: its settings are not known here; export its model and submit " \
    "a run that begins with it"

//  1 to 31 of a-z, 0-9, dot and dash, not digits alone: those are a run's number.
bool fl_run_name_valid(const char *name);

typedef struct fl_ledger_run {
    fl_run run;
    uint64_t number;              // 1, 2, ..; given by the ledger
    char name[FL_RUN_NAME_BYTES]; // no two runs that have not ended have the same
    fl_run_state state;
    fl_reason reason;                          // why paused, stopped or aborted
    char text[FL_TEXT_MAX];                    // the same, for a human
    int32_t priority;                          // higher first, then the lower number
    uint64_t submitted_at, begun_at, ended_at; // wall clock, ms since 1970; 0: not yet
    uint64_t elements;                         // 0 until begun
    fl_hash model;                             // it begins with
    uint64_t model_bytes;                      // 0: not known until begun
    uint64_t rounds_closed;                    // the newest closed round
    uint64_t open;                             // 0: no round is; else the greater, the newer
    uint64_t pruned, pruned_to;                // events given up, and the newest of them
} fl_ledger_run;

//  Put a run into the queue: of `run` its id, name (empty: "run-" and its number), priority and,
//  when known, its model are used. `recipe`: at most FL_RUN_RECIPE_MAX. FL_EXISTS: the id is known,
//  and `*number` is its number, which is fine; or `*number` is 0, and the name is that of a run
//  that has not ended. FL_RANGE: no name, or too long.
FL_CHECKED fl_status fl_ledger_run_submit(fl_ledger *self, const fl_ledger_run *run,
                                          fl_bytes recipe, uint64_t *number, fl_why *why);
//  A queued run runs, over this model, and its orders name this manifest. FL_EXISTS: it is not in
//  the queue.
FL_CHECKED fl_status fl_ledger_run_begin(fl_ledger *self, const fl_run *run, uint64_t elements,
                                         const fl_hash *model, uint64_t model_bytes,
                                         fl_bytes manifest, fl_why *why);
//  A run that has not ended enters a state; an end frees what only the run needed. `text` is cut to
//  its room. Both are recorded as events. FL_EXISTS: it has ended. FL_MISSING.
FL_CHECKED fl_status fl_ledger_run_enter(fl_ledger *self, const fl_run *run, fl_run_state state,
                                         fl_reason reason, const char *text, fl_why *why);
FL_CHECKED fl_status fl_ledger_run_prefer(fl_ledger *self, const fl_run *run, int32_t priority,
                                          fl_why *why);
//  By number, by id in hex, or the newest of a name; "": the newest of all. FL_MISSING.
FL_CHECKED fl_status fl_ledger_run_find(fl_ledger *self, const char *which, fl_ledger_run *run,
                                        fl_why *why);
//  What was submitted, the caller's.
FL_CHECKED fl_status fl_ledger_run_recipe(fl_ledger *self, const fl_run *run, fl_blob **recipe,
                                          fl_why *why);
//  Up to `capacity` runs from number `first` on, ascending. `*count`: how many.
FL_CHECKED fl_status fl_ledger_runs(fl_ledger *self, uint64_t first, fl_ledger_run *runs,
                                    uint32_t capacity, uint32_t *count, fl_why *why);

//  How a run goes on after a restart: what FL_EV_START wants to know.
typedef struct fl_ledger_resume {
    fl_ledger_run run; // `model` and `model_bytes` are the newest
    uint64_t round;    // next to run, from 1
    uint32_t attempt;  // attempts already spent on it
    uint8_t draw;      // of `model`, as far as rounds were opened
    uint32_t bound;    // rounds under it that ended as same-model
} fl_ledger_resume;

FL_CHECKED fl_status fl_ledger_resume_get(fl_ledger *self, const fl_run *run,
                                          fl_ledger_resume *resume, fl_why *why);

// ---- what happened to runs --------------------------------------------------------------------
enum {
    FL_SETTING_BYTES = 64,
    FL_VALUE_BYTES = 256,
    FL_EVENT_KIND_BYTES = 16,
    FL_EVENT_JSON_BYTES = 1024,
    FL_EVENTS_KEPT = 10000
};

//  A setting of a run that was changed: holds from `round` on. Texts too long are cut.
typedef struct fl_ledger_change {
    uint64_t line; // given by the ledger
    uint64_t at;   // likewise: wall clock, ms since 1970
    fl_run run;
    uint64_t round;
    char setting[FL_SETTING_BYTES], old_value[FL_VALUE_BYTES], new_value[FL_VALUE_BYTES];
    char who[FL_RUN_NAME_BYTES];
} fl_ledger_change;

FL_CHECKED fl_status fl_ledger_run_change(fl_ledger *self, const fl_ledger_change *change,
                                          fl_why *why);
//  Up to `capacity` changes of a run after line `after`, ascending.
FL_CHECKED fl_status fl_ledger_run_changes(fl_ledger *self, const fl_run *run, uint64_t after,
                                           fl_ledger_change *changes, uint32_t capacity,
                                           uint32_t *count, fl_why *why);

//  What `fl run watch` follows. A state entered is kind "state" with {"state", "reason", "text"}.
typedef struct fl_ledger_event {
    uint64_t seq; // from 1, of all runs; given by the ledger
    uint64_t at;  // likewise: wall clock, ms since 1970
    char kind[FL_EVENT_KIND_BYTES];
    char json[FL_EVENT_JSON_BYTES]; // an object
} fl_ledger_event;

//  In a transaction. The newest FL_EVENTS_KEPT of all runs stay; how many of a run did not stands
//  in its row. FL_RANGE: too long.
FL_CHECKED fl_status fl_ledger_event_put(fl_ledger *self, const fl_run *run, const char *kind,
                                         const char *json, fl_why *why);
//  Up to `capacity` events after `after`, of a run, ascending.
FL_CHECKED fl_status fl_ledger_events(fl_ledger *self, const fl_run *run, uint64_t after,
                                      fl_ledger_event *events, uint32_t capacity, uint32_t *count,
                                      fl_why *why);

// ---- models -----------------------------------------------------------------------------------
//  Why a run holds a model; one file may be held by many. store/checkpoint.h has the files. That of
//  a closed round is held as ROUND, and as what its report says besides.
typedef enum fl_model_why {
    FL_MODEL_INITIAL = 1,
    FL_MODEL_ROUND,
    FL_MODEL_BEST,
    FL_MODEL_KEPT // is never given up
} fl_model_why;

//  Of the models that a run holds for one reason: the round that made the newest. FL_MISSING: none.
FL_CHECKED fl_status fl_ledger_model_newest(fl_ledger *self, const fl_run *run, fl_model_why held,
                                            uint64_t *round, fl_why *why);
//  Give up one model, `*hash`, of those that a run holds for one reason beyond the `keep` newest.
//  FL_MISSING: none is beyond.
FL_CHECKED fl_status fl_ledger_model_surplus(fl_ledger *self, const fl_run *run, fl_model_why held,
                                             uint32_t keep, fl_hash *hash, fl_why *why);
//  Who holds a model: this run, or (`run` NULL) any. FL_MISSING: nobody does.
FL_CHECKED fl_status fl_ledger_model_holder(fl_ledger *self, const fl_run *run, const fl_hash *hash,
                                            fl_run *holder, fl_why *why);

// ---- rounds -----------------------------------------------------------------------------------
//  A round begins, before anybody is told. Only run, round, attempt, base, budget_ms and what is
//  said with it (order, signature, settings, draw) of the report are used. FL_EXISTS when this
//  attempt was opened before.
FL_CHECKED fl_status fl_ledger_round_open(fl_ledger *self, const fl_report *report, fl_why *why);
//  A round is over: the whole report with its roll and blocks, in one transaction. `model_bytes`:
//  size of the checkpoint named by report->model, 0 when none was made here. A round that was never
//  opened is recorded all the same; FL_EXISTS when this attempt was closed before.
FL_CHECKED fl_status fl_ledger_round_close(fl_ledger *self, const fl_report *report,
                                           uint64_t model_bytes, fl_why *why);

//  How the blocks of one hop of a masked round ended, added up. Members of blocks that were opened:
//  `masked` were told to mask, of them `survivors` are in the sum, `recovered` are not.
typedef struct fl_ledger_hop {
    uint32_t opened, members, masked, survivors, recovered;
    uint32_t aborted_blocks, aborted; // blocks that were not opened, and the members of them
} fl_ledger_hop;
enum { FL_LEDGER_HOPS = 2 };

//  Add a block to the totals of its hop: hops[0] is hop 1, of devices.
void fl_ledger_hop_add(fl_ledger_hop hops[FL_LEDGER_HOPS], const fl_block_line *line);

//  A round as recorded. The views of `report` live as long as it.
typedef struct fl_ledger_round {
    fl_report report;
    fl_ledger_hop hops[FL_LEDGER_HOPS];
    bool closed; // else only what round_open recorded is set
    uint64_t model_bytes;
    uint64_t opened_at; // wall clock, ms since 1970; 0 = unknown
    uint64_t closed_at;
} fl_ledger_round;

//  The latest closed attempt of a round, or its latest attempt when none was closed; round 0: the
//  last closed round of all. With roll and blocks. The caller destroys it. FL_MISSING when there is
//  none.
FL_CHECKED fl_status fl_ledger_round_get(fl_ledger *self, const fl_run *run, uint64_t round,
                                         fl_ledger_round **found, fl_why *why);
void fl_ledger_round_destroy(fl_ledger_round **self_p);
//  Attempts opened of a round: the highest number, 0 when none.
FL_CHECKED fl_status fl_ledger_attempts(fl_ledger *self, const fl_run *run, uint64_t round,
                                        uint32_t *attempts, fl_why *why);
//  The round opened last of all, whatever its run: where an edge goes on after a restart.
//  FL_MISSING when there is none.
FL_CHECKED fl_status fl_ledger_newest(fl_ledger *self, fl_run *run, uint64_t *round,
                                      uint32_t *attempt, fl_why *why);
//  The runs that had a round opened since that run's newest was; how many, at most `capacity`.
FL_CHECKED fl_status fl_ledger_since(fl_ledger *self, const fl_run *run, fl_run *runs,
                                     uint32_t capacity, uint32_t *count, fl_why *why);
//  Rounds (the latest closed attempt of each) from round `first` on and before round `before` (0:
//  to the newest): the last `capacity` of them, ascending, without their rolls and blocks, but with
//  the totals of the blocks. `*count`: how many.
FL_CHECKED fl_status fl_ledger_rounds(fl_ledger *self, const fl_run *run, uint64_t first,
                                      uint64_t before, fl_ledger_round *rounds, uint32_t capacity,
                                      uint32_t *count, fl_why *why);

//  The newest round that was scored, by the root or by devices, without its roll and blocks; round
//  0 when there is none.
FL_CHECKED fl_status fl_ledger_scored(fl_ledger *self, const fl_run *run, fl_ledger_round *round,
                                      fl_why *why);

// ---- masked rounds ----------------------------------------------------------------------------
//  What an aggregator must not say twice in two ways (machine/event.h).
typedef struct fl_ledger_fact {
    fl_keep what; // no FL_KEEP_MARK: a member's mark is a file of its own
    fl_run run;
    uint64_t round;
    uint32_t block;
    fl_bytes bytes; // at least one
} fl_ledger_fact;

//  Keep a fact: it replaces its like of that block and what followed it there. Facts of other
//  rounds of its run are forgotten with the first of a new one, but for the rosters of the last 16
//  rounds. Evidence stays, for people.
FL_CHECKED fl_status fl_ledger_fact_put(fl_ledger *self, const fl_ledger_fact *fact, fl_why *why);

//  By round and block, then in the order in which they were said.
typedef struct fl_ledger_facts {
    uint32_t count;
    fl_bytes facts[]; // (count)
} fl_ledger_facts;

//  Keep a sum that an edge opened: it replaces that of its run. `head` says what it is of, its
//  first 32 bytes of which tensors.
FL_CHECKED fl_status fl_ledger_sum_put(fl_ledger *self, const fl_run *run, fl_bytes head,
                                       fl_bytes vector, fl_why *why);
//  The vector kept of that run, the caller's; NULL: there is none.
FL_CHECKED fl_status fl_ledger_sum_get(fl_ledger *self, const fl_run *run, fl_blob **vector,
                                       fl_why *why);
//  The heads of all that are kept, in no order; the caller destroys them.
FL_CHECKED fl_status fl_ledger_sum_heads(fl_ledger *self, fl_ledger_facts **heads, fl_why *why);

//  The run is over: its facts and its sum are of no use. At the root fl_ledger_run_enter does it.
FL_CHECKED fl_status fl_ledger_facts_forget(fl_ledger *self, const fl_run *run, fl_why *why);
//  The facts kept of that round, none when it is not the newest, and the rosters of rounds before
//  it; the caller destroys them.
FL_CHECKED fl_status fl_ledger_facts_get(fl_ledger *self, const fl_run *run, uint64_t round,
                                         fl_ledger_facts **facts, fl_why *why);
void fl_ledger_facts_destroy(fl_ledger_facts **self_p);

// ---- identity, at the root --------------------------------------------------------------------
enum { FL_LEDGER_TOKEN_MAX = 64 };

typedef struct fl_issued {
    fl_name node;
    uint64_t serial;
    fl_role role;
    uint8_t certificate[FL_CERT_BYTES_MAX];
    uint32_t certificate_bytes;
    //  CURVE key of the parent that its token names, to be written and not read; zeros: none
    uint8_t parent[FL_CURVE_BYTES];
} fl_issued;

//  No serial from here on is below `least`. When the ledger was there already, by a clock that was
//  ahead, it leaves `gap`: drawn at random, so that one from a backup goes on elsewhere.
FL_CHECKED fl_status fl_ledger_serial_from(fl_ledger *self, uint64_t least, uint64_t gap,
                                           fl_why *why);
//  A serial number that was never given before, from 1. One that is then not used is lost.
FL_CHECKED fl_status fl_ledger_serial_next(fl_ledger *self, uint64_t *serial, fl_why *why);
//  Which of how many data shards a node trains on; shards 0: none.
typedef struct fl_lease {
    uint32_t shard, shards;
} fl_lease;

//  Count one use of a token, record the certificate and lease a shard of `lease->shards` to the
//  node, all or nothing; `lease->shard` is the answer. FL_FULL when the token has been used
//  `uses_max` times, FL_DENIED when it is revoked, FL_BUSY when other nodes hold every shard. An
//  empty token is not counted: the authority's own act. `lease` NULL, or shards 0: no shard is
//  wanted.
FL_CHECKED fl_status fl_ledger_issue(fl_ledger *self, fl_bytes token, uint32_t uses_max,
                                     const fl_issued *issued, fl_lease *lease, fl_why *why);
//  The same for a node that has its certificate. A node that holds a shard keeps it; no shard is
//  ever two nodes'. That of one that was forgotten, and is not back, is given when none is left.
FL_CHECKED fl_status fl_ledger_lease(fl_ledger *self, const fl_name *node, fl_lease *lease,
                                     fl_why *why);
//  How many shards are leased, and of how many: 0, 0 before the first lease.
FL_CHECKED fl_status fl_ledger_leased(fl_ledger *self, uint32_t *leased, uint32_t *shards,
                                      fl_why *why);
//  How many certificates a node got in the last `ms`.
FL_CHECKED fl_status fl_ledger_issued_of_late(fl_ledger *self, const fl_name *node, uint64_t ms,
                                              uint32_t *count, fl_why *why);
//  The newest certificate of a node, and its first one from that serial number on. FL_MISSING when
//  there is none.
FL_CHECKED fl_status fl_ledger_issued(fl_ledger *self, const fl_name *node, fl_issued *issued,
                                      fl_why *why);
FL_CHECKED fl_status fl_ledger_issued_from(fl_ledger *self, const fl_name *node, uint64_t serial,
                                           fl_issued *issued, fl_why *why);
FL_CHECKED fl_status fl_ledger_token_uses(fl_ledger *self, fl_bytes token, uint32_t *uses,
                                          bool *revoked, fl_why *why);
//  Nobody joins with it any more; certificates that it gave stay. Once more is fine.
FL_CHECKED fl_status fl_ledger_token_revoke(fl_ledger *self, fl_bytes token, fl_why *why);

typedef struct fl_denied {
    fl_name node;
    uint64_t serial; // 0: every certificate of the node
    bool lifted;     // the revocation was taken back
    uint64_t at;     // wall clock, ms since 1970; set by the ledger
    char reason[FL_TEXT_MAX];
} fl_denied;

//  The reason of a node's newest certificate: its name and its shard are free.
#define FL_LEDGER_FORGOTTEN "forgotten"
//  That one certificate is shut out by its number, as far as the ledger can say.
bool fl_ledger_denies(fl_ledger *self, const fl_name *node, uint64_t serial);

// ---- pools, at the root -----------------------------------------------------------------------
//  Every parent, without a name below it. And devices and edges whose newest certificate is neither
//  revoked nor ended before `now_s`: each with the parent that its last token named, as far as that
//  is known, and once more with the one that had it in the newest round, if that is another one.
//  The caller frees `*nodes` (count).
FL_CHECKED fl_status fl_ledger_enrolled(fl_ledger *self, uint64_t now_s, fl_place **nodes,
                                        uint32_t *count, fl_why *why);
//  What was drawn, in its order, replaces what was drawn before.
FL_CHECKED fl_status fl_ledger_pools_put(fl_ledger *self, uint64_t epoch, const fl_place *places,
                                         uint32_t count, fl_why *why);
//  Epoch 0 when nothing was. The caller frees `*places` (count).
FL_CHECKED fl_status fl_ledger_pools_get(fl_ledger *self, uint64_t *epoch, fl_place **places,
                                         uint32_t *count, fl_why *why);

// ---- the deny list, everywhere ----------------------------------------------------------------
//  Record the signed list, and the act that changed it (NULL at an edge, which only takes lists).
//  FL_RANGE when `version` is not newer than what is held.
FL_CHECKED fl_status fl_ledger_deny_put(fl_ledger *self, uint64_t version, fl_bytes list,
                                        const fl_denied *act, fl_why *why);
//  The newest list, the caller's. FL_OK with version 0 and no list when there is none.
FL_CHECKED fl_status fl_ledger_deny_get(fl_ledger *self, uint64_t *version, fl_blob **list,
                                        fl_why *why);

#endif
