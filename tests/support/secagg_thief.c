#include "tests/support/unit.h"

#include "tests/support/secagg_thief.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/secagg/client_inside.h"

enum { BLOCK = 3 };

static bool
s_in(uint64_t set, uint32_t index)
{
    return (set >> index & 1) != 0;
}

uint64_t
thief_all(const thief *self)
{
    return UINT64_MAX >> (64 - self->world->plan.members);
}

//  Everything that a corrupt member knows while it knows it.
static void
s_rob_own(thief *self, uint32_t index)
{
    const fl_secagg_client *machine = self->world->member[index].machine;
    static const uint8_t nothing[FL_TRANSCRIPT_KEY_BYTES];
    if (memcmp(machine->secrets->msk, nothing, sizeof nothing) != 0) {
        memcpy(self->msk[index], machine->secrets->msk, sizeof nothing);
    }
    for (uint32_t i = 0; i < machine->block.members; i++) {
        const fl_transcript_dealt *held = &machine->secrets->held[i];
        if (memcmp(held, nothing, sizeof nothing) != 0) {
            self->share[0][i][index] = held->self;
            self->share[1][i][index] = held->pair;
            self->has[0][i] |= (uint64_t)1 << index;
            self->has[1][i] |= (uint64_t)1 << index;
        }
    }
}

static void
s_take_shares(thief *self, uint32_t holder, const fl_block_unmask *unmask)
{
    const uint8_t *at = unmask->shares.data;
    for (uint32_t i = 0; i < MASKED_MEMBERS; i++) {
        if (!s_in(unmask->self | unmask->pair, i)) {
            continue;
        }
        int kind = s_in(unmask->self, i) ? 0 : 1;
        memcpy(self->share[kind][i][holder].bytes, at, FL_SHARE_BYTES);
        self->has[kind][i] |= (uint64_t)1 << holder;
        at += FL_SHARE_BYTES;
    }
}

static bool
s_hook(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    thief *self = world->hook_arg;
    (void)to;
    if (from < 0) { // the honest aggregator, as long as it serves
        bool setup =
            message->verb == FL_ROSTER || message->verb == FL_DEALT || message->verb == FL_MASKSET;
        return setup && !self->roster_too;
    }
    uint32_t index = (uint32_t)from;
    if (s_in(self->own, index)) {
        s_rob_own(self, index);
    }
    if (message->verb == FL_KEYS) {
        fl_writer line = fl_writer_over(self->keys[index], FL_MEMBER_BYTES);
        fl_write_from(&line, message->keys.certificate.data, message->keys.certificate.size);
        fl_write_from(&line, message->keys.epk, FL_POINT_BYTES);
        fl_write_from(&line, message->keys.mpk, FL_POINT_BYTES);
        fl_write_from(&line, message->keys.signature, FL_SIGN_BYTES);
        fl_write_u8(&line, message->keys.class);
        fl_write_u8(&line, message->keys.roster);
    } else if (message->verb == FL_ACK) {
        memcpy(self->asig[index], message->ack.signature, FL_SIGN_BYTES);
        self->acked |= (uint64_t)1 << index;
    } else if (message->verb == FL_UNMASK) {
        s_take_shares(self, index, &message->unmask);
    } else if (message->verb == FL_REFUSED) {
        self->refused |= (uint64_t)1 << index;
    }
    bool late = message->verb == FL_ACK || message->verb == FL_UNMASK ||
                message->verb == FL_REFUSED || message->verb == FL_CONTRIB;
    return !late;
}

void
thief_move_in(thief *self, masked_world *world, uint64_t own)
{
    memset(self, 0, sizeof *self);
    self->world = world;
    self->own = own;
    world->hook = s_hook;
    world->hook_arg = self;
}

void
thief_wait_for_uploads(thief *self)
{
    masked_world *world = self->world;
    masked_open(world);
    while (!masked_settle(world) &&
           fl_secagg_server_state(world->aggregator) < FL_SERVER_COLLECTING) {
        world->now = fl_secagg_server_deadline(world->aggregator);
        fl_secagg_server_tick(world->aggregator, world->now, world->out);
        masked_obey(world, -1);
    }
}

// ---- lies ------------------------------------------------------------------------------------
static void
s_say(thief *self, uint64_t audience, const fl_message *message)
{
    for (uint32_t i = 0; i < self->world->plan.members; i++) {
        if (s_in(audience, i)) {
            masked_say(self->world, i, message);
        }
    }
}

void
thief_tell_roster(thief *self, uint64_t audience, uint64_t members)
{
    static uint8_t lines[MASKED_MEMBERS * FL_MEMBER_BYTES];
    fl_message message = masked_message(self->world, FL_ROSTER);
    size_t size = 0;
    for (uint32_t i = 0; i < MASKED_MEMBERS; i++) {
        if (s_in(members, i)) {
            memcpy(lines + size, self->keys[i], FL_MEMBER_BYTES);
            size += FL_MEMBER_BYTES;
        }
    }
    message.roster.block = BLOCK;
    message.roster.list = fl_bytes_of(lines, size);
    s_say(self, audience, &message);
}

void
thief_tell_maskset(thief *self, uint64_t audience, uint64_t set)
{
    fl_message message = masked_message(self->world, FL_MASKSET);
    message.maskset.block = BLOCK;
    message.maskset.set = set;
    s_say(self, audience, &message);
}

void
thief_tell_survivors(thief *self, uint64_t audience, uint64_t set, uint64_t spoilt)
{
    uint8_t psigs[MASKED_MEMBERS * FL_SIGN_BYTES] = { 0 };
    size_t size = 0;
    for (uint32_t i = 0; i < MASKED_MEMBERS; i++) {
        if (!s_in(set, i)) {
            continue;
        }
        fl_secagg_upload upload;
        if (!s_in(spoilt, i) && fl_secagg_client_upload(self->world->member[i].machine, &upload)) {
            memcpy(psigs + size, upload.psig.data, upload.psig.size);
        }
        size += FL_SIGN_BYTES;
    }
    fl_message message = masked_message(self->world, FL_SURVIVORS);
    message.survivors.block = BLOCK;
    message.survivors.set = set;
    message.survivors.list = fl_bytes_of(psigs, size);
    s_say(self, audience, &message);
}

void
thief_tell_acks(thief *self, uint64_t audience, uint64_t ackers)
{
    uint8_t asigs[MASKED_MEMBERS * FL_SIGN_BYTES];
    size_t size = 0;
    uint32_t first = 0;
    while (!s_in(audience, first)) {
        first++;
    }
    const fl_secagg_client *seen = self->world->member[first].machine;
    for (uint32_t i = 0; i < MASKED_MEMBERS; i++) {
        if (s_in(ackers, i) && s_in(self->own, i)) {
            fl_transcript_asig(self->world->member[i].keys, &seen->ctx, &seen->survivors_hash, i,
                               self->asig[i]);
        }
        if (s_in(ackers, i)) {
            memcpy(asigs + size, self->asig[i], FL_SIGN_BYTES);
            size += FL_SIGN_BYTES;
        }
    }
    fl_message message = masked_message(self->world, FL_ACKS);
    message.acks.block = BLOCK;
    message.acks.set = ackers;
    message.acks.list = fl_bytes_of(asigs, size);
    s_say(self, audience, &message);
}

// ---- reading ---------------------------------------------------------------------------------
static bool
s_rebuild(const thief *self, int kind, uint32_t whose, uint8_t secret[FL_SHARE_BYTES])
{
    uint32_t n = self->world->member[whose].machine->block.members;
    uint32_t threshold = fl_secagg_threshold(n), count = 0;
    uint8_t holders[MASKED_MEMBERS];
    fl_share shares[MASKED_MEMBERS];
    for (uint32_t i = 0; i < n && count < threshold; i++) {
        if (s_in(self->has[kind][whose], i)) {
            holders[count] = (uint8_t)i;
            shares[count++] = self->share[kind][whose][i];
        }
    }
    return count == threshold && fl_share_rebuild(holders, shares, count, secret);
}

static bool
s_mask_key(const thief *self, uint32_t whose, uint8_t msk[FL_TRANSCRIPT_KEY_BYTES])
{
    if (s_in(self->own, whose)) {
        memcpy(msk, self->msk[whose], FL_TRANSCRIPT_KEY_BYTES);
        return true;
    }
    return s_rebuild(self, 1, whose, msk);
}

//  What takes the mask between `mine` and `other` off the upload of `mine`.
static bool
s_pair_seed(const thief *self, uint32_t mine, uint32_t other, fl_mask_seed *seed)
{
    const fl_secagg_client *view = self->world->member[mine].machine;
    uint8_t msk[FL_TRANSCRIPT_KEY_BYTES];
    if (s_mask_key(self, other, msk)) {
        return fl_transcript_mask_seed(&view->ctx, &view->block.seat[other], msk,
                                       &view->block.seat[mine], seed);
    }
    if (!s_mask_key(self, mine, msk) ||
        !fl_transcript_mask_seed(&view->ctx, &view->block.seat[mine], msk, &view->block.seat[other],
                                 seed)) {
        return false;
    }
    seed->subtract = !seed->subtract;
    return true;
}

//  Seeds that leave the plain sum of `group` when run over the sum of its uploads; 0: some are not
//  to be had.
static size_t
s_seeds(const thief *self, uint64_t group, fl_mask_seed *seeds)
{
    size_t count = 0;
    for (uint32_t i = 0; i < self->world->plan.members; i++) {
        const fl_secagg_client *view = self->world->member[i].machine;
        uint8_t b[FL_SHARE_BYTES];
        if (!s_in(group, i)) {
            continue;
        }
        if (!s_rebuild(self, 0, i, b)) {
            return 0;
        }
        fl_transcript_self_seed(&view->ctx, b, &seeds[count]);
        seeds[count++].subtract = true;
        for (uint32_t n = 0; n < view->block.members; n++) {
            bool cancels =
                s_in(group, n) && fl_hash_equal(&view->ctx, &self->world->member[n].machine->ctx);
            if (n == i || !s_in(view->maskset, n) || cancels) {
                continue;
            }
            if (!s_pair_seed(self, i, n, &seeds[count++])) {
                return 0;
            }
        }
    }
    return count;
}

bool
thief_reads(const thief *self, uint64_t group)
{
    const masked_world *world = self->world;
    uint32_t elements = world->plan.elements, bytes = world->plan.wire_bytes;
    fl_mask_seed *seeds = calloc((size_t)MASKED_MEMBERS * MASKED_MEMBERS, sizeof *seeds);
    uint32_t *words = calloc(elements, sizeof *words);
    FL_ASSERT(seeds != NULL && words != NULL && world->plan.ring_bits == 32);
    size_t count = s_seeds(self, group, seeds);
    for (uint32_t i = 0; i < world->plan.members; i++) {
        for (uint32_t e = 0; s_in(group, i) && e < elements; e++) {
            for (uint32_t b = 0; b < bytes; b++) {
                words[e] += (uint32_t)world->member[i].masked[e * bytes + b] << (8 * b);
            }
        }
    }
    fl_mask_range range = { .ring_bits = 32, .lane = FL_MASK_LANE_VECTOR, .count = elements };
    fl_mask_apply(seeds, count, &range, words);
    fl_mask_settle(32, elements, bytes, words);
    bool same = count > 0;
    for (uint32_t e = 0; e < elements; e++) {
        int64_t sum = 0;
        for (uint32_t i = 0; i < world->plan.members; i++) {
            sum += s_in(group, i) ? world->member[i].plain[e] : 0;
        }
        same = same && (int32_t)words[e] == sum;
    }
    free(seeds);
    free(words);
    return same;
}

size_t
thief_peel(const thief *self, uint32_t index, uint32_t *words)
{
    const masked_world *world = self->world;
    const fl_secagg_client *view = world->member[index].machine;
    uint32_t elements = world->plan.elements, bytes = world->plan.wire_bytes;
    fl_mask_seed seeds[MASKED_MEMBERS];
    size_t count = 0;
    uint8_t b[FL_SHARE_BYTES];
    if (s_rebuild(self, 0, index, b)) {
        fl_transcript_self_seed(&view->ctx, b, &seeds[count]);
        seeds[count++].subtract = true;
    }
    for (uint32_t n = 0; n < view->block.members; n++) {
        bool known =
            n != index && s_in(view->maskset, n) && s_pair_seed(self, index, n, &seeds[count]);
        count += known ? 1 : 0;
    }
    for (uint32_t e = 0; e < elements; e++) {
        words[e] = 0;
        for (uint32_t k = 0; k < bytes; k++) {
            words[e] |= (uint32_t)world->member[index].masked[e * bytes + k] << (8 * k);
        }
    }
    fl_mask_range range = { .ring_bits = 32, .lane = FL_MASK_LANE_VECTOR, .count = elements };
    fl_mask_apply(seeds, count, &range, words);
    return count;
}

bool
thief_reads_anybody(const thief *self)
{
    for (uint32_t i = 0; i < self->world->plan.members; i++) {
        if (!s_in(self->own, i) && thief_reads(self, (uint64_t)1 << i)) {
            return true;
        }
    }
    return false;
}
