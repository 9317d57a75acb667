#include "common/secagg/transcript.h"

#include <sodium.h>
#include <string.h>

enum { SEED_ROOM = 256, NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
_Static_assert(FL_TRANSCRIPT_KEY_BYTES == crypto_scalarmult_BYTES, "X25519");
_Static_assert(FL_TRANSCRIPT_KEY_BYTES == crypto_kdf_KEYBYTES,
               "a pair key is a key to derive from");
_Static_assert(FL_TRANSCRIPT_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "XChaCha20");
_Static_assert(FL_TRANSCRIPT_SEALED_BYTES ==
                   NONCE + sizeof(fl_transcript_dealt) + crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "a sealed pair of shares is as long as the header says");

static const char derive_context[] = "HSA2PAIR";
_Static_assert(sizeof derive_context - 1 == crypto_kdf_CONTEXTBYTES, "crypto_kdf");

static void
s_write_text(fl_writer *writer, const char *text)
{
    fl_write_from(writer, text, strlen(text));
}

static void
s_write_place(fl_writer *writer, const fl_transcript_round *round)
{
    fl_write_from(writer, round->run.bytes, sizeof round->run.bytes);
    fl_write_u8(writer, round->hop);
    fl_write_from(writer, round->edge.name, sizeof round->edge.name);
    fl_write_u8(writer, round->number);
}

static fl_bytes
s_written(const fl_writer *writer)
{
    FL_ASSERT(!writer->broken);
    return fl_bytes_of(writer->start, fl_writer_size(writer));
}

//  Ends a secret input: its hash, and nothing of it left behind.
static void
s_hash_secret(fl_writer *writer, uint8_t key[FL_TRANSCRIPT_KEY_BYTES])
{
    fl_hash hash = fl_hash_of(s_written(writer));
    memcpy(key, hash.bytes, FL_TRANSCRIPT_KEY_BYTES);
    fl_wipe(&hash, sizeof hash);
    fl_wipe(writer->start, fl_writer_size(writer));
}

// ---- points -----------------------------------------------------------------------------------
void
fl_transcript_public_of(const uint8_t secret[FL_TRANSCRIPT_KEY_BYTES],
                        uint8_t point[FL_TRANSCRIPT_KEY_BYTES])
{
    FL_ASSERT(crypto_scalarmult_base(point, secret) == 0);
}

//  The canonical points of low order on Curve25519: 0, 1, two of order eight, and p - 1
//  (Langley, Hamburg and Turner, RFC 7748, 2016; Bernstein, cr.yp.to/ecdh.html).
static const uint8_t low_order[][FL_TRANSCRIPT_KEY_BYTES] = {
    { 0 },
    { 1 },
    { 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
      0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
      0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
    { 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
      0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
      0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

//  Below p = 2^255 - 19, whose bytes are ed ff .. ff 7f.
static bool
s_canonical(const uint8_t point[FL_TRANSCRIPT_KEY_BYTES])
{
    if (point[31] != 0x7f) {
        return point[31] < 0x7f;
    }
    for (size_t i = 30; i > 0; i--) {
        if (point[i] != 0xff) {
            return true;
        }
    }
    return point[0] < 0xed;
}

bool
fl_transcript_point_sound(const uint8_t point[FL_TRANSCRIPT_KEY_BYTES])
{
    for (size_t i = 0; i < sizeof low_order / sizeof low_order[0]; i++) {
        if (memcmp(point, low_order[i], FL_TRANSCRIPT_KEY_BYTES) == 0) {
            return false;
        }
    }
    return s_canonical(point);
}

// ---- keys -------------------------------------------------------------------------------------
bool
fl_transcript_pair_key(const fl_transcript_round *round, const fl_transcript_seat *self,
                       const uint8_t esk[FL_TRANSCRIPT_KEY_BYTES], const fl_transcript_seat *peer,
                       uint8_t key[FL_TRANSCRIPT_KEY_BYTES])
{
    FL_ASSERT(self->index != peer->index);
    const fl_transcript_seat *low = self->index < peer->index ? self : peer;
    const fl_transcript_seat *high = self->index < peer->index ? peer : self;
    uint8_t shared[FL_TRANSCRIPT_KEY_BYTES], room[SEED_ROOM];
    bool sound = crypto_scalarmult(shared, esk, peer->epk) == 0;
    memset(key, 0, FL_TRANSCRIPT_KEY_BYTES);
    if (sound) {
        fl_writer writer = fl_writer_over(room, sizeof room);
        fl_write_from(&writer, shared, sizeof shared);
        s_write_text(&writer, "HSA2 pair");
        s_write_place(&writer, round);
        fl_write_u32(&writer, round->block);
        fl_write_u64(&writer, round->round);
        fl_write_u32(&writer, low->index);
        fl_write_u32(&writer, high->index);
        fl_write_from(&writer, low->node.name, sizeof low->node.name);
        fl_write_from(&writer, high->node.name, sizeof high->node.name);
        fl_write_from(&writer, low->epk, sizeof low->epk);
        fl_write_from(&writer, high->epk, sizeof high->epk);
        fl_write_from(&writer, round->roster.bytes, sizeof round->roster.bytes);
        s_hash_secret(&writer, key);
    }
    fl_wipe(shared, sizeof shared);
    return sound;
}

fl_hash
fl_transcript_set_hash(uint64_t set, unsigned members)
{
    FL_ASSERT(members >= 1 && members <= FL_SHARE_HOLDERS_MAX);
    FL_ASSERT(members == 64 || set >> members == 0);
    uint8_t bytes[8];
    fl_writer writer = fl_writer_over(bytes, sizeof bytes);
    fl_write_u64(&writer, set);
    return fl_hash_of(fl_bytes_of(bytes, (members + 7) / 8));
}

fl_hash
fl_transcript_ctx(const fl_transcript_round *round, const fl_hash *task, const fl_hash *maskset)
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    s_write_text(&writer, "HSA2 ctx");
    s_write_place(&writer, round);
    fl_write_u32(&writer, round->block);
    fl_write_u64(&writer, round->round);
    fl_write_from(&writer, task->bytes, sizeof task->bytes);
    fl_write_from(&writer, round->roster.bytes, sizeof round->roster.bytes);
    fl_write_from(&writer, maskset->bytes, sizeof maskset->bytes);
    return fl_hash_of(s_written(&writer));
}

bool
fl_transcript_mask_seed(const fl_hash *ctx, const fl_transcript_seat *self,
                        const uint8_t msk[FL_TRANSCRIPT_KEY_BYTES], const fl_transcript_seat *peer,
                        fl_mask_seed *seed)
{
    FL_ASSERT(self->index != peer->index);
    bool lower = self->index < peer->index;
    const fl_transcript_seat *low = lower ? self : peer, *high = lower ? peer : self;
    uint8_t shared[FL_TRANSCRIPT_KEY_BYTES], room[SEED_ROOM];
    bool sound = crypto_scalarmult(shared, msk, peer->mpk) == 0;
    *seed = (fl_mask_seed){ 0 };
    if (sound) {
        fl_writer writer = fl_writer_over(room, sizeof room);
        fl_write_from(&writer, shared, sizeof shared);
        s_write_text(&writer, "HSA2 mask");
        fl_write_from(&writer, ctx->bytes, sizeof ctx->bytes);
        fl_write_u32(&writer, low->index);
        fl_write_u32(&writer, high->index);
        fl_write_from(&writer, low->mpk, sizeof low->mpk);
        fl_write_from(&writer, high->mpk, sizeof high->mpk);
        s_hash_secret(&writer, seed->key);
        seed->subtract = !lower;
    }
    fl_wipe(shared, sizeof shared);
    return sound;
}

void
fl_transcript_self_seed(const fl_hash *ctx, const uint8_t b[FL_SHARE_BYTES], fl_mask_seed *seed)
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_write_from(&writer, b, FL_SHARE_BYTES);
    s_write_text(&writer, "HSA2 self");
    fl_write_from(&writer, ctx->bytes, sizeof ctx->bytes);
    s_hash_secret(&writer, seed->key);
    seed->subtract = false;
}

void
fl_transcript_checksum_key(const fl_hash *ctx, uint8_t key[FL_TRANSCRIPT_KEY_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    s_write_text(&writer, "HSA2 checksum");
    fl_write_from(&writer, ctx->bytes, sizeof ctx->bytes);
    s_hash_secret(&writer, key);
}

// ---- shares -----------------------------------------------------------------------------------
//  The key of one direction: subkey 1 from the lower index to the higher, 2 back.
static void
s_direction(const uint8_t pair_key[FL_TRANSCRIPT_KEY_BYTES], uint32_t from, uint32_t to,
            uint8_t key[FL_TRANSCRIPT_KEY_BYTES])
{
    FL_ASSERT(from != to);
    FL_ASSERT(crypto_kdf_derive_from_key(key, FL_TRANSCRIPT_KEY_BYTES, from < to ? 1 : 2,
                                         derive_context, pair_key) == 0);
}

static fl_bytes
s_share_data(fl_writer *writer, const fl_transcript_round *round, uint32_t from, uint32_t to)
{
    s_write_text(writer, "HSA2 share");
    fl_write_u64(writer, round->round);
    fl_write_u32(writer, from);
    fl_write_u32(writer, to);
    fl_write_u8(writer, round->number);
    fl_write_from(writer, round->roster.bytes, sizeof round->roster.bytes);
    return s_written(writer);
}

void
fl_transcript_seal(const fl_transcript_round *round,
                   const uint8_t pair_key[FL_TRANSCRIPT_KEY_BYTES], uint32_t from, uint32_t to,
                   const fl_transcript_dealt *dealt, const fl_entropy *entropy,
                   uint8_t sealed[FL_TRANSCRIPT_SEALED_BYTES])
{
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES], plain[sizeof *dealt], room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_bytes data = s_share_data(&writer, round, from, to);
    s_direction(pair_key, from, to, key);
    memcpy(plain, dealt->self.bytes, FL_SHARE_BYTES);
    memcpy(plain + FL_SHARE_BYTES, dealt->pair.bytes, FL_SHARE_BYTES);
    fl_entropy_fill(entropy, sealed, NONCE);
    FL_ASSERT(crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, plain, sizeof plain,
                                                         data.data, data.size, NULL, sealed,
                                                         key) == 0);
    fl_wipe(key, sizeof key);
    fl_wipe(plain, sizeof plain);
}

bool
fl_transcript_open(const fl_transcript_round *round,
                   const uint8_t pair_key[FL_TRANSCRIPT_KEY_BYTES], uint32_t from, uint32_t to,
                   const uint8_t sealed[FL_TRANSCRIPT_SEALED_BYTES], fl_transcript_dealt *dealt)
{
    uint8_t key[FL_TRANSCRIPT_KEY_BYTES], plain[sizeof *dealt] = { 0 }, room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_bytes data = s_share_data(&writer, round, from, to);
    s_direction(pair_key, from, to, key);
    bool holds = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + NONCE,
                                                            FL_TRANSCRIPT_SEALED_BYTES - NONCE,
                                                            data.data, data.size, sealed, key) == 0;
    *dealt = (fl_transcript_dealt){ 0 };
    if (holds) {
        memcpy(dealt->self.bytes, plain, FL_SHARE_BYTES);
        memcpy(dealt->pair.bytes, plain + FL_SHARE_BYTES, FL_SHARE_BYTES);
    }
    fl_wipe(key, sizeof key);
    fl_wipe(plain, sizeof plain);
    return holds;
}

fl_hash
fl_transcript_commitment(const uint8_t b[FL_SHARE_BYTES])
{
    return fl_hash_of(fl_bytes_of(b, FL_SHARE_BYTES));
}

fl_hash
fl_transcript_digest(const fl_transcript_round *round, uint32_t from, uint32_t to,
                     fl_transcript_kind kind, const fl_share *share)
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    s_write_text(&writer, "HSA2 digest");
    fl_write_from(&writer, round->roster.bytes, sizeof round->roster.bytes);
    fl_write_u32(&writer, from);
    fl_write_u32(&writer, to);
    fl_write_u8(&writer, (uint8_t)kind);
    fl_write_from(&writer, share->bytes, sizeof share->bytes);
    fl_hash digest = fl_hash_of(s_written(&writer));
    fl_wipe(room, fl_writer_size(&writer));
    return digest;
}

// ---- signatures -------------------------------------------------------------------------------
static fl_bytes
s_keys_body(fl_writer *writer, const fl_transcript_round *round, uint8_t class, const uint8_t *epk,
            const uint8_t *mpk)
{
    s_write_place(writer, round);
    fl_write_u64(writer, round->round);
    fl_write_u8(writer, class);
    fl_write_from(writer, epk, FL_TRANSCRIPT_KEY_BYTES);
    fl_write_from(writer, mpk, FL_TRANSCRIPT_KEY_BYTES);
    return s_written(writer);
}

void
fl_transcript_keys_sign(const fl_keys *keys, const fl_transcript_round *round, uint8_t class,
                        const uint8_t epk[FL_TRANSCRIPT_KEY_BYTES],
                        const uint8_t mpk[FL_TRANSCRIPT_KEY_BYTES],
                        uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_keys_sign(keys, "HSA2 keys", s_keys_body(&writer, round, class, epk, mpk), signature);
}

bool
fl_transcript_keys_hold(const uint8_t ed[FL_SIGN_PUBLIC_BYTES], const fl_transcript_round *round,
                        uint8_t class, const uint8_t epk[FL_TRANSCRIPT_KEY_BYTES],
                        const uint8_t mpk[FL_TRANSCRIPT_KEY_BYTES],
                        const uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    return fl_sign_holds(ed, "HSA2 keys", s_keys_body(&writer, round, class, epk, mpk), signature);
}

//  What a member of a roster says as that member.
static void
s_write_as(fl_writer *writer, const fl_transcript_round *round, uint32_t index)
{
    s_write_place(writer, round);
    fl_write_u32(writer, round->block);
    fl_write_u64(writer, round->round);
    fl_write_from(writer, round->roster.bytes, sizeof round->roster.bytes);
    fl_write_u32(writer, index);
}

static fl_bytes
s_dealt_body(fl_writer *writer, const fl_transcript_round *round, uint32_t from,
             fl_bytes public_part)
{
    fl_hash hash = fl_hash_of(public_part);
    s_write_as(writer, round, from);
    fl_write_from(writer, hash.bytes, sizeof hash.bytes);
    return s_written(writer);
}

void
fl_transcript_dealt_sign(const fl_keys *keys, const fl_transcript_round *round, uint32_t from,
                         fl_bytes public_part, uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_keys_sign(keys, "HSA2 dealt", s_dealt_body(&writer, round, from, public_part), signature);
}

bool
fl_transcript_dealt_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES], const fl_transcript_round *round,
                          uint32_t from, fl_bytes public_part,
                          const uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_bytes body = s_dealt_body(&writer, round, from, public_part);
    return fl_sign_holds(ed, "HSA2 dealt", body, signature);
}

static fl_bytes
s_vow(fl_writer *writer, const fl_hash *ctx, const fl_hash *survivors, uint32_t index)
{
    fl_write_from(writer, ctx->bytes, sizeof ctx->bytes);
    if (survivors != NULL) {
        fl_write_from(writer, survivors->bytes, sizeof survivors->bytes);
    }
    fl_write_u32(writer, index);
    return s_written(writer);
}

void
fl_transcript_psig(const fl_keys *keys, const fl_hash *ctx, uint32_t index,
                   uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_keys_sign(keys, "HSA2 psig", s_vow(&writer, ctx, NULL, index), signature);
}

bool
fl_transcript_psig_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES], const fl_hash *ctx, uint32_t index,
                         const uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    return fl_sign_holds(ed, "HSA2 psig", s_vow(&writer, ctx, NULL, index), signature);
}

void
fl_transcript_asig(const fl_keys *keys, const fl_hash *ctx, const fl_hash *survivors,
                   uint32_t index, uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    fl_keys_sign(keys, "HSA2 asig", s_vow(&writer, ctx, survivors, index), signature);
}

bool
fl_transcript_asig_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES], const fl_hash *ctx,
                         const fl_hash *survivors, uint32_t index,
                         const uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    return fl_sign_holds(ed, "HSA2 asig", s_vow(&writer, ctx, survivors, index), signature);
}

void
fl_transcript_burnt_sign(const fl_keys *keys, const fl_transcript_round *round, uint32_t index,
                         uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    s_write_as(&writer, round, index);
    fl_keys_sign(keys, "HSA2 burnt", s_written(&writer), signature);
}

bool
fl_transcript_burnt_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES], const fl_transcript_round *round,
                          uint32_t index, const uint8_t signature[FL_SIGN_BYTES])
{
    uint8_t room[SEED_ROOM];
    fl_writer writer = fl_writer_over(room, sizeof room);
    s_write_as(&writer, round, index);
    return fl_sign_holds(ed, "HSA2 burnt", s_written(&writer), signature);
}
