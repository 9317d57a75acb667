//  The tables of a ledger, in the SQL that SQLite and PostgreSQL both read (docs/decisions/0017).
//  Hashes and ids are blobs; outcomes, reasons and states are their numbers; times are ms since
//  1970. What nothing writes yet is there so that its writer needs no new version.
#include "common/store/ledger_inside.h"

static const char runs[] =
    "CREATE TABLE run(number BIGINT PRIMARY KEY, run BLOB NOT NULL UNIQUE, name TEXT NOT NULL,"
    "  state BIGINT NOT NULL, reason BIGINT NOT NULL, why TEXT NOT NULL, priority BIGINT NOT NULL,"
    "  submitted_at BIGINT NOT NULL, begun_at BIGINT NOT NULL, ended_at BIGINT NOT NULL,"
    "  elements BIGINT NOT NULL, model BLOB NOT NULL, model_bytes BIGINT NOT NULL,"
    "  recipe TEXT NOT NULL, manifest BLOB);"
    "CREATE TABLE run_change(line BIGINT PRIMARY KEY, at BIGINT NOT NULL, run BLOB NOT NULL,"
    "  round BIGINT NOT NULL, setting TEXT NOT NULL, old_value TEXT NOT NULL,"
    "  new_value TEXT NOT NULL, who TEXT NOT NULL);"
    "CREATE TABLE event(seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, run BLOB NOT NULL,"
    "  kind TEXT NOT NULL, json TEXT NOT NULL);"
    //  The files that the directory of models must have.
    "CREATE TABLE model(run BLOB NOT NULL, why BIGINT NOT NULL, round BIGINT NOT NULL,"
    "  hash BLOB NOT NULL, bytes BIGINT NOT NULL, PRIMARY KEY(run, why, round));"
    "CREATE INDEX model_hash ON model(hash);"
    "CREATE TABLE node(name BLOB PRIMARY KEY, role BIGINT NOT NULL, parent BLOB NOT NULL,"
    "  state BIGINT NOT NULL, seen_at BIGINT NOT NULL, class BIGINT, offer BLOB);"
    //  `seq`: in which order rounds were opened, whatever their run.
    "CREATE TABLE round(seq BIGINT NOT NULL UNIQUE, run BLOB NOT NULL, round BIGINT NOT NULL,"
    "  attempt BIGINT NOT NULL, opened_at BIGINT NOT NULL, closed_at BIGINT, base BLOB NOT NULL,"
    "  budget_ms BIGINT NOT NULL, close BIGINT, reason BIGINT, model BLOB, model_bytes BIGINT,"
    "  duration_ms BIGINT, weight BIGINT, count BIGINT, loss DOUBLE PRECISION,"
    "  accuracy DOUBLE PRECISION, sum BLOB, samples BIGINT, loss_sum BIGINT, correct BIGINT,"
    "  evaluated BIGINT, saturated BIGINT, stale BIGINT, train_ms BIGINT, spare BIGINT,"
    "  invited BIGINT, counted BIGINT, late BIGINT, absent BIGINT, refused BIGINT,"
    "  samples_missing BIGINT, samples_known BIGINT, merge_ms BIGINT, bytes_up BIGINT,"
    "  bytes_down BIGINT, masked BIGINT, recovered BIGINT, aborted BIGINT, roll_dropped BIGINT,"
    "  masking BIGINT, draw BIGINT, order_bytes BLOB, signature BLOB, settings BLOB, chain BLOB,"
    "  chain_signature BLOB, PRIMARY KEY(run, round, attempt));";

static const char lines[] =
    "CREATE TABLE receipt(run BLOB NOT NULL, round BIGINT NOT NULL, attempt BIGINT NOT NULL,"
    "  line BIGINT NOT NULL, node BLOB NOT NULL, parent BLOB NOT NULL, outcome BIGINT NOT NULL,"
    "  reason BIGINT NOT NULL, staleness BIGINT NOT NULL, code BIGINT, steps BIGINT,"
    "  PRIMARY KEY(run, round, attempt, line));"
    "CREATE TABLE stat(run BLOB NOT NULL, round BIGINT NOT NULL, attempt BIGINT NOT NULL,"
    "  scope BLOB NOT NULL, slot BIGINT NOT NULL, value BIGINT NOT NULL,"
    "  PRIMARY KEY(run, round, attempt, scope, slot));"
    "CREATE TABLE block_line(run BLOB NOT NULL, round BIGINT NOT NULL, attempt BIGINT NOT NULL,"
    "  line BIGINT NOT NULL, parent BLOB NOT NULL, block BIGINT NOT NULL, hop BIGINT NOT NULL,"
    "  reason BIGINT NOT NULL, members BIGINT NOT NULL, masked BIGINT NOT NULL,"
    "  survivors BIGINT NOT NULL, roster BIGINT, PRIMARY KEY(run, round, attempt, line));"
    "CREATE TABLE fact(run BLOB NOT NULL, block BIGINT NOT NULL, what BIGINT NOT NULL,"
    "  round BIGINT NOT NULL, fact BLOB NOT NULL, PRIMARY KEY(run, round, block, what));"
    "CREATE TABLE kept(run BLOB NOT NULL, tensors BLOB NOT NULL, draw BIGINT NOT NULL,"
    "  block BIGINT NOT NULL, codec BIGINT NOT NULL, file BLOB NOT NULL, header BLOB NOT NULL,"
    "  survivors BLOB NOT NULL, PRIMARY KEY(run, tensors, draw, block));"
    "CREATE TABLE pool(run BLOB NOT NULL, epoch BIGINT NOT NULL, edge BLOB NOT NULL,"
    "  pool BIGINT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(run, epoch, edge, pool));"
    "CREATE TABLE evidence(line BIGINT PRIMARY KEY, at BIGINT NOT NULL, run BLOB NOT NULL,"
    "  round BIGINT NOT NULL, block BIGINT NOT NULL, paper BLOB NOT NULL);"
    "CREATE TABLE counter(name TEXT PRIMARY KEY, value BIGINT NOT NULL);"
    "CREATE TABLE token_use(token BLOB PRIMARY KEY, count BIGINT NOT NULL, revoked_at BIGINT);"
    "CREATE TABLE issued(serial BIGINT PRIMARY KEY, node BLOB NOT NULL, role BIGINT NOT NULL,"
    "  certificate BLOB NOT NULL, issued_at BIGINT NOT NULL);"
    "CREATE INDEX issued_node ON issued(node);"
    "CREATE TABLE lease(shard BIGINT PRIMARY KEY, node BLOB NOT NULL UNIQUE,"
    "  shards BIGINT NOT NULL);"
    "CREATE TABLE denied(line BIGINT PRIMARY KEY, node BLOB NOT NULL, serial BIGINT NOT NULL,"
    "  lifted BIGINT NOT NULL, at BIGINT NOT NULL, why TEXT NOT NULL, until BIGINT);"
    "CREATE TABLE deny_list(one BIGINT PRIMARY KEY CHECK(one = 1), version BIGINT NOT NULL,"
    "  list BLOB NOT NULL);";

//  Version 3 knew one run of a state directory, which had neither name nor recipe, nor a table of
//  models.
static const char aside_3[] =
    "ALTER TABLE counter RENAME TO old_counter; ALTER TABLE run RENAME TO old_run;"
    "ALTER TABLE round RENAME TO old_round; ALTER TABLE receipt RENAME TO old_receipt;"
    "ALTER TABLE block_line RENAME TO old_block_line; ALTER TABLE fact RENAME TO old_fact;"
    "ALTER TABLE evidence RENAME TO old_evidence; ALTER TABLE token_use RENAME TO old_token_use;"
    "ALTER TABLE issued RENAME TO old_issued; ALTER TABLE lease RENAME TO old_lease;"
    "ALTER TABLE denied RENAME TO old_denied; ALTER TABLE deny_list RENAME TO old_deny_list;"
    "DROP INDEX issued_node;";

#define ROUND_3                                                                                    \
    "run, round, attempt, opened_at, closed_at, base, budget_ms, close, reason, model, "           \
    "model_bytes, duration_ms, weight, count, loss, accuracy, sum, samples, loss_sum, correct, "   \
    "evaluated, saturated, stale, train_ms, spare, invited, counted, late, absent, refused, "      \
    "samples_missing, samples_known, merge_ms, bytes_up, bytes_down, masked, recovered, aborted, " \
    "roll_dropped, masking"

static const char from_3[] =
    "INSERT INTO run SELECT number, run, 'run-' || CAST(number AS TEXT), 3, 0,"
    "  '" FL_RUN_OLD "', 0, begun_at, begun_at, 0, elements, model, model_bytes, '', NULL"
    "  FROM old_run;"
    "INSERT INTO model SELECT run, 1, 0, model, model_bytes FROM old_run;"
    "INSERT INTO model SELECT run, 2, round, model, model_bytes FROM old_round"
    "  WHERE model_bytes > 0;"
    "INSERT INTO round(seq, " ROUND_3 ") SELECT rowid, " ROUND_3 " FROM old_round;"
    "INSERT INTO receipt(run, round, attempt, line, node, parent, outcome, reason, staleness)"
    "  SELECT run, round, attempt, line, node, parent, outcome, reason, staleness FROM old_receipt;"
    "INSERT INTO block_line(run, round, attempt, line, parent, block, hop, reason, members, masked,"
    "  survivors) SELECT run, round, attempt, line, parent, block, hop, reason, members, masked,"
    "  survivors FROM old_block_line;"
    "INSERT INTO fact SELECT run, block, what, round, fact FROM old_fact;"
    "INSERT INTO evidence SELECT line, at, run, round, block, paper FROM old_evidence;"
    "INSERT INTO counter SELECT name, value FROM old_counter;"
    "INSERT INTO token_use SELECT token, count, revoked_at FROM old_token_use;"
    "INSERT INTO issued SELECT serial, node, role, certificate, issued_at FROM old_issued;"
    "INSERT INTO lease SELECT shard, node, shards FROM old_lease;"
    "INSERT INTO denied SELECT line, node, serial, lifted, at, why, NULL FROM old_denied;"
    "INSERT INTO deny_list SELECT 1, version, list FROM old_deny_list;"
    "DROP TABLE old_counter; DROP TABLE old_run; DROP TABLE old_round; DROP TABLE old_receipt;"
    "DROP TABLE old_block_line; DROP TABLE old_fact; DROP TABLE old_evidence;"
    "DROP TABLE old_token_use; DROP TABLE old_issued; DROP TABLE old_lease;"
    "DROP TABLE old_denied; DROP TABLE old_deny_list;";

static const char from_4[] = "ALTER TABLE round ADD COLUMN pin BIGINT;"
                             //  Events of the run that were given up, and the newest of them.
                             "ALTER TABLE run ADD COLUMN pruned BIGINT NOT NULL DEFAULT 0;"
                             "ALTER TABLE run ADD COLUMN pruned_to BIGINT NOT NULL DEFAULT 0;";

//  Rounds of older versions weighed by samples: 0. Below whom a node was enrolled; of those before,
//  where it was in its last round.
static const char from_5[] =
    "ALTER TABLE round ADD COLUMN weighting BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE issued ADD COLUMN home BLOB; CREATE INDEX receipt_node ON receipt(node);"
    "UPDATE issued SET home=(SELECT r.parent FROM receipt r JOIN round q ON q.run=r.run AND "
    "q.round=r.round AND q.attempt=r.attempt WHERE r.node=issued.node ORDER BY q.seq DESC LIMIT 1);"
    "DROP INDEX receipt_node;";

//  Whoever changes the schema adds a step from the present version and leaves those above alone.
const fl_sql_step fl_ledger_steps[FL_LEDGER_STEPS] = {
    { 0, 4, runs },
    { 0, 4, lines },
    { 2, 3, "ALTER TABLE token_use ADD COLUMN revoked_at INTEGER" },
    { 3, 4, aside_3 },
    { 3, 4, runs },
    { 3, 4, lines },
    { 3, 4, from_3 },
    { 4, 5, from_4 },
    { 5, 6, from_5 },
};
