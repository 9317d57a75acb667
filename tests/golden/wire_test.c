//  Golden vectors of the wire: tests/golden/wire/<verb>.hex holds the frame of one fixed message
//  per verb, a field a line. A change of these files is a change of the protocol: it needs a new
//  version (docs/protocol.md, section 3). To make them anew, with the fuzz seeds made of them:
//      build/<preset>/golden_wire_test --write      (from the top of the tree)
#include "tests/support/messages.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/wire/verb_table.h"

enum { TEXT_ROOM = 64 * 1024 };

static messages_letter letter;
static char made[TEXT_ROOM], stored[TEXT_ROOM];

// ---- rendering --------------------------------------------------------------------------------
//  Append `bytes` as lines of at most 32, the first one with a comment.
static void
s_lines(char *text, fl_bytes bytes, const char *comment)
{
    for (size_t at = 0; at < bytes.size; at += 32) {
        unsigned size = (unsigned)(bytes.size - at < 32 ? bytes.size - at : 32);
        char hex[65];
        size_t used = strlen(text);
        fl_hex(bytes.data + at, size, hex);
        (void)snprintf(text + used, TEXT_ROOM - used, at == 0 ? "%-64s # %s\n" : "%s\n", hex,
                       comment);
    }
}

static void
s_render(fl_verb verb, fl_bytes frame, uint32_t body_bytes, char *text)
{
    static const struct {
        const char *name;
        size_t size;
    } parts[] = {
        { "magic", 4 }, { "major", 1 }, { "minor", 1 },        { "verb", 2 },
        { "round", 8 }, { "run", 16 },  { "header bytes", 4 }, { "body bytes", 4 },
    };
    const fl_group *group = &fl_verb_row_of(verb)->group;
    (void)snprintf(text, TEXT_ROOM, "# %s: header frame; its body frame has %u bytes\n",
                   fl_verb_name(verb), body_bytes);
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        s_lines(text, fl_bytes_of(frame.data + at, parts[i].size), parts[i].name);
        at += parts[i].size;
    }
    s_lines(text, fl_bytes_of(frame.data + at, messages_head_bytes(frame)), "msgpack array");
    for (uint32_t i = 0; i < group->count; i++) {
        size_t from = messages_value_at(frame, i), to = messages_value_at(frame, i + 1);
        s_lines(text, fl_bytes_of(frame.data + from, to - from), group->fields[i].name);
    }
}

//  The bytes that a text of hex lines stands for; what follows a '#' is for people.
static size_t
s_parse(const char *text, uint8_t *bytes, size_t room)
{
    size_t size = 0;
    for (const char *line = text; *line != '\0';) {
        const char *end = line + strcspn(line, "\n");
        char pair[3] = "";
        for (; line < end && *line != '#' && *line != ' '; line += 2) {
            memcpy(pair, line, 2);
            assert_true(size < room && fl_unhex(pair, bytes + size, 1));
            size++;
        }
        line = *end == '\0' ? end : end + 1;
    }
    return size;
}

static bool
s_load(const char *path, char *text, size_t room)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    text[fread(text, 1, room - 1, file)] = '\0';
    return fclose(file) == 0;
}

static const char *
s_path(fl_verb verb)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "tests/golden/wire/%s.hex", fl_verb_name(verb));
    return path;
}

// ---- tests ------------------------------------------------------------------------------------
static void
every_sample_encodes_to_its_golden_bytes_and_back(void **state)
{
    (void)state;
    static uint8_t bytes[TEXT_ROOM];
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        fl_verb verb = messages_verbs[i];
        messages_sample(verb, &letter);
        fl_blob *blob = fl_encode(&letter.message, letter.body_bytes);
        assert_non_null(blob);
        fl_bytes frame = fl_blob_bytes(blob);
        assert_true(s_load(s_path(verb), stored, sizeof stored));
        s_render(verb, frame, letter.body_bytes, made);
        assert_string_equal(made, stored);

        size_t size = s_parse(stored, bytes, sizeof bytes);
        assert_int_equal(size, frame.size);
        assert_memory_equal(bytes, frame.data, size);
        fl_message back;
        fl_codec_result result = fl_decode(fl_bytes_of(bytes, size), letter.body_bytes, &back);
        assert_int_equal(result.code, FL_CODEC_OK);
        assert_true(messages_equal(&letter.message, &back));
        fl_blob_unref(&blob);
    }
}

//  "grant = [attempt, hash, next, limit, rewind, chunk_bytes]"
static void
s_signature(const char *name, const fl_group *group, char *text, size_t room)
{
    (void)snprintf(text, room, "%s = [", name);
    for (uint32_t i = 0; i < group->count; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, room - used, "%s%s", i == 0 ? "" : ", ", group->fields[i].name);
    }
    size_t used = strlen(text);
    (void)snprintf(text + used, room - used, "]\n");
}

static void
the_document_lists_the_fields_of_every_verb(void **state)
{
    (void)state;
    char line[512];
    assert_true(s_load("docs/protocol.md", stored, sizeof stored));
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        const fl_group *group = &fl_verb_row_of(messages_verbs[i])->group;
        s_signature(fl_verb_name(messages_verbs[i]), group, line, sizeof line);
        if (strstr(stored, line) == NULL) {
            fail_msg("docs/protocol.md lacks the line: %s", line);
        }
        for (uint32_t f = 0; f < group->count; f++) {
            if (group->fields[f].group != NULL) {
                s_signature(group->fields[f].name, group->fields[f].group, line, sizeof line);
                assert_non_null(strstr(stored, line));
            }
        }
    }
}

//  Bytes of the largest msgpack value that a field can be.
static size_t
s_field_bytes_max(const fl_field *field)
{
    size_t sum = 1;
    switch (field->kind) {
    case FL_FIELD_UINT:
        return field->max < 128           ? 1
               : field->max <= UINT8_MAX  ? 2
               : field->max <= UINT16_MAX ? 3
               : field->max <= UINT32_MAX ? 5
                                          : 9;
    case FL_FIELD_BOOL:
        return 1;
    case FL_FIELD_BYTES:
        return 2 + (size_t)field->size;
    case FL_FIELD_VIEW:
        return 3 + (size_t)field->max;
    case FL_FIELD_TEXT:
        return (field->max < 32 ? 1 : 2) + (size_t)field->max;
    case FL_FIELD_ORDER:
        return 3 + FL_ORDER_BYTES;
    case FL_FIELD_SETTINGS:
    case FL_FIELD_MANIFEST:
        return 3 + (size_t)field->max;
    case FL_FIELD_UINTS:
        return 2 + (size_t)field->size;
    case FL_FIELD_GROUP:
        for (uint32_t i = 0; i < field->group->count; i++) {
            sum += s_field_bytes_max(&field->group->fields[i]);
        }
        return sum;
    }
    return 0;
}

static void
the_document_states_the_largest_frame_of_every_verb(void **state)
{
    (void)state;
    char row[64];
    assert_true(s_load("docs/protocol.md", stored, sizeof stored));
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        const fl_group *group = &fl_verb_row_of(messages_verbs[i])->group;
        size_t most = FL_ENVELOPE_BYTES + (group->count > 15 ? 3 : 1);
        for (uint32_t f = 0; f < group->count; f++) {
            most += s_field_bytes_max(&group->fields[f]);
        }
        (void)snprintf(row, sizeof row, "| `%s` |", fl_verb_name(messages_verbs[i]));
        const char *line = strstr(stored, row);
        assert_non_null(line);
        (void)snprintf(row, sizeof row, "| %zu |\n", most);
        const char *end = strchr(line, '\n') + 1;
        if (memcmp(end - strlen(row), row, strlen(row)) != 0) {
            fail_msg("docs/protocol.md: %s is at most %zu bytes", fl_verb_name(messages_verbs[i]),
                     most);
        }
    }
}

static void
the_document_lists_every_number_with_its_name(void **state)
{
    (void)state;
    char row[64];
    assert_true(s_load("docs/protocol.md", stored, sizeof stored));
    for (int i = 0; i < FL_WHY_COUNT; i++) {
        (void)snprintf(row, sizeof row, "\n| %d | `%s` |", i, fl_reason_name((fl_reason)i));
        bool given = strcmp(fl_reason_name((fl_reason)i), "unknown") != 0;
        if (given && strstr(stored, row) == NULL) {
            fail_msg("docs/protocol.md lacks the reason: %s", row);
        }
    }
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        fl_verb verb = messages_verbs[i];
        (void)snprintf(row, sizeof row, "\n| %d | `%s` |", (int)verb, fl_verb_name(verb));
        if (strstr(stored, row) == NULL) {
            fail_msg("docs/protocol.md lacks the verb: %s", row);
        }
    }
}

// ---- making them anew -------------------------------------------------------------------------
static void
s_save(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        (void)fprintf(stderr, "cannot write %s: run this from the top of the tree\n", path);
        exit(1);
    }
}

static void
s_seed(const char *target, const char *name, const void *bytes, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof path, "tests/fuzz/corpus/%s", target);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof path, "tests/fuzz/corpus/%s/golden-%s", target, name);
    s_save(path, bytes, size);
}

static void
s_seed_values(void)
{
    uint8_t order[FL_ORDER_BYTES];
    messages_sample(FL_TASK, &letter);
    fl_order_encode(&letter.message.task.order, order);
    s_seed("order", "task", order, sizeof order);
    messages_sample(FL_CONTRIB, &letter);
    s_seed("roll", "contrib", letter.message.contrib.roll.data, FL_ROLL_ENTRY_BYTES);
    s_seed("block_line", "contrib", letter.message.contrib.blocks.data, FL_BLOCK_LINE_BYTES);
}

static int
s_write_all(void)
{
    for (size_t i = 0; i < MESSAGES_VERBS; i++) {
        fl_verb verb = messages_verbs[i];
        const char *name = fl_verb_name(verb);
        messages_sample(verb, &letter);
        fl_blob *blob = fl_encode(&letter.message, letter.body_bytes);
        fl_bytes frame = fl_blob_bytes(blob);
        s_render(verb, frame, letter.body_bytes, made);
        s_save(s_path(verb), made, strlen(made));
        s_seed("codec", name, frame.data, frame.size);
        s_seed("envelope", name, frame.data, FL_ENVELOPE_BYTES);
        s_seed("guard", name, frame.data + FL_ENVELOPE_BYTES, frame.size - FL_ENVELOPE_BYTES);
        fl_blob_unref(&blob);
    }
    s_seed_values();
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--write") == 0) {
        return s_write_all();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_encodes_to_its_golden_bytes_and_back),
        cmocka_unit_test(the_document_lists_the_fields_of_every_verb),
        cmocka_unit_test(the_document_states_the_largest_frame_of_every_verb),
        cmocka_unit_test(the_document_lists_every_number_with_its_name),
    };
    return cmocka_run_group_tests_name("golden/wire", tests, NULL, NULL);
}
