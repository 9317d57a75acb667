#include "common/store/ledger.h"

#include "tests/support/unit.h"

#include "tests/support/ledger.h"

#include <string.h>

//  Three blocks of two edges, one of them not opened, and the root's.
static fl_report
s_report(uint64_t round, uint32_t attempt)
{
    static fl_block_line blocks[4];
    static const char *const parents[] = { "e1", "e1", "e2", "cloud" };
    const fl_block_line lines[] = {
        { .block = 0, .hop = 1, .members = 9, .masked = 8, .survivors = 6 },
        { .block = 1, .hop = 1, .reason = FL_WHY_CHECKSUM, .members = 5, .masked = 5 },
        { .block = 7, .hop = 1, .members = 4, .masked = 4, .survivors = 4 },
        { .block = 0, .hop = 2, .members = 3, .masked = 3, .survivors = 3 },
    };
    for (int i = 0; i < 4; i++) {
        blocks[i] = lines[i];
        assert_true(fl_name_parse(parents[i], &blocks[i].parent));
    }
    return (fl_report){ .run = run,
                        .round = round,
                        .attempt = attempt,
                        .tally = { .masked = 10 },
                        .masking = FL_MASKING_MALICIOUS,
                        .blocks = blocks,
                        .block_count = 4 };
}

static void
assert_hops_of_a_masked_report(const fl_ledger_hop hops[FL_LEDGER_HOPS])
{
    const fl_ledger_hop wanted[FL_LEDGER_HOPS] = {
        { .opened = 2,
          .members = 13,
          .masked = 12,
          .survivors = 10,
          .recovered = 2,
          .aborted_blocks = 1,
          .aborted = 5 },
        { .opened = 1, .members = 3, .masked = 3, .survivors = 3 },
    };
    assert_memory_equal(hops, wanted, sizeof wanted);
}

static void
the_blocks_of_a_masked_round_come_back_after_a_restart(void **state)
{
    (void)state;
    fl_report report = s_report(3, 1);
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    ledger_reopen();
    fl_ledger_round *found = NULL;
    assert_int_equal(fl_ledger_round_get(ledger, &run, 3, &found, &why), FL_OK);
    assert_int_equal(found->report.masking, FL_MASKING_MALICIOUS);
    assert_int_equal(found->report.block_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_memory_equal(&found->report.blocks[i], &report.blocks[i], sizeof(fl_block_line));
    }
    assert_hops_of_a_masked_report(found->hops);
    fl_ledger_round_destroy(&found);
    report = (fl_report){ .run = run, .round = 4, .attempt = 1 };
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    assert_int_equal(fl_ledger_round_get(ledger, &run, 4, &found, &why), FL_OK);
    assert_int_equal(found->report.masking, FL_MASKING_NONE);
    assert_int_equal(found->report.block_count, 0);
    fl_ledger_round_destroy(&found);
}

static void
listed_rounds_have_the_totals_of_their_own_attempt(void **state)
{
    (void)state;
    const fl_ledger_hop none[FL_LEDGER_HOPS] = { { 0 } };
    fl_report report = s_report(2, 1);
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    report = (fl_report){ .run = run, .round = 3, .attempt = 1 };
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    for (uint32_t attempt = 1; attempt <= 2; attempt++) { // the first one does not speak for it
        report = s_report(5, attempt);
        report.block_count = attempt == 1 ? 1 : 4;
        assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    }
    fl_ledger_round rounds[8];
    uint32_t count = 0;
    assert_int_equal(fl_ledger_rounds(ledger, &run, 1, 0, rounds, 8, &count, &why), FL_OK);
    assert_int_equal(count, 3);
    assert_hops_of_a_masked_report(rounds[0].hops);
    assert_memory_equal(rounds[1].hops, none, sizeof none);
    assert_hops_of_a_masked_report(rounds[2].hops);
    assert_int_equal(rounds[2].report.masking, FL_MASKING_MALICIOUS);
    assert_int_equal(rounds[2].report.tally.masked, 10);
    assert_int_equal(fl_ledger_rounds(ledger, &run, 6, 0, rounds, 8, &count, &why), FL_OK);
    assert_int_equal(count, 0);
}

static void
damaged_blocks_are_named_and_not_shown(void **state)
{
    (void)state;
    fl_report report = s_report(2, 1);
    assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    static const char *const damage[] = {
        "UPDATE block_line SET hop=3",
        "UPDATE block_line SET hop=1, masked=10 WHERE line=0",
        "UPDATE block_line SET masked=8, survivors=9 WHERE line=0",
    };
    for (unsigned i = 0; i < sizeof damage / sizeof *damage; i++) {
        ledger_sql(damage[i]);
        fl_ledger_round *found = NULL, rounds[2];
        uint32_t count = 0;
        assert_int_equal(fl_ledger_round_get(ledger, &run, 2, &found, &why), FL_MALFORMED);
        assert_non_null(strstr(why.text, "round 2"));
        assert_null(found);
        assert_int_equal(fl_ledger_rounds(ledger, &run, 1, 0, rounds, 2, &count, &why),
                         FL_MALFORMED);
    }
}

//  A hop that no wire line can have is our own mistake.
static void
s_add_to_no_hop(void)
{
    fl_ledger_hop hops[FL_LEDGER_HOPS] = { { 0 } };
    fl_ledger_hop_add(hops, &(fl_block_line){ .hop = 3 });
}

static void
a_block_of_no_hop_is_ours_and_panics(void **state)
{
    (void)state;
    assert_true(unit_dies(s_add_to_no_hop));
}

static void
blocks_that_cannot_be_kept_leave_the_round_open(void **state)
{
    (void)state;
    fl_report report = s_report(1, 1);
    ledger_sql("DROP TABLE block_line");
    assert_int_not_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    assert_non_null(strstr(why.text, "block_line"));
    uint32_t attempts = 9;
    assert_int_equal(fl_ledger_attempts(ledger, &run, 1, &attempts, &why), FL_OK);
    assert_int_equal(attempts, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(the_blocks_of_a_masked_round_come_back_after_a_restart, ledger_begin, ledger_end),
        unit_case(listed_rounds_have_the_totals_of_their_own_attempt, ledger_begin, ledger_end),
        unit_case(damaged_blocks_are_named_and_not_shown, ledger_begin, ledger_end),
        unit_case(blocks_that_cannot_be_kept_leave_the_round_open, ledger_begin, ledger_end),
        cmocka_unit_test(a_block_of_no_hop_is_ours_and_panics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
