#include "common/crypto/z85.h"

#include "tests/support/unit.h"

#include <string.h>

#include "common/base/id.h"
#include "common/base/rng.h"

//  The two keys of libzmq's manual page zmq_curve(7).
static const struct {
    const char *text, *hex;
} known[] = {
    { "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
      "54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652" },
    { "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
      "7bb864b489afa3671fbe69101f94b38972f24816dfb01b51656b3fec8dfd0888" },
};

static void
known_keys_have_known_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t key[FL_Z85_KEY_BYTES], wanted[FL_Z85_KEY_BYTES];
        char text[FL_Z85_TEXT_BYTES];
        assert_true(fl_unhex(known[i].hex, wanted, sizeof wanted));
        fl_z85_encode(wanted, text);
        assert_string_equal(text, known[i].text);
        assert_true(fl_z85_decode(known[i].text, key));
        assert_memory_equal(key, wanted, sizeof key);
    }
}

static void
every_key_comes_back(void **state)
{
    (void)state;
    fl_rng rng = fl_rng_seeded(85);
    for (int round = 0; round < 1000; round++) {
        uint8_t key[FL_Z85_KEY_BYTES], back[FL_Z85_KEY_BYTES];
        char text[FL_Z85_TEXT_BYTES];
        for (size_t i = 0; i < sizeof key; i++) {
            key[i] = round == 0 ? 0xff : (uint8_t)fl_rng_u64(&rng);
        }
        fl_z85_encode(key, text);
        assert_int_equal(strlen(text), 40);
        assert_true(fl_z85_decode(text, back));
        assert_memory_equal(back, key, sizeof key);
    }
}

static void
what_is_no_key_is_refused_and_leaves_zeros(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf",   // 39
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf70", // 41
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf~",  // no letter of the alphabet
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\"",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf ",
        "#####>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",  // a group above 2^32 - 1
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8%nSc1", // the first number above it, and too long
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H%nSc1",  // the first number above it
    };
    static const uint8_t zero[FL_Z85_KEY_BYTES];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t key[FL_Z85_KEY_BYTES];
        memset(key, 7, sizeof key);
        assert_false(fl_z85_decode(wrong[i], key));
        assert_memory_equal(key, zero, sizeof key);
    }
    uint8_t key[FL_Z85_KEY_BYTES];
    assert_true(fl_z85_decode("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H%nSc0", key));
    assert_memory_equal(key + 28, "\xff\xff\xff\xff", 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_keys_have_known_texts),
        cmocka_unit_test(every_key_comes_back),
        cmocka_unit_test(what_is_no_key_is_refused_and_leaves_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
