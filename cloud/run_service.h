//  run_service - the operator's questions about runs, answered in a running root: files that are
//  put, runs that are submitted, listed, watched, paused, resumed, stopped and changed. The ledger
//  and the files on the store's strand; the root hears of it on the reactor's thread, and the
//  operator is answered, once it is durable.
#ifndef FL_CLOUD_RUN_SERVICE_H
#define FL_CLOUD_RUN_SERVICE_H

#include "common/admin/queries.h"
#include "common/base/limits.h"
#include "common/config/conf.h"

typedef struct fl_run_service fl_run_service;

//  Runs that wait, and what for; or that stand still for a trouble, and nobody paused them.
enum { FL_WAITING_MAX = 17 };
typedef struct fl_run_waiting {
    fl_run run;
    fl_reason trouble; // FL_WHY_NONE: it waits
    char text[FL_TEXT_MAX];
} fl_run_waiting;

//  Every pointer is borrowed.
typedef struct fl_run_service_conf {
    fl_ledger *ledger;
    fl_checkpoints *checkpoints; // where files go by hash
    fl_queries *queries;
    void *self;              // of the functions below
    //  On the store's strand: could this root do a run with these settings? May be NULL.
    fl_status (*fits)(void *self, const fl_conf *run, fl_why *why);
    //  On the reactor's thread: why runs stand still that nobody paused. May be NULL.
    fl_reason (*trouble)(void *self);
    //  On the reactor's thread; the ledger has it already. A run is in the queue; it was paused,
    //  resumed or stopped; its settings are others now (run_recipe.h has them), or its priority is.
    void (*told)(void *self, const fl_ledger_run *run);
    //  Likewise: those that wait; how many. May be NULL.
    uint32_t (*waiting)(void *self, fl_run_waiting waiting[FL_WAITING_MAX]);
} fl_run_service_conf;

//  The caller owns the result. NULL when out of memory.
fl_run_service *fl_run_service_new(const fl_run_service_conf *conf);
//  After the worker pool has ended.
void fl_run_service_destroy(fl_run_service **self_p);

//  `put HASH OFFSET TOTAL` with the bytes, `run-submit` with a JSON object, `run-list FIRST`,
//  `run-show RUN`, `run-watch SEQ RUN`, `run-set RUN` with KEY=VALUE, `run-pause RUN`, `run-resume
//  RUN`, `run-stop RUN`. False: not a question that is answered here.
bool fl_run_service_ask(fl_run_service *self, uint32_t ticket, const fl_ask *ask);

#endif
