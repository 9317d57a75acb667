//  Whatever an npz archive holds, what is made of it is a safetensors file, and the same one twice.
//  An input that does not begin as an archive is the one array of an archive that is made here: a
//  fuzzer does not find its checksum.
#include "common/model/npz.h"

#include "tests/fuzz/fuzz.h"

#include <zlib.h>

enum { ARRAY_MAX = 4096, AROUND = 128 };

static size_t
s_wrap(const uint8_t *data, size_t size, uint8_t to[ARRAY_MAX + AROUND])
{
    const uint32_t bytes = (uint32_t)size, crc = (uint32_t)crc32(0, data, (uInt)size);
    fl_writer writer = fl_writer_over(to, ARRAY_MAX + AROUND);
    fl_write_from(&writer, "PK\3\4", 4);
    fl_write_from(&writer, (uint8_t[22]){ 0 }, 22);
    fl_write_from(&writer, "\5\0\0\0w.npy", 9);
    fl_write_from(&writer, data, size);
    const uint32_t directory = (uint32_t)fl_writer_size(&writer);
    fl_write_from(&writer, "PK\1\2", 4);
    fl_write_from(&writer, (uint8_t[12]){ 0 }, 12);
    fl_write_u32(&writer, crc);
    fl_write_u32(&writer, bytes);
    fl_write_u32(&writer, bytes);
    fl_write_u16(&writer, 5);
    fl_write_from(&writer, (uint8_t[16]){ 0 }, 16);
    fl_write_from(&writer, "w.npy", 5);
    const uint32_t listed = (uint32_t)fl_writer_size(&writer) - directory;
    fl_write_from(&writer, "PK\5\6\0\0\0\0\1\0\1\0", 12);
    fl_write_u32(&writer, listed);
    fl_write_u32(&writer, directory);
    fl_write_u16(&writer, 0);
    fuzz_must(!writer.broken);
    return fl_writer_size(&writer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t wrapped[ARRAY_MAX + AROUND];
    fl_bytes archive = fl_bytes_of(data, size);
    fl_blob *made = NULL, *again = NULL;
    fl_safetensors file;
    fl_why why;
    if (!fl_npz_is(archive) && size <= ARRAY_MAX) {
        archive = fl_bytes_of(wrapped, s_wrap(data, size, wrapped));
    }
    if (fl_npz_convert(archive, &made, &why) == FL_OK) {
        const fl_bytes bytes = fl_blob_bytes(made);
        fuzz_must(fl_safetensors_parse(bytes, &file, &why) == FL_OK);
        fuzz_must(fl_npz_convert(archive, &again, &why) == FL_OK);
        fuzz_must(fl_blob_size(again) == bytes.size);
        fuzz_must(memcmp(fl_blob_bytes(again).data, bytes.data, bytes.size) == 0);
    }
    fl_blob_unref(&made);
    fl_blob_unref(&again);
    return 0;
}
