//  secagg - a whole masked block in memory: real keys and certificates, the real machines on both
//  sides, every message through the real codec, vectors masked and folded by the real kernels, time
//  made by hand. Members fall silent where a test says, and a hook sees each message on its way.
//  Include tests/support/unit.h first.
#ifndef FL_SUPPORT_SECAGG_H
#define FL_SUPPORT_SECAGG_H

#include "common/base/blob.h"
#include "common/base/rng.h"
#include "common/crypto/mask_kernel.h"
#include "common/secagg/burnt.h"
#include "common/secagg/client.h"
#include "common/secagg/server.h"
#include "tests/support/identity.h"

enum { MASKED_MEMBERS = FL_MEMBERS_MAX, MASKED_QUEUE = 16384 };

//  Where a member falls silent: the first word of its that is lost, for good.
typedef enum masked_drop {
    MASKED_STAYS,
    MASKED_BEFORE_KEYS,
    MASKED_BEFORE_SHARES,
    MASKED_BEFORE_READY,
    MASKED_BEFORE_UPLOAD,
    MASKED_BEFORE_ACK,
    MASKED_BEFORE_UNMASK,
    MASKED_DROPS
} masked_drop;

typedef struct masked_plan {
    uint32_t members;
    uint32_t elements;
    fl_masking profile;
    uint8_t bits, ring_bits, wire_bytes;
    uint32_t weight_max;
    fl_weighting weighting;
    uint32_t samples[MASKED_MEMBERS];   // of each, for its class
    uint8_t members_min, survivors_min; // of the order
    uint32_t step_ms;                   // likewise; 0: a second
    uint32_t own_members_min, own_survivors_min;
    uint8_t hop;
    bool pin;
} masked_plan;

typedef struct masked_member {
    fl_name node;
    fl_keys *keys;
    fl_cert cert;
    uint8_t certificate[FL_CERT_BYTES];
    fl_seeded seeded;
    fl_secagg_client *machine;
    fl_secagg_client_conf conf;
    masked_drop drop;
    bool silent;
    fl_reason refused;           // the task that it was given last
    uint8_t mark[FL_MARK_BYTES]; // what is durable
    bool marked;
    int64_t *plain; // (elements) the update
    uint64_t weight, count, stats[FL_STATS];
    uint8_t *wire;   // (elements, wire_bytes) plain
    uint8_t *masked; // the upload, once there
    bool uploaded;
    uint32_t masks;               // how many MASK effects it asked for, ever
    const fl_mask_kernel *kernel; // that masks for it; NULL for the best
    uint64_t token;               // of a KEEP without an answer yet
} masked_member;

typedef struct masked_letter {
    int32_t from, to; // index of a member, -1 the aggregator
    fl_blob *frame;
} masked_letter;

typedef struct masked_world masked_world;
//  Sees a message on its way and may change it; false loses it.
typedef bool masked_hook(masked_world *world, int32_t from, int32_t to, fl_message *message);
//  Sees each MASK of a member.
typedef void masked_seeds_hook(masked_world *world, uint32_t index, const fl_effect *effect);
//  Sees each KEEP of a member; false: it dies of it, and `durable` says whether that was before.
typedef bool masked_keep_hook(masked_world *world, uint32_t index, bool *durable);
//  Hears each note of a member, or of the aggregator (-1).
typedef void masked_note_hook(masked_world *world, int32_t index, const fl_note *note);

struct masked_world {
    masked_plan plan;
    fl_task task;
    uint64_t model; // its hash is made of this
    uint8_t run;    // and the run's name of this
    uint8_t draw;   // and the draw
    fl_name parent;
    fl_authority *authority;
    fl_deny_list *deny;
    fl_secagg_trust trust;
    masked_member member[MASKED_MEMBERS];
    fl_secagg_server *aggregator;
    fl_pool pool; // that all are in, as the aggregator knows it; empty: none
    fl_burnt_book *burnt;
    fl_secagg_times times;
    fl_time now;
    fl_outbox *out;
    masked_letter queue[MASKED_QUEUE];
    uint32_t head, tail;
    masked_hook *hook;
    void *hook_arg;
    masked_seeds_hook *seeds_hook;
    masked_keep_hook *keep_hook;
    masked_note_hook *note_hook;
    const fl_mask_kernel *kernel;  // of the aggregator; NULL for the best
    bool hold_saved;               // KEEP of the aggregator is not answered by itself
    uint64_t token;                // of that KEEP
    fl_blob *facts[FL_KEEP_COUNT]; // newest of each kind
    uint64_t *sum;                 // (elements) ring words of the accumulator
    uint32_t folded;
    uint32_t unmasks;
    uint64_t checksum_error; // added to the checksum of the sum
    fl_reason unmask_fails;  // with this reason the masks stay on
    uint32_t notes[FL_NOTE_COUNT_OF];
    fl_reason blamed_reason;
    fl_name blamed;
};

masked_plan masked_plan_small(uint32_t members);
//  A world of `plan.members` members and a signed task of round 1. The same seed, the same world.
masked_world *masked_new(const masked_plan *plan, uint64_t seed);
//  Sign a task as the root does, the hashes of its parts first.
void masked_sign(const masked_world *world, fl_task *task);
void masked_destroy(masked_world **world_p);
//  Another round, of the world's run and under the same or another model; machines stay.
void masked_next_round(masked_world *world, uint64_t round, bool same_model);

//  Open the block for every member.
void masked_invite(masked_world *world);
//  That, and let every member begin and train.
void masked_open(masked_world *world);
void masked_begin(masked_world *world, uint32_t index);
void masked_train(masked_world *world, uint32_t index);
//  Deliver until nothing is on its way. True when the aggregator has ended.
bool masked_settle(masked_world *world);
//  Settle, let time pass to the next deadline, and so on until the aggregator has ended.
fl_reason masked_run(masked_world *world);
//  The block has ended, and with it the part of every member; none is silent any more. If it ended
//  unopened, it is in the book.
void masked_lapse(masked_world *world);
//  Members of the blocks in the book are asked for BURNT and told BURNTS, until nothing is on its
//  way.
void masked_tell_burnt(masked_world *world);
//  The telling alone.
void masked_say_burnts(masked_world *world);
//  Put a message on its way, past the hook.
void masked_post(masked_world *world, int32_t from, int32_t to, const fl_message *message);
//  One letter; false when there is none.
bool masked_deliver(masked_world *world);
//  Obey what a machine asked for (the outbox is emptied); the aggregator is -1.
void masked_obey(masked_world *world, int32_t index);
//  Answer the KEEP that was held.
void masked_answer_saved(masked_world *world, bool ok);
//  SAVED to a member; false when it does not wait for that.
bool masked_saved(masked_world *world, uint32_t index, uint64_t token, bool ok);
//  A message straight into a member's machine.
void masked_say(masked_world *world, uint32_t index, const fl_message *message);
fl_message masked_message(const masked_world *world, fl_verb verb);
//  Offer the upload of a member to the aggregator, as the aggregator would.
fl_reason masked_upload(masked_world *world, uint32_t index);
//  The member's process dies and comes back with what was durable.
void masked_restart_member(masked_world *world, uint32_t index);
//  The aggregator's does; its facts are read back, every member is there.
bool masked_restart_cohort(masked_world *world);

//  Carry out MASK of a member and UNMASK, and answer; add an upload to the accumulator.
void masked_mask(masked_world *world, uint32_t index, const fl_effect *effect);
void masked_unmask(masked_world *world, const fl_effect *effect);
void masked_fold(masked_world *world, const uint8_t *wire);

//  The opened sum is exactly that of the survivors, header lane too.
bool masked_sum_exact(const masked_world *world);

#endif
