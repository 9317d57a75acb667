//  queries - answers the operator's questions that every tier has: status from the machine, report,
//  rounds and export from the ledger. What blocks for the disk goes through the store's strand.
//  Reactor's thread.
#ifndef FL_ADMIN_QUERIES_H
#define FL_ADMIN_QUERIES_H

#include "common/runtime/node.h"
#include "common/admin/status_json.h"
#include "common/store/checkpoint.h"

typedef struct fl_desk fl_desk;

//  Every pointer is borrowed.
typedef struct fl_desk_conf {
    fl_station *station;
    fl_ledger *ledger;           // NULL: keeps none (a device)
    fl_checkpoints *checkpoints; // NULL: keeps no models (below the root)
    //  Fill in what the tier knows; the station's share is set already.
    void (*fill)(void *self, fl_view_input *input);
    void *self;
} fl_desk_conf;

//  The caller owns the result. NULL when out of memory.
fl_desk *fl_desk_new(const fl_desk_conf *conf);
//  After the crew has ended.
void fl_desk_destroy(fl_desk **self_p);

//  False: not a question of this desk.
bool fl_desk_ask(fl_desk *self, uint32_t ticket, const fl_ask *ask);

//  Run `work` on the store's strand, then answer the ticket with what it left in the question.
typedef struct fl_question {
    fl_desk *desk;
    uint32_t ticket;
    uint8_t code;
    fl_blob *json;
    fl_run run;
    uint64_t number;             // the argument: a round
    fl_node node;                // or a node
    void *self;                  // of whoever asks
    void (*work)(struct fl_question *question);
} fl_question;
void fl_desk_put(fl_desk *self, const fl_question *question);
//  Answer at once: code 0 and `text`, or an error.
void fl_desk_say(fl_desk *self, uint32_t ticket, uint8_t code, const char *text);

#endif
