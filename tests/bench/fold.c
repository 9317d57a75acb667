//  fold - adding a contribution into the accumulator, over a plain loop `a[i] += b[i]` on integers
//  of the accumulator's width, on one core. For ring and wire as the plans choose them, and for a
//  ring of 64 bits with full wire, which a masked sum needs.
//
//      bench-fold [elements=1000000] [pairs=31]
#include <stdio.h>
#include <stdlib.h>

#include "common/base/rng.h"
#include "common/tensor/fold.h"
#include "tests/bench/bench.h"

enum { WARM = 3, PAGE = 4096 };

typedef struct plain {
    uint64_t elements;
    uint32_t *a32, *b32; // (elements) unless the ring is 64 bits wide
    uint64_t *a64, *b64; // (elements) then
} plain;

//  Unsigned, as wrapping must be defined; not inlined, so that it is one loop and no more.
static void __attribute__((noinline))
s_add32(uint32_t *restrict a, const uint32_t *restrict b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        a[i] += b[i];
    }
}

static void __attribute__((noinline))
s_add64(uint64_t *restrict a, const uint64_t *restrict b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        a[i] += b[i];
    }
}

static uint64_t
s_time_plain(const plain *self)
{
    const uint64_t start = bench_ns();
    if (self->a32 != NULL) {
        s_add32(self->a32, self->b32, self->elements);
    } else {
        s_add64(self->a64, self->b64, self->elements);
    }
    return bench_ns() - start;
}

static uint64_t
s_time_fold(fl_fold *fold, const uint8_t *wire)
{
    const uint64_t start = bench_ns();
    fl_fold_add(fold, 0, fl_fold_elements(fold), wire);
    return bench_ns() - start;
}

//  Random bytes, so that every page is its own; aligned as a staging slot is.
static void *
s_room(uint64_t count, size_t size)
{
    const size_t bytes = (count * size + PAGE - 1) / PAGE * PAGE;
    uint8_t *room = aligned_alloc(PAGE, bytes);
    if (room == NULL) {
        bench_die("fold", "out of memory");
    }
    fl_rng rng = fl_rng_seeded(7);
    for (size_t i = 0; i < bytes; i++) {
        room[i] = (uint8_t)fl_rng_u64(&rng);
    }
    return room;
}

static void
s_measure(const char *name, const fl_element *fixed, uint64_t elements, uint64_t pairs)
{
    plain loop = { .elements = elements };
    if (fixed->ring_bits == 32) {
        loop.a32 = s_room(elements, sizeof *loop.a32);
        loop.b32 = s_room(elements, sizeof *loop.b32);
    } else {
        loop.a64 = s_room(elements, sizeof *loop.a64);
        loop.b64 = s_room(elements, sizeof *loop.b64);
    }
    fl_fold *fold = fl_fold_new(fixed, elements);
    uint8_t *wire = s_room(elements, fixed->wire_bytes);
    if (fold == NULL) {
        bench_die("fold", "out of memory");
    }
    bench_pairs found = { .count = 0 };
    for (uint64_t i = 0; i < pairs + WARM; i++) {
        const uint64_t a = s_time_fold(fold, wire);
        const uint64_t b = s_time_plain(&loop);
        if (i >= WARM) {
            bench_pairs_add(&found, a, b);
        }
    }
    double low, high;
    char note[160];
    const double ratio = bench_pairs_ratio(&found, &low, &high);
    snprintf(note, sizeof note,
             "ring %u, %u wire bytes, %llu elements; quartiles %.2f to %.2f; %.2f ns per element",
             fixed->ring_bits, fixed->wire_bytes, (unsigned long long)elements, low, high,
             bench_median(found.a, found.count) / (double)elements);
    bench_say(name, ratio, "ratio", note);
    fl_fold_destroy(&fold);
    free(wire);
    free(loop.a32);
    free(loop.b32);
    free(loop.a64);
    free(loop.b64);
}

int
main(int argc, char **argv)
{
    const uint64_t elements = bench_option(argc, argv, "elements", 1000000);
    const uint64_t pairs = bench_option(argc, argv, "pairs", 31);
    fl_element fixed = { .clip = 1.0f, .bits = 16, .ring_bits = 32, .wire_bytes = 4,
                       .weight_unit = 64, .weight_max = 255, .devices_max = 256 };
    s_measure("fold_ring32_wire4", &fixed, elements, pairs);
    fixed.devices_max = 1;
    fixed.wire_bytes = 3;
    s_measure("fold_ring32_wire3", &fixed, elements, pairs);
    fixed.ring_bits = 64;
    fixed.wire_bytes = 8;
    s_measure("fold_ring64_wire8", &fixed, elements, pairs);
    return 0;
}
