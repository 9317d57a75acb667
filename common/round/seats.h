//  seats - who sits where: one seat per node name, its lease, and how it stands in the round.
//  Seats are plain values that the aggregator works on; here they are found and filled. What
//  sums are kept of (phase, present, leaves, samples) is changed here only, so that no message
//  costs a look at every seat. One thread. Holds seats_max seats; a seat outlives its child, so
//  that counters and an outcome survive a restart of either side.
#ifndef FL_ROUND_SEATS_H
#define FL_ROUND_SEATS_H

#include "common/machine/event.h"
#include "common/machine/offerings.h"
#include "common/round/upload_receive.h"
#include "common/secagg/server.h"

typedef enum fl_seat_phase {
    FL_SEAT_IDLE, // not invited
    FL_SEAT_TASKED,
    FL_SEAT_OFFERED, // waits for a slot
    FL_SEAT_STAGING,
    FL_SEAT_VERIFYING,
    FL_SEAT_FOLDING, // counted, not yet added
    FL_SEAT_COUNTED, // this one and those below are ends
    FL_SEAT_LATE,
    FL_SEAT_REFUSED,
    FL_SEAT_ABSENT,
    FL_SEAT_PHASES
} fl_seat_phase;

typedef struct fl_seat {
    fl_name node;
    fl_role role;
    fl_peer peer, before; // who sat here when this one said HELLO; `peer` itself: nobody else
    bool present, evasive;
    uint64_t incarnation;
    uint32_t epoch;
    bool moved; // its child sits at another aggregator now
    fl_time heard_at;
    //  as last said on a heartbeat
    uint32_t leaves;
    uint64_t samples;
    fl_activity activity;
    uint64_t done, total;
    fl_tally tally;
    fl_offerings offers; // as last said with HELLO
    //  this round
    bool invited; // see selection.h
    fl_seat_phase phase;
    fl_reason reason;                       // of LATE, REFUSED, ABSENT; of IDLE: it rested then
    uint32_t slot;                          // of STAGING, VERIFYING, FOLDING
    fl_time tasked_at, offered_at, came_at; // came_at: last chunk in
    fl_contrib contrib;                     // views: into `roll` and `blocks`
    uint8_t *roll;   // (FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES), edges only, made when needed
    uint8_t *blocks; // (FL_BLOCK_LINES_MAX * FL_BLOCK_LINE_BYTES), likewise
    fl_upload_receive intake;
    //  this round, when it is masked
    bool in_block;
    uint32_t pool;            // in the order of the parent's pools, from 1; 0: in none
    fl_pool_run run;          // of that pool
    uint32_t block;           // its accumulator; 0 when there is one
    fl_secagg_server *server; // of its block, which says whether it is out; NULL: that never ran
    fl_time ready_at;         // READY heard; 0: not yet
    fl_reason blamed;         // of any round: shown to have lied, left out from there on
    fl_reason rests;          // likewise: takes no task, and why; until its next HELLO
    bool partial;             // its own limit cut what it did for this round
    //  the last settled round
    fl_run last_run;
    uint64_t last_round;
    uint32_t last_attempt;
    fl_outcome last_outcome;
    fl_reason last_reason;
    uint32_t rounds[FL_OUT_COUNT]; // settled rounds by outcome
    //  the rounds of the run at hand so far
    bool member;         // was in one of them
    bool lost;           // and was not there when this round was opened
    fl_reason away;      // why it went last
    uint32_t below;      // most devices that it stood for, of an edge
    size_t roll_used;    // bytes of `roll`: whom it named last ...
    uint64_t roll_round; // ... in which round; 0: before a restart
} fl_seat;

typedef struct fl_seats fl_seats;

//  The caller owns the result. NULL when out of memory.
fl_seats *fl_seats_new(uint32_t seats_max);
void fl_seats_destroy(fl_seats **self_p);

//  Seats ever used are 0..count-1.
uint32_t fl_seats_count(const fl_seats *self);
fl_seat *fl_seats_at(fl_seats *self, uint32_t seat);
const fl_seat *fl_seats_look(const fl_seats *self, uint32_t seat);
//  The present seat of a peer; -1 when it has none.
int64_t fl_seats_of_peer(const fl_seats *self, fl_peer peer);
//  Change how one of these seats stands in the round.
void fl_seats_enter(fl_seats *self, fl_seat *seat, fl_seat_phase phase);
//  A child takes no task for that reason, or takes them again (FL_WHY_NONE).
void fl_seats_rest(fl_seats *self, fl_seat *seat, fl_reason reason);
//  What a present child says of those below it.
void fl_seats_told(fl_seats *self, uint32_t seat, uint32_t leaves, uint64_t samples);
//  The child of a present seat has gone.
void fl_seats_vacate(fl_seats *self, uint32_t seat);

//  Seat a child that said HELLO: its old seat, a new one, or one that an absent, idle child left.
//  -1 when full. `renewed` says whether the epoch grew (a new process on the child's side).
int64_t fl_seats_join(fl_seats *self, const fl_event *event, fl_time now, bool *renewed);

//  One that was in the run before this process began: its seat, where it is yet to come; NULL when
//  there is no room.
fl_seat *fl_seats_remember(fl_seats *self, const fl_name *node, fl_role role);

//  Who has that name, or had it; -1: nobody.
int64_t fl_seats_of_node(const fl_seats *self, const fl_name *node);
//  The name sits here, as another process that was heard less than so long ago: who copied its
//  keys does not get its seat.
//  NULL: nobody does.
const fl_seat *fl_seats_held(const fl_seats *self, const fl_event *hello, fl_time now,
                             fl_time silent);

//  One of the children of this round has that name, or sits here now.
bool fl_seats_has(const fl_seats *self, const fl_name *node);

//  Those of these names (count), borrowed, are wanted in rounds; count 0: everybody is.
void fl_seats_limit(fl_seats *self, const fl_name *on, uint32_t count);
bool fl_seats_wants(const fl_seats *self, const fl_name *node);

//  Who is there now and wanted, in sums over present seats and those that rest: these are not
//  waited for.
typedef struct fl_presence {
    uint32_t joined;  // children
    uint32_t ready;   // of them, with at least one leaf
    uint32_t resting; // of these
    uint32_t leaves;  // devices below
    uint64_t samples; // last known shard sizes
} fl_presence;
fl_presence fl_seats_presence(const fl_seats *self);

//  How the seats stand in the round, in counts.
typedef struct fl_standing {
    uint32_t invited, ended, offered, resting;
    uint32_t coming; // verified or folded any moment, or counted
} fl_standing;
fl_standing fl_seats_standing(const fl_seats *self);

//  The outcome that a phase stands for; a lost child is absent though it is in no phase.
fl_outcome fl_seat_outcome(const fl_seat *seat);
//  True when nothing more can come from this seat in this round.
bool fl_seat_terminal(const fl_seat *seat);

#endif
