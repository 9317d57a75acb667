//  message - one plain struct per verb: what the tiers say to each other, before and after the
//  codec. Values only; the few `fl_bytes` are views into the sender's or the receiver's buffer and
//  live as long as it does. docs/protocol.md says who sends what to whom and when.
#ifndef FL_WIRE_MESSAGE_H
#define FL_WIRE_MESSAGE_H

#include "common/base/bytes.h"
#include "common/base/id.h"
#include "common/base/limits.h"

typedef enum fl_verb {
    FL_VERB_NONE = 0,
    //  control lane (DEALER <-> ROUTER)
    FL_HELLO = 1,      // child -> parent: here I am, this is my certificate
    FL_WELCOME = 2,    // parent -> child: your seat
    FL_REFUSED = 3,    // either way: not this, because
    FL_TASK = 4,       // parent -> child: train this model until then
    FL_CONTRIB = 5,    // child -> parent: I have a contribution of so many bytes
    FL_GRANT = 6,      // parent -> child: send bytes [next, limit)
    FL_CLOSED = 7,     // parent -> child: the round is over; you were in, or not, because
    FL_BEAT = 8,       // either way: alive, and where I stand
    FL_LEAVE = 9,      // child -> parent: I go on purpose
    FL_DENY = 10,      // parent -> child: the signed list of the revoked
    FL_ENROL = 11,     // newcomer -> parent (-> ... -> root): a sealed request
    FL_ENROLLED = 12,  // root (-> ... ->) newcomer: a certificate, or why not
    FL_DENY_GET = 13,  // child -> parent: from here on, of your longer list
    FL_DENY_PART = 14, // parent -> child: so many bytes of it
    FL_TWINS = 15,     // parent -> edge: names that were counted under two parents
    //  masking steps of a round, on the control lane (docs/masking.md)
    FL_KEYS = 32,      // child -> parent: my one-round keys
    FL_ROSTER = 33,    // parent -> children of a block: who is in it
    FL_SHARES = 34,    // child -> parent: what I deal to each member
    FL_DEALT = 35,     // parent -> child: what the others dealt to you
    FL_READY = 36,     // child -> parent: trained, and whose shares are good
    FL_MASKSET = 37,   // parent -> children of a block: who masks with whom
    FL_SURVIVORS = 38, // parent -> children of a block: whose uploads are whole
    FL_ACK = 39,       // child -> parent: I was shown these survivors
    FL_ACKS = 40,      // parent -> children of a block: who was shown the same
    FL_UNMASK = 41,    // child -> parent: the shares that open the sum
    FL_BURNT = 42,     // child -> parent: I gave no share of that block, and have none
    FL_BURNTS = 43,    // parent -> child: who said so; enough of them prove it, else say so, too
    FL_POOL = 44,      // parent -> child: who may be in a block with it, or below it; before TASK
    //  bulk lanes
    FL_CHUNK = 16, // up (PUSH -> PULL): bytes of a contribution
    FL_FETCH = 17, // down lane (DEALER -> ROUTER): give me bytes of a model
    FL_PIECE = 18, // down lane (ROUTER -> DEALER): bytes of a model
    //  operator lane
    FL_ASK = 24,
    FL_ANSWER = 25,
    FL_VERB_COUNT = 45
} fl_verb;

//  Where a message travels. Control lasts as long as a child is there; bulk lanes open per
//  transfer.
typedef enum fl_lane {
    FL_LANE_CONTROL,
    FL_LANE_UP,
    FL_LANE_DOWN,
    FL_LANE_OPERATOR,
    FL_LANES
} fl_lane;

//  Why something was refused, dropped or ended.
typedef enum fl_reason {
#define FL_REASON(name, number, text) FL_WHY_##name = (number),
#include "common/wire/reason.def"
    FL_WHY_COUNT
} fl_reason;

const char *fl_verb_name(fl_verb verb);       // "hello"; "unknown" when out of range
const char *fl_reason_name(fl_reason reason); // "late"; "unknown" when out of range
//  A node that rests for it is well, takes no task, and is neither late nor absent. Of a run, and
//  not of the node: its site takes no part in this one.
bool fl_reason_rests(fl_reason reason);
bool fl_reason_rests_run(fl_reason reason);

//  What becomes of an update whose round has closed.
typedef enum fl_late { FL_LATE_DROP = 0, FL_LATE_CARRY = 1 } fl_late;

//  How a sum is hidden from who adds it up; the greater, the stronger (docs/masking.md).
typedef enum fl_masking {
    FL_MASKING_NONE = 0,      // not at all
    FL_MASKING_HONEST = 1,    // from a parent that keeps to the protocol
    FL_MASKING_MALICIOUS = 2, // from one that does not
    FL_MASKING_COUNT
} fl_masking;
const char *fl_masking_name(fl_masking masking); // "unmasked", "honest", "malicious"

//  How much a device counts in the mean (docs/masking.md).
typedef enum fl_weighting {
    FL_WEIGHTING_SAMPLES = 0, // w = ceil(samples / unit), at most weight_max
    FL_WEIGHTING_EQUAL = 1,   // w = 1; weight_max is 1
    FL_WEIGHTING_CLASSES = 2, // w = 2^c, c its class: public, and signed with its KEYS
    FL_WEIGHTING_COUNT
} fl_weighting;
const char *fl_weighting_name(fl_weighting weighting); // "samples", "equal", "classes"

//  Of devices themselves, and no command of their owners: "", "builtin", "synthetic".
bool fl_trainer_own(const char *name);

//  What a trainer is told: numbers by name, names ascending. The fabric carries it and reads none
//  of it.
enum { FL_RECIPE_MAX = 16, FL_RECIPE_NAME_BYTES = 16 };
typedef struct fl_recipe {
    uint32_t count;
    struct {
        char name[FL_RECIPE_NAME_BYTES]; // zero-terminated
        double number;                   // finite
    } value[FL_RECIPE_MAX]; // (count)
} fl_recipe;

//  The number of that name, `otherwise` when there is none.
double fl_recipe_get(const fl_recipe *self, const char *name, double otherwise);
//  Set it. There is room for it, and for its name.
void fl_recipe_put(fl_recipe *self, const char *name, double number);

//  The plan of one round, the same for every device. How wide an element travels follows from it:
//  fl_policy_element.
typedef struct fl_plan {
    //  in the manifest: the same in every round of a run
    char run[32];            // name of the run, printable and zero-terminated; may be empty
    fl_name trainer, data;   // that devices are to have; empty: whichever they do
    float clip;             // > 0: |x| above it is clipped
    uint8_t bits;           // of one Q, sign included: 2..24
    uint8_t late;           // fl_late
    uint32_t staleness_max; // rounds
    //  sample order and dither follow from the seed alone; else, in a masked round, also from what
    //  only the device knows: two rounds of one model then have two updates of it
    bool pin;
    //  the settings
    fl_recipe recipe;
    //  in the order
    uint8_t weighting;       // fl_weighting
    uint32_t weight_unit;    // samples per unit of weight, >= 1
    uint32_t weight_max;     // W_max >= 1
    uint32_t devices_max;    // n_total of the overflow proof, >= 1
    uint64_t seed;           // of shuffles and dither
    //  masking; of hop 1 (devices) and of every hop above it: fl_plan_masking, fl_secagg_floor
    uint8_t masking[2];      // fl_masking
    uint8_t block_max;       // members of one block, 3..64; 0 when unmasked
    uint8_t members_min[2];  // a smaller block is none
    uint8_t survivors_min[2]; // a sum over fewer is not opened
    uint32_t step_ms;        // time for one step of opening
    uint8_t batch;           // names of a pool that are summed up together or not; 0: each alone
} fl_plan;

//  How the sum at that hop, 1 or greater, is hidden.
fl_masking fl_plan_masking(const fl_plan *self, uint8_t hop);
//  At any hop.
bool fl_plan_masks(const fl_plan *self);

enum {
    FL_SIGNATURE_BYTES = 64,
    FL_TICKET_BYTES = 16,
    FL_ORDER_BYTES = 256,
    FL_DRAW_MAX = 127,
    FL_BATCH_NAMES_MAX = 8,
    FL_SETTINGS_BYTES_MAX = 16000,
    FL_MANIFEST_BYTES_MAX = 48 * 1024, // so that TASK fits one header
};

//  What a task asks for. Three byte strings on the wire: the order, which is signed, and the
//  settings and the manifest, whose hashes stand in it (wire/manifest.h).
typedef struct fl_order {
    fl_run run;
    uint64_t round;          // from 1
    fl_hash manifest, settings; // as the signer says; whoever checks the signature compares
    fl_hash model;           // of the safetensors blob
    fl_hash tensors;         // of what is in it: fl_safetensors_digest
    uint64_t model_bytes;    // size of that blob
    uint64_t elements;       // d: parameters of the model
    uint64_t pools;          // epoch of the pools that its blocks lie in; 0: without pools
    uint8_t draw;            // FL_DRAW_MAX at most: sums of this model were lost so often
    fl_plan plan;
    bool beyond; // it asks for what this build has no part for: nobody takes part
} fl_order;

typedef struct fl_task {
    uint32_t attempt;        // of this parent for this round, from 1
    uint32_t budget_ms;      // time left at the sender when it sent this, its own margin taken off
    fl_order order;
    uint8_t signature[FL_SIGNATURE_BYTES]; // Ed25519 by the root over the order's bytes
} fl_task;

//  Sums that ride beside the vector, added like it. Fixed-point values are times 2^20.
typedef enum fl_stat {
    FL_STAT_SAMPLES,         // samples trained on
    FL_STAT_LOSS,            // sum over samples of the loss of the received model, * 2^20
    FL_STAT_CORRECT,         // samples that the received model classified correctly
    FL_STAT_EVALUATED,       // samples behind the two above
    FL_STAT_SATURATED,       // elements that were clipped
    FL_STAT_STALE,           // contributions with staleness > 0
    FL_STAT_TRAIN_MS,        // training time
    FL_STAT_CAPPED           // contributions whose samples count in part: above weight_max
} fl_stat;

//  A trainer and what it trains on, by name; empty, where something is wanted: any.
typedef struct fl_offering {
    fl_name trainer, data;
} fl_offering;
enum { FL_OFFERINGS_MAX = 16, FL_OFFERINGS_BYTES_MAX = 512 };

typedef struct fl_hello {
    fl_role role;
    uint64_t incarnation;    // random per process start
    fl_hash model;           // newest model held; zero when none
    uint32_t leaves;         // devices below (1 for a device)
    fl_bytes certificate;    // <= FL_CERT_BYTES_MAX
    fl_bytes offers;         // an fl_offering each; none: not said
} fl_hello;

typedef struct fl_welcome {
    uint32_t seat;
    uint32_t epoch;          // of this seat: grows with each HELLO of a new incarnation
    uint8_t ticket[FL_TICKET_BYTES]; // MAC by the parent over (itself, child, seat, epoch)
    uint32_t beat_ms;
    uint16_t up_port;        // of the PULL endpoint
    uint16_t down_port;      // of the model ROUTER
    uint64_t deny_version;
    fl_bytes certificate;    // the parent's own
    uint8_t next[32];        // its X25519 key after the one of that; zeros: none
} fl_welcome;

typedef struct fl_refused {
    fl_reason reason;
    fl_verb about;           // the verb that was refused
    char text[FL_TEXT_MAX];  // for a human; zero-terminated
} fl_refused;

//  One line of a participation report. A child of an edge rides upward in `roll`.
typedef enum fl_outcome {
    FL_OUT_ABSENT = 0,       // invited, nothing came
    FL_OUT_IN = 1,           // counted
    FL_OUT_LATE = 2,         // came after the cut-off
    FL_OUT_REFUSED = 3,
    FL_OUT_IDLE = 4,         // not invited to this round
    FL_OUT_COUNT
} fl_outcome;
const char *fl_outcome_name(fl_outcome outcome);

enum { FL_ROLL_ENTRY_BYTES = 36 };
typedef struct fl_roll_entry {
    fl_name node;
    fl_name parent;
    uint8_t outcome;         // fl_outcome
    uint8_t reason;          // fl_reason
    uint8_t staleness;       // rounds, 255 = 255 or more
    uint8_t spare;           // 0
} fl_roll_entry;

typedef struct fl_tally {    // of a subtree's devices, in this round
    uint32_t invited, in, late, absent, refused;
    uint64_t samples_missing; // samples of the last known shard size of those not in
    uint64_t samples_known;   // samples of all invited
    uint32_t merge_ms;       // last needed chunk in -> summary out; largest of the subtree
    uint64_t bytes_up, bytes_down; // bulk bytes at this parent in this round
    //  masked rounds: devices told to mask; of them, lost and their masks taken off all the same;
    //  in blocks that were aborted
    uint32_t masked, recovered, aborted;
} fl_tally;

//  How one block of a masked round ended.
enum { FL_BLOCKS_MAX = 64, FL_BLOCK_LINE_BYTES = 24, FL_BLOCK_LINES_MAX = 256 };
typedef struct fl_block_line {
    fl_name parent; // that added it up
    uint16_t block;
    uint8_t hop;             // 1: of devices
    uint8_t reason;          // fl_reason: why it was aborted; FL_WHY_NONE: opened
    uint8_t members;         // of its roster
    uint8_t masked;          // told to mask
    uint8_t survivors;       // in the sum; those masked and lost were recovered
    uint8_t spare;           // 0
} fl_block_line;

typedef struct fl_contrib {
    uint32_t attempt;        // of the task that it answers
    uint32_t seat, epoch;
    uint8_t ticket[FL_TICKET_BYTES];
    uint64_t base_round;     // round whose model it was trained from; == envelope round when fresh
    fl_hash base;            // that model
    uint64_t weight;         // sum of w
    uint32_t count;          // contributions inside: 1 for a device
    uint64_t elements;
    uint64_t vector_bytes;   // elements * wire_bytes of the plan
    fl_hash hash;            // of the vector's bytes
    uint64_t stats[FL_STATS];
    fl_tally tally;          // zero for a device
    uint32_t roll_dropped;   // entries that did not fit
    fl_bytes roll;           // entries of FL_ROLL_ENTRY_BYTES, <= FL_ROLL_MAX of them
    fl_bytes header;         // masked: FL_MASKED_HEADER_BYTES, and nothing in the clear; else empty
    fl_bytes psig;           // FL_SIGNATURE_BYTES under the profile malicious; else empty
    fl_bytes blocks;         // lines of FL_BLOCK_LINE_BYTES, <= FL_BLOCK_LINES_MAX; of an edge
} fl_contrib;

typedef struct fl_grant {
    uint32_t attempt;
    fl_hash hash;            // of the contribution meant
    uint64_t next;           // offset of the first byte not yet received
    uint64_t limit;          // send no byte at or beyond this offset; >= next
    uint32_t rewind;         // when it grows, go back to `next`
    uint32_t chunk_bytes;    // size of chunk asked for
} fl_grant;

typedef struct fl_closed {
    uint32_t attempt;
    fl_outcome outcome;
    fl_reason reason;
    bool final;    // the run of the envelope is over: no round of it follows
    fl_reason end; // when final: why it ended; FL_WHY_NONE: it is done
} fl_closed;

typedef enum fl_activity {
    FL_DOING_NOTHING, FL_DOING_FETCH, FL_DOING_TRAIN, FL_DOING_COLLECT, FL_DOING_ENCODE,
    FL_DOING_WAIT_GRANT, FL_DOING_SEND, FL_DOING_WAIT_CLOSE,
    FL_DOING_PAUSED, // a parent that cannot store or make what it has to; it goes on by itself
    FL_DOING_REST,   // a child that takes no task until it says so
    FL_DOING_COUNT
} fl_activity;
const char *fl_activity_name(fl_activity activity);

typedef struct fl_beat {
    uint32_t seat, epoch;    // 0, 0 from parent to child
    uint32_t attempt;
    fl_activity activity;
    uint64_t done, total;    // of that activity (bytes, samples, children); total 0 = unknown
    uint32_t leaves;         // devices below and alive
    uint64_t samples;        // samples known below
    fl_tally tally;          // this round so far, for the live tree
    uint64_t deny_version;
} fl_beat;

typedef struct fl_leave {
    fl_reason reason;
} fl_leave;

//  The list rides in the header (crypto/deny.h makes it); `version` is the one it was signed with.
typedef struct fl_deny {
    uint64_t version;
    fl_bytes list;           // signed bytes, <= FL_DENY_BYTES_MAX
} fl_deny;

//  A list that does not fit FL_DENY comes in parts, each when it is asked for.
typedef struct fl_deny_get {
    uint64_t version;        // the parent's, as its BEAT says
    uint64_t offset;         // of the first byte that is missing
} fl_deny_get;

//  A name that was counted under two parents in one round, and the one that keeps it.
typedef struct fl_twin {
    fl_name node, keeper;
} fl_twin;
enum { FL_TWINS_MAX = 16, FL_TWINS_BYTES_MAX = 512 };
typedef struct fl_twins {
    fl_bytes nodes; // an fl_twin each
} fl_twins;

typedef struct fl_deny_part {
    uint64_t version, total; // of the whole list
    uint64_t offset;
    fl_bytes part;           // <= FL_DENY_BYTES_MAX
} fl_deny_part;

typedef struct fl_enrol {
    uint64_t request;        // random, echoed
    fl_bytes sealed;         // to the authority, <= FL_SEALED_BYTES_MAX
} fl_enrol;

typedef struct fl_enrolled {
    uint64_t request;
    fl_reason reason;        // FL_WHY_NONE: certificate is there
    char text[FL_TEXT_MAX];
    fl_bytes certificate;
    uint32_t shard, shards;  // leased: shard of so many, counted from 0; 0 of 0 is none
    uint8_t next[32];        // as in WELCOME, of the parent that hands it on
} fl_enrolled;

//  The body frame holds the bytes.
typedef struct fl_chunk {
    uint32_t attempt;
    uint32_t seat, epoch;
    fl_hash hash;            // of the whole contribution
    uint64_t offset;
    uint64_t total;
} fl_chunk;

typedef struct fl_fetch {
    fl_hash hash;            // of the whole model
    uint64_t offset;
    uint32_t bytes;          // 1..FL_CHUNK_BYTES_MAX
} fl_fetch;

typedef struct fl_piece {
    fl_hash hash;
    uint64_t offset;
    uint64_t total;
} fl_piece;

// ---- masking ----------------------------------------------------------------------------------
//  Members of a block have indices, in the order of its roster; a set of them is a bitmap, bit i
//  for index i, no bit at or above their number. Lists go by ascending index.
enum {
    FL_MEMBERS_MAX = 64,                          // of one block
    FL_POINT_BYTES = 32,                          // an X25519 public key
    FL_MEMBER_CERT_BYTES = 187,                   // crypto/cert.h
    FL_MEMBER_BYTES = 187 + 32 + 32 + 64 + 2,     // of a roster: the fields of fl_block_keys
    FL_SEALED_SHARE_BYTES = 104,                  // transcript.h: nonce 24, two shares 64, tag 16
    FL_DIGESTS_BYTES = 64,                        // of one member's two shares
    FL_PATH_BYTES = 6 * 32,                       // up the tree over all digests of a dealer
    FL_DEALT_BYTES = 32 + 64 + 6 * 32 + 64 + 104, // commitment, digests, path, signature, sealed
    FL_SHARE_WIRE_BYTES = 32,
    FL_MASKED_HEADER_WORDS = 3 + FL_STATS, // weight, count, checksum, stats
    FL_MASKED_HEADER_BYTES = 8 * (3 + FL_STATS),
};

typedef struct fl_block_keys {
    fl_bytes certificate;    // the sender's own, FL_MEMBER_CERT_BYTES
    uint8_t epk[FL_POINT_BYTES]; // for shares
    uint8_t mpk[FL_POINT_BYTES]; // for masks
    uint8_t signature[FL_SIGNATURE_BYTES]; // over all that follow too
    uint8_t class, roster;                 // of its weight; the number of the roster
} fl_block_keys;

//  What a block is told, and what READY answers.
typedef struct fl_block_word {
    uint32_t block;
    //  DEALT: all dealers but the receiver. READY: those whose shares opened and matched. MASKSET,
    //  SURVIVORS: the members that are. ACKS, BURNTS: those who signed. ROSTER: 0
    uint64_t set;
    //  ROSTER: 1..FL_MEMBERS_MAX of FL_MEMBER_BYTES. Of the set, DEALT: FL_DEALT_BYTES each;
    //  SURVIVORS, but not under the profile honest, and ACKS: FL_SIGNATURE_BYTES each. BURNTS: the
    //  lines of the roster, and behind them FL_SIGNATURE_BYTES for each of the set
    fl_bytes list;
} fl_block_word;

typedef struct fl_block_shares {
    uint32_t block;
    uint32_t index;          // of the dealer
    fl_hash commitment;      // to its own mask
    uint8_t signature[FL_SIGNATURE_BYTES];
    fl_bytes digests;        // (n, FL_DIGESTS_BYTES)
    fl_bytes sealed;         // (n, FL_SEALED_SHARE_BYTES); zeros at the dealer's own place
} fl_block_shares;

typedef struct fl_block_ack {
    uint32_t block;
    uint8_t signature[FL_SIGNATURE_BYTES];
} fl_block_ack;

typedef struct fl_block_unmask {
    uint32_t block;
    uint64_t self;           // members whose own mask the share is of
    uint64_t pair;           // members whose mask key the share is of; never one of `self`
    fl_bytes shares;         // (self or pair, FL_SHARE_WIRE_BYTES)
} fl_block_unmask;

//  Pools as they are signed (secagg/pool.h), one behind the other, 1..FL_POOLS_BYTES_MAX in all.
enum { FL_POOLS_BYTES_MAX = 60 * 1024 };
typedef struct fl_pools_told {
    fl_bytes pools;
} fl_pools_told;

typedef struct fl_ask {
    char verb[32];           // "status", "report", ...
    char argument[FL_TEXT_MAX];
    fl_bytes body; // the body frame: who sends it sets it, the lane that receives it fills it in
} fl_ask;

//  The body frame holds UTF-8 JSON.
typedef struct fl_answer {
    uint8_t code;            // 0 ok, else the exit code that `fl` ends with
} fl_answer;

typedef struct fl_message {
    fl_verb verb;
    //  Of the round that it is about; zero when it is about none. BEAT: that of the task in hand
    fl_run run;
    uint64_t round;
    union {
        fl_hello hello;
        fl_welcome welcome;
        fl_refused refused;
        fl_task task;
        fl_contrib contrib;
        fl_grant grant;
        fl_closed closed;
        fl_beat beat;
        fl_leave leave;
        fl_deny deny;
        fl_deny_get deny_get;
        fl_deny_part deny_part;
        fl_twins twins;
        fl_enrol enrol;
        fl_enrolled enrolled;
        fl_chunk chunk;
        fl_fetch fetch;
        fl_piece piece;
        fl_ask ask;
        fl_answer answer;
        fl_block_keys keys;
        fl_block_shares shares;
        fl_block_word word, roster, dealt, ready, maskset, survivors, acks, burnts;
        fl_block_ack ack, burnt; // BURNT, BURNTS: the envelope says the round of that block
        fl_block_unmask unmask;
        fl_pools_told pool;
    };
} fl_message;

//  Members in a set.
uint32_t fl_set_count(uint64_t set);
//  True when no bit of it stands at or above `members` (1..FL_MEMBERS_MAX).
bool fl_set_within(uint64_t set, uint32_t members);
//  The first member at or above `from`; FL_MEMBERS_MAX: there is none.
uint32_t fl_set_next(uint64_t set, uint32_t from);
//  Every member, ascending.
#define FL_EACH_MEMBER(index, set)                                                                 \
    for (uint32_t index = fl_set_next(set, 0); (index) < FL_MEMBERS_MAX;                           \
         index = fl_set_next(set, (index) + 1))

//  An order as its FL_ORDER_BYTES signed bytes, and back, without what stands in the manifest and
//  in the settings (false: malformed or out of range, the order is zeroed then). Encoding one that
//  is out of range or `beyond` is ours: it panics.
void fl_order_encode(const fl_order *order, uint8_t bytes[FL_ORDER_BYTES]);
bool fl_order_decode(fl_bytes bytes, fl_order *order);

//  A report line as its FL_ROLL_ENTRY_BYTES bytes, and back (false: malformed, the entry is zeroed
//  then). Encoding a malformed one is ours: it panics.
void fl_roll_encode(const fl_roll_entry *entry, uint8_t bytes[FL_ROLL_ENTRY_BYTES]);
bool fl_roll_decode(fl_bytes bytes, fl_roll_entry *entry);

//  The same for a block's line: FL_BLOCK_LINE_BYTES.
void fl_block_line_encode(const fl_block_line *line, uint8_t bytes[FL_BLOCK_LINE_BYTES]);
bool fl_block_line_decode(fl_bytes bytes, fl_block_line *line);

#endif
