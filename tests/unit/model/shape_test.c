#include "common/model/shape.h"

#include "tests/support/unit.h"

#include <string.h>

#include "common/model/start.h"

static fl_shape
s_shape(const char *text)
{
    fl_shape shape;
    assert_int_equal(fl_shape_parse(text, &shape, NULL), FL_OK);
    return shape;
}

static void
a_shape_is_read_and_written_as_sizes_between_dashes(void **state)
{
    (void)state;
    const char *texts[] = { "784-128-10", "784-10", "1-2", "9-8-7-6-5-4-3-2-256" };
    for (size_t i = 0; i < 4; i++) {
        char text[96];
        fl_shape shape = s_shape(texts[i]);
        fl_shape_text(&shape, text, sizeof text);
        assert_string_equal(text, texts[i]);
    }
    fl_shape shape = s_shape("784-128-10");
    assert_int_equal(shape.layers, 2);
    assert_int_equal(fl_shape_inputs(&shape), 784);
    assert_int_equal(fl_shape_classes(&shape), 10);
    char cut[6];
    fl_shape_text(&shape, cut, sizeof cut);
    assert_string_equal(cut, "784-1");
}

static void
a_text_that_is_no_shape_is_refused_with_an_example(void **state)
{
    (void)state;
    const struct { const char *text; fl_status status; const char *said; } rows[] = {
        { "", FL_MALFORMED, "784-128-10" },   { "784", FL_RANGE, "784-10" },
        { "784-", FL_MALFORMED, "such as" },  { "-784-10", FL_MALFORMED, "such as" },
        { "784x10", FL_MALFORMED, "such as" }, { "784- 10", FL_MALFORMED, "such as" },
        { "123456789-10", FL_MALFORMED, "such as" }, { "784-0-10", FL_RANGE, "layer 1" },
        { "784-1", FL_RANGE, "output layer" }, { "784-257", FL_RANGE, "output layer" },
        { "1048577-10", FL_RANGE, "layer 0" }, { "1048576-1048576-2", FL_RANGE, "parameters" },
        { "1-1-1-1-1-1-1-1-1-2", FL_RANGE, "more than 8" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_shape shape;
        fl_why why = { "" };
        assert_int_equal(fl_shape_parse(rows[i].text, &shape, &why), rows[i].status);
        assert_non_null(strstr(why.text, rows[i].said));
    }
}

static void
tensors_follow_each_other_in_the_order_of_their_names(void **state)
{
    (void)state;
    const fl_shape shape = s_shape("5-4-3");
    assert_int_equal(fl_shape_bias(&shape, 0), 0);
    assert_int_equal(fl_shape_weight(&shape, 0), 4);
    assert_int_equal(fl_shape_bias(&shape, 1), 24);
    assert_int_equal(fl_shape_weight(&shape, 1), 27);
    assert_int_equal(fl_shape_elements(&shape), 39);
    fl_blob *blob = NULL;
    assert_int_equal(fl_start_network(&shape, 1, &blob, NULL), FL_OK);
    fl_safetensors file;
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
    assert_int_equal(file.count, 4);
    const char *names[4] = { "layer0.bias", "layer0.weight", "layer1.bias", "layer1.weight" };
    const uint64_t firsts[4] = { 0, 4, 24, 27 };
    for (int i = 0; i < 4; i++) {
        assert_string_equal(file.tensor[i].name, names[i]);
        assert_int_equal(file.tensor[i].first, firsts[i]);
    }
    assert_true(file.tensor[1].shape[0] == 4 && file.tensor[1].shape[1] == 5);
    fl_blob_unref(&blob);
}

static void
a_file_of_the_shape_is_accepted_and_recognised(void **state)
{
    (void)state;
    const fl_shape shape = s_shape("5-4-3");
    fl_blob *blob = NULL;
    assert_int_equal(fl_start_network(&shape, 1, &blob, NULL), FL_OK);
    fl_safetensors file;
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
    assert_int_equal(fl_shape_check(&shape, &file, NULL), FL_OK);
    fl_shape inferred;
    assert_int_equal(fl_shape_infer(&file, &inferred, NULL), FL_OK);
    assert_memory_equal(&inferred, &shape, sizeof shape);
    fl_blob_unref(&blob);
}

static void
a_file_of_another_shape_is_refused_with_both_shapes(void **state)
{
    (void)state;
    const struct { const char *file, *mine, *said; } rows[] = {
        { "5-4-3", "5-6-3", "layer0.bias (4), this side works on (6) (5-6-3)" },
        { "5-4-3", "7-4-3", "layer0.weight (4,5), this side works on (4,7) (7-4-3)" },
        { "5-4-3", "5-4-3-2", "no layer2.bias, this side works on (2)" },
        { "5-4-3-2", "5-4-3", "model has 6 tensors, this side works on 4" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const fl_shape theirs = s_shape(rows[i].file), mine = s_shape(rows[i].mine);
        fl_blob *blob = NULL;
        assert_int_equal(fl_start_network(&theirs, 1, &blob, NULL), FL_OK);
        fl_safetensors file;
        assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
        fl_why why = { "" };
        assert_int_equal(fl_shape_check(&mine, &file, &why), FL_MISMATCH);
        if (strstr(why.text, rows[i].said) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", why.text, rows[i].said);
        }
        fl_blob_unref(&blob);
    }
}

static void
a_file_without_a_network_is_recognised_as_such(void **state)
{
    (void)state;
    const fl_tensor tensors[4][2] = {
        { { .name = "w", .rank = 1, .shape = { 3 } }, { .name = "v" } },
        { { .name = "layer0.weight", .rank = 1, .shape = { 3 } }, { .name = "layer0.bias" } },
        { { .name = "layer0.weight", .rank = 2, .shape = { 1, 3 } }, { .name = "layer0.bias" } },
        //  A network, but its tensors lie the other way round.
        { { .name = "layer0.weight", .rank = 2, .shape = { 2, 1 } },
          { .name = "layer0.bias", .rank = 1, .shape = { 2 } } },
    };
    const float values[4] = { 0 };
    const char *said[4] = { "no network", "no network", "no network", "out of order" };
    for (int i = 0; i < 4; i++) {
        fl_blob *blob = NULL;
        assert_int_equal(fl_safetensors_save(tensors[i], 2, NULL, 0, values, &blob), FL_OK);
        fl_safetensors file;
        assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
        fl_shape shape;
        fl_why why = { "" };
        assert_int_equal(fl_shape_infer(&file, &shape, &why), FL_MISMATCH);
        assert_non_null(strstr(why.text, said[i]));
        fl_blob_unref(&blob);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shape_is_read_and_written_as_sizes_between_dashes),
        cmocka_unit_test(a_text_that_is_no_shape_is_refused_with_an_example),
        cmocka_unit_test(tensors_follow_each_other_in_the_order_of_their_names),
        cmocka_unit_test(a_file_of_the_shape_is_accepted_and_recognised),
        cmocka_unit_test(a_file_of_another_shape_is_refused_with_both_shapes),
        cmocka_unit_test(a_file_without_a_network_is_recognised_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
