//  What the guard passes, msgpack-c reads, and every value of it can be walked; what it stops is
//  named. The reader's own functions are tried on whatever comes.
#include "common/wire/mp.h"

#include "tests/fuzz/fuzz.h"

//  Try one read after the other, steered by the bytes themselves, until the reader breaks or the
//  steps run out.
static void
s_walk(fl_mp_reader *reader, const uint8_t *data, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size && !reader->broken; i++) {
        switch (data[size - 1 - i] % 6) {
        case 0:
        case 1:
            sum += fl_mp_enter(reader);
            break;
        case 2:
            sum += fl_mp_read_uint(reader);
            break;
        case 3:
            sum += fl_mp_read_bool(reader);
            break;
        case 4:
            sum += fl_mp_read_bin(reader).size;
            break;
        default:
            sum += fl_mp_read_str(reader).size;
            break;
        }
    }
    fuzz_must(!reader->broken || fl_mp_read_uint(reader) == 0);
    (void)sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_bytes bytes = fl_bytes_of(data, size);
    const char *guard = fl_mp_guard(bytes);
    const char *wrong = NULL;
    fl_mp_reader reader;
    fl_status status = fl_mp_open(&reader, bytes, &wrong);
    fuzz_must((guard == NULL) == (status == FL_OK) && guard == wrong);
    s_walk(&reader, data, size);
    fl_mp_close(&reader);
    return 0;
}
