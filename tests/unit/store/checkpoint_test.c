#include "common/store/checkpoint.h"

#include "tests/support/unit.h"

#include "common/crypto/hash.h"
#include "tests/support/ledger.h"

static fl_checkpoints *kept;
static const fl_run other = { { 7, 8, 8 } };

static int
s_begin(void **state)
{
    const fl_ledger_run asked[] = { { .run = run }, { .run = other } };
    int code = ledger_begin(state);
    for (unsigned i = 0; i < 2 && code == 0; i++) {
        uint64_t number = 0;
        code = fl_ledger_run_submit(ledger, &asked[i], fl_bytes_of("", 0), &number, &why) != FL_OK;
    }
    return code != 0 || fl_checkpoints_open(place_of("models"), ledger, &kept, &why) != FL_OK;
}

static int
s_end(void **state)
{
    fl_checkpoints_close(&kept);
    return ledger_end(state);
}

static void
s_reopen(void)
{
    fl_checkpoints_close(&kept);
    assert_int_equal(fl_checkpoints_open(place_of("models"), ledger, &kept, &why), FL_OK);
}

static bool best, stays; // of the next ones

//  The model that a round of a run made.
static fl_hash
s_save(const fl_run *of, uint64_t round, const char *model, const char *optimizer)
{
    fl_bytes bytes = fl_bytes_of(model, strlen(model));
    fl_hash hash = fl_hash_of(bytes);
    fl_bytes state = fl_bytes_of(optimizer, strlen(optimizer));
    fl_report report = { .run = *of, .round = round, .attempt = 1, .model = hash,
                         .best = best, .kept = stays };
    assert_int_equal(fl_checkpoints_save_optimizer(kept, of, &hash, state, &why), FL_OK);
    assert_int_equal(fl_checkpoints_save(kept, &hash, bytes, &why), FL_OK);
    assert_int_equal(fl_ledger_round_close(ledger, &report, bytes.size, &why), FL_OK);
    return hash;
}

//  `optimizer` NULL: none is expected.
static fl_status
s_load(const fl_run *of, const fl_hash *hash, const char *model, const char *optimizer)
{
    fl_blob *bytes = NULL, *state = NULL;
    fl_status status = fl_checkpoints_load(kept, hash, &bytes, &why);
    if (status == FL_OK) {
        assert_int_equal(fl_blob_size(bytes), strlen(model));
        assert_memory_equal(fl_blob_bytes(bytes).data, model, strlen(model));
        status = fl_checkpoints_load_optimizer(kept, of, hash, &state, &why);
        assert_int_equal(state == NULL, status != FL_OK || optimizer == NULL);
    }
    if (state != NULL) {
        assert_int_equal(fl_blob_size(state), strlen(optimizer));
        assert_memory_equal(fl_blob_bytes(state).data, optimizer, strlen(optimizer));
    }
    fl_blob_unref(&bytes);
    fl_blob_unref(&state);
    return status;
}

static void
a_model_comes_back_with_its_optimizer(void **state)
{
    (void)state;
    fl_hash a = s_save(&run, 1, "model a", "momentum a"), b = s_save(&run, 2, "model b", "");
    s_reopen();
    assert_int_equal(s_load(&run, &a, "model a", "momentum a"), FL_OK);
    assert_int_equal(s_load(&run, &b, "model b", NULL), FL_OK);
    fl_hash none = { { 1 } };
    assert_int_equal(s_load(&run, &none, "", NULL), FL_MISSING);
}

static void
an_optimizer_is_of_one_run(void **state)
{
    (void)state;
    fl_hash a = s_save(&run, 1, "the same", "momentum");
    assert_int_equal(s_load(&other, &a, "the same", NULL), FL_OK);
    (void)s_save(&other, 4, "the same", "another");
    assert_int_equal(s_load(&run, &a, "the same", "momentum"), FL_OK);
    assert_int_equal(s_load(&other, &a, "the same", "another"), FL_OK);
}

static void
of_each_run_the_newest_are_kept(void **state)
{
    (void)state;
    fl_hash first = s_save(&run, 1, "model 1", "x"), its = s_save(&other, 1, "of another", "y");
    fl_hash second = s_save(&run, 2, "model 2", "x"), third = s_save(&run, 5, "model 5", "x");
    fl_checkpoints_settle(kept, &run, 2);
    assert_int_equal(s_load(&run, &first, "model 1", "x"), FL_MISSING);
    assert_int_equal(s_load(&run, &second, "model 2", "x"), FL_OK);
    assert_int_equal(s_load(&run, &third, "model 5", "x"), FL_OK);
    assert_int_equal(s_load(&other, &its, "of another", "y"), FL_OK);
    fl_checkpoints_settle(kept, &run, 1); // fewer, when so configured
    assert_int_equal(s_load(&run, &second, "model 2", "x"), FL_MISSING);
    assert_int_equal(s_load(&run, &third, "model 5", "x"), FL_OK);
}

static void
a_file_that_two_runs_hold_outlives_the_first_that_gives_it_up(void **state)
{
    (void)state;
    fl_hash both = s_save(&run, 1, "the same", "x");
    (void)s_save(&other, 1, "the same", "y");
    (void)s_save(&run, 2, "model 2", "");
    fl_checkpoints_settle(kept, &run, 1);
    assert_int_equal(s_load(&other, &both, "the same", "y"), FL_OK);
    assert_int_equal(s_load(&run, &both, "the same", NULL), FL_OK); // its optimizer is gone
    (void)s_save(&other, 2, "model 3", "");
    fl_checkpoints_settle(kept, &other, 1);
    assert_int_equal(s_load(&other, &both, "the same", "y"), FL_MISSING);
}

static fl_hash
s_save_best(uint64_t round, const char *model, const char *optimizer)
{
    best = true;
    fl_hash hash = s_save(&run, round, model, optimizer);
    best = false;
    return hash;
}

static void
the_best_and_the_first_are_kept(void **state)
{
    (void)state;
    uint64_t round;
    fl_bytes bytes = fl_bytes_of("first", 5);
    fl_hash first = fl_hash_of(bytes);
    assert_int_equal(fl_checkpoints_save(kept, &first, bytes, &why), FL_OK);
    assert_int_equal(fl_ledger_run_begin(ledger, &run, 1, &first, 5, fl_bytes_of("m", 1), &why),
                     FL_OK);
    assert_int_equal(fl_ledger_model_newest(ledger, &run, FL_MODEL_BEST, &round, &why), FL_MISSING);
    fl_hash good = s_save_best(1, "good", "x");
    fl_hash worse = s_save(&run, 2, "worse", "y");
    (void)s_save(&run, 3, "worst", "");
    fl_checkpoints_settle(kept, &run, 1);
    assert_int_equal(s_load(&run, &good, "good", "x"), FL_OK);
    assert_int_equal(s_load(&run, &worse, "worse", "y"), FL_MISSING);
    fl_hash better = s_save_best(4, "better", "y");
    (void)s_save(&run, 5, "worse again", "");
    fl_checkpoints_settle(kept, &run, 1);
    s_reopen();
    assert_int_equal(s_load(&run, &good, "good", "x"), FL_MISSING);
    assert_int_equal(s_load(&run, &better, "better", "y"), FL_OK);
    assert_int_equal(s_load(&run, &first, "first", NULL), FL_OK);
    assert_int_equal(fl_ledger_model_newest(ledger, &run, FL_MODEL_BEST, &round, &why), FL_OK);
    assert_int_equal(round, 4);
}

static void
those_that_are_to_stay_do_whatever_comes(void **state)
{
    (void)state;
    stays = true;
    fl_hash first = s_save(&run, 1, "one", "x"), second = s_save(&run, 2, "two", "");
    stays = false;
    (void)s_save(&run, 3, "three", "");
    fl_checkpoints_settle(kept, &run, 1);
    s_reopen();
    assert_int_equal(s_load(&run, &first, "one", "x"), FL_OK);
    assert_int_equal(s_load(&run, &second, "two", NULL), FL_OK);
}

static void
a_start_removes_what_nobody_holds(void **state)
{
    (void)state;
    fl_hash held = s_save(&run, 1, "held", "x"), lost = fl_hash_of(fl_bytes_of("lost", 4));
    assert_int_equal(fl_checkpoints_save(kept, &lost, fl_bytes_of("lost", 4), &why), FL_OK);
    assert_int_equal(fl_checkpoints_save_optimizer(kept, &other, &held, fl_bytes_of("z", 1), &why),
                     FL_OK);
    place_write("models/junk.tmp-abcdef", "x", 1);
    place_write("models/README.safetensors", "x", 1);
    s_reopen();
    assert_int_not_equal(access(place_of("models/junk.tmp-abcdef"), F_OK), 0);
    assert_int_equal(access(place_of("models/README.safetensors"), F_OK), 0);
    assert_int_equal(s_load(&run, &lost, "lost", NULL), FL_MISSING);
    assert_int_equal(s_load(&run, &held, "held", "x"), FL_OK);
    assert_int_equal(s_load(&other, &held, "held", NULL), FL_OK);
}

//  The optimizer's file beside a model, as a program wrote it that knew one run.
static void
an_old_optimizer_becomes_its_runs(void **state)
{
    (void)state;
    char path[PATH_MAX], old[PATH_MAX];
    fl_hash a = s_save(&run, 1, "model a", "momentum");
    assert_true(fl_checkpoints_path(kept, &a, path, sizeof path));
    *strrchr(path, '.') = '\0';
    (void)snprintf(old, sizeof old, "%.*s.optimizer", PATH_MAX - 16, path);
    (void)snprintf(strrchr(path, '\0'), 48, ".07080900000000000000000000000000.optimizer");
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(s_load(&run, &a, "model a", NULL), FL_OK);
    s_reopen();
    assert_int_equal(s_load(&run, &a, "model a", "momentum"), FL_OK);
}

static void
s_damage(const fl_hash *hash, const char *suffix)
{
    char path[PATH_MAX];
    assert_true(fl_checkpoints_path(kept, hash, path, sizeof path));
    (void)snprintf(strrchr(path, '.'), 48, "%s", suffix);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fputc('X', file), 'X');
    assert_int_equal(fclose(file), 0);
}

static void
a_damaged_file_is_refused_by_name(void **state)
{
    (void)state;
    fl_hash a = s_save(&run, 1, "model a", "momentum"), b = s_save(&run, 2, "model b", "momentum");
    s_damage(&a, ".safetensors");
    assert_int_equal(s_load(&run, &a, "model a", "momentum"), FL_MISMATCH);
    assert_non_null(strstr(why.text, ".safetensors is damaged"));
    s_damage(&b, ".07080900000000000000000000000000.optimizer");
    assert_int_equal(s_load(&run, &b, "model b", "momentum"), FL_MISMATCH);
    assert_non_null(strstr(why.text, ".optimizer is damaged"));
}

static void
a_full_disk_is_said_and_loses_nothing(void **state)
{
    (void)state;
    static uint8_t much[1 << 20];
    fl_checkpoints_close(&kept);
    fl_ledger_close(&ledger);
    if (!place_on_disk("size=512k", false)) {
        skip();
    }
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
    assert_int_equal(fl_checkpoints_open(place_of("models"), ledger, &kept, &why), FL_OK);
    fl_hash a = s_save(&run, 1, "model a", "x");
    fl_bytes bytes = fl_bytes_of(much, sizeof much);
    fl_hash c = fl_hash_of(bytes);
    assert_int_equal(fl_checkpoints_save(kept, &c, bytes, &why), FL_FULL);
    assert_int_equal(fl_checkpoints_save_optimizer(kept, &run, &a, bytes, &why), FL_FULL);
    assert_int_equal(s_load(&run, &a, "model a", "x"), FL_OK);
    fl_checkpoints_close(&kept);
    fl_ledger_close(&ledger);
}

static void
a_directory_that_is_a_file_is_refused(void **state)
{
    (void)state;
    fl_checkpoints *none = NULL;
    place_write("file", "x", 1);
    assert_int_equal(fl_checkpoints_open(place_of("file"), ledger, &none, &why), FL_IO);
    assert_null(none);
}

static void
a_path_too_long_for_its_buffer_is_told(void **state)
{
    (void)state;
    char path[16];
    fl_hash hash = { { 0 } };
    assert_false(fl_checkpoints_path(kept, &hash, path, sizeof path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_model_comes_back_with_its_optimizer, s_begin, s_end),
        unit_case(an_optimizer_is_of_one_run, s_begin, s_end),
        unit_case(of_each_run_the_newest_are_kept, s_begin, s_end),
        unit_case(a_file_that_two_runs_hold_outlives_the_first_that_gives_it_up, s_begin, s_end),
        unit_case(the_best_and_the_first_are_kept, s_begin, s_end),
        unit_case(those_that_are_to_stay_do_whatever_comes, s_begin, s_end),
        unit_case(a_start_removes_what_nobody_holds, s_begin, s_end),
        unit_case(an_old_optimizer_becomes_its_runs, s_begin, s_end),
        unit_case(a_damaged_file_is_refused_by_name, s_begin, s_end),
        unit_case(a_full_disk_is_said_and_loses_nothing, s_begin, s_end),
        unit_case(a_directory_that_is_a_file_is_refused, s_begin, s_end),
        unit_case(a_path_too_long_for_its_buffer_is_told, s_begin, s_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
