//  queries - answers the operator's questions that every tier has: status from the machine, report,
//  rounds and export from the ledger, of the run in hand or of another one: `[run:NAME] NUMBER`.
//  What blocks for the disk goes through the store's strand. Reactor's thread.
#ifndef FL_ADMIN_QUERIES_H
#define FL_ADMIN_QUERIES_H

#include "common/admin/status_json.h"
#include "common/runtime/node.h"
#include "common/store/checkpoint.h"

typedef struct fl_queries fl_queries;

//  Every pointer is borrowed.
typedef struct fl_queries_conf {
    fl_node *node;
    fl_ledger *ledger;           // NULL: keeps none (a device)
    fl_checkpoints *checkpoints; // NULL: keeps no models (below the root)
    //  Fill in what the tier knows; the node's share is set already.
    void (*fill)(void *self, fl_status_input *input);
    void *self;
} fl_queries_conf;

//  The caller owns the result. NULL when out of memory.
fl_queries *fl_queries_new(const fl_queries_conf *conf);
//  After the worker pool has ended.
void fl_queries_destroy(fl_queries **self_p);

//  False: not a question that is answered here.
bool fl_queries_ask(fl_queries *self, uint32_t ticket, const fl_ask *ask);

//  Run `work` on the store's strand, then `then` (may be NULL) here, then answer the ticket with
//  what they left in the question. Takes the reference `made`.
enum { FL_QUERIES_RUN_BYTES = 40 };
typedef struct fl_question {
    fl_queries *queries;
    uint32_t ticket;
    uint8_t code;
    fl_blob *json;
    fl_run run;
    char which[FL_QUERIES_RUN_BYTES]; // the run that was asked for: number, name or id; "": none
    uint64_t number;                  // the argument: a round
    uint64_t before, limit; // and of `rounds`: the end of the page, and its length; 0: no bound
    bool best;              // or the best one
    fl_name node;           // or a node
    uint8_t id[16];         // or a token
    void *self;             // of whoever asks
    fl_blob *made;          // by `work`, for `then`; given back here
    void (*work)(struct fl_question *question);
    void (*of_run)(struct fl_question *question); // of queries.c itself: once the run is found
    void (*then)(struct fl_question *question);
} fl_question;
void fl_queries_put(fl_queries *self, const fl_question *question);
//  Answer at once: code 0 and `text`, or an error.
void fl_queries_say(fl_queries *self, uint32_t ticket, uint8_t code, const char *text);

#endif
