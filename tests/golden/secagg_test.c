//  The golden round: tests/golden/masking/round.hex holds every frame of a block of five with fixed
//  keys, in the order in which they are said, what follows from them, and the secrets behind it;
//  one member is lost before its upload. To make it anew, with the fuzz seeds of its verbs:
//  build/<preset>/golden_masking_test --write (from the top of the tree)
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/secagg/client_inside.h"
#include "common/wire/codec.h"

enum { MEMBERS = 5, LOST = 3, TEXT_ROOM = 256 * 1024 };

static char made[TEXT_ROOM], stored[TEXT_ROOM];
static size_t used;

static const char path[] = "tests/golden/masking/round.hex";

//  Append a line of what it is, then its bytes as lines of at most 32.
static void
s_say(const char *what, fl_bytes bytes)
{
    used += (size_t)snprintf(made + used, sizeof made - used, "# %s\n", what);
    for (size_t at = 0; at < bytes.size; at += 32) {
        char hex[65];
        fl_hex(bytes.data + at, (unsigned)(bytes.size - at < 32 ? bytes.size - at : 32), hex);
        used += (size_t)snprintf(made + used, sizeof made - used, "%s\n", hex);
    }
    assert_true(used + 1 < sizeof made);
}

//  What a member drew for this round, as long as it has it, and the seed of the key that it signs
//  with: whoever has these can make the round anew.
static void
s_say_secrets(const masked_member *member, int32_t index)
{
    const fl_secagg_secrets *secrets = member->machine->secrets;
    uint8_t bytes[4 * 32], file[FL_KEYS_FILE_BYTES];
    char what[64];
    fl_writer out = fl_writer_over(bytes, sizeof bytes);
    fl_keys_encode(member->keys, file);
    fl_write_from(&out, file + 8, 32);
    fl_write_from(&out, secrets->b, sizeof secrets->b);
    fl_write_from(&out, secrets->msk, sizeof secrets->msk);
    fl_write_from(&out, secrets->esk, sizeof secrets->esk);
    (void)snprintf(what, sizeof what, "%d secrets: ed seed, b, msk, esk", index);
    s_say(what, fl_bytes_of(bytes, fl_writer_size(&out)));
}

static bool
s_write_down(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    char what[64];
    if (message->verb == FL_KEYS) {
        s_say_secrets(&world->member[from], from);
    }
    if (message->verb == FL_CONTRIB) { // its other fields are the aggregator's
        (void)snprintf(what, sizeof what, "%d contrib: header", from);
        s_say(what, message->contrib.header);
        (void)snprintf(what, sizeof what, "%d contrib: psig", from);
        s_say(what, message->contrib.psig);
        return true;
    }
    fl_blob *frame = fl_encode(message, 0);
    assert_non_null(frame);
    if (from >= 0) {
        (void)snprintf(what, sizeof what, "%d %s", from, fl_verb_name(message->verb));
    } else {
        (void)snprintf(what, sizeof what, "%s to %d", fl_verb_name(message->verb), to);
    }
    s_say(what, fl_blob_bytes(frame));
    fl_blob_unref(&frame);
    return true;
}

//  The header before it was masked.
static void
s_say_header(const masked_world *world, uint32_t index, const fl_hash *ctx)
{
    const masked_member *member = &world->member[index];
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES], bytes[FL_MASKED_HEADER_BYTES];
    fl_transcript_checksum_key(ctx, key);
    fl_secagg_sums sums = { .weight = member->weight,
                            .count = member->count,
                            .checksum = fl_mask_checksum(key, 0, world->plan.elements,
                                                         world->plan.wire_bytes, member->wire) };
    memcpy(sums.stats, member->stats, sizeof sums.stats);
    fl_secagg_header_encode(&sums, bytes);
    char what[64];
    (void)snprintf(what, sizeof what, "%u plain header: weight, count, checksum, stats", index);
    s_say(what, fl_bytes_of(bytes, sizeof bytes));
}

static void
s_render(void)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    masked_world *world = masked_new(&plan, 1);
    char what[64];
    size_t bytes = (size_t)plan.elements * plan.wire_bytes;
    used = 0;
    uint8_t order[FL_ORDER_BYTES];
    fl_order_encode(&world->task.order, order);
    s_say("the order; its signature follows", fl_bytes_of(order, sizeof order));
    s_say("signature", fl_bytes_of(world->task.signature, sizeof world->task.signature));
    const fl_authority_public *authority = fl_authority_public_of(world->authority);
    uint8_t file[FL_AUTHORITY_PUBLIC_FILE_BYTES];
    fl_authority_public_encode(authority, file);
    s_say("authority.pub", fl_bytes_of(file, sizeof file));
    s_say("edge", fl_bytes_of(world->parent.name, sizeof world->parent.name));
    world->hook = s_write_down;
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    const fl_secagg_client *machine = world->member[0].machine;
    s_say("roster hash", fl_bytes_of(machine->block.round.roster.bytes, 32));
    s_say("ctx", fl_bytes_of(machine->ctx.bytes, 32));
    for (uint32_t i = 0; i < MEMBERS; i++) {
        s_say_header(world, i, &machine->ctx);
        (void)snprintf(what, sizeof what, "%u plain", i);
        s_say(what, fl_bytes_of(world->member[i].wire, bytes));
        (void)snprintf(what, sizeof what, "%u masked", i);
        s_say(what, fl_bytes_of(world->member[i].masked, bytes));
    }
    uint8_t sum[8 * 8];
    fl_writer out = fl_writer_over(sum, sizeof sum);
    for (uint32_t e = 0; e < plan.elements; e++) {
        fl_write_u64(&out, world->sum[e]);
    }
    s_say("sum, as 64-bit integers", fl_bytes_of(sum, fl_writer_size(&out)));
    masked_destroy(&world);
}

// ---- fuzz seeds ------------------------------------------------------------------------------
//  Of each member's first frame of each verb, or the first one to it, in the world of
//  tests/fuzz/masked.c: behind the byte that says whose it is, and each in another way.
static bool seeded[FL_VERB_COUNT][MASKED_MEMBERS];

static bool
s_seed(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    static const uint8_t ways[] = { 0, 4, 12, 16 }; // as it is, instead, signed anew, later
    (void)world;
    uint32_t who = (uint32_t)(from >= 0 ? from : to);
    if (seeded[message->verb][who]) {
        return true;
    }
    seeded[message->verb][who] = true;
    char folder[128], name[160];
    (void)snprintf(folder, sizeof folder, "tests/fuzz/corpus/masked_%s",
                   fl_verb_name(message->verb));
    (void)snprintf(name, sizeof name, "%s/golden-%u", folder, who);
    (void)mkdir(folder, 0777);
    FILE *file = fopen(name, "wb");
    fl_blob *frame = fl_encode(message, 0);
    assert_true(file != NULL && frame != NULL);
    (void)fputc((int)(who | ways[who]), file);
    (void)fwrite(fl_blob_bytes(frame).data, 1, fl_blob_size(frame), file);
    assert_int_equal(fclose(file), 0);
    fl_blob_unref(&frame);
    return true;
}

static void
s_write_seeds(void)
{
    masked_plan plan = masked_plan_small(4);
    masked_world *world = masked_new(&plan, 4);
    world->hook = s_seed;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    masked_destroy(&world);
}

static bool
s_load(const char *from)
{
    FILE *file = fopen(from, "r");
    if (file == NULL) {
        return false;
    }
    stored[fread(stored, 1, sizeof stored - 1, file)] = '\0';
    return fclose(file) == 0;
}

static void
a_round_with_fixed_keys_says_the_same_bytes(void **state)
{
    (void)state;
    s_render();
    assert_true(s_load(path));
    assert_string_equal(made, stored);
}

//  Row `name` of a table of the document.
static void
s_assert_row(const char *name)
{
    char row[64];
    (void)snprintf(row, sizeof row, "| `%s` |", name);
    if (strstr(stored, row) == NULL) {
        fail_msg("docs/masking.md lacks the row of %s", name);
    }
}

static void
the_document_has_every_step_state_and_verb(void **state)
{
    (void)state;
    assert_true(s_load("docs/masking.md"));
    for (int i = 0; i < FL_CLIENT_STEPS; i++) {
        s_assert_row(fl_secagg_step_name((fl_secagg_step)i));
    }
    for (int i = FL_SERVER_INVITED; i < FL_SERVER_STATES; i++) {
        s_assert_row(fl_secagg_state_name((fl_secagg_state)i));
    }
    for (int i = FL_WHY_ROSTER_TOO_SMALL; i <= FL_WHY_KEY; i++) {
        s_assert_row(fl_reason_name((fl_reason)i));
    }
}

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--write") == 0) {
        s_render();
        s_write_seeds();
        FILE *file = fopen(path, "w");
        bool fine = file != NULL && fwrite(made, 1, used, file) == used;
        return file != NULL && fclose(file) == 0 && fine ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_with_fixed_keys_says_the_same_bytes),
        cmocka_unit_test(the_document_has_every_step_state_and_verb),
    };
    return cmocka_run_group_tests_name("golden/masking", tests, NULL, NULL);
}
