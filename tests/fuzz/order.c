//  An order that is accepted encodes to exactly the bytes that it came from: a signature over the
//  one is a signature over the other.
#include "common/wire/message.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_order order;
    if (fl_order_decode(fl_bytes_of(data, size), &order)) {
        uint8_t again[FL_ORDER_BYTES];
        bool beyond = order.beyond;
        order.beyond = false;
        fl_order_encode(&order, again);
        fuzz_must(size == sizeof again && beyond == (memcmp(again, data, size) != 0));
    } else {
        fuzz_must(order.round == 0);
    }
    return 0;
}
