#include "common/model/start.h"

#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/model/network.h"

static void
a_fresh_network_is_a_file_of_its_initial_parameters(void **state)
{
    (void)state;
    const fl_shape deep = { .layers = 2, .size = { 6, 5, 3 } };
    fl_blob *blob = NULL, *again = NULL, *other = NULL;
    assert_int_equal(fl_start_network(&deep, 9, &blob, NULL), FL_OK);
    assert_int_equal(fl_start_network(&deep, 9, &again, NULL), FL_OK);
    assert_int_equal(fl_start_network(&deep, 8, &other, NULL), FL_OK);
    assert_memory_equal(fl_blob_data(blob), fl_blob_data(again), fl_blob_size(blob));
    assert_memory_not_equal(fl_blob_data(blob), fl_blob_data(other), fl_blob_size(blob));
    fl_safetensors file;
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
    float expect[53], got[53];
    assert_int_equal(file.elements, 53);
    fl_network_init(&deep, 9, expect);
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

static const fl_shape shape = { .layers = 1, .size = { 2, 3 } };

//  A file with these tensors, all values 1 but the first, which is `first`; then a model of it.
static fl_status
s_weights(const fl_tensor *tensors, uint32_t count, float first, fl_blob **model, fl_why *why)
{
    float values[32] = { first };
    fl_blob *file = NULL;
    for (size_t i = 1; i < sizeof values / sizeof *values; i++) {
        values[i] = 1;
    }
    assert_int_equal(fl_safetensors_save(tensors, count, NULL, 0, values, &file), FL_OK);
    fl_status status = fl_start_weights(&shape, fl_blob_bytes(file), model, why);
    fl_blob_unref(&file);
    return status;
}

#define BIAS { .name = "layer0.bias", .rank = 1, .shape = { 3 } }
#define WEIGHT { .name = "layer0.weight", .rank = 2, .shape = { 3, 2 } }

static void
weights_are_taken_by_name_in_any_order(void **state)
{
    (void)state;
    const fl_tensor turned[] = { WEIGHT, BIAS };
    fl_blob *model = NULL, *again = NULL;
    fl_safetensors file;
    fl_why why = { "" };
    float got[9];
    assert_int_equal(s_weights(turned, 2, 7, &model, &why), FL_OK);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(model), &file, &why), FL_OK);
    assert_int_equal(fl_shape_check(&shape, &file, &why), FL_OK);
    fl_safetensors_read(&file, 0, 9, got);
    for (int i = 0; i < 9; i++) {
        assert_true(got[i] == (i == 3 ? 7 : 1)); // behind the three of the bias
    }
    //  A model is its own start, byte for byte.
    assert_int_equal(fl_start_weights(&shape, fl_blob_bytes(model), &again, &why), FL_OK);
    assert_int_equal(fl_blob_size(again), fl_blob_size(model));
    assert_memory_equal(fl_blob_data(again), fl_blob_data(model), fl_blob_size(model));
    fl_blob_unref(&model);
    fl_blob_unref(&again);
}

static void
weights_of_another_network_are_refused_by_tensor(void **state)
{
    (void)state;
    static const struct {
        fl_tensor tensors[3];
        uint32_t count;
        float first;
        const char *said;
    } rows[] = {
        { { BIAS }, 1, 1, "no layer0.weight, the model needs it as (3,2)" },
        { { BIAS, WEIGHT, { .name = "layer1.bias", .rank = 1, .shape = { 4 } } }, 3, 1,
          "have layer1.bias, the model has no such tensor" },
        { { BIAS, { .name = "layer0.weight", .rank = 2, .shape = { 3, 4 } } }, 2, 1,
          "have layer0.weight as (3,4), the model needs it as (3,2)" },
        { { BIAS, { .name = "layer0.weight", .rank = 2, .shape = { 2, 3 } } }, 2, 1,
          "as (2,3), the model needs it as (3,2), output by input: transpose it" },
        { { BIAS, { .name = "layer0.weight", .rank = 1, .shape = { 6 } } }, 2, 1, "as (6)" },
        { { BIAS, WEIGHT }, 2, NAN, "a value in layer0.bias that is no finite" },
        { { WEIGHT, BIAS }, 2, INFINITY, "a value in layer0.weight that is no finite" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_why why = { "" };
        fl_blob *model = NULL;
        assert_int_equal(s_weights(rows[i].tensors, rows[i].count, rows[i].first, &model, &why),
                         FL_MISMATCH);
        assert_null(model);
        if (strstr(why.text, rows[i].said) == NULL) {
            fail_msg("'%s' is not in: %s", rows[i].said, why.text);
        }
    }
}

//  Its own rules are those of npz_test.c.
static void
weights_may_be_an_archive_of_numpy(void **state)
{
    (void)state;
    const fl_shape small = { .layers = 1, .size = { 2, 2 } };
    uint8_t bytes[1024];
    float got[6];
    fl_why why = { "" };
    fl_blob *model = NULL;
    fl_safetensors made;
    FILE *file = fopen("tests/fuzz/corpus/npz/numpy-deflated", "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(fl_start_weights(&small, fl_bytes_of(bytes, size), &model, &why), FL_OK);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(model), &made, &why), FL_OK);
    fl_safetensors_read(&made, 0, 6, got);
    assert_memory_equal(got, ((float[]){ 0.25f, -1.5f, 1, -2, 0.5f, 3 }), sizeof got);
    fl_blob_unref(&model);
    assert_int_not_equal(fl_start_weights(&small, fl_bytes_of(bytes, 99), &model, &why), FL_OK);
    assert_int_not_equal(fl_start_weights(&small, fl_bytes_of("no", 2), &model, &why), FL_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_network_is_a_file_of_its_initial_parameters),
        cmocka_unit_test(weights_are_taken_by_name_in_any_order),
        cmocka_unit_test(weights_of_another_network_are_refused_by_tensor),
        cmocka_unit_test(weights_may_be_an_archive_of_numpy),
        cmocka_unit_test(a_vector_is_one_tensor_of_zeros),
        cmocka_unit_test(a_vector_of_impossible_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
