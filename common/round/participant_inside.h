//  participant_inside - the member's struct and what its files share: member.c keeps its promises over
//  time, member_parent.c hears what the parent says, member_masking.c has what is different when
//  the task is masked. For these files only.
#ifndef FL_ROUND_PARTICIPANT_INSIDE_H
#define FL_ROUND_PARTICIPANT_INSIDE_H

#include "common/round/model_fetch.h"
#include "common/round/session.h"
#include "common/round/participant.h"
#include "common/round/upload_send.h"

typedef enum fl_member_phase {
    FL_MEMBER_NONE,
    FL_MEMBER_FETCHING,
    FL_MEMBER_WORKING,
    FL_MEMBER_MASKING, // the host has answered; the masked upload is not there yet
    FL_MEMBER_OFFERED,
    FL_MEMBER_SENDING,
    FL_MEMBER_SENT,
    FL_MEMBER_DECLINED,
    FL_MEMBER_PHASES
} fl_member_phase;

struct fl_member {
    fl_member_conf conf;
    fl_joining joining;
    fl_run run;
    fl_welcome seat; // its certificate view is not kept
    fl_hash model;   // held here
    fl_member_phase phase;
    fl_task task;
    fl_time due;
    fl_fetch_state fetch;
    fl_push push;
    uint32_t exposed; // first attempt for which all of it was sent; 0 = never
    fl_reason declined;
    char declined_text[FL_TEXT_MAX];
    fl_verdict verdict;
    bool verdict_new;
    fl_doing doing;
    fl_masking_member *masking; // NULL: without
    fl_node parent;             // as certified, of a member with `masking`
    fl_role parent_role;
    fl_time masking_until; // when its half of the round in hand ends at the latest
    bool spent;            // the update in hand was masked
    bool mask_answered;    // MASKED of the round in hand came
    bool mask_stale;       // one of a round that is over has still to come
    fl_event held;         // SAVED that waits for it; its token is 0 when there is none
};

void fl_member_enter(fl_member *self, fl_member_phase next);
void fl_member_note(fl_member *self, fl_note_id id, fl_reason reason, uint64_t a, uint64_t b,
                    fl_outbox *out);

//  Give the connection up; HELLO on a new one after the backoff.
void fl_member_lose(fl_member *self, fl_reason reason, fl_time now, fl_outbox *out);
//  HELLO on the connection at hand.
void fl_member_hello(fl_member *self, fl_time now, fl_outbox *out);

//  A contribution is on offer, in whatever state of sending.
bool fl_member_offering(const fl_member *self);
//  Say CONTRIB (again), if joined.
void fl_member_announce(fl_member *self, fl_outbox *out);
//  Offer the same bytes from their start: to a new attempt, on a new seat.
void fl_member_offer_anew(fl_member *self, fl_outbox *out);
//  What became of a turn of pushing.
void fl_member_pushed(fl_member *self, fl_push_state state, fl_outbox *out);
//  The task is declined; nothing is said yet.
void fl_member_turn_down(fl_member *self, fl_reason reason, const char *text);
//  Say (again) why the task is declined, if joined.
void fl_member_decline_again(fl_member *self, fl_outbox *out);
//  End the task, if there is one: free what was offered, keep the verdict for the host.
void fl_member_end(fl_member *self, fl_outcome outcome, fl_reason reason, bool certain,
                   fl_outbox *out);
//  A message of the parent.
void fl_member_hear(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out);

// ---- masking; all of it changes nothing for a member that is not configured for it --------------
//  The task in hand asks for masks.
bool fl_member_masks(const fl_member *self);
//  WELCOME shows who the parent is. False: it does not, and the connection is given up.
bool fl_member_masking_welcome(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out);
//  The task in hand is new. FL_WHY_NONE, or why we take no part; its plan is proved in any case.
FL_CHECKED fl_reason fl_member_masking_begin(fl_member *self, fl_time now, fl_outbox *out);
//  Its TASK came again. False: it was another one, and our part is over.
bool fl_member_masking_repeat(fl_member *self, const fl_task *task, fl_time now, fl_outbox *out);
//  The host's answer to a masked task.
void fl_member_masking_offer(fl_member *self, const fl_offer *offer, fl_time now, fl_outbox *out);
//  ROSTER, DEALT, MASKSET, SURVIVORS, ACKS.
void fl_member_masking_hear(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out);
//  The parent refuses a step of ours: it has left us out.
void fl_member_masking_refused(fl_member *self, const fl_message *message, fl_outbox *out);
void fl_member_masking_saved(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out);
void fl_member_masking_masked(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out);
//  On a new seat: say the last word again.
void fl_member_masking_again(fl_member *self, fl_time now, fl_outbox *out);
void fl_member_masking_tick(fl_member *self, fl_time now, fl_outbox *out);
fl_time fl_member_masking_deadline(const fl_member *self);
//  The task is over, or declined: secrets are wiped.
void fl_member_masking_end(fl_member *self, fl_reason reason, fl_outbox *out);

#endif
