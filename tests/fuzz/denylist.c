//  Whatever the bytes, a deny list is taken or refused by name; one that is refused changes
//  nothing, one that is taken signs to the same bytes. The second try signs the bytes first.
#include "common/crypto/deny.h"

#include "tests/fuzz/fuzz.h"
#include "tests/support/identity.h"

static fl_authority *authority;

static void
s_try(fl_bytes bytes)
{
    fl_deny_list *list = fl_deny_list_new();
    fuzz_must(list != NULL);
    if (fl_deny_list_take(list, bytes, fl_authority_public_of(authority)) == FL_TRUST_OK) {
        fl_blob *again = fl_deny_list_sign(list, authority);
        fuzz_must(again != NULL && fl_blob_size(again) == bytes.size);
        fuzz_must(memcmp(fl_blob_bytes(again).data, bytes.data, bytes.size) == 0);
        fl_blob_unref(&again);
    } else {
        fuzz_must(fl_deny_list_version(list) == 0 && fl_deny_list_count(list) == 0);
    }
    fl_deny_list_destroy(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t resigned[FL_DENY_BYTES_MAX];
    if (authority == NULL) {
        fuzz_must(fl_crypto_init(NULL) == FL_OK);
        authority = identity_authority(1);
    }
    s_try(fl_bytes_of(data, size));
    if (size > FL_SIGN_BYTES && size <= sizeof resigned) {
        size_t body = size - FL_SIGN_BYTES;
        memcpy(resigned, data, body);
        fl_authority_sign(authority, "tributary/deny/v1", fl_bytes_of(resigned, body),
                          resigned + body);
        s_try(fl_bytes_of(resigned, size));
    }
    return 0;
}
