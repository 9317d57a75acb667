//  mask - what masking costs: each kernel against libsodium's plain keystream over the same bytes,
//  a device's share of a round of 64, the removal of 64 masks, and Shamir's shares.
//      bench-mask [--json] [--runs N]
//  All that is compared runs in turns, N times (11); numbers are medians, ratios medians of the
//  ratios of one turn. Milliseconds are also given as on a machine with 2.5 GB/s of plain
//  keystream, the one that the goals were set for.
#include "common/crypto/mask_kernel.h"
#include "common/crypto/share.h"
#include "common/tensor/element.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ELEMENTS = 1000000,
    MEMBERS = 64,
    THRESHOLD = 41,
    SEEDS = 8, // of the comparison of kernels
    SHARE_TIMES = 200,
    RUNS_MAX = 101,
};
static const double reference_rate = 2.5e9; // bytes of plain keystream per second

typedef enum what {
    PLAIN,
    PORTABLE,
    AVX2,
    AVX512,
    DEVICE,
    REMOVAL,
    SHARE,
    REBUILD,
    WHATS,
} what;

typedef struct bench {
    uint32_t *words;
    float *update;
    uint8_t *wire;
    uint8_t *tile;
    fl_mask_seed seeds[MEMBERS];
    fl_element fixed;
    fl_share shares[MEMBERS];
    uint64_t checksum;
    unsigned runs;
    double seconds[WHATS][RUNS_MAX];
    bool present[WHATS];
} bench;

static double
s_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// ---- what is measured -------------------------------------------------------------------------
//  As many bytes as SEEDS masks have, a first-level tile at a time: libsodium at its best.
static void
s_plain(bench *self)
{
    const uint8_t nonce[12] = { 1 };
    size_t left = (size_t)SEEDS * ELEMENTS * sizeof *self->words;
    for (size_t now; left > 0; left -= now) {
        now = left < FL_MASK_TILE_BYTES ? left : FL_MASK_TILE_BYTES;
        (void)crypto_stream_chacha20_ietf(self->tile, now, nonce, self->seeds[0].key);
    }
}

static void
s_fused(bench *self, unsigned number, size_t seeds)
{
    const fl_mask_range range = { 32, FL_MASK_LANE_VECTOR, 0, ELEMENTS };
    fl_mask_apply_by(fl_mask_kernel_at(number), self->seeds, seeds, &range, self->words);
}

//  One member of 64 over its whole update: quantise, checksum, all masks, wire bytes.
static void
s_device(bench *self)
{
    const fl_mask_range range = { 32, FL_MASK_LANE_VECTOR, 0, ELEMENTS };
    const unsigned wide = self->fixed.wire_bytes;
    uint64_t clipped = 0;
    FL_ASSERT(fl_element_encode(&self->fixed, 3, 7, 0, ELEMENTS, self->update, self->wire,
                              &clipped) == FL_OK);
    self->checksum += fl_mask_checksum(self->seeds[0].key, 0, ELEMENTS, wide, self->wire);
    fl_mask_wire(self->seeds, MEMBERS, &range, wide, self->wire, self->wire);
}

static void
s_share(bench *self)
{
    fl_entropy entropy = fl_entropy_os();
    for (unsigned i = 0; i < SHARE_TIMES; i++) {
        fl_share_deal(self->seeds[0].key, MEMBERS, THRESHOLD, &entropy, self->shares);
    }
}

static void
s_rebuild(bench *self)
{
    uint8_t indices[THRESHOLD], secret[FL_SHARE_BYTES];
    for (unsigned i = 0; i < THRESHOLD; i++) {
        indices[i] = (uint8_t)(i + MEMBERS - THRESHOLD);
    }
    for (unsigned i = 0; i < SHARE_TIMES; i++) {
        FL_ASSERT(fl_share_rebuild(indices, self->shares + MEMBERS - THRESHOLD, THRESHOLD,
                                   secret));
    }
    FL_ASSERT(memcmp(secret, self->seeds[0].key, sizeof secret) == 0);
}

static void
s_do(bench *self, what each)
{
    switch (each) {
    case PLAIN:
        s_plain(self);
        break;
    case PORTABLE:
    case AVX2:
    case AVX512:
        s_fused(self, each - PORTABLE + (unsigned)FL_MASK_PORTABLE, SEEDS);
        break;
    case DEVICE:
        s_device(self);
        break;
    case REMOVAL:
        fl_mask_apply(self->seeds, MEMBERS,
                      &(fl_mask_range){ 32, FL_MASK_LANE_VECTOR, 0, ELEMENTS }, self->words);
        break;
    case SHARE:
        s_share(self);
        break;
    case REBUILD:
        s_rebuild(self);
        break;
    case WHATS:
        break;
    }
}

// ---- medians ----------------------------------------------------------------------------------
static int
s_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
s_median(const double *values, unsigned count)
{
    double sorted[RUNS_MAX];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, s_order);
    return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double
s_seconds(const bench *self, what each)
{
    return s_median(self->seconds[each], self->runs);
}

//  How many times the plain keystream's rate.
static double
s_ratio(const bench *self, what each)
{
    double ratio[RUNS_MAX];
    for (unsigned i = 0; i < self->runs; i++) {
        ratio[i] = self->seconds[PLAIN][i] / self->seconds[each][i];
    }
    return s_median(ratio, self->runs);
}

static double
s_rate(const bench *self, what each)
{
    return (double)SEEDS * ELEMENTS * sizeof *self->words / s_seconds(self, each);
}

//  Milliseconds as they would be at the reference rate, by the plain run of the same turn.
static double
s_scaled_ms(const bench *self, what each)
{
    double ms[RUNS_MAX];
    for (unsigned i = 0; i < self->runs; i++) {
        double rate = (double)SEEDS * ELEMENTS * sizeof *self->words / self->seconds[PLAIN][i];
        ms[i] = 1e3 * self->seconds[each][i] * rate / reference_rate;
    }
    return s_median(ms, self->runs);
}

static double
s_share_us(const bench *self, what each)
{
    return 1e6 * s_seconds(self, each) / SHARE_TIMES;
}

// ---- the two printouts ------------------------------------------------------------------------
static const char *const names[] = {
    [PLAIN] = "plain keystream", [PORTABLE] = "fused portable", [AVX2] = "fused avx2",
    [AVX512] = "fused avx512",   [DEVICE] = "device",           [REMOVAL] = "removal",
    [SHARE] = "share",           [REBUILD] = "rebuild",
};
static const char *const keys[] = {
    [PLAIN] = "plain", [PORTABLE] = "portable", [AVX2] = "avx2",   [AVX512] = "avx512",
    [DEVICE] = "device", [REMOVAL] = "removal", [SHARE] = "share", [REBUILD] = "rebuild",
};

static const char *
s_goal(bool met)
{
    return met ? "met" : "missed";
}

static void
s_print_table(const bench *self)
{
    (void)printf("%d elements, 32-bit ring, one thread, %u runs, best kernel: %s\n\n", ELEMENTS,
                 self->runs, fl_mask_kernel_best()->name);
    (void)printf("%-20s %12s %8s %10s\n", "", "ns/el*mask", "GB/s", "x plain");
    for (what each = PLAIN; each <= AVX512; each++) {
        if (self->present[each]) {
            double ns = 1e9 * s_seconds(self, each) / ((double)SEEDS * ELEMENTS);
            (void)printf("%-20s %12.3f %8.2f %10.2f\n", names[each], ns, s_rate(self, each) / 1e9,
                         s_ratio(self, each));
        }
    }
    (void)printf("goals: portable >= 0.90 %s", s_goal(s_ratio(self, PORTABLE) >= 0.9));
    if (self->present[AVX512]) {
        (void)printf(", avx512 >= 1.60 %s", s_goal(s_ratio(self, AVX512) >= 1.6));
    }
    (void)printf("\n\n%-34s %8s %14s %s\n", "", "ms", "at 2.5 GB/s", "goal 90");
    for (what each = DEVICE; each <= REMOVAL; each++) {
        const char *of = each == DEVICE ? "quantise, checksum, 64 masks" : "64 masks off a sum";
        double ms = s_scaled_ms(self, each);
        (void)printf("%-34s %8.1f %14.1f %s\n", of, 1e3 * s_seconds(self, each), ms,
                     s_goal(ms <= 90));
    }
    (void)printf("\n%-34s %8s %14s %s\n", "", "us", "", "goal 20");
    for (what each = SHARE; each <= REBUILD; each++) {
        double us = s_share_us(self, each);
        (void)printf("%-8s 32 bytes, %d of %-13d %8.1f %14s %s\n", names[each], THRESHOLD, MEMBERS,
                     us, "", s_goal(us <= 20));
    }
}

static void
s_print_json(const bench *self)
{
    (void)printf("{\"elements\": %d, \"members\": %d, \"threshold\": %d, \"runs\": %u, "
                 "\"best\": \"%s\", \"kernels\": {",
                 ELEMENTS, MEMBERS, THRESHOLD, self->runs, fl_mask_kernel_best()->name);
    for (what each = PLAIN; each <= AVX512; each++) {
        if (self->present[each]) {
            double ns = 1e9 * s_seconds(self, each) / ((double)SEEDS * ELEMENTS);
            (void)printf("%s\"%s\": {\"ns_per_element_and_mask\": %.4f, \"gb_per_s\": %.3f, "
                         "\"ratio\": %.3f}",
                         each == PLAIN ? "" : ", ", keys[each], ns, s_rate(self, each) / 1e9,
                         s_ratio(self, each));
        }
    }
    (void)printf("}");
    for (what each = DEVICE; each <= REMOVAL; each++) {
        (void)printf(", \"%s\": {\"ms\": %.2f, \"ms_scaled\": %.2f}", keys[each],
                     1e3 * s_seconds(self, each), s_scaled_ms(self, each));
    }
    for (what each = SHARE; each <= REBUILD; each++) {
        (void)printf(", \"%s_us\": %.2f", keys[each], s_share_us(self, each));
    }
    (void)printf(", \"goals\": {\"portable\": %s",
                 s_ratio(self, PORTABLE) >= 0.9 ? "true" : "false");
    if (self->present[AVX512]) {
        (void)printf(", \"avx512\": %s", s_ratio(self, AVX512) >= 1.6 ? "true" : "false");
    }
    (void)printf(", \"device\": %s, \"removal\": %s, \"share\": %s, \"rebuild\": %s}}\n",
                 s_scaled_ms(self, DEVICE) <= 90 ? "true" : "false",
                 s_scaled_ms(self, REMOVAL) <= 90 ? "true" : "false",
                 s_share_us(self, SHARE) <= 20 ? "true" : "false",
                 s_share_us(self, REBUILD) <= 20 ? "true" : "false");
}

// ---- setting up -------------------------------------------------------------------------------
static void
s_set_up(bench *self)
{
    self->fixed = (fl_element){
        .clip = 0.25f, .bits = 16, .weight_unit = 1, .weight_max = 64, .devices_max = 1024
    };
    FL_ASSERT(fl_element_choose(&self->fixed, NULL) == FL_OK && self->fixed.ring_bits == 32);
    self->words = calloc(ELEMENTS, sizeof *self->words);
    self->update = calloc(ELEMENTS, sizeof *self->update);
    self->wire = calloc(ELEMENTS, self->fixed.wire_bytes);
    self->tile = calloc(1, FL_MASK_TILE_BYTES);
    FL_ASSERT(self->words != NULL && self->update != NULL && self->wire != NULL &&
              self->tile != NULL);
    for (size_t i = 0; i < ELEMENTS; i++) {
        self->update[i] = (float)(i % 1001) * 0.0004f - 0.2f;
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        randombytes_buf(self->seeds[i].key, sizeof self->seeds[i].key);
        self->seeds[i].subtract = i % 2 == 1;
    }
    for (what each = PLAIN; each < WHATS; each++) {
        bool kernel = each >= PORTABLE && each <= AVX512;
        self->present[each] = !kernel || fl_mask_kernel_at(each - PORTABLE) != NULL;
    }
}

static void
s_measure(bench *self)
{
    s_do(self, SHARE); // so that the first rebuild has shares
    for (unsigned run = 0; run < self->runs; run++) {
        for (what each = PLAIN; each < WHATS; each++) {
            if (self->present[each]) {
                double start = s_now();
                s_do(self, each);
                self->seconds[each][run] = s_now() - start;
            }
        }
    }
}

int
main(int argc, char **argv)
{
    static bench self = { .runs = 11 };
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            self.runs = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            self.runs = 0;
        }
    }
    if (self.runs < 1 || self.runs > RUNS_MAX) {
        (void)fprintf(stderr, "usage: bench-mask [--json] [--runs 1..%d]\n", RUNS_MAX);
        return 2;
    }
    fl_why why;
    if (fl_crypto_init(&why) != FL_OK) {
        (void)fprintf(stderr, "bench-mask: %s\n", why.text);
        return 1;
    }
    s_set_up(&self);
    s_measure(&self);
    if (json) {
        s_print_json(&self);
    } else {
        s_print_table(&self);
    }
    free(self.words);
    free(self.update);
    free(self.wire);
    free(self.tile);
    return 0;
}
