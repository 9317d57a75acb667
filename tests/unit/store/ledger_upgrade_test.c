//  Ledgers of older programs, made with the schema that those had, are brought up.
#include "common/store/ledger_inside.h"

#include "tests/support/unit.h"

#include "tests/support/ledger.h"

#include <string.h>

//  As a program of version 3 wrote it. Never changed.
static const char schema_3[] =
    "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE run(number INTEGER PRIMARY KEY, run BLOB NOT NULL UNIQUE,"
    "  begun_at INTEGER NOT NULL, elements INTEGER NOT NULL, model BLOB NOT NULL,"
    "  model_bytes INTEGER NOT NULL);"
    "CREATE TABLE round(run BLOB NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  opened_at INTEGER NOT NULL, closed_at INTEGER, base BLOB NOT NULL,"
    "  budget_ms INTEGER NOT NULL, close INTEGER, reason INTEGER, model BLOB,"
    "  model_bytes INTEGER, duration_ms INTEGER, weight INTEGER, count INTEGER, loss REAL,"
    "  accuracy REAL, sum BLOB, samples INTEGER, loss_sum INTEGER, correct INTEGER,"
    "  evaluated INTEGER, saturated INTEGER, stale INTEGER, train_ms INTEGER, spare INTEGER,"
    "  invited INTEGER, counted INTEGER, late INTEGER, absent INTEGER, refused INTEGER,"
    "  samples_missing INTEGER, samples_known INTEGER, merge_ms INTEGER, bytes_up INTEGER,"
    "  bytes_down INTEGER, masked INTEGER, recovered INTEGER, aborted INTEGER,"
    "  roll_dropped INTEGER, masking INTEGER, PRIMARY KEY(run, round, attempt));"
    "CREATE TABLE receipt(run BLOB NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  line INTEGER NOT NULL, node BLOB NOT NULL, parent BLOB NOT NULL, outcome INTEGER NOT NULL,"
    "  reason INTEGER NOT NULL, staleness INTEGER NOT NULL,"
    "  PRIMARY KEY(run, round, attempt, line)) WITHOUT ROWID;"
    "CREATE TABLE block_line(run BLOB NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  line INTEGER NOT NULL, parent BLOB NOT NULL, block INTEGER NOT NULL, hop INTEGER NOT NULL,"
    "  reason INTEGER NOT NULL, members INTEGER NOT NULL, masked INTEGER NOT NULL,"
    "  survivors INTEGER NOT NULL, PRIMARY KEY(run, round, attempt, line)) WITHOUT ROWID;"
    "CREATE TABLE fact(block INTEGER NOT NULL, what INTEGER NOT NULL, run BLOB NOT NULL,"
    "  round INTEGER NOT NULL, fact BLOB NOT NULL, PRIMARY KEY(block, what));"
    "CREATE TABLE evidence(line INTEGER PRIMARY KEY, at INTEGER NOT NULL, run BLOB NOT NULL,"
    "  round INTEGER NOT NULL, block INTEGER NOT NULL, paper BLOB NOT NULL);"
    "CREATE TABLE token_use(token BLOB PRIMARY KEY, count INTEGER NOT NULL, revoked_at INTEGER)"
    "  WITHOUT ROWID;"
    "CREATE TABLE issued(serial INTEGER PRIMARY KEY, node BLOB NOT NULL, role INTEGER NOT NULL,"
    "  certificate BLOB NOT NULL, issued_at INTEGER NOT NULL);"
    "CREATE INDEX issued_node ON issued(node);"
    "CREATE TABLE lease(shard INTEGER PRIMARY KEY, node BLOB NOT NULL UNIQUE,"
    "  shards INTEGER NOT NULL);"
    "CREATE TABLE denied(line INTEGER PRIMARY KEY, node BLOB NOT NULL, serial INTEGER NOT NULL,"
    "  lifted INTEGER NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL);"
    "CREATE TABLE deny_list(only INTEGER PRIMARY KEY CHECK(only = 1), version INTEGER NOT NULL,"
    "  list BLOB NOT NULL);";

//  Version 2 could not revoke a token.
static const char token_use_2[] =
    "DROP TABLE token_use;"
    "CREATE TABLE token_use(token BLOB PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;";

//  What it knew: a run of three rounds, the third open, and an identity.
static const char rows_3[] =
    "INSERT INTO counter VALUES('serial', 12);"
    "INSERT INTO run VALUES(1, x'07080900000000000000000000000000', 1700000000000, 10, x'2a', 99);"
    "INSERT INTO round(run, round, attempt, opened_at, closed_at, base, budget_ms, close, model, "
    "  model_bytes, weight, loss, masking) VALUES"
    "  (x'07080900000000000000000000000000', 1, 1, 5, 6, x'2a', 7, 0, x'0101', 4097, -4, 0.5, 1),"
    "  (x'07080900000000000000000000000000', 2, 1, 6, 7, x'0101', 7, 1, x'0101', 0, 1, NULL, 1);"
    "INSERT INTO round(run, round, attempt, opened_at, base, budget_ms) VALUES"
    "  (x'07080900000000000000000000000000', 3, 2, 8, x'0101', 7);"
    "INSERT INTO receipt VALUES(x'07080900000000000000000000000000', 1, 1, 0, x'6431', x'6531', "
    "  1, 0, 2);"
    "INSERT INTO block_line VALUES(x'07080900000000000000000000000000', 1, 1, 0, x'6531', 3, 1, 0, "
    "  5, 5, 4);"
    "INSERT INTO fact VALUES(0, 1, x'07080900000000000000000000000000', 3, x'726f73746572');"
    "INSERT INTO evidence VALUES(1, 9, x'07080900000000000000000000000000', 1, 0, x'70');"
    "INSERT INTO token_use(token, count) VALUES(x'746f6b656e', 7);"
    "INSERT INTO issued VALUES(12, x'64310000000000000000000000000000', 1, x'0102', 8);"
    "INSERT INTO lease VALUES(0, x'64310000000000000000000000000000', 4);"
    "INSERT INTO denied VALUES(1, x'6432', 4, 0, 9, 'lost');"
    "INSERT INTO deny_list VALUES(1, 3, x'6c697374');";

//  Versions 4 and 5 of it are what the steps up to there make of version 3.
static void
s_make(uint32_t version)
{
    fl_sql *sql = NULL;
    char mark[96];
    fl_ledger_close(&ledger);
    assert_int_equal(unlink(place_of("ledger")), 0);
    ledger_sql(schema_3);
    if (version == 2) {
        ledger_sql(token_use_2);
    }
    ledger_sql(rows_3);
    (void)snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%u",
                   0x544c4c47, version < 4 ? version : 3);
    ledger_sql(mark);
    if (version >= 4) {
        assert_int_equal(fl_sql_open(place_of("ledger"), fl_ledger_steps,
                                     FL_LEDGER_STEPS - 6 + version, &sql, &why),
                         FL_OK);
        fl_sql_close(&sql);
    }
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
}

static void
s_expect_rounds(void)
{
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 1, &found, &why), FL_OK);
    const fl_report *report = &found->report;
    assert_true(found->closed && found->opened_at == 5 && found->closed_at == 6);
    assert_true(report->weight == UINT64_MAX - 3 && report->loss > 0.49 && report->loss < 0.51);
    assert_true(report->masking == 1 && report->budget_ms == 7 && report->order.size == 0);
    assert_false(report->pin);
    assert_true(report->roll_count == 1 && report->block_count == 1);
    assert_string_equal(report->roll[0].node.name, "d1");
    assert_true(report->roll[0].outcome == 1 && report->roll[0].staleness == 2);
    assert_true(report->blocks[0].block == 3 && report->blocks[0].survivors == 4);
    fl_ledger_round_destroy(&found);
    fl_ledger_facts *facts = NULL;
    assert_int_equal(fl_ledger_facts_get(ledger, &run, 3, &facts, &why), FL_OK);
    assert_int_equal(facts->count, 1);
    assert_memory_equal(facts->facts[0].data, "roster", 6);
    fl_ledger_facts_destroy(&facts);
}

static void
s_expect_identity(void)
{
    uint64_t serial = 0, version = 0;
    uint32_t uses = 0, leased = 0, shards = 0;
    bool revoked = true;
    fl_issued issued = { .serial = 0 };
    fl_name node;
    fl_blob *list = NULL;
    assert_true(fl_name_parse("d1", &node));
    assert_int_equal(fl_ledger_serial_next(ledger, &serial, &why), FL_OK);
    assert_int_equal(serial, 13);
    assert_int_equal(fl_ledger_issued(ledger, &node, &issued, &why), FL_OK);
    assert_true(issued.serial == 12 && issued.certificate_bytes == 2);
    assert_int_equal(fl_ledger_leased(ledger, &leased, &shards, &why), FL_OK);
    assert_true(leased == 1 && shards == 4);
    assert_int_equal(fl_ledger_deny_get(ledger, &version, &list, &why), FL_OK);
    assert_true(version == 3 && fl_blob_size(list) == 4);
    fl_blob_unref(&list);
    const fl_bytes token = fl_bytes_of("token", 5);
    assert_int_equal(fl_ledger_token_uses(ledger, token, &uses, &revoked, &why), FL_OK);
    assert_true(uses == 7 && !revoked);
    assert_int_equal(fl_ledger_token_revoke(ledger, token, &why), FL_OK);
    assert_int_equal(fl_ledger_token_uses(ledger, token, &uses, &revoked, &why), FL_OK);
    assert_true(uses == 7 && revoked);
}

static void
s_expect_run(void)
{
    fl_ledger_resume resume;
    assert_int_equal(fl_ledger_resume_get(ledger, &run, &resume, &why), FL_OK);
    assert_true(resume.run.number == 1 && resume.run.state == FL_RUN_PAUSED);
    assert_string_equal(resume.run.text, FL_RUN_OLD);
    assert_string_equal(resume.run.name, "run-1");
    assert_true(resume.run.begun_at == 1700000000000u && resume.run.elements == 10);
    assert_true(resume.round == 3 && resume.attempt == 2 && resume.run.model_bytes == 4097);
    assert_true(resume.run.model.bytes[0] == 1 && resume.run.model.bytes[1] == 1);
    fl_run newest;
    uint64_t round = 0;
    uint32_t attempt = 0;
    assert_int_equal(fl_ledger_newest(ledger, &newest, &round, &attempt, &why), FL_OK);
    assert_true(fl_run_equal(&newest, &run) && round == 3 && attempt == 2);
    fl_report report = { .run = run, .round = 3, .attempt = 3 };
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
}

static void
an_old_ledger_is_brought_up_and_keeps_what_it_knew(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 5; version++) {
        s_make(version);
        s_expect_rounds();
        s_expect_identity();
        s_expect_run();
        ledger_sql("CREATE TABLE old_run(x)"); // nothing of the old tables is left
    }
}

//  The text of every table and index, in the order of their names.
static const char *
s_shape(void)
{
    static char shape[16 * 1024];
    sqlite3 *base = NULL;
    sqlite3_stmt *rows = NULL;
    size_t size = 0;
    assert_int_equal(sqlite3_open(place_of("ledger"), &base), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(base,
                                        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL "
                                        "ORDER BY name",
                                        -1, &rows, NULL),
                     SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW && size < sizeof shape) {
        size += (size_t)snprintf(shape + size, sizeof shape - size, "%s;",
                                 (const char *)sqlite3_column_text(rows, 0));
    }
    (void)sqlite3_finalize(rows);
    assert_int_equal(sqlite3_close(base), SQLITE_OK);
    assert_true(size > 4000 && size < sizeof shape);
    return shape;
}

static void
an_old_ledger_becomes_what_a_new_one_is(void **state)
{
    (void)state;
    char fresh[16 * 1024];
    (void)snprintf(fresh, sizeof fresh, "%s", s_shape());
    for (uint32_t version = 2; version <= 5; version++) {
        s_make(version);
        assert_string_equal(s_shape(), fresh);
    }
}

static void
a_step_that_fails_half_way_leaves_the_old_ledger(void **state)
{
    (void)state;
    fl_ledger *none = NULL;
    fl_ledger_close(&ledger);
    assert_int_equal(unlink(place_of("ledger")), 0);
    ledger_sql(schema_3);
    ledger_sql("PRAGMA application_id=1414286407; PRAGMA user_version=3; CREATE TABLE event(x)");
    assert_int_not_equal(fl_ledger_open(place_of("ledger"), &none, &why), FL_OK);
    assert_non_null(strstr(why.text, "event"));
    ledger_sql("DROP TABLE event");
    ledger_sql(rows_3);
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
    s_expect_run();
}

static void
a_newer_ledger_and_one_too_old_are_refused(void **state)
{
    (void)state;
    fl_ledger *none = NULL;
    ledger_sql("PRAGMA user_version=7");
    assert_int_equal(fl_ledger_open(place_of("ledger"), &none, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "version 7, this program knows up to 6"));
    ledger_sql("PRAGMA user_version=1");
    assert_int_equal(fl_ledger_open(place_of("ledger"), &none, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "version 1, this program writes 6"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(an_old_ledger_is_brought_up_and_keeps_what_it_knew, ledger_begin, ledger_end),
        unit_case(an_old_ledger_becomes_what_a_new_one_is, ledger_begin, ledger_end),
        unit_case(a_step_that_fails_half_way_leaves_the_old_ledger, ledger_begin, ledger_end),
        unit_case(a_newer_ledger_and_one_too_old_are_refused, ledger_begin, ledger_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
