#include "common/model/safetensors.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"

//  A file with this header as it stands and `data_bytes` zero bytes behind it; to be freed.
static fl_bytes
s_file(const char *header, size_t data_bytes)
{
    const size_t length = strlen(header);
    uint8_t *bytes = calloc(1, 8 + length + data_bytes);
    assert_non_null(bytes);
    fl_writer writer = fl_writer_over(bytes, 8 + length);
    fl_write_u64(&writer, length);
    fl_write_from(&writer, header, length);
    return fl_bytes_of(bytes, 8 + length + data_bytes);
}

static void
s_expect(const char *header, size_t data_bytes, fl_status status, const char *said)
{
    fl_safetensors file;
    fl_why why = { "" };
    fl_bytes bytes = s_file(header, data_bytes);
    if (fl_safetensors_parse(bytes, &file, &why) != status || strstr(why.text, said) == NULL) {
        fail_msg("%s -> \"%s\", wanted %s, \"%s\"", header, why.text, fl_status_name(status), said);
    }
    free((void *)(uintptr_t)bytes.data);
}

static const fl_tensor two[2] = {
    { .name = "a", .rank = 2, .shape = { 2, 3 } },
    { .name = "b", .rank = 0 },
};
static const fl_safetensors_note notes[2] = {
    { "round", "7" }, { "made-by", "a \"test\"" },
};
static const float values[7] = { 1, -2, 3.5f, 1e-30f, 5, 6, -0.0f };

static void
what_was_saved_is_read_back(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    assert_int_equal(fl_safetensors_save(two, 2, notes, 2, values, &blob), FL_OK);
    fl_safetensors file;
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
    assert_int_equal(file.count, 2);
    assert_int_equal(file.elements, 7);
    const fl_tensor *a = fl_safetensors_find(&file, "a"), *b = fl_safetensors_find(&file, "b");
    assert_true(a != NULL && b != NULL && fl_safetensors_find(&file, "c") == NULL);
    assert_true(a->rank == 2 && a->shape[0] == 2 && a->shape[1] == 3);
    assert_true(a->first == 0 && a->elements == 6);
    assert_true(b->rank == 0 && b->first == 6 && b->elements == 1);
    const char *header = (const char *)fl_blob_data(blob) + 8;
    assert_non_null(strstr(header, "\"round\":\"7\""));
    assert_non_null(strstr(header, "\"made-by\":\"a \\\"test\\\"\""));
    float got[7];
    fl_safetensors_read(&file, 0, 3, got);
    fl_safetensors_read(&file, 3, 4, got + 3);
    assert_memory_equal(got, values, sizeof got);
    fl_blob_unref(&blob);
}

static void
the_bytes_are_those_of_the_format(void **state)
{
    (void)state;
    const char *header = "{\"__metadata__\":{\"made-by\":\"a \\\"test\\\"\",\"round\":\"7\"},"
                         "\"a\":{\"data_offsets\":[0,24],\"dtype\":\"F32\",\"shape\":[2,3]},"
                         "\"b\":{\"data_offsets\":[24,28],\"dtype\":\"F32\",\"shape\":[]}}";
    fl_blob *blob = NULL, *again = NULL;
    assert_int_equal(fl_safetensors_save(two, 2, notes, 2, values, &blob), FL_OK);
    assert_int_equal(fl_safetensors_save(two, 2, notes, 2, values, &again), FL_OK);
    const fl_bytes bytes = fl_blob_bytes(blob);
    assert_int_equal(bytes.size, fl_blob_size(again));
    assert_memory_equal(bytes.data, fl_blob_data(again), bytes.size);
    const size_t padded = (strlen(header) + 7) / 8 * 8;
    assert_int_equal(bytes.data[0] | bytes.data[1] << 8, padded);
    assert_memory_equal(bytes.data + 8, header, strlen(header));
    for (size_t i = strlen(header); i < padded; i++) {
        assert_int_equal(bytes.data[8 + i], ' ');
    }
    assert_int_equal(bytes.size, 8 + padded + sizeof values);
    assert_memory_equal(bytes.data + 8 + padded, values, sizeof values);
    fl_blob_unref(&blob);
    fl_blob_unref(&again);
}

#define F32 "\"dtype\":\"F32\""

static void
tensors_are_taken_in_the_order_of_their_data(void **state)
{
    (void)state;
    fl_bytes bytes = s_file("{\"late\":{" F32 ",\"shape\":[1],\"data_offsets\":[4,8]},"
                            "\"early\":{" F32 ",\"shape\":[1,1],\"data_offsets\":[0,4]}}   ", 8);
    fl_safetensors file;
    assert_int_equal(fl_safetensors_parse(bytes, &file, NULL), FL_OK);
    assert_string_equal(file.tensor[0].name, "early");
    assert_int_equal(fl_safetensors_find(&file, "late")->first, 1);
    free((void *)(uintptr_t)bytes.data);
}

static void
a_header_that_cannot_be_true_is_refused_by_name(void **state)
{
    (void)state;
    const fl_status bad = FL_MALFORMED;
    s_expect("", 0, bad, "no JSON");
    s_expect("{", 0, bad, "no JSON");
    s_expect("{} x", 0, bad, "no JSON");
    s_expect("[1]", 0, bad, "no JSON object");
    s_expect("{}", 0, bad, "holds no tensor");
    s_expect("{\"a\":1}", 0, bad, "no dtype");
    s_expect("{\"a\":{\"dtype\":5}}", 0, bad, "no dtype");
    s_expect("{\"a\":{\"dtype\":\"BF16\"}}", 4, FL_MISMATCH, "a is BF16");
    s_expect("{\"a\":{" F32 "}}", 4, bad, "no shape");
    s_expect("{\"a\":{" F32 ",\"shape\":[1.5]}}", 4, bad, "no integer");
    s_expect("{\"a\":{" F32 ",\"shape\":[-1]}}", 4, FL_RANGE, "-1");
    s_expect("{\"a\":{" F32 ",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, FL_RANGE, "of 0");
    s_expect("{\"a\":{" F32 ",\"shape\":[1,1,1,1,1]}}", 4, FL_RANGE, "5 dimensions");
    s_expect("{\"a\":{" F32 ",\"shape\":[4294967296,4294967296]}}", 4, FL_RANGE, "out of bounds");
    s_expect("{\"a\":{" F32 ",\"shape\":[1]}}", 4, bad, "no data_offsets");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[0]}}", 4, bad, "no data_offsets");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, bad, "no data_offsets");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[0,\"4\"]}}", 4, bad, "no data_off");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, bad, "outside");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, bad, "outside");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, bad, "the 3 bytes");
    s_expect("{\"a\":{" F32 ",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, bad, "needs 8");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, bad, "cover 4");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, bad, "leave a gap");
    s_expect("{\"a\":{" F32 ",\"shape\":[2],\"data_offsets\":[0,8]},"
             "\"b\":{" F32 ",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, bad, "overlap");
    s_expect("{\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[0,4]},"
             "\"a\":{" F32 ",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, bad, "duplicate");
    s_expect("{\"\":{" F32 ",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, FL_RANGE, "name");
    s_expect("{\"0123456789012345678901234567890123456789012345678\":{" F32
             ",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, FL_RANGE, "name");
    s_expect("{\"__metadata__\":3}", 0, bad, "__metadata__ is no object");
    s_expect("{\"__metadata__\":{\"a\":3}}", 0, bad, "no string");
}

static void
more_tensors_than_allowed_are_refused(void **state)
{
    (void)state;
    static char header[65536] = "{";
    size_t used = 1;
    for (int i = 0; i <= FL_TENSORS_MAX; i++) {
        used += (size_t)snprintf(header + used, sizeof header - used,
                                 "%s\"t%d\":{" F32 ",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                                 i == 0 ? "" : ",", i, 4 * i, 4 * i + 4);
    }
    (void)snprintf(header + used, sizeof header - used, "}");
    s_expect(header, 4 * (FL_TENSORS_MAX + 1), FL_RANGE, "more than 512 tensors");
}

static void
a_header_larger_than_a_mebibyte_is_refused_unread(void **state)
{
    (void)state;
    const uint8_t bytes[8] = { 1, 0, 16 };
    fl_safetensors file;
    fl_why why = { "" };
    assert_int_equal(fl_safetensors_parse(fl_bytes_of(bytes, 8), &file, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "1048577"));
}

static void
a_file_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    assert_int_equal(fl_safetensors_save(two, 2, notes, 2, values, &blob), FL_OK);
    for (size_t size = 0; size < fl_blob_size(blob); size++) {
        uint8_t *part = malloc(size == 0 ? 1 : size);
        assert_non_null(part);
        memcpy(part, fl_blob_data(blob), size);
        fl_safetensors file;
        fl_why why = { "" };
        assert_int_equal(fl_safetensors_parse(fl_bytes_of(part, size), &file, &why), FL_MALFORMED);
        assert_string_not_equal(why.text, "");
        free(part);
    }
    fl_blob_unref(&blob);
}

//  Whatever is accepted keeps its views inside the file.
static void
no_flipped_byte_leads_outside_the_file(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    assert_int_equal(fl_safetensors_save(two, 2, notes, 2, values, &blob), FL_OK);
    fl_rng rng = fl_rng_seeded(1);
    int accepted = 0;
    for (int trial = 0; trial < 20000; trial++) {
        const size_t size = fl_blob_size(blob);
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        memcpy(bytes, fl_blob_data(blob), size);
        for (uint64_t flips = 1 + fl_rng_below(&rng, 3); flips > 0; flips--) {
            bytes[fl_rng_below(&rng, size)] = (uint8_t)fl_rng_u64(&rng);
        }
        fl_safetensors file;
        if (fl_safetensors_parse(fl_bytes_of(bytes, size), &file, NULL) == FL_OK) {
            float *copy = malloc((size_t)file.elements * sizeof *copy);
            assert_non_null(copy);
            fl_safetensors_read(&file, 0, file.elements, copy);
            free(copy);
            accepted++;
        }
        free(bytes);
    }
    assert_in_range(accepted, 1, 19999);
    fl_blob_unref(&blob);
}

//  Two lines of the same values: `name` is the second tensor's, `first` the one that comes first.
static fl_hash
s_digest(const char *name, uint32_t first, const fl_safetensors_note *said, float value)
{
    fl_tensor tensors[2] = { { .name = "a", .rank = 1, .shape = { 2 } },
                             { .rank = 1, .shape = { 2 } } };
    float numbers[4] = { 1, 2, 1, value };
    fl_blob *blob = NULL;
    fl_safetensors file;
    (void)snprintf(tensors[1].name, sizeof tensors[1].name, "%s", name);
    const fl_tensor turned[2] = { tensors[first], tensors[1 - first] };
    const float turned_numbers[4] = { numbers[2 * first], numbers[2 * first + 1],
                                      numbers[2 - 2 * first], numbers[3 - 2 * first] };
    assert_int_equal(fl_safetensors_save(turned, 2, said, 1, turned_numbers, &blob), FL_OK);
    assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, NULL), FL_OK);
    const fl_hash digest = fl_safetensors_digest(&file);
    fl_blob_unref(&blob);
    return digest;
}

static void
the_digest_is_of_the_tensors_alone(void **state)
{
    (void)state;
    const fl_safetensors_note said[2] = { { "round", "7" }, { "round", "8" } };
    const fl_hash digest = s_digest("b", 0, &said[0], 3);
    const fl_hash same[] = { s_digest("b", 0, &said[1], 3), s_digest("b", 1, &said[0], 3) };
    const fl_hash others[] = { s_digest("c", 0, &said[0], 3), s_digest("b", 0, &said[0], 4) };
    for (int i = 0; i < 2; i++) {
        assert_true(fl_hash_equal(&digest, &same[i]));
        assert_false(fl_hash_equal(&digest, &others[i]));
    }
}

static void
values_may_be_filled_in_afterwards(void **state)
{
    (void)state;
    fl_blob *whole = NULL, *filled = NULL;
    const uint64_t elements = sizeof values / sizeof values[0];
    assert_int_equal(fl_safetensors_save(two, 2, notes, 2, values, &whole), FL_OK);
    assert_int_equal(fl_safetensors_save(two, 2, notes, 2, NULL, &filled), FL_OK);
    float *to = fl_safetensors_values(filled, elements);
    for (uint64_t i = 0; i < elements; i++) {
        assert_true(to[i] == 0.0f);
    }
    memcpy(to, values, sizeof values);
    assert_int_equal(fl_blob_size(whole), fl_blob_size(filled));
    assert_memory_equal(fl_blob_data(whole), fl_blob_data(filled), fl_blob_size(whole));
    fl_blob_unref(&whole);
    fl_blob_unref(&filled);
}

static void
s_save_a_name_twice(void)
{
    const fl_tensor twice[2] = { { .name = "a" }, { .name = "a" } };
    fl_blob *blob = NULL;
    (void)!fl_safetensors_save(twice, 2, NULL, 0, values, &blob);
}

static void
a_name_saved_twice_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_save_a_name_twice));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_read_back),
        cmocka_unit_test(the_digest_is_of_the_tensors_alone),
        cmocka_unit_test(values_may_be_filled_in_afterwards),
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(tensors_are_taken_in_the_order_of_their_data),
        cmocka_unit_test(a_header_that_cannot_be_true_is_refused_by_name),
        cmocka_unit_test(more_tensors_than_allowed_are_refused),
        cmocka_unit_test(a_header_larger_than_a_mebibyte_is_refused_unread),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
        cmocka_unit_test(no_flipped_byte_leads_outside_the_file),
        cmocka_unit_test(a_name_saved_twice_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
