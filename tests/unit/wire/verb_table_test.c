//  What every field of every verb accepts and refuses, seen through the codec.
#include "common/wire/verb_table.h"

#include "tests/support/messages.h"
#include "tests/support/unit.h"

#include <string.h>

#include "common/wire/mp.h"

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

// ---- the tables -------------------------------------------------------------------------------
static size_t
s_align(const fl_field *field)
{
    switch (field->kind) {
    case FL_FIELD_UINT:
    case FL_FIELD_BOOL:
        return field->size;
    case FL_FIELD_BYTES:
    case FL_FIELD_TEXT:
        return 1;
    case FL_FIELD_VIEW:
    case FL_FIELD_ORDER:
    case FL_FIELD_SETTINGS:
    case FL_FIELD_MANIFEST:
    case FL_FIELD_UINTS:
    case FL_FIELD_GROUP:
        return 8;
    }
    return 0;
}

static size_t
s_round_up(size_t value, size_t align)
{
    return (value + align - 1) / align * align;
}

//  The rows of a table lie one behind the other in the struct with no room between them.
static void
s_assert_complete(const fl_group *group, size_t struct_size)
{
    size_t end = 0, align_max = 1;
    for (uint32_t i = 0; i < group->count; i++) {
        size_t align = s_align(&group->fields[i]);
        if (group->fields[i].kind == FL_FIELD_SETTINGS ||
            group->fields[i].kind == FL_FIELD_MANIFEST) {
            continue; // they are in the order
        }
        assert_int_equal(group->fields[i].offset, s_round_up(end, align));
        end = group->fields[i].offset + (size_t)group->fields[i].size;
        align_max = align > align_max ? align : align_max;
        if (group->fields[i].kind == FL_FIELD_GROUP) {
            s_assert_complete(group->fields[i].group, group->fields[i].size);
        }
    }
    assert_int_equal(s_round_up(end, align_max), struct_size);
}

static void
every_member_of_a_struct_is_in_its_table(void **state)
{
    (void)state;
    //  0: ROSTER, READY and MASKSET say a part of a fl_block_word.
    static const size_t sizes[MESSAGES_VERBS] = {
        sizeof(fl_hello),
        sizeof(fl_welcome),
        sizeof(fl_refused),
        sizeof(fl_task),
        sizeof(fl_contrib),
        sizeof(fl_grant),
        sizeof(fl_closed),
        sizeof(fl_beat),
        sizeof(fl_leave),
        sizeof(fl_deny),
        sizeof(fl_enrol),
        sizeof(fl_enrolled),
        sizeof(fl_chunk),
        sizeof(fl_fetch),
        sizeof(fl_piece),
        offsetof(fl_ask, body),
        sizeof(fl_answer),
        sizeof(fl_block_keys),
        0,
        sizeof(fl_block_shares),
        sizeof(fl_block_word),
        0,
        0,
        sizeof(fl_block_word),
        sizeof(fl_block_ack),
        sizeof(fl_block_word),
        sizeof(fl_block_unmask),
        sizeof(fl_deny_get),
        sizeof(fl_deny_part),
        sizeof(fl_twins),
        sizeof(fl_pools_told),
    };
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        if (sizes[i] > 0) {
            s_assert_complete(&fl_verb_row_of(messages_verbs[i])->group, sizes[i]);
        }
    }
}

static void
the_tables_and_the_verbs_agree(void **state)
{
    (void)state;
    unsigned known = 0;
    for (uint32_t verb = 0; verb < FL_VERB_COUNT; verb++) {
        const fl_verb_row *shape = fl_verb_row_of(verb);
        known += shape != NULL;
        bool body = verb == FL_CHUNK || verb == FL_PIECE || verb == FL_ASK || verb == FL_ANSWER;
        assert_int_equal(shape != NULL && shape->body_max > 0, body);
    }
    assert_int_equal(known, MESSAGES_VERBS);
    assert_null(fl_verb_row_of(FL_VERB_COUNT));
    assert_null(fl_verb_row_of(UINT32_MAX));
}

// ---- ranges -----------------------------------------------------------------------------------
//  The verdict on the sample of `verb` with field `index` replaced.
static fl_codec_result
s_with(fl_verb verb, uint32_t index, fl_bytes value)
{
    size_t size = s_encode_sample(verb);
    size = messages_replace(fl_bytes_of(frame, size), index, value, changed, sizeof changed);
    return fl_decode(fl_bytes_of(changed, size), letter.body_bytes, &back);
}

static fl_codec
s_with_uint(fl_verb verb, uint32_t index, uint64_t number)
{
    uint8_t value[16];
    fl_writer out = fl_writer_over(value, sizeof value);
    fl_mp_write_uint(&out, number);
    return s_with(verb, index, fl_bytes_of(value, fl_writer_size(&out))).code;
}

static fl_codec
s_with_bytes(fl_verb verb, uint32_t index, bool text, const void *bytes, size_t size)
{
    static uint8_t value[FRAME_ROOM];
    fl_writer out = fl_writer_over(value, sizeof value);
    (text ? fl_mp_write_str : fl_mp_write_bin)(&out, fl_bytes_of(bytes, size));
    return s_with(verb, index, fl_bytes_of(value, fl_writer_size(&out))).code;
}

static void
a_field_of_another_type_is_refused_by_its_name(void **state)
{
    (void)state;
    static const uint8_t others[] = { 0xc0, 0xff, 0x80 }; // nil, -1, an empty map
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        const fl_group *group = &fl_verb_row_of(messages_verbs[i])->group;
        for (uint32_t f = 0; f < group->count; f++) {
            for (size_t n = 0; n < sizeof others; n++) {
                fl_codec_result result = s_with(messages_verbs[i], f, fl_bytes_of(others + n, 1));
                assert_int_equal(result.code, FL_CODEC_FIELDS);
                assert_non_null(strstr(result.text, fl_verb_name(messages_verbs[i])));
                assert_non_null(strstr(result.text, group->fields[f].name));
            }
            uint8_t other = group->fields[f].kind == FL_FIELD_BOOL ? 1 : 0xc2;
            fl_codec_result result = s_with(messages_verbs[i], f, fl_bytes_of(&other, 1));
            assert_int_equal(result.code, FL_CODEC_FIELDS);
        }
    }
}

static void
numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb;
        uint32_t field;
        uint64_t fine, bad;
    } cases[] = {
        { FL_HELLO, 0, FL_ROLE_DEVICE, FL_ROLE_NONE },
        { FL_HELLO, 0, FL_ROLE_OPERATOR, FL_ROLE_OPERATOR + 1 },
        { FL_HELLO, 3, UINT32_MAX, (uint64_t)UINT32_MAX + 1 },
        { FL_WELCOME, 0, UINT32_MAX, UINT64_MAX },
        { FL_WELCOME, 3, 1, 0 },
        { FL_WELCOME, 4, UINT16_MAX, UINT16_MAX + 1 },
        { FL_WELCOME, 5, 0, 65536 },
        { FL_REFUSED, 0, FL_WHY_LATE, FL_WHY_NONE },
        { FL_REFUSED, 0, FL_WHY_COUNT - 1, FL_WHY_COUNT },
        { FL_REFUSED, 1, FL_UNMASK, FL_VERB_COUNT },
        { FL_TASK, 0, 1, 0 },
        { FL_TASK, 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1 },
        { FL_CONTRIB, 0, UINT32_MAX, 0 },
        { FL_CONTRIB, 4, 1, 0 },
        { FL_CONTRIB, 8, FL_VECTOR_BYTES_MAX, FL_VECTOR_BYTES_MAX + 1 },
        { FL_CONTRIB, 9, FL_VECTOR_BYTES_MAX, FL_VECTOR_BYTES_MAX + 1 },
        { FL_GRANT, 0, 1, 0 },
        { FL_GRANT, 3, FL_VECTOR_BYTES_MAX, FL_VECTOR_BYTES_MAX + 1 },
        { FL_GRANT, 5, 1, 0 },
        { FL_GRANT, 5, FL_CHUNK_BYTES_MAX, FL_CHUNK_BYTES_MAX + 1 },
        { FL_CLOSED, 1, FL_OUT_IDLE, FL_OUT_COUNT },
        { FL_CLOSED, 2, FL_WHY_NONE, FL_WHY_COUNT },
        { FL_BEAT, 3, FL_DOING_PAUSED, FL_DOING_COUNT },
        { FL_LEAVE, 0, FL_WHY_NONE, FL_WHY_COUNT },
        { FL_ENROLLED, 1, FL_WHY_NONE, FL_WHY_COUNT },
        { FL_CHUNK, 0, 1, 0 },
        { FL_CHUNK, 5, FL_VECTOR_BYTES_MAX, FL_VECTOR_BYTES_MAX + 1 },
        { FL_FETCH, 1, FL_VECTOR_BYTES_MAX, FL_VECTOR_BYTES_MAX + 1 },
        { FL_FETCH, 2, 1, 0 },
        { FL_FETCH, 2, FL_CHUNK_BYTES_MAX, FL_CHUNK_BYTES_MAX + 1 },
        { FL_PIECE, 2, FL_VECTOR_BYTES_MAX, FL_VECTOR_BYTES_MAX + 1 },
        { FL_ANSWER, 0, 255, 256 },
        { FL_ROSTER, 0, UINT32_MAX, (uint64_t)UINT32_MAX + 1 },
        { FL_SHARES, 1, 2, 3 },
        { FL_MASKSET, 1, UINT64_MAX, 0 },
        { FL_SURVIVORS, 1, 5, 7 },
        { FL_ACKS, 1, 5, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fl_codec fine = s_with_uint(cases[i].verb, cases[i].field, cases[i].fine);
        assert_int_equal(fine, FL_CODEC_OK);
        fl_codec bad = s_with_uint(cases[i].verb, cases[i].field, cases[i].bad);
        assert_int_equal(bad, FL_CODEC_FIELDS);
    }
}

static void
byte_strings_out_of_size_are_refused(void **state)
{
    (void)state;
    static const uint8_t zeros[FL_DENY_BYTES_MAX + 1];
    static const struct {
        fl_verb verb;
        uint32_t field;
        size_t fine, bad;
    } cases[] = {
        { FL_HELLO, 2, 32, 31 },
        { FL_HELLO, 2, 32, 33 },
        { FL_HELLO, 4, 0, FL_CERT_BYTES_MAX + 1 },
        { FL_HELLO, 4, FL_CERT_BYTES_MAX, FL_CERT_BYTES_MAX + 1 },
        { FL_WELCOME, 2, FL_TICKET_BYTES, FL_TICKET_BYTES - 1 },
        { FL_WELCOME, 7, FL_CERT_BYTES_MAX, FL_CERT_BYTES_MAX + 1 },
        { FL_TASK, 3, FL_SIGNATURE_BYTES, FL_SIGNATURE_BYTES + 1 },
        { FL_CONTRIB, 3, FL_TICKET_BYTES, 0 },
        { FL_GRANT, 1, 32, 0 },
        { FL_DENY, 1, FL_DENY_BYTES_MAX, FL_DENY_BYTES_MAX + 1 },
        { FL_DENY_PART, 3, 60, FL_DENY_BYTES_MAX + 1 },
        { FL_DENY_PART, 3, 1, 61 }, // beyond the total
        { FL_ENROL, 1, 1, 0 },
        { FL_ENROL, 1, FL_SEALED_BYTES_MAX, FL_SEALED_BYTES_MAX + 1 },
        { FL_ENROLLED, 3, FL_CERT_BYTES_MAX, FL_CERT_BYTES_MAX + 1 },
        { FL_CHUNK, 3, 32, 16 },
        { FL_FETCH, 0, 32, 16 },
        { FL_PIECE, 0, 32, 16 },
        { FL_CONTRIB, 15, FL_MASKED_HEADER_BYTES, FL_MASKED_HEADER_BYTES - 8 },
        { FL_CONTRIB, 16, FL_SIGNATURE_BYTES, FL_SIGNATURE_BYTES - 1 },
        { FL_KEYS, 0, FL_MEMBER_CERT_BYTES, FL_MEMBER_CERT_BYTES - 1 },
        { FL_KEYS, 0, FL_MEMBER_CERT_BYTES, FL_MEMBER_CERT_BYTES + 1 },
        { FL_KEYS, 1, 32, 31 },
        { FL_ROSTER, 1, 64 * FL_MEMBER_BYTES, 65 * FL_MEMBER_BYTES },
        { FL_ROSTER, 1, FL_MEMBER_BYTES, FL_MEMBER_BYTES - 1 },
        { FL_SHARES, 4, 3 * FL_DIGESTS_BYTES, 2 * FL_DIGESTS_BYTES },
        { FL_SHARES, 5, 3 * FL_SEALED_SHARE_BYTES, 4 * FL_SEALED_SHARE_BYTES },
        { FL_DEALT, 2, 2 * FL_DEALT_BYTES, 2 * FL_DEALT_BYTES - 1 },
        { FL_SURVIVORS, 2, 2 * FL_SIGNATURE_BYTES, FL_SIGNATURE_BYTES },
        { FL_ACK, 1, FL_SIGNATURE_BYTES, FL_SIGNATURE_BYTES + 1 },
        { FL_ACKS, 2, 2 * FL_SIGNATURE_BYTES, 3 * FL_SIGNATURE_BYTES },
        { FL_UNMASK, 3, 3 * FL_SHARE_WIRE_BYTES, 4 * FL_SHARE_WIRE_BYTES },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fl_codec fine = s_with_bytes(cases[i].verb, cases[i].field, false, zeros, cases[i].fine);
        assert_int_equal(fine, FL_CODEC_OK);
        fl_codec bad = s_with_bytes(cases[i].verb, cases[i].field, false, zeros, cases[i].bad);
        assert_int_equal(bad, FL_CODEC_FIELDS);
        fl_codec str = s_with_bytes(cases[i].verb, cases[i].field, true, zeros, cases[i].fine);
        assert_int_equal(str, FL_CODEC_FIELDS); // a str is no bin
    }
}

static void
texts_are_printable_and_fit(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb;
        uint32_t field;
        size_t least, most;
    } texts[] = {
        { FL_REFUSED, 2, 0, FL_TEXT_MAX - 1 },
        { FL_ENROLLED, 2, 0, FL_TEXT_MAX - 1 },
        { FL_ASK, 0, 1, 31 },
        { FL_ASK, 1, 0, FL_TEXT_MAX - 1 },
    };
    static const char bad[] = { '\0', '\n', '\x1b', '\x7f', (char)0xc3 };
    char text[FL_TEXT_MAX + 1];
    memset(text, '~', sizeof text);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fl_verb verb = texts[i].verb;
        uint32_t field = texts[i].field;
        assert_int_equal(s_with_bytes(verb, field, true, text, texts[i].most), FL_CODEC_OK);
        assert_int_equal(s_with_bytes(verb, field, true, text, texts[i].most + 1), FL_CODEC_FIELDS);
        fl_codec empty = texts[i].least == 0 ? FL_CODEC_OK : FL_CODEC_FIELDS;
        assert_int_equal(s_with_bytes(verb, field, true, text, 0), empty);
        assert_int_equal(s_with_bytes(verb, field, false, text, 3), FL_CODEC_FIELDS);
        for (size_t n = 0; n < sizeof bad; n++) {
            char line[3] = { 'a', bad[n], 'b' };
            assert_int_equal(s_with_bytes(verb, field, true, line, 3), FL_CODEC_FIELDS);
            assert_int_equal(s_with_bytes(verb, field, true, line, 2), FL_CODEC_FIELDS);
        }
    }
}

static void
a_malformed_order_or_roll_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[(FL_ROLL_MAX + 1) * FL_ROLL_ENTRY_BYTES];
    messages_sample(FL_TASK, &letter);
    fl_order_encode(&letter.message.task.order, bytes);
    assert_int_equal(s_with_bytes(FL_TASK, 2, false, bytes, FL_ORDER_BYTES), FL_CODEC_OK);
    assert_int_equal(s_with_bytes(FL_TASK, 2, false, bytes, FL_ORDER_BYTES - 1), FL_CODEC_FIELDS);
    bytes[0] = 2; // version
    assert_int_equal(s_with_bytes(FL_TASK, 2, false, bytes, FL_ORDER_BYTES), FL_CODEC_FIELDS);

    messages_sample(FL_CONTRIB, &letter);
    for (size_t i = 0; i <= FL_ROLL_MAX; i++) {
        memcpy(bytes + i * FL_ROLL_ENTRY_BYTES, letter.message.contrib.roll.data,
               FL_ROLL_ENTRY_BYTES);
    }
    size_t most = FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES;
    assert_int_equal(s_with_bytes(FL_CONTRIB, 14, false, bytes, 0), FL_CODEC_OK);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 14, false, bytes, most), FL_CODEC_OK);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 14, false, bytes, sizeof bytes), FL_CODEC_FIELDS);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 14, false, bytes, most - 1), FL_CODEC_FIELDS);
    bytes[most - 1] = 1; // the spare byte of the last entry
    assert_int_equal(s_with_bytes(FL_CONTRIB, 14, false, bytes, most), FL_CODEC_FIELDS);
}

static void
malformed_lines_of_blocks_are_refused(void **state)
{
    (void)state;
    static uint8_t bytes[(FL_BLOCK_LINES_MAX + 1) * FL_BLOCK_LINE_BYTES];
    messages_sample(FL_CONTRIB, &letter);
    for (size_t i = 0; i <= FL_BLOCK_LINES_MAX; i++) {
        memcpy(bytes + i * FL_BLOCK_LINE_BYTES, letter.message.contrib.blocks.data,
               FL_BLOCK_LINE_BYTES);
    }
    size_t most = FL_BLOCK_LINES_MAX * FL_BLOCK_LINE_BYTES;
    assert_int_equal(s_with_bytes(FL_CONTRIB, 17, false, bytes, 0), FL_CODEC_OK);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 17, false, bytes, most), FL_CODEC_OK);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 17, false, bytes, sizeof bytes), FL_CODEC_FIELDS);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 17, false, bytes, most - 1), FL_CODEC_FIELDS);
    bytes[most - 1] = 1; // the spare byte of the last line
    assert_int_equal(s_with_bytes(FL_CONTRIB, 17, false, bytes, most), FL_CODEC_FIELDS);
}

static void
fields_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    //  The samples: round 7; GRANT next 131072; CHUNK and PIECE offset 131072, body 65536.
    assert_int_equal(s_with_uint(FL_CONTRIB, 4, 7), FL_CODEC_OK);
    assert_int_equal(s_with_uint(FL_CONTRIB, 4, 8), FL_CODEC_FIELDS);
    assert_int_equal(s_with_uint(FL_GRANT, 3, 131072), FL_CODEC_OK);
    assert_int_equal(s_with_uint(FL_GRANT, 3, 131071), FL_CODEC_FIELDS);
    assert_int_equal(s_with_uint(FL_CHUNK, 5, 131072 + 65536), FL_CODEC_OK);
    assert_int_equal(s_with_uint(FL_CHUNK, 5, 131072 + 65535), FL_CODEC_FIELDS);
    assert_int_equal(s_with_uint(FL_CHUNK, 5, 131071), FL_CODEC_FIELDS);
    assert_int_equal(s_with_uint(FL_PIECE, 2, 131072 + 65536), FL_CODEC_OK);
    assert_int_equal(s_with_uint(FL_PIECE, 2, 131072 + 65535), FL_CODEC_FIELDS);
    assert_int_equal(s_with_uint(FL_ENROLLED, 1, FL_WHY_TOKEN), FL_CODEC_FIELDS);
    assert_int_equal(s_with_bytes(FL_ENROLLED, 3, false, "", 0), FL_CODEC_FIELDS);
    //  The sample: shard 3 of 16.
    assert_int_equal(s_with_uint(FL_ENROLLED, 4, 15), FL_CODEC_OK);
    assert_int_equal(s_with_uint(FL_ENROLLED, 4, 16), FL_CODEC_FIELDS);
    assert_int_equal(s_with_uint(FL_ENROLLED, 5, 4), FL_CODEC_OK);
    assert_int_equal(s_with_uint(FL_ENROLLED, 5, 0), FL_CODEC_FIELDS);
    //  What a masked header hides does not stand beside it; a signature goes with a header.
    assert_int_equal(s_with_uint(FL_CONTRIB, 6, 1), FL_CODEC_FIELDS);
    assert_int_equal(s_with_uint(FL_CONTRIB, 7, 1), FL_CODEC_FIELDS);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 15, false, "", 0), FL_CODEC_FIELDS);
    assert_int_equal(s_with_bytes(FL_CONTRIB, 16, false, "", 0), FL_CODEC_OK);
    //  The sample of UNMASK: self 6, pair 1.
    assert_int_equal(s_with_uint(FL_UNMASK, 2, 8), FL_CODEC_OK);
    assert_int_equal(s_with_uint(FL_UNMASK, 2, 2), FL_CODEC_FIELDS);
    assert_int_equal(s_with_bytes(FL_SURVIVORS, 2, false, "", 0), FL_CODEC_OK);
}

//  The verdict on the sample of `verb` with byte `at` of its envelope replaced.
static fl_codec
s_with_envelope(fl_verb verb, size_t at, uint8_t value)
{
    size_t size = s_encode_sample(verb);
    frame[at] = value;
    return fl_decode(fl_bytes_of(frame, size), letter.body_bytes, &back).code;
}

static void
the_envelope_must_agree_with_the_header(void **state)
{
    (void)state;
    assert_int_equal(s_with_envelope(FL_TASK, 8, 8), FL_CODEC_FIELDS);     // another round
    assert_int_equal(s_with_envelope(FL_TASK, 16, 0xff), FL_CODEC_FIELDS); // another run
    assert_int_equal(s_with_envelope(FL_GRANT, 8, 0), FL_CODEC_FIELDS);    // no round
    assert_int_equal(s_with_envelope(FL_CHUNK, 8, 0), FL_CODEC_FIELDS);
    assert_int_equal(s_with_envelope(FL_CONTRIB, 8, 0), FL_CODEC_FIELDS);
    assert_int_equal(s_with_envelope(FL_BEAT, 8, 0), FL_CODEC_OK);
    for (int verb = FL_KEYS; verb <= FL_UNMASK; verb++) {
        assert_int_equal(s_with_envelope((fl_verb)verb, 8, 0), FL_CODEC_FIELDS);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_of_a_struct_is_in_its_table),
        cmocka_unit_test(the_tables_and_the_verbs_agree),
        cmocka_unit_test(a_field_of_another_type_is_refused_by_its_name),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(byte_strings_out_of_size_are_refused),
        cmocka_unit_test(texts_are_printable_and_fit),
        cmocka_unit_test(a_malformed_order_or_roll_is_refused),
        cmocka_unit_test(malformed_lines_of_blocks_are_refused),
        cmocka_unit_test(fields_that_contradict_each_other_are_refused),
        cmocka_unit_test(the_envelope_must_agree_with_the_header),
    };
    return cmocka_run_group_tests_name("wire/verb_table", tests, NULL, NULL);
}
