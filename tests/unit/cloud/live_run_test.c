//  A run that is opened, with a ledger and models on disk.
#include "cloud/live_run.h"

#include "cloud/settings.h"
#include "tests/support/unit.h"

#include "tests/support/ledger.h"

static void
a_run_without_a_recipe_never_goes_on_with_default_settings(void **state)
{
    (void)state;
    const fl_ledger_run about = { .run = run, .name = "run-1" };
    fl_checkpoints *checkpoints = NULL;
    fl_live_run *live = NULL;
    fl_conf *root = NULL;
    uint64_t number;
    static const char settings[] = "state: /tmp\nauthority: /tmp\n";
    assert_int_equal(fl_checkpoints_open(place_of("models"), ledger, &checkpoints, &why), FL_OK);
    assert_int_equal(fl_conf_of_text(&fl_root_program, "root",
                                     fl_bytes_of(settings, sizeof settings - 1), NULL, 0, &root,
                                     &why),
                     FL_OK);
    const fl_live_run_conf conf = { .ledger = ledger, .checkpoints = checkpoints, .root = root };
    assert_int_equal(fl_ledger_run_submit(ledger, &about, fl_bytes_of("", 0), &number, &why),
                     FL_OK);
    assert_int_equal(fl_live_run_open(&conf, &run, &live, &why), FL_MISMATCH);
    assert_string_equal(why.text, FL_RUN_OLD);
    assert_null(live);
    fl_conf_destroy(&root);
    fl_checkpoints_close(&checkpoints);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_run_without_a_recipe_never_goes_on_with_default_settings, ledger_begin,
                  ledger_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
