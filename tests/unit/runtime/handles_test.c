#include "common/runtime/handles.h"

#include "tests/support/unit.h"

static fl_handles *handles;

static int
start(void **state)
{
    (void)state;
    handles = fl_handles_new();
    return handles == NULL;
}

static int
end(void **state)
{
    (void)state;
    fl_handles_destroy(&handles);
    return handles != NULL;
}

static fl_blob *
blob_of(uint8_t value)
{
    fl_blob *blob = fl_blob_new(4);
    fl_blob_data(blob)[0] = value;
    return blob;
}

static fl_vec
put(uint8_t value)
{
    fl_blob *blob = blob_of(value);
    fl_vec vec = fl_handles_put(handles, &blob);
    assert_null(blob);
    return vec;
}

static void
put_model(uint8_t number)
{
    const fl_hash hash = { { number } };
    fl_blob *blob = blob_of(number);
    fl_handles_put_model(handles, number >= 9, &hash, &blob);
    assert_null(blob);
}

static bool
holds_model(uint8_t number)
{
    const fl_hash hash = { { number } };
    fl_blob *blob = fl_handles_model(handles, &hash);
    return blob != NULL && fl_blob_data(blob)[0] == number;
}

static void
a_vector_is_found_by_its_number_until_it_is_dropped(void **state)
{
    (void)state;
    fl_vec first = put(1), second = put(2);
    assert_int_not_equal(first, 0);
    assert_int_not_equal(first, second);
    assert_int_equal(fl_blob_data(fl_handles_look(handles, first))[0], 1);
    assert_int_equal(fl_blob_data(fl_handles_look(handles, second))[0], 2);
    fl_handles_drop(handles, first);
    assert_null(fl_handles_look(handles, first));
    assert_true(put(3) > second); // a number is never given twice
}

static void
an_unknown_handle_finds_no_vector(void **state)
{
    (void)state;
    assert_null(fl_handles_look(handles, 0));
    assert_null(fl_handles_look(handles, 77));
}

static void
s_one_too_many(void)
{
    for (int i = 0; i <= FL_HANDLES_VECTORS_MAX; i++) {
        (void)put(0);
    }
}

static void
s_drop_twice(void)
{
    fl_vec vec = put(1);
    fl_handles_drop(handles, vec);
    fl_handles_drop(handles, vec);
}

static void
a_leak_and_a_double_drop_are_ours_and_panic(void **state)
{
    (void)state;
    assert_true(unit_dies(s_one_too_many));
    assert_true(unit_dies(s_drop_twice));
    for (int i = 0; i < FL_HANDLES_VECTORS_MAX; i++) {
        (void)put(0);
    }
}

static void
the_newest_model_is_kept(void **state)
{
    (void)state;
    const fl_hash nothing = { { 0 } };
    assert_null(fl_handles_model(handles, &nothing));
    assert_false(holds_model(1));
    put_model(1);
    assert_true(holds_model(1));
    put_model(9); // of the other track
    put_model(2);
    assert_false(holds_model(1));
    assert_true(holds_model(2));
    assert_true(holds_model(9));
}

static void
a_model_lives_as_long_as_a_job_that_reads_it(void **state)
{
    (void)state;
    const fl_hash first = { { 1 } };
    put_model(1);
    fl_blob *held = fl_blob_ref(fl_handles_model(handles, &first));
    put_model(2);
    put_model(2); // the same again
    assert_true(holds_model(2));
    assert_int_equal(fl_blob_data(held)[0], 1);
    fl_blob_unref(&held);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_vector_is_found_by_its_number_until_it_is_dropped, start, end),
        unit_case(an_unknown_handle_finds_no_vector, start, end),
        unit_case(a_leak_and_a_double_drop_are_ours_and_panic, start, end),
        unit_case(the_newest_model_is_kept, start, end),
        unit_case(a_model_lives_as_long_as_a_job_that_reads_it, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
