//  The truth is libsodium's own stream, called by its plain name; a few words and a checksum were
//  also made with a ChaCha20 written down from RFC 8439 in Python.
#include "common/crypto/mask.h"

#include "tests/support/unit.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/crypto/entropy.h"
#include "common/crypto/mask_kernel.h"

enum { LENGTH_MAX = 4099, STREAM_MAX = 1 << 17 };

static fl_mask_seed
s_seed(unsigned from, bool subtract)
{
    fl_mask_seed seed = { .subtract = subtract };
    for (unsigned i = 0; i < sizeof seed.key; i++) {
        seed.key[i] = (uint8_t)(from + i);
    }
    return seed;
}

static void
s_random(void *to, size_t size, uint64_t seed)
{
    fl_rng rng = fl_rng_seeded(seed);
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = (uint8_t)fl_rng_u64(&rng);
    }
}

//  libsodium's stream of a lane from a block on.
static void
s_stream(const fl_mask_seed *seed, uint32_t lane, uint32_t block, uint8_t *stream, size_t size)
{
    uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = { 0 };
    for (unsigned i = 0; i < 4; i++) {
        nonce[i] = (uint8_t)(lane >> (8 * i));
    }
    memset(stream, 0, size);
    assert_int_equal(crypto_stream_chacha20_ietf_xor_ic(stream, stream, size, nonce, block,
                                                        seed->key), 0);
}

//  What a kernel must make of `words`, one plain addition at a time.
static void
s_expect(void *words, size_t count, unsigned ring_bits, const uint8_t *stream, bool subtract)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t mask = 0;
        memcpy(&mask, stream + i * (ring_bits / 8), ring_bits / 8); // little-endian hosts
        if (ring_bits == 32) {
            uint32_t *narrow = words;
            narrow[i] = (uint32_t)(subtract ? narrow[i] - mask : narrow[i] + mask);
        } else {
            uint64_t *wide = words;
            wide[i] = subtract ? wide[i] - mask : wide[i] + mask;
        }
    }
}

//  One call on exactly as many bytes on the heap, so that the address sanitizer sees one too many.
static void
s_runs_alike(const fl_mask_kernel *kernel, unsigned ring_bits, size_t count, uint32_t lane,
             uint32_t block, const uint8_t *stream)
{
    const size_t size = count * (ring_bits / 8);
    const fl_mask_seed seed = s_seed(7, count % 2 == 1);
    static uint64_t truth[LENGTH_MAX];
    void *words = malloc(size == 0 ? 1 : size);
    assert_non_null(words);
    memset(words, 0x5a, size);
    memset(truth, 0x5a, size);
    s_expect(truth, count, ring_bits, stream, seed.subtract);
    if (ring_bits == 32) {
        kernel->add32(words, count, &seed, lane, block);
    } else {
        kernel->add64(words, count, &seed, lane, block);
    }
    assert_memory_equal(words, truth, size);
    free(words);
}

static void
s_every_length(unsigned number)
{
    const uint32_t lanes[] = { FL_MASK_LANE_HEADER, FL_MASK_LANE_VECTOR };
    static uint8_t stream[LENGTH_MAX * 8];
    const fl_mask_kernel *kernel = fl_mask_kernel_at(number);
    const fl_mask_seed seed = s_seed(7, false);
    for (size_t l = 0; kernel != NULL && l < sizeof lanes / sizeof lanes[0]; l++) {
        s_stream(&seed, lanes[l], 3, stream, sizeof stream);
        for (size_t count = 0; count <= LENGTH_MAX; count++) {
            s_runs_alike(kernel, 32, count, lanes[l], 3, stream);
            s_runs_alike(kernel, 64, count, lanes[l], 3, stream);
        }
    }
}

static void
every_kernel_adds_libsodiums_stream_for_every_length_and_ring(void **state)
{
    (void)state;
    for (unsigned number = 0; number < FL_MASK_KERNELS; number++) {
        s_every_length(number);
    }
}

static void
every_kernel_knows_every_lane_and_every_block(void **state)
{
    (void)state;
    static uint8_t stream[LENGTH_MAX * 8];
    const fl_mask_seed seed = s_seed(7, false);
    fl_rng rng = fl_rng_seeded(21);
    for (unsigned round = 0; round < 200; round++) {
        //  Single bits first, so that each byte of the lane and the counter is seen to count.
        uint32_t lane = round < 32 ? (uint32_t)1 << round : (uint32_t)fl_rng_u64(&rng);
        uint32_t block = round < 32 ? UINT32_MAX - 600 : (uint32_t)fl_rng_u64(&rng) % 0xfffffd00;
        size_t count = fl_rng_u64(&rng) % (LENGTH_MAX + 1);
        s_stream(&seed, lane, block, stream, count * 8);
        for (unsigned number = 0; number < FL_MASK_KERNELS; number++) {
            const fl_mask_kernel *kernel = fl_mask_kernel_at(number);
            if (kernel != NULL) {
                s_runs_alike(kernel, 32, count, lane, block, stream);
                s_runs_alike(kernel, 64, count, lane, block, stream);
            }
        }
    }
}

static void
known_seeds_give_known_words(void **state)
{
    (void)state;
    const fl_mask_seed seed = s_seed(0, false);
    const uint32_t narrow[4] = { 0xbde35b49, 0x4c57081d, 0x719567c6, 0xf019884d };
    const uint64_t wide[3] = { 0x7c4ca32c902ef43a, 0x98c3cb7bde340b9f, 0x0924225359d623ed };
    for (unsigned number = 0; number < FL_MASK_KERNELS; number++) {
        const fl_mask_kernel *kernel = fl_mask_kernel_at(number);
        uint32_t got32[4] = { 0 };
        uint64_t got64[3] = { 0 };
        if (kernel != NULL) {
            fl_mask_apply_by(kernel, &seed, 1, &(fl_mask_range){ 32, 1, 32, 4 }, got32);
            fl_mask_apply_by(kernel, &seed, 1, &(fl_mask_range){ 64, 0x01020304, 0, 3 }, got64);
            assert_memory_equal(got32, narrow, sizeof narrow);
            assert_memory_equal(got64, wide, sizeof wide);
        }
    }
}

// ---- vectors ----------------------------------------------------------------------------------
static void
any_split_into_ranges_gives_the_same_words(void **state)
{
    (void)state;
    enum { COUNT = 40007 };
    static uint64_t whole[COUNT], parts[COUNT];
    const fl_mask_seed seeds[3] = { s_seed(1, false), s_seed(2, true), s_seed(3, false) };
    fl_rng rng = fl_rng_seeded(8);
    for (unsigned ring_bits = 32; ring_bits <= 64; ring_bits += 32) {
        const size_t wide = ring_bits / 8, grain = 64 / wide;
        s_random(whole, COUNT * wide, 4);
        memcpy(parts, whole, COUNT * wide);
        fl_mask_apply(seeds, 3, &(fl_mask_range){ ring_bits, 1, grain * 5, COUNT }, whole);
        for (size_t at = 0, now; at < COUNT; at += now) {
            now = grain * (1 + fl_rng_u64(&rng) % 700);
            now = now < COUNT - at ? now : COUNT - at;
            fl_mask_apply(seeds, 3, &(fl_mask_range){ ring_bits, 1, grain * 5 + at, now },
                          (uint8_t *)parts + at * wide);
        }
        assert_memory_equal(parts, whole, COUNT * wide);
    }
}

static void
what_one_adds_another_subtracts(void **state)
{
    (void)state;
    enum { COUNT = 9001 };
    static uint32_t words[COUNT], before[COUNT];
    const fl_mask_seed seeds[4] = { s_seed(1, false), s_seed(2, true), s_seed(2, false),
                                    s_seed(1, true) };
    s_random(words, sizeof words, 6);
    memcpy(before, words, sizeof words);
    const fl_mask_range range = { 32, FL_MASK_LANE_VECTOR, 0, COUNT };
    fl_mask_apply(seeds, 2, &range, words);
    assert_memory_not_equal(words, before, 64);
    fl_mask_apply(seeds + 2, 2, &range, words);
    assert_memory_equal(words, before, sizeof words);
    fl_mask_apply(seeds, 0, &range, words);
    assert_memory_equal(words, before, sizeof words);
}

//  Low bytes of x + masks, by the plain definition.
static void
s_wire_alike(const fl_mask_kernel *kernel, unsigned ring_bits, unsigned wire_bytes, size_t count)
{
    static uint8_t stream[STREAM_MAX];
    static uint64_t words[STREAM_MAX / 8];
    const fl_mask_seed seeds[2] = { s_seed(9, false), s_seed(99, true) };
    uint8_t *plain = malloc(count * wire_bytes), *masked = malloc(count * wire_bytes);
    assert_true(plain != NULL && masked != NULL);
    s_random(plain, count * wire_bytes, count);
    memset(words, 0, sizeof words);
    for (size_t i = 0; i < count * wire_bytes; i++) {
        size_t at = i / wire_bytes * (ring_bits / 8) + i % wire_bytes;
        ((uint8_t *)words)[at] = plain[i];
    }
    for (unsigned s = 0; s < 2; s++) {
        s_stream(&seeds[s], 1, 2, stream, count * (ring_bits / 8));
        s_expect(words, count, ring_bits, stream, seeds[s].subtract);
    }
    const fl_mask_range range = { ring_bits, 1, 2 * 512 / ring_bits, count };
    fl_mask_wire_by(kernel, seeds, 2, &range, wire_bytes, plain, masked);
    fl_mask_wire_by(kernel, seeds, 2, &range, wire_bytes, plain, plain);
    assert_memory_equal(plain, masked, count * wire_bytes);
    for (size_t i = 0; i < count * wire_bytes; i++) {
        size_t at = i / wire_bytes * (ring_bits / 8) + i % wire_bytes;
        assert_int_equal(masked[i], ((uint8_t *)words)[at]);
    }
    free(plain);
    free(masked);
}

static void
an_upload_is_the_low_bytes_of_the_masked_words(void **state)
{
    (void)state;
    const size_t counts[] = { 1, 15, 16, 511, 4096, 9003 };
    for (unsigned number = 0; number < FL_MASK_KERNELS; number++) {
        const fl_mask_kernel *kernel = fl_mask_kernel_at(number);
        for (size_t c = 0; kernel != NULL && c < sizeof counts / sizeof counts[0]; c++) {
            for (unsigned wire_bytes = 1; wire_bytes <= 8; wire_bytes++) {
                s_wire_alike(kernel, 64, wire_bytes, counts[c]);
                if (wire_bytes <= 4) {
                    s_wire_alike(kernel, 32, wire_bytes, counts[c]);
                }
            }
        }
    }
}

//  The whole way of a sum: two uploads, added as wire integers, masks off, settled.
static void
a_sum_of_uploads_settles_to_the_sum_of_the_integers(void **state)
{
    (void)state;
    enum { COUNT = 1000, WIRE = 3 };
    const fl_mask_seed pair[2] = { s_seed(1, false), s_seed(1, true) };
    const fl_mask_seed own[2] = { s_seed(2, false), s_seed(3, false) };
    const fl_mask_seed off[2] = { s_seed(2, true), s_seed(3, true) };
    const fl_mask_range range = { 32, FL_MASK_LANE_VECTOR, 512, COUNT };
    static uint32_t sum[COUNT];
    static int32_t truth[COUNT];
    memset(sum, 0, sizeof sum);
    memset(truth, 0, sizeof truth);
    for (int member = 0; member < 2; member++) {
        static uint8_t wire[COUNT * WIRE];
        const fl_mask_seed seeds[2] = { pair[member], own[member] };
        for (int i = 0; i < COUNT; i++) {
            int32_t x = (i * 8389 - 4190000) * (member == 0 ? 1 : i % 3 - 1);
            truth[i] += x;
            for (unsigned b = 0; b < WIRE; b++) {
                wire[i * WIRE + (int)b] = (uint8_t)((uint32_t)x >> (8 * b));
            }
        }
        fl_mask_wire(seeds, 2, &range, WIRE, wire, wire);
        for (int i = 0; i < COUNT; i++) {
            sum[i] += (uint32_t)wire[3 * i] | (uint32_t)wire[3 * i + 1] << 8 |
                      (uint32_t)wire[3 * i + 2] << 16;
        }
    }
    fl_mask_apply(off, 2, &range, sum);
    assert_memory_not_equal(sum, truth, sizeof truth);
    fl_mask_settle(32, COUNT, WIRE, sum);
    assert_memory_equal(sum, truth, sizeof truth);
}

static void
settling_extends_the_sign_of_the_wires_width(void **state)
{
    (void)state;
    for (unsigned wire_bytes = 1; wire_bytes <= 8; wire_bytes++) {
        const uint64_t half = (uint64_t)1 << (8 * wire_bytes - 1);
        uint64_t wide[3] = { half - 1, half, 5 };
        const uint64_t junk = wire_bytes == 8 ? 0 : 0xabcdef0123456789u << (8 * wire_bytes % 64);
        for (unsigned i = 0; i < 3; i++) {
            wide[i] ^= junk;
        }
        fl_mask_settle(64, 3, wire_bytes, wide);
        assert_true((int64_t)wide[0] == (int64_t)(half - 1));
        assert_true(wide[1] == UINT64_MAX - (half - 1));
        assert_true(wide[2] == 5);
        if (wire_bytes <= 4) {
            uint32_t narrow[2] = { (uint32_t)(half - 1) ^ (uint32_t)junk,
                                   (uint32_t)half ^ (uint32_t)junk };
            fl_mask_settle(32, 2, wire_bytes, narrow);
            assert_true(narrow[0] == (uint32_t)(half - 1));
            assert_true(narrow[1] == UINT32_MAX - (uint32_t)(half - 1));
        }
    }
}

// ---- the checksum -----------------------------------------------------------------------------
static void
s_put(uint8_t *wire, unsigned wire_bytes, size_t at, int64_t value)
{
    for (unsigned b = 0; b < wire_bytes; b++) {
        wire[at * wire_bytes + b] = (uint8_t)((uint64_t)value >> (8 * b));
    }
}

static void
known_integers_have_a_known_checksum(void **state)
{
    (void)state;
    const int64_t x[10] = { -3, 5, -(1 << 23), (1 << 23) - 1, 0, 1, -1, 1000, 7, -7 };
    const fl_mask_seed key = s_seed(0, false);
    for (unsigned number = 0; number < FL_MASK_KERNELS; number++) {
        const fl_mask_kernel *kernel = fl_mask_kernel_at(number);
        for (unsigned wire_bytes = 3; kernel != NULL && wire_bytes <= 8; wire_bytes++) {
            uint8_t wire[10 * 8];
            for (size_t i = 0; i < 10; i++) {
                s_put(wire, wire_bytes, i, x[i]);
            }
            assert_true(fl_mask_checksum_by(kernel, key.key, 0, 10, wire_bytes, wire) ==
                        0x51642ebfa8fa8341);
        }
    }
}

static void
checksums_of_ranges_and_of_members_add_up(void **state)
{
    (void)state;
    enum { COUNT = 5003, WIRE = 4 };
    static uint8_t wire[3][COUNT * WIRE];
    const fl_mask_seed key = s_seed(50, false);
    fl_rng rng = fl_rng_seeded(2);
    for (size_t i = 0; i < COUNT; i++) {
        int64_t a = (int64_t)(fl_rng_u64(&rng) % 2000001) - 1000000;
        int64_t b = (int64_t)(fl_rng_u64(&rng) % 2000001) - 1000000;
        s_put(wire[0], WIRE, i, a);
        s_put(wire[1], WIRE, i, b);
        s_put(wire[2], WIRE, i, a + b);
    }
    uint64_t each[3];
    for (unsigned k = 0; k < 3; k++) {
        each[k] = fl_mask_checksum(key.key, 16, COUNT, WIRE, wire[k]);
        uint64_t split = fl_mask_checksum(key.key, 16, 2048, WIRE, wire[k]) +
                         fl_mask_checksum(key.key, 16 + 2048, COUNT - 2048, WIRE,
                                          wire[k] + 2048 * WIRE);
        assert_true(split == each[k]);
    }
    assert_true(each[0] + each[1] == each[2]);
    assert_true(fl_mask_checksum(key.key, 24, COUNT, WIRE, wire[0]) != each[0]);
    assert_true(fl_mask_checksum(key.key, 0, 0, WIRE, wire[0]) == 0);
}

//  A factor is odd, so that no single wrong bit is lost; a wrap of the ring is seen as well.
static void
one_flipped_bit_or_a_wrap_changes_the_checksum(void **state)
{
    (void)state;
    enum { COUNT = 64, WIRE = 4 };
    uint8_t wire[COUNT * WIRE];
    const fl_mask_seed key = s_seed(51, false);
    s_random(wire, sizeof wire, 1);
    const uint64_t before = fl_mask_checksum(key.key, 0, COUNT, WIRE, wire);
    for (size_t bit = 0; bit < sizeof wire * 8; bit++) {
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(fl_mask_checksum(key.key, 0, COUNT, WIRE, wire) != before);
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    s_put(wire, WIRE, 0, INT32_MAX);
    uint64_t most = fl_mask_checksum(key.key, 0, 1, WIRE, wire);
    s_put(wire, WIRE, 0, 1);
    uint64_t one = fl_mask_checksum(key.key, 0, 1, WIRE, wire);
    s_put(wire, WIRE, 0, INT32_MIN); // where most + one wraps to
    assert_true(fl_mask_checksum(key.key, 0, 1, WIRE, wire) != most + one);
}

// ---- statistics -------------------------------------------------------------------------------
//  Chi-squared of byte values, 255 degrees of freedom: mean 255, deviation 22.6.
static double
s_chi_squared(const uint8_t *bytes, size_t size)
{
    size_t seen[256] = { 0 };
    double sum = 0, wanted = (double)size / 256;
    for (size_t i = 0; i < size; i++) {
        seen[bytes[i]]++;
    }
    for (unsigned value = 0; value < 256; value++) {
        double off = (double)seen[value] - wanted;
        sum += off * off / wanted;
    }
    return sum;
}

static void
masked_bytes_are_uniform_whatever_they_hide(void **state)
{
    (void)state;
    enum { COUNT = 20000, WIRE = 3 };
    static uint8_t plain[COUNT * WIRE], masked[COUNT * WIRE];
    const fl_mask_range range = { 32, FL_MASK_LANE_VECTOR, 0, COUNT };
    for (int hidden = -1; hidden <= 1; hidden++) {
        for (size_t i = 0; i < COUNT; i++) {
            s_put(plain, WIRE, i, hidden * 8388607);
        }
        assert_true(s_chi_squared(plain, sizeof plain) > 1e6); // the test sees what is not uniform
        for (unsigned from = 0; from < 40; from++) {
            const fl_mask_seed seed = s_seed(from, from % 2 == 1);
            fl_mask_wire(&seed, 1, &range, WIRE, plain, masked);
            double chi = s_chi_squared(masked, sizeof masked);
            assert_true(chi > 255 - 6 * 22.6 && chi < 255 + 6 * 22.6);
        }
    }
}

// ---- what stays behind -------------------------------------------------------------------------
enum { STACK = 256 * 1024, HIDDEN = 600, HIDDEN_WIRE = 4 };
static uint8_t stack[STACK] __attribute__((aligned(4096)));
static uint8_t upload[HIDDEN * HIDDEN_WIRE];
static uint32_t hidden_sum[HIDDEN];
static fl_mask_seed hidden_seed;

//  True when eight bytes of keystream, of the plain upload or of the key lie on that stack.
__attribute__((no_sanitize("address"))) static bool
s_finds_secrets(const uint8_t *secret, size_t size)
{
    for (size_t at = 0; at + 8 <= STACK; at += 4) {
        for (size_t from = 0; from + 8 <= size; from += 4) {
            if (stack[at] == secret[from] && memcmp(stack + at, secret + from, 8) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void *
s_apply_there(void *kernel)
{
    const fl_mask_range range = { 32, FL_MASK_LANE_VECTOR, 0, HIDDEN };
    fl_mask_apply_by(kernel, &hidden_seed, 1, &range, hidden_sum);
    fl_mask_wire_by(kernel, &hidden_seed, 1, &range, HIDDEN_WIRE, upload, upload);
    return NULL;
}

static void *
s_expand_there(void *kernel)
{
    (void)kernel;
    uint8_t stream[HIDDEN * 4];
    s_stream(&hidden_seed, FL_MASK_LANE_VECTOR, 0, stream, sizeof stream);
    return NULL;
}

static void
s_run_there(void *(*act)(void *), const fl_mask_kernel *kernel)
{
    pthread_attr_t attributes;
    pthread_t thread;
    union {
        const void *from;
        void *to;
    } plain = { .from = kernel };
    memset(stack, 0, sizeof stack);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
    assert_int_equal(pthread_create(&thread, &attributes, act, plain.to), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
}

static void
no_keystream_and_no_plain_word_stays_on_the_stack(void **state)
{
    (void)state;
    static uint8_t stream[HIDDEN * 4], plain[sizeof upload];
    hidden_seed = s_seed(130, false);
    s_stream(&hidden_seed, FL_MASK_LANE_VECTOR, 0, stream, sizeof stream);
    for (unsigned number = 0; number < FL_MASK_KERNELS; number++) {
        const fl_mask_kernel *kernel = fl_mask_kernel_at(number);
        if (kernel != NULL) {
            s_random(plain, sizeof plain, 70);
            memcpy(upload, plain, sizeof plain);
            s_run_there(s_apply_there, kernel);
            assert_memory_not_equal(upload, plain, sizeof plain);
            assert_false(s_finds_secrets(stream, sizeof stream));
            assert_false(s_finds_secrets(plain, sizeof plain));
            assert_false(s_finds_secrets(hidden_seed.key, sizeof hidden_seed.key));
        }
    }
    s_run_there(s_expand_there, NULL); // what a careless one leaves is found
    assert_true(s_finds_secrets(stream, sizeof stream));
}

// ---- bounds -----------------------------------------------------------------------------------
static uint64_t room[64];
static void
s_apply(unsigned ring_bits, uint64_t first)
{
    const fl_mask_seed seed = s_seed(1, false);
    fl_mask_apply(&seed, 1, &(fl_mask_range){ ring_bits, 1, first, 32 }, room);
}
static void
s_start_within_a_block(void)
{
    s_apply(32, 8);
}
static void
s_use_another_ring(void)
{
    s_apply(16, 0);
}
static void
s_wrap_the_counter(void)
{
    s_apply(32, ((uint64_t)1 << 32) * 16 - 16);
}
static void
s_be_wider_than_the_ring(void)
{
    const fl_mask_seed seed = s_seed(1, false);
    fl_mask_wire(&seed, 1, &(fl_mask_range){ 32, 1, 0, 8 }, 5, (uint8_t *)room, (uint8_t *)room);
}
static void
s_settle_to_nothing(void)
{
    fl_mask_settle(32, 1, 0, room);
}

static void
ranges_out_of_bounds_end_the_process(void **state)
{
    (void)state;
    s_apply(32, 16);
    s_apply(64, 8);
    s_apply(32, ((uint64_t)1 << 32) * 16 - 64); // the last full blocks but one
    assert_true(unit_dies(s_start_within_a_block));
    assert_true(unit_dies(s_use_another_ring));
    assert_true(unit_dies(s_wrap_the_counter));
    assert_true(unit_dies(s_be_wider_than_the_ring));
    assert_true(unit_dies(s_settle_to_nothing));
}

static void
the_best_kernel_is_one_of_this_machine(void **state)
{
    (void)state;
    assert_ptr_equal(fl_mask_kernel_at(FL_MASK_PORTABLE), &fl_mask_portable);
    assert_null(fl_mask_kernel_at(FL_MASK_KERNELS));
    bool found = false;
    for (unsigned number = 0; number < FL_MASK_KERNELS; number++) {
        found |= fl_mask_kernel_at(number) == fl_mask_kernel_best();
    }
    assert_true(found);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_adds_libsodiums_stream_for_every_length_and_ring),
        cmocka_unit_test(every_kernel_knows_every_lane_and_every_block),
        cmocka_unit_test(known_seeds_give_known_words),
        cmocka_unit_test(any_split_into_ranges_gives_the_same_words),
        cmocka_unit_test(what_one_adds_another_subtracts),
        cmocka_unit_test(an_upload_is_the_low_bytes_of_the_masked_words),
        cmocka_unit_test(a_sum_of_uploads_settles_to_the_sum_of_the_integers),
        cmocka_unit_test(settling_extends_the_sign_of_the_wires_width),
        cmocka_unit_test(known_integers_have_a_known_checksum),
        cmocka_unit_test(checksums_of_ranges_and_of_members_add_up),
        cmocka_unit_test(one_flipped_bit_or_a_wrap_changes_the_checksum),
        cmocka_unit_test(masked_bytes_are_uniform_whatever_they_hide),
        cmocka_unit_test(no_keystream_and_no_plain_word_stays_on_the_stack),
        cmocka_unit_test(ranges_out_of_bounds_end_the_process),
        cmocka_unit_test(the_best_kernel_is_one_of_this_machine),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
