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
typedef struct fl_ledger_run {
    fl_run run;
    uint64_t elements;
    fl_hash model; // it begins with
    uint64_t model_bytes;
} fl_ledger_run;

//  A new run, from now on the current one. FL_EXISTS when its id was used.
FL_CHECKED fl_status fl_ledger_run_begin(fl_ledger *self, const fl_ledger_run *run, fl_why *why);
//  The current run. FL_MISSING when there is none.
FL_CHECKED fl_status fl_ledger_run_get(fl_ledger *self, fl_ledger_run *run, fl_why *why);

//  How a run goes on after a restart: what FL_EV_START wants to know.
typedef struct fl_ledger_resume {
    fl_ledger_run run; // `model` and `model_bytes` are the newest
    uint64_t round;    // next to run, from 1
    uint32_t attempt;  // attempts already spent on it
    bool aborted;      // the run has ended
} fl_ledger_resume;

//  FL_MISSING when there is no run.
FL_CHECKED fl_status fl_ledger_resume_get(fl_ledger *self, fl_ledger_resume *resume, fl_why *why);

// ---- rounds -----------------------------------------------------------------------------------
//  A round begins. Only run, round, attempt, base and budget_ms of the report are used. FL_EXISTS
//  when this attempt was opened before.
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
//  Add the totals of another round.
void fl_ledger_hop_sum(fl_ledger_hop *self, const fl_ledger_hop *other);

//  A round as recorded. `report.roll` and `report.blocks` live as long as it.
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
//  Rounds (the latest closed attempt of each) from round `first` on and before round `before` (0: to
//  the newest): the last `capacity` of them, ascending, without their rolls and blocks, but with the
//  totals of the blocks. `*count`: how many.
FL_CHECKED fl_status fl_ledger_rounds(fl_ledger *self, const fl_run *run, uint64_t first,
                                      uint64_t before, fl_ledger_round *rounds, uint32_t capacity,
                                      uint32_t *count, fl_why *why);

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
//  rounds are forgotten with the first of a new one. Evidence stays for ever, for people.
FL_CHECKED fl_status fl_ledger_fact_put(fl_ledger *self, const fl_ledger_fact *fact, fl_why *why);

//  By block, then in the order in which they were said.
typedef struct fl_ledger_facts {
    uint32_t count;
    fl_bytes facts[]; // (count)
} fl_ledger_facts;

//  The facts kept of that round, none when it is not the newest; the caller destroys them.
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
} fl_issued;

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
//  The same for a node that has its certificate. A node that holds a shard keeps it, for good; no
//  shard is ever two nodes'.
FL_CHECKED fl_status fl_ledger_lease(fl_ledger *self, const fl_name *node, fl_lease *lease,
                                     fl_why *why);
//  How many shards are leased, and of how many: 0, 0 before the first lease.
FL_CHECKED fl_status fl_ledger_leased(fl_ledger *self, uint32_t *leased, uint32_t *shards,
                                      fl_why *why);
//  How many certificates a node got in the last `ms`.
FL_CHECKED fl_status fl_ledger_issued_of_late(fl_ledger *self, const fl_name *node, uint64_t ms,
                                              uint32_t *count, fl_why *why);
//  The newest certificate of a node. FL_MISSING when there is none.
FL_CHECKED fl_status fl_ledger_issued(fl_ledger *self, const fl_name *node, fl_issued *issued,
                                      fl_why *why);
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

// ---- the deny list, everywhere ----------------------------------------------------------------
//  Record the signed list, and the act that changed it (NULL at an edge, which only takes lists).
//  FL_RANGE when `version` is not newer than what is held.
FL_CHECKED fl_status fl_ledger_deny_put(fl_ledger *self, uint64_t version, fl_bytes list,
                                        const fl_denied *act, fl_why *why);
//  The newest list, the caller's. FL_OK with version 0 and no list when there is none.
FL_CHECKED fl_status fl_ledger_deny_get(fl_ledger *self, uint64_t *version, fl_blob **list,
                                        fl_why *why);

#endif
