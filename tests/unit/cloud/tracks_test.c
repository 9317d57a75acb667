//  Two runs at a time at a root: each child sits at the track of its run.
#include "cloud/tracks.h"

#include "tests/support/root.h"

static fl_tracks *tracks;

static int
start(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    tracks = fl_tracks_new(&conf);
    machine_it = fl_tracks_machine(tracks);
    machine_now = 0;
    return machine_setup(state);
}

static int
end(void **state)
{
    fl_tracks_destroy(&tracks);
    return machine_teardown(state);
}

//  Run number `track` + 1, limited to one device.
static void
s_begin(uint32_t track, const char *on, fl_run_order order)
{
    fl_root_conf conf = s_conf();
    conf.aggregator.on[0] = machine_node(on);
    conf.aggregator.on_count = 1;
    conf.aggregator.expect = 1;
    fl_root_assign(fl_tracks_root(tracks, track), &conf);
    fl_event event = { .kind = FL_EV_START, .track = track };
    event.start.round = 1;
    event.start.run = machine_run((uint8_t)(track + 1));
    event.start.model = machine_hash(1);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = MACHINE_ELEMENTS;
    event.start.order = order;
    machine_step(&event);
}

static fl_root_phase
s_phase(uint32_t track)
{
    return fl_root_look(fl_tracks_root(tracks, track), machine_now).phase;
}

//  The opening of a round of that track is durable.
static void
s_opened(uint32_t track)
{
    fl_event event = { .kind = FL_EV_SAVED, .track = track, .saved.ok = true };
    event.token = machine_token(FL_FX_SAVE, 0);
    machine_step(&event);
    assert_int_equal(s_phase(track), FL_ROOT_COLLECTING);
}

//  A beat from a seat that this peer has, or had.
static void
s_beat(fl_peer peer, uint32_t seat)
{
    const fl_message beat = machine_beat(seat, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(peer, &beat, 0);
}

//  Runs of d0 and of d1, which sits where it can when it comes.
static void
s_two(void)
{
    machine_join(0);
    machine_join(1);
    s_begin(0, "d0", FL_RUN_GO);
    s_opened(0);
    assert_non_null(machine_said(0, FL_TASK));
    assert_null(machine_said(1, FL_TASK));
    s_begin(1, "d1", FL_RUN_GO);
    assert_int_equal(s_phase(1), FL_ROOT_WAITING); // d1 does not sit here yet
    s_beat(1, 1);
    assert_true(machine_refuses(1, FL_BEAT, FL_WHY_UNKNOWN_SEAT));
    machine_join(1);
    assert_int_equal(machine_count(FL_FX_EXPEL), 0);
    assert_int_equal(machine_effect(FL_FX_SAVE)->track, 1);
}

static fl_aggregator *
s_aggregator(uint32_t track)
{
    return fl_root_aggregator(fl_tracks_root(tracks, track));
}

static void
rounds_of_two_runs_are_open_at_a_time_and_each_child_has_its_own(void **state)
{
    (void)state;
    const fl_run second = machine_run(2);
    s_two();
    s_opened(1);
    assert_int_equal(s_phase(0), FL_ROOT_COLLECTING);
    assert_true(fl_run_equal(&machine_said(1, FL_TASK)->run, &second));
    assert_null(machine_said(0, FL_TASK));
    assert_int_equal(machine_effect(FL_FX_CLEAR)->track, 1);
    assert_true(fl_aggregator_seat(s_aggregator(0), 1).moved);
    assert_false(fl_aggregator_seat(s_aggregator(1), 0).moved);
}

static void
a_child_stays_at_its_track_until_the_other_one_wants_it(void **state)
{
    (void)state;
    const fl_event leave = { .kind = FL_EV_RUN, .track = 1, .run.order = FL_RUN_LEAVE };
    machine_join(1);
    s_begin(1, "d2", FL_RUN_GO);
    s_beat(1, 0); // d1 is nobody's
    assert_null(machine_said(1, FL_REFUSED));
    machine_join(2);
    s_opened(1);
    machine_step(&leave);
    s_begin(0, "d3", FL_RUN_GO);
    s_beat(2, 0);
    assert_null(machine_said(2, FL_REFUSED)); // it may still hear how its round ended
    const fl_event gone = { .kind = FL_EV_GONE, .gone.peer = 2 };
    machine_step(&gone);
    assert_int_equal(machine_count(FL_FX_EXPEL), 1);
}

static void
a_node_that_comes_to_another_track_with_another_key_leaves_no_session_behind(void **state)
{
    (void)state;
    machine_join(1);
    s_begin(1, "d1", FL_RUN_GO);
    const fl_message hello = machine_hello(101, 0); // the same process
    const fl_event event = machine_from_child(7, "d1", FL_ROLE_DEVICE, &hello, 0);
    machine_step(&event);
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, 1);
    assert_true(fl_aggregator_seat(s_aggregator(0), 0).moved);
    assert_int_equal(s_phase(1), FL_ROOT_OPENING);
}

static void
a_copy_of_a_child_takes_its_seat_on_no_track(void **state)
{
    (void)state;
    const fl_message hello = machine_hello(9, 0);
    const fl_event copy = machine_from_child(7, "d1", FL_ROLE_DEVICE, &hello, 0);
    machine_join(1);
    s_begin(1, "d1", FL_RUN_GO);
    machine_step(&copy); // it would sit at the other track
    assert_true(machine_refuses(7, FL_HELLO, FL_WHY_IN_USE));
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, 7);
    assert_true(fl_aggregator_seat(s_aggregator(0), 0).present);
    assert_int_equal(s_phase(1), FL_ROOT_WAITING);
    machine_now = 3 * 10000; // as silent as that it may have died
    machine_step(&copy);
    assert_int_equal(s_phase(1), FL_ROOT_OPENING);
}

//  An edge that comes, below which some may have a task: which run it is told to be over; 0: none.
static uint8_t
s_told_over(uint32_t number, const char *name)
{
    const fl_message hello = machine_hello(100 + number, 0);
    const fl_event event = machine_from_child(number, name, FL_ROLE_EDGE, &hello, 0);
    machine_step(&event);
    const fl_message *closed = machine_said(number, FL_CLOSED);
    assert_true(closed == NULL || closed->closed.final);
    const fl_run first = machine_run(1);
    return closed == NULL ? 0 : fl_run_equal(&closed->run, &first) ? 1 : 2;
}

static void
who_comes_too_late_hears_of_the_end_at_the_track_of_its_last_run(void **state)
{
    (void)state;
    s_begin(1, "e2", FL_RUN_STOP);
    s_begin(0, "e2", FL_RUN_STOP); // a later one
    assert_int_equal(s_told_over(2, "e2"), 1);
    s_begin(1, "e1", FL_RUN_STOP);
    assert_int_equal(s_told_over(1, "e1"), 2);
    assert_int_equal(s_told_over(3, "e3"), 0); // it was in none
}

static void
what_is_about_the_node_or_a_child_is_for_both_tracks(void **state)
{
    (void)state;
    fl_event event = { .kind = FL_EV_REST, .rest.reason = FL_WHY_DRAIN };
    s_two();
    s_opened(1);
    machine_step(&event);
    for (uint32_t i = 0; i < FL_TRACKS; i++) {
        const fl_root_view view = fl_root_look(fl_tracks_root(tracks, i), machine_now);
        assert_true(view.rests == FL_WHY_DRAIN && view.busy);
        fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_TRAIN);
        beat.run = machine_run((uint8_t)(i + 1));
        machine_hear_child(i, &beat, 0);
        assert_int_equal(machine_said(i, FL_BEAT)->beat.done, FL_WHY_DRAIN);
    }
    event = (fl_event){ .kind = FL_EV_GONE, .gone = { 1, FL_WHY_SILENT } };
    machine_step(&event);
    assert_int_equal(fl_root_look(fl_tracks_root(tracks, 1), machine_now).expect, 1);
    event = (fl_event){ .kind = FL_EV_DENIED, .denied.node = machine_node("d1") };
    machine_step(&event);
    assert_int_equal(fl_root_look(fl_tracks_root(tracks, 1), machine_now).expect, 0);
    assert_int_equal(fl_root_look(fl_tracks_root(tracks, 0), machine_now).expect, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
    (void)s_new;
    (void)s_destroy;
    const struct CMUnitTest tests[] = {
        CASE(rounds_of_two_runs_are_open_at_a_time_and_each_child_has_its_own),
        CASE(a_child_stays_at_its_track_until_the_other_one_wants_it),
        CASE(a_copy_of_a_child_takes_its_seat_on_no_track),
        CASE(who_comes_too_late_hears_of_the_end_at_the_track_of_its_last_run),
        CASE(what_is_about_the_node_or_a_child_is_for_both_tracks),
        CASE(a_node_that_comes_to_another_track_with_another_key_leaves_no_session_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
