#include "common/net/worker_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

//  One mutex guards everything. A worker takes the first waiting job whose strand nobody runs:
//  the list is in order of arrival, so a strand's first waiting job is met before its second.

typedef struct node {
    fl_job job;
    bool ran;
    struct node *next;
} node;

typedef struct list {
    node *first;
    node **last; // where the next node is hooked in
} list;

//  Parts of one job that any worker may take; it lies on the stack of the worker that shares.
typedef struct share {
    void (*work)(void *arg, uint32_t part);
    void *arg;
    uint32_t parts, next, running;
    struct share *other;
} share;

struct fl_workers {
    pthread_mutex_t lock;
    pthread_cond_t work;   // something to take, or stopping
    pthread_cond_t left;   // a worker has ended
    pthread_cond_t shared; // the last part of a share has ended
    share *shares;         // with parts that nobody has taken
    list waiting;
    list finished;
    node *spare;
    node *nodes; // (jobs_max)
    uint32_t jobs_max;
    uint32_t running[FL_WORKERS_THREADS_MAX]; // strands in work, one place per worker
    pthread_t threads[FL_WORKERS_THREADS_MAX];
    unsigned thread_count;
    unsigned alive;
    bool stopping;
    bool joined;
    int wake; // eventfd
};

typedef struct start {
    fl_workers *workers;
    unsigned place;
} start;

static void
s_append(list *self, node *item)
{
    item->next = NULL;
    *self->last = item;
    self->last = &item->next;
}

static void
s_clear(list *self)
{
    self->first = NULL;
    self->last = &self->first;
}

static bool
s_strand_runs(const fl_workers *self, uint32_t strand)
{
    for (unsigned i = 0; strand != FL_WORKERS_FREE && i < self->thread_count; i++) {
        if (self->running[i] == strand) {
            return true;
        }
    }
    return false;
}

static node *
s_take(fl_workers *self)
{
    node **hook = &self->waiting.first;
    while (*hook != NULL && s_strand_runs(self, (*hook)->job.strand)) {
        hook = &(*hook)->next;
    }
    node *item = *hook;
    if (item != NULL) {
        *hook = item->next;
        if (item->next == NULL) {
            self->waiting.last = hook;
        }
    }
    return item;
}

//  One part of somebody's job. The lock is held, and given up meanwhile.
static void
s_take_part(fl_workers *self, share *from)
{
    const uint32_t part = from->next++;
    from->running++;
    if (from->next == from->parts) {
        share **hook = &self->shares;
        while (*hook != from) {
            hook = &(*hook)->other;
        }
        *hook = from->other;
    }
    pthread_mutex_unlock(&self->lock);
    from->work(from->arg, part);
    pthread_mutex_lock(&self->lock);
    from->running--;
    if (from->running == 0 && from->next == from->parts) {
        pthread_cond_broadcast(&self->shared);
    }
}

void
fl_workers_share(fl_workers *self, uint32_t parts, void (*work)(void *arg, uint32_t part),
                 void *arg)
{
    share mine = { .work = work, .arg = arg, .parts = parts };
    if (parts == 0) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    mine.other = self->shares;
    self->shares = &mine;
    pthread_cond_broadcast(&self->work);
    while (mine.next < mine.parts) {
        s_take_part(self, &mine);
    }
    while (mine.running > 0) {
        pthread_cond_wait(&self->shared, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

//  The lock is held.
static void
s_finish(fl_workers *self, node *item, bool ran)
{
    item->ran = ran;
    s_append(&self->finished, item);
    const uint64_t one = 1;
    ssize_t size = write(self->wake, &one, sizeof one);
    FL_ASSERT(size == sizeof one || errno == EAGAIN); // EAGAIN: it is readable already
}

static void *
s_worker(void *arg)
{
    start begin = *(start *)arg;
    free(arg);
    fl_workers *self = begin.workers;
    pthread_mutex_lock(&self->lock);
    while (true) {
        node *item = s_take(self);
        if (item != NULL) {
            self->running[begin.place] = item->job.strand;
            pthread_mutex_unlock(&self->lock);
            item->job.work(item->job.arg);
            pthread_mutex_lock(&self->lock);
            self->running[begin.place] = FL_WORKERS_FREE;
            s_finish(self, item, true);
            if (item->job.strand != FL_WORKERS_FREE) {
                pthread_cond_broadcast(&self->work); // the strand's next job may be taken
            }
        } else if (self->shares != NULL) {
            s_take_part(self, self->shares);
        } else if (self->stopping && self->waiting.first == NULL) {
            break;
        } else {
            pthread_cond_wait(&self->work, &self->lock);
        }
    }
    self->alive--;
    pthread_cond_broadcast(&self->work);
    pthread_cond_signal(&self->left);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

//  Workers take no signal: those are the main thread's.
static bool
s_start_workers(fl_workers *self, unsigned threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = true;
    pthread_mutex_lock(&self->lock);
    for (unsigned i = 0; ok && i < threads; i++) {
        start *begin = malloc(sizeof *begin);
        if (begin == NULL) {
            ok = false;
            break;
        }
        *begin = (start){ .workers = self, .place = i };
        ok = pthread_create(&self->threads[i], NULL, s_worker, begin) == 0;
        if (ok) {
            self->thread_count++;
            self->alive++;
        } else {
            free(begin);
        }
    }
    pthread_mutex_unlock(&self->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static void
s_init_sync(fl_workers *self)
{
    pthread_condattr_t monotonic;
    FL_ASSERT(pthread_mutex_init(&self->lock, NULL) == 0);
    FL_ASSERT(pthread_condattr_init(&monotonic) == 0);
    FL_ASSERT(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    FL_ASSERT(pthread_cond_init(&self->work, NULL) == 0);
    FL_ASSERT(pthread_cond_init(&self->shared, NULL) == 0);
    FL_ASSERT(pthread_cond_init(&self->left, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
}

fl_workers *
fl_workers_new(unsigned threads, uint32_t jobs_max, fl_why *why)
{
    FL_ASSERT(threads >= 1 && threads <= FL_WORKERS_THREADS_MAX);
    FL_ASSERT(jobs_max >= 1);
    fl_workers *self = calloc(1, sizeof *self);
    node *nodes = calloc(jobs_max, sizeof *nodes);
    int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self == NULL || nodes == NULL || wake < 0) {
        fl_why_set(why, "workers: no memory or descriptor for %u jobs", jobs_max);
        free(self);
        free(nodes);
        if (wake >= 0) {
            close(wake);
        }
        return NULL;
    }
    self->nodes = nodes;
    self->jobs_max = jobs_max;
    self->wake = wake;
    s_clear(&self->waiting);
    s_clear(&self->finished);
    for (uint32_t i = 0; i < jobs_max; i++) {
        nodes[i].next = self->spare;
        self->spare = &nodes[i];
    }
    s_init_sync(self);
    if (!s_start_workers(self, threads)) {
        fl_why_set(why, "workers: cannot start %u threads: lower the number or raise the limit",
                   threads);
        FL_ASSERT(fl_workers_stop(self, FL_WORKERS_CANCEL, UINT32_MAX) == FL_OK); // they all idle
        fl_workers_destroy(&self);
    }
    return self;
}

uint32_t
fl_workers_jobs_max(const fl_workers *self)
{
    return self->jobs_max;
}

fl_status
fl_workers_add(fl_workers *self, const fl_job *job)
{
    FL_ASSERT(job->work != NULL && job->done != NULL);
    fl_status status = FL_OK;
    pthread_mutex_lock(&self->lock);
    if (self->stopping) {
        status = FL_DENIED;
    } else if (self->spare == NULL) {
        status = FL_FULL;
    } else {
        node *item = self->spare;
        self->spare = item->next;
        item->job = *job;
        s_append(&self->waiting, item);
        pthread_cond_signal(&self->work);
    }
    pthread_mutex_unlock(&self->lock);
    return status;
}

int
fl_workers_fd(const fl_workers *self)
{
    return self->wake;
}

uint32_t
fl_workers_collect(fl_workers *self)
{
    uint64_t count = 0;
    ssize_t size = read(self->wake, &count, sizeof count);
    FL_ASSERT(size == sizeof count || errno == EAGAIN);
    pthread_mutex_lock(&self->lock);
    node *item = self->finished.first;
    s_clear(&self->finished);
    pthread_mutex_unlock(&self->lock);
    uint32_t collected = 0;
    while (item != NULL) {
        node *next = item->next;
        const fl_job job = item->job;
        const bool ran = item->ran;
        pthread_mutex_lock(&self->lock);
        item->next = self->spare; // before `done`, which may add the next job
        self->spare = item;
        pthread_mutex_unlock(&self->lock);
        job.done(job.arg, ran);
        collected++;
        item = next;
    }
    return collected;
}

static struct timespec
s_after(uint32_t timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(timeout_ms / 1000);
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

fl_status
fl_workers_stop(fl_workers *self, fl_workers_end end, uint32_t timeout_ms)
{
    const struct timespec until = s_after(timeout_ms);
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    while (end == FL_WORKERS_CANCEL && self->waiting.first != NULL) {
        node *item = self->waiting.first;
        self->waiting.first = item->next;
        s_finish(self, item, false);
    }
    if (end == FL_WORKERS_CANCEL) {
        s_clear(&self->waiting);
    }
    pthread_cond_broadcast(&self->work);
    int rc = 0;
    while (self->alive > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&self->left, &self->lock, &until);
    }
    const bool ended = self->alive == 0;
    const bool join = ended && !self->joined;
    self->joined = ended;
    pthread_mutex_unlock(&self->lock);
    for (unsigned i = 0; join && i < self->thread_count; i++) {
        pthread_join(self->threads[i], NULL); // it has left its loop: returns at once
    }
    return ended ? FL_OK : FL_BUSY;
}

void
fl_workers_destroy(fl_workers **self_p)
{
    fl_workers *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    FL_ASSERT(self->joined);
    close(self->wake);
    pthread_cond_destroy(&self->left);
    pthread_cond_destroy(&self->work);
    pthread_cond_destroy(&self->shared);
    pthread_mutex_destroy(&self->lock);
    free(self->nodes);
    free(self);
}
