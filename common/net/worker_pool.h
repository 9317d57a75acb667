//  worker_pool - worker threads for what is too heavy for the reactor: hashing, folding, training,
//  writing. A job is a function and its argument; it never touches a socket. Jobs of one strand
//  run in the order in which they were added, one at a time; everything else side by side.
//  `add` may be called by any thread; `collect`, `stop` and `destroy` by the owner only.
#ifndef FL_NET_WORKER_POOL_H
#define FL_NET_WORKER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct fl_workers fl_workers;

enum { FL_WORKERS_THREADS_MAX = 64, FL_WORKERS_FREE = 0 };

typedef struct fl_job {
    uint32_t strand;         // FL_WORKERS_FREE: tied to no other job
    void (*work)(void *arg); // on a worker
    //  On the thread that collects; `ran` is false when the job was cancelled before it began.
    void (*done)(void *arg, bool ran);
    void *arg;
} fl_job;

typedef enum fl_workers_end {
    FL_WORKERS_DRAIN,  // finish what was added
    FL_WORKERS_CANCEL, // finish what has begun
} fl_workers_end;

//  1..FL_WORKERS_THREADS_MAX threads, room for `jobs_max` jobs that are waiting, running or not yet
//  collected. NULL with `why` when the system gives no thread, descriptor or memory.
fl_workers *fl_workers_new(unsigned threads, uint32_t jobs_max, fl_why *why);

//  As said to `new`.
uint32_t fl_workers_jobs_max(const fl_workers *self);

//  Queue a job. FL_FULL when there is no room, FL_DENIED after `stop`.
FL_CHECKED fl_status fl_workers_add(fl_workers *self, const fl_job *job);

//  By a job, on its worker: `work` for each of the parts 0 .. parts - 1, once, by this worker and
//  by whichever worker has nothing to do. Returns when all are done; allocates nothing, never
//  fails.
void fl_workers_share(fl_workers *self, uint32_t parts, void (*work)(void *arg, uint32_t part),
                      void *arg);

//  Readable while finished jobs wait for `collect`.
int fl_workers_fd(const fl_workers *self);

//  Call `done` of every finished job, in the order in which they finished. Returns how many.
uint32_t fl_workers_collect(fl_workers *self);

//  End the workers. FL_BUSY when a job still runs after `timeout_ms`: call again, or leave the
//  process. After FL_OK every job is finished or cancelled; `collect` still hands them over.
FL_CHECKED fl_status fl_workers_stop(fl_workers *self, fl_workers_end end, uint32_t timeout_ms);

//  Only after `stop` said FL_OK. Jobs that nobody collected are forgotten.
void fl_workers_destroy(fl_workers **self_p);

#endif
