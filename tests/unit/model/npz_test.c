//  npz - archives that NumPy wrote (tests/fuzz/corpus/npz), and archives with one thing wrong.
#include "common/model/npz.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

static fl_why why;

// ---- archives of NumPy ------------------------------------------------------------------------
static size_t
s_load(const char *name, uint8_t bytes[4096])
{
    char path[96];
    (void)snprintf(path, sizeof path, "tests/fuzz/corpus/npz/numpy-%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, 4096, file);
    assert_int_equal(fclose(file), 0);
    return size;
}

static void
arrays_of_numpy_keep_their_names_dimensions_and_values(void **state)
{
    (void)state;
    static const char *const names[] = { "stored", "deflated", "half-double", "versions" };
    static const float weight[] = { 1, -2, 0.5f, 3 }, bias[] = { 0.25f, -1.5f };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint8_t bytes[4096];
        float values[6];
        fl_safetensors file;
        fl_blob *blob = NULL;
        size_t size = s_load(names[i], bytes);
        assert_true(fl_npz_is(fl_bytes_of(bytes, size)));
        assert_int_equal(fl_npz_convert(fl_bytes_of(bytes, size), &blob, &why), FL_OK);
        assert_int_equal(fl_safetensors_parse(fl_blob_bytes(blob), &file, &why), FL_OK);
        assert_int_equal(file.count, 2);
        assert_string_equal(file.tensor[0].name, "layer0.weight");
        assert_string_equal(file.tensor[1].name, "layer0.bias");
        assert_true(file.tensor[0].rank == 2 && file.tensor[0].shape[1] == 2);
        assert_true(file.tensor[1].rank == 1 && file.tensor[1].shape[0] == 2);
        fl_safetensors_read(&file, 0, 6, values);
        assert_memory_equal(values, weight, sizeof weight);
        assert_memory_equal(values + 4, bias, sizeof bias);
        fl_blob_unref(&blob);
    }
}

//  Every prefix, and every byte turned over: an error or an answer, never a crash; a cut file never
//  an answer. What a checksum or a bound covers is found.
static void
a_damaged_archive_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    size_t size = s_load("deflated", bytes), refused = 0;
    fl_blob *blob = NULL;
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_not_equal(fl_npz_convert(fl_bytes_of(bytes, cut), &blob, &why), FL_OK);
    }
    for (size_t at = 0; at < size; at++) {
        bytes[at] ^= 0xff;
        refused += fl_npz_convert(fl_bytes_of(bytes, size), &blob, &why) != FL_OK ? 1 : 0;
        fl_blob_unref(&blob);
        bytes[at] ^= 0xff;
    }
    assert_true(refused > size / 2); // times, versions and the heads' own sizes mean nothing
}

// ---- archives of our own ----------------------------------------------------------------------
typedef struct recipe {
    const char *name, *head;
    const void *values;
    uint32_t value_bytes;
    uint16_t flags, method;
    uint32_t claims, members, offset;
    uint8_t major;
    bool apart; // members of the same bytes have different names
} recipe;

//  An archive with one stored member, listed `members` times, as the recipe says; usual is what it
//  leaves out.
static size_t
s_make(const recipe *made, uint8_t to[4096])
{
    uint8_t array[1024];
    const char *name = made->name == NULL ? "w.npy" : made->name;
    const char *head = made->head == NULL
                           ? "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n"
                           : made->head;
    const uint16_t name_bytes = (uint16_t)strlen(name),
                   members = made->members == 0 ? 1 : (uint16_t)made->members;
    fl_writer writer = fl_writer_over(array, sizeof array);
    fl_write_from(&writer, "\x93NUMPY", 6);
    fl_write_u16(&writer, made->major == 0 ? 1 : made->major);
    fl_write_u16(&writer, (uint16_t)strlen(head));
    fl_write_from(&writer, head, strlen(head));
    fl_write_from(&writer, made->values == NULL ? (const void *)"\0\0\200\77" : made->values,
                  made->values == NULL ? 4 : made->value_bytes);
    const uint32_t bytes = (uint32_t)fl_writer_size(&writer);
    const uint32_t crc = (uint32_t)crc32(0, array, bytes);
    writer = fl_writer_over(to, 4096);
    fl_write_from(&writer, "PK\3\4", 4);
    fl_write_from(&writer, (uint8_t[22]){ 0 }, 22); // sizes as a stream leaves them
    fl_write_u16(&writer, name_bytes);
    fl_write_u16(&writer, 0);
    fl_write_from(&writer, name, name_bytes);
    fl_write_from(&writer, array, bytes);
    const uint32_t directory = (uint32_t)fl_writer_size(&writer);
    for (uint16_t i = 0; i < members; i++) {
        fl_write_from(&writer, "PK\1\2\0\0\0\0", 8);
        fl_write_u16(&writer, made->flags);
        fl_write_u16(&writer, made->method);
        fl_write_u32(&writer, 0);
        fl_write_u32(&writer, crc);
        fl_write_u32(&writer, bytes);
        fl_write_u32(&writer, made->claims == 0 ? bytes : made->claims);
        fl_write_u16(&writer, name_bytes);
        fl_write_from(&writer, (uint8_t[12]){ 0 }, 12);
        fl_write_u32(&writer, made->offset);
        fl_write_u8(&writer, (uint8_t)(name[0] - (made->apart ? i : 0)));
        fl_write_from(&writer, name + 1, name_bytes - 1U);
    }
    const uint32_t listed = (uint32_t)fl_writer_size(&writer) - directory;
    fl_write_from(&writer, "PK\5\6\0\0\0\0", 8);
    fl_write_u16(&writer, members);
    fl_write_u16(&writer, members);
    fl_write_u32(&writer, listed);
    fl_write_u32(&writer, directory);
    fl_write_u16(&writer, 0);
    assert_false(writer.broken);
    return fl_writer_size(&writer);
}

static fl_status
s_convert(const recipe *made, float *value)
{
    uint8_t bytes[4096];
    size_t size = s_make(made, bytes);
    fl_blob *blob = NULL;
    why.text[0] = '\0';
    fl_status status = fl_npz_convert(fl_bytes_of(bytes, size), &blob, &why);
    if (status == FL_OK && value != NULL) {
        *value = *fl_safetensors_values(blob, 1);
    }
    fl_blob_unref(&blob);
    return status;
}

#define HEAD(type, order, shape)                                                                   \
    "{'descr': " type ", 'fortran_order': " order ", 'shape': " shape ", }  \n"

static void
what_is_not_taken_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        recipe made;
        fl_status status;
        const char *said;
    } rows[] = {
        { { .flags = 1 }, FL_MISMATCH, "w is encrypted" },
        { { .method = 12 }, FL_MISMATCH, "compressed by method 12" },
        { { .claims = UINT32_MAX }, FL_MISMATCH, "w is a zip64 member" },
        { { .claims = 1 << 30, .method = 8 }, FL_MALFORMED, "w: the file is cut off" },
        { { .claims = 7 }, FL_MALFORMED, "w: the file is cut off" },
        { { .offset = 3 }, FL_MALFORMED, "w: the file is cut off" },
        { { .members = 2 }, FL_MALFORMED, "w is there twice" },
        { { .members = 20, .apart = true }, FL_MALFORMED, "the file is cut off" },
        { { .members = 9, .apart = true, .claims = UINT32_MAX - 1, .method = 8 },
          FL_RANGE,
          "have more than 34359738368 bytes" },
        { { .name = "w" }, FL_MISMATCH, "a member has a name" },
        { { .name = ".npy" }, FL_MISMATCH, "a member has a name" },
        { { .name = "a b.npy" }, FL_MISMATCH, "a member has a name" },
        { { .major = 4 }, FL_MALFORMED, "w: the file is cut off" },
        { { .head = HEAD("'<i4'", "False", "(1,)") }, FL_MISMATCH, "w is not of the type" },
        { { .head = HEAD("'>f4'", "False", "(1,)") }, FL_MISMATCH, "w is not of the type" },
        { { .head = HEAD("'|O'", "False", "(1,)") }, FL_MISMATCH, "w is not of the type" },
        { { .head = HEAD("'<f4'", "True", "(1,)") }, FL_MISMATCH, "w is in Fortran order" },
        { { .head = HEAD("'<f4'", "Maybe", "(1,)") }, FL_MALFORMED, "w: the file" },
        { { .head = HEAD("'<f4'", "False", "(2,)") }, FL_MALFORMED, "its shape needs 8" },
        { { .head = HEAD("'<f4'", "False", "(0,)") }, FL_RANGE, "out of bounds" },
        { { .head = HEAD("'<f4'", "False", "(1,1,1,1,1)") }, FL_RANGE, "more than 4 dimensions" },
        { { .head = HEAD("'<f4'", "False", "(4294967296,4294967296)") }, FL_RANGE, "bounds" },
        { { .head = HEAD("'<f4'", "False", "(99999999999999999999,)") }, FL_RANGE, "bounds" },
        { { .head = HEAD("'<f4'", "False", "(1 1)") }, FL_MALFORMED, "w: the file" },
        { { .head = HEAD("'<f4'", "False", "(,)") }, FL_MALFORMED, "w: the file" },
        { { .head = HEAD("'<f4'", "False", "(1,) 'x': 1") }, FL_MALFORMED, "w: the file" },
        { { .head = "{'descr': '<f4', 'descr': '<f4', }\n" }, FL_MALFORMED, "w: the file" },
        { { .head = "{'descr': '<f4', 'fortran_order': False}\n" }, FL_MALFORMED, "w: the file" },
    };
    assert_int_equal(s_convert(&(recipe){ 0 }, NULL), FL_OK); // nothing else is wrong with them
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_status status = s_convert(&rows[i].made, NULL);
        if (status != rows[i].status || strstr(why.text, rows[i].said) == NULL) {
            fail_msg("row %zu: %s: %s", i, fl_status_name(status), why.text);
        }
    }
}

static void
halves_and_doubles_become_the_nearest_floats(void **state)
{
    (void)state;
    static const struct {
        uint16_t bits;
        double value;
    } halves[] = { { 0x0001, 0x1p-24 }, { 0x03ff, 1023 * 0x1p-24 }, { 0x0400, 0x1p-14 },
                   { 0x7bff, 65504 },   { 0xc000, -2 },             { 0x8000, 0 } };
    float value = 0;
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        recipe half = { .head = HEAD("'<f2'", "False", "(1,)"), .values = &halves[i].bits,
                        .value_bytes = 2 };
        assert_int_equal(s_convert(&half, &value), FL_OK);
        assert_true(value == (float)halves[i].value);
    }
    const double third = 1.0 / 3, much = 1e39;
    recipe one = { .head = HEAD("'<f8'", "False", "()"), .values = &third, .value_bytes = 8 };
    assert_int_equal(s_convert(&one, &value), FL_OK);
    assert_true(value == (float)third);
    one.values = &much;
    assert_int_equal(s_convert(&one, &value), FL_OK);
    assert_true(value != value); // no float is near: NaN, which no model takes
}

static void
something_else_is_no_archive(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    assert_false(fl_npz_is(fl_bytes_of("\x93NUMPY", 6)));
    assert_false(fl_npz_is(fl_bytes_of("PK", 2)));
    assert_int_equal(fl_npz_convert(fl_bytes_of("PK\3\4", 4), &blob, &why), FL_MALFORMED);
    uint8_t bytes[4096];
    size_t size = s_make(&(recipe){ 0 }, bytes);
    memset(bytes + size - 12, 0xff, 2); // members of the archive
    memset(bytes + size - 14, 0xff, 2);
    assert_int_equal(fl_npz_convert(fl_bytes_of(bytes, size), &blob, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "zip64"));
    memset(bytes + size - 14, 0, 4);
    assert_int_equal(fl_npz_convert(fl_bytes_of(bytes, size), &blob, &why), FL_RANGE);
    assert_null(blob);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_numpy_keep_their_names_dimensions_and_values),
        cmocka_unit_test(a_damaged_archive_is_refused),
        cmocka_unit_test(what_is_not_taken_is_refused_by_name),
        cmocka_unit_test(halves_and_doubles_become_the_nearest_floats),
        cmocka_unit_test(something_else_is_no_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
