//  A run that is opened, with a ledger and models on disk.
#include "cloud/live_run.h"

#include "cloud/settings.h"
#include "common/crypto/hash.h"
#include "common/model/safetensors.h"
#include "common/wire/manifest.h"
#include "tests/support/unit.h"

#include "tests/support/ledger.h"

//  Open a run of this recipe; what it knows is looked at by `look`, when it could be opened.
static fl_status
s_open(const char *recipe, void (*look)(fl_live_run *live))
{
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
    assert_int_equal(
        fl_ledger_run_submit(ledger, &about, fl_bytes_of(recipe, strlen(recipe)), &number, &why),
        FL_OK);
    fl_status status = fl_live_run_read(&conf, &run, &live, &why);
    assert_int_equal(live != NULL, status == FL_OK);
    if (live != NULL) {
        status = fl_live_run_open(live, &why);
    }
    if (status == FL_OK) {
        look(live);
    }
    fl_live_run_close(&live);
    fl_conf_destroy(&root);
    fl_checkpoints_close(&checkpoints);
    return status;
}

static void
a_run_without_a_recipe_never_goes_on_with_default_settings(void **state)
{
    (void)state;
    assert_int_equal(s_open("", NULL), FL_MISMATCH);
    assert_string_equal(why.text, FL_RUN_OLD);
}

//  Its first order names the tensors of the file, and the manifest that the ledger has.
static void
s_look_at_the_order(fl_live_run *live)
{
    uint8_t room[FL_PARTS_MADE_MAX];
    fl_root_conf root = { .rounds = 0 };
    fl_event start;
    fl_blob *model = NULL;
    fl_safetensors file;
    fl_live_run_start(live, &root, &start, &model);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(model), &file, &why), FL_OK);
    const fl_hash digest = fl_safetensors_digest(&file), whole = fl_hash_of(fl_blob_bytes(model));
    assert_true(fl_hash_equal(&start.start.tensors, &digest));
    assert_true(fl_hash_equal(&start.start.model, &whole));
    assert_false(fl_hash_equal(&whole, &digest));
    fl_blob_unref(&model);
    const fl_order order = { .plan = root.plan, .elements = start.start.elements };
    const fl_bytes manifest = fl_manifest_encode(&order, room);
    sqlite3 *base = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open(place_of("ledger"), &base), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(base, "SELECT manifest FROM run", -1, &row, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(row, 0), manifest.size);
    assert_memory_equal(sqlite3_column_blob(row, 0), manifest.data, manifest.size);
    (void)sqlite3_finalize(row);
    assert_int_equal(sqlite3_close(base), SQLITE_OK);
}

static void
a_run_begins_with_a_manifest_and_names_its_tensors(void **state)
{
    (void)state;
    assert_int_equal(s_open("model.elements: 5\nplan.pin: true\n", s_look_at_the_order), FL_OK);
}

//  A round of this run is opened; another run's is it for a child of that name.
static void
s_open_round(const fl_run *of, const char *on)
{
    char recipe[64];
    const int size = snprintf(recipe, sizeof recipe, "model.elements: 5\nround.on: %s\n", on);
    const fl_ledger_run about = { .run = *of, .name = { 'n', (char)of->bytes[0] } };
    const fl_report report = { .run = *of, .round = 1, .attempt = 1 };
    uint64_t number;
    if (!fl_run_equal(of, &run)) {
        assert_int_equal(
            fl_ledger_run_submit(ledger, &about, fl_bytes_of(recipe, (size_t)size), &number, &why),
            FL_OK);
    }
    assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
}

static bool
s_passed(fl_live_run *live)
{
    fl_root_conf root = { .rounds = 0 };
    fl_event start;
    fl_blob *model = NULL;
    assert_int_equal(fl_live_run_refresh(live, &why), FL_OK);
    fl_live_run_start(live, &root, &start, &model);
    fl_blob_unref(&model);
    return root.passed;
}

static void
s_look_at_what_passed(fl_live_run *live)
{
    s_open_round(&run, "");
    assert_false(s_passed(live));
    s_open_round(&(fl_run){ { 'a' } }, "e4, e5, e6");
    assert_false(s_passed(live)); // its own children have not forgotten
    s_open_round(&(fl_run){ { 'b' } }, "e2, e5, e6");
    assert_true(s_passed(live));
}

static void
a_round_is_passed_by_one_of_another_run_over_some_child_of_it(void **state)
{
    (void)state;
    assert_int_equal(s_open("model.elements: 5\nround.on: e1, e2, e3\n", s_look_at_what_passed),
                     FL_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_run_without_a_recipe_never_goes_on_with_default_settings, ledger_begin,
                  ledger_end),
        unit_case(a_run_begins_with_a_manifest_and_names_its_tensors, ledger_begin, ledger_end),
        unit_case(a_round_is_passed_by_one_of_another_run_over_some_child_of_it, ledger_begin,
                  ledger_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
