#include "common/wire/envelope.h"

#include "tests/support/unit.h"

#include <string.h>

static const fl_envelope sample = {
    .major = FL_WIRE_MAJOR,
    .minor = 3,
    .verb = 0x0605,
    .round = 0x1716151413121110u,
    .run = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
    .header_bytes = 0x23222120u,
    .body_bytes = 0x33323130u,
};

static const uint8_t sample_bytes[FL_ENVELOPE_BYTES] = {
    'F',  'L',  'T', '1', 3,    3,    0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
    0x16, 0x17, 1,   2,   3,    4,    5,    6,    7,    8,    9,    10,   11,   12,
    13,   14,   15,  16,  0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32, 0x33,
};

static void
an_envelope_is_forty_little_endian_bytes(void **state)
{
    (void)state;
    uint8_t bytes[FL_ENVELOPE_BYTES];
    fl_envelope_encode(&sample, bytes);
    assert_memory_equal(bytes, sample_bytes, sizeof bytes);
}

static void
an_envelope_comes_back_whatever_follows_it(void **state)
{
    (void)state;
    uint8_t frame[FL_ENVELOPE_BYTES + 9] = { 0 };
    fl_envelope back;
    memcpy(frame, sample_bytes, sizeof sample_bytes);
    assert_int_equal(fl_envelope_decode(fl_bytes_of(frame, sizeof frame), &back), FL_CODEC_OK);
    assert_int_equal(back.major, sample.major);
    assert_int_equal(back.minor, sample.minor);
    assert_int_equal(back.verb, sample.verb);
    assert_true(back.round == sample.round && fl_run_equal(&back.run, &sample.run));
    assert_int_equal(back.header_bytes, sample.header_bytes);
    assert_int_equal(back.body_bytes, sample.body_bytes);
}

static void
a_cut_envelope_is_short_at_every_byte(void **state)
{
    (void)state;
    fl_envelope back;
    assert_int_equal(fl_envelope_decode(fl_bytes_of(NULL, 0), &back), FL_CODEC_SHORT);
    for (size_t size = 1; size < FL_ENVELOPE_BYTES; size++) {
        fl_bytes cut = fl_bytes_of(sample_bytes, size);
        assert_int_equal(fl_envelope_decode(cut, &back), FL_CODEC_SHORT);
    }
}

static void
another_magic_is_not_ours(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint8_t bytes[FL_ENVELOPE_BYTES];
        fl_envelope back;
        memcpy(bytes, sample_bytes, sizeof bytes);
        bytes[i] ^= 0x20;
        fl_bytes frame = fl_bytes_of(bytes, sizeof bytes);
        assert_int_equal(fl_envelope_decode(frame, &back), FL_CODEC_MAGIC);
        assert_int_equal(back.major, 0);
    }
}

static void
another_major_is_told_so_even_when_the_rest_is_missing(void **state)
{
    (void)state;
    uint8_t bytes[FL_ENVELOPE_BYTES];
    memcpy(bytes, sample_bytes, sizeof bytes);
    bytes[4] = FL_WIRE_MAJOR + 1;
    for (size_t size = 6; size <= sizeof bytes; size++) {
        fl_envelope back;
        fl_bytes frame = fl_bytes_of(bytes, size);
        assert_int_equal(fl_envelope_decode(frame, &back), FL_CODEC_VERSION);
        assert_int_equal(back.major, FL_WIRE_MAJOR + 1);
        assert_int_equal(back.minor, 3);
        assert_int_equal(back.header_bytes, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_is_forty_little_endian_bytes),
        cmocka_unit_test(an_envelope_comes_back_whatever_follows_it),
        cmocka_unit_test(a_cut_envelope_is_short_at_every_byte),
        cmocka_unit_test(another_magic_is_not_ours),
        cmocka_unit_test(another_major_is_told_so_even_when_the_rest_is_missing),
    };
    return cmocka_run_group_tests_name("wire/envelope", tests, NULL, NULL);
}
