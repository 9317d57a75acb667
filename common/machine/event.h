//  event - everything that a machine can be told and everything that it can ask for. A machine is
//  pure: it sees no socket, clock, file or thread, and holds handles instead of vectors. Whoever
//  drives it (the reactor in life, the simulator in tests) carries out its effects in their order
//  and answers the heavy ones with an event that echoes the effect's token.
#ifndef FL_MACHINE_EVENT_H
#define FL_MACHINE_EVENT_H

#include "common/base/id.h"
#include "common/base/limits.h"
#include "common/crypto/keys.h"
#include "common/crypto/mask.h"
#include "common/tensor/element.h"
#include "common/wire/message.h"

//  A neighbour, as the driver numbers it. One number per admitted child key for the life of the
//  process; the number outlives reconnects.
typedef uint32_t fl_peer;
#define FL_PARENT ((fl_peer)0xffffffffu)

//  A vector that lives outside the machines; 0 is none. Made by an event, freed by FL_FX_DROP.
typedef uint32_t fl_vec;

//  A token is one question, from the effect that asks it to the event that answers it; 0: nobody
//  waits for the answer. The outbox gives it, so that no two questions of a process have the same.
//  Who gives up what it asked for forgets the token: the answer is nobody's then, and discarded.

// ---- what happened ----------------------------------------------------------------------------
typedef enum fl_event_kind {
    FL_EV_TICK,     // time has passed
    FL_EV_START,    // root only, none in hand: begin or go on with a run
    FL_EV_RUN,      // root only: the operator's word about the run in hand
    FL_EV_MESSAGE,  // a decoded, admitted message
    FL_EV_GONE,     // admission cut off a child, or the parent was left (it floods)
    FL_EV_VERIFIED, // answers VERIFY
    FL_EV_FOLDED,   // answers FOLD
    FL_EV_FINISHED, // answers FINISH
    FL_EV_MODEL,    // answers CHECK
    FL_EV_TRAINED,  // answers TRAIN
    FL_EV_ENCODED,  // answers ENCODE
    FL_EV_APPLIED,  // answers APPLY
    FL_EV_SAVED,    // answers SAVE
    FL_EV_MASKED,   // answers MASK
    FL_EV_UNMASKED, // answers UNMASK: the masks are off
    FL_EV_LANE,     // a bulk lane to the parent is open: both ends have proved their keys
    FL_EV_STOP,     // the operator wants this process to end
    FL_EV_DENIED,   // root only: a node is shut out or forgotten
    FL_EV_REST,     // from now on no new round is taken; what is in hand is finished
    FL_EV_RECALLED, // answers RECALL
    FL_EV_RENEWED,  // we have another certificate: the parent is to see it
    FL_EV_COUNT
} fl_event_kind;

//  What becomes of the run in hand.
typedef enum fl_run_order {
    FL_RUN_GO,
    FL_RUN_YIELD, // after a round, or a wait in vain: another one has its turn
    FL_RUN_LEAVE, // the same, after the round in hand and at once when there is none
    FL_RUN_STOP,  // it ends
} fl_run_order;

typedef struct fl_event {
    fl_event_kind kind;
    uint32_t
        track; // of the effect that it answers, of START and RUN: at which of a root's machines
    uint64_t token;  // of the effect that it answers
    uint64_t wall_s; // wall clock, for certificates; set by the driver, whatever the kind
    union {
        struct {
            uint64_t round;   // first round to run
            uint32_t attempt; // attempts already spent on it
            fl_run run;
            fl_hash model, tensors; // the file, and what is in it
            uint64_t model_bytes;
            uint64_t elements;
            fl_run_order order; // known from the beginning
            uint8_t draw;       // of `model`
            uint32_t bound;     // rounds under it that ended as same-model
        } start;
        struct {
            fl_run_order order;
        } run;
        struct {
            fl_peer from;              // FL_PARENT or a child
            fl_name node;              // the child's certified name; unset for FL_PARENT
            fl_role role;              // the child's certified role
            const fl_message *message; // borrowed for the step
            uint64_t origin;           // ENROL: the network it came from; 0: unknown
            uint32_t body_bytes;       // size of the body frame; its bytes stay with the driver
        } message;
        struct {
            fl_peer peer;
            fl_reason reason;
        } gone;
        struct {
            fl_name node;
        } denied;
        struct {
            fl_reason reason; // FL_WHY_NONE: rounds are taken again
            fl_name node;     // at the root: whom to tell it; empty: this node itself
        } rest;
        struct {
            fl_lane lane;
        } lane;
        struct {
            bool ok;
            fl_reason reason; // when not ok; FL_WHY_NONE means FL_WHY_HASH
        } verified;
        struct {
            fl_vec vec;   // 0 when FINISH asked for no vector
            fl_hash hash; // of the vector's bytes
            uint64_t bytes;
            fl_reason reason; // FL_WHY_NONE, or why there is no sum
        } finished;
        struct {
            bool ok;
            fl_reason reason; // when not ok; FL_WHY_NONE means FL_WHY_HASH
        } model;
        struct {
            fl_vec update;    // 0 when reason is set
            fl_reason reason; // FL_WHY_NONE or why there is no update
            uint64_t samples; // of the shard; those that were seen, when a limit cut it
            uint64_t stats[FL_STATS];
            uint64_t steps, steps_wanted; // fewer than wanted: a limit cut it
        } trained;
        struct {
            fl_vec vec;
            fl_reason reason; // FL_WHY_NAN when the update cannot be encoded
            fl_hash hash;
            uint64_t bytes;
            uint64_t saturated; // elements clipped
        } encoded;
        struct {
            bool ok; // false: the model could not be made (memory, disk)
            fl_hash model, tensors;
            uint64_t model_bytes;
            double loss, accuracy; // on the root's test set; NaN when it has none
        } applied;
        struct {
            bool ok;
        } saved;
        struct {
            fl_vec vec; // the masked bytes; 0: out of memory
            fl_hash hash;
            uint64_t bytes;
            uint64_t checksum; // of the plain integers
        } masked;
        struct {
            uint64_t checksum; // of the sum, its masks off
            uint64_t peak;     // size of its largest element
            fl_reason reason;  // FL_WHY_NONE, or why the masks are still on
        } unmasked;
        struct {
            fl_vec vec; // 0: it is not there, or is another one
        } recalled;
        struct {
            const fl_keys *keys;
            const uint8_t *certificate; // borrowed for the step
            bool rekeyed;               // the keys are others than before
        } renewed;
    };
} fl_event;

//  True when `event` answers the question of `token`.
static inline bool
fl_answers(const fl_event *event, uint64_t token)
{
    return token != 0 && event->token == token;
}

// ---- what is asked for ------------------------------------------------------------------------
typedef enum fl_effect_kind {
    FL_FX_SEND,      // send a message on the control lane (to the parent: FETCH on the down lane)
    FL_FX_PUSH,      // send one CHUNK of a vector on the up lane
    FL_FX_SERVE,     // send one PIECE of a held model on the down lane
    FL_FX_LANE,      // open or close a bulk lane to the parent
    FL_FX_RECONNECT, // throw away every connection to the parent and make a new control lane
    FL_FX_EXPEL,     // forget a child's route
    FL_FX_SLOT,      // make a staging slot of so many bytes, or free it (bytes 0)
    FL_FX_STAGE,     // write the event's body into a slot
    FL_FX_VERIFY,    // hash a slot -> VERIFIED
    FL_FX_CLEAR,     // zero the accumulators for a plan and length, one for each block
    FL_FX_FOLD,      // add a slot to an accumulator -> FOLDED
    FL_FX_FINISH,    // when all folds are done: the sum's hash, and its vector if asked -> FINISHED
    FL_FX_PLACE,     // write the event's body into the model being fetched
    FL_FX_CHECK,     // hash the fetched model, keep it -> MODEL
    FL_FX_TRAIN,     // train -> TRAINED
    FL_FX_CANCEL,    // stop training; TRAINED still comes, with a reason
    FL_FX_ENCODE,    // an update as fixed-point bytes -> ENCODED
    FL_FX_DROP,      // free a vector
    FL_FX_APPLY,     // root: accumulator -> next model, evaluated -> APPLIED
    FL_FX_SAVE,      // make a fact durable -> SAVED
    FL_FX_KEEP,      // make a fact of a masked round durable -> SAVED
    FL_FX_MASK,      // an encoded update under its masks, in its place -> MASKED
    FL_FX_UNMASK,    // take masks off a block's sum, settle it -> UNMASKED
    FL_FX_REST,      // the parent's word: drain, or take rounds again
    FL_FX_RECALL,    // read a kept sum's vector back -> RECALLED
    FL_FX_NOTE,      // say and count something
    FL_FX_COUNT
} fl_effect_kind;

//  Facts for the ledger.
typedef enum fl_save {
    FL_SAVE_OPEN,
    FL_SAVE_CLOSE,
    FL_SAVE_POOLS // at the root: draw what is to be drawn; only the run of the report is used
} fl_save;

//  Facts of a masked round, newest of each kind and block; bytes that the machine reads back.
typedef enum fl_keep {
    FL_KEEP_MARK,   // a participant's: what it masked and opened last
    FL_KEEP_ROSTER, // an aggregator's, from here on, in this order
    FL_KEEP_DEALT,
    FL_KEEP_MASKSET,
    FL_KEEP_SURVIVORS,
    FL_KEEP_ACKS,
    FL_KEEP_EVIDENCE, // that a participant lied; for people
    FL_KEEP_SUM,      // an edge's: what it opened, its vector too
    FL_KEEP_COUNT
} fl_keep;

typedef enum fl_close {
    FL_CLOSE_DONE,    // a result was made
    FL_CLOSE_SKIPPED, // too few, the run goes on with the same model
    FL_CLOSE_ABORTED, // too few or a failure, the run ends
    FL_CLOSE_COUNT
} fl_close;
const char *fl_close_name(fl_close close);

//  The participation report of one closed round. Views belong to the machine, until its next step.
typedef struct fl_report {
    fl_run run;
    uint64_t round;
    uint32_t attempt;
    fl_close close;
    fl_reason reason;
    fl_hash base, model;  // before and after (equal when skipped)
    uint32_t duration_ms; // first task out -> closed
    uint32_t budget_ms;   // what the round was given
    uint64_t weight;
    uint32_t count;
    uint64_t stats[FL_STATS];
    double loss, accuracy; // root's test set; NaN when none
    bool best, kept;       // at the root: its model is the best so far; it stays whatever comes
    fl_hash sum;           // of the folded sum
    fl_tally tally;
    const fl_roll_entry *roll; // (roll_count)
    uint32_t roll_count, roll_dropped;
    fl_masking masking;
    fl_weighting weighting;
    bool pin;                    // nothing of the updates is random: the plan's
    const fl_block_line *blocks; // (block_count), ours and of the tiers below
    uint32_t block_count;
    fl_bytes order, signature, settings; // as they are sent with the task; empty: not known here
    uint8_t draw;
} fl_report;

//  What a machine notes: a stable id for logs, counters and tests.
typedef enum fl_note_id {
#define FL_NOTED(id, name, level, a, b, counter) FL_NOTE_##id,
#include "common/machine/notes.def"
    FL_NOTE_COUNT_OF
} fl_note_id;
const char *fl_note_name(fl_note_id id); // "round-close"

typedef struct fl_note {
    fl_note_id id;
    fl_name node; // about whom; empty when about ourselves
    fl_name at;   // below which parent, where that is the point
    uint64_t round;
    fl_reason reason;
    uint64_t a, b; // two numbers, which notes.def names per id
} fl_note;

typedef struct fl_effect {
    fl_effect_kind kind;
    uint32_t track; // below FL_TRACKS: whose slots, accumulators and model; 0 but at the root
    uint64_t token; // of one that is answered
    union {
        struct {
            fl_peer to;
            fl_message message;
        } send;
        struct {
            fl_vec vec;
            uint32_t bytes;
            fl_message message;
        } push; // message: CHUNK
        struct {
            fl_peer to;
            uint32_t bytes;
            fl_message message;
        } serve; // message: PIECE
        struct {
            fl_lane lane;
            bool open;
            uint16_t port;
        } lane;
        struct {
            fl_peer peer;
        } expel;
        struct {
            bool drains;
        } rest;
        struct {
            uint32_t slot;
            uint64_t bytes;
        } slot;
        struct {
            uint32_t slot;
            uint64_t offset;
        } stage;
        struct {
            uint32_t slot;
            fl_hash hash;
            uint64_t weight; // bounds every element of the vector; 0: masked, no bound holds
        } verify;
        struct {
            fl_element element;
            uint64_t elements;
            bool masked;
            uint32_t blocks; // accumulators, 1..FL_BLOCKS_MAX; one when unmasked
        } clear;
        struct {
            uint32_t slot;
            uint32_t block;  // whose accumulator
            uint64_t weight; // 0: masked
        } fold;
        struct {
            bool vector;
            uint64_t blocks; // set of accumulators: their sums are added up, into the first
        } finish;
        struct {
            fl_hash hash;
            uint64_t offset, total;
        } place;
        struct {
            fl_hash hash;
        } check;
        struct {
            fl_order order;
            uint32_t budget_ms;
        } train;
        struct {
            fl_vec update;
            uint64_t weight;
            fl_order order;
        } encode;
        struct {
            fl_vec vec;
        } drop;
        struct {
            fl_order order;
            uint64_t weight;
            uint32_t count;
        } apply;
        struct {
            fl_save what;
            const fl_report *report;
        } save;
        //  Views of the three below belong to the machine, until its next step.
        struct {
            fl_keep what;
            fl_run run;
            uint64_t round;
            uint32_t block;
            fl_bytes fact;
            fl_vec vec;      // SUM: its vector; it may be dropped from here on ...
            fl_bytes vector; // ... and its bytes, for who makes it durable
        } keep;
        struct {
            fl_run run;
            fl_hash hash; // of that vector
        } recall;
        struct {
            fl_vec vec; // plain wire integers; the number stays the machine's, its bytes go
            fl_element element;
            uint64_t elements;
            const fl_mask_seed *seeds; // (seed_count), for the vector lane; secret
            uint32_t seed_count;
            uint8_t checksum_key[FL_MASK_SEED_BYTES];
        } mask;
        struct {
            uint32_t block;
            fl_element element;
            uint64_t elements;
            const fl_mask_seed *seeds; // (seed_count), for the vector lane; secret
            uint32_t seed_count;
            uint8_t checksum_key[FL_MASK_SEED_BYTES];
        } unmask;
        fl_note note;
    };
} fl_effect;

// ---- the shape of a machine -------------------------------------------------------------------
//  The effects of one step, in order. Bounded; sized at start-up; a machine that overfills it is
//  broken (panic).
typedef struct fl_outbox fl_outbox;

typedef struct fl_machine {
    void *self;
    //  Consume one event at `now`; append effects to `out`. Never blocks, never fails.
    void (*step)(void *self, const fl_event *event, fl_time now, fl_outbox *out);
    //  When to be stepped with FL_EV_TICK if nothing else happens; FL_NEVER when idle.
    fl_time (*deadline)(const void *self);
} fl_machine;

#endif
