#include "common/net/worker_pool.h"

#include "tests/support/unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_MS = 20000 };

//  A gate that jobs wait at until the test opens it.
typedef struct barrier {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned arrived;
    bool open;
} barrier;

static void
s_barrier_init(barrier *self)
{
    *self = (barrier){ .arrived = 0 };
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
}

static void
s_barrier_pass(void *arg)
{
    barrier *self = arg;
    pthread_mutex_lock(&self->lock);
    self->arrived++;
    pthread_cond_broadcast(&self->changed);
    while (!self->open) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

static void
s_barrier_await(barrier *self, unsigned count)
{
    pthread_mutex_lock(&self->lock);
    while (self->arrived < count) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

static void
s_barrier_open(barrier *self)
{
    pthread_mutex_lock(&self->lock);
    self->open = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void
s_barrier_release(barrier *self)
{
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
}

static void
s_nothing(void *arg, bool ran)
{
    (void)arg;
    (void)ran;
}

static void
s_wait_readable(fl_workers *workers)
{
    struct pollfd item = { .fd = fl_workers_fd(workers), .events = POLLIN };
    assert_int_equal(poll(&item, 1, LONG_MS), 1);
}

// ---- order ------------------------------------------------------------------------------------
enum { STRANDS = 5, JOBS = 4000 };

typedef struct strand {
    unsigned next; // unguarded on purpose: one job of a strand at a time
    unsigned busy;
    bool broken;
} strand;

typedef struct step {
    strand *on;
    unsigned number;
} step;

static unsigned done_count;

static void
s_take_step(void *arg)
{
    step *self = arg;
    strand *on = self->on;
    on->busy++;
    if (on->busy != 1 || on->next != self->number) {
        on->broken = true;
    }
    on->next++;
    on->busy--;
}

static void
s_count_done(void *arg, bool ran)
{
    (void)arg;
    assert_true(ran);
    done_count++;
}

static void
jobs_of_a_strand_run_in_order_and_one_at_a_time(void **state)
{
    (void)state;
    fl_workers *workers = fl_workers_new(4, 64, NULL);
    strand strands[STRANDS];
    step *steps = calloc(JOBS, sizeof *steps);
    assert_non_null(steps);
    memset(strands, 0, sizeof strands);
    done_count = 0;
    for (unsigned i = 0; i < JOBS; i++) {
        steps[i] = (step){ .on = &strands[i % STRANDS], .number = i / STRANDS };
        const fl_job job = { i % STRANDS + 1, s_take_step, s_count_done, &steps[i] };
        while (fl_workers_add(workers, &job) == FL_FULL) {
            s_wait_readable(workers);
            fl_workers_collect(workers);
        }
    }
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    fl_workers_collect(workers);
    assert_int_equal(done_count, JOBS);
    for (unsigned i = 0; i < STRANDS; i++) {
        assert_false(strands[i].broken);
        assert_int_equal(strands[i].next, JOBS / STRANDS);
    }
    fl_workers_destroy(&workers);
    assert_null(workers);
    free(steps);
}

static void
a_busy_strand_does_not_hold_up_another(void **state)
{
    (void)state;
    barrier held, free_one;
    s_barrier_init(&held);
    s_barrier_init(&free_one);
    s_barrier_open(&free_one);
    fl_workers *workers = fl_workers_new(2, 8, NULL);
    assert_int_equal(fl_workers_add(workers, &(fl_job){ 1, s_barrier_pass, s_nothing, &held }),
                     FL_OK);
    s_barrier_await(&held, 1);
    assert_int_equal(fl_workers_add(workers, &(fl_job){ 1, s_barrier_pass, s_nothing, &held }),
                     FL_OK);
    assert_int_equal(fl_workers_add(workers, &(fl_job){ 2, s_barrier_pass, s_nothing, &free_one }),
                     FL_OK);
    s_barrier_await(&free_one, 1); // while the first of strand 1 is still inside
    assert_int_equal(held.arrived, 1);
    s_barrier_open(&held);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    assert_int_equal(held.arrived, 2);
    fl_workers_destroy(&workers);
    s_barrier_release(&held);
    s_barrier_release(&free_one);
}

static void
jobs_without_a_strand_run_side_by_side(void **state)
{
    (void)state;
    barrier both;
    s_barrier_init(&both);
    fl_workers *workers = fl_workers_new(2, 8, NULL);
    const fl_job job = { FL_WORKERS_FREE, s_barrier_pass, s_nothing, &both };
    assert_int_equal(fl_workers_add(workers, &job), FL_OK);
    assert_int_equal(fl_workers_add(workers, &job), FL_OK);
    s_barrier_await(&both, 2); // returns only if both are inside
    s_barrier_open(&both);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    fl_workers_destroy(&workers);
    s_barrier_release(&both);
}

// ---- bounds and ends --------------------------------------------------------------------------
static void
a_full_queue_says_so_until_somebody_collects(void **state)
{
    (void)state;
    barrier opened;
    s_barrier_init(&opened);
    s_barrier_open(&opened);
    fl_workers *workers = fl_workers_new(1, 1, NULL);
    const fl_job job = { FL_WORKERS_FREE, s_barrier_pass, s_nothing, &opened };
    assert_int_equal(fl_workers_add(workers, &job), FL_OK);
    assert_int_equal(fl_workers_add(workers, &job), FL_FULL);
    s_wait_readable(workers);
    assert_int_equal(fl_workers_add(workers, &job), FL_FULL); // finished, not yet collected
    assert_int_equal(fl_workers_collect(workers), 1);
    assert_int_equal(fl_workers_collect(workers), 0);
    assert_int_equal(fl_workers_add(workers, &job), FL_OK);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    assert_int_equal(fl_workers_add(workers, &job), FL_DENIED);
    fl_workers_destroy(&workers);
    s_barrier_release(&opened);
}

typedef struct fate {
    bool told, ran;
} fate;

static void
s_note_fate(void *arg, bool ran)
{
    *(fate *)arg = (fate){ .told = true, .ran = ran };
}

static void
s_idle(void *arg)
{
    (void)arg;
}

typedef struct pair {
    barrier *held;
    fate fate;
} pair;

static void
s_pass_pair(void *arg)
{
    s_barrier_pass(((pair *)arg)->held);
}

static void
s_note_pair(void *arg, bool ran)
{
    s_note_fate(&((pair *)arg)->fate, ran);
}

static void
cancelling_drops_what_waits_and_finishes_what_runs(void **state)
{
    (void)state;
    barrier held;
    s_barrier_init(&held);
    pair running = { .held = &held };
    fate waiting = { .told = false };
    fl_workers *workers = fl_workers_new(1, 4, NULL);
    assert_int_equal(fl_workers_add(workers, &(fl_job){ 0, s_pass_pair, s_note_pair, &running }),
                     FL_OK);
    s_barrier_await(&held, 1);
    assert_int_equal(fl_workers_add(workers, &(fl_job){ 0, s_idle, s_note_fate, &waiting }), FL_OK);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_CANCEL, 1),
                     FL_BUSY); // one job will not end
    s_barrier_open(&held);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_CANCEL, LONG_MS), FL_OK);
    assert_int_equal(fl_workers_collect(workers), 2);
    assert_true(running.fate.told && running.fate.ran);
    assert_true(waiting.told && !waiting.ran);
    fl_workers_destroy(&workers);
    s_barrier_release(&held);
}

static void
stopping_twice_and_destroying_nothing_are_fine(void **state)
{
    (void)state;
    fl_workers *workers = fl_workers_new(3, 4, NULL);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    fl_workers_destroy(&workers);
    fl_workers_destroy(&workers);
}

typedef struct chain {
    fl_workers *workers;
    unsigned left;
} chain;

static void
s_add_next(void *arg, bool ran)
{
    chain *self = arg;
    assert_true(ran);
    if (--self->left > 0) {
        assert_int_equal(fl_workers_add(self->workers, &(fl_job){ 1, s_idle, s_add_next, self }),
                         FL_OK);
    }
}

static void
a_finished_job_may_add_the_next_one(void **state)
{
    (void)state;
    chain links = { .left = 20 };
    links.workers = fl_workers_new(2, 1, NULL); // room for one: its place is free again in `done`
    assert_int_equal(fl_workers_add(links.workers, &(fl_job){ 1, s_idle, s_add_next, &links }),
                     FL_OK);
    while (links.left > 0) {
        s_wait_readable(links.workers);
        fl_workers_collect(links.workers);
    }
    assert_int_equal(fl_workers_stop(links.workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    fl_workers_destroy(&links.workers);
}

// ---- shared parts -----------------------------------------------------------------------------
enum { PARTS = 1000 };

//  A job whose parts count how often each was done; `meet` of them wait for each other.
typedef struct shared {
    fl_workers *workers;
    atomic_uint done[PARTS];
    unsigned parts, meet;
    bool whole; // all parts were done when `share` returned
    barrier gate;
} shared;

static void
s_do_part(void *arg, uint32_t part)
{
    shared *self = arg;
    atomic_fetch_add(&self->done[part], 1);
    if (part < self->meet) {
        s_barrier_pass(&self->gate);
    }
}

static void
s_share(void *arg)
{
    shared *self = arg;
    fl_workers_share(self->workers, self->parts, s_do_part, self);
    self->whole = true;
    for (unsigned i = 0; i < self->parts; i++) {
        self->whole = self->whole && atomic_load(&self->done[i]) == 1;
    }
}

static void
s_end_crew(fl_workers *workers)
{
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, LONG_MS), FL_OK);
    fl_workers_destroy(&workers);
}

static void
the_parts_of_a_shared_job_are_done_once_each_before_it_goes_on(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        static shared jobs[3];
        memset(jobs, 0, sizeof jobs);
        fl_workers *workers = fl_workers_new(threads, 8, NULL);
        for (unsigned i = 0; i < 3; i++) { // three that share at the same time, one without parts
            jobs[i].workers = workers;
            jobs[i].parts = i == 2 ? 0 : PARTS;
            assert_int_equal(fl_workers_add(workers, &(fl_job){ i, s_share, s_nothing, &jobs[i] }),
                             FL_OK);
        }
        s_end_crew(workers); // sharing ends too when the workers is to stop
        assert_true(jobs[0].whole && jobs[1].whole && jobs[2].whole);
    }
}

static void
an_idle_worker_takes_parts_and_a_busy_one_does_not(void **state)
{
    (void)state;
    static shared job;
    barrier busy;
    s_barrier_init(&busy);
    s_barrier_init(&job.gate);
    job.workers = fl_workers_new(3, 8, NULL);
    job.parts = PARTS;
    job.meet = 2; // two workers must be in it at once, or this hangs
    assert_int_equal(fl_workers_add(job.workers, &(fl_job){ 1, s_barrier_pass, s_nothing, &busy }),
                     FL_OK);
    s_barrier_await(&busy, 1);
    assert_int_equal(fl_workers_add(job.workers, &(fl_job){ 2, s_share, s_nothing, &job }), FL_OK);
    s_barrier_await(&job.gate, 2);
    s_barrier_open(&job.gate);
    s_wait_readable(job.workers); // it ends while one worker is still busy
    assert_int_equal(fl_workers_collect(job.workers), 1);
    assert_true(job.whole);
    s_barrier_open(&busy);
    s_end_crew(job.workers);
    s_barrier_release(&busy);
    s_barrier_release(&job.gate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_of_a_strand_run_in_order_and_one_at_a_time),
        cmocka_unit_test(a_busy_strand_does_not_hold_up_another),
        cmocka_unit_test(jobs_without_a_strand_run_side_by_side),
        cmocka_unit_test(a_full_queue_says_so_until_somebody_collects),
        cmocka_unit_test(cancelling_drops_what_waits_and_finishes_what_runs),
        cmocka_unit_test(stopping_twice_and_destroying_nothing_are_fine),
        cmocka_unit_test(a_finished_job_may_add_the_next_one),
        cmocka_unit_test(the_parts_of_a_shared_job_are_done_once_each_before_it_goes_on),
        cmocka_unit_test(an_idle_worker_takes_parts_and_a_busy_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
