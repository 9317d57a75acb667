#include "common/store/ledger.h"

#include "tests/support/unit.h"

#include "tests/support/ledger.h"

#include <math.h>

//  Rows of a table, told apart by what stands behind its name.
static int
s_count(const char *table)
{
    char text[200];
    sqlite3 *base = NULL;
    sqlite3_stmt *rows = NULL;
    (void)snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(place_of("ledger"), &base), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(base, text, -1, &rows, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    int count = sqlite3_column_int(rows, 0);
    (void)sqlite3_finalize(rows);
    assert_int_equal(sqlite3_close(base), SQLITE_OK);
    return count;
}

static fl_report
s_report(uint64_t round, uint32_t attempt)
{
    static fl_roll_entry roll[2];
    roll[0] = (fl_roll_entry){ .outcome = FL_OUT_IN, .staleness = 1 };
    roll[1] = (fl_roll_entry){ .outcome = FL_OUT_LATE, .reason = FL_WHY_LATE };
    assert_true(fl_name_parse("d1", &roll[0].node) && fl_name_parse("e1", &roll[0].parent));
    assert_true(fl_name_parse("d2", &roll[1].node) && fl_name_parse("e1", &roll[1].parent));
    fl_report report = {
        .run = run,
        .round = round,
        .attempt = attempt,
        .close = FL_CLOSE_DONE,
        .reason = FL_WHY_NONE,
        .base = { { 1 } },
        .model = { { 2, (uint8_t)round } },
        .duration_ms = 1234,
        .budget_ms = 5000,
        .weight = UINT64_MAX - 3,
        .count = 1,
        .stats = { 1, 2, 3, 4, 5, 6, 7, UINT64_MAX },
        .loss = 0.5,
        .accuracy = (double)NAN,
        .sum = { { 3 } },
        .tally = { .invited = 2,
                   .in = 1,
                   .late = 1,
                   .absent = 4,
                   .refused = 5,
                   .samples_missing = 60,
                   .samples_known = 120,
                   .merge_ms = 9,
                   .bytes_up = 1ull << 40,
                   .bytes_down = 77,
                   .masked = 10,
                   .recovered = 11,
                   .aborted = 12 },
        .roll = roll,
        .roll_count = 2,
        .roll_dropped = 3,
        .order = fl_bytes_of("order", 5),
        .signature = fl_bytes_of("signature", 9),
        .settings = fl_bytes_of("settings", 8),
        .draw = 2,
    };
    return report;
}

static void
s_close(uint64_t round, uint32_t attempt, fl_close close)
{
    fl_report report = s_report(round, attempt);
    report.close = close;
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
    uint64_t bytes = close == FL_CLOSE_DONE ? 4096 + round : 0;
    assert_int_equal(fl_ledger_round_close(ledger, &report, bytes, &why), FL_OK);
}

static void
a_report_comes_back_whole_after_a_restart(void **state)
{
    (void)state;
    fl_report report = s_report(3, 2);
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
    assert_int_equal(fl_ledger_round_close(ledger, &report, 4096, &why), FL_OK);
    ledger_reopen();
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 3, &found, &why), FL_OK);
    const fl_report *r = &found->report;
    assert_true(found->closed && found->model_bytes == 4096);
    assert_true(found->opened_at > 1600000000000u && found->closed_at >= found->opened_at);
    assert_true(fl_run_equal(&r->run, &run) && r->round == 3 && r->attempt == 2);
    assert_true(r->close == FL_CLOSE_DONE && r->reason == FL_WHY_NONE);
    assert_true(fl_hash_equal(&r->base, &report.base) && fl_hash_equal(&r->model, &report.model));
    assert_true(fl_hash_equal(&r->sum, &report.sum));
    assert_true(r->duration_ms == 1234 && r->budget_ms == 5000);
    assert_true(r->weight == UINT64_MAX - 3 && r->count == 1);
    assert_memory_equal(r->stats, report.stats, sizeof report.stats);
    assert_true(r->loss > 0.49 && r->loss < 0.51 && isnan(r->accuracy));
    assert_true(r->tally.invited == 2 && r->tally.in == 1 && r->tally.late == 1);
    assert_true(r->tally.absent == 4 && r->tally.refused == 5 && r->tally.merge_ms == 9);
    assert_true(r->tally.samples_missing == 60 && r->tally.samples_known == 120);
    assert_true(r->tally.bytes_up == 1ull << 40 && r->tally.bytes_down == 77);
    assert_true(r->tally.masked == 10 && r->tally.recovered == 11 && r->tally.aborted == 12);
    assert_true(r->roll_count == 2 && r->roll_dropped == 3);
    for (int i = 0; i < 2; i++) {
        assert_true(fl_name_equal(&r->roll[i].node, &report.roll[i].node));
        assert_true(fl_name_equal(&r->roll[i].parent, &report.roll[i].parent));
        assert_int_equal(r->roll[i].outcome, report.roll[i].outcome);
        assert_int_equal(r->roll[i].reason, report.roll[i].reason);
        assert_int_equal(r->roll[i].staleness, report.roll[i].staleness);
    }
    fl_ledger_round_destroy(&found);
    assert_null(found);
}

static void
what_is_said_is_durable_before_it_is_sent(void **state)
{
    (void)state;
    fl_report report = s_report(3, 2), plain = s_report(3, 3);
    plain.order = plain.signature = plain.settings = fl_bytes_of(NULL, 0);
    plain.draw = 0;
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
    ledger_reopen();
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 3, &found, &why), FL_OK);
    const fl_report *r = &found->report;
    assert_true(r->order.size == 5 && r->signature.size == 9 && r->settings.size == 8);
    assert_memory_equal(r->order.data, "order", 5);
    assert_memory_equal(r->signature.data, "signature", 9);
    assert_memory_equal(r->settings.data, "settings", 8);
    assert_int_equal(r->draw, 2);
    fl_ledger_round_destroy(&found);
    assert_int_equal(fl_ledger_round_open(ledger, &plain, &why), FL_OK);
    assert_int_equal(fl_ledger_round_get(ledger, &run, 3, &found, &why), FL_OK);
    assert_true(found->report.order.size == 0 && found->report.draw == 0);
    fl_ledger_round_destroy(&found);
}

static void
an_attempt_opens_once_and_closes_once(void **state)
{
    (void)state;
    fl_report report = s_report(1, 1);
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_EXISTS);
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    report.weight = 1;
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_EXISTS);
    assert_non_null(strstr(why.text, "closed before"));
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 1, &found, &why), FL_OK);
    assert_true(found->report.weight == UINT64_MAX - 3); // the second close changed nothing
    assert_int_equal(found->report.roll_count, 2);
    fl_ledger_round_destroy(&found);
}

static void
a_close_that_fails_half_way_leaves_the_round_open(void **state)
{
    (void)state;
    fl_report report = s_report(1, 1);
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
    ledger_sql("INSERT INTO receipt SELECT run, round, attempt, 1, x'00', x'00', 0, 0, 0, 0, 0 "
               "FROM round");
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_EXISTS);
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 1, &found, &why), FL_OK);
    assert_false(found->closed);
    assert_int_equal(found->report.roll_count, 1); // only the planted one
    fl_ledger_round_destroy(&found);
    ledger_sql("DELETE FROM receipt");
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
}

static void
a_round_never_opened_is_recorded_all_the_same(void **state)
{
    (void)state;
    fl_report report = s_report(9, 1);
    report.roll_count = 0;
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 0, &found, &why), FL_OK);
    assert_true(found->closed && found->report.round == 9 && found->report.roll_count == 0);
    fl_ledger_round_destroy(&found);
}

static void
the_latest_closed_attempt_speaks_for_its_round(void **state)
{
    (void)state;
    s_close(1, 1, FL_CLOSE_SKIPPED);
    s_close(1, 2, FL_CLOSE_DONE);
    fl_report open = s_report(1, 3);
    assert_int_equal(fl_ledger_round_open(ledger, &open, &why), FL_OK);
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 1, &found, &why), FL_OK);
    assert_true(found->closed && found->report.attempt == 2);
    fl_ledger_round_destroy(&found);
    uint32_t attempts = 0;
    assert_int_equal(fl_ledger_attempts(ledger, &run, 1, &attempts, &why), FL_OK);
    assert_int_equal(attempts, 3);
    assert_int_equal(fl_ledger_attempts(ledger, &run, 2, &attempts, &why), FL_OK);
    assert_int_equal(attempts, 0);
    fl_run other = { { 1 } };
    assert_int_equal(fl_ledger_round_get(ledger, &other, 1, &found, &why), FL_MISSING);
    assert_int_equal(fl_ledger_round_get(ledger, &other, 0, &found, &why), FL_MISSING);
    assert_null(found);
}

static void
rounds_are_listed_from_where_one_asks(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 5; round++) {
        s_close(round, 1, FL_CLOSE_DONE);
    }
    s_close(4, 2, FL_CLOSE_SKIPPED);
    fl_report open = s_report(6, 1);
    assert_int_equal(fl_ledger_round_open(ledger, &open, &why), FL_OK);
    fl_ledger_round rounds[8];
    uint32_t count = 0;
    assert_int_equal(fl_ledger_rounds(ledger, &run, 3, 0, rounds, 8, &count, &why), FL_OK);
    assert_int_equal(count, 3);
    assert_int_equal(rounds[0].report.round, 3);
    assert_true(rounds[1].report.round == 4 && rounds[1].report.attempt == 2);
    assert_true(rounds[1].report.close == FL_CLOSE_SKIPPED);
    assert_int_equal(rounds[2].report.round, 5);
    assert_int_equal(fl_ledger_rounds(ledger, &run, 1, 0, rounds, 2, &count, &why), FL_OK);
    assert_int_equal(count, 2); // the newest
    assert_true(rounds[0].report.round == 4 && rounds[1].report.round == 5);
    assert_int_equal(fl_ledger_rounds(ledger, &run, 2, 4, rounds, 8, &count, &why), FL_OK);
    assert_int_equal(count, 2);
    assert_true(rounds[0].report.round == 2 && rounds[1].report.round == 3);
}

static fl_issued
s_issued(const char *name, uint64_t serial)
{
    fl_issued issued = {
        .serial = serial, .role = FL_ROLE_DEVICE, .certificate = { 1, 2, 3 }, .certificate_bytes = 3
    };
    assert_true(fl_name_parse(name, &issued.node));
    return issued;
}

static void
serial_numbers_are_never_given_twice(void **state)
{
    (void)state;
    uint64_t serial = 0;
    assert_int_equal(fl_ledger_serial_next(ledger, &serial, &why), FL_OK);
    assert_int_equal(serial, 1);
    ledger_reopen();
    assert_int_equal(fl_ledger_serial_next(ledger, &serial, &why), FL_OK);
    assert_int_equal(serial, 2);
    assert_int_equal(fl_ledger_serial_from(ledger, 1000, 7, &why), FL_OK);
    assert_int_equal(fl_ledger_serial_next(ledger, &serial, &why), FL_OK);
    assert_int_equal(serial, 1000);
    assert_int_equal(fl_ledger_serial_from(ledger, 5, 7, &why), FL_OK); // the clock went back
    assert_int_equal(fl_ledger_serial_next(ledger, &serial, &why), FL_OK);
    assert_int_equal(serial, 1008);
}

static void
a_token_is_used_up(void **state)
{
    (void)state;
    fl_bytes token = fl_bytes_of("token", 5);
    uint32_t uses = 9;
    bool gone;
    fl_issued first = s_issued("d1", 1), second = s_issued("d2", 2), third = s_issued("d3", 3);
    assert_int_equal(fl_ledger_issue(ledger, token, 2, &first, NULL, &why), FL_OK);
    assert_int_equal(fl_ledger_issue(ledger, token, 2, &first, NULL, &why), FL_EXISTS);
    assert_int_equal(fl_ledger_token_uses(ledger, token, &uses, &gone, &why), FL_OK);
    assert_int_equal(uses, 1); // what failed did not cost a use
    assert_int_equal(fl_ledger_issue(ledger, token, 2, &second, NULL, &why), FL_OK);
    assert_int_equal(fl_ledger_issue(ledger, token, 2, &third, NULL, &why), FL_FULL);
    assert_non_null(strstr(why.text, "used 2 times"));
    fl_issued found;
    assert_int_equal(fl_ledger_issued(ledger, &third.node, &found, &why), FL_MISSING);
    assert_int_equal(fl_ledger_issue(ledger, (fl_bytes){ 0 }, 0, &third, NULL, &why), FL_OK);
    assert_int_equal(fl_ledger_issued(ledger, &third.node, &found, &why), FL_OK);
}

static void
a_shard_is_one_nodes_for_good(void **state)
{
    (void)state;
    fl_lease lease = { .shards = 2 }, other = { .shards = 2 }, none = { .shards = 2 };
    fl_issued first = s_issued("d1", 1), second = s_issued("d2", 2), third = s_issued("d3", 3);
    uint32_t leased = 9, shards = 9;
    assert_int_equal(fl_ledger_leased(ledger, &leased, &shards, &why), FL_OK);
    assert_true(leased == 0 && shards == 0);
    assert_int_equal(fl_ledger_issue(ledger, (fl_bytes){ 0 }, 0, &first, &lease, &why), FL_OK);
    assert_int_equal(lease.shard, 0);
    assert_int_equal(fl_ledger_lease(ledger, &second.node, &other, &why), FL_OK);
    assert_int_equal(other.shard, 1);
    ledger_reopen();
    lease = (fl_lease){ .shards = 2 };
    assert_int_equal(fl_ledger_lease(ledger, &first.node, &lease, &why), FL_OK);
    assert_true(lease.shard == 0 && lease.shards == 2);
    assert_int_equal(fl_ledger_issue(ledger, (fl_bytes){ 0 }, 0, &third, &none, &why), FL_BUSY);
    assert_non_null(strstr(why.text, "all 2 shards"));
    fl_issued found; // nothing was recorded with it
    assert_int_equal(fl_ledger_issued(ledger, &third.node, &found, &why), FL_MISSING);
    assert_int_equal(fl_ledger_leased(ledger, &leased, &shards, &why), FL_OK);
    assert_true(leased == 2 && shards == 2);
}

static void
a_lease_out_of_another_number_is_refused_and_costs_no_token(void **state)
{
    (void)state;
    fl_bytes token = fl_bytes_of("token", 5);
    fl_lease lease = { .shards = 4 }, other = { .shards = 5 };
    fl_issued first = s_issued("d1", 1), second = s_issued("d2", 2);
    uint32_t uses = 0;
    bool gone;
    assert_int_equal(fl_ledger_issue(ledger, token, 2, &first, &lease, &why), FL_OK);
    assert_int_equal(fl_ledger_issue(ledger, token, 2, &second, &other, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "out of 4, not out of 5"));
    assert_int_equal(fl_ledger_token_uses(ledger, token, &uses, &gone, &why), FL_OK);
    assert_int_equal(uses, 1);
}

static void
the_newest_certificate_of_a_node_counts(void **state)
{
    (void)state;
    fl_issued old = s_issued("d1", 5), fresh = s_issued("d1", 6), found;
    fresh.certificate[0] = 9;
    assert_int_equal(fl_ledger_issue(ledger, (fl_bytes){ 0 }, 0, &old, NULL, &why), FL_OK);
    assert_int_equal(fl_ledger_issue(ledger, (fl_bytes){ 0 }, 0, &fresh, NULL, &why), FL_OK);
    assert_int_equal(fl_ledger_issued(ledger, &old.node, &found, &why), FL_OK);
    assert_true(found.serial == 6 && found.role == FL_ROLE_DEVICE);
    assert_int_equal(found.certificate_bytes, 3);
    assert_memory_equal(found.certificate, fresh.certificate, 3);
}

static void
a_deny_list_only_gets_newer(void **state)
{
    (void)state;
    uint64_t version = 9;
    fl_blob *list = NULL;
    assert_int_equal(fl_ledger_deny_get(ledger, &version, &list, &why), FL_OK);
    assert_true(version == 0 && list == NULL);
    fl_denied act = { .serial = 4, .reason = "lost" }, back = { .serial = 4, .lifted = true };
    assert_true(fl_name_parse("d1", &act.node) && fl_name_parse("d1", &back.node));
    assert_int_equal(fl_ledger_deny_put(ledger, 3, fl_bytes_of("three", 5), &act, &why), FL_OK);
    assert_int_equal(fl_ledger_deny_put(ledger, 3, fl_bytes_of("again", 5), &act, &why), FL_RANGE);
    assert_int_equal(fl_ledger_deny_put(ledger, 2, fl_bytes_of("two", 3), NULL, &why), FL_RANGE);
    assert_int_equal(fl_ledger_deny_put(ledger, 4, fl_bytes_of("four", 4), &back, &why), FL_OK);
    assert_int_equal(fl_ledger_deny_put(ledger, 5, fl_bytes_of("five", 4), NULL, &why), FL_OK);
    ledger_reopen();
    assert_int_equal(fl_ledger_deny_get(ledger, &version, &list, &why), FL_OK);
    assert_true(version == 5 && fl_blob_size(list) == 4);
    assert_memory_equal(fl_blob_bytes(list).data, "five", 4);
    fl_blob_unref(&list);
    assert_int_equal(s_count("denied"), 2);
    assert_int_equal(s_count("denied WHERE serial=4 AND substr(node,1,3)=x'643100' AND at > 0 "
                             "AND NOT lifted AND why='lost'"), 1);
}

static void
a_damaged_or_foreign_file_is_refused_by_name(void **state)
{
    (void)state;
    fl_ledger *none = NULL;
    char junk[8192];
    memset(junk, 'j', sizeof junk);
    place_write("junk", junk, sizeof junk);
    assert_int_equal(fl_ledger_open(place_of("junk"), &none, &why), FL_MALFORMED);
    assert_non_null(strstr(why.text, "/junk is damaged"));
    assert_null(none);
    ledger_sql("PRAGMA application_id=1");
    assert_int_equal(fl_ledger_open(place_of("ledger"), &none, &why), FL_MALFORMED);
    assert_non_null(strstr(why.text, "another program"));
}

static void
a_page_damaged_later_is_an_answer_and_not_a_crash(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 40; round++) {
        s_close(round, 1, FL_CLOSE_DONE);
    }
    fl_ledger_close(&ledger);
    FILE *file = fopen(place_of("ledger"), "r+b");
    assert_int_equal(fseek(file, 4096, SEEK_SET), 0);
    for (int i = 0; i < 250000; i++) {
        (void)fputc('j', file);
    }
    assert_int_equal(fclose(file), 0);
    fl_status status = fl_ledger_open(place_of("ledger"), &ledger, &why);
    if (status == FL_OK) {
        fl_report report = s_report(41, 1);
        status = fl_ledger_round_close(ledger, &report, 0, &why);
    }
    assert_int_equal(status, FL_MALFORMED);
}

static void
a_full_disk_is_said_and_loses_nothing(void **state)
{
    (void)state;
    fl_ledger_close(&ledger);
    if (!place_on_disk("size=512k", false)) {
        skip();
    }
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
    fl_status status = FL_OK;
    uint64_t round = 0;
    while (status == FL_OK && round < 10000) {
        fl_report report = s_report(++round, 1);
        status = fl_ledger_round_close(ledger, &report, 0, &why);
    }
    assert_int_equal(status, FL_FULL);
    assert_non_null(strstr(why.text, "no space left"));
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 0, &found, &why), FL_OK);
    assert_int_equal(found->report.round, round - 1);
    assert_int_equal(found->report.roll_count, 2);
    fl_ledger_round_destroy(&found);
    fl_ledger_close(&ledger);
}

static void
a_place_that_cannot_be_written_is_said(void **state)
{
    (void)state;
    fl_ledger *none = NULL;
    assert_int_equal(fl_ledger_open(place_of("no/ledger"), &none, &why), FL_MISSING);
    assert_int_equal(mkdir(place_of("dir"), 0700), 0);
    assert_int_not_equal(fl_ledger_open(place_of("dir"), &none, &why), FL_OK);
    fl_ledger_close(&ledger);
    if (!place_on_disk("size=64k", true)) {
        skip();
    }
    assert_int_equal(fl_ledger_open(place_of("ledger"), &none, &why), FL_DENIED);
    assert_non_null(strstr(why.text, "read-only"));
}

//  A child dies by SIGKILL between two closes; what it closed is there, what it opened is open.
static void
killed_in_mid_run_every_close_is_there(void **state)
{
    (void)state;
    fl_ledger_close(&ledger);
    pid_t child = fork();
    if (child == 0) {
        if (fl_ledger_open(place_of("ledger"), &ledger, &why) == FL_OK) {
            s_close(1, 1, FL_CLOSE_DONE);
            fl_report second = s_report(2, 1);
            if (fl_ledger_round_open(ledger, &second, &why) == FL_OK) {
                (void)raise(SIGKILL);
            }
        }
        _exit(1);
    }
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 1, &found, &why), FL_OK);
    assert_true(found->closed && found->report.roll_count == 2);
    fl_ledger_round_destroy(&found);
    assert_int_equal(fl_ledger_round_get(ledger, &run, 2, &found, &why), FL_OK);
    assert_false(found->closed);
    fl_ledger_round_destroy(&found);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_report_comes_back_whole_after_a_restart, ledger_begin, ledger_end),
        unit_case(what_is_said_is_durable_before_it_is_sent, ledger_begin, ledger_end),
        unit_case(an_attempt_opens_once_and_closes_once, ledger_begin, ledger_end),
        unit_case(a_close_that_fails_half_way_leaves_the_round_open, ledger_begin, ledger_end),
        unit_case(a_round_never_opened_is_recorded_all_the_same, ledger_begin, ledger_end),
        unit_case(the_latest_closed_attempt_speaks_for_its_round, ledger_begin, ledger_end),
        unit_case(rounds_are_listed_from_where_one_asks, ledger_begin, ledger_end),
        unit_case(serial_numbers_are_never_given_twice, ledger_begin, ledger_end),
        unit_case(a_token_is_used_up, ledger_begin, ledger_end),
        unit_case(a_shard_is_one_nodes_for_good, ledger_begin, ledger_end),
        unit_case(a_lease_out_of_another_number_is_refused_and_costs_no_token, ledger_begin,
                  ledger_end),
        unit_case(the_newest_certificate_of_a_node_counts, ledger_begin, ledger_end),
        unit_case(a_deny_list_only_gets_newer, ledger_begin, ledger_end),
        unit_case(a_damaged_or_foreign_file_is_refused_by_name, ledger_begin, ledger_end),
        unit_case(a_page_damaged_later_is_an_answer_and_not_a_crash, ledger_begin, ledger_end),
        unit_case(a_full_disk_is_said_and_loses_nothing, ledger_begin, ledger_end),
        unit_case(a_place_that_cannot_be_written_is_said, ledger_begin, ledger_end),
        unit_case(killed_in_mid_run_every_close_is_there, ledger_begin, ledger_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
