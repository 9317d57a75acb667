#include "common/store/checkpoint.h"

#include "tests/support/unit.h"

#include "common/crypto/hash.h"
#include "tests/support/place.h"

#include <time.h>

static fl_why why;
static fl_checkpoints *kept;

static int
s_begin(void **state)
{
    int code = place_make(state);
    return code != 0 || fl_checkpoints_open(place_of("models"), 2, &kept, &why) != FL_OK;
}

static int
s_end(void **state)
{
    fl_checkpoints_close(&kept);
    return place_end(state);
}

static fl_hash
s_save(const char *model, const char *optimizer)
{
    fl_bytes bytes = fl_bytes_of(model, strlen(model));
    fl_hash hash = fl_hash_of(bytes);
    assert_int_equal(
        fl_checkpoints_save(kept, &hash, bytes, fl_bytes_of(optimizer, strlen(optimizer)), &why),
        FL_OK);
    return hash;
}

static fl_status
s_load(const fl_hash *hash, const char *model, const char *optimizer)
{
    fl_blob *bytes = NULL, *state = NULL;
    fl_status status = fl_checkpoints_load(kept, hash, &bytes, &state, &why);
    if (status == FL_OK) {
        assert_int_equal(fl_blob_size(bytes), strlen(model));
        assert_memory_equal(fl_blob_bytes(bytes).data, model, strlen(model));
        assert_int_equal(state == NULL, optimizer == NULL);
    }
    if (state != NULL) {
        assert_int_equal(fl_blob_size(state), strlen(optimizer));
        assert_memory_equal(fl_blob_bytes(state).data, optimizer, strlen(optimizer));
    }
    assert_int_equal(bytes == NULL, status != FL_OK);
    fl_blob_unref(&bytes);
    fl_blob_unref(&state);
    return status;
}

static void
a_model_comes_back_with_its_optimizer(void **state)
{
    (void)state;
    fl_hash a = s_save("model a", "momentum a"), b = s_save("model b", "");
    assert_int_equal(s_load(&a, "model a", "momentum a"), FL_OK);
    assert_int_equal(s_load(&b, "model b", NULL), FL_OK);
    fl_blob *only = NULL;
    assert_int_equal(fl_checkpoints_load(kept, &a, &only, NULL, &why), FL_OK);
    fl_blob_unref(&only);
    fl_hash none = { { 1 } };
    assert_int_equal(s_load(&none, "", NULL), FL_MISSING);
}

static void
the_newest_are_kept_and_the_rest_forgotten(void **state)
{
    (void)state;
    fl_hash a = s_save("model a", "x"), b = s_save("model b", "y");
    (void)s_save("model a", "x"); // saved again: young again
    fl_hash c = s_save("model c", "z");
    assert_int_equal(s_load(&b, "model b", "y"), FL_MISSING);
    assert_int_equal(s_load(&a, "model a", "x"), FL_OK);
    assert_int_equal(s_load(&c, "model c", "z"), FL_OK);
}

//  Set the age of a model's file by hand: the clock of a disk is too coarse to wait for.
static void
s_set_age(const fl_hash *hash, time_t seconds)
{
    char path[PATH_MAX];
    assert_true(fl_checkpoints_path(kept, hash, path, sizeof path));
    struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
a_restart_knows_their_order(void **state)
{
    (void)state;
    fl_hash a = s_save("model a", ""), b = s_save("model b", "");
    s_set_age(&a, 2000);
    s_set_age(&b, 1000);
    place_write("models/junk.tmp-abcdef", "x", 1);
    place_write("models/README.safetensors", "x", 1);
    fl_checkpoints_close(&kept);
    assert_int_equal(fl_checkpoints_open(place_of("models"), 2, &kept, &why), FL_OK);
    assert_int_not_equal(access(place_of("models/junk.tmp-abcdef"), F_OK), 0);
    fl_hash c = s_save("model c", "");
    assert_int_equal(s_load(&b, "model b", NULL), FL_MISSING);
    assert_int_equal(s_load(&a, "model a", NULL), FL_OK);
    assert_int_equal(s_load(&c, "model c", NULL), FL_OK);
    assert_int_equal(access(place_of("models/README.safetensors"), F_OK), 0);
}

static void
fewer_are_kept_when_so_configured(void **state)
{
    (void)state;
    fl_checkpoints_close(&kept);
    assert_int_equal(fl_checkpoints_open(place_of("models"), 5, &kept, &why), FL_OK);
    fl_hash first = s_save("0", "");
    s_set_age(&first, 1);
    (void)s_save("1", "");
    (void)s_save("2", "");
    fl_checkpoints_close(&kept);
    assert_int_equal(fl_checkpoints_open(place_of("models"), 2, &kept, &why), FL_OK);
    assert_int_equal(s_load(&first, "0", NULL), FL_MISSING);
}

static void
s_damage(const fl_hash *hash, const char *suffix)
{
    char path[PATH_MAX];
    assert_true(fl_checkpoints_path(kept, hash, path, sizeof path));
    (void)snprintf(strrchr(path, '.'), 32, "%s", suffix);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fputc('X', file), 'X');
    assert_int_equal(fclose(file), 0);
}

static void
a_damaged_file_is_refused_by_name(void **state)
{
    (void)state;
    fl_hash a = s_save("model a", "momentum"), b = s_save("model b", "momentum");
    s_damage(&a, ".safetensors");
    assert_int_equal(s_load(&a, "model a", "momentum"), FL_MISMATCH);
    assert_non_null(strstr(why.text, ".safetensors is damaged"));
    s_damage(&b, ".optimizer");
    assert_int_equal(s_load(&b, "model b", "momentum"), FL_MISMATCH);
    assert_non_null(strstr(why.text, ".optimizer is damaged"));
}

static void
a_full_disk_forgets_nothing(void **state)
{
    (void)state;
    static uint8_t much[1 << 20];
    fl_checkpoints_close(&kept);
    if (!place_on_disk("size=256k", false)) {
        skip();
    }
    assert_int_equal(fl_checkpoints_open(place_of("models"), 2, &kept, &why), FL_OK);
    fl_hash a = s_save("model a", "x"), b = s_save("model b", "y");
    fl_bytes bytes = fl_bytes_of(much, sizeof much);
    fl_hash c = fl_hash_of(bytes);
    assert_int_equal(fl_checkpoints_save(kept, &c, bytes, (fl_bytes){ 0 }, &why), FL_FULL);
    assert_int_equal(fl_checkpoints_save(kept, &c, bytes, bytes, &why), FL_FULL);
    assert_int_equal(s_load(&a, "model a", "x"), FL_OK);
    assert_int_equal(s_load(&b, "model b", "y"), FL_OK);
}

static void
a_directory_that_is_a_file_is_refused(void **state)
{
    (void)state;
    fl_checkpoints *none = NULL;
    place_write("file", "x", 1);
    assert_int_equal(fl_checkpoints_open(place_of("file"), 2, &none, &why), FL_IO);
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
        cmocka_unit_test_setup_teardown(a_model_comes_back_with_its_optimizer, s_begin, s_end),
        cmocka_unit_test_setup_teardown(the_newest_are_kept_and_the_rest_forgotten, s_begin, s_end),
        cmocka_unit_test_setup_teardown(a_restart_knows_their_order, s_begin, s_end),
        cmocka_unit_test_setup_teardown(fewer_are_kept_when_so_configured, s_begin, s_end),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_refused_by_name, s_begin, s_end),
        cmocka_unit_test_setup_teardown(a_full_disk_forgets_nothing, s_begin, s_end),
        cmocka_unit_test_setup_teardown(a_directory_that_is_a_file_is_refused, s_begin, s_end),
        cmocka_unit_test_setup_teardown(a_path_too_long_for_its_buffer_is_told, s_begin, s_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
