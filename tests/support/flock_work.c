//  What the crews of a flock do with vectors.
#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

enum { UPLOAD_MAX = 4096 };

static uint8_t slot[FLOCK_SLOTS][UPLOAD_MAX];
static bool slot_used[FLOCK_SLOTS];

fl_event
flock_mask(uint32_t index, const fl_effect *effect)
{
    masked_member *member = &flock.keys->member[index];
    const masked_plan *plan = &flock.keys->plan;
    fl_mask_range range = { .ring_bits = plan->ring_bits,
                            .lane = FL_MASK_LANE_VECTOR,
                            .count = plan->elements };
    fl_mask_wire(effect->mask.seeds, effect->mask.seed_count, &range, plan->wire_bytes,
                 member->wire, member->masked);
    member->masks++;
    flock.child[index].vecs++;
    fl_event event = { .kind = FL_EV_MASKED };
    event.masked.vec = 2;
    event.masked.bytes = (uint64_t)plan->elements * plan->wire_bytes;
    event.masked.hash = fl_hash_of(fl_bytes_of(member->masked, event.masked.bytes));
    event.masked.checksum = fl_mask_checksum(effect->mask.checksum_key, 0, plan->elements,
                                             plan->wire_bytes, member->wire);
    return event;
}

void
flock_fold(const fl_effect *effect)
{
    uint32_t bytes = flock.keys->plan.wire_bytes;
    FL_ASSERT(effect->fold.block < flock.accumulators);
    for (uint32_t i = 0; i < flock.keys->plan.elements; i++) {
        uint64_t value = 0;
        for (uint32_t b = 0; b < bytes; b++) {
            value |= (uint64_t)slot[effect->fold.slot][i * bytes + b] << (8 * b);
        }
        unsigned shift = 64 - 8 * bytes;
        flock.sum[effect->fold.block][i] += (uint64_t)((int64_t)(value << shift) >> shift);
    }
}

//  Masks off, in a ring of 32 or 64 bits; then as wire integers, for the checksum.
fl_event
flock_unmask(const fl_effect *effect)
{
    const masked_plan *plan = &flock.keys->plan;
    uint64_t *sum = flock.sum[effect->unmask.block];
    uint32_t *narrow = calloc(plan->elements, sizeof *narrow);
    uint8_t *wire = calloc(plan->elements, plan->wire_bytes);
    FL_ASSERT(narrow != NULL && wire != NULL);
    for (uint32_t i = 0; i < plan->elements; i++) {
        narrow[i] = (uint32_t)sum[i];
    }
    void *words = plan->ring_bits == 32 ? (void *)narrow : (void *)sum;
    fl_mask_range range = { .ring_bits = plan->ring_bits,
                            .lane = FL_MASK_LANE_VECTOR,
                            .count = plan->elements };
    fl_mask_apply(effect->unmask.seeds, effect->unmask.seed_count, &range, words);
    fl_mask_settle(plan->ring_bits, plan->elements, plan->wire_bytes, words);
    fl_event event = { .kind = FL_EV_UNMASKED };
    for (uint32_t i = 0; i < plan->elements; i++) {
        sum[i] = plan->ring_bits == 32 ? (uint64_t)(int64_t)(int32_t)narrow[i] : sum[i];
        uint64_t size = (int64_t)sum[i] < 0 ? 0 - sum[i] : sum[i];
        event.unmasked.peak = size > event.unmasked.peak ? size : event.unmasked.peak;
        for (uint32_t b = 0; b < plan->wire_bytes; b++) {
            wire[i * plan->wire_bytes + b] = (uint8_t)(sum[i] >> (8 * b));
        }
    }
    event.unmasked.block = effect->unmask.block;
    event.unmasked.checksum =
        fl_mask_checksum(effect->unmask.checksum_key, 0, plan->elements, plan->wire_bytes, wire) +
        flock.checksum_error[effect->unmask.block];
    free(narrow);
    free(wire);
    flock.unmasks++;
    return event;
}

void
flock_clear(uint32_t blocks)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        free(flock.sum[i]);
        flock.sum[i] = NULL;
        if (i < blocks) {
            flock.sum[i] = calloc(flock.keys->plan.elements, sizeof *flock.sum[i]);
            FL_ASSERT(flock.sum[i] != NULL);
        }
    }
    flock.accumulators = blocks;
}

void
flock_finish(uint64_t set)
{
    flock.finished = set;
    memset(flock.total, 0, flock.keys->plan.elements * sizeof *flock.total);
    for (uint32_t i = 0; i < flock.accumulators; i++) {
        for (uint32_t e = 0; (set >> i & 1) != 0 && e < flock.keys->plan.elements; e++) {
            flock.total[e] += flock.sum[i][e];
        }
    }
}

void
flock_slot(const fl_effect *effect)
{
    FL_ASSERT(effect->slot.slot < FLOCK_SLOTS && effect->slot.bytes <= UPLOAD_MAX);
    FL_ASSERT(slot_used[effect->slot.slot] != (effect->slot.bytes > 0));
    slot_used[effect->slot.slot] = effect->slot.bytes > 0;
}

void
flock_stage(int32_t sender, const fl_effect *effect)
{
    uint64_t bytes = (uint64_t)flock.keys->plan.elements * flock.keys->plan.wire_bytes;
    FL_ASSERT(sender >= 0 && effect->stage.offset == 0 && bytes <= UPLOAD_MAX);
    memcpy(slot[effect->stage.slot], flock.keys->member[sender].masked, bytes);
}

void
flock_forget_slots(void)
{
    memset(slot_used, 0, sizeof slot_used);
}
