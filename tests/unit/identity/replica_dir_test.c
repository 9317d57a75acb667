#include "common/identity/replica_dir.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"

static fl_why why;

static void
replicas_claim_one_slot_each_from_the_lowest(void **state)
{
    (void)state;
    fl_lock *locks[3] = { 0 };
    fl_replica_dir slot;
    struct stat about;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(
            fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &locks[i], &why), FL_OK);
        assert_int_equal(slot.number, i);
    }
    assert_string_equal(slot.path, place_of("slots/02"));
    assert_int_equal(stat(place_of("slots/02"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    for (int i = 0; i < 3; i++) {
        fl_lock_release(&locks[i]);
    }
}

static void
a_slot_is_free_again_when_its_process_is_killed_and_keeps_its_files(void **state)
{
    (void)state;
    fl_lock *first = NULL, *again = NULL;
    fl_replica_dir slot;
    int holding[2];
    char byte;
    assert_int_equal(pipe(holding), 0);
    pid_t child = fork();
    if (child == 0) {
        fl_lock *lock = NULL;
        bool fine =
            fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &lock, &why) == FL_OK;
        _exit(!fine || write(holding[1], "x", 1) != 1 || pause() != 0);
    }
    assert_int_equal(read(holding[0], &byte, 1), 1);
    place_write("slots/00/node.key", "k", 1);
    assert_int_equal(fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &first, &why),
                     FL_OK);
    assert_int_equal(slot.number, 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &again, &why),
                     FL_OK);
    assert_int_equal(slot.number, 0);
    assert_int_equal(access(place_of("slots/00/node.key"), F_OK), 0);
    fl_lock_release(&first);
    fl_lock_release(&again);
    (void)close(holding[0]);
    (void)close(holding[1]);
}

static void
the_slot_of_this_machines_process_is_found(void **state)
{
    (void)state;
    fl_lock *theirs = NULL, *ours = NULL;
    fl_replica_dir slot;
    static const char elsewhere[] = "fl-device (pid 7 on 0123456789ab)\n";
    assert_int_equal(fl_replica_dir_find(place_of("slots"), "fl-device", &slot, &why), FL_MISSING);
    assert_int_equal(fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &theirs, &why),
                     FL_OK);
    place_write("slots/00/lock", elsewhere, sizeof elsewhere - 1);
    assert_int_equal(fl_replica_dir_find(place_of("slots"), "fl-device", &slot, &why), FL_MISSING);
    assert_non_null(strstr(why.text, "no slot of "));
    assert_int_equal(fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &ours, &why),
                     FL_OK);
    assert_int_equal(fl_replica_dir_find(place_of("slots"), "fl-device", &slot, &why), FL_OK);
    assert_int_equal(slot.number, 1);
    assert_string_equal(slot.path, place_of("slots/01"));
    fl_lock_release(&theirs);
    fl_lock_release(&ours);
}

static void
a_slot_that_was_taken_away_hides_no_other(void **state)
{
    (void)state;
    fl_lock *lower = NULL, *ours = NULL;
    fl_replica_dir slot;
    assert_int_equal(fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &lower, &why),
                     FL_OK);
    assert_int_equal(fl_replica_dir_claim(place_of("slots"), "fl-device", &slot, &ours, &why),
                     FL_OK);
    fl_lock_release(&lower);
    place_remove(place_of("slots/00"));
    assert_int_equal(fl_replica_dir_find(place_of("slots"), "fl-device", &slot, &why), FL_OK);
    assert_int_equal(slot.number, 1);
    fl_lock_release(&ours);
}

static void
a_slot_that_others_may_read_is_refused_and_not_passed_over(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    fl_replica_dir slot;
    assert_int_equal(mkdir(place_of("00"), 0700), 0);
    assert_int_equal(chmod(place_of("00"), 0755), 0);
    assert_int_equal(fl_replica_dir_claim(place, "fl-device", &slot, &lock, &why), FL_DENIED);
    assert_null(lock);
    assert_non_null(strstr(why.text, "chmod 700"));
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(replicas_claim_one_slot_each_from_the_lowest),
        IN_PLACE(a_slot_is_free_again_when_its_process_is_killed_and_keeps_its_files),
        IN_PLACE(the_slot_of_this_machines_process_is_found),
        IN_PLACE(a_slot_that_was_taken_away_hides_no_other),
        IN_PLACE(a_slot_that_others_may_read_is_refused_and_not_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
