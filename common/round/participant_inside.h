//  participant_inside - the participant's struct and what its files share: participant.c keeps its
//  promises over time, member_parent.c hears what the parent says, member_masking.c has what is
//  different when the task is masked. For these files only.
#ifndef FL_ROUND_PARTICIPANT_INSIDE_H
#define FL_ROUND_PARTICIPANT_INSIDE_H

#include "common/round/model_fetch.h"
#include "common/round/participant.h"
#include "common/round/session.h"
#include "common/round/upload_send.h"

typedef enum fl_participant_phase {
    FL_PARTICIPANT_NONE,
    FL_PARTICIPANT_FETCHING,
    FL_PARTICIPANT_WORKING,
    FL_PARTICIPANT_MASKING, // the host has answered; the masked upload is not there yet
    FL_PARTICIPANT_OFFERED,
    FL_PARTICIPANT_SENDING,
    FL_PARTICIPANT_SENT,
    FL_PARTICIPANT_DECLINED,
    FL_PARTICIPANT_PHASES
} fl_participant_phase;

struct fl_participant {
    fl_participant_conf conf;
    fl_session joining;
    fl_run run;
    fl_welcome seat; // its certificate view is not kept
    fl_hash model;   // held here
    fl_participant_phase phase;
    fl_task task;
    fl_time due;
    fl_model_fetch fetch;
    fl_upload_send push;
    uint32_t exposed; // first attempt for which all of it was sent; 0 = never
    fl_reason declined;
    char declined_text[FL_TEXT_MAX];
    fl_verdict verdict;
    bool verdict_new;
    fl_doing doing;
    fl_secagg_client *masking; // NULL: without
    fl_name parent;            // as certified, of a participant with `masking`
    fl_role parent_role;
    fl_time masking_until; // when its half of the round in hand ends at the latest
    bool spent;            // the update in hand was masked
    bool mask_answered;    // MASKED of the round in hand came
    bool mask_stale;       // one of a round that is over has still to come
    fl_event held;         // SAVED that waits for it; its token is 0 when there is none
};

void fl_participant_enter(fl_participant *self, fl_participant_phase next);
void fl_participant_note(fl_participant *self, fl_note_id id, fl_reason reason, uint64_t a,
                         uint64_t b, fl_outbox *out);

//  Give the connection up; HELLO on a new one after the backoff.
void fl_participant_lose(fl_participant *self, fl_reason reason, fl_time now, fl_outbox *out);
//  HELLO on the connection at hand.
void fl_participant_hello(fl_participant *self, fl_time now, fl_outbox *out);

//  A contribution is on offer, in whatever state of sending.
bool fl_participant_offering(const fl_participant *self);
//  Say CONTRIB (again), if joined.
void fl_participant_announce(fl_participant *self, fl_outbox *out);
//  Offer the same bytes from their start: to a new attempt, on a new seat.
void fl_participant_offer_anew(fl_participant *self, fl_outbox *out);
//  What became of a turn of pushing.
void fl_participant_pushed(fl_participant *self, fl_upload_send_state state, fl_outbox *out);
//  The task is declined; nothing is said yet.
void fl_participant_turn_down(fl_participant *self, fl_reason reason, const char *text);
//  Say (again) why the task is declined, if joined.
void fl_participant_decline_again(fl_participant *self, fl_outbox *out);
//  End the task, if there is one: free what was offered, keep the verdict for the host.
void fl_participant_end(fl_participant *self, fl_outcome outcome, fl_reason reason, bool certain,
                        fl_outbox *out);
//  A message of the parent.
void fl_participant_hear(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out);

// ---- masking; all of it changes nothing for a participant that is not configured for it
// --------------
//  The task in hand asks for masks.
bool fl_participant_masks(const fl_participant *self);
//  WELCOME shows who the parent is. False: it does not, and the connection is given up.
bool fl_participant_masking_welcome(fl_participant *self, const fl_event *event, fl_time now,
                                    fl_outbox *out);
//  The task in hand is new. FL_WHY_NONE, or why we take no part; its plan is proved in any case.
FL_CHECKED fl_reason fl_participant_masking_begin(fl_participant *self, fl_time now,
                                                  fl_outbox *out);
//  Its TASK came again. False: it was another one, and our part is over.
bool fl_participant_masking_repeat(fl_participant *self, const fl_task *task, fl_time now,
                                   fl_outbox *out);
//  The host's answer to a masked task.
void fl_participant_masking_offer(fl_participant *self, const fl_offer *offer, fl_time now,
                                  fl_outbox *out);
//  ROSTER, DEALT, MASKSET, SURVIVORS, ACKS.
void fl_participant_masking_hear(fl_participant *self, const fl_event *event, fl_time now,
                                 fl_outbox *out);
//  The parent refuses a step of ours: it has left us out.
void fl_participant_masking_refused(fl_participant *self, const fl_message *message,
                                    fl_outbox *out);
void fl_participant_masking_saved(fl_participant *self, const fl_event *event, fl_time now,
                                  fl_outbox *out);
void fl_participant_masking_masked(fl_participant *self, const fl_event *event, fl_time now,
                                   fl_outbox *out);
//  On a new seat: say the last word again.
void fl_participant_masking_again(fl_participant *self, fl_time now, fl_outbox *out);
void fl_participant_masking_tick(fl_participant *self, fl_time now, fl_outbox *out);
fl_time fl_participant_masking_deadline(const fl_participant *self);
//  The task is over, or declined: secrets are wiped.
void fl_participant_masking_end(fl_participant *self, fl_reason reason, fl_outbox *out);

#endif
