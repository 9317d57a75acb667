//  Golden bytes of everything that is signed, sealed or stored: tests/golden/crypto/<name>.hex, a
//  field a line, made from fixed seeds (tests/support/identity.c). A change of these files is a
//  change of a format that nodes in the field hold: it needs a new version byte or domain. To make
//  them anew, with the fuzz seeds made of them:
//      build/<preset>/golden_crypto_test --write    (from the top of the tree)
#include "tests/support/unit.h"

#include "common/crypto/ticket.h"
#include "common/secagg/transcript.h"
#include "tests/support/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_ROOM = 8 * 1024, BYTES_MAX = 1024, PARTS_MAX = 20 };

typedef struct part {
    const char *name;
    size_t size;
} part;

typedef struct sample {
    const char *name;
    const char *target; // the fuzz target that starts from it, or NULL
    size_t (*make)(uint8_t bytes[BYTES_MAX]);
    part parts[PARTS_MAX];
} sample;

static fl_authority *authority;
static fl_keys *keys, *fresh;

static void
s_set_up(void)
{
    FL_ASSERT(fl_crypto_init(NULL) == FL_OK);
    authority = identity_authority(1);
    keys = identity_keys(3);
    fresh = identity_keys(4);
}

static void
s_tear_down(void)
{
    fl_authority_destroy(&authority);
    fl_keys_destroy(&keys);
    fl_keys_destroy(&fresh);
}

// ---- the samples ------------------------------------------------------------------------------
static size_t
s_keys(uint8_t bytes[BYTES_MAX])
{
    fl_keys_encode(keys, bytes);
    return FL_KEYS_FILE_BYTES;
}

static size_t
s_authority_secret(uint8_t bytes[BYTES_MAX])
{
    fl_authority_encode(authority, bytes);
    return FL_AUTHORITY_FILE_BYTES;
}

static size_t
s_authority_public(uint8_t bytes[BYTES_MAX])
{
    fl_authority_public_encode(fl_authority_public_of(authority), bytes);
    return FL_AUTHORITY_PUBLIC_FILE_BYTES;
}

static size_t
s_certificate(uint8_t bytes[BYTES_MAX])
{
    (void)identity_cert(authority, keys, FL_ROLE_DEVICE, "dev-1", 9, bytes);
    return FL_CERT_BYTES;
}

static size_t
s_token(uint8_t bytes[BYTES_MAX])
{
    fl_token token = identity_token(authority);
    return fl_token_encode(&token, bytes);
}

static size_t
s_token_text(uint8_t bytes[BYTES_MAX])
{
    char text[FL_TOKEN_TEXT_BYTES];
    fl_token token = identity_token(authority);
    fl_token_text(&token, text);
    memcpy(bytes, text, strlen(text));
    return strlen(text);
}

static size_t
s_join_sealed(uint8_t bytes[BYTES_MAX])
{
    fl_token token = identity_token(authority);
    fl_sealed sealed = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    memcpy(bytes, sealed.bytes, sealed.size);
    return sealed.size;
}

static size_t
s_join(uint8_t bytes[BYTES_MAX])
{
    uint8_t sealed[BYTES_MAX];
    size_t size = s_join_sealed(sealed);
    FL_ASSERT(fl_unseal(authority, fl_bytes_of(sealed, size), bytes));
    return size - FL_SEAL_EXTRA_BYTES;
}

static size_t
s_renewal(uint8_t bytes[BYTES_MAX])
{
    fl_seeded source = fl_seeded_of(89);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t old[BYTES_MAX];
    fl_sealed sealed;
    FL_ASSERT(fl_enrol_renew(fresh, keys, fl_bytes_of(old, s_certificate(old)),
                             fl_authority_public_of(authority), &entropy, &sealed));
    FL_ASSERT(fl_unseal(authority, fl_bytes_of(sealed.bytes, sealed.size), bytes));
    return sealed.size - FL_SEAL_EXTRA_BYTES;
}

static size_t
s_deny(uint8_t bytes[BYTES_MAX])
{
    fl_deny_list *list = fl_deny_list_new();
    fl_name one = identity_node("dev-1"), two = identity_node("edge-a");
    FL_ASSERT(list != NULL && fl_deny_list_add(list, &two, 7) == FL_OK &&
              fl_deny_list_add(list, &one, 0) == FL_OK);
    fl_blob *blob = fl_deny_list_sign(list, authority);
    FL_ASSERT(blob != NULL);
    size_t size = fl_blob_size(blob);
    memcpy(bytes, fl_blob_bytes(blob).data, size);
    fl_blob_unref(&blob);
    fl_deny_list_destroy(&list);
    return size;
}

static size_t
s_order(uint8_t bytes[BYTES_MAX])
{
    fl_order_sign(authority, fl_bytes_of("an order", 8), bytes);
    return FL_SIGN_BYTES;
}

static size_t
s_ticket(uint8_t bytes[BYTES_MAX])
{
    fl_seeded source = fl_seeded_of(6);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_ticket_key key = fl_ticket_key_draw(&entropy);
    fl_ticket_claim claim = {
        .parent = identity_node("edge-a"),
        .child = identity_node("dev-1"),
        .seat = 4,
        .epoch = 5,
    };
    fl_ticket_make(&key, &claim, bytes);
    return FL_TICKET_MAC_BYTES;
}

// ---- a masked round ---------------------------------------------------------------------------
//  Two members of a block, the indices 5 and 9 of 10, with fixed secrets.
typedef struct masked {
    fl_transcript_round round;
    fl_transcript_seat low, high;
    uint8_t esk[FL_TRANSCRIPT_KEY_BYTES], msk[FL_TRANSCRIPT_KEY_BYTES]; // of the lower
    fl_hash ctx, survivors;
} masked;

static masked
s_masked(void)
{
    masked self = { .round = { .hop = 1, .edge = identity_node("edge-a"), .block = 3, .round = 8 },
                    .low = { .index = 5, .node = identity_node("dev-1") },
                    .high = { .index = 9, .node = identity_node("dev-2") } };
    const fl_hash task = fl_hash_of(fl_bytes_of("task", 4)),
                  set = fl_transcript_set_hash(0x3ff, 10);
    uint8_t secret[FL_TRANSCRIPT_KEY_BYTES];
    memset(self.round.run.bytes, 0x11, sizeof self.round.run.bytes);
    self.round.roster = fl_hash_of(fl_bytes_of("roster", 6));
    memset(self.esk, 0x21, sizeof self.esk);
    memset(self.msk, 0x22, sizeof self.msk);
    fl_transcript_public_of(self.esk, self.low.epk);
    fl_transcript_public_of(self.msk, self.low.mpk);
    memset(secret, 0x23, sizeof secret);
    fl_transcript_public_of(secret, self.high.epk);
    memset(secret, 0x24, sizeof secret);
    fl_transcript_public_of(secret, self.high.mpk);
    self.ctx = fl_transcript_ctx(&self.round, &task, &set);
    self.survivors = fl_transcript_set_hash(0x2ff, 10);
    return self;
}

static size_t
s_hsa_keys(uint8_t bytes[BYTES_MAX])
{
    const masked world = s_masked();
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES];
    const uint8_t b[FL_SHARE_BYTES] = { 0x25 };
    fl_mask_seed pair, own;
    fl_writer writer = fl_writer_over(bytes, BYTES_MAX);
    fl_write_from(&writer, world.low.epk, sizeof world.low.epk);
    fl_write_from(&writer, world.low.mpk, sizeof world.low.mpk);
    FL_ASSERT(fl_transcript_pair_key(&world.round, &world.low, world.esk, &world.high, key));
    fl_write_from(&writer, key, sizeof key);
    fl_write_from(&writer, world.ctx.bytes, sizeof world.ctx.bytes);
    FL_ASSERT(fl_transcript_mask_seed(&world.ctx, &world.low, world.msk, &world.high, &pair));
    fl_write_from(&writer, pair.key, sizeof pair.key);
    fl_transcript_self_seed(&world.ctx, b, &own);
    fl_write_from(&writer, own.key, sizeof own.key);
    fl_transcript_checksum_key(&world.ctx, key);
    fl_write_from(&writer, key, sizeof key);
    return fl_writer_size(&writer);
}

static size_t
s_hsa_shares(uint8_t bytes[BYTES_MAX])
{
    const masked world = s_masked();
    fl_seeded source = fl_seeded_of(12);
    fl_entropy entropy = fl_entropy_seeded(&source);
    const uint8_t b[FL_SHARE_BYTES] = { 0x25 };
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES], sealed[FL_TRANSCRIPT_SEALED_BYTES];
    fl_share self[10], pair[10];
    fl_share_deal(b, 10, 7, &entropy, self);
    fl_share_deal(world.msk, 10, 7, &entropy, pair);
    const fl_transcript_dealt dealt = { self[9], pair[9] };
    FL_ASSERT(fl_transcript_pair_key(&world.round, &world.low, world.esk, &world.high, key));
    fl_transcript_seal(&world.round, key, 5, 9, &dealt, &entropy, sealed);
    fl_hash commitment = fl_transcript_commitment(b);
    fl_hash digest = fl_transcript_digest(&world.round, 5, 9, FL_TRANSCRIPT_SELF, &dealt.self);
    fl_writer writer = fl_writer_over(bytes, BYTES_MAX);
    fl_write_from(&writer, &dealt, sizeof dealt);
    fl_write_from(&writer, sealed, sizeof sealed);
    fl_write_from(&writer, commitment.bytes, sizeof commitment.bytes);
    fl_write_from(&writer, digest.bytes, sizeof digest.bytes);
    digest = fl_transcript_digest(&world.round, 5, 9, FL_TRANSCRIPT_PAIR, &dealt.pair);
    fl_write_from(&writer, digest.bytes, sizeof digest.bytes);
    return fl_writer_size(&writer);
}

static size_t
s_hsa_signatures(uint8_t bytes[BYTES_MAX])
{
    const masked world = s_masked();
    fl_transcript_keys_sign(keys, &world.round, 0, world.low.epk, world.low.mpk, bytes);
    fl_transcript_dealt_sign(keys, &world.round, 5, fl_bytes_of("public", 6),
                             bytes + FL_SIGN_BYTES);
    fl_transcript_psig(keys, &world.ctx, 5, bytes + 2 * FL_SIGN_BYTES);
    fl_transcript_asig(keys, &world.ctx, &world.survivors, 5, bytes + 3 * FL_SIGN_BYTES);
    return 4 * FL_SIGN_BYTES;
}

//  Sixteen elements from the 512th on, of the wire 0, 1, 2, ...: one mask added, one subtracted.
static size_t
s_mask(uint8_t bytes[BYTES_MAX])
{
    const fl_mask_seed seeds[2] = { { .key = { 0x31 } }, { .key = { 0x32 }, .subtract = true } };
    const unsigned rings[3] = { 32, 32, 64 }, wires[3] = { 3, 4, 5 };
    fl_writer writer = fl_writer_over(bytes, BYTES_MAX);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t wire[16 * 5] = { 0 };
        for (unsigned at = 0; at < 16; at++) {
            wire[at * wires[i]] = (uint8_t)at;
        }
        const fl_mask_range range = { rings[i], FL_MASK_LANE_VECTOR, 512, 16 };
        fl_write_u64(&writer, fl_mask_checksum(seeds[0].key, 512, 16, wires[i], wire));
        fl_mask_wire(seeds, 2, &range, wires[i], wire, wire);
        fl_write_from(&writer, wire, (size_t)16 * wires[i]);
    }
    uint64_t header[8] = { 0 };
    fl_mask_apply(seeds, 2, &(fl_mask_range){ 64, FL_MASK_LANE_HEADER, 0, 8 }, header);
    for (unsigned i = 0; i < 8; i++) {
        fl_write_u64(&writer, header[i]);
    }
    return fl_writer_size(&writer);
}

static const sample samples[] = {
    { "keys",
      NULL,
      s_keys,
      { { "magic", 8 }, { "ed seed", 32 }, { "x secret", 32 }, { "checksum", 16 } } },
    { "authority-secret",
      NULL,
      s_authority_secret,
      { { "magic", 8 }, { "master", 32 }, { "checksum", 16 } } },
    { "authority-public",
      NULL,
      s_authority_public,
      { { "magic", 8 }, { "ed", 32 }, { "seal", 32 }, { "order", 32 }, { "checksum", 16 } } },
    { "certificate",
      "certificate",
      s_certificate,
      { { "version", 1 },
        { "role", 1 },
        { "node", 16 },
        { "ed", 32 },
        { "x", 32 },
        { "not_before", 8 },
        { "not_after", 8 },
        { "serial", 8 },
        { "class_max", 1 },
        { "reserved", 16 },
        { "signature", 64 } } },
    { "token",
      "token",
      s_token,
      { { "version", 1 },
        { "role", 1 },
        { "exact", 1 },
        { "name", 16 },
        { "count", 4 },
        { "not_after", 8 },
        { "id", 16 },
        { "ed", 32 },
        { "seal", 32 },
        { "order", 32 },
        { "parent", 32 },
        { "endpoint length", 1 },
        { "endpoint", 25 },
        { "MAC", 32 } } },
    { "token-text", "token", s_token_text, { { "base64", 316 } } },
    { "join",
      "request",
      s_join,
      { { "version", 1 },
        { "kind", 1 },
        { "role", 1 },
        { "node", 16 },
        { "ed", 32 },
        { "x", 32 },
        { "nonce", 16 },
        { "leave length", 2 },
        { "leave: the token", 233 },
        { "proof", 32 },
        { "signature by ed", 64 } } },
    { "join-sealed",
      NULL,
      s_join_sealed,
      { { "one-time key", 32 }, { "tag", 16 }, { "sealed", 430 } } },
    { "renewal",
      "request",
      s_renewal,
      { { "version", 1 },
        { "kind", 1 },
        { "role", 1 },
        { "node", 16 },
        { "ed", 32 },
        { "x", 32 },
        { "nonce", 16 },
        { "leave length", 2 },
        { "leave: the old certificate", 187 },
        { "proof", 32 },
        { "signature by ed", 64 },
        { "signature by the old ed", 64 } } },
    { "deny",
      "denylist",
      s_deny,
      { { "version", 1 },
        { "list version", 8 },
        { "count", 4 },
        { "node", 16 },
        { "serial", 8 },
        { "node", 16 },
        { "serial", 8 },
        { "signature", 64 } } },
    { "order", NULL, s_order, { { "signature of «an order»", 64 } } },
    { "ticket", NULL, s_ticket, { { "MAC", 16 } } },
    { "hsa-keys",
      NULL,
      s_hsa_keys,
      { { "epk", 32 },
        { "mpk", 32 },
        { "pair key", 32 },
        { "ctx", 32 },
        { "pairwise mask seed", 32 },
        { "self mask seed", 32 },
        { "checksum key", 32 } } },
    { "hsa-shares",
      NULL,
      s_hsa_shares,
      { { "share of b for index 9", 32 },
        { "share of msk for index 9", 32 },
        { "nonce", 24 },
        { "sealed shares", 64 },
        { "tag", 16 },
        { "commitment to b", 32 },
        { "digest of the share of b", 32 },
        { "digest of the share of msk", 32 } } },
    { "hsa-signatures",
      NULL,
      s_hsa_signatures,
      { { "keys", 64 }, { "dealt", 64 }, { "psig", 64 }, { "asig", 64 } } },
    { "mask",
      NULL,
      s_mask,
      { { "checksum, 3 wire bytes", 8 },
        { "ring 32, 3 wire bytes", 48 },
        { "checksum, 4 wire bytes", 8 },
        { "ring 32, 4 wire bytes", 64 },
        { "checksum, 5 wire bytes", 8 },
        { "ring 64, 5 wire bytes", 80 },
        { "header lane", 64 } } },
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

// ---- rendering --------------------------------------------------------------------------------
//  Append `size` bytes as lines of at most 32, the first one with a comment.
static void
s_lines(char *text, const uint8_t *bytes, size_t size, const char *comment)
{
    for (size_t at = 0; at < size; at += 32) {
        unsigned some = (unsigned)(size - at < 32 ? size - at : 32);
        char hex[65];
        size_t used = strlen(text);
        fl_hex(bytes + at, some, hex);
        (void)snprintf(text + used, TEXT_ROOM - used, at == 0 ? "%-64s # %s\n" : "%s\n", hex,
                       comment);
    }
}

//  False when the parts do not add up to the whole.
static bool
s_render(const sample *one, char text[TEXT_ROOM])
{
    uint8_t bytes[BYTES_MAX];
    size_t size = one->make(bytes);
    size_t at = 0;
    (void)snprintf(text, TEXT_ROOM, "# %s: %zu bytes\n", one->name, size);
    for (const part *next = one->parts; next->name != NULL && at + next->size <= size; next++) {
        s_lines(text, bytes + at, next->size, next->name);
        at += next->size;
    }
    return at == size;
}

static const char *
s_path(const sample *one)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "tests/golden/crypto/%s.hex", one->name);
    return path;
}

// ---- the test ---------------------------------------------------------------------------------
static void
everything_that_is_signed_sealed_or_stored_has_its_golden_bytes(void **state)
{
    (void)state;
    static char made[TEXT_ROOM], stored[TEXT_ROOM];
    for (size_t i = 0; i < SAMPLES; i++) {
        FILE *file = fopen(s_path(&samples[i]), "r");
        assert_non_null(file);
        stored[fread(stored, 1, sizeof stored - 1, file)] = '\0';
        assert_int_equal(fclose(file), 0);
        assert_true(s_render(&samples[i], made));
        assert_string_equal(made, stored);
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

static int
s_write_all(void)
{
    static char text[TEXT_ROOM];
    uint8_t bytes[BYTES_MAX];
    char path[128];
    (void)mkdir("tests/golden/crypto", 0755);
    for (size_t i = 0; i < SAMPLES; i++) {
        if (!s_render(&samples[i], text)) {
            (void)fprintf(stderr, "the parts of %s do not add up\n", samples[i].name);
            return 1;
        }
        s_save(s_path(&samples[i]), text, strlen(text));
        if (samples[i].target != NULL) {
            size_t size = samples[i].make(bytes);
            (void)snprintf(path, sizeof path, "tests/fuzz/corpus/%s", samples[i].target);
            (void)mkdir(path, 0755);
            (void)snprintf(path, sizeof path, "tests/fuzz/corpus/%s/golden-%s", samples[i].target,
                           samples[i].name);
            s_save(path, bytes, size);
        }
    }
    return 0;
}

int
main(int argc, char **argv)
{
    s_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_is_signed_sealed_or_stored_has_its_golden_bytes),
    };
    int answer = argc == 2 && strcmp(argv[1], "--write") == 0
                     ? s_write_all()
                     : cmocka_run_group_tests(tests, NULL, NULL);
    s_tear_down();
    return answer;
}
