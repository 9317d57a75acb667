#include "cloud/scheduler.h"

#include "tests/support/unit.h"

static fl_scheduler *queue;

static int
end(void **state)
{
    (void)state;
    fl_scheduler_destroy(&queue);
    return 0;
}

static fl_run
id(uint64_t number)
{
    return (fl_run){ { (uint8_t)number, (uint8_t)(number >> 8) } };
}

static void
put(uint64_t number, int32_t priority, fl_run_state state, fl_reason reason)
{
    const fl_scheduled run = {
        .run = id(number), .number = number, .priority = priority, .state = state, .reason = reason
    };
    assert_int_equal(fl_scheduler_add(queue, &run), FL_OK);
}

//  The number of the run that begins next, which it does then; 0: none.
static uint64_t
begin(void)
{
    const fl_scheduled *next = fl_scheduler_next(queue);
    uint64_t number = next == NULL ? 0 : next->number;
    if (next != NULL) {
        const fl_run run = next->run;
        fl_scheduler_begin(queue, &run, 0);
    }
    return number;
}

static fl_status
enter(uint64_t number, fl_run_state to, fl_reason reason, fl_time now)
{
    const fl_run run = id(number);
    return fl_scheduler_enter(queue, &run, to, reason, now);
}

static const fl_scheduled *
look(uint64_t number)
{
    const fl_run run = id(number);
    return fl_scheduler_find(queue, &run);
}

static void
every_move_that_the_table_does_not_know_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    //  A row per state before, a letter per state after: y is legal.
    static const char *const moves[] = {
        [FL_RUN_QUEUED] = "nynnyy", [FL_RUN_RUNNING] = "nnyyyy", [FL_RUN_PAUSED] = "nyynyy"
    };
    for (fl_run_state from = FL_RUN_QUEUED; from <= FL_RUN_PAUSED; from++) {
        for (fl_run_state to = FL_RUN_QUEUED; to < FL_RUN_STATES; to++) {
            bool fine = moves[from][to - FL_RUN_QUEUED] == 'y';
            queue = fl_scheduler_new(1);
            put(1, 0, from, FL_WHY_NONE);
            assert_int_equal(fl_run_state_may(from, to), fine);
            assert_int_equal(enter(1, to, FL_WHY_NONE, 0), fine ? FL_OK : FL_DENIED);
            if (!fine) {
                assert_int_equal(look(1)->state, from);
            } else if (to >= FL_RUN_DONE) {
                assert_null(look(1));
            } else {
                assert_int_equal(look(1)->state, to);
            }
            fl_scheduler_destroy(&queue);
        }
    }
}

static void
what_has_ended_stays_ended(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    for (fl_run_state from = FL_RUN_DONE; from < FL_RUN_STATES; from++) {
        for (fl_run_state to = 0; to <= FL_RUN_STATES; to++) {
            assert_false(fl_run_state_may(from, to));
        }
    }
    assert_int_equal(enter(1, FL_RUN_RUNNING, FL_WHY_NONE, 0), FL_MISSING);
    put(1, 0, FL_RUN_RUNNING, FL_WHY_NONE);
    assert_int_equal(enter(1, FL_RUN_DONE, FL_WHY_NONE, 0), FL_OK);
    assert_int_equal(enter(1, FL_RUN_RUNNING, FL_WHY_NONE, 0), FL_MISSING);
}

static void
one_after_the_other_by_priority_and_then_by_number(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    put(4, -1, FL_RUN_QUEUED, FL_WHY_NONE);
    put(3, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    put(2, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    put(5, 7, FL_RUN_QUEUED, FL_WHY_NONE);
    static const uint64_t order[] = { 5, 2, 3, 4 };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(begin(), order[i]);
        assert_int_equal(look(order[i])->state, FL_RUN_RUNNING);
        assert_int_equal(begin(), 0); // the one slot is taken
        assert_int_equal(enter(order[i], FL_RUN_DONE, FL_WHY_NONE, 0), FL_OK);
    }
    assert_int_equal(begin(), 0);
}

static void
a_priority_that_changes_changes_who_is_next(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    put(1, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    put(2, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    const fl_run second = id(2), nobody = id(9);
    fl_scheduler_prefer(queue, &second, 1);
    fl_scheduler_prefer(queue, &nobody, 5);
    assert_int_equal(begin(), 2);
}

static void
as_many_at_a_time_as_there_are_slots_and_a_paused_one_keeps_its_own(void **state)
{
    (void)state;
    queue = fl_scheduler_new(2);
    for (uint64_t number = 1; number <= 4; number++) {
        put(number, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    }
    assert_int_equal(begin(), 1);
    assert_int_equal(begin(), 2);
    assert_int_equal(begin(), 0);
    assert_int_equal(enter(1, FL_RUN_PAUSED, FL_WHY_NONE, 0), FL_OK);
    assert_int_equal(begin(), 0);
    assert_int_equal(enter(2, FL_RUN_ABORTED, FL_WHY_MODEL, 0), FL_OK);
    assert_int_equal(begin(), 3);
    assert_int_equal(enter(4, FL_RUN_STOPPED, FL_WHY_NONE, 0), FL_OK); // it had no slot
    assert_int_equal(begin(), 0);
    assert_int_equal(enter(1, FL_RUN_STOPPED, FL_WHY_NONE, 0), FL_OK); // and this one had
    put(5, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    assert_int_equal(begin(), 5);
}

static void
after_a_restart_what_was_begun_goes_on_before_anything_that_is_queued(void **state)
{
    (void)state;
    queue = fl_scheduler_new(2);
    put(1, 9, FL_RUN_QUEUED, FL_WHY_NONE);
    put(2, 0, FL_RUN_PAUSED, FL_WHY_NONE);
    put(3, 0, FL_RUN_RUNNING, FL_WHY_NONE);
    assert_int_equal(begin(), 2);
    assert_int_equal(look(2)->state, FL_RUN_PAUSED); // the operator's, who says when
    assert_int_equal(begin(), 3);
    assert_int_equal(begin(), 0);
    assert_int_equal(fl_scheduler_deadline(queue), FL_NEVER);
}

static void
trouble_is_tried_again_after_a_delay_that_doubles_up_to_a_minute(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    put(1, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    assert_int_equal(begin(), 1);
    static const uint32_t delays[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
    fl_time now = 500;
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        assert_int_equal(enter(1, FL_RUN_PAUSED, FL_WHY_STORAGE, now), FL_OK);
        assert_int_equal(look(1)->reason, FL_WHY_STORAGE);
        now += delays[i];
        assert_int_equal(fl_scheduler_deadline(queue), now);
        assert_null(fl_scheduler_due(queue, now - 1));
        assert_ptr_equal(fl_scheduler_due(queue, now), look(1));
        assert_int_equal(enter(1, FL_RUN_RUNNING, FL_WHY_NONE, now), FL_OK);
        assert_int_equal(look(1)->reason, FL_WHY_NONE);
        assert_int_equal(fl_scheduler_deadline(queue), FL_NEVER);
    }
    const fl_run run = id(1), nobody = id(9);
    fl_scheduler_well(queue, &run); // a round went well: the next trouble is another one
    fl_scheduler_well(queue, &nobody);
    assert_int_equal(enter(1, FL_RUN_PAUSED, FL_WHY_STORAGE, now), FL_OK);
    assert_int_equal(fl_scheduler_deadline(queue), now + 1000);
}

static void
who_is_due_first_is_tried_first(void **state)
{
    (void)state;
    queue = fl_scheduler_new(2);
    put(1, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    put(2, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    (void)begin();
    (void)begin();
    assert_int_equal(enter(1, FL_RUN_PAUSED, FL_WHY_STORAGE, 700), FL_OK);
    assert_int_equal(enter(2, FL_RUN_PAUSED, FL_WHY_STORAGE, 300), FL_OK);
    assert_int_equal(fl_scheduler_due(queue, 5000)->number, 2);
    assert_int_equal(fl_scheduler_deadline(queue), 1300);
}

static void
a_pause_of_the_operator_is_not_tried_again(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    put(1, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    (void)begin();
    assert_int_equal(enter(1, FL_RUN_PAUSED, FL_WHY_STORAGE, 0), FL_OK);
    assert_int_equal(enter(1, FL_RUN_PAUSED, FL_WHY_NONE, 0), FL_OK);
    assert_int_equal(fl_scheduler_deadline(queue), FL_NEVER);
    assert_null(fl_scheduler_due(queue, FL_NEVER));
}

static void
trouble_of_an_earlier_process_is_tried_soon(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    put(1, 0, FL_RUN_PAUSED, FL_WHY_STORAGE);
    assert_int_equal(fl_scheduler_deadline(queue), FL_NEVER); // it has no slot yet
    assert_int_equal(begin(), 1);
    assert_int_equal(fl_scheduler_deadline(queue), FL_SCHEDULER_RETRY_MIN_MS);
}

static void
a_run_is_in_the_queue_once_and_the_queue_is_bounded(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    for (uint64_t number = 1; number <= FL_SCHEDULER_RUNS_MAX; number++) {
        put(number, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    }
    const fl_scheduled again = { .run = id(1), .number = 1, .state = FL_RUN_QUEUED };
    const fl_scheduled more = { .run = id(1000), .number = 1000, .state = FL_RUN_QUEUED };
    assert_int_equal(fl_scheduler_add(queue, &again), FL_EXISTS);
    assert_int_equal(fl_scheduler_add(queue, &more), FL_FULL);
    assert_int_equal(enter(7, FL_RUN_STOPPED, FL_WHY_NONE, 0), FL_OK);
    assert_int_equal(fl_scheduler_add(queue, &more), FL_OK);
    assert_int_equal(begin(), 1);
}

static void
add_what_has_ended(void)
{
    const fl_scheduled ended = { .run = id(1), .number = 1, .state = FL_RUN_DONE };
    assert_int_equal(fl_scheduler_add(queue, &ended), FL_OK);
}

static void
begin_twice(void)
{
    const fl_run run = id(1);
    put(1, 0, FL_RUN_QUEUED, FL_WHY_NONE);
    fl_scheduler_begin(queue, &run, 0);
    fl_scheduler_begin(queue, &run, 0);
}

static void
a_mistake_of_our_own_ends_the_process(void **state)
{
    (void)state;
    queue = fl_scheduler_new(1);
    assert_true(unit_dies(add_what_has_ended));
    assert_true(unit_dies(begin_twice));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            every_move_that_the_table_does_not_know_is_refused_and_changes_nothing, end),
        cmocka_unit_test_teardown(what_has_ended_stays_ended, end),
        cmocka_unit_test_teardown(one_after_the_other_by_priority_and_then_by_number, end),
        cmocka_unit_test_teardown(a_priority_that_changes_changes_who_is_next, end),
        cmocka_unit_test_teardown(
            as_many_at_a_time_as_there_are_slots_and_a_paused_one_keeps_its_own, end),
        cmocka_unit_test_teardown(
            after_a_restart_what_was_begun_goes_on_before_anything_that_is_queued, end),
        cmocka_unit_test_teardown(trouble_is_tried_again_after_a_delay_that_doubles_up_to_a_minute,
                                  end),
        cmocka_unit_test_teardown(who_is_due_first_is_tried_first, end),
        cmocka_unit_test_teardown(a_pause_of_the_operator_is_not_tried_again, end),
        cmocka_unit_test_teardown(trouble_of_an_earlier_process_is_tried_soon, end),
        cmocka_unit_test_teardown(a_run_is_in_the_queue_once_and_the_queue_is_bounded, end),
        cmocka_unit_test_teardown(a_mistake_of_our_own_ends_the_process, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
