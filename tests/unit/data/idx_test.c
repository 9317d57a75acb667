#include "common/data/idx.h"

#include "tests/support/unit.h"

#include <zlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SAMPLES = 50, ROWS = 3, COLUMNS = 5, FEATURES = ROWS * COLUMNS };

static char folder[64], inputs_path[96], labels_path[96], other_path[96];
static uint8_t inputs_file[16 + SAMPLES * FEATURES], labels_file[8 + SAMPLES];

static void
s_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void
s_write_gz(const char *path, const void *bytes, size_t size)
{
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
    assert_int_equal(gzclose(file), Z_OK);
}

static int
s_setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/fl-idx-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(inputs_path, sizeof inputs_path, "%s/inputs", folder);
    (void)snprintf(labels_path, sizeof labels_path, "%s/labels", folder);
    (void)snprintf(other_path, sizeof other_path, "%s/other", folder);
    const uint8_t inputs_head[16] = { 0, 0, 8, 3, 0, 0, 0, SAMPLES, 0, 0, 0, ROWS,
                                      0, 0, 0, COLUMNS };
    const uint8_t labels_head[8] = { 0, 0, 8, 1, 0, 0, 0, SAMPLES };
    memcpy(inputs_file, inputs_head, sizeof inputs_head);
    memcpy(labels_file, labels_head, sizeof labels_head);
    for (int i = 0; i < SAMPLES * FEATURES; i++) {
        inputs_file[16 + i] = (uint8_t)(i * 7 % 251);
    }
    for (int i = 0; i < SAMPLES; i++) {
        labels_file[8 + i] = (uint8_t)(i % 10);
    }
    s_write(inputs_path, inputs_file, sizeof inputs_file);
    s_write(labels_path, labels_file, sizeof labels_file);
    return 0;
}

static int
s_teardown(void **state)
{
    (void)state;
    (void)remove(inputs_path);
    (void)remove(labels_path);
    (void)remove(other_path);
    return rmdir(folder);
}

static void
s_expect_all(const char *inputs, const char *labels)
{
    fl_dataset set;
    fl_why why = { "" };
    if (fl_dataset_load(inputs, labels, NULL, 0, &set, &why) != FL_OK) {
        fail_msg("%s", why.text);
    }
    assert_true(set.samples == SAMPLES && set.features == FEATURES);
    assert_memory_equal(set.inputs, inputs_file + 16, SAMPLES * FEATURES);
    assert_memory_equal(set.labels, labels_file + 8, SAMPLES);
    fl_dataset_release(&set);
    assert_null(set.inputs);
    fl_dataset_release(&set);
}

static void
a_pair_of_files_is_read_plain_or_compressed(void **state)
{
    (void)state;
    s_expect_all(inputs_path, labels_path);
    s_write_gz(other_path, inputs_file, sizeof inputs_file);
    s_expect_all(other_path, labels_path);
    s_write_gz(other_path, labels_file, sizeof labels_file);
    s_expect_all(inputs_path, other_path);
    uint8_t *labels = NULL;
    uint32_t count = 0;
    assert_int_equal(fl_idx_labels(other_path, &labels, &count, NULL), FL_OK);
    assert_int_equal(count, SAMPLES);
    assert_memory_equal(labels, labels_file + 8, SAMPLES);
    free(labels);
}

static void
only_the_chosen_samples_are_kept(void **state)
{
    (void)state;
    const uint32_t sets[4][4] = { { 0, 1, 2, 3 }, { 7, 8, 20, 49 }, { 46, 47, 48, 49 }, { 5 } };
    const uint32_t counts[4] = { 4, 4, 4, 1 };
    for (int i = 0; i < 4; i++) {
        fl_dataset set;
        assert_int_equal(fl_dataset_load(inputs_path, labels_path, sets[i], counts[i], &set, NULL),
                         FL_OK);
        assert_true(set.samples == counts[i] && set.features == FEATURES);
        for (uint32_t n = 0; n < counts[i]; n++) {
            assert_int_equal(set.labels[n], labels_file[8 + sets[i][n]]);
            assert_memory_equal(set.inputs + (size_t)n * FEATURES,
                                inputs_file + 16 + (size_t)sets[i][n] * FEATURES, FEATURES);
        }
        fl_dataset_release(&set);
    }
    fl_dataset none;
    assert_int_equal(fl_dataset_load(inputs_path, labels_path, sets[0], 0, &none, NULL), FL_OK);
    assert_int_equal(none.samples, 0);
    fl_dataset_release(&none);
}

static void
s_expect_refusal(const char *inputs, const char *labels, fl_status status, const char *said)
{
    fl_dataset set;
    fl_why why = { "" };
    fl_status got = fl_dataset_load(inputs, labels, NULL, 0, &set, &why);
    if (got != status || strstr(why.text, said) == NULL) {
        fail_msg("%s \"%s\", wanted %s \"%s\"", fl_status_name(got), why.text,
                 fl_status_name(status), said);
    }
    const char *folder_said = strstr(why.text, folder);
    assert_true(folder_said == NULL || strstr(folder_said + 1, folder) == NULL); // said once
    assert_true(set.inputs == NULL && set.labels == NULL && set.samples == 0);
}

static void
a_file_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof labels_file; size++) {
        s_write(other_path, labels_file, size);
        s_expect_refusal(inputs_path, other_path, FL_MALFORMED, "cut off");
    }
    for (size_t size = 0; size < sizeof inputs_file; size += 13) {
        s_write(other_path, inputs_file, size);
        s_expect_refusal(other_path, labels_path, FL_MALFORMED, "cut off");
    }
    s_write_gz(other_path, inputs_file, sizeof inputs_file);
    struct stat whole;
    assert_int_equal(stat(other_path, &whole), 0);
    for (off_t size = whole.st_size - 1; size > 20; size -= 7) {
        assert_int_equal(truncate(other_path, size), 0);
        s_expect_refusal(other_path, labels_path, FL_MALFORMED, "cut off");
    }
    //  Also when the samples wanted come before the cut.
    const uint32_t first = 0;
    fl_dataset set;
    s_write(other_path, inputs_file, sizeof inputs_file - 1);
    assert_int_equal(fl_dataset_load(other_path, labels_path, &first, 1, &set, NULL), FL_MALFORMED);
}

static void
a_damaged_archive_is_refused(void **state)
{
    (void)state;
    s_write_gz(other_path, inputs_file, sizeof inputs_file);
    FILE *file = fopen(other_path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -8, SEEK_END), 0); // the checksum
    assert_int_equal(fputc(0x55, file), 0x55);
    assert_int_equal(fclose(file), 0);
    s_expect_refusal(other_path, labels_path, FL_MALFORMED, "damaged");
}

static void
a_file_that_is_something_else_is_refused_by_name(void **state)
{
    (void)state;
    const struct { uint8_t head[16]; fl_status status; const char *said; } rows[] = {
        { "# a text file..", FL_MALFORMED, "not an IDX file" },
        { { 0, 0, 0x0d, 3, 0, 0, 0, 1 }, FL_MALFORMED, "00000d03" },
        { { 0, 0, 8, 0 }, FL_MALFORMED, "has 0 dimensions" },
        { { 0, 0, 8, 1 }, FL_MALFORMED, "inputs (2 to 4)" },
        { { 0, 0, 8, 5 }, FL_MALFORMED, "has 5 dimensions" },
        { { 0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff }, FL_RANGE, "dimension 0 of 4294967295" },
        { { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 0 }, FL_RANGE, "dimension 1 of 0" },
        { { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0xff, 0, 0, 0, 0xff, 0, 0 }, FL_RANGE, "out of bounds" },
        { { 0, 0, 8, 3, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1 }, FL_MISMATCH, "holds 7 samples" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s_write(other_path, rows[i].head, sizeof rows[i].head);
        s_expect_refusal(other_path, labels_path, rows[i].status, rows[i].said);
    }
    s_expect_refusal(inputs_path, inputs_path, FL_MALFORMED, "labels (1)");
}

static void
a_file_longer_than_it_says_is_refused(void **state)
{
    (void)state;
    uint8_t more[sizeof inputs_file + 1] = { 0 };
    memcpy(more, inputs_file, sizeof inputs_file);
    s_write(other_path, more, sizeof more);
    s_expect_refusal(other_path, labels_path, FL_MALFORMED, "longer");
    memcpy(more, labels_file, sizeof labels_file);
    s_write(other_path, more, sizeof labels_file + 1);
    s_expect_refusal(inputs_path, other_path, FL_MALFORMED, "longer");
}

static void
a_path_that_leads_nowhere_is_refused_with_advice(void **state)
{
    (void)state;
    s_expect_refusal("/nonexistent/train", labels_path, FL_MISSING, "check the path");
    s_expect_refusal(inputs_path, "/nonexistent/train", FL_MISSING, "/nonexistent/train");
    s_expect_refusal(folder, labels_path, FL_IO, "is no regular file");
    s_expect_refusal("/dev/null/x", labels_path, FL_IO, "Not a directory");
}

static void
a_sample_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    const uint32_t chosen[2] = { 3, SAMPLES };
    fl_dataset set;
    fl_why why = { "" };
    assert_int_equal(fl_dataset_load(inputs_path, labels_path, chosen, 2, &set, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "sample 50 is wanted, the file holds 50"));
}

static void
s_choose_out_of_order(void)
{
    const uint32_t chosen[2] = { 3, 3 };
    fl_dataset set;
    (void)!fl_dataset_load(inputs_path, labels_path, chosen, 2, &set, NULL);
}

static void
choosing_a_sample_twice_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_choose_out_of_order));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_of_files_is_read_plain_or_compressed),
        cmocka_unit_test(only_the_chosen_samples_are_kept),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_damaged_archive_is_refused),
        cmocka_unit_test(a_file_that_is_something_else_is_refused_by_name),
        cmocka_unit_test(a_file_longer_than_it_says_is_refused),
        cmocka_unit_test(a_path_that_leads_nowhere_is_refused_with_advice),
        cmocka_unit_test(a_sample_that_does_not_exist_is_refused),
        cmocka_unit_test(choosing_a_sample_twice_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
