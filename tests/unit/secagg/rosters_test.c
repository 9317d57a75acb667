//  One block, three rosters, and an aggregator that wants one member's update: the victim is told
//  four corrupt seats, and each half of the others two of them and two honest ones instead, so that
//  nobody but the victim sees more corrupt members than a quarter. What holds it up is that shares,
//  signatures and contexts are of one roster (R2, section 5), and that a mask set is within what
//  was found good (R3); each alone is enough. Without both it works, and it needs 2t - n corrupt
//  members in all: as many as open any block when they sit in it, so two rosters gain nothing.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/secagg/client_inside.h"

//  Who is who: devices 0..5 are in every roster.
enum {
    SEATS = 10, // t = 7, A = 2, 2t - n = 4
    EVERYBODY = (1 << SEATS) - 1,
    VICTIM = 0,
    CORRUPT = 8, // four from here on
    DEVICES = 14,
    VIEWS = 3,
    BLOCK = 3,
};

//  Devices by seat: of the victim, of the half that is told it lives, of the half that is not.
static const uint32_t roster[VIEWS][SEATS] = {
    { 0, 1, 2, 3, 4, 5, 10, 11, 8, 9 },
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
    { 0, 1, 2, 3, 4, 5, 10, 11, 12, 13 },
};
static const uint32_t view_of[DEVICES] = { 0, 1, 1, 2, 2, 2, 1, 1, 0, 0, 0, 0, 2, 2 };

//  What each device said.
static struct {
    uint8_t line[FL_MEMBER_BYTES];
    fl_block_shares shares;
    uint8_t digests[SEATS * FL_DIGESTS_BYTES], sealed[SEATS * FL_SEALED_SHARE_BYTES];
    uint8_t asig[FL_SIGN_BYTES];
    bool opens[2]; // gave its share of the victim's own mask, of its mask key
    fl_share share;
} said[DEVICES];

static bool
s_corrupt(uint32_t device)
{
    return device >= CORRUPT && device < CORRUPT + 4;
}

static uint32_t
s_seat_of(uint32_t device)
{
    uint32_t seat = 0;
    while (roster[view_of[device]][seat] != device) {
        seat++;
    }
    return seat;
}

//  There is no honest aggregator: what is said is kept here, and goes no further.
static bool
s_hook(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)to;
    if (message->verb == FL_KEYS) {
        fl_writer line = fl_writer_over(said[from].line, FL_MEMBER_BYTES);
        fl_write_from(&line, message->keys.certificate.data, message->keys.certificate.size);
        fl_write_from(&line, message->keys.epk, FL_POINT_BYTES);
        fl_write_from(&line, message->keys.mpk, FL_POINT_BYTES);
        fl_write_from(&line, message->keys.signature, FL_SIGN_BYTES);
        fl_write_u8(&line, message->keys.class);
        fl_write_u8(&line, message->keys.roster);
    } else if (message->verb == FL_SHARES) {
        said[from].shares = message->shares;
        memcpy(said[from].digests, message->shares.digests.data, sizeof said[from].digests);
        memcpy(said[from].sealed, message->shares.sealed.data, sizeof said[from].sealed);
    } else if (message->verb == FL_ACK) {
        memcpy(said[from].asig, message->ack.signature, FL_SIGN_BYTES);
    } else if (message->verb == FL_UNMASK) { // the victim has seat 0: its share is the first
        said[from].opens[0] = (message->unmask.self & 1) != 0;
        said[from].opens[1] = (message->unmask.pair & 1) != 0;
        memcpy(said[from].share.bytes, message->unmask.shares.data, FL_SHARE_BYTES);
    }
    return false;
}

// ---- what each is told -------------------------------------------------------------------------
static void
s_tell_roster(masked_world *world, uint32_t device)
{
    uint8_t lines[SEATS * FL_MEMBER_BYTES];
    fl_message message = masked_message(world, FL_ROSTER);
    for (uint32_t seat = 0; seat < SEATS; seat++) {
        memcpy(lines + seat * FL_MEMBER_BYTES, said[roster[view_of[device]][seat]].line,
               FL_MEMBER_BYTES);
    }
    message.roster.block = BLOCK;
    message.roster.list = fl_bytes_of(lines, sizeof lines);
    masked_say(world, device, &message);
}

static void
s_tell_dealt(masked_world *world, uint32_t device)
{
    uint8_t parts[SEATS * FL_DEALT_BYTES];
    fl_writer out = fl_writer_over(parts, sizeof parts);
    uint32_t me = s_seat_of(device);
    for (uint32_t seat = 0; seat < SEATS; seat++) {
        uint32_t dealer = roster[view_of[device]][seat];
        if (seat == me) {
            continue;
        }
        fl_secagg_tree tree;
        uint8_t way[FL_PATH_BYTES];
        fl_secagg_tree_fill(&tree, fl_bytes_of(said[dealer].digests, sizeof said[0].digests));
        fl_secagg_tree_path(&tree, me, way);
        fl_write_from(&out, said[dealer].shares.commitment.bytes, sizeof(fl_hash));
        fl_write_from(&out, said[dealer].digests + me * FL_DIGESTS_BYTES, FL_DIGESTS_BYTES);
        fl_write_from(&out, way, sizeof way);
        fl_write_from(&out, said[dealer].shares.signature, FL_SIGN_BYTES);
        fl_write_from(&out, said[dealer].sealed + me * FL_SEALED_SHARE_BYTES,
                      FL_SEALED_SHARE_BYTES);
    }
    fl_message message = masked_message(world, FL_DEALT);
    message.dealt.block = BLOCK;
    message.dealt.set = EVERYBODY & ~((uint64_t)1 << me);
    message.dealt.list = fl_bytes_of(parts, fl_writer_size(&out));
    masked_say(world, device, &message);
}

static void
s_tell_maskset(masked_world *world, uint32_t device)
{
    fl_message message = masked_message(world, FL_MASKSET);
    message.maskset.block = BLOCK;
    message.maskset.set = EVERYBODY;
    masked_say(world, device, &message);
}

//  Those who are told that the victim is dead are the third view.
static uint64_t
s_survivors_for(uint32_t device)
{
    return view_of[device] == 2 ? EVERYBODY & ~1 : EVERYBODY;
}

static void
s_tell_survivors(masked_world *world, uint32_t device)
{
    uint8_t psigs[SEATS * FL_SIGN_BYTES] = { 0 };
    uint64_t set = s_survivors_for(device);
    size_t size = 0;
    for (uint32_t seat = 0; seat < SEATS; seat++) {
        fl_secagg_upload upload;
        uint32_t member = roster[view_of[device]][seat];
        if ((set >> seat & 1) == 0) {
            continue;
        }
        if (fl_secagg_client_upload(world->member[member].machine, &upload)) {
            memcpy(psigs + size, upload.psig.data, FL_SIGN_BYTES);
        }
        size += FL_SIGN_BYTES;
    }
    fl_message message = masked_message(world, FL_SURVIVORS);
    message.survivors.block = BLOCK;
    message.survivors.set = set;
    message.survivors.list = fl_bytes_of(psigs, size);
    masked_say(world, device, &message);
}

//  Of those who were told the same survivors; corrupt members sign whatever is asked for.
static void
s_tell_acks(masked_world *world, uint32_t device)
{
    uint8_t asigs[SEATS * FL_SIGN_BYTES];
    const fl_secagg_client *machine = world->member[device].machine;
    size_t size = 0;
    uint64_t ackers = 0;
    for (uint32_t seat = 0; seat < SEATS; seat++) {
        uint32_t member = roster[view_of[device]][seat];
        if (!s_corrupt(member) && s_survivors_for(member) != s_survivors_for(device)) {
            continue;
        }
        if (s_corrupt(member)) {
            fl_transcript_asig(world->member[member].keys, &machine->ctx, &machine->survivors_hash,
                               seat, said[member].asig);
        }
        ackers |= (uint64_t)1 << seat;
        memcpy(asigs + size, said[member].asig, FL_SIGN_BYTES);
        size += FL_SIGN_BYTES;
    }
    fl_message message = masked_message(world, FL_ACKS);
    message.acks.block = BLOCK;
    message.acks.set = ackers;
    message.acks.list = fl_bytes_of(asigs, size);
    masked_say(world, device, &message);
}

// ---- reading -----------------------------------------------------------------------------------
//  The victim's own mask (kind 0) or mask key (1), from what was given and what the corrupt hold.
static bool
s_rebuild(const masked_world *world, int kind, uint8_t secret[FL_SHARE_BYTES])
{
    uint8_t holders[SEATS];
    fl_share shares[SEATS];
    uint32_t count = 0, threshold = fl_secagg_threshold(SEATS);
    for (uint32_t device = 0; device < DEVICES && count < threshold; device++) {
        const fl_transcript_dealt *held = &world->member[device].machine->secrets->held[VICTIM];
        if (s_corrupt(device)) {
            shares[count] = kind == 0 ? held->self : held->pair;
        } else if (device <= 5 && said[device].opens[kind]) { // its seat is one of the victim's
            shares[count] = said[device].share;
        } else {
            continue;
        }
        holders[count++] = (uint8_t)s_seat_of(device);
    }
    return count == threshold && fl_share_rebuild(holders, shares, count, secret);
}

static bool
s_reads_victim(const masked_world *world)
{
    const masked_member *victim = &world->member[VICTIM];
    const fl_secagg_client *view = victim->machine;
    uint8_t b[FL_SHARE_BYTES], msk[FL_SHARE_BYTES];
    fl_mask_seed seeds[SEATS];
    uint32_t words[8] = { 0 }, bytes = world->plan.wire_bytes;
    if (!s_rebuild(world, 0, b) || !s_rebuild(world, 1, msk)) {
        return false;
    }
    fl_transcript_self_seed(&view->ctx, b, &seeds[0]);
    for (uint32_t seat = 1; seat < SEATS; seat++) {
        assert_true(fl_transcript_mask_seed(&view->ctx, &view->block.seat[0], msk,
                                            &view->block.seat[seat], &seeds[seat]));
        seeds[seat].subtract = !seeds[seat].subtract;
    }
    seeds[0].subtract = true;
    for (uint32_t i = 0; i < 8 * bytes; i++) {
        words[i / bytes] |= (uint32_t)victim->masked[i] << (8 * (i % bytes));
    }
    fl_mask_range range = { .ring_bits = 32, .lane = FL_MASK_LANE_VECTOR, .count = 8 };
    fl_mask_apply(seeds, SEATS, &range, words);
    fl_mask_settle(32, 8, bytes, words);
    bool same = true;
    for (uint32_t e = 0; e < 8; e++) {
        same = same && (int32_t)words[e] == victim->plain[e];
    }
    return same;
}

static bool
s_attack(void)
{
    static void (*const tell[])(masked_world *, uint32_t) = {
        s_tell_roster, s_tell_dealt, s_tell_maskset, s_tell_survivors, s_tell_acks,
    };
    masked_plan plan = masked_plan_small(DEVICES);
    masked_world *world = masked_new(&plan, 14);
    memset(said, 0, sizeof said);
    world->hook = s_hook;
    for (uint32_t i = 0; i < DEVICES; i++) {
        masked_begin(world, i);
        masked_train(world, i);
    }
    for (size_t step = 0; step < sizeof tell / sizeof *tell; step++) {
        for (uint32_t i = 0; i < DEVICES; i++) {
            if (step < 3 || !s_corrupt(i)) {
                tell[step](world, i);
            }
        }
    }
    bool reads = s_reads_victim(world);
    masked_destroy(&world);
    return reads;
}

static void
three_rosters_of_one_block_do_not_read_a_member(void **state)
{
    (void)state;
    assert_int_equal(2 * fl_secagg_threshold(SEATS) - SEATS, 4); // corrupt, in all
    assert_false(s_attack());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_rosters_of_one_block_do_not_read_a_member),
    };
    return cmocka_run_group_tests_name("core/masking_rosters", tests, NULL, NULL);
}
