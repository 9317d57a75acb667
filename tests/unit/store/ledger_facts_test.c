//  Facts of masked rounds in the ledger.
#include "common/store/ledger.h"

#include "tests/support/unit.h"

#include "tests/support/ledger.h"

#include <stdlib.h>
#include <string.h>

static const fl_run other_run = { { 7, 8, 8 } };

static void
s_put(const fl_run *of, uint64_t round, uint32_t block, fl_keep what, const char *text)
{
    const fl_ledger_fact fact = { .what = what, .run = *of, .round = round, .block = block,
                                  .bytes = fl_bytes_of(text, strlen(text)) };
    assert_int_equal(fl_ledger_fact_put(ledger, &fact, &why), FL_OK);
}

//  The facts of a round after a restart, joined by commas.
static const char *
s_facts(const fl_run *of, uint64_t round)
{
    static char text[256];
    size_t size = 0;
    fl_ledger_facts *facts = NULL;
    fl_ledger_close(&ledger);
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
    assert_int_equal(fl_ledger_facts_get(ledger, of, round, &facts, &why), FL_OK);
    for (uint32_t i = 0; i < facts->count; i++) {
        assert_true(size + facts->facts[i].size + 1 < sizeof text);
        memcpy(text + size, facts->facts[i].data, facts->facts[i].size);
        size += facts->facts[i].size;
        text[size++] = ',';
    }
    text[size] = '\0';
    fl_ledger_facts_destroy(&facts);
    assert_null(facts);
    return text;
}

static void
facts_come_back_by_block_and_in_the_order_in_which_they_were_said(void **state)
{
    (void)state;
    assert_string_equal(s_facts(&run, 4), "");
    s_put(&run, 4, 1, FL_KEEP_ROSTER, "roster-1");
    s_put(&run, 4, 0, FL_KEEP_ROSTER, "roster-0");
    s_put(&run, 4, 0, FL_KEEP_DEALT, "dealt-0");
    s_put(&run, 4, 0, FL_KEEP_MASKSET, "p-0");
    s_put(&run, 4, 0, FL_KEEP_SURVIVORS, "s-0");
    s_put(&run, 4, 0, FL_KEEP_ACKS, "acks-0");
    s_put(&run, 4, 1, FL_KEEP_DEALT, "dealt-1");
    assert_string_equal(s_facts(&run, 4),
                        "roster-0,dealt-0,p-0,s-0,acks-0,roster-1,dealt-1,");
    assert_string_equal(s_facts(&run, 3), "");
    assert_string_equal(s_facts(&other_run, 4), "");
}

static void
a_fact_replaces_its_like_and_what_followed_it(void **state)
{
    (void)state;
    s_put(&run, 4, 0, FL_KEEP_ROSTER, "roster");
    s_put(&run, 4, 0, FL_KEEP_DEALT, "dealt");
    s_put(&run, 4, 0, FL_KEEP_MASKSET, "p");
    s_put(&run, 4, 2, FL_KEEP_MASKSET, "other block");
    s_put(&run, 4, 0, FL_KEEP_DEALT, "dealt anew");
    assert_string_equal(s_facts(&run, 4), "roster,dealt anew,other block,");
}

static void
the_first_fact_of_another_round_forgets_those_before(void **state)
{
    (void)state;
    s_put(&run, 4, 0, FL_KEEP_ROSTER, "four");
    s_put(&run, 4, 1, FL_KEEP_ROSTER, "four, too");
    s_put(&run, 4, 1, FL_KEEP_DEALT, "dealt");
    s_put(&run, 5, 1, FL_KEEP_ROSTER, "five");
    assert_string_equal(s_facts(&run, 5), "four,four, too,five,"); // rosters may yet be asked for
    s_put(&run, 20, 1, FL_KEEP_ROSTER, "twenty");
    assert_string_equal(s_facts(&run, 20), "four,four, too,five,twenty,");
    s_put(&run, 21, 1, FL_KEEP_DEALT, "late");
    assert_string_equal(s_facts(&run, 21), "five,twenty,late,");
}

static void
a_fact_of_another_run_forgets_nothing_and_the_end_of_a_run_its_own(void **state)
{
    (void)state;
    s_put(&run, 5, 1, FL_KEEP_ROSTER, "five");
    s_put(&other_run, 5, 1, FL_KEEP_ROSTER, "of another run");
    s_put(&other_run, 6, 0, FL_KEEP_ROSTER, "its next round");
    assert_string_equal(s_facts(&run, 5), "five,");
    assert_string_equal(s_facts(&other_run, 5), "of another run,");
    assert_string_equal(s_facts(&other_run, 6), "of another run,its next round,");
    assert_int_equal(fl_ledger_facts_forget(ledger, &other_run, &why), FL_OK);
    assert_string_equal(s_facts(&run, 5), "five,");
    assert_string_equal(s_facts(&other_run, 6), "");
}

static void
one_sum_of_each_run_is_kept_and_goes_with_the_run(void **state)
{
    (void)state;
    enum { HEAD = 40 };
    uint8_t head[HEAD] = { 1 }, vector[] = { 1, 2, 3 };
    fl_ledger_facts *heads = NULL;
    fl_blob *back = NULL;
    for (uint8_t i = 0; i < 3; i++) { // the last two are of one run
        head[HEAD - 1] = vector[2] = i;
        assert_int_equal(fl_ledger_sum_put(ledger, i == 0 ? &run : &other_run,
                                           fl_bytes_of(head, HEAD), fl_bytes_of(vector, 3), &why),
                         FL_OK);
    }
    fl_ledger_close(&ledger);
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
    assert_int_equal(fl_ledger_sum_heads(ledger, &heads, &why), FL_OK);
    assert_int_equal(heads->count, 2);
    assert_int_equal(heads->facts[0].size, HEAD);
    assert_int_equal(heads->facts[0].data[HEAD - 1] + heads->facts[1].data[HEAD - 1], 2);
    fl_ledger_facts_destroy(&heads);
    assert_int_equal(fl_ledger_sum_get(ledger, &other_run, &back, &why), FL_OK);
    assert_int_equal(fl_blob_size(back), 3);
    assert_int_equal(fl_blob_bytes(back).data[2], 2);
    fl_blob_unref(&back);
    assert_int_equal(fl_ledger_facts_forget(ledger, &other_run, &why), FL_OK);
    assert_int_equal(fl_ledger_sum_get(ledger, &other_run, &back, &why), FL_OK);
    assert_null(back);
}

static void
a_long_fact_comes_back_to_the_last_byte(void **state)
{
    (void)state;
    enum { LONG = 700001 };
    uint8_t *bytes = malloc(LONG);
    assert_non_null(bytes);
    for (size_t i = 0; i < LONG; i++) {
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    }
    const fl_ledger_fact fact = { .what = FL_KEEP_DEALT, .run = run, .round = 1, .block = 63,
                                  .bytes = fl_bytes_of(bytes, LONG) };
    assert_int_equal(fl_ledger_fact_put(ledger, &fact, &why), FL_OK);
    fl_ledger_facts *facts = NULL;
    assert_int_equal(fl_ledger_facts_get(ledger, &run, 1, &facts, &why), FL_OK);
    assert_int_equal(facts->count, 1);
    assert_int_equal(facts->facts[0].size, LONG);
    assert_memory_equal(facts->facts[0].data, bytes, LONG);
    fl_ledger_facts_destroy(&facts);
    free(bytes);
}

static int
s_count_row(void *to, int columns, char **values, char **names)
{
    (void)columns;
    (void)names;
    *(int *)to = atoi(values[0]);
    return 0;
}

static void
evidence_stays_whatever_round_follows(void **state)
{
    (void)state;
    s_put(&run, 4, 0, FL_KEEP_EVIDENCE, "e lied");
    s_put(&run, 4, 0, FL_KEEP_EVIDENCE, "so did f");
    s_put(&run, 5, 0, FL_KEEP_ROSTER, "five");
    assert_string_equal(s_facts(&run, 4), ""); // it is no fact to go on from
    assert_string_equal(s_facts(&run, 5), "five,");
    sqlite3 *base = NULL;
    int count = 0;
    assert_int_equal(sqlite3_open(place_of("ledger"), &base), SQLITE_OK);
    static const char asked[] = "SELECT count(*) FROM evidence WHERE round=4 AND at>1600000000000 "
                                "AND cast(paper AS TEXT) IN ('e lied', 'so did f')";
    assert_int_equal(sqlite3_exec(base, asked, s_count_row, &count, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(base), SQLITE_OK);
    assert_int_equal(count, 2);
}

static void
a_ledger_that_cannot_be_written_says_so_and_keeps_what_it_had(void **state)
{
    (void)state;
    s_put(&run, 4, 0, FL_KEEP_ROSTER, "four");
    sqlite3 *base = NULL;
    assert_int_equal(sqlite3_open(place_of("ledger"), &base), SQLITE_OK);
    assert_int_equal(sqlite3_exec(base,
                                  "CREATE TRIGGER full BEFORE INSERT ON fact BEGIN "
                                  "SELECT RAISE(FAIL, 'full'); END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(base), SQLITE_OK);
    const fl_ledger_fact fact = { .what = FL_KEEP_ROSTER, .run = run, .round = 5,
                                  .bytes = fl_bytes_of("five", 4) };
    assert_int_not_equal(fl_ledger_fact_put(ledger, &fact, &why), FL_OK);
    assert_non_null(strstr(why.text, "full"));
    assert_string_equal(s_facts(&run, 4), "four,");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_begin, ledger_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(facts_come_back_by_block_and_in_the_order_in_which_they_were_said),
        TEST(a_fact_replaces_its_like_and_what_followed_it),
        TEST(the_first_fact_of_another_round_forgets_those_before),
        TEST(a_fact_of_another_run_forgets_nothing_and_the_end_of_a_run_its_own),
        TEST(one_sum_of_each_run_is_kept_and_goes_with_the_run),
        TEST(a_long_fact_comes_back_to_the_last_byte),
        TEST(evidence_stays_whatever_round_follows),
        TEST(a_ledger_that_cannot_be_written_says_so_and_keeps_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
