#include "common/runtime/data_check.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"

static fl_why why;

//  Three samples of 2 x 2 values, and labels 0, 1, 2.
static int
start(void **state)
{
    static const uint8_t inputs[4 + 12 + 12] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2 };
    static const uint8_t labels[4 + 4 + 3] = { 0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2 };
    static const uint8_t two[4 + 4 + 2] = { 0, 0, 8, 1, 0, 0, 0, 2, 0, 1 };
    assert_int_equal(place_make(state), 0);
    place_write("inputs", inputs, sizeof inputs);
    place_write("labels", labels, sizeof labels);
    place_write("two", two, sizeof two);
    place_write("cut", labels, sizeof labels - 1);
    return 0;
}

static fl_status
check(const char *inputs, const char *labels, const char *layers)
{
    fl_shape shape;
    assert_int_equal(fl_shape_parse(layers, &shape, &why), FL_OK);
    return fl_data_check(place_of(inputs), place_of(labels), &shape, &why);
}

static void
refused(const char *path, const char *said)
{
    if (strstr(why.text, place_of(path)) == NULL || strstr(why.text, said) == NULL) {
        fail_msg("'%s' and '%s' are not in: %s", path, said, why.text);
    }
}

static void
files_that_fit_the_network_or_are_not_there_yet_are_fine(void **state)
{
    (void)state;
    assert_int_equal(check("inputs", "labels", "4-3"), FL_OK);
    assert_int_equal(check("inputs", "labels", "4-9-5"), FL_OK);
    assert_int_equal(check("none", "labels", "4-3"), FL_OK);
    assert_int_equal(check("inputs", "none", "4-3"), FL_OK);
}

static void
files_that_do_not_fit_are_refused_by_name(void **state)
{
    (void)state;
    assert_int_equal(check("inputs", "labels", "5-3"), FL_MISMATCH);
    refused("inputs", "samples have 4 values each, the network takes 5");
    assert_int_equal(check("inputs", "labels", "4-2"), FL_MISMATCH);
    refused("inputs", "sample 2 has label 2, the network knows 2 classes");
    assert_int_equal(check("inputs", "two", "4-3"), FL_MISMATCH);
    refused("inputs", "holds 3 samples, the labels beside it 2");
    assert_int_equal(check("inputs", "cut", "4-3"), FL_MALFORMED);
    refused("cut", "cut off");
    assert_int_equal(check("labels", "labels", "4-3"), FL_MALFORMED);
    refused("labels", "a file of inputs (2 to 4) is wanted here");
}

static void
what_is_no_regular_file_is_refused_and_not_waited_for(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(place_of("pipe"), 0600), 0);
    assert_int_equal(check("pipe", "labels", "4-3"), FL_IO);
    refused("pipe", "is no regular file");
    assert_int_equal(check("inputs", "pipe", "4-3"), FL_IO);
    refused("pipe", "is no regular file");
    assert_int_equal(check("inputs", "", "4-3"), FL_IO); // a directory
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(files_that_fit_the_network_or_are_not_there_yet_are_fine, start, place_end),
        unit_case(files_that_do_not_fit_are_refused_by_name, start, place_end),
        unit_case(what_is_no_regular_file_is_refused_and_not_waited_for, start, place_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
