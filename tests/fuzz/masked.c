//  One verb of a masked round (FUZZ_VERB, a target each), said to both halves when it is due: to a
//  member as its parent's, to the aggregator as that member's. Whatever it says, the round ends, by
//  name or with the exact sum of its survivors; no update is masked twice, no member opens twice or
//  gives both kinds of share, and nobody is blamed who did not speak.
#include "tests/support/unit.h"

#include "common/secagg/client_inside.h"
#include "common/secagg/server_inside.h"
#include "common/wire/codec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/secagg.h"

//  The first byte of an input says how the frame behind it is said.
enum {
    WHO = 0x03,     // which of the four members
    INSTEAD = 0x04, // the honest frame is lost
    SIGNED = 0x08,  // signatures are made anew: the speaker has its keys, and friends
    LATER = 0xf0,   // after so many more letters, in sixteenths of the byte
    MEMBERS = 4,
    ANSWERS_MAX = 8, // to a frame that changes nothing
};

static masked_world *world;
static uint32_t who;
static bool holding; // uploads are held back
static fl_hash opened[MEMBERS];
static bool has_opened[MEMBERS];
static fl_secagg_client member_before;
static fl_secagg_server cohort_before;

// ---- what must hold, whatever is said --------------------------------------------------------
static void
s_watch_unmask(uint32_t from, const fl_message *message)
{
    const fl_secagg_client *machine = world->member[from].machine;
    const fl_block_unmask *unmask = &message->unmask;
    fl_blob *frame = fl_encode(message, 0);
    fuzz_must(frame != NULL);
    fl_hash hash = fl_hash_of(fl_blob_bytes(frame));
    fl_blob_unref(&frame);
    fuzz_must(!has_opened[from] || fl_hash_equal(&hash, &opened[from]));
    has_opened[from] = true;
    opened[from] = hash;
    fuzz_must((unmask->self & unmask->pair) == 0);
    fuzz_must((unmask->self & ~machine->survivors) == 0);
    fuzz_must((unmask->pair & machine->survivors) == 0);
    fuzz_must(((unmask->self | unmask->pair) & ~machine->good) == 0);
    fuzz_must((unmask->self & fl_secagg_bit(machine->index)) != 0);
    fuzz_must(fl_set_count(machine->survivors) >= machine->quorum);
    fuzz_must(machine->quorum >= FL_SECAGG_MEMBERS_MIN);
}

static bool
s_watch(masked_world *of, int32_t from, int32_t to, fl_message *message)
{
    (void)of;
    (void)to;
    if (message->verb == FL_UNMASK && from >= 0) {
        s_watch_unmask((uint32_t)from, message);
    }
    return message->verb != FL_CONTRIB || !holding;
}

//  The header of an upload is its sender's word: of CONTRIB only the vector can be judged.
static bool
s_sum_exact(void)
{
    for (uint32_t e = 0; e < world->plan.elements; e++) {
        int64_t sum = 0;
        for (uint32_t i = 0; i < MEMBERS; i++) {
            sum += fl_secagg_server_seat(world->aggregator, i).survived ? world->member[i].plain[e]
                                                                        : 0;
        }
        if ((int64_t)world->sum[e] != sum) {
            return false;
        }
    }
    return FUZZ_VERB == FL_CONTRIB || masked_sum_exact(world);
}

static void
s_run_on(void)
{
    fl_reason reason = masked_run(world);
    fuzz_must(reason != FL_WHY_NONE || s_sum_exact());
    fuzz_must(world->notes[FL_NOTE_MASKING_BLAMED] == 0 ||
              fl_name_equal(&world->blamed, &world->member[who].node));
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fuzz_must(world->member[i].masks <= 1);
    }
}

// ---- the round up to the verb ----------------------------------------------------------------
static fl_verb
s_next_verb(void)
{
    fl_message message = { .verb = FL_VERB_NONE };
    if (world->head != world->tail) {
        fl_blob *frame = world->queue[world->head % MASKED_QUEUE].frame;
        fuzz_must(fl_decode(fl_blob_bytes(frame), 0, &message).code == FL_CODEC_OK);
    }
    return message.verb;
}

static bool
s_due(void)
{
    if (FUZZ_VERB == FL_CONTRIB) {
        fl_secagg_upload upload;
        return world->head == world->tail &&
               fl_secagg_client_upload(world->member[0].machine, &upload);
    }
    return s_next_verb() == FUZZ_VERB;
}

static void
s_make(void)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    world = masked_new(&plan, MEMBERS);
    world->hook = s_watch;
    holding = FUZZ_VERB == FL_CONTRIB;
    memset(has_opened, 0, sizeof has_opened);
    masked_open(world);
    while (!s_due()) {
        bool more = masked_deliver(world);
        fuzz_must(more);
    }
}

//  The honest frame that the one of the input stands for.
static void
s_lose_honest(void)
{
    masked_letter *letter = &world->queue[world->head % MASKED_QUEUE];
    if (world->head != world->tail &&
        (letter->from == (int32_t)who || letter->to == (int32_t)who)) {
        fl_blob_unref(&letter->frame);
        world->head++;
    }
}

// ---- signatures ------------------------------------------------------------------------------
//  A decoded view as the bytes of the frame that it looks into.
static uint8_t *
s_bytes(fl_blob *frame, fl_bytes view)
{
    return fl_blob_data(frame) + (view.data - fl_blob_bytes(frame).data);
}

static void
s_sign_lines(fl_blob *frame, const fl_secagg_client *machine, fl_bytes lines)
{
    uint8_t *line = s_bytes(frame, lines);
    for (uint32_t i = 0; i < MEMBERS && (i + 1) * FL_MEMBER_BYTES <= lines.size; i++) {
        uint8_t *epk = line + FL_MEMBER_CERT_BYTES, *mpk = epk + FL_POINT_BYTES;
        fl_transcript_keys_sign(world->member[i].keys, &machine->block.round, 0, epk, mpk,
                                mpk + FL_POINT_BYTES);
        line += FL_MEMBER_BYTES;
    }
}

static void
s_sign_parts(fl_blob *frame, const fl_secagg_client *machine, const fl_block_word *dealt)
{
    uint8_t *part = dealt->list.size == 0 ? NULL : s_bytes(frame, dealt->list);
    for (uint32_t i = 0; i < MEMBERS && part != NULL; i++) {
        if ((dealt->set & fl_secagg_bit(i)) == 0) {
            continue;
        }
        uint8_t *digests = part + sizeof(fl_hash), *path = digests + FL_DIGESTS_BYTES;
        uint8_t public_part[FL_SECAGG_PUBLIC_BYTES];
        fl_hash commitment, root = fl_secagg_tree_climb(digests, machine->index, path);
        memcpy(commitment.bytes, part, sizeof commitment);
        fl_secagg_public_part(&commitment, &root, public_part);
        fl_transcript_dealt_sign(world->member[i].keys, &machine->block.round, i,
                                 fl_bytes_of(public_part, sizeof public_part),
                                 path + FL_PATH_BYTES);
        part += FL_DEALT_BYTES;
    }
}

static void
s_sign_dealing(fl_message *message)
{
    fl_block_shares *shares = &message->shares;
    if (shares->digests.size / FL_DIGESTS_BYTES <= FL_MEMBERS_MAX) {
        fl_secagg_tree tree;
        uint8_t public_part[FL_SECAGG_PUBLIC_BYTES];
        fl_secagg_tree_fill(&tree, shares->digests);
        fl_secagg_public_part(&shares->commitment, &tree.node[1], public_part);
        fl_transcript_dealt_sign(world->member[who].keys, &world->aggregator->block.round,
                                 shares->index, fl_bytes_of(public_part, sizeof public_part),
                                 shares->signature);
    }
}

//  What each of `set` would sign for the receiver; `survivors` NULL: of its upload.
static void
s_sign_set(fl_blob *frame, const fl_secagg_client *machine, uint64_t set, fl_bytes list,
           const fl_hash *survivors)
{
    uint8_t *at = list.size == 0 ? NULL : s_bytes(frame, list);
    for (uint32_t i = 0; i < FL_MEMBERS_MAX && at != NULL; i++) {
        if ((set & fl_secagg_bit(i)) == 0) {
            continue;
        }
        const fl_keys *keys = world->member[i % MEMBERS].keys;
        if (survivors == NULL) {
            fl_transcript_psig(keys, &machine->ctx, i, at);
        } else {
            fl_transcript_asig(keys, &machine->ctx, survivors, i, at);
        }
        at += FL_SIGN_BYTES;
    }
}

static void
s_sign(fl_blob *frame, fl_message *message)
{
    const fl_secagg_client *machine = world->member[who].machine;
    switch ((int)message->verb) {
    case FL_KEYS:
        fl_transcript_keys_sign(world->member[who].keys, &machine->block.round, message->keys.class,
                                message->keys.epk, message->keys.mpk, message->keys.signature);
        break;
    case FL_ROSTER:
        s_sign_lines(frame, machine, message->roster.list);
        break;
    case FL_SHARES:
        s_sign_dealing(message);
        break;
    case FL_DEALT:
        s_sign_parts(frame, machine, &message->dealt);
        break;
    case FL_SURVIVORS:
        s_sign_set(frame, machine, message->survivors.set, message->survivors.list, NULL);
        break;
    case FL_ACKS:
        s_sign_set(frame, machine, message->acks.set, message->acks.list,
                   &machine->survivors_hash);
        break;
    default:
        break;
    }
}

// ---- saying it -------------------------------------------------------------------------------
//  Effects of a machine that changed are obeyed; of one that did not, they are few.
static bool
s_settle(bool changed, int32_t index)
{
    if (changed) {
        masked_obey(world, index);
        return true;
    }
    fuzz_must(fl_outbox_count(world->out) <= ANSWERS_MAX);
    fl_outbox_reset(world->out);
    return false;
}

static void
s_contribute(const fl_message *message)
{
    masked_member *member = &world->member[who];
    fl_reason reason =
        fl_secagg_server_contrib(world->aggregator, who, &message->contrib, world->out);
    if (reason == FL_WHY_NONE &&
        fl_secagg_server_uploaded(world->aggregator, who, world->now, world->out)) {
        member->uploaded = true;
        masked_fold(world, member->masked);
    }
}

//  True when a machine is not what it was.
static bool
s_say(fl_message *message)
{
    masked_member *member = &world->member[who];
    cohort_before = *world->aggregator;
    member_before = *member->machine;
    if (message->verb == FL_CONTRIB) {
        s_contribute(message);
    } else {
        fl_event event = { .kind = FL_EV_MESSAGE, .wall_s = IDENTITY_NOW };
        event.message.from = (fl_peer)who;
        event.message.node = member->node;
        event.message.role = member->cert.role;
        event.message.message = message;
        fl_secagg_server_hear(world->aggregator, event.message.from, &event, world->now,
                              world->out);
    }
    bool changed =
        s_settle(memcmp(&cohort_before, world->aggregator, sizeof cohort_before) != 0, -1);
    fl_secagg_client_hear(member->machine, message, IDENTITY_NOW, world->now, world->out);
    bool other = memcmp(&member_before, member->machine, sizeof member_before) != 0;
    return s_settle(other, (int32_t)who) || changed;
}

static void
s_take_input(uint8_t how, fl_blob *frame, fl_message *message)
{
    who = how & WHO;
    for (unsigned later = how >> 4; later > 0; later--) {
        (void)masked_deliver(world);
    }
    if ((how & SIGNED) != 0) {
        s_sign(frame, message);
    }
    if ((how & INSTEAD) != 0) {
        s_lose_honest();
    }
    bool changed = s_say(message);
    if (changed || (how & (INSTEAD | LATER)) != 0) {
        holding = false;
        for (uint32_t i = 0; i < MEMBERS; i++) { // those held back; not when one came instead
            if (i != who || (how & INSTEAD) == 0) {
                (void)masked_upload(world, i);
            }
        }
        s_run_on();
        masked_destroy(&world);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world == NULL) {
        s_make();
    }
    if (size < 1) {
        return 0;
    }
    fl_message message;
    fl_blob *frame = fl_blob_copy(fl_bytes_of(data + 1, size - 1));
    fuzz_must(frame != NULL);
    if (fl_decode(fl_blob_bytes(frame), 0, &message).code == FL_CODEC_OK) {
        message.run = world->task.order.run;
        message.round = world->task.order.round;
        s_take_input(data[0], frame, &message);
    }
    fl_blob_unref(&frame);
    return 0;
}
