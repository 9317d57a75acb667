//  What the holders of the vectors do for the machines of a masked block.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdlib.h>

#include "common/base/status.h"

static fl_mask_range
s_range(const masked_world *world)
{
    return (fl_mask_range){ .ring_bits = world->plan.ring_bits,
                            .lane = FL_MASK_LANE_VECTOR,
                            .count = world->plan.elements };
}

static const fl_mask_kernel *
s_kernel(const fl_mask_kernel *chosen)
{
    return chosen != NULL ? chosen : fl_mask_kernel_best();
}

void
masked_mask(masked_world *world, uint32_t index, const fl_effect *effect)
{
    masked_member *member = &world->member[index];
    fl_mask_range range = s_range(world);
    fl_mask_wire_by(s_kernel(member->kernel), effect->mask.seeds, effect->mask.seed_count, &range,
                    world->plan.wire_bytes, member->wire, member->masked);
    member->masks++;
    if (world->seeds_hook != NULL) {
        world->seeds_hook(world, index, effect);
    }
    fl_event event = { .kind = FL_EV_MASKED, .token = effect->token };
    event.masked.vec = index + 1;
    event.masked.bytes = (uint64_t)world->plan.elements * world->plan.wire_bytes;
    event.masked.hash = fl_hash_of(fl_bytes_of(member->masked, event.masked.bytes));
    event.masked.checksum =
        fl_mask_checksum_by(s_kernel(member->kernel), effect->mask.checksum_key, 0,
                            world->plan.elements, world->plan.wire_bytes, member->wire);
    (void)fl_secagg_client_answer(member->machine, &event, world->now, world->out);
}

//  The accumulator as ring words of 32 or 64 bits, and back.
static void
s_over_words(masked_world *world, const fl_effect *effect, uint8_t *wire)
{
    uint32_t elements = world->plan.elements, bytes = world->plan.wire_bytes;
    fl_mask_range range = s_range(world);
    uint32_t *narrow = calloc(elements, sizeof *narrow);
    FL_ASSERT(narrow != NULL);
    for (uint32_t i = 0; i < elements; i++) {
        narrow[i] = (uint32_t)world->sum[i];
    }
    void *words = world->plan.ring_bits == 32 ? (void *)narrow : (void *)world->sum;
    fl_mask_apply_by(s_kernel(world->kernel), effect->unmask.seeds, effect->unmask.seed_count,
                     &range, words);
    fl_mask_settle(world->plan.ring_bits, elements, bytes, words);
    for (uint32_t i = 0; i < elements; i++) {
        if (world->plan.ring_bits == 32) {
            world->sum[i] = (uint64_t)(int64_t)(int32_t)narrow[i];
        }
        for (uint32_t b = 0; b < bytes; b++) {
            wire[i * bytes + b] = (uint8_t)(world->sum[i] >> (8 * b));
        }
    }
    free(narrow);
}

void
masked_unmask(masked_world *world, const fl_effect *effect)
{
    uint8_t *wire = calloc(world->plan.elements, world->plan.wire_bytes);
    FL_ASSERT(wire != NULL);
    world->unmasks++;
    s_over_words(world, effect, wire);
    fl_event event = { .kind = FL_EV_UNMASKED, .token = effect->token };
    event.unmasked.reason = world->unmask_fails;
    event.unmasked.checksum =
        fl_mask_checksum_by(s_kernel(world->kernel), effect->unmask.checksum_key, 0,
                            world->plan.elements, world->plan.wire_bytes, wire) +
        world->checksum_error;
    const fl_element element = { .wire_bytes = world->plan.wire_bytes };
    event.unmasked.peak = fl_element_peak(
        &element, fl_bytes_of(wire, (size_t)world->plan.elements * world->plan.wire_bytes));
    free(wire);
    (void)fl_secagg_server_answer(world->aggregator, &event, world->now, world->out);
}

void
masked_fold(masked_world *world, const uint8_t *wire)
{
    uint32_t bytes = world->plan.wire_bytes;
    for (uint32_t i = 0; i < world->plan.elements; i++) {
        uint64_t value = 0;
        for (uint32_t b = 0; b < bytes; b++) {
            value |= (uint64_t)wire[i * bytes + b] << (8 * b);
        }
        unsigned shift = 64 - 8 * bytes;
        world->sum[i] += (uint64_t)((int64_t)(value << shift) >> shift);
    }
    world->folded++;
}

// ---- blocks that ended unopened ----------------------------------------------------------------
void
masked_say_burnts(masked_world *world)
{
    for (uint32_t i = 0; i < world->plan.members; i++) {
        fl_burnt_book_tell(world->burnt, &world->member[i].node, i, world->out);
    }
    masked_obey(world, -1);
}

void
masked_tell_burnt(masked_world *world)
{
    masked_say_burnts(world);
    while (masked_deliver(world)) {
    }
}

void
masked_lapse(masked_world *world)
{
    fl_transcript_round round;
    fl_bytes lines;
    for (uint32_t i = 0; i < world->plan.members; i++) {
        world->member[i].silent = false;
        fl_secagg_client_end(world->member[i].machine, FL_WHY_ABORTED, world->out);
        masked_obey(world, (int32_t)i);
    }
    if (fl_secagg_server_lapsed(world->aggregator, &round, &lines)) {
        fl_burnt_book_add(world->burnt, &round, lines, &world->task.order.tensors,
                          world->trust.authority);
    }
}
