//  The expected keys and hashes were made in Python: hashlib's BLAKE2b and an X25519 written down
//  from RFC 7748.
#include "common/secagg/transcript.h"

#include "tests/support/unit.h"

#include <sodium.h>
#include <string.h>

#include "tests/support/identity.h"

//  A member with its secrets.
typedef struct member {
    fl_transcript_seat seat;
    uint8_t esk[FL_TRANSCRIPT_KEY_BYTES];
    uint8_t msk[FL_TRANSCRIPT_KEY_BYTES];
} member;

static void
s_count_up(uint8_t *bytes, size_t size, unsigned from)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(from + i);
    }
}

static member
s_member(uint32_t index, const char *name, unsigned from)
{
    member self = { .seat = { .index = index, .node = identity_node(name) } };
    s_count_up(self.esk, sizeof self.esk, from);
    s_count_up(self.msk, sizeof self.msk, from == 1 ? 40 : 120);
    fl_transcript_public_of(self.esk, self.seat.epk);
    fl_transcript_public_of(self.msk, self.seat.mpk);
    return self;
}

static fl_transcript_round
s_round(void)
{
    fl_transcript_round round = {
        .hop = 1, .edge = identity_node("edge-a"), .block = 3, .round = 0x0102030405060708
    };
    s_count_up(round.run.bytes, sizeof round.run.bytes, 200);
    round.roster = fl_hash_of(fl_bytes_of("roster", 6));
    return round;
}

static fl_hash
s_ctx(const fl_transcript_round *round)
{
    fl_hash task = fl_hash_of(fl_bytes_of("task", 4));
    fl_hash maskset = fl_transcript_set_hash(1u << 0 | 1u << 5 | 1u << 9, 10);
    return fl_transcript_ctx(round, &task, &maskset);
}

static void
s_assert_bytes(const void *bytes, const char *hex)
{
    uint8_t wanted[32];
    assert_true(fl_unhex(hex, wanted, sizeof wanted));
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

//  How one field of a round differs from `round`; false when there are no more.
static bool
s_other_round(fl_transcript_round *round, unsigned field)
{
    switch (field) {
    case 0:
        round->run.bytes[15] ^= 1;
        return true;
    case 1:
        round->hop = 2;
        return true;
    case 2:
        round->edge = identity_node("edge-b");
        return true;
    case 3:
        round->round++;
        return true;
    case 4:
        round->block++;
        return true;
    case 5:
        round->roster.bytes[0] ^= 1;
        return true;
    default:
        return false;
    }
}

// ---- points -----------------------------------------------------------------------------------
static void
points_of_low_order_and_second_spellings_are_unsound(void **state)
{
    (void)state;
    //  All encodings below 2^255 of the points of order 1, 2, 4 and 8; bit 255 doubles them.
    const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < 2 * (sizeof bad / sizeof bad[0]); i++) {
        uint8_t point[FL_TRANSCRIPT_KEY_BYTES], shared[FL_TRANSCRIPT_KEY_BYTES];
        const uint8_t secret[FL_TRANSCRIPT_KEY_BYTES] = { 9 };
        assert_true(fl_unhex(bad[i / 2], point, sizeof point));
        point[31] |= (uint8_t)(i % 2 << 7);
        assert_false(fl_transcript_point_sound(point));
        assert_int_equal(crypto_scalarmult(shared, secret, point), -1);
    }
    member honest = s_member(5, "dev-1", 1);
    assert_true(fl_transcript_point_sound(honest.seat.epk));
    assert_true(fl_transcript_point_sound(honest.seat.mpk));
    honest.seat.epk[31] |= 0x80; // X25519 ignores it, so this would be a copy under another name
    assert_false(fl_transcript_point_sound(honest.seat.epk));
    uint8_t point[FL_TRANSCRIPT_KEY_BYTES];
    memset(point, 0xff, sizeof point);
    point[31] = 0x7f;
    assert_false(fl_transcript_point_sound(point));
    point[0] = 0xeb; // p - 2
    assert_true(fl_transcript_point_sound(point));
    point[0] = 0xff;
    point[30] = 0xfe;
    assert_true(fl_transcript_point_sound(point));
}

static void
a_key_of_low_order_gives_no_pair_key_and_no_mask(void **state)
{
    (void)state;
    static const uint8_t zero[FL_TRANSCRIPT_KEY_BYTES];
    const uint8_t low[][FL_TRANSCRIPT_KEY_BYTES] = { { 0 }, { 1 } }; // the others: the test above
    const fl_transcript_round round = s_round();
    const fl_hash ctx = s_ctx(&round);
    member self = s_member(5, "dev-1", 1), peer = s_member(9, "dev-2", 80);
    for (size_t i = 0; i < 2; i++) {
        uint8_t key[FL_TRANSCRIPT_KEY_BYTES] = { 1 };
        fl_mask_seed seed = { .key = { 1 } };
        memcpy(peer.seat.epk, low[i], sizeof low[i]);
        memcpy(peer.seat.mpk, low[i], sizeof low[i]);
        assert_false(fl_transcript_pair_key(&round, &self.seat, self.esk, &peer.seat, key));
        assert_memory_equal(key, zero, sizeof zero);
        assert_false(fl_transcript_mask_seed(&ctx, &self.seat, self.msk, &peer.seat, &seed));
        assert_memory_equal(seed.key, zero, sizeof zero);
    }
}

// ---- keys -------------------------------------------------------------------------------------
static void
known_secrets_give_known_keys(void **state)
{
    (void)state;
    const fl_transcript_round round = s_round();
    const fl_hash ctx = s_ctx(&round),
                  maskset = fl_transcript_set_hash(1u << 0 | 1u << 5 | 1u << 9, 10);
    member low = s_member(5, "dev-1", 1), high = s_member(9, "dev-2", 80);
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES], b[FL_SHARE_BYTES];
    fl_mask_seed seed;
    s_count_up(b, sizeof b, 160);
    s_assert_bytes(low.seat.epk,
                   "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
    s_assert_bytes(maskset.bytes,
                   "c6d4ece5e522593713f65d6ee466edbfaa7f976a99321142aba1032d5b1fad9a");
    s_assert_bytes(ctx.bytes, "0ca9c40cbc4518e475dc50305c3ce3e54c9aa90cd2baa65f7ae9106309f63f9d");
    assert_true(fl_transcript_pair_key(&round, &low.seat, low.esk, &high.seat, key));
    s_assert_bytes(key, "b09ebfe33eb659be0dd21ac541e70f6b607db5cc6a34a81e95791fc8447dcd0d");
    assert_true(fl_transcript_mask_seed(&ctx, &low.seat, low.msk, &high.seat, &seed));
    s_assert_bytes(seed.key, "2af81fad2100a1b6d8534a17e53f76c93a2176dd0091ba2115ce2a3d24ca7899");
    fl_transcript_self_seed(&ctx, b, &seed);
    s_assert_bytes(seed.key, "36ee87ab9b29199d2d1cb806d6df7c7996efdea84ac4cee3288806f7c975c304");
    assert_false(seed.subtract);
    fl_transcript_checksum_key(&ctx, key);
    s_assert_bytes(key, "f9d8148d0844b1705175fe8afd10475c8805bef655c80d6e6e55742d3711c8c7");
    s_assert_bytes(fl_transcript_commitment(b).bytes,
                   "4bb2b213dde40d5111fa8c7f6706d5e81b03426f90fa3e92ddf114cd209e9f3c");
    fl_share share;
    s_count_up(share.bytes, sizeof share.bytes, 7);
    s_assert_bytes(fl_transcript_digest(&round, 5, 9, FL_TRANSCRIPT_PAIR, &share).bytes,
                   "783db1aada824e98692e30503b058281c242675e36cc95ec2b52fca9c9713c32");
}

static void
both_sides_have_one_key_and_opposite_masks(void **state)
{
    (void)state;
    const fl_transcript_round round = s_round();
    const fl_hash ctx = s_ctx(&round);
    member low = s_member(5, "dev-1", 1), high = s_member(9, "dev-2", 80);
    uint8_t key[2][FL_TRANSCRIPT_KEY_BYTES];
    fl_mask_seed seed[2];
    assert_true(fl_transcript_pair_key(&round, &low.seat, low.esk, &high.seat, key[0]));
    assert_true(fl_transcript_pair_key(&round, &high.seat, high.esk, &low.seat, key[1]));
    assert_memory_equal(key[0], key[1], sizeof key[0]);
    assert_true(fl_transcript_mask_seed(&ctx, &low.seat, low.msk, &high.seat, &seed[0]));
    assert_true(fl_transcript_mask_seed(&ctx, &high.seat, high.msk, &low.seat, &seed[1]));
    assert_memory_equal(seed[0].key, seed[1].key, sizeof seed[0].key);
    assert_false(seed[0].subtract);
    assert_true(seed[1].subtract);
}

static void
every_field_of_the_round_changes_the_pair_key_and_the_ctx(void **state)
{
    (void)state;
    const fl_transcript_round round = s_round();
    member low = s_member(5, "dev-1", 1), high = s_member(9, "dev-2", 80);
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES], other_key[FL_TRANSCRIPT_KEY_BYTES];
    const fl_hash ctx = s_ctx(&round);
    assert_true(fl_transcript_pair_key(&round, &low.seat, low.esk, &high.seat, key));
    unsigned field = 0;
    for (fl_transcript_round other = round; s_other_round(&other, field); other = round) {
        fl_hash other_ctx = s_ctx(&other);
        assert_false(fl_hash_equal(&other_ctx, &ctx));
        assert_true(fl_transcript_pair_key(&other, &low.seat, low.esk, &high.seat, other_key));
        assert_memory_not_equal(other_key, key, sizeof key);
        field++;
    }
    assert_int_equal(field, 6);
    fl_transcript_seat moved = low.seat;
    moved.index = 4;
    assert_true(fl_transcript_pair_key(&round, &moved, low.esk, &high.seat, other_key));
    assert_memory_not_equal(other_key, key, sizeof key);
    moved = low.seat;
    moved.node = identity_node("dev-9");
    assert_true(fl_transcript_pair_key(&round, &moved, low.esk, &high.seat, other_key));
    assert_memory_not_equal(other_key, key, sizeof key);
}

static void
another_ctx_or_index_gives_other_masks(void **state)
{
    (void)state;
    const fl_transcript_round round = s_round();
    const fl_hash ctx = s_ctx(&round);
    fl_hash other = ctx;
    other.bytes[31] ^= 0x80;
    member low = s_member(5, "dev-1", 1), high = s_member(9, "dev-2", 80);
    fl_mask_seed seed, moved;
    uint8_t key[2][FL_TRANSCRIPT_KEY_BYTES];
    assert_true(fl_transcript_mask_seed(&ctx, &low.seat, low.msk, &high.seat, &seed));
    assert_true(fl_transcript_mask_seed(&other, &low.seat, low.msk, &high.seat, &moved));
    assert_memory_not_equal(moved.key, seed.key, sizeof seed.key);
    fl_transcript_seat seat = low.seat;
    seat.index = 6;
    assert_true(fl_transcript_mask_seed(&ctx, &seat, low.msk, &high.seat, &moved));
    assert_memory_not_equal(moved.key, seed.key, sizeof seed.key);
    fl_transcript_self_seed(&ctx, low.esk, &seed);
    fl_transcript_self_seed(&other, low.esk, &moved);
    assert_memory_not_equal(moved.key, seed.key, sizeof seed.key);
    fl_transcript_checksum_key(&ctx, key[0]);
    fl_transcript_checksum_key(&other, key[1]);
    assert_memory_not_equal(key[0], key[1], sizeof key[0]);
}

static void
s_set_with_a_stray_bit(void)
{
    (void)fl_transcript_set_hash(1u << 5, 5);
}
static void
s_pair_with_oneself(void)
{
    const fl_transcript_round round = s_round();
    member self = s_member(5, "dev-1", 1);
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES];
    if (!fl_transcript_pair_key(&round, &self.seat, self.esk, &self.seat, key)) {
        return;
    }
}

static void
a_set_has_its_bytes_and_no_stray_bit(void **state)
{
    (void)state;
    fl_hash eight = fl_transcript_set_hash(0x81, 8), nine = fl_transcript_set_hash(0x81, 9);
    const uint8_t all[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    fl_hash wanted = fl_hash_of(fl_bytes_of("\x81", 1)),
            full = fl_transcript_set_hash(UINT64_MAX, 64);
    fl_hash wanted_full = fl_hash_of(fl_bytes_of(all, 8));
    assert_true(fl_hash_equal(&eight, &wanted));
    assert_false(fl_hash_equal(&eight, &nine));
    assert_true(fl_hash_equal(&full, &wanted_full));
    assert_true(unit_dies(s_set_with_a_stray_bit));
    assert_true(unit_dies(s_pair_with_oneself));
}

// ---- shares -----------------------------------------------------------------------------------
//  Sealed both ways with the key that Python derived, and opened by libsodium's plain call.
static void
a_sealed_share_is_the_documented_aead(void **state)
{
    (void)state;
    const char *const derived[2] = {
        "0686dba2e35a7f2794d50733782e2e5224667208f9235fe4786e0f6d3ed087ab",
        "595c81f8474189b86134bfba2bd710079d70d13a3ecb317d1e4fe127505a94f7",
    };
    const uint32_t ends[2][2] = { { 5, 9 }, { 9, 5 } };
    const fl_transcript_round round = s_round();
    fl_seeded source = fl_seeded_of(4);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t pair_key[FL_TRANSCRIPT_KEY_BYTES], key[32], sealed[FL_TRANSCRIPT_SEALED_BYTES],
        plain[64];
    fl_transcript_dealt dealt;
    s_count_up(dealt.self.bytes, 32, 10);
    s_count_up(dealt.pair.bytes, 32, 90);
    assert_true(fl_unhex("b09ebfe33eb659be0dd21ac541e70f6b607db5cc6a34a81e95791fc8447dcd0d",
                         pair_key, sizeof pair_key));
    for (unsigned i = 0; i < 2; i++) {
        uint8_t data[10 + 8 + 4 + 4 + 1 + 32];
        fl_writer writer = fl_writer_over(data, sizeof data);
        fl_write_from(&writer, "HSA2 share", 10);
        fl_write_u64(&writer, round.round);
        fl_write_u32(&writer, ends[i][0]);
        fl_write_u32(&writer, ends[i][1]);
        fl_write_u8(&writer, 0); // number of the roster
        fl_write_from(&writer, round.roster.bytes, 32);
        fl_transcript_seal(&round, pair_key, ends[i][0], ends[i][1], &dealt, &entropy, sealed);
        assert_true(fl_unhex(derived[i], key, sizeof key));
        assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(
                             plain, NULL, NULL, sealed + 24, 80, data, sizeof data, sealed, key),
                         0);
        assert_memory_equal(plain, dealt.self.bytes, 32);
        assert_memory_equal(plain + 32, dealt.pair.bytes, 32);
    }
    assert_int_equal(source.draws, 2);
}

static void
a_share_opens_only_where_and_as_it_was_sealed(void **state)
{
    (void)state;
    static const fl_transcript_dealt zero;
    const fl_transcript_round round = s_round();
    fl_seeded source = fl_seeded_of(4);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES] = { 7 }, sealed[FL_TRANSCRIPT_SEALED_BYTES];
    fl_transcript_dealt dealt, got;
    s_count_up(dealt.self.bytes, 32, 10);
    s_count_up(dealt.pair.bytes, 32, 90);
    fl_transcript_seal(&round, key, 5, 9, &dealt, &entropy, sealed);
    assert_true(fl_transcript_open(&round, key, 5, 9, sealed, &got));
    assert_memory_equal(&got, &dealt, sizeof got);
    assert_false(fl_transcript_open(&round, key, 9, 5, sealed, &got)); // reflected to its dealer
    assert_memory_equal(&got, &zero, sizeof got);
    assert_false(fl_transcript_open(&round, key, 5, 10, sealed, &got));
    assert_false(fl_transcript_open(&round, key, 4, 9, sealed, &got));
    fl_transcript_round other = round;
    other.round++;
    assert_false(fl_transcript_open(&other, key, 5, 9, sealed, &got));
    other = round;
    other.roster.bytes[31] ^= 1;
    assert_false(fl_transcript_open(&other, key, 5, 9, sealed, &got));
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 4;
        assert_false(fl_transcript_open(&round, key, 5, 9, sealed, &got));
        assert_memory_equal(&got, &zero, sizeof got);
        sealed[i] ^= 4;
    }
    key[0] ^= 1;
    assert_false(fl_transcript_open(&round, key, 5, 9, sealed, &got));
}

static void
a_digest_speaks_of_one_share_of_one_dealer(void **state)
{
    (void)state;
    const fl_transcript_round round = s_round();
    fl_transcript_round other = round;
    fl_share share = { .bytes = { 1 } }, changed = { .bytes = { 2 } };
    other.roster.bytes[3] ^= 1;
    const fl_hash digests[6] = {
        fl_transcript_digest(&round, 1, 2, FL_TRANSCRIPT_SELF, &share),
        fl_transcript_digest(&round, 2, 1, FL_TRANSCRIPT_SELF, &share),
        fl_transcript_digest(&round, 1, 3, FL_TRANSCRIPT_SELF, &share),
        fl_transcript_digest(&round, 1, 2, FL_TRANSCRIPT_PAIR, &share),
        fl_transcript_digest(&round, 1, 2, FL_TRANSCRIPT_SELF, &changed),
        fl_transcript_digest(&other, 1, 2, FL_TRANSCRIPT_SELF, &share),
    };
    for (unsigned a = 0; a < 6; a++) {
        for (unsigned b = 0; b < a; b++) {
            assert_false(fl_hash_equal(&digests[a], &digests[b]));
        }
    }
}

// ---- signatures -------------------------------------------------------------------------------
static void
signatures_hold_for_their_ctx_set_and_index_alone(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(3), *others = identity_keys(4);
    const uint8_t *ed = fl_keys_public(keys)->ed, *other_ed = fl_keys_public(others)->ed;
    const fl_transcript_round round = s_round();
    const fl_hash ctx = s_ctx(&round), set = fl_transcript_set_hash(7, 10),
                  less = fl_transcript_set_hash(3, 10);
    fl_hash other = ctx;
    uint8_t psig[FL_SIGN_BYTES], asig[FL_SIGN_BYTES];
    other.bytes[0] ^= 1;
    fl_transcript_psig(keys, &ctx, 6, psig);
    assert_true(fl_transcript_psig_holds(ed, &ctx, 6, psig));
    assert_false(fl_transcript_psig_holds(ed, &ctx, 7, psig));
    assert_false(fl_transcript_psig_holds(ed, &other, 6, psig));
    assert_false(fl_transcript_psig_holds(other_ed, &ctx, 6, psig));
    fl_transcript_asig(keys, &ctx, &set, 6, asig);
    assert_true(fl_transcript_asig_holds(ed, &ctx, &set, 6, asig));
    assert_false(fl_transcript_asig_holds(ed, &ctx, &less, 6, asig));
    assert_false(fl_transcript_asig_holds(ed, &ctx, &set, 5, asig));
    assert_false(fl_transcript_asig_holds(ed, &other, &set, 6, asig));
    assert_false(fl_transcript_asig_holds(other_ed, &ctx, &set, 6, asig));
    assert_false(fl_transcript_psig_holds(ed, &ctx, 6, asig));
    assert_false(fl_transcript_asig_holds(ed, &ctx, &set, 6, psig));
    asig[63] ^= 1;
    assert_false(fl_transcript_asig_holds(ed, &ctx, &set, 6, asig));
    fl_keys_destroy(&keys);
    fl_keys_destroy(&others);
}

static void
signed_keys_hold_for_their_place_and_round_alone(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(3);
    const uint8_t *ed = fl_keys_public(keys)->ed;
    const fl_transcript_round round = s_round();
    member self = s_member(5, "dev-1", 1);
    uint8_t signature[FL_SIGN_BYTES];
    const uint8_t *epk = self.seat.epk, *mpk = self.seat.mpk;
    fl_transcript_keys_sign(keys, &round, 0, epk, mpk, signature);
    assert_true(fl_transcript_keys_hold(ed, &round, 0, epk, mpk, signature));
    assert_false(fl_transcript_keys_hold(ed, &round, 0, mpk, epk, signature));
    unsigned field = 0;
    for (fl_transcript_round other = round; s_other_round(&other, field); other = round) {
        //  Block and roster come after the keys and are not in the signature.
        assert_true(fl_transcript_keys_hold(ed, &other, 0, epk, mpk, signature) == (field >= 4));
        field++;
    }
    fl_keys_destroy(&keys);
}

static void
a_dealers_public_part_holds_for_its_roster_alone(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(3);
    const uint8_t *ed = fl_keys_public(keys)->ed;
    const fl_transcript_round round = s_round();
    const fl_bytes part = fl_bytes_of("public", 6), cut = fl_bytes_of("public", 5);
    uint8_t signature[FL_SIGN_BYTES];
    fl_transcript_dealt_sign(keys, &round, 5, part, signature);
    assert_true(fl_transcript_dealt_holds(ed, &round, 5, part, signature));
    assert_false(fl_transcript_dealt_holds(ed, &round, 6, part, signature));
    assert_false(fl_transcript_dealt_holds(ed, &round, 5, cut, signature));
    unsigned field = 0;
    for (fl_transcript_round other = round; s_other_round(&other, field); other = round) {
        assert_false(fl_transcript_dealt_holds(ed, &other, 5, part, signature));
        field++;
    }
    fl_keys_destroy(&keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_of_low_order_and_second_spellings_are_unsound),
        cmocka_unit_test(a_key_of_low_order_gives_no_pair_key_and_no_mask),
        cmocka_unit_test(known_secrets_give_known_keys),
        cmocka_unit_test(both_sides_have_one_key_and_opposite_masks),
        cmocka_unit_test(every_field_of_the_round_changes_the_pair_key_and_the_ctx),
        cmocka_unit_test(another_ctx_or_index_gives_other_masks),
        cmocka_unit_test(a_set_has_its_bytes_and_no_stray_bit),
        cmocka_unit_test(a_sealed_share_is_the_documented_aead),
        cmocka_unit_test(a_share_opens_only_where_and_as_it_was_sealed),
        cmocka_unit_test(a_digest_speaks_of_one_share_of_one_dealer),
        cmocka_unit_test(signatures_hold_for_their_ctx_set_and_index_alone),
        cmocka_unit_test(signed_keys_hold_for_their_place_and_round_alone),
        cmocka_unit_test(a_dealers_public_part_holds_for_its_roster_alone),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
