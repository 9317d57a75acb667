//  The queue of a root, with a ledger and models on disk, workers, a machine, and a node that is
//  the test's own: whatever cannot be posted, hired or stored is tried again, and shown meanwhile.
#include "cloud/runs.h"

#include "cloud/settings.h"
#include "common/machine/outbox.h"
#include "common/runtime/settings.h"
#include "tests/support/unit.h"

#include "tests/support/ledger.h"
#include "tests/support/node.h"

enum { RETRY_MS = 5000 };

// ---- the rest of the node ---------------------------------------------------------------------
static fl_time now;
static bool crowded;    // no event can be posted
static fl_event posted; // the newest, not yet stepped; FL_EV_TICK: none
static fl_handles *handles;

fl_time
fl_node_now(const fl_node *self)
{
    (void)self;
    return now;
}

fl_handles *
fl_node_handles(fl_node *self)
{
    (void)self;
    return handles;
}

fl_status
fl_node_post(fl_node *self, const fl_event *event)
{
    (void)self;
    posted = crowded ? posted : *event;
    return crowded ? FL_FULL : FL_OK;
}

// ---- a queue ----------------------------------------------------------------------------------
static fl_checkpoints *checkpoints;
static fl_conf *settings;
static fl_tracks *machine;
static fl_runs *queue;

static void
make(uint32_t jobs)
{
    static const char text_of[] = "state: /tmp\nauthority: /tmp\n";
    const fl_bytes bytes = fl_bytes_of(text_of, sizeof text_of - 1);
    now = 0;
    crowded = false;
    posted = (fl_event){ .kind = FL_EV_TICK };
    handles = fl_handles_new();
    workers = fl_workers_new(1, jobs, &why);
    assert_int_equal(fl_checkpoints_open(place_of("models"), ledger, &checkpoints, &why), FL_OK);
    assert_int_equal(fl_conf_of_text(&fl_root_program, "root", bytes, NULL, 0, &settings, &why),
                     FL_OK);
    fl_runs_conf conf = {
        .most = 2,
        .memory = 1 << 20,
        .live = { .ledger = ledger, .checkpoints = checkpoints, .root = settings },
        .shared.aggregator = fl_settings_aggregator(settings, NULL)
    };
    machine = fl_tracks_new(&conf.shared);
    conf.machine = machine;
    queue = fl_runs_new(&conf);
    assert_true(handles != NULL && workers != NULL && machine != NULL && queue != NULL);
}

static int
end(void **state)
{
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, STATION_WAIT_MS), FL_OK);
    fl_workers_destroy(&workers);
    fl_runs_destroy(&queue);
    fl_tracks_destroy(&machine);
    fl_handles_destroy(&handles);
    fl_checkpoints_close(&checkpoints);
    fl_conf_destroy(&settings);
    return ledger_end(state);
}

static void
submit_as(uint8_t number_of)
{
    char recipe[100];
    const int size = snprintf(recipe, sizeof recipe,
                              "model.elements: 10\nmasking: unmasked\nround.on: d%u\n", number_of);
    const fl_ledger_run row = { .run = number_of == 1 ? run : (fl_run){ { number_of } },
                                .name = { (char)('a' + number_of) } };
    uint64_t number;
    assert_int_equal(
        fl_ledger_run_submit(ledger, &row, fl_bytes_of(recipe, (size_t)size), &number, &why),
        FL_OK);
}

//  One job is done, and what it leads to.
static void
collect(void)
{
    struct pollfd ready = { .fd = fl_workers_fd(workers), .events = POLLIN };
    assert_int_equal(poll(&ready, 1, STATION_WAIT_MS), 1);
    (void)fl_workers_collect(workers);
}

static unsigned markers;

static void
nothing(void *arg)
{
    (void)arg;
}

static void
mark(void *arg, bool ran)
{
    (void)arg;
    markers += ran;
}

static const fl_job filler = { .work = nothing, .done = mark };

//  Every job is done, and those that followed from them.
static void
settle(void)
{
    for (int i = 0; i < 3; i++) {
        while (fl_workers_add(workers, &filler) != FL_OK) {
            collect();
        }
        for (markers = 0; markers == 0;) {
            collect();
        }
    }
}

static void
turn(fl_time later)
{
    now += later;
    fl_runs_turn(queue, now);
}

//  The machine gets the newest event.
static void
step(void)
{
    fl_outbox *out = fl_outbox_new(64);
    const fl_machine it = fl_tracks_machine(machine);
    it.step(it.self, &posted, now, out);
    posted = (fl_event){ .kind = FL_EV_TICK };
    fl_outbox_destroy(&out);
}

static fl_ledger_run
stored(void)
{
    fl_ledger_run row;
    assert_int_equal(fl_ledger_run_find(ledger, "b", &row, &why), FL_OK);
    return row;
}

//  The run has its turn, after `crowd` when nothing can be posted in the first one.
static void
begin(uint32_t jobs, bool crowd)
{
    make(jobs);
    submit_as(1);
    crowded = crowd;
    fl_runs_wake(queue);
    settle();
    crowded = false;
    assert_int_equal(fl_runs_trouble(queue, 0), crowd ? FL_WHY_STORAGE : FL_WHY_NONE);
    turn(RETRY_MS - 1);
    assert_int_equal(posted.kind, crowd ? FL_EV_TICK : FL_EV_START);
    turn(1);
    settle();
    step();
    assert_int_equal(fl_root_look(fl_tracks_root(machine, 0), now).phase, FL_ROOT_WAITING);
    assert_int_equal(fl_runs_trouble(queue, 0), FL_WHY_NONE);
}

//  It was stopped, and the ledger did not take that at once.
static void
ends_later(void)
{
    assert_int_equal(stored().state, FL_RUN_RUNNING);
    assert_int_equal(fl_runs_trouble(queue, 0), FL_WHY_STORAGE);
    turn(RETRY_MS);
    settle();
    assert_int_equal(stored().reason, FL_WHY_STOPPED);
    assert_int_equal(fl_runs_trouble(queue, 0), FL_WHY_NONE);
}

static void
what_cannot_be_posted_is_given_to_the_machine_later(void **state)
{
    (void)state;
    begin(4, true);
    crowded = true;
    fl_runs_told(queue, &run, true);
    turn(1);
    crowded = false;
    assert_int_equal(posted.kind, FL_EV_TICK);
    turn(1);
    assert_int_equal(posted.run.order, FL_RUN_STOP);
    step();
    turn(1);
    settle();
    assert_int_equal(stored().reason, FL_WHY_STOPPED);
    turn(1);
    assert_int_equal(posted.kind, FL_EV_TICK); // once is enough
}

static void
what_finds_no_room_among_the_jobs_is_done_later(void **state)
{
    (void)state;
    begin(1, false);
    assert_int_equal(fl_workers_add(workers, &filler), FL_OK);
    fl_runs_told(queue, &run, true);
    step();
    turn(1);
    collect();
    ends_later();
    submit_as(2); // and the look for the next one
    assert_int_equal(fl_workers_add(workers, &filler), FL_OK);
    fl_runs_wake(queue);
    collect();
    for (int i = 0; i < 2; i++) { // it is looked for, then it has its turn
        turn(RETRY_MS);
        settle();
    }
    assert_int_equal(posted.kind, FL_EV_START);
}

static void
an_end_that_cannot_be_stored_is_stored_later(void **state)
{
    (void)state;
    begin(4, false);
    ledger_sql("ALTER TABLE event RENAME TO away");
    fl_runs_told(queue, &run, true);
    step();
    turn(1);
    settle();
    ledger_sql("ALTER TABLE away RENAME TO event");
    ends_later();
}

static void
trouble_on_one_track_leaves_the_run_of_the_other_alone(void **state)
{
    (void)state;
    fl_run_waiting waiting[FL_WAITING_MAX];
    begin(4, false);
    submit_as(2);
    crowded = true;
    fl_runs_wake(queue);
    settle();
    assert_int_equal(fl_runs_trouble(queue, 0), FL_WHY_NONE);
    assert_int_equal(fl_runs_trouble(queue, 1), FL_WHY_STORAGE);
    assert_int_equal(fl_runs_waiting(queue, waiting), 2);
    assert_true(fl_run_equal(&waiting[0].run, &run));
    assert_int_equal(waiting[0].trouble, FL_WHY_NONE);
    assert_string_equal(waiting[0].text, "it waits for d1");
    assert_true(waiting[1].run.bytes[0] == 2 && waiting[1].trouble == FL_WHY_STORAGE);
    crowded = false;
    turn(RETRY_MS);
    settle();
    assert_int_equal(posted.kind, FL_EV_START);
    assert_int_equal(posted.track, 1);
    assert_int_equal(fl_runs_trouble(queue, 1), FL_WHY_NONE);
}

#define TEST(name) unit_case(name, ledger_begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_posted_is_given_to_the_machine_later),
        TEST(what_finds_no_room_among_the_jobs_is_done_later),
        TEST(trouble_on_one_track_leaves_the_run_of_the_other_alone),
        TEST(an_end_that_cannot_be_stored_is_stored_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
