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
    FL_HELLO = 1,    // child -> parent: here I am, this is my certificate
    FL_WELCOME = 2,  // parent -> child: your seat
    FL_REFUSED = 3,  // either way: not this, because
    FL_TASK = 4,     // parent -> child: train this model until then
    FL_CONTRIB = 5,  // child -> parent: I have a contribution of so many bytes
    FL_GRANT = 6,    // parent -> child: send bytes [next, limit)
    FL_CLOSED = 7,   // parent -> child: the round is over; you were in, or not, because
    FL_BEAT = 8,     // either way: alive, and where I stand
    FL_LEAVE = 9,    // child -> parent: I go on purpose
    FL_DENY = 10,    // parent -> child: the signed list of the revoked
    FL_ENROL = 11,   // newcomer -> parent (-> ... -> root): a sealed request
    FL_ENROLLED = 12, // root (-> ... ->) newcomer: a certificate, or why not
    //  bulk lanes
    FL_CHUNK = 16,   // up (PUSH -> PULL): bytes of a contribution
    FL_FETCH = 17,   // down lane (DEALER -> ROUTER): give me bytes of a model
    FL_PIECE = 18,   // down lane (ROUTER -> DEALER): bytes of a model
    //  operator lane
    FL_ASK = 24,
    FL_ANSWER = 25,
    FL_VERB_COUNT
} fl_verb;

//  Why something was refused, dropped or ended. On the wire as a number, everywhere else as its
//  name; a number is never used again for something else.
typedef enum fl_reason {
    FL_WHY_NONE = 0,
    FL_WHY_LATE = 1,            // after the cut-off of its round
    FL_WHY_DUPLICATE = 2,       // this seat was counted already
    FL_WHY_UNKNOWN_ROUND = 3,
    FL_WHY_UNKNOWN_RUN = 4,
    FL_WHY_UNKNOWN_SEAT = 5,    // say HELLO again
    FL_WHY_BASE = 6,            // trained from another model than it says or we accept
    FL_WHY_STALE = 7,           // older than the policy takes
    FL_WHY_SHAPE = 8,           // vector length is not this plan's
    FL_WHY_WEIGHT = 9,          // weight 0 or above the plan's bound
    FL_WHY_NAN = 10,            // the update holds NaN or Inf
    FL_WHY_HASH = 11,           // bytes do not match the announced hash
    FL_WHY_TICKET = 12,         // forged or foreign seat
    FL_WHY_CERTIFICATE = 13,    // malformed, not ours, expired or of another key
    FL_WHY_ROLE = 14,           // certificate is of the wrong role
    FL_WHY_REVOKED = 15,
    FL_WHY_VERSION = 16,        // wire major version differs
    FL_WHY_FULL = 17,           // no seat left
    FL_WHY_MALFORMED = 18,
    FL_WHY_SILENT = 19,         // not heard for the lease
    FL_WHY_SLOW = 20,           // below the minimum rate
    FL_WHY_CREDIT = 21,         // sent beyond the granted limit
    FL_WHY_BUSY = 22,           // no slot before the deadline
    FL_WHY_QUORUM = 23,         // too few contributions
    FL_WHY_SKIPPED = 24,        // the round was closed without a result
    FL_WHY_ABORTED = 25,
    FL_WHY_RESTART = 26,
    FL_WHY_NO_DATA = 27,        // the device holds no sample
    FL_WHY_TRAINER = 28,        // training failed
    FL_WHY_MODEL = 29,          // the model is not of the trainer's shape, or not here
    FL_WHY_PLAN = 30,           // plan refused: unsigned, or the sums could overflow
    FL_WHY_STORAGE = 31,        // disk full or failing
    FL_WHY_TOKEN = 32,          // enrolment: the token is not this authority's
    FL_WHY_LEFT = 33,           // said goodbye
    FL_WHY_MOVED = 34,          // counts at its new parent from the next round on
    FL_WHY_EXPIRED = 35,        // enrolment: the token or the old certificate is past its time
    FL_WHY_USED_UP = 36,        // enrolment: the token has no use left
    FL_WHY_NAME = 37,           // enrolment: the name is another node's, or not the token's
    FL_WHY_COUNT
} fl_reason;

const char *fl_verb_name(fl_verb verb);       // "hello"; "unknown" when out of range
const char *fl_reason_name(fl_reason reason); // "late"; "unknown" when out of range

//  What becomes of an update whose round has closed.
typedef enum fl_late { FL_LATE_DROP = 0, FL_LATE_CARRY = 1 } fl_late;

//  The recipe of one round, the same for every device, signed by the root.
typedef struct fl_plan {
    //  fixed point: Q = floor(clamp(x, -clip, clip) * scale + dither), scale = (2^(bits-1)-1)/clip
    float clip;              // > 0
    uint8_t bits;            // q: 2..24
    uint8_t ring_bits;       // 32 or 64: width of a sum
    uint8_t wire_bytes;      // bytes of one element on the wire, 1..8
    uint32_t weight_unit;    // samples per unit of weight, >= 1: w = ceil(samples / unit)
    uint32_t weight_max;     // W_max >= 1
    uint32_t devices_max;    // n_total of the overflow proof, >= 1
    //  training
    uint32_t epochs;
    uint32_t batch;
    float rate;
    float momentum;
    float decay;             // weight decay
    float proximal;          // FedProx mu; 0 = off
    uint64_t seed;
    //  late updates
    uint8_t late;            // fl_late
    uint32_t staleness_max;  // rounds
} fl_plan;

enum { FL_SIGNATURE_BYTES = 64, FL_TICKET_BYTES = 16, FL_ORDER_BYTES = 128 };

//  The signed part of a task. Encoded as exactly FL_ORDER_BYTES little-endian bytes, so that it
//  can be signed once at the root and checked by every device below.
typedef struct fl_order {
    fl_run run;
    uint64_t round;          // from 1
    fl_hash model;           // of the safetensors blob
    uint64_t model_bytes;    // size of that blob
    uint64_t elements;       // d: parameters of the model
    fl_plan plan;
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
    FL_STAT_SPARE
} fl_stat;

typedef struct fl_hello {
    fl_role role;
    uint64_t incarnation;    // random per process start
    fl_hash model;           // newest model held; zero when none
    uint32_t leaves;         // devices below (1 for a device)
    fl_bytes certificate;    // <= FL_CERT_BYTES_MAX
} fl_hello;

typedef struct fl_welcome {
    uint32_t seat;
    uint32_t epoch;          // of this seat: grows with each HELLO of a new incarnation
    uint8_t ticket[FL_TICKET_BYTES]; // MAC by the parent over (run, child, seat, epoch)
    uint32_t beat_ms;
    uint16_t up_port;        // of the PULL endpoint
    uint16_t down_port;      // of the model ROUTER
    uint64_t deny_version;
    fl_bytes certificate;    // the parent's own
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
    fl_node node;
    fl_node parent;
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
} fl_tally;

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
    bool final;              // the run is over: no round follows
} fl_closed;

typedef enum fl_activity {
    FL_DOING_NOTHING, FL_DOING_FETCH, FL_DOING_TRAIN, FL_DOING_COLLECT, FL_DOING_ENCODE,
    FL_DOING_WAIT_GRANT, FL_DOING_SEND, FL_DOING_WAIT_CLOSE, FL_DOING_COUNT
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

typedef struct fl_enrol {
    uint64_t request;        // random, echoed
    fl_bytes sealed;         // to the authority, <= FL_SEALED_BYTES_MAX
} fl_enrol;

typedef struct fl_enrolled {
    uint64_t request;
    fl_reason reason;        // FL_WHY_NONE: certificate is there
    char text[FL_TEXT_MAX];
    fl_bytes certificate;
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

typedef struct fl_ask {
    char verb[32];           // "status", "report", ...
    char argument[FL_TEXT_MAX];
} fl_ask;

//  The body frame holds UTF-8 JSON.
typedef struct fl_answer {
    uint8_t code;            // 0 ok, else the exit code that `fl` ends with
} fl_answer;

typedef struct fl_message {
    fl_verb verb;
    fl_run run;              // zero before WELCOME
    uint64_t round;          // 0 when the verb has none
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
        fl_enrol enrol;
        fl_enrolled enrolled;
        fl_chunk chunk;
        fl_fetch fetch;
        fl_piece piece;
        fl_ask ask;
        fl_answer answer;
    };
} fl_message;

//  True when a verb carries a raw body frame behind its header frame (CHUNK, PIECE, ANSWER).
bool fl_verb_has_body(fl_verb verb);

//  An order as its FL_ORDER_BYTES signed bytes, and back (false: malformed or out of range, the
//  order is zeroed then). Encoding one that is out of range is ours: it panics.
void fl_order_encode(const fl_order *order, uint8_t bytes[FL_ORDER_BYTES]);
bool fl_order_decode(fl_bytes bytes, fl_order *order);

//  A report line as its FL_ROLL_ENTRY_BYTES bytes, and back (false: malformed, the entry is zeroed
//  then). Encoding a malformed one is ours: it panics.
void fl_roll_encode(const fl_roll_entry *entry, uint8_t bytes[FL_ROLL_ENTRY_BYTES]);
bool fl_roll_decode(fl_bytes bytes, fl_roll_entry *entry);

#endif
