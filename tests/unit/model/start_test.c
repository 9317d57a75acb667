#include "common/model/start.h"

#include "tests/support/unit.h"

#include <string.h>

#include "common/model/network.h"

static void
a_fresh_network_is_a_file_of_its_initial_parameters(void **state)
{
    (void)state;
    const fl_shape shape = { .layers = 2, .size = { 6, 5, 3 } };
    fl_blob *blob = NULL, *again = NULL, *other = NULL;
    assert_int_equal(fl_start_network(&shape, 9, &blob, NULL), FL_OK);
    assert_int_equal(fl_start_network(&shape, 9, &again, NULL), FL_OK);
    assert_int_equal(fl_start_network(&shape, 8, &other, NULL), FL_OK);
    assert_memory_equal(fl_blob_data(blob), fl_blob_data(again), fl_blob_size(blob));
    assert_memory_not_equal(fl_blob_data(blob), fl_blob_data(other), fl_blob_size(blob));
    fl_safetensors file;
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
    float expect[53], got[53];
    assert_int_equal(file.elements, 53);
    fl_network_init(&shape, 9, expect);
    fl_safetensors_read(&file, 0, 53, got);
    assert_memory_equal(got, expect, sizeof got);
    fl_blob_unref(&blob);
    fl_blob_unref(&again);
    fl_blob_unref(&other);
}

static void
a_vector_is_one_tensor_of_zeros(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    assert_int_equal(fl_start_vector(1000, &blob, NULL), FL_OK);
    fl_safetensors file;
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
    assert_true(file.count == 1 && file.elements == 1000);
    assert_string_equal(file.tensor[0].name, "w");
    for (size_t i = 0; i < file.data.size; i++) {
        assert_int_equal(file.data.data[i], 0);
    }
    fl_blob_unref(&blob);
}

static void
a_vector_of_impossible_length_is_refused(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    fl_why why = { "" };
    assert_int_equal(fl_start_vector(0, &blob, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "0 elements"));
    assert_int_equal(fl_start_vector(UINT64_MAX, &blob, &why), FL_RANGE);
    assert_null(blob);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_network_is_a_file_of_its_initial_parameters),
        cmocka_unit_test(a_vector_is_one_tensor_of_zeros),
        cmocka_unit_test(a_vector_of_impossible_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
