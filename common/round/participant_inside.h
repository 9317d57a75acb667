//  participant_inside - the struct of participant.c, for it and for the tests that look inside:
//  its phase. Nobody else includes it.
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
    FL_PARTICIPANT_MASKING, // answered; the masked upload is not there yet
    FL_PARTICIPANT_OFFERED,
    FL_PARTICIPANT_SENDING,
    FL_PARTICIPANT_SENT,
    FL_PARTICIPANT_DECLINED,
    FL_PARTICIPANT_PHASES
} fl_participant_phase;

struct fl_participant {
    fl_participant_conf conf;
    fl_session session;
    fl_run run;
    fl_welcome seat; // its certificate view is not kept
    fl_hash model;   // held here
    fl_participant_phase phase;
    fl_task task;
    fl_time due;
    fl_model_fetch fetch;
    fl_upload_send upload;
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
};

#endif
