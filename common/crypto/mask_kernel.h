//  mask_kernel - the keystream of one seed fused with its addition, once over libsodium's stream
//  and once per instruction set. The portable table is the truth: every other one gives the same
//  words. For mask.c, its tests and its benchmark.
#ifndef FL_CRYPTO_MASK_KERNEL_H
#define FL_CRYPTO_MASK_KERNEL_H

#include "common/crypto/mask.h"

//  words[i] += or -= word i of the seed's lane, counted from the 64-byte block `block`.
typedef struct fl_mask_kernel {
    const char *name;
    void (*add32)(uint32_t *words, size_t count, const fl_mask_seed *seed, uint32_t lane,
                  uint32_t block);
    void (*add64)(uint64_t *words, size_t count, const fl_mask_seed *seed, uint32_t lane,
                  uint32_t block);
} fl_mask_kernel;

enum { FL_MASK_PORTABLE, FL_MASK_AVX2, FL_MASK_AVX512, FL_MASK_KERNELS };
enum {
    FL_MASK_TILE_BYTES = 16 * 1024, // of words that all seeds run over: half a first-level cache
    FL_MASK_BLOCK_BYTES = 64,
};

//  The table of that number; NULL when this build or this CPU has not got it.
const fl_mask_kernel *fl_mask_kernel_at(unsigned number);
//  The fastest table that this CPU runs.
const fl_mask_kernel *fl_mask_kernel_best(void);

//  Each file's own table; NULL when the file was built for another kind of CPU.
extern const fl_mask_kernel fl_mask_portable;
const fl_mask_kernel *fl_mask_avx2(void);
const fl_mask_kernel *fl_mask_avx512(void);

//  The state that ChaCha20 starts from (RFC 8439, 2.3), with the block counter of a lane.
void fl_mask_state(const fl_mask_seed *seed, uint32_t lane, uint32_t block, uint32_t state[16]);

//  What mask.h offers, by a table of the caller's choice.
void fl_mask_apply_by(const fl_mask_kernel *kernel, const fl_mask_seed *seeds, size_t seed_count,
                      const fl_mask_range *range, void *words);
void fl_mask_wire_by(const fl_mask_kernel *kernel, const fl_mask_seed *seeds, size_t seed_count,
                     const fl_mask_range *range, unsigned wire_bytes, const uint8_t *plain,
                     uint8_t *masked);
uint64_t fl_mask_checksum_by(const fl_mask_kernel *kernel, const uint8_t key[FL_MASK_SEED_BYTES],
                             uint64_t first, size_t count, unsigned wire_bytes,
                             const uint8_t *wire);

#endif
