//  Whatever an npz archive holds, what is made of it is a safetensors file, and the same one twice.
#include "common/model/npz.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_blob *made = NULL, *again = NULL;
    fl_safetensors file;
    fl_why why;
    const fl_bytes archive = fl_bytes_of(data, size);
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
