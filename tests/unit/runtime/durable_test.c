//  Where the facts of masked rounds go.
#include "common/runtime/durable.h"

#include "tests/support/unit.h"

#include <string.h>

#include "common/base/log.h"
#include "common/crypto/entropy.h"
#include "common/identity/state_dir.h"
#include "tests/support/place.h"

static fl_why why;
static fl_ledger *ledger;
static char logged[1024];

static void
s_sink(void *self, const char *line, size_t size)
{
    (void)self;
    size_t room = sizeof logged - 1;
    memcpy(logged, line, size < room ? size : room);
    logged[size < room ? size : room] = '\0';
}

static int
s_begin(void **state)
{
    const fl_log_conf log = { .tier = "test", .node = "t", .least = FL_LOG_INFO, .sink = s_sink };
    fl_log_setup(&log);
    logged[0] = '\0';
    int code = place_make(state);
    return code != 0 || fl_ledger_open(place_of("ledger"), &ledger, &why) != FL_OK;
}

static int
s_end(void **state)
{
    fl_ledger_close(&ledger);
    return place_end(state);
}

static fl_effect
s_effect(fl_keep what, const void *fact, size_t size)
{
    fl_effect effect = { .kind = FL_FX_KEEP };
    effect.keep.what = what;
    effect.keep.run.bytes[0] = 3;
    effect.keep.round = 9;
    effect.keep.block = 2;
    effect.keep.fact = fl_bytes_of(fact, size);
    return effect;
}

static void
a_mark_goes_into_its_file_and_comes_back(void **state)
{
    (void)state;
    const fl_durable durable = { .directory = place, .node = { "dev-1" } };
    fl_secagg_mark mark = { .round = 9 }, back;
    uint8_t bytes[FL_MARK_BYTES];
    fl_secagg_mark_encode(&mark, bytes);
    const fl_effect keep = s_effect(FL_KEEP_MARK, bytes, sizeof bytes);
    assert_true(fl_durable_keep(&durable, &keep));
    assert_int_equal(fl_state_dir_mark_load(place, &durable.node, &back, &why), FL_OK);
    assert_int_equal(back.round, 9);
}

static void
a_fact_goes_into_the_ledger_and_evidence_is_told(void **state)
{
    (void)state;
    const fl_durable durable = { .ledger = ledger };
    fl_effect keep = s_effect(FL_KEEP_ROSTER, "roster", 6);
    assert_true(fl_durable_keep(&durable, &keep));
    assert_string_equal(logged, "");
    fl_ledger_facts *facts = NULL;
    assert_int_equal(fl_ledger_facts_get(ledger, &keep.keep.run, 9, &facts, &why), FL_OK);
    assert_int_equal(facts->count, 1);
    assert_memory_equal(facts->facts[0].data, "roster", 6);
    fl_ledger_facts_destroy(&facts);
    keep = s_effect(FL_KEEP_EVIDENCE, "paper", 5);
    assert_true(fl_durable_keep(&durable, &keep));
    assert_non_null(strstr(logged, "id=evidence"));
    assert_non_null(strstr(logged, "round=9 block=2"));
}

static void
rounds_go_where_there_is_a_ledger(void **state)
{
    (void)state;
    fl_durable edge = { .ledger = ledger }, device = { .directory = place, .node = { "dev-1" } };
    const fl_report report = { .round = 9, .attempt = 1 };
    const fl_saver saver = fl_durable_saver(&edge);
    fl_ledger_round *round = NULL;
    assert_true(saver.save(saver.self, FL_SAVE_OPEN, &report));
    assert_true(saver.save(saver.self, FL_SAVE_CLOSE, &report));
    assert_int_equal(fl_ledger_round_get(ledger, &report.run, 9, &round, &why), FL_OK);
    assert_true(round->closed);
    fl_ledger_round_destroy(&round);
    assert_null(fl_durable_saver(&device).save);
}

static void
a_fact_that_cannot_be_stored_is_logged_and_not_durable(void **state)
{
    (void)state;
    const fl_durable durable = { .directory = place_of("nowhere") };
    uint8_t bytes[FL_MARK_BYTES] = { 0 };
    const fl_effect keep = s_effect(FL_KEEP_MARK, bytes, sizeof bytes);
    assert_false(fl_durable_keep(&durable, &keep));
    assert_non_null(strstr(logged, "id=not-saved"));
    assert_non_null(strstr(logged, "nowhere"));
}

static const fl_run past_run = { { 7 } };

static fl_hash
base_of(uint64_t round)
{
    fl_hash hash = { { (uint8_t)round, (uint8_t)(round >> 8), 1 } };
    return hash;
}

static void
close_rounds(uint64_t last)
{
    for (uint64_t round = 1; round <= last; round++) {
        fl_report report = { .run = past_run,
                             .round = round,
                             .attempt = 1,
                             .base = base_of(round),
                             .model = base_of(round + 1) };
        assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
        assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    }
}

static void
closed_rounds_come_back_with_the_model_that_they_began_with(void **state)
{
    (void)state;
    fl_past pasts[FL_PASTS_MAX];
    close_rounds(3);
    assert_int_equal(fl_durable_recall(ledger, &past_run, 3, pasts), 3);
    for (uint64_t i = 0; i < 3; i++) {
        fl_hash base = base_of(i + 1);
        assert_int_equal(pasts[i].round, i + 1);
        assert_true(fl_hash_equal(&pasts[i].model, &base));
    }
}

static void
of_many_rounds_the_newest_are_recalled(void **state)
{
    (void)state;
    fl_past pasts[FL_PASTS_MAX];
    close_rounds(FL_PASTS_MAX + 5);
    assert_int_equal(fl_durable_recall(ledger, &past_run, FL_PASTS_MAX + 5, pasts), FL_PASTS_MAX);
    assert_int_equal(pasts[0].round, 6);
    assert_int_equal(pasts[FL_PASTS_MAX - 1].round, FL_PASTS_MAX + 5);
}

static void
another_run_has_no_past(void **state)
{
    (void)state;
    fl_past pasts[FL_PASTS_MAX];
    const fl_run other = { { 8 } };
    close_rounds(2);
    assert_int_equal(fl_durable_recall(ledger, &other, 2, pasts), 0);
}

static void
who_was_in_the_newest_round_is_known_unless_it_cannot_be(void **state)
{
    (void)state;
    assert_null(fl_durable_members(ledger, &past_run));
    assert_string_equal(logged, ""); // there is none yet
    fl_roll_entry roll[] = { { .node = { "d1" }, .parent = { "e1" }, .outcome = FL_OUT_LATE },
                             { .node = { "d2" }, .parent = { "e1" }, .outcome = FL_OUT_COUNT } };
    for (uint32_t lines = 1; lines <= 2; lines++) {
        const fl_report report = {
            .run = past_run, .round = lines, .attempt = 1, .roll = roll, .roll_count = lines
        };
        assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
        fl_ledger_round *members = fl_durable_members(ledger, &past_run);
        assert_int_equal(members != NULL, lines == 1);
        if (members != NULL) {
            assert_int_equal(members->report.roll_count, 1);
            assert_string_equal(members->report.roll[0].node.name, "d1");
        }
        fl_ledger_round_destroy(&members);
    }
    assert_non_null(strstr(logged, "id=history-lost"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mark_goes_into_its_file_and_comes_back, s_begin, s_end),
        cmocka_unit_test_setup_teardown(a_fact_goes_into_the_ledger_and_evidence_is_told, s_begin,
                                        s_end),
        cmocka_unit_test_setup_teardown(rounds_go_where_there_is_a_ledger, s_begin, s_end),
        cmocka_unit_test_setup_teardown(a_fact_that_cannot_be_stored_is_logged_and_not_durable,
                                        s_begin, s_end),
        cmocka_unit_test_setup_teardown(closed_rounds_come_back_with_the_model_that_they_began_with,
                                        s_begin, s_end),
        cmocka_unit_test_setup_teardown(of_many_rounds_the_newest_are_recalled, s_begin, s_end),
        cmocka_unit_test_setup_teardown(another_run_has_no_past, s_begin, s_end),
        cmocka_unit_test_setup_teardown(who_was_in_the_newest_round_is_known_unless_it_cannot_be,
                                        s_begin, s_end),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
