#include "common/wire/codec.h"

#include "tests/support/messages.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/mp.h"
#include "common/wire/verb_table.h"

enum { FRAME_ROOM = FL_FRAME_BYTES_MAX + 1024 };

static messages_letter letter;
static fl_message back;
static uint8_t frame[FRAME_ROOM], changed[FRAME_ROOM];

static size_t
s_encode_sample(fl_verb verb)
{
    messages_sample(verb, &letter);
    return messages_encode(&letter, frame, sizeof frame);
}

static fl_codec
s_decode(const uint8_t *bytes, size_t size)
{
    fl_codec_result result = fl_decode(fl_bytes_of(bytes, size), letter.body_bytes, &back);
    assert_int_equal(result.text[0] != '\0', result.code != FL_CODEC_OK);
    assert_int_equal(back.verb != FL_VERB_NONE, result.code == FL_CODEC_OK);
    return result.code;
}

// ---- round trips ------------------------------------------------------------------------------
static void
every_verb_survives_the_wire_with_all_its_fields(void **state)
{
    (void)state;
    fl_rng rng = fl_rng_seeded(20261123);
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        for (int n = 0; n < 300; n++) {
            messages_random(messages_verbs[i], &rng, &letter);
            size_t size = messages_encode(&letter, frame, sizeof frame);
            assert_int_equal(s_decode(frame, size), FL_CODEC_OK);
            assert_true(messages_equal(&letter.message, &back));
        }
    }
}

// ---- damage -----------------------------------------------------------------------------------
//  Decode from a block of exactly this size, so that a sanitizer sees one byte too many. What is
//  accepted must be valid: encoding it again would panic otherwise.
static fl_codec
s_decode_exact(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    fl_codec code = s_decode(exact, size);
    bool passed_on = back.verb != FL_TASK || !back.task.order.beyond;
    if (code == FL_CODEC_OK && passed_on) {
        fl_blob *again = fl_encode(&back, letter.body_bytes);
        assert_non_null(again);
        fl_blob_unref(&again);
    }
    free(exact);
    return code;
}

static void
s_write_u32_at(uint8_t *bytes, size_t at, uint32_t value)
{
    fl_writer writer = fl_writer_over(bytes + at, 4);
    fl_write_u32(&writer, value);
}

static void
a_frame_cut_at_any_byte_is_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        size_t full = s_encode_sample(messages_verbs[i]);
        for (size_t size = 0; size < full; size++) {
            assert_int_equal(s_decode_exact(frame, size), FL_CODEC_SHORT);
        }
    }
}

static void
a_header_cut_at_any_byte_does_not_pass_the_guard(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        size_t full = s_encode_sample(messages_verbs[i]);
        for (size_t size = FL_ENVELOPE_BYTES; size < full; size++) {
            s_write_u32_at(frame, 32, (uint32_t)(size - FL_ENVELOPE_BYTES));
            assert_int_equal(s_decode_exact(frame, size), FL_CODEC_GUARD);
        }
    }
}

static void
a_flipped_bit_is_refused_or_still_a_valid_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        size_t size = s_encode_sample(messages_verbs[i]);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
            (void)s_decode_exact(frame, size);
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(s_decode(frame, size), FL_CODEC_OK);
    }
}

static void
random_headers_behind_a_true_envelope_never_crash(void **state)
{
    (void)state;
    fl_rng rng = fl_rng_seeded(5);
    for (int n = 0; n < 20000; n++) {
        size_t verb = (size_t)fl_rng_below(&rng, MESSAGES_VERBS);
        size_t size = FL_ENVELOPE_BYTES + (size_t)fl_rng_below(&rng, 60);
        (void)s_encode_sample(messages_verbs[verb]);
        s_write_u32_at(frame, 32, (uint32_t)(size - FL_ENVELOPE_BYTES));
        for (size_t at = FL_ENVELOPE_BYTES; at < size; at++) {
            frame[at] = (uint8_t)fl_rng_u64(&rng);
        }
        fl_codec code = s_decode_exact(frame, size);
        assert_true(code == FL_CODEC_OK || code == FL_CODEC_GUARD || code == FL_CODEC_FIELDS);
    }
}

static void
a_count_that_cannot_be_true_stops_at_the_guard(void **state)
{
    (void)state;
    static const uint8_t lie[] = { 0xdd, 0x04, 0, 0, 0 };
    (void)s_encode_sample(FL_HELLO);
    memcpy(frame + FL_ENVELOPE_BYTES, lie, sizeof lie);
    s_write_u32_at(frame, 32, sizeof lie);
    assert_int_equal(s_decode_exact(frame, FL_ENVELOPE_BYTES + sizeof lie), FL_CODEC_GUARD);
}

static void
a_frame_longer_than_it_says_or_may_be_is_refused(void **state)
{
    (void)state;
    size_t size = s_encode_sample(FL_BEAT);
    frame[size] = 0xc0;
    assert_int_equal(s_decode(frame, size + 1), FL_CODEC_GUARD);
    s_write_u32_at(frame, 32, FL_HEADER_BYTES_MAX + 1);
    assert_int_equal(s_decode(frame, FL_FRAME_BYTES_MAX + 1), FL_CODEC_GUARD);
    assert_int_equal(s_decode(frame, size), FL_CODEC_GUARD); // before its length is looked at
}

static void
a_header_that_is_no_array_is_refused(void **state)
{
    (void)state;
    (void)s_encode_sample(FL_LEAVE);
    frame[FL_ENVELOPE_BYTES] = 0x05;
    s_write_u32_at(frame, 32, 1);
    assert_int_equal(s_decode(frame, FL_ENVELOPE_BYTES + 1), FL_CODEC_FIELDS);
}

static void
an_unknown_verb_is_refused_by_its_number(void **state)
{
    (void)state;
    static const uint16_t unknown[] = { 0, 19, 23, FL_VERB_COUNT, 0x0101, 0xffff };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        size_t size = s_encode_sample(FL_LEAVE);
        frame[6] = (uint8_t)unknown[i];
        frame[7] = (uint8_t)(unknown[i] >> 8);
        fl_codec_result result = fl_decode(fl_bytes_of(frame, size), 0, &back);
        assert_int_equal(result.code, FL_CODEC_VERB);
        assert_int_equal(result.verb, unknown[i]);
    }
}

// ---- bodies -----------------------------------------------------------------------------------
static fl_codec
s_with_body(fl_verb verb, uint32_t said, size_t came)
{
    size_t size = s_encode_sample(verb);
    s_write_u32_at(frame, 36, said);
    return fl_decode(fl_bytes_of(frame, size), came, &back).code;
}

static void
a_body_must_be_there_exactly_when_its_verb_has_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        fl_verb verb = messages_verbs[i];
        bool has = fl_verb_row_of(verb)->body_max > 0, must = fl_verb_row_of(verb)->body_min > 0;
        assert_int_equal(s_with_body(verb, 2, 2), has ? FL_CODEC_OK : FL_CODEC_BODY);
        assert_int_equal(s_with_body(verb, 0, 0), must ? FL_CODEC_BODY : FL_CODEC_OK);
        assert_int_equal(s_with_body(verb, 2, 3), FL_CODEC_BODY);
        assert_int_equal(s_with_body(verb, 2, 0), FL_CODEC_BODY);
        uint32_t above = FL_CHUNK_BYTES_MAX + 1;
        assert_int_equal(s_with_body(verb, above, above), FL_CODEC_BODY);
    }
}

// ---- versions ---------------------------------------------------------------------------------
static void
another_major_is_refused_with_both_versions(void **state)
{
    (void)state;
    size_t size = s_encode_sample(FL_HELLO);
    frame[4] = 2;
    fl_codec_result result = fl_decode(fl_bytes_of(frame, size), 0, &back);
    assert_int_equal(result.code, FL_CODEC_VERSION);
    assert_int_equal(result.major, 2);
    assert_string_equal(result.text, "peer speaks wire 2.2, this build speaks 3.3: upgrade the "
                                     "older side");
}

static void
foreign_bytes_are_refused_by_their_magic(void **state)
{
    (void)state;
    static const uint8_t http[] = "GET / HTTP/1.1\r\nHost: example\r\n\r\n......";
    letter.body_bytes = 0;
    assert_int_equal(s_decode(http, sizeof http), FL_CODEC_MAGIC);
    assert_int_equal(s_decode(NULL, 0), FL_CODEC_SHORT);
}

//  The sample of `verb` with a value more (1) or so many missing (-1), written by minor `minor`.
static fl_codec
s_with_count(fl_verb verb, int more, uint8_t minor)
{
    size_t size = s_encode_sample(verb);
    uint32_t count = fl_verb_row_of(verb)->group.count;
    size_t end =
        more < 0 ? messages_value_at(fl_bytes_of(frame, size), count + (uint32_t)more) : size;
    fl_writer out = fl_writer_over(changed, sizeof changed);
    fl_write_from(&out, frame, FL_ENVELOPE_BYTES);
    fl_mp_write_array(&out, (uint32_t)((int)count + more));
    size_t first = messages_value_at(fl_bytes_of(frame, size), 0);
    fl_write_from(&out, frame + first, end - first);
    if (more > 0) {
        fl_mp_write_str(&out, fl_bytes_of("news", 4));
    }
    s_write_u32_at(changed, 32, (uint32_t)(fl_writer_size(&out) - FL_ENVELOPE_BYTES));
    changed[5] = minor;
    fl_bytes bytes = fl_bytes_of(changed, fl_writer_size(&out));
    fl_codec_result result = fl_decode(bytes, letter.body_bytes, &back);
    assert_int_equal(strstr(result.text, "too few or too many values") != NULL,
                     result.code != FL_CODEC_OK);
    return result.code;
}

static void
values_at_the_end_are_ignored_from_a_greater_minor_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        fl_verb verb = messages_verbs[i];
        assert_int_equal(s_with_count(verb, 1, FL_WIRE_MINOR + 1), FL_CODEC_OK);
        assert_true(messages_equal(&letter.message, &back));
        assert_int_equal(s_with_count(verb, 1, FL_WIRE_MINOR), FL_CODEC_FIELDS);
        assert_int_equal(s_with_count(verb, -1, FL_WIRE_MINOR), FL_CODEC_FIELDS);
        assert_int_equal(s_with_count(verb, -1, FL_WIRE_MINOR + 1), FL_CODEC_FIELDS);
    }
}

//  What a minor brought is not read of an older one, which said nothing of it.
static void
a_field_of_a_later_minor_is_empty_in_a_frame_of_an_older_one(void **state)
{
    (void)state;
    assert_int_equal(s_with_count(FL_HELLO, -1, 1), FL_CODEC_OK);
    assert_true(letter.message.hello.offers.size > 0 && back.hello.offers.size == 0);
    assert_true(fl_bytes_equal(letter.message.hello.certificate, back.hello.certificate));
    assert_int_equal(s_with_count(FL_HELLO, 0, 1), FL_CODEC_FIELDS);
    assert_int_equal(s_with_count(FL_HELLO, -2, 1), FL_CODEC_FIELDS);
    assert_int_equal(s_with_count(FL_HELLO, 0, 2), FL_CODEC_OK);
}

//  The array in field `index` of `verb` with `count` zeros, written by minor `minor`.
static fl_codec
s_with_zeros(fl_verb verb, uint32_t index, uint32_t count, uint8_t minor)
{
    uint8_t value[32];
    fl_writer out = fl_writer_over(value, sizeof value);
    fl_mp_write_array(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        fl_mp_write_uint(&out, 0);
    }
    size_t size = s_encode_sample(verb);
    size = messages_replace(fl_bytes_of(frame, size), index,
                            fl_bytes_of(value, fl_writer_size(&out)), changed, sizeof changed);
    changed[5] = minor;
    return s_decode(changed, size);
}

static void
the_same_holds_for_arrays_inside(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb;
        uint32_t field, count;
    } inside[] = {
        { FL_CONTRIB, 12, 13 },
        { FL_BEAT, 8, 13 },
    };
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        fl_verb verb = inside[i].verb;
        uint32_t field = inside[i].field, count = inside[i].count;
        assert_int_equal(s_with_zeros(verb, field, count, FL_WIRE_MINOR), FL_CODEC_OK);
        assert_int_equal(s_with_zeros(verb, field, count + 1, FL_WIRE_MINOR), FL_CODEC_FIELDS);
        assert_int_equal(s_with_zeros(verb, field, count + 1, FL_WIRE_MINOR + 1), FL_CODEC_OK);
        assert_int_equal(s_with_zeros(verb, field, count - 1, FL_WIRE_MINOR + 1), FL_CODEC_FIELDS);
    }
}

// ---- our own mistakes -------------------------------------------------------------------------
static void
s_encode_a_verb_that_is_none(void)
{
    fl_message message = { .verb = FL_VERB_NONE };
    fl_blob *blob = fl_encode(&message, 0);
    fl_blob_unref(&blob);
}

static void
s_encode_a_limit_below_next(void)
{
    messages_sample(FL_GRANT, &letter);
    letter.message.grant.limit = 0;
    fl_blob *blob = fl_encode(&letter.message, 0);
    fl_blob_unref(&blob);
}

static void
s_encode_a_text_without_end(void)
{
    messages_sample(FL_REFUSED, &letter);
    memset(letter.message.refused.text, 'x', sizeof letter.message.refused.text);
    fl_blob *blob = fl_encode(&letter.message, 0);
    fl_blob_unref(&blob);
}

static void
s_encode_a_chunk_without_body(void)
{
    messages_sample(FL_CHUNK, &letter);
    fl_blob *blob = fl_encode(&letter.message, 0);
    fl_blob_unref(&blob);
}

static void
encoding_an_invalid_message_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_encode_a_verb_that_is_none));
    assert_true(unit_dies(s_encode_a_limit_below_next));
    assert_true(unit_dies(s_encode_a_text_without_end));
    assert_true(unit_dies(s_encode_a_chunk_without_body));
}

static void
every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < FL_CODEC_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(fl_codec_name((fl_codec)i), fl_codec_name((fl_codec)j));
        }
    }
    assert_string_equal(fl_codec_name(FL_CODEC_GUARD), "guard");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_survives_the_wire_with_all_its_fields),
        cmocka_unit_test(a_frame_cut_at_any_byte_is_short),
        cmocka_unit_test(a_header_cut_at_any_byte_does_not_pass_the_guard),
        cmocka_unit_test(a_flipped_bit_is_refused_or_still_a_valid_message),
        cmocka_unit_test(random_headers_behind_a_true_envelope_never_crash),
        cmocka_unit_test(a_count_that_cannot_be_true_stops_at_the_guard),
        cmocka_unit_test(a_frame_longer_than_it_says_or_may_be_is_refused),
        cmocka_unit_test(a_header_that_is_no_array_is_refused),
        cmocka_unit_test(an_unknown_verb_is_refused_by_its_number),
        cmocka_unit_test(a_body_must_be_there_exactly_when_its_verb_has_one),
        cmocka_unit_test(another_major_is_refused_with_both_versions),
        cmocka_unit_test(foreign_bytes_are_refused_by_their_magic),
        cmocka_unit_test(values_at_the_end_are_ignored_from_a_greater_minor_only),
        cmocka_unit_test(a_field_of_a_later_minor_is_empty_in_a_frame_of_an_older_one),
        cmocka_unit_test(the_same_holds_for_arrays_inside),
        cmocka_unit_test(encoding_an_invalid_message_is_our_mistake),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests_name("wire/codec", tests, NULL, NULL);
}
