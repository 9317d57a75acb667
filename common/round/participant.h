//  participant - the child's half of a round: join, take a task, fetch its model, push one
//  contribution, hear the verdict. Its owner (device or edge) is told of a task by asking for it
//  after each step, and answers with `offer` or `decline`.
//  One thread at a time. Holds one task and at most one offered contribution.
//
//  Link:  OFFLINE -> JOINING -> JOINED, back to OFFLINE after three silent beats.
//  Task:  NONE -> FETCHING -> WORKING -> OFFERED -> SENDING -> SENT -> NONE; when it is masked,
//  MASKING between WORKING and OFFERED. A newer task replaces an older one in any state, and so
//  does the task of another run, whose own rounds count from 1; the same task again only heals what
//  was lost. A task whose masks are weaker than configured, or that asks for masks where none are
//  configured, is declined without asking the owner.
#ifndef FL_ROUND_PARTICIPANT_H
#define FL_ROUND_PARTICIPANT_H

#include "common/machine/offerings.h"
#include "common/machine/outbox.h"
#include "common/machine/policy.h"
#include "common/secagg/client.h"

typedef struct fl_participant fl_participant;

typedef struct fl_participant_conf {
    fl_name node;
    fl_role role;
    uint64_t incarnation; // random per process start
    uint64_t seed;        // of the backoff's jitter; no secret
    uint32_t beat_ms;     // until WELCOME says otherwise
    uint32_t backoff_min_ms, backoff_max_ms;
    uint32_t lanes_ms; // time for both bulk lanes to open after WELCOME; 0: they are not tried
    fl_run run; // that it took part in before it was restarted, to hear of its end; zero: none
    uint64_t samples; // of a device, before it has trained: its class; 0: the lowest
    //  Its half of a masked round; NULL: this participant takes no masked task. Borrowed, with all
    //  that it points to; the hop is that of the parent's certificate, which WELCOME must show.
    const fl_secagg_client_conf *masking;
    const fl_secagg_mark *mark; // what was kept last of masked rounds; NULL: nothing
    //  Whether this node's site takes part in that round: FL_WHY_NONE, or a reason that rests and a
    //  line of text. Asked before anything else is done for a task. NULL: it does.
    fl_reason (*judge)(void *self, const fl_order *order, char text[FL_TEXT_MAX]);
    void *judge_self;
    fl_offerings offers; // of a device; an edge says it with fl_participant_offers
} fl_participant_conf;

//  What the owner hands over to be sent. The vector is the participant's from then on.
typedef struct fl_offer {
    fl_vec vec;
    fl_hash hash;
    uint64_t vector_bytes;
    uint64_t base_round;
    fl_hash base;
    uint64_t weight;
    uint32_t count;
    uint64_t stats[FL_STATS];
    fl_tally tally;
    const fl_roll_entry *roll; // (roll_count), copied
    uint32_t roll_count, roll_dropped;
    const fl_block_line *blocks; // (block_count), copied
    uint32_t block_count;
} fl_offer;

//  What became of the task. `certain`: false when the contribution may or may not have been
//  counted (it was sent whole and no verdict came): it must not be offered again.
typedef struct fl_verdict {
    fl_run run;
    uint64_t round;
    fl_outcome outcome;
    fl_reason reason;
    bool certain;
    bool spent; // it was masked: it must not be offered again, whatever became of it
    bool final; // the run is over ...
    fl_reason end; // ... and why
} fl_verdict;

//  Numbers that ride on heartbeats, for the live tree.
typedef struct fl_doing {
    fl_activity activity;
    uint64_t done, total;
    uint32_t leaves;
    uint64_t samples;
    fl_tally tally;
} fl_doing;

//  The caller owns the result. NULL when out of memory.
fl_participant *fl_participant_new(const fl_participant_conf *conf);
void fl_participant_destroy(fl_participant **self_p);

//  Events: TICK, MESSAGE from FL_PARENT, LANE, MODEL, MASKED, SAVED. Others are not for a
//  participant (panic).
void fl_participant_step(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out);
fl_time fl_participant_deadline(const fl_participant *self);

//  The task in hand, its model held here; NULL when there is none. Stays while the task is
//  answered, until its verdict or a newer task.
const fl_task *fl_participant_task(const fl_participant *self);
//  When the parent wants the contribution whole, on our clock. FL_NEVER without a task.
fl_time fl_participant_due(const fl_participant *self);
//  How that plan has this node's update hidden from its parent.
fl_masking fl_participant_masking(const fl_participant *self, const fl_plan *plan);
//  True while the owner still owes an answer to the task (it is WORKING).
bool fl_participant_wants(const fl_participant *self);

//  Answer the task with a contribution. Only while `wants`. One that may not be masked is freed,
//  and the task declined.
void fl_participant_offer(fl_participant *self, const fl_offer *offer, fl_time now, fl_outbox *out);
//  Answer the task with a reason. Only while `wants`.
void fl_participant_decline(fl_participant *self, fl_reason reason, const char *text, fl_time now,
                            fl_outbox *out);
//  The contribution to come was cut short by this node's own limit; the parent names it in the
//  report. Only while `wants`.
void fl_participant_partial(fl_participant *self, fl_outbox *out);
//  Take no new round because of that, or take them again (FL_WHY_NONE): the parent hears of it.
//  The task in hand is finished.
void fl_participant_rest(fl_participant *self, fl_reason reason, fl_time now, fl_outbox *out);
fl_reason fl_participant_rests(const fl_participant *self); // FL_WHY_NONE: it does not
bool fl_participant_busy(const fl_participant *self);       // with a task, until its verdict
//  Take the last verdict, once. False when there is no new one.
bool fl_participant_verdict(fl_participant *self, fl_verdict *verdict);

//  Why the run is over; FL_WHY_NONE: it has all its rounds, or is not over.
fl_reason fl_participant_end(const fl_participant *self);

//  A TICK at `now` says HELLO or BEAT, or gives up the connection.
bool fl_participant_speaks(const fl_participant *self, fl_time now);
//  What to say on the next heartbeats while WORKING; leaves, samples and tally are always said, but
//  samples only by a participant that would take part unmasked.
void fl_participant_doing(fl_participant *self, const fl_doing *doing);
//  What those below offer; the parent hears it when it has changed.
void fl_participant_offers(fl_participant *self, const fl_offerings *offers, fl_time now,
                           fl_outbox *out);

bool fl_participant_joined(const fl_participant *self);
//  Why the run is paused, as the parent says; FL_WHY_NONE: it is not. It goes on by itself.
fl_reason fl_participant_paused(const fl_participant *self);
//  The same, or FL_WHY_STORAGE: it was refused in its last round, for want of room here or above.
fl_reason fl_participant_trouble(const fl_participant *self);
//  The run of the newest task; zero before the first one.
const fl_run *fl_participant_run(const fl_participant *self);
fl_activity fl_participant_activity(const fl_participant *self);
//  Say goodbye. The owner stops afterwards.
void fl_participant_leave(fl_participant *self, fl_reason reason, fl_outbox *out);

#endif
